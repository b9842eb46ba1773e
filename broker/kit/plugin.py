"""A pytest plug-in: the golden samples of adapters outside this repository as tests.

    pytest --xoev-adapters FOLDER [--xoev-schemas FOLDER]

Each sample below FOLDER/<city>/<procedure>/samples is one test, `city/procedure/case`; loading each
adapter is another. Nothing of the broker is loaded in runs without the option.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from broker.catalog import Catalog
    from broker.xoev.standards import Standards

_REQUEST = "1-request.xoev.xml"


class Bench:
    """Adapters and standards, loaded once for all tests of a run."""

    def __init__(self, folders: tuple[Path, ...], schemas: Path | None) -> None:
        """Name the folders; nothing is loaded yet."""
        self.folders = folders
        self._schemas = schemas
        self._catalog: Catalog | None = None
        self._standards: Standards | None = None

    @property
    def catalog(self) -> Catalog:
        """The adapters of all folders."""
        from broker.catalog import Catalog
        from broker.xoev.codelists import CodeLists

        if self._catalog is None:
            lists = CodeLists.load(self._folder())
            self._catalog = Catalog.load(self.folders, lists.entry)
        return self._catalog

    @property
    def standards(self) -> Standards:
        """The standards that judge the samples; the settings say where they lie."""
        from broker.xoev.standards import Standards

        self._standards = self._standards or Standards.load(self._folder())
        return self._standards

    def _folder(self) -> Path:
        import os

        from broker.settings import Settings

        return self._schemas or Settings.load(os.environ).schemas

    def name(self, file: Path, depth: int) -> str:
        """Return the adapter that a file belongs to, so many levels below one of the folders."""
        for folder in self.folders:
            if file.is_relative_to(folder) and len(file.relative_to(folder).parts) == depth:
                return "/".join(file.relative_to(folder).parts[:2])
        return ""


class Wrong(Exception):
    """What is shown of a test that failed."""


class _File(pytest.File):
    """A file that stands for one test."""

    bench: Bench
    adapter: str
    kind: type[pytest.Item]

    def collect(self) -> Iterable[pytest.Item]:
        name = self.adapter if self.kind is Loading else f"{self.adapter}/{self.path.parent.name}"
        yield self.kind.from_parent(self, name=name)


class _Test(pytest.Item):
    """A test that says what is wrong in plain lines."""

    parent: _File

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        if isinstance(excinfo.value, Wrong):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.name


class Loading(_Test):
    """An adapter can be loaded, and has samples."""

    def runtest(self) -> None:
        catalog = self.parent.bench.catalog
        place = f"{self.name}/"
        broken = [str(one) for one in catalog.findings if one.file.startswith(place)]
        if broken:
            raise Wrong("\n".join(broken))
        if not catalog.has(self.name):
            raise Wrong("\n".join(map(str, catalog.findings)))


class Case(_Test):
    """What goes into an adapter, and what must come out, both ways."""

    def runtest(self) -> None:
        from broker.samples import Sample, check

        bench, adapter = self.parent.bench, self.parent.adapter
        if not bench.catalog.has(adapter):
            pytest.skip(f"adapter {adapter} cannot be loaded")
        results = check(bench.catalog, Sample(adapter, self.path.parent), bench.standards)
        wrong = [result.difference for result in results if not result.ok]
        if wrong:
            raise Wrong("\n\n".join(wrong))


_BENCH: pytest.StashKey[Bench] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the two options."""
    group = parser.getgroup("xoev-broker", "adapters of xoev-broker")
    group.addoption(
        "--xoev-adapters",
        action="append",
        default=[],
        metavar="FOLDER",
        help="folder with adapters <city>/<procedure>; their samples are tests (repeatable)",
    )
    group.addoption(
        "--xoev-schemas",
        default=None,
        metavar="FOLDER",
        help="folder with the standards; else as XOEV_BROKER_SCHEMAS says",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect the folders too, and only them where nothing else was asked for."""
    given: list[str] = config.getoption("--xoev-adapters")
    if not given:
        return
    folders = tuple(Path(config.invocation_params.dir, name).resolve() for name in given)
    for folder in folders:
        if not folder.is_dir():
            raise pytest.UsageError(f"--xoev-adapters: there is no folder {folder}")
    schemas = config.getoption("--xoev-schemas")
    place = Path(config.invocation_params.dir, schemas).resolve() if schemas else None
    config.stash[_BENCH] = Bench(folders, place)
    asked = config.args if config.args_source is pytest.Config.ArgsSource.ARGS else []
    config.args = [*asked, *map(str, folders)]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Make a test of every adapter and of every sample below the folders."""
    bench = parent.config.stash.get(_BENCH, None)
    if bench is None:
        return None
    for wanted, depth, kind in (("adapter.py", 3, Loading), (_REQUEST, 5, Case)):
        adapter = bench.name(file_path, depth) if file_path.name == wanted else ""
        if adapter:
            return _file(parent, file_path, bench, adapter, kind)
    return None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what adapters share: it is no adapter, whatever its files are called."""
    bench = config.stash.get(_BENCH, None)
    shared = bench is not None and any(collection_path == one / "shared" for one in bench.folders)
    return True if shared else None


def _file(
    parent: pytest.Collector, path: Path, bench: Bench, adapter: str, kind: type[pytest.Item]
) -> _File:
    made: _File = _File.from_parent(parent, path=path)
    made.bench, made.adapter, made.kind = bench, adapter, kind
    return made
