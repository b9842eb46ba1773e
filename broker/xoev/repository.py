"""XRepository: downloading a version of a standard over its HTTP API."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from broker.errors import ConfigError
from broker.xoev import archive

#: The public one; a city may have a mirror.
PUBLIC: Final = "https://www.xrepository.de/api/xrepository/"
_URN: Final = re.compile(r"urn:[A-Za-z0-9][A-Za-z0-9:._-]{3,300}")
_VERSIONED: Final = re.compile(r".+_[0-9][0-9A-Za-z.-]*")
_KEY: Final = re.compile(r"[A-Za-z0-9:._-]{1,400}")
_WANTED: Final = ("XSD", "WSDL", "WEITERER_TECHNISCHER_BESTANDTEIL")
_TRIES: Final = 3
_TIMEOUT: Final = (10.0, 120.0)
_MOST_BYTES: Final = 128 * 1024 * 1024
_CHUNK: Final = 256 * 1024
_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Stated:
    """What the repository says of a version: its name, and the versions it builds on."""

    urn: str
    name: str
    dependencies: tuple[str, ...]
    codelists: tuple[str, ...]


def is_urn(text: str) -> bool:
    """Whether a source is an identifier of the repository and no file."""
    return text.startswith("urn:")


class Repository:
    """The HTTP API of one repository; every answer is limited in size, redirects are refused."""

    def __init__(self, base: str = PUBLIC, pause: Callable[[float], None] = time.sleep) -> None:
        """Take the base address; `pause` waits between tries."""
        self._base = base.rstrip("/") + "/"
        self._pause = pause

    def fetch(self, urn: str, target: Path, tell: Callable[[str], None]) -> Stated:
        """Download schemas, WSDL, rules and code lists of a version into an empty folder.

        Raises ConfigError: no such version (those there are named), not reachable, hostile answer.
        """
        if not _URN.fullmatch(urn):
            raise ConfigError("this is not an identifier such as urn:xoev-de:bmk:standard:xbau_2.6")
        about = self._about(urn)
        documents = _documents(about)
        if not documents:
            documents = [(f"{urn}:xmlschema", "xsd.zip")]
        for number, (key, name) in enumerate(documents, 1):
            tell(f"downloading {number} of {len(documents)}: {name}")
            archive.add(target, name, self._get(key))
        return _stated(urn, about)

    def _about(self, urn: str) -> Mapping[str, Any]:
        content = self._get(f"{urn}/metadaten")
        try:
            about = json.loads(content)
        except ValueError:
            about = None
        if not isinstance(about, dict):
            raise ConfigError(f"{self._base} does not answer as XRepository does")
        if not _VERSIONED.fullmatch(urn):
            there = [str(one) for one in about.get("alleVersionsKennungen") or ()]
            text = ", ".join(one for one in there[-_SHOWN:] if _KEY.fullmatch(one))
            raise ConfigError(f"{urn} names no version; there are: {text or 'none'}")
        return about

    def _get(self, key: str) -> bytes:
        """Get one answer, with some patience for a server that has a bad moment."""
        import requests

        address = self._base + quote(key, safe=":/")
        for tried in range(1, _TRIES + 1):
            try:
                status, content = _request(address)
            except requests.RequestException as error:
                status, content = 0, type(error).__name__.encode()
            if status == 200:
                return content
            if status and status < 500:
                break
            if tried < _TRIES:
                self._pause(float(tried))
        raise ConfigError(_failed(address, status, content))


def _request(address: str) -> tuple[int, bytes]:
    import requests

    with requests.get(
        address, stream=True, timeout=_TIMEOUT, allow_redirects=False
    ) as response:  # fmt: skip
        content = bytearray()
        for chunk in response.iter_content(_CHUNK):
            content += chunk
            if len(content) > _MOST_BYTES:
                raise ConfigError(f"{address} answers with more than {_MOST_BYTES} bytes")
        return response.status_code, bytes(content)


def _failed(address: str, status: int, content: bytes) -> str:
    if not status:
        return f"{address} cannot be reached ({content.decode()}), check network and proxy"
    if 300 <= status < 400:
        return f"{address} redirects elsewhere, which is not followed; check the base address"
    if status != 404:
        return f"{address} answers {status}"
    hidden = b"NICHT SICHTBAR" in content
    return f"{address} is {'not published yet' if hidden else 'not there'} (404), check the name"


def _documents(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return key and file name of every technical document, those of one kind in a folder."""
    found = []
    for document in _maps(about.get("dokumente")):
        category = str(document.get("dokumentenkategorie", ""))
        if category not in _WANTED:
            continue
        for file in _maps(document.get("datei")):
            key, name = str(file.get("kennung", "")), str(document.get("name") or "")
            if _KEY.fullmatch(key):
                folder = "other" if category == _WANTED[-1] else category.lower()
                found.append((key, f"{folder}/{_file_name(name, file)}"))
    return found


def _file_name(name: str, file: Mapping[str, Any]) -> str:
    name = re.sub(r"[^0-9A-Za-z._-]+", "-", name).strip("-.") or "document"
    packed = "zip" in str(file.get("mimeType", ""))
    return name if "." in name else name + (".zip" if packed else ".xml")


def _stated(urn: str, about: Mapping[str, Any]) -> Stated:
    references = _maps(about.get("referenzen"))
    keys = {str(one.get("kennung", "")): str(one.get("typ", "")) for one in references}
    sane = {key: kind for key, kind in keys.items() if _KEY.fullmatch(key)}
    return Stated(
        urn,
        urn.rpartition(":")[2].rpartition("_")[0],
        tuple(key for key, kind in sane.items() if kind == "VERSION_STANDARD"),
        tuple(key for key, kind in sane.items() if kind in ("VERSION_CODELISTE", "CODELISTE")),
    )


def _maps(value: Any) -> list[Mapping[str, Any]]:
    """Take a list of objects, or one object, from JSON that others wrote."""
    many = value if isinstance(value, list) else [value]
    return [one for one in many if isinstance(one, dict)]
