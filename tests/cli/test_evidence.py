"""`evidence` writes a bundle and says how to check it; it refuses what would be half of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import messages
from tests.cli.conftest import Type
from tests.evidence.stock import taken
from tests.evidence.tool import fails
from tests.site import Site

WHY = ("--reason", "audit 2026/14")


@pytest.fixture
def target(place: Site) -> Path:
    """Return where the bundle goes."""
    return place.folder / "audit.zip"


def test_it_says_how_to_check_the_bundle_with_a_key_that_fits(
    type_: Type, answered: str, target: Path
) -> None:
    ran = type_("evidence", answered, "-o", "audit.zip", *WHY)
    assert ran.code == 0, ran.err
    assert "python3 verify_evidence.py audit.zip --key '" in ran.out
    assert fails(target.read_bytes(), ran.out.split("'")[1]) == []


def test_a_file_number_leads_to_the_request_and_its_answer(
    type_: Type, answered: str, target: Path
) -> None:
    ran = type_("evidence", "63-WOB-00123-26", "-o", "audit.zip", *WHY)
    assert "evidence of 2 messages" in ran.out
    assert f"messages/{answered}/original.xml" in taken(target.read_bytes())


def test_a_message_that_still_waits_can_be_proven_too(
    type_: Type, submitted: str, target: Path
) -> None:
    ran = type_("evidence", submitted, "-o", "audit.zip", *WHY)
    assert "evidence of 1 message\n" in ran.out
    assert fails(target.read_bytes(), ran.out.split("'")[1]) == []


def test_the_key_of_a_case_is_not_written_into_the_bundle(
    type_: Type, place: Site, target: Path
) -> None:
    case = "11111111-2222-4333-8444-555555555555"
    place.file("antrag.xml", messages.request("wolfsburg", case=case))
    type_("submit", "antrag.xml")
    ran = type_("evidence", "--case", case, "-o", "audit.zip", *WHY)
    assert ran.code == 0, ran.err
    files = taken(target.read_bytes())
    assert not any(case.encode() in data for name, data in files.items() if "/original" not in name)


def test_the_person_and_the_reason_stand_in_the_journal(type_: Type, delivered: str) -> None:
    type_("evidence", delivered, "-o", "audit.zip", *WHY, "--actor", "Erika Beispiel")
    told = type_("trace", delivered).out
    assert "Erika Beispiel" in told
    assert "audit 2026/14" in told


@pytest.mark.parametrize(
    "args",
    [
        ("-o", "audit.zip", *WHY),
        ("ID", "--case", "x", "-o", "audit.zip", *WHY),
        ("ID", "--since", "1d", "-o", "audit.zip", *WHY),
        ("ID", "-o", "audit.zip", "--reason", " "),
        ("ID", "-o", "audit.zip"),
    ],
)
def test_wrong_usage_writes_nothing(
    type_: Type, delivered: str, target: Path, args: tuple[str, ...]
) -> None:
    assert type_("evidence", *args).code == 2
    assert not target.exists()


def test_another_site_key_is_named_and_the_course_is_proven_all_the_same(
    type_: Type, place: Site, answered: str, target: Path
) -> None:
    (place.folder / "var/site.key").write_bytes(bytes(32))
    ran = type_("evidence", answered, "-o", "audit.zip", *WHY)
    assert ran.code == 0, ran.err
    assert "4 payloads are not in it: the site key" in ran.err
    assert "var/site.key" in ran.err
    assert fails(target.read_bytes(), ran.out.split("'")[1]) == []


def test_a_missing_site_key_is_named_and_never_replaced_by_a_new_one(
    type_: Type, place: Site, delivered: str, target: Path
) -> None:
    key = place.folder / "var/site.key"
    key.unlink()

    ran = type_("evidence", delivered, "-o", "audit.zip", *WHY)

    assert ran.code == 0
    assert f"the site key {key} is missing, restore it" in ran.err
    assert fails(target.read_bytes(), ran.out.split("'")[1]) == []
    for command in (("payload", delivered, "-o", "x.xml", *WHY), ("run",), ("keys", "show")):
        refused = type_(*command)
        assert refused.code == 1
        assert f"the site key {key} is missing" in refused.err
    assert not key.exists()


def test_nothing_is_accepted_under_a_new_site_key(type_: Type, place: Site, delivered: str) -> None:
    key = place.folder / "var/site.key"
    key.unlink()
    place.file("antrag.xml", messages.request("wolfsburg"))

    refused = type_("submit", "antrag.xml")

    assert refused.code == 1
    assert f"the site key {key} is missing" in refused.err
    assert not key.exists()


def test_a_missing_journal_key_is_named_and_never_replaced_by_a_new_one(
    type_: Type, place: Site, delivered: str, target: Path
) -> None:
    type_("checkpoint", "--now")
    key = place.folder / "var/journal.key"
    key.unlink()

    for command in (
        ("evidence", delivered, "-o", "audit.zip", *WHY),
        ("checkpoint", "--now"),
        ("checkpoint", "--public"),
        ("run",),
    ):
        refused = type_(*command)
        assert refused.code == 1
        assert f"the key {key} is missing" in refused.err
    assert not key.exists()
    assert not target.exists()


def test_an_unknown_id_is_said(type_: Type, delivered: str, target: Path) -> None:
    ran = type_("evidence", "nobody", "-o", "audit.zip", *WHY)
    assert ran.code == 1
    assert "no message has this id" in ran.err
    assert not target.exists()


def test_a_period_without_messages_is_said(type_: Type, delivered: str) -> None:
    ran = type_("evidence", "--until", "2020-01-01", "-o", "audit.zip", *WHY)
    assert ran.code == 1
    assert "no message was received in this period" in ran.err


def test_a_folder_that_is_not_there_is_said(type_: Type, delivered: str) -> None:
    ran = type_("evidence", delivered, "-o", "nowhere/audit.zip", *WHY)
    assert ran.code == 1
    assert "cannot be written" in ran.err
