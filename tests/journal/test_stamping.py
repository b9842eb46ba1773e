"""Time stamps of a real authority on checkpoints, and an authority that fails in every way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import rfc3161_client
from cryptography import x509

from broker.errors import ConfigError
from broker.journal.checkpoint import Checkpoint
from broker.journal.stamping import Authority, NotStamped, Stamper
from broker.message import now
from broker.stores.sqlite import SqliteStore
from tests.journal.ledgers import opened, sealed
from tests.servers import http
from tests.servers.authority import Tsa, authority

POINT = Checkpoint("stadt-muster", 3, bytes(range(32)))


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tsa]:
    with authority(tmp_path_factory.mktemp("tsa") / "one") as found:
        yield found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    found = opened(tmp_path / "store.sqlite")
    yield found
    found.close()


def test_a_stamp_holds_by_the_library_s_own_check(tsa: Tsa) -> None:
    stamp = Authority(tsa.url, tsa.ca).stamp(POINT)

    assert stamp.size == 3
    assert abs(stamp.time - now()) < timedelta(minutes=5)
    root = x509.load_pem_x509_certificate(tsa.ca.read_bytes())
    verifier = rfc3161_client.VerifierBuilder().add_root_certificate(root).build()
    # A response is a status in front of the token.
    body = bytes.fromhex("3003020100") + stamp.token
    whole = b"\x30\x82" + len(body).to_bytes(2, "big") + body
    answer = rfc3161_client.decode_timestamp_response(whole)
    assert verifier.verify_message(answer, POINT.text.encode())


def test_without_certificates_a_stamp_must_still_fit(tsa: Tsa) -> None:
    assert Authority(tsa.url).stamp(POINT).token


def test_the_stamp_of_another_authority_is_not_taken(tsa: Tsa, tmp_path: Path) -> None:
    with (
        authority(tmp_path / "other") as other,
        pytest.raises(NotStamped, match="is not signed by the authority"),
    ):
        Authority(tsa.url, other.ca).stamp(POINT)


def test_a_stamp_of_something_else_is_not_taken(tsa: Tsa) -> None:
    other = rfc3161_client.TimestampRequestBuilder().data(b"other").build()
    with (
        http.Server(http.answer(200, tsa.reply(other.as_bytes()))) as server,
        pytest.raises(NotStamped, match="something else"),
    ):
        Authority(server.address).stamp(POINT)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (http.answer(200, b"no stamp"), "does not answer as a time stamp authority"),
        (http.answer(503, b"busy"), "answers 503"),
        (http.answer(302, b"", Location="http://127.0.0.1:1/"), "answers 302"),
        (http.answer(200, bytes(300_000)), "answers 200 with 262145 bytes"),
        (http.hang_up, "cannot be reached"),
    ],
)
def test_an_answer_that_is_no_stamp_is_told(script: http.Script, said: str) -> None:
    with http.Server(script) as server, pytest.raises(NotStamped, match=said):
        Authority(server.address).stamp(POINT)


def test_certificates_that_cannot_be_read_prevent_the_start(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("none")

    with pytest.raises(ConfigError, match="timestamp_ca"):
        Authority("http://127.0.0.1:1/", file).check()


def test_the_newest_checkpoint_is_stamped_and_then_left_for_a_while(
    tsa: Tsa, store: SqliteStore, tmp_path: Path
) -> None:
    stamper = Stamper(store.tree, Authority(tsa.url, tsa.ca), 3600)
    assert not stamper.look()
    sealed(store, tmp_path / "checkpoints", 5)

    assert stamper.look()
    sealed(store, tmp_path / "checkpoints", 5)
    assert not stamper.look()
    later = Stamper(store.tree, Authority(tsa.url), 3600, lambda: now() + timedelta(hours=2))
    assert later.look()

    assert [one.size for one in store.tree.stamps()] == [5, 10]
    assert all(b"RFC 3161" not in note.text.encode() for note in store.tree.notes())


def test_an_authority_that_is_away_is_told_once_and_asked_again(
    tsa: Tsa, store: SqliteStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed(store, tmp_path / "checkpoints", 5)
    with http.Server(http.answer(503)) as server:
        stamper = Stamper(store.tree, Authority(server.address), 3600)
        assert not stamper.look()
        assert not stamper.look()
        server.script = _passed_on(tsa)
        assert stamper.look()

    assert [one.size for one in store.tree.stamps()] == [5]


def _passed_on(tsa: Tsa) -> http.Script:
    return tsa.server.script
