"""Login and logout by Universal Login (OpenID Connect authorization code flow with PKCE).

The protocol is Authlib's: state, nonce, code exchange, ID token. What a login means for the
session is :mod:`flask_auth0_mfa.signin`'s.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlencode

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import MismatchingStateError, OAuthError
from authlib.integrations.flask_client import FlaskOAuth2App, OAuth
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from flask import Flask, current_app, jsonify, request, url_for
from flask import session as flask_session
from joserfc.errors import JoseError
from urllib3.exceptions import HTTPError
from werkzeug.wrappers import Response

from ..client import TOTAL_TIMEOUT, Auth0Client, token_response
from ..config import Settings
from ..errors import (
    AccessDeniedError,
    Auth0MFAError,
    Auth0UnavailableError,
    InsufficientScopeError,
    InvalidRequestError,
    LoginRequiredError,
    RateLimitedError,
    StepUpUnavailableError,
)
from ..factors import MULTI_FACTOR
from ..i18n import gettext, marked
from ..models import Auth0Session, scope_set
from ..pages import BLUEPRINT, Action, home_url, own_page
from ..responses import challenge_url, error_page, json_error, see_other, wants_json
from ..sealing import LOGIN, SealBrokenError, Sealer, SealExpiredError
from ..services import services
from ..sessions import auth0_session
from ..signals import LoginRefusal
from ..signin import has_multifactor
from ..tokens import InvalidTokenError, LogoutTokenError, SigningKeys
from ..transport import deadline, read_body
from . import steps

logger = logging.getLogger("flask_auth0_mfa")

#: Where Authlib puts the last registry that was set up for an application.
REGISTRY = "authlib.integrations.flask_client"
#: Clocks of Auth0 and of this machine may differ by this, in seconds.
LEEWAY = 60
#: What the callback needs to know of the guard that asked for the login.
_KEPT_OF_TICKET = ("step_up", "audience", "scope", "max_age", "context")


def build_oauth(
    app: Flask, settings: Settings, client: Auth0Client, keys: SigningKeys
) -> FlaskOAuth2App:
    """Return Authlib's client of the tenant.

    Endpoints come from the configured domain alone (SEC-58), so no discovery is needed.
    """

    class TenantSession(OAuth2Session):  # type: ignore[misc]  # Authlib is untyped
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(default_timeout=settings.timeout, **kwargs)
            client.share_transport(self)

        def request(self, *args: Any, **kwargs: Any) -> requests.Response:
            response: requests.Response = super().request(*args, stream=True, **kwargs)
            if response.status_code == 429:
                response.close()
                logger.warning("Auth0 refused the exchange of a code with 429: it has had too many")
                raise RateLimitedError(retry_after=client.retry_after(response))
            with response:
                # What requests itself would keep, had it read the body, however long.
                response._content = read_body(response)
            return response

    class TenantApp(FlaskOAuth2App):  # type: ignore[misc]
        client_cls = TenantSession

        def fetch_jwk_set(self, force: bool = False) -> Any:
            found = keys.renewed() if force else keys.current()
            return found.as_dict(private=False)

    has_secret = settings.client_assertion_signing_key is None
    oauth = OAuth()
    registry = app.extensions.get(REGISTRY)
    oauth.init_app(app)
    if registry is not None:
        # The application logs in by Authlib as well, and looks its own clients up there.
        app.extensions[REGISTRY] = registry
    return oauth.register(
        "auth0",
        client_cls=TenantApp,
        client_id=settings.client_id,
        client_secret=settings.client_secret if has_secret else None,
        authorize_url=f"{settings.base_url}/authorize",
        access_token_url=f"{settings.base_url}/oauth/token",
        issuer=settings.issuer,
        id_token_signing_alg_values_supported=["RS256", "PS256", "ES256"],
        client_kwargs={
            "scope": settings.scope,
            "token_endpoint_auth_method": "client_secret_post" if has_secret else "none",
        },
    )


class IdToken(CodeIDToken):  # type: ignore[misc]
    """Authlib's check of an ID token, by the application's clock."""

    def validate(self, now: int | None = None, leeway: int = 0) -> None:
        super().validate(int(services().clock()) if now is None else now, leeway)


def login() -> Response:
    """Send the user to Universal Login (``GET /authorize``)."""
    found = services()
    with auth0_session() as session:
        ticket = _ticket(found.sealer, session)
        params = _authorize_params(found.settings, session, ticket)
    return_to = own_page(request.args.get("return_to"))
    if ticket is not None:
        return_to = own_page(ticket.get("return_to"))
    code_verifier = generate_token(48)
    redirect_uri = url_for(f"{BLUEPRINT}.callback", _external=True)
    authorization = found.oauth.create_authorization_url(
        redirect_uri,
        code_challenge=create_s256_code_challenge(code_verifier),
        code_challenge_method="S256",
        **params,
    )
    _forget_old_logins()
    found.oauth.save_authorize_data(
        state=authorization["state"],
        nonce=authorization["nonce"],
        code_verifier=code_verifier,
        redirect_uri=redirect_uri,
        return_to=return_to,
        ticket=ticket and {name: ticket[name] for name in _KEPT_OF_TICKET},
    )
    return see_other(authorization["url"])


def _forget_old_logins() -> None:
    """Keep the application's session cookie small: of logins never finished, the newest two."""
    begun = [name for name in flask_session if name.startswith("_state_auth0_")]
    begun.sort(key=lambda name: flask_session[name].get("exp", 0))
    for name in begun[:-2]:
        flask_session.pop(name)


def _ticket(sealer: Sealer, session: Auth0Session) -> dict[str, Any] | None:
    """Return what a guard asks of this login; a ticket of another session counts for nothing."""
    try:
        ticket = sealer.open(LOGIN, request.args.get("ticket", ""))
    except (SealBrokenError, SealExpiredError):
        return None
    is_ours = session.login_id is not None and ticket.get("login") == session.login_id
    return ticket if is_ours else None


def _authorize_params(
    settings: Settings, session: Auth0Session, ticket: dict[str, Any] | None
) -> dict[str, Any]:
    params: dict[str, Any] = dict(settings.authorize_params)
    if settings.audience is not None:
        params["audience"] = settings.audience
    if ticket is None:
        return params
    scope = _requested_scope(settings, ticket)
    if session.refresh_token is not None:
        # This login is for one access token; the refresh token of the session stays.
        scope -= {"offline_access"}
    params |= {"scope": " ".join(sorted(scope)), "max_age": str(ticket["max_age"])}
    if ticket["step_up"]:
        params |= {"audience": ticket["audience"], "acr_values": MULTI_FACTOR}
    return params


def _requested_scope(settings: Settings, ticket: dict[str, Any]) -> frozenset[str]:
    return scope_set(settings.scope) | scope_set(ticket.get("scope")) | {"openid"}


def callback() -> Response:
    """Finish the login: exchange the code, check the ID token, begin the session."""
    found = services()
    state = request.args.get("state", "")
    begun = found.oauth.framework.get_state_data(flask_session, state)
    try:
        token = _exchanged()
        claims = dict(token["userinfo"])
        found.sign_in.verifier.check(claims)
        response = token_response(token)
    except (Auth0MFAError, InvalidTokenError, JoseError, OAuthError, KeyError) as error:
        reason = _refusal(error) if begun else "state"
        found.sign_in.tell_of_refusal(reason)
        return _login_failed(error, reason)
    ticket = begun.get("ticket") or {}
    with auth0_session() as session:
        if session.user is not None and session.user.get("sub") != claims["sub"]:
            # Another user: nothing of the old session is carried over, the application's own
            # data included.
            flask_session.clear()
            found.sign_in.forget(session)
        audience = ticket["audience"] if ticket.get("step_up") else None
        scope = " ".join(sorted(_requested_scope(found.settings, ticket)))
        is_fresh = not ticket or _is_fresh(claims, ticket)
        found.sign_in.sign_in(
            session, response, claims, audience=audience, scope=scope, is_fresh=is_fresh
        )
    renew_session_id()
    if ticket and not (is_fresh and _does_what_was_asked(claims, ticket, session)):
        found.sign_in.tell_of_refusal("step_up_unavailable")
        return _answer(StepUpUnavailableError(), session)
    if audience is not None and not _has_scope(session, ticket):
        # The guard would send the user here again, and Auth0 would leave it out again.
        logger.error("Auth0's login left out scopes that were asked for %s", audience)
        return _answer(InsufficientScopeError(), session)
    to_form = _way_to_form(session, ticket.get("context"))
    return see_other(to_form or own_page(begun.get("return_to")) or home_url())


def _way_to_form(session: Auth0Session, context_id: str | None) -> str | None:
    """Return where a form that a check has kept waits: in the check, or ready to be sent."""
    target = session.targets.get(context_id or "")
    if target is None or target.form is None:
        return None
    passed = steps.passed_target(session, context_id)
    return steps.target_url(context_id or "", passed) if passed else challenge_url(context_id)


def renew_session_id() -> None:
    """Give the session of a user who has just signed in another id, where it is known by one.

    Who planted the id before would be signed in as well (session fixation, ASVS 7.2.4). Sessions
    in cookies have no id; Flask-Session renews its own when it is asked to.
    """
    regenerate = getattr(current_app.session_interface, "regenerate", None)
    if regenerate is not None:
        regenerate(flask_session._get_current_object())  # type: ignore[attr-defined]  # a LocalProxy


def _exchanged() -> dict[str, Any]:
    found = services()
    # The client's own assertion, where it uses one in place of a secret.
    credentials = found.client.credentials()
    extra = {k: v for k, v in credentials.items() if k.startswith("client_assertion")}
    try:
        with deadline(TOTAL_TIMEOUT):
            token = found.oauth.authorize_access_token(claims_cls=IdToken, **extra)
            # Authlib before 1.9 hands on a list as well.
            return {**token}
    except (HTTPError, OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        # Authlib takes the types of the answer on trust: an answer that is no JSON object, a
        # token that is a number. Errors of requests are OSErrors.
        logger.warning("The code exchange with Auth0 failed: %s", type(error).__name__)
        raise Auth0UnavailableError() from None


def _is_fresh(claims: dict[str, Any], ticket: dict[str, Any]) -> bool:
    """Tell whether the user was authenticated as lately as the guard asks."""
    authenticated_at = claims.get("auth_time")
    if not isinstance(authenticated_at, (int, float)):
        # Auth0 says "mfa" right after its challenge only; where it also says when, that counts too.
        return bool(ticket["step_up"])
    return bool(authenticated_at + ticket["max_age"] + LEEWAY > services().clock())


def _does_what_was_asked(
    claims: dict[str, Any], ticket: dict[str, Any], session: Auth0Session
) -> bool:
    """Tell whether Universal Login brought the second factor that the guard sent the user for."""
    if not ticket["step_up"]:
        return True
    has_token = session.token_for(ticket["audience"], None, services().clock()) is not None
    return has_multifactor(claims) and has_token


def _has_scope(session: Auth0Session, ticket: dict[str, Any]) -> bool:
    now = services().clock()
    return session.token_for(ticket["audience"], ticket.get("scope"), now) is not None


def _refusal(error: Exception) -> LoginRefusal:
    """Return why a login that was begun here did not come through."""
    if isinstance(error, Auth0UnavailableError):
        return "auth0_unavailable"
    if isinstance(error, RateLimitedError):
        return "auth0-error"
    if isinstance(error, MismatchingStateError):
        # HEAD: Authlib reads the address of a GET only.
        return "state"
    if not isinstance(error, OAuthError):
        return "id-token"
    if request.args.get("error"):
        # What the address says is not repeated: anybody could have written it.
        return "access_denied" if error.error == "access_denied" else "auth0-error"
    # The token endpoint's own word. Auth0 has two for credentials that are wrong, and users
    # cannot be denied any more by now.
    if error.error in ("invalid_client", "unauthorized_client", "access_denied"):
        return "client"
    return "code" if error.error == "invalid_grant" else "auth0-error"


def _login_failed(error: Exception, reason: LoginRefusal) -> Response:
    """Answer a login that did not come through; Auth0's own words are never shown (SEC-36)."""
    if isinstance(error, Auth0MFAError):
        meaning: Auth0MFAError = error
    elif reason == "state":
        meaning = InvalidRequestError(
            marked(
                "This login was not started here, or was finished before. If this happens again, "
                "allow cookies for this site."
            )
        )
    elif reason == "access_denied":
        meaning = AccessDeniedError()
    else:
        if reason == "client":
            logger.error(
                "Auth0 POST /oauth/token refused this application: check AUTH0_CLIENT_ID, "
                "AUTH0_CLIENT_SECRET and the application's grant types (Authorization Code) in the "
                "dashboard"
            )
        logger.warning("A login failed: %s", type(error).__name__)
        meaning = InvalidRequestError(marked("The login could not be completed. Start it again."))
    with auth0_session() as session:
        return _answer(meaning, session)


def _answer(error: Auth0MFAError, session: Auth0Session) -> Response:
    if wants_json():
        return json_error(error)
    if isinstance(error, (StepUpUnavailableError, InsufficientScopeError)):
        # Signing in again would end here again.
        return error_page(
            error, session, actions=(Action(gettext("Go back"), home_url(), primary=True),)
        )
    again = Action(gettext("Sign in again"), url_for(f"{BLUEPRINT}.login"), primary=True)
    back = Action(gettext("Go back"), home_url())
    return error_page(error, session, actions=(again, back))


def logout() -> Response:
    """End the session here and at Auth0, and revoke the refresh token."""
    found = services()
    with auth0_session() as session:
        user = session.user or {}
        found.sign_out(session)
    flask_session.clear()
    return see_other(_logout_url(found.client, found.settings, user))


def _logout_url(client: Auth0Client, settings: Settings, user: dict[str, Any]) -> str:
    home = request.url_root
    endpoint = client.end_session_endpoint()
    if endpoint is None:
        query = {"client_id": settings.client_id, "returnTo": home}
        return f"{settings.base_url}/v2/logout?{urlencode(query)}"
    query = {"client_id": settings.client_id, "post_logout_redirect_uri": home}
    if isinstance(user.get("sid"), str):
        # In place of an ID token, which the session does not keep; without it Auth0 asks.
        query["logout_hint"] = user["sid"]
    return f"{endpoint}?{urlencode(query)}"


def backchannel_logout() -> Response:
    """End sessions that Auth0 says are over (OpenID Connect Back-Channel Logout 1.0).

    Works for the processes that share ``AUTH0_STATE_URI``.
    """
    try:
        services().sign_in.end_everywhere(request.form.get("logout_token", ""))
    except LogoutTokenError as error:
        logger.warning("A back-channel logout was refused: %s", error)
        raise InvalidRequestError("The logout token is not valid.") from None
    return jsonify({})


def profile() -> Response:
    """Return the claims of the signed-in user."""
    with auth0_session() as session:
        if session.user is None:
            raise LoginRequiredError()
        return jsonify(session.user)
