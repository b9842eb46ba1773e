"""Broken sites: the doctor names each cause, where it is, and what to do next."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.app import open_store
from broker.doctor.outside import World
from broker.doctor.remark import Level, Remark
from broker.doctor.round import Round, healthy
from broker.doctor.words import WORDS
from broker.journal.entry import stamp
from broker.journal.trail import entry
from broker.layout import ENVIRONMENT, SET, Site
from broker.settings import Settings, variable
from tests import hours
from tests.certificates import Authority

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
WORLD = World(
    room=lambda _folder: (50 << 30, 100 << 30, 1_000_000),
    system=lambda _folder: "ext4",
    synchronised=lambda: True,
    now=lambda: datetime.now(UTC),
)


class Patient:
    """A site as `init` makes it, to be broken."""

    def __init__(self, folder: Path) -> None:
        Site(folder).lay()
        self.folder = folder
        self.environ = {variable(name): value for name, value in SET.items()}
        self.world = WORLD
        self.runs = True

    def change(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        assert old in path.read_text("utf-8")
        path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")

    def set(self, **settings: str) -> None:
        self.environ |= {variable(name): value for name, value in settings.items()}

    def store(self) -> Path:
        """Let the first start have been."""
        open_store(Settings.load(self.environ), lambda _error: None).close()
        return self.folder / "state/broker.sqlite"

    def seen(self) -> tuple[Remark, ...]:
        return Round(self.environ, self.world, lambda _settings: self.runs).go()


@pytest.fixture
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Patient:
    found = Patient(tmp_path / "site")
    monkeypatch.chdir(found.folder)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    return found


def only(remarks: tuple[Remark, ...], level: Level) -> list[Remark]:
    return [one for one in remarks if one.level is level]


def test_a_new_site_has_no_errors_and_says_what_is_still_to_be_done(patient: Patient) -> None:
    remarks = patient.seen()

    assert healthy(remarks)
    assert {one.key for one in only(remarks, Level.WARNING)} == {
        "standards.profile", "secrets.empty", "journal.alone",
    }  # fmt: skip


def test_looking_changes_nothing(patient: Patient) -> None:
    patient.store()
    before = {path: path.stat().st_mtime_ns for path in patient.folder.rglob("*")
              if "state" not in path.parts}  # fmt: skip
    patient.seen()

    assert before == {path: path.stat().st_mtime_ns for path in patient.folder.rglob("*")
                      if "state" not in path.parts}  # fmt: skip


def test_without_a_store_none_is_made(patient: Patient) -> None:
    patient.seen()

    assert not list((patient.folder / "state").iterdir())


def misspelt(patient: Patient) -> None:
    patient.environ["XOEV_BROKER_LISTN"] = "127.0.0.1:8017"


def misrouted(patient: Patient) -> None:
    patient.change("routes.yaml", "adapter: wolfsburg/bau", "adapter: wolfsburg/bauu")


def unable(patient: Patient) -> None:
    patient.change("adapters/wolfsburg/bau/adapter.py", "class Bau", "class Bau)")


def legible(patient: Patient) -> None:
    patient.folder.joinpath("secrets/site.key").chmod(0o644)


def keyless(patient: Patient) -> None:
    patient.store()
    patient.folder.joinpath("secrets/site.key").unlink()


def spoilt(patient: Patient) -> None:
    patient.folder.joinpath("secrets/journal.key").write_bytes(b"half a key")


def tokenless(patient: Patient) -> None:
    patient.folder.joinpath("secrets/bauportal.token").unlink()


def gossip(patient: Patient) -> None:
    patient.folder.joinpath("secrets/bauportal.token").chmod(0o640)


def folderless(patient: Patient) -> None:
    patient.folder.joinpath("exchange/musterstadt/eingang").rmdir()


def writable(patient: Patient) -> None:
    patient.folder.joinpath("adapters/shared").chmod(0o777)


def ahead(patient: Patient) -> None:
    with closing(sqlite3.connect(patient.store())) as store:
        store.execute("INSERT INTO migrations (number, title) VALUES (999, 'of tomorrow')")
        store.commit()


def torn(patient: Patient) -> None:
    patient.store().write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)


def full(patient: Patient) -> None:
    patient.world = replace(WORLD, room=lambda _folder: (100 << 20, 100 << 30, 1_000_000))


def crowded(patient: Patient) -> None:
    patient.world = replace(WORLD, room=lambda _folder: (50 << 30, 100 << 30, 12))


def remote(patient: Patient) -> None:
    patient.world = replace(WORLD, system=lambda _folder: "nfs4")


def late(patient: Patient) -> None:
    patient.store()
    store = open_store(Settings.load(patient.environ), lambda _error: None)
    store.note([entry("", "started")]).result()
    store.close()
    patient.world = replace(WORLD, now=lambda: datetime.now(UTC) + timedelta(hours=9))


def turned(patient: Patient) -> None:
    patient.store()
    store = open_store(Settings.load(patient.environ), lambda _error: None)
    store.note([entry("", "started")]).result()
    store.close()
    patient.world = replace(WORLD, now=lambda: datetime.now(UTC) - timedelta(days=30))


def expired(patient: Patient) -> None:
    authority = Authority(patient.folder)
    certificate, key = authority.issue("broker", days=-2)
    patient.set(listen_certificate=str(certificate), listen_key=str(key))


def mismatched(patient: Patient) -> None:
    authority = Authority(patient.folder)
    certificate, _ = authority.issue("broker")
    _, key = authority.issue("other")
    patient.set(listen_certificate=str(certificate), listen_key=str(key))


def open_to_all(patient: Patient) -> None:
    patient.set(listen="0.0.0.0:8017")


SITES: Mapping[Callable[[Patient], None], tuple[str, str, str]] = {
    misspelt: ("settings.wrong", 'did you mean "XOEV_BROKER_LISTEN"', "xoev-broker.env"),
    misrouted: ("routes.wrong", 'did you mean "wolfsburg/bau"', "xoev-broker check"),
    unable: ("adapters.broken", "wolfsburg/bau/adapter.py", "xoev-broker adapters test"),
    legible: ("keys.open", "secrets/site.key (mode 0644)", "chmod 600 secrets/site.key"),
    keyless: ("keys.missing", "nothing in it can be read", "restore the file from its backup"),
    spoilt: ("keys.wrong", "has 10 bytes, must have 32", "restore the file"),
    tokenless: ("secrets.missing", "secrets/bauportal.token is missing", "mode 0600"),
    gossip: ("secrets.open", "(mode 0640)", "chmod 600 secrets/bauportal.token"),
    folderless: ("channels.away", "musterstadt-bau: exchange/musterstadt/eingang", "--probe"),
    writable: ("files.writable", "adapters/shared (mode 0777)", "chmod go-w adapters/shared"),
    ahead: ("store.wrong", "format 999", "restore the backup"),
    torn: ("store.wrong", "broker.sqlite cannot be read", "restore the backup"),
    full: ("disk.full", "is full (0.1 GB free)", "make room at once"),
    crowded: ("disk.nodes", "12 inodes left", "enlarge"),
    remote: ("store.remote", "network file system (nfs4)", "local disk"),
    late: ("journal.late", "waited for a seal for 540 minutes", "start the broker"),
    turned: ("clock.back", "behind the newest entry of the journal", "set the clock right"),
    expired: ("certificates.ended", "broker.pem ended on", "new certificate"),
    mismatched: ("certificates.wrong", "other.key cannot be used", "the key that belongs to it"),
    open_to_all: ("settings.wrong", "which others can reach without TLS", "xoev-broker.env"),
}


@pytest.mark.parametrize("broken", SITES, ids=[one.__name__ for one in SITES])
def test_a_broken_site_is_told_by_cause_place_and_remedy(
    broken: Callable[[Patient], None], patient: Patient
) -> None:
    key, text, remedy = SITES[broken]
    broken(patient)

    remarks = patient.seen()

    assert not healthy(remarks)
    (found,) = [one for one in only(remarks, Level.ERROR) if one.key == key]
    assert text in found.text("en")
    assert remedy in found.remedy("en")
    assert found.remedy("de")
    assert [one.key for one in only(remarks, Level.ERROR)] == [key], "one cause, one error"


def test_a_key_of_another_site_is_recognised(patient: Patient, tmp_path: Path) -> None:
    from broker.app import App
    from broker.intake import Intake
    from tests import messages

    patient.change("routes.yaml", "recipient: bab:03999000", "recipient: bab:03103000")
    app = App(Settings.load(patient.environ), patient.environ)
    Intake(app).accept(messages.request("wolfsburg"), "bauportal", "test")
    app.close()
    other = tmp_path / "other"
    Site(other).lay()
    key = patient.folder / "secrets/site.key"
    key.write_bytes((other / "secrets/site.key").read_bytes())

    (found,) = only(patient.seen(), Level.ERROR)
    assert found.text("en").startswith("secrets/site.key is not the key of this store")


def test_what_waits_for_a_person_is_told_with_the_command(patient: Patient) -> None:
    from broker.app import App
    from broker.intake import Intake
    from broker.message import State
    from broker.stores.contract import Change, Room
    from tests import messages

    patient.change("routes.yaml", "recipient: bab:03999000", "recipient: bab:03103000")
    app = App(Settings.load(patient.environ), patient.environ)
    Intake(app).accept(messages.request("wolfsburg"), "bauportal", "test")
    (job,) = app.store.take(Room())
    app.store.change([Change(job.id, job.token, State.DEAD, reason="S999")]).result()
    app.close()

    found = next(one for one in patient.seen() if one.key == "messages.stuck")
    assert found.text("de") == "1 Nachrichten stehen auf dead"
    assert "xoev-broker messages --state dead" in found.remedy("en")


def test_a_route_that_stands_is_told_with_how_it_goes_on(patient: Patient) -> None:
    from broker.app import App
    from broker.message import now
    from broker.repair import Repair
    from broker.stores.mending import Window

    app = App(Settings.load(patient.environ), patient.environ)
    repair, (first, *_) = Repair(app, "erika"), [one.name for one in app.site.table.table.routes]
    until = now() + timedelta(hours=2)
    repair.plan(Window("w", first, now() - timedelta(hours=1), until, "erika", "update"))
    repair.plan(Window("x", first, until, until + timedelta(hours=1), "erika", "update"))
    window = [one for one in patient.seen() if one.area == "messages"]
    repair.pause(first, "repair")
    app.close()
    paused = [one for one in patient.seen() if one.area == "messages"]

    assert [(one.key, one.where) for one in window] == [("messages.planned", first)]
    assert f"until {stamp(until)}" in window[0].text("en")
    assert f"xoev-broker resume {first}" in window[0].remedy("de")
    assert [(one.key, one.where) for one in paused] == [("messages.paused", first)]


def test_a_regular_window_is_told_with_its_end(patient: Patient) -> None:
    from broker.app import load_site

    patient.store()
    site = load_site(Settings.load(patient.environ), patient.environ)
    channel = site.table.table.routes[0].channel
    text = (patient.folder / "routes.yaml").read_text("utf-8")
    window = f"\n  {channel}:\n    maintenance: {hours.running()}\n"
    patient.change("routes.yaml", f"\n  {channel}:\n", window)
    assert text != (patient.folder / "routes.yaml").read_text("utf-8")

    (found,) = (one for one in patient.seen() if one.area == "messages")

    assert (found.key, found.where) == ("messages.window", channel)
    assert "in its regular maintenance window until " in found.text("en")
    assert "routes.yaml" in found.remedy("de")


def deaf(patient: Patient) -> str:
    patient.set(alert_command="/nowhere/alarm --token geheim")
    return "no program /nowhere/alarm that this user may run (XOEV_BROKER_ALERT_COMMAND)"


def unclosed(patient: Patient) -> str:
    patient.set(alert_command="alarm 'x")
    return "quotation mark"


def unserved(patient: Patient) -> str:
    patient.set(alert_mail="it@stadt.example", alert_mail_server="https://mail.stadt.example")
    return "needed is smtp://host:587"


def strange(patient: Patient) -> str:
    (patient.folder / "ca.pem").write_text("no certificate")
    patient.set(alert_ca="ca.pem")
    return "ca.pem cannot be used: no certificate in PEM form"


def unkeyed(patient: Patient) -> str:
    patient.set(alert_webhook="https://stadt.example/", alert_webhook_key_file="secrets/hook.key")
    return "secrets/hook.key is missing"


@pytest.mark.parametrize("broken", [deaf, unclosed, unserved, strange, unkeyed])
def test_a_way_of_the_alerts_that_cannot_work_is_told(
    broken: Callable[[Patient], str], patient: Patient
) -> None:
    text = broken(patient)

    (found,) = only(patient.seen(), Level.ERROR)

    assert text in found.text("en")
    assert "geheim" not in found.text("en") + found.text("de")


def test_the_ways_of_the_alerts_are_named(patient: Patient) -> None:
    patient.set(alert_command="true", alert_webhook="https://stadt.example/")

    found = next(one for one in patient.seen() if one.key == "alerts.good")
    assert found.text("en") == "alerts go to: log, command, webhook"


def test_a_certificate_that_ends_soon_is_a_warning(patient: Patient) -> None:
    certificate, key = Authority(patient.folder).issue("broker", days=9)
    patient.set(listen_certificate=str(certificate), listen_key=str(key), listen="0.0.0.0:443")

    found = next(one for one in patient.seen() if one.key == "certificates.ending")
    assert found.level is Level.WARNING
    assert healthy(patient.seen())


@pytest.mark.parametrize("name", ["queue_ca", "alert_ca", "timestamp_ca"])
def test_an_authority_that_ends_soon_is_a_warning(patient: Patient, name: str) -> None:
    certificate, _ = Authority(patient.folder).issue("trusted", days=9)
    patient.set(**{name: str(certificate)})

    found = next(one for one in patient.seen() if one.key == "certificates.ending")
    assert found.where == str(certificate)


def test_an_unsynchronised_clock_and_a_stopped_broker_are_warnings(patient: Patient) -> None:
    patient.world = replace(WORLD, synchronised=lambda: False)
    patient.runs = False

    warned = {one.key for one in only(patient.seen(), Level.WARNING)}
    assert {"clock.free", "process.stopped"} <= warned


def test_plain_http_behind_a_proxy_stays_a_warning(patient: Patient) -> None:
    patient.set(listen="0.0.0.0:8017", listen_plain="allowed")

    assert "intake.plain" in {one.key for one in only(patient.seen(), Level.WARNING)}


def test_a_look_that_fails_hides_none_of_the_others(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall(_folder: Path) -> tuple[int, int, int]:
        raise RuntimeError("a personal value")

    patient.world = replace(WORLD, room=fall)
    remarks = patient.seen()

    (found,) = only(remarks, Level.ERROR)
    told = "this could not be looked at: unexpected RuntimeError at test_doctor.py:"
    assert found.text("en").startswith(told)
    assert "personal" not in found.text("en")
    assert "clock.good" in {one.key for one in remarks}


@pytest.mark.parametrize("key", WORDS)
def test_what_is_not_good_has_a_remedy_in_both_languages(key: str) -> None:
    words = WORDS[key]
    good = key.rpartition(".")[2] in ("good", "first", "off", "local", "sealed")

    assert words.en
    assert words.de
    assert bool(words.do) is bool(words.tun) is not good


def test_the_command_is_for_people_and_for_machines(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import json

    from broker.cli import main

    gossip(patient)
    for name, value in patient.environ.items():
        monkeypatch.setenv(name, value)

    assert main(["doctor", "--lang", "de"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("ERROR  secrets       andere dürfen secrets/bauportal.token lesen")
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert {"level", "key", "where", "text", "remedy", "text_de", "remedy_de"} == set(
        found["remarks"][0]
    )
    assert ENVIRONMENT in {path.name for path in patient.folder.iterdir()}


def test_payloads_in_the_clear_are_told_each_time(patient: Patient) -> None:
    patient.set(encryption="off")

    assert "store.clear" in {one.key for one in only(patient.seen(), Level.WARNING)}


def test_a_secret_of_the_settings_is_looked_at_too(patient: Patient) -> None:
    staff = patient.folder / "secrets/staff.tokens"
    staff.touch()
    staff.chmod(0o644)
    patient.set(staff_file="secrets/staff.tokens")

    (found,) = only(patient.seen(), Level.ERROR)
    assert found.text("en") == "others may read secrets/staff.tokens (mode 0644)"


def test_a_database_server_is_looked_at_and_not_changed(patient: Patient, database: str) -> None:
    file = patient.folder / "secrets/database.url"
    file.touch(mode=0o600)
    file.write_text(database, "utf-8")
    patient.set(store_file="secrets/database.url")
    assert "store.first" in {one.key for one in patient.seen()}

    open_store(Settings.load(patient.environ), lambda _error: None).close()
    remarks = patient.seen()

    assert healthy(remarks)
    assert "store.good" in {one.key for one in remarks}


def test_a_database_server_that_is_away_is_told_without_its_password(patient: Patient) -> None:
    patient.set(store="postgresql://xoev:geheim-4711@127.0.0.1:1/xoev")

    (found,) = only(patient.seen(), Level.ERROR)
    assert found.key == "store.wrong"
    assert "geheim-4711" not in "".join(one.text("en") for one in patient.seen())


def test_a_queue_that_is_away_is_told_with_what_it_means(patient: Patient) -> None:
    patient.set(queue="amqp://xoev@127.0.0.1:1/")

    (found,) = only(patient.seen(), Level.ERROR)
    assert found.key == "queue.wrong"
    assert "deliveries go on without it" in found.remedy("en")


SHARED = "postgresql://xoev@127.0.0.1:1/xoev"


def slow(patient: Patient, extra: str = "") -> None:
    fields = f"kind: rest, address: 'http://127.0.0.1:1/', deadline: 60s{extra}"
    patient.change("routes.yaml", "\nchannels:\n", f"\nchannels:\n  amt: {{{fields}}}\n")


def test_a_call_that_may_outlast_a_lease_is_a_warning_where_repeats_do_harm(
    patient: Patient,
) -> None:
    slow(patient)
    patient.set(store=SHARED)

    found = next(one for one in patient.seen() if one.key == "channels.outlasts")

    assert (found.level, found.where) == (Level.WARNING, "amt")
    assert "deadline is 60 s, XOEV_BROKER_LEASE 60 s" in found.text("en")
    assert "XOEV_BROKER_LEASE länger" in found.remedy("de")


def recognised(patient: Patient) -> None:
    slow(patient, ", repeats: recognised")
    patient.set(store=SHARED)


def longer(patient: Patient) -> None:
    slow(patient)
    patient.set(store=SHARED, lease="61s")


def alone(patient: Patient) -> None:
    slow(patient)


def usual(patient: Patient) -> None:
    patient.set(store=SHARED)


@pytest.mark.parametrize("change", [recognised, longer, alone, usual])
def test_a_call_that_can_do_no_harm_is_no_warning(
    change: Callable[[Patient], None], patient: Patient
) -> None:
    change(patient)

    assert "channels.outlasts" not in {one.key for one in patient.seen()}
