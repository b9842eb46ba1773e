"""The adapters of this installation: a folder `<city>/<procedure>` with an `adapter.py` is one.

They lie in the folders of the settings, and in packages that name themselves with an entry point of
the group `xoev_broker.adapters`: its value is the package whose folder holds `<city>/<procedure>/`.
"""

from __future__ import annotations

import difflib
import hashlib
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

from broker.adapter import Adapter
from broker.codes import Lists
from broker.errors import BrokerError, ConfigError, Finding, guarded, original

#: Entry points of this group name packages that hold adapters.
GROUP: Final = "xoev_broker.adapters"


@dataclass(frozen=True, slots=True)
class Catalog:
    """Adapters by name, the folder of each, and what was wrong with those that are broken.

    `broken` has the findings of each adapter of which no other one of the name can be used.
    """

    adapters: Mapping[str, Adapter] = field(default_factory=dict)
    folders: Mapping[str, Path] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    broken: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)
    #: What says which code lists are installed: an adapter's output depends on them too.
    state: Callable[[], str] = str

    @classmethod
    def load(
        cls,
        folders: Iterable[Path],
        lists: Lists | None = None,
        state: Callable[[], str] = str,
    ) -> Catalog:
        """Load all adapters below these folders, then those of installed packages.

        Stylesheets are compiled on this thread. A broken adapter is a finding and is left out,
        whatever its code raised; so is a second one of the same name. `lists` finds codes in the
        installed lists (CodeLists.entry), `state` tells their digest.
        """
        adapters: dict[str, Adapter] = {}
        places: dict[str, Path] = {}
        packages, findings = installed()
        broken: dict[str, tuple[Finding, ...]] = {}
        for file in _files_of((*folders, *packages)):
            name = "/".join(file.parent.parts[-2:])
            try:
                if name in adapters:
                    raise ConfigError(findings=[Finding(f'adapter "{name}" exists twice')])
                with guarded():
                    adapters[name] = _adapter(file, lists)
                places[name] = file.parent
            except (BrokerError, SystemExit) as error:
                broken[name] = tuple(_findings(original(error), file))
                findings += broken[name]
        gone = {name: found for name, found in broken.items() if name not in adapters}
        return cls(adapters, places, tuple(findings), gone, state)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all adapters that can be used, sorted."""
        return tuple(sorted(self.adapters))

    def has(self, name: str) -> bool:
        """Whether an adapter of this name can be used."""
        return name in self.adapters

    def accepts(self, name: str) -> tuple[str, ...]:
        """Return what an adapter takes, as `standard/version`."""
        return self.get(name).accepts

    def get(self, name: str) -> Adapter:
        """Return an adapter; ConfigError says why it is broken, or suggests the nearest name."""
        if name in self.broken:
            raise ConfigError(f'adapter "{name}" is broken', findings=self.broken[name])
        if name not in self.adapters:
            raise ConfigError(f'unknown adapter "{name}"{self._suggestion(name)}')
        return self.adapters[name]

    def folder(self, name: str) -> Path:
        """Return where an adapter lies; ConfigError as `get`."""
        self.get(name)
        return self.folders[name]

    def digest(self, name: str) -> str:
        """Return the SHA-256 (hex) over all files that an adapter's output depends on.

        The installed code lists are among them.
        """
        folder = self.folder(name)
        shared = folder.parent.parent / "shared" / folder.name
        whole = hashlib.sha256(self.state().encode())
        for root in (folder, shared):
            for file in _files(root):
                content = file.read_bytes()
                whole.update(f"{file.relative_to(root.parent.parent).as_posix()}\n".encode())
                whole.update(f"{len(content)}\n".encode() + content)
        return whole.hexdigest()

    def _suggestion(self, name: str) -> str:
        near = difflib.get_close_matches(name, self.adapters, n=1)
        return f', did you mean "{near[0]}"?' if near else ""


def installed() -> tuple[list[Path], list[Finding]]:
    """Return the folders of installed packages with adapters, and what is wrong with the others.

    No code of these packages runs for it.
    """
    folders: dict[Path, None] = {}
    findings = []
    for point in sorted(entry_points(group=GROUP), key=lambda one: one.name):
        top, _, rest = point.value.partition(".")
        spec = find_spec(top)
        places = [Path(place, *rest.split(".")) for place in _locations(spec)]
        found = [place for place in places if place.is_dir()]
        folders |= dict.fromkeys(found)
        if not found:
            text = f'entry point "{point.name}": there is no package "{point.value}"'
            findings.append(Finding(text, point.dist.name if point.dist else GROUP))
    return list(folders), findings


def _locations(spec: ModuleSpec | None) -> Iterable[str]:
    return (spec.submodule_search_locations or ()) if spec else ()


def _files_of(folders: Iterable[Path]) -> list[Path]:
    return [file for folder in folders for file in sorted(folder.glob("*/*/adapter.py"))]


def _files(root: Path) -> list[Path]:
    """Return the files below a folder, without samples and what Python leaves there."""
    left = {"samples", "__pycache__"}
    return sorted(
        file
        for file in root.rglob("*")
        if file.is_file() and left.isdisjoint(file.relative_to(root).parts)
    )


def _adapter(file: Path, lists: Lists | None) -> Adapter:
    module = _module(file)
    found = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, Adapter)
        and kind.__module__ == module.__name__
    ]
    if len(found) != 1:
        text = f"holds {len(found)} subclasses of Adapter; exactly one is needed"
        raise ConfigError(findings=[Finding(text)])
    made: Adapter = found[0]()
    if lists is not None:
        made.use(lists)
    return made


def _module(file: Path) -> ModuleType:
    """Run a file as a module of its own name; the name stays in no table once the class is made."""
    name = f"adapter_{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:16]}"
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError("is not a Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _findings(error: BaseException, file: Path) -> list[Finding]:
    place = "/".join(file.parts[-3:])
    if isinstance(error, SyntaxError):
        return [Finding(f"is not Python: {error.msg}", place, error.lineno or 0)]
    if isinstance(error, BrokerError) and error.findings:
        return [_placed(finding, place) for finding in error.findings]
    frames = traceback.extract_tb(error.__traceback__)
    line = next((frame.lineno for frame in reversed(frames) if Path(frame.filename) == file), 0)
    return [Finding(f"{type(error).__name__}: {error}", place, line or 0)]


def _placed(finding: Finding, place: str) -> Finding:
    if finding.file:
        return finding
    return Finding(finding.text, place, finding.line, finding.column, finding.path, finding.rule)
