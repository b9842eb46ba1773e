"""How a bulletin gets to people: by command, mail and webhook, over real servers."""

from __future__ import annotations

import hashlib
import hmac
import json
import socketserver
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from broker.alerts import ways as module
from broker.alerts.news import MOST, Bulletin, News
from broker.alerts.ways import SIGNATURE, Command, Mail, Webhook, ways
from broker.errors import ConfigError, Unreachable
from broker.settings import Settings
from broker.stores.lookout import Alarm
from tests.certificates import Authority

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PASSWORD = "mail-password-of-a-test"


def bulletin(count: int = 1) -> Bulletin:
    facts = {"route": "bau/wolfsburg", "oldest": "2026-03-01T10:00:00+00:00"}
    items = [News("raised", Alarm(f"waiting:{at}", AT, facts)) for at in range(count)]
    return Bulletin("019c0f00-0000-7000-8000-000000000001", "stadt", "host-a", AT, items)


def settings(**values: str) -> Settings:
    return Settings.load({f"XOEV_BROKER_{name.upper()}": value for name, value in values.items()})


# the command


def script(folder: Path, text: str) -> str:
    file = folder / "alarm.py"
    file.write_text(text)
    return f"{sys.executable} {file} {folder / 'heard.json'} 'a b;c'"


def test_a_command_gets_the_bulletin_as_json_and_no_shell(tmp_path: Path) -> None:
    command = script(
        tmp_path,
        "import sys; assert sys.argv[2] == 'a b;c'; open(sys.argv[1], 'w').write(sys.stdin.read())",
    )

    Command(command).tell(bulletin())

    found = json.loads((tmp_path / "heard.json").read_text())
    assert (found["site"], found["host"], found["more"]) == ("stadt", "host-a", 0)
    (alert,) = found["alerts"]
    assert (alert["state"], alert["cause"], alert["kind"]) == ("raised", "waiting:0", "waiting")
    assert alert["text"].startswith("Route bau/wolfsburg: messages wait for too long")
    assert alert["text_de"].startswith("Weg bau/wolfsburg: Nachrichten warten zu lange")
    assert alert["next"] == "xoev-broker messages --route bau/wolfsburg --state waiting"


def test_a_command_that_fails_is_told_without_what_it_said(tmp_path: Path) -> None:
    command = script(tmp_path, "import sys; print('geheim', file=sys.stderr); sys.exit(3)")

    with pytest.raises(Unreachable) as caught:
        Command(command).tell(bulletin())
    assert str(caught.value) == "the command ended with exit code 3"


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    command = script(tmp_path, "import signal; signal.pause()")

    with pytest.raises(Unreachable, match=r"took longer than 0\.5 s"):
        Command(command, 0.5).tell(bulletin())


def test_a_command_that_is_not_there_is_told() -> None:
    with pytest.raises(Unreachable, match="No such file"):
        Command("/nowhere/alarm").tell(bulletin())


def test_very_many_alerts_are_counted() -> None:
    found = bulletin(MOST + 7).record()

    assert (len(found["alerts"]), found["more"]) == (MOST, 7)


# mail


class Post(socketserver.ThreadingTCPServer):
    """A mail server that keeps what it gets; `silent` never ends its greeting."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None, silent: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Postman)
        self.context, self.silent = context, silent
        self.implicit = False
        self.letters: list[bytes] = []
        self.said: list[str] = []
        self.stop = threading.Event()

    @property
    def letter(self) -> EmailMessage:
        (data,) = self.letters
        found = message_from_bytes(data, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found


class Postman(socketserver.StreamRequestHandler):
    """Speaks as much of SMTP as one letter needs."""

    server: Post

    def setup(self) -> None:
        if self.server.implicit:
            self._secure()
        super().setup()

    def _secure(self) -> None:
        assert self.server.context is not None
        self.request = self.server.context.wrap_socket(self.request, server_side=True)

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def handle(self) -> None:
        if self.server.silent:
            self._drip()
            return
        self._say("220 there")
        while line := self.rfile.readline():
            word = line.decode().strip()
            self.server.said.append(word)
            if not self._answer(word.upper()):
                return

    def _drip(self) -> None:
        """Greet for ever, so that each single read gets something in time."""
        with suppress(OSError):
            while not self.server.stop.wait(0.05):
                self.wfile.write(b"2")

    def _answer(self, word: str) -> bool:
        if word.startswith("EHLO"):
            self._say("250-there\r\n250-STARTTLS\r\n250 AUTH PLAIN")
        elif word == "STARTTLS":
            self._say("220 go")
            self._secure()
            super().setup()
        elif word == "DATA":
            self._say("354 go")
            lines = iter(self.rfile.readline, b".\r\n")
            self.server.letters.append(b"".join(lines))
            self._say("250 kept")
        elif word == "QUIT":
            self._say("221 bye")
            return False
        else:
            self._say("235 yes" if word.startswith("AUTH") else "250 ok")
        return True

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])  # type: ignore[index]
    finally:
        if isinstance(server, Post):
            server.stop.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def context(authority: Authority) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*authority.issue("mail"))
    return made


def mail(port: int, scheme: str = "smtp", **more: str) -> Mail:
    server = f"{scheme}://127.0.0.1:{port}"
    given = {"alert_mail": "it@stadt.example, nacht@stadt.example", "alert_mail_server": server}
    return Mail(settings(**given | more), deadline=60)


def test_a_mail_speaks_german_and_english_and_names_nobody() -> None:
    server = Post()
    with serving(server) as port:
        mail(port).tell(bulletin())

    letter = server.letter
    body = letter.get_content()
    assert letter["Subject"] == "[stadt] 1 Meldung(en) des Brokers / broker alert(s)"
    assert letter["To"] == "it@stadt.example, nacht@stadt.example"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert "NEU  Weg bau/wolfsburg: Nachrichten warten zu lange" in body
    assert "NEW  Route bau/wolfsburg: messages wait for too long" in body
    assert "xoev-broker messages --route bau/wolfsburg --state waiting" in body
    assert [word for word in server.said if word.startswith("rcpt")] == [
        "rcpt TO:<it@stadt.example>",
        "rcpt TO:<nacht@stadt.example>",
    ]


def test_to_another_machine_mail_goes_over_tls_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    monkeypatch.setattr(module, "loopback", lambda _host: False)
    server = Post(context(authority))
    more = {"alert_ca": str(authority.file), "alert_mail_password_file": str(secret)}
    with serving(server) as port:
        made = mail(port, **more, alert_mail_server=f"smtp://erika@127.0.0.1:{port}")
        made.tell(bulletin())

    assert server.said.index("STARTTLS") < [w[:4] for w in server.said].index("AUTH")
    assert len(server.letters) == 1


def test_a_mail_server_that_speaks_tls_from_the_start(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = Post(context(authority))
    server.implicit = True
    with serving(server) as port:
        mail(port, "smtps", alert_ca=str(authority.file)).tell(bulletin())

    assert len(server.letters) == 1


def test_a_mail_server_whose_certificate_is_not_trusted_gets_nothing(tmp_path: Path) -> None:
    server = Post(context(Authority(tmp_path)))
    server.implicit = True
    with serving(server) as port, pytest.raises(Unreachable, match="TLS failed"):
        mail(port, "smtps").tell(bulletin())

    assert server.letters == []


def test_a_mail_server_that_greets_for_ever_holds_nobody_up() -> None:
    server = Post(silent=True)
    with serving(server) as port:
        made = mail(port)
        made._deadline = 0.3
        with pytest.raises(Unreachable):
            made.tell(bulletin())


def test_a_mail_server_that_is_not_there_is_told() -> None:
    with pytest.raises(Unreachable, match="Connection refused"):
        mail(1).tell(bulletin())


# the webhook


class Hook(HTTPServer):
    """Keeps what it gets and answers with a status."""

    def __init__(self, status: int = 204) -> None:
        super().__init__(("127.0.0.1", 0), Hooked)
        self.status = status
        self.got: list[tuple[str, dict[str, str], bytes]] = []


class Hooked(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Keep the output of the tests clean."""


def test_a_webhook_gets_signed_json(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("schluessel\n")
    hook = Hook()
    with serving(hook) as port:
        url = f"http://127.0.0.1:{port}/alerts?to=it"
        Webhook(settings(alert_webhook=url, alert_webhook_key_file=str(key))).tell(bulletin())

    ((path, headers, body),) = hook.got
    digest = hmac.new(b"schluessel", body, hashlib.sha256).hexdigest()
    assert (path, headers[SIGNATURE]) == ("/alerts?to=it", f"sha256={digest}")
    assert json.loads(body)["alerts"][0]["cause"] == "waiting:0"


def test_a_webhook_over_tls_is_checked(tmp_path: Path) -> None:
    authority, hook = Authority(tmp_path), Hook()
    hook.socket = context(authority).wrap_socket(hook.socket, server_side=True)
    with serving(hook) as port:
        url = f"https://127.0.0.1:{port}/"
        Webhook(settings(alert_webhook=url, alert_ca=str(authority.file))).tell(bulletin())
        with pytest.raises(Unreachable, match="TLS failed"):
            Webhook(settings(alert_webhook=url)).tell(bulletin())

    assert len(hook.got) == 1


@pytest.mark.parametrize("status", [302, 404, 500])
def test_any_other_answer_is_a_no_and_a_redirect_is_not_followed(status: int) -> None:
    hook = Hook(status)
    with serving(hook) as port, pytest.raises(Unreachable, match=f"answered {status}"):
        Webhook(settings(alert_webhook=f"http://127.0.0.1:{port}/")).tell(bulletin())

    assert len(hook.got) == 1


# the settings


def test_without_settings_there_is_the_log_only() -> None:
    assert [way.name for way in ways(settings())] == ["log"]


def test_every_way_that_is_set_is_used() -> None:
    found = ways(
        settings(
            alert_command="alarm --now", alert_mail="it@stadt.example",
            alert_webhook="https://hook.example/x",
        )
    )  # fmt: skip

    assert [way.name for way in found] == ["log", "command", "mail", "webhook"]


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"alert_webhook": "http://hook.example/x"}, "ALERT_WEBHOOK"),
        ({"alert_webhook": "ftp://hook.example/x"}, "ALERT_WEBHOOK"),
        ({"alert_mail": "a@b", "alert_mail_server": "https://mail.example"}, "ALERT_MAIL_SERVER"),
        ({"alert_mail": "a@b", "alert_mail_server": "smtp://u:geheim@m"}, "ALERT_MAIL_SERVER"),
        ({"alert_mail": "a@b\nBcc: c@d"}, "ALERT_MAIL"),
        ({"alert_command": "alarm 'now"}, "ALERT_COMMAND"),
    ],
)
def test_a_way_that_cannot_work_is_a_finding_at_the_start(
    values: dict[str, str], place: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        ways(settings(**values))
    (finding,) = caught.value.findings
    assert finding.file == f"XOEV_BROKER_{place}"
