"""Every hostile document against every intake of a running broker."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from functools import partial

import pytest

from tests import messages, needs
from tests.attacks.conftest import Survived
from tests.attacks.fort import GOOD, QUARANTINE, QUEUE, Fort
from tests.attacks.poison import BYTES, ENTITIES, PLANTED, POISON, SIZES, VALUES, Poison
from tests.cluster import until

every = pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
REMEDY = "apt install rabbitmq-server"


def http(fort: Fort, body: bytes) -> bool:
    """Send it; return whether it was taken."""
    said = fort.post(body)
    assert said.status_code in (202, 400, 413), said.text
    assert not [name for name in PLANTED if name in said.text]
    return said.status_code == 202


def directory(fort: Fort, body: bytes, folder: str = "eingang") -> bool:
    name = f"{uuid.uuid4()}.xml"
    fort.drop(folder, name.encode(), body)
    done, rejected = (fort.folder / folder / side / name for side in ("done", "rejected"))
    until(lambda: done.exists() or rejected.exists(), "the file was settled")
    if rejected.exists():
        reason = rejected.with_name(name + ".reason.txt").read_text()
        assert not [word for word in PLANTED if word in reason]
    return done.exists()


def queue(fort: Fort, body: bytes) -> bool:
    queues = fort.queues
    assert queues is not None
    queues.take(QUARANTINE)
    queues.put(QUEUE, body)
    # The second comes with a look of its own, and by then the first look is settled.
    for _ in range(2):
        fort.well(partial(_put, fort))
    refused = queues.take(QUARANTINE)
    assert not [name for name in PLANTED if name in str([each.properties for each in refused])]
    return not refused


INTAKES: Mapping[str, Callable[[Fort, bytes], bool]] = {
    "HTTP": http, "directory": directory, "AMQP": queue,
}  # fmt: skip


def _drop(fort: Fort, good: bytes) -> None:
    fort.drop("eingang", b"%s.xml" % uuid.uuid4().hex.encode(), good)


def _put(fort: Fort, good: bytes) -> None:
    assert fort.queues is not None
    fort.queues.put(QUEUE, good)


GOODS: Mapping[str, Callable[[Fort, bytes], object]] = {
    "HTTP": Fort.post, "directory": _drop, "AMQP": _put,
}  # fmt: skip
GROUPS = {"entities": ENTITIES, "sizes": SIZES, "bytes": BYTES, "values": VALUES}
COMMANDS = (
    ("validate",),
    ("convert", "--adapter", "wolfsburg/bau"),
    ("explain", "--party", "portal", "--no-output"),
)


@pytest.mark.parametrize("intake", INTAKES)
@every
def test_a_hostile_document_harms_no_intake(
    fort: Fort, survived: Survived, intake: str, poison: Poison
) -> None:
    if intake == "AMQP":
        needs.server("RabbitMQ", fort.queues is not None, REMEDY)

    taken = INTAKES[intake](fort, poison.make(fort.lure))

    assert taken is poison.taken
    survived(fort, intake, partial(GOODS[intake], fort))


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_hostile_documents_brought_by_hand_spoil_no_other(
    fort: Fort, survived: Survived, group: Mapping[str, Poison]
) -> None:
    """Each has a good message behind it; all are brought by one command, of bounded memory."""
    files, before = [], fort.count()
    for name, poison in group.items():
        files.append(str(fort.file(f"{name}.gift", poison.make(fort.lure))))
        files.append(str(fort.file(f"{name}.gut", messages.request(key=GOOD))))

    typed = fort.run("submit", *files, "--party", "portal", "--json")

    assert not [name for name in PLANTED if name in typed.out + typed.err]
    said = [json.loads(line) for line in typed.out.splitlines()]
    assert ["id" in line for line in said[::2]] == [poison.taken for poison in group.values()]
    assert ["id" in line for line in said[1::2]] == [True] * len(group)
    until(lambda: fort.count() == before + len(group), "all good messages were delivered")
    survived(fort, "submit")


@pytest.mark.parametrize("name", ["an external entity, file", "a long text", "NUL"])
def test_a_hostile_document_may_come_through_a_pipe(
    fort: Fort, survived: Survived, name: str
) -> None:
    poison = POISON[name]
    stdin = fort.file("gift.xml", poison.make(fort.lure))

    typed = fort.run("submit", "-", "--party", "portal", stdin=stdin)

    assert (typed.code == 0) is poison.taken
    assert not [name for name in PLANTED if name in typed.out + typed.err]
    survived(fort, "submit")


@pytest.mark.parametrize("name", POISON)
def test_a_hostile_document_harms_no_command(fort: Fort, survived: Survived, name: str) -> None:
    poison = POISON[name]
    file = str(fort.file("gift.xml", poison.make(fort.lure)))
    # What cannot be read is refused by the parser that all share: one command shows it.
    also = COMMANDS[1 + list(POISON).index(name) % 2]
    readable = poison.taken or name in ENTITIES

    for command, *more in (COMMANDS[0], also) if readable else COMMANDS[:1]:
        typed = fort.run(command, file, *more)
        assert typed.code == 1 or poison.taken, (command, typed.out)
        assert not [word for word in PLANTED if word in typed.err], command

    survived(fort, "validate, convert …")


@every
def test_a_hostile_reply_becomes_a_case_for_a_person(
    fort: Fort, survived: Survived, poison: Poison
) -> None:
    for folder in ("antworten", "stapelantworten", "quittungen"):
        assert directory(fort, poison.make(fort.lure), folder)

    survived(fort, "replies")
