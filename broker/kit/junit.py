"""Results of samples as JUnit XML, which every CI server can show."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lxml import etree

from broker.errors import Finding
from broker.samples import Result

#: What may not stand in XML, not even as a reference.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def report(results: Sequence[Result], broken: Sequence[Finding] = ()) -> bytes:
    """Return one suite for each adapter, a case for each file of a sample and each broken adapter.

    The class of a case is the sample (`wolfsburg/bau/einfach`), its name the file.
    """
    top = etree.Element("testsuites", name="xoev-broker adapters")
    suites: dict[str, list[Result]] = {}
    for result in results:
        suites.setdefault(result.sample.rpartition("/")[0], []).append(result)
    for name, group in suites.items():
        suite = _suite(top, name, len(group), sum(not result.ok for result in group), 0)
        for result in group:
            case = etree.SubElement(suite, "testcase", classname=result.sample, name=result.file)
            if not result.ok:
                _trouble(case, "failure", f"{result.file} is not as expected", result.difference)
    if broken:
        suite = _suite(top, "broken adapters", len(broken), 0, len(broken))
        for finding in broken:
            case = etree.SubElement(suite, "testcase", classname=finding.file, name="load")
            _trouble(case, "error", "the adapter cannot be used", str(finding))
    for key in ("tests", "failures", "errors"):
        top.set(key, str(sum(int(suite.get(key, "0")) for suite in top)))
    etree.indent(top)
    return etree.tostring(top, encoding="UTF-8", xml_declaration=True)


def _suite(
    top: etree._Element, name: str, tests: int, failures: int, errors: int
) -> etree._Element:
    return etree.SubElement(
        top,
        "testsuite",
        name=name,
        tests=str(tests),
        failures=str(failures),
        errors=str(errors),
        skipped="0",
    )


def _trouble(case: etree._Element, kind: str, message: str, text: str) -> None:
    trouble = etree.SubElement(case, kind, message=_ILLEGAL.sub("?", message))
    trouble.text = _ILLEGAL.sub("?", text)
