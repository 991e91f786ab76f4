"""A clinic's site: one page for everybody, one behind a second check."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import Any

from flask import Flask, render_template

from flask_auth0_mfa import Auth0MFA, requires_stepup

RECORDS = "https://payments.example.com"
# The tenant that `python -m examples.pico` runs on this machine; worth nothing elsewhere.
LOCAL_TENANT = {
    "AUTH0_DOMAIN": "http://localhost:4400",
    "AUTH0_CLIENT_ID": "demo-client",
    "AUTH0_CLIENT_SECRET": "demo-secret",
}


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Return the application; ``config`` goes over the environment, that over the local tenant."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = os.environ.get("SECRET_KEY") or secrets.token_hex(32)
    if "AUTH0_DOMAIN" not in os.environ:
        app.config.from_mapping(LOCAL_TENANT)
    app.config.from_mapping(config)
    # The frame of the pages is templates/auth0_mfa/base.html, found by its name.
    Auth0MFA(app, mfa_service_name="Linden Clinic")
    add_views(app)
    return app


def add_views(app: Flask) -> None:
    """Give the site its two pages."""

    @app.get("/")
    def home() -> str:
        """Show what there is."""
        return render_template("home.html")

    @app.get("/results")
    @requires_stepup(RECORDS, reason="To open your test results we need a second check.")
    def results() -> str:
        """Show what only the patient may see."""
        return render_template("results.html")
