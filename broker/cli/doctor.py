"""Looking at everything that a site needs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from typer import BadParameter, Exit, Option

from broker.cli.terminal import language, say, show

if TYPE_CHECKING:
    from broker.doctor.remark import Language, Remark
    from broker.settings import Settings

_MARKS = {"ok": "  ok ", "warning": "warn ", "error": "ERROR"}


def doctor(
    all_: Annotated[bool, Option("--all", help="show what is as it should be, too")] = False,
    lang: Annotated[str | None, Option(help="en or de; else as LANG says")] = None,
    json: Annotated[bool, Option("--json", help="for machines, with stable keys")] = False,
) -> None:
    """Look at everything that a site needs, and say what to do next.

    Settings, routes, adapters, standards, keys, secrets, store, journal, disk, clock,
    certificates, channels. Nothing is changed or sent. The exit code is 1 where there is an
    error; warnings do not change it.
    """
    from broker.doctor.outside import World
    from broker.doctor.round import Round, healthy

    if lang not in (None, "en", "de"):
        raise BadParameter("needed is en or de", param_hint="--lang")
    _quiet()
    remarks = Round(os.environ, World.real(), _runs).go()
    if json:
        show({"ok": healthy(remarks), "remarks": [record(one) for one in remarks]})
    else:
        _listed(remarks, all_, language(lang))
    if not healthy(remarks):
        raise Exit(1)


def _quiet() -> None:
    """What the broker would log while it looks is said by the remarks."""
    from broker import logs

    logs.configure("error", "text")


def _runs(settings: Settings) -> bool:
    """Whether a broker works on the store; where hosts share one, a lock of one tells nothing."""
    from broker.cli.look import running

    local = settings.database().startswith("sqlite")
    return not local or running(settings.state) is not None


def _listed(remarks: Sequence[Remark], all_: bool, lang: Language) -> None:
    urgent = ("error", "warning", "ok")
    for one in sorted(remarks, key=lambda found: urgent.index(found.level)):
        if one.level == "ok" and not all_:
            continue
        say(f"{_MARKS[one.level]}  {one.area:<13} {one.text(lang)}")
        if remedy := one.remedy(lang):
            say(f"{'':21}→ {remedy}")
    counts = {level: sum(one.level == level for one in remarks) for level in _MARKS}
    words = _SUM[lang]
    say(words.format(**counts))


_SUM = {
    "en": "{error} error(s), {warning} warning(s), {ok} good",
    "de": "{error} Fehler, {warning} Warnung(en), {ok} in Ordnung",
}


def record(one: Remark) -> dict[str, Any]:
    """Return one remark for a machine, in both languages."""
    return {
        "level": one.level.value,
        "key": one.key,
        "where": one.where,
        "text": one.text("en"),
        "remedy": one.remedy("en"),
        "text_de": one.text("de"),
        "remedy_de": one.remedy("de"),
    }
