"""The tutorial, word for word: a newcomer's shell in a clean folder shows what the page shows."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.needs import ROOT

PAGE = ROOT / "docs/tutorial.md"
LEFT_OUT = "…"

#: What differs from one run to the next, and what it is called when two runs are compared.
_DIFFERS = (
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<sha256>"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "<digest>"),
    (re.compile(r"\b(?!0123456789ABC)[0-9A-HJKMNP-TV-Z]{13}\b"), "<reference>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(?:Z|\+00:00)"), "<time>"),
    (re.compile(r"(?<=127\.0\.0\.1:)\d+"), "<port>"),
    (re.compile(r"(?<=process )\d+|(?<=\"pid\":)\d+"), "<process>"),
    (re.compile(r"\s+"), " "),  # a terminal breaks lines where it likes
)


@dataclass(frozen=True)
class Block:
    """A fenced block: what it is, the file it goes to or another remark, and where it stands."""

    language: str
    remark: str
    text: str
    line: int


def blocks(page: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page that say what they are."""
    for found in re.finditer(r"^```(\w+) ?(.*)\n((?:.*\n)*?)```$", page, re.MULTILINE):
        yield Block(found[1], found[2], found[3], page.count("\n", 0, found.start()) + 2)


def script(found: list[Block]) -> str:
    """Return all of it as one shell script; what block number n prints goes to file n."""
    parts = ["set -euo pipefail"]
    for number, block in enumerate(found):
        if block.remark.startswith("file="):
            file = block.remark.removeprefix("file=")
            parts.append(f"cat > {file} <<'END OF FILE'\n{block.text}END OF FILE")
        elif block.language == "sh" and not block.remark:
            parts += [f'exec >"$OUTPUT.{number}" 2>&1', block.text]
    return "\n".join(parts) + "\n"


def plain(text: str) -> str:
    """Return a text without what differs from run to run."""
    for pattern, name in _DIFFERS:
        text = pattern.sub(name, text)
    return text.strip()


def shows(page: str, printed: str) -> bool:
    """Whether this was printed, whole and in order, apart from what the page leaves out."""
    rest = plain(printed)
    lines = [LEFT_OUT if line.strip() == LEFT_OUT else line for line in page.splitlines()]
    parts = ["\n".join(part) for part in _split(lines)]
    pattern = ".*?".join(re.escape(plain(part)) for part in parts)
    return re.fullmatch(rf"{pattern}", rest, re.DOTALL) is not None


def _split(lines: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in lines:
        if line == LEFT_OUT:
            parts.append([])
        else:
            parts[-1].append(line)
    return parts


def clone(folder: Path) -> Path:
    """Make what a fresh clone holds: our adapters and profiles, no official bundles."""
    shutil.copytree(ROOT / "adapters", folder / "adapters")
    official = shutil.ignore_patterns("official")
    shutil.copytree(ROOT / "schemas", folder / "schemas", ignore=official)
    (folder / ".venv").mkdir()
    (folder / ".venv/bin").symlink_to(Path(sys.executable).parent)
    return folder


FOUND = list(blocks(PAGE.read_text("utf-8")))
PAIRS = [
    (number, block)
    for number, block in enumerate(FOUND)
    if block.language == "text" and FOUND[number - 1].language == "sh"
]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Follow the page once; return the prefix of the files that hold what each block printed."""
    folder = tmp_path_factory.mktemp("tutorial")
    home = folder / "home"
    home.mkdir()
    output = folder / "printed"
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith("XOEV_BROKER_")
    }
    environ |= {
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "OUTPUT": str(output),
        "XOEV_BROKER_LISTEN": "127.0.0.1:0",  # so that a broker of the machine is not in the way
    }
    place = clone(folder / "xoev-broker")
    (folder / "tutorial.sh").write_text(script(FOUND), "utf-8")
    words = ["bash", str(folder / "tutorial.sh")]
    with subprocess.Popen(words, cwd=place, env=environ, start_new_session=True) as shell:
        try:
            shell.wait(timeout=120)
        finally:
            _end(shell)
    left = [file.read_text("utf-8") for file in sorted(folder.glob("printed.*"), key=_number)]
    log = home / "musterstadt/broker.log"
    log_text = log.read_text("utf-8") if log.is_file() else ""
    assert shell.returncode == 0, f"the last block printed:\n{left[-1]}\nthe log:\n{log_text}"
    return output


def _end(shell: subprocess.Popen[bytes]) -> None:
    """End whatever of the session is still there, such as a broker nobody stopped."""
    try:
        os.killpg(shell.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _number(file: Path) -> int:
    return int(file.suffix[1:])


@pytest.mark.parametrize(
    ("number", "block"), PAIRS, ids=[f"line-{block.line}" for _, block in PAIRS]
)
def test_each_block_prints_what_the_page_shows(output: Path, number: int, block: Block) -> None:
    printed = Path(f"{output}.{number - 1}").read_text("utf-8")

    assert shows(block.text, printed), f"{PAGE.name}:{block.line}: it printed\n{printed}"


def test_every_shown_output_belongs_to_a_command() -> None:
    shown = [block for block in FOUND if block.language == "text"]

    assert len(shown) == len(PAIRS)


def test_every_file_is_named_in_the_text_before_it() -> None:
    text = PAGE.read_text("utf-8").splitlines()
    files = [block for block in FOUND if block.remark.startswith("file=")]

    unnamed = [
        block.remark
        for block in files
        if f"`{block.remark.removeprefix('file=')}`" not in text[block.line - 4]
    ]

    assert unnamed == []


def test_what_is_left_out_may_be_anything_but_the_rest_must_be_there() -> None:
    page = "first\n…\nlast\n"

    assert shows(page, "first\n2026-11-24 07:34:21Z\nlast\n")
    assert not shows(page, "first\nsecond\n")
    assert not shows(page, "first\nlast\nmore\n")
