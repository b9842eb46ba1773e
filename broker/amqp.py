"""Where RabbitMQ is: several nodes in one URL, a password in a file, TLS; for doorbell and channel.

What is sent over it, and how a connection is kept, differs between the two and lies with them.
"""

from __future__ import annotations

import random
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote

from broker.errors import ConfigError

FORM: Final = "amqp://user@host:5672,host2:5672/vhost (amqps with TLS)"
_URL = re.compile(r"(amqps?)://(?:([^@/?#]*)@)?([^@/?#]+)(?:/([^/?#]*))?")
_NODE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?", re.ASCII)
_PORTS: Mapping[str, int] = MappingProxyType({"amqp": 5672, "amqps": 5671})
#: What RabbitMQ itself starts with; it is let in from loopback only.
_GUEST: Final = "guest"

#: Seconds. The heartbeat is kept by a thread that does nothing else; a node that is blocked for
#: longer is left for another one.
_HEARTBEAT: Final = 30
_BLOCKED: Final = 300
#: Seconds of pause after a failure: the first and the longest.
_FIRST: Final = 0.2
_LONGEST: Final = 15.0
_DOUBLINGS: Final = 10


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a cluster."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write it as in the URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a node may take to be connected to, in seconds: for each address, and in all."""

    socket: float = 5.0
    stack: float = 10.0


@dataclass(frozen=True, slots=True)
class Address:
    """Nodes, user, password (or the file that holds it), virtual host, TLS and its authority."""

    nodes: tuple[Node, ...]
    user: str = _GUEST
    password: str = _GUEST
    vhost: str = "/"
    tls: bool = False
    password_file: Path | None = None
    authority: Path | None = None

    @classmethod
    def read(cls, url: str, password_file: Path | None, authority: Path | None) -> Address:
        """Return what a URL says; ConfigError, without the URL, where it cannot be read."""
        found = _URL.fullmatch(url)
        if found is None:
            raise ConfigError(f"the address of RabbitMQ cannot be read, needed is {FORM}")
        scheme, login, hosts, vhost = found.groups()
        user, given, password = (login or "").partition(":")
        if given and password_file:
            raise ConfigError("RabbitMQ has two passwords, one in the URL and one in a file")
        return cls(
            tuple(_node(text, _PORTS[scheme]) for text in hosts.split(",")),
            unquote(user) or _GUEST,
            unquote(password) if given else _GUEST,
            unquote(vhost or "") or "/",
            scheme == "amqps",
            password_file,
            authority,
        )

    def __repr__(self) -> str:
        """Show where it leads, never the password."""
        return f"Address({','.join(map(str, self.nodes))})"

    def parameters(self, node: Node, name: str, limits: Limits | None = None) -> Any:
        """Return pika's parameters for one node; reads the files. Raises ConfigError."""
        import pika

        limits = limits or Limits()
        login = pika.PlainCredentials(self.user, self._secret(), erase_on_connect=False)
        return pika.ConnectionParameters(
            host=node.host,
            port=node.port,
            virtual_host=self.vhost,
            credentials=login,
            ssl_options=pika.SSLOptions(self._context(), node.host) if self.tls else None,
            heartbeat=_HEARTBEAT,
            blocked_connection_timeout=_BLOCKED,
            socket_timeout=limits.socket,
            stack_timeout=limits.stack,
            connection_attempts=1,
            client_properties={"connection_name": name},
        )

    def _secret(self) -> str:
        if self.password_file is None:
            return self.password
        try:
            return self.password_file.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise ConfigError(
                f"{self.password_file} cannot be read, check path and rights"
            ) from None

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.authority)
        except (OSError, ValueError):
            text = f"{self.authority} cannot be read as certificates (PEM), check path and content"
            raise ConfigError(text) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def _node(text: str, port: int) -> Node:
    found = _NODE.fullmatch(text)
    if found is None or not 0 < int(found[2] or port) < 65536:
        raise ConfigError(f"a node of RabbitMQ cannot be read, needed is {FORM}")
    return Node(found[1].strip("[]"), int(found[2] or port))


def pause(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row, with jitter: a broken server is
    not run over by everybody at once.
    """
    longest = min(_LONGEST, _FIRST * float(2 ** min(failures, _DOUBLINGS)))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - no secret


def causes(error: BaseException) -> Iterator[BaseException]:
    """Unwrap an error of pika: itself, then what lies within, the root cause last."""
    yield error
    inner = (*error.args, *getattr(error, "exceptions", ()), getattr(error, "exception", None))
    for one in inner:
        if isinstance(one, BaseException):
            yield from causes(one)
