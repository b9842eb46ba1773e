"""What lies in deploy/ is held against the tools that will read it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from broker.errors import NotXml
from broker.intake import Intake
from broker.web.metrics import Metrics
from tests import needs
from tests.certificates import Authority
from tests.web.house import House, message

DEPLOY = needs.ROOT / "deploy"
UNIT = DEPLOY / "systemd/xoev-broker.service"
#: 10 is a service that may do everything.
EXPOSURE = 2.0


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with the program of this checkout, and its drop-in beside it."""
    needs.server(
        "systemd-analyze", shutil.which("systemd-analyze") is not None, "apt install systemd"
    )
    file = tmp_path / UNIT.name
    file.write_text(UNIT.read_text("utf-8").replace("/opt/xoev-broker/bin", _bin()), "utf-8")
    folder = tmp_path / f"{UNIT.name}.d"
    folder.mkdir()
    shutil.copy(DEPLOY / "systemd/credentials.conf", folder)
    return file


def _bin() -> str:
    return str(Path(sys.executable).parent)


def analyzed(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_systemd_takes_the_unit_without_a_word(unit: Path) -> None:
    found = analyzed("verify", str(unit))

    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_systemd_complains_about_a_unit_with_a_slip(unit: Path) -> None:
    unit.write_text(
        unit.read_text("utf-8").replace("WatchdogSec=120", "WatchdogSec=often"), "utf-8"
    )

    assert "Failed to parse sec value" in analyzed("verify", str(unit)).stderr


def test_the_service_may_do_little(unit: Path) -> None:
    found = analyzed("security", "--offline=true", f"--threshold={EXPOSURE * 10:.0f}", str(unit))

    level = re.search(r"Overall exposure level for \S+: (\d+\.\d)", found.stdout)
    assert level is not None
    assert found.returncode == 0
    assert float(level[1]) <= EXPOSURE


RULES = DEPLOY / "prometheus/xoev-broker.rules.yml"
DASHBOARD = DEPLOY / "grafana/xoev-broker.json"
_FIGURE = re.compile(r"\bxoev_broker_\w+")
_LABELS = re.compile(r"\{\{ *\$?(?:labels\.)?(\w+) *\}\}")


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return list(group["rules"])


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    return [*(rule["expr"] for rule in rules()), *shown]


@pytest.fixture
def figures(tmp_path: Path) -> dict[str, set[str]]:
    """The labels of every figure that a broker with a message tells, by its name."""
    house = House(tmp_path)
    house.prepare()
    house.calendar("xbau/2.6: {valid_until: 2099-04-30}\n")
    with (tmp_path / "routes.yaml").open("a") as table:
        table.write("    deliver_within: 1h\n")
    certificate, key = Authority(tmp_path).issue("broker")
    app = house.open()
    settings = replace(app.settings, listen_certificate=certificate, listen_key=key)
    app.meter.took("send", 0.1)
    intake = Intake(app)
    intake.accept(message(), "bauportal", "test")
    intake.refuse(b"<broken", "bauportal", "test", NotXml()).result()
    try:
        text = Metrics(app, settings, app.meter, intake.pressure).text()
    finally:
        app.close()
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, labels = line.rpartition(" ")[0].partition("{")
            found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


def test_every_figure_in_rules_and_dashboard_exists(figures: dict[str, set[str]]) -> None:
    used = {name for text in expressions() for name in _FIGURE.findall(text)}

    assert used
    assert used <= figures.keys()


def test_every_label_in_a_text_is_one_of_its_figure(figures: dict[str, set[str]]) -> None:
    for rule in rules():
        labels = {one for name in _FIGURE.findall(rule["expr"]) for one in figures[name]}
        texts = " ".join(rule["annotations"].values())
        assert set(_LABELS.findall(texts)) - {"value"} <= labels, rule["alert"]
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        for target in panel["targets"]:
            labels = {one for name in _FIGURE.findall(target["expr"]) for one in figures[name]}
            assert set(_LABELS.findall(target["legendFormat"])) <= labels, panel["title"]


def test_every_alert_says_in_two_languages_what_is_wrong_and_what_to_do() -> None:
    found = rules()

    assert len({rule["alert"] for rule in found}) == len(found)
    for rule in found:
        assert {"summary", "summary_de", "action"} <= rule["annotations"].keys()
        assert rule["labels"]["severity"] in ("warning", "critical")


@pytest.mark.parametrize("text", expressions())
def test_an_expression_is_balanced(text: str) -> None:
    plain = re.sub(r'"[^"]*"', '""', text)
    stack: list[str] = []
    for char in plain:
        if char in "({[":
            stack.append(char)
        elif char in ")}]":
            assert stack.pop() + char in ("()", "{}", "[]")
    assert not stack


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which("promtool")
    needs.server("promtool", found is not None, "apt install prometheus")
    command = [str(found), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_prometheus_takes_the_rules() -> None:
    done = promtool("check", "rules", str(RULES))

    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_expressions_of_the_dashboard(tmp_path: Path) -> None:
    panels = [{"record": f"panel:{number}", "expr": text}
              for number, text in enumerate(expressions())]  # fmt: skip
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": panels}]}), "utf-8")
    done = promtool("check", "rules", str(file))

    assert done.returncode == 0, done.stdout + done.stderr
