"""Every link between our documents leads somewhere, and the frame of the repository is whole."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = LINK.findall(page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_is_reached_from_the_index() -> None:
    """An auditor who opens docs/README.md must get to each page without searching."""
    docs = ROOT / "docs"
    found, open_ = set(), [docs / "README.md"]
    while open_:
        page = open_.pop()
        if page in found or docs not in page.parents:
            continue
        found.add(page)
        if page.suffix == ".md":
            links = LINK.findall(page.read_text("utf-8"))
            open_ += [(page.parent / link).resolve() for link in links]

    pages = [path for path in docs.rglob("*") if path.is_file()]
    assert sorted(str(page.relative_to(ROOT)) for page in pages if page not in found) == []


def test_every_page_but_records_is_in_the_index_itself() -> None:
    docs = ROOT / "docs"
    index = LINK.findall((docs / "README.md").read_text("utf-8"))
    pages = [path for path in docs.rglob("*.md") if "decisions" not in path.parts]

    missing = {str(page.relative_to(docs)) for page in pages} - set(index) - {"README.md"}
    assert missing == set()


def test_every_decision_is_listed() -> None:
    records = sorted(path.name for path in (ROOT / "docs/decisions").glob("0*.md"))
    index = (ROOT / "docs/decisions/README.md").read_text("utf-8")

    assert [name for name in records if f"({name})" not in index] == []


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8").strip()

    assert text.startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2")
    assert all(f"\n{number}. " in text for number in range(1, 16))
    assert text.endswith("EUPL version.")


@pytest.mark.parametrize("name", ["requirements.lock", "site.lock"])
def test_a_lock_file_has_hashes_and_names_no_host(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    pinned = re.findall(r"^[a-z0-9][^\n]*", text, re.MULTILINE)

    assert "://" not in text
    assert [line for line in pinned if "==" not in line or not line.endswith("\\")] == []


def test_a_site_gets_the_packages_of_the_program_in_the_versions_of_the_tests() -> None:
    all_of, site = (
        dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text("utf-8"), re.MULTILINE))
        for name in ("requirements.lock", "site.lock")
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = {re.split(r"[\[><=]", one)[0] for one in project["dependencies"]}

    assert site.items() <= all_of.items()
    assert named <= site.keys()
    assert {"pytest", "mypy", "uv", "hypothesis"}.isdisjoint(site)


def test_publiccode_tells_the_version_and_licence_of_the_package() -> None:
    public = yaml.safe_load((ROOT / "publiccode.yml").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert str(public["softwareVersion"]) == project["version"]
    assert public["legal"]["license"] == project["license"]
