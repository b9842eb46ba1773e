"""Tokens of parties in files that change while the broker runs."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import pytest

from broker.config.model import Party, Table
from broker.web.tokens import Tokens


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass
class Desk:
    """Token files of two parties, and a clock that is moved by hand."""

    folder: Path
    now: float = 0.0
    parties: Mapping[str, Party] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parties = {
            name: Party(name, token_file=self.folder / name) for name in ("portal", "other")
        } | {"city": Party("city")}
        self.tokens = Tokens(self.table, lambda: self.now)

    def table(self) -> Table:
        return Table(self.parties, {}, (), "", Path("routes.yaml"))

    def write(self, party: str, text: str, mode: int = 0o600) -> None:
        part = self.folder / "part"
        part.write_text(text)
        part.chmod(mode)
        part.rename(self.folder / party)

    def party(self, token: str) -> str | None:
        """Look up a token two seconds later."""
        self.now += 2
        return self.tokens.party(b"Bearer " + token.encode())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_token_belongs_to_the_party_whose_file_has_its_hash(desk: Desk) -> None:
    desk.write("portal", hashed("eins"))
    desk.write("other", hashed("zwei"))

    assert [desk.party(token) for token in ("eins", "zwei", "drei")] == ["portal", "other", None]


def test_several_tokens_are_in_force_at_once(desk: Desk) -> None:
    desk.write("portal", f"# old\n{hashed('alt')}\n\n{hashed('neu').upper()}  # new\n")

    assert (desk.party("alt"), desk.party("neu")) == ("portal", "portal")


def test_the_output_of_sha256sum_can_be_pasted(desk: Desk) -> None:
    desk.write("portal", f"{hashed('eins')}  -\n")

    assert desk.party("eins") == "portal"


def test_the_hash_itself_is_no_token(desk: Desk) -> None:
    desk.write("portal", hashed("eins"))

    assert desk.party(hashed("eins")) is None


def test_a_changed_file_counts_after_a_second(desk: Desk) -> None:
    desk.write("portal", hashed("alt"))
    assert desk.party("alt") == "portal"
    desk.write("portal", hashed("neu"))

    assert desk.tokens.party(b"Bearer neu") is None
    assert (desk.party("alt"), desk.party("neu")) == (None, "portal")


def test_a_file_changed_in_place_is_noticed(desk: Desk) -> None:
    desk.write("portal", hashed("alt"))
    assert desk.party("alt") == "portal"
    (desk.folder / "portal").write_text(hashed("neu"))
    os.utime(desk.folder / "portal", ns=(1, 1))

    assert desk.party("neu") == "portal"


def test_a_file_that_goes_away_opens_nothing(desk: Desk, quiet: io.BytesIO) -> None:
    desk.write("portal", hashed("eins"))
    assert desk.party("eins") == "portal"
    (desk.folder / "portal").unlink()

    assert desk.party("eins") is None
    assert b"cannot be read" in quiet.getvalue()


def test_a_table_put_in_force_counts_at_once(desk: Desk) -> None:
    desk.write("portal", hashed("eins"))
    assert desk.party("eins") == "portal"
    desk.parties = MappingProxyType({"neu": Party("neu", token_file=desk.folder / "portal")})

    assert desk.tokens.party(b"Bearer eins") == "neu"


def test_a_token_of_two_parties_opens_nothing(desk: Desk, quiet: io.BytesIO) -> None:
    desk.write("portal", hashed("eins"))
    desk.write("other", f"{hashed('eins')}\n{hashed('zwei')}")

    assert (desk.party("eins"), desk.party("zwei")) == (None, "other")
    assert b"another party has the same token" in quiet.getvalue()


def test_a_line_that_is_no_hash_is_reported_without_its_text(desk: Desk, quiet: io.BytesIO) -> None:
    desk.write("portal", f"das-token-selbst\n{hashed('eins')}")

    assert desk.party("das-token-selbst") is None
    assert desk.party("eins") == "portal"
    assert b"line 1 is no SHA-256 hash" in quiet.getvalue()
    assert b"das-token-selbst" not in quiet.getvalue()


def test_a_file_that_others_may_read_is_reported_once(desk: Desk, quiet: io.BytesIO) -> None:
    desk.write("portal", hashed("eins"), 0o644)

    assert [desk.party("eins"), desk.party("eins")] == ["portal", "portal"]
    assert quiet.getvalue().count(b"set its mode to 0600") == 1


@pytest.mark.parametrize("value", [b"", b"Bearer", b"Bearer ", b"Basic eins", b"Bearer eins zwei"])
def test_what_is_no_bearer_token_is_nobody(desk: Desk, value: bytes) -> None:
    desk.write("portal", hashed("eins"))

    assert desk.tokens.party(value) is None


def test_the_name_of_the_scheme_has_no_case(desk: Desk) -> None:
    desk.write("portal", hashed("eins"))

    assert desk.tokens.party(b"bearer eins") == "portal"
