"""Every public bundle by the real command: installed, judged by, held for, and removed again."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests import site
from tests.needs import ROOT
from tests.site import ROUTES, Site

pytestmark = pytest.mark.usefixtures("shared")

#: XBau brings the shared types that its own core module needs, so it comes before that.
BUNDLES = {
    "xoev-bibliothek": {"xoev-bibliothek/0.51dfd2e2"},
    "xbau_2.5": {"xbau/2.5", "xbau-kernmodul/1.2.2"},
    "xbau_2.6": {"xbau/2.6", "xbau-kernmodul/1.3.0"},
    "xbau-kernmodul_1.2.2": {"xbau-kernmodul/1.2.2"},
    "xbau-kernmodul_1.3.0": {"xbau-kernmodul/1.3.0"},
    "xdomea_2.3.0": {"xdomea/2.3.0"},
    "xdomea_2.4.0": {"xdomea/2.4.0"},
    "xdomea_3.0.0": {"xdomea/3.0.0"},
    "xdomea_3.1.0": {"xdomea/3.1.0"},
}
ADAPTER = """from broker import Adapter, Stylesheet

class Bau(Adapter):
    accepts = ("xbau/2.6",)
    to_legacy = Stylesheet("to_legacy.xsl")

    def to_xoev(self, reply, facts):
        return reply
"""
SHEET = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:x="urn:xoev-broker:adapter" exclude-result-prefixes="x">
  <xsl:variable name="towns" select="'urn:de:bund:destatis:bevoelkerungsstatistik:schluessel:ags'"/>
  <xsl:template match="/">
    <Antrag><xsl:value-of select="x:code($towns, substring-after(//leser/kennung, ':'))"/></Antrag>
  </xsl:template>
</xsl:stylesheet>"""
PLAIN = ("--codelists", "off", "--rules", "off")


@dataclass(frozen=True)
class House:
    """A site whose standards are its own: our profiles, and what was installed."""

    site: Site
    schemas: Path

    def run(self, *args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end."""
        return subprocess.run(
            self.site.command(*args), input=stdin, capture_output=True, env=self.environ,
            cwd=self.site.folder, timeout=120, check=False,
        )  # fmt: skip

    def json(self, *args: str) -> Any:
        """Run a command that must succeed; return what it printed for machines."""
        done = self.run(*args, "--json")
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def verdict(self, raw: bytes, *options: str) -> tuple[str, str, list[str]]:
        """Return verdict, reason, and what judged."""
        done = self.run("validate", "-", "--report", "json", *options, stdin=raw)
        found = json.loads(done.stdout)
        assert (done.returncode == 0) == (found["verdict"] == "accept")
        steps = {step["name"]: step for step in found["steps"]}
        judges = [one["name"] for one in steps["schema"]["judged_by"]]
        return found["verdict"], found["reason"] or "", judges

    @property
    def environ(self) -> dict[str, str]:
        return {**self.site.process(), "XOEV_BROKER_SCHEMAS": str(self.schemas)}


def fresh(folder: Path, routes: str = ROUTES) -> House:
    """Build a site with what the repository carries, and no official bundle."""
    folder.mkdir(parents=True, exist_ok=True)
    ignored = shutil.ignore_patterns("official")
    shutil.copytree(ROOT / "schemas/xoev", folder / "schemas", ignore=ignored)
    return House(site.build(folder, routes), folder / "schemas")


def everything(folder: Path) -> dict[str, bytes]:
    """Return all files but the lock of the installation."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def full(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> House:
    """Return a site into which all public bundles were installed, one after the other."""
    house = fresh(tmp_path_factory.mktemp("full") / "site")
    for name, expected in BUNDLES.items():
        found = house.json("schemas", "install", str(shared / "xoev" / name))
        there = {f"{one['standard']}/{one['version']}" for one in found["changes"]}
        assert there == expected
    found = house.json("schemas", "install", str(shared / "xoev/genericode"))
    assert {one["status"] for one in found["codelists"]} <= {"installed", "replaced"}
    return house


def xbau(shared: Path, pattern: str) -> list[Path]:
    return sorted((shared / "xoev/xbau_2.6/samples/synthetic").glob(pattern))


def changed(raw: bytes, pattern: str, text: str) -> bytes:
    """Replace the one place that a pattern finds."""
    new, count = re.subn(pattern.encode(), text.encode(), raw, count=1)
    assert count == 1
    return new


def test_all_bundles_are_listed_as_official(full: House) -> None:
    found = full.json("schemas", "list")["standards"]

    official = {
        f"{one['standard']}/{one['version']}" for one in found if one["judged_by"] == "official"
    }
    assert official == set().union(*BUNDLES.values()) - {"xoev-bibliothek/0.51dfd2e2"}


def test_the_record_of_a_bundle_tells_every_file_with_its_digest(full: House, shared: Path) -> None:
    found = full.json("schemas", "show", "xbau/2.6")

    assert (found["title"], found["origin"]) == ("XBau", "xbau_2.6")
    assert found["dependencies"] == ["xbau-kernmodul/1.3.0"]
    assert "wsdl/XBau26-BH2BAB.wsdl" in found["files"]
    assert found["rules"]
    names = {Path(name).name for name in found["files"]}
    assert {path.name for path in shared.glob("xoev/xbau_2.6/xsd_dev/xbau-*.xsd")} <= names


def test_no_file_of_a_bundle_is_changed(full: House, shared: Path) -> None:
    source = {path.name: path.read_bytes() for path in shared.glob("xoev/xdomea_3.1.0/xsd/*.xsd")}

    home = full.schemas / "xdomea/3.1.0/official"
    assert source == {path.name: path.read_bytes() for path in home.rglob("xdomea*.xsd")}


def test_valid_samples_are_valid_by_their_schema(full: House, shared: Path) -> None:
    paths = [path for path in xbau(shared, "*.xml") if not path.name.startswith("INVALID")]

    found = [full.verdict(path.read_bytes(), *PLAIN) for path in paths]

    assert len(found) == 7
    assert {(verdict, *judges) for verdict, _, judges in found} == {
        ("accept", "xbau/2.6/official"),
        ("accept", "xbau-kernmodul/1.3.0/official"),
    }


@pytest.mark.parametrize(("pattern", "reason"), [("*_x001_*", "X001"), ("*_v000_*", "V000")])
def test_invalid_samples_are_refused_for_their_reason(
    full: House, shared: Path, pattern: str, reason: str
) -> None:
    (path,) = xbau(shared, f"INVALID{pattern}")

    verdict, found, _ = full.verdict(path.read_bytes(), *PLAIN)

    assert (verdict, found) == ("reject", reason)


@pytest.mark.parametrize("version", ["2.3.0", "2.4.0", "3.0.0"])
def test_samples_of_xdomea_are_valid_by_their_own_version(
    full: House, shared: Path, version: str
) -> None:
    paths = sorted(shared.glob(f"xoev/xdomea_{version}/samples/**/*.xml"))

    found = [full.verdict(path.read_bytes(), *PLAIN) for path in paths]

    assert len(found) >= 4
    assert {(verdict, *judges) for verdict, _, judges in found} == {
        ("accept", f"xdomea/{version}/official")
    }


def test_a_sample_of_a_version_that_nobody_publishes_is_not_judged(
    full: House, shared: Path
) -> None:
    (path,) = shared.glob("xoev/xdomea_4.0.0/samples/**/*.xml")

    assert full.verdict(path.read_bytes())[0] == "undecided"


@pytest.mark.parametrize(
    ("sample", "pattern", "text", "verdict"),
    [
        ("antrag", "<erstellungszeitpunkt>(.+?)<", r"<erstellungszeitpunkt>\n \1 <", "accept"),
        ("antrag", "<erstellungszeitpunkt>....", "<erstellungszeitpunkt>0000", "reject"),
        ("rueckweisung", "<nachricht>", "<nachricht>QUJD!", "reject"),
        ("rueckweisung", "<nachricht>", "<nachricht>ÄÄ", "reject"),
    ],
    ids=["white space around a time", "year 0", "base64 with !", "base64 with Ä"],
)
def test_where_the_libraries_disagree_the_specification_decides(
    full: House, shared: Path, sample: str, pattern: str, text: str, verdict: str
) -> None:
    (path,) = xbau(shared, f"wolfsburg_*{sample}*.xml")

    assert full.verdict(changed(path.read_bytes(), pattern, text), *PLAIN)[0] == verdict


def test_empty_names_break_a_rule_of_the_standard(full: House, shared: Path) -> None:
    (path,) = xbau(shared, "wolfsburg_*antrag*.xml")

    done = full.run("validate", str(path), "--codelists", "off")

    assert done.returncode == 1
    assert b"sch-xbau-gen-001" in done.stdout


def test_a_code_that_a_list_lacks_is_told_with_list_and_version(full: House, shared: Path) -> None:
    path = next(iter(sorted(shared.glob("xoev/xdomea_3.0.0/samples/pattern/*.xml"))))

    done = full.run("validate", str(path), "--rules", "off")

    assert b'is not in code list "urn:de:xoev:codeliste:erreichbarkeit" version 3' in done.stdout


def test_every_public_list_can_be_looked_up(full: House) -> None:
    found = full.json("codelists", "list")["codelists"]
    towns = full.json(
        "codelists", "lookup", "urn:de:bund:destatis:bevoelkerungsstatistik:schluessel:ags",
        "03103000",
    )  # fmt: skip

    assert len(found) >= 104
    assert "Wolfsburg, Stadt" in towns["row"].values()


def test_everything_again_changes_nothing(full: House, shared: Path) -> None:
    before = everything(full.schemas)

    for name in ("xbau_2.6", "xdomea_3.1.0", "genericode"):
        found = full.json("schemas", "install", str(shared / "xoev" / name))
        states = {one["status"] for one in (*found["changes"], *found["codelists"])}
        assert states <= {"already installed", "kept"}

    assert everything(full.schemas) == before


def test_a_bundle_that_a_route_needs_is_not_removed(full: House) -> None:
    done = full.run("schemas", "remove", "xbau/2.6")

    assert done.returncode == 1
    assert b'is needed by route "bau/wolfsburg"' in done.stderr
    assert full.json("schemas", "show", "xbau/2.6")


def test_a_bundle_that_nobody_needs_is_removed(full: House, shared: Path) -> None:
    done = full.run("schemas", "remove", "xdomea/2.3.0")

    try:
        assert done.returncode == 0, done.stderr
        assert not (full.schemas / "xdomea/2.3.0/official").exists()
    finally:
        full.json("schemas", "install", str(shared / "xoev/xdomea_2.3.0"))


def test_a_broken_schema_is_told_with_file_and_line_and_nothing_is_activated(
    shared: Path, tmp_path: Path
) -> None:
    house = fresh(tmp_path / "site")
    shutil.copytree(shared / "xoev/xdomea_3.1.0", tmp_path / "bundle")
    (file,) = (tmp_path / "bundle").rglob("xdomea-Nachrichten-AussonderungDurchfuehren.xsd")
    lines = file.read_text("utf-8").splitlines(keepends=True)
    line = next(at for at, text in enumerate(lines) if "<xs:element" in text and "type=" in text)
    lines[line] = re.sub('type="[^"]*"', 'type="xdomea:GibtEsNicht"', lines[line])
    file.write_text("".join(lines), "utf-8")
    before = everything(house.schemas)

    done = house.run("schemas", "install", str(tmp_path / "bundle"))

    assert done.returncode == 1
    assert f"{file.name}:{line + 1}" in done.stderr.decode()
    assert "nothing was installed" in done.stderr.decode()
    assert everything(house.schemas) == before


def test_all_bundles_at_once_install_from_a_zip(shared: Path, tmp_path: Path) -> None:
    house = fresh(tmp_path / "site")
    archive = shutil.make_archive(str(tmp_path / "xbau_2.6"), "zip", shared / "xoev/xbau_2.6")

    found = house.json("schemas", "install", archive)["changes"]

    assert {f"{one['standard']}/{one['version']}" for one in found} == {
        "xbau/2.6",
        "xbau-kernmodul/1.3.0",
    }


@contextmanager
def running(house: House) -> Iterator[subprocess.Popen[bytes]]:
    """Run the broker until the block ends; its log goes to a file."""
    with (
        (house.site.folder / "log").open("wb") as log,
        subprocess.Popen(
            house.site.command("run"), env=house.environ, cwd=house.site.folder,
            stdout=subprocess.PIPE, stderr=log,
        ) as process,
    ):  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def until(done: Callable[[], bool]) -> bool:
    tick = Event()
    return any(done() or tick.wait(0.1) for _ in range(600))


def test_a_message_is_held_until_its_bundle_is_installed(shared: Path, tmp_path: Path) -> None:
    house = fresh(tmp_path / "site", ROUTES.replace("      version: 2.6\n", ""))
    shutil.rmtree(house.schemas / "xbau/2.5")
    shutil.rmtree(house.schemas / "xbau-kernmodul/1.2.2")
    sample = ROOT / "adapters/salzgitter/bau/samples/einfach-2-5/1-request.xoev.xml"

    with running(house) as broker:
        house.json("submit", str(sample))
        assert until(lambda: _states(house) == ["held"])

        house.json("schemas", "install", str(shared / "xoev/xbau_2.5"))
        broker.send_signal(signal.SIGHUP)

        assert until(lambda: _states(house) == ["delivered"])
    (row,) = house.json("messages")["messages"]
    trace = house.run("trace", row["id"]).stdout.decode()
    assert "xbau/2.5/official" in trace
    assert len(house.site.out("salzgitter")) == 1


def test_an_adapter_reads_the_lists_that_were_installed(full: House) -> None:
    folder = full.site.folder / "own/musterstadt/bau"
    folder.mkdir(parents=True)
    (folder / "adapter.py").write_text(ADAPTER, "utf-8")
    (folder / "to_legacy.xsl").write_text(SHEET, "utf-8")
    sample = ROOT / "adapters/wolfsburg/bau/samples/einfach/1-request.xoev.xml"

    done = subprocess.run(
        full.site.command("convert", str(sample), "--adapter", "musterstadt/bau"),
        capture_output=True, cwd=full.site.folder, timeout=60, check=False,
        env={**full.environ, "XOEV_BROKER_ADAPTERS": str(full.site.folder / "own")},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr.decode()
    assert "Wolfsburg, Stadt" in done.stdout.decode()


def _states(house: House) -> list[str]:
    return [one["state"] for one in house.json("messages")["messages"]]
