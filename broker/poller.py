"""Looks for what channels bring in: messages of parties and replies of procedures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Thread

from broker.channels.channel import Channel, Incoming, Verdict
from broker.errors import (
    BrokerError,
    ChannelError,
    Overloaded,
    Refusal,
    StoreAway,
    guarded,
)
from broker.intake import Intake
from broker.logs import get
from broker.message import Message
from broker.outage import Outage
from broker.pipeline import Broker
from broker.stores.contract import Accepted

Result = tuple[Message, Future[Accepted]] | Refusal

#: Channels are looked at side by side, so that a hanging share delays no other.
THREADS = 64


class Poller:
    """Asks every receiving channel again and again until it is stopped."""

    def __init__(
        self,
        broker: Broker,
        intake: Intake,
        wake: Callable[[], None],
        seconds: float,
        outage: Outage | None = None,
    ) -> None:
        """Take what accepts, whom to rouse afterwards, and the pause between two looks."""
        #: Whether this process is the one that looks into a channel, where several could.
        self.may: Callable[[str], bool] = lambda _name: True
        self._broker = broker
        self._intake = intake
        self._wake = wake
        self._seconds = seconds
        self._outage = outage or Outage()
        self._stopping = Event()
        self._running: dict[str, Future[None]] = {}
        self._disturbed: set[str] = set()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="poller")
        self._thread = Thread(target=self._run, name="poller", daemon=True)
        self._log = get()

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; what is being taken over is finished. Does nothing where it never began."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def disturbed(self) -> frozenset[str]:
        """Return the channels that could not be looked into last time."""
        return frozenset(self._disturbed)

    def _run(self) -> None:
        while not self._stopping.is_set():
            for name, channel in self._broker.site.channels.items():
                if channel.receives and self.may(name):
                    self._start(name, channel)
            self._stopping.wait(self._seconds)

    def _start(self, name: str, channel: Channel) -> None:
        running = self._running.get(name)
        if running is None or running.done():
            self._running[name] = self._pool.submit(self._look, channel)

    def _look(self, channel: Channel) -> None:
        try:
            with guarded():
                while not self._stopping.is_set() and self.look(channel):
                    pass
        except ChannelError as error:
            self._strength(channel.name, False, str(error))
        except Overloaded:
            # What stops it says so once; all of it lies at its source still.
            return
        except StoreAway as error:
            # What was not settled lies at its source still and is offered again.
            self._outage.begun(error)
        except BrokerError as error:
            self._log.error("failed", channel=channel.name, error=str(error))
        else:
            self._strength(channel.name, True, "")

    def look(self, channel: Channel) -> int:
        """Take over what is there now; return how much it was. Raises Overloaded where some of it
        has no room and stays at its source.
        """
        self._intake.pressure.spare()
        found = list(channel.receive())
        overloaded = self._accept(channel, [one for one in found if one.role == "message"])
        for incoming in found:
            if incoming.role == "reply":
                ids = self._intake.reply(channel.name, incoming)
                channel.settle(incoming, Verdict(True, "taken over as " + ", ".join(ids)))
        if found:
            self._wake()
        if overloaded is not None:
            raise overloaded
        return len(found)

    def _accept(self, channel: Channel, found: Sequence[Incoming]) -> Overloaded | None:
        party = str(channel.values.get("from") or "")
        recipient = str(channel.values.get("recipient") or "")
        begun, overloaded = self._begun(found, party, recipient)
        for incoming, result in begun:
            channel.settle(incoming, self._verdict(channel, party, incoming, result))
        return overloaded

    def _begun(
        self, found: Sequence[Incoming], party: str, recipient: str
    ) -> tuple[list[tuple[Incoming, Result]], Overloaded | None]:
        """Begin with as many as there is room for; the others stay at their source."""
        begun: list[tuple[Incoming, Result]] = []
        for incoming in found:
            try:
                begun.append((incoming, self._begin(incoming, party, recipient)))
            except Overloaded as error:
                return begun, error
        return begun, None

    def _begin(self, incoming: Incoming, party: str, recipient: str) -> Result:
        if incoming.refusal is not None:
            return incoming.refusal
        self._intake.pressure.admit(party)
        try:
            return self._intake.begin(incoming.body, party, recipient)
        except Refusal as error:
            return error

    def _verdict(self, channel: Channel, party: str, incoming: Incoming, result: Result) -> Verdict:
        try:
            if isinstance(result, Refusal):
                raise result
            receipt = self._intake.finish(result[0], result[1].result())
        except Refusal as error:
            self._intake.refuse(incoming.body, party, channel.name, error).result()
            return Verdict(False, str(error), error.reason)
        return Verdict(True, f"accepted as {receipt.id}, sha256 {receipt.sha256}")

    def _strength(self, name: str, strong: bool, text: str) -> None:
        if not strong and name not in self._disturbed:
            self._disturbed.add(name)
            self._log.warning("disturbed", channel=name, error=text)
        elif strong and name in self._disturbed:
            self._disturbed.discard(name)
            self._log.info("restored", channel=name)
