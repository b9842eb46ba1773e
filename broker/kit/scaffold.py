"""Makes the folder of a new adapter: it runs at once, and its own samples prove it."""

from __future__ import annotations

import difflib
import re
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from broker import samples
from broker.catalog import Catalog
from broker.codes import short
from broker.errors import BrokerError, ConfigError, Finding, MessageError, SchemaMissing
from broker.message import Envelope
from broker.samples import REQUESTED, Sample
from broker.xoev.standards import Standards

TARGETS: Final = ("soap", "directory", "table", "rest", "python")

#: The AGS of Musterstadt, which no municipality has.
INVENTED: Final = "03999000"

_PART: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_AGS: Final = re.compile(r"[0-9]{8}", re.ASCII)
#: The one message that this module can write an example and a mapping for.
_BUILDING: Final = ("xbau/2.6", "baugenehmigung.antrag.0200")

#: What the folder holds: file → template, and what the file is for. `{flavour}` is `xbau` or `any`.
_XML: Final = {
    "to_legacy.xsl": ("{flavour}/xml.xsl", "the way there"),
    "to_xoev.xsl": ("{flavour}/to_xoev.xsl", "the way back"),
}
_RECORDS: Final = {**_XML, "to_legacy.xsl": ("{flavour}/records.xsl", "the way there")}
_FILES: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "soap": {**_XML, "service.wsdl": ("soap/service.wsdl", "stands in for your service's WSDL")},
    "rest": _XML,
    "directory": {
        **_RECORDS,
        "antrag.csv": ("{flavour}/columns.csv", "layout of the files that go there"),
        "antwort.csv": ("directory/antwort.csv", "layout of the files that come back"),
    },
    "table": {
        **_RECORDS,
        "spalten.csv": ("{flavour}/columns.csv", "lengths of the columns"),
        "tables.sql": ("{flavour}/tables.sql", "the tables"),
    },
    "python": {"to_xoev.xsl": _XML["to_xoev.xsl"]},
}
_SUFFIX: Final = {"directory": ".txt", "python": ".json"}
#: What records and the fields of an answer are called in each target.
_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "directory": {
        "head": "K", "person": "P", "plot": "F", "file": "D", "value": "W", "date": "8",
        "layout": "antrag.csv", "open": "long", "answer": "/records", "status": "R/STATUS",
        "number": "R/AKTENZEICHEN", "text": "R/TEXT",
    },
    "table": {
        "head": "ANTRAG", "person": "ANTRAG_PERSON", "plot": "ANTRAG_FLURSTUECK",
        "file": "ANTRAG_ANLAGE", "value": "ANTRAG_WERT", "date": "10", "layout": "spalten.csv",
        "open": "any", "answer": "ANTWORT", "status": "STATUS", "number": "AKTENZEICHEN",
        "text": "TEXT",
    },
    "python": {
        "answer": "antwort", "status": "status", "number": "aktenzeichen", "text": "text",
    },
}  # fmt: skip
_ANSWER: Final = {
    "answer": "a:Antwort", "status": "a:Status", "number": "a:Aktenzeichen", "text": "a:Text",
    "excluded": " a",
}  # fmt: skip
#: The cases of a building application: its code of the measure, the answer's status and text.
#: 20 (excavation) is a code of the standard that the invented procedure has no word for.
_CASES: Final = (
    ("einfach", "11", "EINGEGANGEN", "Der Antrag ist eingegangen."),
    ("abgewiesen", "11", "ABGEWIESEN", "Der Bauplan fehlt."),
    ("code-unbekannt", "20", "", ""),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made.

    `adapter` is `city/procedure`, `standard` a name of an installed one with its version
    (`xbau/2.6`), `target` one of TARGETS, `ags` the eight digits of the municipality, `sample` the
    bytes of a message to start from, or nothing.
    """

    adapter: str
    standard: str
    target: str
    ags: str = INVENTED
    sample: bytes = b""


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: the folder, the lines for routes.yaml, and what is left to be said.

    `cases` are the samples that the new adapter passes; without one `remark` says what to do.
    """

    folder: Path
    files: tuple[str, ...]
    cases: tuple[str, ...]
    routes: str
    remark: str = ""


def make(plan: Plan, folder: Path, standards: Standards) -> Made:
    """Write the folder `folder/city/procedure` and prove it; nothing is left where that fails.

    Raises ConfigError with all findings, and BrokerError where the folder is there already.
    """
    check(plan, standards)
    final = folder / plan.adapter
    if final.exists():
        raise BrokerError(
            f"{short(final / 'adapter.py')} or its folder is there already; nothing was changed"
        )
    head = _head(plan, standards)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as staging:
            made = _written(plan, head, folder, Path(staging) / plan.adapter)
            _prove(plan, Path(staging), standards)
            files = _listed(made.folder)
            shutil.move(made.folder, final)
    except OSError as error:
        raise BrokerError(f"{folder} cannot be written: {error.strerror}") from error
    return Made(final, files, made.cases, made.routes, made.remark)


def check(plan: Plan, standards: Standards) -> None:
    """Raise ConfigError with everything that is wrong with a plan."""
    findings = [
        *_name(plan.adapter),
        *_standard(plan.standard, standards),
        *_choice("target", plan.target, TARGETS),
    ]
    if not _AGS.fullmatch(plan.ags):
        findings.append(Finding("the AGS has eight digits, as in 03999000"))
    if findings:
        raise ConfigError("this adapter cannot be made", findings=findings)


def installed(standards: Standards) -> tuple[str, ...]:
    """Return what `standard` may be."""
    return tuple(
        f"{name}/{version}" for name in standards.names() for version in standards.versions(name)
    )


def _name(text: str) -> list[Finding]:
    parts = text.split("/")
    if len(parts) != 2 or not all(map(_PART.fullmatch, parts)):
        return [
            Finding(
                f'"{text}" is no name of an adapter; needed is city/procedure in small letters,'
                " digits and hyphens, as in musterstadt/bau"
            )
        ]
    return [Finding('"shared" is where adapters share files')] if parts[0] == "shared" else []


def _standard(text: str, standards: Standards) -> list[Finding]:
    return _choice("standard", text, installed(standards))


def _choice(what: str, text: str, known: tuple[str, ...]) -> list[Finding]:
    if text in known:
        return []
    near = difflib.get_close_matches(text, known, n=1)
    hint = f', did you mean "{near[0]}"?' if near else f"; there are {', '.join(known)}"
    return [Finding(f'unknown {what} "{text}"{hint}')]


def _head(plan: Plan, standards: Standards) -> Envelope | None:
    """Return what the given sample says of itself; it must be a valid message of the standard."""
    if not plan.sample:
        return None
    document = standards.parse(plan.sample)
    head = standards.envelope(document)
    if f"{head.standard}/{head.version}" != plan.standard:
        found = f"{head.standard}/{head.version}".strip("/") or "no standard that is installed here"
        raise ConfigError(f"the sample is of {found}, not of {plan.standard}")
    try:
        standards.validate(document, head, REQUESTED)
    except (MessageError, SchemaMissing) as error:
        raise ConfigError(f"the sample is not valid: {error}", findings=error.findings) from error
    return head


def _written(plan: Plan, head: Envelope | None, root: Path, place: Path) -> Made:
    """Fill the templates into a folder that nobody sees yet."""
    building = plan.standard == _BUILDING[0] and (head is None or head.kind == _BUILDING[1])
    flavour = "xbau" if building else "any"
    values = _values(plan, head, flavour, root)
    values["forth"] = "adapter.py" if plan.target == "python" else "to_legacy.xsl"
    files = _files(plan.target, flavour)
    values["routes"] = _fill("routes.yaml", values).rstrip("\n")
    values["files"] = "\n".join(f"| `{file}` | {about} |" for file, (_, about) in files.items())
    place.mkdir(parents=True)
    for file, (template, _) in files.items():
        (place / file).parent.mkdir(exist_ok=True)
        (place / file).write_text(_fill(template, values), "utf-8")
    (place / "README.md").write_text(_fill("README.md", values), "utf-8")
    cases = _building_cases(plan, values, place) if building else []
    if plan.sample:
        name = "eigener" if building else "einfach"
        _sample(place, name, plan.sample)
        cases.append(name)
    return Made(place, (), tuple(cases), values["routes"], values["remark"])


def _files(target: str, flavour: str) -> dict[str, tuple[str, str]]:
    """Return the files of an adapter with their templates and what they are for."""
    own = f"{flavour}/adapter.py.txt" if target == "python" else f"{target}/adapter.py.txt"
    files = {"adapter.py": (own, "names both directions")} | dict(_FILES[target])
    if flavour == "xbau" and target != "python":
        files["codes/massnahme.csv"] = ("xbau/massnahme.csv", "a code list: what each code becomes")
    if flavour == "any" and target == "python":
        del files["to_xoev.xsl"]
    return {
        file: (template.format(flavour=flavour), about) for file, (template, about) in files.items()
    }


def _values(plan: Plan, head: Envelope | None, flavour: str, root: Path) -> dict[str, str]:
    """Return what is filled in for the names between two `@`."""
    city, procedure = plan.adapter.split("/")
    standard, version = plan.standard.split("/")
    town = city.replace("-", " ").title()
    namespace = f"urn:{city}:{procedure}:1"
    values = {
        "excluded": "", "adapter": plan.adapter, "city": city, "procedure": procedure,
        "town": town, "title": f"Stadt {town}", "class": procedure.title().replace("-", ""),
        "ags": plan.ags, "standard": plan.standard, "id": standard, "name": standard,
        "version": version, "target": plan.target, "namespace": namespace,
        "folder": f"{root.name}/{plan.adapter}", "suffix": _SUFFIX.get(plan.target, ".xml"),
        "declared": f'\n    xmlns:a="{namespace}"' if plan.target in ("soap", "rest") else "",
        "types": _template(f"{flavour}/types.xsd").rstrip("\n"),
        **_NAMES.get(plan.target, _ANSWER),
    }  # fmt: skip
    values |= _mapped() if flavour == "xbau" else _unmapped(plan, head)
    values["tables"] = ", ".join(values.get(name, "") for name in values["tables"].split())
    values["channel"] = _fill(f"{plan.target}/channel.yaml", values).rstrip("\n")
    return values


def _mapped() -> dict[str, str]:
    """Return what only a building application has, for which there is a mapping."""
    return {
        "kind": f", kind: {_BUILDING[1]}", "to": "bab:{ags}", "encoding": "iso8859-15",
        "requires": '\n    requires = ("xbau:bauvorhaben/xbau:bezeichnungDesBauvorhabens",)',
        "tables": "head person plot file", "path": "", "remark": "", "back": "to_xoev.xsl",
    }  # fmt: skip


def _unmapped(plan: Plan, head: Envelope | None) -> dict[str, str]:
    """Return what is known of any other message: what the sample says, if there is one."""
    return {
        "kind": f", kind: {head.kind}" if head else "",
        "to": head.recipient.key if head else "prefix:{ags}",
        "encoding": "utf-8", "requires": "", "tables": "head value",
        "path": _template("any/path.xsl"),
        "remark": "" if head else _REMARK.format(adapter=plan.adapter),
        "back": "adapter.py" if plan.target == "python" else "to_xoev.xsl",
    }  # fmt: skip


_REMARK: Final = """
There is no sample yet: put a message of the standard (invented people only) into
samples/einfach/1-request.xoev.xml and run: xoev-broker adapters test {adapter} --update
"""


def _building_cases(plan: Plan, values: Mapping[str, str], place: Path) -> list[str]:
    suffix = values["suffix"]
    for case, measure, answered, said in _CASES:
        ids = {name: str(uuid.uuid5(uuid.NAMESPACE_OID, f"{plan.adapter}/{case}/{name}"))
               for name in ("uuid", "service")}  # fmt: skip
        more = {
            **values, **ids, "case": case, "measure": measure, "recipient": f"bab:{plan.ags}",
            "answered": answered, "padded": f"{answered:<12}", "said": said,
        }  # fmt: skip
        folder = _sample(place, case, _fill("xbau/request.xml", more).encode())
        if answered:
            reply = _fill(f"{plan.target}/reply{suffix}", more)
            (folder / f"3-reply.legacy{suffix}").write_bytes(reply.encode(values["encoding"]))
    return [case for case, *_ in _CASES]


def _sample(place: Path, name: str, request: bytes) -> Path:
    folder = place / "samples" / name
    folder.mkdir(parents=True)
    (folder / "1-request.xoev.xml").write_bytes(request)
    return folder


def _prove(plan: Plan, staging: Path, standards: Standards) -> None:
    """Load the new adapter and write what comes out of its samples."""
    catalog = Catalog.load([staging])
    if catalog.findings:
        raise ConfigError("the new adapter cannot be loaded", findings=catalog.findings)
    samples.update(catalog, plan.adapter, standards)
    for sample in samples.find(catalog, plan.adapter):
        _expected(sample)
    shutil.rmtree(staging / plan.adapter / "__pycache__", ignore_errors=True)


def _expected(sample: Sample) -> None:
    """Let no error pass that was not meant to be one; a message of others may be one."""
    file = sample.folder / "error.txt"
    if sample.folder.name not in ("code-unbekannt", "eigener") and file.exists():
        raise ConfigError(f"the new adapter cannot convert its sample: {file.read_text().strip()}")


def _listed(folder: Path) -> tuple[str, ...]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return tuple(sorted(file.relative_to(folder).as_posix() for file in files))


def _fill(name: str, values: Mapping[str, str]) -> str:
    text = _template(name)
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def _template(name: str) -> str:
    return resources.files("broker.kit").joinpath("scaffolds", *name.split("/")).read_text("utf-8")
