"""Hostile names and kinds of files, in watched folders and on the command line."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from broker.channels.channel import Declared, Verdict
from broker.channels.directory import Directory
from broker.errors import Unreachable
from tests import messages, needs
from tests.attacks.conftest import Survived
from tests.attacks.fort import GOOD, QUEUE, Fort
from tests.attacks.poison import PLANTED, SECRET, application
from tests.attacks.test_amqp import HOSTILE, properties, short
from tests.cluster import until

NAMES: Mapping[str, bytes] = {
    "a line feed": b"a\nb.xml",
    "control sequences": b"\x1b[2J\x1b]0;x\x07\r.xml",
    "a direction": "a\u202elmx.xml".encode(),
    "8-bit control sequences": "\u009b2J\u0085\u2028.xml".encode(),
    "no UTF-8": b"\xff\xfe\x80.xml",
    "dots": b"x...xml",
    "an option": b"--party=other -rf.xml",
    "a shell": b"$(id) `id`; rm -rf ~ | x & 'y' \"z\".xml",
    "a format": b"%s%n{0}${HOME}.xml",
    "a wildcard": b"*?[a].xml",
    "a long name": b"x" * 255,
    "a name of a person": PLANTED[1].encode() + b".xml",
    "a reason": b"x.reason.txt",
    "a marker": b"x.xml.fertig",
    "a formula": b"=cmd|' !A0.xml",
    "spaces": b"  .xml ",
}


def _settled(fort: Fort, folder: str, name: bytes) -> str:
    """Return in which folder the file ended."""
    places = {side: os.fsencode(fort.folder / folder / side) for side in ("done", "rejected")}
    found: list[str] = []

    def ended() -> bool:
        found[:] = [side for side, place in places.items()
                    if os.path.lexists(place + b"/" + name)]  # fmt: skip
        return bool(found)

    until(ended, "the file was settled")
    os.unlink(places[found[0]] + b"/" + name)
    return found[0]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_hostile_name_is_only_a_name(fort: Fort, survived: Survived, name: bytes) -> None:
    fort.drop("eingang", name, b"<GEHEIM-1964>")
    assert _settled(fort, "eingang", name) == "rejected"
    fort.drop("eingang", name, application().encode())
    assert _settled(fort, "eingang", name) == "done"
    fort.drop("antworten", name, b"GEHEIM-1964")
    assert _settled(fort, "antworten", name) == "done"

    survived(fort, "directory, names")


def _listen(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(path))


KINDS: Mapping[str, Callable[[Path, Path], object]] = {
    "a link to a secret": lambda path, secret: path.symlink_to(secret),
    "a link to nothing": lambda path, _: path.symlink_to("/nowhere"),
    "a link to itself": lambda path, _: path.symlink_to(path),
    "a link to memory": lambda path, _: path.symlink_to("/proc/self/environ"),
    "a link without an end": lambda path, _: path.symlink_to("/dev/zero"),
    "a pipe": lambda path, _: os.mkfifo(path),
    "a socket": lambda path, _: _listen(path),
}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("folder", ["eingang", "antworten"])
def test_what_is_no_file_is_not_read(
    fort: Fort, survived: Survived, make: Callable[[Path, Path], object], folder: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(fort.folder)
    make(fort.folder / folder / "gift.xml", fort.folder / "secret.txt")

    assert _settled(fort, folder, b"gift.xml") == "rejected"
    survived(fort, "directory, names")


def test_a_flood_of_files_holds_up_no_other_intake(fort: Fort, survived: Survived) -> None:
    for number in range(1_000):
        fort.drop("eingang", b"flut-%d.xml" % number, b"")
    survived(fort, "directory, names")

    rejected = fort.folder / "eingang/rejected"
    until(lambda: len(list(rejected.glob("flut-*.xml"))) == 1_000, "all were rejected")
    survived(fort, "directory, names")


def _take(channel: Directory, verdict: Verdict) -> None:
    for incoming in channel.receive():
        channel.settle(incoming, verdict)


@pytest.mark.parametrize("name", [".taken", "done", "rejected"])
def test_a_link_in_the_place_of_a_folder_of_the_broker_leads_nowhere(
    tmp_path: Path, name: str
) -> None:
    inbox, target = tmp_path / "in", tmp_path / "other"
    inbox.mkdir()
    target.mkdir()
    (inbox / name).symlink_to(target)
    (inbox / "a.xml").write_text(SECRET)
    channel = Directory(Declared("amt", "directory", {"in": inbox, "from": "x", "settle": 0.0}))

    for _ in range(2):
        with suppress(Unreachable):
            _take(channel, Verdict(name == "done", "because"))

    assert list(target.iterdir()) == []


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_hostile_name_acts_on_no_terminal(fort: Fort, survived: Survived, name: bytes) -> None:
    path = os.fsencode(fort.folder / "gifte") + b"/" + name
    os.makedirs(os.path.dirname(path), exist_ok=True)
    for body in (b"<GEHEIM-1964>", messages.request(key=GOOD)):
        with open(path, "wb") as file:
            file.write(body)
        for command in ("submit", "validate"):
            typed = fort.run(command, os.fsdecode(path))
            lines = (typed.out + typed.err).splitlines()
            assert all(line.isprintable() for line in lines), (command, lines)

    survived(fort, "submit")


PROPERTIES: Mapping[str, bytes] = {
    **HOSTILE,
    "an id of a person": properties(message_id=short(PLANTED[0].encode())),
    "an id that is another's": properties(message_id=short(b"1" * 36)),
}


@pytest.mark.parametrize("encoded", PROPERTIES.values(), ids=PROPERTIES)
def test_hostile_properties_harm_no_broker(fort: Fort, survived: Survived, encoded: bytes) -> None:
    needs.server("RabbitMQ", fort.queues is not None, "apt install rabbitmq-server")
    queues = fort.queues
    assert queues is not None

    for body in (b"<GEHEIM-1964>", application().encode()):
        queues.raw(QUEUE, encoded, body)

    survived(fort, "AMQP, properties", partial(queues.put, QUEUE))
