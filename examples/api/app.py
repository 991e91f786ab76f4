"""The application: it calls the payments API, and leaves it to the API when a check is due."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import Any

import requests
from flask import Flask, Response, flash, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFProtect
from werkzeug.wrappers import Response as BaseResponse

from flask_auth0_mfa import Auth0MFA, current_auth0, requires_login

PAYMENTS = "https://payments.example.com"
# The tenant that `python -m examples.api` runs on this machine; worth nothing elsewhere.
LOCAL_TENANT = {
    "AUTH0_DOMAIN": "http://localhost:4400",
    "AUTH0_CLIENT_ID": "demo-client",
    "AUTH0_CLIENT_SECRET": "demo-secret",
    "PAYMENTS_URL": "http://localhost:5003/",
}
POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Return the application; ``config`` goes over the environment, that over the local tenant.

    ``PAYMENTS_URL`` is where the API is.
    """
    app = Flask(__name__)
    app.config["SECRET_KEY"] = os.environ.get("SECRET_KEY") or secrets.token_hex(32)
    app.config["PAYMENTS_URL"] = os.environ.get("PAYMENTS_URL", LOCAL_TENANT["PAYMENTS_URL"])
    if "AUTH0_DOMAIN" not in os.environ:
        app.config.from_mapping(LOCAL_TENANT)
    app.config.from_mapping(config)
    Auth0MFA(app, mfa_service_name="Harbour Pay")
    CSRFProtect(app)
    add_views(app)
    return app


def add_views(app: Flask) -> None:
    """Give the application its pages."""

    def payments() -> requests.Session:
        """Return the session for the API: no view needs to know which calls need a check."""
        return current_auth0.api(
            PAYMENTS,
            base_url=app.config["PAYMENTS_URL"],
            scope="read:payments transfer:funds",
            reason="To see and move money we need a second check.",
        )

    @app.after_request
    def protect(answer: Response) -> Response:
        answer.headers.setdefault("Content-Security-Policy", POLICY)
        return answer

    @app.get("/")
    @requires_login
    def home() -> str:
        """Show what there is to do."""
        return render_template("pay/home.html")

    @app.get("/balance")
    @requires_login
    def balance() -> str:
        """Show the balance."""
        answer = payments().get("balance")
        answer.raise_for_status()
        return render_template("pay/balance.html", balance=answer.json()["balance"])

    @app.get("/transfer")
    @requires_login
    def transfer() -> str:
        """Show the form; the check that the API wants comes before it."""
        answer = payments().get("limits")
        answer.raise_for_status()
        return render_template("pay/transfer.html", limit=answer.json()["limit"])

    @app.post("/transfer")
    @requires_login
    def send() -> BaseResponse | tuple[str, int]:
        """Send the money; who took long over the form has the check once more."""
        order = {"payee": request.form["payee"], "amount": request.form.get("amount", type=int)}
        answer = payments().post("transfers", json=order)
        if answer.status_code != 201:
            return render_template("pay/refused.html"), 400
        sent = answer.json()
        flash(f"€{sent['amount']} are on their way to {sent['payee']}.")
        return redirect(url_for("balance"), 303)
