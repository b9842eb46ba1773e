"""Procedures that answer with poison: their request has a state that is true, others go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests import messages
from tests.attacks.answers import ENVELOPES, REPLIES, WIRE, Answer, envelope, good
from tests.attacks.conftest import Survived
from tests.attacks.fort import Fort, Way
from tests.attacks.poison import PLANTED, POISON, Poison
from tests.cluster import until
from tests.needs import ROOT
from tests.servers.http import Request, Server, answer

WSDL = ROOT / "adapters/wolfsburg/bau/bau.wsdl"
KEYS = {"soap": "bab:03111111", "rest": "bab:03122222"}
SOAP = "{{kind: soap, wsdl: {wsdl}, address: '{place}', deadline: 2s, test: true}}"
REST = "{{kind: rest, address: '{place}', reply: body, deadline: 2s, test: true}}"


@dataclass(frozen=True)
class Gate:
    """A broker whose procedures answer over HTTP what the server's script says."""

    fort: Fort
    server: Server

    def ask(self, kind: str) -> dict[str, Any]:
        """Send an application to the procedure; return its state once it was tried."""
        said = self.fort.post(messages.request(key=KEYS[kind]))
        assert said.status_code == 202, said.text
        found: list[dict[str, Any]] = []

        def tried() -> bool:
            found[:] = [self.fort.state(said.json()["id"])]
            state = found[0]["state"]
            return state != "working" and bool(state != "waiting" or found[0]["attempts"])

        until(tried, "the application was tried")
        return found[0]


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with Server(good) as server:
        ways = [
            Way(kind, KEYS[kind], channel.format(wsdl=WSDL, place=server.address))
            for kind, channel in (("soap", SOAP), ("rest", REST))
        ]
        fort = Fort(tmp_path_factory.mktemp("gate"), ways=ways)
        try:
            fort.start()
            yield Gate(fort, server)
        finally:
            server.drop()
            fort.close()


def attacked(gate: Gate, kind: str, attack: Answer) -> dict[str, Any]:
    """Let the procedure answer with poison, then with what is right; return the first state."""
    gate.server.script = attack.make(gate.fort.lure)
    try:
        state = gate.ask(kind)
    finally:
        gate.server.script = good
    assert not [name for name in PLANTED if name in str(state)]
    assert gate.ask(kind)["state"] == "delivered"
    return state


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("attack", WIRE.values(), ids=WIRE)
def test_an_answer_that_breaks_http_is_no_answer(
    gate: Gate, survived: Survived, attack: Answer, kind: str
) -> None:
    state = attacked(gate, kind, attack)

    assert state["state"] in attack.states
    survived(gate.fort, f"answers, {kind}")


@pytest.mark.parametrize("attack", ENVELOPES.values(), ids=ENVELOPES)
def test_what_is_no_envelope_is_no_answer(gate: Gate, survived: Survived, attack: Answer) -> None:
    state = attacked(gate, "soap", attack)

    assert state["state"] in attack.states
    assert state["answers"] == []
    survived(gate.fort, "answers, soap")


@pytest.mark.parametrize("attack", REPLIES.values(), ids=REPLIES)
def test_a_hostile_reply_in_an_envelope_is_not_passed_on(
    gate: Gate, survived: Survived, attack: Answer
) -> None:
    state = attacked(gate, "soap", attack)

    assert state["state"] in attack.states
    assert [each["state"] for each in state["answers"] if each["state"] == "delivered"] == []
    survived(gate.fort, "answers, soap")


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_a_hostile_document_as_a_reply_over_rest_is_not_passed_on(
    gate: Gate, survived: Survived, poison: Poison
) -> None:
    state = attacked(gate, "rest", Answer(lambda lure: answer(200, poison.make(lure))))

    assert state["state"] in ("delivered", "unclear")
    assert [each["state"] for each in state["answers"] if each["state"] == "delivered"] == []
    survived(gate.fort, "answers, rest")


STALE: Mapping[str, bytes] = {
    "soap": envelope(messages.reply("X").decode()), "rest": messages.reply("X"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KEYS)
def test_a_second_answer_is_not_taken_for_the_answer_to_the_next_request(
    gate: Gate, survived: Survived, kind: str
) -> None:
    again = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(STALE[kind]) + STALE[kind]

    def twice(request: Request, connection: Any) -> bool:
        answer(200, STALE[kind])(request, connection)
        connection.sendall(again)
        return True

    gate.server.script = twice
    gate.ask(kind)
    gate.server.script = answer(503)
    try:
        # Where it is seen on the idle connection, a new one is opened, and its 503 counts.
        assert gate.ask(kind)["state"] in ("unclear", "waiting")
    finally:
        gate.server.script = good
    survived(gate.fort, f"answers, {kind}")


#: After how many bytes of its head the second answer is cut.
_CUT = {
    "in its first word": 4, "in its first line": 15, "in a header": 40, "before its head ends": -2,
}  # fmt: skip


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("cut", _CUT.values(), ids=_CUT)
def test_half_of_a_second_answer_is_not_joined_with_the_answer_to_the_next_request(
    gate: Gate, survived: Survived, kind: str, cut: int
) -> None:
    body = STALE[kind]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(body)
    refused = b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n"

    old: list[Any] = []

    def begun(request: Request, connection: Any) -> bool:
        old.append(connection.getpeername())
        connection.sendall(head + body + head[:cut])
        return True

    def ended(request: Request, connection: Any) -> bool:
        same = connection.getpeername() in old
        connection.sendall(head[cut:] + body if same else refused)
        return True

    gate.server.script = begun
    gate.ask(kind)
    gate.server.script = ended
    try:
        assert gate.ask(kind)["state"] == "waiting"
    finally:
        gate.server.script = good
    survived(gate.fort, f"answers, {kind}")
