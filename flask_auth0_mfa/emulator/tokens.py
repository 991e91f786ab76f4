"""The tokens that end a flow, and the check of the access tokens that come back."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from .actions import MULTI_FACTOR
from .clients import OIDC_SCOPES
from .flow import Flow
from .keys import InvalidToken
from .refusals import Refused
from .sealing import Handle, Malformed
from .tenant import Tenant
from .users import User

#: Lifetime in seconds of an access token for no API, good for ``/userinfo`` only.
OPAQUE_TTL = 86_400
_OPAQUE = "access_token"
_BEARER = "Bearer"


@dataclass(frozen=True)
class Authentication:
    """What the ID token says about the login itself; moments are wall clock epoch seconds."""

    sid: str
    nonce: str | None = None
    auth_time: int | None = None
    hosted_mfa: bool = False


def token_response(
    tenant: Tenant, flow: Flow, authentication: Authentication, refresh_token: str | None
) -> dict[str, Any]:
    """Return the body of a successful ``POST /oauth/token``."""
    body: dict[str, Any] = {"access_token": access_token(tenant, flow)}
    if refresh_token:
        body["refresh_token"] = refresh_token
    if "openid" in _granted_originally(flow):
        body["id_token"] = id_token(tenant, flow, authentication)
    return body | {
        "scope": " ".join(flow.scope),
        "expires_in": flow.api.access_token_ttl if flow.api else OPAQUE_TTL,
        "token_type": _BEARER,
    }


def access_token(tenant: Tenant, flow: Flow) -> str:
    """Return a JWT for the flow's API, or an opaque token when there is none."""
    if flow.api is None:
        expires_at = tenant.clock.now() + OPAQUE_TTL
        handle = Handle(" ".join([flow.user.sub, *flow.scope]), expires_at)
        return tenant.sealer.seal(_OPAQUE, handle)
    now = int(tenant.clock.wall())
    userinfo = f"{tenant.url}/userinfo"
    with_userinfo = "openid" in flow.scope and flow.api.identifier != tenant.mfa_audience
    claims: dict[str, Any] = {
        **flow.access_token_claims,
        "iss": tenant.issuer,
        "sub": flow.user.sub,
        "aud": [flow.api.identifier, userinfo] if with_userinfo else flow.api.identifier,
        "iat": now,
        "exp": now + flow.api.access_token_ttl,
        "scope": " ".join(flow.scope),
    }
    if flow.api.token_dialect == "rfc9068_profile":  # noqa: S105 - name of RFC 9068  # nosec B105
        profile = {"client_id": flow.client.client_id, "jti": secrets.token_urlsafe(16)}
        return tenant.keys.sign(claims | profile, typ="at+jwt")
    if flow.family is not None:
        claims["gty"] = "refresh_token"
    return tenant.keys.sign(claims | {"azp": flow.client.client_id})


def id_token(tenant: Tenant, flow: Flow, authentication: Authentication) -> str:
    """Return the ID token; ``amr`` and ``acr`` only right after a hosted MFA step."""
    now = int(tenant.clock.wall())
    claims: dict[str, Any] = {
        **flow.id_token_claims,
        **profile(flow.user, _granted_originally(flow)),
        "iss": tenant.issuer,
        "aud": flow.client.client_id,
        "iat": now,
        "exp": now + tenant.configuration.id_token_ttl,
        "sid": authentication.sid,
    }
    if authentication.nonce is not None:
        claims["nonce"] = authentication.nonce
    if authentication.auth_time is not None:
        claims["auth_time"] = authentication.auth_time
    if authentication.hosted_mfa:
        claims |= {"amr": ["mfa"], "acr": MULTI_FACTOR}
    return tenant.keys.sign(claims)


def profile(user: User, scope: tuple[str, ...]) -> dict[str, Any]:
    """Return the claims about the user that the scope opens."""
    claims: dict[str, Any] = {"sub": user.sub}
    if "profile" in scope:
        claims |= {
            "nickname": user.nickname,
            "name": user.name,
            "picture": f"https://avatars.example.com/{user.nickname}.png",
            "updated_at": "2026-01-01T00:00:00.000Z",
        }
    if "email" in scope:
        claims |= {"email": user.email, "email_verified": user.email_verified}
    return claims


@dataclass(frozen=True)
class Bearer:
    """Who an access token speaks for, and what it may do."""

    user: User
    scope: tuple[str, ...]
    client_id: str = ""
    expires_at: float = 0.0


def bearer_of(tenant: Tenant, token: str, audience: str) -> Bearer:
    """Return whom an access token for ``audience`` speaks for; raises 401 ``invalid_token``."""
    sub, scope, client_id, expires_at = _opaque(tenant, token) or _signed(tenant, token, audience)
    user = tenant.user_of(sub)
    if user is None or user.deleted:
        raise invalid_token()
    return Bearer(user, tuple(scope.split()), client_id, expires_at)


def invalid_token() -> Refused:
    """Return the answer to a bad access token (RFC 6750 section 3.1)."""
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return Refused(401, "invalid_token", "Invalid token", headers=headers)


def _opaque(tenant: Tenant, token: str) -> tuple[str, str, str, float] | None:
    try:
        handle = tenant.sealer.open(_OPAQUE, token)
    except Malformed:
        return None
    if handle.expires_at <= tenant.clock.now():
        raise invalid_token()
    sub, _, scope = handle.key.partition(" ")
    return sub, scope, "", handle.expires_at


def _signed(tenant: Tenant, token: str, audience: str) -> tuple[str, str, str, float]:
    try:
        claims = tenant.keys.verify(token)
    except InvalidToken:
        raise invalid_token() from None
    audiences = [claims["aud"]] if isinstance(claims["aud"], str) else claims["aud"]
    # The tenant judges by its own clock, so that advancing it ends access tokens as well.
    if audience not in audiences or claims["exp"] <= tenant.clock.now():
        raise invalid_token()
    return claims["sub"], claims.get("scope", ""), claims.get("azp", ""), claims["exp"]


def _granted_originally(flow: Flow) -> tuple[str, ...]:
    if flow.family is None:
        return flow.scope
    return tuple(scope for scope in flow.family.scope if scope in OIDC_SCOPES)
