"""Health for whoever watches the process: does it live, and does it take messages?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from broker.errors import Overloaded, StoreAway, StoreError, Unsealed
from broker.stores.contract import Store
from broker.web.problem import Problem
from broker.web.reply import Reply, answer
from broker.web.request import Gate, Request


class Health:
    """Answers without a token, and tells nothing but yes or no."""

    def __init__(self, store: Store, gate: Gate, guard: Callable[[], None]) -> None:
        """Take what must work for a yes; `guard` raises Unsealed while nothing may be taken."""
        self._store = store
        self._guard = guard
        self._gate = gate

    async def live(self, _request: Request) -> Reply:
        """Say that the process answers."""
        return answer(200, {"status": "live"})

    async def ready(self, _request: Request) -> Reply:
        """Say whether messages are taken: the gate is open and the store can be read."""
        if not self._gate.open:
            raise Problem("unavailable", "the broker is stopping")
        try:
            self._guard()
            await asyncio.to_thread(self._store.due)
        except (Overloaded, Unsealed) as error:
            raise Problem("unavailable", str(error)) from None
        except StoreAway:
            raise Problem("unavailable", "the store is away for now") from None
        except StoreError:
            raise Problem("unavailable", "the store cannot be used") from None
        return answer(200, {"status": "ready"})
