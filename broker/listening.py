"""Where the intake may listen: an address that can be read, and never in the clear for others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from broker.errors import Finding
from broker.variables import variable

_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})", re.ASCII)
_PORTS = 65536


def address(listen: str) -> tuple[str, int] | None:
    """Return host and port, or None where the text is none."""
    found = _LISTEN.fullmatch(listen)
    return (found[1].strip("[]"), int(found[2])) if found else None


def findings(values: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with the address, and what would let tokens or messages travel in the
    clear, or TLS not start.
    """
    listen = values["listen"]
    if listen is not None and not _reachable(listen):
        text = f'is "{listen}", needed is an address with a port such as 127.0.0.1:8017'
        yield Finding(text, file=variable("listen"))
    yield from _paired(values)
    certificate = values["listen_certificate"]
    if certificate is None and values["listen_plain"] == "refused" and listen and _abroad(listen):
        text = (
            f'is "{listen}", which others can reach without TLS; set '
            f"{variable('listen_certificate')} and {variable('listen_key')}, or "
            f"{variable('listen_plain')}=allowed where a proxy on the way speaks TLS"
        )
        yield Finding(text, file=variable("listen"))


def _paired(values: Mapping[str, Any]) -> Iterator[Finding]:
    certificate, key, trusted = (
        values[name] for name in ("listen_certificate", "listen_key", "listen_client_ca")
    )
    if (certificate is None) != (key is None):
        missing = "listen_certificate" if certificate is None else "listen_key"
        text = "is missing: listen_certificate and listen_key belong together"
        yield Finding(text, file=variable(missing))
    if trusted is not None and certificate is None:
        text = f"needs {variable('listen_certificate')}: senders show certificates over TLS only"
        yield Finding(text, file=variable("listen_client_ca"))


def _abroad(listen: str) -> bool:
    """Whether other machines reach the address; a name is looked up by nobody here."""
    found = address(listen)
    if found is None or found[0] == "localhost":
        return False
    try:
        return not ip_address(found[0]).is_loopback
    except ValueError:
        return True


def _reachable(listen: str) -> bool:
    found = address(listen)
    return found is not None and found[1] < _PORTS
