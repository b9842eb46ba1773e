"""Declared fields: one description that checks values, fills defaults and writes the reference
page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "text", "path", "url", "seconds", "number", "size", "room", "rate", "bool", "secret_file",
    "choice", "list", "http", "windows",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a channel, a route or the settings.

    `kind` says how the text is read: `seconds` is a duration such as `30s`, `5m`, `1h`, `3d` (given
    to code as float seconds), `path` is relative to the folder of routes.yaml, `secret_file` is a
    path whose content is read late and never shown, `list` is a list of texts, `windows` a list of
    maintenance windows (`broker.maintenance`), `http` is a URL over HTTP or HTTPS, `size` is bytes,
    `room` bytes or a share of a disk, `rate` so many a second.
    `default` is the text as one would write it in the file; None means no value; `required` fields
    have no default.
    """

    name: str
    kind: Kind
    help: str
    default: str | None = None
    required: bool = False
    choices: tuple[str, ...] = ()

    @property
    def many(self) -> bool:
        """Whether it takes a list of texts, or one."""
        return self.kind in ("list", "windows")
