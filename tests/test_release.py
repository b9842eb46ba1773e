"""What a release consists of, and how whoever gets it finds out that it is whole."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.needs import ROOT
from tools import audit, release

PAGE = ROOT / "docs/howto/release.md"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed release, with the public key beside it as a receiver would have it."""
    folder = tmp_path_factory.mktemp("release")
    key = folder / "release-key"
    tool = shutil.which("ssh-keygen") or pytest.skip("ssh-keygen is missing: openssh-client")
    subprocess.run([tool, "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    assert release.main([str(folder / "dist"), "--key", str(key)]) == 0
    public = " ".join(key.with_suffix(".pub").read_text("ascii").split()[:2])
    signers = folder / "dist/allowed_signers"
    signers.write_text(f"release@xoev-broker {public}\n", "ascii")
    return folder / "dist"


def checked(folder: Path) -> subprocess.CompletedProcess[str]:
    """Do what the page tells a receiver to do."""
    (steps,) = re.findall(r"^```sh verify\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    return subprocess.run(
        ["bash", "-euo", "pipefail"], input=steps, cwd=folder, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def test_it_has_program_source_parts_checksums_and_signature(made: Path) -> None:
    names = sorted(path.name for path in made.iterdir() if path.name != "allowed_signers")

    assert [re.sub(r"\d+(\.\d+)+", "N", name) for name in names] == [
        "SHA256SUMS", "SHA256SUMS.sig", "xoev_broker-N-py3-none-any.whl",
        "xoev_broker-N.cdx.json", "xoev_broker-N.tar.gz",
    ]  # fmt: skip


def test_the_receiver_finds_it_whole(made: Path) -> None:
    done = checked(made)

    assert done.returncode == 0, done.stdout + done.stderr
    assert 'Good "xoev-broker" signature' in done.stdout
    assert done.stdout.count(": OK") == 3


def test_one_changed_byte_is_found(made: Path, tmp_path: Path) -> None:
    copy = tmp_path / "dist"
    shutil.copytree(made, copy)
    wheel = next(copy.glob("*.whl"))
    data = bytearray(wheel.read_bytes())
    data[len(data) // 2] ^= 1
    wheel.write_bytes(data)

    assert checked(copy).returncode != 0


def test_changed_checksums_are_found(made: Path, tmp_path: Path) -> None:
    copy = tmp_path / "dist"
    shutil.copytree(made, copy)
    next(copy.glob("*.whl")).write_bytes(b"another program")
    release.sums(copy)

    assert "Good" not in checked(copy).stdout


def test_the_list_of_parts_has_what_runs_and_not_what_developers_use(made: Path) -> None:
    (file,) = made.glob("*.cdx.json")
    found = json.loads(file.read_text("utf-8"))
    names = {one["name"].lower() for one in found["components"]}

    assert found["bomFormat"] == "CycloneDX"
    assert found["metadata"]["component"]["name"] == "xoev-broker"
    assert {"lxml", "xmlschema", "zeep", "starlette", "psycopg-binary"} <= names
    assert not names & {"pytest", "ruff", "mypy", "cyclonedx-bom", "xoev-broker"}
    assert all(one["version"] and one["purl"] for one in found["components"])


def test_the_source_holds_what_a_build_needs_and_no_secret(made: Path) -> None:
    (file,) = made.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]

    assert {"pyproject.toml", "LICENSE", "broker/starter/routes.yaml"} <= set(names)
    assert not [name for name in names if name.startswith((".venv/", "var/", ".git/"))]
    assert not [name for name in names if "/official/" in name]


def test_an_old_release_is_not_mixed_with_a_new_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old.whl").touch()

    assert release.main([str(tmp_path), "--unsigned"]) == 1
    assert "is not empty" in capsys.readouterr().err


def test_either_a_key_or_the_word_unsigned_is_needed(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        release.main([str(tmp_path)])


WEAK = {
    "name": "old", "version": "1.0",
    "vulns": [{"id": "CVE-2099-0001", "fix_versions": ["1.1"]}],
}  # fmt: skip
GOOD = {"name": "good", "version": "1.0", "vulns": []}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found"}


def test_a_known_weakness_fails_the_audit_and_says_what_is_better(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = audit.told(audit.judged({"dependencies": [WEAK, GOOD]}), strict=False)

    assert code == 1
    assert "old 1.0: CVE-2099-0001, better: 1.1" in capsys.readouterr().out


def test_what_nobody_was_asked_for_is_no_clean_bill(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = audit.judged({"dependencies": [GOOD, UNKNOWN, UNKNOWN]})

    assert (audit.told(verdict, strict=False), audit.told(verdict, strict=True)) == (0, 1)
    said = capsys.readouterr()
    assert "1 of 3 packages were asked for, 0 weak" in said.out
    assert "did not know 2 packages" in said.err


def test_without_network_the_audit_warns_and_fails_only_where_that_is_wanted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "asked", lambda _lock: None)

    assert (audit.main([]), audit.main(["--strict"])) == (0, 1)
    assert "nothing was checked" in capsys.readouterr().err
    assert os.fspath(audit.ROOT) == os.fspath(ROOT)
