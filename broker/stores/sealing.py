"""The Merkle tree over the journal in a SQL database: leaves, kept subtrees, checkpoints."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, func, select

from broker.errors import StoreError
from broker.stores import bulk
from broker.stores.contract import Entry
from broker.stores.custody import Stamp
from broker.stores.tables import checkpoints, cosignatures, entries, leaves, nodes
from broker.stores.tree import Leaf, Note, Seal
from broker.stores.writer import Batch, Writer

_LEAF = ("number", "entry", "hash")
_NODE = ("level", "number", "hash")
_l, _e = leaves.c, entries.c
#: A time stamp lies among the cosignatures under a name that no witness can have.
_STAMP = "RFC 3161"
_STAMPED = select(cosignatures.c.size, cosignatures.c.line).where(cosignatures.c.name == _STAMP)


class SqlTree:
    """The tree of one store; writes join the group commits of its writer."""

    def __init__(
        self, writer: Writer, read: Callable[[], AbstractContextManager[Connection]]
    ) -> None:
        """Take the store's writer and what opens a connection for reading."""
        self.late = True
        self._writer = writer
        self._read = read
        self._append = Batch("seal", _append)
        self._publish = Batch("checkpoint", _publish)
        self._countersign = Batch("cosignature", _countersign)

    def extent(self) -> tuple[int, int]:
        """How many leaves there are, and the highest sequence number among their entries."""
        with self._read() as connection:
            return _size(connection), connection.execute(_TOP).scalar_one()

    def unsealed(self, after: int, limit: int) -> list[Entry]:
        """Entries with a higher sequence number that have no leaf yet, in order."""
        # That the leaf is a late one too is plain, but PostgreSQL would look through all of them.
        leaf = select(_l.entry).where(_l.entry == _e.seq, _l.entry > after)
        query = select(_e.seq, _e.message, _e.event, _e.body).where(_e.seq > after, ~leaf.exists())
        with self._read() as connection:
            found = connection.execute(query.order_by(_e.seq).limit(limit))
            return [_entry(*row) for row in found]

    def append(self, seal: Seal) -> Future[bool]:
        """Write leaves; False where another sealer was quicker."""
        return self._writer.submit(self._append, seal)

    def leaf(self, entry: int) -> Leaf | None:
        """The leaf of an entry, or None where it has none yet."""
        with self._read() as connection:
            found = connection.execute(
                select(_l.number, _l.entry, _l.hash).where(_l.entry == entry)
            ).first()
        return None if found is None else Leaf(found[0], found[1], _bytes(found[2]))

    def hashes(self, level: int, first: int, count: int) -> list[bytes]:
        """Kept hashes: leaves at level 0, complete subtrees at every eighth level."""
        table = nodes if level else leaves
        query = select(table.c.hash).where(table.c.number >= first, table.c.number < first + count)
        if level:
            query = query.where(nodes.c.level == level)
        with self._read() as connection:
            found = [_bytes(row[0]) for row in connection.execute(query.order_by(table.c.number))]
        if len(found) != count:
            raise StoreError(
                f"the tree over the journal lacks hashes at level {level} from {first} on; "
                "run xoev-broker verify"
            )
        return found

    def walk(self) -> Iterator[tuple[Leaf, Entry | None]]:
        """All leaves in order, each with its entry or None where that is gone."""
        query = (
            select(_l.number, _l.entry, _l.hash, _e.seq, _e.message, _e.event, _e.body)
            .join_from(leaves, entries, _e.seq == _l.entry, isouter=True)
            .order_by(_l.number)
        )
        with self._read() as connection:
            for row in connection.execute(query).yield_per(1000):
                leaf = Leaf(row[0], row[1], _bytes(row[2]))
                yield leaf, None if row[3] is None else _entry(*row[3:])

    def nodes(self) -> Iterator[tuple[int, int, bytes]]:
        """All kept subtrees (level, number, hash), by level and number."""
        query = select(nodes.c.level, nodes.c.number, nodes.c.hash)
        with self._read() as connection:
            ordered = query.order_by(nodes.c.level, nodes.c.number)
            for row in connection.execute(ordered).yield_per(1000):
                yield row[0], row[1], _bytes(row[2])

    def publish(self, note: Note) -> Future[None]:
        """Keep a signed checkpoint."""
        return self._writer.submit(self._publish, note)

    def countersign(self, size: int, name: str, line: str) -> Future[bool]:
        """Keep the line of a witness; False where there is no checkpoint of this size."""
        return self._writer.submit(self._countersign, (size, name, line))

    def notes(self, after: int = -1, last: bool = False, limit: int | None = None) -> list[Note]:
        """Checkpoints of more than `after` entries, smallest first; or only the last one."""
        size = checkpoints.c.size
        query = select(size, checkpoints.c.note).where(size > after)
        query = query.order_by(size.desc()).limit(1) if last else query.order_by(size).limit(limit)
        lines = select(cosignatures.c.size, cosignatures.c.line).order_by(cosignatures.c.name)
        lines = lines.where(cosignatures.c.name != _STAMP)
        with self._read() as connection:
            found = list(connection.execute(query))
            signed: dict[int, str] = {}
            if found:
                within = cosignatures.c.size.between(found[0][0], found[-1][0])
                for row in connection.execute(lines.where(within)):
                    signed[row[0]] = signed.get(row[0], "") + row[1]
        return [Note(row[0], row[1] + signed.get(row[0], "")) for row in found]

    def stamp(self, stamp: Stamp) -> Future[bool]:
        """Keep a time stamp; False where there is no checkpoint of this size."""
        time = stamp.time.astimezone(UTC).isoformat(timespec="microseconds")
        line = f"{time} {base64.b64encode(stamp.token).decode()}"
        return self.countersign(stamp.size, _STAMP, line)

    def stamps(self, after: int = -1, limit: int | None = None) -> list[Stamp]:
        """Time stamps of more than `after` entries, smallest first."""
        size = cosignatures.c.size
        with self._read() as connection:
            rows = connection.execute(_STAMPED.where(size > after).order_by(size).limit(limit))
            return [_stamp(*row) for row in rows]

    def latest(self) -> Stamp | None:
        """The time stamp of the largest checkpoint that has one."""
        with self._read() as connection:
            last = _STAMPED.order_by(cosignatures.c.size.desc()).limit(1)
            row = connection.execute(last).first()
        return None if row is None else _stamp(row[0], row[1])


_SIZE = select(func.coalesce(func.max(_l.number), -1) + 1)
_TOP = select(func.coalesce(func.max(_l.entry), 0))


def _entry(seq: int, message: object, event: object, body: object) -> Entry:
    return Entry(str(message), str(event), _bytes(body), seq)


def _bytes(value: object) -> bytes:
    """Return stored bytes; SQLite lets a tamperer store a text instead, which is none."""
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else b""


def _stamp(size: int, line: str) -> Stamp:
    time, _, token = line.partition(" ")
    try:
        return Stamp(size, datetime.fromisoformat(time), base64.b64decode(token, validate=True))
    except (ValueError, binascii.Error) as error:
        raise StoreError(f"the time stamp of the checkpoint over {size} was changed") from error


def _size(connection: Connection) -> int:
    size: int = connection.execute(_SIZE).scalar_one()
    return size


def _append(connection: Connection, items: Sequence[Seal]) -> list[bool]:
    return [_appended(connection, seal) for seal in items]


def _appended(connection: Connection, seal: Seal) -> bool:
    if _size(connection) != seal.leaves[0].number:
        return False
    rows = [(leaf.number, leaf.entry, leaf.hash) for leaf in seal.leaves]
    bulk.insert(connection, leaves, _LEAF, rows)
    bulk.insert(connection, nodes, _NODE, seal.nodes)
    return True


def _publish(connection: Connection, items: Sequence[Note]) -> list[None]:
    for note in items:
        # Another process may have signed the same size: the root is the same too.
        known = select(checkpoints.c.size).where(checkpoints.c.size == note.size)
        if connection.execute(known).first() is None:
            bulk.insert(connection, checkpoints, ("size", "note"), [(note.size, note.text)])
    return [None] * len(items)


def _countersign(connection: Connection, items: Sequence[tuple[int, str, str]]) -> list[bool]:
    done = []
    for size, name, line in items:
        known = select(checkpoints.c.size).where(checkpoints.c.size == size)
        there = connection.execute(known).first() is not None
        if there:
            same = (cosignatures.c.size == size) & (cosignatures.c.name == name)
            connection.execute(delete(cosignatures).where(same))
            row = (size, name, line)
            bulk.insert(connection, cosignatures, ("size", "name", "line"), [row])
        done.append(there)
    return done
