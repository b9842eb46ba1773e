"""An older copy is recognised by what was published elsewhere, and accepted whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.errors import ConfigError, StoreError
from broker.journal.entry import decode
from broker.journal.places import FilePlace, Place, SyslogPlace
from broker.journal.restore import COPIED, Confirmed, confirm, older, refuse
from broker.message import now
from broker.stores.sqlite import SqliteStore
from tests.journal.ledgers import SIGNER, noted, opened, sealed, sealing

VERIFIER = SIGNER.verifier()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere"


@pytest.fixture
def copy(tmp_path: Path, here: Path, elsewhere: Path) -> Iterator[SqliteStore]:
    """Yield a copy over ten entries of a journal whose twenty were published in two places."""
    store = opened(tmp_path / "store")
    sealed(store, here, 10)
    store.scrub()
    shutil.copy(tmp_path / "store", tmp_path / "copy")
    noted(store, 10, 10)
    assert sealing(store, here, [FilePlace(elsewhere)]).seal(final=True)
    store.close()
    found = opened(tmp_path / "copy")
    yield found
    found.close()


def accepted() -> Confirmed:
    return Confirmed("erika", "disk is lost", now())


@pytest.mark.parametrize("which", ["here", "elsewhere"])
def test_each_place_alone_shows_an_older_copy(
    copy: SqliteStore, which: str, request: pytest.FixtureRequest
) -> None:
    found = older(copy, [FilePlace(request.getfixturevalue(which))], VERIFIER)

    assert found is not None
    assert [one.size for one in found.lost] == [20]


def test_a_copy_that_went_on_by_itself_is_shown_too(copy: SqliteStore, elsewhere: Path) -> None:
    noted(copy, 30, 500)
    assert sealing(copy, elsewhere.with_name("third")).seal(final=True)

    assert older(copy, [FilePlace(elsewhere)], VERIFIER) is not None


def test_places_that_cannot_tell_show_nothing(copy: SqliteStore, tmp_path: Path) -> None:
    places: list[Place] = [FilePlace(tmp_path / "none"), SyslogPlace("/dev/log")]

    assert older(copy, places, VERIFIER) is None


def test_without_a_key_only_the_mark_counts(copy: SqliteStore, here: Path) -> None:
    assert older(copy, [FilePlace(here)], None) is None

    copy.ran(COPIED, now()).result()

    assert older(copy, [FilePlace(here)], None) is not None


def test_an_older_copy_is_refused_with_the_next_step(copy: SqliteStore, here: Path) -> None:
    with pytest.raises(ConfigError, match="xoev-broker restore show"):
        refuse(older(copy, [FilePlace(here)], VERIFIER))

    refuse(None)


def test_a_confirmation_is_in_the_journal_with_what_was_given_up(
    copy: SqliteStore, here: Path, elsewhere: Path
) -> None:
    places = [FilePlace(here), FilePlace(elsewhere)]
    found = older(copy, places, VERIFIER)
    assert found is not None

    confirm(copy, found, accepted())

    lines = [decode(one) for one in copy.entries(events=("abandoned", "restored"))]
    assert [(line.event, line.actor) for line in lines] == [
        ("abandoned", "erika"),
        ("restored", "erika"),
    ]
    assert (lines[0].facts["size"], lines[0].facts["count"]) == ("20", "10")
    assert older(copy, places, VERIFIER) is None


def test_the_journal_goes_on_in_every_place_after_a_confirmation(
    copy: SqliteStore, here: Path, elsewhere: Path
) -> None:
    places = [FilePlace(here), FilePlace(elsewhere)]
    found = older(copy, places, VERIFIER)
    assert found is not None
    confirm(copy, found, accepted())

    assert sealing(copy, here, [FilePlace(elsewhere)]).seal(final=True)

    ends = {place.last() for place in places}
    assert ends == {copy.tree.notes(last=True)[0].text}
    assert older(copy, places, VERIFIER) is None


def test_a_confirmation_that_was_cut_off_is_none(
    copy: SqliteStore, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = older(copy, [FilePlace(here)], VERIFIER)
    assert found is not None

    def broken(_lines: object) -> None:
        raise StoreError("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(copy, "note", broken)
        with pytest.raises(StoreError):
            confirm(copy, found, accepted())

    assert older(copy, [FilePlace(here)], VERIFIER) is not None
    confirm(copy, found, accepted())
    assert older(copy, [FilePlace(here)], VERIFIER) is None


def test_a_second_copy_needs_a_second_confirmation(copy: SqliteStore, here: Path) -> None:
    places = [FilePlace(here)]
    found = older(copy, places, VERIFIER)
    assert found is not None
    confirm(copy, found, accepted())

    copy.ran(COPIED, now()).result()

    assert older(copy, places, VERIFIER) is not None
