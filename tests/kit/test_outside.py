"""Adapters from outside: from other folders and installed packages; a broken one harms nobody."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from broker import catalog
from broker.app import App, disabled
from broker.catalog import GROUP, Catalog
from broker.errors import ConfigError
from broker.message import State
from broker.service import Service
from broker.settings import Settings
from broker.stores.contract import Filter
from tests import messages, site
from tests.needs import ROOT
from tests.site import Site

GOOD = """from broker import Adapter

class Good(Adapter):
    accepts = ("x/1",)

    def to_legacy(self, document, facts):
        return b"forth"

    def to_xoev(self, reply, facts):
        return b"back"
"""


def put(folder: Path, name: str, text: str = GOOD) -> Path:
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "adapter.py").write_text(text, "utf-8")
    return folder


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what makes a package `stadt_adapters` known, as an installed one with a value."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    def install(value: str) -> None:
        point = EntryPoint("stadt", value, GROUP)
        monkeypatch.setattr(
            catalog, "entry_points", lambda group: [point] if group == GROUP else ()
        )

    return install


def test_an_installed_package_brings_its_adapters(
    tmp_path: Path, package: Callable[[str], None]
) -> None:
    put(tmp_path / "site/stadt_adapters", "stadt/bau")
    (tmp_path / "site/stadt_adapters/__init__.py").write_text("raise SystemExit", "utf-8")
    package("stadt_adapters")

    found = Catalog.load([put(tmp_path / "own", "dorf/bau")])

    assert found.names == ("dorf/bau", "stadt/bau")
    assert found.findings == ()


def test_a_folder_inside_a_package_can_be_named(
    tmp_path: Path, package: Callable[[str], None]
) -> None:
    put(tmp_path / "site/stadt_product/adapters", "stadt/bau")
    package("stadt_product.adapters")

    assert Catalog.load([]).names == ("stadt/bau",)


def test_an_entry_point_without_its_package_is_a_finding(package: Callable[[str], None]) -> None:
    package("not_there")

    found = Catalog.load([])

    assert str(found.findings[0]).endswith('entry point "stadt": there is no package "not_there"')


def test_a_folder_of_the_settings_comes_before_an_installed_package(
    tmp_path: Path, package: Callable[[str], None]
) -> None:
    put(tmp_path / "site/stadt_adapters", "stadt/bau")
    package("stadt_adapters")
    own = put(tmp_path / "own", "stadt/bau")

    found = Catalog.load([own])

    assert found.folder("stadt/bau") == own / "stadt/bau"
    assert not found.broken


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("class Odd(Exception): pass\nraise Odd('x')\n", "stadt/bau/adapter.py:2: Odd: x"),
        ("import sys\nsys.exit(3)\n", "stadt/bau/adapter.py:2: SystemExit: 3"),
        ("def f():\n    f()\nf()\n", "stadt/bau/adapter.py:2: RecursionError: "),
        ("x = (\n", "stadt/bau/adapter.py:1: is not Python: "),
    ],
)
def test_whatever_an_adapter_raises_breaks_only_itself(
    tmp_path: Path, text: str, reason: str
) -> None:
    put(put(tmp_path, "dorf/bau"), "stadt/bau", text)

    found = Catalog.load([tmp_path])

    assert found.names == ("dorf/bau",)
    assert str(found.broken["stadt/bau"][0]).startswith(reason)


def test_asking_for_a_broken_adapter_says_why(tmp_path: Path) -> None:
    found = Catalog.load([put(tmp_path, "stadt/bau", "import nowhere_at_all\n")])

    with pytest.raises(ConfigError, match=r'(?s)adapter "stadt/bau" is broken.*adapter.py:1: Mod'):
        found.get("stadt/bau")


class Own(Site):
    """A site with adapters of its own."""

    @property
    def environ(self) -> dict[str, str]:
        return {**super().environ, "XOEV_BROKER_ADAPTERS": str(self.folder / "adapters")}

    @property
    def code(self) -> Path:
        """The code of Wolfsburg's adapter."""
        return self.folder / "adapters/wolfsburg/bau/adapter.py"

    def open(self) -> App:
        return App(Settings.load(self.environ), self.environ)


@pytest.fixture
def place(tmp_path: Path) -> Own:
    """Return a site in which the adapter of Wolfsburg is broken."""
    site.build(tmp_path)
    for name in ("shared/bau", "wolfsburg/bau", "braunschweig/bau", "salzgitter/bau"):
        shutil.copytree(ROOT / "adapters" / name, tmp_path / "adapters" / name)
    place = Own(tmp_path)
    place.code.write_text("import nowhere_at_all\n", "utf-8")
    return place


def test_only_what_routes_of_a_broken_adapter_take_waits(place: Own) -> None:
    place.file("w.xml", messages.request("wolfsburg"))
    place.file("b.xml", messages.request("braunschweig"))
    assert place.run("submit", "w.xml", "b.xml").returncode == 0
    place.work()
    app = place.open()
    states = {row.route: (row.state, row.error) for row in app.store.rows(Filter(limit=9))}
    app.close()

    assert states["bau/braunschweig"][0] is State.DELIVERED
    assert states["bau/wolfsburg"][0] is State.WAITING
    assert "the adapter wolfsburg/bau is not loaded" in states["bau/wolfsburg"][1]


def test_check_says_it_with_place_and_reason_and_fails(place: Own) -> None:
    ran = place.run("check")

    assert ran.returncode == 1
    assert b"wolfsburg/bau/adapter.py:1: ModuleNotFoundError" in ran.stdout
    assert b": ok:" not in ran.stdout


def test_a_broker_that_starts_says_which_adapter_is_broken(
    place: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[str, dict[str, str]]] = []
    service = Service(Settings.load(place.environ), place.environ)
    monkeypatch.setattr(service._log, "error", lambda event, **keys: said.append((event, keys)))
    service.start()
    service.finish()

    event, keys = said[0]
    assert (event, keys["adapter"]) == ("disabled", "wolfsburg/bau")
    assert keys["finding"].startswith("wolfsburg/bau/adapter.py:1: ModuleNotFoundError")


def test_a_reload_with_an_adapter_that_broke_keeps_the_old_one(place: Own) -> None:
    place.code.write_text((ROOT / "adapters/wolfsburg/bau/adapter.py").read_text("utf-8"), "utf-8")
    app = place.open()
    place.code.write_text("x = (\n", "utf-8")

    with pytest.raises(ConfigError, match=r"(?s)an adapter broke.*adapter.py:1: is not Python"):
        app.reload()

    assert app.site.catalog.has("wolfsburg/bau")
    app.close()


def test_a_reload_after_the_repair_puts_it_in_force(place: Own) -> None:
    app = place.open()
    assert list(disabled(app.site)) == ["wolfsburg/bau"]
    place.code.write_text((ROOT / "adapters/wolfsburg/bau/adapter.py").read_text("utf-8"), "utf-8")
    app.reload()

    assert not disabled(app.site)
    app.close()
