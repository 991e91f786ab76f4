"""Our side of figures 4 and 5: an application that guards one view; gunicorn runs it."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, Response, jsonify

from flask_auth0_mfa import Auth0MFA, current_auth0, requires_stepup

PAYMENTS = "https://payments.example.com"
SCOPE = "transfer:funds"
#: Limits that many users behind one address do not reach. Those of a check stay.
LIMITS = {
    "AUTH0_MFA_VERIFY_LIMIT": "100000 per hour",
    "AUTH0_MFA_VERIFY_ROW_LIMIT": "100000 per hour",
    "AUTH0_MFA_VERIFY_ADDRESS_LIMIT": "100000 per hour",
}


def create_app(**config: Any) -> Flask:
    """Return the application; what ``config`` does not say, the environment does."""
    app = Flask("benchmark")
    app.config.update(LIMITS, SECRET_KEY=os.environ.get("SECRET_KEY"))
    app.config.update(config)
    Auth0MFA(app)

    @app.get("/transfer")
    @requires_stepup(PAYMENTS, scope=SCOPE)
    def transfer() -> Response:
        return jsonify(length=len(current_auth0.get_access_token(PAYMENTS, SCOPE).token))

    @app.get("/plain")
    def plain() -> Response:
        return jsonify(length=0)

    return app
