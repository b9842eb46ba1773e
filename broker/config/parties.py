"""Reads `parties:` and `channels:`."""

from __future__ import annotations

import re
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from broker.channels.channel import Declared
from broker.config.findings import Report
from broker.config.form import Form, Values, blocks
from broker.config.model import Party
from broker.config.nodes import Block, Text, texts
from broker.config.tables import NAME, PARTY, Known
from broker.errors import ConfigError
from broker.maintenance import Slot, endless

_NAME = re.compile(NAME)
_AGS = re.compile(r"\d{8}", re.ASCII)
_MARK = re.compile(r"[0-9a-f]{64}", re.ASCII)
_OTHERS = 0o077


def parties(root: Block, folder: Path, report: Report) -> dict[str, Party]:
    """Return all parties by name."""
    form = Form(PARTY, folder)
    owners: dict[str, str] = {}
    marks: dict[str, str] = {}
    found = {}
    for name, block in blocks(root, "parties", report, "party", _NAME).items():
        label = f'party "{name}": '
        party = _party(name, form.read(block, report, label))
        found[name] = party
        _ags(party, block, report)
        _keys(party, block, owners, report)
        _secret(party.token_file, block, "token_file", report, label)
        _certificates(party, block, marks, report)
    return found


def _party(name: str, values: Values) -> Party:
    title, ags, answer = values["name"], values["ags"], values["answer"]
    keys, token_file = values["key"], values["token_file"]
    assert isinstance(keys, tuple)
    return Party(
        name=name,
        title=str(title or name),
        ags=str(ags or ""),
        keys=keys,
        token_file=token_file if isinstance(token_file, Path) else None,
        certificates=_fingerprints(values),
        answer=str(answer) if answer else None,
        **_limits(values),
    )


def _limits(values: Values) -> dict[str, Any]:
    return {name: values[name] for name in ("rate", "max_message")}


def _fingerprints(values: Values) -> tuple[str, ...]:
    found = values["certificate"]
    assert isinstance(found, tuple)
    return tuple(one.replace(":", "").lower() for one in found)


def _certificates(party: Party, block: Block, owners: dict[str, str], report: Report) -> None:
    place = block.entries.get("certificate") or block
    for mark in party.certificates:
        owner = owners.setdefault(mark, party.name)
        if not _MARK.fullmatch(mark):
            text = "64 hex digits: openssl x509 -noout -fingerprint -sha256"
            label = f'party "{party.name}": "certificate" needs SHA-256 fingerprints of {text}'
            report.add(place, label)
        elif owner != party.name:
            text = f'party "{party.name}": a certificate belongs to party "{owner}" already'
            report.add(place, text)


def _ags(party: Party, block: Block, report: Report) -> None:
    node = block.entries.get("ags")
    if party.ags and isinstance(node, Text) and not _AGS.fullmatch(party.ags):
        report.add(node, f'party "{party.name}": "ags" is {node.shown}, needed are eight digits')


def _keys(party: Party, block: Block, owners: dict[str, str], report: Report) -> None:
    for key in party.keys:
        owner = owners.setdefault(key, party.name)
        if owner != party.name:
            place = block.entries["key"] or block
            report.add(
                place, f'party "{party.name}": key "{key}" belongs to party "{owner}" already'
            )


def channels(root: Block, folder: Path, known: Known, report: Report) -> dict[str, Declared]:
    """Return all channels by name; one with an unknown kind has no values."""
    forms = {kind: Form(fields, folder, nested=("kind",)) for kind, fields in known.kinds.items()}
    found = {}
    for name, block in blocks(root, "channels", report, "channel", _NAME).items():
        label = f'channel "{name}": '
        kind = _kind(block, known.kinds, report, label)
        values: Values = {}
        if kind:
            values = forms[kind].read(block, report, label)
            _secrets(forms[kind], values, block, report, label)
            _windows(block, report, label)
        found[name] = Declared(name, kind, values, block.line)
    return found


def _kind(block: Block, kinds: Collection[str], report: Report, label: str) -> str:
    node = block.entries.get("kind")
    if "kind" not in block.entries:
        report.add(block, f'{label}"kind" is missing')
    elif isinstance(node, Text) and node.text in kinds:
        return node.text
    elif isinstance(node, Text):
        closest = report.closest(node.text, kinds)
        report.add(node, f"{label}unknown kind {node.shown}{closest}")
    elif node is not None:
        report.add(node, f'{label}"kind" needs a text')
    return ""


def _secrets(form: Form, values: Values, block: Block, report: Report, label: str) -> None:
    for name in block.entries:
        field = form.fields.get(name)
        if field is not None and field.kind == "secret_file":
            _secret(values[name], block, name, report, label)


def _secret(file: object, block: Block, name: str, report: Report, label: str) -> None:
    if not isinstance(file, Path):
        return
    place = block.entries.get(name) or block
    try:
        mode = file.stat().st_mode
    except (OSError, ValueError):
        report.warn(place, f'{label}the file of "{name}" cannot be found, create it')
        return
    if stat.S_IMODE(mode) & _OTHERS:
        report.warn(place, f'{label}others may read the file of "{name}", set its mode to 0600')


def _windows(block: Block, report: Report, label: str) -> None:
    nodes = texts(block.entries.get("maintenance"))
    before = len(report)
    for node in nodes:
        try:
            Slot.read(node.text)
        except ConfigError as error:
            report.add(node, f'{label}"maintenance" is {node.shown}, needed is {error}')
    if nodes and len(report) == before and endless(node.text for node in nodes):
        text = "leaves no minute of the week in which anything is delivered"
        hint = "to stop a route for good use: xoev-broker pause"
        report.add(nodes[0], f'{label}"maintenance" {text}; {hint}')


def unknown_names(
    found: Mapping[str, Party], declared: Mapping[str, Declared], root: Block, report: Report
) -> None:
    """Report unknown return channels of parties and unknown parties of channels."""
    for party in found.values():
        if party.answer is not None and party.answer not in declared:
            closest = report.closest(party.answer, declared)
            place = place_of(root, "parties", party.name, "answer")
            report.add(place, f'party "{party.name}": unknown channel "{party.answer}"{closest}')
    for channel in declared.values():
        sender = channel.values.get("from")
        if isinstance(sender, str) and sender not in found:
            place = place_of(root, "channels", channel.name, "from")
            closest = report.closest(sender, found)
            report.add(place, f'channel "{channel.name}": unknown party "{sender}"{closest}')


def place_of(root: Block, section: str, name: str, field: str = "") -> Block | Text:
    """Return where a field of a party or channel stands, or the name itself."""
    names = root.entries[section]
    assert isinstance(names, Block)
    block = names.entries[name]
    node = block.entries.get(field) if isinstance(block, Block) else None
    return node if isinstance(node, Text) else names.keys[name]
