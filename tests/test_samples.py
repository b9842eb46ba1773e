"""Golden samples: run, compare readably, write anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from broker import samples
from broker.catalog import Catalog
from broker.samples import REFERENCE
from broker.xoev.standards import Standards

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def standards() -> Standards:
    return Standards.load(ROOT / "schemas" / "xoev")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """Return a copy of one adapter, whose samples a test may spoil."""
    for part in ("shared/bau", "braunschweig/bau"):
        shutil.copytree(ROOT / "adapters" / part, tmp_path / part)
    return Catalog.load([tmp_path])


def case(catalog: Catalog, name: str) -> Path:
    return catalog.folder("braunschweig/bau") / "samples" / name


def failed(catalog: Catalog, standards: Standards) -> dict[str, str]:
    results = samples.run(catalog, "braunschweig/bau", standards)
    return {
        f"{result.sample.rpartition('/')[2]}/{result.file}": result.difference
        for result in results
        if not result.ok
    }


def test_samples_that_come_out_as_expected_are_all_right(
    catalog: Catalog, standards: Standards
) -> None:
    assert failed(catalog, standards) == {}


def test_a_difference_shows_both_lines(catalog: Catalog, standards: Standards) -> None:
    file = case(catalog, "einfach") / "2-request.legacy.txt"
    file.write_bytes(file.read_bytes().replace(b"Beispielmann", b"Beispielfrau"))

    difference = failed(catalog, standards)["einfach/2-request.legacy.txt"]

    assert "-A001PBeispielfrau" in difference
    assert "+A001PBeispielmann" in difference


def test_xml_is_compared_without_its_layout(catalog: Catalog, standards: Standards) -> None:
    file = case(catalog, "einfach") / "4-reply.xoev.xml"
    file.write_bytes(file.read_bytes().replace(b"\n  <", b"\n\n      <"))

    assert failed(catalog, standards) == {}


def test_other_line_ends_of_a_text_file_are_a_difference(
    catalog: Catalog, standards: Standards
) -> None:
    file = case(catalog, "einfach") / "2-request.legacy.txt"
    file.write_bytes(file.read_bytes().replace(b"\r\n", b"\n"))

    assert "line ends differ" in failed(catalog, standards)["einfach/2-request.legacy.txt"]


def test_a_file_that_was_not_expected_and_one_that_is_missing_are_differences(
    catalog: Catalog, standards: Standards
) -> None:
    (case(catalog, "einfach") / "2-request.legacy.txt").unlink()
    (case(catalog, "einfach") / "error.txt").write_text("refused\n", "utf-8")

    assert failed(catalog, standards) == {
        "einfach/2-request.legacy.txt": "2-request.legacy.txt is missing",
        "einfach/error.txt": "error.txt was not made",
    }


def test_an_error_is_compared_by_its_exact_text(catalog: Catalog, standards: Standards) -> None:
    file = case(catalog, "code-unbekannt") / "error.txt"
    file.write_text("another reason\n", "utf-8")

    assert "-another reason" in failed(catalog, standards)["code-unbekannt/error.txt"]


def test_updating_writes_what_comes_out_and_says_which_files_changed(
    catalog: Catalog, standards: Standards
) -> None:
    spoilt = case(catalog, "einfach") / "2-request.legacy.txt"
    spoilt.write_bytes(b"spoilt")
    stray = case(catalog, "einfach") / "error.txt"
    stray.write_text("refused\n", "utf-8")

    changed = samples.update(catalog, "braunschweig/bau", standards)

    assert set(changed) == {spoilt, stray}
    assert failed(catalog, standards) == {}


def test_of_a_batch_only_the_replies_to_the_sample_count(
    catalog: Catalog, standards: Standards
) -> None:
    file = case(catalog, "einfach") / "3-reply.legacy.txt"
    lines = file.read_bytes().splitlines(keepends=True)
    ours = next(line for line in lines if line.startswith(b"R" + REFERENCE.encode()))
    file.write_bytes(b"".join([*lines[:-1], ours, b"N000003\r\n"]))

    samples.update(catalog, "braunschweig/bau", standards)

    made = {file.name for file in case(catalog, "einfach").glob("4-*")}
    assert made == {"4-reply-1.xoev.xml", "4-reply-2.xoev.xml"}
