"""HTTP for the channels that speak it: one place for deadline, size limit, TLS and credentials.

httpcore, the engine of httpx, without httpx's client around it: that client reads proxies from the
environment and keeps cookies, knows no total deadline, and costs twice the time per call.
"""

from __future__ import annotations

import base64
import ssl
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from broker.channels.deadline import Deadline
from broker.channels.secret import Secret, Stamp, stamp
from broker.errors import ChannelError, ConfigError, DeliveryUnclear, Unreachable
from broker.fields import Field
from broker.values import http

if TYPE_CHECKING:
    import httpcore

    from broker.channels.sockets import Call, Calls

MEGABYTE = 1_000_000
IDLE = 15.0  #: seconds a connection is kept; servers close theirs later than that
FIELDS: tuple[Field, ...] = (
    Field("user", "text", "user name for HTTP basic authentication"),
    Field("password_file", "secret_file", "file with the password of that user"),
    Field("cert_file", "path", "our certificate (PEM) where the other side wants mutual TLS"),
    Field("key_file", "secret_file", "key of that certificate (PEM), where it is not in cert_file"),
    Field("ca_file", "path", "certificates (PEM) to trust instead of those of the system"),
    Field("headers", "list", "further HTTP headers, each as `Name: value`"),
    Field("max", "number", "largest answer in megabytes, also after unpacking", "16"),
    Field(
        "repeats",
        "choice",
        "whether the other side recognises a repeated Idempotency-Key (or our reference), so that "
        "a send without an answer is tried again; `harmful` leaves that to a person",
        "harmful",
        choices=("recognised", "harmful"),
    ),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names in lower case, the body unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """Connections to one host, kept open and shared by threads."""

    def __init__(self, name: str, values: Mapping[str, Any], *, inflight: int = 4) -> None:
        """Take the checked fields of a channel; raise ConfigError if `address` is none."""
        self.name = name
        self.repeats = values.get("repeats") == "recognised"
        parts = _parts(name, str(values["address"]))
        self.place = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
        self._parts = parts
        self._values = values
        self._inflight = inflight
        self._limit = int(float(values.get("max") or 16) * MEGABYTE)
        self._lock = threading.Lock()
        self._pool: httpcore.ConnectionPool | None = None
        self._stamps: tuple[Stamp, ...] = ()
        self._calls: Calls | None = None
        self._retired: httpcore.ConnectionPool | None = None
        self._fixed = _pairs(values.get("headers") or ())
        self._password = _secret(values.get("password_file"))
        self._token = _secret(values.get("token_file"))

    def call(
        self,
        method: str,
        address: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        within: float,
        mark: Callable[[], None] | None = None,
    ) -> Answer:
        """Send one request and return its answer, whatever its status; redirects are not followed.

        `within` is the total time in seconds. Raises Unreachable if nothing left this machine, and
        the error of `doubt` if it left and no whole answer came back.
        """
        import httpcore

        from broker.channels.sockets import Call

        call = Call(Deadline(within), mark)
        try:
            return self._exchange(call, self._request(method, address, headers, body, within))
        except (TimeoutError, httpcore.TimeoutException):
            raise self._failed(call, f"no answer within {within:g} s") from None
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.UnsupportedProtocol,
        ) as error:
            call.sent = call.sent and not _is_our_certificate(error)
            raise self._failed(call, _reason(error)) from None

    def doubt(self, text: str) -> ChannelError | DeliveryUnclear:
        """Return the error for a request that left and whose effect nobody knows."""
        if self.repeats:
            return Unreachable(
                f"{self.name}: {self.place}: {text}; it is sent again with the same key"
            )
        return DeliveryUnclear(f"{self.name}: {self.place}: {text}; look there whether it arrived")

    def probe(self, within: float) -> str:
        """Connect, with TLS where the address says so, and hang up; return one sentence."""
        import httpcore

        from broker.channels.sockets import Backend, Call

        _, calls = self._open()
        calls.now = call = Call(Deadline(within))
        try:
            stream = Backend(calls).connect_tcp(self._parts.hostname or "", self._port)
            if self._parts.scheme == "https":
                stream = stream.start_tls(self._context(), self._parts.hostname)
            stream.close()
        except (TimeoutError, httpcore.TimeoutException):
            raise self._failed(call, f"no connection within {within:g} s") from None
        except httpcore.NetworkError as error:
            raise self._failed(call, _reason(error)) from None
        return f"{self.place} accepts connections"

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        with self._lock:
            pools = self._pool, self._retired
            self._pool = self._retired = None
        for pool in pools:
            if pool is not None:
                pool.close()

    @property
    def _port(self) -> int:
        return self._parts.port or (443 if self._parts.scheme == "https" else 80)

    def _request(
        self,
        method: str,
        address: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        within: float,
    ) -> httpcore.Request:
        import httpcore

        every = [
            ("Host", self._parts.netloc.rpartition("@")[2]),
            ("Accept-Encoding", "identity"),
            ("User-Agent", "xoev-broker"),
            ("Content-Length", str(len(body))),
            *self._credentials(),
            *self._fixed,
            *headers,
        ]
        return httpcore.Request(
            method,
            address,
            headers=[(key.encode("ascii", "replace"), value.encode()) for key, value in every],
            content=body,
            extensions={"timeout": {"pool": within}},
        )

    def _credentials(self) -> Iterable[tuple[str, str]]:
        if self._token is not None:
            yield "Authorization", f"Bearer {self._token.read()}"
        elif self._password is not None:
            pair = f"{self._values.get('user') or ''}:{self._password.read()}"
            yield "Authorization", "Basic " + base64.b64encode(pair.encode()).decode()

    def _exchange(self, call: Call, request: httpcore.Request) -> Answer:
        pool, calls = self._open()
        calls.now = call
        response = pool.handle_request(request)
        try:
            if not call.heard:
                # Two answers to the last request: the second would now be taken for this one's.
                raise self.doubt("an answer was there before the request")
            headers = {
                key.decode("latin-1").lower(): value.decode("latin-1")
                for key, value in response.headers
            }
            body = self._read(
                response.iter_stream(), headers.get("content-encoding", "identity").lower()
            )
            if _more(response):
                response.extensions["network_stream"].close()
        finally:
            response.close()
        return Answer(response.status, headers, body)

    def _read(self, pieces: Iterable[bytes], encoding: str) -> bytes:
        inflate = _inflater(encoding)
        if inflate is None:
            raise self.doubt("the answer is packed in a way that was not asked for")
        body = bytearray()
        try:
            for piece in pieces:
                body += inflate(piece, self._limit + 1 - len(body))
                if len(body) > self._limit:
                    raise self.doubt(f"the answer is larger than {self._limit // MEGABYTE} MB")
        except zlib.error:
            raise self.doubt("the answer is packed wrongly") from None
        return bytes(body)

    def _open(self) -> tuple[httpcore.ConnectionPool, Calls]:
        import httpcore

        from broker.channels.sockets import Backend, Calls

        stamps = self._files()
        with self._lock:
            if self._pool is None or self._calls is None or self._stamps != stamps:
                self._retire()
                self._calls = Calls()
                self._pool = httpcore.ConnectionPool(
                    ssl_context=self._context() if self._parts.scheme == "https" else None,
                    max_connections=self._inflight,
                    keepalive_expiry=IDLE,
                    network_backend=Backend(self._calls),
                )
                self._stamps = stamps
            return self._pool, self._calls

    def _retire(self) -> None:
        # calls may still use the pool of the old certificate, so it is closed one change later
        if self._retired is not None:
            self._retired.close()
        self._retired = self._pool

    def _files(self) -> tuple[Stamp, ...]:
        files = (self._values.get(key) for key in ("cert_file", "key_file", "ca_file"))
        return tuple(stamp(file) for file in files if file is not None)

    def _context(self) -> ssl.SSLContext:
        values = self._values
        try:
            context = ssl.create_default_context(cafile=values.get("ca_file"))
            if values.get("cert_file") is not None:
                context.load_cert_chain(
                    values["cert_file"], values.get("key_file"), password=_no_password
                )
        except (OSError, ValueError):
            raise Unreachable(
                f"{self.name}: cert_file, key_file and ca_file are not PEM that belongs together"
            ) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def _failed(self, call: Call, text: str) -> ChannelError | DeliveryUnclear:
        if call.sent:
            return self.doubt(text)
        return Unreachable(
            f"{self.name}: {self.place}: {text}; check the address and whether it is running"
        )


def _more(response: Any) -> bool:
    """Whether more came than the answer: the beginning of another one, which the next request
    would get.

    httpcore keeps it with the connection and does not say so.
    """
    return bool(response.stream._stream._connection._h11_state.trailing_data[0])


def _reason(error: Exception) -> str:
    cause = error.__context__  # httpcore clears the cause
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "its certificate is not trusted"
    if _is_our_certificate(error):
        return "it does not take our certificate, see cert_file"
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed ({cause.reason or 'handshake'})"
    if isinstance(cause, ConnectionRefusedError):
        return "the connection is refused"
    return f"the connection failed ({type(error).__name__})"


def _is_our_certificate(error: Exception) -> bool:
    """Whether the other side's TLS turned our certificate down; TLS 1.3 says so after the send."""
    reason = getattr(error.__context__, "reason", None) or ""
    return "ALERT" in reason and any(word in reason for word in ("CERTIFICATE", "UNKNOWN_CA"))


def _parts(name: str, address: str) -> SplitResult:
    try:
        return urlsplit(http(address))
    except ConfigError:
        text = f"{name}: the address is not of the form https://host:port/path"
        raise ConfigError(text) from None


def _secret(path: Path | None) -> Secret | None:
    return Secret(path) if path is not None else None


def _pairs(lines: Iterable[str]) -> tuple[tuple[str, str], ...]:
    split = (line.partition(":") for line in lines)
    return tuple((key.strip(), value.strip()) for key, _, value in split)


def _no_password() -> str:
    """Answer for OpenSSL, which would else ask for a key's password on the terminal."""
    return ""


def _inflater(encoding: str) -> Callable[[bytes, int], bytes] | None:
    if encoding == "identity":
        return lambda piece, room: piece
    if encoding in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress
    return None
