"""Golden samples: what goes into an adapter and what must come out, as files beside it.

    samples/<case>/1-request.xoev.xml → 2-request.legacy.* → 3-reply.legacy.* → 4-reply.xoev.xml

or `error.txt` with the exact text of the refusal. The facts are always the same: reference
`0123456789ABC`, received on 2026-03-02 at 08:30 UTC, the reply on 2026-03-04 at 10:15 UTC; leser,
autor and test flag are those of the request, swapped for the answer. Of a reply file with many
replies only those with that reference count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from broker import sealed
from broker.adapter import Adapter
from broker.catalog import Catalog
from broker.difference import between
from broker.document import Document
from broker.errors import BrokerError
from broker.formats import Format
from broker.message import Envelope, Facts
from broker.step import Chain
from broker.xoev.standards import Standards

REFERENCE: Final = "0123456789ABC"
MESSAGE: Final = "019c0f00-0000-7000-8000-000000000001"
REQUESTED: Final = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
REPLIED: Final = datetime(2026, 3, 4, 10, 15, tzinfo=UTC)

_REQUEST: Final = "1-request.xoev.xml"
_ERROR: Final = "error.txt"


@dataclass(frozen=True, slots=True)
class Sample:
    """One case of an adapter: its folder holds the files."""

    adapter: str
    folder: Path

    @property
    def name(self) -> str:
        """The adapter and the case, as the test is called (`wolfsburg/bau/einfach`)."""
        return f"{self.adapter}/{self.folder.name}"


@dataclass(frozen=True, slots=True)
class Result:
    """How one file of a sample came out: `difference` is empty if it is as expected."""

    sample: str
    file: str
    difference: str = ""

    @property
    def ok(self) -> bool:
        """Whether the file came out as expected."""
        return not self.difference


def find(catalog: Catalog, name: str) -> tuple[Sample, ...]:
    """Return the samples of an adapter, by name."""
    folder = catalog.folder(name) / "samples"
    return tuple(Sample(name, file.parent) for file in sorted(folder.glob(f"*/{_REQUEST}")))


def run(catalog: Catalog, name: str, standards: Standards) -> tuple[Result, ...]:
    """Run all samples of an adapter and compare; an adapter without samples gives no result."""
    return tuple(
        result for sample in find(catalog, name) for result in check(catalog, sample, standards)
    )


def check(catalog: Catalog, sample: Sample, standards: Standards) -> tuple[Result, ...]:
    """Run one sample and compare every file that it makes or holds."""
    adapter = catalog.get(sample.adapter)
    made, error = _made(adapter, sample, standards)
    held = {file.name for file in sample.folder.iterdir() if _is_output(file)}
    layout = layout_of(adapter)
    results = []
    for file in sorted(made.keys() | held):
        difference = _difference(sample.folder / file, made.get(file), layout)
        if file == _ERROR and error is not None and difference:
            difference += _findings(error, made)
        results.append(Result(sample.name, file, difference))
    return tuple(results)


def update(catalog: Catalog, name: str, standards: Standards) -> tuple[Path, ...]:
    """Write anew what comes out of the samples of an adapter; return the files that changed."""
    changed = []
    for sample in find(catalog, name):
        made = make(catalog.get(name), sample, standards)
        for file in sorted(sample.folder.iterdir()):
            if _is_output(file) and file.name not in made:
                file.unlink()
                changed.append(file)
        for output, content in made.items():
            if _difference(sample.folder / output, content, None):
                (sample.folder / output).write_bytes(content)
                changed.append(sample.folder / output)
    return tuple(changed)


def make(adapter: Adapter, sample: Sample, standards: Standards) -> dict[str, bytes]:
    """Return what the adapter makes of a sample, by file name; an error makes `error.txt`."""
    return _made(adapter, sample, standards)[0]


def layout_of(adapter: Adapter) -> Format | None:
    """Return the format that writes what the procedure gets, where a step of the adapter does."""
    step = getattr(type(adapter), "to_legacy", None)
    last = step.steps[-1] if isinstance(step, Chain) else step
    return last if isinstance(last, Format) else None


def facts(envelope: Envelope) -> Facts:
    """Return the fixed facts of a request."""
    head = envelope
    return Facts(REFERENCE, MESSAGE, REQUESTED, head.recipient, head.sender, test=head.test)


def reply_facts(envelope: Envelope, request: bytes, reply: bytes) -> Facts:
    """Return the fixed facts of a reply to this request."""
    return replace(
        facts(envelope),
        received=REPLIED,
        reader=envelope.sender,
        author=envelope.recipient,
        answered=envelope,
        digest=hashlib.sha256(reply).hexdigest(),
        original=request,
    )


def _made(
    adapter: Adapter, sample: Sample, standards: Standards
) -> tuple[dict[str, bytes], BrokerError | None]:
    made: dict[str, bytes] = {}
    try:
        for name, content in _steps(adapter, sample, standards):
            made[name] = content
    except BrokerError as error:
        made[_ERROR] = f"{error}\n".encode()
        return made, error
    return made, None


def _steps(adapter: Adapter, sample: Sample, standards: Standards) -> Iterator[tuple[str, bytes]]:
    request = standards.parse((sample.folder / _REQUEST).read_bytes())
    envelope = standards.envelope(request)
    standards.validate(request, envelope, REQUESTED)
    yield (
        f"2-request.legacy{adapter.suffix}",
        sealed.run(adapter.to_legacy, request, facts(envelope)),
    )
    for file in sorted(sample.folder.glob("3-reply.legacy.*")):
        yield from _answers(adapter, file.read_bytes(), request, envelope, standards)


def _answers(
    adapter: Adapter, batch: bytes, request: Document, envelope: Envelope, standards: Standards
) -> Iterator[tuple[str, bytes]]:
    replies = sealed.run(adapter.replies, batch)
    # A reply without a reference answers the call that it came back with.
    ours = [
        reply
        for reply in replies
        if sealed.run(adapter.correlate, reply).reference in ("", REFERENCE)
    ]
    for number, reply in enumerate(ours, 1):
        answer = sealed.run(adapter.to_xoev, reply, reply_facts(envelope, request.raw, reply))
        document = standards.parse(answer)
        standards.validate(document, standards.envelope(document), REPLIED)
        yield f"4-reply{f'-{number}' if len(ours) > 1 else ''}.xoev.xml", answer


def _is_output(file: Path) -> bool:
    return file.name.startswith(("2-", "4-")) or file.name == _ERROR


def _difference(file: Path, made: bytes | None, layout: Format | None) -> str:
    """Compare XML without its layout, everything else byte by byte; return what differs."""
    held = file.read_bytes() if file.exists() else None
    if held is None or made is None:
        return f"{file.name} {'is missing' if held is None else 'was not made'}"
    return between(file.name, held, made, layout if file.name.startswith("2-") else None)


def _findings(error: BrokerError, made: Mapping[str, bytes]) -> str:
    """Say how far the sample came, and everything that the error knows."""
    done = [name for name in made if name != _ERROR]
    text = str(error)
    lines = [f"{f'after {done[-1]} ' if done else ''}the sample ended with: {text}"]
    lines += [f"  {one}" for one in map(str, error.findings) if one not in text]
    return "\n" + "\n".join(lines)
