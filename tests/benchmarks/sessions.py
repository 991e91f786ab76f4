"""Figure 1: open a session of 5 000 bytes, put new tokens into it, save it.

What is written is what a refresh brings: an access token for one audience, and the refresh token
that replaces the old one. Each library does it as an application would, from the request with its
cookies to the answer with the new ones, which the next request brings, as with a browser.
"""

from __future__ import annotations

import importlib.util
import secrets
import time
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import replace
from http.cookies import SimpleCookie
from typing import Any

from flask import Flask, Response
from flask.sessions import SecureCookieSessionInterface, SessionInterface
from flask_session import Session
from redis import Redis
from werkzeug.test import EnvironBuilder

from flask_auth0_mfa import Auth0MFA
from flask_auth0_mfa.models import AccessToken, Auth0Session
from flask_auth0_mfa.secret import Secret
from flask_auth0_mfa.sessions import Auth0SessionInterface

from . import content
from .rounds import Effort, Timing, Work, side_by_side

KEY = "content"
#: Names of the contestants.
OURS, STOCK, SDK, REDIS = "this extension", "Flask's own", "auth0-server-python", "Flask-Session"


def timings(effort: Effort) -> dict[str, dict[str, Timing]]:
    """Return for each way to keep a session what opening takes, and opening and saving."""
    with ExitStack() as stack:
        ours, stock = application(), plain_application()
        stack.enter_context(ours.app_context())
        contestants = {
            OURS: (_open_ours(ours), _renew_ours(ours)),
            STOCK: _of_flask(stock, SecureCookieSessionInterface()),
        }
        # It comes with the extra ``bench`` only.
        if importlib.util.find_spec("auth0_fastapi") is not None:
            contestants[SDK] = _of_sdk()
        return {
            "open": side_by_side({name: one[0] for name, one in contestants.items()}, effort),
            "open and save": side_by_side(
                {name: one[1] for name, one in contestants.items()}, effort
            ),
        }


def timings_with_redis(effort: Effort, url: str) -> dict[str, Timing]:
    """Return what opening and saving takes, beside Flask-Session, which waits for Redis."""
    ours, theirs = application(AUTH0_STATE_URI=url), plain_application()
    with Redis.from_url(url) as redis, ours.app_context():
        theirs.config.update(SESSION_TYPE="redis", SESSION_REDIS=redis)
        Session(theirs)
        contestants = {
            OURS: _renew_ours(ours),
            REDIS: _of_flask(theirs, theirs.session_interface)[1],
        }
        return side_by_side(contestants, effort, time.perf_counter)


# -- applications ----------------------------------------------------------------------------


def application(**config: Any) -> Flask:
    """Return an application with the extension; it never calls its tenant."""
    app = plain_application()
    app.config.update(
        AUTH0_DOMAIN="acme.eu.auth0.com",
        AUTH0_CLIENT_ID="client-1",
        AUTH0_CLIENT_SECRET="secret",
        **config,
    )
    Auth0MFA(app)
    return app


def plain_application() -> Flask:
    """Return an application with a secret key and no more."""
    app = Flask("benchmark")
    app.config.update(SECRET_KEY=secrets.token_hex(), TESTING=True)
    return app


def environ(cookies: dict[str, str], path: str = "/") -> dict[str, Any]:
    """Return a request as a WSGI server hands it over."""
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    made = EnvironBuilder(path, base_url="https://bank.example.com").get_environ()
    return made | ({"HTTP_COOKIE": header} if header else {})


class Browser:
    """Keeps the cookies of an application, and sends them along."""

    def __init__(self, cookies: dict[str, str]) -> None:
        self.cookies = cookies

    @property
    def header(self) -> str:
        """The cookies as a request carries them."""
        return "; ".join([f"{name}={value}" for name, value in self.cookies.items()])

    def receive(self, headers: list[str]) -> None:
        """Keep what an answer sets; nothing here is ever quoted or deleted."""
        for header in headers:
            name, _, value = header.partition(";")[0].partition("=")
            self.cookies[name] = value


def cookies_of(response: Response) -> dict[str, str]:
    """Return the cookies that an answer sets."""
    found: dict[str, str] = {}
    for header in response.headers.getlist("Set-Cookie"):
        found.update({name: one.value for name, one in SimpleCookie(header).items()})
    return found


# -- this extension --------------------------------------------------------------------------


def cookies(app: Flask, held: Auth0Session) -> dict[str, str]:
    """Return the cookies that such a session is kept in."""
    interface, response = app.session_interface, Response()
    with app.app_context():
        session: Any = interface.open_session(app, app.request_class(environ({})))
        session.auth0.store(held)
        interface.save_session(app, session, response)
    return cookies_of(response)


def _open_ours(app: Flask) -> Work:
    interface = app.session_interface
    assert isinstance(interface, Auth0SessionInterface)
    browser, bare = Browser(cookies(app, Auth0Session.from_dict(content.session()))), environ({})

    def work() -> Any:
        sent = {**bare, "HTTP_COOKIE": browser.header}
        session: Any = interface.open_session(app, app.request_class(sent))
        return session.auth0.load()

    assert len(work().access_tokens) == 3
    return work


def _renew_ours(app: Flask) -> Work:
    interface = app.session_interface
    browser, bare = Browser(cookies(app, Auth0Session.from_dict(content.session()))), environ({})

    def work() -> Response:
        sent = {**bare, "HTTP_COOKIE": browser.header}
        session: Any = interface.open_session(app, app.request_class(sent))
        held = session.auth0.load()
        held.refresh_token = Secret(content.refresh_token())
        held.keep_token(renewed(held.access_tokens[content.PAYMENTS]))
        session.auth0.store(held)
        response = Response()
        interface.save_session(app, session, response)
        browser.receive(response.headers.getlist("Set-Cookie"))
        return response

    assert len(cookies_of(work())) == 2
    return work


def renewed(token: AccessToken) -> AccessToken:
    """Return the token that a refresh brings: as long as the old one."""
    return replace(token, token=Secret(_fresh(token.token)))


def _fresh(token: str) -> str:
    # Another signature, which is all that a session sees of a new token.
    return token[:-20] + secrets.token_hex(10)


# -- Flask's own and Flask-Session -----------------------------------------------------------


def _of_flask(app: Flask, interface: SessionInterface) -> tuple[Work, Work]:
    response = Response()
    session: Any = interface.open_session(app, app.request_class(environ({})))
    session[KEY] = content.session()
    interface.save_session(app, session, response)
    browser, bare = Browser(cookies_of(response)), environ({})

    def opened() -> Any:
        sent = {**bare, "HTTP_COOKIE": browser.header}
        return interface.open_session(app, app.request_class(sent))

    def work() -> Response:
        session: Any = opened()
        renew(session[KEY])
        session.modified = True
        response = Response()
        interface.save_session(app, session, response)
        browser.receive(response.headers.getlist("Set-Cookie"))
        return response

    assert opened()[KEY]["user"] == content.user()
    assert cookies_of(work())
    return opened, work


def renew(held: dict[str, Any]) -> None:
    """Put what a refresh brings into a session of plain types."""
    held["token_set"]["refresh_token"] = content.refresh_token()
    token = held["access_tokens"][1]
    token["access_token"] = _fresh(token["access_token"])


# -- auth0-server-python ---------------------------------------------------------------------


def _of_sdk() -> tuple[Work, Work]:
    from auth0_fastapi.stores.stateless_state_store import StatelessStateStore
    from starlette.requests import Request
    from starlette.responses import Response as StarletteResponse

    store = StatelessStateStore(secrets.token_hex())
    response = StarletteResponse()
    finished(store.set("_a0_session", content.session(), {"response": response}))
    browser, bare = Browser({}), {"type": "http", "method": "GET", "path": "/"}

    def receive(response: StarletteResponse) -> None:
        headers = [value.decode() for name, value in response.raw_headers if name == b"set-cookie"]
        browser.receive(headers)

    receive(response)

    def opened() -> Any:
        scope = {**bare, "headers": [(b"cookie", browser.header.encode())]}
        return finished(store.get("_a0_session", {"request": Request(scope)}))

    def work() -> StarletteResponse:
        held = opened()
        renew(held)
        response = StarletteResponse()
        finished(store.set("_a0_session", held, {"response": response}))
        receive(response)
        return response

    assert opened()["user"] == content.user()
    assert work().raw_headers
    return opened, work


def finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run what never waits, without an event loop: it would only cost time."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("the coroutine waits for something")
