"""Writes the reference page of routes.yaml from the declared fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from broker.config.tables import CHECKS, KEEP, MATCH, PARTY, RETRY, ROUTE
from broker.fields import Field, Kind
from broker.values import sized

_TYPES: Mapping[Kind, str] = {
    "text": "text",
    "path": "path",
    "url": "URL",
    "http": "URL, `http` or `https`",
    "seconds": "duration",
    "number": "whole number",
    "size": "size",
    "room": "size, or share of a disk",
    "rate": "rate",
    "bool": "`true` or `false`",
    "secret_file": "path of a secret",
    "list": "text or list",
    "windows": "window or list of windows",
}

_INTRODUCTION = """\
# routes.yaml

<!-- Generated from the declared fields (broker/config and broker/channels); do not edit. -->

One file with three parts: `parties`, `channels` and `routes`. Routes are tried in the order of the
file and the first match wins; a message without a match is refused with T080.

* Every value is the text as written: `03103000` keeps its zero, `2.10` stays `2.10`.
* Durations are `30s`, `5m`, `1h` or `3d`; sizes `64 MB`; rates `50/s`, `300/min` or `1000/h`; paths
  are relative to the folder of the file.
* Maintenance windows are `Sun 02:00-06:00`, `Mon-Fri 22:30-23:15`, `daily 22:00-04:00` (until the
  next day) or `first Sat 20:00-24:00` (`first` to `fourth` or `last` of the month), in the time
  zone of the setting `XOEV_BROKER_ZONE`: see [Stop a route for a time](../howto/maintenance.md).
* `${NAME}` takes a value from the environment, `${NAME:-default}` has one for when it is not set.
* Secrets are never in the file: fields that end in `_file` name a file with mode 0600.
* Aliases, anchors, tags, double keys and a second document are refused.
* `xoev-broker check` shows everything that is wrong at once, with line and column.
"""


def reference(kinds: Mapping[str, tuple[Field, ...]]) -> str:
    """Return the reference page as Markdown; `kinds` are the fields of each kind of channel."""
    parts = [
        _INTRODUCTION,
        "## parties\n\nWho sends or receives, by name.\n",
        _table(PARTY),
        "## channels\n\nConnected systems, by name. `kind` decides which other fields there are.\n",
    ]
    for kind, fields in sorted(kinds.items()):
        parts += [f"### kind: {kind}\n", _table(fields)]
    parts += [
        "## routes\n\nA list. `{city}` (the name of the party) and `{ags}` are filled in where a\n"
        "route has `for`, in `recipient`, `adapter`, `channel` and `answer`.\n",
        _table(ROUTE),
        "### match\n\nRequired. A field that is not given takes anything.\n",
        _table(MATCH),
        "### retry\n\nThe timetable of attempts.\n",
        _table(RETRY),
        "### checks\n\nThe checks beyond the schema, where lists and rules are installed.\n",
        _table(CHECKS),
        "### keep\n\nHow long messages are kept after their end; else the settings say it.\n",
        _table(KEEP),
    ]
    return "\n".join(parts)


def _table(fields: Iterable[Field]) -> str:
    rows = ["| field | type | default | what it says |", "|---|---|---|---|"]
    return "\n".join(rows + [_row(field) for field in fields]) + "\n"


def _row(field: Field) -> str:
    kind = " or ".join(f"`{choice}`" for choice in field.choices) or _TYPES[field.kind]
    kind = "size" if sized(field) else kind
    default = f"`{field.default}`" if field.default else ""
    given = "**required**" if field.required else default
    return f"| `{field.name}` | {_cell(kind)} | {_cell(given)} | {_cell(field.help)} |"


def _cell(text: str) -> str:
    return text.replace("<", "&lt;").replace("|", "\\|").replace("\n", " ")
