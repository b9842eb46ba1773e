"""The online service's side: sends messages, and reads the answers that came back."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from lxml import etree

from broker.errors import Unreachable

_CODE = re.compile(r"(\d{4})$")


@dataclass(frozen=True, slots=True)
class Posted:
    """What the broker answered: HTTP status, message id or empty, reason code or empty."""

    status: int
    id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that came back: its kind (`1120`, `reason`), and the message that it belongs to."""

    kind: str
    uuid: str
    body: bytes


class Portal:
    """Sends over one kept connection. Not thread-safe."""

    def __init__(self, port: int, token: str, inbox: Path, answers: Path) -> None:
        """Take the broker's port on loopback, the token, and both folders of the portal."""
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self._token = token
        self._inbox = inbox
        self._answers = answers
        self._read: dict[str, Answer] = {}

    def post(self, body: bytes) -> Posted:
        """Send over HTTP. Raises Unreachable."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/xml"}
        try:
            self._connection.request("POST", "/v1/messages", body, headers)
            answer = self._connection.getresponse()
            said = json.loads(answer.read() or b"{}")
        except (OSError, HTTPException, ValueError) as error:
            raise Unreachable(
                f"the broker's HTTP intake does not answer ({type(error).__name__})"
            ) from error
        return Posted(answer.status, said.get("id", ""), said.get("reason", ""))

    def drop(self, name: str, body: bytes) -> None:
        """Leave a file in the watched folder, complete from the moment it has its name."""
        part = self._inbox / f".{name}.part"
        part.write_bytes(body)
        os.rename(part, self._inbox / name)

    def answers(self) -> Mapping[str, list[Answer]]:
        """Return what came back so far, in order, by the id of the message that was sent."""
        with os.scandir(self._answers) as entries:
            new = [entry for entry in entries if entry.name not in self._read and _is_whole(entry)]
        for entry in sorted(new, key=lambda entry: entry.stat().st_mtime_ns):
            self._read[entry.name] = _answer(Path(entry.path).read_bytes())
        found: dict[str, list[Answer]] = defaultdict(list)
        for answer in self._read.values():
            found[answer.uuid].append(answer)
        return found

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _is_whole(entry: os.DirEntry[str]) -> bool:
    return entry.is_file() and entry.name[0] != "."


def _answer(body: bytes) -> Answer:
    try:
        root = etree.fromstring(body)
    except etree.XMLSyntaxError:
        return Answer("unreadable", "", body)
    kind = etree.QName(root).localname
    code = _CODE.search(kind)
    for element in root.iter("{*}bezugNachricht", "{*}idNachricht", "{*}message"):
        uuid = element.get("id") or element.findtext("{*}nachrichtenUUID") or ""
        return Answer(code[1] if code else kind, uuid, body)
    return Answer(code[1] if code else kind, "", body)
