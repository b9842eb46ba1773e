"""Traces of messages for an OpenTelemetry collector: one trace for each message.

Optional, the extra `telemetry`; nothing of it is loaded before a collector is set.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit
from uuid import UUID

from broker.errors import BrokerError, ConfigError, guarded, original
from broker.logs import get
from broker.metrics import About

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.trace import SpanContext

#: So many spans wait for the collector at most; the oldest are dropped for new ones.
QUEUE: Final = 8192
#: So many go at once, and so long after they were made (milliseconds).
LOT, DELAY = 512, 2000
#: The collector is tried for so long with one lot (seconds).
PATIENCE: Final = 5.0
_HALF: Final = (1 << 64) - 1


class Spans:
    """Makes spans of steps and sends them in the background. Thread-safe.

    The trace id is the message id without its hyphens, and the span `accept` has an id that every
    process can tell from it: so the spans of several processes and lives join.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        """Begin to send through an exporter, on a thread of its own."""
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON

        _quiet()
        self._ids = _Ids()
        self._exporter = cast("SpanExporter", _Outlet(exporter))
        about = {"service.name": "xoev-broker", "host.name": socket.gethostname()}
        # Sampling by trace id takes random bits for granted, which these are not: the collector
        # can do it.
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource({**about, "process.pid": os.getpid()}),
            shutdown_on_exit=False,
            id_generator=cast("Any", self._ids),
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(self._exporter, QUEUE, DELAY, LOT, 1000 * PATIENCE)
        )
        self._tracer = self._provider.get_tracer("broker")

    def step(self, name: str, about: About, seconds: float, error: str = "") -> None:
        """Take a step that ended now; `error` is the type of what went wrong, never its text."""
        try:
            with guarded():
                self._span(name, about, seconds, error)
        except BrokerError as problem:
            kind = type(original(problem)).__name__
            get().debug("untraced", message_id=about.message, error=kind)

    def stop(self, seconds: float) -> None:
        """Send what waits, for so long at most; what is left then is dropped."""
        ending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(seconds)
        if ending.is_alive():
            self._exporter.shutdown()

    def _span(self, name: str, about: About, seconds: float, error: str) -> None:
        from opentelemetry.trace import Link, Status, StatusCode

        end = time.time_ns()
        first = name == "accept"
        # There may be one `accept` only: the others get an id by chance.
        self._ids.wanted = _root(about.message) if first else None
        span = self._tracer.start_span(
            name,
            context=_nothing() if first else _below(about.message),
            attributes={key: value for key, value in _attributes(about, error) if value},
            links=[Link(_place(about.answers))] if about.answers else [],
            start_time=end - int(seconds * 1e9),
        )
        if error:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end)


class _Ids(threading.local):
    """Gives a span the ids that are wanted of it; the rest by chance."""

    wanted: tuple[int, int] | None = None

    def generate_trace_id(self) -> int:
        return self.wanted[0] if self.wanted else _chance(16)

    def generate_span_id(self) -> int:
        return self.wanted[1] if self.wanted else _chance(8)

    def is_trace_id_random(self) -> bool:
        return False


class _Outlet:
    """An exporter that says once when it stops working, and once when it works again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._works = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        from opentelemetry.sdk.trace.export import SpanExportResult

        try:
            with guarded():
                result, error = self._exporter.export(spans), "the collector does not take them"
        except BrokerError as problem:
            result, error = SpanExportResult.FAILURE, type(original(problem)).__name__
        works = result is SpanExportResult.SUCCESS
        if self._works and not works:
            get().warning("untraced", error=error)
        elif works and not self._works:
            get().info("traced")
        self._works = works
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def tracer(url: str) -> Spans | None:
    """Return what sends traces to a collector (the whole address, OTLP/HTTP); None without one.

    Raises ConfigError where the package is missing or the address cannot be used.
    """
    if not url:
        return None
    _check(url)
    try:
        import opentelemetry.sdk.trace as _  # noqa: F401
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from requests import Session
    except ImportError as error:
        raise ConfigError(
            "telemetry_url is set, but the packages of OpenTelemetry are not there; install "
            "xoev-broker[telemetry]"
        ) from error
    session = Session()
    # No proxy and no password that was meant for others, and no other host.
    session.trust_env, session.max_redirects = False, 0
    return Spans(OTLPSpanExporter(url, timeout=PATIENCE, session=session))


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError("telemetry_url: needed is an address with http:// or https://")
    if "@" in parts.netloc:
        raise ConfigError(
            "telemetry_url: a password in an address would be logged by others; give it in "
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS"
        )


def _quiet() -> None:
    """Keep the library's own lines, which are no JSON, out of the log; `_Outlet` says it."""
    log = logging.getLogger("opentelemetry")
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())


def _attributes(about: About, error: str) -> list[tuple[str, str | int]]:
    return [
        ("xoev.message", about.message),
        ("xoev.route", about.route),
        ("xoev.channel", about.channel),
        ("xoev.kind", about.kind),
        ("xoev.state", about.state),
        ("xoev.attempt", about.attempt),
        ("error.type", error),
    ]


def _root(message: str) -> tuple[int, int]:
    """Return the ids of the trace of a message, and of its first span."""
    trace = UUID(message).int
    return trace, trace & _HALF


def _place(message: str) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(*_root(message), is_remote=True, trace_flags=TraceFlags(1))


def _below(message: str) -> Context:
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context

    return set_span_in_context(NonRecordingSpan(_place(message)), _nothing())


def _nothing() -> Context:
    from opentelemetry.context import Context

    return Context()


def _chance(size: int) -> int:
    return int.from_bytes(os.urandom(size)) or 1
