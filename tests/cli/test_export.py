"""What leaves the broker for a person: lists, contents, numbers; and who took it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from broker.cli.export import cell
from broker.records import FIELDS
from tests import messages
from tests.cli.conftest import Ran, Type
from tests.site import CITIES, Site


@pytest.fixture
def mixed(place: Site, type_: Type) -> list[str]:
    """Deliver one application for each city, reject an invalid one; return their ids."""
    bodies = [messages.request(city) for city in CITIES] + [messages.invalid()]
    for at, body in enumerate(bodies):
        place.file(f"{at}.xml", body)
    lines = type_("submit", *(f"{at}.xml" for at in range(4)), "--json").lines
    place.work()
    return [line["id"] for line in lines]


def done(type_: Type, *args: str) -> list[dict[str, Any]]:
    """Return what people did since they submitted, as the command lists it."""
    found = type_("accesses", *args, "--json").json["accesses"]
    return [line for line in found if line["event"] != "submitted"]


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))


@pytest.fixture
def raw(type_: Type, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what runs a command whose output is bytes: the run and the bytes."""

    def run(*args: str) -> tuple[Ran, bytes]:
        stream = io.BytesIO()
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", io.TextIOWrapper(stream, "utf-8", write_through=True))
            ran = type_(*args)
            return ran, stream.getvalue()

    return run


def test_a_list_has_every_message_oldest_first(
    place: Site, type_: Type, mixed: list[str], tmp_path: Path
) -> None:
    ran = type_("export", "-o", "list.csv", "--direction", "request")
    data = (tmp_path / "list.csv").read_bytes()
    rows = table(data.decode())

    assert ran.code == 0
    assert [row["id"] for row in rows] == mixed
    assert tuple(rows[0]) == FIELDS
    assert rows[3]["reason"] == "X001"
    assert f"4 messages, sha256 {hashlib.sha256(data).hexdigest()}" in ran.err


def test_a_list_is_for_its_owner_only_and_replaces_nothing(
    place: Site, type_: Type, mixed: list[str], tmp_path: Path
) -> None:
    type_("export", "-o", "list.csv")
    again = type_("export", "-o", "list.csv")

    assert stat.S_IMODE((tmp_path / "list.csv").stat().st_mode) == 0o600
    assert again.code == 1
    assert "exists already" in again.err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--state", "rejected"), [3]),
        (("--code", "X001"), [3]),
        (("--code", "T080"), []),
        (("--route", "bau/salzgitter"), [2]),
        (("--key", "gemarkung=031234"), [0, 3]),
        (("--since", "1h", "--direction", "request"), [0, 1, 2, 3]),
        (("--until", "1h"), []),
    ],
)
def test_a_list_is_filtered(
    type_: Type, raw: Any, mixed: list[str], options: tuple[str, ...], expected: list[int]
) -> None:
    _, data = raw("export", "--format", "jsonl", *options)
    found = [record["id"] for record in map(json.loads, data.splitlines())]

    assert [id for id in found if id in mixed] == [mixed[at] for at in expected]


def test_the_separator_can_be_chosen(type_: Type, raw: Any, mixed: list[str]) -> None:
    _, data = raw("export", "--separator", ",")

    assert data.decode("utf-8-sig").startswith('"id","direction",')
    assert type_("export", "--separator", '"').code == 2


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@a", "\t=1", " =1", "\r=1", "\n1", "＝1", "\u00a0=1"],
)
def test_what_a_spreadsheet_would_calculate_becomes_text(text: str) -> None:
    found = cell(text)

    assert found.startswith("'")
    assert found.isprintable()


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (True, "true"), (7, "7"), ("a=1", "a=1"), ("a;b", "a;b")]
)
def test_everything_else_stays_as_it_is(value: object, text: str) -> None:
    assert cell(value) == text


def test_a_hostile_head_is_no_formula_in_the_list(place: Site, type_: Type, tmp_path: Path) -> None:
    body = messages.request().replace(b"<kennung>bab:03103000", b"<kennung>=cmd|'x'!A1")
    place.file("hostile.xml", body)
    type_("submit", "hostile.xml")
    type_("export", "-o", "list.csv")
    [row] = table((tmp_path / "list.csv").read_text("utf-8"))

    assert row["recipient"] == "'=cmd|'x'!A1"


def test_an_export_is_noted_with_what_left(
    place: Site, type_: Type, mixed: list[str], tmp_path: Path
) -> None:
    type_("export", "-o", "list.csv", "--state", "rejected", "--actor", "erika")
    [line] = done(type_, "--person", "erika")
    digest = hashlib.sha256((tmp_path / "list.csv").read_bytes()).hexdigest()

    assert line["event"] == "exported"
    assert line["facts"] == {
        "count": "1",
        "digest": digest,
        "filters": "state=rejected",
        "form": "csv",
    }


def test_a_payload_is_written_byte_for_byte_and_noted(
    place: Site, type_: Type, delivered: str, tmp_path: Path
) -> None:
    args = ("payload", delivered, "--reason", "complaint", "--actor", "erika")
    ran = type_(*args, "-o", "original.xml")
    type_(*args, "-o", "converted.xml", "--form", "converted")
    lines = done(type_, delivered)

    assert ran.code == 0
    assert (tmp_path / "original.xml").read_bytes() == (tmp_path / "antrag.xml").read_bytes()
    assert (tmp_path / "converted.xml").read_bytes() == place.out("wolfsburg")[0].read_bytes()
    assert stat.S_IMODE((tmp_path / "original.xml").stat().st_mode) == 0o600
    assert [(line["actor"], line["facts"]["form"]) for line in lines] == [
        ("erika", "original"),
        ("erika", "converted"),
    ]
    assert "opened" in type_("trace", delivered).out


def test_a_payload_goes_to_standard_output_alone(
    type_: Type, raw: Any, submitted: str, tmp_path: Path
) -> None:
    _, data = raw("payload", submitted, "-o", "-", "--reason", "complaint")

    assert data == (tmp_path / "antrag.xml").read_bytes()


def test_a_payload_without_a_reason_stays_shut(type_: Type, submitted: str) -> None:
    missing = type_("payload", submitted, "-o", "x.xml")
    empty = type_("payload", submitted, "-o", "x.xml", "--reason", " ")

    assert (missing.code, empty.code) == (2, 2)
    assert not Path("x.xml").exists()
    assert done(type_) == []


def test_a_form_that_is_not_there_is_said(type_: Type, submitted: str) -> None:
    ran = type_("payload", submitted, "-o", "x", "--form", "converted", "--reason", "complaint")

    assert ran.code == 1
    assert "no converted bytes" in ran.err


def test_a_folder_that_is_not_there_is_named(type_: Type, submitted: str) -> None:
    ran = type_("payload", submitted, "-o", "nowhere/x", "--reason", "complaint")

    assert ran.code == 1
    assert "nowhere/x cannot be written" in ran.err


def test_searching_leaves_who_and_how_many(type_: Type, mixed: list[str]) -> None:
    type_("messages", "--key", "antragsteller=Beispielmann", "--actor", "erika")
    type_("trace", mixed[0], "--actor", "otto")
    lines = done(type_)

    assert [(line["actor"], line["facts"]["via"]) for line in lines] == [
        ("erika", "messages"),
        ("otto", "trace"),
    ]
    assert "beispielmann" not in json.dumps(lines).lower()
    assert done(type_, "Beispielmann") == [lines[0]]
    assert done(type_, mixed[0]) == [lines[1]]
    assert done(type_, "--since", "2099-01-01") == []


def test_messages_are_found_by_several_keys(type_: Type, mixed: list[str]) -> None:
    keys = ("--key", "strasse=musterfeldweg", "--key", "gemarkung=031234")
    found = type_("messages", *keys, "--direction", "request", "--json").json["messages"]

    assert [row["id"] for row in found] == [mixed[3], mixed[0]]


@pytest.mark.parametrize("key", ["antragsteller", "antragsteller=", "=x", "unknown=x"])
def test_a_key_that_cannot_find_anything_is_a_wrong_usage(
    type_: Type, submitted: str, key: str
) -> None:
    ran = type_("messages", "--key", key)

    assert ran.code == 2
    assert "--key" in ran.err


def test_statistics_add_up_and_leave_no_entry(type_: Type, mixed: list[str]) -> None:
    found = type_("statistics", "--json").json
    text = type_("statistics").out

    assert found["requests"]["states"]["delivered"] == 3
    assert found["rejected_why"] == {"X001": 1}
    assert "X001  1      █" in text
    assert done(type_) == []


def test_statistics_are_drawn_on_a_page(type_: Type, mixed: list[str], tmp_path: Path) -> None:
    ran = type_("statistics", "--html", "numbers.html", "--lang", "de")
    page = (tmp_path / "numbers.html").read_text("utf-8")

    assert ran.code == 0
    assert "Nachrichten in Zahlen" in page
    assert "<svg" in page
    assert "http://" not in page


def test_a_period_without_messages_has_empty_numbers(type_: Type, submitted: str) -> None:
    ran = type_("statistics", "--since", "2099-01-01")

    assert ran.code == 0
    assert "rejected, why" not in ran.out
