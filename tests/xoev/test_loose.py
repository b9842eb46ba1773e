"""Code lists that come without a bundle: kept whole, recognised, replaced by version."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.errors import ConfigError
from broker.xoev.assembly import ALREADY, INSTALLED, REPLACED
from broker.xoev.codelists import CodeLists
from broker.xoev.install import Installed, install
from tests.xoev.lists import COLOURS, genericode, row, written


def statuses(done: Installed) -> dict[str, str]:
    return {one.identity.version: one.status for one in done.lists}


def test_lists_of_a_folder_are_kept_and_found(tmp_path: Path) -> None:
    written(tmp_path / "new", genericode(version="1.0"), "a.xml")
    written(tmp_path / "new", genericode(version="2.0"), "b.xml")

    done = install(tmp_path / "new", tmp_path / "s")

    assert statuses(done) == {"1.0": INSTALLED, "2.0": INSTALLED}
    assert done.changed
    assert set(CodeLists.load(tmp_path / "s").versions(COLOURS)) == {"1.0", "2.0"}


def test_a_list_is_kept_byte_for_byte(tmp_path: Path) -> None:
    source = written(tmp_path / "new")

    install(tmp_path / "new", tmp_path / "s")

    (kept,) = (tmp_path / "s/codelists").iterdir()
    assert kept.read_bytes() == source.read_bytes()


def test_the_same_list_again_changes_nothing(tmp_path: Path) -> None:
    written(tmp_path / "new")
    install(tmp_path / "new", tmp_path / "s")

    done = install(tmp_path / "new", tmp_path / "s")

    assert statuses(done) == {"1.0": ALREADY}
    assert not done.changed


def test_other_content_of_a_version_replaces_it_under_whatever_name_it_has(tmp_path: Path) -> None:
    old = written(tmp_path / "s/codelists", name="von-hand.xml")
    source = written(tmp_path / "new", genericode(rows=row("gelb", "Gelb")))

    done = install(tmp_path / "new", tmp_path / "s")

    assert statuses(done) == {"1.0": REPLACED}
    assert [*old.parent.iterdir()] == [old]
    assert old.read_bytes() == source.read_bytes()


def test_a_broken_list_is_named_and_none_is_kept(tmp_path: Path) -> None:
    written(tmp_path / "new", genericode(version="1.0"), "a.xml")
    written(tmp_path / "new", genericode(version="2.0")[:-20], "b.xml")

    with pytest.raises(ConfigError, match="nothing was installed") as caught:
        install(tmp_path / "new", tmp_path / "s")

    assert "b.xml" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert not (tmp_path / "s/codelists").exists()


def test_what_holds_neither_schemas_nor_lists_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "new", "<nothing/>")

    with pytest.raises(ConfigError, match=r"no XML schema .* and no code list"):
        install(tmp_path / "new", tmp_path / "s")
