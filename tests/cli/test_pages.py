"""The reference pages come from the code, and a stale one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker import errors
from broker.cli.pages import _CODES, _NEXT
from broker.cli.pages import errors as page
from broker.errors import BrokerError
from tests.cli.conftest import Type
from tests.needs import ROOT

PAGES = {
    "commands.md", "errors.md", "events.md", "openapi.json", "routes.md", "routes.schema.json",
    "settings.md",
}  # fmt: skip
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, BrokerError) and kind is not BrokerError
]


def test_all_pages_are_written_and_then_up_to_date(type_: Type) -> None:
    written, checked = type_("docs"), type_("docs", "--check")

    assert {Path(line.removeprefix("written ")).name for line in written.out.splitlines()} == PAGES
    assert (written.code, checked.code) == (0, 0)


def test_the_pages_of_this_repository_are_up_to_date(type_: Type) -> None:
    ran = type_("docs", "--check", "--folder", str(ROOT / "docs/reference"))

    assert ran.code == 0, ran.err


def test_a_stale_page_is_named(type_: Type) -> None:
    type_("docs", "--folder", "pages")
    Path("pages/errors.md").write_text("old", "utf-8")
    Path("pages/events.md").unlink()
    ran = type_("docs", "--check", "--folder", "pages")

    assert ran.code == 1
    assert [line.partition(" ")[0] for line in ran.err.splitlines()] == [
        "pages/errors.md",
        "pages/events.md",
    ]


def test_every_error_is_on_the_page_with_a_next_step() -> None:
    names = {kind.__name__ for kind in KINDS}

    assert names == set(_NEXT)
    assert all(f"`{name}`" in page() for name in names)


def test_every_reason_code_is_explained() -> None:
    assert {kind.reason for kind in KINDS} <= {code for code, *_ in _CODES}


def test_the_pages_do_not_depend_on_the_terminal(
    type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_("docs")
    monkeypatch.setenv("COLUMNS", "40")

    assert type_("docs", "--check").code == 0
