"""An auditor verifies, keeps checkpoints and lets another city countersign them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.journal.ledgers import tamper
from tests.site import Site


@pytest.fixture
def store(delivered: str, place: Site) -> Path:
    """Return the store of a site with one delivered message."""
    assert delivered
    return Path(place.environ["XOEV_BROKER_STATE"]) / "broker.sqlite"


def test_an_untouched_journal_is_said_to_be_so(type_: Type, store: Path) -> None:
    type_("checkpoint", "--now")

    ran = type_("verify")

    assert ran.code == 0
    assert "nothing was changed" in ran.out
    assert "only a checkpoint kept elsewhere" in ran.out


def test_a_changed_entry_is_found_and_ends_with_1(type_: Type, store: Path) -> None:
    type_("checkpoint", "--now")
    tamper(store, "UPDATE entries SET body = CAST(body || x'20' AS BLOB) WHERE seq = 2")

    ran = type_("verify", "--json")

    assert ran.code == 1
    assert [(one["kind"], one["first"]) for one in ran.json["findings"]] == [("edited", 2)]
    assert "entry 2 (tree index 1) was edited" in type_("verify").out


def test_a_kept_checkpoint_shows_a_store_that_was_put_back(
    type_: Type, store: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.write_text(type_("checkpoint", "--now").out)
    tamper(store, "DELETE FROM entries", *(f"DELETE FROM {name}" for name in
                                           ("leaves", "nodes", "checkpoints")))  # fmt: skip

    assert type_("verify").code == 0
    ran = type_("verify", "--from", str(kept))
    assert ran.code == 1
    assert "an older copy was put back" in ran.out


def test_a_checkpoint_of_another_key_is_refused(type_: Type, store: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text(type_("checkpoint", "--now").out)
    key = type_("witness", "--public").out.strip()

    ran = type_("verify", "--from", str(kept), "--key", key)

    assert ran.code == 1
    assert "no valid signature" in ran.err


def test_verify_makes_no_key(type_: Type, store: Path) -> None:
    ran = type_("verify")

    assert ran.code == 0
    assert "signatures were not checked" in ran.err
    assert not (store.parent / "journal.key").exists()


def test_without_a_checkpoint_it_is_said_how_to_make_one(type_: Type, store: Path) -> None:
    ran = type_("checkpoint")

    assert ran.code == 1
    assert "checkpoint --now" in ran.err


def test_a_witness_countersigns_and_the_line_is_kept(
    type_: Type, store: Path, tmp_path: Path
) -> None:
    type_("checkpoint", "--now")
    names = ("request", "line", "log", "witness")
    request, line, log, witness = (tmp_path / f"{name}.txt" for name in names)
    log.write_text(type_("checkpoint", "--public").out)
    witness.write_text(type_("witness", "--public").out)
    request.write_text(type_("checkpoint", "--since", "0").out)
    line.write_text(type_("witness", str(request), "--key", str(log)).out)

    ran = type_("checkpoint", "--cosigned", str(line), "--key", str(witness))

    assert ran.code == 0
    assert type_("checkpoint").out.endswith(line.read_text())
    assert type_("verify").code == 0


def test_a_line_that_is_no_countersignature_is_not_kept(
    type_: Type, store: Path, tmp_path: Path
) -> None:
    type_("checkpoint", "--now")
    line = tmp_path / "line.txt"
    line.write_text("— nobody AAAA\n")
    key = type_("witness", "--public").out.strip()

    ran = type_("checkpoint", "--cosigned", str(line), "--key", key)

    assert ran.code == 1
    assert "no signature of" in ran.err


def test_who_countersigned_and_who_kept_it_are_in_the_journal(
    type_: Type, submitted: str, tmp_path: Path
) -> None:
    request, line = tmp_path / "request.txt", tmp_path / "line.txt"
    type_("checkpoint", "--now")
    request.write_text(type_("checkpoint", "--since", "0").out)
    log, key = type_("checkpoint", "--public").out.strip(), type_("witness", "--public").out.strip()

    line.write_text(type_("witness", str(request), "--key", log, "--actor", "Erika").out)
    type_("checkpoint", "--cosigned", str(line), "--key", key)

    acts = [one for one in type_("accesses", "--json").json["accesses"]
            if one["event"] == "witnessed"]  # fmt: skip
    assert len(acts) == 2
    assert "Erika" in [one["actor"] for one in acts]


def test_a_witness_needs_a_request_and_a_key(type_: Type, tmp_path: Path) -> None:
    file = tmp_path / "request"
    file.write_text("x")

    assert type_("witness").code == 2
    assert type_("witness", str(file)).code == 2
    assert type_("witness", str(tmp_path / "no"), "--key", "no").code == 1
