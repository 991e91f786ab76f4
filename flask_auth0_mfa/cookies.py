"""The sealed cookies of a session: in which parts it is written, and how each is read back.

========================= =======================================================================
cookie                    content
========================= =======================================================================
``session_auth0_0``       user, refresh token, the access token of the login
``session_auth0_a_ID_0``  what one audience has: access token, verification
``session_auth0_c_ID_0``  one MFA context, until its time is over
``session_auth0_t_ID_0``  what that step-up is for, a while longer, so that it can start again
========================= =======================================================================

Beside them, and no part of a session, stands a cookie for each remembered device
(``session_auth0_d_ID``, :mod:`~flask_auth0_mfa.devices`).

What is too long for one cookie goes on in ``_1`` and ``_2``. A part is opened only when somebody
asks and written only when it changed, so that parallel requests and tabs never overwrite one
another's context or step-up. A part that is not genuine, not whole or not of this login counts as
absent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from .budget import Settle, Written, evict, make_way, take_back
from .jar import Cookie, Cookies, Jar, total
from .models import ANY_AUDIENCE, Auth0Session
from .pieces import cut, join, present
from .sealing import (
    AUDIENCE,
    CONTEXT,
    SESSION,
    TARGET,
    SealBrokenError,
    Sealer,
    SealExpiredError,
)
from .session_parts import Part, audience_id, parts_of, session_of

#: Lets an answer settle beside parallel ones: for a login, and when the request came.
InFlight = Callable[[str, float, Settle], None]
#: More parts of one kind than this are not looked at: a browser has no reason to send them.
MAX_PARTS = 16
#: So many cookies that are not genuine are deleted by one answer. Proxies refuse an answer whose
#: headers are too long (nginx: 4 or 8 KiB), and a sibling domain can plant hundreds.
MAX_DELETED = 16
_LETTERS = {AUDIENCE: "a", CONTEXT: "c", TARGET: "t"}
_ANY = audience_id(ANY_AUDIENCE)


@dataclass(frozen=True)
class _Write:
    """What a write starts from: the parts as they were sent, and when the session ends."""

    before: Mapping[str, Part]
    session_ends_at: int
    #: Parts that were sealed already, by name: to see whether they fit takes more than one look.
    sealed: dict[str, tuple[Part, dict[str, Cookie]]] = field(default_factory=dict)


class CookieStore:
    """Our cookies of one request: opened when asked for, compared when written.

    :param name: returns the first part of the cookies' names; asked when they are looked for.
    """

    def __init__(
        self,
        cookies: Mapping[str, str],
        name: Callable[[], str],
        sealer: Sealer,
        clock: Callable[[], float],
    ) -> None:
        self._all = cookies
        self._name_first = name
        self._sealer = sealer
        self._clock = clock
        self._began_at = clock()
        self._sent: Auth0Session | None = None
        self._current: Auth0Session | None = None
        #: Parts that were opened for this request, by name; ``None`` for what is not genuine.
        self._opened: dict[str, dict[str, Any] | None] = {}
        #: Names of the cookies that the session was read from.
        self._genuine: set[str] = set()
        #: Some of them are over.
        self._is_over = False
        self.found_ended = False
        self.found_current: tuple[str | None, str | None, float] | None = None

    @cached_property
    def _base(self) -> str:
        return self._name_first()

    @cached_property
    def _cookies(self) -> dict[str, str]:
        # Werkzeug's own mapping is slow, and a session is looked for in it many times.
        return dict(self._all.items())

    @property
    def is_touched(self) -> bool:
        """Tell whether anybody asked for the content or replaced it."""
        return self._current is not None

    def load(self) -> Auth0Session:
        """Return the session; an empty one where there is none or it is not genuine."""
        if self._current is None:
            self._current = self.as_sent()
        return self._current.copy()

    def glance(self, audience: str | None) -> Auth0Session:
        """Return the session with what it has for one audience alone, if nothing else is known.

        Only the parts that say so are opened, and none is written for it: what is done to this
        session is not kept. Tokens and contexts whose time is over may still be there.
        """
        if self._current is not None:
            return self._current.copy()
        content = self._open(SESSION)
        if content is None:
            return Auth0Session()
        names = [] if audience is None else [audience_id(audience), _ANY]
        parts = self._genuine_parts(AUDIENCE, names, content.get("login_id"))
        return session_of(content, parts, {}, {})

    def store(self, session: Auth0Session) -> None:
        """Keep the changed session until the answer is written."""
        self._current = session.copy()

    def as_sent(self) -> Auth0Session:
        """Return the session that the browser sent; not to be changed."""
        if self._sent is None:
            session = self._read()
            self._sent = session.copy()
            self._sent.prune(self._clock())
            self._is_over = self._sent != session
        return self._sent

    # -- reading -----------------------------------------------------------------------------

    def _read(self) -> Auth0Session:
        content = self._open(SESSION)
        if content is None:
            return Auth0Session()
        self._genuine.update(present(self._base, self._cookies))
        login_id = content.get("login_id")
        found = self._identifiers()
        parts = [self._each(one, found, login_id) for one in (AUDIENCE, CONTEXT, TARGET)]
        return session_of(content, *parts)

    def _identifiers(self) -> list[tuple[str, str]]:
        """Return letter and id of every part whose first piece is here."""
        matches = self._ours.values()
        return [(one["kind"], one["id"]) for one in matches if one["kind"] and one["first"]]

    def _each(
        self, purpose: str, found: list[tuple[str, str]], login_id: object
    ) -> dict[str, dict[str, Any]]:
        """Return the genuine parts of one kind by their id; they are what is here."""
        identifiers = [one for letter, one in found if letter == _LETTERS[purpose]]
        parts = self._genuine_parts(purpose, identifiers[:MAX_PARTS], login_id)
        for identifier in parts:
            self._genuine.update(present(self._name(purpose, identifier), self._cookies))
        return parts

    def _genuine_parts(
        self, purpose: str, identifiers: Iterable[str], login_id: object
    ) -> dict[str, dict[str, Any]]:
        """Return those of this login by their id, which is sealed with them."""
        parts = {}
        for identifier in identifiers:
            content = self._open(purpose, identifier)
            if content is None or content.get("id") != identifier:
                continue
            if content.get("login_id") == login_id:
                parts[identifier] = {k: v for k, v in content.items() if k != "id"}
        return parts

    def _open(self, purpose: str, identifier: str = "") -> dict[str, Any] | None:
        name = self._name(purpose, identifier)
        if name not in self._opened:
            self._opened[name] = self._unsealed(purpose, name)
        return self._opened[name]

    def _unsealed(self, purpose: str, name: str) -> dict[str, Any] | None:
        sealed = join(name, self._cookies)
        if sealed is None:
            return None
        try:
            return self._sealer.open(purpose, sealed)
        except (SealBrokenError, SealExpiredError):
            return None

    def _name(self, purpose: str, identifier: str) -> str:
        if purpose == SESSION:
            return self._base
        return f"{self._base}_{_LETTERS[purpose]}_{identifier}"

    # -- writing -----------------------------------------------------------------------------

    def changes(
        self, lifetime: int, in_flight: InFlight, *, is_renewed: bool = False
    ) -> dict[str, Cookie | None]:
        """Return the cookies to set, and to delete (``None``), after this request.

        :param lifetime: seconds that a session lasts from login on.
        :param in_flight: what answers to parallel requests have put into the same browser.
        :param is_renewed: set anew what has no end of its own: it is to be kept otherwise.

        Raises :class:`SessionTooLargeError` when it cannot be made to fit.
        """
        sent = self.as_sent()
        session = self.load()
        session.prune(self._clock())
        limit = self._jar.limit()
        is_same = session == sent and not is_renewed and not self._is_over
        if is_same and self._genuine == self._ours.keys() and self._jar.size() <= limit:
            return {}
        write = _Write(
            before={
                self._name(part.purpose, part.identifier): part
                for part in parts_of(sent.to_dict())
                if not (is_renewed and part.expires_at is None)
            },
            session_ends_at=int(session.created_at) + lifetime,
        )
        cookies = self._fitting(write, session, lambda some: total(some) <= limit, evict)
        is_changed = any(isinstance(one, Cookie) for one in cookies.values())
        # Nobody else has the cookies of a login that begins with this answer.
        goes_on = session.login_id is not None and session.login_id == sent.login_id
        if goes_on and (is_changed or cookies.keys() != self._ours.keys()):
            cookies = self._beside_parallel(write, session, cookies, limit, in_flight)
        written = {name: one for name, one in cookies.items() if isinstance(one, Cookie)}
        return {**dict.fromkeys(self._to_delete(cookies)), **written}

    def _to_delete(self, kept: Cookies) -> list[str]:
        """Return the names of what the browser should not hold any more.

        All that is genuine, so that a logout leaves none of it; of anything else a few.
        """
        gone = [name for name in self._ours if name not in kept]
        junk = [name for name in gone if name not in self._genuine]
        return [name for name in gone if name in self._genuine] + junk[:MAX_DELETED]

    def _beside_parallel(
        self,
        write: _Write,
        session: Auth0Session,
        cookies: dict[str, Cookie | str],
        limit: int,
        in_flight: InFlight,
    ) -> dict[str, Cookie | str]:
        """Return the cookies that fit beside those of parallel answers, and tell the next ones.

        :param cookies: those of the session while it is alone.
        """
        sent, settled = self.as_sent(), cookies

        def settle(others: list[Written] | None) -> None:
            nonlocal settled
            if others is None:
                settled = self._fitting(
                    write, session, self._jar.adds_little, lambda some, _: take_back(some, sent)
                )
                return
            room = self._jar.room(limit, others)
            if total(settled) > room(settled):
                settled = self._fitting(
                    write,
                    session,
                    lambda cookies: total(cookies) <= room(cookies),
                    lambda some, _: make_way(some, sent),
                )
            self._jar.tell(others, settled)

        in_flight(str(session.login_id), self._began_at, settle)
        return settled

    def _fitting(
        self,
        write: _Write,
        session: Auth0Session,
        fits: Callable[[Cookies], bool],
        give_up: Callable[[Auth0Session, int], bool],
    ) -> dict[str, Cookie | str]:
        """Return the cookies of the session, made smaller by ``give_up`` until that fits."""
        while True:
            cookies = self._cookies_for(write, parts_of(session.to_dict()))
            if fits(cookies) or not give_up(session, total(cookies)):
                return cookies

    def _cookies_for(self, write: _Write, after: list[Part]) -> dict[str, Cookie | str]:
        """Return the cookies that the browser should hold: new ones, and values it has already."""
        cookies: dict[str, Cookie | str] = {}
        for part in after:
            name = self._name(part.purpose, part.identifier)
            if write.before.get(name) == part:
                cookies.update(present(name, self._cookies))
                continue
            if name not in write.sealed or write.sealed[name][0] != part:
                write.sealed[name] = part, self._sealed(name, part, write.session_ends_at)
            cookies.update(write.sealed[name][1])
        return cookies

    def _sealed(self, name: str, part: Part, session_ends_at: int) -> dict[str, Cookie]:
        ends_at = session_ends_at if part.expires_at is None else part.expires_at
        content = part.content | ({"id": part.identifier} if part.identifier else {})
        sealed = self._sealer.seal(part.purpose, content, ends_at)
        lasts = part.expires_at is not None
        return {one: Cookie(piece, ends_at, lasts) for one, piece in cut(name, sealed).items()}

    @cached_property
    def _jar(self) -> Jar:
        return Jar(self._cookies, self._ours.keys())

    @cached_property
    def _ours(self) -> dict[str, re.Match[str]]:
        """What the names say of the cookies that are ours, genuine or not, by name."""
        matches = map(_pattern(self._base).fullmatch, self._cookies)
        return {match[0]: match for match in matches if match}


@lru_cache(maxsize=16)
def _pattern(base: str) -> re.Pattern[str]:
    """Return what the names of our cookies look like."""
    part = r"(_(?P<kind>[act])_(?P<id>[A-Za-z0-9_-]{22}))?"
    return re.compile(rf"{re.escape(base)}{part}_((?P<first>0)|[1-9])")
