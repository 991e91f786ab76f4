"""What happened to a login in requests whose cookies are not here yet.

A session that lives in cookies is written by every answer, and answers of parallel requests
arrive in any order: a slow one may bring back a refresh token that has been used, or a session
that was logged out. The shared state remembers both, and each request catches up with it.

What a step-up obtained is not remembered here on purpose: a copy of the cookies from before it
must not be raised by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .memory import Memory
from .models import Auth0Session
from .refresh import TokenFamily


@dataclass(frozen=True)
class Logins:
    """The recent past of every login.

    ``lifetime`` tells how many seconds a session can last: an ended one is remembered that long.
    """

    memory: Memory
    family: TokenFamily
    lifetime: Callable[[], int]

    def caught_up(self, session: Auth0Session) -> Auth0Session:
        """Return the session with its newest refresh token; an empty one if it has ended.

        Raises :class:`Auth0UnavailableError` when the shared state cannot be reached.
        """
        if session.login_id is None:
            return session
        if self._is_ended(session):
            return Auth0Session()
        if session.refresh_token is not None:
            session.refresh_token = self.family.newest(session.refresh_token)
        return session

    def end(self, session: Auth0Session) -> None:
        """End this login, also for answers that are still on their way."""
        if session.login_id is not None:
            self._end("login", session.login_id)

    def end_everywhere(self, *, auth0_sid: str | None, subject: str | None) -> None:
        """End the logins of an Auth0 session, or all of a user's (back-channel logout)."""
        if auth0_sid is not None:
            self._end("sid", auth0_sid)
        elif subject is not None:
            self._end("sub", subject)

    def _end(self, kind: str, value: str) -> None:
        self.memory.put(("ended", kind, value), {"at": self.memory.clock()}, self.lifetime())

    def _is_ended(self, session: Auth0Session) -> bool:
        user = session.user or {}
        known = (
            ("login", session.login_id),
            ("sid", user.get("sid")),
            ("sub", user.get("sub")),
        )
        names = [("ended", kind, value) for kind, value in known if isinstance(value, str)]
        marks = self.memory.get_many(names)
        return any(mark is not None and session.created_at <= mark["at"] for mark in marks)
