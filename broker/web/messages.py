"""The HTTP intake: takes a message over, and tells its sender where it stands."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from broker.errors import Conflict, Forbidden, NotAllowed, NotXml, Refusal
from broker.intake import Intake
from broker.logs import get
from broker.message import Direction, Message, Receipt
from broker.pipeline import Broker
from broker.stores.contract import Accepted, Filter, Row
from broker.web.identity import Identity
from broker.web.problem import Problem
from broker.web.reply import Reply, answer
from broker.web.request import Limits, Request, TooLong
from broker.web.status import location, status

Result = TypeVar("Result")

VIA = "http"
#: Large messages are parsed so many at once; each takes several times its size in memory.
LARGE = 2
#: How many answers a status shows; a request has one, two or three.
ANSWERS = 100

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_TYPES = frozenset((b"application/xml", b"text/xml", b"application/octet-stream"))
_KINDS: tuple[tuple[type[Refusal], str], ...] = (
    (NotXml, "not-xml"),
    (Forbidden, "forbidden"),
    (NotAllowed, "not-allowed"),
    (Conflict, "conflict"),
)


class Messages:
    """What HTTP can do with messages; everything needs the bearer token of a party."""

    def __init__(
        self, broker: Broker, intake: Intake, wake: Callable[[], None], limits: Limits
    ) -> None:
        """Take the store's owner, what accepts, and whom to rouse afterwards."""
        self._store = broker.store
        self._intake = intake
        self._wake = wake
        self._limits = limits
        self._identity = Identity(lambda: broker.site.table.table)
        self._large = asyncio.Semaphore(LARGE)
        self._log = get()

    async def post(self, request: Request) -> Reply:
        """Accept one message; the positive answer comes after the commit."""
        party = self._party(request)
        self._intake.pressure.admit(party)
        _check_form(request)
        try:
            body = await request.body()
        except TooLong as error:
            raise await self._too_large(error.beginning, party) from None
        try:
            receipt = await self._accept(body, party)
        except Refusal as error:
            raise await self._refused(body, party, error, _kind(error)) from None
        return _receipt(receipt)

    async def get(self, request: Request) -> Reply:
        """Tell where a message of this party stands; all others are not found."""
        party = self._party(request)
        id = request.params["id"].lower()
        row = await asyncio.to_thread(self._store.row, id) if _ID.fullmatch(id) else None
        if row is None or row.party != party or row.direction is not Direction.REQUEST:
            raise Problem("not-found", "you have sent no message that got this id")
        return answer(200, status(row, await asyncio.to_thread(self._answers, id)))

    def _party(self, request: Request) -> str:
        party = self._identity.party(request)
        if party is None:
            self._log.info("refused", channel=VIA, error="token")
            text = "send the token of your party (Authorization: Bearer …), or its certificate"
            raise Problem("token", text, headers=((b"www-authenticate", b"Bearer"),))
        return party

    async def _accept(self, body: bytes, party: str) -> Receipt:
        if len(body) < self._limits.large:
            message, future = self._intake.begin(body, party)
        else:
            async with self._large:
                message, future = await asyncio.to_thread(self._intake.begin, body, party)
        return await self._finish(message, await landed(future))

    async def _finish(self, message: Message, accepted: Accepted) -> Receipt:
        if accepted.verdict == "new":
            self._wake()
            if len(message.body) < self._limits.large:
                return self._intake.finish(message, accepted)
        # A repeat is journalled, and a large body takes a while to hash.
        return await asyncio.to_thread(self._intake.finish, message, accepted)

    async def _too_large(self, beginning: bytes, party: str) -> Problem:
        size = self._limits.message
        error = Forbidden(
            f"a message has at most {size} bytes here; of this one, only the beginning was kept"
        )
        return await self._refused(beginning, party, error, "too-large")

    async def _refused(self, body: bytes, party: str, error: Refusal, kind: str) -> Problem:
        await landed(await asyncio.to_thread(self._intake.refuse, body, party, VIA, error))
        self._log.warning("refused", party=party, reason=error.reason, error=type(error).__name__,
                          channel=VIA, size=len(body))  # fmt: skip
        return Problem(kind, str(error), error.reason)

    def _answers(self, id: str) -> list[Row]:
        return self._store.rows(Filter(answers=id, direction=Direction.ANSWER, limit=ANSWERS))


async def landed(future: Future[Result]) -> Result:
    """Wait for a commit. Shielded: the store must never see its Future cancelled."""
    return await asyncio.shield(asyncio.wrap_future(future))


def _check_form(request: Request) -> None:
    encoding = request.headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in (b"identity", b""):
        raise Problem("media-type", "send the message as it is, without Content-Encoding")
    type = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if type not in _TYPES and not type.endswith(b"+xml"):
        raise Problem("media-type", "send one XML document as application/xml")


def _kind(error: Refusal) -> str:
    return next((kind for type, kind in _KINDS if isinstance(error, type)), "forbidden")


def _receipt(receipt: Receipt) -> Reply:
    place = location(receipt.id)
    fields = {
        "id": receipt.id,
        "sha256": receipt.sha256,
        "received": receipt.received.isoformat(),
        "duplicate": receipt.duplicate,
        "links": {"self": place},
    }
    return answer(200 if receipt.duplicate else 202, fields, (b"location", place.encode()))
