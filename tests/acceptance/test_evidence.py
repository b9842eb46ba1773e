"""Proof and erasure, whole, on each store, sealed and in the clear: what an auditor would do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from broker.cli import main
from broker.intake import Intake
from broker.message import State
from broker.standins.postgres import Postgres
from tests import messages, site
from tests.evidence.other import complaints
from tests.evidence.stock import taken
from tests.evidence.tool import fails, told
from tests.site import Site

NAME = "Bauordnungsamt Beispielfrau"
KINDS = [(store, encryption) for store in ("sqlite", "postgres") for encryption in ("on", "off")]
WHY = ("--reason", "audit 2026/14")


@dataclass(frozen=True)
class Place(Site):
    """A site on a store of its own kind."""

    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """The settings that lead to it."""
        return super().environ | dict(self.extra)


@dataclass(frozen=True)
class House:
    """A site with one answered application, what reads all bytes of its store, and its id."""

    place: Place
    raw: Callable[[], bytes]
    id: str


@pytest.fixture
def tidy(postgres: Postgres) -> Iterator[Path]:
    """Return the files of a server as docs/howto/postgresql.md asks for it."""
    postgres.set("wal_recycle", "off")
    yield postgres.folder / "data"
    postgres.set("wal_recycle", "on")


@pytest.fixture(params=KINDS, ids="-".join)
def house(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    store, encryption = request.param
    extra, folder = {"XOEV_BROKER_ENCRYPTION": encryption}, tmp_path / "var"
    if store == "postgres":
        extra["XOEV_BROKER_STORE"] = request.getfixturevalue("database")
        folder = request.getfixturevalue("tidy")
    place = Place(site.build(tmp_path).folder, extra)
    for name, value in (place.environ | {"USER": "revision", "LANG": "C.UTF-8"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return House(place, lambda: _bytes(folder), _answered(place))


def _answered(place: Place) -> str:
    start, tag, rest = messages.request("wolfsburg").partition(b"<name>")
    app = place.app()
    body = start + tag + NAME.encode() + rest[rest.index(b"</name>") :]
    id = Intake(app).accept(body, "bauportal", "test").id
    app.close()
    place.work()
    place.answer("wolfsburg", messages.reply(place.out("wolfsburg")[0].stem))
    place.work()
    return id


def _bytes(folder: Path) -> bytes:
    return b"".join(one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file())


def _typed(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    capsys.readouterr()
    code = main(args)
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def test_what_happened_can_be_proven_before_and_after_the_person_is_erased(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = (house.place.folder / f"{name}.zip" for name in ("before", "after"))
    key = _typed(capsys, "evidence", house.id, "-o", str(before), *WHY).split("'")[1]
    assert NAME.encode() in house.raw()

    _typed(capsys, "erase", house.id, "--reason", "Art. 17 GDPR")
    _typed(capsys, "evidence", house.id, "-o", str(after), *WHY)

    assert NAME.encode() not in house.raw()
    assert "nothing was changed" in _typed(capsys, "verify")
    for bundle in (before.read_bytes(), after.read_bytes()):
        assert fails(bundle, key) == complaints(bundle, key) == []
    assert NAME.encode() in taken(before.read_bytes())[f"messages/{house.id}/original.xml"]
    assert NAME.encode() not in after.read_bytes()
    gone = [line for line in told(after.read_bytes(), key, "holds") if "was erased on" in line]
    assert len(gone) == 4


def test_the_states_still_add_up(house: House) -> None:
    app = house.place.app()
    try:
        counts = app.store.counts()
    finally:
        app.close()

    assert counts.accepted == 2
    assert all(one.get(State.DELIVERED) == 1 for one in counts.states.values())
