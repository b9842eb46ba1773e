"""The ASGI application: which path leads where, and what becomes of errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from broker.errors import (
    BrokerError,
    Overloaded,
    StoreAway,
    Unforeseen,
    Unsealed,
    guarded,
    original,
)
from broker.intake import Intake
from broker.logs import get
from broker.pipeline import Broker
from broker.web.health import Health
from broker.web.messages import Messages
from broker.web.openapi import description
from broker.web.problem import Problem
from broker.web.reply import TEXT, Reply, answer
from broker.web.request import Gate, Gone, Limits, Request
from broker.web.surface import Options, Surface

Handler = Callable[[Request], Awaitable[Reply]]

WELCOME = """xoev-broker

POST /v1/messages       send an XÖV message
GET  /v1/messages/{id}  where it stands
GET  /openapi.json      description for machines
GET  /health/ready      whether messages are taken
GET  /metrics           figures for a monitoring system
GET  /v1/status         numbers for the staff of the site
"""


def application(
    broker: Broker,
    intake: Intake,
    wake: Callable[[], None],
    *,
    limits: Limits | None = None,
    gate: Gate | None = None,
    options: Options | None = None,
) -> ASGIApp:
    """Return the application for HttpServer.

    `wake` is called after each acceptance, on the server's thread; `limits` go before those of
    `options`. Closing `gate` turns everything but the health paths away with 503.
    """
    options = options or Options()
    limits = limits or options.limits
    surface = Surface(broker, options, intake.pressure)
    gate = gate or Gate(limits)
    gate.limits = limits
    messages, health = (
        Messages(broker, intake, wake, limits),
        Health(broker.store, gate, intake.ready),
    )
    paths: Mapping[str, Endpoint] = {
        "/v1/messages": Endpoint(gate, {"POST": messages.post}),
        "/v1/messages/{id}": Endpoint(gate, {"GET": messages.get}),
        "/health/live": Endpoint(gate, {"GET": health.live}, always=True),
        "/health/ready": Endpoint(gate, {"GET": health.ready}, always=True),
        "/metrics": Endpoint(gate, {"GET": surface.metrics}),
        "/v1/status": Endpoint(gate, {"GET": surface.status}),
        "/.well-known/security.txt": Endpoint(gate, {"GET": surface.security}),
        "/openapi.json": Endpoint(gate, {"GET": _describe}),
        "/": Endpoint(gate, {"GET": _welcome}),
    }
    routes = [Route(path, endpoint) for path, endpoint in paths.items()]
    router = Router(routes, redirect_slashes=False, default=Endpoint(gate, {}))
    return Front({path: end for path, end in paths.items() if "{" not in path}, router)


class Front:
    """Leads straight to a path without parameters; searching the routes for it costs more than all
    the rest of HTTP.
    """

    def __init__(self, direct: Mapping[str, Endpoint], others: ASGIApp) -> None:
        """Take what is found by its path, and who gets everything else."""
        self._direct = direct
        self.others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            await self._direct.get(scope["path"], self.others)(scope, receive, send)
        else:
            await self.others(scope, receive, send)


class Endpoint:
    """What one path does, by method; every failure becomes a problem document."""

    def __init__(
        self, gate: Gate, handlers: Mapping[str, Handler], *, always: bool = False
    ) -> None:
        """Take the handlers; with `always`, they are reached through a closed gate too."""
        self.handlers = handlers
        self._gate = gate
        self._always = always
        self._log = get()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        request = Request(scope, receive, self._gate)
        try:
            reply = await self._guarded(scope["method"], request)
            await request.discard()
            await reply.send(send, close=not request.complete)
        except Gone:
            return
        finally:
            request.close()

    async def _guarded(self, method: str, request: Request) -> Reply:
        try:
            with guarded(Problem, Gone):
                return await self._counted(self._handler(method), request)
        except Problem as problem:
            return problem.reply()
        except Unsealed as error:
            self._log.error("failed", error=type(error).__name__)
            return Problem("unavailable", str(error)).reply()
        except StoreAway:
            # Said once where it begins, not for each request.
            return Problem("unavailable", "the store is away for now; send it again").reply()
        except Unforeseen as error:
            # The server behind us would print values of the message.
            self._log.error("failed", exc_info=original(error))
            return Problem("failed", "an error in the broker; it is in its log").reply()
        except BrokerError as error:
            # Not the message's fault: the store, or the parser of this process, is at its end.
            self._log.error("failed", error=type(error).__name__)
            return Problem("unavailable", "the broker cannot take it now; send it again").reply()

    async def _counted(self, handler: Handler, request: Request) -> Reply:
        if self._always:
            return await handler(request)
        self._gate.enter()
        try:
            return await handler(request)
        except Overloaded as error:
            raise Problem.of(error) from None
        finally:
            self._gate.leave()

    def _handler(self, method: str) -> Handler:
        if not self.handlers:
            raise Problem("not-found", "there is nothing under this path; see /openapi.json")
        found = self.handlers.get("GET" if method == "HEAD" else method)
        if found is None:
            allowed = ", ".join(self.handlers)
            headers = ((b"allow", allowed.encode()),)
            raise Problem("method", f"this path takes {allowed}", headers=headers)
        return found


async def _describe(_request: Request) -> Reply:
    return answer(200, description())


async def _welcome(_request: Request) -> Reply:
    return Reply(200, WELCOME.encode(), TEXT)
