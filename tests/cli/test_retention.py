"""Retention, erasure, holds and keys as one types them."""

from __future__ import annotations

import pytest

from broker.journal.ring import KeyFile
from tests.cli.conftest import Type
from tests.site import Site


def test_the_periods_are_shown(type_: Type, submitted: str) -> None:
    ran = type_("retention", "show")

    assert ran.code == 0
    assert "default  90 days  365 days" in ran.out
    assert "last run: never" in ran.out


def test_the_periods_are_shown_to_a_machine(
    type_: Type, submitted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XOEV_BROKER_RETENTION_STANDARDS", "xbau=0/0")
    type_("hold", submitted, "--reason", "lawsuit", "--actor", "erika")

    found = type_("retention", "show", "--json").json

    assert found["rules"]["standard xbau"] == {"payload": 0.0, "metadata": 0.0}
    assert found["holds"][0]["message"] == submitted
    assert (found["erased"], found["last"]) == ({}, None)


def test_a_plan_says_what_a_run_erases(
    type_: Type, delivered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XOEV_BROKER_RETENTION_PAYLOAD", "0.001s")

    planned = type_("retention", "plan", "--json").json
    ran = type_("retention", "run")

    assert planned["count"] == 1
    assert planned["shares"][0]["part"] == "payload"
    assert "1 erased" in ran.out
    assert "0 would be erased" in type_("retention", "plan").out
    assert "erased so far, payload" in type_("retention", "show").out


def test_one_message_is_erased_with_a_reason(type_: Type, delivered: str) -> None:
    listed = type_("erase", delivered, "--dry-run", "--reason", "x")
    ran = type_("erase", delivered, "--reason", "Art. 17, file 12", "--actor", "erika")
    again = type_("erase", delivered, "--reason", "Art. 17")

    assert listed.out.startswith(delivered)
    assert ran.out.startswith("erased 1 payload(s)")
    assert "1 were erased before" in again.out
    told = type_("trace", delivered).out
    assert "the payload was erased (erika)" in told
    assert "Art. 17, file 12" in told


def test_a_case_is_erased(type_: Type, delivered: str) -> None:
    from broker.cli.desk import opened

    with opened() as desk:
        row = desk.store.row(delivered)
    assert row

    ran = type_("erase", "--case", row.envelope.case, "--reason", "Art. 17")

    assert (ran.code, ran.out[:6]) == (0, "erased")


def test_a_message_in_use_is_not_erased(type_: Type, submitted: str) -> None:
    ran = type_("erase", submitted, "--reason", "Art. 17")

    assert ran.code == 1
    assert f"in use: {submitted} is waiting" in ran.err


def test_an_erasure_needs_a_reason_and_one_choice(type_: Type, delivered: str) -> None:
    assert type_("erase", delivered).code == 2
    assert type_("erase", delivered, "--case", "x", "--reason", "x").code == 2
    assert type_("erase", "--reason", "x").code == 2


def test_a_hold_protects_until_it_is_released(type_: Type, delivered: str) -> None:
    assert "1 message(s)" in type_("hold", delivered, "--reason", "lawsuit").out
    assert "legal hold protects" in type_("erase", delivered, "--reason", "Art. 17").err
    assert "held: " in type_("retention", "show").out
    assert type_("unhold", delivered, "--reason", "over").code == 0
    assert type_("unhold", delivered, "--reason", "over").code == 1
    assert type_("erase", delivered, "--reason", "Art. 17").code == 0


def test_the_site_key_is_changed_and_the_old_one_retired(
    type_: Type, place: Site, delivered: str
) -> None:
    before = type_("keys", "show").out
    rotated = type_("keys", "rotate", "--actor", "erika")
    early = type_("keys", "retire")
    retired = type_("keys", "retire", "--force")

    assert "1 message key(s) are wrapped anew" in rotated.out
    assert (early.code, retired.code) == (1, 0)
    after = type_("keys", "show").out
    assert after.split()[0] != before.split()[0]
    assert KeyFile(place.folder / "var/site.key").read().old is None
    assert type_("trace", delivered).code == 0


def test_a_key_from_a_command_is_not_rotated(
    type_: Type, place: Site, delivered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XOEV_BROKER_SITE_KEY_COMMAND", f"cat {place.folder / 'var/site.key'}")

    assert "wraps message keys" in type_("keys", "show").out
    ran = type_("keys", "rotate")
    assert ran.code == 1
    assert "cannot write a new one" in ran.err
