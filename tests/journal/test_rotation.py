"""The site key can be changed while the broker runs, and no message key is ever without one."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest

from broker.errors import BrokerError, ConfigError, StoreError
from broker.journal import rotation
from broker.journal.entry import decode
from broker.journal.ring import KeyCommand, KeyFile, Ring, short
from broker.journal.rotation import NotRotated, Rotation
from broker.journal.vault import Vault
from broker.message import State, now
from broker.stores.contract import Refused, Store
from broker.stores.custody import Wrapped
from broker.stores.sqlite import SqliteStore
from tests import births, messages
from tests.births import birth, refused, taken_in
from tests.fakes import Make, benches
from tests.needs import ROOT

BODY = b"<antrag>Erika Planck</antrag>"
Fill = Callable[[int], list[str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the first site key: that of the messages of tests/births."""
    file = tmp_path / "site.key"
    file.touch(0o600)
    file.write_bytes(bytes(range(32)))
    return file


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    def broken(error: StoreError) -> None:
        raise AssertionError(error)

    opened = SqliteStore(tmp_path / "broker.sqlite", broken)
    yield opened
    opened.close()


def fill(store: Store, count: int) -> list[str]:
    return taken_in(store, *[birth(BODY) for _ in range(count)])


def opened(store: Store, vault: Vault, ids: list[str]) -> list[bytes]:
    found = [(id, store.payload(id, "original")) for id in ids]
    return [vault.unseal(one[0], id, one[1]) for id, one in found if one]


def events(store: Store) -> list[str]:
    return [line.event for line in map(decode, store.entries()) if not line.message]


def test_all_message_keys_are_wrapped_anew_and_all_payloads_can_be_read(
    store: Store, file: Path
) -> None:
    ids = fill(store, 5)
    before = {one.id: one.key for one in store.keys("", 10, False)}

    done = Rotation(store, file, "erika").rotate()

    after = {one.id: one.key for one in store.keys("", 10, False)}
    assert done.count == 5
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())
    assert opened(store, Vault.open(file), ids) == [BODY] * 5


def test_the_keys_of_refused_bytes_are_wrapped_anew_too(store: Store, file: Path) -> None:
    one: Refused = refused()
    store.refuse(one).result()

    assert Rotation(store, file, "erika").rotate().count == 1

    (found,) = store.keys("", 10, True)
    assert found.key != one.key
    assert Vault.open(file).key(found.key).plain == births.VAULT.key(one.key).plain


def test_fingerprints_outlive_a_change_of_the_key(store: Store, file: Path) -> None:
    first = Vault.open(file).fingerprint("identity", "x")
    Rotation(store, file, "erika").rotate()
    Rotation(store, file, "erika").retire(force=True)

    assert Vault.open(file).fingerprint("identity", "x") == first


def test_a_running_broker_follows_the_change(store: Store, file: Path) -> None:
    running = Vault.open(file)
    ids = fill(store, 2)

    Rotation(store, file, "erika").rotate()
    key = running.new_key()
    Rotation(store, file, "erika").retire(force=True)

    assert opened(store, running, ids) == [BODY] * 2
    assert Vault.open(file).key(key.wrapped).plain == key.plain


def test_the_old_key_alone_opens_nothing_any_more(store: Store, file: Path) -> None:
    ids = fill(store, 1)
    old = Vault(file.read_bytes())
    Rotation(store, file, "erika").rotate()

    with pytest.raises(StoreError, match="restore the site key"):
        opened(store, old, ids)


def test_no_file_of_the_store_holds_a_key_that_the_old_one_opens(
    store: Store, file: Path, tmp_path: Path
) -> None:
    fill(store, 50)
    before = [one.key for one in store.keys("", 100, False)]

    Rotation(store, file, "erika").rotate()

    raw = b"".join(one.read_bytes() for one in tmp_path.glob("broker.sqlite*"))
    assert not [key for key in before if key in raw]


def test_the_old_key_is_kept_until_it_is_retired(store: Store, file: Path) -> None:
    old = Ring.of(file.read_bytes())
    Rotation(store, file, "erika").rotate()
    assert KeyFile(file).read().old == old.wrap

    Rotation(store, file, "erika").retire(force=True)

    assert KeyFile(file).read().old is None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_old_key_is_not_retired_within_an_hour(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Rotation(store, file, "erika").rotate()

    with pytest.raises(NotRotated, match="less than an hour"):
        Rotation(store, file, "erika").retire()

    monkeypatch.setattr(rotation, "now", lambda: now() + timedelta(hours=1))
    Rotation(store, file, "erika").retire()


def test_old_keys_that_stay_in_files_are_told_with_what_to_do(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, 1)
    with monkeypatch.context() as patch:
        patch.setattr(store, "scrub", lambda: False)
        with pytest.raises(StoreError, match=r"run this again.*docs/howto/postgresql\.md"):
            Rotation(store, file, "erika").rotate()

    assert Rotation(store, file, "erika").rotate().count == 0, "all of them were wrapped anew"


def test_the_old_key_stays_where_something_still_needed_it(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Rotation(store, file, "erika").rotate()
    ids = fill(store, 1)  # its key was wrapped with the old one before the change
    monkeypatch.setattr(rotation, "now", lambda: now() + timedelta(hours=2))

    with pytest.raises(NotRotated, match="1 message keys still needed the old key"):
        Rotation(store, file, "erika").retire()

    assert KeyFile(file).read().old is not None
    assert opened(store, Vault.open(file), ids) == [BODY]


def test_without_an_old_key_there_is_nothing_to_retire(store: Store, file: Path) -> None:
    with pytest.raises(NotRotated, match="there is no old key"):
        Rotation(store, file, "erika").retire()


def test_a_rotation_that_was_cut_off_goes_on_with_the_same_key(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = fill(store, 6)
    monkeypatch.setattr(rotation, "BATCH", 2)
    real = store.rewrap
    left = iter([True, False])

    def cut(items: Sequence[Wrapped]) -> Future[None]:
        if not next(left):
            raise KeyboardInterrupt
        return real(items)

    monkeypatch.setattr(store, "rewrap", cut)
    with pytest.raises(KeyboardInterrupt):
        Rotation(store, file, "erika").rotate()
    half = KeyFile(file).read()
    assert opened(store, Vault.open(file), ids) == [BODY] * 6
    monkeypatch.setattr(store, "rewrap", real)

    done = Rotation(store, file, "erika").rotate()

    assert (done.count, done.key) == (4, half.name)
    assert opened(store, Vault.open(file), ids) == [BODY] * 6
    assert events(store) == ["rotated", "rewrapped"]


def test_the_acts_are_in_the_journal_without_a_key(store: Store, file: Path) -> None:
    old = Ring.of(file.read_bytes())
    fill(store, 3)
    Rotation(store, file, "erika").rotate()
    Rotation(store, file, "erika").retire(force=True)

    new = KeyFile(file).read()
    lines = [line for line in map(decode, store.entries()) if not line.message]
    assert [line.event for line in lines] == ["rotated", "rewrapped", "retired"]
    assert {line.actor for line in lines} == {"erika"}
    assert dict(lines[1].facts) == {"count": "3", "key": new.name, "was": short(old.wrap)}


def test_a_key_of_another_store_changes_nothing(store: Store, file: Path) -> None:
    fill(store, 1)
    file.write_bytes(bytes(32))

    with pytest.raises(StoreError, match="does not fit the site key"):
        Rotation(store, file, "erika").rotate()

    assert file.read_bytes() == bytes(32)
    assert events(store) == []


def test_a_running_broker_refuses_the_key_of_another_store(file: Path) -> None:
    vault = Vault.open(file)
    file.write_bytes(bytes(31) + b"x")

    with pytest.raises(StoreError, match="replaced by that of another store"):
        vault.new_key()


def test_two_rotations_at_once_are_refused(store: Store, file: Path) -> None:
    first = Rotation(store, file, "erika")

    with first._alone(), pytest.raises(NotRotated, match="another rotation"):
        Rotation(store, file, "otto").rotate()


def test_a_ring_that_a_crash_left_half_written_is_removed(store: Store, file: Path) -> None:
    part = file.with_name(".site.key.0badcafe.ring")
    part.touch(0o600)

    Rotation(store, file, "erika").rotate()

    assert not part.exists()


def test_an_interrupted_message_is_erased_by_nobody(store: Store, file: Path) -> None:
    (id,) = fill(store, 1)
    stale = [Wrapped(id, b"not its key", b"x" * 60)]

    store.rewrap(stale).result()

    assert opened(store, Vault.open(file), [id]) == [BODY]


def test_a_ring_is_read_as_it_was_written() -> None:
    ring = Ring(os.urandom(32), os.urandom(32), os.urandom(32), now().replace(microsecond=0))

    assert Ring.parse(ring.text(), "x") == ring


def test_a_ring_never_shows_its_keys() -> None:
    ring = Ring(b"W" * 32, b"M" * 32, b"O" * 32)

    assert "WWW" not in repr(ring) + ring.name
    assert "MMM" not in repr(ring)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"wrap ", b"warp ", 1),
        lambda text: text.replace(b"fingerprint", b"x"),
        lambda text: text[:-9],
        lambda text: text + b"more",
        lambda text: text + b"made yesterday\n",
        lambda text: text.replace(b"before ", b"before AAAA"),
        lambda text: text + b"\xff",
    ],
)
def test_a_changed_ring_is_refused_without_a_byte_of_it(
    file: Path, change: Callable[[bytes], bytes]
) -> None:
    ring = Ring(b"W" * 32, b"M" * 32, b"O" * 32)
    file.write_bytes(change(ring.text()))

    with pytest.raises(ConfigError, match="is no site key any more") as caught:
        Vault.open(file)

    assert "Vl" not in str(caught.value)


@pytest.mark.parametrize("form", ["raw", "hex", "ring"])
def test_a_command_gives_the_key(tmp_path: Path, form: str) -> None:
    key = bytes(range(32))
    printed = {"raw": key, "hex": key.hex().encode() + b"\n", "ring": Ring.of(key).text()}[form]
    (tmp_path / "key").write_bytes(printed)

    vault = Vault.open(tmp_path / "none", f"cat {tmp_path / 'key'}")

    assert vault.fingerprint("x") == Vault(key).fingerprint("x")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("false", "exit code 1"),
        ("no-such-command-here", "FileNotFoundError"),
        ("echo short", "has 6 bytes, must have 32"),
        ("cat 'open", "ValueError"),
    ],
)
def test_a_command_that_gives_no_key_is_reported(tmp_path: Path, command: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Vault.open(tmp_path / "none", command)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def test_messages_are_accepted_and_delivered_while_the_key_changes(bench: Make) -> None:
    broker = bench()
    key = broker.app.settings.site_key
    ids: list[str] = []
    failures: list[BaseException] = []

    def accept() -> None:
        try:
            ids.extend(broker.accept(messages.request()).id for _ in range(60))
        except BrokerError as error:
            failures.append(error)

    thread = Thread(target=accept)
    thread.start()

    Rotation(broker.app.store, key, "erika").rotate()
    thread.join()
    broker.run()
    Rotation(broker.app.store, key, "erika").retire(force=True)

    assert failures == []
    assert {broker.state(id) for id in ids} == {State.DELIVERED}
    assert len(opened(broker.app.store, Vault.open(key), ids)) == 60


CHILD = """
import sys
from pathlib import Path
from broker.journal import rotation
from broker.stores.sqlite import SqliteStore

rotation.BATCH = 5
folder = Path(sys.argv[1])
store = SqliteStore(folder / "broker.sqlite", lambda error: None)
told = []
def tell(count):
    told.append(count)
    if len(told) == 4:
        print("half", flush=True)
        sys.stdin.read()
rotation.Rotation(store, folder / "site.key", "erika").rotate(tell)
"""


@pytest.mark.crash
def test_a_rotation_that_was_killed_is_done_by_the_next(
    store: Store, file: Path, tmp_path: Path
) -> None:
    ids = fill(store, 40)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert child.stdout
    assert child.stdin
    assert child.stdout.readline() == b"half\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    child.stdin.close()
    assert opened(store, Vault.open(file), ids) == [BODY] * 40

    done = Rotation(store, file, "erika").rotate()

    assert done.count == 20
    Rotation(store, file, "erika").retire(force=True)
    assert opened(store, Vault.open(file), ids) == [BODY] * 40


@pytest.fixture
def command(tmp_path: Path, file: Path) -> KeyCommand:
    """Return a secret store as two commands have it, and its clock."""
    write = (
        f"{sys.executable} -c 'import sys; open(sys.argv[1],\"wb\").write(sys.stdin.buffer.read())'"
    )
    return KeyCommand(f"cat {file}", f"{write} {file}")


def test_a_key_of_a_secret_store_is_changed_and_the_old_one_forgotten(
    store: Store, command: KeyCommand, tmp_path: Path
) -> None:
    ids = fill(store, 5)
    rotation = Rotation(store, tmp_path / "lock", "erika", command)

    done = rotation.rotate()
    between = command.read()
    rotation.retire(force=True)

    assert (done.count, done.key) == (5, between.name)
    assert between.old == Ring.of(bytes(range(32))).wrap
    assert command.read().old is None
    assert opened(store, Vault.of(command), ids) == [BODY] * 5


def test_a_running_broker_asks_the_command_again_before_the_old_key_can_go(
    store: Store, file: Path, command: KeyCommand, tmp_path: Path
) -> None:
    clock = [0.0]
    running = Vault.of(KeyCommand(f"cat {file}", clock=lambda: clock[0]))
    Rotation(store, tmp_path / "lock", "erika", command).rotate()

    early = running.new_key()
    clock[0] = 301.0
    late = running.new_key()

    anew = Vault.of(command)
    assert anew.rewrapped(early.wrapped) is not None
    assert anew.rewrapped(late.wrapped) is None


def test_a_secret_store_that_is_away_for_a_while_stops_nothing(file: Path, tmp_path: Path) -> None:
    clock = [0.0]
    running = Vault.of(KeyCommand(f"cat {file}", clock=lambda: clock[0]))
    file.rename(tmp_path / "away")
    clock[0] = 301.0

    key = running.new_key()

    assert Vault(bytes(range(32))).key(key.wrapped).plain == key.plain


@pytest.mark.parametrize(
    ("write", "said"),
    [("false", "site_key_write_command failed"), ("true", "still prints another one")],
)
def test_a_secret_store_that_takes_no_key_leaves_the_old_one_in_use(
    store: Store, file: Path, tmp_path: Path, write: str, said: str
) -> None:
    ids = fill(store, 2)

    with pytest.raises(ConfigError, match=said):
        Rotation(store, tmp_path / "lock", "erika", KeyCommand(f"cat {file}", write)).rotate()

    assert opened(store, Vault.open(file), ids) == [BODY] * 2
