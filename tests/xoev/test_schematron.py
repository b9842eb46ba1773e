"""Business rules: what Schematron says, what elementpath and libxml2 make of it, and the clock."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lxml import etree

from broker.document import Document, parse
from broker.errors import ConfigError, SchemaViolation
from broker.xoev import rules as module
from broker.xoev.expression import Compiler, Expression, Tree
from broker.xoev.remark import Remark, refuse
from broker.xoev.rules import Rules, RuleSet, compiled
from tests import needs
from tests.xoev.folders import samples

PLANTED = "GEHEIM-1964"
HEAD = (
    '<sch:schema xmlns:sch="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2"{}>'
    '<sch:ns prefix="m" uri="urn:m"/>'
)


def written(folder: Path, body: str, attributes: str = "", name: str = "a.sch") -> Path:
    path = folder / name
    path.write_text(HEAD.format(attributes) + "\n" + body + "</sch:schema>", encoding="utf-8")
    return path


def rules(folder: Path, body: str, attributes: str = "") -> RuleSet:
    return compiled("m/1", [written(folder, body, attributes)])


def pattern(body: str) -> str:
    return f"<sch:pattern>{body}</sch:pattern>"


def rule(context: str, test: str, id: str = "r1", text: str = "Falsch.") -> str:
    return (
        f'<sch:rule context="{context}"><sch:assert id="{id}" test="{test}">{text}</sch:assert>'
        "</sch:rule>"
    )


def message(body: str) -> Document:
    return parse(f'<m:m.0001 xmlns:m="urn:m">\n{body}</m:m.0001>'.encode())


def found(remarks: tuple[Remark, ...]) -> list[tuple[str, str]]:
    return [(one.finding.rule, one.finding.path) for one in remarks]


def test_a_broken_rule_has_id_path_line_severity_and_text(tmp_path: Path) -> None:
    made = rules(tmp_path, pattern(rule("m:a", "b", text="Ein b fehlt.")))
    (remark,) = made.check(message("<m:a><b/></m:a>\n<m:a/>"))

    assert remark.severity == "error"
    assert (remark.finding.rule, remark.finding.path) == ("r1", "/m.0001/a[2]")
    assert (remark.finding.line, remark.finding.text) == (3, "Ein b fehlt.")


def test_a_report_fires_where_its_test_holds(tmp_path: Path) -> None:
    body = '<sch:rule context="m:a"><sch:report id="r" test="b">Kein b.</sch:report></sch:rule>'

    assert found(rules(tmp_path, pattern(body)).check(message("<m:a/><m:a><b/></m:a>"))) == [
        ("r", "/m.0001/a[2]")
    ]


def test_only_the_first_rule_of_a_pattern_that_matches_judges_a_node(tmp_path: Path) -> None:
    body = pattern(rule("m:a[@x]", "true()") + rule("m:a", "false()"))

    assert found(rules(tmp_path, body).check(message('<m:a x="1"/><m:a/>'))) == [
        ("r1", "/m.0001/a[2]")
    ]


def test_another_pattern_judges_the_same_node_again(tmp_path: Path) -> None:
    body = pattern(rule("m:a", "true()")) + pattern(rule("m:a", "false()", "r2"))

    assert found(rules(tmp_path, body).check(message("<m:a/>"))) == [("r2", "/m.0001/a")]


def test_an_abstract_rule_is_put_in_where_it_is_extended(tmp_path: Path) -> None:
    body = (
        '<sch:rule abstract="true" id="base"><sch:let name="n" value="count(b)"/>'
        '<sch:assert id="r1" test="$n = 1">x</sch:assert></sch:rule>'
        '<sch:rule context="m:a"><sch:extends rule="base"/></sch:rule>'
    )

    assert found(rules(tmp_path, pattern(body)).check(message("<m:a/><m:a><b/></m:a>"))) == [
        ("r1", "/m.0001/a[1]")
    ]


def test_an_abstract_pattern_is_filled_in_by_text(tmp_path: Path) -> None:
    body = (
        '<sch:pattern abstract="true" id="p">'
        + rule("$where", "$what and $whatever", "$what", "Es fehlt $what.")
        + '</sch:pattern><sch:pattern is-a="p"><sch:param name="where" value="m:a"/>'
        '<sch:param name="what" value="b"/><sch:param name="whatever" value="c or d"/>'
        "</sch:pattern>"
    )
    (remark,) = rules(tmp_path, body).check(message("<m:a><c/></m:a><m:a><b/><d/></m:a>"))

    assert (remark.finding.rule, remark.finding.text) == ("b", "Es fehlt b.")
    assert remark.finding.path == "/m.0001/a[1]"


def test_variables_of_file_pattern_and_rule_build_on_each_other(tmp_path: Path) -> None:
    body = (
        '<sch:let name="most" value="//m:most"/><sch:pattern>'
        '<sch:let name="twice" value="2 * $most"/><sch:rule context="m:a">'
        '<sch:let name="here" value="number(.)"/>'
        '<sch:assert id="r1" test="$here le $twice">zu viel</sch:assert></sch:rule></sch:pattern>'
    )

    assert found(
        rules(tmp_path, body).check(message("<m:most>2</m:most><m:a>4</m:a><m:a>5</m:a>"))
    ) == [("r1", "/m.0001/a[2]")]


def test_current_is_the_node_of_the_rule(tmp_path: Path) -> None:
    body = pattern(rule("m:a", "//m:b[@id = current()/@of]"))

    assert found(
        rules(tmp_path, body).check(message('<m:b id="1"/><m:a of="1"/><m:a of="2"/>'))
    ) == [("r1", "/m.0001/a[2]")]


def test_current_inside_a_text_stays_a_text(tmp_path: Path) -> None:
    body = pattern(rule("m:a", ". = 'current()' and matches(., '^c')"))

    assert rules(tmp_path, body).check(message("<m:a>current()</m:a>")) == ()


@pytest.mark.parametrize(
    ("role", "severity"),
    [
        ('role="warning"', "warning"), ('flag="warn"', "warning"), ('role="INFO"', "information"),
        ('role="fatal"', "error"), ('role="error" flag="warning"', "error"), ("", "error"),
    ],
)  # fmt: skip
def test_role_or_flag_is_the_severity(tmp_path: Path, role: str, severity: str) -> None:
    body = f'<sch:rule context="m:a"><sch:assert {role} test="b">x</sch:assert></sch:rule>'
    (remark,) = rules(tmp_path, pattern(body)).check(message("<m:a/>"))

    assert remark.severity == severity


def test_the_role_of_a_rule_counts_for_its_assertions(tmp_path: Path) -> None:
    body = '<sch:rule context="m:a" role="warning"><sch:assert test="b">x</sch:assert></sch:rule>'
    (remark,) = rules(tmp_path, pattern(body)).check(message("<m:a/>"))

    assert remark.severity == "warning"


def test_values_of_the_message_are_left_out_of_texts_and_names_are_not(tmp_path: Path) -> None:
    text = 'In <sch:name/> steht <sch:value-of select="."/>, <sch:emph>nicht</sch:emph> gut.'
    made = rules(tmp_path, pattern(rule("m:a", "false()", text=text)))
    (remark,) = made.check(message(f"<m:a>{PLANTED}</m:a>"))

    assert remark.finding.text == "In a steht …, nicht gut."
    assert PLANTED not in str(remark)


def test_a_name_that_no_schema_knows_is_not_repeated(tmp_path: Path) -> None:
    made = rules(tmp_path, pattern(rule("m:*", "false()", text="Hier: <sch:name/>")))
    remarks = made.check(message(f"<m:{PLANTED}/>"), known={"m.0001"})

    assert [one.finding.path for one in remarks] == ["/m.0001", "/m.0001/*"]
    assert PLANTED not in "\n".join(map(str, remarks))


def test_diagnostics_are_added_to_the_text(tmp_path: Path) -> None:
    body = (
        '<sch:pattern><sch:rule context="m:a"><sch:assert id="r1" test="b" diagnostics="d e">'
        'Falsch.</sch:assert></sch:rule></sch:pattern><sch:diagnostics><sch:diagnostic id="d">'
        'Gefunden: <sch:value-of select="."/></sch:diagnostic></sch:diagnostics>'
    )
    (remark,) = rules(tmp_path, body).check(message(f"<m:a>{PLANTED}</m:a>"))

    assert remark.finding.text == "Falsch. Gefunden: …"


def test_an_assertion_without_an_id_is_named_by_rule_or_line(tmp_path: Path) -> None:
    body = (
        '<sch:rule id="q" context="m:a"><sch:assert test="b">x</sch:assert></sch:rule>\n'
        '<sch:rule context="m:c"><sch:assert test="b">x</sch:assert></sch:rule>'
    )

    assert [name for name, _ in found(
        rules(tmp_path, pattern(body)).check(message("<m:a/><m:c/>")))] == ["q", "a:3"]  # fmt: skip


@pytest.mark.parametrize(
    ("context", "paths"),
    [
        ("m:a", ["/m.0001/a", "/m.0001/g/a"]),
        ("//m:a", ["/m.0001/a", "/m.0001/g/a"]),
        ("m:g/m:a", ["/m.0001/g/a"]),
        ("m:m.0001//m:a", ["/m.0001/a", "/m.0001/g/a"]),
        ("/m:m.0001/m:a", ["/m.0001/a"]),
        ("/m:g", []),
        ("/m:m.0001", ["/m.0001"]),
        ("m:a | b", ["/m.0001/a", "/m.0001/g/a", "/m.0001/g/b"]),
        ("(m:g | b)", ["/m.0001/g", "/m.0001/g/b"]),
        ("m:*", ["/m.0001", "/m.0001/a", "/m.0001/g", "/m.0001/g/a"]),
        ("m:g/*", ["/m.0001/g/a", "/m.0001/g/b"]),
        ("b[. = 'x']", ["/m.0001/g/b"]),
        ("m:g[b]/m:a", ["/m.0001/g/a"]),
        ("m:a[1]", ["/m.0001/a", "/m.0001/g/a"]),
        ("m:g/*[last()]", ["/m.0001/g/b"]),
        ("@x", ["/m.0001/a"]),
        ("m:a/text()", ["/m.0001/g/a"]),
        ("m:g//b[matches(., '^x$')]", ["/m.0001/g/b"]),
        ("nothing", []),
    ],
)  # fmt: skip
def test_contexts_match_as_patterns_of_xslt_do(
    tmp_path: Path, context: str, paths: list[str]
) -> None:
    made = rules(tmp_path, pattern(rule(context, "false()")))
    document = message('<m:a x="1"/><m:g><m:a>t</m:a><b>x</b></m:g>')

    assert made.findings == ()
    assert sorted(path for _, path in found(made.check(document))) == sorted(paths)


def test_of_phases_only_the_default_one_is_active(tmp_path: Path) -> None:
    body = (
        '<sch:phase id="short"><sch:active pattern="p"/></sch:phase>'
        f'<sch:pattern id="p">{rule("m:a", "false()")}</sch:pattern>'
        f'<sch:pattern id="q">{rule("m:a", "false()", "r2")}</sch:pattern>'
    )

    short = rules(tmp_path, body, ' defaultPhase="short"')
    assert [name for name, _ in found(short.check(message("<m:a/>")))] == ["r1"]
    assert len(rules(tmp_path, body).check(message("<m:a/>"))) == 2


def test_a_file_beside_it_is_included_and_one_elsewhere_is_named(tmp_path: Path) -> None:
    part = pattern(rule("m:a", "false()")).replace(
        "<sch:pattern>", '<sch:pattern xmlns:sch="http://purl.oclc.org/dsdl/schematron">'
    )
    (tmp_path / "part.sch").write_text(part, encoding="utf-8")
    made = rules(tmp_path, '<sch:include href="part.sch"/><sch:include href="../x.sch"/>')

    assert [name for name, _ in found(made.check(message("<m:a/>")))][1:] == ["r1"]
    assert "does not lie beside it" in str(made.findings[0])


def test_a_file_that_includes_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="includes more than 200 files, or itself"):
        rules(tmp_path, '<sch:include href="a.sch"/><sch:include href="a.sch"/>')


def test_rules_that_grow_by_extending_each_other_are_refused(tmp_path: Path) -> None:
    levels = "".join(
        f'<sch:rule abstract="true" id="r{at}">'
        + f'<sch:extends rule="r{at + 1}"/>' * 10
        + "</sch:rule>"
        for at in range(6)
    )
    last = '<sch:rule abstract="true" id="r6"><sch:assert test="a">x</sch:assert></sch:rule>'
    body = f'{levels}{last}<sch:rule context="m:a"><sch:extends rule="r0"/></sch:rule>'

    with pytest.raises(ConfigError, match="has more than 100000 assertions"):
        rules(tmp_path, pattern(body))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nichts\.sch: cannot be read"):
        compiled("m/1", [tmp_path / "nichts.sch"])


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("doc('http://127.0.0.1/')", "doc() reads more than the message"),
        ("unparsed-text('/etc/passwd')", "unparsed-text() reads more than the message"),
        ("environment-variable('HOME')", "environment-variable() reads more than the message"),
        ("$nobody = 1", "the variable $nobody is not declared"),
        ("m:f(.)", "unknown function"),
        ("nix:a", "nix"),
        ("a =", "end"),
        ("", "is empty"),
        ("key('k', .)", "unknown function 'key'"),
    ],
)
def test_an_expression_that_is_not_supported_is_named_with_file_and_line(
    tmp_path: Path, test: str, said: str
) -> None:
    made = rules(tmp_path, pattern("\n" + rule("m:a", test)))

    assert len(made.findings) == 1
    assert (made.findings[0].file, made.findings[0].line) == (str(tmp_path / "a.sch"), 3)
    assert f"cannot be evaluated: {test}" in made.findings[0].text
    assert said in made.findings[0].text


def test_rules_that_cannot_be_evaluated_are_a_warning_on_every_message(tmp_path: Path) -> None:
    made = rules(tmp_path, pattern(rule("m:a", "key('k', .)")))
    (remark,) = made.check(message("<m:b/>"))

    assert (remark.severity, remark.finding.rule) == ("warning", "rules not supported")


def test_after_a_context_that_is_not_supported_its_pattern_ends_and_says_so(
    tmp_path: Path,
) -> None:
    made = rules(tmp_path, pattern(rule("key('k', 'x')", "true()") + rule("m:a", "false()")))

    assert "so the 1 rules after it are not checked either" in made.findings[0].text
    assert [name for name, _ in found(made.check(message("<m:a/>")))] == ["rules not supported"]


def test_functions_of_xslt_in_a_rule_file_are_named(tmp_path: Path) -> None:
    body = '<f:function xmlns:f="http://www.w3.org/1999/XSL/Transform" name="m:f"/>'

    assert "<function> in <schema> is not supported" in str(rules(tmp_path, body).findings[0])


def test_an_extension_that_does_not_exist_is_named(tmp_path: Path) -> None:
    body = '<sch:rule context="m:a"><sch:extends rule="nix"/></sch:rule>'

    assert 'extends "nix", which cannot be found' in str(rules(tmp_path, pattern(body)).findings[0])


def test_an_abstract_rule_that_extends_itself_is_named(tmp_path: Path) -> None:
    body = (
        '<sch:rule abstract="true" id="x"><sch:extends rule="x"/></sch:rule>'
        '<sch:rule context="m:a"><sch:extends rule="x"/></sch:rule>'
    )

    assert 'extends "x"' in str(rules(tmp_path, pattern(body)).findings[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<a>", "is not well-formed XML"),
        ("<a/>", "is not ISO Schematron"),
        (HEAD.format("").replace("xslt2", "stx") + "</sch:schema>", 'query binding "stx"'),
    ],
)
def test_a_file_that_is_no_schematron_says_why(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.sch"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=said):
        compiled("m/1", [path])


def test_a_rule_without_a_value_on_a_message_is_one_warning_without_the_value(
    tmp_path: Path,
) -> None:
    made = rules(tmp_path, pattern(rule("m:a", "xs:integer(.) = 1")))
    remarks = made.check(message(f"<m:a>{PLANTED}</m:a><m:a>{PLANTED}</m:a>"))

    assert [(one.severity, one.finding.rule) for one in remarks] == [("warning", "r1")]
    assert "could not be evaluated on this message" in remarks[0].finding.text
    assert PLANTED not in str(remarks[0])


def test_a_variable_without_a_value_is_a_warning(tmp_path: Path) -> None:
    body = f'<sch:let name="n" value="xs:integer(//m:a)"/>{pattern(rule("m:a", "$n = 1"))}'
    (remark,) = rules(tmp_path, body).check(message(f"<m:a>{PLANTED}</m:a>"))

    assert (remark.severity, remark.finding.rule) == ("warning", "rules not finished")
    assert PLANTED not in str(remark)


def test_a_variable_of_a_rule_without_a_value_is_a_warning_for_its_assertions(
    tmp_path: Path,
) -> None:
    body = (
        '<sch:rule context="m:a"><sch:let name="n" value="xs:integer(.)"/>'
        '<sch:assert id="r1" test="$n = 1">x</sch:assert></sch:rule>'
    )
    (remark,) = rules(tmp_path, pattern(body)).check(message(f"<m:a>{PLANTED}</m:a>"))

    assert (remark.severity, remark.finding.rule) == ("warning", "r1")


def test_rules_that_are_not_finished_in_time_are_a_warning(tmp_path: Path) -> None:
    made = rules(tmp_path, pattern(rule("m:a", "false()")))
    (remark,) = made.check(message("<m:a/>"), seconds=0)

    assert (remark.severity, remark.finding.rule) == ("warning", "rules not finished")


def test_even_a_single_expression_is_stopped(tmp_path: Path) -> None:
    test = "count(for $a in //m:a, $b in //m:a, $c in //m:a, $d in //m:a return $d/..) = 0"
    made = rules(tmp_path, pattern(rule("m:m.0001", test)))
    (remark,) = made.check(message("<m:a/>" * 100), seconds=0.05)

    assert remark.finding.rule == "rules not finished"


def test_no_rules_find_nothing(tmp_path: Path) -> None:
    assert Rules.load(tmp_path).of("m", "1").check(message("<m:a/>")) == ()


def test_rules_of_a_version_lie_anywhere_below_it_and_twice_is_once(tmp_path: Path) -> None:
    body = pattern(rule("m:a", "false()"))
    for folder in ("m/1/official/a", "m/1/official/b", "m/2/rules"):
        (tmp_path / folder).mkdir(parents=True)
        written(tmp_path / folder, body)
    known = Rules.load(tmp_path)

    assert [known.of("m", name).size for name in ("1", "2", "3")] == [1, 1, 0]
    assert known.of("m", "1") is known.of("m", "1")


def test_check_hears_of_everything_that_cannot_be_used(tmp_path: Path) -> None:
    for folder in ("m/1/official", "m/2/rules"):
        (tmp_path / folder).mkdir(parents=True)
    written(tmp_path / "m/1/official", pattern(rule("m:a", "key('k', .)")))
    (tmp_path / "m/2/rules/b.sch").write_text("<a>", encoding="utf-8")

    assert [Path(one.file).name for one in Rules.load(tmp_path).findings()] == ["a.sch", "b.sch"]


def test_a_broken_rule_refuses_with_the_reason_of_the_standard(tmp_path: Path) -> None:
    remarks = rules(tmp_path, pattern(rule("m:a", "b"))).check(message("<m:a/>"))

    with pytest.raises(SchemaViolation, match=r"its rules: line 2: /m\.0001/a: r1: Falsch"):
        refuse(remarks, "its rules")
    assert [module.reason(name) for name in ("xbau", "xgewerbeanzeige")] == ["S999", "X002"]


def test_a_file_of_xslt_1_is_read_as_such(tmp_path: Path) -> None:
    path = written(tmp_path, pattern(rule("m:a", "string(b) = 'x'")))
    path.write_text(path.read_text().replace(' queryBinding="xslt2"', ""), encoding="utf-8")

    assert compiled("m/1", [path]).check(message("<m:a><b>x</b><b>y</b></m:a>")) == ()


EXPRESSIONS = (
    "not(not(*) and normalize-space(.) = '')",
    "a", "a/b", "a//b", ".//b", "..", "../a", "//b", "/m:r/a", "@x", "a/@x", "*", "m:*", "m:a",
    "a = 'x'", "a != 'x'", "a = b", "a != b", "'x' = a", "a = ('x', 'y')", "a != ('x', 'y')",
    "not(a)", "exists(a/b)", "empty(a)", "boolean(a)", "a and b or not(m:a)",
    "if (a = 'x') then not(b) else true()", "if (a) then b else false()",
    "count(a) = 2", "count(.//b) >= 1", "string-length(.) > 3", "normalize-space() = 'x'",
    "a[b]", "a[. = 'x']", "a[@x = '1']/b", "a[not(b)]", "(a)", "a[b or @x]", ". = 'x'",
)  # fmt: skip


def grown(dice: random.Random, depth: int = 0) -> str:
    if depth > 3:
        return dice.choice(("x", "y", " ", ""))
    name = dice.choice(("a", "b", "m:a"))
    attribute = dice.choice(("", ' x="1"', ' x="2"'))
    inner = "".join(grown(dice, depth + 1) for _ in range(dice.randrange(4)))
    return f"<{name}{attribute}>{inner or dice.choice(('x', 'y', ' ', ''))}</{name}>"


@pytest.mark.parametrize("source", EXPRESSIONS)
def test_libxml2_and_elementpath_agree_wherever_libxml2_is_asked(source: str) -> None:
    dice = random.Random(source)
    one = Compiler("2", {"m": "urn:m"}).compile(source)
    slow = Expression(one.source, one.token, None)

    assert one.fast is not None
    for _ in range(20):
        body = "".join(grown(dice) for _ in range(3))
        root = etree.fromstring(f'<m:r xmlns:m="urn:m">{body}</m:r>')
        tree = Tree(root, 60)
        for element in root.iter():
            assert tree.test(one, element, {}) == tree.test(slow, element, {})


@pytest.mark.parametrize(
    "source",
    ["number(a[1]) < 3", "matches(string(a[1]), '^x')", "a[1]/b = 'x'", "sum(a/@x) > 1",
     "if (count(a) = 1) then contains(a, 'x') else true()", "a/text() = 'x'", ".//b[2] = 'y'"],
)  # fmt: skip
def test_a_part_of_a_message_is_enough_for_an_expression_that_only_looks_down(
    source: str,
) -> None:
    dice = random.Random(source)
    one = Compiler("2", {"m": "urn:m"}).compile(source)
    whole = Expression(one.source, one.token, None)

    assert (one.fast, one.downward) == (None, True)
    for _ in range(20):
        root = etree.fromstring(f'<m:r xmlns:m="urn:m">{"".join(grown(dice) for _ in "abc")}</m:r>')
        tree, other = Tree(root, 60), Tree(root, 60)
        for element in root.iter():
            assert tree.test(one, element, {}) == other.test(whole, element, {})


@pytest.mark.parametrize("source", ["..", "/a", "//a", "ancestor::a", "$v", "root()", "id('x')"])
def test_an_expression_that_looks_elsewhere_gets_the_whole_message(source: str) -> None:
    assert not Compiler("2", {}).compile(source, {"v"}).downward


@pytest.mark.parametrize(
    "source",
    ["a < 3", "a = 3", "number(a) = 1", "a[1]", "matches(a, 'x')", "a eq 'x'", "normalize-space(a)",
     "some $x in a satisfies $x = 'x'", "a | b", "string(a) = 'x'", "a = 'x\"' or b = \"y'\"\"\"",
     "sum(a) = 3", "position() = 1", "xs:integer(a) = 3", "a/text()"],
)  # fmt: skip
def test_what_may_differ_between_the_versions_is_left_to_elementpath(source: str) -> None:
    assert Compiler("2", {"m": "urn:m"}).compile(source).fast is None


XBAU = "http://www.xleitstelle.de/xbau/2/6"
STATISTICS = f"""<x:statistik.baugenehmigung.0421 xmlns:x="{XBAU}"><nachrichtenkopf.g2g>
<leser><verzeichnisdienst><code>DVDV</code></verzeichnisdienst><kennung>stl:03000000</kennung>
</leser><autor><verzeichnisdienst><code>DVDV</code></verzeichnisdienst>
<kennung>bab:03103000</kennung></autor></nachrichtenkopf.g2g>
<x:allgemeineAngaben><x:bauherr><organisation><name>Muster GmbH</name></organisation></x:bauherr>
<x:flurstueck><bundesland><code>03</code></bundesland></x:flurstueck></x:allgemeineAngaben>
<x:datenEinzelnesGebaeude><x:angabenGebaeude>
<x:artDesWohngebaeudes><code>1</code></x:artDesWohngebaeudes></x:angabenGebaeude>
<x:baugenehmigung><x:artDerBautaetigkeit><code>1</code></x:artDerBautaetigkeit></x:baugenehmigung>
<x:anzahlDerWohnungen><x:gesamtanzahlWohnungen>1</x:gesamtanzahlWohnungen></x:anzahlDerWohnungen>
<x:anzahlVollgeschosse>3</x:anzahlVollgeschosse><x:bruttoRauminhaltBRI>10</x:bruttoRauminhaltBRI>
<x:baukosten><x:kostengruppe300>100000</x:kostengruppe300>
<x:kostengruppe400>100000</x:kostengruppe400></x:baukosten>
<x:heizenergie><x:primaereHeizenergieHeizung><x:code><code>001</code></x:code>
</x:primaereHeizenergieHeizung><x:sekundaereHeizenergieHeizung><x:code><code>002</code></x:code>
</x:sekundaereHeizenergieHeizung></x:heizenergie>
<x:anzahlDerWohnungenNeu><x:kategorie><code>7</code></x:kategorie>
<x:anzahlWohnungen>2</x:anzahlWohnungen><x:anzahlRaeumebeiWohnungenMitSiebenOderMehrRaeumen>14\
</x:anzahlRaeumebeiWohnungenMitSiebenOderMehrRaeumen></x:anzahlDerWohnungenNeu>
</x:datenEinzelnesGebaeude></x:statistik.baugenehmigung.0421>"""
NEW = "<x:artDerBautaetigkeit><code>1<"
OLD = NEW.replace(">1<", ">3<")


def official() -> RuleSet:
    return compiled("xbau/2.6", sorted((needs.SHARED / "xoev/xbau_2.6/schematron").glob("*.sch")))


@needs.shared
def test_every_expression_of_the_public_rules_is_understood() -> None:
    paths = sorted((needs.SHARED / "xoev").rglob("*.sch"))
    made = compiled("all", paths)

    assert made.findings == ()
    assert made.size > 340


@needs.shared
def test_a_statistical_message_that_keeps_all_rules_has_no_remark() -> None:
    assert official().check(parse(STATISTICS.encode())) == ()


@needs.shared
@pytest.mark.parametrize(
    ("old", "new", "broken"),
    [
        ("stl:03000000", "STL:03000000", ["sch-xbau-001"]),
        ("bab:03103000", "bab-03103000", ["sch-xbau-002"]),
        ("<bundesland><code>03</code></bundesland>", "<gemeinde>x</gemeinde>", ["sch-stat-001"]),
        ("Muster GmbH", " ", ["sch-stat-002", "sch-xbau-gen-001"]),
        ("<code>002<", "<code>014<", ["sch-stat-003"]),
        ("<x:kategorie><code>7<", "<x:kategorie><code>6<", ["sch-stat-004"]),
        (">14<", ">13<", ["sch-stat-005"]),
        ("Vollgeschosse>3<", "Vollgeschosse>4<", ["sch-stat-006"]),
        ("300>100000<", "300>900000<", ["sch-stat-007"]),
        (NEW, OLD, ["sch-stat-011", "sch-stat-012"]),
        ("</x:datenEinzelnesGebaeude>", "<x:leer> </x:leer></x:datenEinzelnesGebaeude>",
         ["sch-xbau-gen-001"]),
    ],
)  # fmt: skip
def test_a_message_that_was_made_wrong_breaks_the_rules_that_forbid_it(
    old: str, new: str, broken: list[str]
) -> None:
    assert old in STATISTICS
    changed = STATISTICS.replace(old, new).encode()
    remarks = official().check(parse(changed))

    assert sorted(one.finding.rule for one in remarks) == broken
    assert {one.severity for one in remarks} == {"error"}


@needs.shared
@pytest.mark.parametrize(
    ("added", "broken"),
    [
        ("haustypWohngebaeude", "sch-stat-008"),
        ("ueberwiegendVerwendeterBaustoff", "sch-stat-009"),
        ("heizungHeizenergie", "sch-stat-010"),
        ("sonstigeLueftungsanlagen", "sch-stat-013"),
        ("kuehlung", "sch-stat-014"),
        ("erfuellungGEG", "sch-stat-015"),
    ],
)
def test_what_only_new_buildings_have_is_refused_for_others(added: str, broken: str) -> None:
    inside = "angabenGebaeude" if added == "haustypWohngebaeude" else "datenEinzelnesGebaeude"
    text = STATISTICS.replace(f"</x:{inside}>", f"<x:{added}>1</x:{added}></x:{inside}>")

    assert official().check(parse(text.encode())) == ()
    remarks = official().check(parse(text.replace(NEW, OLD).encode()))
    assert broken in [one.finding.rule for one in remarks]


@needs.shared
def test_the_synthetic_messages_break_one_rule_their_empty_elements() -> None:
    made = official()
    counts = {}
    for path in samples(needs.SHARED):
        remarks = made.check(parse(path.read_bytes()))
        counts[path.name] = len(remarks)
        assert {one.finding.rule for one in remarks} <= {"sch-xbau-gen-001"}

    assert sorted(counts.values()) == [0, 0, 0, 1, 9, 9, 9]


def test_a_context_without_a_value_on_a_message_is_a_warning(tmp_path: Path) -> None:
    made = rules(tmp_path, pattern(rule("m:a[xs:integer(.) = 1]", "false()")))
    (remark,) = made.check(message(f"<m:a>{PLANTED}</m:a>"))

    assert (remark.severity, remark.finding.rule) == ("warning", "r1")
    assert PLANTED not in str(remark)


def test_threads_that_share_rules_find_what_one_alone_finds(tmp_path: Path) -> None:
    body = pattern(rule("m:a", "b") + rule("m:b", "matches(., '^x$')", "r2"))
    made = rules(tmp_path, body)
    documents = [message("<m:a/>" * at + "<m:b>y</m:b>") for at in range(8)]
    alone = [found(made.check(one)) for one in documents]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda at: found(made.check(documents[at % 8])), range(200)))

    assert together == [alone[at % 8] for at in range(200)]
