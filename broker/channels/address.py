"""Where a RabbitMQ is: one address for all nodes of a cluster, without the password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from broker.errors import ConfigError

_URL = re.compile(r"(amqps?)://(?:([^@/:]+)@)?([^@/?#]+)(?:/([^/?#]*))?")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(\d{1,5}))?")
_PORTS = {"amqp": 5672, "amqps": 5671}


@dataclass(frozen=True, slots=True)
class Node:
    """One server that takes connections."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Address:
    """Nodes in the order in which they are tried, and who we are there."""

    tls: bool
    user: str
    nodes: tuple[Node, ...]
    vhost: str


def parse(name: str, text: str) -> Address:
    """Read `amqp://user@host:5672,other:5672/vhost`; `amqps` means TLS, user and vhost may be
    percent-encoded, without a vhost it is `/`. ConfigError, naming the channel, for anything else.
    """
    found = _URL.fullmatch(text)
    nodes = [_node(part, _PORTS[found[1]]) for part in found[3].split(",")] if found else []
    if found is None or not all(nodes):
        raise ConfigError(f"{name}: url is not of the form amqp://user@host:5672,other:5672/vhost")
    return Address(
        found[1] == "amqps",
        unquote(found[2] or "guest"),
        tuple(node for node in nodes if node),
        unquote(found[4]) if found[4] else "/",
    )


def _node(text: str, port: int) -> Node | None:
    found = _HOST.fullmatch(text)
    if found is None or not 0 < int(found[2] or port) < 65536:
        return None
    return Node(found[1].strip("[]"), int(found[2] or port))
