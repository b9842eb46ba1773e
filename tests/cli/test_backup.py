"""A backup beside a running broker, and a restored copy that does nothing twice."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.errors import ConfigError
from broker.message import State
from broker.roles import lock, unlock
from broker.service import Service
from broker.settings import Settings
from tests import messages
from tests.cli.conftest import Type
from tests.journal.ledgers import tamper
from tests.site import Site

WHY = ("--reason", "disk of host 7 is lost")


@pytest.fixture
def copy(type_: Type, place: Site, submitted: str) -> Path:
    """Return a backup that holds one application which waits; it was delivered afterwards."""
    folder = place.folder / "backup"
    assert type_("backup", str(folder)).code == 0
    place.work()
    assert type_("checkpoint", "--now").code == 0
    assert len(place.out("wolfsburg")) == 1
    return folder


@pytest.fixture
def store(place: Site) -> Path:
    """Return where the store of the site is."""
    return Path(place.environ["XOEV_BROKER_STATE"]) / "broker.sqlite"


@pytest.fixture
def restored(type_: Type, copy: Path, store: Path) -> Path:
    """Put the backup in place of the store, which is lost; return the store."""
    for file in store.parent.glob("broker.sqlite*"):
        file.unlink()
    ran = type_("restore", "put", str(copy))
    assert ran.code == 0, ran.err
    return store


@pytest.fixture
def running(place: Site) -> Iterator[None]:
    """Let the lock say that a broker runs."""
    held = lock(Path(place.environ["XOEV_BROKER_STATE"]))
    yield
    unlock(held)


def starts(place: Site) -> bool:
    """Whether a broker starts on this site."""
    try:
        service = Service(Settings.load(place.environ), place.environ)
    except ConfigError as error:
        if "the store is an older copy" not in str(error):
            raise
        return False
    service.start()
    service.finish()
    return True


def state(type_: Type, id: str) -> str:
    return str(type_("trace", id, "--json").json["messages"][0]["state"])


@pytest.mark.usefixtures("running", "submitted")
def test_a_backup_is_made_beside_a_running_broker(type_: Type, place: Site) -> None:
    ran = type_("backup", "backup")

    files = sorted(file.name for file in (place.folder / "backup").iterdir())
    assert (ran.code, files) == (0, ["backup.json", "broker.sqlite"])
    assert "which is not in it" in ran.out


def test_only_its_owner_may_read_a_backup(copy: Path) -> None:
    modes = {stat.S_IMODE(file.stat().st_mode) for file in copy.iterdir()}

    assert (stat.S_IMODE(copy.stat().st_mode), modes) == (0o700, {0o600})


def test_a_backup_holds_the_last_checkpoint(type_: Type, submitted: str, tmp_path: Path) -> None:
    last = type_("checkpoint", "--now").out

    type_("backup", "backup")

    assert (tmp_path / "backup/checkpoint").read_text("utf-8") == last


def test_no_key_is_in_a_backup(copy: Path, place: Site) -> None:
    secret = Path(place.environ["XOEV_BROKER_STATE"], "site.key").read_bytes()

    assert all(secret not in file.read_bytes() for file in copy.iterdir())


def test_a_folder_with_contents_gets_no_backup(type_: Type, copy: Path) -> None:
    ran = type_("backup", str(copy))

    assert (ran.code, "a folder of its own" in ran.err) == (1, True)


def test_the_journal_says_who_made_a_backup(type_: Type, copy: Path, place: Site) -> None:
    sheet = json.loads((copy / "backup.json").read_text())
    app = place.app()
    (line,) = app.store.entries(events=("copied",))
    app.close()

    assert sheet["sha256"].encode() in line.body


def test_a_good_backup_is_found_good(type_: Type, copy: Path) -> None:
    before = {file.name: file.read_bytes() for file in copy.iterdir()}

    ran = type_("restore", "check", str(copy))

    assert (ran.code, "the site key here opens it" in ran.out) == (0, True), ran
    assert {file.name: file.read_bytes() for file in copy.iterdir()} == before


def test_a_changed_backup_is_found(type_: Type, copy: Path) -> None:
    tamper(copy / "broker.sqlite", "DELETE FROM pauses", "UPDATE messages SET party = 'x'")

    ran = type_("restore", "check", str(copy))

    assert (ran.code, "is not what was backed up" in ran.err) == (1, True)


def test_a_backup_of_another_key_is_found(type_: Type, copy: Path, place: Site) -> None:
    key = Path(place.environ["XOEV_BROKER_STATE"], "site.key")
    key.write_bytes(bytes(32))

    ran = type_("restore", "check", str(copy))

    assert (ran.code, "not the one of this copy" in ran.out) == (1, True), ran


def test_what_is_no_backup_is_said_to_be_none(type_: Type, tmp_path: Path) -> None:
    ran = type_("restore", "check", str(tmp_path))

    assert (ran.code, "backup.json cannot be read" in ran.err) == (1, True)


def test_a_store_that_is_there_is_never_overwritten(type_: Type, copy: Path, store: Path) -> None:
    before = store.read_bytes()

    ran = type_("restore", "put", str(copy))

    assert (ran.code, "move it away" in ran.err) == (1, True)
    assert store.read_bytes() == before


@pytest.mark.usefixtures("restored")
def test_no_broker_starts_on_a_restored_copy(place: Site) -> None:
    assert not starts(place)


def test_a_copy_of_another_program_is_seen_by_the_last_checkpoint(
    type_: Type, place: Site, submitted: str, store: Path, tmp_path: Path
) -> None:
    type_("checkpoint", "--now")
    shutil.copy(store, tmp_path / "snapshot")
    place.work()
    type_("checkpoint", "--now")
    for file in store.parent.glob("broker.sqlite*"):
        file.unlink()
    shutil.copy(tmp_path / "snapshot", store)

    assert not starts(place)
    assert "holds a checkpoint over" in type_("restore", "show").out


def test_a_store_that_only_grew_starts(type_: Type, place: Site, delivered: str) -> None:
    type_("checkpoint", "--now")
    place.file("antrag2.xml", messages.request())
    type_("submit", "antrag2.xml")

    assert starts(place)
    assert "nothing says" in type_("restore", "show").out


def test_a_backup_does_not_stop_the_store_that_it_was_made_of(copy: Path, place: Site) -> None:
    assert copy.is_dir()
    assert starts(place)


def test_a_marked_store_does_not_start(type_: Type, place: Site, delivered: str) -> None:
    assert type_("restore", "mark").code == 0

    assert not starts(place)


@pytest.mark.usefixtures("restored")
def test_what_would_happen_is_shown_before(type_: Type) -> None:
    ran = type_("restore", "show")

    assert "wolfsburg-bau" in ran.out
    assert "a person looks into the procedure" in ran.out


def test_a_confirmed_copy_delivers_nothing_twice(
    type_: Type, place: Site, restored: Path, submitted: str
) -> None:
    out = place.out("wolfsburg")[0]
    out.unlink()  # the procedure has taken it

    ran = type_("restore", "confirm", *WHY)
    assert (ran.code, "1 deliveries are asked for" in ran.out) == (0, True), ran
    assert starts(place)
    place.work()

    assert place.out("wolfsburg") == []
    assert state(type_, submitted) == State.UNCLEAR.value
    assert "restored copy" in type_("trace", submitted).out


def test_a_person_settles_what_a_confirmed_copy_does_not_know(
    type_: Type, place: Site, restored: Path, submitted: str
) -> None:
    type_("restore", "confirm", *WHY)
    place.work()

    ran = type_("settle", submitted, "--delivered", "--reason", "file 63-2026-00017")

    assert (ran.code, state(type_, submitted)) == (0, State.DELIVERED.value)


@pytest.mark.usefixtures("restored")
def test_a_message_that_the_copy_lost_waits_for_a_person(type_: Type, place: Site) -> None:
    type_("restore", "confirm", *WHY)
    place.file("again.xml", messages.request())  # made in March, as its head says

    id = type_("submit", "again.xml", "--json").lines[0]["id"]
    place.work()

    assert state(type_, id) == State.UNCLEAR.value
    assert len(place.out("wolfsburg")) == 1
    assert type_("replay", id, "--again", "--reason", "not in the procedure").code == 0
    place.work()
    assert state(type_, id) == State.DELIVERED.value


@pytest.mark.usefixtures("restored")
def test_a_message_made_after_the_lost_broker_stopped_goes_on(type_: Type, place: Site) -> None:
    type_("restore", "confirm", "--until", "2020-01-01T00:00", *WHY)
    place.file("new.xml", messages.request())

    id = type_("submit", "new.xml", "--json").lines[0]["id"]
    place.work()

    assert state(type_, id) == State.DELIVERED.value


def test_the_journal_of_a_confirmed_copy_is_sealed_on(
    type_: Type, place: Site, restored: Path
) -> None:
    type_("restore", "confirm", *WHY)

    assert type_("checkpoint", "--now").code == 0
    ran = type_("verify")
    assert (ran.code, "nothing was changed" in ran.out) == (0, True)
    assert starts(place)


def test_a_lost_checkpoint_stays_visible_from_outside(
    type_: Type, place: Site, restored: Path
) -> None:
    kept = Path(place.environ["XOEV_BROKER_STATE"], "checkpoints")
    type_("restore", "confirm", *WHY)

    ran = type_("verify", "--from", str(kept))

    assert (ran.code, "an older copy was put back" in ran.out) == (1, True)


def test_nothing_is_confirmed_where_nothing_is_wrong(type_: Type, delivered: str) -> None:
    ran = type_("restore", "confirm", *WHY)

    assert (ran.code, "nothing to confirm" in ran.err) == (1, True)


@pytest.mark.usefixtures("restored")
def test_a_confirmation_needs_a_reason(type_: Type) -> None:
    assert type_("restore", "confirm", "--reason", " ").code == 2


@pytest.mark.usefixtures("running", "submitted")
@pytest.mark.parametrize("command", [("mark",), ("confirm", *WHY)], ids=["mark", "confirm"])
def test_a_running_broker_must_be_stopped_first(type_: Type, command: tuple[str, ...]) -> None:
    ran = type_("restore", *command)

    assert (ran.code, "stop it first" in ran.err) == (1, True)


def test_status_says_that_the_store_is_a_copy_and_only_then(type_: Type, delivered: str) -> None:
    before = type_("status")
    type_("restore", "mark")

    assert "older copy" not in before.out
    assert "warning: the store is an older copy: it is a copy made at" in type_("status").out


@pytest.mark.usefixtures("restored")
def test_doctor_says_that_the_store_is_a_copy(type_: Type) -> None:
    ran = type_("doctor", "--json")

    assert ran.code == 1
    assert "store.copy" in ran.out
