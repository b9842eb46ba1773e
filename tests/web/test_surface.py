"""What the HTTP side shows besides the intake, and to whom."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from broker.app import App
from broker.intake import Intake
from broker.journal.entry import stamp
from broker.message import now
from broker.repair import Repair
from broker.stores.mending import Window
from broker.web.app import application
from broker.web.server import HttpServer
from broker.web.staff import Staff
from broker.web.surface import Options
from tests import hours
from tests.web.house import TOKEN, House, client, message, send

TOKENS = {"operator": "of-operator", "auditor": "of-auditor", "administrator": "of-administrator"}


def staffed(file: Path, **tokens: str) -> Path:
    lines = [
        f"{hashlib.sha256(token.encode()).hexdigest()} {role} {role}-1\n"
        for role, token in tokens.items()
    ]
    file.touch(mode=0o600)
    file.write_text("# staff\n" + "".join(lines), "utf-8")
    return file


@contextmanager
def serving(app: App, options: Options) -> Iterator[int]:
    server = HttpServer(
        application(app, Intake(app), lambda: None, options=options), "127.0.0.1", 0
    )
    server.start()
    try:
        yield server.port
    finally:
        server.stop(5)


def get(port: int, path: str, token: str) -> httpx.Response:
    with client(port, token or "of-nobody") as one:
        return one.get(path)


def test_without_staff_the_state_is_not_shown(portal: httpx.Client) -> None:
    assert portal.get("/v1/status").status_code == 404
    assert portal.get("/metrics").status_code == 200


def test_staff_sees_numbers_and_senders_do_not(app: App, tmp_path: Path) -> None:
    options = Options(staff=Staff(staffed(tmp_path / "staff", **TOKENS)))
    with serving(app, options) as port:
        with client(port) as portal:
            send(portal, message())
        for token in TOKENS.values():
            assert get(port, "/v1/status", token).json()["accepted"] == 1
            assert get(port, "/metrics", token).status_code == 200
        for path in ("/v1/status", "/metrics"):
            assert get(port, path, TOKEN).status_code == 401
        assert get(port, "/health/ready", "").status_code == 200


def test_staff_sees_what_stands_and_will_stand_with_its_times(house: House, tmp_path: Path) -> None:
    file = house.folder / "routes.yaml"
    windows = f"out: bau, maintenance: {hours.running()}"
    file.write_text(file.read_text("utf-8").replace("out: bau", windows), "utf-8")
    app = house.open()
    repair, later = Repair(app, "erika"), now() + timedelta(hours=2)
    repair.pause("bau", "ticket 1")
    repair.plan(Window("w", "bau", later, later + timedelta(hours=1), "erika", "ticket 2"))
    options = Options(staff=Staff(staffed(tmp_path / "staff", **TOKENS)))
    with serving(app, options) as port:
        found = get(port, "/v1/status", TOKENS["operator"]).json()
        figures = get(port, "/metrics", TOKENS["operator"]).text
    app.close()

    assert [(one["route"], one["reason"]) for one in found["paused"]] == [("bau", "ticket 1")]
    assert [(one["start"], one["open"]) for one in found["windows"]] == [(stamp(later), False)]
    assert [(one["channel"], one["open"]) for one in found["maintenance"]] == [
        ("bau", True), ("bau", False),
    ]  # fmt: skip
    assert 'xoev_broker_route_paused{route="bau"} 1' in figures


def test_staff_cannot_send(app: App, tmp_path: Path) -> None:
    options = Options(staff=Staff(staffed(tmp_path / "staff", **TOKENS)))
    with serving(app, options) as port, client(port, TOKENS["administrator"]) as one:
        assert send(one, message()).status_code == 401


def test_a_token_of_the_staff_is_exchanged_with_overlap_and_withdrawn(
    app: App, tmp_path: Path
) -> None:
    now = [0.0]
    file = staffed(tmp_path / "staff", operator="old")
    options = Options(staff=Staff(file, lambda: now[0]))
    with serving(app, options) as port:
        new = hashlib.sha256(b"new").hexdigest()
        file.write_text(file.read_text("utf-8") + f"{new} operator operator-1\n", "utf-8")
        now[0] += 10
        assert [get(port, "/v1/status", one).status_code for one in ("old", "new")] == [200, 200]
        file.write_text(f"{new} operator operator-1\n", "utf-8")
        now[0] += 10
        assert [get(port, "/v1/status", one).status_code for one in ("old", "new")] == [401, 200]
        file.unlink()
        now[0] += 10
        assert get(port, "/v1/status", "new").status_code == 401


@pytest.mark.parametrize("line", ["operator-1", "00 operator x", f"{'0' * 64} emperor x", "\xff"])
def test_a_line_that_is_no_token_opens_nothing(app: App, tmp_path: Path, line: str) -> None:
    file = staffed(tmp_path / "staff", operator="right")
    file.write_text(file.read_text("utf-8") + line + "\n", "utf-8")
    with serving(app, Options(staff=Staff(file))) as port:
        assert get(port, "/v1/status", "right").status_code == 200
        assert get(port, "/v1/status", "").status_code == 401


def test_security_txt_is_shown_where_there_is_one(app: App, tmp_path: Path) -> None:
    file = tmp_path / "security.txt"
    settings = replace(app.settings, security_txt=file)
    with serving(app, Options.of(settings)) as port:
        assert get(port, "/.well-known/security.txt", "").status_code == 404
        file.write_text("Contact: mailto:it-sicherheit@stadt.example\n", "utf-8")
        found = get(port, "/.well-known/security.txt", "")
    assert found.status_code == 200
    assert found.headers["content-type"].startswith("text/plain")
    assert "Contact: mailto:" in found.text


def test_every_answer_has_the_headers_that_browsers_heed(portal: httpx.Client) -> None:
    for path in ("/", "/metrics", "/nowhere", "/openapi.json"):
        headers = portal.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
