"""The tables, once for every SQL store. Times are whole microseconds since 1970 in UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()
#: SQLite counts rows by itself only in a column that is exactly INTEGER.
Sequence = BigInteger().with_variant(Integer, "sqlite")

messages = Table(
    "messages",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("direction", String(8), nullable=False),
    Column("standard", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("uuid", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("envelope", Text, nullable=False),
    Column("party", Text, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("identity", LargeBinary, nullable=False, unique=True),
    Column("digest", LargeBinary, nullable=False),
    Column("key", LargeBinary),
    Column("case", LargeBinary),
    Column("answers", String(36)),
    Column("replays", String(36)),
)

payloads = Table(
    "payloads",
    metadata,
    Column("message", String(36), primary_key=True),
    Column("form", String(9), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("box", LargeBinary, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("message", String(36), nullable=False, unique=True),
    Column("state", String(9), nullable=False),
    Column("route", Text, nullable=False),
    Column("table", Text, nullable=False),
    Column("adapter", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("lane", LargeBinary),
    Column("reference", String(13), nullable=False, unique=True),
    Column("number", Text, nullable=False),
    Column("ready", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("token", Text),
    Column("sending", Integer, nullable=False),
    Column("suspect", Integer, nullable=False),
    Column("crashes", Integer, nullable=False),
    Column("reason", String(8), nullable=False),
    Column("error", Text, nullable=False),
    Column("receipt", Text, nullable=False),
    Column("lease", BigInteger),
)

refusals = Table(
    "refusals",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("party", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("reason", String(8), nullable=False),
    Column("error", Text, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("key", LargeBinary),
    Column("size", BigInteger, nullable=False),
    Column("salt", LargeBinary),
    Column("box", LargeBinary),
)

entries = Table(
    "entries",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("message", String(36), nullable=False),
    Column("event", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

leaves = Table(
    "leaves",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", BigInteger, nullable=False, unique=True),
    Column("hash", LargeBinary, nullable=False),
)

nodes = Table(
    "nodes",
    metadata,
    Column("level", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
)

cosignatures = Table(
    "cosignatures",
    metadata,
    Column("size", BigInteger, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("line", Text, nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("message", String(36), primary_key=True),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
)

erasures = Table(
    "erasures",
    metadata,
    Column("message", String(36), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("rule", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("forgotten", BigInteger),
)

runs = Table(
    "runs",
    metadata,
    Column("name", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
)

pauses = Table(
    "pauses",
    metadata,
    Column("route", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
)

#: What one process at a time does; `until` is the end of its term on the clock of the store.
offices = Table(
    "offices",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
)

#: The last group that each writer committed: tells what became of a commit whose answer was lost.
writers = Table(
    "writers",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
)

#: Keyed fingerprints of what people look for; they go with the payload when it is erased.
business_keys = Table(
    "business_keys",
    metadata,
    Column("message", String(36), primary_key=True),
    Column("name", Text, nullable=False),
    Column("fingerprint", LargeBinary, primary_key=True),
)

#: What a person chose, frozen, with the progress of each message.
selections = Table(
    "selections",
    metadata,
    Column("name", Text, primary_key=True),
    Column("act", String(8), nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made", BigInteger, nullable=False),
    Column("again", Integer, nullable=False),
    Column("reroute", Integer, nullable=False),
)

selected = Table(
    "selected",
    metadata,
    Column("selection", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("message", String(36), nullable=False),
    Column("progress", String(9), nullable=False),
    Column("note", Text, nullable=False),
)

#: New content that waits for a second person; sealed under the key of the original.
proposals = Table(
    "proposals",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("message", String(36), nullable=False),
    Column("became", String(36), nullable=False),
    Column("actor", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made", BigInteger, nullable=False),
    Column("route", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("box", LargeBinary),
    Column("decision", String(9), nullable=False),
    Column("decider", Text, nullable=False),
)

#: Times in which a route is stopped.
windows = Table(
    "windows",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("route", Text, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

#: Causes for an alert; `told` says by which way people know of them.
alarms = Table(
    "alarms",
    metadata,
    Column("cause", Text, primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Column("process", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("told", Text, nullable=False),
)

#: Requests that were not delivered, or not answered, in time.
late = Table(
    "late",
    metadata,
    Column("message", String(36), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("route", Text, nullable=False),
    Column("due", BigInteger, nullable=False),
)
