"""The tree of errors: its branches decide, its texts say where."""

from __future__ import annotations

import inspect

import pytest

from broker import errors
from broker.errors import (
    BrokerError,
    ConfigError,
    Finding,
    NoRoute,
    Unforeseen,
    UnknownCode,
    guarded,
    original,
    unexpected,
)

ALL = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, BrokerError)
]
BRANCHES = {
    "ConfigError", "Refusal", "MessageError", "Overloaded", "Exhausted", "SchemaMissing",
    "DeliveryUnclear", "ReplyError", "StoreError", "ChannelError", "Unforeseen",
}  # fmt: skip


def test_the_tree_has_exactly_the_branches_that_the_worker_knows() -> None:
    assert {kind.__name__ for kind in BrokerError.__subclasses__()} >= BRANCHES
    assert {
        kind.__name__ for kind in BrokerError.__subclasses__() if kind.__module__ == errors.__name__
    } == BRANCHES


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_says_something_by_itself_and_has_a_reason_code(
    kind: type[BrokerError],
) -> None:
    error = kind()

    assert str(error).strip()
    assert len(error.reason) == 4


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_is_in_the_picture_of_the_tree(kind: type[BrokerError]) -> None:
    assert kind.__name__ in str(errors.__doc__)


def test_a_reason_given_takes_the_place_of_the_usual_one() -> None:
    assert (NoRoute("x").reason, NoRoute("x", reason="T010").reason) == ("T080", "T010")
    assert UnknownCode("x").reason == "S011"


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (Finding("x", "routes.yaml", 11, 14), "routes.yaml:11:14: x"),
        (Finding("x", "routes.yaml", 11), "routes.yaml:11: x"),
        (Finding("x", "routes.yaml"), "routes.yaml: x"),
        (Finding("x", line=7, path="/a/b", rule="cvc"), "line 7: /a/b: cvc: x"),
        (Finding("x"), "x"),
    ],
)
def test_a_finding_says_place_path_rule_and_text(finding: Finding, text: str) -> None:
    assert str(finding) == text


def test_a_configuration_error_lists_all_findings() -> None:
    error = ConfigError("2 findings", findings=[Finding("one", "a"), Finding("two", "b")])

    assert str(error) == "2 findings\na: one\nb: two"


def test_an_unforeseen_error_is_named_without_its_text() -> None:
    with pytest.raises(Unforeseen) as caught, guarded():
        raise ValueError("Erika Planck")

    assert str(caught.value).startswith("unexpected ValueError at test_errors.py:")
    assert str(original(caught.value)) == "Erika Planck"


@pytest.mark.parametrize("error", [NoRoute("none"), KeyError("known"), SystemExit(1)])
def test_a_guard_lets_pass_what_is_known_and_what_ends_the_process(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, guarded(KeyError):
        raise error

    assert caught.value is error is original(error)


def test_an_error_that_was_never_raised_has_no_place() -> None:
    assert unexpected(ValueError()) == "unexpected ValueError at unknown place"
