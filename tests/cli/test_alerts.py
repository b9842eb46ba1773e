"""What people must know of now, by command."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from broker.alerts.watch import Senses, Watch
from broker.message import now
from broker.pressure import Reading
from broker.settings import Settings
from broker.stores.contract import Entry
from broker.stores.lookout import Late, Turn
from tests import messages
from tests.cli.conftest import Type
from tests.site import Site


def raised(place: Site) -> None:
    """Let the daemon see a disk that is getting full."""
    app = place.app()
    senses = Senses("all", "host-a", lambda: True, lambda: Reading(little=True))
    Watch(app, Settings.load(place.environ), senses).look()
    app.close()


@pytest.mark.usefixtures("submitted")
def test_without_causes_there_is_nothing_to_tell(type_: Type) -> None:
    assert type_("alerts", "list").out == "There is nothing to tell.\n"
    assert type_("alerts", "list", "--json").json == {"alerts": []}


@pytest.mark.usefixtures("submitted")
def test_open_causes_are_listed_in_both_languages(place: Site, type_: Type) -> None:
    raised(place)

    english, german = type_("alerts", "list").out, type_("alerts", "list", "--lang", "de").out

    assert "disk:host-a" in english
    assert "Host host-a: the disk of the broker is getting full." in english
    assert "log raised" in english
    assert "Rechner host-a: Die Platte des Brokers wird voll." in german
    (one,) = type_("alerts", "list", "--json").json["alerts"]
    assert (one["cause"], one["state"], one["facts"]) == (
        "disk:host-a", "raised", {"host": "host-a"},
    )  # fmt: skip


@pytest.mark.usefixtures("submitted")
def test_status_shows_open_alerts_and_the_pressure(place: Site, type_: Type) -> None:
    raised(place)

    assert "alert    Host host-a: the disk of the broker is getting full." in type_("status").out
    found = type_("status", "--json").json
    assert [one["cause"] for one in found["alerts"]] == ["disk:host-a"]
    assert found["pressure"]["depth"] == 1
    assert found["pressure"]["closed"] == []


def test_a_test_alert_goes_out_by_every_way(
    place: Site, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = place.folder / "heard.json"
    script = place.file("alarm.py", b"import sys; open(sys.argv[1], 'w').write(sys.stdin.read())")
    monkeypatch.setenv("XOEV_BROKER_ALERT_COMMAND", f"{sys.executable} {script} {heard}")

    ran = type_("alerts", "test")

    assert (ran.code, ran.out) == (0, "command: sent\n")
    assert '"cause": "test"' in heard.read_text()


def test_a_way_that_fails_is_named_and_none_at_all_is_no_success(
    type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = type_("alerts", "test")
    monkeypatch.setenv("XOEV_BROKER_ALERT_COMMAND", "/nowhere/alarm")
    failed = type_("alerts", "test")

    assert (none.code, failed.code) == (1, 1)
    assert "no way is set" in none.err
    assert failed.err.startswith("command: the command cannot be run")


def test_late_messages_are_listed_and_counted(place: Site, type_: Type, submitted: str) -> None:
    place.file("other.xml", messages.request("wolfsburg"))
    type_("submit", "other.xml")
    app = place.app()
    row = app.store.row(submitted)
    assert row is not None
    late = Late(submitted, "delivery", row.route, now())
    app.store.turn(Turn[Entry](late=(late,))).result()
    app.close()

    found = type_("messages", "--late", "--json").json["messages"]

    assert [one["id"] for one in found] == [submitted]
    assert type_("messages", "--late", "--route", "bau/salzgitter", "--json").json["messages"] == []
    assert "late     1 of bau/wolfsburg not delivered in time" in type_("status").out


def test_submit_says_that_there_is_no_room(
    place: Site, type_: Type, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XOEV_BROKER_DISK_STOP", "99.99%")
    place.file("antrag.xml", messages.request("wolfsburg"))

    ran = type_("submit", "antrag.xml")

    assert ran.code == 1
    assert "the disk of the broker is nearly full" in ran.err
    assert (tmp_path / "antrag.xml").exists()
