"""How a message comes into being: what its first entry says, and what keeps its order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from broker.journal.birth import birth, case_key
from broker.journal.entry import decode
from broker.journal.trail import Trail
from broker.journal.vault import salted
from broker.message import Authority, Direction, Envelope, Message, new_id, now, reference
from broker.stores.contract import Birth, Way
from tests.births import VAULT

HEAD = Envelope("xbau", "2.6", "antrag.0200", "urn:x", Authority("bap:1"), Authority("bab:2"))
WAY = Way("bau", "t" * 64, "wolfsburg/bau", "procedure")


def born(
    case: str = "", answers: str | None = None, way: Way = WAY, identity: str = "u-1"
) -> Birth:
    direction = Direction.ANSWER if answers else Direction.REQUEST
    head = replace(HEAD, case=case, uuid="u-1", test="true")
    received = now() - timedelta(minutes=1)
    message = Message(new_id(), direction, head, b"<a/>", "bauportal", received, answers)
    return birth(VAULT, message, ("message", identity), way, Trail(message.id), "accepted")


def test_the_first_entry_says_where_it_came_from_and_where_it_goes() -> None:
    made = born()

    (line,) = map(decode, made.entries)

    digest = salted(made.payload, b"<a/>")
    assert (line.event, line.message, line.time) == (
        "accepted",
        made.message.id,
        made.message.received,
    )
    assert dict(line.facts) == {
        "adapter": "wolfsburg/bau",
        "channel": "procedure",
        "digest": digest,
        "kind": "antrag.0200",
        "party": "bauportal",
        "route": "bau",
        "size": "4",
        "standard": "xbau",
        "state": "waiting",
        "table": "t" * 64,
        "test": "true",
        "uuid": "u-1",
        "version": "2.6",
    }


def test_the_journal_keeps_no_plain_digest_of_the_bytes() -> None:
    first, second = (decode(born().entries[0]).facts["digest"] for _ in range(2))

    assert first != second


def test_the_payload_opens_under_the_key_of_the_message_only() -> None:
    made = born()

    assert VAULT.unseal(made.key, made.message.id, made.payload) == b"<a/>"
    assert made.reference == reference(made.message.id)


def test_identity_and_bytes_are_kept_as_keyed_fingerprints() -> None:
    one, same, other = born(), born(), born(identity="u-2")

    assert (one.identity, one.digest) == (same.identity, same.digest)
    assert (one.identity == other.identity, one.digest == other.digest) == (False, True)


def test_a_case_is_found_by_its_fingerprint_whether_it_keeps_order_or_not() -> None:
    made = born(case="c-1")

    assert (made.case, made.lane) == (case_key(VAULT, "c-1"), None)


def test_requests_of_one_case_share_a_lane_where_order_is_kept() -> None:
    ordered = replace(WAY, ordered=True)

    lanes = [born(case=case, way=ordered).lane for case in ("c-1", "c-1", "c-2", "")]

    assert lanes[0] == lanes[1] != lanes[2]
    assert lanes[3] is None


def test_answers_to_one_request_share_a_lane_of_their_own() -> None:
    ordered = replace(WAY, ordered=True)

    request = born(case="c-1", way=ordered).lane
    lanes = [born("c-1", answers, ordered).lane for answers in ("m-1", "m-1", "m-2")]

    assert lanes[0] == lanes[1]
    assert len({request, *lanes}) == 3
