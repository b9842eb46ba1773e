"""The gate and its explanations: places and rules, never values."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from lxml import etree

from broker.document import Limits, parse
from broker.errors import ConfigError, SchemaViolation
from broker.xoev import validation
from broker.xoev.bundle import Bundle
from broker.xoev.validation import Validator

PLANTED = "GEHEIM-1964"
XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:x"
  xmlns="urn:x">
<xs:simpleType name="Bytes"><xs:restriction base="xs:base64Binary"/></xs:simpleType>
<xs:element name="m.0001"><xs:complexType><xs:sequence>
  <xs:element name="born" type="xs:date" minOccurs="0" maxOccurs="unbounded"/>
  <xs:element name="at" type="xs:dateTime" minOccurs="0"/>
  <xs:element name="data" type="Bytes" minOccurs="0"/>
  <xs:element name="person" minOccurs="0" maxOccurs="unbounded"><xs:complexType>
    <xs:attribute name="id" type="xs:ID"/><xs:attribute name="of" type="xs:IDREF"/>
  </xs:complexType></xs:element>
  <xs:element name="chief" type="xs:IDREF" minOccurs="0"/>
  <xs:any namespace="##other" processContents="skip" minOccurs="0"/>
</xs:sequence></xs:complexType></xs:element></xs:schema>"""


def validator(folder: Path, text: str = XSD, namespace: str = "urn:x") -> Validator:
    (folder / "a.xsd").write_text(text, encoding="utf-8")
    return Validator(Bundle("x/1/official", folder, False), namespace, threading.Lock())


def message(body: str) -> str:
    return f'<x:m.0001 xmlns:x="urn:x">\n{body}</x:m.0001>'


def findings(judge: Validator, text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(SchemaViolation) as caught:
        judge.check(parse(text.encode()))
    return [(found.line, found.path, found.rule) for found in caught.value.findings]


def test_a_valid_message_passes(tmp_path: Path) -> None:
    validator(tmp_path).check(parse(message("<born>1964-01-01</born>").encode()))


def test_a_finding_has_line_path_rule_and_code(tmp_path: Path) -> None:
    with pytest.raises(SchemaViolation) as caught:
        validator(tmp_path).check(parse(message("<born>x</born>").encode()))

    (found,) = caught.value.findings
    assert (found.line, found.path, found.code) == (2, "/m.0001/born", "X001")
    assert found.rule == "CVC_DATATYPE_VALID_1_2_1"
    assert "type of the schema" in found.text


def test_what_is_missing_is_told_from_the_schema(tmp_path: Path) -> None:
    needed = XSD.replace('type="xs:dateTime" minOccurs="0"', 'type="xs:dateTime"')

    with pytest.raises(SchemaViolation, match=r"/m\.0001: ELEMENT_CONTENT: .*, expected: at"):
        validator(tmp_path, needed).check(parse(message("").encode()))


def test_all_findings_of_a_message_are_told(tmp_path: Path) -> None:
    found = findings(validator(tmp_path), message("<born>x</born>\n<born>y</born>"))

    assert [(line, path) for line, path, _ in found] == [
        (2, "/m.0001/born[1]"),
        (3, "/m.0001/born[2]"),
    ]


def test_at_most_fifty_findings_are_told(tmp_path: Path) -> None:
    assert len(findings(validator(tmp_path), message("<born>x</born>\n" * 200))) == 50


@pytest.mark.parametrize(
    "body",
    [
        f"<born>{PLANTED}</born>",
        f"<{PLANTED}/>",
        f"<born {PLANTED}='1'>1964-01-01</born>",
        f"<born a='{PLANTED}'>1964-01-01</born>",
        f"<data>{PLANTED}!</data>",
        f"<person of='{PLANTED}'/>",
        f"<{PLANTED}><born>{PLANTED}</born></{PLANTED}>",
    ],
)
@pytest.mark.parametrize("most", [validation.EXPLAINED, 0])
def test_no_text_of_a_violation_quotes_the_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, most: int
) -> None:
    monkeypatch.setattr(validation, "EXPLAINED", most)

    with pytest.raises(SchemaViolation) as caught:
        validator(tmp_path).check(parse(message(body).encode()))

    assert PLANTED not in f"{caught.value!r} {caught.value.findings!r}"
    assert caught.value.findings[0].line == 2


def test_a_path_through_a_prefix_that_is_bound_below_the_root_is_told_by_its_line(
    tmp_path: Path,
) -> None:
    found = findings(validator(tmp_path), message('<y:a xmlns:y="urn:y"/><y:b xmlns:y="urn:y"/>'))

    assert found[0][0] == 2


def test_an_unknown_root_is_told(tmp_path: Path) -> None:
    ((line, _, rule),) = findings(validator(tmp_path), '<x:other xmlns:x="urn:x"/>')

    assert (line, rule) == (1, "CVC_ELT_1")


@pytest.mark.parametrize("text", ["QUJD!", "ÄÄ", "QUJ", "QU=D", "QUJDR==="])
def test_what_is_not_strictly_base64_is_refused(tmp_path: Path, text: str) -> None:
    found = findings(validator(tmp_path), message(f"<data>{text}</data>"))

    assert (found[0][1], found[0][0]) == ("/m.0001/data", 2)


@pytest.mark.parametrize("text", ["", "QUJD", " QU\nJD ", "QQ==", "QUI="])
def test_base64_with_white_space_and_padding_is_taken(tmp_path: Path, text: str) -> None:
    validator(tmp_path).check(parse(message(f"<data>{text}</data>").encode()))


def test_a_reference_to_nothing_is_refused(tmp_path: Path) -> None:
    found = findings(validator(tmp_path), message('<person id="a"/><person of="b"/>'))

    assert found == [(2, "/m.0001/person[2]", "IDREF")]


def test_an_element_that_refers_to_nothing_is_refused(tmp_path: Path) -> None:
    found = findings(validator(tmp_path), message('<person id="a"/><chief>b</chief>'))

    assert found == [(2, "/m.0001/chief", "IDREF")]


@pytest.mark.parametrize("inside", ["<data>?</data>", '<person of="b"/>', "<chief>b</chief>"])
def test_the_same_name_in_content_that_is_not_judged_harms_nothing(
    tmp_path: Path, inside: str
) -> None:
    body = f'<y:any xmlns:y="urn:y">{inside}</y:any>'

    validator(tmp_path).check(parse(message(body).encode()))


def test_a_schema_is_compiled_once(tmp_path: Path) -> None:
    judge = validator(tmp_path)
    judge.compile()
    (tmp_path / "a.xsd").unlink()

    judge.compile()

    judge.check(parse(message("").encode()))


def test_a_reference_to_something_is_taken(tmp_path: Path) -> None:
    body = '<person id="a"/><person of="a"/><chief>a</chief>'

    validator(tmp_path).check(parse(message(body).encode()))


def test_a_time_in_white_space_is_valid_though_libxml2_refuses_it(tmp_path: Path) -> None:
    body = "<at>\n 2026-05-04T09:30:00 \n</at>"

    validator(tmp_path).check(parse(message(body).encode()))


def test_above_the_limit_libxml2_explains_alone(tmp_path: Path) -> None:
    raw = message("<born>x</born>") + " " * validation.EXPLAINED

    assert findings(validator(tmp_path), raw)[0][1] == "/m.0001/born"


def test_where_xmlschema_cannot_read_a_schema_libxml2_explains_alone(tmp_path: Path) -> None:
    # libxml2 does not check that a restriction restricts; xmlschema refuses to build it.
    wrong = XSD.replace(
        "</xs:schema>",
        """<xs:complexType name="A"><xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence>
        </xs:complexType><xs:complexType name="B"><xs:complexContent>
        <xs:restriction base="A"><xs:sequence>
        <xs:element name="b" type="xs:int"/></xs:sequence></xs:restriction></xs:complexContent>
        </xs:complexType></xs:schema>""",
    )

    assert findings(validator(tmp_path, wrong), message("<born>x</born>"))[0][0] == 2


@pytest.mark.parametrize("hint", ["schemaLocation", "noNamespaceSchemaLocation"])
def test_schemas_that_a_message_names_are_not_looked_at(tmp_path: Path, hint: str) -> None:
    place = (tmp_path / "evil.xml").as_uri()
    (tmp_path / "evil.xml").write_text(XSD.replace("xs:date", "xs:string"))
    value = f"urn:x {place}" if hint == "schemaLocation" else place
    xsi = f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:{hint}="{value}"'
    raw = message("<born>x</born>").replace("xmlns:x", f"{xsi} xmlns:x", 1)

    assert findings(validator(tmp_path), raw)[0][1] == "/m.0001/born"


def test_a_schema_that_accepts_a_wrong_message_is_not_used(tmp_path: Path) -> None:
    lax = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:x">
    <xs:element name="m.0001"/></xs:schema>"""

    with pytest.raises(ConfigError, match=r'accept a wrong message "m\.0001"'):
        validator(tmp_path, lax).compile()


def test_a_schema_that_does_not_compile_is_named_with_its_place(tmp_path: Path) -> None:
    wrong = XSD.replace('"xs:date"', '"xs:nothing"')

    with pytest.raises(ConfigError, match="do not compile") as caught:
        validator(tmp_path, wrong).compile()

    assert caught.value.findings[0].file.endswith("a.xsd")


def test_many_wrong_attributes_cost_no_time_of_their_own(tmp_path: Path) -> None:
    attributes = " ".join(f"a{i}=''" for i in range(64))
    body = f"<born {attributes}>1964-01-01</born>"

    assert len(findings(validator(tmp_path), message(body))) == 1


def test_a_large_attachment_is_judged_without_xmlschema(tmp_path: Path) -> None:
    raw = message(f"<data>{'QUJD' * 2_600_000}</data>").encode()
    document = parse(raw, Limits(), lambda _: True)

    validator(tmp_path).check(document)

    assert etree.iselement(document.root)
