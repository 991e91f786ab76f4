"""The ways to prove a second factor, as tables for the tests that go through all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from flask import Flask

from flask_auth0_mfa.emulator import Tenant

from .conftest import ACCOUNTS, OPEN, Clock
from .observed import ANA, refreshes, wrong_code
from .visitor import Visitor

TARGET = "/transfer?to=ben&amount=10"


@dataclass(frozen=True)
class Way:
    """One way that ends with typing a code; ``grant`` is the end of its grant type."""

    method: str
    label: str
    grant: str
    right: Callable[[Tenant], str]
    wrong: Callable[[Tenant], str]

    @property
    def is_sent(self) -> bool:
        """Whether the code comes by message."""
        return self.grant == "mfa-oob"


def _sent_code(tenant: Tenant) -> str:
    return tenant.last_message(ANA).code


def _other_code(tenant: Tenant) -> str:
    return f"{(int(_sent_code(tenant)) + 1) % 1_000_000:06}"


OTP = Way("otp", "Authenticator app", "mfa-otp", lambda tenant: tenant.current_otp(ANA), wrong_code)
SMS = Way("sms", "Text message", "mfa-oob", _sent_code, _other_code)
VOICE = Way("voice", "Phone call", "mfa-oob", _sent_code, _other_code)
EMAIL = Way("email", "E-mail", "mfa-oob", _sent_code, _other_code)
RECOVERY = Way(
    "recovery-code",
    "Recovery code",
    "mfa-recovery-code",
    lambda tenant: tenant.recovery_code(ANA),
    lambda _tenant: "A" * 24,
)
WAYS = (OTP, SMS, VOICE, EMAIL, RECOVERY)

every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.method)
sent_ways = pytest.mark.parametrize(
    "way", [way for way in WAYS if way.is_sent], ids=lambda way: way.method
)


def authenticator_id(tenant: Tenant, method: str, email: str = ANA) -> str:
    """Return the id of the user's authenticator of that method."""
    kind = {"push": "auth0"}.get(method, method)
    return next(one.id for one in tenant.user(email).authenticators if one.kind == kind)


def asked(tenant: Tenant) -> list[str]:
    """Return what Auth0 was asked for: paths, for the token endpoint the end of the grant type.

    Without its public keys, which are fetched when they are old.
    """
    return [
        call.grant_type.rpartition("/")[2] if call.grant_type else call.path
        for call in tenant.calls
        if call.path != "/.well-known/jwks.json"
    ]


def refresh_twice(visitor: Visitor, tenant: Tenant) -> list[int]:
    """Use the stored refresh token, and then the one that replaced it: the two statuses."""
    for audience in (ACCOUNTS, OPEN):
        visitor.json("GET", f"/token?audience={audience}")
    return refreshes(tenant)[-2:]


def pass_time(app: Flask, tenant: Tenant, clock: Clock, seconds: float) -> None:
    """Put every clock forward: the application's, the tenant's, and that of the limits."""
    clock.advance(seconds)
    tenant.advance(seconds)
    age_limits(app, seconds)


def age_limits(app: Flask, seconds: float) -> None:
    """Make what the limits have counted older: their storage reads the clock on the wall."""
    storage = app.extensions["auth0_mfa"].limits.limiter.storage
    for entries in storage.events.values():
        for entry in entries:
            entry.atime -= seconds
            entry.expiry -= seconds
