"""The server around the application: it binds, limits what uvicorn does not, and ends in order."""

from __future__ import annotations

import socket
import threading

import httpx
import pytest

from broker.app import App
from broker.errors import ConfigError
from broker.intake import Intake
from broker.web.app import application
from broker.web.protocol import Protocol
from broker.web.server import HttpServer
from tests.web.house import House, message, send
from tests.web.raw import Raw


async def nothing(scope: object, receive: object, send: object) -> None:
    """An application that is never asked."""


def port(client: httpx.Client) -> int:
    found = client.base_url.port
    assert found is not None
    return found


def test_a_port_in_use_is_reported_with_the_setting_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = HttpServer(nothing, "127.0.0.1", taken.getsockname()[1])

        with pytest.raises(ConfigError, match=r"XOEV_BROKER_LISTEN: .* another program"):
            server.start()


def test_an_address_of_another_machine_is_reported() -> None:
    with pytest.raises(ConfigError, match="has no such address"):
        HttpServer(nothing, "192.0.2.1", 0).start()


def test_a_server_that_was_not_started_can_be_stopped() -> None:
    server = HttpServer(nothing, "127.0.0.1", 0)

    server.stop(1)

    assert server.port == 0


def test_a_stop_finishes_the_request_in_hand_and_takes_no_other(house: House, app: App) -> None:
    body = message()
    with house.serve(app) as portal, Raw(port(portal)) as raw:
        raw.begin(len(body))
        stopping = threading.Thread(target=house.server.stop, args=(30,))
        stopping.start()
        raw.send(body)
        head = raw.head()
        stopping.join()

        with pytest.raises(httpx.ConnectError):
            send(portal, message())

    assert head[0] == "HTTP/1.1 202 Accepted"
    assert app.store.counts().accepted == 1


def test_a_head_that_never_ends_is_cut_off(
    portal: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.web.protocol.HEAD_BYTES", 1_000)
    with Raw(port(portal)) as raw:
        raw.send(b"GET / HTTP/1.1\r\nX: " + b"y" * 2_000)

        assert raw.rest().startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHo", b"\r\n"])
def test_a_head_that_does_not_arrive_in_time_is_cut_off(
    portal: httpx.Client, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr("broker.web.protocol.HEAD_SECONDS", 0.05)
    with Raw(port(portal)) as raw:
        raw.send(sent)

        assert raw.rest().startswith(b"HTTP/1.1 408 ")


def test_a_second_head_on_a_kept_connection_has_to_arrive_in_time_too(
    portal: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Raw(port(portal)) as raw:
        raw.send(b"HEAD /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
        first = raw.head()
        monkeypatch.setattr("broker.web.protocol.HEAD_SECONDS", 0.05)
        raw.send(b"GET")

        assert first[0] == "HTTP/1.1 404 Not Found"
        assert raw.rest().startswith(b"HTTP/1.1 408 ")


def test_too_many_connections_are_turned_away(
    portal: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.web.protocol.CONNECTIONS", 1)
    portal.get("/")
    with Raw(port(portal)) as raw:
        assert raw.rest().startswith(b"HTTP/1.1 503 ")

    assert portal.get("/").status_code == 200


def test_what_is_no_http_gets_no_trace(portal: httpx.Client) -> None:
    with Raw(port(portal)) as raw:
        raw.send(b"\x16\x03\x01 hello\r\n\r\n")
        answer = raw.rest()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Traceback" not in answer


def test_no_answer_names_the_software(portal: httpx.Client) -> None:
    answers = [portal.get("/"), portal.get("/nowhere"), send(portal, b"<a>")]

    assert not [answer for answer in answers if "server" in answer.headers]
    assert not [answer for answer in answers if "uvicorn" in answer.text]


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_head(
    house: House, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = []
    received = Protocol.data_received

    def look(self: Protocol, data: bytes) -> None:
        opened = self.transport.get_extra_info("socket")
        options.append(opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        received(self, data)

    monkeypatch.setattr(Protocol, "data_received", look)
    with house.serve(app) as portal:
        portal.get("/")

    assert options == [1]


def test_a_socket_that_listens_already_is_used(house: House, app: App) -> None:
    given = socket.create_server(("127.0.0.1", 0))
    wanted = given.getsockname()[1]
    server = HttpServer(application(app, Intake(app), lambda: None), "127.0.0.1", wanted, given)
    server.start()
    try:
        assert server.port == wanted
        assert httpx.get(f"http://127.0.0.1:{wanted}/health/live", trust_env=False).is_success
    finally:
        server.stop(30)


def test_a_socket_of_another_port_than_the_one_that_is_set_is_closed(app: App) -> None:
    given = socket.create_server(("127.0.0.1", 0))
    with socket.create_server(("127.0.0.1", 0)) as other:
        wanted = other.getsockname()[1]
    server = HttpServer(application(app, Intake(app), lambda: None), "127.0.0.1", wanted, given)
    server.start()
    try:
        assert server.port == wanted
        assert given.fileno() == -1
    finally:
        server.stop(30)


def test_whoever_connects_while_a_successor_starts_waits_for_it(house: House, app: App) -> None:
    with house.serve(app) as portal:
        address = ("127.0.0.1", port(portal))
        kept = house.server.kept()
        assert kept is not None
    with socket.create_connection(address, 30) as waiting:
        waiting.sendall(b"GET /health/live HTTP/1.0\r\nhost: a\r\n\r\n")
        whole = application(app, Intake(app), lambda: None)
        successor = HttpServer(whole, "127.0.0.1", address[1], kept)
        successor.start()
        said = waiting.recv(100)
        successor.stop(30)

    assert b"200 OK" in said
