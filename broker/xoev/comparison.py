"""Compares the content of two versions, pair by pair of types."""

from __future__ import annotations

from bisect import bisect
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from broker.xoev import facets
from broker.xoev.change import Area, Change, Difference, Lists, Track, What
from broker.xoev.facets import Facets
from broker.xoev.outline import Content, Outline
from broker.xoev.particles import Choice, Use

_LIST: Final = ("listURI", "listVersionID")
_WAYS: Final = {-1: What.NARROWED, 0: What.CHANGED, 1: What.WIDENED}

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Where:
    """Where a content is compared: the owner of what is directly in it, and the path below it."""

    owner: str = ""
    path: str = ""

    def below(self, use: Use, name: str) -> _Where:
        """Return the place of an element or attribute of this content."""
        return _Where(self.owner if self.path else use.owner, f"{self.path}/{name}".strip("/"))


@dataclass(frozen=True, slots=True)
class _Found:
    """What one pair of types gave: differences with their path below it, and pairs below it."""

    differences: list[tuple[str, Difference]] = field(default_factory=list)
    links: list[tuple[str, Pair]] = field(default_factory=list)


class Comparison:
    """Two outlines; each pair of types is compared once, however many messages use it."""

    def __init__(self, old: Outline, new: Outline, spaces: Mapping[str, str], lists: Lists) -> None:
        """Take both versions, which namespace became which, and the codes of lists."""
        self._old = old
        self._new = new
        self._spaces = spaces
        self._lists = lists
        self._pairs: dict[Pair, _Found] = {}

    def messages(self, kinds: list[Pair], track: Track) -> list[Change]:
        """Compare kinds (old name, new name; either may be empty)."""
        named = {new or old: (old, new) for old, new in kinds}
        users: dict[Difference, dict[str, str]] = {}
        names: dict[Difference, set[tuple[str, str]]] = {}
        for kind in track(sorted(named), "messages"):
            for path, difference in self._message(*named[kind]):
                place = f"/{kind}{path}"
                users.setdefault(difference, {}).setdefault(kind, place)
                names.setdefault(difference, set()).add(place[1:].rpartition("/")[0::2])
        return [
            Change(one, tuple(sorted(paths)), paths[min(paths)], _last(names[one]))
            for one, paths in users.items()
        ]

    def _message(self, old: str, new: str) -> Iterator[tuple[str, Difference]]:
        if not old or not new:
            what = What.REMOVED if old else What.ADDED
            yield "", Difference(what, "message", old or new, strict=bool(old))
            return
        before, after = self._old.messages[old], self._new.messages[new]
        if old != new:
            yield "", Difference(What.CHANGED, "message", new, "", "name", old, new, True)
        start = (before.type, after.type)
        self._pair(start, new)
        yield from self._reached(start)

    def _reached(self, start: Pair) -> Iterator[tuple[str, Difference]]:
        """Go through all pairs below a message, the nearest first."""
        seen, waiting = {start}, deque([("", start)])
        while waiting:
            path, pair = waiting.popleft()
            found = self._pair(pair)
            for below, difference in found.differences:
                yield f"{path}/{below}".rstrip("/"), difference
            for below, link in found.links:
                if link in seen:
                    yield from self._own(link, f"{path}/{below}")
                else:
                    seen.add(link)
                    waiting.append((f"{path}/{below}", link))

    def _own(self, pair: Pair, path: str) -> Iterator[tuple[str, Difference]]:
        """Tell once more what concerns an element itself: its name is not the type's."""
        return ((path, one) for below, one in self._pair(pair).differences if not below)

    def _pair(self, pair: Pair, message: str = "") -> _Found:
        if pair not in self._pairs:
            found = self._pairs[pair] = _Found()
            names = self._old.content(pair[0]).name, self._new.content(pair[1]).name
            owner = " → ".join(dict.fromkeys(filter(None, names))) or message
            self._compare(pair, _Where(owner), found, (pair,))
        return self._pairs[pair]

    def _compare(self, pair: Pair, where: _Where, found: _Found, stack: tuple[Pair, ...]) -> None:
        old, new = self._old.content(pair[0]), self._new.content(pair[1])
        listed = self._listed(old, new)
        skipped = _LIST if listed is not None else ()
        parts = [listed or [], _texts(old, new, where), _choices(old, new, where)]
        parts += [_order(old, new, where), self._attributes(old, new, where, skipped)]
        found.differences.extend((where.path, one) for part in parts[:2] for one in part)
        found.differences.extend((one.path, one) for part in parts[2:] for one in part)
        for name in dict.fromkeys([*old.elements, *new.elements]):
            if listed is None or name != "code":
                self._element(name, (old, new), where, found, stack)

    def _element(
        self, name: str, contents: tuple[Content, Content], where: _Where, found: _Found,
        stack: tuple[Pair, ...],
    ) -> None:  # fmt: skip
        old, new = (content.elements.get(name) for content in contents)
        if old is None or new is None:
            use = old or new
            assert use is not None
            place = where.below(use, name)
            found.differences.append((place.path, _alone(use, old is None, "element", place)))
            return
        place = where.below(new, name)
        uses = self._use(old, new, "element", place)
        found.differences.extend((place.path, one) for one in uses)
        pair = (old.type, new.type)
        if pair in stack or self._shared(pair):
            found.links.append((place.path, pair))
        else:
            self._inline(pair, place, found, (*stack, pair))

    def _shared(self, pair: Pair) -> bool:
        """Whether both are one type, or simple ones: told once, not at every use."""
        old, new = self._old.content(pair[0]), self._new.content(pair[1])
        if not old.name or not new.name:
            return False
        return old.name == new.name or not (old.elements or new.elements)

    def _inline(self, pair: Pair, place: _Where, found: _Found, stack: tuple[Pair, ...]) -> None:
        """Compare two types that have nothing but their place in common."""
        before = len(found.differences)
        self._compare(pair, place, found, stack)
        names = self._old.content(pair[0]).name, self._new.content(pair[1]).name
        if all(names) and len(found.differences) > before:
            one = Difference(What.CHANGED, "element", place.owner, place.path, "type", *names)
            found.differences.insert(before, (place.path, one))

    def _use(self, old: Use, new: Use, area: Area, place: _Where) -> Iterator[Difference]:
        yield from _times(old, new, area, place)
        if self._spaces.get(old.namespace, old.namespace) != new.namespace:
            yield Difference(What.CHANGED, area, place.owner, place.path, "namespace",
                             old.namespace, new.namespace, True)  # fmt: skip
        if old.fixed != new.fixed:
            what = _fixed(old.fixed, new.fixed)
            yield Difference(what, area, place.owner, place.path, "fixed", old.fixed or "",
                             new.fixed or "", new.fixed is not None)  # fmt: skip

    def _attributes(
        self, old: Content, new: Content, where: _Where, skipped: tuple[str, ...]
    ) -> Iterator[Difference]:
        for name in dict.fromkeys([*old.attributes, *new.attributes]):
            if name in skipped:
                continue
            before, after = old.attributes.get(name), new.attributes.get(name)
            if before is None or after is None:
                use = before or after
                assert use is not None
                yield _alone(use, before is None, "attribute", where.below(use, f"@{name}"))
                continue
            place = where.below(after, f"@{name}")
            yield from self._use(before, after, "attribute", place)
            texts = self._old.content(before.type).text, self._new.content(after.type).text
            if texts[0] and texts[1]:
                yield from _facets(texts[0], texts[1], "attribute", place)

    def _listed(self, old: Content, new: Content) -> list[Difference] | None:
        """Compare two code types; None where one of them names no list."""
        before, after = _list(old, self._old), _list(new, self._new)
        if before is None or after is None:
            return None
        uri, found = after[0], []
        if before[0] != uri:
            found.append(_coded(uri, What.CHANGED, "list", before[0], uri))
        if before[1] != after[1]:
            what = _fixed(before[1], after[1])
            one = _coded(uri, what, "version", before[1], after[1], what is not What.WIDENED)
            found.append(one)
        codes = [one[2] or self._lists(one[0], one[1]) for one in (before, after)]
        if codes[0] is not None and codes[1] is not None:
            found += _codes(uri, "codelist", _Where(uri), codes[0], codes[1])
        elif after[2] is not None:
            found.append(_coded(uri, What.NARROWED, "codes", "", ", ".join(after[2])))
        return found


def _last(places: set[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset((above.rpartition("/")[2], name) for above, name in places)


def _list(content: Content, outline: Outline) -> tuple[str, str, Mapping[str, str] | None] | None:
    """Return URI, version and the codes in the schema of a code type."""
    uri = content.attributes.get("listURI")
    code = content.elements.get("code")
    if uri is None or not uri.fixed or code is None:
        return None
    version = content.attributes.get("listVersionID")
    text = outline.content(code.type).text
    return uri.fixed, (version.fixed if version else None) or "", text.codes if text else None


def _fixed(old: str | None, new: str | None) -> What:
    if old and new:
        return What.CHANGED
    return What.WIDENED if old else What.NARROWED


def _coded(
    uri: str, what: What, aspect: str, before: str, after: str, strict: bool = True
) -> Difference:
    return Difference(what, "codelist", uri, "", aspect, before, after, strict)


def _codes(
    owner: str, area: Area, where: _Where, old: Mapping[str, str], new: Mapping[str, str]
) -> Iterator[Difference]:
    for what, codes in (
        (What.ADDED, [code for code in new if code not in old]),
        (What.REMOVED, [code for code in old if code not in new]),
    ):
        if codes:
            text = ", ".join(codes)
            before, after = ("", text) if what is What.ADDED else (text, "")
            yield Difference(what, area, owner, where.path, "codes", before, after,
                             what is What.REMOVED)  # fmt: skip
    for code in old.keys() & new.keys():
        if old[code] != new[code]:
            yield Difference(What.CHANGED, area, owner, where.path, f"meaning of {code}",
                             old[code], new[code])  # fmt: skip


def _alone(use: Use, new: bool, area: Area, place: _Where) -> Difference:
    """Tell of an element or attribute that only one version has."""
    what, strict = (What.ADDED, use.least > 0) if new else (What.REMOVED, True)
    before, after = ("", use.times) if new else (use.times, "")
    return Difference(what, area, place.owner, place.path, "times", before, after, strict)


def _times(old: Use, new: Use, area: Area, place: _Where) -> Iterator[Difference]:
    found = []
    if not old.least and new.least:
        found.append(What.MANDATORY)
    if old.least and not new.least:
        found.append(What.OPTIONAL)
    if new.most < old.most or new.least > old.least > 0:
        found.append(What.NARROWED)
    if new.most > old.most or 0 < new.least < old.least:
        found.append(What.WIDENED)
    for what in found:
        strict = what in (What.MANDATORY, What.NARROWED)
        yield Difference(what, area, place.owner, place.path, "times", old.times, new.times, strict)


def _texts(old: Content, new: Content, where: _Where) -> Iterator[Difference]:
    if old.text and new.text:
        yield from _facets(old.text, new.text, "type", where)
    elif bool(old.text) != bool(new.text) and (old.elements or new.elements):
        words = ["text" if one.text else "elements" for one in (old, new)]
        yield Difference(What.CHANGED, "type", where.owner, where.path, "content", words[0],
                         words[1], True)  # fmt: skip
    if old.open != new.open:
        what = What.WIDENED if new.open else What.NARROWED
        words = ["any elements" if one.open else "" for one in (old, new)]
        yield Difference(what, "type", where.owner, where.path, "content", words[0], words[1],
                         old.open)  # fmt: skip


def _facets(old: Facets, new: Facets, area: Area, where: _Where) -> Iterator[Difference]:
    for one in facets.compare(old, new):
        yield Difference(_WAYS[one.way], area, where.owner, where.path, one.aspect, one.before,
                         one.after, one.way < 1)  # fmt: skip
    if old.codes is not None and new.codes is not None:
        yield from _codes(where.owner, area, where, old.codes, new.codes)
    elif old.codes != new.codes:
        what = What.NARROWED if new.codes is not None else What.WIDENED
        yield Difference(what, area, where.owner, where.path, "codes", ", ".join(old.codes or ()),
                         ", ".join(new.codes or ()), new.codes is not None)  # fmt: skip


def _choices(old: Content, new: Content, where: _Where) -> Iterator[Difference]:
    """Compare what may not stand together, and of what one must stand, for names both know."""
    both = frozenset(old.elements.keys() & new.elements.keys())
    before, after = _known(old, both), _known(new, both)
    for names in sorted(before.keys() | after.keys(), key=str):
        was, now = before.get(names), after.get(names)
        what = _chosen(was, now)
        if what is not None:
            owner = where.owner if where.path else next(iter(new.elements.values())).owner
            yield Difference(what, "element", owner, where.path, "choice", str(was or ""),
                             str(now or ""), what in (What.NARROWED, What.MANDATORY))  # fmt: skip


def _chosen(was: Choice | None, now: Choice | None) -> What | None:
    if was is None or now is None:
        return What.NARROWED if was is None else What.WIDENED
    if was.required == now.required:
        return None
    return What.MANDATORY if now.required else What.OPTIONAL


def _known(content: Content, names: frozenset[str]) -> dict[frozenset[frozenset[str]], Choice]:
    found = [one.of(names) for one in content.choices if not one.repeats]
    return {one.alternatives: one for one in found if one}


def _order(old: Content, new: Content, where: _Where) -> Iterator[Difference]:
    """Tell which elements of both versions stand elsewhere now."""
    before = [name for name in old.elements if name in new.elements]
    after = [name for name in new.elements if name in old.elements]
    if before == after:
        return
    kept = _rising([before.index(name) for name in after])
    for name in after:
        if before.index(name) not in kept and _moved(name, (before, after), (old, new)):
            place = where.below(new.elements[name], name)
            yield Difference(What.NARROWED, "element", place.owner, place.path, "order",
                             _behind(name, before), _behind(name, after), True)  # fmt: skip


def _rising(numbers: list[int]) -> set[int]:
    """Return a longest rising part: the elements that stayed in order."""
    best: list[tuple[int, ...]] = []
    for number in numbers:
        at = bisect([one[-1] for one in best], number)
        best[at : at + 1] = [(*(best[at - 1] if at else ()), number)]
    return set(best[-1]) if best else set()


def _moved(
    name: str, orders: tuple[list[str], list[str]], contents: tuple[Content, Content]
) -> bool:
    """Whether an element must pass another one that it can stand together with."""
    before, after = ({*order[: order.index(name)]} for order in orders)
    return any(
        not any(one.parts(name, passed) for content in contents for one in content.choices)
        for passed in before ^ after
    )


def _behind(name: str, order: list[str]) -> str:
    place = order.index(name)
    return f"after {order[place - 1]}" if place else "first"
