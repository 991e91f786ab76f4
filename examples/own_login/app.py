"""The shop as a Flask application: settings, sessions in Redis, the login, the guarded pages."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Flask, render_template
from flask_session import Session
from redis import Redis

from flask_auth0_mfa import Auth0MFA, current_auth0, requires_stepup

from .login import add_login, login_required

PAYMENTS = "https://payments.example.com"
# The tenant that `python -m examples.own_login` runs on this machine; worth nothing elsewhere.
LOCAL_TENANT = {
    "AUTH0_DOMAIN": "http://localhost:4400",
    "AUTH0_CLIENT_ID": "demo-client",
    "AUTH0_CLIENT_SECRET": "demo-secret",
}


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Return the application; ``config`` goes over the environment, that over the local tenant."""
    app = Flask(__name__)
    app.config.from_mapping(
        {name: os.environ.get(name, value) for name, value in LOCAL_TENANT.items()},
        SECRET_KEY=os.environ.get("SECRET_KEY") or secrets.token_hex(32),
        REDIS_URL=os.environ.get("REDIS_URL", "redis://localhost:6379/0"),
        # The session and everything in it ends after a working day, whatever the browser does.
        PERMANENT_SESSION_LIFETIME=timedelta(hours=8),
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_TYPE="redis",
        SESSION_PERMANENT=False,
    )
    app.config.from_mapping(config)
    app.config["SESSION_REDIS"] = Redis.from_url(app.config["REDIS_URL"])

    # First the sessions, so that the extension finds them; then it keeps its part in there.
    Session(app)
    Auth0MFA(app, state_uri=app.config["REDIS_URL"], mfa_service_name="Harbour Shop")
    add_login(app)
    add_pages(app)
    return app


def add_pages(app: Flask) -> None:
    """Give the application its pages."""

    @app.get("/")
    def home() -> str:
        """Show what there is to try."""
        return render_template("own_login/home.html")

    @app.get("/orders")
    @login_required
    def orders() -> str:
        """Show a page that needs the application's own login."""
        return render_template("own_login/orders.html")

    # The login is asked for first, by the application; then the second check, by the extension.
    @app.get("/refund")
    @login_required
    @requires_stepup(PAYMENTS, scope="transfer:funds", reason="To pay money back we need a check.")
    def refund() -> str:
        """Show a page that needs a second check; the token for the payments API is at hand."""
        token = current_auth0.get_access_token(PAYMENTS, "transfer:funds")
        return render_template("own_login/refund.html", audience=token.audience)

    @app.context_processor
    def page_frame() -> dict[str, Any]:
        return {"user": current_auth0.user}
