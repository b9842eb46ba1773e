"""Release changes: what the next version of a standard adds, removes, narrows and widens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from broker.errors import ConfigError
from broker.xoev.bundle import Bundle
from broker.xoev.change import Change, Difference, What
from broker.xoev.diff import Diff, compare, natural, successors

_HEAD = (
    '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:m="urn:mini:{version}" '
    'targetNamespace="urn:mini:{version}" elementFormDefault="qualified">'
)
Mini = Callable[..., Diff]


def _bundle(folder: Path, version: str, body: str) -> Bundle:
    folder.mkdir(parents=True)
    text = _HEAD.format(version=version) + body + "</xs:schema>"
    (folder / "mini.xsd").write_text(text, "utf-8")
    return Bundle(version, folder, False)


@pytest.fixture
def mini(tmp_path: Path) -> Mini:
    """Return what compares two small schemas."""

    def compared(old: str, new: str, **options: object) -> Diff:
        before = _bundle(tmp_path / "old", "1.0", old)
        after = _bundle(tmp_path / "new", "1.1", new)
        return compare(before, after, **options)  # type: ignore[arg-type]

    return compared


def message(content: str, attributes: str = "", kind: str = "bau.antrag.0001") -> str:
    """Return a message with a sequence as content."""
    return (
        f'<xs:element name="{kind}"><xs:complexType><xs:sequence>{content}</xs:sequence>'
        f"{attributes}</xs:complexType></xs:element>"
    )


def element(name: str, kind: str = "xs:string", times: str = "") -> str:
    least, _, most = times.partition("..")
    occurs = f' minOccurs="{least}" maxOccurs="{most}"' if times else ""
    return f'<xs:element name="{name}" type="{kind}"{occurs}/>'


def simple(name: str, facets: str, base: str = "xs:token") -> str:
    return (
        f'<xs:simpleType name="{name}"><xs:restriction base="{base}">{facets}</xs:restriction>'
        "</xs:simpleType>"
    )


def kind(name: str, content: str) -> str:
    return f'<xs:complexType name="{name}"><xs:sequence>{content}</xs:sequence></xs:complexType>'


def code(name: str, version: str, codes: dict[str, str] | None = None) -> str:
    """Return a code type of XÖV with its list, codes in the schema or outside."""
    facets = "".join(
        f'<xs:enumeration value="{one}"><xs:annotation><xs:appinfo>{text}</xs:appinfo>'
        "</xs:annotation></xs:enumeration>"
        for one, text in (codes or {}).items()
    )
    listed = simple(f"Codelist.{name}", facets) if codes else ""
    inner = f"m:Codelist.{name}" if codes else "xs:token"
    return (
        f'{listed}<xs:complexType name="Code.{name}"><xs:sequence>{element("code", inner)}'
        f'</xs:sequence><xs:attribute name="listURI" type="xs:anyURI" fixed="urn:liste:{name}"/>'
        f'<xs:attribute name="listVersionID" type="xs:string" fixed="{version}"/></xs:complexType>'
    )


def facts(diff: Diff) -> list[tuple[str, str, str, str, str]]:
    """Return what changed, where, in what respect, from what to what."""
    return [_fact(change.difference) for change in diff.changes]


def _fact(one: Difference) -> tuple[str, str, str, str, str]:
    return one.what.value, f"{one.owner}/{one.path}".rstrip("/"), one.aspect, one.before, one.after


ROOT = "bau.antrag.0001"


def test_two_equal_versions_have_no_changes(mini: Mini) -> None:
    assert facts(mini(message(element("ort")), message(element("ort")))) == []


def test_a_new_optional_element_is_added_and_refuses_nobody(mini: Mini) -> None:
    found = mini(message(element("ort")), message(element("ort") + element("plz", times="0..1")))

    assert facts(found) == [("added", f"{ROOT}/plz", "times", "", "0..1")]
    assert found.strict == ()


def test_a_new_mandatory_element_can_refuse(mini: Mini) -> None:
    found = mini(message(element("ort")), message(element("ort") + element("plz")))

    assert facts(found) == [("added", f"{ROOT}/plz", "times", "", "1..1")]
    assert len(found.strict) == 1


def test_a_removed_element_can_refuse(mini: Mini) -> None:
    found = mini(message(element("ort") + element("plz")), message(element("ort")))

    assert facts(found) == [("removed", f"{ROOT}/plz", "times", "1..1", "")]
    assert len(found.strict) == 1


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("0..1", "1..1", ["mandatory"]),
        ("1..1", "0..1", ["optional"]),
        ("1..unbounded", "1..3", ["narrowed"]),
        ("1..3", "1..unbounded", ["widened"]),
        ("1..9", "2..9", ["narrowed"]),
        ("2..9", "1..9", ["widened"]),
        ("0..unbounded", "1..1", ["mandatory", "narrowed"]),
        ("1..1", "0..unbounded", ["optional", "widened"]),
    ],
)
def test_how_often_an_element_stands_is_said_as_a_standard_says_it(
    mini: Mini, old: str, new: str, what: list[str]
) -> None:
    found = mini(message(element("ort", times=old)), message(element("ort", times=new)))

    assert [change.difference.what.value for change in found.changes] == what


def test_times_multiply_with_those_of_the_group_around(mini: Mini) -> None:
    group = '<xs:sequence minOccurs="0" maxOccurs="2">{}</xs:sequence>'
    found = mini(message(element("ort")), message(group.format(element("ort"))))

    assert ("optional", f"{ROOT}/ort", "times", "1..1", "0..2") in facts(found)


def test_elements_that_exclude_each_other_now_are_a_narrowing(mini: Mini) -> None:
    both = element("a", times="0..1") + element("b", times="0..1")
    found = mini(
        message(both),
        message(f'<xs:choice minOccurs="0">{element("a")}{element("b")}</xs:choice>'),
    )

    assert facts(found) == [("narrowed", ROOT, "choice", "", "a | b")]


def test_a_choice_that_must_be_made_now_is_mandatory(mini: Mini) -> None:
    choice = '<xs:choice minOccurs="{}">' + element("a") + element("b") + "</xs:choice>"
    found = mini(message(choice.format(0)), message(choice.format(1)))

    assert facts(found) == [("mandatory", ROOT, "choice", "a | b", "a | b")]


def test_the_order_of_a_choice_means_nothing(mini: Mini) -> None:
    names = [element("a"), element("b")]
    choices = [f"<xs:choice>{''.join(order)}</xs:choice>" for order in (names, names[::-1])]

    assert facts(mini(message(choices[0]), message(choices[1]))) == []


def test_an_element_that_moved_is_named_with_its_neighbours(mini: Mini) -> None:
    found = mini(
        message(element("a") + element("b") + element("c")),
        message(element("c") + element("a") + element("b")),
    )

    assert facts(found) == [("narrowed", f"{ROOT}/c", "order", "after b", "first")]


def test_a_shared_type_is_told_once_with_all_its_messages(mini: Mini) -> None:
    users = message(element("wohnung", "m:Ort")) + message(
        element("sitz", "m:Ort"), kind="bau.bescheid.0002"
    )
    found = mini(
        users + kind("Ort", element("plz")), users + kind("Ort", element("plz", times="0..1"))
    )

    assert found.changes == (
        Change(
            Difference(What.OPTIONAL, "element", "Ort", "plz", "times", "1..1", "0..1"),
            ("bau.antrag.0001", "bau.bescheid.0002"),
            "/bau.antrag.0001/wohnung/plz",
            frozenset({("wohnung", "plz"), ("sitz", "plz")}),
        ),
    )


def test_what_a_base_type_changes_is_told_once_at_the_base(mini: Mini) -> None:
    def derived(name: str) -> str:
        return (
            f'<xs:element name="{name}"><xs:complexType><xs:complexContent><xs:extension '
            f'base="m:Basis"><xs:sequence>{element("mehr")}</xs:sequence></xs:extension>'
            "</xs:complexContent></xs:complexType></xs:element>"
        )

    users = derived("bau.antrag.0001") + derived("bau.bescheid.0002")
    found = mini(
        users + kind("Basis", element("kopf")),
        users + kind("Basis", element("kopf") + element("zeit", times="0..1")),
    )

    assert facts(found) == [("added", "Basis/zeit", "times", "", "0..1")]


def test_a_recursive_type_is_compared_once(mini: Mini) -> None:
    def akte(extra: str) -> str:
        return kind("Akte", element("teil", "m:Akte", "0..unbounded") + extra)

    user = message(element("akte", "m:Akte"))
    found = mini(user + akte(""), user + akte(element("nummer", times="0..1")))

    assert facts(found) == [("added", "Akte/nummer", "times", "", "0..1")]


def test_a_type_that_only_got_another_name_is_no_change(mini: Mini) -> None:
    found = mini(
        message(element("ort", "m:Ort")) + kind("Ort", element("plz")),
        message(element("ort", "m:OrtType")) + kind("OrtType", element("plz")),
    )

    assert facts(found) == []


def test_another_type_is_told_at_the_element_with_what_it_changes(mini: Mini) -> None:
    found = mini(
        message(element("ort", "m:Ort")) + kind("Ort", element("plz")),
        message(element("ort", "m:Lage")) + kind("Lage", element("flur")),
    )

    assert sorted(facts(found)) == [
        ("added", f"{ROOT}/ort/flur", "times", "", "1..1"),
        ("changed", f"{ROOT}/ort", "type", "Ort", "Lage"),
        ("removed", f"{ROOT}/ort/plz", "times", "1..1", ""),
    ]


@pytest.mark.parametrize(
    ("old", "new", "fact"),
    [
        ('<xs:maxLength value="20"/>', '<xs:maxLength value="10"/>', ("narrowed", "maxLength")),
        ('<xs:maxLength value="10"/>', '<xs:maxLength value="20"/>', ("widened", "maxLength")),
        ('<xs:minLength value="1"/>', "", ("widened", "minLength")),
        ("", '<xs:minLength value="1"/>', ("narrowed", "minLength")),
        ("", '<xs:pattern value="[0-9]+"/>', ("narrowed", "pattern")),
        ('<xs:pattern value="[0-9]+"/>', '<xs:pattern value="[0-9]*"/>', ("changed", "pattern")),
        ("", '<xs:enumeration value="a"/>', ("narrowed", "codes")),
        ('<xs:enumeration value="a"/>', "", ("widened", "codes")),
    ],
)
def test_facets_are_narrowed_or_widened(
    mini: Mini, old: str, new: str, fact: tuple[str, str]
) -> None:
    user = message(element("ort", "m:Kurz"))
    found = mini(user + simple("Kurz", old), user + simple("Kurz", new))

    assert [(one[0], one[2]) for one in facts(found)] == [fact]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("xs:string", "xs:token", "narrowed"),
        ("xs:nonNegativeInteger", "xs:decimal", "widened"),
        ("xs:gYear", "xs:date", "changed"),
    ],
)
def test_built_in_types_are_compared_by_what_they_take(
    mini: Mini, old: str, new: str, what: str
) -> None:
    found = mini(message(element("wert", old)), message(element("wert", new)))

    assert [(one[0], one[2]) for one in facts(found)] == [(what, "type")]
    assert found.changes[0].names == {("bau.antrag.0001", "wert")}


def test_an_attribute_with_another_fixed_value_is_a_change(mini: Mini) -> None:
    def version(text: str) -> str:
        return f'<xs:attribute name="version" type="xs:string" use="required" fixed="{text}"/>'

    found = mini(message(element("a"), version("1.0")), message(element("a"), version("1.1")))

    assert facts(found) == [("changed", f"{ROOT}/@version", "fixed", "1.0", "1.1")]


def test_an_attribute_that_is_required_now_is_mandatory(mini: Mini) -> None:
    attribute = '<xs:attribute name="test" type="xs:string" use="{}"/>'
    found = mini(
        message(element("a"), attribute.format("optional")),
        message(element("a"), attribute.format("required")),
    )

    assert facts(found) == [("mandatory", f"{ROOT}/@test", "times", "0..1", "1..1")]


def test_codes_in_the_schema_are_told_by_their_list(mini: Mini) -> None:
    user = message(element("art", "m:Code.Art"))
    found = mini(
        user + code("Art", "1", {"01": "Neubau", "02": "Umbau", "03": "Abbruch"}),
        user + code("Art", "2", {"01": "Neubau", "02": "Änderung", "04": "Nutzung"}),
    )

    assert sorted(facts(found)) == [
        ("added", "urn:liste:Art", "codes", "", "04"),
        ("changed", "urn:liste:Art", "meaning of 02", "Umbau", "Änderung"),
        ("changed", "urn:liste:Art", "version", "1", "2"),
        ("removed", "urn:liste:Art", "codes", "03", ""),
    ]


def test_codes_outside_the_schema_are_taken_from_the_installed_lists(mini: Mini) -> None:
    lists = {"1": {"01": "Neubau"}, "2": {"01": "Neubau", "02": "Umbau"}}
    user = message(element("art", "m:Code.Art"))
    found = mini(
        user + code("Art", "1"),
        user + code("Art", "2"),
        lists=lambda uri, version: lists.get(version) if uri == "urn:liste:Art" else None,
    )

    assert ("added", "urn:liste:Art", "codes", "", "02") in facts(found)


def test_new_and_removed_messages_are_told_without_their_content(mini: Mini) -> None:
    found = mini(
        message(element("a"), kind="bau.alt.0001"), message(element("b"), kind="bau.neu.0002")
    )

    assert facts(found) == [
        ("removed", "bau.alt.0001", "", "", ""),
        ("added", "bau.neu.0002", "", "", ""),
    ]


def test_a_message_with_the_same_digits_is_the_same_under_another_name(mini: Mini) -> None:
    found = mini(
        message(element("a"), kind="bau.alt.0001"),
        message(element("a") + element("b", times="0..1"), kind="bau.neu.0001"),
    )

    assert sorted(facts(found)) == [
        ("added", "bau.neu.0001/b", "times", "", "0..1"),
        ("changed", "bau.neu.0001", "name", "bau.alt.0001", "bau.neu.0001"),
    ]


def test_an_element_without_namespace_is_not_the_one_with_it(mini: Mini) -> None:
    plain = '<xs:element name="ort" type="xs:string" form="unqualified"/>'
    found = mini(message(element("ort")), message(plain))

    assert facts(found) == [("changed", f"{ROOT}/ort", "namespace", "urn:mini:1.0", "")]


def test_groups_and_attribute_groups_are_followed(mini: Mini) -> None:
    user = message('<xs:group ref="m:Teil"/>', '<xs:attributeGroup ref="m:Zusatz"/>')
    parts = (
        '<xs:group name="Teil"><xs:sequence>{}</xs:sequence></xs:group>'
        '<xs:attributeGroup name="Zusatz">{}</xs:attributeGroup>'
    )
    found = mini(
        user + parts.format(element("a"), ""),
        user + parts.format(element("b"), '<xs:attribute name="c" type="xs:string"/>'),
    )

    assert {(one[0], one[1]) for one in facts(found)} == {
        ("removed", f"{ROOT}/a"),
        ("added", f"{ROOT}/b"),
        ("added", f"{ROOT}/@c"),
    }


def test_what_may_stand_for_a_head_element_is_a_choice(mini: Mini) -> None:
    user = message('<xs:element ref="m:form"/>') + '<xs:element name="form" type="xs:string"/>'
    other = '<xs:element name="kreis" type="xs:string" substitutionGroup="m:form"/>'
    found = mini(user, user + other)

    assert ("added", f"{ROOT}/kreis", "times", "", "0..1") in facts(found)


def test_unions_and_lists_are_read(mini: Mini) -> None:
    union = (
        '<xs:simpleType name="Eins"><xs:union memberTypes="xs:date xs:gYear"/></xs:simpleType>'
        '<xs:simpleType name="Viele"><xs:list itemType="xs:{}"/></xs:simpleType>'
    )
    user = message(element("a", "m:Eins") + element("b", "m:Viele"))
    found = mini(user + union.format("token"), user + union.format("integer"))

    assert facts(found) == [("changed", "Viele", "type", "list of token", "list of integer")]


def test_only_one_message_kind_can_be_asked_for(mini: Mini) -> None:
    old = message(element("a")) + message(element("a"), kind="bau.bescheid.0002")
    new = message(element("b")) + message(element("b"), kind="bau.bescheid.0002")
    found = mini(old, new, kind="bau.bescheid.0002")

    assert {change.messages for change in found.changes} == {("bau.bescheid.0002",)}


def test_an_unknown_message_kind_is_refused_with_the_nearest_one(mini: Mini) -> None:
    with pytest.raises(ConfigError, match=r'did you mean "bau\.antrag\.0001"'):
        mini(message(element("a")), message(element("a")), kind="bau.antrag.001")


def test_progress_is_told_for_every_message(mini: Mini) -> None:
    told: list[tuple[Sequence[str], str]] = []

    def track(items: Sequence[str], label: str) -> Iterable[str]:
        told.append((items, label))
        return items

    mini(message(element("a")), message(element("a")), track=track)

    assert told == [(["bau.antrag.0001"], "messages")]


_RULES = (
    '<sch:schema xmlns:sch="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2">'
    '<sch:ns prefix="m" uri="urn:mini"/><sch:pattern>{}</sch:pattern></sch:schema>'
)


def _rule(id: str, test: str, text: str = "Regel", context: str = "/m:bau.antrag.0001") -> str:
    return (
        f'<sch:rule context="{context}"><sch:assert id="{id}" test="{test}">{text}</sch:assert>'
        "</sch:rule>"
    )


def test_rules_are_told_by_their_id(tmp_path: Path) -> None:
    old = _bundle(tmp_path / "old", "1.0", message(element("a")))
    new = _bundle(tmp_path / "new", "1.1", message(element("a")))
    before = _rule("r-1", "a") + _rule("r-2", "a") + _rule("r-3", "a") + _rule("r-4", "a", "alt")
    after = _rule("r-1", "a") + _rule("r-2", "b") + _rule("r-4", "a", "neu") + _rule("r-5", "c")
    for bundle, rules in ((old, before), (new, after)):
        (bundle.folder / "rules.sch").write_text(_RULES.format(rules), "utf-8")
    found = compare(old, new)

    assert facts(found) == [
        ("changed", "r-2", "test", "a", "b"),
        ("added", "r-5", "rule", "", "c"),
        ("removed", "r-3", "rule", "a", ""),
        ("changed", "r-4", "text", "alt", "neu"),
    ]
    assert {change.messages for change in found.changes} == {("bau.antrag.0001",)}


def test_versions_without_rules_are_named(mini: Mini) -> None:
    notes = mini(message(element("a")), message(element("a"))).notes

    assert notes == ("neither version has Schematron files here, so rules were not compared",)


def test_one_version_without_rules_makes_the_others_new(tmp_path: Path) -> None:
    old = _bundle(tmp_path / "old", "1.0", message(element("a")))
    new = _bundle(tmp_path / "new", "1.1", message(element("a")))
    (new.folder / "rules.sch").write_text(_RULES.format(_rule("r-1", "a")), "utf-8")
    found = compare(old, new)

    assert facts(found) == [("added", "r-1", "rule", "", "a")]
    assert found.notes == (
        "1.0 has no Schematron files here, so every rule of the other version is told",
    )


def test_a_missing_import_is_named_and_never_fetched(mini: Mini) -> None:
    wanted = '<xs:import namespace="urn:fehlt" schemaLocation="http://127.0.0.1:9/fehlt.xsd"/>'
    with pytest.raises(ConfigError, match="fehlt"):
        mini(wanted + message(element("a")), message(element("a")))


def test_each_namespace_finds_its_successor() -> None:
    old = [
        "http://x.de/xbau/2/5",
        "http://x.de/kern/1/2/2",
        "http://x.de/code/1_0",
        "urn:xmeld2511a",
    ]
    new = [
        "http://x.de/xbau/2/6",
        "http://x.de/kern/1/3/0",
        "http://x.de/code/1_0",
        "urn:xmeld2605",
    ]

    assert successors(old, new) == dict(zip(old, new, strict=True))


def test_versions_are_sorted_as_people_sort_them() -> None:
    assert sorted(["2.10", "2.9", "25.11a", "25.11"], key=natural) == [
        "2.9",
        "2.10",
        "25.11",
        "25.11a",
    ]


@pytest.fixture(scope="module")
def xbau(shared: Path) -> Diff:
    folder = shared / "xoev"
    old, new = (
        Bundle(f"xbau/{one}", folder / f"xbau_{one}/xsd_dev", False) for one in ("2.5", "2.6")
    )
    return compare(old, new)


@pytest.fixture(scope="module")
def xdomea(shared: Path) -> Diff:
    folder = shared / "xoev"
    old, new = (
        Bundle(f"xdomea/{one}", folder / f"xdomea_{one}", False) for one in ("2.4.0", "3.1.0")
    )
    return compare(old, new)


# Read in the official XSDs by hand, element by element.
@pytest.mark.parametrize(
    ("fact", "strict", "used"),
    [
        (("added", "baugenehmigung.antrag.0200/datenabruf", "times", "", "0..n"), False, 1),
        (("added", "Baulast/artDerBaulast", "times", "", "1..1"), True, 8),
        (("removed", "AnhangOderVerlinkung/uriVerlinkung", "times", "0..1", ""), True, 93),
        (("added", "AnhangOderVerlinkung/verlinkung", "times", "", "0..1"), False, 93),
        (
            ("optional", "anzeige.beseitigungAbsicht.0950/anzeigender", "times", "1..n", "0..n"),
            False,
            1,
        ),
        (("mandatory", "DatenEinzelnesGebaeude/baugenehmigung", "times", "0..1", "1..1"), True, 5),
        (
            (
                "removed",
                "AbgeschlossenheitsbescheinigungDaten/dauerwohnnrecht",
                "times",
                "0..1",
                "",
            ),
            True,
            2,
        ),
        (("added", "baulastloeschung.antrag.0720", "", "", ""), False, 1),
        (
            ("changed", "urn:xoev-de:xbau:codeliste:xbau-nachrichten", "version", "3.1", "4.0"),
            True,
            109,
        ),
        (("changed", "Nachricht.G2G/@version", "fixed", "2.5", "2.6"), True, 109),
    ],
)
def test_xbau_2_6_changed_what_its_schemas_say(
    xbau: Diff, fact: tuple[str, ...], strict: bool, used: int
) -> None:
    found = [change for change in xbau.changes if _fact(change.difference) == fact]

    assert [(one.difference.strict, len(one.messages)) for one in found] == [(strict, used)]


@pytest.mark.parametrize(
    ("fact", "strict"),
    [
        (("optional", "NkBasisType/SendendesSystem", "times", "1..1", "0..1"), False),
        (
            ("narrowed", "VorgangType/Teilvorgang", "order",
             "after AnwendungsspezifischeErweiterung", "after Kontakt"),
            True,
        ),
        (("widened", "AkteType/Akteninhalt", "choice", "Dokument | Vorgang", ""), False),
        (("removed", "AkteType/Teilakte", "times", "0..n", ""), True),
        (("added", "AkteType/Akteninhalt/Teilakte", "times", "", "0..n"), False),
        (("added", "Abgabe.ImportBestaetigen.0402/AbgegebenesObjekt", "times", "", "1..n"), True),
        (
            ("removed", "Abgabe.ImportBestaetigen.0402/ErfolgOderMisserfolg", "times", "1..1", ""),
            True,
        ),
        (
            ("changed", "urn:de:xoev:codeliste:erreichbarkeit", "list",
             "urn:xoev-de:xdomea:codeliste:kommunikationsart",
             "urn:de:xoev:codeliste:erreichbarkeit"),
            True,
        ),
        (("added", "Abgabe.EmpfangBestaetigen.0403", "", "", ""), False),
        (("changed", "urn:xoev-de:xdomea:codeliste:nachrichtentyp", "version", "1.0", "2.0"), True),
    ],
)  # fmt: skip
def test_xdomea_3_1_changed_what_its_schemas_say(
    xdomea: Diff, fact: tuple[str, ...], strict: bool
) -> None:
    found = [change for change in xdomea.changes if _fact(change.difference) == fact]

    assert [one.difference.strict for one in found] == [strict]


def test_every_message_of_a_change_is_a_message_of_one_version(xbau: Diff) -> None:
    kinds = {kind for change in xbau.changes for kind in change.messages}

    assert kinds <= {*xbau.kinds}


def test_each_namespace_of_xbau_has_its_successor(xbau: Diff) -> None:
    assert xbau.spaces["http://www.xleitstelle.de/xbau/kernmodul/1/2/2"] == (
        "http://www.xleitstelle.de/xbau/kernmodul/1/3/0"
    )


def test_a_restriction_keeps_only_what_it_repeats(mini: Mini) -> None:
    base = (
        f'<xs:complexType name="Basis"><xs:sequence>{element("a", times="0..1")}{element("b")}'
        '</xs:sequence><xs:attribute name="c" type="xs:string"/></xs:complexType>'
    )
    eng = (
        '<xs:complexType name="Eng"><xs:complexContent><xs:restriction base="m:Basis">'
        '<xs:sequence>{}</xs:sequence><xs:attribute name="c" use="{}"/></xs:restriction>'
        "</xs:complexContent></xs:complexType>"
    )
    user = message(element("x", "m:Eng")) + base
    found = mini(
        user + eng.format(element("a", times="0..1") + element("b"), "optional"),
        user + eng.format(element("b"), "prohibited"),
    )

    assert {(one[0], one[1]) for one in facts(found)} == {
        ("removed", "Eng/a"),
        ("removed", "Eng/@c"),
    }


def test_text_with_attributes_is_compared_as_text(mini: Mini) -> None:
    wert = (
        '<xs:complexType name="Wert"><xs:simpleContent><xs:extension base="xs:{}">'
        '<xs:attribute name="einheit" type="xs:string"/></xs:extension></xs:simpleContent>'
        "</xs:complexType>"
    )
    user = message(element("flaeche", "m:Wert"))
    found = mini(user + wert.format("decimal"), user + wert.format("integer"))

    assert facts(found) == [("narrowed", "Wert", "type", "decimal", "integer")]


def test_a_schema_that_is_included_without_namespace_has_that_of_its_user(tmp_path: Path) -> None:
    bare = (
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified">{}'
        "</xs:schema>"
    )
    bundles = []
    for name, version, content in (("old", "1.0", "a"), ("new", "1.1", "b")):
        body = '<xs:include schemaLocation="teil.xsd"/>' + message(element("ort", "m:Ort"))
        bundles.append(_bundle(tmp_path / name, version, body))
        part = bare.format(kind("Ort", element(content) + element("next", "Ort", "0..1")))
        (tmp_path / name / "teil.xsd").write_text(part, "utf-8")
    found = compare(bundles[0], bundles[1])

    assert {(one[0], one[1]) for one in facts(found)} == {("removed", "Ort/a"), ("added", "Ort/b")}


def test_elements_of_any_kind_that_are_no_longer_allowed_are_a_narrowing(mini: Mini) -> None:
    found = mini(
        message(element("a") + '<xs:any minOccurs="0" processContents="skip"/>'),
        message(element("a")),
    )

    assert facts(found) == [("narrowed", ROOT, "content", "any elements", "")]


def test_elements_in_any_order_have_no_order(mini: Mini) -> None:
    def every(*names: str) -> str:
        inner = "".join(map(element, names))
        return (
            f'<xs:element name="{ROOT}"><xs:complexType><xs:all>{inner}</xs:all></xs:complexType>'
            "</xs:element>"
        )

    assert facts(mini(every("a", "b"), every("b", "a"))) == []


def test_a_group_that_may_no_longer_stand_takes_its_elements_away(mini: Mini) -> None:
    group = '<xs:sequence minOccurs="0" maxOccurs="{}">{}</xs:sequence>'
    found = mini(
        message(element("a") + group.format(1, element("b"))),
        message(element("a") + group.format(0, element("b"))),
    )

    assert facts(found) == [("removed", f"{ROOT}/b", "times", "0..1", "")]


def test_an_element_that_stands_twice_is_counted_twice(mini: Mini) -> None:
    found = mini(message(element("a")), message(element("a") + element("b") + element("a")))

    assert ("narrowed", f"{ROOT}/a", "times", "1..1", "2..2") in facts(found)


def test_bounds_that_are_no_numbers_are_only_different(mini: Mini) -> None:
    def since(day: str) -> str:
        return simple("Seit", f'<xs:minInclusive value="{day}"/>', "xs:date")

    user = message(element("a", "m:Seit"))
    found = mini(user + since("2020-01-01"), user + since("2024-01-01"))

    assert facts(found) == [("changed", "Seit", "minInclusive", "2020-01-01", "2024-01-01")]


def test_a_union_of_codes_has_all_of_them(mini: Mini) -> None:
    def union(*codes: str) -> str:
        members = "".join(
            '<xs:simpleType><xs:restriction base="xs:token">'
            f'<xs:enumeration value="{one}"/></xs:restriction></xs:simpleType>'
            for one in codes
        )
        return f'<xs:simpleType name="Wahl"><xs:union>{members}</xs:union></xs:simpleType>'

    user = message(element("a", "m:Wahl"))
    found = mini(user + union("x", "y"), user + union("x", "y", "z"))

    assert facts(found) == [("added", "Wahl", "codes", "", "z")]


def test_types_written_in_place_are_compared_in_place(mini: Mini) -> None:
    def ort(length: int) -> str:
        inner = simple("", f'<xs:maxLength value="{length}"/>').replace(' name=""', "")
        return f'<xs:element name="ort">{inner}</xs:element>'

    found = mini(message(ort(9)), message(ort(5)))

    assert facts(found) == [("narrowed", f"{ROOT}/ort", "maxLength", "9", "5")]


def test_codes_that_move_into_the_schema_are_a_narrowing(mini: Mini) -> None:
    user = message(element("art", "m:Code.Art"))
    found = mini(user + code("Art", "1"), user + code("Art", "1", {"01": "Neubau"}))

    assert facts(found) == [("narrowed", "urn:liste:Art", "codes", "", "01")]


def test_another_list_is_told_by_both_names(mini: Mini) -> None:
    user = message(element("art", "m:Code.Art"))
    old = user + code("Art", "1", {"01": "Neubau"})
    found = mini(old.replace("urn:liste:Art", "urn:liste:Alt"), old)

    assert facts(found) == [("changed", "urn:liste:Art", "list", "urn:liste:Alt", "urn:liste:Art")]


def test_a_code_that_is_pinned_to_a_version_now_is_narrowed(mini: Mini) -> None:
    user = message(element("art", "m:Code.Art"))
    new = user + code("Art", "2", {"01": "Neubau"})
    found = mini(new.replace(' fixed="2"', ""), new)

    assert facts(found) == [("narrowed", "urn:liste:Art", "version", "", "2")]
    assert len(found.strict) == 1


def test_facets_of_attributes_are_compared(mini: Mini) -> None:
    def attribute(kind: str) -> str:
        return f'<xs:attribute name="test" type="xs:{kind}"/>'

    found = mini(
        message(element("a"), attribute("string")), message(element("a"), attribute("token"))
    )

    assert facts(found) == [("narrowed", f"{ROOT}/@test", "type", "string", "token")]


def test_an_attribute_that_goes_is_removed(mini: Mini) -> None:
    found = mini(
        message(element("a"), '<xs:attribute name="test" type="xs:string"/>'), message(element("a"))
    )

    assert facts(found) == [("removed", f"{ROOT}/@test", "times", "0..1", "")]


def test_a_member_of_a_group_of_substitutes_has_the_type_of_its_head(mini: Mini) -> None:
    def form(kind: str) -> str:
        return (
            message('<xs:element ref="m:form"/>')
            + f'<xs:element name="form" abstract="true" type="xs:{kind}"/>'
            + '<xs:element name="kreis" substitutionGroup="m:form"/>'
        )

    found = mini(form("string"), form("token"))

    assert facts(found) == [("narrowed", "string → token", "type", "string", "token")]
    assert (ROOT, "kreis") in found.changes[0].names


def test_a_restriction_of_a_type_written_in_place_is_read(mini: Mini) -> None:
    def inner(length: int) -> str:
        base = simple("", f'<xs:maxLength value="{length}"/>').replace(' name=""', "")
        return (
            f'<xs:simpleType name="Kurz"><xs:restriction>{base}<xs:minLength value="1"/>'
            "</xs:restriction></xs:simpleType>"
        )

    user = message(element("a", "m:Kurz"))

    assert facts(mini(user + inner(9), user + inner(5))) == [
        ("narrowed", "Kurz", "maxLength", "9", "5")
    ]


def test_global_attributes_are_followed(mini: Mini) -> None:
    user = message(element("a"), '<xs:attribute ref="m:stand" use="required"/>')
    stand = '<xs:attribute name="stand" type="xs:{}"/>'
    found = mini(user + stand.format("string"), user + stand.format("date"))

    assert facts(found) == [("changed", f"{ROOT}/@stand", "type", "string", "date")]


def test_a_global_element_that_is_referred_to_has_its_times_there(mini: Mini) -> None:
    user = message('<xs:element ref="m:ort" minOccurs="{}"/>')
    ort = '<xs:element name="ort" type="xs:string"/>'
    found = mini(user.format(0) + ort, user.format(1) + ort)

    assert facts(found) == [("mandatory", f"{ROOT}/ort", "times", "0..1", "1..1")]


def test_a_type_that_is_not_there_is_compared_by_name_only(mini: Mini) -> None:
    fehlt = message(element("a", "m:Fehlt"))

    assert facts(mini(fehlt, fehlt)) == []
