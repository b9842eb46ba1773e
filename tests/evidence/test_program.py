"""The program stands alone: nothing but the standard library and `cryptography`, one file."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import venv
from pathlib import Path

import cryptography
import pytest

from tests.evidence.stock import Stock
from tests.evidence.tool import FILE


def run(*args: str) -> subprocess.CompletedProcess[str]:
    """Run it as an auditor would, without anything of this project on its path."""
    return subprocess.run(
        [sys.executable, "-I", str(FILE), *args],
        capture_output=True, text=True, timeout=60, check=False, encoding="utf-8",
    )  # fmt: skip


@pytest.fixture
def bundle(stock: Stock, tmp_path: Path) -> Path:
    """Return the bundle as a file."""
    file = tmp_path / "bundle.zip"
    file.write_bytes(stock.bundle)
    return file


def test_it_imports_the_standard_library_and_cryptography_alone() -> None:
    names = set()
    for node in ast.walk(ast.parse(FILE.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).partition(".")[0])
    assert names - sys.stdlib_module_names == {"cryptography"}


def test_it_can_be_read_in_an_hour() -> None:
    assert len(FILE.read_text("utf-8").splitlines()) <= 540


def test_a_good_bundle_ends_with_the_word_verified(stock: Stock, bundle: Path) -> None:
    ran = run(str(bundle), "--key", stock.signer.public)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.endswith("VERIFIED: bundle.zip\n")


def test_an_empty_environment_with_cryptography_is_enough(
    stock: Stock, bundle: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "empty", with_pip=False, symlinks=True)
    there = next((tmp_path / "empty/lib").glob("python*/site-packages"))
    here = Path(cryptography.__file__).parents[1]
    for found in (*here.glob("cryptography"), *here.glob("cffi"), *here.glob("_cffi_backend*")):
        (there / found.name).symlink_to(found)
    ran = subprocess.run(
        [str(tmp_path / "empty/bin/python"), str(FILE), str(bundle), "--key", stock.signer.public],
        capture_output=True, text=True, timeout=60, check=False, encoding="utf-8", env={},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr


def test_the_key_may_be_in_a_file(stock: Stock, bundle: Path, tmp_path: Path) -> None:
    key = tmp_path / "operator.key"
    key.write_text(stock.signer.public + "\n", "utf-8")
    assert run(str(bundle), "--key", str(key)).returncode == 0


def test_a_bad_bundle_ends_with_the_word_refused(stock: Stock, bundle: Path) -> None:
    bundle.write_bytes(stock.bundle[:-5])
    ran = run(str(bundle), "--key", stock.signer.public)
    assert ran.returncode == 1
    assert ran.stdout.endswith("REFUSED: bundle.zip\n")


def test_machines_get_json(stock: Stock, bundle: Path) -> None:
    told = json.loads(run(str(bundle), "--key", stock.signer.public, "--json").stdout)
    assert told["verdict"] == "VERIFIED"
    assert {"verdict", "place", "words"} == told["findings"][0].keys()


@pytest.mark.parametrize(
    "args", [("nothing.zip",), ("{bundle}", "--key", "no key"), ("{bundle}", "--key", "a+b+c")]
)
def test_wrong_usage_ends_with_two(bundle: Path, args: tuple[str, ...]) -> None:
    ran = run(*[text.format(bundle=bundle) for text in args])
    assert ran.returncode == 2
    assert ran.stderr.startswith("cannot start: ")
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"x" * 99])
def test_what_is_no_bundle_is_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "other.zip"
    file.write_bytes(data)
    ran = run(str(file))
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
