"""What is erased when, by whom, and that nothing of it is left in any file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from broker import retention
from broker.channels.channel import Incoming, Sent
from broker.errors import Conflict, NotXml, Unreachable
from broker.journal.entry import Line, decode
from broker.journal.rebuild import rebuild
from broker.journal.trail import entry
from broker.message import State, now
from broker.repair import NotPossible, Repair
from broker.retention import ClockJumped, Daily, InUse, Keeper, Policy
from broker.settings import Settings
from broker.stores.contract import Erasure, Filter
from broker.trace import NotFound
from tests import messages
from tests.fakes import Bench, Make, benches

OFFICE = "Bauordnungsamt Beispielfrau"
LATER = timedelta(days=91)
MUCH_LATER = timedelta(days=400)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[timedelta]:
    """Return what the retention's clock is ahead by."""
    ahead = [timedelta(0)]
    monkeypatch.setattr(retention, "now", lambda: now() + ahead[0])
    return ahead


def policy(broker: Bench, **environ: str) -> Policy:
    names = {f"XOEV_BROKER_RETENTION_{name.upper()}": value for name, value in environ.items()}
    settings = Settings.load(broker.environ | names)
    return Policy(settings, broker.app.site.table.table.routes)


def keeper(broker: Bench) -> Keeper:
    return Keeper(broker.app.store, broker.app.vault, "erika")


def done(broker: Bench) -> str:
    """Return the id of a message that was delivered."""
    id = broker.accept(named(messages.request())).id
    broker.run()
    assert broker.state(id) is State.DELIVERED
    return id


def named(body: bytes) -> bytes:
    """Plant a name into the head: it is stored outside of the sealed payload."""
    start, tag, rest = body.partition(b"<name>")
    return start + tag + OFFICE.encode() + rest[rest.index(b"</name>") :]


def lines(broker: Bench, id: str) -> list[Line]:
    return [decode(one) for one in broker.app.store.entries(id)]


def raw(folder: Path) -> bytes:
    files = [file for file in (folder / "var").rglob("*") if file.is_file()]
    return b"".join(file.read_bytes() for file in files)


def gone(broker: Bench, id: str) -> bool:
    return broker.app.store.payload(id, "original") is None


def test_a_message_is_kept_until_its_period_is_over(bench: Make) -> None:
    broker = bench()
    id = done(broker)
    ended = broker.row(id).changed

    before = retention.plan(broker.app.store, policy(broker), ended + timedelta(days=89.9))
    after = retention.plan(broker.app.store, policy(broker), ended + timedelta(days=90))

    assert (before.count, after.count) == (0, 1)
    assert (after.shares[0].part, after.shares[0].rule) == ("payload", "payload 90d, default")
    assert after.size > 1000
    assert not gone(broker, id)


def test_what_is_due_is_erased_with_an_entry_that_names_the_rule(
    bench: Make, clock: list[timedelta]
) -> None:
    broker = bench()
    id = done(broker)
    clock[0] = LATER

    report = retention.run(broker.app.store, policy(broker))

    assert (report.count, report.clean) == (1, True)
    assert gone(broker, id)
    assert broker.app.store.payload(id, "converted") is None
    last = lines(broker, id)[-1]
    assert (last.event, last.actor) == ("erased", "broker")
    assert last.facts["rule"] == "payload 90d, default"
    assert last.facts["size"] == str(report.size)
    known = broker.app.store.erased(id)
    assert known
    assert (known.rule, known.size, known.forgotten) == (last.facts["rule"], report.size, None)


def test_a_run_is_an_entry_of_the_site(bench: Make) -> None:
    broker = bench()

    retention.run(broker.app.store, policy(broker), "erika")

    last = [decode(one) for one in broker.app.store.entries() if one.event == "retained"][-1]
    assert (last.message, last.actor, last.facts["count"]) == ("", "erika", "0")


def test_nothing_of_an_erased_message_is_in_any_file_of_the_store(
    bench: Make, clock: list[timedelta], tmp_path: Path
) -> None:
    broker = bench()
    ids = [done(broker) for _ in range(20)]
    with broker.app.store._read() as connection:  # type: ignore[attr-defined]
        query = text("SELECT box, salt FROM payloads")
        secrets = [bytes(part) for row in connection.execute(query) for part in row]
        query = text("SELECT key FROM messages")
        secrets += [bytes(key) for key in connection.execute(query).scalars()]
    before = raw(tmp_path)
    assert OFFICE.encode() in before
    assert all(secret[:48] in before for secret in secrets if len(secret) < 100)
    clock[0] = LATER

    assert retention.run(broker.app.store, policy(broker)).clean

    files = raw(tmp_path)
    assert OFFICE.encode() not in files
    assert not [secret for secret in secrets if secret[:48] in files]
    assert all(gone(broker, id) for id in ids)


def test_a_plan_changes_nothing(bench: Make) -> None:
    broker = bench()
    id = done(broker)

    retention.plan(broker.app.store, policy(broker), now() + LATER)

    assert not gone(broker, id)
    assert broker.app.store.last("retention") is None


def test_what_has_not_ended_is_never_due(bench: Make) -> None:
    broker = bench()
    broker.script.plan("procedure", Unreachable("no answer"))
    id = broker.accept(messages.request()).id
    broker.run()

    report = retention.plan(broker.app.store, policy(broker), now() + MUCH_LATER)

    assert (broker.state(id), report.count) == (State.WAITING, 0)


def test_a_request_is_kept_while_its_answer_is_on_its_way(bench: Make) -> None:
    broker = bench()
    id = done(broker)
    broker.script.plan("return", Unreachable("no answer"))
    body = messages.reply(broker.row(id).reference)
    broker.intake.reply("procedure", Incoming("reply", "1.xml", body))
    broker.run()

    report = retention.plan(broker.app.store, policy(broker), now() + LATER)

    assert [row.state for row in broker.answers()] == [State.WAITING]
    assert report.count == 0


def test_zero_keeps_for_ever(bench: Make) -> None:
    broker = bench()
    done(broker)
    for_ever = policy(broker, payload="0", metadata="0")

    assert retention.plan(broker.app.store, for_ever, now() + MUCH_LATER).count == 0


def test_a_standard_has_periods_of_its_own(bench: Make) -> None:
    broker = bench()
    done(broker)
    rules = policy(broker, standards="xbau=10d/20d, xmeld=1d/2d")

    report = retention.plan(broker.app.store, rules, now() + timedelta(days=11))

    assert [share.rule for share in report.shares] == ["payload 10d, standard xbau"]


def test_a_route_has_periods_of_its_own(bench: Make) -> None:
    broker = bench(order="keep: {payload: 5d}")
    done(broker)

    report = retention.plan(broker.app.store, policy(broker), now() + timedelta(days=6))

    assert [share.rule for share in report.shares] == ["payload 5d, route bau"]
    assert retention.shown(policy(broker))["route bau"].metadata == 365 * 86400


def test_a_route_that_is_gone_keeps_as_long_as_the_longest(bench: Make) -> None:
    broker = bench()
    done(broker)
    settings = Settings.load(broker.environ | {"XOEV_BROKER_RETENTION_STANDARDS": "xta=500d/600d"})
    (route,) = broker.app.site.table.table.routes
    rules = Policy(settings, [replace(route, name="other")])

    assert retention.plan(broker.app.store, rules, now() + timedelta(days=499)).count == 0
    assert retention.plan(broker.app.store, rules, now() + timedelta(days=501)).count == 1


def test_metadata_goes_later_and_the_journal_stays(
    bench: Make, clock: list[timedelta], tmp_path: Path
) -> None:
    broker = bench()
    id = done(broker)
    uuid = broker.row(id).envelope.uuid
    broker.app.store.learn(id, "63-WOB-00123-26").result()
    clock[0] = LATER
    retention.run(broker.app.store, policy(broker))
    assert broker.row(id).envelope.uuid == uuid
    clock[0] = MUCH_LATER

    report = retention.run(broker.app.store, policy(broker), sure=True)

    row = broker.row(id)
    assert [share.rule for share in report.shares] == ["metadata 365d, default"]
    assert (row.number, row.receipt, row.envelope.uuid, row.envelope.case) == ("", "", "", "")
    assert (row.state, row.envelope.kind) == (State.DELIVERED, "baugenehmigung.antrag.0200")
    assert [line.event for line in lines(broker, id)][-2:] == ["erased", "forgotten"]
    assert b"63-WOB-00123-26" not in raw(tmp_path)


def test_payload_and_metadata_go_in_one_run_where_both_are_due(
    bench: Make, clock: list[timedelta]
) -> None:
    broker = bench()
    done(broker)
    clock[0] = MUCH_LATER
    planned = retention.plan(broker.app.store, policy(broker), now() + MUCH_LATER)

    report = retention.run(broker.app.store, policy(broker), sure=True)

    assert [share.part for share in report.shares] == ["payload", "metadata"]
    assert planned == report


def test_what_was_refused_goes_with_the_payloads(bench: Make, clock: list[timedelta]) -> None:
    broker = bench()
    with pytest.raises(NotXml):
        broker.accept(b"<broken>")
    clock[0] = LATER

    report = retention.run(broker.app.store, policy(broker))

    assert [(share.part, share.count) for share in report.shares] == [("refusal", 1)]
    assert retention.run(broker.app.store, policy(broker)).count == 0
    assert broker.app.store.counts().refused == 1


def test_a_repeat_of_an_erased_message_is_still_recognised(
    bench: Make, clock: list[timedelta]
) -> None:
    broker = bench()
    body = messages.request()
    first = broker.accept(body)
    broker.run()
    clock[0] = MUCH_LATER
    retention.run(broker.app.store, policy(broker), sure=True)

    again = broker.accept(body)

    assert (again.id, again.duplicate) == (first.id, True)
    with pytest.raises(Conflict):
        broker.accept(named(body))


def test_the_states_can_be_rebuilt_after_an_erasure(bench: Make, clock: list[timedelta]) -> None:
    broker = bench()
    id = done(broker)
    clock[0] = MUCH_LATER
    retention.run(broker.app.store, policy(broker), sure=True)

    assert rebuild(broker.app.store.entries())[id].state is State.DELIVERED


def test_an_erased_message_cannot_be_sent_again(bench: Make) -> None:
    broker = bench()
    id = done(broker)
    keeper(broker).erase(keeper(broker).message(id), "Art. 17")

    with pytest.raises(NotPossible, match="erased"):
        Repair(broker.app, "erika").replay(broker.row(id), "again", again=True)


def test_a_run_that_was_cut_off_goes_on(
    bench: Make, clock: list[timedelta], monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    ids = [done(broker) for _ in range(3)]
    monkeypatch.setattr(retention, "BATCH", 1)
    clock[0] = LATER
    looks = iter([False, True])

    first = retention.run(broker.app.store, policy(broker), stopping=lambda: next(looks, True))
    second = retention.run(broker.app.store, policy(broker))

    assert (first.count, second.count) == (1, 2)
    assert all(gone(broker, id) for id in ids)


def test_large_payloads_are_erased_in_smaller_commits(
    bench: Make, clock: list[timedelta], monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    ids = [done(broker) for _ in range(3)]
    monkeypatch.setattr(retention, "BYTES", 1)
    clock[0] = LATER
    groups: list[int] = []
    real = broker.app.store.erase

    def erase(items: Sequence[Erasure]) -> Future[bool]:
        groups.append(len(items))
        return real(items)

    monkeypatch.setattr(broker.app.store, "erase", erase)

    retention.run(broker.app.store, policy(broker))

    assert groups == [1, 1, 1]
    assert all(gone(broker, id) for id in ids)


def test_a_message_that_changed_meanwhile_does_not_keep_the_others(
    bench: Make, clock: list[timedelta], monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    ids = [done(broker) for _ in range(3)]
    store = broker.app.store
    real = store.leftovers
    clock[0] = LATER

    def late(*args: object) -> object:
        found = real(*args)  # type: ignore[arg-type]
        if found and found[0].part == "payload" and not gone(broker, ids[1]):
            keeper(broker).erase([broker.row(ids[1])], "Art. 17")
        return found

    monkeypatch.setattr(store, "leftovers", late)

    assert retention.run(store, policy(broker)).count == 2
    assert all(gone(broker, id) for id in ids)


def test_a_held_message_is_not_erased_by_a_period(bench: Make, clock: list[timedelta]) -> None:
    broker = bench()
    id, other = done(broker), done(broker)
    keeper(broker).hold([broker.row(id)], "lawsuit")
    clock[0] = LATER

    report = retention.run(broker.app.store, policy(broker))

    assert (report.count, report.held) == (1, 1)
    assert (gone(broker, id), gone(broker, other)) == (False, True)
    keeper(broker).unhold([broker.row(id)], "over")
    assert retention.run(broker.app.store, policy(broker)).count == 1


def test_a_held_message_is_not_erased_by_a_person(bench: Make) -> None:
    broker = bench()
    id = done(broker)
    rows = keeper(broker).message(id)
    keeper(broker).hold(rows, "lawsuit")

    with pytest.raises(InUse, match=f"legal hold protects {id}"):
        keeper(broker).erase(rows, "Art. 17")

    assert not gone(broker, id)


def test_an_answer_that_comes_after_the_hold_is_protected_too(
    bench: Make, clock: list[timedelta]
) -> None:
    broker = bench()
    id = done(broker)
    keeper(broker).hold(keeper(broker).message(id), "lawsuit")
    body = messages.reply(broker.row(id).reference)
    broker.intake.reply("procedure", Incoming("reply", "1.xml", body))
    broker.run()
    clock[0] = LATER

    report = retention.run(broker.app.store, policy(broker))

    assert (report.count, report.held) == (0, 2)


def test_a_hold_is_set_once_and_names_the_person_and_the_reason(bench: Make) -> None:
    broker = bench()
    id = done(broker)
    rows = keeper(broker).message(id)

    counts = [keeper(broker).hold(rows, "lawsuit") for _ in range(2)]

    (hold,) = broker.app.store.holds()
    assert counts == [1, 0]
    assert (hold.message, hold.actor, hold.reason) == (id, "erika", "lawsuit")
    assert [line.event for line in lines(broker, id)].count("locked") == 1


def test_a_hold_that_is_not_there_cannot_be_released(bench: Make) -> None:
    broker = bench()
    rows = keeper(broker).message(done(broker))

    assert keeper(broker).unhold(rows, "over") == 0


def test_a_person_erases_a_message_with_its_answer(bench: Make) -> None:
    broker = bench()
    broker.script.plan("procedure", Unreachable("later"))
    id = broker.accept(messages.request()).id
    broker.run()
    with pytest.raises(InUse, match=f"{id} is waiting"):
        keeper(broker).erase(keeper(broker).message(id), "Art. 17")
    other = done(broker)
    body = messages.reply(broker.row(other).reference)
    broker.intake.reply("procedure", Incoming("reply", "1.xml", body))
    broker.run()

    removed = keeper(broker).erase(keeper(broker).message(other), "Art. 17")

    assert (removed.count, removed.before, removed.clean) == (2, 0, True)
    assert removed.size > 0
    assert all(gone(broker, row.id) for row in (*broker.answers(), broker.row(other)))
    last = lines(broker, other)[-1]
    assert (last.actor, last.facts["reason"]) == ("erika", "Art. 17")


@pytest.mark.parametrize("step", [Unreachable("x"), ValueError("x")])
def test_nothing_is_erased_where_one_message_of_a_case_is_in_use(
    bench: Make, step: Exception
) -> None:
    broker = bench()
    first = done(broker)
    broker.script.plan("procedure", step)
    second = broker.accept(messages.request()).id
    broker.run()
    assert broker.state(second) in (State.WAITING, State.DEAD, State.UNCLEAR)

    with pytest.raises(InUse, match="in use"):
        keeper(broker).erase([broker.row(first), broker.row(second)], "Art. 17")

    assert not gone(broker, first)


def test_a_second_erasure_finds_nothing_left(bench: Make) -> None:
    broker = bench()
    rows = keeper(broker).message(done(broker))
    keeper(broker).erase(rows, "Art. 17")

    removed = keeper(broker).erase(rows, "Art. 17")

    assert (removed.count, removed.size, removed.before) == (0, 0, 1)


def test_all_messages_of_a_case_are_found(bench: Make) -> None:
    broker = bench()
    ids = {done(broker), done(broker)}
    cases = {broker.row(id).envelope.case for id in ids}
    found = [keeper(broker).case(case) for case in cases]

    assert {row.id for rows in found for row in rows} == ids
    with pytest.raises(NotFound):
        keeper(broker).case("no such case")


def test_a_clock_behind_the_journal_is_refused(bench: Make, clock: list[timedelta]) -> None:
    broker = bench()
    ahead = now() + timedelta(days=2)
    broker.app.store.note([entry("", "started", "broker", ahead)]).result()

    with pytest.raises(ClockJumped, match="something was done at"):
        retention.run(broker.app.store, policy(broker))

    clock[0] = timedelta(days=2)
    retention.run(broker.app.store, policy(broker))


def test_a_clock_far_ahead_of_the_last_run_is_refused_until_a_person_is_sure(
    bench: Make, clock: list[timedelta]
) -> None:
    broker = bench()
    id = done(broker)
    retention.run(broker.app.store, policy(broker))
    clock[0] = LATER

    with pytest.raises(ClockJumped, match="the last run was"):
        retention.run(broker.app.store, policy(broker))
    assert not gone(broker, id)

    assert retention.run(broker.app.store, policy(broker), sure=True).count == 1


def test_the_broker_erases_once_a_day(bench: Make, clock: list[timedelta]) -> None:
    broker = bench()
    settings = Settings.load(broker.environ)
    Daily(broker.app, settings, lambda: False).look()
    first = broker.app.store.last("retention")

    clock[0] = timedelta(hours=23)
    Daily(broker.app, settings, lambda: False).look()
    same = broker.app.store.last("retention")
    clock[0] = timedelta(hours=25)
    Daily(broker.app, settings, lambda: False).look()

    assert first is not None
    assert same == first
    assert (broker.app.store.last("retention") or first) > first


def test_the_broker_goes_on_with_a_clock_that_it_does_not_trust(
    bench: Make, clock: list[timedelta]
) -> None:
    broker = bench()
    id = done(broker)
    retention.run(broker.app.store, policy(broker))
    clock[0] = LATER

    Daily(broker.app, Settings.load(broker.environ), lambda: False).look()

    assert not gone(broker, id)


def test_between_two_days_the_broker_hardly_looks(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    daily = Daily(broker.app, Settings.load(broker.environ), lambda: False)
    asked: list[str] = []
    real = broker.app.store.last

    def last(name: str) -> datetime | None:
        asked.append(name)
        return real(name)

    monkeypatch.setattr(broker.app.store, "last", last)

    for _ in range(retention.LOOKS):
        daily.look()

    # Once by the look, once by the run itself.
    assert len(asked) == 2


def test_a_reader_that_keeps_the_log_makes_the_run_say_so(
    bench: Make, clock: list[timedelta], monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    done(broker)
    clock[0] = LATER
    monkeypatch.setattr("broker.stores.sqlite.SCRUB", 0.01)
    store = broker.app.store
    with store._read() as connection:  # type: ignore[attr-defined]
        connection.execute(text("SELECT count(*) FROM messages")).scalar_one()

        report = retention.run(store, policy(broker))

    assert not report.clean
    assert store.scrub()


def test_periods_that_cannot_be_read_are_a_finding_of_the_settings() -> None:
    from broker.errors import ConfigError

    for bad in ("xbau", "xbau=1d", "=1d/2d", "xbau=1d/2y"):
        with pytest.raises(ConfigError, match="RETENTION_STANDARDS"):
            Settings.load({"XOEV_BROKER_RETENTION_STANDARDS": bad})


def test_rows_of_an_erased_message_can_still_be_shown(bench: Make) -> None:
    broker = bench()
    id = done(broker)
    keeper(broker).erase(keeper(broker).message(id), "Art. 17")

    (row,) = broker.app.store.rows(Filter(text=id))

    assert row.envelope.recipient.key
    assert OFFICE not in json.dumps(str(row))
    assert row.received < datetime.now(UTC)


def test_a_delivered_message_with_an_answer_at_once_is_erased_whole(bench: Make) -> None:
    broker = bench()
    broker.script.plan("procedure", Sent("taken"))
    id = done(broker)

    assert keeper(broker).erase(keeper(broker).message(id), "Art. 17").count == 1
