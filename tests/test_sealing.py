"""A running broker seals its journal, and takes nothing over once it cannot."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from broker.app import KINDS
from broker.channels.channel import Incoming
from broker.errors import ConfigError, Unsealed
from broker.intake import Intake
from broker.journal.checkpoint import Signer, Verifier, notes
from broker.journal.verify import verify
from broker.logs import configure
from broker.service import Running, Service
from broker.settings import Settings
from broker.web.app import application
from broker.web.server import HttpServer
from tests import messages
from tests.fakes import Bench, Make, benches
from tests.servers.authority import authority
from tests.web.house import House, client, message, send

WAIT = 30


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def lived(bench: Bench, act: Callable[[Service], object], **extra: str) -> Service:
    """Run a broker with further settings, act on it, and stop it."""
    environ = {**bench.environ, "XOEV_BROKER_LISTEN": "", "XOEV_BROKER_POLL": "0.02s"}
    environ |= {f"XOEV_BROKER_{name.upper()}": value for name, value in extra.items()}
    kinds = {**KINDS, "fake": bench.script.kind()}
    service = Service(Settings.load(environ), environ, kinds)
    ready = Event()

    def told(_running: Running) -> None:
        ready.set()

    thread = Thread(target=service.run, args=(told,))
    thread.start()
    try:
        assert ready.wait(WAIT)
        act(service)
    finally:
        service.stop()
        thread.join(WAIT)
    assert not thread.is_alive()
    return service


def unsealed() -> None:
    raise Unsealed


def test_at_its_end_everything_is_sealed_and_signed(bench: Make, tmp_path: Path) -> None:
    broker = bench()

    lived(broker, lambda service: service.intake.accept(messages.request(), "bauportal", "test"))

    state = tmp_path / "var"
    known = Settings.load(broker.environ)
    verifier = Verifier.parse(Signer.open(known.journal_key, known.origin).public)
    verdict = verify(broker.app.store.tree, verifier)
    last = list(notes((state / "checkpoints").read_text()))[-1]
    assert verdict.findings == ()
    assert verdict.unsigned == 0
    assert verifier.verify(last).size == verdict.size == len(list(broker.app.store.entries()))


def test_a_running_broker_has_its_checkpoints_stamped(bench: Make, tmp_path: Path) -> None:
    broker = bench()
    kept = []

    def act(service: Service) -> None:
        assert service.stamper is not None
        service.sealer.seal(final=True)
        kept.append(service.stamper.look() or service.app.store.tree.latest() is not None)

    with authority(tmp_path / "tsa") as tsa:
        lived(broker, act, timestamp_url=tsa.url, timestamp_ca=str(tsa.ca))

    assert kept == [True]
    found = broker.app.store.tree.latest()
    assert found is not None
    assert found.size in [note.size for note in broker.app.store.tree.notes()]


def test_certificates_of_an_authority_that_cannot_be_read_prevent_the_start(bench: Make) -> None:
    broker = bench()
    settings = Settings.load(
        broker.environ
        | {
            "XOEV_BROKER_TIMESTAMP_URL": "http://127.0.0.1:1/",
            "XOEV_BROKER_TIMESTAMP_CA": str(broker.file),
        }
    )

    for _ in range(2):
        with pytest.raises(ConfigError, match="timestamp_ca"):
            Service(settings, broker.environ, {**KINDS, "fake": broker.script.kind()})


@pytest.mark.parametrize(("encryption", "warned"), [("off", True), ("on", False)])
def test_payloads_in_the_clear_are_warned_of_at_every_start(
    bench: Make, encryption: str, warned: bool
) -> None:
    stream = io.BytesIO()
    configure(stream=stream)

    lived(bench(), lambda _service: None, encryption=encryption)

    assert (b'"event":"unencrypted"' in stream.getvalue()) is warned


def test_a_key_that_cannot_be_used_prevents_the_start_and_frees_the_lock(
    bench: Make, tmp_path: Path
) -> None:
    broker = bench()
    key = tmp_path / "var" / "journal.key"
    key.write_bytes(b"short")
    key.chmod(0o600)
    kinds = {**KINDS, "fake": broker.script.kind()}

    for _ in range(2):
        with pytest.raises(ConfigError, match="has 5 bytes, must have 32"):
            Service(Settings.load(broker.environ), broker.environ, kinds)


def test_a_message_is_not_taken_over_while_nothing_can_be_sealed(bench: Make) -> None:
    broker = bench()

    with pytest.raises(Unsealed):
        Intake(broker.app, unsealed).accept(messages.request(), "bauportal", "test")
    assert broker.app.store.counts().accepted == 0
    assert broker.app.store.counts().refused == 0


def test_a_reply_is_not_taken_over_while_nothing_can_be_sealed(bench: Make) -> None:
    broker = bench()

    with pytest.raises(Unsealed):
        Intake(broker.app, unsealed).reply("procedure", Incoming("reply", "r", b"x"))
    assert broker.app.store.counts().accepted == 0


def test_http_says_that_nothing_is_taken_and_why(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.prepare()
    app = house.open()
    server = HttpServer(application(app, Intake(app, unsealed), lambda: None), "127.0.0.1", 0)
    server.start()
    with client(server.port) as portal:
        answers = [send(portal, message()), portal.get("/health/ready")]
        alive = portal.get("/health/live").status_code
    server.stop(5)
    app.close()

    assert [one.status_code for one in answers] == [503, 503]
    assert all("could not be sealed" in one.json()["detail"] for one in answers)
    assert alive == 200
