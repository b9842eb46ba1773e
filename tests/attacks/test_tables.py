"""Hostile routing tables: named, not applied, and nothing of them is done."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.attacks.conftest import Survived
from tests.attacks.fort import ROUTES, SHOWN, Fort
from tests.attacks.poison import SECRET, Lure
from tests.cluster import until

_BOMB = "".join(
    f"b{i}: &b{i} [{', '.join([f'*b{i - 1}'] * 10) if i else 'x'}]\n" for i in range(10)
)
_EVIL = "!!python/object/apply:os.system ['touch boese-war-hier']"


def _channel(line: str) -> Callable[[Lure], bytes]:
    return lambda _: (ROUTES + f"  neu: {line}\nroutes: []\n").encode()


TABLES: Mapping[str, Callable[[Lure], bytes]] = {
    "an alias bomb": lambda _: (_BOMB + ROUTES).encode(),
    "an alias of itself": lambda _: b"parties: &a [*a]\n",
    "a merge": lambda _: b"a: &a {b: c}\nparties: {<<: *a}\n",
    "a tag that runs": lambda _: f"parties: {_EVIL}\n".encode(),
    "a tag for a number": lambda _: b"parties: {a: {name: !!int 03103000}}\n",
    "a binary tag": lambda _: b"parties: {a: {name: !!binary R0VIRUlN}}\n",
    "double keys": lambda _: (ROUTES + "routes: []\nroutes: []\n").encode(),
    "a double party": lambda _: ROUTES.replace("channels:", "  portal: {name: x}\nchannels:", 1)
    .encode(),
    "depth 20": lambda _: b"parties: " + b"{a: " * 20 + b"}" * 20,
    "depth 100000": lambda _: b"parties: " + b"[" * 100_000,
    "depth of blocks": lambda _: b"".join(b" " * at + b"a:\n" for at in range(2_000)),
    "a key that is a list": lambda _: b"? [a, b]\n: c\n",
    "two documents": lambda _: (ROUTES + "routes: []\n---\nroutes: []\n").encode(),
    "a directive": lambda _: b"%YAML 9.9\n---\nparties: {}\n",
    "NUL": lambda _: b"parties: \x00\n",
    "a direction": lambda _: "parties: {a: {name: x\u202ey}}\n".encode(),
    "no UTF-8": lambda _: b"parties: \xff\xfe\n",
    "UTF-16": lambda _: ROUTES.encode("utf-16"),
    "33 MB": lambda _: b"# " + b"x" * 33_000_000,
    "a key of 1 MB": lambda _: b"x" * 1_000_000 + b": y\n",
    "a million keys": lambda _: b"parties:\n" + b"".join(b"  p%d: 1\n" % i for i in range(100_000)),
    "nothing": lambda _: b"",
    "a zip": lambda _: b"PK\x03\x04" + bytes(range(256)),
    "a variable of the environment": lambda _: b"parties: {a: {name: '${XOEV_BROKER_STATE'}}\n",
    "a variable that is not there": _channel("{kind: directory, out: '${GEHEIM_UND_FORT}'}"),
    "an octal number": lambda _: ROUTES.replace("eingang, from", "eingang, max: 0o17, from")
    .encode(),
    "a time": lambda _: ROUTES.replace("settle: 0s", "settle: 12:30", 1).encode(),
    "not a number": lambda _: ROUTES.replace("max: 20", "max: .nan").encode(),
    "without an end": lambda _: ROUTES.replace("max: 20", "max: .inf").encode(),
    "below nothing": lambda _: ROUTES.replace("max: 20", "max: -20").encode(),
    "an address that is a file": _channel("{kind: rest, address: 'file:///etc/passwd'}"),
    "an address of folders": _channel("{kind: rest, address: 'http://${PATH}/'}"),
    "an unknown kind of channel": _channel("{kind: os.system, out: x}"),
    "an adapter that leads out": lambda _: (
        ROUTES + "routes:\n  - {name: a, match: {standard: xbau, recipient: 'x:1'}, "
        "adapter: ../../../../etc, channel: gut}\n"
    ).encode(),
}  # fmt: skip


def _kept(fort: Fort) -> None:
    """Reload, and wait until the broker says that the old table stays in force."""
    before = fort.node.events("kept")
    os.kill(fort.node.pid, signal.SIGHUP)
    until(lambda: fort.node.events("kept") > before, "the table was not applied")


@pytest.fixture
def restored(fort: Fort) -> object:
    """Put the right table back afterwards."""
    right = fort.routes.read_bytes()
    yield right
    fort.routes.unlink()
    fort.routes.write_bytes(right)


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
@pytest.mark.usefixtures("restored")
def test_a_hostile_table_is_named_and_not_applied(
    fort: Fort, survived: Survived, make: Callable[[Lure], bytes]
) -> None:
    fort.routes.write_bytes(make(fort.lure))

    typed = fort.run("check")
    _kept(fort)

    shown = typed.out + typed.err
    assert typed.code == 1
    assert not [word for word in (SECRET, *map(bytes.decode, SHOWN)) if word in shown]
    assert all(line.isprintable() for line in shown.splitlines())
    assert not (fort.folder / "boese-war-hier").exists()
    survived(fort, "routes.yaml")


KINDS: Mapping[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a folder": os.mkdir,
    "a link without an end": lambda path: os.symlink("/dev/zero", path),
}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_a_table_that_is_no_file_is_not_waited_for(
    fort: Fort, survived: Survived, make: Callable[[Path], object]
) -> None:
    aside = fort.routes.rename(fort.folder / "beiseite.yaml")
    make(fort.routes)
    try:
        assert fort.run("check").code == 1
        _kept(fort)
    finally:
        (fort.routes.rmdir if fort.routes.is_dir() else fort.routes.unlink)()
        aside.rename(fort.routes)

    survived(fort, "routes.yaml")
