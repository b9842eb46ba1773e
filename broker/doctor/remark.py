"""One thing that was looked at: how it is, where, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from broker.doctor.words import WORDS

Language = Literal["en", "de"]


class Level(StrEnum):
    """How urgent it is: an error keeps the site from doing its work, or will."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Remark:
    """What was found: `key` names the texts, `where` a file, setting, channel or route.

    `facts` are put into the texts; they never hold a personal value or a secret.
    """

    level: Level
    key: str
    where: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def area(self) -> str:
        """What part of the site it is about."""
        return self.key.partition(".")[0]

    def text(self, lang: Language) -> str:
        """Return what was found."""
        words = WORDS[self.key]
        return self._filled(words.de if lang == "de" else words.en)

    def remedy(self, lang: Language) -> str:
        """Return what to do next; empty where nothing is to be done."""
        if self.level is Level.OK:
            return ""
        words = WORDS[self.key]
        return self._filled(words.tun if lang == "de" else words.do)

    def _filled(self, text: str) -> str:
        return text.format(where=self.where, **self.facts)


def ok(key: str, where: str = "", **facts: object) -> Remark:
    """Return that something is as it should be."""
    return Remark(Level.OK, key, where, facts)


def warning(key: str, where: str = "", **facts: object) -> Remark:
    """Return what works today and should be looked at."""
    return Remark(Level.WARNING, key, where, facts)


def error(key: str, where: str = "", **facts: object) -> Remark:
    """Return what keeps the site from its work."""
    return Remark(Level.ERROR, key, where, facts)
