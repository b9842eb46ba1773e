"""Figures for a monitoring system: what is told, in what form, and to whom."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from broker.app import App
from broker.errors import StoreError
from broker.journal.standing import Standing
from broker.journal.trail import entry
from broker.message import Direction, State
from broker.metrics import Meter
from broker.pressure import Reading
from broker.settings import Settings
from broker.stores.contract import Counts, Entry
from broker.stores.lookout import Alarm, Lateness, Turn
from broker.stores.mending import Window
from broker.web.exposition import Family, histogram
from broker.web.gauges import MANY, alerts, certificates, late, pressed
from broker.web.metrics import Metrics, sealed, text
from broker.xoev import calendar
from broker.xoev.manifest import Calendar
from tests.certificates import Authority
from tests.web.house import House, message, send

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
LINE = re.compile(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9]+(\.[0-9]+)?')


def figures(body: str) -> dict[str, float]:
    """Return the figures by name and labels."""
    pairs = (line.rsplit(" ", 1) for line in body.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_what_was_accepted_is_counted_by_direction_and_state(portal: httpx.Client) -> None:
    send(portal, message())

    found = figures(portal.get("/metrics").text)

    assert found['xoev_broker_messages{direction="request",state="waiting"}'] == 1
    assert found['xoev_broker_messages{direction="answer",state="dead"}'] == 0


def test_what_was_refused_is_counted_apart(portal: httpx.Client) -> None:
    send(portal, b"<broken")

    found = figures(portal.get("/metrics").text)

    assert found["xoev_broker_refused"] == 1
    assert sum(value for name, value in found.items() if "messages" in name) == 0


def test_every_line_has_the_form_of_prometheus(portal: httpx.Client) -> None:
    answer = portal.get("/metrics")

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = [line for line in answer.text.splitlines() if not line.startswith("# ")]
    assert lines
    assert all(LINE.fullmatch(line) for line in lines)


def test_every_figure_is_explained_and_has_a_type(portal: httpx.Client) -> None:
    body = portal.get("/metrics").text
    names = {name.partition("{")[0] for name in figures(body)}

    assert names
    for name in names:
        assert f"# HELP {name} " in body
        kind = "counter" if name.endswith("_total") else "gauge"
        assert f"# TYPE {name} {kind}" in body


def test_figures_need_no_token(portal: httpx.Client) -> None:
    assert portal.get("/metrics", headers={"Authorization": ""}).status_code == 200


def test_a_store_that_cannot_be_read_gives_no_figures(
    portal: httpx.Client, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Counts:
        raise StoreError("the store cannot be read")

    monkeypatch.setattr(app.store, "counts", broken)

    assert portal.get("/metrics").status_code == 503


def test_the_age_of_the_oldest_waiting_message_is_told_in_seconds(app: App) -> None:
    counts = Counts({Direction.REQUEST: {State.WAITING: 1}}, oldest=AT - timedelta(minutes=2))

    found = figures(text(counts, app.site, AT))

    assert found["xoev_broker_oldest_waiting_seconds"] == 120


def test_the_seal_of_the_journal_is_told(portal: httpx.Client) -> None:
    found = figures(portal.get("/metrics").text)

    assert found["xoev_broker_journal_sealed"] == 0
    assert found["xoev_broker_journal_checkpoint"] == 0
    assert "xoev_broker_journal_unsealed" in found
    assert "xoev_broker_journal_sealed_timestamp_seconds" not in found


def test_times_of_the_seal_are_seconds_since_1970() -> None:
    found = figures(sealed(Standing(5, AT, 2, AT - timedelta(minutes=2), 4, AT), AT))

    assert found["xoev_broker_journal_sealed_timestamp_seconds"] == AT.timestamp()
    assert found["xoev_broker_journal_time_stamp_timestamp_seconds"] == AT.timestamp()
    assert found["xoev_broker_journal_unsealed_seconds"] == 120


def test_a_clock_that_was_set_back_gives_no_negative_age(app: App) -> None:
    counts = Counts(oldest=AT + timedelta(minutes=2))

    assert figures(text(counts, app.site, AT))["xoev_broker_oldest_waiting_seconds"] == 0


def test_only_versions_that_a_route_takes_have_an_end(house: House) -> None:
    house.calendar("xbau/2.5: {valid_until: 2026-10-31}\nxbau/2.6: {valid_until: 2027-04-30}\n")
    app = house.open()
    try:
        found = figures(text(Counts(), app.site, AT))
    finally:
        app.close()

    ends = {name: value for name, value in found.items() if "ends_days" in name}
    assert ends == {'xoev_broker_standard_ends_days{standard="xbau",version="2.6"}': 157}


def test_an_end_long_ago_or_far_away_is_told() -> None:
    ends = (date(2021, 4, 30), date(2099, 12, 31))

    assert all(calendar.ending("xbau", "2.6", Calendar(valid_until=end), AT, 5_000) for end in ends)


def test_a_route_is_told_with_what_is_unfinished_on_it(portal: httpx.Client) -> None:
    send(portal, message())

    found = figures(portal.get("/metrics").text)

    assert found['xoev_broker_route_messages{route="bau",state="waiting"}'] == 1
    assert found['xoev_broker_route_oldest_seconds{route="bau"}'] >= 0
    assert found['xoev_broker_route_paused{route="bau"}'] == 0
    assert found['xoev_broker_accepted_total{direction="request"}'] == 1


def test_a_refusal_is_counted_by_its_reason(portal: httpx.Client) -> None:
    send(portal, b"<broken")

    assert figures(portal.get("/metrics").text)['xoev_broker_refused_total{reason="X000"}'] == 1


def test_the_steps_are_told_as_a_histogram() -> None:
    meter = Meter()
    meter.took("send", 0.2)
    meter.took("send", 700.0)
    with meter.step("prepare"):
        pass

    lines = histogram("step_seconds", "Seconds.", meter.measured(), "step").splitlines()

    assert 'xoev_broker_step_seconds_bucket{step="send",le="0.1"} 0' in lines
    assert 'xoev_broker_step_seconds_bucket{step="send",le="0.25"} 1' in lines
    assert 'xoev_broker_step_seconds_bucket{step="send",le="+Inf"} 2' in lines
    assert 'xoev_broker_step_seconds_sum{step="send"} 700.200000' in lines
    assert 'xoev_broker_step_seconds_count{step="prepare"} 1' in lines


def test_what_it_stands_on_is_told(app: App) -> None:
    body = Metrics(app, app.settings, app.meter).text()

    found = figures(body)
    assert 0 < found["xoev_broker_disk_free_bytes"] <= found["xoev_broker_disk_size_bytes"]
    assert found["xoev_broker_memory_bytes"] > 1_000_000
    assert found["xoev_broker_open_files"] > 3


def test_a_certificate_file_is_told_by_its_name_and_never_by_its_path(
    app: App, tmp_path: Path
) -> None:
    certificate, _ = Authority(tmp_path).issue("broker", days=9)
    settings = replace(app.settings, listen_certificate=certificate)

    family = certificates(settings, app.site, datetime.now(UTC))

    ((labels, days),) = family.samples
    assert labels == {"file": "broker.pem"}
    assert round(days) == 9
    missing = replace(app.settings, listen_certificate=tmp_path / "gone.pem")
    assert list(certificates(missing, app.site, AT).samples) == [({"file": "gone.pem"}, -1000.0)]


@pytest.mark.parametrize("name", ["queue_ca", "alert_ca", "timestamp_ca"])
def test_authorities_end_too(app: App, tmp_path: Path, name: str) -> None:
    certificate, _ = Authority(tmp_path).issue("trusted", days=9)
    settings = Settings.load({f"XOEV_BROKER_{name.upper()}": str(certificate)})

    ((labels, days),) = certificates(settings, app.site, datetime.now(UTC)).samples

    assert (labels, round(days)) == ({"file": "trusted.pem"}, 9)


def lines(*families: Family) -> dict[str, float]:
    return figures("".join(one.text() for one in families))


def test_what_is_late_is_told_by_route_and_kind(app: App) -> None:
    table = app.site.table.table
    (route,) = table.routes
    timed = replace(table, routes=(replace(route, deliver_within=60.0, answer_within=120.0),))

    found = lines(
        late(timed, [Lateness("bau", "answer", 3, AT), Lateness("gone", "answer", 1, AT)])
    )

    assert found == {
        'xoev_broker_late{route="bau",kind="delivery"}': 0,
        'xoev_broker_late{route="bau",kind="answer"}': 3,
        'xoev_broker_late{route="gone",kind="answer"}': 1,
    }


def test_of_very_many_routes_only_late_ones_are_told(app: App) -> None:
    table = app.site.table.table
    (route,) = table.routes
    many = replace(table, routes=(replace(route, deliver_within=60.0),) * (MANY + 1))

    assert lines(late(many, [])) == {}
    assert lines(late(table, [])) == {}, "a route without a deadline is never late"


def test_open_causes_for_an_alert_are_told_by_kind_and_closed_ones_are_not() -> None:
    alarms = [Alarm("late:answer:bau", AT), Alarm("late:delivery:bau", AT),
              Alarm("store", AT, over=AT), Alarm("tomorrow:x", AT)]  # fmt: skip

    found = lines(alerts(alarms))

    assert {name for name, value in found.items() if value} == {
        'xoev_broker_alerts_open{kind="late"}',
        'xoev_broker_alerts_open{kind="tomorrow"}',
    }
    assert found['xoev_broker_alerts_open{kind="late"}'] == 2
    assert found['xoev_broker_alerts_open{kind="store"}'] == 0


def test_a_closed_intake_is_told_with_its_reason_and_what_waits() -> None:
    assert lines(*pressed(Reading(closed=("depth",), depth=7))) == {
        'xoev_broker_intake_closed{why="disk"}': 0,
        'xoev_broker_intake_closed{why="depth"}': 1,
        "xoev_broker_undelivered": 7,
    }


def test_the_figures_of_the_store_and_of_this_process_are_served(
    portal: httpx.Client, app: App
) -> None:
    raised = Turn[Entry](raised=(Alarm("channel:bau", AT),))
    app.store.turn(raised).result()

    found = figures(portal.get("/metrics").text)

    assert found['xoev_broker_alerts_open{kind="channel"}'] == 1
    assert found['xoev_broker_intake_closed{why="disk"}'] == 0
    assert "xoev_broker_undelivered" in found


def test_a_planned_window_stops_a_route_as_a_pause_does(portal: httpx.Client, app: App) -> None:
    soon = datetime.now(UTC) + timedelta(days=1)
    window = Window("w", "bau", AT - timedelta(days=9_000), soon, "erika", "an update")
    app.store.plan(window, entry("", "planned")).result()

    assert figures(portal.get("/metrics").text)['xoev_broker_route_paused{route="bau"}'] == 1
