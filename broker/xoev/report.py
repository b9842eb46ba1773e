"""A judgement for machines: JSON, and XML in the terms of the validator of KoSIT (VARL 1)."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any, Final

from lxml import etree

from broker.xoev.judgement import CODES, RULES, SCHEMA, WELLFORMED, Judgement, Step
from broker.xoev.remark import Remark

_REP: Final = "http://www.xoev.de/de/validator/varl/1"
_S: Final = "http://www.xoev.de/de/validator/framework/1/scenarios"
_HTML: Final = "http://www.w3.org/1999/xhtml"
#: Names that viewers of these reports look for.
_IDS: Final = {
    WELLFORMED: "val-xml",
    SCHEMA: "val-xsd",
    CODES: "val-codelists",
    RULES: "val-sch.1",
}
_RESOURCES: Final = {
    WELLFORMED: "Wohlgeformtheit und zulässige Konstrukte",
    SCHEMA: "XML Schema",
    CODES: "Codelisten",
    RULES: "Schematron",
}
_ASSESSED: Final = {
    "accept": "Die Nachricht ist konform.",
    "reject": "Die Nachricht ist nicht konform.",
    "undecided": "Diese Version des Standards ist hier nicht installiert.",
}


def as_json(judgement: Judgement, engine: str) -> str:
    """Return the judgement as JSON with stable keys; `engine` names program and version."""
    return json.dumps(
        {
            "engine": engine,
            "file": judgement.file,
            "size": judgement.size,
            "sha256": judgement.digest,
            "judged_at": _time(judgement.at),
            "standard": judgement.title,
            "version": judgement.version,
            "kind": judgement.kind,
            "verdict": judgement.verdict,
            "reason": judgement.reason,
            "steps": [_step(step) for step in judgement.steps],
        },
        indent=2,
        ensure_ascii=False,
    )


def as_xml(judgement: Judgement, engine: str) -> bytes:
    """Return the judgement as `rep:report`: steps with id, messages with level, code, place.

    A skipped step is left out, as KoSIT leaves it out. A message of a standard or version that is
    not installed has no scenario.
    """
    root = etree.Element(_q("report"), nsmap={"rep": _REP, "s": _S, "html": _HTML})
    root.set("valid", _flag(judgement.verdict == "accept"))
    root.set("varlVersion", "1.0.0")
    _text(_sub(root, "engine"), "name", engine)
    _text(root, "timestamp", _time(judgement.at))
    document = _sub(root, "documentIdentification")
    digest = _sub(document, "documentHash")
    _text(digest, "hashAlgorithm", "SHA-256")
    _text(digest, "hashValue", base64.b64encode(bytes.fromhex(judgement.digest)).decode())
    _text(document, "documentReference", _clean(judgement.file))
    _scenario(root, judgement)
    _assessment(root, judgement)
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _scenario(root: etree._Element, judgement: Judgement) -> None:
    matched = _sub(root, "scenarioMatched" if judgement.matched else "noScenarioMatched")
    if judgement.matched:
        scenario = etree.SubElement(matched, f"{{{_S}}}scenario")
        name = f"{judgement.title} {judgement.version} {judgement.kind}".strip()
        etree.SubElement(scenario, f"{{{_S}}}name").text = name
    for step in judgement.steps:
        if step.outcome != "skipped":
            _result(matched, step)


def _result(parent: etree._Element, step: Step) -> None:
    id = _IDS[step.name]
    result = _sub(parent, "validationStepResult")
    result.set("id", id)
    result.set("valid", _flag(step.outcome == "passed"))
    for basis in step.basis:
        resource = etree.SubElement(result, f"{{{_S}}}resource")
        etree.SubElement(resource, f"{{{_S}}}name").text = f"{_RESOURCES[step.name]} {basis.name}"
        location = f"{basis.name} {basis.version} sha256:{basis.digest}"
        etree.SubElement(resource, f"{{{_S}}}location").text = location
    for number, remark in enumerate(step.remarks, 1):
        # Of code lists viewers want the reason, of schemas and rules the rule.
        code = remark.finding.code if step.name == CODES else remark.finding.rule
        _message(result, f"{id}.{number}", remark, code or remark.finding.code)


def _message(parent: etree._Element, id: str, remark: Remark, code: str) -> None:
    finding = remark.finding
    message = _sub(parent, "message")
    message.text = _clean(finding.text)
    message.set("id", id)
    message.set("level", remark.severity)
    values = {
        "xpathLocation": finding.path,
        "code": code,
        "lineNumber": str(finding.line or ""),
        "columnNumber": str(finding.column or ""),
    }
    for name, value in values.items():
        if value:
            message.set(name, _clean(value))


def _assessment(root: etree._Element, judgement: Judgement) -> None:
    accepted = judgement.verdict == "accept"
    verdict = _sub(_sub(root, "assessment"), "accept" if accepted else "reject")
    explanation = etree.SubElement(_sub(verdict, "explanation"), f"{{{_HTML}}}p")
    text = _ASSESSED[judgement.verdict]
    explanation.text = f"{text} ({judgement.reason})" if judgement.reason else text


def _step(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "outcome": step.outcome,
        "note": step.note,
        "judged_by": [
            {"name": basis.name, "version": basis.version, "sha256": basis.digest}
            for basis in step.basis
        ],
        "findings": [_remark(remark) for remark in step.remarks],
    }


def _remark(remark: Remark) -> dict[str, Any]:
    finding = remark.finding
    return {
        "severity": remark.severity,
        "rule": finding.rule,
        "reason": finding.code,
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "text": finding.text,
    }


def _time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _q(name: str) -> str:
    return f"{{{_REP}}}{name}"


def _sub(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, _q(name))


def _text(parent: etree._Element, name: str, text: str) -> None:
    _sub(parent, name).text = text


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _clean(text: str) -> str:
    """Leave out what XML cannot hold: a file name may have anything in it."""
    return "".join(char for char in text if char.isprintable() or char in "\t\n")
