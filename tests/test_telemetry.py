"""Traces: one for each message, the same in every process, with nothing personal in them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, cast
from uuid import UUID

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from broker import telemetry
from broker.app import KINDS
from broker.channels.channel import Sent
from broker.errors import ConfigError, Unreachable
from broker.message import State, new_id
from broker.metrics import About
from broker.service import Running, Service
from broker.settings import Settings
from broker.telemetry import QUEUE, Spans, tracer
from tests import messages, site
from tests.fakes import Bench, Make, Script, benches
from tests.test_privacy import NAMES, applicant, planted

WAIT = 30
#: Everything that may stand in a span.
ATTRIBUTES = {"message", "route", "channel", "kind", "state", "attempt"}
ATTRIBUTES = {f"xoev.{name}" for name in ATTRIBUTES} | {"error.type"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def committed(broker: Bench) -> None:
    """Wait until the writer is through with what follows the commits so far."""
    broker.app.store.note([]).result()


class Traced:
    """A broker whose spans are kept in memory."""

    def __init__(self, broker: Bench) -> None:
        self.broker = broker
        self.memory = InMemorySpanExporter()
        self.spans = Spans(self.memory)
        broker.app.meter.tracer = self.spans

    def made(self) -> list[ReadableSpan]:
        """Return all spans; no more are made afterwards."""
        committed(self.broker)
        self.spans.stop(WAIT)
        return list(self.memory.get_finished_spans())


def of(spans: Sequence[ReadableSpan], id: str) -> list[ReadableSpan]:
    """Return the spans in the trace of a message, in the order in which they began."""
    found = [span for span in spans if span.context.trace_id == UUID(id).int]
    return sorted(found, key=lambda span: span.start_time or 0)


def names(spans: Sequence[ReadableSpan]) -> list[str]:
    return [span.name for span in spans]


def facts(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_message_has_one_trace_whose_id_is_its_own(bench: Make) -> None:
    traced = Traced(bench())
    id = traced.broker.accept(messages.request()).id
    traced.broker.run()

    spans = of(traced.made(), id)

    assert names(spans) == ["accept", "validate", "convert", "send", "outcome"]
    assert f"{spans[0].context.trace_id:032x}" == id.replace("-", "")


def test_a_span_tells_message_route_channel_kind_state_and_attempt(bench: Make) -> None:
    traced = Traced(bench())
    id = traced.broker.accept(messages.request()).id
    traced.broker.run()

    spans = of(traced.made(), id)

    assert facts(spans[-1]) == {
        "xoev.message": id,
        "xoev.route": "bau",
        "xoev.channel": "procedure",
        "xoev.kind": "baugenehmigung.antrag.0200",
        "xoev.state": "delivered",
        "xoev.attempt": 1,
    }
    assert [facts(span)["xoev.state"] for span in spans[:2]] == ["waiting", "working"]


def test_all_spans_lie_below_the_acceptance(bench: Make) -> None:
    traced = Traced(bench())
    id = traced.broker.accept(messages.request()).id
    traced.broker.run()

    first, *others = of(traced.made(), id)

    assert first.parent is None
    assert {span.parent.span_id if span.parent else 0 for span in others} == {first.context.span_id}
    assert len({span.context.span_id for span in (first, *others)}) == 5


def test_the_spans_of_a_restart_join_the_trace(bench: Make) -> None:
    broker = bench()
    before = Traced(broker)
    id = broker.accept(messages.request()).id
    first = of(before.made(), id)[0]
    broker.crash()

    after = Traced(broker)
    broker.run()
    later = of(after.made(), id)

    assert names(later) == ["validate", "convert", "send", "outcome"]
    assert later[0].parent is not None
    assert later[0].parent.span_id == first.context.span_id


def test_an_answer_has_a_trace_of_its_own_that_is_linked_to_its_request(bench: Make) -> None:
    script = Script()
    traced = Traced(bench(script))
    script.plan("procedure", lambda prepared, _mark: Sent("ok", messages.reply(prepared.reference)))
    id = traced.broker.accept(messages.request()).id
    traced.broker.run()
    answer = traced.broker.answers()[0]

    spans = of(traced.made(), answer.id)

    assert names(spans) == ["accept", "answer", "send", "outcome"]
    assert [link.context.trace_id for span in spans for link in span.links] == [UUID(id).int] * 4


def test_a_failed_step_tells_the_type_of_the_error_and_no_text(bench: Make) -> None:
    script = Script()
    traced = Traced(bench(script))
    script.plan("procedure", Unreachable("nobody there for Quastenflosser"))
    id = traced.broker.accept(messages.request()).id
    traced.broker.run()

    send, outcome = of(traced.made(), id)[-2:]

    assert send.status.status_code is StatusCode.ERROR
    assert send.status.description is None
    assert facts(send)["error.type"] == "Unreachable"
    assert facts(outcome)["xoev.state"] == "waiting"
    assert not send.events


def test_a_repeat_adds_nothing_to_the_trace(bench: Make) -> None:
    traced = Traced(bench())
    body = messages.request()
    id = traced.broker.accept(body).id
    assert traced.broker.accept(body).duplicate

    assert names(of(traced.made(), id)) == ["accept"]


def test_no_name_of_a_message_is_in_a_span(bench: Make) -> None:
    script = Script()
    traced = Traced(bench(script))
    for _ in range(2):
        traced.broker.accept(planted(messages.request()))
        traced.broker.accept(applicant(messages.request()))
        traced.broker.accept(planted(messages.invalid()))
        traced.broker.accept(planted(messages.request(key="bab:03999999")))
    script.plan("procedure", ValueError(NAMES[0]))
    traced.broker.run()

    spans = traced.made()

    assert {"accept", "validate", "outcome"} <= set(names(spans))
    assert not [name for name in NAMES if name in "".join(span.to_json() for span in spans)]
    assert {key for span in spans for key in facts(span)} <= ATTRIBUTES


def test_acceptance_is_a_step_of_the_histogram_too(bench: Make) -> None:
    broker = bench()
    broker.accept(messages.request())
    committed(broker)

    assert sum(broker.app.meter.measured()["accept"].counts) == 1


class Gate(SpanExporter):
    """An exporter that hangs until it is let go, then counts."""

    def __init__(self) -> None:
        self.begun, self.open = Event(), Event()
        self.count = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.begun.set()
        self.open.wait(WAIT)
        self.count += len(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.open.set()


def test_a_collector_that_hangs_blocks_no_step_and_the_queue_is_bounded() -> None:
    gate = Gate()
    spans = Spans(gate)
    for _ in range(QUEUE):
        spans.step("send", About(new_id()), 0.1)
    assert gate.begun.wait(WAIT)

    for _ in range(QUEUE + 100):
        spans.step("send", About(new_id()), 0.1)
    gate.open.set()
    spans.stop(WAIT)

    assert QUEUE <= gate.count < 2 * QUEUE + 100


def test_a_stop_does_not_wait_for_a_collector_that_hangs() -> None:
    gate = Gate()
    spans = Spans(gate)
    spans.step("send", About(new_id()), 0.1)

    spans.stop(0.05)

    # Only the stop itself lets it go.
    assert gate.open.is_set()


class Failing(SpanExporter):
    """An exporter that fails as it is told."""

    def __init__(self, *results: SpanExportResult | Exception) -> None:
        self.results = list(results)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    def shutdown(self) -> None:
        pass


def test_failures_of_the_collector_are_logged_once_and_its_return_too(quiet: io.BytesIO) -> None:
    good, bad = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
    outlet = telemetry._Outlet(Failing(good, bad, OSError("secret"), bad, good, good))

    results = [outlet.export([]) for _ in range(6)]

    assert results == [good, bad, bad, bad, good, good]
    assert [json.loads(line)["event"] for line in quiet.getvalue().splitlines()] == [
        "untraced",
        "traced",
    ]
    assert b"secret" not in quiet.getvalue()


def test_a_step_that_cannot_be_traced_goes_on(bench: Make) -> None:
    broker = bench()
    spans = Spans(InMemorySpanExporter())
    spans.stop(WAIT)

    spans.step("send", About("no id at all"), 0.1)
    spans.step("send", About(new_id()), 0.1)
    broker.app.meter.tracer = spans
    id = broker.accept(messages.request()).id
    broker.run()

    assert broker.state(id) is State.DELIVERED


@pytest.mark.parametrize("name", ["opentelemetry.sdk.trace", "requests"])
def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(ConfigError, match=r"xoev-broker\[telemetry\]"):
        tracer("http://127.0.0.1:4318/v1/traces")


@pytest.mark.parametrize("url", ["ftp://host/x", "http:///v1/traces", "http://[::1/"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="http:// or https://"):
        tracer(url)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="HEADERS") as caught:
        tracer("http://user:geheim@127.0.0.1/v1/traces")

    assert "geheim" not in str(caught.value)


class Receiver:
    """A small collector on the loopback: keeps what it gets and answers as it is told."""

    def __init__(self, status: int, elsewhere: str = "") -> None:
        self.bodies: list[bytes] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length", "0"))
                receiver.bodies.append(self.rfile.read(size))
                self.send_response(status)
                if elsewhere:
                    self.send_header("Location", elsewhere)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"
        self.thread = Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def spans(self) -> list[Any]:
        """Return all spans that came."""
        found = []
        for body in self.bodies:
            request = cast("Any", ExportTraceServiceRequest).FromString(body)
            for resource in request.resource_spans:
                found += [span for scope in resource.scope_spans for span in scope.spans]
        return found


@pytest.fixture
def receiver() -> Iterator[Callable[..., Receiver]]:
    made: list[Receiver] = []

    def make(status: int, elsewhere: str = "") -> Receiver:
        made.append(Receiver(status, elsewhere))
        return made[-1]

    yield make
    for one in made:
        one.close()


def serve(broker: Bench, url: str, act: Callable[[Service], None]) -> None:
    """Run a daemon that traces, and stop it after the act."""
    environ = broker.environ | {
        "XOEV_BROKER_LISTEN": "",
        "XOEV_BROKER_POLL": "0.02s",
        "XOEV_BROKER_TELEMETRY_URL": url,
    }
    kinds = {**KINDS, "fake": broker.script.kind()}
    service = Service(Settings.load(environ), environ, kinds)

    def ready(_running: Running) -> None:
        try:
            act(service)
        finally:
            service.stop()

    service.run(ready)


def deliver(broker: Bench, ids: list[str]) -> Callable[[Service], None]:
    def act(service: Service) -> None:
        ids.append(service.intake.accept(messages.request(), "bauportal", "test").id)
        service.worker.wake()
        tick = Event()
        for _ in range(WAIT * 100):
            if broker.state(ids[0]) is State.DELIVERED:
                return
            tick.wait(0.01)
        raise AssertionError("was not delivered")

    return act


def test_a_daemon_sends_its_traces_to_a_collector_before_it_ends(
    bench: Make, receiver: Callable[..., Receiver]
) -> None:
    broker, collector, ids = bench(), receiver(200), list[str]()

    serve(broker, collector.url, deliver(broker, ids))

    spans = collector.spans()
    assert {span.trace_id for span in spans} == {UUID(ids[0]).bytes}
    assert sorted(span.name for span in spans) == [
        "accept",
        "convert",
        "outcome",
        "send",
        "validate",
    ]


def test_a_collector_that_refuses_is_logged_once_and_messages_go_on(
    bench: Make, receiver: Callable[..., Receiver], quiet: io.BytesIO
) -> None:
    broker, collector, ids = bench(), receiver(400), list[str]()

    serve(broker, collector.url, deliver(broker, ids))

    assert broker.state(ids[0]) is State.DELIVERED
    assert collector.bodies
    events = [json.loads(line)["event"] for line in quiet.getvalue().splitlines()]
    assert events.count("untraced") == 1


def test_spans_go_to_no_other_address_than_the_one_that_is_set(
    receiver: Callable[..., Receiver],
) -> None:
    other = receiver(200)
    first = receiver(307, other.url)
    spans = tracer(first.url)
    assert spans is not None

    spans.step("send", About(new_id()), 0.1)
    spans.stop(WAIT)

    assert first.bodies
    assert not other.bodies


def test_without_the_setting_nothing_of_opentelemetry_is_loaded(tmp_path: Path) -> None:
    code = """
import os, sys
from broker.service import Service
from broker.settings import Settings
service = Service(Settings.load(os.environ), os.environ)
service.run(lambda running: service.stop())
loaded = [name for name in sys.modules if name.startswith(("opentelemetry", "google"))]
print(loaded, file=sys.stderr)
"""
    small = site.build(tmp_path)

    done = subprocess.run(
        [sys.executable, "-c", code], env=small.process(), cwd=tmp_path, capture_output=True,
        timeout=60, check=True,
    )  # fmt: skip

    assert done.stderr.decode().splitlines()[-1] == "[]"
