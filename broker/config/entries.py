"""Reads `routes:`: entries as they stand in the file, and the routes that they make."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from broker.config.findings import Report
from broker.config.form import Form, Values, bad_name
from broker.config.model import Checks, Keep, Match, Party, Retry, Route
from broker.config.nodes import Block, Items, Node, Text, texts
from broker.config.tables import (
    CHECKS,
    KEEP,
    MATCH,
    NAME,
    NEEDED,
    NESTED,
    PLACEHOLDERS,
    RETRY,
    ROUTE,
)
from broker.errors import ConfigError
from broker.values import closest, decimal

_NAME = re.compile(rf"{NAME}(/{NAME})*")
_WATCHED = ("deliver_within", "answer_within", "depth")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of `routes:` with its places, and its one route or one for each party in `for:`."""

    name: str
    block: Block
    match: Block
    routes: tuple[Route, ...]

    @property
    def label(self) -> str:
        """How findings about this entry start."""
        return f'route "{self.name}": '

    def place(self, field: str) -> Node:
        """Return where a field of the entry or of its match stands."""
        return self.block.entries.get(field) or self.match.entries.get(field) or self.block


class Reader:
    """Reads all entries of one file."""

    def __init__(self, folder: Path, parties: Mapping[str, Party], report: Report) -> None:
        """Take what `for:` is filled in from."""
        self._entry = Form(ROUTE, folder, nested=NESTED)
        self._match = Form(MATCH, folder)
        self._retry = Form(RETRY, folder)
        self._checks = Form(CHECKS, folder)
        self._keep = Form(KEEP, folder)
        self._parties = parties
        self._report = report

    def entries(self, root: Block) -> list[Entry]:
        """Return every entry that could be read; the others are reported."""
        node = root.entries.get("routes")
        if "routes" not in root.entries:
            self._report.add(root, '"routes" is missing')
        if isinstance(node, Items):
            return [entry for item in node.items for entry in self._item(item)]
        if node is not None:
            self._report.add(node, '"routes" needs a list')
        return []

    def _item(self, item: Node | None) -> Iterator[Entry]:
        if isinstance(item, Block):
            yield self._read(item)
        elif item is not None:
            self._report.add(item, "a route needs a mapping of fields")

    def _read(self, block: Block) -> Entry:
        name = self._name(block)
        label = f'route "{name}": ' if name else ""
        values = self._entry.read(block, self._report, label)
        nested = {field: self._nested(block, field, label) for field in NESTED}
        match = self._match.read(nested["match"], self._report, label) if nested["match"] else {}
        retry = self._timetable(nested["retry"], label)
        texts = _texts(values, match)
        self._placeholders(block, nested["match"], texts, label)
        pattern = replace(
            _route(name, block, texts, values, match),
            retry=retry,
            checks=self._levels(nested["checks"], label),
            keep=self._kept(nested["keep"], label),
            **_watched(values),
        )
        routes = tuple(self._expand(pattern, block, label))
        return Entry(name, block, nested["match"] or block, routes)

    def _name(self, block: Block) -> str:
        node = block.entries.get("name")
        if not isinstance(node, Text):
            return ""
        if node.text and not _NAME.fullmatch(node.text):
            self._report.add(node, f"route {bad_name(node.text)}")
        return node.text

    def _nested(self, block: Block, name: str, label: str) -> Block | None:
        node = block.entries.get(name)
        if isinstance(node, Block):
            return node
        if node is not None:
            self._report.add(node, f'{label}"{name}" needs a mapping of fields')
        elif name in NEEDED and name not in block.entries:
            self._report.add(block, f'{label}"{name}" is missing')
        return None

    def _levels(self, block: Block | None, label: str) -> Checks:
        values = self._checks.read(block, self._report, label) if block else {}
        given: dict[str, Any] = {name: value for name, value in values.items() if value}
        return Checks(**given)

    def _kept(self, block: Block | None, label: str) -> Keep:
        values = self._keep.read(block, self._report, label) if block else {}
        given: dict[str, Any] = dict(values)
        return Keep(**given)

    def _timetable(self, block: Block | None, label: str) -> Retry:
        if block is None:
            return Retry()
        values = self._retry.read(block, self._report, label)
        factor = block.entries.get("factor")
        try:
            values["factor"] = decimal(str(values["factor"]))
        except ConfigError as error:
            shown = factor.shown if isinstance(factor, Text) else ""
            self._report.add(factor or block, f'{label}"factor" is {shown}, needed is {error}')
            return Retry()
        retry = Retry(**{name: float(str(value)) for name, value in values.items()})
        if retry.factor < 1 or retry.first <= 0:
            text = '"first" must be longer than 0 and "factor" at least 1'
            self._report.add(block, f"{label}{text}, or it would try without a pause")
        return retry

    def _placeholders(
        self, block: Block, match: Block | None, texts: Mapping[str, str], label: str
    ) -> None:
        for field, text in texts.items():
            if "{" not in text:
                continue
            node = block.entries.get(field) or (match and match.entries.get(field)) or block
            for name in _PLACEHOLDER.findall(text):
                self._placeholder(name, node, label, "for" in block.entries)

    def _placeholder(self, name: str, node: Node, label: str, filled: bool) -> None:
        if name not in PLACEHOLDERS:
            hint = closest(name, PLACEHOLDERS)
            self._report.add(node, f'{label}unknown placeholder "{{{name}}}"{hint}')
        elif not filled:
            self._report.add(node, f'{label}"{{{name}}}" is filled in only in a route with "for"')

    def _expand(self, pattern: Route, block: Block, label: str) -> Iterator[Route]:
        if "for" not in block.entries:
            yield pattern
            return
        fill = _Filler(pattern)
        for city in _cities(block.entries["for"]):
            party = self._parties.get(city.text)
            if party is None:
                hint = self._report.closest(city.text, self._parties)
                self._report.add(city, f"{label}unknown party {city.shown}{hint}")
            elif fill.wants_ags and not party.ags:
                text = f'party "{party.name}" has no "ags" to fill in "{{ags}}"'
                self._report.add(city, label + text)
            else:
                yield fill(party)


def _cities(node: Node | None) -> Iterable[Text]:
    """Return each name once; what is twice or no text is reported with the field."""
    return {name.text: name for name in texts(node)}.values()


class _Filler:
    """Makes the route of one party out of the pattern of an entry."""

    def __init__(self, pattern: Route) -> None:
        self._pattern = pattern
        texts = (
            pattern.match.recipient,
            pattern.adapter,
            pattern.channel,
            pattern.answer or "",
        )
        self.wants_ags = any("{ags}" in text for text in texts)

    def __call__(self, party: Party) -> Route:
        pattern, match = self._pattern, self._pattern.match
        return replace(
            pattern,
            name=f"{pattern.entry}/{party.name}",
            match=replace(match, recipient=_fill(match.recipient, party)),
            adapter=_fill(pattern.adapter, party),
            channel=_fill(pattern.channel, party),
            answer=_fill(pattern.answer, party) if pattern.answer else None,
        )


def _fill(text: str, party: Party) -> str:
    return text.replace("{city}", party.name).replace("{ags}", party.ags)


def _texts(values: Values, match: Values) -> dict[str, str]:
    given = {name: values[name] for name in ("adapter", "channel", "answer")}
    given["recipient"] = match.get("recipient")
    return {name: str(text or "") for name, text in given.items()}


def _watched(values: Values) -> dict[str, Any]:
    return {name: values[name] for name in _WATCHED}


def _route(
    name: str,
    block: Block,
    texts: Mapping[str, str],
    values: Values,
    match: Values,
) -> Route:
    return Route(
        name=name,
        entry=name,
        match=Match(
            standard=str(match.get("standard") or ""),
            versions=_list(match, "version"),
            kinds=_list(match, "kind"),
            recipient=texts["recipient"],
            senders=_list(match, "sender"),
        ),
        adapter=texts["adapter"],
        channel=texts["channel"],
        order_by_case=values["order"] == "case",
        answer=texts["answer"] or None,
        line=block.line,
    )


def _list(values: Values, name: str) -> tuple[str, ...]:
    value = values.get(name)
    return value if isinstance(value, tuple) else ()
