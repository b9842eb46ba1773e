"""Converting one file with one adapter, to look at while writing it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit, Option

from broker.cli.beside import beside, shown
from broker.cli.desk import settings
from broker.cli.terminal import complain, detail, say
from broker.errors import BrokerError, Finding

if TYPE_CHECKING:
    from broker.codes import Lists
    from broker.formats import Format
    from broker.kit.trial import Output
    from broker.xoev.standards import Standards

#: Seconds between two looks at the files.
_PAUSE = 0.3

Stamps = Mapping[Path, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Task:
    """What to convert, with what, and where the adapters lie."""

    file: Path
    adapter: str
    reverse: bool
    request: Path | None
    folders: tuple[Path, ...]
    standards: Standards
    lists: Lists | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one try: the outputs and the layout they are written in, or an error."""

    before: bytes = b""
    outputs: tuple[Output, ...] = ()
    layout: Format | None = None
    error: BrokerError | None = None

    @property
    def wrong(self) -> bool:
        """Whether a file could not be converted, or what came out is not valid."""
        return self.error is not None or any(output.objection for output in self.outputs)


def convert(
    file: Annotated[Path, Argument(metavar="FILE", help="a message; with --reverse a reply")],
    adapter: Annotated[
        str, Option(metavar="CITY/PROCEDURE", help="else the one whose sample FILE is")
    ] = "",
    reverse: Annotated[bool, Option("--reverse", help="from the procedure to XÖV")] = False,
    request: Annotated[
        Path | None, Option(metavar="FILE", help="the message that a reply answers")
    ] = None,
    diff: Annotated[
        bool, Option("--diff", help="only what is other than in the sample, or than last time")
    ] = False,
    watch: Annotated[
        bool, Option("--watch", help="again whenever a file of the adapter is saved; ends with ^C")
    ] = False,
) -> None:
    """Convert a file and show it before and after, side by side.

    The facts are those of the samples (reference 0123456789ABC, fixed times). Stores and sends
    nothing and needs no routes.yaml. The exit code is 1 where nothing came out, where it is not
    valid, or, with --diff, where it is not what the sample says.
    """
    from broker.app import load_standards
    from broker.xoev.codelists import CodeLists

    found = settings()
    beside = file.parent / "1-request.xoev.xml"
    if reverse and request is None and file.name.startswith("3-") and beside.exists():
        request = beside
    lists = CodeLists.load(found.schemas).entry
    task = Task(file, adapter, reverse, request, found.adapters, load_standards(found), lists)
    if watch:
        _watch(task, diff)
        return
    attempt = attempted(task)
    same = _tell(task, attempt, _expected(task) if diff else None)
    if attempt.wrong or not same:
        raise Exit(1)


def attempted(task: Task) -> Attempt:
    """Load the adapter as its files are now and convert once; errors are part of the result."""
    from broker.catalog import Catalog
    from broker.kit.trial import back, forth, locate
    from broker.samples import layout_of

    before = b""
    try:
        before = _read(task.file)
        catalog = Catalog.load(task.folders, task.lists)
        adapter = catalog.get(locate(catalog, task.adapter, task.file))
        if task.reverse:
            request = _read(task.request) if task.request else None
            return Attempt(before, back(adapter, before, task.standards, request))
        output = forth(adapter, before, task.standards)
        return Attempt(before, (output,), layout_of(adapter))
    except BrokerError as error:
        return Attempt(before, error=error)


def rounds(
    files: Callable[[], Iterable[Path]], wait: Callable[[], None]
) -> Iterator[tuple[Path, ...]]:
    """Yield at once, then whenever files changed, came or went, with those files."""
    known = _stamps(files())
    yield ()
    while True:
        wait()
        now = _stamps(files())
        changed = tuple(sorted(path for path, _ in now.items() ^ known.items()))
        known = now
        if changed:
            yield tuple(dict.fromkeys(changed))


def _watch(task: Task, diff: bool) -> None:
    last: Sequence[bytes] | None = None
    try:
        for changed in rounds(lambda: _watched(task), lambda: time.sleep(_PAUSE)):
            if changed:
                say(f"\n{'─' * 20} saved: {', '.join(sorted({file.name for file in changed}))}")
            attempt = attempted(task)
            _tell(task, attempt, (_expected(task) or last or None) if diff else None)
            last = _counted(attempt) or last
            sys.stdout.flush()
    except KeyboardInterrupt:
        say("\nended")


def _watched(task: Task) -> Iterator[Path]:
    """Yield the files that what comes out depends on."""
    from broker.kit.trial import owner

    yield from filter(None, (task.file, task.request))
    name = task.adapter or owner(task.file)
    for folder in task.folders:
        for place in (folder / name, folder / "shared" / name.rpartition("/")[2]):
            yield from (file for file in place.rglob("*") if file.suffix not in (".pyc", ".part"))


def _stamps(files: Iterable[Path]) -> Stamps:
    found: dict[Path, tuple[int, int]] = {}
    for file in files:
        try:
            state = file.stat()
        except OSError:
            continue
        if not file.is_dir():
            found[file] = (state.st_mtime_ns, state.st_size)
    return found


def _expected(task: Task) -> Sequence[bytes] | None:
    """Return what the sample says, or None where the file is none."""
    from broker.kit.trial import golden

    files = golden(task.file, task.reverse)
    return [_read(file) for file in files] or None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BrokerError(f"{file} cannot be read: {error.strerror}") from error


def _tell(task: Task, attempt: Attempt, expected: Sequence[bytes] | None) -> bool:
    """Show an attempt; return whether it is what was expected, if anything was."""
    if attempt.error is not None:
        _explain(attempt.error, task.folders)
        return False
    if task.reverse and task.request is None:
        complain("note: an invented request is answered; give the real one with --request")
    for output in attempt.outputs:
        if output.objection is not None:
            what = "what came out" if task.reverse else "the message"
            complain(f"warning: {what} is not valid: " + "\n".join(detail(output.objection)))
    if expected is not None:
        return _compare(task, attempt, expected)
    beside(str(task.file), shown(attempt.before), _after(attempt))
    return True


def _after(attempt: Attempt) -> str:
    """Return all outputs, those of a batch below the reference of each."""
    several = len(attempt.outputs) > 1
    parts = [
        (f"[{output.name}]\n" if several else "") + shown(output.body, attempt.layout)
        for output in attempt.outputs
    ]
    return "\n\n".join(parts)


def _compare(task: Task, attempt: Attempt, expected: Sequence[bytes]) -> bool:
    from broker.difference import between

    same = True
    made = _counted(attempt)
    suffix = ".xml" if task.reverse else ""
    for number, (held, got) in enumerate(zip_longest(expected, made), 1):
        name = f"output {number}{suffix}"
        if held is None or got is None:
            difference = f"{name} is {'too much' if held is None else 'missing'}"
        else:
            difference = between(name, held, got, attempt.layout)
        same = same and not difference
        say(difference or f"{name}: as expected")
    return same


def _counted(attempt: Attempt) -> list[bytes]:
    """Return the outputs that are compared: of a batch, as in samples, those with our reference."""
    from broker.samples import REFERENCE

    ours = [output.body for output in attempt.outputs if output.name == REFERENCE]
    return ours or [output.body for output in attempt.outputs]


def _explain(error: BrokerError, folders: Iterable[Path]) -> None:
    """Show an error, and the line of the stylesheet or list that it speaks about."""
    lines = detail(error)
    complain(lines[0])
    told = {str(one) for one in error.findings}
    for one in error.findings:
        if str(one) not in lines[0].splitlines():
            complain(f"  {one}")
        for text in _source(one, folders):
            complain(f"    {one.line} | {text.strip()}")
    for more in lines[1:]:
        if more.strip() not in told:
            complain(more)


def _source(finding: Finding, folders: Iterable[Path]) -> list[str]:
    """Return the line of the file that a finding names, where there is one."""
    if not finding.file or not finding.line:
        return []
    for folder in folders:
        file = folder / finding.file
        if file.is_file():
            text = file.read_text("utf-8", "replace").split("\n")
            return text[finding.line - 1 : finding.line]
    return []
