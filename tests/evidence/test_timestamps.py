"""Time stamps in a bundle: what they show, and that nothing about them can be changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509

from broker.cli.evidence import evidence
from broker.cli.verify import checkpoint
from broker.intake import Intake
from tests import messages
from tests.evidence.conftest import made
from tests.evidence.other import complaints
from tests.evidence.stock import Files, Stock, taken
from tests.evidence.test_program import run
from tests.evidence.tool import TOOL
from tests.servers.authority import Tsa, authority


@dataclass(frozen=True)
class Stamped:
    """A bundle whose messages lie below a stamped checkpoint, with its authority."""

    stock: Stock
    tsa: Tsa

    def told(self, bundle: bytes, pem: Path | None = None) -> list[str]:
        """Return what the program says of time stamps, `verdict place: words`."""
        roots = x509.load_pem_x509_certificates(pem.read_bytes()) if pem else []
        key = TOOL.Key.read(self.stock.signer.public)
        found = TOOL.check(bundle, key, [], roots)
        return [f"{one} {place}: {words}" for one, place, words in found if "stamps/" in place]


@pytest.fixture(scope="module")
def stamped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stamped]:
    folder = tmp_path_factory.mktemp("stamped")
    with pytest.MonkeyPatch.context() as patch, authority(folder / "tsa") as tsa:
        patch.setenv("XOEV_BROKER_TIMESTAMP_URL", tsa.url)
        patch.setenv("XOEV_BROKER_TIMESTAMP_CA", str(tsa.ca))
        stock = made(folder, patch)
        checkpoint(now=True, stamp=True)
        _more(stock)
        target = folder / "stamped.zip"
        evidence(target, "a test asks", stock.request, actor="Erika Beispiel")
        yield Stamped(
            Stock(stock.site, stock.request, stock.answer, stock.body, target.read_bytes(),
                  stock.signer),
            tsa,
        )  # fmt: skip


def _more(stock: Stock) -> None:
    """Let the journal grow after the time stamp."""
    app = stock.site.app()
    Intake(app).accept(messages.request("salzgitter"), "bauportal", "test")
    app.close()


def test_a_stamp_shows_when_the_entries_were_there(stamped: Stamped) -> None:
    (said,) = stamped.told(stamped.stock.bundle, stamped.tsa.ca)

    size = _size(stamped.stock.files)
    assert said.startswith(f"holds stamps/{size:012}.token: the first {size} entries were there on")
    assert said.endswith("UTC, says CN=Zeitstempel")
    assert complaints(stamped.stock.bundle, stamped.stock.signer.public) == []


def test_without_certificates_a_stamp_stays_open(stamped: Stamped) -> None:
    (said,) = stamped.told(stamped.stock.bundle)

    assert said.startswith("open stamps/")
    assert said.endswith("whether to trust it, --authority tells")


def test_a_stamp_of_somebody_else_s_authority_fails(stamped: Stamped, tmp_path: Path) -> None:
    with authority(tmp_path / "other") as other:
        (said,) = stamped.told(stamped.stock.bundle, other.ca)

    assert said.startswith("fails stamps/")
    assert "is not under a certificate given" in said


def test_a_stamp_for_another_text_fails(stamped: Stamped) -> None:
    def change(files: Files) -> None:
        size = _size(files)
        name = f"stamps/{size:012}.checkpoint"
        # A forger with the journal key signs a root that the journal never had.
        files[name] = files[name].replace(b"\n\n", b"\nmore\n\n", 1)

    (said,) = stamped.told(stamped.stock.forged(change), stamped.tsa.ca)
    assert "stamps something else than the checkpoint beside it" in said


def test_a_journal_that_did_not_grow_from_the_stamped_one_fails(stamped: Stamped) -> None:
    def change(files: Files) -> None:
        size = _size(files)
        growth = files[f"stamps/{size:012}.growth"].split(b"\n")
        files[f"stamps/{size:012}.growth"] = b"\n".join(growth[1:])

    (said,) = stamped.told(stamped.stock.forged(change), stamped.tsa.ca)
    assert said.startswith("fails stamps/")


def test_a_changed_bit_of_a_token_never_holds(stamped: Stamped) -> None:
    files = stamped.stock.files
    name = f"stamps/{_size(files):012}.token"
    for at in range(0, len(files[name]), 7):
        token = bytearray(files[name])
        token[at] ^= 1 << at % 8
        forged = stamped.stock.forged(partial(_replace, name=name, content=bytes(token)))
        found = stamped.told(forged, stamped.tsa.ca)
        # Certificates that nothing leads through, and what nobody reads, may change.
        if found[0].startswith("holds"):
            assert found == stamped.told(stamped.stock.bundle, stamped.tsa.ca)


def test_a_signature_of_an_unknown_kind_stays_open(stamped: Stamped) -> None:
    name = f"stamps/{_size(stamped.stock.files):012}.token"
    token = stamped.stock.files[name]
    # RSASSA-PSS instead of RSA, in the last algorithm of the token: that of the signature.
    at = token.rindex(bytes.fromhex("2a864886f70d0101"))
    other = token[: at + 8] + b"\x0a" + token[at + 9 : -1] + bytes([token[-1] ^ 1])

    (said,) = stamped.told(
        stamped.stock.forged(partial(_replace, name=name, content=other)), stamped.tsa.ca
    )

    assert said.startswith("open stamps/")
    assert "openssl ts may check it" in said


def test_the_report_and_the_command_tell_the_stamp(stamped: Stamped, tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"
    file.write_bytes(stamped.stock.bundle)

    done = run(str(file), "--key", stamped.stock.signer.public, "--authority",
               str(stamped.tsa.ca))  # fmt: skip

    assert done.returncode == 0, done.stdout
    assert "says CN=Zeitstempel" in done.stdout
    files = taken(stamped.stock.bundle)
    assert "<dt>Zeitstempel</dt>" in files["report-de.html"].decode()
    assert "entries were there at that time" in files["report-en.html"].decode()


def test_certificates_that_cannot_be_read_are_wrong_usage(stamped: Stamped, tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"
    file.write_bytes(stamped.stock.bundle)

    done = run(str(file), "--authority", str(file))

    assert done.returncode == 2
    assert "cannot start" in done.stderr


def _replace(files: Files, *, name: str, content: bytes) -> None:
    files[name] = content


def _size(files: Files) -> int:
    (name,) = (one for one in files if one.endswith(".token"))
    return int(name.removeprefix("stamps/").removesuffix(".token"))
