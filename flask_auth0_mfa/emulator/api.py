"""The endpoints for programs: discovery, keys, tokens, the MFA API, userinfo and revocation."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify, request
from werkzeug.wrappers import Response

from . import challenge, enrollment, limits
from .current import server, tenant
from .oauth import BODY_AUTH_METHODS
from .oauth_request import AuthorizationRequest, body_of_request
from .records import MfaTransaction
from .refusals import Refused, missing
from .tokens import Bearer, bearer_of, profile
from .transactions import is_access_token, transaction_for_enrollment, transaction_of
from .users import User

api = Blueprint("api", __name__)


@api.get("/.well-known/openid-configuration")
@api.get("/.well-known/oauth-authorization-server")
def discovery() -> Response:
    """Return the metadata of the tenant (OpenID Connect Discovery 1.0)."""
    url = tenant().url
    metadata: dict[str, Any] = {
        "issuer": tenant().issuer,
        "authorization_endpoint": f"{url}/authorize",
        "token_endpoint": f"{url}/oauth/token",
        "userinfo_endpoint": f"{url}/userinfo",
        "jwks_uri": f"{url}/.well-known/jwks.json",
        "mfa_challenge_endpoint": f"{url}/mfa/challenge",
        "revocation_endpoint": f"{url}/oauth/revoke",
        # As Auth0 lists them; this tenant serves the code flow with query answers only.
        "response_types_supported": [
            "code",
            "token",
            "id_token",
            "code token",
            "code id_token",
            "token id_token",
            "code token id_token",
        ],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "code_challenge_methods_supported": ["S256", "plain"],
        "scopes_supported": ["openid", "profile", "offline_access", "email"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["HS256", "RS256", "PS256"],
        "token_endpoint_auth_methods_supported": [
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
        ],
        "claims_supported": ["aud", "auth_time", "exp", "iat", "iss", "sub", "name", "email"],
    }
    if tenant().configuration.advertise_end_session:
        metadata["end_session_endpoint"] = f"{url}/oidc/logout"
    return jsonify(metadata)


@api.get("/.well-known/jwks.json")
def jwks() -> Response:
    """Return the public keys."""
    return jsonify(tenant().keys.jwks())


@api.post("/oauth/token")
def token() -> Response:
    """Exchange a grant for tokens (RFC 6749 section 3.2)."""
    if not body_of_request().get("grant_type"):
        raise missing("grant_type")
    answer: Response = server().create_token_response()
    return answer


@api.post("/oauth/revoke")
def revoke() -> Response:
    """Revoke a refresh token; an unknown one is as good as revoked (RFC 7009)."""
    body = body_of_request()
    client = server().authenticate_client(
        server().create_oauth2_request(None), [*BODY_AUTH_METHODS, "client_secret_basic"]
    )
    if not body.get("token"):
        raise missing("token")
    tenant().families.revoke(str(body["token"]), client)
    return Response(status=200)


@api.route("/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    """Return the claims about the user (OpenID Connect Core section 5.3)."""
    bearer = bearer_of(tenant(), _bearer_token(), f"{tenant().url}/userinfo")
    tenant().limits.take(limits.USERINFO, bearer.user.sub)
    answer = jsonify(profile(bearer.user, bearer.scope))
    answer.headers.update(tenant().limits.headers(limits.USERINFO, bearer.user.sub))
    return answer


@api.get("/mfa/authenticators")
def list_authenticators() -> Response:
    """List what the user has enrolled."""
    return jsonify(enrollment.listed(tenant(), _user_with("read:authenticators")))


@api.delete("/mfa/authenticators/<path:authenticator_id>")
def remove_authenticator(authenticator_id: str) -> Response:
    """Remove an authenticator; an ``mfa_token`` is not enough for that."""
    by_access_token = is_access_token(_bearer_token())
    if not by_access_token and not tenant().configuration.remove_with_mfa_token:
        _user_with("remove:authenticators")
        raise _insufficient_scope()
    enrollment.remove(_user_with("remove:authenticators"), authenticator_id)
    return Response(status=204)


@api.post("/mfa/challenge")
def start_challenge() -> Response:
    """Start a challenge; the client's credentials are in the body only."""
    oauth_request = AuthorizationRequest("POST", body_of_request(), {})
    client = server().authenticate_client(oauth_request, BODY_AUTH_METHODS)
    body = oauth_request.form
    mfa_token = body.get("mfa_token")
    if not mfa_token:
        raise missing("mfa_token")
    if is_access_token(mfa_token):
        raise Refused(403, "invalid_grant", "Malformed mfa_token")
    transaction = transaction_of(tenant(), mfa_token, client)
    answer = challenge.challenge(
        tenant(), transaction, body.get("challenge_type"), body.get("authenticator_id")
    )
    return jsonify(answer)


@api.post("/mfa/associate")
def begin_enrollment() -> Response:
    """Begin an enrollment; with an ``mfa_token`` only the first, or one an Action asks for."""
    bearer_token = _bearer_token()
    if is_access_token(bearer_token):
        bearer = _mfa_bearer(bearer_token, "enroll")
        transaction = transaction_for_enrollment(tenant(), bearer_token, bearer)
    else:
        transaction = _transaction(bearer_token)
        if transaction.flow.user.active() and not transaction.step.enroll:
            raise Refused(403, "access_denied", "User is already enrolled.")
    return jsonify(enrollment.associate(tenant(), transaction, body_of_request()))


def _bearer_token() -> str:
    scheme, _, bearer_token = request.headers.get("Authorization", "").partition(" ")
    return bearer_token.strip() if scheme.lower() == "bearer" else ""


def _user_with(scope: str) -> User:
    bearer_token = _bearer_token()
    if is_access_token(bearer_token):
        return _mfa_bearer(bearer_token, scope).user
    return _transaction(bearer_token).flow.user


def _mfa_bearer(access_token: str, scope: str) -> Bearer:
    try:
        bearer = bearer_of(tenant(), access_token, tenant().mfa_audience)
    except Refused:
        raise _bad_mfa_token() from None
    if scope not in bearer.scope:
        raise _insufficient_scope()
    return bearer


def _transaction(mfa_token: str) -> MfaTransaction:
    try:
        return transaction_of(tenant(), mfa_token)
    except Refused as refusal:
        if refusal.error == "expired_token":
            raise
        raise _bad_mfa_token() from None


def _bad_mfa_token() -> Refused:
    text = "The mfa_token provided is invalid. Try getting a new token."
    return Refused(401, "invalid_grant", text)


def _insufficient_scope() -> Refused:
    return Refused(403, "insufficient_scope", "Insufficient scope")
