"""The unit of deploy/ as it lies there, under a real systemd with all its locks on."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import messages
from tests.cluster import until
from tests.machine import UNIT, Machine, present

SHEET = """\
<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:value-of select="upper-case(/a)"/></xsl:template>
</xsl:stylesheet>
"""
#: Both that memory is locked here, and that the step works.
SAXON = """\
import mmap
from datetime import UTC, datetime
from pathlib import Path
from broker.message import Authority, Facts
from broker.saxon import SaxonStylesheet
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError:
    pass
else:
    raise SystemExit("memory is writable and executable")
step = SaxonStylesheet("sheet.xsl")
step.place(Path("/srv/xoev-broker"))
facts = Facts("0123456789ABC", "m", datetime.now(UTC), Authority("a"), Authority("b"))
assert step(b"<a>abc</a>", facts) == b"ABC"
"""
#: Else one would wait for two minutes.
SOON = "WatchdogSec=4\nRestartSec=0.2\n"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    why = present()
    if why:
        pytest.skip(why)
    with Machine(tmp_path_factory.mktemp("machine"), SOON) as booted:
        yield booted


@pytest.fixture
def service(machine: Machine) -> Iterator[Machine]:
    """The machine with the service started; that returns only after READY."""
    done = machine.ctl("start", "xoev-broker")
    assert done.returncode == 0, done.stderr + machine.said()
    yield machine
    machine.ctl("stop", "xoev-broker")


def test_it_starts_and_says_that_it_is_ready(service: Machine) -> None:
    assert service.show("ActiveState") == "active"
    assert service.show("StatusText").startswith("role all, listens on port 8017")


def test_a_message_goes_through_it(service: Machine) -> None:
    site = service.folder / "site"
    (site / "probe.xml").write_bytes(messages.request(key="bab:03999000"))
    done = service.type_(
        "bash", "-c", "set -a; cd /srv/xoev-broker; . ./*.env; exec setpriv --reuid=xoev-broker"
        " --regid=xoev-broker --clear-groups /opt/xoev-broker/bin/xoev-broker submit"
        " probe.xml",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    out = site / "exchange/musterstadt/eingang"
    until(lambda: any(not one.name.startswith(".") for one in out.iterdir()), "it was delivered")


def test_a_reload_is_obeyed(service: Machine) -> None:
    before = service.said().count('"event":"reloaded"')

    assert service.ctl("reload", "xoev-broker").returncode == 0

    until(lambda: service.said().count('"event":"reloaded"') > before, "it reloaded")
    assert service.show("ActiveState") == "active"


def test_the_locks_are_on(service: Machine) -> None:
    pid = service.show("MainPID")
    status = service.type_("cat", f"/proc/{pid}/status").stdout
    found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)

    assert found["NoNewPrivs"] == "1"
    assert found["Seccomp"] == "2"
    assert found["CapEff"] == found["CapBnd"] == "0" * 16
    assert "0" not in found["Uid"].split()


def test_who_hangs_is_started_anew_by_the_watchdog(service: Machine) -> None:
    before = service.show("MainPID")

    service.type_("kill", f"-{signal.SIGSTOP}", before)
    until(lambda: service.show("MainPID") not in (before, "0"), "another one was started")
    until(lambda: service.show("ActiveState") == "active", "it is ready")

    assert service.show("NRestarts") != "0"


def test_a_stop_ends_it_in_order(service: Machine) -> None:
    assert service.ctl("stop", "xoev-broker").returncode == 0

    assert service.show("ActiveState") == "inactive"
    assert (service.show("Result"), service.show("ExecMainStatus")) == ("success", "0")


def test_saxon_runs_where_no_memory_may_be_written_and_executed(machine: Machine) -> None:
    pytest.importorskip("saxonche", reason="the extra `saxon` is missing")
    (machine.folder / "site/sheet.xsl").write_text(SHEET, "utf-8")
    once = UNIT.read_text("utf-8").replace("Type=notify", "Type=oneshot")
    once = re.sub(r"^(ExecStartPre|ExecReload|WatchdogSec|Restart|RestartSec)=.*\n", "", once,
                  flags=re.MULTILINE)  # fmt: skip
    once = once.replace("xoev-broker run", "python /srv/xoev-broker/saxon.py")
    once = once.replace("[Service]", f"[Service]\nStandardError=append:{machine.log}")
    (machine.folder / "site/saxon.py").write_text(SAXON, "utf-8")
    (machine.folder / "units/saxon.service").write_text(once, "utf-8")
    machine.ctl("daemon-reload")

    done = machine.ctl("start", "saxon")

    assert done.returncode == 0, machine.said()[-2000:]
    assert machine.show("Result", "saxon") == "success"
    assert machine.show("MemoryDenyWriteExecute", "saxon") == "yes"


def test_a_table_that_cannot_be_used_keeps_it_from_starting(machine: Machine) -> None:
    routes = machine.folder / "site/routes.yaml"
    text = routes.read_text("utf-8")
    routes.write_text(text.replace("adapter:", "adaptor:", 1), "utf-8")
    try:
        assert machine.ctl("start", "xoev-broker").returncode != 0
        assert 'unknown field "adaptor", did you mean "adapter"?' in machine.said()
    finally:
        machine.ctl("stop", "xoev-broker")
        routes.write_text(text, "utf-8")
        os.chown(routes, *[os.stat(Path(routes.parent)).st_uid] * 2)
