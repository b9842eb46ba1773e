"""What sealing and encryption cost end to end, and what a journal of a million entries costs."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import site
from benchmarks.backlog import fill
from benchmarks.child import command
from benchmarks.effort import Effort
from benchmarks.failure import PATIENCE, Failed
from benchmarks.figures import Figure, Part, most
from broker.app import App
from broker.intake import Intake
from broker.journal.notary import sealer
from broker.journal.trail import entry
from broker.journal.vault import MessageKey, Vault
from broker.message import Direction, State
from broker.settings import Settings
from broker.stores.contract import Form, Payload
from broker.worker import Worker

_CHANNELS = {"nowhere": "kind: nowhere", "a folder": "kind: directory, out: out"}
_LOOK = 0.002
#: So many entries are written in one call.
_STEP = 1000


class Open(Vault):
    """A vault that neither encrypts nor wraps a key: what the broker would be without one."""

    def new_key(self) -> MessageKey:
        return MessageKey(b"", b"none")

    def key(self, wrapped: bytes) -> MessageKey:
        return MessageKey(b"", wrapped)

    def seal(self, key: MessageKey, message: str, form: Form, data: bytes) -> Payload:
        return Payload(form, data, b"", len(data))

    def pieces(self, key: bytes | MessageKey, message: str, payload: Payload) -> Iterator[bytes]:
        yield payload.box

    def unseal(self, key: bytes | MessageKey, message: str, payload: Payload) -> bytes:
        return payload.box


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of the clock and of the processor."""

    clock: float
    processor: float


def measure(effort: Effort, folder: Path) -> Part:
    """Measure pairs of runs, with and without, in turns; then build a large journal."""
    figures: list[Figure] = []
    for name, channel in _CHANNELS.items():
        pairs = [_pair(effort, folder / f"{name}-{turn}", channel) for turn in range(effort.rounds)]
        figures += _compared(name, pairs, effort.backlog)
    figures += _journal(effort.entries, folder / "journal")
    notes = (
        f"{effort.rounds} pairs of {effort.backlog} messages, accepted and delivered; with: until "
        "the last entry is sealed",
        f"a journal of {effort.entries} entries; the commands with the start of Python",
    )
    return Part("sealing", "journal and vault against the same run without", tuple(figures), notes)


def _compared(name: str, pairs: Sequence[tuple[Spent, Spent]], count: int) -> list[Figure]:
    cost = median(1 - bare.clock / guarded.clock for bare, guarded in pairs)
    work = median(1 - bare.processor / guarded.processor for bare, guarded in pairs)
    without, with_ = (median(count / pair[at].clock for pair in pairs) for at in (0, 1))
    return [
        Figure(f"cost into {name}", 100 * cost, "%", most(15)),
        Figure(f"cost into {name}, of the processor", 100 * work, "%"),
        Figure(f"into {name}, without", without, "msg/s"),
        Figure(f"into {name}, with", with_, "msg/s"),
    ]


def _pair(effort: Effort, folder: Path, channel: str) -> tuple[Spent, Spent]:
    """Return what was spent without and with; which one goes first changes with the name."""
    order = (True, False) if folder.name[-1] in "13579" else (False, True)
    found = {guarded: _run(effort, folder / str(guarded), channel, guarded) for guarded in order}
    return found[False], found[True]


def _run(effort: Effort, folder: Path, channel: str, guarded: bool) -> Spent:
    folder.parent.mkdir(exist_ok=True)
    place = site.build(folder, channel)
    messages = site.messages(effort.backlog)
    app = place.app()
    try:
        if not guarded:
            app.vault = Open(bytes(32))
        with _sealing(app, place.settings, guarded):
            start, processor = time.perf_counter(), time.process_time()
            fill(app, messages)
            _deliver(app, place, effort.backlog)
        return Spent(time.perf_counter() - start, time.process_time() - processor)
    finally:
        app.close()


@contextmanager
def _sealing(app: App, settings: Settings, guarded: bool) -> Iterator[None]:
    """Seal beside the work as the daemon does; at the end, what is left."""
    if not guarded:
        yield
        return
    found = sealer(settings, app.store)
    found.start()
    yield
    found.stop()
    if app.store.tree.unsealed(0, 1):
        raise Failed("the journal was not sealed")


def _deliver(app: App, place: site.Site, count: int) -> None:
    failures: list[BaseException] = []
    worker = Worker(app, place.pace, failures.append)
    end = time.monotonic() + PATIENCE
    worker.start()
    while not failures and time.monotonic() < end:
        time.sleep(_LOOK)
        if worker.idle(0.0) and app.store.counts().oldest is None:
            break
    worker.stop(PATIENCE)
    states = dict(app.store.counts().states.get(Direction.REQUEST, {}))
    if failures or states != {State.DELIVERED: count}:
        raise Failed(f"not all was delivered: {states} {failures}")


def _journal(count: int, folder: Path) -> list[Figure]:
    """Put one message into the middle of a large journal, and ask the real commands about it."""
    place = site.build(folder)
    id = _filled(place, count)
    file = folder / "evidence.zip"
    proof = _timed(place, "evidence", id, "-o", str(file), "--reason", "benchmark")
    whole = _timed(place, "verify")
    return [
        Figure("evidence of one message", proof, "s", most(1)),
        Figure("verify", whole, "s", most(60 * count / 1_000_000)),
        Figure("proof of one entry", _proof(file), "bytes", most(1024)),
    ]


def _filled(place: site.Site, count: int) -> str:
    app = place.app()
    try:
        _entries(app, count // 2)
        id = Intake(app).accept(site.messages(1)[0], site.PARTY, "benchmark").id
        _deliver(app, place, 1)
        _entries(app, count - count // 2)
        if not sealer(place.settings, app.store).seal(final=True):
            raise Failed("the journal was not sealed")
        return id
    finally:
        app.close()


def _entries(app: App, count: int) -> None:
    """Write entries of messages that came and went."""
    for at in range(0, count, _STEP):
        lines = [
            entry(f"message-{at + number}", "delivered", channel="target", attempt=1,
                  receipt="a receipt of usual length")
            for number in range(min(_STEP, count - at))
        ]  # fmt: skip
        app.store.note(lines).result()


def _timed(place: site.Site, *args: str) -> float:
    start = time.perf_counter()
    done = command(*args, environ=place.environ)
    spent = time.perf_counter() - start
    if done.returncode:
        raise Failed(f"{args[0]} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    return spent


def _proof(file: Path) -> float:
    """Return the bytes of the longest proof, its hashes as they are written, without checkpoint."""
    with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as archive:
        names = [name for name in archive.namelist() if name.endswith(".tlog-proof")]
        return max(len(archive.read(name).partition(b"\n\n")[0]) for name in names)
