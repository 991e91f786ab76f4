"""What most tests stand on: a local tenant over real HTTP, an application, a visitor."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cachelib import SimpleCache
from flask import Flask, jsonify
from flask_session import Session
from hypothesis import settings

from flask_auth0_mfa import Auth0MFA, current_auth0, requires_login, requires_stepup
from flask_auth0_mfa.emulator import Tenant, serve

from .routes import RememberedRule
from .templates import TemplateMemory
from .visitor import Visitor

SECRET_KEY = "a secret key for tests, and long enough for them"
PAYMENTS = "https://payments.example.com"
ACCOUNTS = "https://accounts.example.com"
ADMIN = "https://admin.example.com"
OPEN = "https://open.example.com"

# The ordinary run draws the same examples every time, so that it fails by a change only; with
# HYPOTHESIS_PROFILE=campaign each run draws others.
settings.register_profile("ordinary", deadline=None, derandomize=True)
settings.register_profile("campaign", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ordinary"))

# A proxy of the machine would not find what runs here.
for name in ("no_proxy", "NO_PROXY"):
    os.environ[name] = "localhost,127.0.0.1,::1"

# Most tests make an application of their own; without this each would compile its templates and
# its routes again.
Flask.jinja_options = {"bytecode_cache": TemplateMemory()}
Flask.url_rule_class = RememberedRule


class Clock:
    """The application's clock: runs like the wall's, and can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead

    def advance(self, seconds: float) -> None:
        """Put the clock forward."""
        self.ahead += seconds


@pytest.fixture(scope="session")
def tenant_server() -> Iterator[Any]:
    """A local tenant on a free port, for the whole run."""
    with serve(Tenant(), port=0) as server:
        yield server


@pytest.fixture
def tenant(tenant_server: Any) -> Tenant:
    """The tenant as it is when it starts."""
    tenant_server.tenant.reset()
    return tenant_server.tenant


@pytest.fixture
def clock() -> Clock:
    """The application's clock."""
    return Clock()


@pytest.fixture
def make_app(tenant: Tenant, tenant_server: Any, clock: Clock) -> Callable[..., Flask]:
    """Return a function that makes an application with a few guarded views."""

    def make(**config: Any) -> Flask:
        app = bare_app(tenant_server.url, **config)
        Auth0MFA(app, clock=clock)
        add_views(app)
        return app

    return make


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """An application with the default settings."""
    return make_app()


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    """Somebody who is not signed in."""
    return Visitor(app)


@pytest.fixture
def ana(visitor: Visitor) -> Visitor:
    """Ana, signed in."""
    visitor.log_in("ana@example.com")
    return visitor


def bare_app(tenant_url: str, **config: Any) -> Flask:
    """Return an application that knows the tenant, before the extension is set up."""
    app = Flask("bank")
    app.config.update(
        SECRET_KEY=SECRET_KEY,
        AUTH0_DOMAIN=tenant_url,
        AUTH0_CLIENT_ID="demo-client",
        AUTH0_CLIENT_SECRET="demo-secret",
        **config,
    )
    return app


def app_on_server(tenant_url: str, clock: Callable[[], float]) -> Flask:
    """Return an application without views that keeps its sessions on the server."""
    app = bare_app(tenant_url, SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    Session(app)
    Auth0MFA(app, clock=clock)
    return app


def add_views(app: Flask) -> None:
    """Give the application the views that the tests open."""

    @app.get("/")
    def home() -> str:
        return "Home"

    @app.get("/accounts")
    @requires_login
    def accounts() -> str:
        return f"Accounts of {current_auth0.user['email']}"

    @app.route("/transfer", methods=["GET", "POST"])
    @requires_stepup(
        PAYMENTS, scope="transfer:funds", reason="To move money we need a second check."
    )
    def transfer() -> str:
        token = current_auth0.get_access_token(PAYMENTS)
        return f"Transfer with a token for {token.audience}"

    @app.get("/api/balance")
    @requires_stepup(PAYMENTS, scope="read:payments")
    def balance() -> Any:
        return jsonify(balance=100)

    @app.get("/open")
    @requires_stepup(OPEN)
    def misconfigured() -> str:
        return "Open"

    @app.get("/token")
    def token() -> Any:
        """Show what is known of a token for an audience, without the token."""
        from flask import request

        found = current_auth0.get_access_token(
            request.args.get("audience"), request.args.get("scope")
        )
        return jsonify(audience=found.audience, scope=found.scope, expires_at=found.expires_at)
