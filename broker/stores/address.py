"""Where RabbitMQ is: several nodes in one URL, a password in a file, TLS."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from broker.errors import ConfigError

FORM = "amqp://user@host:5672,host2:5672/vhost (amqps with TLS)"
_URL = re.compile(r"(amqps?)://(?:([^@/?#]*)@)?([^@/?#]+)(?:/([^/?#]*))?")
_NODE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?", re.ASCII)
_PORTS: Mapping[str, int] = MappingProxyType({"amqp": 5672, "amqps": 5671})
#: What RabbitMQ itself starts with; it is let in from loopback only.
_GUEST = "guest"

#: Seconds. The heartbeat is kept by a thread that does nothing else; a node that is blocked for
#: longer is left for another one.
_HEARTBEAT = 30
_BLOCKED = 300
_SOCKET = 5
_STACK = 10


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a cluster."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write it as in the URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


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

    def parameters(self, node: Node, name: str) -> Any:
        """Return pika's parameters for one node; reads the files. Raises ConfigError."""
        import pika

        login = pika.PlainCredentials(self.user, self._secret(), erase_on_connect=False)
        return pika.ConnectionParameters(
            host=node.host,
            port=node.port,
            virtual_host=self.vhost,
            credentials=login,
            ssl_options=pika.SSLOptions(self._context(), node.host) if self.tls else None,
            heartbeat=_HEARTBEAT,
            blocked_connection_timeout=_BLOCKED,
            socket_timeout=_SOCKET,
            stack_timeout=_STACK,
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
            return ssl.create_default_context(cafile=self.authority)
        except OSError:
            text = f"{self.authority} cannot be read as certificates (PEM), check path and content"
            raise ConfigError(text) from None


def _node(text: str, port: int) -> Node:
    found = _NODE.fullmatch(text)
    if found is None or int(found[2] or 0) > 65535:
        raise ConfigError(f"a node of RabbitMQ cannot be read, needed is {FORM}")
    return Node(found[1].strip("[]"), int(found[2] or port))
