"""The HTTP intake as OpenAPI 3.1, for machines and for the reference page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from broker.message import State
from broker.web.problem import KINDS, TYPE

Node = dict[str, Any]


def reference() -> str:
    """Return the text of docs/reference/openapi.json."""
    return json.dumps(description(), ensure_ascii=False, indent=2) + "\n"


def description() -> Node:
    """Return the document; every path, method and status of the application is in it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "xoev-broker",
            "version": "1",
            "description": "Takes XÖV messages over and tells their senders where they stand.",
            "license": {"name": "EUPL-1.2", "identifier": "EUPL-1.2"},
        },
        "security": [{"token": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"token": _TOKEN},
            "schemas": {
                "Receipt": _RECEIPT,
                "State": _state(),
                "Status": _status(),
                "Problem": _problem(),
            },
        },
    }


def _paths() -> Node:
    return {
        "/v1/messages": {"post": _post()},
        "/v1/messages/{id}": {"get": _get()},
        "/health/live": {"get": _open("Does the process answer?", "It does.", ())},
        "/health/ready": {
            "get": _open("Does the broker take messages?", "It does.", ("unavailable",))
        },
        "/metrics": {
            "get": _staff(
                "Figures for a monitoring system (Prometheus); open where no staff is set up.",
                "The figures.",
                ("not-allowed", *_BUSY),
                "text/plain",
            )
        },
        "/v1/status": {
            "get": _staff(
                "How many messages are in each state; for operators, auditors, administrators.",
                "The numbers.",
                ("not-allowed", "not-found", *_BUSY),
            )
        },
        "/.well-known/security.txt": {
            "get": _open(
                "Whom to tell of a weakness (RFC 9116).",
                "The file.",
                ("not-found", *_BUSY),
                "text/plain",
            )
        },
        "/openapi.json": {"get": _open("This document.", "The document.", _BUSY)},
        "/": {"get": _open("A short text on what is where.", "The text.", _BUSY, "text/plain")},
    }


def _post() -> Node:
    kinds = ("not-xml", "forbidden", "token", "not-allowed", "slow", "conflict", "too-large",
             "media-type", "too-fast", "no-room", *_BUSY)  # fmt: skip
    return {
        "operationId": "send",
        "summary": "Send one XÖV message.",
        "description": (
            "A positive answer is given after the message is on disk. The same message may be "
            "sent again: the answer is then the receipt of the first time. Where there is no "
            "answer, or 408, 429 or 503, send it again. What is wrong with an accepted message "
            "comes over the return channel."
        ),
        "requestBody": {
            "required": True,
            "description": "The XML document in UTF-8. Any type that ends in +xml is taken, too.",
            "content": {
                type: {} for type in ("application/xml", "text/xml", "application/octet-stream")
            },
        },
        "responses": {
            "202": _receipt("Accepted: the message is on disk."),
            "200": _receipt("Accepted before: the receipt of the first time."),
            **_problems(kinds),
        },
    }


def _get() -> Node:
    schema = {"type": "string", "format": "uuid"}
    return {
        "operationId": "status",
        "summary": "Ask where a message stands.",
        "description": "Finds only what was sent with a token of the same party.",
        "parameters": [
            {
                "name": "id",
                "in": "path",
                "required": True,
                "schema": schema,
                "description": "The id in the receipt.",
            }
        ],
        "responses": {
            "200": {"description": "Where it stands.", "content": _json("Status")},
            **_problems(("token", "not-found", *_BUSY)),
        },
    }


def _open(summary: str, found: str, kinds: tuple[str, ...], type: str = "application/json") -> Node:
    return {
        "summary": summary,
        "security": [],
        "responses": {
            "200": {"description": found, "content": {type: {}}},
            **_problems((*kinds, "failed")),
        },
    }


def _staff(
    summary: str, found: str, kinds: tuple[str, ...], type: str = "application/json"
) -> Node:
    """Return what the staff of the site may see, with tokens of its own."""
    return {**_open(summary, found, ("token", *kinds), type), "security": [{"token": []}]}


def _problems(kinds: tuple[str, ...]) -> Node:
    """Return the responses of kinds of problems; those of one status share one."""
    titles: dict[str, list[str]] = {}
    for kind in (*kinds, "method"):
        titles.setdefault(str(KINDS[kind].status), []).append(KINDS[kind].title)
    content = {TYPE.decode(): {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": "; ".join(texts) + ".", "content": content, **_headers(status)}
        for status, texts in sorted(titles.items())
    }


def _headers(status: str) -> Node:
    names = {"401": "WWW-Authenticate", "405": "Allow", "429": "Retry-After", "503": "Retry-After"}
    name = names.get(status)
    return {"headers": {name: {"schema": {"type": "string"}}}} if name else {}


def _receipt(text: str) -> Node:
    place = {"description": "Where the state is.", "schema": {"type": "string"}}
    return {"description": text, "headers": {"Location": place}, "content": _json("Receipt")}


def _json(name: str) -> Node:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _object(required: Mapping[str, Node], optional: Mapping[str, Node] | None = None) -> Node:
    properties = {**required, **(optional or {})}
    return {"type": "object", "required": list(required), "properties": properties}


def _state() -> Node:
    return _object(
        {
            "id": _UUID,
            "kind": _text("Name of the root element."),
            "state": {"type": "string", "enum": [str(state) for state in State]},
            "since": _TIME,
            "text": _text("The state in English."),
            "text_de": _text("The state in German."),
        }
    )


def _status() -> Node:
    state = _state()
    more = {
        "received": _TIME,
        "attempts": {"type": "integer", "minimum": 0},
        "next_attempt": {"type": ["string", "null"], "format": "date-time"},
        "reason": _maybe("XÖV reason code."),
        "detail": _maybe("Why it was rejected."),
        "standard": _maybe("Standard, where it is known here."),
        "version": _maybe("Version of the standard."),
        "answers": {"type": "array", "items": {"$ref": "#/components/schemas/State"}},
        "links": _LINKS,
    }
    return _object({**state["properties"], **more})


def _problem() -> Node:
    return _object(
        {
            "type": {
                "type": "string",
                "enum": [f"urn:xoev-broker:problem:{kind}" for kind in KINDS],
            },
            "title": _text("In English, the same for every problem of the type."),
            "title_de": _text("In German."),
            "status": {"type": "integer"},
        },
        {
            "detail": _text("What was found and what to do; never a value of the message."),
            "reason": _text("XÖV reason code."),
        },
    )


def _text(text: str) -> Node:
    return {"type": "string", "description": text}


def _maybe(text: str) -> Node:
    return {"type": ["string", "null"], "description": text}


_BUSY = ("busy", "unavailable", "failed")
_TOKEN: Node = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token of the sending party; the broker keeps its SHA-256 hash.",
}
_UUID: Node = {"type": "string", "format": "uuid"}
_TIME: Node = {"type": "string", "format": "date-time"}
_LINKS: Node = _object({"self": {"type": "string", "format": "uri-reference"}})
_RECEIPT: Node = _object(
    {
        "id": _UUID,
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "received": _TIME,
        "duplicate": {"type": "boolean"},
        "links": _LINKS,
    }
)
