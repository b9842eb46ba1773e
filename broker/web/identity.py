"""Who sends: the party of a bearer token, or of the certificate that TLS has checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from broker.config.model import Party, Table
from broker.web.request import Request
from broker.web.tokens import Tokens


class Identity:
    """Finds the party behind a request. Where token and certificate disagree, there is none."""

    def __init__(self, table: Callable[[], Table]) -> None:
        """Take what returns the table in force."""
        self._table = table
        self._tokens = Tokens(table)
        self._parties: Mapping[str, Party] = {}
        self._owners: dict[str, str] = {}

    def party(self, request: Request) -> str | None:
        """Return the party that the request proves, or None."""
        shown = self._owner(request.certificate)
        header = request.headers.get(b"authorization", b"")
        if not header:
            return shown
        found = self._tokens.party(header)
        return found if shown in (None, found) else None

    def _owner(self, fingerprint: str) -> str | None:
        if not fingerprint:
            return None
        parties = self._table().parties
        if parties is not self._parties:
            self._parties = parties
            self._owners = {
                one: party.name for party in parties.values() for one in party.certificates
            }
        return self._owners.get(fingerprint)
