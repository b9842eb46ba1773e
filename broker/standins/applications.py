"""Writes valid building applications of invented people, for the demo, tests and benchmarks."""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from lxml import etree

PROJECTS = (
    "Neubau eines Einfamilienhauses mit Carport",
    "Anbau eines Wintergartens",
    "Errichtung einer Werkstatt",
    "Aufstellen einer Gartenhütte",
    "Neubau einer Garage",
)
FIRST = ("Tilda", "Ansgar", "Jorinde", "Ömer", "Mieke", "Bruno", "Zoë", "Hinnerk", "Svea", "Cem")
LAST = (
    "Beispielmann",
    "Mustergruber",
    "Erfunden",
    "Probst-Muster",
    "Ausgedacht",
    "Beispielçi",
    "Übungsfrau",
    "Testhausen",
)
STREETS = ("Erfundene Allee", "Musterfeldweg", "Beispielring", "Probestraße", "Am Übungsplatz")

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEAD = ".//nachrichtenkopf.g2g/"
_PROJECT = "{*}bauvorhaben/{*}bezeichnungDesBauvorhabens"
_PLOT = "{*}bauvorhaben/{*}verortung//kodierungFlurstueck"


class Writer:
    """Fills each city's own sample with other ids, people and plots; the same seed writes the same.

    Not thread-safe.
    """

    def __init__(self, adapters: Path, seed: int = 1) -> None:
        """Take the folder with the adapters, whose samples are the pattern."""
        self._adapters = adapters
        self._chance = random.Random(seed)  # noqa: S311 - invented people need no real chance
        self._patterns: dict[str, bytes] = {}

    def write(
        self, city: str, at: datetime, *, project: str = "", test: str | None = "Demo"
    ) -> etree._Element:
        """Return an application to a city (`wolfsburg`), written at a time with a zone.

        `project` is its name, by default one of PROJECTS; `test` the test flag, None for a real
        message.
        """
        root = etree.fromstring(self._pattern(city))
        self._renew(root)
        _set(root, f"{_HEAD}/erstellungszeitpunkt", at.isoformat(timespec="milliseconds"))
        _set(root, _PROJECT, project or self._chance.choice(PROJECTS))
        _set(root, f"{_PLOT}/flur", str(self._chance.randint(1, 40)))
        _set(root, f"{_PLOT}/zaehler", str(self._chance.randint(1, 999)))
        root.attrib.pop("test", "")
        if test is not None:
            root.set("test", test)
        etree.indent(root, " ")
        return root

    def _pattern(self, city: str) -> bytes:
        if city not in self._patterns:
            file = self._adapters / city / "bau/samples/einfach/1-request.xoev.xml"
            self._patterns[city] = file.read_bytes()
        return self._patterns[city]

    def _renew(self, root: etree._Element) -> None:
        """Give the same new id wherever an old one stood, and the applicant another name."""
        ids: dict[str, str] = {}
        person = self._person()
        for element in root.iter():
            text = element.text or ""
            if _UUID.search(text):
                element.text = _UUID.sub(partial(self._id, ids), text)
            elif text in person:
                element.text = person[text]

    def _id(self, ids: dict[str, str], old: re.Match[str]) -> str:
        if old[0] not in ids:
            ids[old[0]] = str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
        return ids[old[0]]

    def _person(self) -> Mapping[str, str]:
        """Return what stands instead of the texts of the sample's applicant."""
        mail = f"post{self._chance.randint(1, 9999)}@muster.example"
        return {
            "Tilda": self._chance.choice(FIRST),
            "Beispielmann": self._chance.choice(LAST),
            "tilda@beispielmann.example": mail,
            "Erfundene Allee": self._chance.choice(STREETS),
            "Musterfeldweg": self._chance.choice(STREETS),
        }


def address(root: etree._Element, key: str, name: str) -> None:
    """Address an application to somebody else."""
    _set(root, f"{_HEAD}leser/kennung", key)
    _set(root, f"{_HEAD}leser/name", name)


def id_of(root: etree._Element) -> str:
    """Return the message id (`nachrichtenUUID`)."""
    return root.findtext(f"{_HEAD}/nachrichtenUUID") or ""


def project_of(root: etree._Element) -> str:
    """Return the name of the project."""
    return root.findtext(_PROJECT) or ""


def written(root: etree._Element) -> bytes:
    """Return the bytes of an application."""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _set(root: etree._Element, path: str, text: str) -> None:
    for element in root.iterfind(path):
        element.text = text
