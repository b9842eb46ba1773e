"""Types a page as its reader does: block by block, with the ids that were printed for him.

A page shows a session with invented ids. Where one stands in a shown output for the first time,
the printed id in its place is remembered, and later commands are typed with that one. The remarks
of a fence: `as=anna` is typed by this account behind sudo, `exit=1` is how its last command ends.
"""

from __future__ import annotations

import re
import select
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Self

from tests.acceptance.machine import LONGEST, Machine
from tests.acceptance.test_tutorial import Block, blocks

#: What of a page stands for something else on each machine: ids are remembered, the rest is not.
_IDS = {
    "message": r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
    "reference": r"\b[0-9A-HJKMNP-TV-Z]{13}\b",
    "cause": r"\b[0-9a-f]{8}\b",
}
_REST = {
    "time": r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d[.\d]*)?(?:Z|\+\d\d:\d\d)?",
    "stamp": r"\b\d{8}-\d{6}\b",
    "left": r"\s*…\s*",
    "space": r"\s+",
}
_ANYTHING = {"left": ".*?", "space": r"\s+"}
_PARTS = re.compile("|".join(f"(?P<{name}>{text})" for name, text in (_REST | _IDS).items()))
_ID = re.compile("|".join(_IDS.values()))

Scenes = Mapping[str, Callable[[Machine], None]]


@dataclass
class Session:
    """A shell on a machine, and what the ids of the page are there."""

    machine: Machine
    names: dict[str, str] = field(default_factory=dict)
    _typed: int = 0

    def __enter__(self) -> Self:
        """Begin with an empty shell."""
        self._shell = subprocess.Popen(
            ["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.machine.folder,
            env=self.machine.environ, text=True, bufsize=1,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        """End the shell."""
        self._shell.kill()
        self._shell.communicate()

    def follow(self, page: str, scenes: Scenes) -> None:
        """Type a page; before the first command under a heading, what `scenes` says happens."""
        printed, waiting = "", dict(scenes)
        for heading, block in _placed(page):
            if heading in waiting:
                waiting.pop(heading)(self.machine)
            if block.language == "sh":
                printed = self.type(block)
            elif block.language == "text":
                assert self.shown(block.text, printed), f"line {block.line}: not\n{printed}"
        assert not waiting, "the page has other headings"

    def type(self, block: Block) -> str:
        """Type a block; return what it printed."""
        remark = dict(part.partition("=")[::2] for part in block.remark.split())
        wanted = remark.pop("exit", "0")
        who = remark.pop("as", None)
        assert not remark, f"line {block.line}: unknown remark {block.remark}"
        self._typed += 1
        file, out = (self.machine.folder / f"typed.{self._typed}.{end}" for end in ("sh", "out"))
        file.write_text(_strict(self.filled(block), wanted), "utf-8")
        self._say(f"export SUDO_USER={who}" if who else "unset SUDO_USER")
        self._say(f'. {file} >{out} 2>&1 </dev/null; ended=$?; set +euo pipefail; echo "$ended"')
        ended = _line(self._shell.stdout)
        printed = out.read_text("utf-8")
        assert ended == wanted, f"line {block.line} ended with {ended or 'its shell'}:\n{printed}"
        return printed

    def filled(self, block: Block) -> str:
        """Return the commands of a block with the ids of this machine."""

        def real(found: re.Match[str]) -> str:
            assert found[0] in self.names, f"line {block.line}: where does {found[0]} come from?"
            return self.names[found[0]]

        return _ID.sub(real, block.text)

    def shown(self, page: str, printed: str) -> bool:
        """Whether this was printed, whole and in order; remembers the ids that are new."""
        new: dict[str, str] = {}
        pattern = "".join(self._pattern(part, new) for part in _split(page.strip()))
        found = re.fullmatch(pattern, printed.strip(), re.DOTALL)
        if found:
            self.names |= {name: found[group] for name, group in new.items()}
        return found is not None

    def _pattern(self, part: re.Match[str] | str, new: dict[str, str]) -> str:
        if isinstance(part, str):
            return re.escape(part)
        kind, text = part.lastgroup or "", part[0]
        if kind in _REST:
            return _ANYTHING.get(kind, _REST[kind])
        if text in self.names:
            return re.escape(self.names[text])
        if text in new:
            return f"(?P={new[text]})"
        new[text] = f"new{len(new)}"
        return f"(?P<{new[text]}>{_IDS[kind]})"

    def _say(self, text: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{text}\n")


def _strict(text: str, wanted: str) -> str:
    """Return commands of which each must succeed, unless another end is wanted."""
    return text if wanted != "0" else f"set -euo pipefail\n{text}"


def _line(stream: IO[str] | None) -> str:
    """Return the next line; empty where the shell has ended."""
    assert stream is not None
    assert select.select([stream], [], [], LONGEST)[0], "nothing happened"
    return stream.readline().strip()


def _split(text: str) -> list[re.Match[str] | str]:
    parts: list[re.Match[str] | str] = []
    at = 0
    for found in _PARTS.finditer(text):
        parts += [text[at : found.start()], found]
        at = found.end()
    return [*parts, text[at:]]


def _placed(page: str) -> Iterator[tuple[str, Block]]:
    """Yield the blocks of a page, each with the heading that it stands under."""
    heading, rest = "", {block.line: block for block in blocks(page)}
    code = False
    for number, line in enumerate(page.splitlines(), start=1):
        if line.startswith("```"):
            code = not code
            if code and number + 1 in rest:
                yield heading, rest[number + 1]
        elif line.startswith("#") and not code:
            heading = line.lstrip("# ")
