"""Which messages a command is about: the same options everywhere, and what the journal keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Option

from broker.cli.desk import Desk
from broker.message import Direction, State

if TYPE_CHECKING:
    from broker.access import Asked
    from broker.stores.contract import Filter

States = Annotated[list[State] | None, Option("--state", help="only this state; may be repeated")]
Way = Annotated[Direction | None, Option("--direction", help="only this direction")]
Route = Annotated[str, Option(help="only this route")]
Party = Annotated[str, Option(help="only from this party")]
Case = Annotated[str, Option(help="only this case, by its key in the message")]
Keys = Annotated[
    list[str] | None,
    Option("--key", metavar="NAME=VALUE", help="only with this business key; may be repeated"),
]
Code = Annotated[str, Option(help="only with this reason code, such as X001 or T080")]
Since = Annotated[
    str, Option(metavar="TIME", help="only since 2d, 12h, 2026-03-02 or 2026-03-02T08:30")
]
Until = Annotated[str, Option(metavar="TIME", help="only before this time, written as for --since")]


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked for, as it was typed; empty fields do not restrict."""

    states: Sequence[State] | None = None
    direction: Direction | None = None
    route: str = ""
    party: str = ""
    text: str = ""
    case: str = ""
    keys: Sequence[str] | None = None
    code: str = ""
    since: str = ""
    until: str = ""

    def filter(self, desk: Desk, limit: int) -> Filter:
        """Return it as the store takes it; raises BadParameter for what cannot be understood."""
        from broker.journal.birth import business_key, case_key
        from broker.stores.contract import Filter

        pairs = self._pairs(desk)
        return Filter(
            states=tuple(self.states or ()),
            direction=self.direction,
            route=self.route,
            party=self.party,
            text=self.text.strip(),
            case=case_key(desk.vault, self.case) if self.case else None,
            since=_when(self.since, "--since"),
            until=_when(self.until, "--until"),
            limit=limit,
            keys=tuple(business_key(desk.vault, name, value) for name, value in pairs),
            reason=self.code,
        )

    def asked(self) -> Asked:
        """Return what was asked for, for the journal."""
        return (
            ("state", ",".join(state.value for state in self.states or ())),
            ("direction", self.direction.value if self.direction else ""),
            ("route", self.route),
            ("party", self.party),
            ("text", self.text.strip()),
            ("case", self.case),
            ("code", self.code),
            ("since", _stamp(self.since, "--since")),
            ("until", _stamp(self.until, "--until")),
            *((f"key:{name}", value) for name, value in map(_pair, self.keys or ())),
        )

    def _pairs(self, desk: Desk) -> list[tuple[str, str]]:
        pairs = [_pair(text) for text in self.keys or ()]
        if pairs:
            _known(desk, [name for name, _ in pairs])
        return pairs


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value.strip()):
        raise BadParameter("needed is NAME=VALUE", param_hint="--key")
    return name, value


def _known(desk: Desk, names: Sequence[str]) -> None:
    """Refuse a name that no standard declares: it would find nothing, and seem to be an answer."""
    from broker.app import load_standards

    known = load_standards(desk.settings).keys()
    if not set(names) <= set(known):
        text = f"no standard has this key; there are {', '.join(known) or 'none'}"
        raise BadParameter(text, param_hint="--key")


def _when(text: str, option: str) -> datetime | None:
    return moment_of(text, option) if text else None


def _stamp(text: str, option: str) -> str:
    found = _when(text, option)
    return found.isoformat(timespec="seconds") if found else ""


def moment_of(text: str, option: str = "--since") -> datetime:
    """Return the time that a duration before now, or a date, means."""
    from broker.errors import ConfigError
    from broker.message import now
    from broker.values import seconds

    try:
        return now() - timedelta(seconds=seconds(text))
    except ConfigError:
        pass
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        wanted = "needed is a duration such as 2d or 12h, or a date such as 2026-03-02"
        raise BadParameter(wanted, param_hint=option) from error
