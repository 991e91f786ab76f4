"""What happened to a login in requests whose cookies are not here yet.

A session that lives in cookies is written by every answer, and answers of parallel requests
arrive in any order: a slow one may bring back a refresh token that has been used, or a session
that was logged out. The shared state remembers both, and each request catches up with it.

What a step-up obtained is not remembered here on purpose: a copy of the cookies from before it
must not be raised by it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .budget import Settle
from .errors import Auth0UnavailableError
from .memory import Memory, Name
from .models import Auth0Session
from .refresh import TokenFamily
from .secret import Secret

logger = logging.getLogger("flask_auth0_mfa")

#: How long an answer travels at most, until requests carry its cookies, in seconds.
ARRIVAL = 10
#: How long a request lasts at most, from the cookies that it carries to those of its answer, in
#: seconds: waits for locks and calls to Auth0 included.
IN_FLIGHT = 60
#: So many answers are remembered of each cookie one by one.
KEPT_APART = 4
#: The mark of several answers, which no cookie has.
SEVERAL = "*"
#: What one answer wrote, and when.
Entry = tuple[str, int, str, float]


@dataclass(frozen=True)
class Logins:
    """The recent past of every login.

    ``lifetime`` tells how many seconds a session can last: an ended one is remembered that long.
    ``client`` is the mark of the tenant and the client that users sign in by here.
    """

    memory: Memory
    family: TokenFamily
    lifetime: Callable[[], int]
    client: str

    def caught_up(self, session: Auth0Session) -> Auth0Session:
        """Return the session with its newest refresh token; an empty one if it has ended.

        That of another tenant or client is none here, where an application shares its
        ``SECRET_KEY`` or had other settings before. Raises :class:`Auth0UnavailableError` when the
        shared state cannot be reached.
        """
        if session.client not in (None, self.client):
            return Auth0Session()
        if session.login_id is None:
            return session
        names = self._end_names(session)
        if session.refresh_token is not None:
            names.append(self.family.successor_name(session.refresh_token))
        marks = self.memory.get_many(names)
        successor = marks.pop() if session.refresh_token is not None else None
        if _end_of(session, marks) is not None:
            return Auth0Session()
        if successor is not None:
            session.refresh_token = self.family.newest(Secret(successor["token"]))
        return session

    def in_flight(self, login_id: str, began_at: float, settle: Settle) -> None:
        """Let ``settle`` see what this login got in cookies that a request has not brought.

        Parallel requests do not see one another's cookies, which meet in the browser all the
        same. What ``settle`` makes of the list is remembered; it is called again when another
        answer came first. It gets ``None`` while the shared state cannot tell.

        :param began_at: when the request came, with what had arrived in the browser by then.
        """

        def settled(known: Mapping[str, Any] | None) -> dict[str, Any]:
            now = self.memory.clock()
            recent = {
                (cookie, size, mark): at
                for cookie, size, mark, at in (known or {"cookies": ()})["cookies"]
                if 0 <= now - at < IN_FLIGHT
            }
            unseen = [one for one, at in recent.items() if at >= began_at - ARRIVAL]
            # The others are for requests that came before them.
            seen = [one for one in recent if one not in unseen]
            settle(unseen)
            return {"cookies": _few([(*one, recent.get(one, now)) for one in (*seen, *unseen)])}

        try:
            self.memory.change(("written", login_id), settled, IN_FLIGHT)
        except Auth0UnavailableError:
            settle(None)

    def end(self, session: Auth0Session) -> None:
        """End this login, also for answers that are still on their way."""
        if session.login_id is not None:
            self._end("login", session.login_id, self.memory.clock())

    def end_everywhere(self, *, auth0_sid: str | None, subject: str | None, before: float) -> None:
        """End the logins of an Auth0 session, or all of a user's (back-channel logout).

        :param before: logins that began after this moment go on.
        """
        ends_at = min(before, self.memory.clock())
        if auth0_sid is not None:
            self._end("sid", auth0_sid, ends_at)
        elif subject is not None:
            self._end("sub", subject, ends_at)

    def _end(self, kind: str, value: str, ends_at: float) -> None:
        name = ("ended", kind, value)
        known = self.memory.get(name)
        if known is None or known["at"] < ends_at:
            self.memory.put(name, {"at": ends_at}, self.lifetime())

    def ended_at(self, session: Auth0Session) -> float | None:
        """Return when this login was ended, here or elsewhere.

        Raises :class:`Auth0UnavailableError` when the shared state cannot be reached.
        """
        return _end_of(session, self.memory.get_many(self._end_names(session)))

    @staticmethod
    def _end_names(session: Auth0Session) -> list[Name]:
        """Return what the ends of this login would be remembered under."""
        user = session.user or {}
        known = (
            ("login", session.login_id),
            ("sid", user.get("sid")),
            ("sub", user.get("sub")),
        )
        return [("ended", kind, value) for kind, value in known if isinstance(value, str)]


def _few(entries: Sequence[Entry]) -> list[Entry]:
    """Return for each cookie the last few answers, and one for all before: their largest.

    A program that never sends back what it got would make the list longer with each request.
    """
    if len(entries) <= KEPT_APART:
        return list(entries)
    by_cookie: dict[str, list[Entry]] = {}
    for one in sorted(entries, key=lambda one: one[3], reverse=True):
        by_cookie.setdefault(one[0], []).append(one)
    few = []
    for cookie, written in by_cookie.items():
        few.extend(written[:KEPT_APART])
        if older := written[KEPT_APART:]:
            largest = max(size for _, size, _, _ in older)
            few.append((cookie, largest, SEVERAL, older[0][3]))
    return few


def _end_of(session: Auth0Session, marks: Sequence[Mapping[str, Any] | None]) -> float | None:
    ends = [mark["at"] for mark in marks if mark and session.created_at <= mark["at"]]
    return min(ends, default=None)
