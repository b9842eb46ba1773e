"""Reads certificate files: until when are they valid?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from broker.errors import ConfigError

#: Settings, and fields of channels, that name certificate files.
_OWN = ("listen_certificate", "listen_client_ca", "queue_ca", "alert_ca", "timestamp_ca")
_THEIRS = ("cert_file", "ca_file")


@dataclass(frozen=True, slots=True)
class Term:
    """From when until when all certificates of a file are valid."""

    since: datetime
    until: datetime


def term(path: Path) -> Term:
    """Return the term of a PEM file. Raises ConfigError that says what is wrong with it."""
    from cryptography.x509 import load_pem_x509_certificates

    try:
        found = load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise ConfigError(error.strerror or type(error).__name__) from error
    except ValueError as error:
        raise ConfigError("no certificate in PEM form") from error
    return Term(
        max(one.not_valid_before_utc for one in found),
        min(one.not_valid_after_utc for one in found),
    )


def watched(settings: object, channels: Iterable[Mapping[str, object]]) -> list[Path]:
    """Return the certificate files of a site in order, each once: those that the settings name, and
    those among the fields of channels.
    """
    own = (getattr(settings, name) for name in _OWN)
    theirs = (values.get(name) for values in channels for name in _THEIRS)
    return sorted({path for path in (*own, *theirs) if isinstance(path, Path)})
