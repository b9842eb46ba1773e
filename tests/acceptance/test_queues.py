"""An online service that publishes to RabbitMQ and takes its answers from there."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from broker.message import Direction
from broker.standins.daemon import until
from broker.stores.contract import Filter
from tests import messages, site
from tests.needs import ROOT
from tests.servers.queues import Queues

IN, OUT = "bauportal.eingang", "bauportal.antworten"
CHANNELS = """\
  bauportal-return: {{kind: amqp, url: "{url}", password_file: rabbitmq.password,
                     routing_key: bauportal.antworten, repeats: recognised, test: true}}
  bauportal-in: {{kind: amqp, url: "{url}", password_file: rabbitmq.password,
                 queue: bauportal.eingang, from: bauportal{more}}}
"""
WOLFSBURG = """\
  wolfsburg-bau: {{kind: amqp, url: "{url}", password_file: rabbitmq.password,
                  routing_key: wolfsburg.eingang, replies: wolfsburg.antworten, test: true}}
"""
ACCEPTS_AND_HANGS = """
import os, sys
from broker.app import App
from broker.intake import Intake
from broker.settings import Settings

app = App(Settings.load(os.environ), os.environ)
(incoming,) = app.site.channels["bauportal-in"].receive()
print(Intake(app).accept(incoming.body, "bauportal", "bauportal-in").id, flush=True)
sys.stdin.read()
"""


def built(folder: Path, queues: Queues, more: str = "", wolfsburg: bool = False) -> site.Site:
    """Build the site of three cities with its online service behind RabbitMQ."""
    queues.make(IN, f"{IN}.quarantine", OUT)
    lines = site.ROUTES.splitlines(keepends=True)
    routes = "".join(line for line in lines if not line.startswith("  bauportal-return:"))
    made = CHANNELS.format(url=queues.address, more=more)
    if wolfsburg:
        queues.make("wolfsburg.eingang", "wolfsburg.antworten", "wolfsburg.antworten.quarantine")
        begin = routes.index("  wolfsburg-bau:")
        routes = routes[:begin] + routes[routes.index("  braunschweig-bau:") :]
        made += WOLFSBURG.format(url=queues.address)
    return site.build(folder, routes.replace("channels:\n", f"channels:\n{made}"))


@pytest.fixture
def place(tmp_path: Path, queues: Queues) -> site.Site:
    return built(tmp_path, queues)


def accepted(place: site.Site) -> int:
    app = place.app()
    try:
        return len(app.store.rows(Filter(direction=Direction.REQUEST)))
    finally:
        app.close()


def test_an_application_goes_in_and_its_answer_comes_back(place: site.Site, queues: Queues) -> None:
    queues.put(IN, messages.request(name="6f1c0a51-0000-4000-8000-000000000001"))

    place.work()
    (file,) = place.out("wolfsburg")
    place.answer("wolfsburg", messages.reply(file.stem))
    place.work()

    (answer,) = queues.take(OUT)
    seen = answer.properties
    assert seen.correlation_id == "6f1c0a51-0000-4000-8000-000000000001"
    assert seen.type == "prozessnachrichten.eingangsbestaetigung.1120"
    assert b"63-WOB-00123-26" in answer.body
    assert queues.take(IN) == []


def test_a_procedure_may_live_behind_queues_as_well(tmp_path: Path, queues: Queues) -> None:
    place = built(tmp_path, queues, wolfsburg=True)
    queues.put(IN, messages.request(name="6f1c0a51-0000-4000-8000-000000000001"))

    place.work()
    (order,) = queues.take("wolfsburg.eingang")
    reference = order.properties.headers["x-xoev-reference"]
    queues.put("wolfsburg.antworten", messages.reply(reference))
    place.work()

    assert reference.encode() in order.body
    assert order.properties.correlation_id == "6f1c0a51-0000-4000-8000-000000000001"
    assert order.properties.type == "baugenehmigung.antrag.0200"
    assert [b"63-WOB-00123-26" in found.body for found in queues.take(OUT)] == [True]
    assert queues.take("wolfsburg.antworten") == []


def test_the_same_application_twice_has_one_effect(place: site.Site, queues: Queues) -> None:
    application = messages.request()
    queues.put(IN, application, application, message_id="other ids do not matter")

    place.work()

    assert (accepted(place), len(place.out("wolfsburg"))) == (1, 1)
    assert queues.take(IN) == queues.take(f"{IN}.quarantine") == []


def test_a_broker_killed_between_commit_and_ack_has_one_effect(
    place: site.Site, queues: Queues
) -> None:
    queues.put(IN, messages.request())
    with subprocess.Popen(
        [sys.executable, "-c", ACCEPTS_AND_HANGS],
        env=place.process(),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as broker:
        assert broker.stdout is not None
        assert broker.stdout.readline().strip()
        broker.send_signal(signal.SIGKILL)
    assert until(lambda: queues.count(IN) == 1, 60)

    place.work()

    assert (accepted(place), len(place.out("wolfsburg"))) == (1, 1)
    assert queues.take(IN) == queues.take(f"{IN}.quarantine") == []


@pytest.mark.parametrize(
    ("body", "reason"), [(b"<kaputt", "X000"), (b"<!DOCTYPE a><a/>", "X000"), (b"", "X000")]
)
def test_poison_lies_in_quarantine_and_the_rest_goes_on(
    place: site.Site, queues: Queues, body: bytes, reason: str
) -> None:
    queues.put(IN, body, messages.request(), reply_to=OUT)

    place.work()

    (found,) = queues.take(f"{IN}.quarantine")
    assert (found.body, found.properties.headers["x-xoev-reason"]) == (body, reason)
    assert len(place.out("wolfsburg")) == 1
    assert queues.take(OUT) == queues.take(IN) == []
    assert b"refused 1" in b" ".join(place.run("status").stdout.split()).lower()


def test_the_same_id_with_other_bytes_lies_in_quarantine(place: site.Site, queues: Queues) -> None:
    application = messages.request()
    queues.put(IN, application, application + b"\n")

    place.work()

    (found,) = queues.take(f"{IN}.quarantine")
    assert found.properties.headers["x-xoev-reason"] == "S050"
    assert len(place.out("wolfsburg")) == 1


def test_whoever_is_not_the_user_of_the_channel_is_refused(tmp_path: Path, queues: Queues) -> None:
    place = built(tmp_path, queues, more=", user: portal")
    queues.put(IN, messages.request(), user_id=queues.user)

    place.work()

    (found,) = queues.take(f"{IN}.quarantine")
    assert found.properties.headers["x-xoev-reason"] == "T070"
    assert (accepted(place), place.out("wolfsburg")) == (0, [])


def test_a_rejection_goes_to_the_answers_of_the_party_whatever_reply_to_says(
    place: site.Site, queues: Queues
) -> None:
    queues.make("fremd")
    queues.put(IN, messages.request(key="bab:03157006"), reply_to="fremd")

    place.work()
    place.work()

    (rejection,) = queues.take(OUT)
    assert rejection.properties.type.endswith("1100")
    assert queues.take("fremd") == []
