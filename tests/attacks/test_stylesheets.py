"""Stylesheets of XSLT 3 that do harm: they reach nothing, and their process bears the damage alone.

What they may not read and not write is in `tests/kit/test_saxon.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from broker.errors import ConversionFailed
from broker.message import Authority, Facts
from broker.saxon import SaxonStylesheet
from tests.attacks.poison import PLANTED

pytestmark = pytest.mark.skipif(
    find_spec("saxonche") is None,
    reason='XSLT 3.0 needs the extra "saxon" (pip install "xoev-broker[saxon]")',
)
FACTS = Facts(
    "0123456789ABC", "m", datetime(2026, 5, 4, 8, 30, tzinfo=UTC), Authority("a"), Authority("b")
)
SECRETIVE = PLANTED[0]
SHEET = """\
<xsl:stylesheet version="3.0" expand-text="yes" xmlns:f="urn:f"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/">{body}</xsl:template>
{more}
</xsl:stylesheet>
"""
ENDLESS: Mapping[str, tuple[str, str]] = {
    "a function that calls itself": (
        "{f:deep(0)}",
        '<xsl:function name="f:deep"><xsl:param name="n"/>'
        '<xsl:sequence select="1 + f:deep($n + 1)"/></xsl:function>',
    ),
    "a template that calls itself": (
        '<xsl:call-template name="deep"/>',
        '<xsl:template name="deep"><a><xsl:call-template name="deep"/></a></xsl:template>',
    ),
    "a template that applies itself": (
        '<xsl:apply-templates select="/a" mode="deep"/>',
        '<xsl:template match="a" mode="deep">'
        '<a><xsl:apply-templates select="." mode="deep"/></a></xsl:template>',
    ),
}
FLOOD = (
    f'<xsl:for-each select="1 to 100000"><xsl:message>{SECRETIVE} {{.}} {"x" * 100}</xsl:message>'
    "</xsl:for-each>done"
)


def placed(folder: Path, body: str, more: str = "") -> SaxonStylesheet:
    (folder / "s.xsl").write_text(SHEET.format(body=body, more=more), "utf-8")
    step = SaxonStylesheet("s.xsl")
    step.place(folder)
    return step


def told(step: SaxonStylesheet, file: str) -> str:
    """Return what the system says about the process of a stylesheet."""
    assert step._process is not None
    return Path(f"/proc/{step._process._child.pid}/{file}").read_text("ascii")


@pytest.mark.parametrize(("body", "more"), ENDLESS.values(), ids=ENDLESS)
def test_endless_depth_is_a_failed_conversion(tmp_path: Path, body: str, more: str) -> None:
    step = placed(tmp_path, body, more)

    for _ in range(2):
        with pytest.raises(ConversionFailed, match=r"s\.xsl:\d+: the stylesheet failed"):
            step(b"<a/>", FACTS)


def test_a_flood_of_messages_is_heard_by_nobody_and_kept_nowhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    step = placed(tmp_path, FLOOD)

    for _ in range(2):
        assert step(b"<a/>", FACTS) == b"done"
    assert SECRETIVE not in "".join(capfd.readouterr())
    assert int(re.findall(r"VmHWM:\s+(\d+)", told(step, "status"))[0]) < 400_000


def test_the_system_bounds_what_its_process_opens_keeps_and_says(tmp_path: Path) -> None:
    step = placed(tmp_path, "x")
    step.load()
    limits = told(step, "limits")

    assert re.search(r"Max open files +0 +0 ", limits)
    assert re.search(rf"Max data size +{2 << 30} +{2 << 30} ", limits)
    assert re.search(r"Max file size +1000000 +1000000 ", limits)


def test_an_error_in_the_middle_of_a_flood_tells_no_value(tmp_path: Path) -> None:
    step = placed(tmp_path, FLOOD + "<xsl:value-of select='1 + /a'/>")

    with pytest.raises(ConversionFailed) as caught:
        step(f"<a>{SECRETIVE}</a>".encode(), FACTS)

    assert SECRETIVE not in str(caught.value)
