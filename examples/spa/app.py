"""The server of the page: one file that never changes, and an API that needs a second check."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, jsonify, make_response, render_template, request

from flask_auth0_mfa import Auth0MFA, current_auth0, requires_login, requires_stepup

PAYMENTS = "https://payments.example.com"
# The tenant that `python -m examples.spa` runs on this machine; worth nothing elsewhere.
LOCAL_TENANT = {
    "AUTH0_DOMAIN": "http://localhost:4400",
    "AUTH0_CLIENT_ID": "demo-client",
    "AUTH0_CLIENT_SECRET": "demo-secret",
}
POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Return the application; ``config`` goes over the environment, that over the local tenant."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = os.environ.get("SECRET_KEY") or secrets.token_hex(32)
    if "AUTH0_DOMAIN" not in os.environ:
        app.config.from_mapping(LOCAL_TENANT)
    app.config.from_mapping(config)
    Auth0MFA(app, mfa_service_name="Harbour Pay")
    add_views(app)
    return app


def add_views(app: Flask) -> None:
    """Give the application its page and its API."""

    @app.get("/")
    @requires_login
    def page() -> Response:
        """Send the page; its script asks the API for everything on it."""
        answer = make_response(render_template("spa.html"))
        answer.headers["Content-Security-Policy"] = POLICY
        return answer

    # To the API a second check is an answer like others: 403 with the error `mfa_required`.
    @app.get("/api/balance")
    @requires_stepup(PAYMENTS, scope="read:payments", reason="To show money we need a check.")
    def balance() -> Response:
        """Return the balance."""
        return jsonify(balance="2480.50", currency="EUR")

    @app.post("/api/transfer")
    @requires_stepup(PAYMENTS, scope="transfer:funds", reason="To move money we need a check.")
    def transfer() -> Response:
        """Pretend to move money; a real one would call the payments API with this token."""
        token = current_auth0.get_access_token(PAYMENTS, "transfer:funds")
        order = request.get_json()
        return jsonify(payee=order["payee"], amount=order["amount"], by=token.audience)
