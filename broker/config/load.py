"""Reads and checks a routes.yaml: either a table without findings, or all findings at once."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path

from broker.channels.channel import Declared
from broker.config.checks import File, check
from broker.config.entries import Reader
from broker.config.findings import Report
from broker.config.model import Route, Table
from broker.config.nodes import Block, Node
from broker.config.parties import channels, parties, unknown_names
from broker.config.reader import MAX_BYTES, Spot, read
from broker.config.tables import Known

SECTIONS = ("parties", "channels", "routes")


def load(file: Path, known: Known, environ: Mapping[str, str]) -> Table:
    """Return the table of a routes.yaml, `${NAME}` filled in from `environ`.

    Raises ConfigError with all findings, in the order of the file.
    """
    report = Report(str(file))
    data = _bytes(file, report)
    report.settle()
    root = read(data, report, environ)
    if not isinstance(root, Block):
        _shapeless(root, report)
        report.settle()
        raise AssertionError("a file without a root has findings")
    return _table(file, data, root, known, report)


def glance(
    file: Path, known: Known, environ: Mapping[str, str]
) -> tuple[Mapping[str, Declared], tuple[Route, ...]]:
    """Return the channels and routes of a routes.yaml as far as it can be read, without a check.

    What is wrong with it is for `load` to say.
    """
    report = Report(str(file))
    root = read(_bytes(file, report), report, environ)
    if not isinstance(root, Block):
        return {}, ()
    connected = channels(root, file.parent, known, report)
    people = parties(root, file.parent, report)
    entries = Reader(file.parent, people, report).entries(root)
    return connected, tuple(route for entry in entries for route in entry.routes)


def _table(file: Path, data: bytes, root: Block, known: Known, report: Report) -> Table:
    folder = file.parent
    _sections(root, report)
    people = parties(root, folder, report)
    connected = channels(root, folder, known, report)
    unknown_names(people, connected, root, report)
    entries = Reader(folder, people, report).entries(root)
    read_in = File(root, people, connected, entries, known)
    check(read_in, report)
    report.settle()
    return Table(
        parties=people,
        channels=connected,
        routes=tuple(read_in.routes),
        digest=hashlib.sha256(data).hexdigest(),
        file=file,
        warnings=report.warnings,
    )


def _bytes(file: Path, report: Report) -> bytes:
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            report.add(Spot(0, 0), "not a file")
            return b""
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        report.add(Spot(0, 0), f"cannot be read: {(error.strerror or 'unknown reason').lower()}")
        return b""


def _shapeless(root: Node | None, report: Report) -> None:
    if not len(report):
        place = root if root is not None else Spot(1, 1)
        report.add(place, f"needs a mapping with {', '.join(SECTIONS)}")


def _sections(root: Block, report: Report) -> None:
    for name, key in root.keys.items():
        if name not in SECTIONS:
            hint = report.closest(name, SECTIONS)
            report.add(key, f'unknown field "{name}"{hint}')
