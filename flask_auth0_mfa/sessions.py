"""Where a user's :class:`~flask_auth0_mfa.models.Auth0Session` lives between requests.

With Flask's cookie session the application's own ``session`` stays as it is, byte for byte, and
the content of ours travels beside it in sealed cookies (:mod:`~flask_auth0_mfa.sealing`):

=========================== =====================================================================
cookie                      content
=========================== =====================================================================
``session_auth0_0``, ``_1`` user, tokens, verifications; in pieces where it is long
``session_auth0_c_ID``      one MFA context, until its time is over
``session_auth0_t_ID``      what that step-up is for, a while longer, so that it can start again
=========================== =====================================================================

Each is read only when it is needed and written only when it changed, so parallel requests and tabs
never overwrite one another's context. With any other session interface the same content lies under
one key of that session.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Protocol

from flask import Flask, Request, Response
from flask import session as flask_session
from flask.sessions import (
    SecureCookieSession,
    SecureCookieSessionInterface,
    SessionInterface,
    SessionMixin,
)

from .models import Auth0Session, MalformedSessionError, context_id
from .sealing import CONTEXT, SESSION, TARGET, SealBrokenError, Sealer, SealExpiredError

logger = logging.getLogger("flask_auth0_mfa")

#: The key of our content in a wrapped session.
SESSION_KEY = "_auth0_mfa"
#: Longest piece of a cookie's value in bytes; browsers drop name and value over 4 096.
CHUNK = 3_800
#: A browser sends no more pieces than this; a longer session is not written.
MAX_CHUNKS = 3
#: All our cookies together, name and value, in bytes: servers refuse a Cookie header over 8 190.
BUDGET = 7_000
#: Contexts that the budget keeps open longest.
KEPT_CONTEXTS = 2
#: More cookies of one kind than this are not looked at: a browser has no reason to send them.
MAX_COOKIES = 16
_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_PIECE = re.compile(r"([1-9])\.([A-Za-z0-9_-]{8})\.(.+)", re.S)


class SessionTooLargeError(RuntimeError):
    """The session does not fit into cookies; nothing was written."""

    def __init__(self, size: int) -> None:
        super().__init__(
            f"The session needs {size} bytes of cookies and may have {BUDGET}. "
            "Keep the session on the server (Flask-Session, for example), "
            "or ask the tenant for smaller tokens and fewer claims."
        )


class SessionStore(Protocol):
    """Reads and keeps the content of one request's session."""

    def load(self) -> Auth0Session:
        """Return the session; an empty one where there is none or it is not genuine."""

    def store(self, session: Auth0Session) -> None:
        """Keep the changed session."""


@contextmanager
def auth0_session() -> Iterator[Auth0Session]:
    """Yield this request's session; what is changed is stored, also when an error is raised."""
    store = _store()
    session = store.load()
    before = session.to_dict()
    try:
        yield session
    finally:
        if session.to_dict() != before:
            store.store(session)


def _store() -> SessionStore:
    current = flask_session._get_current_object()  # type: ignore[attr-defined]  # a LocalProxy
    if isinstance(current, Auth0CookieSession):
        return current.auth0
    return WrappedStore(current)


# -- cookies ---------------------------------------------------------------------------------


class Auth0CookieSession(SecureCookieSession):
    """Flask's session, with ours beside it."""

    #: Set by the interface when the request's session is opened.
    auth0: CookieStore

    def clear(self) -> None:
        """Empty every part: an application that logs out this way is logged out."""
        super().clear()
        self.auth0.store(Auth0Session())


class Auth0SessionInterface(SecureCookieSessionInterface):
    """Flask's cookie session interface with sealed cookies for tokens and contexts."""

    session_class = Auth0CookieSession

    def __init__(self, sealer: Sealer, clock: Callable[[], float]) -> None:
        self._sealer = sealer
        self._clock = clock

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        session = super().open_session(app, request)
        if isinstance(session, Auth0CookieSession):
            names = CookieNames(self._cookie_name(app))
            session.auth0 = CookieStore(request.cookies, names, self._sealer, self._clock)
        return session

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if isinstance(session, Auth0CookieSession) and session.auth0.is_touched:
            self._save(app, session, response)
        super().save_session(app, session, response)

    def _save(self, app: Flask, session: Auth0CookieSession, response: Response) -> None:
        store = session.auth0
        lifetime = int(app.permanent_session_lifetime.total_seconds())
        changes = store.changes(lifetime)
        flags = {
            "domain": self.get_cookie_domain(app),
            "path": self.get_cookie_path(app),
            "secure": self.get_cookie_secure(app),
            "httponly": True,
            "samesite": self.get_cookie_samesite(app) or "Lax",
            "partitioned": self.get_cookie_partitioned(app),
        }
        for name, cookie in changes.items():
            if cookie is None:
                response.delete_cookie(name, **flags)  # type: ignore[arg-type]  # mixed values
                continue
            expires = None
            if cookie.lasts or session.permanent:
                expires = datetime.fromtimestamp(cookie.expires_at, timezone.utc)
            max_age = max(0, cookie.expires_at - int(self._clock())) if cookie.lasts else None
            response.set_cookie(name, cookie.value, max_age, expires, **flags)  # type: ignore[arg-type]
        response.vary.add("Cookie")

    def _cookie_name(self, app: Flask) -> str:
        """Return the first part of our cookies' names.

        ``__Host-`` keeps a sibling domain from planting cookies (RFC 6265bis section 4.1.3.2); a
        browser takes it only with Secure, the path / and no domain.
        """
        name = f"{self.get_cookie_name(app)}_auth0"
        is_host_only = self.get_cookie_domain(app) is None and self.get_cookie_path(app) == "/"
        if self.get_cookie_secure(app) and is_host_only and not name.startswith("__"):
            return f"__Host-{name}"
        return name


@dataclass(frozen=True)
class Cookie:
    """A cookie to be set; ``lasts`` says that it has an end of its own, like a context."""

    value: str
    expires_at: int
    lasts: bool


@dataclass(frozen=True)
class Part:
    """One independently written part of the session; without an end it lasts as long as that."""

    purpose: str
    content: dict[str, Any]
    expires_at: int | None


@dataclass(frozen=True)
class CookieNames:
    """The names of our cookies."""

    base: str

    def piece(self, number: int) -> str:
        """Return the name of a piece of the token part."""
        return f"{self.base}_{number}"

    def context(self, identifier: str) -> str:
        """Return the name of an MFA context's cookie."""
        return f"{self.base}_c_{identifier}"

    def target(self, identifier: str) -> str:
        """Return the name of the cookie that says what a step-up is for."""
        return f"{self.base}_t_{identifier}"


class CookieStore:
    """Our cookies of one request: opened when asked for, compared when written."""

    def __init__(
        self,
        cookies: Mapping[str, str],
        names: CookieNames,
        sealer: Sealer,
        clock: Callable[[], float],
    ) -> None:
        self._cookies = cookies
        self._names = names
        self._sealer = sealer
        self._clock = clock
        self._original: dict[str, Any] | None = None
        self._current: dict[str, Any] | None = None

    @property
    def is_touched(self) -> bool:
        """Tell whether anybody asked for the content or replaced it."""
        return self._current is not None

    def load(self) -> Auth0Session:
        if self._current is None:
            self._original = self._read().to_dict()
            self._current = self._original
        return Auth0Session.from_dict(self._current)

    def store(self, session: Auth0Session) -> None:
        self._current = session.to_dict()

    # -- reading -----------------------------------------------------------------------------

    def _read(self) -> Auth0Session:
        content = self._open(SESSION, self._joined())
        if content is None:
            return Auth0Session()
        content["mfa_context"] = {
            entry.pop("hash"): entry for entry in self._each(CONTEXT, self._names.context(""))
        }
        content["targets"] = {
            entry.pop("id"): entry for entry in self._each(TARGET, self._names.target(""))
        }
        try:
            session = Auth0Session.from_dict(content)
        except MalformedSessionError:
            return Auth0Session()
        # Contexts of another session count as absent.
        session.prune(self._clock())
        return session

    def _joined(self) -> str | None:
        """Return the token part from its pieces; ``None`` for a gap or a mix of two writes."""
        first = _PIECE.fullmatch(self._cookies.get(self._names.piece(0), ""))
        if first is None or int(first[1]) > MAX_CHUNKS:
            return None
        pieces = [first[3]]
        for number in range(1, int(first[1])):
            piece = _PIECE.fullmatch(self._cookies.get(self._names.piece(number), ""))
            if piece is None or piece[2] != first[2]:
                return None
            pieces.append(piece[3])
        return "".join(pieces)

    def _each(self, purpose: str, prefix: str) -> Iterator[dict[str, Any]]:
        names = [name for name in self._cookies if self._identifier(name, prefix)]
        for name in names[:MAX_COOKIES]:
            entry = self._open(purpose, self._cookies[name])
            if entry is not None and _identifier_of(entry) == name.removeprefix(prefix):
                yield entry

    @staticmethod
    def _identifier(name: str, prefix: str) -> str | None:
        identifier = name.removeprefix(prefix)
        return identifier if identifier != name and _ID.fullmatch(identifier) else None

    def _open(self, purpose: str, value: str | None) -> dict[str, Any] | None:
        if value is None:
            return None
        try:
            return self._sealer.open(purpose, value)
        except (SealBrokenError, SealExpiredError):
            return None

    # -- writing -----------------------------------------------------------------------------

    def changes(self, lifetime: int) -> dict[str, Cookie | None]:
        """Return the cookies to set, and to delete (``None``), after this request.

        :param lifetime: seconds that a session lasts from login on.

        Raises :class:`SessionTooLargeError` when it cannot be made to fit.
        """
        if self._original is None:
            self._original = self._read().to_dict()
        session = Auth0Session.from_dict(self._current or self._original)
        session.prune(self._clock())
        while True:
            changes, size = self._encoded(session, lifetime)
            if size <= BUDGET:
                return changes
            _evict(session, size)

    def _encoded(
        self, session: Auth0Session, lifetime: int
    ) -> tuple[dict[str, Cookie | None], int]:
        """Return the changes that lead to ``session``, and the bytes the browser then holds."""
        before, after = self._parts(self._original or {}), self._parts(session.to_dict())
        kept: dict[str, str] = {}
        written: dict[str, Cookie] = {}
        for name, part in after.items():
            if before.get(name) == part:
                kept |= {one: self._cookies[one] for one in self._present(name)}
            else:
                written |= self._sealed(name, part, session.created_at + lifetime)
        # Also what came in but was not genuine is deleted.
        stale = [name for name in self._ours() if name not in kept and name not in written]
        values = kept | {name: cookie.value for name, cookie in written.items()}
        size = sum(len(name) + len(value) for name, value in values.items())
        return {**dict.fromkeys(stale), **written}, size

    def _parts(self, content: Mapping[str, Any]) -> dict[str, Part]:
        if content.get("sid") is None:
            return {}
        tokens = {k: v for k, v in content.items() if k not in ("mfa_context", "targets")}
        parts = {self._names.base: Part(SESSION, tokens, None)}
        for key, entry in content["mfa_context"].items():
            name = self._names.context(context_id(key))
            parts[name] = Part(CONTEXT, {"hash": key, **entry}, entry["expires_at"])
        for key, entry in content["targets"].items():
            parts[self._names.target(key)] = Part(TARGET, {"id": key, **entry}, entry["expires_at"])
        return parts

    def _sealed(self, name: str, part: Part, session_ends_at: int) -> dict[str, Cookie]:
        if part.expires_at is not None:
            sealed = self._sealer.seal(part.purpose, part.content, part.expires_at)
            return {name: Cookie(sealed, part.expires_at, lasts=True)}
        sealed = self._sealer.seal(part.purpose, part.content, session_ends_at)
        pieces = [sealed[i : i + CHUNK] for i in range(0, len(sealed), CHUNK)]
        # The write's own mark in each piece: pieces of two writes are never put together.
        head = f"{len(pieces)}.{secrets.token_urlsafe(6)}."
        return {
            self._names.piece(number): Cookie(head + piece, session_ends_at, lasts=False)
            for number, piece in enumerate(pieces)
        }

    def _present(self, name: str) -> list[str]:
        """Return the names of the request's cookies that hold this part."""
        if name != self._names.base:
            return [name]
        first = _PIECE.fullmatch(self._cookies.get(self._names.piece(0), ""))
        return [self._names.piece(number) for number in range(int(first[1]) if first else 0)]

    def _ours(self) -> list[str]:
        pattern = re.compile(re.escape(self._names.base) + r"_([0-9]|[ct]_[A-Za-z0-9_-]{22})")
        return [name for name in self._cookies if pattern.fullmatch(name)]


def _identifier_of(entry: Mapping[str, Any]) -> str | None:
    """Return the id that the cookie of this content must bear in its name."""
    if "hash" in entry:
        return context_id(entry["hash"]) if isinstance(entry["hash"], str) else None
    return entry.get("id")


def _evict(session: Auth0Session, size: int) -> None:
    """Make the session smaller by what will be missed least.

    Contexts beyond two, oldest first; then access tokens, the one renewed longest ago first, but
    never the newest; then the second context.
    """
    oldest = min(session.contexts.values(), key=lambda c: c.opened_at, default=None)
    if oldest is not None and len(session.contexts) > KEPT_CONTEXTS:
        del session.contexts[oldest.hash]
    elif len(session.access_tokens) > 1:
        del session.access_tokens[next(iter(session.access_tokens))]
    elif oldest is not None and len(session.contexts) > 1:
        del session.contexts[oldest.hash]
    elif len(session.targets) > len(session.contexts):
        spare = set(session.targets) - {c.id for c in session.contexts.values()}
        del session.targets[min(spare, key=lambda key: session.targets[key].expires_at)]
    else:
        logger.error("A session of %d bytes does not fit into cookies", size)
        raise SessionTooLargeError(size)


# -- other session interfaces ----------------------------------------------------------------


class WrappedStore:
    """Our content under one key of a session that somebody else keeps."""

    def __init__(self, session: SessionMixin) -> None:
        self._session = session

    def load(self) -> Auth0Session:
        # Not ``get`` (SIM401): Flask-Session counts that as access, even while it is saving.
        content = self._session[SESSION_KEY] if SESSION_KEY in self._session else None  # noqa: SIM401
        if not isinstance(content, Mapping):
            return Auth0Session()
        try:
            return Auth0Session.from_dict(content)
        except MalformedSessionError:
            return Auth0Session()

    def store(self, session: Auth0Session) -> None:
        self._session[SESSION_KEY] = session.to_dict()


class WrappedSessionInterface(SessionInterface):
    """Prunes our content in a session of another interface whenever that is saved."""

    def __init__(self, inner: SessionInterface, clock: Callable[[], float]) -> None:
        self._inner = inner
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def make_null_session(self, app: Flask) -> Any:
        return self._inner.make_null_session(app)

    def is_null_session(self, obj: object) -> bool:
        return self._inner.is_null_session(obj)

    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:
        return self._inner.open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if SESSION_KEY in session:
            self._prune(session)
        self._inner.save_session(app, session, response)

    def _prune(self, session: SessionMixin) -> None:
        store = WrappedStore(session)
        content = store.load()
        before = content.to_dict()
        content.prune(self._clock())
        if content.to_dict() != before:
            store.store(content)


def wrap(inner: SessionInterface, sealer: Sealer, clock: Callable[[], float]) -> SessionInterface:
    """Return the interface to use in place of ``inner``."""
    if type(inner) is SecureCookieSessionInterface:
        return Auth0SessionInterface(sealer, clock)
    return WrappedSessionInterface(inner, clock)
