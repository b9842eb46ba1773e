"""How a message comes into being in the store: sealed, fingerprinted, with its first entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from broker.journal.trail import Trail
from broker.journal.vault import Vault, salted
from broker.message import Direction, Message, reference
from broker.stores.contract import Birth, Way

#: 128 bits tell any two values apart, and there are several for each message.
_SHORT = 16


def birth(
    vault: Vault, message: Message, identity: tuple[str, ...], way: Way, trail: Trail, event: str
) -> Birth:
    """Return a message as the store takes it; the entry `event` says where it came from and where
    it goes.

    `identity` are the parts that decide duplicates.
    """
    key = vault.new_key()
    payload = vault.seal(key, message.id, "original", message.body)
    case = _case(vault, message)
    envelope = message.envelope
    trail.note(
        event,
        message.received,
        party=message.party,
        standard=envelope.standard,
        version=envelope.version,
        kind=envelope.kind,
        uuid=envelope.uuid,
        test=envelope.test is not None,
        size=len(message.body),
        digest=salted(payload, message.body),
        route=way.route,
        table=way.table,
        adapter=way.adapter,
        channel=way.channel,
        answers=message.answers,
        replays=message.replays,
        state=way.state.value,
        reason=way.reason,
        error=way.error,
    )
    return Birth(
        message=message,
        way=way,
        identity=vault.fingerprint("identity", *identity),
        digest=vault.fingerprint("bytes", message.body),
        key=key.wrapped,
        payload=payload,
        reference=reference(message.id),
        case=case,
        lane=_lane(vault, message, case, way),
        entries=trail.taken(),
    )


def _case(vault: Vault, message: Message) -> bytes | None:
    case = message.envelope.case
    return case_key(vault, case) if case else None


def case_key(vault: Vault, case: str) -> bytes:
    """Return the key under which all messages of one case are found."""
    return vault.fingerprint("case", case)


def business_key(vault: Vault, name: str, value: str) -> bytes:
    """Return the fingerprint of a business key; upper and lower case and spaces do not matter."""
    return vault.fingerprint("key", name, " ".join(value.casefold().split()))[:_SHORT]


def marked(made: Birth, vault: Vault, keys: Iterable[tuple[str, str]]) -> Birth:
    """Return a birth with the fingerprints of its business keys, name and value of each given."""
    found = {(name, business_key(vault, name, value)): None for name, value in keys}
    return replace(made, keys=tuple(found)) if found else made


def _lane(vault: Vault, message: Message, case: bytes | None, way: Way) -> bytes | None:
    if not way.ordered:
        return None
    if message.direction is Direction.ANSWER:
        return vault.fingerprint("answers", message.answers or message.id)
    return case
