"""Whatever bytes come: a document, a table, a reply or a refusal, nothing else.

The same bytes are tried at every run; `make fuzz MINUTES=10` tries others, as long as one likes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from broker.catalog import Catalog
from broker.config.findings import Report
from broker.config.reader import read
from broker.document import Document, parse
from broker.errors import BrokerError, Refusal
from broker.message import Facts
from broker.xoev.standards import Standards
from tests.attacks.fort import ROUTES
from tests.needs import ROOT
from tests.xoev.folders import SCHEMAS
from tests.xoev.letters import letter
from tools import verify_evidence

#: How many examples each test tries; `make fuzz` asks for many, of another seed each time.
MANY = int(os.environ.get("FUZZ_EXAMPLES", "0"))
fuzzed = settings(
    deadline=None, database=None, derandomize=not MANY, max_examples=MANY or 300,
    suppress_health_check=list(HealthCheck), print_blob=True,
)  # fmt: skip
RIGHT = letter()
MARKUP = b"<a>|</a>|<a/>|&|&lt;|&#0;|<!--|-->|<![CDATA[|]]>|<?x|?>|<!DOCTYPE a>|xmlns:a='b'|a:b"
PIECES = st.sampled_from([*MARKUP.split(b"|"), b"\x00", b"\xff", b"\xef\xbb\xbf", b" ", b"\n"])
SIGNS = "a: ;- ;\n;  ;|;&a ;*a;!t ;{;};[;],;,;';\";#;?;>;%Y;---;...;${A;};<<: "
YAML = st.sampled_from(tuple(SIGNS.split(";")))
#: Where something is put, what, and how much is cut off there.
Damage = list[tuple[int, bytes, int]]
DAMAGE = st.lists(
    st.tuples(st.integers(0, 1 << 20), st.one_of(st.binary(max_size=3), PIECES),
              st.integers(0, 60)), min_size=1, max_size=4,
)  # fmt: skip
ADAPTERS = ("wolfsburg/bau", "braunschweig/bau", "salzgitter/bau", "salzgitter/durchreichen",
            "braunschweig/akte", "wolfsburg/gewerbe", "salzgitter/gewerbe")  # fmt: skip


@cache
def standards() -> Standards:
    return Standards.load(SCHEMAS)


@cache
def catalog() -> Catalog:
    return Catalog.load([ROOT / "adapters"])


@cache
def replies(name: str) -> tuple[bytes, ...]:
    """Return the sample replies of an adapter; any bytes where it has none."""
    found = sorted((ROOT / "adapters" / name / "samples").glob("*/3-reply.legacy.*"))
    return tuple(path.read_bytes() for path in found) or (b"a;b;c\r\n", b'{"a": [1, null]}')


def damaged(data: bytes, damage: Damage) -> bytes:
    for place, put, cut in damage:
        at = place % (len(data) + 1)
        data = data[:at] + put + data[at + cut :]
    return data


def outcome(act: Callable[[], Any], *allowed: type[Exception]) -> Any:
    """Return what an act returns, or the error if it is one that is allowed."""
    try:
        return act()
    except allowed as error:
        return error


@fuzzed
@given(st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=12).map(b"".join)))
def test_any_bytes_are_a_document_or_a_refusal(raw: bytes) -> None:
    assert isinstance(outcome(lambda: parse(raw), Refusal), Document | Refusal)


@fuzzed
@given(DAMAGE)
def test_a_damaged_message_is_an_envelope_or_a_refusal(damage: Damage) -> None:
    raw = damaged(RIGHT, damage)
    found = outcome(lambda: standards().envelope(standards().parse(raw)), Refusal)

    assert getattr(found, "kind", "") or found.reason


@fuzzed
@given(DAMAGE)
def test_a_damaged_table_is_a_table_or_has_findings(damage: Damage) -> None:
    report = Report("routes.yaml")
    node = read(damaged(ROUTES.encode(), damage), report, {"A": "b"})

    assert node is not None or len(report) or not damaged(ROUTES.encode(), damage).strip()


@fuzzed
@given(st.lists(YAML, max_size=40).map("".join))
@example("? [a]\n: b")
def test_any_yaml_breaks_no_reader(text: str) -> None:
    report = Report("routes.yaml")
    node = read(text.encode(), report, {})

    assert node is None or node.line >= 1


@pytest.mark.parametrize("name", ADAPTERS)
@fuzzed
@given(st.integers(0, 99), DAMAGE)
def test_a_damaged_reply_is_a_reply_or_an_error_of_the_broker(
    name: str, which: int, damage: Damage
) -> None:
    adapter = catalog().get(name)
    samples = replies(name)
    data = damaged(samples[which % len(samples)], damage)

    parts = outcome(lambda: adapter.replies(data), BrokerError)
    for part in parts if isinstance(parts, tuple) else ():
        outcome(partial(adapter.correlate, part), BrokerError)
        made = outcome(partial(adapter.to_xoev, part, facts()), BrokerError)
        assert isinstance(made, bytes | BrokerError)


@cache
def facts() -> Facts:
    """Return what the broker would know of a reply."""
    head = standards().envelope(standards().parse(RIGHT))
    time = datetime(2026, 3, 2, tzinfo=UTC)
    return Facts("0123456789ABC", "id", time, head.sender, head.recipient, head, None, "0" * 64)


@fuzzed
@given(st.one_of(st.binary(max_size=400).map(lambda raw: b"PK\x03\x04" + raw), DAMAGE))
def test_any_archive_is_evidence_or_broken(given_: bytes | Damage) -> None:
    data = given_ if isinstance(given_, bytes) else damaged(_bundle(), given_)

    assert outcome(lambda: verify_evidence.unpack(data), verify_evidence.Broken) is not None


@cache
def _bundle() -> bytes:
    """Return an archive as the broker writes them."""
    import io

    from broker.evidence.archive import Archive

    made = io.BytesIO()
    archive = Archive(made)
    for name in ("manifest", "entries/1", "messages/original.xml"):
        archive.add(name, name.encode() * 20)
    archive.close()
    return made.getvalue()


def test_the_samples_are_found() -> None:
    assert all(len(replies(name)) > 2 for name in ADAPTERS[:3])
    assert Path(verify_evidence.__file__).parent == ROOT / "tools"
