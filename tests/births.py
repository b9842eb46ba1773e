"""Messages as a store takes them, made without standards, adapters or channels."""

from __future__ import annotations

from dataclasses import replace

from broker.journal import birth as births
from broker.journal.trail import Trail, entry
from broker.journal.vault import Vault
from broker.message import Authority, Direction, Envelope, Message, State, new_id, now
from broker.stores.contract import Birth, Change, Entry, Job, Refused, Room, Store, Way

VAULT = Vault(bytes(range(32)))


def envelope(uuid: str = "", case: str = "") -> Envelope:
    """Return the head of an application."""
    sender, recipient = Authority("bap:03000001"), Authority("bab:03103000")
    return Envelope("xbau", "2.6", "antrag.0200", "urn:x", sender, recipient, uuid=uuid, case=case)


def birth(
    body: bytes = b"<antrag/>",
    uuid: str = "",
    case: str = "",
    party: str = "bauportal",
    answers: str | None = None,
    **way: str | bool | State,
) -> Birth:
    """Return a new message; without a uuid it gets one of its own."""
    id = new_id()
    direction = Direction.ANSWER if answers else Direction.REQUEST
    head = envelope(uuid or id, case)
    message = Message(id, direction, head, body, party, now(), answers)
    made = Way("bau", "t" * 64, "wolfsburg/bau", "procedure", ordered=bool(case))
    changed = replace(made, **way)  # type: ignore[arg-type]
    identity = ("message", party, uuid or id)
    return births.birth(VAULT, message, identity, changed, Trail(id), "accepted")


def refused(body: bytes = b"<broken") -> Refused:
    """Return bytes that were not accepted."""
    id, key = new_id(), VAULT.new_key()
    payload = VAULT.seal(key, id, "original", body)
    line = entry("", "refused", name=id, reason="X000")
    return Refused(
        id, "bauportal", "http", "X000", "not well-formed", now(), key.wrapped, payload, (line,)
    )


def done(job: Job, state: State = State.DELIVERED, births: tuple[Birth, ...] = ()) -> Change:
    """Return the end of a lease."""
    return Change(
        job.id, job.token, state, lines(job.id, state), reason="", error="", births=births
    )


def lines(id: str, state: State) -> tuple[Entry, ...]:
    """Return the entry that a change to this state leaves."""
    return (entry(id, state.value, state=state.value),)


def taken_in(store: Store, *births: Birth) -> list[str]:
    """Accept these, in one group where possible; return their ids."""
    return [future.result().id for future in [store.accept(one) for one in births]]


def state(store: Store, id: str) -> State:
    """Return the state of a message that is there."""
    row = store.row(id)
    assert row is not None
    return row.state


def take_one(store: Store, room: Room | None = None) -> Job:
    """Lease the only delivery that is due."""
    (job,) = store.take(room or Room())
    return job


def events(store: Store) -> list[str]:
    """Return what the journal of a store says happened, in order."""
    return [line.event for line in store.entries()]
