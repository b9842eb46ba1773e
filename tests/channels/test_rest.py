"""What `kind: rest` promises beyond the contract of all channels."""

from __future__ import annotations

import gzip
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.channels.channel import Declared, Found, Prepared
from broker.channels.rest import Rest
from broker.errors import (
    BrokerError,
    Busy,
    ChannelError,
    ConfigError,
    DeliveryUnclear,
    Refused,
    Unreachable,
)
from tests.servers import certs, http
from tests.servers.http import Server, answer

LETTER = Prepared("0190-key", "ABCDEFGHJKMNP", "antrag", b"<Antrag>Erika Muster</Antrag>")
Build = Callable[..., Rest]


def nothing() -> None:
    """Stand in for a mark that succeeds."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(answer(201)) as running:
        yield running


@pytest.fixture
def build(server: Server) -> Iterator[Build]:
    made: list[Rest] = []

    def make(**values: Any) -> Rest:
        made.append(
            Rest(Declared("portal", "rest", {"address": server.address, "deadline": 5.0} | values))
        )
        return made[-1]

    yield make
    for channel in made:
        channel.close()


def outcome(channel: Rest) -> type[BrokerError] | str:
    """Return the receipt, or the class of the error, whose text must not show what was sent."""
    try:
        return channel.send(LETTER, nothing).receipt
    except BrokerError as error:
        caught = error
    assert "Muster" not in str(caught)
    return type(caught)


def test_the_body_arrives_with_key_and_type(server: Server, build: Build) -> None:
    sent = build(headers=("X-Mandant: 103",)).send(LETTER, nothing)

    request = server.requests[0]
    assert (sent.receipt, request.method, request.body) == ("HTTP 201", "POST", LETTER.body)
    assert request.headers["idempotency-key"] == "0190-key"
    assert request.headers["content-type"] == "application/xml"
    assert request.headers["x-mandant"] == "103"


def test_key_reference_and_kind_fill_the_address(server: Server, build: Build) -> None:
    build(address=server.address + "/{kind}/{reference}/{key}", method="PUT").send(LETTER, nothing)

    assert server.requests[0].method == "PUT"
    assert server.requests[0].path == "/dienst/antrag/ABCDEFGHJKMNP/0190-key"


def test_one_connection_serves_many_messages(server: Server, build: Build) -> None:
    channel = build()

    for _ in range(5):
        channel.send(LETTER, nothing)

    assert (len(server.requests), server.connections) == (5, 1)


@pytest.mark.parametrize(
    ("status", "harmful", "recognised"),
    [
        (200, "HTTP 200", "HTTP 200"),
        (204, "HTTP 204", "HTTP 204"),
        (307, Unreachable, Unreachable),
        (400, Refused, Refused),
        (401, Unreachable, Unreachable),
        (403, Unreachable, Unreachable),
        (404, Refused, Refused),
        (408, Busy, Busy),
        (409, Refused, "HTTP 409: it was there before"),
        (422, Refused, Refused),
        (425, Busy, Busy),
        (429, Busy, Busy),
        (500, DeliveryUnclear, Unreachable),
        (502, DeliveryUnclear, Unreachable),
        (503, Busy, Busy),
    ],
)
def test_a_status_decides_what_follows(
    server: Server, build: Build, status: int, harmful: object, recognised: object
) -> None:
    server.script = answer(status, b"Erika Muster", Location=server.address)

    assert outcome(build(repeats="harmful")) == harmful
    assert outcome(build(repeats="recognised")) == recognised


def test_a_redirect_is_not_followed(server: Server, build: Build) -> None:
    with Server(answer(200)) as elsewhere:
        server.script = answer(307, Location=elsewhere.address)

        assert outcome(build()) is Unreachable
        assert elsewhere.requests == []


@pytest.mark.parametrize("script", [http.reset, http.hang_up, http.silence])
def test_an_answer_that_does_not_come_whole_is_unclear(
    server: Server, build: Build, script: http.Script
) -> None:
    server.script = script

    assert outcome(build(deadline=0.3)) is DeliveryUnclear
    assert outcome(build(deadline=0.3, repeats="recognised")) is Unreachable


def test_nothing_is_sent_twice_on_a_connection_that_breaks(server: Server, build: Build) -> None:
    channel = build()
    channel.send(LETTER, nothing)
    server.script = http.hang_up

    with pytest.raises(DeliveryUnclear):
        channel.send(LETTER, nothing)

    assert len(server.requests) == 2


def test_a_connection_that_the_server_closed_meanwhile_is_not_used(
    server: Server, build: Build
) -> None:
    channel = build()
    channel.send(LETTER, nothing)
    server.drop()

    assert outcome(channel) == "HTTP 201"
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "address", ["", "ftp://127.0.0.1/", "http://", "http://[", "http://127.0.0.1:x/", "/etc/hosts"]
)
def test_an_address_that_is_none_stops_the_start(build: Build, address: str) -> None:
    with pytest.raises(ConfigError, match="portal: the address is not of the form"):
        build(address=address)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
    ],
)
def test_a_slow_drip_cannot_outlive_the_deadline(server: Server, build: Build, head: bytes) -> None:
    server.script = http.drip(head)

    with pytest.raises(DeliveryUnclear, match=r"no answer within 0\.3 s"):
        build(deadline=0.3).send(LETTER, nothing)


def test_a_server_that_does_not_read_cannot_outlive_the_deadline(build: Build) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        channel = build(address=f"http://127.0.0.1:{deaf.getsockname()[1]}/", deadline=0.3)
        large = Prepared("0190-key", "ABCDEFGHJKMNP", "antrag", bytes(30_000_000))

        with pytest.raises(DeliveryUnclear, match="no answer within"):
            channel.send(large, nothing)


def test_a_large_answer_is_cut_off(server: Server, build: Build) -> None:
    server.script = answer(200, bytes(1_000_001))

    with pytest.raises(DeliveryUnclear, match="larger than 1 MB"):
        build(max=1).send(LETTER, nothing)


def test_a_gzip_bomb_is_cut_off(server: Server, build: Build) -> None:
    server.script = answer(200, gzip.compress(bytes(200_000_000)), Content_Encoding="gzip")

    with pytest.raises(DeliveryUnclear, match="larger than 1 MB"):
        build(max=1).send(LETTER, nothing)


def test_a_packed_answer_is_unpacked(server: Server, build: Build) -> None:
    server.script = answer(200, gzip.compress(b"<ok/>"), Content_Encoding="gzip")

    assert build(reply="body").send(LETTER, nothing).reply == b"<ok/>"


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_an_answer_that_cannot_be_unpacked_is_unclear(
    server: Server, build: Build, coding: str
) -> None:
    server.script = answer(200, b"not packed at all", Content_Encoding=coding)

    assert outcome(build()) is DeliveryUnclear


def test_a_response_is_an_answer_only_where_the_route_says_so(server: Server, build: Build) -> None:
    server.script = answer(200, b"<ok/>")

    assert build().send(LETTER, nothing).reply is None
    assert build(reply="body").send(LETTER, nothing).reply == b"<ok/>"


def test_a_name_that_nobody_knows_is_unreachable(build: Build) -> None:
    assert outcome(build(address="http://fachverfahren.invalid/")) is Unreachable


@pytest.mark.parametrize(
    ("status", "found"),
    [(200, Found.THERE), (404, Found.NOT_THERE), (500, Found.UNKNOWN), (302, Found.UNKNOWN)],
)
def test_the_other_side_is_asked_for_a_key(
    server: Server, build: Build, status: int, found: Found
) -> None:
    server.script = answer(status)
    channel = build(ask=server.address + "/{key}")

    assert channel.find("0190-key") is found
    assert (server.requests[0].method, server.requests[0].path) == ("GET", "/dienst/0190-key")


def test_a_question_that_fails_leaves_it_unknown(server: Server, build: Build) -> None:
    server.script = http.hang_up

    assert build(ask=server.address + "/{key}").find("0190-key") is Found.UNKNOWN


def test_nobody_is_asked_where_the_answer_of_the_send_is_the_reply(
    server: Server, build: Build
) -> None:
    channel = build(ask=server.address + "/{key}", reply="body")

    assert channel.find("0190-key") is Found.UNKNOWN
    assert not server.requests


def test_user_and_password_are_sent(server: Server, build: Build, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("geheim-4711\n", "utf-8")

    build(user="broker", password_file=file).send(LETTER, nothing)

    assert server.requests[0].headers["authorization"] == "Basic YnJva2VyOmdlaGVpbS00NzEx"


def test_a_token_is_read_again_when_its_file_changes(
    server: Server, build: Build, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("alt", "utf-8")
    channel = build(token_file=file)
    channel.send(LETTER, nothing)
    (tmp_path / "new").write_text("neu-und-anders", "utf-8")
    os.replace(tmp_path / "new", file)

    channel.send(LETTER, nothing)

    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer alt", "Bearer neu-und-anders"]


def test_a_missing_secret_is_named_without_sending(
    server: Server, build: Build, tmp_path: Path
) -> None:
    channel = build(token_file=tmp_path / "token")

    with pytest.raises(Unreachable, match=r"token cannot be read \(ENOENT\)"):
        channel.send(LETTER, nothing)

    assert server.requests == []


def test_no_error_shows_a_secret(server: Server, build: Build, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("geheim-4711", "utf-8")
    server.script = answer(401, b"geheim-4711")

    with pytest.raises(ChannelError) as caught:
        build(user="broker", password_file=file).send(LETTER, nothing)

    assert "geheim" not in str(caught.value)
    assert "password_file" in str(caught.value)


def test_a_proxy_of_the_environment_is_not_used(
    server: Server, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    assert outcome(build()) == "HTTP 201"


def test_the_mark_is_called_before_the_request_leaves(server: Server, build: Build) -> None:
    seen: list[int] = []

    build().send(LETTER, lambda: seen.append(len(server.requests)))

    assert seen == [0]


def test_nothing_leaves_and_nothing_is_unclear_where_the_mark_took_too_long(
    server: Server, build: Build
) -> None:
    def mark() -> None:
        threading.Event().wait(0.2)

    with pytest.raises(Unreachable, match="no answer within"):
        build(deadline=0.1).send(LETTER, mark)

    assert server.requests == []


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> certs.Certs:
    return certs.make(tmp_path_factory.mktemp("certs"))


def test_mutual_tls_works(build: Build, papers: certs.Certs) -> None:
    with Server(answer(201), papers.server_context(mutual=True)) as server:
        channel = build(address=server.address, ca_file=papers.ca, cert_file=papers.client)

        assert outcome(channel) == "HTTP 201"
        assert channel.probe().endswith("accepts connections")
        channel.close()


def test_without_our_certificate_nothing_is_delivered(build: Build, papers: certs.Certs) -> None:
    with Server(answer(201), papers.server_context(mutual=True)) as server:
        with pytest.raises(Unreachable, match="it does not take our certificate"):
            build(address=server.address, ca_file=papers.ca).send(LETTER, nothing)

        assert server.requests == []


def test_a_certificate_nobody_vouches_for_is_refused(build: Build, papers: certs.Certs) -> None:
    with Server(answer(201), papers.server_context(mutual=False)) as server:
        with pytest.raises(Unreachable, match="its certificate is not trusted"):
            build(address=server.address).send(LETTER, nothing)

        assert server.requests == []


def test_a_certificate_file_that_is_none_is_named(build: Build, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate", "utf-8")

    with pytest.raises(Unreachable, match="ca_file"):
        build(address="https://127.0.0.1:9/", ca_file=file).send(LETTER, nothing)


def test_a_certificate_that_changed_is_used_by_the_next_call(
    build: Build, papers: certs.Certs, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(papers.ca.read_bytes())
    with Server(answer(201), papers.server_context(mutual=False)) as server:
        channel = build(address=server.address, ca_file=file)
        channel.send(LETTER, nothing)
        for number in range(2):
            (tmp_path / "new").write_bytes(papers.ca.read_bytes() + b"\n" * (number + 1))
            os.replace(tmp_path / "new", file)
            channel.send(LETTER, nothing)
        channel.close()

    assert server.connections == 3


def test_a_secret_that_is_no_text_is_named(build: Build, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"\xff\xfe")

    with pytest.raises(Unreachable, match="token is not UTF-8"):
        build(token_file=file).send(LETTER, nothing)
