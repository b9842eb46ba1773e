"""Paths, methods and the description of them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import httpx
import pytest
from starlette.routing import Route, Router

from broker.app import App
from broker.errors import StoreAway, StoreError
from broker.intake import Intake
from broker.message import State
from broker.web.app import Endpoint, Front, application
from broker.web.openapi import description, reference
from broker.web.problem import KINDS
from broker.web.status import MEANING
from tests.web.house import message, send


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a document."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, dict | list):
            yield from nodes(child)


@pytest.mark.parametrize("path", ["/", "/health/live", "/health/ready", "/openapi.json"])
def test_what_needs_no_token_answers_without_one(portal: httpx.Client, path: str) -> None:
    assert portal.get(path, headers={"Authorization": ""}).status_code == 200


def test_every_answer_has_the_security_headers(portal: httpx.Client) -> None:
    for path in ("/", "/nowhere", "/openapi.json"):
        headers = portal.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/v1", "/v1/messages/", "/docs", "/v1/messages/a/b"])
def test_an_unknown_path_is_not_found(portal: httpx.Client, path: str) -> None:
    answer = portal.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/messages", "POST"),
        ("DELETE", "/v1/messages/1", "GET"),
        ("POST", "/", "GET"),
        ("OPTIONS", "/v1/messages", "POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(
    portal: httpx.Client, method: str, path: str, allowed: str
) -> None:
    answer = portal.request(method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed


def test_head_is_get_without_a_body(portal: httpx.Client) -> None:
    answer = portal.head("/health/live")

    assert (answer.status_code, answer.content) == (200, b"")


def test_the_store_that_cannot_be_read_is_not_ready(
    portal: httpx.Client, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> bool:
        raise StoreError("the store cannot be read")

    monkeypatch.setattr(app.store, "due", broken)

    assert portal.get("/health/ready").status_code == 503


def test_every_path_and_method_is_described_and_nothing_else(app: App) -> None:
    front = application(app, Intake(app), lambda: None)
    assert isinstance(front, Front)
    router = front.others
    assert isinstance(router, Router)
    there = {
        (route.path, method.lower())
        for route in router.routes
        if isinstance(route, Route) and isinstance(route.endpoint, Endpoint)
        for method in route.endpoint.handlers
    }
    described = {(path, method) for path, item in description()["paths"].items() for method in item}

    assert described == there


def test_every_kind_of_problem_is_described() -> None:
    statuses = {
        status
        for item in description()["paths"].values()
        for operation in item.values()
        for status in operation["responses"]
    }

    assert statuses == {"200", "202"} | {str(kind.status) for kind in KINDS.values()}


def test_every_reference_in_the_description_leads_somewhere() -> None:
    document = description()
    found = [node["$ref"] for node in nodes(document) if "$ref" in node]

    assert found
    for place in found:
        node = document
        for step in place.removeprefix("#/").split("/"):
            node = node[step]


def test_every_operation_has_what_openapi_asks_for() -> None:
    document = description()

    assert document["openapi"].startswith("3.1.")
    assert {"title", "version"} <= document["info"].keys()
    for item in document["paths"].values():
        for operation in item.values():
            assert operation["summary"]
            assert all(answer["description"] for answer in operation["responses"].values())


def test_what_is_served_is_the_reference_page(portal: httpx.Client) -> None:
    assert portal.get("/openapi.json").json() == json.loads(reference())


def test_every_state_has_a_meaning_for_the_sender() -> None:
    assert set(MEANING) == set(State)


def test_a_store_that_is_away_means_later_and_is_not_logged_for_each_request(
    portal: httpx.Client, app: App, monkeypatch: pytest.MonkeyPatch, quiet: io.BytesIO
) -> None:
    def away(*_: object) -> Future[object]:
        lost: Future[object] = Future()
        lost.set_exception(StoreAway("no answer from the database"))
        return lost

    def unread() -> bool:
        raise StoreAway("no answer from the database")

    monkeypatch.setattr(app.store, "accept", away)
    monkeypatch.setattr(app.store, "due", unread)

    answers = [send(portal, message()), portal.get("/health/ready")]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert [answer.headers["retry-after"] for answer in answers] == ["5", "5"]
    assert "failed" not in quiet.getvalue().decode()
