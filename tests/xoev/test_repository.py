"""Downloading from XRepository, against a server on loopback that speaks its HTTP API."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.errors import ConfigError
from broker.xoev import repository
from broker.xoev.install import Terms, install, shown
from broker.xoev.repository import Repository
from tests.servers.http import Request, Server, answer
from tests.xoev.bundles import packed, shapes

URN = "urn:xoev-de:muster:standard:xwasser_1.0.0"
BASE = "/api/xrepository/"
SHAPE = shapes()["xwasser/1.0.0"]
RULES = '<sch:schema xmlns:sch="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2"/>'


def document(category: str, key: str, name: str, kind: str) -> dict[str, object]:
    file = {"kennung": key, "mimeType": kind}
    return {"dokumentenkategorie": category, "kennung": key, "name": name, "datei": [file]}


ABOUT = {
    "kennung": URN,
    "version": "1.0.0",
    "alleVersionsKennungen": [URN],
    "referenzen": [
        {"typ": "VERSION_STANDARD", "kennung": "urn:xoev-de:muster:standard:basis_1"},
        {"typ": "VERSION_CODELISTE", "kennung": "urn:muster:codeliste:x_1"},
    ],
    "dokumente": [
        document("XSD", "urn:muster:datei:1", "XML-Schemata", "application/zip"),
        document("WSDL", "urn:muster:datei:2", "dienst.wsdl", "application/xml"),
        document("WEITERER_TECHNISCHER_BESTANDTEIL", "urn:muster:datei:3", "Geschäftsregeln",
                 "application/xml"),
        document("SPEZIFIKATION", "urn:muster:datei:4", "spec.pdf", "application/pdf"),
    ],
}  # fmt: skip


class Book:
    """What the server has, by path below the base; a list is given out one after the other."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, bytes]] = {
            f"{URN}/metadaten": (200, json.dumps(ABOUT).encode()),
            "urn:muster:datei:1": (200, packed(SHAPE.files)),
            "urn:muster:datei:2": (200, b"<definitions/>"),
            "urn:muster:datei:3": (200, RULES.encode()),
        }
        self.failures = 0

    def __call__(self, request: Request, connection: socket.socket) -> bool:
        if self.failures:
            self.failures -= 1
            return answer(503)(request, connection)
        status, body = self.pages.get(request.path.removeprefix(BASE), (404, b""))
        headers = {"Location": "http://127.0.0.1:9/"} if 300 <= status < 400 else {}
        return answer(status, body, **headers)(request, connection)


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def base(book: Book) -> Iterator[str]:
    with Server(book) as server:
        yield server.address.removesuffix("/dienst") + BASE


def quiet(_text: str) -> None:
    """Hear nothing."""


def fetched(base: str, target: Path, urn: str = URN, pause: Callable[[float], None] = print) -> str:
    target.mkdir()
    with pytest.raises(ConfigError) as caught:
        Repository(base, pause).fetch(urn, target, quiet)
    return str(caught.value)


def test_a_version_is_downloaded_and_installed(base: str, tmp_path: Path) -> None:
    told: list[str] = []

    install(URN, tmp_path / "s", Terms(repository=base), told.append)

    found = shown(tmp_path / "s", "xwasser", "1.0.0")
    assert found.origin == f"{URN} from {base}"
    assert found.services == ("wsdl/dienst.wsdl",)
    assert found.rules == ("other/Gesch-ftsregeln.xml",)
    assert found.dependencies == ("urn:xoev-de:muster:standard:basis_1",)
    assert "downloading 1 of 3: xsd/XML-Schemata.zip" in told


def test_without_documents_the_schemas_are_asked_for_directly(
    base: str, book: Book, tmp_path: Path
) -> None:
    book.pages[f"{URN}/metadaten"] = (200, b"{}")
    book.pages[f"{URN}:xmlschema"] = (200, packed(SHAPE.files))

    done = install(URN, tmp_path / "s", Terms(repository=base))

    assert done.changed


def test_a_standard_without_version_is_answered_with_those_there_are(
    base: str, book: Book, tmp_path: Path
) -> None:
    urn = URN.removesuffix("_1.0.0")
    book.pages[f"{urn}/metadaten"] = (200, json.dumps(ABOUT).encode())

    assert f"names no version; there are: {URN}" in fetched(base, tmp_path / "t", urn)


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (404, b"", "is not there (404)"),
        (404, b'{"fehler": "NICHT SICHTBAR"}', "is not published yet (404)"),
        (403, b"", "answers 403"),
        (302, b"", "redirects elsewhere"),
        (200, b"<html/>", "does not answer as XRepository"),
        (200, b"[]", "does not answer as XRepository"),
    ],
)
def test_what_the_server_answers_instead_is_told(
    base: str, book: Book, tmp_path: Path, status: int, body: bytes, text: str
) -> None:
    book.pages[f"{URN}/metadaten"] = (status, body)

    assert text in fetched(base, tmp_path / "t")


def test_a_server_that_fails_is_asked_three_times(base: str, book: Book, tmp_path: Path) -> None:
    book.failures = 3
    pauses: list[float] = []

    assert "answers 503" in fetched(base, tmp_path / "t", pause=pauses.append)
    assert pauses == [1.0, 2.0]


def test_a_server_with_a_bad_moment_is_forgiven(base: str, book: Book, tmp_path: Path) -> None:
    book.failures = 2

    Repository(base, lambda _: None).fetch(URN, tmp_path, quiet)

    assert (tmp_path / "xsd/XML-Schemata/xwasser.xsd").is_file()


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    text = fetched(f"http://127.0.0.1:{port}/", tmp_path / "t", pause=lambda _: None)

    assert "cannot be reached (ConnectionError)" in text


def test_an_endless_answer_is_cut_off(
    base: str, book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "_MOST_BYTES", 1000)
    book.pages["urn:muster:datei:1"] = (200, b"x" * 2000)

    assert "more than 1000 bytes" in fetched(base, tmp_path / "t")


def test_hostile_names_of_the_server_lead_nowhere(base: str, book: Book, tmp_path: Path) -> None:
    wrong = document("XSD", "urn:muster:datei:1", "../../x", "application/xml")
    keys = document("XSD", "../../geheim", "a.xsd", "application/xml")
    book.pages[f"{URN}/metadaten"] = (200, json.dumps({"dokumente": [wrong, keys]}).encode())

    Repository(base).fetch(URN, tmp_path, quiet)

    assert [path.name for path in (tmp_path / "xsd").iterdir()] == ["x"]


@pytest.mark.parametrize("urn", ["urn:x", "urn:a b_1", "urn:xoev/../x_1", "urn:x?y=1_2"])
def test_what_is_no_identifier_is_not_asked_for(urn: str, tmp_path: Path) -> None:
    assert "not an identifier" in fetched("http://127.0.0.1:9/", tmp_path / "t", urn)
