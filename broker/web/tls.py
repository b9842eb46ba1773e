"""TLS of the intake: its own certificate, and which certificates senders must show."""

from __future__ import annotations

import ssl
from pathlib import Path

from broker.errors import ConfigError, Finding
from broker.settings import Settings, variable

#: With forward secrecy and authenticated encryption only (BSI TR-02102-2); TLS 1.3 has no others.
CIPHERS = "ECDHE+AESGCM"


class Tls:
    """What new connections are opened with; `reload` puts changed files in force for them."""

    def __init__(self, certificate: Path, key: Path, trusted: Path | None = None) -> None:
        """Read the files. With `trusted`, nobody comes in without a certificate of one of these.

        Raises ConfigError where a file cannot be used; the old ones stay in force then.
        """
        self._files = certificate, key, trusted
        self._now = self._read()
        self.context = self._read()
        # OpenSSL asks before it picks a certificate; so a changed one counts without a new socket.
        self.context.sni_callback = self._pick

    @classmethod
    def of(cls, settings: Settings) -> Tls | None:
        """Return what the settings name, or None where the intake speaks plain HTTP."""
        if settings.listen_certificate is None or settings.listen_key is None:
            return None
        return cls(settings.listen_certificate, settings.listen_key, settings.listen_client_ca)

    def reload(self) -> None:
        """Read the files again; raises ConfigError, and then the old ones stay in force."""
        self._now = self._read()

    def _pick(self, connection: ssl.SSLObject, _name: str | None, _own: ssl.SSLContext) -> None:
        connection.context = self._now

    def _read(self) -> ssl.SSLContext:
        certificate, key, trusted = self._files
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS)
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        # A ticket would outlive the certificate that was withdrawn in between.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:
            text = f"{certificate} and {key} cannot be used together ({_why(error)})"
            raise _broken("listen_certificate", text) from error
        if trusted is not None:
            _trust(context, trusted)
        return context


def _trust(context: ssl.SSLContext, trusted: Path) -> None:
    try:
        context.load_verify_locations(trusted)
    except OSError as error:
        text = f"{trusted} cannot be used ({_why(error)})"
        raise _broken("listen_client_ca", text) from error
    context.verify_mode = ssl.CERT_REQUIRED


def _broken(name: str, text: str) -> ConfigError:
    finding = Finding(text, file=variable(name))
    return ConfigError("the intake cannot speak TLS", findings=[finding])


def _why(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error.strerror or type(error).__name__).lower().replace("_", " ")
