"""The ways to prove a second factor, as tables for the tests that go through all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from flask import Flask

from flask_auth0_mfa.emulator import Tenant
from flask_auth0_mfa.emulator.totp import code_at

from .conftest import ACCOUNTS, OPEN, Clock
from .observed import ANA, refreshes, wrong_code
from .visitor import Visitor

BEN = "ben@example.com"
TARGET = "/transfer?to=ben&amount=10"
#: Where Ben gets his messages.
PHONE = "+447700900123"


@dataclass(frozen=True)
class Way:
    """One way to prove a second factor, or to add a first one; ``grant`` ends its grant type.

    ``right`` and ``wrong`` return what is typed. A push is answered by them, and nothing is typed.
    """

    method: str
    label: str
    grant: str
    right: Callable[[Tenant], str]
    wrong: Callable[[Tenant], str]
    enrolls: bool = False

    @property
    def name(self) -> str:
        """What the way is called in the tables."""
        return f"enroll-{self.method}" if self.enrolls else self.method

    @property
    def email(self) -> str:
        """Who goes this way: Ben has no method yet."""
        return BEN if self.enrolls else ANA

    @property
    def is_push(self) -> bool:
        """Whether the answer is given on the phone."""
        return self.method == "push"

    @property
    def is_sent(self) -> bool:
        """Whether a message or a push is sent."""
        return self.grant == "mfa-oob"

    @property
    def has_recovery_page(self) -> bool:
        """Whether a new recovery code comes before the page that was asked for."""
        return self.enrolls or self.method == "recovery-code"

    @property
    def calls(self) -> list[str]:
        """The most that Auth0 may be asked for from the guarded page to the success."""
        begun = ["/mfa/associate"] if self.enrolls else ["/mfa/challenge"] * self.is_sent
        return ["refresh_token", "/mfa/authenticators", *begun, self.grant]


def _sent_code(tenant: Tenant, email: str = ANA) -> str:
    return tenant.last_message(email).code


def _other_code(tenant: Tenant, email: str = ANA) -> str:
    return f"{(int(_sent_code(tenant, email)) + 1) % 1_000_000:06}"


def _new_app_code(tenant: Tenant) -> str:
    """Return the code of the app that Ben has just scanned."""
    secret = [one.secret for one in tenant.user(BEN).authenticators if one.secret][-1]
    return code_at(secret, tenant.clock.now())


def _approved(tenant: Tenant) -> str:
    tenant.approve()
    return ""


def _declined(tenant: Tenant) -> str:
    tenant.reject()
    return ""


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
PUSH = Way("push", "Approve on your phone", "mfa-oob", _approved, _declined)
ENROLL_OTP = replace(
    OTP, right=_new_app_code, wrong=lambda tenant: wrong_code(tenant, BEN), enrolls=True
)
ENROLL_SMS = replace(
    SMS,
    right=lambda tenant: _sent_code(tenant, BEN),
    wrong=lambda tenant: _other_code(tenant, BEN),
    enrolls=True,
)
ENROLL_PUSH = replace(PUSH, enrolls=True)

#: The ways that end with typing a code.
WAYS = (OTP, SMS, VOICE, EMAIL, RECOVERY)
#: Everything that a check can be passed with.
MATRIX = (OTP, SMS, VOICE, EMAIL, PUSH, RECOVERY, ENROLL_OTP, ENROLL_SMS, ENROLL_PUSH)

every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.method)
whole_matrix = pytest.mark.parametrize("way", MATRIX, ids=lambda way: way.name)
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
