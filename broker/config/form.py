"""Checks a mapping against declared fields and turns its texts into values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from broker.config.findings import Place, Report
from broker.config.nodes import Block, Items, Node, Text
from broker.errors import ConfigError
from broker.fields import Field
from broker.values import Value, default, read

_SECRETS = ("password", "passwd", "passwort", "kennwort", "token", "secret", "api_key", "apikey")
_USERINFO = re.compile(r"//[^/@\s]*:[^/@\s]+@")

Values = dict[str, Value]


class Form:
    """One table of fields, ready to read many mappings."""

    def __init__(self, fields: Iterable[Field], folder: Path, nested: Iterable[str] = ()) -> None:
        """Take the fields; paths lie below `folder`, `nested` fields are left to the caller."""
        self.fields = {field.name: field for field in fields}
        self._folder = folder
        self._nested = frozenset(nested)
        self._names = (*self.fields, *self._nested)
        self._required = tuple(name for name, field in self.fields.items() if field.required)
        self._defaults = {name: default(field, folder) for name, field in self.fields.items()}

    def read(self, block: Block, report: Report, label: str = "") -> Values:
        """Return the value of every field; what is wrong is reported and has its default."""
        values = dict(self._defaults)
        for name, node in block.entries.items():
            field = self.fields.get(name)
            if field is None:
                if name not in self._nested:
                    self._unknown(block.keys[name], report, label)
            elif node is not None:
                self._take(values, field, node, Scope(report, label))
        for name in self._required:
            if name not in block.entries:
                report.add(block, f'{label}"{name}" is missing')
        return values

    def _unknown(self, key: Text, report: Report, label: str) -> None:
        twin = f"{key.text}_file"
        if twin in self.fields or key.text.lower() in _SECRETS:
            hint = f', use "{twin}"' if twin in self.fields else ""
            report.add(key, f'{label}"{key.text}": secrets are never in this file{hint}')
        else:
            closest = report.closest(key.text, self._names)
            report.add(key, f'{label}unknown field "{key.text}"{closest}')

    def _take(self, values: Values, field: Field, node: Node, scope: Scope) -> None:
        if field.many and isinstance(node, Items):
            values[field.name] = tuple(scope.texts(field.name, node))
        elif not isinstance(node, Text):
            needed = "a text or a list of texts" if field.many else "a text"
            scope.add(node, f'"{field.name}" needs {needed}')
        elif not node.text:
            scope.add(node, f'"{field.name}" is empty')
        elif "//" in node.text and not node.filled and _USERINFO.search(node.text):
            scope.add(node, f'"{field.name}" holds a password, secrets are never in this file')
        else:
            self._value(values, field, node, scope)

    def _value(self, values: Values, field: Field, node: Text, scope: Scope) -> None:
        try:
            values[field.name] = read(field, node.text, self._folder)
        except ConfigError as error:
            scope.add(node, f'"{field.name}" is {node.shown}, needed is {error}')


class Scope:
    """A report and the words that every finding of one mapping starts with."""

    __slots__ = ("_label", "_report")

    def __init__(self, report: Report, label: str) -> None:
        """Take the report and a label such as `route "bau": `."""
        self._report = report
        self._label = label

    def add(self, place: Place, text: str) -> None:
        """Note a finding."""
        self._report.add(place, self._label + text)

    def texts(self, name: str, items: Items) -> list[str]:
        """Return the texts of a list; report what is no text, empty or there twice."""
        seen: dict[str, None] = {}
        for node in items.items:
            if isinstance(node, Text):
                self._text(name, node, seen)
            elif node is not None:
                self.add(node, f'"{name}" needs a list of texts')
        if not items.items:
            self.add(items, f'"{name}" is empty')
        return list(seen)

    def _text(self, name: str, node: Text, seen: dict[str, None]) -> None:
        if not node.text:
            self.add(node, f'"{name}" has an empty entry')
        elif node.text in seen:
            self.add(node, f'{node.shown} stands twice in "{name}"')
        seen[node.text] = None


def blocks(
    root: Block, name: str, report: Report, what: str, pattern: re.Pattern[str]
) -> Mapping[str, Block]:
    """Return the named mappings below `name`, such as all parties; report any other shape."""
    found: dict[str, Block] = {}
    node = root.entries.get(name)
    if not isinstance(node, Block):
        if node is not None and node != Text("", node.line, node.column):
            report.add(node, f'"{name}" needs a mapping, one {what} each')
        return found
    for key, value in node.entries.items():
        if not pattern.fullmatch(key):
            report.add(node.keys[key], f"{what} {bad_name(key)}")
        if isinstance(value, Block):
            found[key] = value
        elif value is not None:
            report.add(value, f'{what} "{key}" needs a mapping of fields')
    return found


def bad_name(name: str) -> str:
    """Say what is wrong with a name that does not follow the pattern of names."""
    allowed = 'letters, digits, ".", "_" and "-", and starts with a letter or digit'
    return f'name "{name}" may hold only {allowed}'
