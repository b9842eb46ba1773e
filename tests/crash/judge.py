"""What must hold after a crash, and after the life that follows it."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from broker.journal.entry import Line, decode
from broker.journal.rebuild import rebuild
from broker.stores.contract import Entry
from tests.crash.nursery import points
from tests.crash.places import Place

ENDED = ("delivered", "rejected")
ALL = """SELECT m.id, m.direction, m.uuid, m.answers, d.state, d.reference, d.lane, d.route, d.seq,
d.channel, d.attempts, d.error FROM messages m LEFT JOIN deliveries d ON d.message = m.id
ORDER BY d.seq"""
_UUID = re.compile(rb"<nachrichtenUUID>([^<]+)<")


@dataclass(frozen=True)
class Found:
    """A store as it lies on the disk."""

    rows: list[Any]
    entries: list[Entry]
    refusals: int

    def of(self, direction: str, *states: str) -> list[Any]:
        rows = [row for row in self.rows if row["direction"] == direction]
        return [row for row in rows if not states or row["state"] in states]

    @cached_property
    def lines(self) -> list[Line]:
        return [decode(entry) for entry in self.entries]

    def events(self, event: str) -> Counter[str]:
        return Counter(line.message for line in self.lines if line.event == event)


def look(place: Place) -> Found:
    """Read the store of a place; nothing is there before its tables are."""
    file = place.folder / "var/broker.sqlite"
    if not file.exists():
        return Found([], [], 0)
    with closing(sqlite3.connect(file, timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'entries'").fetchone():
            return Found([], [], 0)
        entries = connection.execute("SELECT message, event, body, seq FROM entries ORDER BY seq")
        lines = [Entry(row[0], row[1], row[2], row[3]) for row in entries]
        refusals = connection.execute("SELECT count(*) FROM refusals").fetchone()[0]
        return Found(connection.execute(ALL).fetchall(), lines, refusals)


def killed(place: Place) -> Iterator[str]:
    """Say what was promised before a kill and is not kept on the disk."""
    found = look(place)
    there = {row["uuid"] for row in found.of("request")}
    for file in (place.folder / "in/done").glob("*"):
        name = _UUID.search(file.read_bytes())
        if name is None or name[1].decode() not in there:
            yield f"{file.name} is in done/ and not in the store"
    ids = {row["id"] for row in found.rows}
    # over HTTP, the receipt of the message on its way may arrive while this is read
    yield from (f"{id} has a receipt and is not in the store" for id in place.receipts[:]
                if id not in ids and id not in {row["id"] for row in look(place).rows})  # fmt: skip
    if any((place.folder / "in/rejected").glob("f.xml")) and not found.refusals:
        yield "f.xml is in rejected/ and its bytes are not in the store"
    yield from _journal(found)


def settled(place: Place) -> Iterator[str]:
    """Say what is wrong once nothing is left to do."""
    found = look(place)
    uuids = [row["uuid"] for row in found.of("request")]
    if len(uuids) != place.requests or len(set(uuids)) != len(uuids):
        yield f"{len(uuids)} requests accepted, {len(set(uuids))} ids, {place.requests} sent"
    open_ = [row for row in found.rows if row["state"] not in ENDED]
    wrong = Counter(row["state"] for row in open_
                    if not (place.harmful and _is_held(row, open_)))  # fmt: skip
    if wrong:
        errors = {row["error"] for row in found.rows if row["state"] in wrong}
        yield f"not ended: {dict(wrong)} {errors}"
    yield from _effects(place, found)
    yield from _answers(place, found)
    yield from _journal(found)
    yield from _order(found)
    yield from _left(place)


def _is_held(row: Any, open_: list[Any]) -> bool:
    """Whether a message is unclear, or waits behind an unclear one of its case."""
    before = (
        other for other in open_ if other["lane"] == row["lane"] and other["seq"] < row["seq"]
    )
    waits = row["state"] == "waiting" and any(other["state"] == "unclear" for other in before)
    return row["state"] == "unclear" or waits


def _effects(place: Place, found: Found) -> Iterator[str]:
    effects = place.effects()
    known = {row["reference"]: row["state"] for row in found.of("request")}
    for reference, state in known.items():
        count = effects.get(reference, 0)
        allowed = {"delivered": (1,), "unclear": (0, 1)}.get(state, (0,))
        if count not in allowed:
            yield f"{state} and {count} effects at the procedure"
    if strange := set(effects) - set(known):
        yield f"{len(strange)} effects under references that nobody has"
    unclear = len(found.of("request", "unclear"))
    if unclear > place.crashes * 4:
        yield f"{unclear} unclear after {place.crashes} crash(es)"


def _answers(place: Place, found: Found) -> Iterator[str]:
    each = Counter(row["answers"] for row in found.of("answer"))
    wanted = Counter(row["id"] for row in found.of("request", *ENDED) if place.answers)
    if each != wanted:
        yield f"{sum(each.values())} answers to {len(each)} requests, wanted {len(wanted)}"
    files = {file.stem for file in (place.folder / "return").glob("*.xml")}
    if files != {row["reference"] for row in found.of("answer")}:
        yield f"{len(files)} files on the return channel for {sum(each.values())} answers"


def _journal(found: Found) -> Iterator[str]:
    told = rebuild(found.entries)
    if told.keys() != {row["id"] for row in found.rows}:
        yield f"{len(told)} messages by the journal, {len(found.rows)} in the store"
    for row in found.rows:
        # a lease has no entry of its own
        leased = row["state"] == "working"
        seen = ("waiting" if leased else row["state"], row["route"], row["channel"], row["answers"])
        said = told[row["id"]]
        if (said.state.value, said.route, said.channel, said.answers) != seen:
            yield f"{row['direction']} is {row['state']}, the journal says {said.state}"
        if not leased and said.attempts != row["attempts"]:
            yield f"{row['attempts']} attempts at a {row['state']} one, journal: {said.attempts}"
    born = found.events("accepted")
    if born != Counter(row["id"] for row in found.rows):
        yield f"{sum(born.values())} entries `accepted` for {len(found.rows)} messages"
    ends = found.events("delivered")
    if ends != Counter(row["id"] for row in found.rows if row["state"] == "delivered"):
        yield "the entries `delivered` are not the delivered messages"


def _order(found: Found) -> Iterator[str]:
    ended = {line.message: line.seq for line in found.lines if line.event == "delivered"}
    begun: dict[str, int] = {}
    for line in found.lines:
        if line.event == "sending":
            begun.setdefault(line.message, line.seq)
    lanes: dict[Any, list[str]] = {}
    for row in found.of("request"):
        lanes.setdefault((row["route"], row["lane"]), []).append(row["id"])
    for ids in lanes.values():
        for first, second in pairwise(ids):
            if second in begun and not ended.get(first, 0) < begun[second]:
                yield "a message was sent before the earlier one of its case was there"


def _left(place: Place) -> Iterator[str]:
    parts = [str(file.relative_to(place.folder)) for file in place.folder.rglob(".*.part")
             if file.parent.name != "var"]  # fmt: skip
    if parts:
        yield f"left over: {parts}"
    rejected = sorted(file.name for file in (place.folder / "in/rejected").glob("*"))
    refused = "f.xml" in place.bodies
    if rejected != (["f.xml", "f.xml.reason.txt"] if refused else []):
        yield f"in rejected/: {rejected}"


def story(place: Place) -> str:
    """Return the last points that the lives of a place passed, for whoever looks for the cause."""
    return " | ".join(points(place.folder)[-12:])
