"""The address of RabbitMQ, and what its failures are made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.amqp import Address, Node, causes, pause
from broker.errors import ConfigError


def read(url: str) -> Address:
    return Address.read(url, None, None)


def test_several_nodes_have_a_port_each_or_the_usual_one() -> None:
    assert read("amqp://u@a:1,b,[::1]:2/v").nodes == (Node("a", 1), Node("b", 5672), Node("::1", 2))


def test_with_tls_the_usual_port_is_another() -> None:
    address = read("amqps://a")

    assert (address.tls, str(address.nodes[0])) == (True, "a:5671")


@pytest.mark.parametrize(
    ("url", "user", "password", "vhost"),
    [
        ("amqp://a", "guest", "guest", "/"),
        ("amqp://a/", "guest", "guest", "/"),
        ("amqp://u:p%40s@a/%2F", "u", "p@s", "/"),
        ("amqp://u:@a/stadt", "u", "", "stadt"),
    ],
)
def test_user_and_virtual_host_are_decoded(url: str, user: str, password: str, vhost: str) -> None:
    address = read(url)

    assert (address.user, address.password, address.vhost) == (user, password, vhost)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://a",
        "amqp://",
        "amqp://a:70000",
        "amqp://a:0",
        "amqp://a,",
        "amqp://u:geheim@a b",
        "amqp://a/b?c",
    ],
)
def test_what_cannot_be_read_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(url)

    assert "needed is amqp://user@host:5672,host2:5672/vhost" in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_two_passwords_are_one_too_many() -> None:
    with pytest.raises(ConfigError, match="two passwords"):
        Address.read("amqp://u:p@a", Path("password"), None)


def test_a_password_is_never_shown() -> None:
    assert repr(read("amqp://u:geheim@a:1")) == "Address(a:1)"


def test_a_missing_password_file_is_named(tmp_path: Path) -> None:
    address = Address.read("amqp://u@a", tmp_path / "gone", None)
    with pytest.raises(ConfigError, match="gone cannot be read"):
        address.parameters(address.nodes[0], "x")


def test_an_authority_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    address = Address.read("amqps://u@a", None, file)
    with pytest.raises(ConfigError, match=r"ca\.pem cannot be read as certificates"):
        address.parameters(address.nodes[0], "x")


def test_pauses_grow_up_to_a_limit_and_differ() -> None:
    first, late = ([pause(failures) for _ in range(100)] for failures in (0, 1_000))

    assert 0.1 <= min(first) < max(first) <= 0.2
    assert 7.5 <= min(late) < max(late) <= 15


def test_the_last_cause_is_what_lies_deepest() -> None:
    inner = OSError("refused")
    middle = RuntimeError("all nodes")
    middle.exceptions = [ValueError("first"), inner]  # type: ignore[attr-defined]

    assert list(causes(RuntimeError(middle)))[-1] is inner
