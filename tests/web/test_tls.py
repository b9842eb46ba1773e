"""TLS of the intake: who gets in, by what, and what a change of certificates does."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from broker.app import App
from broker.errors import ConfigError
from broker.intake import Intake
from broker.web.app import application
from broker.web.server import HttpServer
from broker.web.tls import Tls
from tests.certificates import Authority, fingerprint
from tests.web.house import OTHER, TOKEN, House, message


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@contextmanager
def serving(app: App, tls: Tls) -> Iterator[int]:
    server = HttpServer(application(app, Intake(app), lambda: None), "127.0.0.1", 0, None, tls)
    server.start()
    try:
        yield server.port
    finally:
        server.stop(5)


def client(
    port: int, authority: Authority, own: tuple[Path, Path] | None = None, token: str = ""
) -> httpx.Client:
    context = ssl.create_default_context(cafile=str(authority.file))
    if own:
        context.load_cert_chain(*own)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"https://127.0.0.1:{port}"
    return httpx.Client(base_url=url, verify=context, headers=headers, trust_env=False, timeout=30)


def post(one: httpx.Client) -> httpx.Response:
    return one.post("/v1/messages", content=message(), headers={"Content-Type": "application/xml"})


def certified(house: House, *lines: str) -> App:
    """Open a broker whose parties have certificates."""
    routes = house.folder / "routes.yaml"
    text = routes.read_text("utf-8")
    for party, line in zip(("bauportal", "anderes"), lines, strict=False):
        text = text.replace(f"token_file: {party}.token", f"token_file: {party}.token, {line}")
    routes.write_text(text, "utf-8")
    return house.open()


def test_a_message_is_taken_over_tls(app: App, authority: Authority) -> None:
    tls = Tls(*authority.issue("broker"))
    with serving(app, tls) as port, client(port, authority, token=TOKEN) as portal:
        answer = post(portal)

    assert answer.status_code == 202
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_nothing_but_tls_is_spoken_then(app: App, authority: Authority) -> None:
    with serving(app, Tls(*authority.issue("broker"))) as port:
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/health/live", trust_env=False)
        with client(port, authority) as portal:
            assert portal.get("/health/live").status_code == 200


@pytest.mark.parametrize("old", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_versions_of_tls_are_not_spoken(
    app: App, authority: Authority, old: ssl.TLSVersion
) -> None:
    context = ssl.create_default_context(cafile=str(authority.file))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = old
    context.maximum_version = old
    with (
        serving(app, Tls(*authority.issue("broker"))) as port,
        socket.create_connection(("127.0.0.1", port), 10) as line,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(line, server_hostname="127.0.0.1")


def test_only_strong_suites_are_offered(authority: Authority) -> None:
    found = Tls(*authority.issue("broker")).context.get_ciphers()

    assert found
    assert all("GCM" in one["name"] or one["protocol"] == "TLSv1.3" for one in found)


def test_with_an_authority_for_senders_none_comes_without_a_certificate(
    app: App, authority: Authority
) -> None:
    tls = Tls(*authority.issue("broker"), authority.file)
    with serving(app, tls) as port:
        with client(port, authority, token=TOKEN) as bare, pytest.raises(httpx.TransportError):
            post(bare)
        with client(port, authority, authority.issue("portal"), TOKEN) as portal:
            assert post(portal).status_code == 202


def test_a_certificate_of_another_authority_does_not_get_in(
    app: App, authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "other")
    tls = Tls(*authority.issue("broker"), authority.file)
    with (
        serving(app, tls) as port,
        client(port, authority, other.issue("portal"), TOKEN) as stranger,
        pytest.raises(httpx.TransportError),
    ):
        post(stranger)


def test_a_certificate_stands_for_its_party_instead_of_a_token(
    house: House, authority: Authority
) -> None:
    own = authority.issue("portal")
    shown = fingerprint(own[0]).upper()
    colons = ":".join(shown[at : at + 2] for at in range(0, 64, 2))
    app = certified(house, f'certificate: "{colons}"')
    tls = Tls(*authority.issue("broker"), authority.file)
    try:
        with serving(app, tls) as port:
            with client(port, authority, own) as portal:
                sent = post(portal)
                place = sent.json()["links"]["self"]
                assert sent.status_code == 202
                assert portal.get(place).status_code == 200
            with client(port, authority, authority.issue("nobody")) as stranger:
                assert post(stranger).status_code == 401
            with client(port, authority, authority.issue("nobody"), TOKEN) as portal:
                assert portal.get(place).status_code == 200
    finally:
        app.close()


def test_a_token_of_one_party_with_the_certificate_of_another_is_refused(
    house: House, authority: Authority
) -> None:
    own = authority.issue("portal")
    app = certified(house, f"certificate: {fingerprint(own[0])}")
    tls = Tls(*authority.issue("broker"), authority.file)
    try:
        with serving(app, tls) as port:
            with client(port, authority, own, OTHER) as mixed:
                assert post(mixed).status_code == 401
            with client(port, authority, own, "no-token-of-anybody") as wrong:
                assert post(wrong).status_code == 401
            with client(port, authority, own, TOKEN) as right:
                assert post(right).status_code == 202
    finally:
        app.close()


def test_a_certificate_belongs_to_one_party_only(house: House, authority: Authority) -> None:
    mark = fingerprint(authority.issue("portal")[0])

    with pytest.raises(ConfigError) as caught:
        certified(house, f"certificate: {mark}", f"certificate: {mark}")
    assert 'party "anderes": a certificate belongs to party "bauportal" already' in str(
        caught.value
    )


def test_something_else_than_a_fingerprint_is_a_finding(house: House) -> None:
    with pytest.raises(ConfigError) as caught:
        certified(house, "certificate: portal.pem")
    assert "openssl x509 -noout -fingerprint -sha256" in str(caught.value)


def test_renewed_certificates_count_for_new_connections_after_a_reload(
    app: App, authority: Authority, tmp_path: Path
) -> None:
    own = authority.issue("broker")
    tls = Tls(*own)
    newer = Authority(tmp_path, "newer")
    with serving(app, tls) as port, client(port, authority) as before:
        assert before.get("/health/live").status_code == 200
        for new, old in zip(newer.issue("renewed"), own, strict=True):
            shutil.copy(new, old)
        tls.reload()

        assert before.get("/health/live").status_code == 200, "the open connection goes on"
        with client(port, newer) as after:
            assert after.get("/health/live").status_code == 200


def test_a_withdrawn_authority_lets_nobody_in_after_a_reload(
    app: App, authority: Authority, tmp_path: Path
) -> None:
    trusted = tmp_path / "trusted.pem"
    shutil.copy(authority.file, trusted)
    other = Authority(tmp_path, "other")
    tls = Tls(*authority.issue("broker"), trusted)
    mine, theirs = authority.issue("portal"), other.issue("their-portal")
    with serving(app, tls) as port:
        shutil.copy(other.file, trusted)
        tls.reload()

        with (
            client(port, authority, mine, TOKEN) as withdrawn,
            pytest.raises(httpx.TransportError),
        ):
            post(withdrawn)
        with client(port, authority, theirs, TOKEN) as portal:
            assert post(portal).status_code == 202


def test_broken_files_are_named_and_the_old_ones_stay_in_force(
    app: App, authority: Authority
) -> None:
    certificate, key = authority.issue("broker")
    tls = Tls(certificate, key)
    with serving(app, tls) as port:
        certificate.write_text("no certificate", "ascii")

        with pytest.raises(ConfigError, match=r"XOEV_BROKER_LISTEN_CERTIFICATE: .*broker\.pem"):
            tls.reload()
        with client(port, authority) as portal:
            assert portal.get("/health/live").status_code == 200


def test_who_connects_and_never_greets_is_cut_off(
    app: App, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    from broker.web import protocol

    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    with (
        serving(app, Tls(*authority.issue("broker"))) as port,
        socket.create_connection(("127.0.0.1", port), 30) as silent,
    ):
        assert silent.recv(1) == b""


def test_noise_instead_of_a_handshake_leaves_the_others_alone(
    app: App, authority: Authority
) -> None:
    with serving(app, Tls(*authority.issue("broker"))) as port:
        for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 500, b"\0"):
            with socket.create_connection(("127.0.0.1", port), 30) as line:
                line.sendall(noise)
        with client(port, authority) as portal:
            assert portal.get("/health/live").status_code == 200
