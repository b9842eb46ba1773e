"""The examples of docs/explanation/evidence.md are true, byte by byte."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.journal import tree
from broker.journal.checkpoint import Checkpoint, Signer
from broker.journal.entry import Line, encode
from tests.evidence.tool import TOOL
from tests.needs import ROOT

PAGE = (ROOT / "docs/explanation/evidence.md").read_text("utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ID = "019c0f00-0000-7000-8000-000000000001"
DIGEST = "0c6ef298a864b81ce3fe2e0436ec7a1daae23f571d2869dc57b0cfc540abb435"
SIGNER = Signer("example.org/demo", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


def bodies() -> list[bytes]:
    """Return the three entries of the example's journal."""
    told = (
        ("accepted", {"digest": DIGEST, "party": "bauportal", "size": "9", "state": "waiting"}),
        ("sending", {"attempt": "1", "channel": "wolfsburg-bau"}),
        ("delivered", {"attempt": "1", "receipt": "taken", "state": "delivered"}),
    )
    return [
        encode(Line(ID, datetime(2026, 3, 2, 8, 30, at, tzinfo=UTC), event, "broker",
                    MappingProxyType(facts)))
        for at, (event, facts) in enumerate(told)
    ]  # fmt: skip


def test_the_example_of_an_entry_is_what_the_broker_writes() -> None:
    shown = bytes.fromhex("".join(line[:47] for line in BLOCKS[0].splitlines()))
    assert shown == bodies()[1]


def test_the_example_of_a_leaf_is_its_hash() -> None:
    assert BLOCKS[1].strip() == tree.leaf(bodies()[1]).hex()


def test_the_example_of_a_proof_is_what_the_broker_writes() -> None:
    leaves = [tree.leaf(body) for body in bodies()]

    def hashes(_level: int, first: int, count: int) -> list[bytes]:
        return leaves[first : first + count]

    note = SIGNER.sign(Checkpoint(SIGNER.name, 3, tree.root(3, hashes)))
    assert BLOCKS[2].partition("\n\n")[2] == note


def test_the_example_of_a_proof_is_accepted_by_the_program() -> None:
    files = {"p": BLOCKS[2].encode()}
    checkpoint = BLOCKS[2].partition("\n\n")[2].encode()
    index, path = TOOL._proof(files, "p", checkpoint)
    root = Checkpoint.parse(checkpoint.decode()).root
    assert TOOL.included(tree.leaf(bodies()[1]), index, 3, path, root)


def test_the_example_of_a_key_is_the_signers() -> None:
    assert BLOCKS[3].strip() == SIGNER.public


def test_the_example_of_a_digest_is_the_salted_one() -> None:
    assert BLOCKS[4].strip() == DIGEST
    assert hashlib.sha256(bytes(range(16)) + b"<antrag/>").hexdigest() == DIGEST
