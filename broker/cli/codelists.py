"""Code lists: which are installed, what is in one, what a code means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from broker.cli.desk import settings
from broker.cli.terminal import say, show, table
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.xoev.codelists import CodeLists
    from broker.xoev.genericode import CodeList

Json = Annotated[bool, Option("--json", help="for machines, with stable keys")]
Uri = Annotated[str, Argument(metavar="LIST", help="listURI, or listURI_VERSION")]


def listed(json: Json = False) -> None:
    """List the installed code lists with their versions; of each only the head is read."""
    found = [
        {"uri": one.uri, "version": one.version, "name": one.name, "file": str(one.path)}
        for one in _lists().identities()
    ]
    if json:
        show({"codelists": found})
        return
    table(("list", "version", "name"), [(one["uri"], one["version"], one["name"]) for one in found])


def shown(uri: Uri, json: Json = False) -> None:
    """Show the codes of a list with all its columns; without a version the newest one."""
    found = _one(uri)
    if json:
        show({**_head(found), "rows": [found.row(code) for code in found.rows]})
        return
    head = _head(found)
    say(f"{head['uri']} version {head['version']}: {head['name']}")
    say(f"{len(found.rows)} codes, valid from {found.valid_from or 'not stated'}, "
        f"sha256 {found.digest[:12]}")  # fmt: skip
    table(found.columns, found.rows.values())


def looked(uri: Uri, code: Annotated[str, Argument(metavar="CODE")], json: Json = False) -> None:
    """Say what a code means in a list; without a version in the newest one.

    The exit code is 1 where the list or the code is not there.
    """
    found = _one(uri)
    row = found.row(code)
    if row is None:
        name = f"{found.identity.uri}_{found.identity.version}"
        raise BrokerError(f"the code is not in {name}; see xoev-broker codelists show {name}")
    if json:
        show({**_head(found), "row": row})
        return
    for column, value in row.items():
        say(f"{column}: {value}")


def _lists() -> CodeLists:
    from broker.xoev.codelists import CodeLists

    return CodeLists.load(settings().schemas)


def _one(name: str) -> CodeList:
    """Find a list by its URI alone, or with `_` and a version."""
    found = _lists().named(name)
    if found is None:
        raise BrokerError(
            f"there is no such code list here; see xoev-broker codelists list: {name}"
        )
    return found


def _head(found: CodeList) -> dict[str, Any]:
    one = found.identity
    return {"uri": one.uri, "version": one.version, "name": one.name,
            "columns": list(found.columns), "key": found.columns[found.key],
            "valid_from": found.valid_from, "sha256": found.digest}  # fmt: skip
