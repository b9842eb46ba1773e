"""Taking bundles in: hostile zips and folders are refused, whatever they try."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from broker.errors import ConfigError
from broker.xoev.archive import Measure, add, take
from tests.xoev.bundles import folder, packed

SMALL = Measure(files=5, bytes=4_000_000, total=5_000_000, ratio=100, nested=2)


def taken(tmp_path: Path, raw: bytes, measure: Measure = SMALL) -> dict[str, bytes]:
    (tmp_path / "b.zip").write_bytes(raw)
    target = tmp_path / "target"
    target.mkdir()
    take(tmp_path / "b.zip", target, measure)
    return contents(target)


def contents(target: Path) -> dict[str, bytes]:
    paths = (path for path in target.rglob("*") if path.is_file())
    return {path.relative_to(target).as_posix(): path.read_bytes() for path in paths}


def refused(tmp_path: Path, raw: bytes, measure: Measure = SMALL) -> str:
    with pytest.raises(ConfigError) as caught:
        taken(tmp_path, raw, measure)
    assert [path for path in tmp_path.iterdir() if path.name not in ("b.zip", "target")] == []
    return str(caught.value)


def test_a_zip_is_unpacked_as_it_is(tmp_path: Path) -> None:
    assert taken(tmp_path, packed({"a/b.xsd": "x", "c": b"\0"})) == {"a/b.xsd": b"x", "c": b"\0"}


@pytest.mark.parametrize(
    "name",
    [
        "../a.xsd",
        "a/../../b.xsd",
        "/etc/a.xsd",
        "C:/a.xsd",
        "a\\b.xsd",
        "a//b.xsd",
        "./a.xsd",
        "a\nb.xsd",
        "a\u202eb.xsd",
        "a\x1b[2J.xsd",
        "a.xsd ",
        "x" * 201,
        "d/" * 600 + "a",
        "~/a.xsd",
        ".staging-1/a",
        "*.xsd",
    ],
)
def test_a_name_that_leads_out_or_is_odd_is_refused(tmp_path: Path, name: str) -> None:
    text = refused(tmp_path, packed({name: "x"}))

    assert "name that is not taken" in text
    assert text.isascii()
    assert text.isprintable()


def test_a_name_with_a_null_byte_is_refused(tmp_path: Path) -> None:
    raw = packed({"aXb.xsd": "x"}).replace(b"aXb.xsd", b"a\0b.xsd")

    assert "name that is not taken" in refused(tmp_path, raw)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_or_device_in_a_zip_is_refused(tmp_path: Path, kind: int) -> None:
    entry = zipfile.ZipInfo("a.xsd")
    entry.external_attr = (kind | 0o777) << 16
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(entry, "/etc/passwd")

    assert "is a link or a device" in refused(tmp_path, stream.getvalue())


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    raw = bytearray(packed({"a.xsd": "x"}))
    place = raw.index(b"PK\1\2") + 8
    raw[place : place + 2] = struct.pack("<H", 1)

    assert "is encrypted" in refused(tmp_path, bytes(raw))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["a.xsd", "A.XSD", "a.xsd/b.xsd"])
def test_two_entries_for_one_name_are_refused(tmp_path: Path, second: str) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.xsd", "x")
        archive.writestr(second, "y")

    assert "is there" in refused(tmp_path, stream.getvalue())


def test_a_bomb_by_ratio_is_refused(tmp_path: Path) -> None:
    assert "100 to one" in refused(tmp_path, packed({"a.xsd": b"\0" * 2_000_000}))


def test_a_bomb_by_count_is_refused(tmp_path: Path) -> None:
    assert "more than 5" in refused(tmp_path, packed({str(i): "x" for i in range(6)}))


def test_a_bomb_by_size_is_refused(tmp_path: Path) -> None:
    loose = Measure(files=5, bytes=1_000_000, total=5_000_000, ratio=10_000)

    assert "1000000 bytes" in refused(tmp_path, packed({"a": b"\0" * 1_000_001}), loose)


def test_a_bomb_by_sum_is_refused(tmp_path: Path) -> None:
    loose = Measure(files=5, bytes=2_000_000, total=3_000_000, ratio=10_000)
    files = dict.fromkeys("ab", b"\0" * 1_900_000)

    assert "3000000 bytes unpacked" in refused(tmp_path, packed(files), loose)


def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    raw = bytearray(packed({"a.xsd": b"x" * 1000}))
    place = raw.index(b"PK\1\2") + 24
    raw[place : place + 4] = struct.pack("<I", 10)

    assert "broken" in refused(tmp_path, bytes(raw))


def test_zips_in_zips_are_unpacked_but_not_without_end(tmp_path: Path) -> None:
    raw = packed({"a.xsd": "x"})
    for _ in range(3):
        raw = packed({"in.zip": raw})

    assert "more than 2 deep" in refused(tmp_path, raw)


def test_a_zip_in_a_zip_beside_a_folder_of_its_name_has_its_own_folder(tmp_path: Path) -> None:
    raw = packed({"in/a.xsd": "x", "in.zip": packed({"b.xsd": "y"})})

    assert set(taken(tmp_path, raw)) == {"in/a.xsd", "in.zip.d/b.xsd"}


def test_a_broken_zip_is_refused(tmp_path: Path) -> None:
    raw = bytearray(packed({"a.xsd": "x" * 5000 + "y" * 300}))
    raw[40:45] = b"\xff\xff\xff\xff\xff"

    assert "the zip is broken" in refused(tmp_path, bytes(raw))


def test_what_systems_leave_behind_is_left_out(tmp_path: Path) -> None:
    raw = packed({"__MACOSX/._a.xsd": "junk", "d/.DS_Store": "junk", "d/a.xsd": "x"})

    assert set(taken(tmp_path, raw)) == {"d/a.xsd"}


def test_neither_zip_nor_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")

    with pytest.raises(ConfigError, match="neither a zip nor a folder"):
        take(tmp_path / "a.txt", tmp_path)
    with pytest.raises(ConfigError, match="there is no file"):
        take(tmp_path / "none", tmp_path)


@pytest.mark.parametrize("inside", [True, False])
def test_a_link_in_a_folder_is_refused(tmp_path: Path, inside: bool) -> None:
    source = folder(tmp_path / "source", {"a.xsd": "x", "d/b.xsd": "y"})
    (source / "link").symlink_to(source / ("a.xsd" if inside else "d"))
    (tmp_path / "target").mkdir()

    with pytest.raises(ConfigError, match="link: is a link"):
        take(source, tmp_path / "target")


def test_a_downloaded_name_is_judged_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name that is not taken"):
        add(tmp_path, "../a.xsd", b"x")
    assert contents(tmp_path) == {}


def test_a_downloaded_zip_is_unpacked(tmp_path: Path) -> None:
    add(tmp_path, "xsd/all.zip", packed({"a.xsd": "x"}))

    assert contents(tmp_path) == {"xsd/all/a.xsd": b"x"}
