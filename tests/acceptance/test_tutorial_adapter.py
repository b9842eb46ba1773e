"""The tutorial "write an adapter" in both languages, word for word, in a clean folder."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.test_tutorial import Block, blocks, clone, script, shows
from tests.needs import ROOT

PAGES = ("tutorial-adapter.md", "tutorial-adapter.de.md")


@dataclass(frozen=True)
class Page:
    """A page and its blocks."""

    name: str

    @property
    def text(self) -> str:
        return (ROOT / "docs" / self.name).read_text("utf-8")

    @property
    def blocks(self) -> list[Block]:
        return list(blocks(self.text))

    @property
    def pairs(self) -> list[tuple[int, Block]]:
        """Every shown output with the number of the block that printed it."""
        found = self.blocks
        return [
            (number - 1, block)
            for number, block in enumerate(found)
            if block.language == "text" and found[number - 1].language == "sh"
        ]


def follow(page: Page, folder: Path) -> list[str]:
    """Follow a page once; return what is printed otherwise than it shows."""
    (folder / "home").mkdir()
    output = folder / "printed"
    kept = {name: text for name, text in os.environ.items() if not name.startswith("XOEV_BROKER_")}
    environ = kept | {
        "HOME": str(folder / "home"),
        "LC_ALL": "C.UTF-8",
        "OUTPUT": str(output),
        "XOEV_BROKER_LISTEN": "127.0.0.1:0",  # so that a broker of the machine is not in the way
    }
    place = clone(folder / "xoev-broker")
    (folder / "page.sh").write_text(script(page.blocks), "utf-8")
    words = ["bash", str(folder / "page.sh")]
    with subprocess.Popen(words, cwd=place, env=environ, start_new_session=True) as shell:
        try:
            shell.wait(timeout=180)
        finally:
            _end(shell)
    assert shell.returncode == 0, _left(folder)
    return [
        f"{page.name}:{block.line}: it printed\n{printed}"
        for number, block in page.pairs
        if not shows(block.text, printed := Path(f"{output}.{number}").read_text("utf-8"))
    ]


def _end(shell: subprocess.Popen[bytes]) -> None:
    """End whatever of the session is still there, such as a broker nobody stopped."""
    try:
        os.killpg(shell.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _left(folder: Path) -> str:
    files = sorted(folder.glob("printed.*"), key=lambda file: int(file.suffix[1:]))
    files += sorted((folder / "home").glob("*/*.log"))
    return "\n".join(f"{file.name}:\n{file.read_text('utf-8')}" for file in files[-4:])


@pytest.mark.parametrize("name", PAGES)
def test_each_block_prints_what_the_page_shows(name: str, tmp_path: Path) -> None:
    assert follow(Page(name), tmp_path) == []


@pytest.mark.parametrize("name", PAGES)
def test_every_shown_output_belongs_to_a_command(name: str) -> None:
    page = Page(name)

    assert len([block for block in page.blocks if block.language == "text"]) == len(page.pairs)


@pytest.mark.parametrize("name", PAGES)
def test_every_file_is_named_in_the_text_before_it(name: str) -> None:
    page = Page(name)
    text = page.text.splitlines()
    files = [block for block in page.blocks if block.remark.startswith("file=")]

    unnamed = [
        block.remark
        for block in files
        if f"`{block.remark.removeprefix('file=')}`" not in text[block.line - 4]
    ]

    assert unnamed == []


def test_both_languages_make_the_same_files_with_the_same_commands() -> None:
    german, english = (
        [(block.language, block.remark) for block in Page(name).blocks] for name in PAGES
    )

    assert german == english
