"""What a sender gets for a message: a receipt after the commit, or a problem document."""

from __future__ import annotations

import hashlib
import io
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import httpx
import pytest

from broker.answers import reply_birth
from broker.app import App
from broker.errors import BrokerError, NotAllowed
from broker.intake import Intake
from broker.message import Direction
from broker.stores.contract import Counts, Row
from broker.web.request import Gate, Limits
from tests.web.house import OTHER, PLANTED, House, client, message, send
from tests.web.raw import Raw

SMALL = Limits(message=20_000)


def port(client: httpx.Client) -> int:
    found = client.base_url.port
    assert found is not None
    return found


def counts(app: App) -> Counts:
    return app.store.counts()


def row(app: App, answer: httpx.Response) -> Row:
    found = app.store.row(answer.json()["id"])
    assert found is not None
    return found


def refusals(house: House) -> list[tuple[Any, ...]]:
    with sqlite3.connect(house.folder / "var/broker.sqlite") as connection:
        return connection.execute("SELECT party, via, reason, size FROM refusals").fetchall()


def test_a_valid_message_gets_a_receipt_with_the_digest_of_its_bytes(portal: httpx.Client) -> None:
    body = message()

    answer = send(portal, body)

    assert answer.status_code == 202
    assert answer.json()["sha256"] == hashlib.sha256(body).hexdigest()
    assert answer.json()["duplicate"] is False
    assert answer.headers["location"] == f"/v1/messages/{answer.json()['id']}"


def test_what_was_answered_can_be_read_at_once_from_another_connection(
    house: House, portal: httpx.Client
) -> None:
    body = message()

    answer = send(portal, body)
    other = house.open()
    found = row(other, answer)
    kept = other.store.payload(found.id, "original")
    other.close()

    assert found.party == "bauportal"
    assert kept is not None
    assert other.vault.unseal(kept[0], found.id, kept[1]) == body


def test_an_acceptance_wakes_the_worker_and_a_repeat_does_not(
    house: House, portal: httpx.Client
) -> None:
    body = message()

    send(portal, body)
    send(portal, body)

    assert house.woken == [True]


def test_the_same_message_gets_the_same_receipt_and_has_no_second_effect(
    app: App, portal: httpx.Client
) -> None:
    body = message()

    first, second = send(portal, body), send(portal, body)

    assert second.status_code == 200
    assert second.json() == first.json() | {"duplicate": True}
    assert counts(app).accepted == 1


def test_the_receipt_is_the_same_after_a_restart(house: House) -> None:
    body, answers = message(), []
    for _ in range(2):
        app = house.open()
        with house.serve(app) as portal:
            answers.append(send(portal, body))
        app.close()

    assert [answer.status_code for answer in answers] == [202, 200]
    assert answers[1].json() == answers[0].json() | {"duplicate": True}


def test_a_repeat_is_journalled(app: App, portal: httpx.Client) -> None:
    body = message()

    id = [send(portal, body), send(portal, body)][0].json()["id"]

    assert [entry.event for entry in app.store.entries(id)][-1] == "repeated"


def test_the_same_id_with_other_bytes_is_a_conflict(portal: httpx.Client) -> None:
    body = message()
    first = send(portal, body).json()["id"]

    answer = send(portal, body.replace(b"Tilda", b"Thilda"))

    assert answer.status_code == 409
    assert answer.json()["reason"] == "S050"
    assert first in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "not-xml"),
        (b"<a><b></a>", "not-xml"),
        (b"<a/>", "not-xml"),
        (b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "forbidden"),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "forbidden"),
        (b"\xff\xfe<\x00a\x00/\x00>\x00", "forbidden"),
        (b"<a>" * 101 + b"</a>" * 101, "forbidden"),
    ],
    ids=["empty", "malformed", "no head", "doctype", "encoding", "utf-16", "depth"],
)
def test_what_is_no_message_is_refused(portal: httpx.Client, body: bytes, kind: str) -> None:
    answer = send(portal, body)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:xoev-broker:problem:{kind}"
    assert answer.json()["reason"] in ("X000", "X001")


def test_refused_bytes_are_kept_with_the_reason(
    house: House, app: App, portal: httpx.Client
) -> None:
    body = b"<a>" + PLANTED.encode()

    send(portal, body)

    assert counts(app).refused == 1
    assert counts(app).accepted == 0
    assert refusals(house) == [("bauportal", "http", "X000", len(body))]


def test_no_answer_and_no_log_line_repeats_a_value_of_the_message(
    portal: httpx.Client, quiet: io.BytesIO
) -> None:
    whole = message()
    bodies = (
        whole[:-20],
        whole.replace(b"?>", b"?><!DOCTYPE x>", 1),
        whole,
        whole.replace(b"Tilda", b"Thilda"),
        f"<{PLANTED}/>".encode(),
        f"<a b='&{PLANTED};'/>".encode(),
    )

    answers = [send(portal, body) for body in bodies]
    answers.append(portal.get(answers[2].headers["location"]))
    answers.append(portal.get(f"/{PLANTED}"))
    answers.append(send(portal, whole, Content_Type=f"text/{PLANTED}"))

    assert not [answer.text for answer in answers if PLANTED in answer.text]
    assert PLANTED.encode() not in quiet.getvalue()


def test_a_message_over_the_limit_is_refused_before_it_is_read(house: House, app: App) -> None:
    with house.serve(app, SMALL) as portal:
        answer = send(portal, message() + b" " * 20_000)

    assert answer.status_code == 413
    assert answer.json()["reason"] == "X000"
    assert "20000 bytes" in answer.json()["detail"]


def test_a_message_over_the_limit_without_a_length_is_cut_and_its_beginning_kept(
    house: House, app: App
) -> None:
    def chunks() -> Iterator[bytes]:
        yield message()
        yield from [b" " * 1_000] * 100

    with house.serve(app, SMALL) as portal:
        answer = portal.post(
            "/v1/messages", content=chunks(), headers={"Content-Type": "application/xml"}
        )

    assert answer.status_code == 413
    assert 20_000 < refusals(house)[0][3] < 65_537


def test_a_message_without_an_end_is_not_read_to_the_end(
    house: House, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.web.request.DISCARD", 0)
    with house.serve(app, SMALL) as portal, Raw(port(portal)) as raw:
        raw.post(b"Transfer-Encoding: chunked")
        raw.send(b"7000\r\n" + b" " * 0x7000)
        head = raw.head()

    assert head[0] == "HTTP/1.1 413 Request Entity Too Large"
    assert "connection: close" in head


def test_a_length_over_the_limit_is_refused_without_asking_for_the_bytes(
    house: House, app: App
) -> None:
    with house.serve(app, SMALL) as portal, Raw(port(portal)) as raw:
        raw.post(b"Expect: 100-continue", b"Content-Length: 30000")

        assert raw.head()[0] == "HTTP/1.1 413 Request Entity Too Large"


def test_a_message_in_chunks_is_accepted(portal: httpx.Client) -> None:
    body = message()
    parts = iter([body[:1000], body[1000:1001], body[1001:]])

    answer = portal.post("/v1/messages", content=parts, headers={"Content-Type": "text/xml"})

    assert answer.status_code == 202
    assert answer.json()["sha256"] == hashlib.sha256(body).hexdigest()


def test_a_large_message_is_accepted(portal: httpx.Client) -> None:
    body = message(("</xbau:baugenehmigung.antrag.0200>", f"<!--{'x' * 300_000}-->"))
    body += b"</xbau:baugenehmigung.antrag.0200>"

    answers = send(portal, body), send(portal, body)

    assert [answer.status_code for answer in answers] == [202, 200]


def test_half_a_message_is_not_accepted(app: App, portal: httpx.Client) -> None:
    body = message()
    with Raw(port(portal)) as raw:
        raw.begin(len(body) + 1)
        raw.send(body)

    send(portal, message())

    assert counts(app).accepted == 1
    assert counts(app).refused == 0


def test_a_body_that_does_not_arrive_in_time_is_given_up(house: House, app: App) -> None:
    with house.serve(app, Limits(idle=0.05)) as portal, Raw(port(portal)) as raw:
        raw.begin(100)
        raw.send(b"<a>")

        assert raw.head()[0] == "HTTP/1.1 408 Request Timeout"


@pytest.mark.parametrize("type", ["text/xml; charset=utf-8", "application/vnd.xoev+xml"])
def test_other_names_of_xml_are_taken(portal: httpx.Client, type: str) -> None:
    assert send(portal, message(), Content_Type=type).status_code == 202


@pytest.mark.parametrize("type", ["application/json", "", "multipart/form-data"])
def test_what_is_not_sent_as_xml_is_not_taken(portal: httpx.Client, type: str) -> None:
    assert send(portal, message(), Content_Type=type).status_code == 415


def test_a_compressed_message_is_not_taken(portal: httpx.Client) -> None:
    assert send(portal, b"\x1f\x8b", Content_Encoding="gzip").status_code == 415


@pytest.mark.parametrize("value", ["", "Bearer falsch", "Bearer", "Basic Zm9vOmJhcg=="])
def test_without_a_valid_token_nothing_is_accepted(
    app: App, portal: httpx.Client, value: str
) -> None:
    answer = send(portal, message(), Authorization=value)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert counts(app) == Counts()


def test_a_foreign_author_is_accepted_and_told_later(app: App, portal: httpx.Client) -> None:
    answer = send(portal, message(("bap:03000001", "bap:03000002")))

    assert answer.status_code == 202
    assert row(app, answer).reason == "T070"


class Failing(Intake):
    """An intake that ends with an error of our choice."""

    error: Exception = NotAllowed("this party may not send here")

    def begin(self, body: bytes, party: str, recipient: str = "", actor: str = "") -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotAllowed("this party may not send here"), 403),
        (BrokerError("the parser is at its end"), 503),
        (RuntimeError(f"{PLANTED} is no number"), 500),
    ],
    ids=["not allowed", "parser at its end", "unforeseen"],
)
def test_every_error_has_an_answer_that_tells_no_value(
    house: House, app: App, monkeypatch: pytest.MonkeyPatch, quiet: io.BytesIO,
    error: Exception, status: int,
) -> None:  # fmt: skip
    monkeypatch.setattr("tests.web.house.Intake", Failing)
    monkeypatch.setattr(Failing, "error", error)
    with house.serve(app) as portal:
        answer = send(portal, message())

    assert answer.status_code == status
    assert PLANTED not in answer.text
    assert PLANTED.encode() not in quiet.getvalue()


def test_when_the_store_fails_nothing_is_accepted_and_the_sender_shall_come_back(
    house: House, app: App, portal: httpx.Client
) -> None:
    with sqlite3.connect(house.folder / "var/broker.sqlite") as connection:
        connection.execute("DROP TABLE payloads")

    answers = [send(portal, message()) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert answers[0].headers["retry-after"] == "5"
    assert counts(app).accepted == 0
    assert house.woken == []


def test_a_commit_that_is_cut_off_by_a_stop_does_not_harm_the_store(
    house: House, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    future: Future[Any] = Future()
    asked: Future[None] = Future()

    def accept(_birth: object) -> Future[Any]:
        asked.set_result(None)
        return future

    monkeypatch.setattr(app.store, "accept", accept)
    with house.serve(app, drain=1) as portal, Raw(port(portal)) as raw:
        raw.begin(len(message()))
        raw.send(message())
        asked.result(30)

    assert not future.cancelled()


def test_too_many_requests_at_once_shall_come_back(house: House, app: App) -> None:
    body = message()
    with house.serve(app, Limits(requests=1)) as portal, Raw(port(portal)) as raw:
        raw.begin(len(body))
        answer = send(portal, message())
        raw.send(body)

        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert raw.head()[0] == "HTTP/1.1 202 Accepted"
        assert send(portal, message()).status_code == 202


def test_too_many_bytes_at_once_shall_come_back(house: House, app: App) -> None:
    with house.serve(app, Limits(memory=15_000)) as portal:
        first = send(portal, message())
        over = send(portal, message() + b" " * 9_000)
        again = send(portal, message())

    assert [answer.status_code for answer in (first, over, again)] == [202, 503, 202]


def test_a_broker_that_stops_takes_nothing_more(house: House, app: App) -> None:
    gate = Gate(Limits())
    with house.serve(app, gate=gate) as portal:
        gate.close()
        answer = send(portal, message())
        ready, live = portal.get("/health/ready"), portal.get("/health/live")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert (ready.status_code, live.status_code) == (503, 200)


def test_the_sender_sees_the_state_of_its_message(portal: httpx.Client) -> None:
    receipt = send(portal, message()).json()

    answer = portal.get(receipt["links"]["self"])

    assert answer.status_code == 200
    found = answer.json()
    assert (found["id"], found["state"], found["attempts"]) == (receipt["id"], "waiting", 0)
    assert (found["standard"], found["kind"]) == ("xbau", "baugenehmigung.antrag.0200")
    assert found["received"] == receipt["received"]


def test_the_sender_sees_the_answers_to_its_message(app: App, portal: httpx.Client) -> None:
    receipt = send(portal, message())
    birth = reply_birth(app, b"<antwort/>", "bau", ("reply", "1"), row(app, receipt), None)
    id = app.store.accept(birth).result().id

    found = portal.get(receipt.headers["location"]).json()

    assert [(answer["id"], answer["state"]) for answer in found["answers"]] == [(id, "waiting")]


def test_a_message_of_another_party_looks_like_one_that_never_was(portal: httpx.Client) -> None:
    place = send(portal, message()).headers["location"]
    never = place[:-1] + ("0" if place[-1] != "0" else "1")

    with client(port(portal), OTHER) as other:
        answers = other.get(place), other.get(never)

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


def test_an_answer_is_not_a_message_of_the_sender(app: App, portal: httpx.Client) -> None:
    receipt = send(portal, message())
    birth = reply_birth(app, b"<antwort/>", "bau", ("reply", "1"), row(app, receipt), None)
    id = app.store.accept(birth).result().id

    found = app.store.row(id)

    assert found is not None
    assert found.direction is Direction.ANSWER
    assert portal.get(f"/v1/messages/{id}").status_code == 404


@pytest.mark.parametrize("id", ["1", "%00", "..%2f..", "0" * 5000])
def test_what_is_no_id_is_not_found(portal: httpx.Client, id: str) -> None:
    assert portal.get(f"/v1/messages/{id}").status_code == 404


def test_a_status_needs_a_token(portal: httpx.Client) -> None:
    place = send(portal, message()).headers["location"]

    assert portal.get(place, headers={"Authorization": ""}).status_code == 401


def test_a_token_can_be_exchanged_while_the_broker_runs(
    house: House, portal: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.web.tokens.LOOK", 0.0)
    send(portal, message())

    house.tokens("bauportal", "neues-token")
    old = send(portal, message())
    new = send(portal, message(), Authorization="Bearer neues-token")

    assert (old.status_code, new.status_code) == (401, 202)
