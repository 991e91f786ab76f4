"""The session that is measured: what a user of Auth0 has, of realistic length."""

from __future__ import annotations

import base64
import json
import secrets
import time
from typing import Any

#: The APIs of the session, beside the login.
AUDIENCES = tuple(
    f"https://{name}.example.com" for name in ("accounts", "payments", "cards", "loans")
) + tuple(f"https://api{number}.example.com" for number in range(4))
PAYMENTS = AUDIENCES[1]
#: Bytes of an RS256 signature.
SIGNATURE = 256
LIFETIME = 86_400


def access_token(audience: str) -> str:
    """Return what has the form and length of Auth0's access tokens (RFC 9068); nobody checks it."""
    now = int(time.time())
    claims = {
        "iss": "https://acme.eu.auth0.com/",
        "sub": "auth0|65f1c0a37d9b4e2f8a6c1d53",
        "aud": [audience, "https://acme.eu.auth0.com/userinfo"],
        "iat": now,
        "exp": now + LIFETIME,
        "azp": "kG7sQx2vN4pLz8Rw1TyB6mCf3HjD9aUe",
        "scope": "openid profile email read:all write:all offline_access",
        "permissions": ["read:all", "write:all"],
    }
    header = {"alg": "RS256", "typ": "JWT", "kid": secrets.token_urlsafe(16)}
    signed = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{_encoded(secrets.token_bytes(SIGNATURE))}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def refresh_token() -> str:
    """Return what has the form and length of Auth0's refresh tokens."""
    return f"v1.M{secrets.token_urlsafe(48)}"


def user() -> dict[str, Any]:
    """Return the claims of an ID token."""
    return {
        "sub": "auth0|65f1c0a37d9b4e2f8a6c1d53",
        "sid": "0wT8cVd2Yb5RkXeJq7MzLu4hNaPs1GfC",
        "name": "Ana María Fernández",
        "nickname": "ana.fernandez",
        "picture": "https://s.gravatar.com/avatar/9b1d5a7c3e2f4068a1b2c3d4e5f60718?s=480&r=pg",
        "email": "ana.fernandez@example.com",
        "email_verified": True,
        "updated_at": "2026-01-15T09:24:31.512Z",
    }


def session(audiences: int = 3) -> dict[str, Any]:
    """Return a signed-in user's session as plain types, with a token for each audience.

    With three it has 5 000 bytes as JSON.
    """
    now = int(time.time())
    tokens = [
        {
            "access_token": access_token(audience),
            "audience": audience,
            "scope": "read:all write:all",
            "expires_at": now + LIFETIME,
        }
        for audience in AUDIENCES[:audiences]
    ]
    login_token = {**tokens[0], "access_token": access_token("https://acme.eu.auth0.com/api/v2/")}
    return {
        "user": user(),
        "token_set": {"refresh_token": refresh_token(), **login_token, "audience": None},
        "access_tokens": tokens,
        "verified": {one["audience"]: {"at": now, "method": "otp"} for one in tokens},
        "sid": secrets.token_urlsafe(16),
        "login_id": secrets.token_urlsafe(16),
        "created_at": float(now),
        "mfa_context": {},
        "targets": {},
    }
