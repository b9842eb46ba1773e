"""Hostile zips where zips are read: bundles of schemas, replies, evidence."""

from __future__ import annotations

import resource
import subprocess
import sys
import uuid
from collections.abc import Callable

import pytest

from tests.attacks.conftest import Survived
from tests.attacks.fort import MEMORY, Fort
from tests.attacks.poison import SECRET, Lure
from tests.attacks.zips import ZIPS
from tests.cluster import until
from tests.needs import ROOT

Make = Callable[[Lure], bytes]
every = pytest.mark.parametrize("make", ZIPS.values(), ids=ZIPS)


@every
def test_a_hostile_bundle_is_not_installed(fort: Fort, survived: Survived, make: Make) -> None:
    path = fort.file("buendel.zip", make(fort.lure))
    before = sorted(fort.folder.joinpath("schemas").rglob("*"))

    typed = fort.run("schemas", "install", str(path))

    assert typed.code == 1
    assert all(line.isprintable() for line in (typed.out + typed.err).splitlines())
    assert SECRET not in typed.out + typed.err
    after = [p for p in fort.folder.joinpath("schemas").rglob("*") if not p.name.startswith(".")]
    assert sorted(after) == [p for p in before if not p.name.startswith(".")]
    survived(fort, "schemas install")


@every
def test_a_hostile_zip_as_a_reply_is_a_case_for_a_person(
    fort: Fort, survived: Survived, make: Make
) -> None:
    name = f"{uuid.uuid4()}.zip"
    fort.drop("quittungen", name.encode(), make(fort.lure))
    done = fort.folder / "quittungen/done" / name
    until(done.exists, "the reply was taken")

    survived(fort, "replies, zip")


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY * 1_000_000, MEMORY * 1_000_000))


@every
def test_a_hostile_zip_is_no_evidence(fort: Fort, make: Make) -> None:
    path = fort.file("beweis.zip", make(fort.lure))
    program = str(ROOT / "tools/verify_evidence.py")

    ran = subprocess.run(
        [sys.executable, "-I", program, str(path)],
        capture_output=True, text=True, timeout=60, check=False, preexec_fn=_bounded,
    )  # fmt: skip

    assert ran.returncode in (1, 2)
    assert "Traceback" not in ran.stdout + ran.stderr
    assert all(line.isprintable() for line in (ran.stdout + ran.stderr).splitlines())
