"""All checks of one message, and how their result is told: JSON, KoSIT's XML, HTML."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from lxml import etree

from broker.errors import Finding
from broker.xoev.codelists import CodeLists
from broker.xoev.judgement import Basis, Checks, Judgement, Levels, Step, judge
from broker.xoev.page import as_html
from broker.xoev.remark import Remark
from broker.xoev.report import as_json, as_xml
from broker.xoev.rules import Rules
from broker.xoev.standards import Standards
from tests import needs
from tests.xoev.folders import official, samples
from tests.xoev.letters import letter
from tests.xoev.lists import COLOURS, written

AT = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
ENGINE = "xoev-broker 0.1.0"
PLANTED = "GEHEIM-1964"
REP = {"r": "http://www.xoev.de/de/validator/varl/1",
       "s": "http://www.xoev.de/de/validator/framework/1/scenarios"}  # fmt: skip
CODE = (
    '<xs:complexType><xs:sequence><xs:element name="code" type="xs:token" form="unqualified"/>'
    f'</xs:sequence><xs:attribute name="listURI" type="xs:anyURI" fixed="{COLOURS}"/>'
    '<xs:attribute name="listVersionID" type="xs:string" fixed="1.0"/></xs:complexType>'
)
XSD = f"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:m:1"
  elementFormDefault="qualified"><xs:element name="m.0001"><xs:complexType><xs:sequence>
  <xs:element name="nachrichtenkopf.g2g" form="unqualified"><xs:complexType><xs:sequence>
    <xs:any minOccurs="0" maxOccurs="unbounded" processContents="skip" namespace="##any"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="farbe">{CODE}</xs:element><xs:element name="zahl" type="xs:integer"/>
</xs:sequence></xs:complexType></xs:element></xs:schema>"""
SCH = """<sch:schema xmlns:sch="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2">
<sch:ns prefix="m" uri="urn:m:1"/><sch:pattern><sch:rule context="m:zahl">
<sch:assert id="r1" test=". &lt; 10">Die Zahl ist zu groß.</sch:assert>
<sch:assert id="r2" test=". &lt; 5" role="warning">Die Zahl ist groß.</sch:assert>
</sch:rule></sch:pattern></sch:schema>"""


def message(code: str = "rot", number: str = "1") -> bytes:
    return (
        '<m.0001 xmlns="urn:m:1"><nachrichtenkopf.g2g xmlns=""/>\n'
        f'<farbe><code xmlns="">{code}</code></farbe>\n<zahl>{number}</zahl></m.0001>'
    ).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An installation with one invented standard: a schema, a code list, two rules."""
    official = tmp_path / "m/1/official"
    official.mkdir(parents=True)
    (tmp_path / "m/standard.yaml").write_text(
        "standard: m\ntitle: XMuster\nnamespace: urn:m:(\\d)\n", encoding="utf-8"
    )
    (official / "a.xsd").write_text(XSD, encoding="utf-8")
    (official / "a.sch").write_text(SCH, encoding="utf-8")
    written(tmp_path / "codelists")
    return tmp_path


def checks(folder: Path) -> Checks:
    return Checks(Standards.load(folder), CodeLists.load(folder), Rules.load(folder))


def judged(folder: Path, raw: bytes, levels: Levels | None = None) -> Judgement:
    return judge(raw, "a.xml", checks(folder), AT, levels)


def outcomes(judgement: Judgement) -> list[str]:
    return [step.outcome for step in judgement.steps]


def test_a_message_that_is_right_is_accepted_and_says_what_judged_it(folder: Path) -> None:
    found = judged(folder, message())

    assert (found.verdict, found.reason, outcomes(found)) == ("accept", "", ["passed"] * 4)
    assert (found.title, found.version, found.kind) == ("XMuster", "1", "m.0001")
    assert found.digest == hashlib.sha256(message()).hexdigest()
    assert [one.name for step in found.steps for one in step.basis] == [
        "m/1/official", COLOURS, "m/1: a.sch"]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "reason", "expected"),
    [
        (b"<m.0001", "X000", ["failed", "skipped", "skipped", "skipped"]),
        (b"<!DOCTYPE a><a/>", "X000", ["failed", "skipped", "skipped", "skipped"]),
        (message(number=PLANTED), "X001", ["passed", "failed", "skipped", "skipped"]),
        (message().replace(b"urn:m:1", b"urn:other"), "V001",
         ["passed", "failed", "skipped", "skipped"]),
        (message(code=PLANTED), "S011", ["passed", "passed", "failed", "passed"]),
        (message(number="10"), "X002", ["passed", "passed", "passed", "failed"]),
        (message(code=PLANTED, number="10"), "S011", ["passed", "passed", "failed", "failed"]),
    ],
)  # fmt: skip
def test_a_message_that_is_wrong_is_rejected_with_its_reason(
    folder: Path, raw: bytes, reason: str, expected: list[str]
) -> None:
    found = judged(folder, raw)

    assert (found.verdict, found.reason, outcomes(found)) == ("reject", reason, expected)


def test_a_version_that_is_not_installed_is_nobodys_fault(folder: Path) -> None:
    found = judged(folder, message().replace(b"urn:m:1", b"urn:m:2"))

    assert (found.verdict, found.reason) == ("undecided", "V000")
    assert not found.matched


def test_a_warning_of_a_rule_does_not_reject(folder: Path) -> None:
    found = judged(folder, message(number="7"))

    assert found.verdict == "accept"
    assert [one.finding.rule for one in found.steps[3].remarks] == ["r2"]


def test_a_route_may_be_lenient(folder: Path) -> None:
    raw = message(code="gelb", number="10")

    assert judged(folder, raw, Levels("warning", "warning")).verdict == "accept"
    assert outcomes(judged(folder, raw, Levels("off", "off")))[2:] == ["skipped", "skipped"]


def test_where_no_rules_are_installed_the_step_is_skipped(folder: Path) -> None:
    (folder / "m/1/official/a.sch").unlink()
    found = judged(folder, message())

    assert (found.steps[3].outcome, found.steps[3].note) == ("skipped", "no rules are installed")


def test_everything_can_be_compiled_beforehand(folder: Path) -> None:
    (folder / "m/1/rules").mkdir()
    (folder / "m/1/rules/b.sch").write_text(
        SCH.replace(". &lt; 10", "key('a', .)"), encoding="utf-8"
    )

    assert [one.line for one in checks(folder).compile_all()] == [3]


def test_json_has_stable_keys(folder: Path) -> None:
    told = json.loads(as_json(judged(folder, message(number="10")), ENGINE))

    assert list(told) == ["engine", "file", "size", "sha256", "judged_at", "standard", "version",
                          "kind", "verdict", "reason", "steps"]  # fmt: skip
    assert told["judged_at"] == "2026-11-24T10:30:00.000Z"
    assert told["steps"][3]["findings"][0] == {
        "severity": "error", "rule": "r1", "reason": "X002", "path": "/m.0001/zahl", "line": 3,
        "column": 0, "text": "Die Zahl ist zu groß."}  # fmt: skip


def test_xml_speaks_the_terms_of_the_validator_of_kosit(folder: Path) -> None:
    raw = message(number="10")
    root = etree.fromstring(as_xml(judged(folder, raw), ENGINE))
    digest = base64.b64encode(hashlib.sha256(raw).digest()).decode()

    assert (root.tag, root.get("valid")) == (f"{{{REP['r']}}}report", "false")
    assert root.findtext("r:documentIdentification/r:documentHash/r:hashValue", "", REP) == digest
    assert root.findtext("r:scenarioMatched/s:scenario/s:name", "", REP) == "XMuster 1 m.0001"
    steps = root.findall("r:scenarioMatched/r:validationStepResult", REP)
    assert [(one.get("id"), one.get("valid")) for one in steps] == [
        ("val-xml", "true"), ("val-xsd", "true"), ("val-codelists", "true"),
        ("val-sch.1", "false")]  # fmt: skip
    message_ = steps[3].find("r:message", REP)
    assert message_ is not None
    assert {str(name): value for name, value in message_.attrib.items()} == {
        "id": "val-sch.1.1", "level": "error", "code": "r1", "xpathLocation": "/m.0001/zahl",
        "lineNumber": "3"}  # fmt: skip
    assert root.find("r:assessment/r:reject", REP) is not None


def test_xml_of_an_accepted_message_accepts(folder: Path) -> None:
    root = etree.fromstring(as_xml(judged(folder, message()), ENGINE))

    assert root.get("valid") == "true"
    assert root.find("r:assessment/r:accept", REP) is not None


def test_without_a_standard_no_scenario_matched(folder: Path) -> None:
    raw = message().replace(b"urn:m:1", b"urn:other")
    root = etree.fromstring(as_xml(judged(folder, raw), ENGINE))

    assert root.find("r:noScenarioMatched", REP) is not None
    assert root.find("r:scenarioMatched", REP) is None
    assert root.find("r:assessment/r:reject", REP) is not None


def test_in_xml_a_code_is_told_by_its_reason(folder: Path) -> None:
    root = etree.fromstring(as_xml(judged(folder, message(code="gelb")), ENGINE))

    assert [one.get("code") for one in root.iterfind(".//r:message", REP)] == ["S011"]


def test_a_file_name_with_control_characters_makes_no_broken_report(folder: Path) -> None:
    found = judge(message(), "a\x1b[31m<b>.xml", checks(folder), AT)
    root = etree.fromstring(as_xml(found, ENGINE))

    assert root.findtext(".//r:documentReference", "", REP) == "a[31m<b>.xml"
    assert "<b>" not in as_html(found, ENGINE)


class Page(HTMLParser):
    """Collects what a page loads and whether its elements are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "wbr"):
            self.open.append(tag)
        self.loaded += [name for name, _ in attrs if name in ("src", "href", "onclick")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (message(), "Angenommen"),
        (message(number="10"), "Abgewiesen (Grund X002)"),
        (message(code="gelb"), "Der Code steht nicht in der genannten Codeliste."),
        (message(number="x"), "Der Wert hat nicht den Datentyp des Schemas."),
        (b"<a", "kein zulässiges XML-Dokument"),
        (message().replace(b"urn:m:1", b"urn:m:2"), "Nicht entschieden"),
        (message().replace(b"urn:m:1", b"urn:x"), "Nachrichtentyp nicht erkannt"),
    ],
)
def test_the_page_is_german_whole_and_loads_nothing(folder: Path, raw: bytes, said: str) -> None:
    page = Page(as_html(judged(folder, raw), ENGINE))

    assert said in page.words
    assert (page.open, page.loaded) == ([], [])


def test_the_page_names_one_rule_once_with_all_its_places() -> None:
    findings = [Finding("Leer.", path=f"/a/b[{at}]", line=at, rule="r") for at in (1, 2)]
    step = Step("rules", "failed", tuple(Remark("error", one) for one in findings))
    made = Judgement("a.xml", 1, "00", AT, "reject", "X002", (step,))
    page = as_html(made, ENGINE)

    assert page.count("Leer.") == 1
    assert "Zeile 1 · /<wbr>a/<wbr>b[1]" in page
    assert "2 Fehler" in page


def test_everything_on_the_page_is_escaped() -> None:
    evil = "<script>alert(1)</script>&\"'"
    finding = Finding(evil, path=evil, rule=evil, code=evil)
    step = Step("rules", "failed", (Remark("error", finding),), (Basis(evil, evil, evil),), evil)
    made = Judgement(evil, 1, evil, AT, "reject", evil, (step,), evil, evil, evil)

    assert "<script" not in as_html(made, evil)


@pytest.mark.parametrize("raw", [message(PLANTED), message(number=PLANTED), PLANTED.encode()])
def test_no_report_repeats_a_value_of_the_message(folder: Path, raw: bytes) -> None:
    found = judged(folder, raw)

    for report in (as_json(found, ENGINE), as_xml(found, ENGINE).decode(), as_html(found, ENGINE)):
        assert PLANTED not in report


def test_with_only_a_profile_the_report_says_that_the_content_was_not_checked() -> None:
    found = judge(letter(), "a.xml", checks(needs.ROOT / "schemas/xoev"), AT)

    assert found.verdict == "accept"
    assert "only the profile is installed" in found.steps[1].note
    assert "Nur das Profil ist installiert" in as_html(found, ENGINE)


@needs.shared
def test_all_synthetic_messages_are_judged_as_they_were_made(tmp_path: Path) -> None:
    target = official(needs.SHARED, tmp_path / "xoev")
    made = checks(target)
    folder = needs.SHARED / "xoev/xbau_2.6/samples/synthetic"
    found = {
        path.name.partition("_baugenehmigung")[0]: judge(path.read_bytes(), path.name, made, AT)
        for path in sorted(folder.glob("*0200.xml"))
    }

    refused = {name: one.reason for name, one in found.items() if one.steps[1].outcome == "failed"}
    assert refused == {"INVALID_v000_version": "V000", "INVALID_x001": "X001"}
    assert len(samples(needs.SHARED)) == 7
