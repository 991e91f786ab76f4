"""The payments API: it takes access tokens, and knows nothing of logins and pages."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, jsonify, request

from flask_auth0_mfa.api import MULTI_FACTOR, ProtectedAPI

AUDIENCE = "https://payments.example.com"
#: The claims that the tenant's Action puts into this API's tokens begin with it.
NAMESPACE = "https://payments.example.com/"
#: Money moves only with a second factor that is not older than this, in seconds.
MAX_AGE = 60
LIMIT = 500

api = ProtectedAPI(
    audience=AUDIENCE,
    auth_time_claim=f"{NAMESPACE}auth_time",
    acr_claim=f"{NAMESPACE}acr",
)
#: What both views have above them that are about moving money.
to_move_money = api.requires_token(
    scope="transfer:funds", acr_values=[MULTI_FACTOR], max_age=MAX_AGE
)


def create_api(domain: str, **options: Any) -> Flask:
    """Return the API of the tenant at ``domain``; ``options`` are those of ``ProtectedAPI``."""
    app = Flask("payments")
    api.init_app(app, domain=domain, **options)
    add_views(app)
    return app


def add_views(app: Flask) -> None:
    """Give the API its three addresses."""
    balances: dict[str, int] = {}

    def balance_of(user: str) -> int:
        return balances.setdefault(user, 2_480)

    @app.get("/balance")
    @api.requires_token(scope="read:payments")
    def balance() -> Response:
        """Return the balance; any token that may read payments will do."""
        return jsonify(balance=balance_of(api.claims["sub"]))

    @app.get("/limits")
    @to_move_money
    def limits() -> Response:
        """Return how much may be sent; asked before a form for it is shown."""
        return jsonify(limit=min(LIMIT, balance_of(api.claims["sub"])))

    @app.post("/transfers")
    @to_move_money
    def transfers() -> tuple[Response, int]:
        """Move money."""
        user, order = api.claims["sub"], request.get_json()
        amount = order["amount"]
        if not isinstance(amount, int) or not 0 < amount <= min(LIMIT, balance_of(user)):
            return jsonify(error="limit_exceeded"), 409
        balances[user] -= amount
        return jsonify(payee=str(order["payee"]), amount=amount), 201
