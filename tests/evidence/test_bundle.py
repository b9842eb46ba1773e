"""A bundle holds everything, and whatever is done to it is found and located, by both verifiers."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.cli.desk import opened
from broker.cli.evidence import evidence
from broker.errors import BrokerError
from broker.evidence.bundle import VERIFIER, Bundle, Request, Seal
from broker.journal.checkpoint import Signer
from broker.journal.sealer import Ledger
from broker.journal.trail import entry
from broker.journal.vault import Vault
from broker.stores.contract import Erasure
from tests.evidence.other import complaints
from tests.evidence.stock import Files, Stock, packed, taken
from tests.evidence.tool import FILE, fails, told

#: What only the content of the application says.
CONTENT = b"beispielmann"


def both(bundle: bytes, key: str) -> list[str]:
    """Return the complaints of the program; the second implementation must have some or none too.

    Both must agree, else one of them misses something.
    """
    found, other = fails(bundle, key), complaints(bundle, key)
    assert bool(found) == bool(other), (found, other)
    return found


def test_an_untouched_bundle_is_verified_by_both_implementations(stock: Stock) -> None:
    assert both(stock.bundle, stock.signer.public) == []


def test_it_holds_the_bytes_as_received(stock: Stock) -> None:
    assert stock.files[f"messages/{stock.request}/original.xml"] == stock.body


def test_it_holds_the_converted_form_and_the_answer_in_both_forms(stock: Stock) -> None:
    converted = f"messages/{stock.request}/converted.xml"
    answer = {f"messages/{stock.answer}/{form}.xml" for form in ("original", "converted")}
    assert {converted, *answer} <= stock.files.keys()


def test_the_recorded_digests_of_all_four_forms_are_confirmed(stock: Stock) -> None:
    lines = told(stock.bundle, stock.signer.public, "holds")
    assert sum("bytes are those of entry" in line for line in lines) == 4


def test_opening_it_left_an_entry_with_reason_and_person_that_is_in_it(stock: Stock) -> None:
    entries = [data for name, data in stock.files.items() if name.endswith(".entry")]
    opening = [data for data in entries if b"opened" in data]
    assert len(opening) == 2
    assert all(b"a test asks" in data and b"Erika Beispiel" in data for data in opening)


def test_a_proof_is_smaller_than_one_kilobyte(stock: Stock) -> None:
    sizes = [len(data) for name, data in stock.files.items() if name.endswith(".tlog-proof")]
    assert max(sizes) < 1000


def test_the_same_content_gives_the_same_bytes(stock: Stock) -> None:
    assert packed(stock.files) == stock.bundle


def test_the_readme_names_the_program_by_its_digest(stock: Stock) -> None:
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == VERIFIER
    assert VERIFIER.encode() in stock.files["README.txt"]


def test_the_reports_show_no_content_of_the_message(stock: Stock) -> None:
    assert CONTENT in stock.body
    for language in ("de", "en"):
        assert CONTENT not in stock.files[f"report-{language}.html"]


@pytest.mark.parametrize("loader", [b"http", b"<script", b"src=", b"@import", b"url("])
def test_the_reports_load_nothing(stock: Stock, loader: bytes) -> None:
    for language in ("de", "en"):
        page = stock.files[f"report-{language}.html"].replace(b"http://www.w3.org/2000/svg", b"")
        assert loader not in page


def test_one_bit_anywhere_is_refused(stock: Stock) -> None:
    chance = random.Random(6)
    for at in chance.sample(range(len(stock.bundle)), 300):
        found = both(flipped(stock.bundle, at, chance.randrange(8)), stock.signer.public)
        assert found, f"a bit of byte {at} was changed and nobody saw it"


@pytest.mark.slow
def test_one_bit_in_every_byte_is_refused(stock: Stock) -> None:
    for at in range(len(stock.bundle)):
        assert fails(flipped(stock.bundle, at, at % 8), stock.signer.public), at


def test_a_changed_content_is_located_by_its_name(stock: Stock) -> None:
    name = f"messages/{stock.request}/original.xml"
    at = stock.bundle.index(stock.body) + 100
    assert fails(flipped(stock.bundle, at, 0), stock.signer.public)[0].startswith(f"{name}: ")


def test_something_appended_is_located_by_its_byte(stock: Stock) -> None:
    found = fails(stock.bundle + b"\0", stock.signer.public)
    assert found[0].startswith(f"byte {len(stock.bundle) + 1}: ")


@pytest.mark.parametrize("length", [0, 1, 20, 1000, -1])
def test_a_bundle_that_is_cut_off_is_refused(stock: Stock, length: int) -> None:
    assert both(stock.bundle[:length], stock.signer.public)


def test_a_repacked_file_is_located(stock: Stock) -> None:
    files = stock.files
    files["report-de.html"] = files["report-de.html"].replace(b"zugestellt", b"abgewiesen")
    found = both(packed(files), stock.signer.public)
    assert found == ["report-de.html: was changed: its bytes are not those that the manifest lists"]


def test_a_file_that_was_added_is_located(stock: Stock) -> None:
    found = both(packed(stock.files | {"more.txt": b"x"}), stock.signer.public)
    assert found == ["more.txt: was added: the manifest does not list it"]


def test_a_file_that_is_missing_is_located(stock: Stock) -> None:
    files = stock.files
    del files["report-en.html"]
    found = both(packed(files), stock.signer.public)
    assert found == ["report-en.html: is missing: the manifest lists it"]


def test_without_a_manifest_it_is_refused(stock: Stock) -> None:
    files = stock.files
    del files["manifest.txt"]
    assert any(one.startswith("manifest.txt: ") for one in both(packed(files), stock.signer.public))


def test_a_forger_with_another_key_is_named(stock: Stock) -> None:
    forger = Signer(stock.signer.name, Ed25519PrivateKey.generate())

    def change(files: Files) -> None:
        files["key.txt"] = forger.public.encode() + b"\n"

    found = both(stock.forged(change, forger), stock.signer.public)
    assert len(found) == 1
    assert found[0].startswith("manifest.txt: is not signed by xoev-broker+")
    assert forger.public.split("+")[1] in found[0]


def test_without_a_key_it_says_that_only_the_bundle_vouches_for_itself(stock: Stock) -> None:
    assert fails(stock.bundle, "") == []
    assert any("compare it" in line for line in told(stock.bundle, "", "open"))


def test_with_the_wrong_key_it_says_which_is_missing_and_what_still_holds(stock: Stock) -> None:
    other = Signer(stock.signer.name, Ed25519PrivateKey.generate()).public
    missing = named(stock.signer.public)
    assert all(missing in line and "whose key is missing" in line
               for line in both(stock.bundle, other))  # fmt: skip
    assert any("bytes are those of entry" in line for line in told(stock.bundle, other, "holds"))


def test_the_operator_cannot_change_the_bytes_and_sign_anew(stock: Stock) -> None:
    place = f"messages/{stock.request}/original"

    def change(files: Files) -> None:
        files[f"{place}.xml"] = swapped(files[f"{place}.xml"])

    found = both(stock.forged(change), stock.signer.public)
    assert found == [f"{place}: the bytes are not those that entry 0 recorded"]


def test_the_operator_cannot_change_an_entry_and_sign_anew(stock: Stock) -> None:
    def change(files: Files) -> None:
        name = "entries/000000000004.entry"
        files[name] = files[name].replace(b"delivered", b"deliverex")

    found = both(stock.forged(change), stock.signer.public)
    assert found[0] == (
        "entries/000000000004.entry: is not entry 4 of the journal at the checkpoint"
    )


def test_the_operator_cannot_move_an_entry(stock: Stock) -> None:
    def change(files: Files) -> None:
        one, two = "entries/000000000003", "entries/000000000004"
        for end in (".entry", ".tlog-proof"):
            files[one + end], files[two + end] = files[two + end], files[one + end]

    found = both(stock.forged(change), stock.signer.public)
    assert any("000000000003.entry: its proof is for entry 4" in line for line in found)


def test_an_entry_left_out_leaves_a_gap_in_the_facts(stock: Stock) -> None:
    def change(files: Files) -> None:
        del files["entries/000000000004.entry"], files["entries/000000000004.tlog-proof"]

    place = f"messages/{stock.request}"
    found = both(stock.forged(change), stock.signer.public)
    assert f"{place}: its entries are not those that facts.json lists" in found


def test_bytes_that_vanish_without_an_entry_are_missed(stock: Stock) -> None:
    place = f"messages/{stock.answer}"

    def change(files: Files) -> None:
        del files[f"{place}/converted.xml"]
        facts = files[f"{place}/facts.json"]
        start = facts.index(b'"file": "' + f"{place}/converted".encode())
        end = facts.index(b"}", start)
        files[f"{place}/facts.json"] = facts[:start] + b'"absent": "erased"' + facts[end:]

    found = both(stock.forged(change), stock.signer.public)
    assert found == [f"{place}/converted: is not in the bundle, and no entry says that it was "
                     "erased"]  # fmt: skip


def test_a_witness_is_checked_where_its_key_is_given_and_named_where_not(stock: Stock) -> None:
    witness = Signer("salzgitter", Ed25519PrivateKey.generate())
    line = witness.cosign(stock.files["checkpoint.txt"].decode(), 1_750_000_000).encode()

    def change(files: Files) -> None:
        old = files["checkpoint.txt"]
        for name in files:
            files[name] = files[name].replace(old, old + line)

    bundle, key = stock.forged(change), stock.signer.public
    assert both(bundle, key) == []
    assert any("salzgitter" in line and "not checked" in line for line in told(bundle, key, "open"))
    public = witness.verifier(4).line
    assert f"checkpoint.txt: countersigned by {named(public)}" in told(bundle, key, "holds", public)


def test_after_erasure_it_proves_that_the_message_was_there_and_is_gone(
    fresh: Stock, tmp_path: Path
) -> None:
    with opened() as desk:
        note = entry(fresh.request, "erased", "Erika Beispiel", rule="retention_payload 90d")
        gone = Erasure(fresh.request, "payload", "retention_payload 90d", (note,))
        assert desk.store.erase([gone]).result()
    target = tmp_path / "later.zip"
    evidence(target, "was it erased?", fresh.request)
    bundle = target.read_bytes()
    assert both(bundle, fresh.signer.public) == []
    assert not any(name.startswith(f"messages/{fresh.request}/original") for name in taken(bundle))
    lines = told(bundle, fresh.signer.public, "holds")
    assert any("was erased on" in line and "retention_payload 90d" in line for line in lines)


def test_without_the_site_key_it_still_proves_the_course(fresh: Stock, tmp_path: Path) -> None:
    target = tmp_path / "locked.zip"
    with opened() as desk:
        row = desk.store.row(fresh.request)
        assert row is not None
        bundle = Bundle(desk.store, Vault(bytes(32)), Ledger(desk.store))
        request = Request(row.id, f"message {row.id}", "Erika Beispiel", "a test asks")
        bundle.write([row], target, request, Seal(fresh.signer.public, fresh.signer.attest))
    assert both(target.read_bytes(), fresh.signer.public) == []
    lines = told(target.read_bytes(), fresh.signer.public, "open")
    assert any("the site key is missing" in line for line in lines)


def test_a_period_holds_all_of_its_messages(fresh: Stock, tmp_path: Path) -> None:
    target = tmp_path / "period.zip"
    evidence(target, "the yearly audit", since="1d")
    names = taken(target.read_bytes()).keys()
    assert {f"messages/{id}/facts.json" for id in (fresh.request, fresh.answer)} <= names
    assert both(target.read_bytes(), fresh.signer.public) == []


def test_a_bundle_replaces_no_file(fresh: Stock, tmp_path: Path) -> None:
    target = tmp_path / "there.zip"
    target.write_bytes(b"mine")
    with pytest.raises(BrokerError, match="is there already"):
        evidence(target, "a test asks", fresh.request)
    assert target.read_bytes() == b"mine"


def named(key: str) -> str:
    """Return a key as findings name it."""
    return "+".join(key.split("+")[:2])


def flipped(data: bytes, at: int, bit: int) -> bytes:
    """Return the bytes with one bit changed."""
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def swapped(data: bytes) -> bytes:
    """Return bytes of the same length that differ."""
    return data[:-1] + bytes([data[-1] ^ 1])


def test_a_signature_of_the_manifest_is_none_of_a_checkpoint(stock: Stock) -> None:
    with pytest.raises(ValueError, match="signed by sign alone"):
        stock.signer.attest(stock.files["checkpoint.txt"].decode().split("\n\n")[0] + "\n")
