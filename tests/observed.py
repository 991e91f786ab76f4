"""What the local tenant saw and sent: the tests ask it, rather than the application."""

from __future__ import annotations

import time
from typing import Any

from flask_auth0_mfa.emulator import Tenant
from flask_auth0_mfa.emulator.totp import code_at
from flask_auth0_mfa.tokens import LOGOUT_EVENT

ANA = "ana@example.com"
MFA_GRANT = "http://auth0.com/oauth/grant-type/mfa-"


def grants(tenant: Tenant, kind: str = MFA_GRANT) -> list[int]:
    """Return the statuses of the grants whose type begins with ``kind``; MFA grants by default."""
    return [call.status for call in tenant.calls if (call.grant_type or "").startswith(kind)]


def refreshes(tenant: Tenant) -> list[int]:
    """Return the statuses of the refresh grants."""
    return grants(tenant, "refresh_token")


def paths(tenant: Tenant) -> list[str]:
    """Return the paths that were called, in order."""
    return [call.path for call in tenant.calls]


def wrong_code(tenant: Tenant, email: str = ANA) -> str:
    """Return six digits that the user's authenticator app does not show, now or soon."""
    secret = next(a.secret for a in tenant.user(email).authenticators if a.secret)
    shown = {code_at(secret, tenant.clock.now() + 30 * step) for step in range(-3, 4)}
    return next(code for number in range(10) if (code := f"{number:06d}") not in shown)


def logout_token(tenant: Tenant, **changes: Any) -> str:
    """Return a logout token that the tenant signs now; a claim that is ``None`` is left out."""
    now = int(time.time())
    claims = {
        "iss": tenant.issuer,
        "aud": "demo-client",
        "iat": now,
        "exp": now + 120,
        "jti": "1",
        "events": {LOGOUT_EVENT: {}},
        **changes,
    }
    told = {name: value for name, value in claims.items() if value is not None}
    return tenant.keys.sign(told, typ="logout+jwt")
