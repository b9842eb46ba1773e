"""What lies in the quarantine of a channel is said until somebody has taken it away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from broker.alerts.news import Bulletin
from broker.alerts.watch import Senses, Watch
from broker.app import App
from broker.doctor import table
from broker.intake import Intake
from broker.message import now
from broker.poller import Poller
from broker.settings import Settings
from broker.web import gauges
from tests import messages
from tests.certificates import Authority
from tests.servers.queues import Queues
from tests.web.house import House

QUEUE, QUARANTINE = "eingang", "eingang.quarantine"
CHANNEL = """\
channels:
  queue: {{kind: amqp, url: "{url}", password_file: "{file}", queue: eingang, from: bauportal}}
"""


@dataclass
class Ear:
    """A way that remembers what it was told."""

    name: str = "ear"
    heard: list[Bulletin] = field(default_factory=list)

    def tell(self, bulletin: Bulletin) -> None:
        self.heard.append(bulletin)

    @property
    def causes(self) -> list[tuple[str, str]]:
        return [(one.state, one.alarm.cause) for each in self.heard for one in each.news]


@dataclass
class Site:
    """A broker that reads a queue of a real RabbitMQ, and who listens to its alerts."""

    app: App
    queues: Queues | None = None
    ear: Ear = field(default_factory=Ear)

    def __post_init__(self) -> None:
        self.poller = Poller(self.app, Intake(self.app), lambda: None, 1)
        self.watch = self.watching(self.app.settings)

    def watching(self, settings: Settings) -> Watch:
        return Watch(self.app, settings, Senses("all", "host-a", lambda: True), [self.ear])

    def take(self) -> None:
        """Look until nothing is left in the queue."""
        while self.poller.look(self.app.site.channels["queue"]):
            pass

    def look(self, at: datetime) -> None:
        self.watch.look(at)


@pytest.fixture
def house(tmp_path: Path) -> House:
    found = House(tmp_path)
    found.prepare()
    return found


@pytest.fixture
def site(house: House, queues: Queues) -> Iterator[Site]:
    queues.make(QUEUE, QUARANTINE)
    routes = house.folder / "routes.yaml"
    channel = CHANNEL.format(url=queues.address, file=queues.file)
    routes.write_text(routes.read_text("utf-8").replace("channels:\n", channel), "utf-8")
    app = house.open()
    try:
        yield Site(app, queues)
    finally:
        for one in app.site.channels.values():
            one.close()
        app.close()


def refuse(site: Site) -> None:
    """Let two messages be refused and one be taken."""
    assert site.queues is not None
    site.queues.put(QUEUE, b"<kaputt", messages.request(), b"<auch kaputt")
    site.take()


def test_a_message_in_quarantine_is_told_once_and_once_when_it_is_gone(site: Site) -> None:
    assert site.queues is not None
    at = now()
    refuse(site)
    site.look(at)
    site.look(at + timedelta(minutes=1))
    assert site.ear.causes == [("raised", "quarantine:queue")]

    site.queues.take(QUARANTINE)
    site.take()
    site.look(at + timedelta(minutes=2))
    site.look(at + timedelta(minutes=8))
    assert site.ear.causes[1:] == [("cleared", "quarantine:queue")]


def test_the_alert_says_where_and_how_much_in_two_languages(site: Site) -> None:
    refuse(site)
    site.look(now())

    (told,) = site.ear.heard[0].record()["alerts"]
    assert told["facts"] == {"channel": "queue", "count": "2"}
    assert told["text"] == "Channel queue: 2 refused message(s) lie in its quarantine."
    assert told["text_de"] == (
        "Anbindung queue: 2 abgewiesene Nachricht(en) liegen in ihrer Quarantäne."
    )


def test_an_empty_quarantine_is_no_cause(site: Site) -> None:
    assert site.queues is not None
    site.queues.put(QUEUE, messages.request())
    site.take()
    site.look(now())

    assert site.ear.causes == []


def test_the_figure_counts_what_lies_in_quarantine(site: Site) -> None:
    assert list(gauges.aside(site.app.site).samples) == []

    refuse(site)

    assert list(gauges.aside(site.app.site).samples) == [({"channel": "queue"}, 2)]


def test_the_doctor_warns_of_what_lies_in_quarantine(site: Site) -> None:
    refuse(site)

    seen = [one for one in table.channels(site.app.site) if one.where == "queue"]
    assert [(one.level.value, one.key) for one in seen] == [
        ("ok", "channels.good"), ("warning", "channels.aside"),
    ]  # fmt: skip
    assert seen[1].text("de") == "queue: 2 abgewiesene Nachricht(en) liegen in ihrer Quarantäne"
    assert "x-xoev-reason" in seen[1].remedy("en")


@pytest.mark.parametrize("name", ["queue_ca", "alert_ca", "timestamp_ca"])
def test_an_authority_that_ends_soon_is_told(house: House, name: str) -> None:
    certificate, _ = Authority(house.folder).issue("trusted", days=9)
    app = house.open()
    try:
        site = Site(app)
        variables = {f"XOEV_BROKER_{name.upper()}": str(certificate)}
        site.watching(Settings.load(variables)).look(now())
        assert site.ear.causes == [("raised", "certificate:trusted.pem")]
    finally:
        app.close()
