"""kill -9 at every commit, every call to a procedure and every step on a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.crash.judge import killed, settled, story
from tests.crash.nursery import KILLED, Nursery, points
from tests.crash.places import PLACES, Place

pytestmark = pytest.mark.crash

#: The tests of one kind share its points, so that they can run side by side.
SHARES = 4
#: After so many complaints the cause is clear.
ENOUGH = 3


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


def crash(nursery: Nursery, place: Place, kills: Sequence[str]) -> list[str]:
    """Die at each of the points, one life after the other, then live on; return what is wrong."""
    with place.open():
        for kill in kills:
            code = nursery.live(place.order(kill))
            if code not in (KILLED, 0):
                return [f"a life ended with {code}"]
            if code == 0:
                break  # this time the point did not come up
            place.crashes += 1
            if wrong := list(killed(place)):
                return wrong
        code = nursery.live(place.order(""))
        wrong = [] if code == 0 else [f"the last life ended with {code}"]
        return wrong + list(settled(place))


def undisturbed(nursery: Nursery, kind: str, folder: Path) -> list[str]:
    """Return all points of a life that nothing disturbs."""
    place = make(kind, folder)
    assert crash(nursery, place, ()) == []
    return [point for point in points(place.folder) if not point.startswith("commit#")]


def make(kind: str, folder: Path) -> Place:
    folder.mkdir()
    return PLACES[kind](folder)


def try_all(nursery: Nursery, kind: str, folder: Path, kills: Sequence[Sequence[str]]) -> None:
    assert kills
    wrong, crashes = [], 0
    for number, kill in enumerate(kills):
        place = make(kind, folder / str(number))
        found = crash(nursery, place, kill)
        crashes += place.crashes == len(kill)
        wrong += [f"{' then '.join(kill)}: {text}\n    {story(place)}" for text in found]
        if len(wrong) >= ENOUGH:
            break
    assert not wrong, f"{len(wrong)} complaints:\n" + "\n".join(wrong)
    # threads do not always go the same way, but most points come up each time
    assert crashes > len(kills) * 2 / 3


@pytest.mark.parametrize("share", range(SHARES))
def test_no_point_of_a_directory_loses_or_doubles_anything(
    nursery: Nursery, tmp_path: Path, share: int
) -> None:
    every = undisturbed(nursery, "directory", tmp_path / "first")

    try_all(nursery, "directory", tmp_path, [(point,) for point in every[share::SHARES]])


OTHERS = [kind for kind in PLACES if kind != "directory"]
#: Of the other kinds one point in so many is tried each time, all of them by `make test-all`.
FEW = 5


@pytest.mark.parametrize("kind", OTHERS)
def test_every_fifth_point_of_another_kind_loses_and_doubles_nothing(
    nursery: Nursery, tmp_path: Path, kind: str
) -> None:
    every = undisturbed(nursery, kind, tmp_path / "first")

    try_all(nursery, kind, tmp_path, [(point,) for point in every[::FEW]])


@pytest.mark.slow
@pytest.mark.parametrize("kind", OTHERS)
def test_all_other_points_of_another_kind_lose_and_double_nothing(
    nursery: Nursery, tmp_path: Path, kind: str
) -> None:
    every = undisturbed(nursery, kind, tmp_path / "first")

    try_all(nursery, kind, tmp_path, [(point,) for at, point in enumerate(every) if at % FEW])


def second(nursery: Nursery, kind: str, folder: Path, first: str) -> list[str]:
    """Return the points of the life after one that died at `first`."""
    place = make(kind, folder)
    with place.open():
        assert nursery.live(place.order(first)) == KILLED
        passed = len(points(place.folder))
        assert nursery.live(place.order("")) == 0
    return [point for point in points(place.folder)[passed:] if not point.startswith("commit#")]


#: Where a second kill could undo what the first one left: right after the mark, and after the
#: effect without an outcome.
TWICE = [
    ("directory", "procedure marked#1"),
    ("directory", "return marked#1"),
    ("directory", "procedure send after#1"),
    ("table", "procedure marked#1"),
    ("table", "procedure send after#1"),
    ("soap-recognised", "request after#1"),
    ("rest-asked", "procedure marked#1"),
    ("rest-asked", "procedure send after#1"),
]


def test_a_second_kill_while_a_file_in_doubt_is_sent_again_loses_and_doubles_nothing(
    nursery: Nursery, tmp_path: Path
) -> None:
    kind, first = TWICE[0]
    every = second(nursery, kind, tmp_path / "first", first)
    near = [point for point in every if "procedure" in point or "eingang" in point]

    try_all(nursery, kind, tmp_path, [(first, point) for point in near])


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "first"), TWICE)
def test_a_second_kill_at_any_point_loses_and_doubles_nothing(
    nursery: Nursery, tmp_path: Path, kind: str, first: str
) -> None:
    every = second(nursery, kind, tmp_path / "first", first)

    try_all(nursery, kind, tmp_path, [(first, point) for point in every])
