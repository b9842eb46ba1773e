"""The pages about what is stuck, word for word: each section on a site where just that happened."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from broker.message import Direction, State
from broker.standins.daemon import port
from broker.stores.contract import Filter
from tests import messages
from tests.acceptance.machine import MUSTERSTADT, Machine, end, running, until
from tests.acceptance.session import Scenes, Session
from tests.acceptance.test_tutorial import Block
from tests.needs import ROOT

NEUSTADT = "bab:03999010"
#: A second city whose procedure is asked over HTTP, in every version of XBau.
ROUTE = """\
  - name: bau-neustadt
    match: {standard: xbau, kind: baugenehmigung.antrag.0200, recipient: "bab:03999010"}
    adapter: salzgitter/durchreichen
    channel: neustadt-bau
"""
CHANNEL = """\
channels:
  neustadt-bau:
    kind: rest
    address: http://127.0.0.1:PORT/antraege/{reference}
    method: PUT
    reply: none
    test: true
"""
PARTY = """\
parties:
  neustadt: {name: Stadt Neustadt, ags: 03999010}
"""


class Procedure:
    """A procedure behind HTTP: it says `status` to whatever comes, and counts what it took."""

    def __init__(self) -> None:
        self.status = 500
        self.taken = 0

    @contextmanager
    def listening(self) -> Iterator[int]:
        """Listen on a port of this machine."""
        mine = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                mine.taken += mine.status < 300
                self.send_response(mine.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            server.server_close()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Return a machine on which a broker runs."""
    made = Machine(tmp_path, port())
    try:
        running(made)
        yield made
    finally:
        end(made)


def edit(machine: Machine, *changes: tuple[str, str]) -> None:
    """Change routes.yaml and put it in force."""
    file = machine.site / "routes.yaml"
    text = file.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, "utf-8")
    machine.shell("systemctl reload xoev-broker")


def submit(machine: Machine, body: bytes) -> None:
    file = machine.folder / "mnt/antrag.xml"
    file.write_bytes(body)
    machine.shell(f"xoev-broker submit {file}")


def reached(machine: Machine, state: State, count: int) -> None:
    """Wait until so many messages are in a state."""
    with machine.store() as store:
        until(lambda: len(store.rows(Filter(states=(state,)))) == count)


def quiet(machine: Machine) -> None:
    """Wait until nothing is on its way."""
    moving = Filter(states=(State.WAITING, State.WORKING), limit=1)
    with machine.store() as store:
        until(lambda: not store.rows(moving))


def away(machine: Machine) -> None:
    """Let the share of the city be unmounted."""
    inbox = machine.site / "exchange/musterstadt/eingang"
    inbox.rename(inbox.with_name("weg"))


def reply(machine: Machine, reference: str, name: str) -> None:
    """Let the procedure of the city answer."""
    place = machine.site / "exchange/musterstadt/ausgang"
    draft = place / f".{name}"
    draft.write_bytes(messages.reply(reference, number=f"63-{name}"))
    draft.rename(place / f"{name}.xml")


def reference(machine: Machine) -> str:
    """Return the Kennzeichen of the newest request for the city."""
    with machine.store() as store:
        return store.rows(Filter(direction=Direction.REQUEST, route="bau", limit=1))[0].reference


def impatient(machine: Machine) -> None:
    """Let the route give up at once."""
    edit(machine, ("first: 30s, factor: 2, longest: 1h, give_up: 3d", "first: 1s, give_up: 1s"))


def found(machine: Machine) -> Mapping[str, int]:
    """Return how many messages are in each state, requests and answers, once nothing moves."""
    quiet(machine)
    with machine.store() as store:
        counts = store.counts().states
    return {
        f"{state.value} {direction.value}": count
        for direction, states in counts.items()
        for state, count in states.items()
        if count
    }


def follow(machine: Machine, name: str, scenes: Scenes) -> None:
    text = (ROOT / "docs/howto" / name).read_text("utf-8")
    for place in ("srv", "mnt"):
        text = text.replace(f" /{place}/", f" {machine.folder}/{place}/")
    with Session(machine) as session:
        session.follow(text, scenes)


def test_what_is_stuck_can_be_treated_as_the_page_says(machine: Machine) -> None:
    procedure = Procedure()
    with procedure.listening() as place:
        follow(machine, "stuck.md", _stuck(procedure, place))
        ended = found(machine)

    assert ended == {
        "delivered request": 7, "closed request": 1, "closed answer": 1, "delivered answer": 2,
        "rejected request": 1,
    }  # fmt: skip
    assert procedure.taken == 2
    assert machine.taken() == 4


def _stuck(procedure: Procedure, place: int) -> Scenes:
    """Return what happens before the sections of the page."""

    def unmatched(machine: Machine) -> None:
        (machine.site / "schemas/xoev/xbau/2.5").rename(machine.folder / "mnt/XBau_2.5")
        edit(
            machine,
            ("parties:\n", PARTY),
            ("channels:\n", CHANNEL.replace("PORT", str(place))),
            ("routes:\n", f"routes:\n{ROUTE}"),
        )
        reply(machine, "0000000000000", "fremd")
        reached(machine, State.DEAD, 1)

    def waiting(machine: Machine) -> None:
        away(machine)
        machine.send()
        machine.tried(1)

    def held(machine: Machine) -> None:
        quiet(machine)
        for version in ("5", "9"):
            space = f"http://www.xleitstelle.de/xbau/2/{version}"
            body = messages.request(key=NEUSTADT, namespace=space)
            submit(machine, body.replace(b'"2.6"', f'"2.{version}"'.encode()))
        reached(machine, State.HELD, 2)
        procedure.status = 201

    def unclear(machine: Machine) -> None:
        quiet(machine)
        procedure.status = 500
        for _ in range(2):
            submit(machine, messages.request(key=NEUSTADT))
        reached(machine, State.UNCLEAR, 2)
        procedure.status = 201

    def given_up(machine: Machine) -> None:
        quiet(machine)
        impatient(machine)
        away(machine)
        machine.send()
        reached(machine, State.DEAD, 2)

    def no_way_back(machine: Machine) -> None:
        quiet(machine)
        (machine.folder / "mnt/corrected").mkdir()
        shutil.copy(machine.site / "routes.yaml", machine.folder / "mnt/corrected")
        edit(machine, ("answer: bauportal-return ", "# "))
        machine.send()
        quiet(machine)
        reply(machine, reference(machine), "bescheid")
        reached(machine, State.DEAD, 2)

    def rejected(machine: Machine) -> None:
        submit(machine, messages.invalid().replace(b"bab:03103000", MUSTERSTADT.encode()))
        reached(machine, State.REJECTED, 1)

    return {
        "What is stuck?": unmatched,
        "waiting": waiting,
        "held": held,
        "unclear": unclear,
        "The cause is repaired: replay": given_up,
        "The way has changed: replay --reroute": no_way_back,
        "delivered, but the procedure lost it": quiet,
        "rejected": rejected,
    }


def test_many_messages_can_be_repaired_as_the_page_says(machine: Machine) -> None:
    def outage(machine: Machine) -> None:
        impatient(machine)
        away(machine)
        machine.send(4)
        for name in ("fremd-1", "fremd-2"):
            reply(machine, "0000000000000", name)
        reached(machine, State.DEAD, 6)

    def cut_off(machine: Machine) -> None:
        quiet(machine)
        reply(machine, reference(machine)[:9], "gekuerzt")
        reached(machine, State.DEAD, 1)

    scenes = {"See what there is": outage, "New content: four eyes": cut_off}

    follow(machine, "repair.md", scenes)

    assert found(machine) == {
        "delivered request": 3, "closed request": 1, "closed answer": 3, "delivered answer": 1,
    }  # fmt: skip
    assert machine.taken() == 3
    assert len(list((machine.site / "exchange/bauportal/antworten").iterdir())) == 1


def test_top_ends_with_q_and_leaves_the_terminal_as_it_was(machine: Machine) -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    with subprocess.Popen(
        ["bash", "-c", "set -a; . ./xoev-broker.env; set +a; exec xoev-broker top"],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=machine.site,
        env=machine.environ | {"TERM": "xterm"},
    ) as shown:  # fmt: skip
        seen = b""
        while b"q ends" not in seen:
            seen += os.read(ours, 4096)
        os.write(ours, b"q")
        ended = shown.wait(timeout=60)

    assert (ended, termios.tcgetattr(theirs)) == (0, before)
    os.close(ours)
    os.close(theirs)


def test_an_id_of_the_page_is_typed_as_it_was_printed(tmp_path: Path) -> None:
    session = Session(Machine(tmp_path, 0))

    shown = session.shown("…\n3f2a91bc  4 at 2026-03-02\n3f2a91bc", "x\ncafe0001 4 at …\ncafe0001")
    block = Block("sh", "", "replay --cause 3f2a91bc", 1)

    assert not shown
    assert session.shown("…\n3f2a91bc  4\n3f2a91bc\n", "x\ncafe0001 4\ncafe0001\n")
    assert session.filled(block) == "replay --cause cafe0001"
    assert not session.shown("3f2a91bc\n", "cafe0002\n")
    with pytest.raises(AssertionError, match="where does 00000000 come from"):
        session.filled(Block("sh", "", "replay --cause 00000000", 1))
