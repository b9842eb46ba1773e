"""Time stamps of an authority (RFC 3161) on checkpoints: a time that the operator cannot choose.

They are asked for on a thread of their own, so that an authority that is away delays nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from broker.errors import BrokerError, ConfigError
from broker.journal.checkpoint import Checkpoint
from broker.logs import get
from broker.message import now
from broker.stores.contract import Entry
from broker.stores.custody import Stamp
from broker.stores.tree import Note, Tree

if TYPE_CHECKING:
    from rfc3161_client import TimeStampRequest, TimeStampResponse

#: Pause between two looks, also after a failure (seconds).
PAUSE = 60.0
#: Seconds to connect, and between two pieces of an answer.
PATIENCE = (10.0, 20.0)
#: A token with its certificates has some kilobytes.
LONGEST = 256 * 1024
_CERTIFICATES = 0xA0
_HEADERS = {"Content-Type": "application/timestamp-query"}


class NotStamped(BrokerError):
    """The time stamp authority gave no stamp that can be used."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A time stamp authority: where it answers, and a PEM file with whom to trust (or None)."""

    url: str
    trusted: Path | None = None

    def check(self) -> None:
        """Raise ConfigError where the package is missing or the certificates cannot be read."""
        try:
            import rfc3161_client as _  # noqa: F401
        except ImportError as error:
            raise ConfigError(
                "timestamp_url is set, but the package rfc3161-client is not there; install "
                "xoev-broker[timestamps]"
            ) from error
        self._roots()

    def stamp(self, checkpoint: Checkpoint) -> Stamp:
        """Ask for a stamp over the three lines of a checkpoint.

        Raises NotStamped where there is no answer, a refusal, or a stamp that does not fit.
        """
        from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response

        text = checkpoint.text.encode()
        asked = TimestampRequestBuilder().data(text).hash_algorithm(HashAlgorithm.SHA256).build()
        try:
            answer = decode_timestamp_response(_ordered(self._asked(asked.as_bytes())))
        except (ValueError, LookupError) as error:
            raise NotStamped(f"{self.url} does not answer as a time stamp authority") from error
        self._fits(asked, answer, text)
        time = answer.tst_info.gen_time.astimezone(UTC)
        return Stamp(checkpoint.size, time, answer.time_stamp_token())

    def _asked(self, request: bytes) -> bytes:
        import requests

        try:
            with requests.post(self.url, request, headers=_HEADERS, timeout=PATIENCE, stream=True,
                               allow_redirects=False) as answer:  # fmt: skip
                content = answer.raw.read(LONGEST + 1, decode_content=True)
        except (requests.RequestException, OSError) as error:
            text = f"{self.url} cannot be reached ({type(error).__name__}), check network and proxy"
            raise NotStamped(text) from error
        if answer.status_code != requests.codes.ok or len(content) > LONGEST:
            raise NotStamped(f"{self.url} answers {answer.status_code} with {len(content)} bytes")
        return bytes(content)

    def _fits(self, asked: TimeStampRequest, answer: TimeStampResponse, text: bytes) -> None:
        if answer.status > 1:
            raise NotStamped(f"{self.url} refuses to stamp, with status {answer.status}")
        told = answer.tst_info
        if told.nonce != asked.nonce or told.message_imprint.message != _digest(text):
            raise NotStamped(f"{self.url} stamped something else than it was asked for")
        roots = self._roots()
        if roots:
            self._verified(asked, answer, (text, roots))

    def _verified(
        self, asked: TimeStampRequest, answer: TimeStampResponse, held: tuple[bytes, list[Any]]
    ) -> None:
        from rfc3161_client import VerificationError, VerifierBuilder

        text, roots = held
        builder = VerifierBuilder.from_request(asked)
        for root in roots:
            builder = builder.add_root_certificate(root)
        try:
            builder.build().verify_message(answer, text)
        except (VerificationError, ValueError) as error:
            raise NotStamped(
                f"the stamp of {self.url} is not signed by the authority of {self.trusted}"
            ) from error

    def _roots(self) -> list[Any]:
        if self.trusted is None:
            return []
        from cryptography import x509

        try:
            return list(x509.load_pem_x509_certificates(self.trusted.read_bytes()))
        except (OSError, ValueError) as error:
            text = f"timestamp_ca: {self.trusted} holds no certificate in PEM that can be read"
            raise ConfigError(text) from error


class Stamper:
    """Has the newest checkpoint stamped now and then, until it is stopped."""

    def __init__(
        self,
        tree: Tree[Entry],
        authority: Authority,
        every: float,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """Take the tree, whom to ask, and how long a stamp is new enough (seconds)."""
        #: Whether this process is the one that asks, where several work on a store.
        self.may: Callable[[], bool] = lambda: True
        self._tree = tree
        self._authority = authority
        self._every = timedelta(seconds=every)
        self._clock = clock
        self._failing = False
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="stamper", daemon=True)
        self._log = get()

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; an answer that is still on its way is not waited for."""
        self._stopping.set()

    def look(self) -> bool:
        """Ask for a stamp where one is due; return whether one was kept."""
        try:
            note = self._due()
            if note is None:
                return False
            kept = self._tree.stamp(self._authority.stamp(Checkpoint.parse(note.text))).result()
        except BrokerError as error:
            self._fail(error)
            return False
        if self._failing:
            self._failing = False
            self._log.info("restored", channel="timestamp")
        return kept

    def _due(self) -> Note | None:
        """Return the newest checkpoint where it has grown and the last stamp is old enough."""
        found, last = self._tree.notes(last=True), self._tree.latest()
        if not found or (last and found[0].size <= last.size):
            return None
        if last and timedelta(0) <= self._clock() - last.time < self._every:
            return None
        return found[0]

    def _fail(self, error: BrokerError) -> None:
        if not self._failing:
            self._failing = True
            self._log.warning("disturbed", channel="timestamp", error=str(error))

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self.may():
                self.look()
            self._stopping.wait(PAUSE)


def _ordered(answer: bytes) -> bytes:
    """Return an answer with its certificates in the order that DER wants; ValueError, LookupError.

    OpenSSL, on which many authorities run, sends them as a chain, which the package refuses. They
    are no part of what is signed.
    """
    token = _values(answer, *_values(answer, 0, len(answer))[0][1:])[1:]
    if not token:
        return answer
    content = _values(answer, *token[0][1:])[1]
    signed = _values(answer, *_values(answer, *content[1:])[0][1:])
    for tag, start, end in signed:
        if tag == _CERTIFICATES:
            spans = [(first, last) for _, first, last in _values(answer, start, end, whole=True)]
            sorted_ = b"".join(sorted(answer[first:last] for first, last in spans))
            return answer[:start] + sorted_ + answer[end:]
    return answer


def _values(data: bytes, at: int, end: int, *, whole: bool = False) -> list[tuple[int, int, int]]:
    """Return tag, start and end of the content (or of the `whole`) of each DER value between."""
    found = []
    while at < end:
        start, size = at + 2, data[at + 1]
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(data[at + 2 : start])
        if start + size > end:
            raise ValueError("a value is cut off")
        found.append((data[at], at if whole else start, start + size))
        at = start + size
    return found


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
