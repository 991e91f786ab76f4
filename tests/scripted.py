"""An application whose requests do what a test says, and what they do to a session."""

from __future__ import annotations

import secrets
from http.cookies import SimpleCookie

from flask import Flask, jsonify, session

from flask_auth0_mfa import Auth0MFA
from flask_auth0_mfa.models import (
    AccessToken,
    MfaContext,
    Verification,
)
from flask_auth0_mfa.services import services
from flask_auth0_mfa.sessions import auth0_session

SECRET_KEY = "a secret key for tests, and long enough for them"
PAYMENTS = "https://payments.example.com"
ADMIN = "https://admin.example.com"


class Site:
    """An application whose requests do what a test says, and a browser for it."""

    def __init__(self, clock, before=None, **config):
        self.clock = clock
        self.app = Flask("site")
        self.app.config.update(
            SECRET_KEY=SECRET_KEY,
            TESTING=True,
            AUTH0_DOMAIN="acme.eu.auth0.com",
            AUTH0_CLIENT_ID="client-1",
            AUTH0_CLIENT_SECRET="secret",
            **config,
        )
        if before is not None:
            before(self.app)
        Auth0MFA(self.app, clock=clock)
        self.app.add_url_rule("/", "run", self._run)
        self.action = None
        self.client = self.app.test_client()

    def _run(self):
        return jsonify(self.action())

    def run(self, action):
        """Make a request that does nothing but this, in the application's own code."""
        self.action = action
        self.answer = self.client.get("/")
        return self.answer.json

    def change(self, change):
        """Make a request that changes the user's session."""

        def action():
            with auth0_session() as mine:
                change(mine)

        return self.run(action)

    def content(self):
        """Make a request that looks at the user's session; return what it saw."""

        def action():
            with auth0_session() as mine:
                return mine.to_dict()

        return self.run(action)

    @property
    def written(self):
        """The cookies that the last answer set or deleted, by name."""
        found = {}
        for header in self.answer.headers.getlist("Set-Cookie"):
            found.update(SimpleCookie(header))
        return found

    @property
    def set(self):
        """The names of the cookies that the last answer set."""
        return {name for name, morsel in self.written.items() if morsel.value}

    @property
    def deleted(self):
        """The names of the cookies that the last answer deleted."""
        return {name for name, morsel in self.written.items() if not morsel.value}

    @property
    def cookies(self):
        """The cookies that the browser holds."""
        return {key[2]: cookie.value for key, cookie in self.client._cookies.items()}

    def put(self, name, value):
        """Put a cookie into the browser, as somebody who controls it can."""
        self.client.set_cookie(name, value)

    def named(self, letter):
        """The names of the cookies of one kind that the browser holds."""
        return sorted(name for name in self.cookies if f"_auth0_{letter}_" in name)


def sign_in(mine):
    """Sign somebody in, as a login does it."""
    mine.user = {"sub": "auth0|ana", "email": "ana@example.com"}
    mine.sid = mine.login_id = secrets.token_urlsafe(24)
    mine.created_at = services().clock()
    mine.refresh_token = "v1.M" + secrets.token_urlsafe(40)


def context_of(mine, name="one", ttl=300, **fields):
    """Return an MFA context of this session, with a token of the usual size."""
    now = int(services().clock())
    return MfaContext(
        raw_mfa_token=f"Fe26.2*{name}*" + fields.pop("token", secrets.token_urlsafe(600)),
        opened_at=now,
        expires_at=now + ttl,
        login_id=mine.login_id or "",
        audience=PAYMENTS,
        return_to="/transfer",
        **fields,
    )


def open_context(name="one", **fields):
    """Return a change that opens a context."""
    return lambda mine: mine.open_context(context_of(mine, name, **fields))


def keep_token(audience=PAYMENTS, size=400, ttl=3600):
    """Return a change that stores an access token."""

    def change(mine):
        expires_at = int(services().clock()) + ttl
        mine.keep_token(AccessToken(secrets.token_urlsafe(size), audience, "a b", expires_at))

    return change


def verify(audience=PAYMENTS):
    """Return a change that records a verification."""

    def change(mine):
        mine.verified[audience] = Verification(int(services().clock()), "otp")

    return change


def clear():
    """Log out as an application does that does not know of us."""
    session.clear()


def claim(**claims):
    """Return a change of the user's claims."""

    def change(mine):
        mine.user = mine.user | claims

    return change


#: Text without a pattern, the same in the whole run.
PAD = secrets.token_hex(30_000)


def grow(size):
    """Return a change that makes the part with the tokens so much longer."""
    return claim(pad=PAD[:size])
