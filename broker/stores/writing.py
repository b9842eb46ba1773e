"""Writes births, changes and leases: the statements inside the writer's transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from broker.message import Authority, Envelope, State, now
from broker.stores.contract import Accepted, Birth, Change, Entry, Payload, Refused, Verdict
from broker.stores.tables import deliveries, entries, messages, payloads, refusals

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(time: datetime) -> int:
    """Return whole microseconds since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def moment(value: int) -> datetime:
    """Return the time of whole microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=value)


def envelope_text(envelope: Envelope) -> str:
    """Return an envelope as JSON text, as kept in `messages.envelope`."""
    return json.dumps(asdict(envelope), ensure_ascii=False, separators=(",", ":"))


def envelope_of(value: str) -> Envelope:
    """Return the envelope kept as JSON text."""
    fields = json.loads(value)
    fields["sender"] = Authority(**fields["sender"])
    fields["recipient"] = Authority(**fields["recipient"])
    return Envelope(**fields)


_INSERT_MESSAGE = insert(messages)
_INSERT_PAYLOAD = insert(payloads)
_INSERT_DELIVERY = insert(deliveries)
_INSERT_ENTRY = insert(entries)
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
    stamp = micros(now())
    connection.execute(_INSERT_MESSAGE, [_message_row(birth) for birth in births])
    connection.execute(_INSERT_PAYLOAD, [_payload_row(b.message.id, b.payload) for b in births])
    connection.execute(_INSERT_DELIVERY, [_delivery_row(birth, stamp) for birth in births])
    insert_entries(connection, (entry for birth in births for entry in birth.entries))


def insert_entries(connection: Connection, lines: Iterable[Entry]) -> None:
    """Append to the journal."""
    rows = [{"message": line.message, "event": line.event, "body": line.body} for line in lines]
    if rows:
        connection.execute(_INSERT_ENTRY, rows)


def _message_row(birth: Birth) -> dict[str, Any]:
    message, envelope = birth.message, birth.message.envelope
    return {
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


def _payload_row(message: str, payload: Payload) -> dict[str, Any]:
    return {
        "message": message,
        "form": payload.form,
        "size": payload.size,
        "salt": payload.salt,
        "box": payload.box,
    }


def _delivery_row(birth: Birth, stamp: int) -> dict[str, Any]:
    way = birth.way
    return {
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
    }


_d = deliveries.c
_SET: dict[str, Any] = {
    "state": bindparam("b_state"),
    "due": func.coalesce(bindparam("b_due"), _d.due),
    "changed": bindparam("b_changed"),
    "ready": func.coalesce(bindparam("b_ready"), _d.ready),
    "sending": func.coalesce(bindparam("b_sending"), _d.sending),
    "reason": func.coalesce(bindparam("b_reason"), _d.reason),
    "error": func.coalesce(bindparam("b_error"), _d.error),
    "receipt": func.coalesce(bindparam("b_receipt"), _d.receipt),
}
#: One statement while the lease is kept, one for when it ends: an end in order clears what a crash
#: left behind.
_KEEP = (
    update(deliveries)
    .values(_SET)
    .where(_d.message == bindparam("b_id"), _d.token == bindparam("b_token"))
)
_END = (
    update(deliveries)
    .values(_SET | {"token": None, "suspect": 0, "crashes": 0})
    .where(_d.message == bindparam("b_id"), _d.token == bindparam("b_token"))
)
_OUTSIDE = (
    update(deliveries)
    .values(_SET | {"token": None, "suspect": 0, "crashes": 0})
    .where(
        _d.message == bindparam("b_id"),
        _d.state.in_(bindparam("b_expected", expanding=True)),
    )
)


def change(connection: Connection, groups: Sequence[Sequence[Change]]) -> list[list[bool]]:
    """Write steps; the usual case is a handful of statements for all of them."""
    flat = [step for group in groups for step in group]
    stamp = micros(now())
    usual = all(step.token is not None for step in flat)
    if usual and _together(connection, flat, stamp):
        return [[True] * len(group) for group in groups]
    return [[_single(connection, step, stamp) for step in group] for group in groups]


def _together(connection: Connection, steps: Sequence[Change], stamp: int) -> bool:
    savepoint = connection.begin_nested()
    for statement, keep in ((_KEEP, True), (_END, False)):
        part = [step for step in steps if (step.state is State.WORKING) is keep]
        if not part:
            continue
        result = connection.execute(statement, [_change_row(step, stamp) for step in part])
        if result.rowcount != len(part):
            savepoint.rollback()
            return False
    _attachments(connection, steps)
    savepoint.commit()
    return True


def _single(connection: Connection, step: Change, stamp: int) -> bool:
    row = _change_row(step, stamp)
    if step.token is None:
        row["b_expected"] = [state.value for state in step.expected]
        statement = _OUTSIDE
    else:
        statement = _KEEP if step.state is State.WORKING else _END
    if connection.execute(statement, row).rowcount != 1:
        return False
    _attachments(connection, [step])
    return True


def _change_row(step: Change, stamp: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "b_id": step.id,
        "b_state": step.state.value,
        "b_due": None if step.due is None else micros(step.due),
        "b_changed": stamp,
        "b_ready": 1 if step.payload is not None else None,
        "b_sending": None if step.sending is None else int(step.sending),
        "b_reason": step.reason,
        "b_error": step.error,
        "b_receipt": step.receipt,
    }
    if step.token is not None:
        row["b_token"] = step.token
    return row


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
    .where(_d.message == bindparam("b_id"))
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
    if sealed:
        connection.execute(_INSERT_PAYLOAD, sealed)
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
