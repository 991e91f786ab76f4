"""One token family, one refresh at a time.

Auth0 takes the second use of a rotated refresh token for theft and revokes the whole family. Two
requests of one session that refresh at the same moment, or a slow tab that comes back with an
older cookie, must therefore not each present the token that they carry. This gate remembers for a
while which token replaced which, lets one request through at a time, and hands what it got to the
others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from .client import Auth0Client
from .errors import Auth0UnavailableError
from .memory import Memory, Name
from .models import TokenResponse
from .secret import Secret

#: How long the successor of a refresh token is remembered, in seconds. A browser may come back
#: with the cookie before it until it has made another request.
SUCCESSOR_TTL = 3600
#: How long a refresh's result is handed to requests that still carry the token before it.
RESULT_TTL = 30
#: More replacements than this within ``SUCCESSOR_TTL`` are not followed.
MAX_STEPS = 100


class TokenFamily:
    """Guards the refresh tokens that descend from one login."""

    def __init__(
        self,
        client: Auth0Client,
        memory: Memory,
    ) -> None:
        self._client = client
        self._memory = memory

    @contextmanager
    def held(self, refresh_token: str) -> Iterator[str]:
        """Hold the family and yield its newest token, the one to present."""
        while True:
            newest = self.newest(refresh_token)
            with self._memory.locked(("family", newest)):
                if self.newest(newest) == newest:
                    yield newest
                    return

    def rotated(self, old: str, new: str | None, ttl: int = SUCCESSOR_TTL) -> None:
        """Remember for ``ttl`` seconds that ``new`` replaced ``old``."""
        if new is not None and new != old:
            self._memory.put_if_up(self.successor_name(old), {"token": new}, ttl)

    def refresh(
        self,
        refresh_token: str,
        audience: str | None,
        scope: str | None,
        *,
        force: bool,
        remembered_at: int | None = None,
    ) -> tuple[TokenResponse, bool]:
        """Refresh, or take what another request got for the same token a moment ago.

        Returns the tokens and whether the tenant was asked for them. With ``force`` only a result
        that came while we waited counts. ``remembered_at`` is handed on to the tenant.
        """
        arrived_at = self._memory.clock()
        with self.held(refresh_token) as newest:
            # A late request comes with the newest token already, so its own names no result.
            origin = self._memory.get(("origin", newest)) or {"token": newest}
            wanted = ("result", origin["token"], audience or "", scope or "")
            known = self._memory.get(wanted)
            if known is not None and (not force or known["at"] > arrived_at):
                return TokenResponse(**{**known["tokens"], "refresh_token": newest}), False
            try:
                response = self._client.refresh(
                    newest, audience, scope, remembered_at=remembered_at
                )
            except Auth0UnavailableError as error:
                self.rotated(newest, error.successor)
                raise
            self.rotated(newest, response.refresh_token)
            tokens = asdict(response)
            tokens["refresh_token"] = response.refresh_token or newest
            result = {"at": self._memory.clock(), "tokens": tokens}
            self._memory.put_if_up(wanted, result, RESULT_TTL)
            self._memory.put_if_up(("origin", tokens["refresh_token"]), origin, RESULT_TTL)
            return TokenResponse(**tokens), True

    @staticmethod
    def successor_name(refresh_token: str) -> Name:
        """Return what the token that replaced this one is remembered under."""
        return ("next", refresh_token)

    def newest(self, refresh_token: str) -> str:
        """Return the token that has replaced this one, or itself."""
        for _ in range(MAX_STEPS):
            successor = self._memory.get(self.successor_name(refresh_token))
            if successor is None:
                break
            refresh_token = Secret(successor["token"])
        return refresh_token
