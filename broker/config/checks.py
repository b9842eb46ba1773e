"""What must fit together across a file: names, standards, order of the routes, answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from broker.channels.channel import Declared
from broker.config.entries import Entry
from broker.config.findings import Report
from broker.config.index import Bucket, atoms, recipients
from broker.config.model import Party, Route
from broker.config.nodes import Block, Node, texts
from broker.config.parties import place_of
from broker.config.tables import Known


@dataclass(frozen=True, slots=True)
class File:
    """Everything read from one file."""

    root: Block
    parties: Mapping[str, Party]
    channels: Mapping[str, Declared]
    entries: Sequence[Entry]
    known: Known

    @property
    def routes(self) -> list[Route]:
        """All routes in the order of the file."""
        return [route for entry in self.entries for route in entry.routes]


def check(file: File, report: Report) -> None:
    """Report everything that does not fit together."""
    for entry in file.entries:
        _names(entry, file, report)
        _standard(entry, file.known, report)
        _accepted(entry, file.known, report)
    for step in (_doubles, _reached, _replies, _tests, _returns, _unused):
        step(file, report)


def _names(entry: Entry, file: File, report: Report) -> None:
    for route in entry.routes:
        _one(entry, "adapter", route.adapter, file.known.adapters, report)
        _one(entry, "channel", route.channel, file.channels, report)
        if route.answer is not None:
            _one(entry, "answer", route.answer, file.channels, report)
    for node in texts(entry.match.entries.get("sender")):
        if node.text not in file.parties:
            hint = report.closest(node.text, file.parties)
            report.add(node, f"{entry.label}unknown party {node.shown}{hint}")


def _one(entry: Entry, field: str, name: str, names: Collection[str], report: Report) -> None:
    if not name or name in names:
        return
    what = "channel" if field == "answer" else field
    hint = report.closest(name, names)
    report.add(entry.place(field), f'{entry.label}unknown {what} "{name}"{hint}')


def _standard(entry: Entry, known: Known, report: Report) -> None:
    version = entry.match.entries.get("version")
    if version is not None and "standard" not in entry.match.entries:
        report.add(version, f'{entry.label}"version" needs "standard" beside it')
    for node in texts(entry.match.entries.get("standard")):
        versions = known.versions(node.text)
        if versions:
            _versions(entry, node.text, versions, report)
            continue
        names = {name.partition("/")[0] for name in known.standards}
        hint = report.closest(node.text, names)
        report.add(node, f"{entry.label}unknown standard {node.shown}{hint}")


def _versions(entry: Entry, standard: str, versions: Collection[str], report: Report) -> None:
    for node in texts(entry.match.entries.get("version")):
        if node.text not in versions:
            hint = report.closest(node.text, versions)
            report.add(node, f"{entry.label}unknown version {node.shown} of {standard}{hint}")


def _accepted(entry: Entry, known: Known, report: Report) -> None:
    for adapter in dict.fromkeys(route.adapter for route in entry.routes):
        accepts = known.accepts.get(adapter, ())
        if accepts:
            _accepts(entry, adapter, accepts, known, report)


def _accepts(
    entry: Entry, adapter: str, accepts: tuple[str, ...], known: Known, report: Report
) -> None:
    match = entry.routes[0].match
    takes = ", ".join(accepts)
    if not match.standard:
        text = f'no "standard" in "match", but adapter "{adapter}" takes only {takes}'
        report.warn(entry.block, entry.label + text)
        return
    installed = known.versions(match.standard)
    asked = [version for version in match.versions or installed if version in installed]
    refused = [f"{match.standard}/{v}" for v in asked if f"{match.standard}/{v}" not in accepts]
    if not refused:
        return
    text = f'{entry.label}adapter "{adapter}" takes {takes}, not {", ".join(refused)}'
    # Without a version the route may be meant for just those that the adapter takes.
    partly = not match.versions and len(refused) < len(asked)
    note: Callable[[Node, str], None] = report.warn if partly else report.add
    note(entry.place("adapter"), text)


def _doubles(file: File, report: Report) -> None:
    first: dict[str, Entry] = {}
    for entry in file.entries:
        for route in entry.routes:
            other = first.setdefault(route.name, entry)
            if route.name and other is not entry:
                text = f'route "{route.name}" stands twice, first in line {other.block.line}'
                report.add(entry.place("name"), text)


def _reached(file: File, report: Report) -> None:
    hidden: dict[int, dict[str, Route]] = {}
    for recipient, routes in recipients(file.routes).items():
        if recipient and "{" not in recipient:
            hidden.update(_takers(routes))
    for entry in file.entries:
        _hidden(entry, [r for r in entry.routes if id(r) in hidden], hidden, report)


def _takers(routes: Sequence[Route]) -> Iterator[tuple[int, dict[str, Route]]]:
    """Yield each route that others hide altogether (by its identity), with these others by name."""
    bucket = Bucket(routes[:1])
    for route in routes[1:]:
        found = [bucket.find(criteria) for criteria in atoms(route.match)]
        if all(found):
            yield id(route), {taker.name: taker for taker in found if taker}
        bucket.add(route)


def _hidden(
    entry: Entry,
    routes: Sequence[Route],
    hidden: Mapping[int, Mapping[str, Route]],
    report: Report,
) -> None:
    whole = len(routes) == len(entry.routes)
    for route in routes:
        takers = sorted(hidden[id(route)].values(), key=lambda taker: taker.line)
        own = any(taker.line == entry.block.line for taker in takers)
        name = entry.name if whole and not own else route.name
        shown = dict.fromkeys(
            f'"{taker.name if own else taker.entry}" in line {taker.line}' for taker in takers
        )
        verb = "takes" if len(shown) == 1 else "take"
        text = f"is never reached: {' and '.join(shown)} {verb} everything first"
        report.add(entry.block, f'route "{name}" {text}')


def _replies(file: File, report: Report) -> None:
    adapters: dict[str, dict[str, None]] = {}
    for route in file.routes:
        adapters.setdefault(route.channel, {})[route.adapter] = None
    for name, used in adapters.items():
        channel = file.channels.get(name)
        if channel is not None and len(used) > 1 and channel.values.get("replies"):
            names = " and ".join(f'"{adapter}"' for adapter in list(used)[:3])
            place = place_of(file.root, "channels", name, "replies")
            text = f'channel "{name}": its replies could belong to {names}, one adapter is needed'
            report.add(place, text)


def _ways(file: File) -> dict[tuple[str, str], Entry]:
    """Return every pair of channel and return channel, with the first entry that makes it."""
    ways: dict[tuple[str, str], Entry] = {}
    for entry in file.entries:
        for route in entry.routes:
            for answer in _answers(route, file.parties):
                ways.setdefault((route.channel, answer), entry)
    return ways


def _answers(route: Route, parties: Mapping[str, Party]) -> list[str]:
    if route.answer is not None:
        return [route.answer]
    senders = [parties[name] for name in route.match.senders if name in parties]
    return [party.answer for party in senders if party.answer]


def _tests(file: File, report: Report) -> None:
    for (there, back), entry in _ways(file).items():
        out, answer = file.channels.get(there), file.channels.get(back)
        if out is None or answer is None:
            continue
        if bool(out.values.get("test")) != bool(answer.values.get("test")):
            text = f'of "{there}" and its return channel "{back}" only one takes test messages'
            report.warn(entry.place("channel"), entry.label + text)


def _returns(file: File, report: Report) -> None:
    for entry in file.entries:
        for route in entry.routes[:1]:
            _sender(entry, route, file.parties, report)


def _sender(entry: Entry, route: Route, parties: Mapping[str, Party], report: Report) -> None:
    for party in (parties[name] for name in route.match.senders if name in parties):
        if not party.keys:
            text = f'party "{party.name}" has no "key", so no author is allowed for it'
            report.warn(entry.place("sender"), entry.label + text)
        if not party.answer and not route.answer:
            text = f'answers to party "{party.name}" have no way back, add "answer"'
            report.warn(entry.place("sender"), entry.label + text)


def _unused(file: File, report: Report) -> None:
    used = {route.channel for route in file.routes}
    used.update(route.answer for route in file.routes if route.answer)
    used.update(party.answer for party in file.parties.values() if party.answer)
    for name, channel in file.channels.items():
        if name not in used and not channel.values.get("from"):
            place = place_of(file.root, "channels", name)
            report.warn(place, f'channel "{name}" is used by no route and no party')
