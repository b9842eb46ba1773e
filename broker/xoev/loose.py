"""Code lists that come alone, without the schemas of a standard (Genericode)."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.xoev import place
from broker.xoev.assembly import ALREADY, INSTALLED, REPLACED
from broker.xoev.codelists import FOLDER, CodeLists
from broker.xoev.genericode import Identity, read

_ODD: Final = re.compile(r"[^0-9A-Za-z._-]+")


@dataclass(frozen=True, slots=True)
class Loose:
    """What became of one version of one list; `status` is one of those of `install`."""

    identity: Identity
    status: str


def keep(tree: Path, folder: Path, stage: Path) -> tuple[Loose, ...]:
    """Put the lists below `tree` into `codelists/` of `schemas/xoev`; empty where there is none.

    All are read before the first one is kept; each then takes the place of an older copy of the
    same version at once. Raises ConfigError with file and line where one cannot be read.
    """
    found = CodeLists.of(tree).identities()
    lists = [read(one.path) for one in found]
    home = folder / FOLDER
    there = CodeLists.of(home)
    done = []
    for one in lists:
        old = there.versions(one.identity.uri).get(one.identity.version)
        if old is not None and _digest(old.path) == one.digest:
            done.append(Loose(old, ALREADY))
            continue
        target = old.path if old else home / _name(one.identity)
        _put(one.identity.path, target, stage)
        done.append(Loose(one.identity, REPLACED if old else INSTALLED))
    if done:
        place.sync(home)
    return tuple(done)


def _name(one: Identity) -> str:
    return f"{_ODD.sub('.', f'{one.uri}_{one.version}')}.xml"


def _put(source: Path, target: Path, stage: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    new = stage / "list"
    new.mkdir(exist_ok=True)
    copy = shutil.copyfile(source, new / "list.xml")
    place.sync(new)
    copy.replace(target)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
