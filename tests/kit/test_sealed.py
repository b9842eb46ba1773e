"""Samples run sealed: an adapter that is not pure is refused with a sentence that says why."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker import sealed
from broker.catalog import Catalog
from broker.errors import ConversionFailed, UnknownCode
from broker.message import Authority, Facts

FACTS = Facts(
    "0123456789ABC", "m", datetime(2026, 3, 2, 8, 30, tzinfo=UTC), Authority("a"), Authority("b")
)
ADAPTER = """{imports}
from broker import Adapter, ConversionFailed, UnknownCode, parse

class Bau(Adapter):
    accepts = ("x/1",)
    calls = 0

    def to_legacy(self, document, facts):
        {body}

    def to_xoev(self, reply, facts):
        return b""
"""

GUILTY = [
    ("", "return open('/etc/hostname', 'rb').read()", sealed.FILES),
    ("from pathlib import Path", "return Path('/etc/hostname').read_bytes()", sealed.FILES),
    ("import os", "return str(os.listdir('/')).encode()", sealed.FILES),
    ("import sqlite3", "return str(sqlite3.connect(':memory:')).encode()", sealed.FILES),
    ("import socket", "return str(socket.create_connection(('127.0.0.1', 9))).encode()",
     sealed.NETWORK),
    ("import urllib.request", "return urllib.request.urlopen('http://127.0.0.1:9').read()",
     sealed.NETWORK),
    ("import subprocess", "return subprocess.run(['true']).stdout", sealed.PROCESS),
    ("import os", "return str(os.system('true')).encode()", sealed.PROCESS),
    ("from datetime import datetime", "return str(datetime.now()).encode()", sealed.CLOCK),
    ("from datetime import date as day", "return str(day.today()).encode()", sealed.CLOCK),
    ("from time import time as x", "return str(x()).encode()", sealed.CLOCK),
    ("import time", "return time.strftime('%Y').encode()", sealed.CLOCK),
    ("import uuid", "return uuid.uuid4().bytes", sealed.CHANCE),
    ("import random", "return str(random.randint(1, 9)).encode()", sealed.CHANCE),
    ("import os", "return os.environ['HOME'].encode()", sealed.ENVIRONMENT),
    ("import os", "return (os.getenv('HOME') or '').encode()", sealed.ENVIRONMENT),
]  # fmt: skip


def made(folder: Path, imports: str, body: str) -> bytes:
    place = folder / "stadt/bau"
    place.mkdir(parents=True)
    (place / "adapter.py").write_text(ADAPTER.format(imports=imports, body=body), "utf-8")
    catalog = Catalog.load([folder])
    assert not catalog.findings
    return sealed.run(catalog.get("stadt/bau").to_legacy, b"<a/>", FACTS)


@pytest.mark.parametrize(("imports", "body", "sentence"), GUILTY, ids=[one[1] for one in GUILTY])
def test_what_is_not_pure_is_refused_with_its_place(
    tmp_path: Path, imports: str, body: str, sentence: str
) -> None:
    with pytest.raises(ConversionFailed) as caught:
        made(tmp_path, imports, body)

    assert str(caught.value) == f"stadt/bau/adapter.py:9: {sentence}"


def test_hiding_the_refusal_does_not_help(tmp_path: Path) -> None:
    body = "\n        ".join(
        ("try:", "    return open('/etc/hostname', 'rb').read()", "except Exception:",
         "    return b'nothing'")
    )  # fmt: skip

    with pytest.raises(ConversionFailed, match="touches files"):
        made(tmp_path, "", body)


def test_a_file_that_a_c_library_opens_is_found_by_the_second_run(tmp_path: Path) -> None:
    file = tmp_path / "table.xml"
    file.write_text("<table/>", "utf-8")

    with pytest.raises(ConversionFailed, match="a library opens a file"):
        made(tmp_path, "from lxml import etree", f"return etree.parse('{file}').getroot().tag")


def test_a_result_that_changes_is_refused(tmp_path: Path) -> None:
    body = "self.calls += 1; return str(self.calls).encode()"

    with pytest.raises(ConversionFailed, match="something else the second time"):
        made(tmp_path, "", body)


@pytest.mark.parametrize(
    ("imports", "body"),
    [
        ("", "import decimal, json; return json.dumps(str(decimal.Decimal('1.0'))).encode()"),
        ("", "return 'ÄÖ€'.encode('iso8859-15')"),
        ("from datetime import datetime",
         "return str(datetime.strptime('2026-05-04', '%Y-%m-%d')).encode()"),
        ("", "return facts.received.isoformat().encode()"),
        ("import random", "return str(random.Random(7).random()).encode()"),
    ],
)  # fmt: skip
def test_what_is_pure_goes_through(tmp_path: Path, imports: str, body: str) -> None:
    assert made(tmp_path, imports, body)


def test_an_error_of_the_adapter_stays_its_own(tmp_path: Path) -> None:
    with pytest.raises(UnknownCode, match="unknown"):
        made(tmp_path, "", "raise UnknownCode('unknown')")


def test_outside_a_run_nothing_is_refused(tmp_path: Path) -> None:
    made(tmp_path, "", "return b'x'")

    assert (tmp_path / "stadt/bau/adapter.py").read_bytes()
    assert datetime.now(UTC)
