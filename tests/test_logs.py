"""The technical log prints what is declared and nothing else."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from broker import logs
from broker.message import State

ROOT = Path(__file__).parents[1]
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}


@pytest.fixture
def stream() -> Iterator[io.BytesIO]:
    """Return a stream that the log writes JSON lines to."""
    before = structlog.get_config()
    stream = io.BytesIO()
    logs.configure("info", "json", stream)
    yield stream
    structlog.configure(**before)


def last(stream: io.BytesIO) -> dict[str, Any]:
    """Return the last line written."""
    line: dict[str, Any] = json.loads(stream.getvalue().splitlines()[-1])
    return line


def test_a_line_has_time_event_level_and_bound_keys(stream: io.BytesIO) -> None:
    logs.get(message_id="m-1").info("delivered", route="bau/wolfsburg", attempt=2)

    line = last(stream)
    assert datetime.fromisoformat(line.pop("time")).utcoffset() is not None
    assert line == {
        "event": "delivered",
        "level": "info",
        "message_id": "m-1",
        "route": "bau/wolfsburg",
        "attempt": 2,
    }


def test_an_undeclared_key_is_dropped_and_named(stream: io.BytesIO) -> None:
    logs.get().info("delivered", name="Erika Mustermann")

    assert last(stream)["dropped"] == ["name"]
    assert b"Mustermann" not in stream.getvalue()


def test_a_key_made_of_data_is_not_even_named(stream: io.BytesIO) -> None:
    logs.get().info("delivered", **{"Erika Mustermann": 1})

    assert last(stream)["dropped"] == ["?"]


@pytest.mark.parametrize("event", ["Erika Mustermann", "delivered to Erika"])
def test_an_undeclared_event_is_not_printed(stream: io.BytesIO, event: str) -> None:
    logs.get().info(event)

    assert last(stream)["event"] == "undeclared"
    assert b"Erika" not in stream.getvalue()


def test_a_key_without_a_value_is_left_out(stream: io.BytesIO) -> None:
    logs.get().info("delivered", reason=None)

    assert set(last(stream)) == {"time", "event", "level"}


def test_an_object_is_replaced_by_its_type(stream: io.BytesIO) -> None:
    logs.get().info("delivered", reason=b"<name>Erika</name>")

    assert last(stream)["reason"] == "<bytes>"


def test_a_long_value_is_cut(stream: io.BytesIO) -> None:
    logs.get().info("kept", finding="x" * 5000)

    assert len(last(stream)["finding"]) == 300


def test_states_and_times_are_plain_values(stream: io.BytesIO) -> None:
    due = datetime.fromisoformat("2026-11-24T07:00:00+00:00")
    logs.get().info("postponed", state=State.WAITING, due=due, states={State.DEAD: 1})

    line = last(stream)
    assert line["state"] == "waiting"
    assert line["due"] == "2026-11-24T07:00:00+00:00"
    assert line["states"] == {"dead": 1}


def test_an_exception_shows_type_and_place_but_not_its_text(stream: io.BytesIO) -> None:
    try:
        int("Erika")
    except ValueError:
        logs.get().exception("failed")

    line = last(stream)
    assert line["error"] == "ValueError"
    assert line["where"][-1].startswith(f"{__name__}.test_an_exception")
    assert b"Erika" not in stream.getvalue()


def test_a_level_below_the_limit_is_silent(stream: io.BytesIO) -> None:
    logs.get().debug("validated")

    assert stream.getvalue() == b""


def test_a_logger_made_earlier_follows_a_new_configuration(stream: io.BytesIO) -> None:
    log = logs.get()
    log.info("started")
    other = io.BytesIO()
    logs.configure("info", "json", other)
    log.info("stopped")

    assert last(other)["event"] == "stopped"


@pytest.mark.parametrize("bad", ["\x1b[2J", "a\nb", "\u202e", "\x9b", "\u2028"])
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_terminal_never_gets_a_control_character(
    stream: io.BytesIO, form: logs.Form, bad: str
) -> None:
    other = io.BytesIO()
    logs.configure("info", form, other)
    logs.get().info("kept", finding=f"x{bad}y")

    assert other.getvalue().count(b"\n") == 1
    assert bad not in other.getvalue().decode().rstrip("\n")


def test_the_text_form_reads_like_a_sentence(stream: io.BytesIO) -> None:
    other = io.BytesIO()
    logs.configure("info", "text", other)
    logs.get().warning("postponed", channel="wolfsburg-bau", finding="no answer")

    time, rest = other.getvalue().decode().split("  ", 1)
    assert datetime.fromisoformat(time)
    assert rest == 'warning  postponed   channel=wolfsburg-bau  finding="no answer"\n'


def test_a_full_disk_costs_lines_and_not_messages(stream: io.BytesIO) -> None:
    class Full(io.BytesIO):
        def write(self, _data: Any) -> int:
            raise OSError(28, "No space left on device")

    sink = logs.configure("info", "json", Full())
    logs.get().info("started")

    assert sink.lost == 1


def test_the_reference_page_names_every_event_and_key() -> None:
    page = logs.reference()

    assert all(f"| `{name}` |" in page for name in (*logs.EVENTS, *logs.KEYS))


def test_every_event_in_the_code_is_declared() -> None:
    undeclared = [
        f"{path.relative_to(ROOT)}:{call.lineno}: {event}"
        for path in sorted((ROOT / "broker").rglob("*.py"))
        for call, event in logged(ast.parse(path.read_text("utf-8")))
        if event not in logs.EVENTS
    ]

    assert undeclared == []


def logged(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    """Find the calls of a logger: `log.info("event")`, `self.log.info(…)`, `logs.get().info(…)`."""
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.args):
            continue
        whose = ast.unparse(call.func.value).split("(")[0].rsplit(".", 1)[-1].strip("_")
        if call.func.attr in LEVELS and whose in {"log", "logger", "get", "bind"}:
            for part in ast.walk(call.args[0]):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield call, part.value
