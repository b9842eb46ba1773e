"""The catalogue of lists, and codes of messages judged by them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from broker.document import Document, parse
from broker.errors import SchemaViolation
from broker.xoev import coding
from broker.xoev.bundle import Bundle
from broker.xoev.codelists import CodeLists
from broker.xoev.coding import Coding, check, plain
from broker.xoev.remark import Remark, refuse, weigh
from tests import needs
from tests.xoev.folders import XBAU, samples
from tests.xoev.lists import COLOURS, genericode, lists, row, written

PLANTED = "GEHEIM-1964"
FIXED = f'<xs:attribute name="listURI" type="xs:anyURI" fixed="{COLOURS}"/>'
VERSION = '<xs:attribute name="listVersionID" type="xs:normalizedString" fixed="1.0"/>'
OPEN = '<xs:attribute name="listVersionID" type="xs:normalizedString"/>'
ANY = '<xs:attribute name="listURI" type="xs:anyURI"/>' + OPEN


def kind(name: str, attributes: str, code: str = "xs:token") -> str:
    return (
        f'<xs:complexType name="{name}"><xs:sequence>'
        f'<xs:element name="code" type="{code}" form="unqualified"/></xs:sequence>'
        f"{attributes}</xs:complexType>"
    )


XSD = f"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:m"
  xmlns="urn:m" elementFormDefault="qualified">
<xs:simpleType name="Enumerated"><xs:restriction base="xs:token">
  <xs:enumeration value="rot"/></xs:restriction></xs:simpleType>
{kind("One", FIXED + VERSION, "Enumerated")}{kind("Two", FIXED + VERSION)}
{kind("Three", FIXED + OPEN)}{kind("Four", ANY)}
<xs:element name="m.0001"><xs:complexType><xs:choice maxOccurs="unbounded">
  <xs:element name="one" type="One"/><xs:element name="two" type="Two"/>
  <xs:element name="three" type="Three"/><xs:element name="four" type="Four"/>
</xs:choice></xs:complexType></xs:element></xs:schema>"""


def message(body: str) -> Document:
    return parse(f'<m.0001 xmlns="urn:m">\n{body}</m.0001>'.encode())


def element(name: str, code: str, attributes: str = "") -> str:
    return f'<{name} {attributes}><code xmlns="">{code}</code></{name}>'


def judged(
    folder: Path, body: str, known: CodeLists, xsd: str = XSD
) -> list[tuple[str, str, str, int]]:
    """Severity, rule, reason and line of every remark on a message."""
    document = message(body)
    made = made_of(folder, xsd)
    remarks = check(made.codes(document), known, made.fixed)
    return [(one.severity, one.finding.rule, one.finding.code, one.finding.line) for one in remarks]


def made_of(folder: Path, xsd: str = XSD) -> Coding:
    (folder / "a.xsd").write_text(xsd, encoding="utf-8")
    made = Coding(Bundle("m/1/official", folder, False), "urn:m", threading.Lock())
    made.compile()
    return made


def test_a_list_is_found_by_uri_and_version(tmp_path: Path) -> None:
    known = lists(tmp_path, "1.0", "2.0")

    assert sorted(known.versions(COLOURS)) == ["1.0", "2.0"]
    assert "rot" in (known.find(COLOURS, "2.0") or ())
    assert known.find(COLOURS, "3.0") is None
    assert known.find("urn:example:other", "1.0") is None


def test_the_digest_changes_with_every_list_and_is_empty_without_any(tmp_path: Path) -> None:
    one, two = lists(tmp_path / "one", "1.0"), lists(tmp_path / "two", "1.0", "2.0")

    assert one.digest() == lists(tmp_path / "again", "1.0").digest() != two.digest()
    assert CodeLists().digest() == ""


def test_the_newest_version_is_found_by_number_not_by_letter(tmp_path: Path) -> None:
    found = lists(tmp_path, "9.0", "10.0").latest(COLOURS)

    assert found is not None
    assert found.identity.version == "10.0"


def test_of_an_unknown_list_there_is_no_newest_version(tmp_path: Path) -> None:
    assert lists(tmp_path).latest("urn:example:other") is None


def test_a_list_is_read_only_when_it_is_asked_for(tmp_path: Path) -> None:
    broken = genericode(rows='<Row><Value ColumnRef="x"/></Row>')
    written(tmp_path, broken, "broken.xml")

    assert [one.uri for one in CodeLists.of(tmp_path).identities()] == [COLOURS]


def test_a_list_is_read_once(tmp_path: Path) -> None:
    known = lists(tmp_path)

    assert known.find(COLOURS, "1.0") is known.find(COLOURS, "1.0")


def test_lists_lie_in_their_folder_and_in_bundles_and_their_folder_counts_first(
    tmp_path: Path,
) -> None:
    written(tmp_path / "xbau/2.6/official/genericode", genericode(rows=row("alt", "Alt")))
    written(tmp_path / "xbau/2.6/official", genericode(uri="urn:example:b"), "b.gc")
    written(tmp_path / "codelists")

    known = CodeLists.load(tmp_path)

    assert [one.uri for one in known.identities()] == ["urn:example:b", COLOURS]
    assert "rot" in (known.find(COLOURS, "1.0") or ())


def test_where_there_are_no_lists_none_are_known(tmp_path: Path) -> None:
    assert CodeLists.load(tmp_path).identities() == ()


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("one", ""),
        ("two", ""),
        ("two", f'listURI="{COLOURS}" listVersionID="1.0"'),
        ("three", 'listVersionID="1.0"'),
        ("three", 'listVersionID=" 1.0 "'),
        ("three", ""),
        ("four", f'listURI="{COLOURS}" listVersionID="1.0"'),
        ("four", ""),
    ],
)
def test_a_code_of_its_list_is_right_in_all_code_types(
    tmp_path: Path, name: str, attributes: str
) -> None:
    body = element(name, "rot", attributes)

    assert judged(tmp_path, body, lists(tmp_path / "lists")) == []


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("two", ""),
        ("three", 'listVersionID="1.0"'),
        ("three", ""),
        ("four", f'listURI="{COLOURS}" listVersionID="1.0"'),
    ],
)
def test_a_code_outside_its_list_is_an_error_with_its_place(
    tmp_path: Path, name: str, attributes: str
) -> None:
    body = "\n" + element(name, "gelb", attributes)

    assert judged(tmp_path, body, lists(tmp_path / "lists")) == [
        ("error", "unknown code", "S011", 3)
    ]


def test_a_list_that_only_the_message_names_and_nobody_knows_is_an_error(tmp_path: Path) -> None:
    body = element("four", "rot", 'listURI="urn:example:none" listVersionID="1"')

    assert judged(tmp_path, body, lists(tmp_path / "lists")) == [
        ("error", "unknown list", "S010", 2)
    ]


def test_a_version_that_is_not_here_is_an_error(tmp_path: Path) -> None:
    body = element("three", "rot", 'listVersionID="7"')

    assert judged(tmp_path, body, lists(tmp_path / "lists")) == [
        ("error", "unknown list", "S010", 2)
    ]


def test_a_list_of_the_standard_that_is_not_installed_is_one_warning(tmp_path: Path) -> None:
    body = element("two", "rot") + element("two", "gelb")

    free = XSD.replace('type="Enumerated"', 'type="xs:token"')

    assert judged(tmp_path, body, CodeLists(), free) == [("warning", "list not installed", "", 2)]


def test_codes_that_the_schema_enumerates_need_no_list(tmp_path: Path) -> None:
    assert judged(tmp_path, element("one", "rot"), CodeLists()) == []


def test_reason_codes_are_those_of_the_standard(tmp_path: Path) -> None:
    document = message(element("four", "gelb", f'listURI="{COLOURS}" listVersionID="1.0"'))
    known = lists(tmp_path)
    codes = [
        check(plain(document), known, None, coding.reasons(name))[0].finding.code
        for name in ("xbau", "xbau-kernmodul", "xinneres")
    ]

    assert codes == ["X011", "X011", "S011"]


def test_no_remark_repeats_a_value_of_the_message(tmp_path: Path) -> None:
    body = (
        element("four", PLANTED, f'listURI="{COLOURS}" listVersionID="1.0"')
        + element("four", PLANTED, f'listURI="{COLOURS}" listVersionID="{PLANTED}"')
        + element("four", PLANTED, f'listURI="urn:{PLANTED}" listVersionID="{PLANTED}"')
        + element(PLANTED, "gelb", f'listURI="{COLOURS}" listVersionID="1.0"')
    )
    remarks = check(plain(message(body)), lists(tmp_path), None, ("a", "b"), {"m.0001", "four"})

    assert len(remarks) == 4
    assert PLANTED not in "\n".join(map(str, remarks))


def test_the_message_itself_is_not_changed(tmp_path: Path) -> None:
    document = message(element("two", "rot"))

    made_of(tmp_path).codes(document)

    assert len(document.root[0].attrib) == 0


def test_a_route_may_take_errors_as_warnings_or_not_check_at_all(tmp_path: Path) -> None:
    document = message(element("four", "gelb", f'listURI="{COLOURS}" listVersionID="1.0"'))
    found = check(plain(document), lists(tmp_path))

    assert [one.severity for one in weigh(found, "error")] == ["error"]
    assert [one.severity for one in weigh(found, "warning")] == ["warning"]
    assert weigh(found, "off") == ()


def test_errors_refuse_the_message_with_their_reason_and_warnings_do_not(tmp_path: Path) -> None:
    document = message(element("four", "gelb", f'listURI="{COLOURS}" listVersionID="1.0"'))
    found: tuple[Remark, ...] = check(plain(document), lists(tmp_path))

    refuse(weigh(found, "warning"), "its code lists")
    with pytest.raises(SchemaViolation, match="its code lists") as caught:
        refuse(found, "its code lists")

    assert caught.value.reason == "S011"


def test_no_more_than_fifty_remarks_are_made_of_one_message(tmp_path: Path) -> None:
    body = element("four", "gelb", f'listURI="{COLOURS}" listVersionID="1.0"') * 60

    assert len(check(plain(message(body)), lists(tmp_path))) == 50


@needs.shared
def test_what_xbau_fixes_in_its_schema_is_checked_in_messages_that_do_not_say_it() -> None:
    xoev = needs.SHARED / "xoev"
    bundle = Bundle("xbau/2.6/official", xoev / "xbau_2.6/xsd_dev", False)
    made = Coding(bundle, XBAU, threading.Lock())
    path = next(one for one in samples(needs.SHARED) if one.name.startswith("salzgitter"))
    found = {str(one.element.tag): one for one in made.codes(parse(path.read_bytes()))}

    assert (found["nachrichtentyp"].uri, found["nachrichtentyp"].version) == (
        "urn:xoev-de:xbau:codeliste:xbau-nachrichten", "4.0")  # fmt: skip
    assert found["bundesland"].uri.endswith("schluessel:bundesland")
    assert found["bundesland"].version == "Muster"


@needs.shared
def test_the_invented_lists_of_a_synthetic_application_are_found_and_nothing_else() -> None:
    xoev = needs.SHARED / "xoev"
    bundle = Bundle("xbau/2.6/official", xoev / "xbau_2.6/xsd_dev", False)
    made = Coding(bundle, XBAU, threading.Lock())
    path = next(one for one in samples(needs.SHARED) if one.name.startswith("salzgitter"))
    codes = made.codes(parse(path.read_bytes()))
    remarks = check(codes, CodeLists.of(xoev / "genericode"), made.fixed, ("X010", "X011"))
    found = [(one.severity, one.finding.path.rpartition("/")[2]) for one in remarks]

    assert found == [("warning", "verzeichnisdienst"), ("error", "bundesland"),
                     ("error", "anlageart"), ("error", "mimeType")]  # fmt: skip
    assert {one.finding.code for one in remarks} == {"", "X010"}
