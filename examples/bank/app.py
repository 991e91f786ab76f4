"""The bank as a Flask application: settings, the extension, the pages of ``views.py``."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import Any

from flask import Flask, current_app, request

from flask_auth0_mfa import Auth0MFA

from .dashboard import dashboard
from .ledger import Ledger
from .outcomes import Outcomes
from .views import bank, format_money

try:
    from flask_babel import Babel
except ImportError:
    # Then the pages of the second check are in English.
    Babel = None

# The tenant that `python -m flask_auth0_mfa.emulator` runs on this machine. These values are
# public and worth nothing; those of a real tenant belong in the environment.
LOCAL_TENANT = {
    "AUTH0_DOMAIN": "http://localhost:4400",
    "AUTH0_CLIENT_ID": "demo-client",
    "AUTH0_CLIENT_SECRET": "demo-secret",
}


# The languages that the pages of the second check come in; the bank's own pages are in English.
LANGUAGES = ("en", "ar", "de", "es", "fr", "ja", "pt")


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Return the bank; ``config`` goes over the environment, and that over the local tenant."""
    app = Flask(__name__)
    # A random key ends every session at a restart and only works for a single process. That is
    # right for a demo; a real application sets SECRET_KEY.
    app.config["SECRET_KEY"] = os.environ.get("SECRET_KEY") or secrets.token_hex(32)
    # Limits on guesses are counted here. With several processes this has to be redis://...
    app.config["AUTH0_STATE_URI"] = os.environ.get("AUTH0_STATE_URI") or "memory://"
    # Who may see /dashboard, by e-mail address.
    app.config["OPERATORS"] = os.environ.get("BANK_OPERATORS", "").split()
    if "AUTH0_DOMAIN" not in os.environ:
        app.config.from_mapping(LOCAL_TENANT, OPERATORS=["ana@example.com"])
    app.config["LANGUAGES"] = LANGUAGES
    app.config.from_mapping(config)

    # This line adds everything below /auth: login, logout, and the pages of the second check.
    # Their colours are in templates/auth0_mfa/base.html, which goes over the extension's own.
    Auth0MFA(app, mfa_service_name="Harbour Bank")

    # With Flask-Babel they are in the language that the browser asks for.
    if Babel is not None:
        Babel(app, locale_selector=preferred_language)

    app.extensions["ledger"] = Ledger()
    app.extensions["outcomes"] = Outcomes()
    app.extensions["outcomes"].listen(app)
    app.add_template_filter(format_money, "money")
    app.register_blueprint(bank)
    app.register_blueprint(dashboard)
    return app


def preferred_language() -> str | None:
    """Return the language that the browser likes best; None stands for BABEL_DEFAULT_LOCALE."""
    return request.accept_languages.best_match(current_app.config["LANGUAGES"])
