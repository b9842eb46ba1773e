"""Telling the story of one message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from broker.cli.desk import opened
from broker.cli.repair import Actor, acting
from broker.cli.terminal import complain, language, moment, say, show
from broker.message import State

if TYPE_CHECKING:
    from broker.journal.entry import Line
    from broker.stores.contract import Row
    from broker.trace import Chapter, Language

#: Digests are cut for people; --json has them whole.
_DIGESTS = ("digest", "artefact_digest", "table")


def trace(
    text: Annotated[
        str, Argument(metavar="ID", help="id, nachrichtenUUID, reference, file number or case")
    ],
    lang: Annotated[str | None, Option(help="en or de; else as LANG says")] = None,
    actor: Actor = None,
    json: Annotated[bool, Option("--json", help="for machines, with stable keys")] = False,
) -> None:
    """Tell the story of one message and its answers, in order.

    Every step of it, its replays too. A case or a file number may show several messages. No
    content is shown, only what the journal knows. It keeps who looked.
    """
    from broker.access import Access
    from broker.trace import document, story

    if lang not in (None, "en", "de"):
        raise BadParameter("needed is en or de", param_hint="--lang")
    with opened() as desk:
        found = story(desk.store, desk.vault, text)
        access = Access(desk.store, desk.vault, acting(actor))
        access.searched("trace", (("text", text.strip()),), len(found.chapters))
    if json:
        show(document(found))
        return
    for chapter in found.chapters:
        _chapter(chapter, language(lang))
    if found.siblings:
        words = _WORDS[language(lang)]
        say(f"{words['siblings']}: {' '.join(found.siblings)}")
    if found.cut:
        complain(f"there are more than {len(found.chapters)} messages; ask for one of their ids")


def _chapter(chapter: Chapter, lang: Language) -> None:
    from broker.trace import phrase, state

    row = chapter.row
    words = _WORDS[lang]
    say(f"{words[row.direction.value]} {row.id}: {state(row.state, lang)}")
    repeats = (("repeats", str(chapter.repeats) if chapter.repeats else ""),)
    for name, value in (*_facts(row), *repeats):
        if value:
            say(f"  {words.get(name, name):<14} {value}")
    for entry in chapter.lines:
        time = entry.time.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"
        actor = "" if entry.actor == "broker" else f" ({entry.actor})"
        text = f"{phrase(entry.event, lang)}{actor}{_details(entry, words)}"
        say(f"  {time}  {entry.event:<10} {text}")
    say()


def _facts(row: Row) -> tuple[tuple[str, str], ...]:
    head = row.envelope
    return (
        ("kind", f"{head.standard} {head.version} {head.kind}".strip()),
        ("uuid", head.uuid),
        ("from", f"{row.party} {head.sender.key}".strip()),
        ("to", head.recipient.key),
        ("route", f"{row.route}: {row.adapter} → {row.channel}" if row.route else ""),
        ("reference", row.reference),
        ("number", row.number),
        ("receipt", row.receipt),
        ("reason", ": ".join(filter(None, (row.reason, row.error)))),
        ("due", moment(row.due) if row.state is State.WAITING else ""),
        ("answers", row.answers or ""),
        ("replays", row.replays or ""),
    )


def _details(entry: Line, words: Mapping[str, str]) -> str:
    shown = [
        f"{words.get(name, name)} {value[:12] if name in _DIGESTS else value}"
        for name, value in entry.facts.items()
        if name not in ("state", "was", "party", "standard", "version", "kind", "uuid", "test")
    ]
    return f": {', '.join(shown)}" if shown else ""


_WORDS: dict[str, dict[str, str]] = {
    "en": {"number": "file number", "due": "next attempt", "request": "request",
           "answer": "answer", "repeats": "came again",
           "siblings": "of the same case"},
    "de": {"request": "Anfrage", "answer": "Antwort", "kind": "Nachrichtenart", "from": "von",
           "to": "an", "route": "Weg", "reference": "Kennzeichen", "number": "Aktenzeichen",
           "receipt": "Quittung", "reason": "Grund", "due": "nächster Versuch",
           "answers": "Antwort auf", "replays": "Wiederholung von", "adapter": "Adapter",
           "channel": "Anbindung", "size": "Bytes", "attempt": "Versuch", "digest": "Prüfsumme",
           "table": "Wegetabelle", "artefact": "Schema", "artefact_digest": "Prüfsumme",
           "profile": "Profil", "error": "Fehler", "name": "Nachricht", "line": "Zeile",
           "proposal": "Vorschlag", "selection": "Auswahl", "account": "Konto", "start": "ab",
           "until": "bis", "path": "Pfad", "rule": "Regel", "repeats": "kam erneut",
           "siblings": "aus demselben Vorgang"},
}  # fmt: skip
