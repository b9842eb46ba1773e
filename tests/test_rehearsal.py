"""Rehearsing the next version: who would be refused, by reason, and what of this place it touches.

XBau 2.7 does not exist: it is made here of our own profile of 2.6, with a planted incompatibility.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.catalog import Catalog
from broker.cli import release
from broker.cli.paper import diffed, rehearsal
from broker.errors import BrokerError, ConfigError
from broker.impact import Impact, Release, impact
from broker.journal.entry import decode
from broker.rehearsal import Reason, Rehearsal, Rehearse, Wanted
from broker.xoev import edition
from broker.xoev.change import Change, Difference, What
from broker.xoev.codelists import CodeLists
from broker.xoev.diff import NO_RULES, ONE_SIDED, Diff, compare
from broker.xoev.edition import Edition
from broker.xoev.judgement import Checks, Levels
from broker.xoev.rules import Rules
from broker.xoev.stage import Stage, rewritten
from broker.xoev.standards import Standards
from tests import messages, site
from tests.needs import ROOT
from tests.site import Site
from tests.xoev import folders

UUID = "[0-9A-Fa-f]{8}(-"
PLANTED = "(9[02-9A-Fa-f]|[0-8A-Fa-f][0-9A-Fa-f])[0-9A-Fa-f]{6}(-"  # not ids that start with 91
OLD, NEW = "http://www.xleitstelle.de/xbau/2/6", "http://www.xleitstelle.de/xbau/2/7"
KIND = "baugenehmigung.antrag.0200"
GOOD = "11111111-1111-4111-8111-111111111111"
BAD = "91111111-1111-4111-8111-111111111111"
SAMPLE = "afb0aada-6ec9-581a-bdfe-1165e98d5bb7"  # of wolfsburg/bau/einfach


def track(items: Sequence[str], _label: str) -> Iterable[str]:
    return items


@pytest.fixture
def schemas(tmp_path: Path) -> Path:
    """Our profiles, and XBau 2.7 with the planted incompatibility, in force from 2099 on."""
    folder = tmp_path / "schemas"
    shutil.copytree(ROOT / "schemas/xoev", folder)
    shutil.copytree(folder / "xbau/2.6/profile", folder / "xbau/2.7/profile")
    file = folder / "xbau/2.7/profile/xbau.xsd"
    text = file.read_text("utf-8").replace(OLD, NEW).replace('fixed="2.6"', 'fixed="2.7"')
    assert UUID in text
    file.write_text(text.replace(UUID, PLANTED), "utf-8")
    (folder / "xbau/2.7/standard.yaml").write_text("valid_from: 2099-01-01\n", "utf-8")
    return folder


@pytest.fixture
def adapters(tmp_path: Path) -> Path:
    """The adapters of this repository, one golden sample with a planted id."""
    folder = tmp_path / "adapters"
    shutil.copytree(ROOT / "adapters", folder)
    file = folder / "wolfsburg/bau/samples/einfach/1-request.xoev.xml"
    text = file.read_text("utf-8")
    assert SAMPLE in text
    file.write_text(text.replace(SAMPLE, f"91{SAMPLE[2:]}"), "utf-8")
    return folder


@pytest.fixture
def place(tmp_path: Path, schemas: Path, adapters: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    (tmp_path / "site").mkdir()
    built = site.build(tmp_path / "site")
    own = {"XOEV_BROKER_SCHEMAS": str(schemas), "XOEV_BROKER_ADAPTERS": str(adapters)}
    for name, value in (built.environ | own).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path / "site")
    return built


@pytest.fixture
def standards(schemas: Path) -> Standards:
    return Standards.load(schemas)


@pytest.fixture
def catalog(adapters: Path) -> Catalog:
    return Catalog.load([adapters])


def stage(standards: Standards) -> Stage:
    return Stage(standards.bundle("xbau", "2.7"), ("xbau", "2.7"), standards)


def accept(place: Site, *bodies: bytes) -> list[str]:
    """Take messages over, as the HTTP intake would; return their ids."""
    from broker.intake import Intake

    app = place.app()
    try:
        intake = Intake(app)
        return [intake.accept(body, "bauportal", "http").id for body in bodies]
    finally:
        app.close()


def rehearse(
    place: Site, standards: Standards, catalog: Catalog, wanted: Wanted | None = None
) -> Rehearsal:
    app = place.app()
    try:
        run = Rehearse(stage(standards), app.store, app.vault, lambda _name: Levels())
        return run.run(wanted or Wanted(), catalog, "jo", track)
    finally:
        app.close()


def test_a_planted_incompatibility_in_a_stored_message_is_found(
    place: Site, standards: Standards, catalog: Catalog
) -> None:
    _, bad = accept(place, messages.request(name=GOOD), messages.request(name=BAD))
    found = rehearse(place, standards, catalog)
    reason = next(one for one in found.reasons if one.path.endswith("/nachrichtenUUID"))

    assert (found.messages["judged"], found.messages["refused"]) == (2, 1)
    assert reason.messages == (bad,)
    assert (reason.code, reason.rule) == ("X001", "CVC_PATTERN_VALID")


def test_a_planted_incompatibility_in_a_golden_sample_is_found(
    place: Site, standards: Standards, catalog: Catalog
) -> None:
    found = rehearse(place, standards, catalog)

    assert found.reasons[0].samples == ("wolfsburg/bau/einfach/1-request.xoev.xml",)
    assert found.samples["refused"] == 1
    assert found.samples["judged"] > 10


def test_no_finding_repeats_a_value_of_a_message(
    place: Site, standards: Standards, catalog: Catalog
) -> None:
    accept(place, messages.request(name=BAD))

    assert BAD not in repr(rehearse(place, standards, catalog))


def test_the_journal_knows_that_messages_were_read(
    place: Site, standards: Standards, catalog: Catalog
) -> None:
    accept(place, messages.request())
    rehearse(place, standards, catalog)
    app = place.app()
    lines = [decode(one) for one in app.store.entries() if one.event == "rehearsed"]
    app.close()

    assert [(line.actor, line.facts["standard"], line.facts["version"]) for line in lines] == [
        ("jo", "xbau", "2.7")
    ]


def test_nothing_is_changed_by_a_rehearsal(
    place: Site, standards: Standards, catalog: Catalog
) -> None:
    (id,) = accept(place, messages.request(name=BAD))
    app = place.app()
    before = app.store.row(id), app.store.payload(id, "original")
    app.close()
    rehearse(place, standards, catalog)
    app = place.app()
    after = app.store.row(id), app.store.payload(id, "original")
    app.close()

    assert before == after


def test_only_the_last_messages_are_judged(
    place: Site, standards: Standards, catalog: Catalog
) -> None:
    accept(place, messages.request(name=BAD), *(messages.request(name="") for _ in range(2)))
    found = rehearse(place, standards, catalog, Wanted(last=2))

    assert found.messages["judged"] == 2


def test_a_message_of_the_new_version_is_not_judged_again(
    place: Site, standards: Standards, catalog: Catalog
) -> None:
    accept(place, messages.request(namespace=NEW))

    assert rehearse(place, standards, catalog).messages["judged"] == 0


def test_an_erased_payload_is_counted(place: Site, standards: Standards, catalog: Catalog) -> None:
    accept(place, messages.request())
    database = sqlite3.connect(place.folder / "var/broker.sqlite")
    database.execute("delete from payloads")
    database.commit()
    database.close()
    found = rehearse(place, standards, catalog)

    assert (found.messages["judged"], found.messages["erased"]) == (0, 1)


def test_a_payload_that_cannot_be_opened_is_named(
    place: Site, standards: Standards, catalog: Catalog
) -> None:
    (id,) = accept(place, messages.request())
    database = sqlite3.connect(place.folder / "var/broker.sqlite")
    database.execute("update payloads set box = zeroblob(length(box))")
    database.commit()
    database.close()
    found = rehearse(place, standards, catalog)

    assert (found.broken, found.messages["judged"]) == ((id,), 0)


def test_what_its_own_version_refused_is_no_news(
    place: Site, standards: Standards, catalog: Catalog
) -> None:
    accept(place, messages.invalid())
    place.work()
    found = rehearse(place, standards, catalog)

    assert (found.messages["judged"], found.messages["before"]) == (0, 1)


def test_only_declarations_of_namespaces_are_rewritten() -> None:
    raw = f"<a xmlns='{OLD}' xmlns:b = \"{OLD}\"><b:c>{OLD}</b:c></a>".encode()

    assert rewritten(raw, {NEW}) == (
        f"<a xmlns='{NEW}' xmlns:b = \"{NEW}\"><b:c>{OLD}</b:c></a>".encode()
    )


def test_bytes_that_are_no_xml_are_a_finding(standards: Standards) -> None:
    found = stage(standards).judge(b"<a")

    assert [one.code for one in found] == ["X000"]


@pytest.fixture
def touched(place: Site, standards: Standards, catalog: Catalog) -> Impact:
    app = place.app()
    table = app.site.table.table
    app.close()
    diff = compare(standards.bundle("xbau", "2.6"), standards.bundle("xbau", "2.7"))
    return impact(Release(diff, "xbau", "2.6", "2.7"), table, catalog, stage(standards), track)


def test_routes_that_do_not_take_the_new_version_are_named(touched: Impact) -> None:
    assert {(way.name, way.takes) for way in touched.ways} == {
        ("bau/wolfsburg", False),
        ("bau/braunschweig", False),
        ("bau/salzgitter", False),
    }
    assert all(way.strict for way in touched.ways)


def test_adapters_that_name_the_old_namespace_are_named(touched: Impact) -> None:
    found = {one.adapter: one for one in touched.adapters}

    assert not found["wolfsburg/bau"].accepts
    assert f"wolfsburg/bau/to_legacy.xsl: {OLD}" in found["wolfsburg/bau"].namespaces


def test_a_sample_that_no_longer_validates_is_named(touched: Impact) -> None:
    assert [name for name, _ in touched.samples] == ["wolfsburg/bau/einfach/1-request.xoev.xml"]


def test_an_xpath_that_names_what_changed_is_named_with_its_line(
    tmp_path: Path, standards: Standards, catalog: Catalog
) -> None:
    old, new = standards.bundle("xbau", "2.6"), tmp_path / "next"
    shutil.copytree(old.folder, new)
    file = new / "xbau.xsd"
    text = file.read_text("utf-8")
    extra = '<xs:element name="bauvorhaben" type="xs:{}"/><xs:any namespace="##any"'
    plain = '<xs:any namespace="##any"'
    shutil.copytree(new, tmp_path / "before")
    (tmp_path / "before/xbau.xsd").write_text(
        text.replace(plain, extra.format("string"), 1), "utf-8"
    )
    file.write_text(text.replace(plain, extra.format("date"), 1), "utf-8")
    folder = tmp_path / "schemas"
    before = edition.find(str(tmp_path / "before"), standards, folder).bundle
    diff = compare(before, edition.find(str(new), standards, folder).bundle)
    found = impact(Release(diff, "xbau", "2.6", "2.7"), None, catalog, None, track)
    places = {(one.adapter, one.place.partition(":")[0]) for one in found.mentions}

    assert ("wolfsburg/bau", "wolfsburg/bau/to_legacy.xsl") in places
    assert all("bauvorhaben" in one.xpath for one in found.mentions)


def test_a_folder_finds_its_standard_and_version(schemas: Path, standards: Standards) -> None:
    found = edition.find(str(schemas / "xbau/2.7/profile"), standards, schemas)

    assert found.standard == "xbau"


def test_a_name_that_is_neither_version_nor_folder_is_refused(
    schemas: Path, standards: Standards
) -> None:
    with pytest.raises(ConfigError, match=r'did you mean "xbau/2\.7"'):
        edition.find("xbau/2.8", standards, schemas)


def test_a_folder_without_schemas_is_refused(tmp_path: Path, standards: Standards) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no XSD files"):
        edition.find(str(tmp_path / "empty"), standards, tmp_path / "schemas")


def test_an_installed_version_keeps_its_name(schemas: Path, standards: Standards) -> None:
    found = edition.find("xbau/2.7", standards, schemas)

    assert found == Edition(standards.bundle("xbau", "2.7"), "xbau", "2.7")


Type = Callable[..., Result]


@pytest.fixture
def type_(place: Site) -> Type:
    """Return what types one of the two commands."""
    from typer import Typer

    app = Typer(pretty_exceptions_enable=False)
    app.command("diff")(release.compared)
    app.command("rehearse")(release.rehearsed)

    def run(*args: str) -> Result:
        result = CliRunner().invoke(app, args, catch_exceptions=False)
        assert result.exit_code == 0
        return result

    return run


def document(result: Result) -> Any:
    return json.loads(result.stdout)


def test_the_command_tells_a_diff_and_what_it_touches(type_: Type) -> None:
    text = type_("diff", "xbau/2.6", "xbau/2.7").stdout

    assert "2 of them (!) can refuse" in text
    assert "Uuid" in text
    assert "wolfsburg/bau/einfach/1-request.xoev.xml" in text


def test_a_diff_for_machines_has_stable_keys(type_: Type) -> None:
    found = document(type_("diff", "xbau/2.6", "xbau/2.7", "--json"))

    assert found["namespaces"] == {OLD: NEW}
    assert {one["owner"] for one in found["changes"]} == {"Message", "Uuid"}
    assert {one["route"] for one in found["routes"]} == {
        "bau/wolfsburg",
        "bau/braunschweig",
        "bau/salzgitter",
    }


def test_a_diff_as_a_page_is_german_and_complete(type_: Type, tmp_path: Path) -> None:
    type_("diff", "xbau/2.6", "xbau/2.7", "--html", str(tmp_path / "diff.html"))
    page = (tmp_path / "diff.html").read_text("utf-8")

    assert '<html lang="de">' in page
    assert "Versionswechsel xbau/2.6 → xbau/2.7" in page
    assert "In dieser Installation" in page
    assert "http-equiv" not in page
    assert "src=" not in page


def test_a_broken_table_of_routes_does_not_stop_the_diff(type_: Type, place: Site) -> None:
    place.routes.write_text("routes: {", "utf-8")
    result = type_("diff", "xbau/2.6", "xbau/2.7")

    assert "the routes are left out" in result.stderr
    assert "Uuid" in result.stdout


def test_the_command_tells_who_would_be_refused(type_: Type, place: Site) -> None:
    (id,) = accept(place, messages.request(name=BAD))
    text = type_("rehearse", "xbau/2.7", "--actor", "jo").stdout

    assert "1 of 1 stored messages" in text
    assert id in text
    assert BAD not in text


def test_a_rehearsal_for_machines_has_stable_keys(type_: Type, place: Site) -> None:
    (id,) = accept(place, messages.request(name=BAD))
    found = document(type_("rehearse", "xbau/2.7", "--json"))

    assert found["messages"]["refused"] == 1
    assert found["reasons"][0]["messages"] == [id]


def test_a_rehearsal_as_a_page_names_ids_and_no_values(
    type_: Type, place: Site, tmp_path: Path
) -> None:
    (id,) = accept(place, messages.request(name=BAD))
    type_("rehearse", "xbau/2.7", "--html", str(tmp_path / "probe.html"))
    page = (tmp_path / "probe.html").read_text("utf-8")

    assert "Probelauf xbau 2.7" in page
    assert id in page
    assert BAD not in page


def test_messages_before_a_time_are_left_out(type_: Type, place: Site) -> None:
    accept(place, messages.request(name=BAD))
    found = document(type_("rehearse", "xbau/2.7", "--since", "2099-01-01", "--json"))

    assert found["messages"]["judged"] == 0


def as_2_5(path: Path) -> bytes:
    """Return a message of XBau 2.6 as if it had been written for 2.5 and Kernmodul 1.2.2."""
    text = path.read_text("utf-8")
    text = text.replace("/xbau/2/6", "/xbau/2/5").replace("/kernmodul/1/3/0", "/kernmodul/1/2/2")
    return text.replace('version="2.6"', 'version="2.5"').encode()


def test_messages_of_an_older_version_are_judged_by_the_official_newer_one(
    shared: Path, tmp_path: Path
) -> None:
    folder = folders.official(shared, tmp_path / "official")
    standards = Standards.load(folder)
    newer = Stage(standards.bundle("xbau", "2.6"), ("xbau", "2.6"), standards)
    found = {path.name: newer.judge(as_2_5(path)) for path in folders.samples(shared)}

    assert found
    assert not [name for name, findings in found.items() if findings]


def test_the_official_newer_version_names_what_it_misses(shared: Path, tmp_path: Path) -> None:
    folder = folders.official(shared, tmp_path / "official")
    standards = Standards.load(folder)
    newer = Stage(standards.bundle("xbau", "2.6"), ("xbau", "2.6"), standards)
    sample = next(path for path in folders.samples(shared) if b"<anlagen>" in as_2_5(path) or
                  b":anlagen>" in as_2_5(path))  # fmt: skip
    raw = re.sub(rb"<(\w+:)?anlagen>.*</(\w+:)?anlagen>", b"", as_2_5(sample), flags=re.DOTALL)
    found = newer.judge(raw)

    assert "anlagen" in found[0].text


def _broken_rule(schemas: Path) -> None:
    folder = schemas / "xbau/2.7"
    (folder / "profile").rename(folder / "official")
    (folder / "rules").mkdir()
    (folder / "rules/regel.sch").write_text(
        '<sch:schema xmlns:sch="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2">'
        f'<sch:ns prefix="x" uri="{NEW}"/><sch:pattern><sch:rule context="x:anlagen">'
        '<sch:assert id="r-1" test="false()">Keine Anlagen.</sch:assert></sch:rule></sch:pattern>'
        "</sch:schema>",
        "utf-8",
    )


def test_codes_and_rules_of_an_installed_version_count_too(schemas: Path) -> None:
    _broken_rule(schemas)
    standards = Standards.load(schemas)
    checks = Checks(standards, CodeLists.load(schemas), Rules.load(schemas))
    bundle = standards.bundle("xbau", "2.7")
    newer = Stage(bundle, ("xbau", "2.7"), standards, checks)
    found = newer.judge(messages.request(name=GOOD), Levels(codelists="off"))

    assert [one.rule for one in found] == ["r-1"]


def test_a_version_in_the_head_is_rewritten_too(tmp_path: Path) -> None:
    folder = tmp_path / "schemas/xjustiz/3.6.2/official"
    folder.mkdir(parents=True)
    (folder / "x.xsd").write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="http://www.xjustiz.de" '
        'targetNamespace="http://www.xjustiz.de" elementFormDefault="qualified">'
        '<xs:element name="nachricht.gds.basis.0005006"><xs:complexType><xs:sequence>'
        '<xs:element name="nachrichtenkopf"><xs:complexType><xs:attribute name="xjustizVersion" '
        'type="xs:string" fixed="3.6.2"/></xs:complexType></xs:element></xs:sequence>'
        "</xs:complexType></xs:element></xs:schema>",
        "utf-8",
    )
    (tmp_path / "schemas/xjustiz/standard.yaml").write_text(
        "standard: xjustiz\nnamespace: http://www\\.xjustiz\\.de\n", "utf-8"
    )
    standards = Standards.load(tmp_path / "schemas")
    newer = Stage(standards.bundle("xjustiz", "3.6.2"), ("xjustiz", "3.6.2"), standards)
    raw = (
        b'<nachricht.gds.basis.0005006 xmlns="http://www.xjustiz.de">'
        b'<nachrichtenkopf xjustizVersion="3.5.1"/></nachricht.gds.basis.0005006>'
    )

    assert newer.judge(raw) == ()


def test_what_is_no_message_of_the_standard_is_not_taken(standards: Standards) -> None:
    assert not stage(standards).takes(b"<a xmlns='urn:fremd'/>")
    assert not stage(standards).takes(b"no xml")


def test_a_folder_of_no_standard_is_compared_but_touches_nothing(
    type_: Type, tmp_path: Path
) -> None:
    for name, kind in (("old", "string"), ("new", "token")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.xsd").write_text(
            '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:fremd" '
            f'version="{name}"><xs:element name="fremd.nachricht.0001" type="xs:{kind}"/>'
            "</xs:schema>",
            "utf-8",
        )
    result = type_("diff", str(tmp_path / "old"), str(tmp_path / "new"))

    assert "is of no standard that is installed here" in result.stderr
    assert "narrowed" in result.stdout


def test_only_what_can_refuse_is_shown_on_demand(type_: Type) -> None:
    every = type_("diff", "xbau/2.6", "xbau/2.7").stdout
    strict = type_("diff", "xbau/2.6", "xbau/2.7", "--strict", "--message", KIND).stdout

    assert len(strict.splitlines()) <= len(every.splitlines())
    assert "Uuid" in strict


def test_a_version_that_changes_nothing_touches_nothing(type_: Type) -> None:
    text = type_("diff", "xbau/2.6", "xbau/2.6").stdout

    assert "0 changes" in text


def test_a_page_that_cannot_be_written_is_an_error(place: Site) -> None:
    with pytest.raises(BrokerError, match="cannot be written"):
        release.compared("xbau/2.6", "xbau/2.7", html=Path("missing/diff.html"))


def test_a_folder_can_be_rehearsed_before_it_is_installed(
    type_: Type, place: Site, schemas: Path
) -> None:
    accept(place, messages.request(name=BAD))
    found = document(type_("rehearse", str(schemas / "xbau/2.7/profile"), "--json"))

    assert found["messages"]["refused"] == 1


def test_left_out_messages_are_told(type_: Type, place: Site) -> None:
    accept(place, messages.invalid())
    place.work()
    text = type_("rehearse", "xbau/2.7").stdout

    assert "1 messages were not judged: their own version refused them already" in text


def test_a_stylesheet_that_is_no_xml_is_named(
    standards: Standards, catalog: Catalog, adapters: Path
) -> None:
    (adapters / "wolfsburg/bau/rest.xsl").write_text("<xsl:stylesheet", "utf-8")
    diff = compare(standards.bundle("xbau", "2.6"), standards.bundle("xbau", "2.7"))

    with pytest.raises(ConfigError, match=r"wolfsburg/bau/rest\.xsl"):
        impact(Release(diff, "xbau", "2.6", "2.7"), None, catalog, None, track)


def test_the_page_of_a_rehearsal_says_what_was_left_out() -> None:
    reasons = (
        Reason("X001", "Group", "/a/b", "an element is missing, expected: c", tuple("123456")),
        Reason("S011", "unknown code", "/a/d", 'not in code list "urn:x"', (), ("x/y/1.xml",)),
    )
    found = Rehearsal(
        "xbau", "2.7", "0" * 64, True, Counter(judged=6, refused=6, erased=2), Counter(), reasons
    )
    page = rehearsal(found)

    assert "2 Nachrichten: Inhalt bereits gelöscht" in page
    assert "Nur das Profil ist installiert" in page
    assert "Erwartet: c." in page
    assert "3 weitere" in page
    assert "urn:x" in page


def test_the_page_of_a_diff_escapes_and_translates() -> None:
    changes = tuple(
        Change(Difference(What.CHANGED, "element", "Typ", path, aspect, before, after, True), kinds)
        for path, aspect, before, after, kinds in (
            ("a", "order", "first", "after <b>", ("k.1",)),
            ("c", "meaning of 01", "x" * 300, "y", ("k.1", "k.2", "k.3")),
        )
    )
    diff = Diff(
        "a/1", "a/2", {}, ("k.1", "k.2", "k.3", "k.4"), changes, (NO_RULES, f"a/1{ONE_SIDED}")
    )
    page = diffed(("a/1", "a/2"), diff, Impact((), (), (), ()))

    assert "an erster Stelle" in page
    assert "nach &lt;b&gt;" in page
    assert "Bedeutung von 01" in page
    assert "3 Nachrichten" in page
    assert "Nichts in dieser Installation ist betroffen." in page
    assert "a/1 liegt hier ohne Schematron-Dateien" in page


def test_rules_refuse_as_the_route_says(type_: Type, place: Site, schemas: Path) -> None:
    _broken_rule(schemas)
    accept(place, messages.request(name=GOOD))
    found = document(type_("rehearse", "xbau/2.7", "--json"))

    assert found["messages"] == {
        "judged": 1, "refused": 0, "before": 0, "erased": 0, "broken": 0,
    }  # fmt: skip


def test_rules_refuse_on_demand(type_: Type, place: Site, schemas: Path) -> None:
    _broken_rule(schemas)
    (id,) = accept(place, messages.request(name=GOOD))
    found = document(type_("rehearse", "xbau/2.7", "--rules", "error", "--json"))
    reason = next(one for one in found["reasons"] if one["rule"] == "r-1")

    assert reason["messages"] == [id]
    assert "wolfsburg/bau/anlagen/1-request.xoev.xml" in reason["samples"]
