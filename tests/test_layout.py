"""A site that `init` lays out: complete, closed where it must be, and in working order."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from broker import layout
from broker.errors import BrokerError
from broker.layout import ENVIRONMENT, Site, environment
from broker.settings import FIELDS, Settings, variable
from tests.needs import ROOT


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def read(text: str) -> dict[str, str]:
    """Return what systemd and a shell would take from the file of settings."""
    return dict(re.findall(r'^([A-Z_]+)="(.*)"$', text, re.MULTILINE))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    Site(folder).lay()
    return folder


def test_keys_and_state_are_for_the_owner_only(site: Path) -> None:
    assert mode(site / "secrets") == mode(site / "state") == 0o700
    assert {mode(path) for path in (site / "secrets").iterdir()} == {0o600}
    assert mode(site / ENVIRONMENT) == 0o600


def test_what_the_service_only_reads_can_be_read_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0o077)
    try:
        Site(tmp_path / "site").lay()
    finally:
        os.umask(before)

    folder = tmp_path / "site"
    open_ = [folder / "routes.yaml", *(folder / "adapters").rglob("*")]
    assert all(mode(path) & 0o044 == 0o044 for path in open_)


def test_every_setting_is_in_the_file_with_its_default() -> None:
    text = environment()

    for field in FIELDS:
        if field.name not in layout.SET:
            assert f'\n# {field.help}\n#{variable(field.name)}="{field.default or ""}"\n' in text


def test_the_file_of_settings_can_be_loaded_with_and_without_its_comment_signs() -> None:
    text = environment()

    assert Settings.load(read(text)).state == Path("state")
    opened = read(text.replace("\n#XOEV", "\nXOEV"))
    empty = {name for name, value in opened.items() if not value}
    assert Settings.load({name: opened[name] for name in opened.keys() - empty})


def test_a_folder_with_contents_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()

    with pytest.raises(BrokerError, match=r"is not empty.*--missing"):
        Site(tmp_path).lay()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_repair_adds_what_is_missing_and_changes_nothing_else(site: Path) -> None:
    (site / "routes.yaml").write_text("routes: []\n", "utf-8")
    (site / ENVIRONMENT).unlink()
    (site / "adapters/wolfsburg/bau/adapter.py").unlink()
    (site / "secrets").chmod(0o755)
    (site / "secrets/site.key").chmod(0o644)
    key = (site / "secrets/site.key").read_bytes()

    made = Site(site).lay(missing=True)

    assert made == (ENVIRONMENT,)
    assert (site / "routes.yaml").read_text("utf-8") == "routes: []\n"
    assert not (site / "adapters/wolfsburg/bau/adapter.py").exists()
    assert (mode(site / "secrets"), mode(site / "secrets/site.key")) == (0o700, 0o600)
    assert (site / "secrets/site.key").read_bytes() == key
    assert Site(site).lay(missing=True) == ()


def test_a_new_version_of_a_standard_is_added(site: Path) -> None:
    target = site / "schemas/xoev/xbau/2.6"
    for path in sorted(target.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    target.rmdir()

    assert Site(site).lay(missing=True) == ("schemas/xoev/xbau/2.6",)


def test_an_unknown_owner_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match='no user "nobody-of-this-name"'):
        Site(tmp_path / "site", "nobody-of-this-name").lay()
    assert not (tmp_path / "site").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_user_of_the_service_gets_secrets_and_state_and_may_not_change_routes(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "site"
    Site(folder, "daemon").lay()

    given = {path.name for path in folder.iterdir() if path.stat().st_uid}
    assert given == {"secrets", "state", "exchange", ENVIRONMENT}


def test_official_bundles_of_others_are_not_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "shipped/schemas/xoev/xbau/2.6"
    (shipped / "official").mkdir(parents=True)
    (shipped / "official/big.xsd").touch()
    (shipped / "standard.yaml").touch()
    real = layout.shipped
    monkeypatch.setattr(
        layout, "shipped",
        lambda name: tmp_path / "shipped" / name if name.startswith("schemas") else real(name),
    )  # fmt: skip
    Site(tmp_path / "site").lay()

    assert [path.name for path in (tmp_path / "site/schemas/xoev/xbau/2.6").iterdir()] == [
        "standard.yaml"
    ]


def test_the_wheel_carries_what_a_site_is_made_of(tmp_path: Path) -> None:
    from zipfile import ZipFile

    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    names = ZipFile(wheel).namelist()

    for needed in (
        "routes.yaml", "README.md", "adapters/wolfsburg/bau/adapter.py",
        "schemas/xoev/xbau/2.6/profile/xbau.xsd", "deploy/systemd/xoev-broker.service",
    ):  # fmt: skip
        assert f"broker/starter/{needed}" in names
    assert not [name for name in names if "/official/" in name or "/secrets/" in name]
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"broker"}


STEPS = re.compile(r"^  (.+)$", re.MULTILINE)


def shell(steps: str, folder: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-e"], input=steps, text=True, capture_output=True, cwd=folder, env=environ,
        timeout=120, check=False,
    )  # fmt: skip


def test_the_steps_that_it_prints_work_word_for_word(tmp_path: Path) -> None:
    environ = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "HOME": str(tmp_path),
    }
    made = shell("xoev-broker init site\n", tmp_path, environ)
    assert made.returncode == 0, made.stderr
    steps = STEPS.findall(made.stdout.partition("Next:")[2])
    assert steps[0] == "cd site"
    assert steps[-1] == "xoev-broker run"

    # Only the port differs: another test may have it.
    port = "export XOEV_BROKER_LISTEN=127.0.0.1:0"
    before = shell("\n".join([*steps[:2], "xoev-broker check", *steps[2:-1]]), tmp_path, environ)
    assert before.returncode == 0, before.stdout + before.stderr
    assert "0 error(s)" in before.stdout

    script = "\n".join([*steps[:-1], port, f"exec {steps[-1]}"])
    with subprocess.Popen(
        ["bash", "-ec", script], cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        said = next(line for line in process.stdout if "listens on" in line)
        status = shell("\n".join([*steps[:2], "xoev-broker status"]), tmp_path, environ)
        doctor = shell("\n".join([*steps[:2], "xoev-broker doctor --all"]), tmp_path, environ)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert "1 route(s) of routes.yaml, state in state" in said
    assert "broker      running" in status.stdout
    assert "the broker runs" in doctor.stdout, doctor.stdout + doctor.stderr
    assert {path.name for path in (tmp_path / "site").iterdir()} == {
        "README.md", "adapters", "deploy", "exchange", "routes.yaml", "schemas", "secrets",
        "state", ENVIRONMENT,
    }  # fmt: skip
