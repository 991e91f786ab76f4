"""Where a user's :class:`~flask_auth0_mfa.models.Auth0Session` lives between requests.

With Flask's cookie session the application's own ``session`` stays as it is, byte for byte, and
ours travels beside it in sealed cookies (:mod:`~flask_auth0_mfa.cookies`). With any other session
interface the same content lies under one key of that session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import lru_cache, partial
from typing import Any, Protocol

from flask import Flask, Request, Response, current_app, has_request_context, request
from flask import session as flask_session
from flask.sessions import (
    SecureCookieSession,
    SecureCookieSessionInterface,
    SessionInterface,
    SessionMixin,
)
from itsdangerous import URLSafeTimedSerializer

from .cookies import CookieStore
from .errors import Auth0UnavailableError
from .logins import IN_FLIGHT
from .models import Auth0Session, MalformedSessionError
from .sealing import Sealer
from .services import services

logger = logging.getLogger("flask_auth0_mfa")

#: The key of our content in a wrapped session.
SESSION_KEY = "_auth0_mfa"
#: In the WSGI environment of a request whose session has been saved.
_SAVED = "flask_auth0_mfa.saved"
#: There, when the shared state could not be reached in this request.
_CUT_OFF = "flask_auth0_mfa.cut_off"

#: How long the answer that a login goes on counts within one request, in seconds: a guard asks,
#: and the view behind it takes its token a moment later.
MOMENT = 1.0
Found = tuple[str | None, str | None, float]


class SessionStore(Protocol):
    """Reads and keeps the content of one request's session."""

    #: Another request has ended the login that this one came with.
    found_ended: bool
    #: Login and refresh token that were found to be the newest, and when; in this request.
    found_current: Found | None

    def load(self) -> Auth0Session:
        """Return the session; an empty one where there is none or it is not genuine."""

    def glance(self, audience: str | None) -> Auth0Session:
        """Return the session with what it has for this audience, perhaps with no other."""

    def store(self, session: Auth0Session) -> None:
        """Keep the changed session."""


@contextmanager
def auth0_session(*, is_strict: bool = False) -> Iterator[Auth0Session]:
    """Yield this request's session; what is changed is stored, also when an error is raised.

    :param is_strict: raise :class:`Auth0UnavailableError` when it cannot be known whether the
        login was ended elsewhere. Without it the session is taken as its cookies have it, so that
        pages and logout go on while the shared state is down.
    """
    store = _store()
    session = store.load()
    before = session.copy()
    session = _caught_up(session, is_strict=is_strict)
    store.found_ended |= before.login_id is not None and session.login_id is None
    newest = session.refresh_token
    try:
        yield session
    finally:
        if session != before:
            store.store(session)
        if session.refresh_token != newest and _SAVED in request.environ:
            _keep_refresh_token(before, session)


def _keep_refresh_token(before: Auth0Session, session: Auth0Session) -> None:
    """Let later requests find a refresh token that came too late to be written.

    In a body that is streamed, for one, whose cookies are gone already. When they are presented
    again, the refresh token in them would end the login.
    """
    logger.warning("Tokens came after the session was written: they are not kept, the login is")
    if before.refresh_token is not None and session.refresh_token is not None:
        logins = services().logins
        logins.family.rotated(before.refresh_token, session.refresh_token, logins.lifetime())


def glance(audience: str | None, *, is_strict: bool = False) -> Auth0Session:
    """Return this request's session to look at, with what it has for one audience.

    Opens no more of it than that takes; tokens whose time is over may be there, and what is done
    to it is not kept. ``is_strict`` as for :func:`auth0_session`.
    """
    store, now = _store(), services().clock()
    seen = store.glance(audience)
    found = (seen.login_id, seen.refresh_token, now)
    if _is_current(store.found_current, found):
        return seen
    session = _caught_up(seen, is_strict=is_strict)
    if (session.login_id, session.refresh_token) == found[:2]:
        if is_strict:  # else it may not have been known
            store.found_current = found
        return session
    # What other requests did to this login is kept: nobody remembers it for ever.
    with auth0_session(is_strict=is_strict) as whole:
        return whole


def _is_current(before: Found | None, found: Found) -> bool:
    return before is not None and before[:2] == found[:2] and 0 <= found[2] - before[2] < MOMENT


def _caught_up(session: Auth0Session, *, is_strict: bool) -> Auth0Session:
    if request.environ.get(_CUT_OFF) and not is_strict:
        # A page may ask many times who is signed in; it waits once for what does not answer.
        return session
    try:
        return services().logins.caught_up(session)
    except Auth0UnavailableError:
        request.environ[_CUT_OFF] = True
        if is_strict:
            raise
        logger.error("The shared state cannot be reached: logouts elsewhere are not known")
        return session


def _store() -> SessionStore:
    current = flask_session._get_current_object()  # type: ignore[attr-defined]  # a LocalProxy
    if isinstance(current, Auth0CookieSession):
        return current.auth0
    if not isinstance(current_app.session_interface, WrappedSessionInterface):
        _warn_of_replacement(type(current_app.session_interface).__name__)
    return WrappedStore(current)


@lru_cache(maxsize=8)
def _warn_of_replacement(name: str) -> None:
    """Say once that our session interface is gone; it still works, but prunes less often."""
    logger.warning(
        "%s replaced the session interface of Auth0MFA: set it up before Auth0MFA(app), so that "
        "expired MFA contexts are removed whenever the session is saved",
        name,
    )


def _note_saved() -> None:
    """Remember, for what the request still does, that its session has been saved."""
    if has_request_context():
        request.environ[_SAVED] = True


# -- cookies ---------------------------------------------------------------------------------


def cookie_name(interface: SessionInterface, app: Flask) -> str:
    """Return the first part of our cookies' names.

    ``__Host-`` keeps a sibling domain from planting cookies (RFC 6265bis section 4.1.3.2); a
    browser takes it only with Secure, the path / and no domain.
    """
    name = f"{interface.get_cookie_name(app)}_auth0"
    is_host_only = (
        interface.get_cookie_domain(app) is None and interface.get_cookie_path(app) == "/"
    )
    if interface.get_cookie_secure(app) and is_host_only and not name.startswith("__"):
        return f"__Host-{name}"
    return name


def cookie_flags(interface: SessionInterface, app: Flask) -> dict[str, Any]:
    """Return the flags that every cookie of ours has, as arguments of ``set_cookie``."""
    return {
        "domain": interface.get_cookie_domain(app),
        "path": interface.get_cookie_path(app),
        "secure": interface.get_cookie_secure(app),
        "httponly": True,
        "samesite": interface.get_cookie_samesite(app) or "Lax",
        "partitioned": interface.get_cookie_partitioned(app),
    }


class Auth0CookieSession(SecureCookieSession):
    """Flask's session, with ours beside it."""

    #: Set by the interface when the request's session is opened.
    auth0: CookieStore
    was_permanent = False

    @property
    def is_permanent(self) -> bool:
        """What ``permanent`` says; our look at it is no reason for the answer to vary."""
        return bool(dict.get(self, "_permanent", False))

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
        self._signing: tuple[tuple[Any, ...], URLSafeTimedSerializer | None] = ((), None)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return Flask's serializer, which is made anew only when what it is made of changes.

        It holds nothing of a request. To make it takes longer than to read a session with it.
        """
        config = app.config
        keys = (config["SECRET_KEY"], *(config.get("SECRET_KEY_FALLBACKS") or ()))
        made_of = (*keys, self.salt, self.key_derivation, self.digest_method, self.serializer)
        known, serializer = self._signing
        if known != made_of:
            serializer = super().get_signing_serializer(app)
            self._signing = made_of, serializer
        return serializer

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        session = super().open_session(app, request)
        if isinstance(session, Auth0CookieSession):
            name = partial(cookie_name, self, app)
            session.auth0 = CookieStore(request.cookies, name, self._sealer, self._clock)
            session.was_permanent = session.is_permanent
        return session

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if isinstance(session, Auth0CookieSession):
            is_renewed = session.is_permanent != session.was_permanent
            if session.auth0.is_touched or is_renewed:
                self._save(app, session, response, is_renewed=is_renewed)
        super().save_session(app, session, response)
        _note_saved()

    def _save(
        self, app: Flask, session: Auth0CookieSession, response: Response, *, is_renewed: bool
    ) -> None:
        store = session.auth0
        lifetime = int(app.permanent_session_lifetime.total_seconds())
        changes = store.changes(lifetime, services().logins.in_flight, is_renewed=is_renewed)
        if not changes or self._comes_late(store):
            return
        flags = cookie_flags(self, app)
        for name, cookie in changes.items():
            if cookie is None:
                response.delete_cookie(name, **flags)
                continue
            expires = None
            if cookie.lasts or session.permanent:
                expires = datetime.fromtimestamp(cookie.expires_at, timezone.utc)
            max_age = max(0, cookie.expires_at - int(self._clock())) if cookie.lasts else None
            response.set_cookie(name, cookie.value, max_age, expires, **flags)

    def _comes_late(self, store: CookieStore) -> bool:
        """Tell whether this login was ended by another request, a moment ago or meanwhile.

        Then the browser may have the cookies of the next login already, under the same names.
        """
        sent, current = store.as_sent(), store.load()
        goes_on = current.login_id is not None and current.login_id == sent.login_id
        was_emptied = current.login_id is None and store.found_ended
        if not (goes_on or was_emptied):
            return False
        try:
            ended_at = services().logins.ended_at(sent)
        except Auth0UnavailableError:
            return False
        return ended_at is not None and (goes_on or self._clock() - ended_at < IN_FLIGHT)


# -- other session interfaces ----------------------------------------------------------------


class WrappedStore:
    """Our content under one key of a session that somebody else keeps."""

    def __init__(self, session: SessionMixin) -> None:
        self._session = session
        self.found_ended = False
        self.found_current: Found | None = None

    def load(self) -> Auth0Session:
        content = self._session.get(SESSION_KEY)
        if not isinstance(content, Mapping):
            return Auth0Session()
        try:
            return Auth0Session.from_dict(content)
        except MalformedSessionError:
            return Auth0Session()

    def glance(self, audience: str | None) -> Auth0Session:  # noqa: ARG002 - here it is one piece
        return self.load()

    def store(self, session: Auth0Session) -> None:
        self._session[SESSION_KEY] = _plain(session.to_dict())


def _plain(value: Any) -> Any:
    """Return the value in the very types that serialisers know: most refuse a kind of ``str``."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


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
            was_accessed = session.accessed
            self._prune(session)
            # Our look at it is no reason for the answer to vary.
            session.accessed = was_accessed
        self._inner.save_session(app, session, response)
        _note_saved()

    def _prune(self, session: SessionMixin) -> None:
        store = WrappedStore(session)
        content = store.load()
        before = content.copy()
        content.prune(self._clock())
        if content != before:
            store.store(content)


def wrap(inner: SessionInterface, sealer: Sealer, clock: Callable[[], float]) -> SessionInterface:
    """Return the interface to use in place of ``inner``."""
    if type(inner) is SecureCookieSessionInterface:
        return Auth0SessionInterface(sealer, clock)
    return WrappedSessionInterface(inner, clock)
