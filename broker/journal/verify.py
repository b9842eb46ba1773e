"""Reads the whole journal again and finds every change, and where it is.

Each entry is held against its leaf, the leaves against the kept subtrees, and the tree against
every signed checkpoint. What was exchanged as a whole, with a copy of the key, only a checkpoint
kept elsewhere can show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from broker.journal import tree
from broker.journal.checkpoint import BadCheckpoint, Checkpoint, Verifier
from broker.journal.entry import VERSION
from broker.journal.misfits import Kind, Misfit, Tampering, explain
from broker.stores.contract import Entry
from broker.stores.tree import Leaf, Tree

#: So many findings are reported one by one.
MOST = 100
#: So many entries between two calls of the progress.
STEP = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a whole look found. `unsealed` entries at the end have no place in the tree yet,
    `unsigned` are newer than the last checkpoint: whether those were changed nobody can tell.
    """

    size: int
    root: bytes
    unsealed: int
    unsigned: int
    checkpoints: int
    outside: int
    findings: tuple[Tampering, ...]


@dataclass(slots=True)
class _Mark:
    """A checkpoint to hold the tree against."""

    checkpoint: Checkpoint
    outside: bool


@dataclass(slots=True)
class _Look:
    """The state of one look."""

    marks: list[_Mark]
    frontier: tree.Frontier = field(default_factory=tree.Frontier)
    findings: list[Tampering] = field(default_factory=list)
    hidden: int = 0
    misfits: list[Misfit] = field(default_factory=list)
    begun: int = 0
    subtrees: dict[tuple[int, int], bytes] = field(default_factory=dict)
    agreed: int = 0
    top: int = 0
    torn: bool = False

    def found(self, kind: Kind, text: str, first: int = 0, last: int = 0) -> None:
        self.keep(Tampering(kind, text, first, last or first))

    def keep(self, finding: Tampering) -> None:
        if len(self.findings) < MOST:
            self.findings.append(finding)
        else:
            self.hidden += 1


def verify(
    journal: Tree[Entry],
    verifier: Verifier | None,
    outside: Sequence[Checkpoint] = (),
    progress: Callable[[int], None] = lambda count: None,
) -> Verdict:
    """Return what is wrong with a journal, reading it once from the beginning to its end.

    `outside` are checkpoints kept elsewhere, their signatures checked already; without `verifier`
    signatures are not checked. `progress` is told how many entries were read. Raises StoreError.
    """
    look = _Look([])
    stored = _signed(journal, verifier, look)
    look.marks = sorted(
        [_Mark(one, False) for one in stored] + [_Mark(one, True) for one in outside],
        key=lambda mark: (mark.checkpoint.size, mark.outside),
    )
    waiting = list(look.marks)
    look.begun = journal.extent()[0]
    look.subtrees = {(level, number): hash for level, number, hash in journal.nodes()}
    _due(look, waiting)
    for leaf, entry in journal.walk():
        _leaf(look, leaf, entry)
        _due(look, waiting)
        if look.frontier.size % STEP == 0:
            progress(look.frontier.size)
    progress(look.frontier.size)
    for finding in explain(look.misfits, look.frontier.size):
        look.keep(finding)
    _missing(look, waiting)
    unsealed = _rest(look, journal)
    return _verdict(look, unsealed, stored, len(outside))


def _verdict(look: _Look, unsealed: int, stored: Sequence[Checkpoint], outside: int) -> Verdict:
    size = look.frontier.size
    signed = max((mark.checkpoint.size for mark in look.marks), default=0)
    if look.hidden:
        text = f"and {look.hidden} more; the first ones are above"
        look.findings.append(Tampering("more", text))
    return Verdict(
        size=size,
        root=look.frontier.root(),
        unsealed=unsealed,
        unsigned=max(0, size - signed) + unsealed,
        checkpoints=len(stored),
        outside=outside,
        findings=tuple(look.findings),
    )


def _signed(journal: Tree[Entry], verifier: Verifier | None, look: _Look) -> list[Checkpoint]:
    """Return the stored checkpoints; one that is not signed by the key is a finding."""
    good = []
    for note in journal.notes():
        try:
            checkpoint = verifier.verify(note.text) if verifier else Checkpoint.parse(note.text)
        except BadCheckpoint as error:
            look.found("checkpoint", f"the stored checkpoint over {note.size} entries: {error}")
            continue
        if checkpoint.size == note.size:
            good.append(checkpoint)
        else:
            text = f"the checkpoint over {checkpoint.size} entries is filed under {note.size}"
            look.found("checkpoint", text)
    return good


def _leaf(look: _Look, leaf: Leaf, entry: Entry | None) -> None:
    """Hold one entry against its leaf, and take the leaf into the tree."""
    size = look.frontier.size
    if leaf.number != size and not look.torn:
        look.torn = True
        look.found("tree", f"tree index {size} is gone, the next one is {leaf.number}", leaf.entry)
    look.top = max(look.top, leaf.entry)
    hash = tree.leaf(entry.body) if entry else None
    if hash != leaf.hash:
        look.misfits.append(Misfit(size, leaf.entry, leaf.hash, hash))
    elif entry and not _filed(entry):
        text = f"entry {entry.seq}: message or event beside it were changed, its bytes were not"
        look.found("filed", text, entry.seq)
    for level, number, made in look.frontier.add(leaf.hash):
        _subtree(look, level, number, made)


def _filed(entry: Entry) -> bool:
    """Whether the columns beside an entry say what its bytes say."""
    body, message, event = entry.body, entry.message.encode(), entry.event.encode()
    start = VERSION + len(message).to_bytes(4) + message
    if not body.startswith(start):
        return False
    at = len(start) + 4 + int.from_bytes(body[len(start) : len(start) + 4])
    return body.startswith(len(event).to_bytes(4) + event, at)


def _subtree(look: _Look, level: int, number: int, made: bytes) -> None:
    kept = look.subtrees.pop((level, number), None)
    if kept == made or look.torn:
        return
    first, end = number << level, (number + 1) << level
    if end > look.begun:
        return  # it was sealed while we read
    what = "is gone" if kept is None else "does not fit its leaves"
    look.found("tree", f"the kept hash over tree index {first} to {end - 1} {what}")


def _due(look: _Look, waiting: list[_Mark]) -> None:
    """Hold the tree against the checkpoints of its present size."""
    while waiting and waiting[0].checkpoint.size <= look.frontier.size:
        mark = waiting.pop(0)
        if look.torn or look.agreed < 0:
            continue
        if look.frontier.root() == mark.checkpoint.root:
            look.agreed = mark.checkpoint.size
        else:
            _differs(look, mark)


def _differs(look: _Look, mark: _Mark) -> None:
    size, since = mark.checkpoint.size, look.agreed
    # From here on every root differs; the first one says where it began.
    look.agreed = -1
    where = f"the change is between tree index {since} and {size - 1}"
    if mark.outside:
        text = f"the first {size} entries are not those of the outside checkpoint: {where}"
        look.found("recomputed", text)
    else:
        look.found("tree", f"the checkpoint over {size} entries does not fit: {where}")


def _missing(look: _Look, waiting: Iterable[_Mark]) -> None:
    """Say which checkpoints are about more entries than there are."""
    missing = list(waiting)
    inside = max((mark.checkpoint.size for mark in missing if not mark.outside), default=0)
    outer = max((mark.checkpoint.size for mark in missing if mark.outside), default=0)
    size = look.frontier.size
    if inside and not look.torn:
        text = (
            f"the end was cut off: a stored checkpoint is about {inside} entries, {size} are left"
        )
        look.found("truncated", text)
    if outer:
        text = f"the journal has {size} sealed entries, the outside checkpoint is about {outer}: "
        look.found("rollback", text + "an older copy was put back, or the end was cut off")
    if look.subtrees and not look.torn and not inside:
        level, number = min(look.subtrees)
        text = f"a hash is kept over tree index {number << level} and following, which are gone"
        look.found("truncated", text)


def _rest(look: _Look, journal: Tree[Entry]) -> int:
    """Return how many entries wait for their seal; one below a sealed one was put in."""
    count = 0
    for entry in _unsealed(journal):
        if entry.seq < look.top and not (journal.late and entry.seq > 0):
            text = f"entry {entry.seq} was inserted: later entries are sealed, it never was"
            look.found("inserted", text, entry.seq)
        else:
            count += 1
            if not _filed(entry):
                text = f"entry {entry.seq}: message or event beside it differ from its bytes"
                look.found("filed", text, entry.seq)
    return count


def _unsealed(journal: Tree[Entry]) -> Iterator[Entry]:
    after = -(1 << 62)
    while found := journal.unsealed(after, STEP):
        yield from found
        after = found[-1].seq


def limits(verdict: Verdict) -> Mapping[str, str]:
    """Return what this look could not show, and what would: key and sentence."""
    said = {}
    if not verdict.outside:
        said["outside"] = (
            "only a checkpoint kept elsewhere shows that the whole store was replaced by an older "
            "copy, or computed anew by someone who has the signing key: verify --from CHECKPOINT"
        )
    if verdict.unsigned:
        said["unsigned"] = (
            f"{verdict.unsigned} entries are newer than the last checkpoint: whether those were "
            "changed cannot be told yet"
        )
    return said
