"""Checking the configuration, and asking what would happen to a message."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests import hours, messages
from tests.cli.conftest import Type
from tests.needs import ROOT
from tests.site import ROUTES, Site


def test_a_good_configuration_is_summed_up(type_: Type) -> None:
    ran = type_("check")

    assert ran.code == 0
    assert "3 routes, 4 channels, 4 parties, " in ran.out


def test_all_findings_are_shown_in_the_form_of_the_editors(place: Site, type_: Type) -> None:
    wrong = ROUTES.replace("adapter: ", "adaptor: ").replace("order: case", "order: cases")
    place.routes.write_text(wrong, "utf-8")
    ran = type_("check")

    assert ran.code == 1
    assert all(line.startswith(f"{place.routes}:") for line in ran.out.splitlines())
    assert len(ran.out.splitlines()) >= 3


def test_another_file_can_be_checked_before_it_is_used(place: Site, type_: Type) -> None:
    place.file("new.yaml", ROUTES.replace("bau/wolfsburg", "bau").encode())
    place.file("wrong.yaml", b"routes: 1\n")

    assert type_("check", "new.yaml").code == 0
    assert type_("check", "wrong.yaml").out.startswith("wrong.yaml:1:9: ")


def test_warnings_do_not_change_the_exit_code(type_: Type) -> None:
    ran = type_("check")

    assert ran.code == 0
    assert "warning: xbau 2.6: only the profile is installed" in ran.out


def test_a_broken_adapter_is_a_warning_where_no_route_uses_it(
    place: Site, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    _private(place, monkeypatch, "import nothing_of_this_name\n")
    ran = type_("check")

    assert ran.code == 0
    assert "warning: goslar/bau/adapter.py:1: ModuleNotFoundError" in ran.out


def test_a_deadline_beyond_the_lease_of_a_shared_store_is_a_warning(
    place: Site, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = "channels:\n  amt: {kind: rest, address: 'http://127.0.0.1:1/', deadline: 2m}\n"
    place.routes.write_text(ROUTES.replace("channels:\n", slow), "utf-8")
    monkeypatch.setenv("XOEV_BROKER_STORE", "postgresql://xoev@127.0.0.1:1/xoev")
    ran = type_("check")

    assert ran.code == 0
    assert 'channel "amt": "deadline" is 120 s and XOEV_BROKER_LEASE 60 s' in ran.out


def _private(place: Site, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    folder = place.folder / "own/goslar/bau"
    folder.mkdir(parents=True)
    (folder / "adapter.py").write_text(text, "utf-8")
    monkeypatch.setenv("XOEV_BROKER_ADAPTERS", f"{ROOT / 'adapters'}:{place.folder / 'own'}")


def test_the_findings_are_json_too(place: Site, type_: Type) -> None:
    place.routes.write_text("routes: 1\n", "utf-8")
    ran = type_("check", "--json")

    assert ran.json["ok"] is False
    assert (ran.json["findings"][0]["line"], ran.json["findings"][0]["column"]) == (1, 9)


def test_a_probe_tries_every_channel(place: Site, type_: Type) -> None:
    shutil.rmtree(place.folder / "wolfsburg/out")
    ran = type_("check", "--probe")

    assert ran.code == 1
    assert "channel wolfsburg-bau: FAILED: " in ran.out
    assert "channel salzgitter-bau: ok: " in ran.out


def test_routes_are_listed_in_their_order(type_: Type) -> None:
    found = type_("routes", "--json").json["routes"]

    assert [(route["name"], route["adapter"], route["channel_kind"]) for route in found] == [
        (f"bau/{city}", f"{city}/bau", "directory")
        for city in ("wolfsburg", "braunschweig", "salzgitter")
    ]


def test_a_paused_route_is_marked(type_: Type) -> None:
    type_("pause", "bau/salzgitter", "--reason", "maintenance")
    paused = {route["name"]: route["paused"] for route in type_("routes", "--json").json["routes"]}

    assert [name for name, value in paused.items() if value] == ["bau/salzgitter"]


def test_a_route_in_its_regular_window_is_marked_also_without_a_store(
    place: Site, type_: Type
) -> None:
    place.window(hours.running())
    paused = {route["name"]: route["paused"] for route in type_("routes", "--json").json["routes"]}

    assert [name for name, value in paused.items() if value] == ["bau/wolfsburg"]


def test_the_next_window_of_each_channel_is_told_by_check(place: Site, type_: Type) -> None:
    place.window(hours.coming())
    later, machine = type_("check").out, type_("check", "--json").json["maintenance"]
    place.window(hours.running())
    during = type_("check").out

    assert re.search(r"^channel wolfsburg-bau: next window .* CES?T to .*\(daily", later, re.M)
    assert [(one["channel"], one["open"]) for one in machine] == [("wolfsburg-bau", False)]
    assert re.search(r"^channel wolfsburg-bau: window until .* \(daily ", during, re.M)


def test_a_window_that_nobody_can_mean_is_found_with_its_place(place: Site, type_: Type) -> None:
    place.window("Sonntag 02:00-06:00")
    ran = type_("check")

    assert ran.code == 1
    assert ran.out.startswith(f'{place.routes}:12:36: channel "wolfsburg-bau": "maintenance" is ')
    assert 'did you mean "Sun"?' in ran.out


def test_an_explanation_says_when_nothing_is_delivered(place: Site, type_: Type) -> None:
    place.file("antrag.xml", messages.request("wolfsburg"))
    place.window(hours.running())
    during = type_("explain", "antrag.xml", "--no-output")
    machine = type_("explain", "antrag.xml", "--json").json["maintenance"]
    place.window(hours.coming())
    later = type_("explain", "antrag.xml", "--no-output").out

    assert during.code == 0
    assert re.search(r"^  window     it would wait until .* \(daily ", during.out, re.M)
    assert [one["open"] for one in machine] == [True, False]
    assert re.search(r"^  window     next .* to .* \(daily ", later, re.M)


def test_the_schema_for_editors_is_json(type_: Type) -> None:
    assert type_("routes", "schema").json["title"] == "routes.yaml of xoev-broker"


def test_an_explanation_names_everything_and_shows_the_output(place: Site, type_: Type) -> None:
    place.file("antrag.xml", messages.request("wolfsburg"))
    ran = type_("explain", "antrag.xml")

    assert ran.code == 0
    for text in ("xbau 2.6", "xbau/2.6/profile", "bau/wolfsburg", "wolfsburg-bau (directory)"):
        assert text in ran.out
    assert "<AntragAnlegen" in ran.out
    assert 'not route "bau/salzgitter" (line 19): takes only recipient bab:03102000' in ran.out


def test_an_explanation_stores_and_sends_nothing(place: Site, type_: Type) -> None:
    place.file("antrag.xml", messages.request("wolfsburg"))
    type_("explain", "antrag.xml")

    assert not (place.folder / "var").exists()
    assert place.out("wolfsburg") == []


def test_the_output_goes_into_a_file_as_the_procedure_gets_it(place: Site, type_: Type) -> None:
    sample = ROOT / "adapters/braunschweig/bau/samples/einfach"
    ran = type_("explain", str(sample / "1-request.xoev.xml"), "--output", "out.txt")

    assert ran.code == 0
    assert "converted:" not in ran.out
    assert Path("out.txt").read_bytes() == (sample / "2-request.legacy.txt").read_bytes()


def test_every_problem_is_named_not_only_the_first(place: Site, type_: Type) -> None:
    place.file("bad.xml", messages.invalid().replace(b"bab:03103000", b"bab:09999999"))
    found = type_("explain", "bad.xml", "--json").json

    assert [(one["error"], one["reason"], one["follows"]) for one in found["problems"]] == [
        ("SchemaViolation", "X001", "would be rejected"),
        ("NoRoute", "T080", "would be rejected"),
    ]
    assert found["problems"][0]["findings"][0]["path"]
    assert found["output"] is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<!DOCTYPE a><a/>", "would not be accepted: Forbidden X000"),
        (b"<a", "would not be accepted: NotXml X000"),
        (messages.request(test=False), "would be rejected: TestMessage S102"),
        (messages.request(namespace="urn:x"), "would be rejected: UnknownStandard V001"),
        (
            messages.request(namespace="http://www.xleitstelle.de/xbau/2/9"),
            "would be held: SchemaMissing",
        ),
        (
            (
                ROOT / "adapters/wolfsburg/bau/samples/code-unbekannt/1-request.xoev.xml"
            ).read_bytes(),
            "would be rejected: UnknownCode S011",
        ),
    ],
    ids=["doctype", "no-xml", "real-message", "unknown-standard", "missing-version", "code"],
)
def test_a_message_that_is_not_delivered_is_explained(
    place: Site, type_: Type, body: bytes, expected: str
) -> None:
    place.file("message.xml", body)
    ran = type_("explain", "message.xml", "--party", "bauportal")

    assert ran.code == 1
    assert expected in ran.out


def test_a_missing_file_is_an_error(type_: Type) -> None:
    ran = type_("explain", "nothing.xml")

    assert ran.code == 1
    assert ran.err == "error: nothing.xml cannot be read: No such file or directory\n"


def test_adapters_are_listed_with_their_samples(type_: Type) -> None:
    found = type_("adapters", "list", "--json").json["adapters"]

    assert {one["name"] for one in found} >= {"wolfsburg/bau", "braunschweig/bau", "salzgitter/bau"}
    assert all(one["samples"] and one["accepts"] for one in found)


def test_the_samples_of_an_adapter_are_run(type_: Type) -> None:
    ran = type_("adapters", "test", "wolfsburg/bau")

    assert ran.code == 0
    assert ran.out.splitlines()[-1].endswith(" 0 wrong")


def test_a_wrong_sample_is_shown_and_can_be_updated(
    place: Site, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "adapters", place.folder / "own")
    monkeypatch.setenv("XOEV_BROKER_ADAPTERS", str(place.folder / "own"))
    file = place.folder / "own/wolfsburg/bau/samples/einfach/2-request.legacy.xml"
    right = file.read_bytes()
    file.write_bytes(right.replace(b"ERRICHTUNG", b"ABRISS"))
    before, update, after = (
        type_("adapters", "test", "wolfsburg/bau"),
        type_("adapters", "test", "wolfsburg/bau", "--update"),
        type_("adapters", "test", "wolfsburg/bau", "--json"),
    )

    assert (before.code, update.code, after.code) == (1, 0, 0)
    assert "+" in before.out
    assert "ERRICHTUNG" in before.out
    assert b"ERRICHTUNG" in file.read_bytes()


def test_a_broken_adapter_is_no_unknown_one(
    place: Site, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    _private(place, monkeypatch, "class\n")
    broken, unknown = (type_("adapters", "test", name) for name in ("goslar/bau", "goslar/baum"))

    assert (broken.code, unknown.code) == (1, 1)
    assert "broken: goslar/bau/adapter.py:1: is not Python" in broken.err
    assert 'unknown adapter "goslar/baum"' in unknown.err


def test_standards_say_what_judges(type_: Type) -> None:
    found = type_("schemas", "list", "--json").json["standards"]

    assert ("xbau", "2.6", "profile") in [
        (one["standard"], one["version"], one["judged_by"]) for one in found
    ]
    assert all(len(one["digest"]) == 64 for one in found)
    assert json.dumps(found)
