"""Figures 2 and 3: whole requests, from WSGI server to answer, with and without the extension."""

from __future__ import annotations

from typing import Any

from flask import Flask, session

from flask_auth0_mfa import current_auth0, requires_stepup
from flask_auth0_mfa.models import Auth0Session

from . import content
from .rounds import Effort, Timing, Work, side_by_side
from .sessions import application, cookies, cookies_of, environ, plain_application

#: Names of the contestants of each table.
WITH, WITHOUT = "with the extension", "without it"
SIGNED_IN = "with it, signed in"
GUARDED, GUARDED_TAKES = "guarded", "guarded, takes the token"
UNGUARDED, UNGUARDED_TAKES = "reads a user id", "takes the token from a stock session"
USER_ID = "auth0|65f1c0a37d9b4e2f8a6c1d53"


def untouched(effort: Effort) -> dict[str, Timing]:
    """Return what a view takes that has nothing to do with authentication."""
    ours, plain = _with_views(application()), _with_views(plain_application())
    held = Auth0Session.from_dict(content.session())
    own_of_ours, own_of_plain = _stock_cookies(ours, USER_ID), _stock_cookies(plain, USER_ID)
    contestants = {
        WITH: _request(ours, "/plain", own_of_ours),
        WITHOUT: _request(plain, "/plain", own_of_plain),
        SIGNED_IN: _request(ours, "/plain", own_of_ours | cookies(ours, held)),
    }
    return side_by_side(contestants, effort)


def guarded(effort: Effort) -> dict[str, Timing]:
    """Return what a guarded view takes with the token in hand, and the same view without guard."""
    ours, plain = _with_views(application()), _with_views(plain_application())
    signed_in = cookies(ours, Auth0Session.from_dict(content.session()))
    contestants = {
        GUARDED: _request(ours, "/transfer", signed_in),
        GUARDED_TAKES: _request(ours, "/pay", signed_in),
        UNGUARDED: _request(plain, "/open", _stock_cookies(plain, USER_ID)),
        UNGUARDED_TAKES: _request(plain, "/open-pay", _stock_cookies(plain, content.session())),
    }
    return side_by_side(contestants, effort)


def _with_views(app: Flask) -> Flask:
    app.add_url_rule("/plain", "plain", lambda: "Hello")

    @app.get("/open")
    def unguarded() -> str:
        return "Hello" if session["user"] else "?"

    @app.get("/open-pay")
    def unguarded_pay() -> str:
        tokens = session["user"]["access_tokens"]
        token = next(one for one in tokens if one["audience"] == content.PAYMENTS)
        return str(len(token["access_token"]))

    @app.get("/transfer")
    @requires_stepup(content.PAYMENTS, scope="write:all")
    def transfer() -> str:
        return "Hello"

    @app.get("/pay")
    @requires_stepup(content.PAYMENTS, scope="write:all")
    def pay() -> str:
        return str(len(current_auth0.get_access_token(content.PAYMENTS).token))

    return app


def _stock_cookies(app: Flask, held: Any) -> dict[str, str]:
    """Return the cookie of Flask's own session with this content."""
    with app.test_request_context():
        session["user"] = held
        response = app.process_response(app.make_response(""))
    return cookies_of(response)


def _request(app: Flask, path: str, sent: dict[str, str]) -> Work:
    made = environ(sent, path)

    def work() -> str:
        statuses: list[str] = []
        answer = app.wsgi_app(dict(made), lambda status, *_: statuses.append(status))
        b"".join(answer)
        answer.close()  # type: ignore[attr-defined]  # what Werkzeug returns
        return statuses[0]

    assert work() == "200 OK"
    return work
