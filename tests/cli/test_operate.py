"""Running the broker and submitting to it, through the real command."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event
from typing import IO

import pytest

from broker.errors import SenderNotAllowed
from broker.journal.vault import Vault
from broker.message import now
from tests import messages
from tests.cli.conftest import Type
from tests.site import Site


def test_a_receipt_holds_id_digest_and_time(place: Site, type_: Type) -> None:
    body = messages.request()
    place.file("antrag.xml", body)
    [receipt] = type_("submit", "antrag.xml", "--json").lines

    assert receipt.keys() == {"file", "id", "sha256", "received", "duplicate"}
    assert receipt["sha256"] == hashlib.sha256(body).hexdigest()


def test_the_message_is_in_the_store_and_sealed(place: Site, type_: Type, submitted: str) -> None:
    [row] = type_("messages", "--json").json["messages"]

    assert (row["id"], row["state"], row["party"]) == (submitted, "waiting", "bauportal")
    assert b"Beispielmann" not in (place.folder / "var/broker.sqlite").read_bytes()
    assert Vault.open(place.folder / "var/site.key")


def test_the_same_file_again_gives_the_same_receipt(type_: Type, submitted: str) -> None:
    ran = type_("submit", "antrag.xml")

    assert ran.code == 0
    assert submitted in ran.out
    assert "was accepted before" in ran.out


def test_each_bad_file_is_named_with_its_reason_and_the_others_go_on(
    place: Site, type_: Type
) -> None:
    name = "6a1b2c3d-0000-4000-8000-000000000001"
    place.file("good.xml", messages.request(name=name))
    place.file("changed.xml", messages.request(name=name, case="other"))
    place.file("doctype.xml", b"<!DOCTYPE a><a/>")
    place.file("text.xml", b"no xml")
    ran = type_("submit", "text.xml", "doctype.xml", "good.xml", "changed.xml", "missing.xml")

    assert ran.code == 1
    assert ran.out.startswith("good.xml: ")
    assert re.findall(r"^(\S+): not accepted: (\S+):", ran.err, re.MULTILINE) == [
        ("text.xml", "X000"),
        ("doctype.xml", "X000"),
        ("changed.xml", "S050"),
        ("missing.xml", "S999"),
    ]


def test_nothing_is_taken_where_the_journal_cannot_be_sealed_for_too_long(
    place: Site, type_: Type, submitted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.journal.standing.now", lambda: now() + timedelta(hours=5))
    file = place.file("more.xml", messages.request())
    assert type_("submit", str(file), "--party", "bauportal").code == 0
    key = place.folder / "var/journal.key"
    key.chmod(0o644)
    monkeypatch.setattr("broker.journal.standing.now", lambda: now() + timedelta(hours=10))

    refused = type_("submit", str(place.file("third.xml", messages.request())), "--party",
                    "bauportal")  # fmt: skip

    assert refused.code == 1
    assert "journal" in refused.err


def test_what_was_refused_is_counted_and_its_bytes_are_kept(place: Site, type_: Type) -> None:
    place.file("text.xml", b"no xml")
    type_("submit", "text.xml", "--party", "bauportal")

    assert type_("status", "--json").json["refused"] == 1


def test_a_refusal_is_a_json_line_too(place: Site, type_: Type) -> None:
    place.file("text.xml", b"no xml")
    [line] = type_("submit", "text.xml", "--json").lines

    assert (line["file"], line["error"], line["reason"]) == ("text.xml", "NotXml", "X000")


def test_without_a_party_the_author_must_belong_to_one(place: Site, type_: Type) -> None:
    place.file("foreign.xml", messages.request(sender="bap:99999999"))
    ran = type_("submit", "foreign.xml")

    assert ran.code == 1
    assert "say --party NAME" in ran.err
    assert type_("status", "--json").json["accepted"] == 0


def test_an_unknown_party_gets_a_suggestion(place: Site, type_: Type) -> None:
    place.file("antrag.xml", messages.request())
    ran = type_("submit", "antrag.xml", "--party", "bauportl")

    assert ran.code == 1
    assert 'unknown party "bauportl", did you mean "bauportal"?' in ran.err


def test_a_message_of_a_foreign_author_is_accepted_and_then_rejected(
    place: Site, type_: Type
) -> None:
    place.file("foreign.xml", messages.request(sender="bap:99999999"))
    type_("submit", "foreign.xml", "--party", "bauportal")
    place.work()
    [row] = type_("messages", "--direction", "request", "--json").json["messages"]

    assert (row["state"], row["reason"]) == ("rejected", SenderNotAllowed.reason)


def test_standard_input_is_a_file(place: Site) -> None:
    ran = place.run("submit", "-", "--party", "bauportal", stdin=messages.request())

    assert ran.returncode == 0
    assert ran.stdout.startswith(b"-: ")


@contextmanager
def daemon(place: Site) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the broker until the block ends; yield the process and what it said first."""
    process = subprocess.Popen(
        place.command("run"),
        env=place.process(),
        cwd=place.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, err = _open(process.stdout), _open(process.stderr)
    try:
        yield process, out.readline()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        out.close()
        err.close()


def _open(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def test_run_says_where_it_listens_and_ends_cleanly(place: Site) -> None:
    with daemon(place) as (process, said):
        assert re.match(r"xoev-broker listens on http://127\.0\.0\.1:\d+, 3 route\(s\)", said), said

    assert process.returncode == 0


def test_a_second_run_is_refused_and_other_commands_work_beside_it(
    place: Site, type_: Type
) -> None:
    place.file("antrag.xml", messages.request())
    with daemon(place) as (process, _):
        second = place.run("run")
        submitted = type_("submit", "antrag.xml")
        status = type_("status", "--json").json

    assert second.returncode == 1
    assert f"another run (process {process.pid})".encode() in second.stderr
    assert submitted.code == 0
    assert (status["running"], status["accepted"]) == (process.pid, 1)


def test_a_daemon_notices_what_another_process_accepted(place: Site, type_: Type) -> None:
    place.file("antrag.xml", messages.request())
    with daemon(place):
        type_("submit", "antrag.xml")
        arrived = _first(place)

    assert arrived


def _first(place: Site) -> bool:
    """Look until something arrived; give up long after any machine is done."""
    tick = Event()
    for _ in range(3000):
        if place.out("wolfsburg"):
            return True
        tick.wait(0.01)
    return False


def test_after_a_stop_nothing_runs(place: Site, type_: Type, submitted: str) -> None:
    with daemon(place):
        pass

    status = type_("status", "--json").json
    assert status["running"] is None
    assert status["accepted"] == sum(
        count for states in status["states"].values() for count in states.values()
    )
    assert os.path.exists(place.folder / "var/run.lock")
