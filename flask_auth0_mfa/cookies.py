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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from .budget import BUDGET, HEADER, USUAL, Settle, Written, evict, make_way, take_back
from .models import ANY_AUDIENCE, Auth0Session, MalformedSessionError, context_id, token_hash
from .sealing import (
    AUDIENCE,
    CONTEXT,
    SESSION,
    TARGET,
    SealBrokenError,
    Sealer,
    SealExpiredError,
)

#: Longest piece of a part, in bytes: browsers drop a cookie of more than 4 096 with its name, and
#: Werkzeug warns about one whose whole header line is longer.
CHUNK = 3_800
#: A part in more pieces than this is none of ours.
MAX_PIECES = 3
#: Lets an answer settle beside parallel ones: for a login, and when the request came.
InFlight = Callable[[str, float, Settle], None]
#: Parts that parallel answers write under the same name differ by a few bytes; the last one to
#: arrive, which nobody knows, may be the longest.
PARALLEL_MARGIN = 32
#: What an answer may add while nobody knows what parallel ones add, in bytes: enough for the target
#: of a check, which can be started again from it.
UNKNOWN_MARGIN = 600
#: More parts of one kind than this are not looked at: a browser has no reason to send them.
MAX_PARTS = 16
#: Characters that tell one write from another.
MARK = 8
_PIECE = re.compile(rf"([1-9])\.([A-Za-z0-9_-]{{{MARK}}})\.(.+)", re.DOTALL)
_LETTERS = {AUDIENCE: "a", CONTEXT: "c", TARGET: "t"}
#: What a context has in common with its target, and leaves to it.
_SHARED = ("audience", "scope", "return_to", "reason", "methods", "approval", "remember")
_ANY = context_id(ANY_AUDIENCE)


@dataclass(frozen=True)
class Cookie:
    """A cookie to be set; ``lasts`` says that it has an end of its own, like a context."""

    value: str
    expires_at: int
    lasts: bool


#: The cookies that the browser should hold, by name: new ones, and values that it has.
_Cookies = Mapping[str, Cookie | str]


@dataclass(frozen=True)
class Part:
    """One independently written part of a session; without an end it lasts as long as that."""

    purpose: str
    identifier: str
    content: dict[str, Any]
    expires_at: int | None = None


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
        names = [] if audience is None else [_audience_id(audience), _ANY]
        parts = self._genuine_parts(AUDIENCE, names, content.get("login_id"))
        return _session(content, parts, {}, {})

    def store(self, session: Auth0Session) -> None:
        """Keep the changed session until the answer is written."""
        self._current = session.copy()

    def as_sent(self) -> Auth0Session:
        """Return the session that the browser sent; not to be changed."""
        if self._sent is None:
            session = self._read()
            self._sent = session.copy()
            self._sent.prune(self._clock())
            if self._sent != session:
                # Some of its cookies are over.
                self._genuine.clear()
        return self._sent

    # -- reading -----------------------------------------------------------------------------

    def _read(self) -> Auth0Session:
        content = self._open(SESSION)
        if content is None:
            return Auth0Session()
        self._genuine.update(self._present(self._base))
        login_id = content.get("login_id")
        found = self._identifiers()
        parts = [self._each(one, found, login_id) for one in (AUDIENCE, CONTEXT, TARGET)]
        return _session(content, *parts)

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
            self._genuine.update(self._present(self._name(purpose, identifier)))
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
        sealed = self._joined(name)
        if sealed is None:
            return None
        try:
            return self._sealer.open(purpose, sealed)
        except (SealBrokenError, SealExpiredError):
            return None

    def _joined(self, name: str) -> str | None:
        """Return a part from its pieces; ``None`` for a gap or a mix of two writes."""
        if f"{name}_0" not in self._cookies:
            return None
        first = _PIECE.fullmatch(self._cookies[f"{name}_0"])
        if first is None or int(first[1]) > MAX_PIECES:
            return None
        pieces = [first[3]]
        for number in range(1, int(first[1])):
            following = _PIECE.fullmatch(self._cookies.get(f"{name}_{number}", ""))
            if following is None or following.group(1, 2) != first.group(1, 2):
                return None
            pieces.append(following[3])
        sealed = "".join(pieces)
        return sealed if sealed.startswith(first[2]) else None

    def _name(self, purpose: str, identifier: str) -> str:
        if purpose == SESSION:
            return self._base
        return f"{self._base}_{_LETTERS[purpose]}_{identifier}"

    # -- writing -----------------------------------------------------------------------------

    def changes(self, lifetime: int, in_flight: InFlight) -> dict[str, Cookie | None]:
        """Return the cookies to set, and to delete (``None``), after this request.

        :param lifetime: seconds that a session lasts from login on.
        :param in_flight: what answers to parallel requests have put into the same browser.

        Raises :class:`SessionTooLargeError` when it cannot be made to fit.
        """
        sent = self.as_sent()
        session = self.load()
        session.prune(self._clock())
        limit = self._limit()
        if session == sent and self._genuine == self._ours.keys() and self._sent_size() <= limit:
            return {}
        write = _Write(
            before={self._name(p.purpose, p.identifier): p for p in _parts(sent.to_dict())},
            session_ends_at=int(session.created_at) + lifetime,
        )
        cookies = self._fitting(write, session, lambda some: _total(some) <= limit, evict)
        is_changed = any(isinstance(one, Cookie) for one in cookies.values())
        # Nobody else has the cookies of a login that begins with this answer.
        goes_on = session.login_id is not None and session.login_id == sent.login_id
        if goes_on and (is_changed or cookies.keys() != self._ours.keys()):
            cookies = self._beside_parallel(write, session, cookies, limit, in_flight)
        written = {name: one for name, one in cookies.items() if isinstance(one, Cookie)}
        # Also what came in but was not genuine is deleted.
        return {**dict.fromkeys(self._ours.keys() - cookies.keys()), **written}

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
                    write, session, self._adds_little, lambda some, _: take_back(some, sent)
                )
                return
            room = self._room(limit, others)
            if _total(settled) > room(settled):
                settled = self._fitting(
                    write,
                    session,
                    lambda cookies: _total(cookies) <= room(cookies),
                    lambda some, _: make_way(some, sent),
                )
            self._tell(others, settled)

        in_flight(str(session.login_id), self._began_at, settle)
        return settled

    def _fitting(
        self,
        write: _Write,
        session: Auth0Session,
        fits: Callable[[_Cookies], bool],
        give_up: Callable[[Auth0Session, int], bool],
    ) -> dict[str, Cookie | str]:
        """Return the cookies of the session, made smaller by ``give_up`` until that fits."""
        while True:
            cookies = self._cookies_for(write, _parts(session.to_dict()))
            if fits(cookies) or not give_up(session, _total(cookies)):
                return cookies

    def _limit(self) -> int:
        """Return how many bytes all our cookies may take beside those of the application."""
        # With "=" and "; " around each.
        theirs = sum(
            _size(name, value) + 3
            for name, value in self._cookies.items()
            if name not in self._ours
        )
        return min(BUDGET, max(USUAL, HEADER - theirs))

    def _sent_size(self) -> int:
        return sum(_size(name, self._cookies[name]) for name in self._ours)

    def _adds_little(self, cookies: _Cookies) -> bool:
        """Tell whether this answer adds no more than can do no harm, whatever others add.

        What it deletes gives no room: parallel ones may delete the same.
        """
        added = sum(
            max(0, _size(name, cookie) - self._present_size(name))
            for name, cookie in cookies.items()
        )
        return added <= max(0, min(UNKNOWN_MARGIN, USUAL - self._sent_size()))

    def _present_size(self, name: str) -> int:
        return _size(name, self._cookies[name]) if name in self._cookies else 0

    def _room(self, limit: int, others: Sequence[Written]) -> Callable[[_Cookies], int]:
        """Return how many bytes an answer with such cookies may fill, beside parallel ones.

        Those may arrive after it, over what it writes or deletes.
        """
        largest: dict[str, int] = {}
        for name, size, mark in others:
            if mark != self._marks.get(name):
                largest[name] = max(size, largest.get(name, 0))

        def room(cookies: _Cookies) -> int:
            unseen = sum(
                max(0, size - (_size(name, cookies[name]) if name in cookies else 0))
                for name, size in largest.items()
            )
            return limit - unseen - (PARALLEL_MARGIN if unseen else 0)

        return room

    def _tell(self, others: list[Written], cookies: _Cookies) -> None:
        """Write down, for parallel requests, which cookies come and which go."""
        mine = [
            (name, _size(name, cookie), _mark_of(cookie.value))
            for name, cookie in cookies.items()
            if isinstance(cookie, Cookie)
        ]
        changed = {name for name, *_ in mine} | (self._ours.keys() - cookies.keys())
        # What was here has arrived; what else was written into these cookies may still come.
        others[:] = [
            (name, size, mark)
            for name, size, mark in others
            if name not in changed or mark != self._marks.get(name)
        ]
        others.extend(mine)

    @cached_property
    def _marks(self) -> dict[str, str]:
        """The mark of each cookie of ours that came."""
        return {name: _mark_of(self._cookies[name]) for name in self._ours}

    def _cookies_for(self, write: _Write, after: list[Part]) -> dict[str, Cookie | str]:
        """Return the cookies that the browser should hold: new ones, and values it has already."""
        cookies: dict[str, Cookie | str] = {}
        for part in after:
            name = self._name(part.purpose, part.identifier)
            if write.before.get(name) == part:
                cookies.update(self._present(name))
                continue
            if name not in write.sealed or write.sealed[name][0] != part:
                write.sealed[name] = part, self._sealed(name, part, write.session_ends_at)
            cookies.update(write.sealed[name][1])
        return cookies

    def _present(self, name: str) -> dict[str, str]:
        """Return the pieces of a genuine part, which begins with their number."""
        count = int(self._cookies[f"{name}_0"][0])
        names = [f"{name}_{number}" for number in range(count)]
        return {one: self._cookies[one] for one in names}

    def _sealed(self, name: str, part: Part, session_ends_at: int) -> dict[str, Cookie]:
        ends_at = session_ends_at if part.expires_at is None else part.expires_at
        content = part.content | ({"id": part.identifier} if part.identifier else {})
        sealed = self._sealer.seal(part.purpose, content, ends_at)
        pieces = [sealed[i : i + CHUNK] for i in range(0, len(sealed), CHUNK)]
        # The write's own mark in each piece, which is how its seal begins, at random: pieces of two
        # writes are never put together.
        head = f"{len(pieces)}.{sealed[:MARK]}."
        return {
            f"{name}_{number}": Cookie(head + piece, ends_at, lasts=part.expires_at is not None)
            for number, piece in enumerate(pieces)
        }

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


@lru_cache(maxsize=256)
def _audience_id(audience: str) -> str:
    return context_id(audience)


def _session(
    content: Mapping[str, Any],
    audiences: Mapping[str, Mapping[str, Any]],
    contexts: Mapping[str, Mapping[str, Any]],
    targets: Mapping[str, Mapping[str, Any]],
) -> Auth0Session:
    """Return the session of these parts; an empty one where they are not as we write them."""
    named = [one for one in audiences.values() if isinstance(one.get("audience"), str)]
    whole = {
        **content,
        "access_tokens": [one["token"] for one in named if "token" in one],
        "verified": {one["audience"]: one["verified"] for one in named if "verified" in one},
        "targets": targets,
        "mfa_context": {
            entry.get("kept_hash") or token_hash(str(entry.get("raw_mfa_token"))): {
                **_shared(targets.get(identifier, {})),
                **entry,
            }
            for identifier, entry in contexts.items()
        },
    }
    try:
        return Auth0Session.from_dict(whole)
    except MalformedSessionError:
        return Auth0Session()


def _mark_of(piece: str) -> str:
    """Return the mark that a piece carries; none where it is no piece of ours."""
    found = _PIECE.fullmatch(piece)
    return found[2] if found else ""


def _size(name: str, cookie: Cookie | str) -> int:
    return len(name) + len(cookie.value if isinstance(cookie, Cookie) else cookie)


def _total(cookies: _Cookies) -> int:
    return sum(_size(name, cookie) for name, cookie in cookies.items())


def _shared(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in _SHARED if name in entry}


def _parts(content: Mapping[str, Any]) -> list[Part]:
    """Return the parts that the content of a session is written in."""
    if content["login_id"] is None:
        return []
    apart = ("access_tokens", "verified", "mfa_context", "targets")
    parts = [Part(SESSION, "", {k: v for k, v in content.items() if k not in apart})]
    parts.extend(_audience_parts(content))
    targets = content["targets"]
    for identifier, entry in targets.items():
        parts.append(Part(TARGET, identifier, entry, entry["expires_at"]))
    for key, entry in content["mfa_context"].items():
        identifier = context_id(key)
        shared = _shared(targets.get(identifier, {}))
        own = {name: value for name, value in entry.items() if shared.get(name) != value}
        parts.append(Part(CONTEXT, identifier, own, entry["expires_at"]))
    return parts


def _audience_parts(content: Mapping[str, Any]) -> Iterator[Part]:
    tokens = {token["audience"]: token for token in content["access_tokens"]}
    verified = content["verified"]
    for audience in sorted(tokens.keys() | verified.keys()):
        entry = {"audience": audience, "login_id": content["login_id"]}
        if audience in tokens:
            entry["token"] = tokens[audience]
        if audience in verified:
            entry["verified"] = verified[audience]
        yield Part(AUDIENCE, _audience_id(audience), entry)
