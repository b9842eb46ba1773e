"""Whatever bytes come: a document or a refusal, nothing else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.document import Document, parse
from broker.errors import Refusal
from broker.xoev.standards import Standards
from tests.xoev.folders import SCHEMAS
from tests.xoev.letters import letter

RIGHT = letter()
MARKUP = b"<a>|</a>|<a/>|&|&lt;|&#0;|<!--|-->|<![CDATA[|]]>|<?x|?>|<!DOCTYPE a>|xmlns:a='b'|a:b"
PIECES = st.sampled_from([*MARKUP.split(b"|"), b"\x00", b"\xff", b"\xef\xbb\xbf", b" ", b"\n"])


def outcome(raw: bytes) -> object:
    try:
        return parse(raw)
    except Refusal as error:
        return error


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=12).map(b"".join)))
def test_any_bytes_are_a_document_or_a_refusal(raw: bytes) -> None:
    assert isinstance(outcome(raw), Document | Refusal)


@settings(deadline=None)
@given(st.integers(0, len(RIGHT) - 1), st.binary(max_size=3), st.integers(0, 40))
def test_a_damaged_message_is_an_envelope_or_a_refusal(place: int, put: bytes, cut: int) -> None:
    standards = Standards.load(SCHEMAS)
    raw = RIGHT[:place] + put + RIGHT[place + cut :]

    try:
        kind = standards.envelope(standards.parse(raw)).kind
    except Refusal as error:
        kind = error.reason

    assert kind
