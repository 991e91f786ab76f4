"""The application's own login: OpenID Connect by Authlib, then handed over to the extension.

==================  ==================================================
``/login``          to Universal Login
``/login/finish``   back from it
``/logout``         ends the session here and at Auth0 (POST)
==================  ==================================================
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import FlaskOAuth2App, OAuth
from flask import (
    Blueprint,
    Flask,
    current_app,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from joserfc.errors import JoseError
from werkzeug.wrappers import Response

from flask_auth0_mfa import current_auth0

View = TypeVar("View", bound=Callable[..., Any])

login = Blueprint("login", __name__)


def add_login(app: Flask) -> None:
    """Register the client at the tenant and the three routes."""
    oauth = OAuth(app)
    app.extensions["own_login"] = oauth.register(
        "shop",
        client_id=app.config["AUTH0_CLIENT_ID"],
        client_secret=app.config["AUTH0_CLIENT_SECRET"],
        server_metadata_url=f"{tenant_url(app)}/.well-known/openid-configuration",
        client_kwargs={
            # Without offline_access there is no refresh token, and without that no step-up.
            "scope": "openid profile email offline_access",
            "code_challenge_method": "S256",
        },
    )
    app.register_blueprint(login)


def tenant_url(app: Flask) -> str:
    """Return the tenant's address; AUTH0_DOMAIN is a host name, or the local tenant's address."""
    domain: str = app.config["AUTH0_DOMAIN"]
    return domain if domain.startswith("http://") else f"https://{domain}"


def login_required(view: View) -> View:
    """Send visitors who are not signed in to the application's own login, and back."""

    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if current_auth0.is_authenticated:
            return current_app.ensure_sync(view)(*args, **kwargs)
        # Made from our own routes, so that nobody else can say where a login ends.
        session["return_to"] = url_for(str(request.endpoint), **(request.view_args or {}))
        return redirect(url_for("login.begin"), 303)

    return guarded  # type: ignore[return-value]  # the same signature, by functools.wraps


@login.get("/login")
def begin() -> Response:
    """Send the user to Universal Login; state, nonce and PKCE are Authlib's."""
    answer: Response = _client().authorize_redirect(url_for("login.finish", _external=True))
    return answer


@login.get("/login/finish")
def finish() -> Response | tuple[str, int]:
    """Exchange the code, begin the session, and hand the tokens over."""
    try:
        token_response = _client().authorize_access_token()
    except (OAuthError, JoseError):
        # What Auth0 says of it is in its log; a page must not repeat what an address carries.
        return render_template("own_login/failed.html"), 400
    # Checks the ID token again, keeps the refresh token for step-ups, and gives the session another
    # id: one that somebody else put into this browser must not become a signed-in one.
    current_auth0.sign_in(token_response)
    return redirect(session.pop("return_to", None) or url_for("home"), 303)


@login.post("/logout")
def leave() -> Response:
    """End the session here, revoke the refresh token, and end the session at Auth0."""
    current_auth0.sign_out()
    session.clear()
    query = {
        "client_id": current_app.config["AUTH0_CLIENT_ID"],
        "returnTo": url_for("home", _external=True),
    }
    return redirect(f"{tenant_url(current_app)}/v2/logout?{urlencode(query)}", 303)


def _client() -> FlaskOAuth2App:
    return current_app.extensions["own_login"]
