"""The pages against the product: links lead somewhere, commands exist, examples can be loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import yaml

from broker.app import known
from broker.catalog import Catalog
from broker.channels.table import LEDGER
from broker.cli.commands import COMMANDS
from broker.cli.groups import GROUPS
from broker.config.load import load
from broker.config.tables import Known
from broker.message import State
from broker.settings import FIELDS, variable
from broker.xoev.standards import Standards
from tests.needs import ROOT

WRITTEN = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
HOWTO = sorted((ROOT / "docs/howto").glob("*.md"))
BOTH = ("README.md", "README.de.md")

_LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")
_COMMAND = re.compile(r"xoev-broker ([a-z]+(?:-[a-z]+)*)(?: ([a-z]+))?")
_OPTION = re.compile(r"`xoev-broker ([a-z]+(?:-[a-z]+)*)[^`]*?(--[a-z-]+)")
_VARIABLE = re.compile(r"XOEV_BROKER_[A-Z_]+\b")
_YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)

#: What a page may leave out of a routes.yaml because others explain it.
AROUND = """
parties:
  musterstadt: {name: Stadt Musterstadt, ags: 03999000}
  bauportal: {name: Bauportal Niedersachsen, key: bap:03000001, answer: bauportal-return}
channels:
  musterstadt-bau: {kind: directory, out: eingang}
  bauportal-return: {kind: directory, out: antworten}
routes:
  - name: bau
    match: {recipient: bab:03999000}
    adapter: musterstadt/bau
    channel: musterstadt-bau
"""


def pages(files: list[Path]) -> list[object]:
    """Name each page by its path."""
    return [pytest.param(file, id=file.relative_to(ROOT).as_posix()) for file in files]


def examples() -> Iterator[object]:
    """Yield each YAML block of the how-to pages."""
    for file in HOWTO:
        for number, text in enumerate(_YAML.findall(file.read_text("utf-8")), 1):
            yield pytest.param(text, id=f"{file.stem}-{number}")


@pytest.mark.parametrize("page", pages(WRITTEN))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = _LINK.findall(page.read_text("utf-8"))
    local = [link for link in links if "://" not in link]

    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", pages(WRITTEN))
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    single = {command.name for command in COMMANDS} | {"routes"}
    grouped = {(name, one.name) for name, (_, every) in GROUPS.items() for one in every}
    text = page.read_text("utf-8")

    unknown = [
        f"{first} {second}".strip()
        for first, second in _COMMAND.findall("\n".join(_spoken(text)))
        if first not in single and (first, second) not in grouped
    ]

    assert unknown == []


def _spoken(text: str) -> Iterator[str]:
    """Yield what is marked as something to type: code in a line, and blocks of shell."""
    yield from re.findall(r"`(xoev-broker [^`\n]+)`", _FENCE.sub("", text))
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield from (line for line in block.splitlines() if not line.lstrip().startswith("#"))


@pytest.mark.parametrize("page", pages(WRITTEN))
def test_every_option_that_a_page_names_exists(page: Path) -> None:
    helps = (ROOT / "docs/reference/commands.md").read_text("utf-8")

    unknown = [
        f"{command} {option}"
        for command, option in _OPTION.findall(page.read_text("utf-8"))
        if option not in helps and option != "--help"
    ]

    assert unknown == []


@pytest.mark.parametrize("page", pages(WRITTEN))
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    names = {variable(field.name) for field in FIELDS} | {LEDGER}

    assert set(_VARIABLE.findall(page.read_text("utf-8"))) - names == set()


@cache
def offered() -> Known:
    """Return what this repository holds: its adapters and standards."""
    return known(Catalog.load([ROOT / "adapters"]), Standards.load(ROOT / "schemas/xoev"))


@pytest.mark.parametrize("text", list(examples()))
def test_every_example_of_routes_yaml_can_be_loaded(text: str, tmp_path: Path) -> None:
    whole = yaml.load(AROUND, yaml.BaseLoader)
    for section, entries in yaml.load(text, yaml.BaseLoader).items():
        if section == "routes":
            whole[section] += entries
        else:
            whole[section].update(entries)
    file = tmp_path / "routes.yaml"
    file.write_text(yaml.safe_dump(whole), "utf-8")
    here = offered()

    assert (
        load(file, replace(here, adapters=("musterstadt/bau", *here.adapters)), {})
        .routes[0]
        .channel
        == "musterstadt-bau"
    )


def test_the_promises_show_every_state() -> None:
    page = (ROOT / "docs/explanation/promises.md").read_text("utf-8")

    shown = re.findall(r"^\| \*\*([a-z]+)\*\*", page, re.MULTILINE)

    assert set(shown) == {str(state) for state in State}


def test_the_glossary_has_every_state() -> None:
    page = (ROOT / "docs/glossary.md").read_text("utf-8")
    table = page.partition("## States")[2].partition("\n## ")[0]

    shown = re.findall(r"^\| ([a-z]+) \| [^-]", table, re.MULTILINE)

    assert set(shown) - {"state"} == {str(state) for state in State}


def test_both_readmes_show_the_same_blocks_and_links() -> None:
    english, german = ((ROOT / name).read_text("utf-8") for name in BOTH)

    assert _shape(german) == _shape(english)


def _shape(text: str) -> tuple[list[str], set[str], int]:
    """Return what does not depend on the language: code without comments, links, headings."""
    code = re.sub(r" *#.*", "", "\n".join(_FENCE.findall(text))).split("\n")
    links = {link for link in _LINK.findall(text) if link not in BOTH}
    return code, links, len(re.findall(r"^## ", text, re.MULTILINE))
