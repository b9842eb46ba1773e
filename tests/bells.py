"""A doorbell without a server, and somebody who waits at one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from broker.stores.doorbell import Call, Doorbell

#: Long enough for a busy machine; nothing is measured with it.
PATIENCE = 60


class House:
    """What the doorbells of one broker share: calls that nobody has taken yet."""

    def __init__(self) -> None:
        self.calls: deque[Call] = deque()
        self.bells: list[MemoryDoorbell] = []

    def tell(self) -> None:
        for bell in self.bells:
            if bell.heard:
                bell.heard()


class MemoryDoorbell:
    """A doorbell for tests of what uses one; `connected` can be set."""

    def __init__(self, house: House | None = None) -> None:
        self.house = house or House()
        self.house.bells.append(self)
        self.connected = True
        self.heard: Callable[[], None] | None = None
        self.rung: list[tuple[str, str]] = []
        self._hands: dict[int, Call] = {}

    def ring(self, due: Iterable[tuple[str, str]]) -> None:
        self.rung += (new := list(due))
        ids = [id for _, id in new]
        groups = (ids[start : start + 20] for start in range(0, len(ids), 20))
        self.house.calls.extend(Call(tuple(group)) for group in groups)
        self.house.tell()

    def listen(self, heard: Callable[[], None]) -> None:
        self.heard = heard
        heard()

    def calls(self, limit: int) -> Sequence[Call]:
        found: list[Call] = []
        while limit > 0 and self.house.calls and self.heard:
            call = self.house.calls.popleft()
            found.append(Call(call.ids, self))
            self._hands[id(found[-1])] = found[-1]
            limit -= len(call.ids)
        return found

    def taken(self, calls: Sequence[Call]) -> None:
        for call in calls:
            self._hands.pop(id(call), None)

    def close(self) -> None:
        self.heard = None
        self.house.bells.remove(self)
        self.house.calls.extend(self._hands.values())
        self.house.tell()


class Worker:
    """Waits at a doorbell: woken by it, never by the clock."""

    def __init__(self, bell: Doorbell) -> None:
        self.bell = bell
        self.ids: list[str] = []
        self._woken = threading.Event()
        bell.listen(self._woken.set)

    def until(self, reached: Callable[[], bool]) -> None:
        """Wait until something is so, looking each time that the doorbell says something."""
        while not reached():
            assert self._woken.wait(PATIENCE), "the doorbell said nothing more"
            self._woken.clear()

    def connected(self) -> Worker:
        self.until(lambda: self.bell.connected)
        return self

    def disconnected(self) -> None:
        self.until(lambda: not self.bell.connected)

    def hear(self, ids: Iterable[str], *, take: bool = True) -> list[Call]:
        """Wait until these were heard at least once; return the calls, taken unless told not to."""
        wanted = set(ids)
        calls: list[Call] = []

        def reached() -> bool:
            while found := self.bell.calls(100):
                calls.extend(found)
                wanted.difference_update(id for call in found for id in call.ids)
                if take:
                    self.bell.taken(found)
            return not wanted

        self.until(reached)
        self.ids += [id for call in calls for id in call.ids]
        return calls
