"""What `kind: directory` promises beyond the contract of all channels."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broker.channels.channel import Declared, Found, Incoming, Prepared, Verdict
from broker.channels.directory import Directory
from broker.channels.files import printable, shorten
from broker.errors import BrokerError, DeliveryUnclear, Refused, StoreError, Unreachable

LETTER = Prepared("0190-key", "ABCDEFGHJKMNP", "antrag", b"<Antrag>Erika Muster</Antrag>")
NAME = "ABCDEFGHJKMNP.xml"
TAKEN = Verdict(True, "0190-id")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def sender(out: Path, **values: Any) -> Directory:
    return Directory(Declared("salzgitter", "directory", {"out": out, "suffix": ".xml"} | values))


def watcher(inbox: Path, clock: Callable[[], float] | None = None, **values: Any) -> Directory:
    known = {"in": inbox, "from": "bauportal", "settle": 0.0}
    return Directory(Declared("eingang", "directory", known | values), clock or Clock())


def nothing() -> None:
    """Stand in for a mark that succeeds."""


def dies() -> None:
    raise StoreError("the disk of the store is gone")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def received(channel: Directory) -> list[str]:
    return [incoming.name for incoming in channel.receive()]


# --- out


def test_a_file_has_its_name_only_after_the_mark(out: Path) -> None:
    seen: list[list[str]] = []

    sender(out).send(LETTER, lambda: seen.append(names(out)))

    assert seen == [[".0190-key.part"]]
    assert names(out) == [NAME]
    assert (out / NAME).read_bytes() == LETTER.body


def test_between_part_and_rename_a_crash_leaves_it_not_there(out: Path) -> None:
    channel = sender(out)
    with pytest.raises(StoreError):
        channel.send(LETTER, dies)

    assert channel.find("0190-key") is Found.NOT_THERE


def test_after_the_rename_it_is_there_even_when_the_procedure_took_it(out: Path) -> None:
    channel = sender(out)
    channel.send(LETTER, nothing)
    (out / NAME).unlink()

    assert channel.find("0190-key") is Found.THERE


def test_an_attempt_that_broke_off_is_repeated_whole(out: Path) -> None:
    channel = sender(out)
    (out / ".0190-key.part").write_bytes(b"<Ant")

    channel.send(LETTER, nothing)

    assert names(out) == [NAME]
    assert (out / NAME).read_bytes() == LETTER.body


def test_a_file_of_the_same_bytes_is_left_as_it_is(out: Path) -> None:
    channel = sender(out)
    channel.send(LETTER, nothing)

    assert channel.send(LETTER, dies).receipt == NAME


def test_a_file_with_other_bytes_is_never_overwritten(out: Path) -> None:
    (out / NAME).write_bytes(b"other")

    with pytest.raises(Unreachable, match="other content"):
        sender(out).send(LETTER, nothing)

    assert (out / NAME).read_bytes() == b"other"


def test_a_link_in_the_way_is_not_followed(out: Path, tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"other")
    (out / NAME).symlink_to(tmp_path / "target")

    with pytest.raises(Unreachable):
        sender(out).send(LETTER, nothing)

    assert (tmp_path / "target").read_bytes() == b"other"


def test_with_a_marker_the_marker_comes_last(out: Path) -> None:
    channel = sender(out, done_marker=".fertig")
    seen: list[list[str]] = []

    channel.send(LETTER, lambda: seen.append(names(out)))

    assert seen == [[".0190-key.part", NAME]]
    assert names(out) == [NAME, NAME + ".fertig"]
    assert (out / (NAME + ".fertig")).read_bytes() == b""


def test_without_its_marker_a_file_is_not_there(out: Path) -> None:
    channel = sender(out, done_marker=".fertig")
    with pytest.raises(StoreError):
        channel.send(LETTER, dies)

    assert channel.find("0190-key") is Found.NOT_THERE
    channel.send(LETTER, nothing)
    assert channel.find("0190-key") is Found.THERE
    assert names(out) == [NAME, NAME + ".fertig"]


def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    channel = sender(tmp_path / "fehlt")

    for act in (lambda: channel.send(LETTER, nothing), channel.probe):
        with pytest.raises(Unreachable, match=r"create it or mount the share \(ENOENT\)"):
            act()

    assert channel.find("0190-key") is Found.UNKNOWN
    assert not (tmp_path / "fehlt").exists()


@pytest.mark.parametrize(
    ("code", "advice"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EIO, "EIO")],
)
def test_a_disk_that_fails_is_named(
    out: Path, monkeypatch: pytest.MonkeyPatch, code: int, advice: str
) -> None:
    def fails(descriptor: int) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(os, "fsync", fails)
    marked: list[int] = []

    with pytest.raises(Unreachable, match=advice):
        sender(out).send(LETTER, lambda: marked.append(1))

    assert marked == []


def test_a_rename_that_fails_means_not_delivered(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(source: Path, target: Path) -> None:
        raise OSError(errno.EIO, "no")

    channel = sender(out)
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", fails)
        with pytest.raises(Unreachable, match="EIO"):
            channel.send(LETTER, nothing)

    assert channel.find("0190-key") is Found.NOT_THERE


@pytest.mark.parametrize(("code", "clear"), [(errno.EINVAL, True), (errno.EIO, False)])
def test_a_folder_that_cannot_be_synchronised(
    out: Path, monkeypatch: pytest.MonkeyPatch, code: int, clear: bool
) -> None:
    """A file system without that step is in order, a failing disk makes the outcome unclear."""
    calls: list[int] = []
    real = os.fsync

    def last_fails(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(code, "no")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", last_fails)

    if clear:
        assert sender(out).send(LETTER, nothing).receipt == NAME
    else:
        with pytest.raises(DeliveryUnclear, match="EIO"):
            sender(out).send(LETTER, nothing)


@pytest.mark.parametrize("hostile", ["../x", "", "a/b", "a\nb", ".x", "x" * 300])
def test_a_key_or_reference_that_is_no_file_name_is_refused(out: Path, hostile: str) -> None:
    for letter in (Prepared(hostile, "A", "k", b""), Prepared("k", hostile, "k", b"")):
        with pytest.raises(Refused, match="cannot be a file name"):
            sender(out).send(letter, nothing)

    assert names(out) == []


def test_without_a_folder_to_write_to_nothing_is_sent(inbox: Path) -> None:
    with pytest.raises(Unreachable, match="set `out`"):
        watcher(inbox).send(LETTER, nothing)


# --- in


def test_a_file_is_taken_and_ends_in_done(inbox: Path) -> None:
    (inbox / "a.xml").write_bytes(b"<a/>")
    channel = watcher(inbox)

    (incoming,) = channel.receive()
    channel.settle(incoming, TAKEN)

    assert (incoming.role, incoming.name, incoming.body) == ("message", "a.xml", b"<a/>")
    assert names(inbox) == [".taken", "done"]
    assert names(inbox / "done") == ["a.xml"]


def test_a_refused_file_has_its_reason_beside_it(inbox: Path) -> None:
    (inbox / "a.xml").write_bytes(b"<a/>")
    channel = watcher(inbox)
    (incoming,) = channel.receive()

    channel.settle(incoming, Verdict(False, "not well-formed", "X000"))

    rejected = inbox / "rejected"
    assert names(rejected) == ["a.xml", "a.xml.reason.txt"]
    assert (rejected / "a.xml").read_bytes() == b"<a/>"
    assert (rejected / "a.xml.reason.txt").read_text("utf-8") == "X000 not well-formed\n"


def test_replies_have_their_own_folder_and_role(inbox: Path) -> None:
    (inbox / "r.txt").write_bytes(b"B1")
    channel = Directory(Declared("bs", "directory", {"replies": inbox, "settle": 0.0}))

    assert [incoming.role for incoming in channel.receive()] == ["reply"]
    assert channel.receives


def test_what_was_not_settled_is_offered_again_after_a_crash(inbox: Path) -> None:
    (inbox / "a.xml").write_bytes(b"<a/>")

    assert received(watcher(inbox)) == ["a.xml"]
    assert received(watcher(inbox)) == ["a.xml"]


def test_settling_twice_does_no_harm(inbox: Path) -> None:
    (inbox / "a.xml").write_bytes(b"<a/>")
    channel = watcher(inbox)
    (incoming,) = channel.receive()

    channel.settle(incoming, TAKEN)
    channel.settle(incoming, TAKEN)

    assert names(inbox / "done") == ["a.xml"]


def test_settling_twice_leaves_a_new_file_of_that_name_alone(inbox: Path) -> None:
    channel = watcher(inbox)
    (inbox / "a.xml").write_bytes(b"1")
    (first,) = channel.receive()
    (inbox / "new").write_bytes(b"2")
    channel.settle(first, TAKEN)
    os.rename(inbox / "new", inbox / "a.xml")
    (second,) = channel.receive()

    channel.settle(first, TAKEN)

    assert second.body == b"2"
    assert names(inbox / ".taken") == ["a.xml"]


def test_two_files_of_one_name_are_both_kept(inbox: Path) -> None:
    channel = watcher(inbox)
    for body in (b"1", b"2", b"3"):
        (inbox / "a.xml").write_bytes(body)
        for incoming in channel.receive():
            channel.settle(incoming, TAKEN)

    kept = {path.name: path.read_bytes() for path in (inbox / "done").iterdir()}
    assert kept == {"a.xml": b"1", "a.xml.2": b"2", "a.xml.3": b"3"}


def test_a_file_waits_while_one_of_its_name_is_in_hand(inbox: Path) -> None:
    channel = watcher(inbox)
    (inbox / "a.xml").write_bytes(b"1")
    (first,) = channel.receive()
    (inbox / "a.xml").write_bytes(b"2")

    assert [incoming.body for incoming in channel.receive()] == [b"1"]
    channel.settle(first, TAKEN)
    assert [incoming.body for incoming in channel.receive()] == [b"2"]


def test_parts_dotfiles_and_folders_are_not_taken(inbox: Path) -> None:
    (inbox / "a.xml.part").write_bytes(b"<a")
    (inbox / ".b.xml").write_bytes(b"<b")
    (inbox / "ordner").mkdir()

    assert received(watcher(inbox)) == []
    assert names(inbox) == [".b.xml", ".taken", "a.xml.part", "ordner"]


def test_a_file_must_be_unchanged_for_the_settle_time(inbox: Path) -> None:
    clock = Clock()
    channel = watcher(inbox, clock, settle=2.0)
    (inbox / "a.xml").write_bytes(b"<a")
    assert received(channel) == []
    clock.now += 1.9
    (inbox / "a.xml").write_bytes(b"<a/>")
    assert received(channel) == []
    clock.now += 1.9
    assert received(channel) == []
    clock.now += 0.1

    assert received(channel) == ["a.xml"]


@pytest.mark.parametrize("part", ["a.xml.part", ".a.part"])
def test_a_file_renamed_from_a_part_is_taken_at_once(inbox: Path, part: str) -> None:
    channel = watcher(inbox, settle=3600.0)
    (inbox / part).write_bytes(b"<a/>")
    assert received(channel) == []
    os.rename(inbox / part, inbox / "a.xml")

    assert received(channel) == ["a.xml"]


def test_with_a_marker_a_file_waits_for_its_marker(inbox: Path) -> None:
    channel = watcher(inbox, done_marker=".ok", settle=3600.0)
    (inbox / "a.xml").write_bytes(b"<a/>")
    (inbox / "b.xml").write_bytes(b"<b/>")
    (inbox / "a.xml.ok").write_bytes(b"")

    assert received(channel) == ["a.xml"]
    assert names(inbox) == [".taken", "b.xml"]


def test_the_oldest_file_comes_first(inbox: Path) -> None:
    for name, second in (("c", 1), ("a", 3), ("b", 2)):
        (inbox / name).write_bytes(b"")
        os.utime(inbox / name, (second, second))

    assert received(watcher(inbox)) == ["c", "b", "a"]


def test_a_batch_is_bounded_and_the_rest_comes_next(inbox: Path) -> None:
    for number in range(150):
        (inbox / f"{number:03}").write_bytes(b"x")
    channel = watcher(inbox)

    first = list(channel.receive())
    for incoming in first:
        channel.settle(incoming, TAKEN)

    assert (len(first), len(list(channel.receive()))) == (100, 50)


def test_large_files_do_not_fill_the_memory_together(inbox: Path) -> None:
    for number in range(3):
        (inbox / str(number)).write_bytes(bytes(800_000))

    assert len(received(watcher(inbox, max=1))) == 2


def test_a_file_too_large_is_rejected_with_the_limit(inbox: Path) -> None:
    (inbox / "a.xml").write_bytes(bytes(1_000_001))

    assert received(watcher(inbox, max=1)) == []
    reason = inbox / "rejected" / "a.xml.reason.txt"
    assert reason.read_text("utf-8") == "the file is larger than 1 MB\n"


def make_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize("make", [make_link, make_pipe, make_socket])
def test_what_is_no_file_is_rejected_and_blocks_nothing(
    inbox: Path, make: Callable[[Path], None]
) -> None:
    make(inbox / "x")
    (inbox / "a.xml").write_bytes(b"<a/>")

    assert received(watcher(inbox)) == ["a.xml"]
    assert names(inbox / "rejected") == ["x", "x.reason.txt"]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"a\nb.xml", "a\\nb.xml"),
        (b"\x1b[2J", "\\x1b[2J"),
        (b"\xff\xfe", "\\udcff\\udcfe"),
        ("ä\u202egpj.exe".encode(), "ä\\u202egpj.exe"),
        (b"back\\slash", "back\\\\slash"),
        (b"n" * 255, "n" * 255),
        (b"-rf", "-rf"),
        (b"a.reason.txt", "a.reason.txt"),
    ],
)
def test_hostile_names_are_shown_harmlessly_and_kept(inbox: Path, raw: bytes, shown: str) -> None:
    path = inbox / os.fsdecode(raw)
    path.write_bytes(b"<a/>")
    channel = watcher(inbox)

    (incoming,) = channel.receive()
    channel.settle(incoming, Verdict(False, "no"))

    assert incoming.name == shown
    assert os.fsdecode(raw) in os.listdir(inbox / "rejected")
    assert len(os.listdir(inbox / "rejected")) == 2


def test_a_file_that_may_not_be_read_stays_and_blocks_nothing(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # root, who runs the tests in containers, may read everything: so the answer is given here
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("a.xml"))
    (inbox / "a.xml").write_bytes(b"<a/>")
    channel = watcher(inbox)
    with pytest.raises(Unreachable, match="1 file"):
        channel.receive()
    (inbox / "b.xml").write_bytes(b"<b/>")

    assert received(channel) == ["b.xml"]
    assert names(inbox) == [".taken", "a.xml"]


def test_a_folder_that_may_not_be_written_to_fails_the_probe(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    with pytest.raises(Unreachable, match="may not write there"):
        sender(out).probe()


def test_a_watched_folder_that_is_gone_is_named(inbox: Path) -> None:
    inbox.rmdir()

    with pytest.raises(Unreachable, match=r"eingang: .*ENOENT"):
        watcher(inbox).receive()


def test_one_folder_that_fails_does_not_hold_back_the_other(inbox: Path, tmp_path: Path) -> None:
    (inbox / "a.xml").write_bytes(b"<a/>")
    channel = watcher(inbox, replies=tmp_path / "fehlt")

    assert received(channel) == ["a.xml"]


def test_an_incoming_of_a_folder_that_is_not_watched_is_ignored(inbox: Path) -> None:
    watcher(inbox).settle(Incoming("reply", "a", b"", ("a", 1)), TAKEN)

    assert names(inbox) == []


def test_a_name_too_long_for_its_suffix_is_cut() -> None:
    name = shorten("ä" * 120 + "x" * 15, ".reason.txt")

    assert len(os.fsencode(name)) <= 255
    assert name.endswith(".reason.txt")
    assert printable(name).startswith("ä" * 100)


def test_an_error_shows_nothing_of_the_message(tmp_path: Path) -> None:
    with pytest.raises(BrokerError) as caught:
        sender(tmp_path / "fehlt").send(LETTER, nothing)

    assert "Muster" not in str(caught.value)
