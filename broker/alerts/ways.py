"""The ways by which people get alerts: a command, mail, a webhook, and always the log."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shlex
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from broker.alerts.news import Bulletin
from broker.errors import ConfigError, Finding, Unreachable
from broker.logs import get
from broker.settings import Settings, variable

if TYPE_CHECKING:
    import http.client
    import smtplib

#: One way takes so many seconds at most, however slowly the other side speaks.
DEADLINE = 30.0
SIGNATURE = "X-Xoev-Broker-Signature"
_PORTS = {"smtp": 25, "smtps": 465}


class Way(Protocol):
    """Takes a bulletin to people. `name` is what the store remembers it by."""

    name: str

    def tell(self, bulletin: Bulletin) -> None:
        """Take it there; raises Unreachable, without any password, where that failed."""


class Log:
    """The log of the broker: one line for each cause."""

    name = "log"

    def tell(self, bulletin: Bulletin) -> None:
        """Write the lines."""
        log = get()
        for one in bulletin.news:
            say = log.info if one.state == "cleared" else log.warning
            event = "calmed" if one.state == "cleared" else "alarmed"
            say(event, cause=one.alarm.cause, since=one.alarm.since)


class Command:
    """A command of the operator that reads JSON from standard input; no shell runs it."""

    name = "command"

    def __init__(self, command: str, deadline: float = DEADLINE) -> None:
        """Take the command as one would type it, and the seconds that it may take."""
        self._argv = shlex.split(command)
        self._deadline = deadline

    def tell(self, bulletin: Bulletin) -> None:
        """Run it once."""
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own command
                self._argv, input=_json(bulletin), capture_output=True, timeout=self._deadline,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Unreachable(f"the command took longer than {self._deadline:g} s") from None
        except OSError as error:
            raise Unreachable(f"the command cannot be run: {_why(error)}") from None
        if done.returncode:
            raise Unreachable(f"the command ended with exit code {done.returncode}")


class Mail:
    """A mail, in German and English, over TLS or to this machine."""

    name = "mail"

    def __init__(self, settings: Settings, deadline: float = DEADLINE) -> None:
        """Take server, sender and addresses; raises ConfigError where they cannot be used."""
        self._server = urlsplit(settings.alert_mail_server)
        self._to = [one.strip() for one in settings.alert_mail.split(",") if one.strip()]
        self._from = settings.alert_mail_from
        self._password = settings.alert_mail_password_file
        self._ca = settings.alert_ca
        self._deadline = deadline
        if self._server.scheme not in _PORTS or not self._server.hostname:
            raise _wrong("alert_mail_server", "needed is smtp://host:587 or smtps://host:465")
        if self._server.password is not None:
            raise _wrong("alert_mail_server", "its password belongs into alert_mail_password_file")
        if any(not text.isprintable() for text in (self._from, *self._to)):
            raise _wrong("alert_mail", "an address holds what cannot be printed")

    def tell(self, bulletin: Bulletin) -> None:
        """Send it."""
        import smtplib

        smtp = self._prepared()
        try:
            with limited(lambda: smtp.sock, self._deadline), _hangs_up(smtp):
                smtp.connect(str(self._server.hostname), self._port)
                self._greet(smtp)
                smtp.send_message(self._letter(bulletin), self._from, self._to)
        except smtplib.SMTPResponseException as error:
            raise Unreachable(f"the mail server answered {error.smtp_code}") from None
        except (OSError, ValueError, smtplib.SMTPException) as error:
            raise Unreachable(f"the mail server cannot be used: {_why(error)}") from None

    @property
    def _port(self) -> int:
        return self._server.port or _PORTS[self._server.scheme]

    def _prepared(self) -> smtplib.SMTP:
        """Return a connection that is not made yet, so that making it has the deadline too."""
        import smtplib

        # Without a name of its own, the library would ask a name server for one.
        own = socket.gethostname()
        if self._server.scheme == "smtps":
            context = self._tls()
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                local_hostname=own, timeout=self._deadline, context=context
            )
        else:
            smtp = smtplib.SMTP(local_hostname=own, timeout=self._deadline)
        # The name that TLS checks; the library takes it only where it connects at once.
        smtp._host = str(self._server.hostname)  # type: ignore[attr-defined]
        return smtp

    def _greet(self, smtp: smtplib.SMTP) -> None:
        if self._server.scheme == "smtp" and not loopback(str(self._server.hostname)):
            smtp.starttls(context=self._tls())
        if self._server.username and self._password:
            smtp.login(unquote(self._server.username), _secret(self._password))

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._ca)

    def _letter(self, bulletin: Bulletin) -> EmailMessage:
        letter = EmailMessage()
        count = len(bulletin.news)
        letter["Subject"] = f"[{bulletin.site}] {count} Meldung(en) des Brokers / broker alert(s)"
        letter["From"], letter["To"] = self._from, ", ".join(self._to)
        letter["Date"] = bulletin.time
        letter["Message-ID"] = f"<{bulletin.id}@{bulletin.host}>"
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(text(bulletin))
        return letter


class Webhook:
    """One POST of JSON over HTTPS, or to this machine; with a key it is signed."""

    name = "webhook"

    def __init__(self, settings: Settings, deadline: float = DEADLINE) -> None:
        """Take the address; raises ConfigError where it is neither HTTPS nor this machine."""
        self._url: SplitResult = urlsplit(settings.alert_webhook)
        self._key = settings.alert_webhook_key_file
        self._ca = settings.alert_ca
        self._deadline = deadline
        host = self._url.hostname or ""
        plain = self._url.scheme == "http" and loopback(host)
        if not host or not (self._url.scheme == "https" or plain):
            raise _wrong("alert_webhook", "needed is an address with https://")

    def tell(self, bulletin: Bulletin) -> None:
        """Post it; every 2xx is a yes, a redirect is a no."""
        import http.client

        body = _json(bulletin)
        connection = self._connection()
        try:
            with limited(lambda: connection.sock, self._deadline):
                connection.request("POST", self._target(), body, self._headers(body))
                status = connection.getresponse().status
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Unreachable(f"the webhook cannot be reached: {_why(error)}") from None
        finally:
            connection.close()
        if not 200 <= status < 300:
            raise Unreachable(f"the webhook answered {status}")

    def _connection(self) -> http.client.HTTPConnection:
        import http.client

        host, port = str(self._url.hostname), self._url.port
        if self._url.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._deadline)
        context = ssl.create_default_context(cafile=self._ca)
        return http.client.HTTPSConnection(host, port, timeout=self._deadline, context=context)

    def _target(self) -> str:
        query = f"?{self._url.query}" if self._url.query else ""
        return (self._url.path or "/") + query

    def _headers(self, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "xoev-broker"}
        if self._key:
            digest = hmac.new(_secret(self._key).encode(), body, hashlib.sha256).hexdigest()
            headers[SIGNATURE] = f"sha256={digest}"
        return headers


def ways(settings: Settings) -> list[Way]:
    """Return all ways that the settings name, the log first. Raises ConfigError."""
    found: list[Way] = [Log()]
    try:
        if settings.alert_command:
            found.append(Command(settings.alert_command))
    except ValueError:
        raise _wrong("alert_command", "a quotation mark is not closed") from None
    makers: list[tuple[str, Callable[[Settings], Way]]] = [
        (settings.alert_mail, Mail), (settings.alert_webhook, Webhook),
    ]  # fmt: skip
    return found + [make(settings) for named, make in makers if named]


def text(bulletin: Bulletin) -> str:
    """Return a bulletin for people, German first."""
    record = bulletin.record()
    marks = {"raised": ("NEU", "NEW"), "repeated": ("NOCH", "STILL"), "cleared": ("ENDE", "OVER")}
    parts: list[str] = []
    for at, name in enumerate(("text_de", "text")):
        for one in record["alerts"]:
            parts += [f"{marks[one['state']][at]}  {one[name]}", f"      {one['next']}"]
        if record["more"]:
            parts.append(f"+ {record['more']}")
        parts.append("")
    return "\n".join([*parts, f"{record['site']}, {record['host']}, {record['time']}", ""])


@contextmanager
def limited(line: Callable[[], socket.socket | None], seconds: float) -> Iterator[None]:
    """Cut off the connection that there is after so many seconds in all: its own limit counts for
    each step.
    """
    timer = Timer(seconds, _cut, (line,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def loopback(host: str) -> bool:
    """Whether a host is this machine; a name is looked up by nobody here."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _cut(line: Callable[[], socket.socket | None]) -> None:
    found = line()
    if found is not None:
        with suppress(OSError):
            # The file descriptor stays its owner's, who closes it.
            found.shutdown(socket.SHUT_RDWR)


@contextmanager
def _hangs_up(smtp: smtplib.SMTP) -> Iterator[None]:
    import smtplib

    try:
        yield
        smtp.quit()
    except smtplib.SMTPServerDisconnected:
        raise Unreachable("the mail server hung up, or took too long") from None
    finally:
        smtp.close()


def _json(bulletin: Bulletin) -> bytes:
    return json.dumps(bulletin.record(), ensure_ascii=False).encode()


def _secret(path: Path) -> str:
    return path.read_text("utf-8").strip()


def _why(error: Exception) -> str:
    """Say what an error was without its text: that may hold an address or a password."""
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or type(error).__name__})"
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) and number > 0 else type(error).__name__


def _wrong(name: str, needed: str) -> ConfigError:
    finding = Finding(f"cannot be used, {needed}", file=variable(name))
    return ConfigError("the settings in the environment cannot be used", findings=[finding])
