"""The session of a browser with the tenant (single sign-on), in a sealed cookie."""

from __future__ import annotations

import json
from dataclasses import dataclass

from flask import request
from werkzeug.wrappers import Response

from .current import tenant
from .sealing import Handle, Malformed

#: Cookies are shared between the ports of one host, so the name has to be ours alone.
COOKIE = "auth0_emulator"
_SESSION = "session"


@dataclass(frozen=True)
class Session:
    """A browser's session with the tenant; ``auth_time`` is on the wall clock."""

    sub: str
    sid: str
    authenticated_at: float
    auth_time: int


def current_session() -> Session | None:
    """Return the session of this browser, if it has one."""
    try:
        handle = tenant().sealer.open(_SESSION, request.cookies.get(COOKIE, ""))
    except Malformed:
        return None
    if handle.expires_at <= tenant().clock.now():
        return None
    return Session(*json.loads(handle.key))


def keep_session(answer: Response, session: Session | None) -> Response:
    """Put the session, if there is one, into a cookie of the answer."""
    if session is None:
        return answer
    content = [session.sub, session.sid, session.authenticated_at, session.auth_time]
    expires_at = tenant().clock.now() + tenant().configuration.session_ttl
    sealed = tenant().sealer.seal(_SESSION, Handle(json.dumps(content), expires_at))
    answer.set_cookie(COOKIE, sealed, httponly=True, samesite="Lax", secure=request.is_secure)
    return answer
