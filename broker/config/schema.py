"""Writes the JSON schema of routes.yaml, so that an editor completes and checks while one types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from broker.config.tables import NEEDED, NESTED, PARTY, ROUTE
from broker.fields import Field
from broker.maintenance import PATTERN
from broker.values import sized

Schema = dict[str, Any]

# An editor reads 03103000 as a number and `no` as false; the broker takes both as text.
_TEXT: Schema = {"type": ["string", "number", "boolean"]}
_VARIABLE = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"


def schema(kinds: Mapping[str, tuple[Field, ...]]) -> Schema:
    """Return the schema (Draft 2020-12); `kinds` are the fields of each kind of channel."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "routes.yaml of xoev-broker",
        "type": "object",
        "required": ["routes"],
        "additionalProperties": False,
        "properties": {
            "parties": _named(_object(PARTY)),
            "channels": _named(_channel(kinds)),
            "routes": {"type": "array", "items": _route()},
        },
    }


def _named(value: Schema) -> Schema:
    return {
        "type": ["object", "null"],
        "propertyNames": {"pattern": r"^[^\s/{}]+$"},
        "additionalProperties": value,
    }


def _object(fields: Iterable[Field], nested: Mapping[str, Schema] | None = None) -> Schema:
    known = tuple(fields)
    properties = {field.name: _field(field) for field in known} | dict(nested or {})
    required = [field.name for field in known if field.required]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _route() -> Schema:
    found = _object(ROUTE, {name: _object(fields) for name, fields in NESTED.items()})
    found["required"] += NEEDED
    return found


def _channel(kinds: Mapping[str, tuple[Field, ...]]) -> Schema:
    return {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": sorted(kinds)}},
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
                "then": _object(fields, {"kind": {"const": kind}}),
            }
            for kind, fields in sorted(kinds.items())
        ],
    }


def _field(field: Field) -> Schema:
    found: Schema = dict(_shape(field))
    found["description"] = field.help
    if field.default:
        found["default"] = field.default
    return found


def _shape(field: Field) -> Schema:
    if field.many:
        one = _pattern(f"{PATTERN}|{_VARIABLE}") if field.kind == "windows" else _TEXT
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
    if field.kind == "choice":
        return {"anyOf": [{"enum": list(field.choices)}, _pattern(_VARIABLE)]}
    if field.kind == "bool":
        return {"anyOf": [{"type": "boolean"}, _pattern(_VARIABLE)]}
    if field.kind == "seconds":
        return {"anyOf": [{"const": 0}, _pattern(rf"^\d+(\.\d+)?[smhd]$|^0$|{_VARIABLE}")]}
    if field.kind in ("number", "size"):
        unit = "( ?(KB|MB|GB))?" if field.kind == "size" or sized(field) else ""
        number = {"type": "integer", "minimum": 0}
        return {"anyOf": [number, _pattern(rf"^\d+{unit}$|{_VARIABLE}")]}
    return _pattern(rf"^\d+/(s|min|h)$|{_VARIABLE}") if field.kind == "rate" else _TEXT


def _pattern(pattern: str) -> Schema:
    return {"type": "string", "pattern": pattern}
