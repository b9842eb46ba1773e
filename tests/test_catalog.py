"""The catalog: a plug-in's name is its path, and a broken one disables only itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from broker.catalog import Catalog
from broker.errors import ConfigError

GOOD = """from broker import Adapter

class Good(Adapter):
    accepts = ("x/1",)

    def to_legacy(self, document, facts):
        return b"forth"

    def to_xoev(self, reply, facts):
        return b"back"
"""


def put(folder: Path, name: str, text: str = GOOD) -> Path:
    place = folder / name
    place.mkdir(parents=True)
    (place / "adapter.py").write_text(text, "utf-8")
    return folder


def test_an_adapter_is_named_like_its_folder(tmp_path: Path) -> None:
    catalog = Catalog.load([put(tmp_path, "stadt/bau")])

    assert catalog.names == ("stadt/bau",)
    assert catalog.accepts("stadt/bau") == ("x/1",)
    assert catalog.get("stadt/bau").to_legacy(b"", None) == b"forth"  # type: ignore[arg-type]


def test_folders_outside_the_repository_join(tmp_path: Path) -> None:
    one, other = put(tmp_path / "one", "a/bau"), put(tmp_path / "other", "b/bau")

    assert Catalog.load([one, other]).names == ("a/bau", "b/bau")


def test_the_second_of_the_same_name_is_a_finding(tmp_path: Path) -> None:
    one, other = put(tmp_path / "one", "a/bau"), put(tmp_path / "other", "a/bau")

    catalog = Catalog.load([one, other])

    assert catalog.folder("a/bau") == one / "a" / "bau"
    assert [str(found) for found in catalog.findings] == [
        'a/bau/adapter.py: adapter "a/bau" exists twice'
    ]


def test_two_adapters_with_the_same_class_name_do_not_mix(tmp_path: Path) -> None:
    put(put(tmp_path, "a/bau"), "b/bau", GOOD.replace("forth", "other"))

    catalog = Catalog.load([tmp_path])

    assert catalog.get("a/bau").to_legacy(b"", None) == b"forth"  # type: ignore[arg-type]
    assert catalog.get("b/bau").to_legacy(b"", None) == b"other"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("class X(:\n", "b/bau/adapter.py:1: is not Python: "),
        ("\nimport nowhere_at_all\n", "b/bau/adapter.py:2: ModuleNotFoundError: "),
        ("\n\n1 / 0\n", "b/bau/adapter.py:3: ZeroDivisionError: "),
        ("x = 1\n", "b/bau/adapter.py: holds 0 subclasses of Adapter"),
        (GOOD + GOOD.replace("Good", "More"), "b/bau/adapter.py: holds 2 subclasses"),
        (
            'from broker import Adapter\n\nclass X(Adapter):\n    accepts = ("x/1",)\n',
            'b/bau/adapter.py: class X has no "to_legacy"',
        ),
        (
            GOOD.replace('("x/1",)', '("x/1",)\n    requires = ("a[[",)'),
            'b/bau/adapter.py: a path of "requires" cannot be used',
        ),
        (
            "from broker import Adapter, Stylesheet\n\nclass X(Adapter):\n    accepts = ('x/1',)\n"
            "    to_legacy = to_xoev = Stylesheet('gone.xsl')\n",
            "b/bau/gone.xsl: cannot be read",
        ),
    ],
)
def test_a_broken_adapter_is_a_finding_and_the_others_work(
    tmp_path: Path, text: str, finding: str
) -> None:
    put(put(tmp_path, "a/bau"), "b/bau", text)

    catalog = Catalog.load([tmp_path])

    assert catalog.names == ("a/bau",)
    assert str(catalog.findings[0]).startswith(finding)


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    catalog = Catalog.load([put(tmp_path, "wolfsburg/bau")])

    with pytest.raises(ConfigError, match=r'"wolfsburg/bauu", did you mean "wolfsburg/bau"\?'):
        catalog.get("wolfsburg/bauu")
    assert not catalog.has("wolfsburg/bauu")


def test_loading_leaves_the_search_path_of_python_alone(tmp_path: Path) -> None:
    before = list(sys.path)

    Catalog.load([put(tmp_path, "a/bau")])

    assert sys.path == before


def test_a_changed_adapter_is_loaded_anew(tmp_path: Path) -> None:
    first = Catalog.load([put(tmp_path, "a/bau")])
    file = tmp_path / "a" / "bau" / "adapter.py"
    file.write_text(GOOD.replace("forth", "changed"), "utf-8")

    second = Catalog.load([tmp_path])

    assert first.get("a/bau").to_legacy(b"", None) == b"forth"  # type: ignore[arg-type]
    assert second.get("a/bau").to_legacy(b"", None) == b"changed"  # type: ignore[arg-type]


def test_the_digest_changes_with_every_file_the_output_depends_on(tmp_path: Path) -> None:
    put(tmp_path, "a/bau")
    shared = tmp_path / "shared" / "bau"
    shared.mkdir(parents=True)
    seen = {Catalog.load([tmp_path]).digest("a/bau")}
    for place in (tmp_path / "a" / "bau" / "list.csv", shared / "part.xsl"):
        place.write_text("x", "utf-8")
        seen.add(Catalog.load([tmp_path]).digest("a/bau"))

    assert len(seen) == 3


def test_the_digest_changes_with_the_installed_code_lists(tmp_path: Path) -> None:
    put(tmp_path, "a/bau")

    states = (str, lambda: "other lists")
    found = {Catalog.load([tmp_path], None, state).digest("a/bau") for state in states}

    assert len(found) == 2
    assert Catalog.load([tmp_path]).digest("a/bau") in found


def test_the_digest_does_not_change_with_samples_or_compiled_files(tmp_path: Path) -> None:
    put(tmp_path, "a/bau")
    catalog = Catalog.load([tmp_path])
    before = catalog.digest("a/bau")
    for name in ("samples", "__pycache__"):
        (tmp_path / "a" / "bau" / name).mkdir(exist_ok=True)
        (tmp_path / "a" / "bau" / name / "file").write_text("x", "utf-8")

    assert catalog.digest("a/bau") == before
