"""When versions are in force: dates of several places, German days, warnings ahead."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from broker.errors import ConfigError, VersionExpired
from broker.xoev.calendar import german_day
from broker.xoev.install import Terms, install
from broker.xoev.standards import Standards
from tests.xoev.bundles import folder, shapes

SHAPE = shapes()["xschule/1.0"]
NAME = "xschule/1.0"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def site(
    tmp_path: Path, terms: Terms | None = None, calendar: str = "", own: str = ""
) -> Standards:
    schemas = tmp_path / "schemas"
    install(folder(tmp_path / "b", SHAPE.files), schemas, terms)
    if calendar:
        (schemas / "calendar.yaml").write_text(calendar)
    if own:
        (schemas / NAME / "standard.yaml").write_text(own)
    return Standards.load(schemas)


def judged(standards: Standards, at: str) -> bool:
    from broker.message import Authority

    document = standards.parse(SHAPE.right)
    envelope = standards.envelope(document, Authority("ags:03103000"))
    try:
        standards.validate(document, envelope, moment(at))
    except VersionExpired:
        return False
    return True


@pytest.mark.parametrize(
    ("utc", "day"),
    [
        ("2026-10-31T22:59:59", date(2026, 10, 31)),
        ("2026-10-31T23:00:00", date(2026, 11, 1)),
        ("2026-04-30T21:59:59", date(2026, 4, 30)),
        ("2026-04-30T22:00:00", date(2026, 5, 1)),
        ("2026-03-29T00:59:59", date(2026, 3, 29)),
        ("2026-03-29T22:00:00", date(2026, 3, 30)),
        ("2026-10-25T22:30:00", date(2026, 10, 25)),
    ],
)
def test_a_day_is_the_day_in_germany(utc: str, day: date) -> None:
    assert german_day(moment(utc)) == day


def test_a_message_is_judged_by_the_day_of_its_receipt(tmp_path: Path) -> None:
    standards = site(tmp_path, Terms(valid_from=date(2026, 11, 1), valid_until=date(2027, 4, 30)))

    assert not judged(standards, "2026-10-31T22:30:00")
    assert judged(standards, "2026-10-31T23:30:00")
    assert judged(standards, "2027-04-30T21:30:00")
    assert not judged(standards, "2027-04-30T22:30:00")


def test_within_its_grace_a_version_is_still_accepted(tmp_path: Path) -> None:
    standards = site(tmp_path, Terms(valid_until=date(2026, 10, 31), grace=14))

    assert judged(standards, "2026-11-14T12:00:00")
    assert not judged(standards, "2026-11-15T12:00:00")


def test_the_file_of_the_version_counts_more_than_the_bundle(tmp_path: Path) -> None:
    terms = Terms(valid_from=date(2026, 5, 1), valid_until=date(2026, 10, 31))

    found = site(tmp_path, terms, own="valid_until: 2027-04-30\n").calendar("xschule", "1.0")

    assert (found.valid_from, found.valid_until) == (date(2026, 5, 1), date(2027, 4, 30))


def test_the_calendar_of_the_operator_counts_most(tmp_path: Path) -> None:
    calendar = f"{NAME}: {{valid_until: 2027-10-31, grace: 28d}}\n"

    found = site(tmp_path, calendar=calendar, own="valid_until: 2027-04-30\n")

    assert found.calendar("xschule", "1.0").last == date(2027, 11, 28)


@pytest.mark.parametrize(
    ("calendar", "text"),
    [
        ("xschule: {valid_until: 2027-10-31}", "is not a version such as"),
        (f"{NAME}: 2027-10-31", "is not a version such as"),
        (f"{NAME}: {{until: 2027-10-31}}", 'unknown field "until"'),
        (f"{NAME}: {{grace: bald}}", "grace is not a number of days"),
        (f"{NAME}: {{valid_from: 2027-10-31, valid_until: 2027-10-30}}", "lies before"),
        (f"{NAME}: {{valid_from: morgen}}", "is not a date"),
    ],
)
def test_a_wrong_calendar_is_a_finding(tmp_path: Path, calendar: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        site(tmp_path, calendar=calendar)


def test_dates_of_a_version_that_is_not_here_are_a_warning(tmp_path: Path) -> None:
    standards = site(tmp_path, calendar="xschule/1.l: {grace: 28d}\n")

    assert standards.warnings() == (
        "calendar.yaml has dates of xschule/1.l, which is not installed",
    )


def test_a_version_that_ends_soon_is_told_ahead(tmp_path: Path) -> None:
    standards = site(tmp_path, Terms(valid_until=date(2026, 10, 31), grace=14))

    (found,) = standards.ending(8, moment("2026-10-01T12:00:00"))

    assert (found.standard, found.version, found.days) == ("xschule", "1.0", 44)
    assert found.text == (
        "xschule 1.0 is in force until 2026-10-31, accepted until 2026-11-14: 44 days from now"
    )
    assert standards.ending(6, moment("2026-10-01T12:00:00")) == ()


def test_a_version_that_has_ended_is_told(tmp_path: Path) -> None:
    standards = site(tmp_path, Terms(valid_until=date(2026, 10, 31)))

    (found,) = standards.ending(8, moment("2026-11-05T12:00:00"))

    assert found.text == "xschule 1.0 has not been in force since 2026-10-31"


def test_only_versions_in_use_are_told(tmp_path: Path) -> None:
    standards = site(tmp_path, Terms(valid_until=date(2026, 10, 31)))
    at = moment("2026-10-30T12:00:00")

    assert standards.ending(8, at, {("xbau", "2.6")}) == ()
    assert len(standards.ending(8, at, {("xschule", "1.0")})) == 1


def test_a_version_without_end_is_never_told(tmp_path: Path) -> None:
    assert site(tmp_path).ending(5000, moment("2026-10-30T12:00:00")) == ()
