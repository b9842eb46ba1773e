"""Writes births, changes and leases: the statements inside the writer's transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, text, update

from broker.errors import StoreError
from broker.message import Authority, Envelope
from broker.stores import bulk, clock
from broker.stores.clock import micros, moment
from broker.stores.contract import Accepted, Birth, Change, Entry, Payload, Refused, Verdict
from broker.stores.tables import business_keys, deliveries, entries, messages, payloads, refusals

_ENVELOPE = tuple(field.name for field in fields(Envelope))
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def envelope_text(envelope: Envelope) -> str:
    """Return an envelope as JSON text, as kept in `messages.envelope`."""
    values = {name: getattr(envelope, name) for name in _ENVELOPE}
    for role in ("sender", "recipient"):
        who: Authority = values[role]
        values[role] = {"key": who.key, "directory": who.directory, "name": who.name}
    return _encode(values)


def envelope_of(value: str) -> Envelope:
    """Return the envelope kept as JSON text."""
    values = json.loads(value)
    values["sender"] = Authority(**values["sender"])
    values["recipient"] = Authority(**values["recipient"])
    return Envelope(**values)


_MESSAGE = tuple(messages.c.keys())
_NAMES = tuple(deliveries.c.keys())
_PAYLOAD = ("message", "form", "size", "salt", "box")
_DELIVERY = tuple(name for name in _NAMES if name != "seq")
_ENTRY = ("message", "event", "body")
_KEY = tuple(business_keys.c.keys())
_INSERT_REFUSAL = insert(refusals)
_KNOWN = select(messages.c.identity, messages.c.id, messages.c.received, messages.c.digest).where(
    messages.c.identity.in_(bindparam("identities", expanding=True))
)


def accept(connection: Connection, births: Sequence[Birth]) -> list[Accepted]:
    """Insert the new ones; recognise repeats, also within the group."""
    known = _known(connection, births)
    fresh: list[Birth] = []
    verdicts: list[Accepted] = []
    for birth in births:
        first = known.get(birth.identity)
        if first is None:
            message = birth.message
            known[birth.identity] = (message.id, micros(message.received), birth.digest)
            fresh.append(birth)
            verdicts.append(Accepted(message.id, message.received, "new"))
        else:
            same = first[2] == birth.digest
            verdict: Verdict = "duplicate" if same else "conflict"
            verdicts.append(Accepted(first[0], moment(first[1]), verdict))
    insert_births(connection, fresh)
    return verdicts


def _known(connection: Connection, births: Sequence[Birth]) -> dict[bytes, tuple[str, int, bytes]]:
    identities = [birth.identity for birth in births]
    rows = connection.execute(_KNOWN, {"identities": identities})
    return {bytes(row[0]): (row[1], row[2], bytes(row[3])) for row in rows}


def insert_births(connection: Connection, births: Sequence[Birth]) -> None:
    """Insert messages with payload, delivery and entries."""
    if not births:
        return
    stamp = clock.stamp(connection)
    bulk.insert(connection, messages, _MESSAGE, [_message_row(birth) for birth in births])
    insert_payloads(connection, [_payload_row(b.message.id, b.payload) for b in births])
    bulk.insert(connection, deliveries, _DELIVERY, [_delivery_row(b, stamp) for b in births])
    keys = [(b.message.id, name, mark) for b in births for name, mark in b.keys]
    bulk.insert(connection, business_keys, _KEY, keys)
    insert_entries(connection, (entry for birth in births for entry in birth.entries))


def insert_entries(connection: Connection, lines: Iterable[Entry]) -> None:
    """Append to the journal."""
    rows = [(line.message, line.event, line.body) for line in lines]
    bulk.insert(connection, entries, _ENTRY, rows)


def insert_payloads(connection: Connection, rows: Sequence[bulk.Values]) -> None:
    """Insert sealed payloads."""
    bulk.insert(connection, payloads, _PAYLOAD, rows)


def _message_row(birth: Birth) -> bulk.Values:
    message, envelope = birth.message, birth.message.envelope
    row = {
        "id": message.id,
        "direction": message.direction.value,
        "standard": envelope.standard,
        "version": envelope.version,
        "kind": envelope.kind,
        "uuid": envelope.uuid,
        "sender": envelope.sender.key,
        "recipient": envelope.recipient.key,
        "envelope": envelope_text(envelope),
        "party": message.party,
        "received": micros(message.received),
        "size": len(message.body),
        "identity": birth.identity,
        "digest": birth.digest,
        "key": birth.key,
        "case": birth.case,
        "answers": message.answers,
        "replays": message.replays,
    }
    return [row[name] for name in _MESSAGE]


def _payload_row(message: str, payload: Payload) -> bulk.Values:
    return message, payload.form, payload.size, payload.salt, payload.box


def _delivery_row(birth: Birth, stamp: int) -> bulk.Values:
    way = birth.way
    row = {
        "message": birth.message.id,
        "state": way.state.value,
        "route": way.route,
        "table": way.table,
        "adapter": way.adapter,
        "channel": way.channel,
        "lane": birth.lane,
        "reference": birth.reference,
        "number": "",
        "ready": int(way.ready),
        "attempts": 0,
        "due": stamp,
        "changed": stamp,
        "token": None,
        "sending": 0,
        "suspect": 0,
        "crashes": 0,
        "reason": way.reason,
        "error": way.error,
        "receipt": "",
        "lease": None,
    }
    return [row[name] for name in _DELIVERY]


#: An end in order clears what a crash left behind.
_CHANGE = """
    UPDATE deliveries SET state = v.column3, due = coalesce(v.column4, deliveries.due),
    changed = v.column5, ready = coalesce(v.column6, deliveries.ready),
    sending = coalesce(v.column7, deliveries.sending),
    reason = coalesce(v.column8, deliveries.reason), error = coalesce(v.column9, deliveries.error),
    receipt = coalesce(v.column10, deliveries.receipt),
    token = CASE WHEN v.column3 = 'working' THEN deliveries.token END,
    suspect = CASE WHEN v.column3 = 'working' THEN deliveries.suspect ELSE 0 END,
    crashes = CASE WHEN v.column3 = 'working' THEN deliveries.crashes ELSE 0 END FROM
"""
_LEASED = "AS v WHERE deliveries.message = v.column1 AND deliveries.token = v.column2"
_EXPECTED = "AS v WHERE deliveries.message = v.column1 AND deliveries.state = v.column2"
_KINDS: tuple[bulk.Kind, ...] = (
    *("text", "text", "text", "int", "int", "int", "int"),
    *("text", "text", "text"),
)


def change(connection: Connection, groups: Sequence[Sequence[Change]]) -> list[list[bool]]:
    """Write steps; the usual case is a handful of statements for all of them."""
    flat = [step for group in groups for step in group]
    stamp = clock.stamp(connection)
    if not connection.in_nested_transaction() and all(step.token is not None for step in flat):
        _together(connection, flat, stamp)
        return [[True] * len(group) for group in groups]
    return [[_single(connection, step, stamp) for step in group] for group in groups]


def _together(connection: Connection, steps: Sequence[Change], stamp: int) -> None:
    ahead = clock.ahead(connection)
    rows = [_change_row(step, step.token, stamp, ahead) for step in steps]
    if bulk.update(connection, _CHANGE, _KINDS, _LEASED, rows) != len(steps):
        # The writer undoes the group and tries again one by one, to see which lease is gone.
        raise StoreError("a lease is gone")
    _attachments(connection, steps)


def _single(connection: Connection, step: Change, stamp: int) -> bool:
    after = _EXPECTED if step.token is None else _LEASED
    names = [state.value for state in step.expected] if step.token is None else [step.token]
    ahead = clock.ahead(connection)
    rows = [_change_row(step, name, stamp, ahead) for name in names]
    if bulk.update(connection, _CHANGE, _KINDS, after, rows) != 1:
        return False
    _attachments(connection, [step])
    return True


def _change_row(step: Change, hold: str | None, stamp: int, ahead: int) -> bulk.Values:
    return (
        step.id,
        hold,
        step.state.value,
        # A due time is meant on the caller's clock: what counts is how far off it is.
        None if step.due is None else micros(step.due) + ahead,
        stamp,
        1 if step.payload is not None else None,
        None if step.sending is None else int(step.sending),
        step.reason,
        step.error,
        step.receipt,
    )


_DROP_FORM = text("DELETE FROM payloads WHERE message = :message AND form = :form")
_REROUTE = (
    update(deliveries)
    .values(
        {
            "route": bindparam("b_route"),
            "table": bindparam("b_table"),
            "adapter": bindparam("b_adapter"),
            "channel": bindparam("b_channel"),
            "ready": 0,
        }
    )
    .where(deliveries.c.message == bindparam("b_id"))
)
_RENAME = (
    update(messages)
    .values(
        standard=bindparam("b_standard"),
        version=bindparam("b_version"),
        kind=bindparam("b_kind"),
        uuid=bindparam("b_uuid"),
        sender=bindparam("b_sender"),
        recipient=bindparam("b_recipient"),
        envelope=bindparam("b_envelope"),
    )
    .where(messages.c.id == bindparam("b_id"))
)


def _attachments(connection: Connection, steps: Sequence[Change]) -> None:
    sealed = [_payload_row(s.id, s.payload) for s in steps if s.payload is not None]
    insert_payloads(connection, sealed)
    births = [birth for step in steps for birth in step.births]
    if births:
        accept(connection, births)
    insert_entries(connection, (entry for step in steps for entry in step.entries))
    for step in steps:
        if step.envelope is not None:
            _rename(connection, step.id, step.envelope)
        if step.route is not None:
            _reroute(connection, step.id, step.route)


def _rename(connection: Connection, id: str, envelope: Envelope) -> None:
    row = {
        "b_id": id,
        "b_standard": envelope.standard,
        "b_version": envelope.version,
        "b_kind": envelope.kind,
        "b_uuid": envelope.uuid,
        "b_sender": envelope.sender.key,
        "b_recipient": envelope.recipient.key,
        "b_envelope": envelope_text(envelope),
    }
    connection.execute(_RENAME, row)


def _reroute(connection: Connection, id: str, route: tuple[str, str, str, str]) -> None:
    name, table, adapter, channel = route
    connection.execute(_DROP_FORM, {"message": id, "form": "converted"})
    connection.execute(
        _REROUTE,
        {
            "b_id": id,
            "b_route": name,
            "b_table": table,
            "b_adapter": adapter,
            "b_channel": channel,
        },
    )


def refuse(connection: Connection, items: Sequence[Refused]) -> list[None]:
    """Keep what was not accepted."""
    rows = [_refusal_row(item) for item in items]
    connection.execute(_INSERT_REFUSAL, rows)
    insert_entries(connection, (entry for item in items for entry in item.entries))
    return [None] * len(items)


def _refusal_row(item: Refused) -> dict[str, Any]:
    payload = item.payload
    return {
        "id": item.id,
        "party": item.party,
        "via": item.via,
        "reason": item.reason,
        "error": item.text,
        "received": micros(item.received),
        "key": item.key,
        "size": payload.size if payload else 0,
        "salt": payload.salt if payload else None,
        "box": payload.box if payload else None,
    }
