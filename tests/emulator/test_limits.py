"""Rate buckets: bursts, refills, and whom they count."""

from __future__ import annotations

import pytest

from flask_auth0_mfa.emulator import Configuration, Tenant, serve
from flask_auth0_mfa.emulator.clock import Clock
from flask_auth0_mfa.emulator.limits import (
    EMAIL_SENDS,
    MFA_OOB,
    OTP_FAILURES,
    PUSH_SENDS,
    RECOVERY_CODE_FAILURES,
    SMS_SENDS,
    USERINFO,
    Limit,
    Limits,
)
from flask_auth0_mfa.emulator.refusals import Refused

from .application import Application

ANA, CLEO = "ana@example.com", "cleo@example.com"


@pytest.mark.parametrize(
    ("limit", "burst", "seconds_for_one"),
    [
        (MFA_OOB, 12, 5),
        (OTP_FAILURES, 10, 360),
        (RECOVERY_CODE_FAILURES, 10, 360),
        (PUSH_SENDS, 5, 12),
        (SMS_SENDS, 10, 3600),
        (EMAIL_SENDS, 20, 60),
        (USERINFO, 10, 12),
    ],
)
def test_bucket(limit: Limit, burst: int, seconds_for_one: int) -> None:
    """Each bucket holds Auth0's burst and refills at Auth0's pace."""
    clock = Clock(lambda: 1_000_000.0)
    limits = Limits(clock)
    for _ in range(burst):
        limits.take(limit, "someone")
    with pytest.raises(Refused) as refusal:
        limits.take(limit, "someone")
    assert refusal.value.headers["Retry-After"] == str(seconds_for_one)
    limits.take(limit, "someone else")
    clock.advance(seconds_for_one)
    limits.take(limit, "someone")
    with pytest.raises(Refused):
        limits.take(limit, "someone")


def test_right_codes_cost_nothing(application: Application, tenant: Tenant) -> None:
    """Only failures count against the OTP limit."""
    for _ in range(12):
        mfa_token, otp = application.step_up(ANA), tenant.current_otp(ANA)
        assert application.token("mfa-otp", mfa_token=mfa_token, otp=otp).status_code == 200


def test_failures_count_per_user(application: Application, tenant: Tenant) -> None:
    """One user's failures, in whatever session, do not shut another one out."""
    for _ in range(2):
        mfa_token = application.step_up(ANA)
        for _ in range(5):
            application.token("mfa-otp", mfa_token=mfa_token, otp="no")
    mfa_token = application.step_up(ANA)
    otp = tenant.current_otp(ANA)
    assert application.token("mfa-otp", mfa_token=mfa_token, otp=otp).status_code == 429
    mfa_token = application.step_up(CLEO)
    otp = tenant.current_otp(CLEO)
    assert application.token("mfa-otp", mfa_token=mfa_token, otp=otp).status_code == 200


def test_waiting_opens_the_door_again(application: Application, tenant: Tenant) -> None:
    """After six minutes one more try is free."""
    mfa_token = application.step_up(ANA)
    for _ in range(10):
        application.token("mfa-otp", mfa_token=mfa_token, otp="no")
    tenant.advance(360)
    otp = tenant.current_otp(ANA)
    assert application.token("mfa-otp", mfa_token=mfa_token, otp=otp).status_code == 200


def test_free_tier() -> None:
    """A free tenant also limits its token endpoint as a whole."""
    with (
        serve(Tenant(Configuration(free_tier=True))) as server,
        Application(server.url) as application,
    ):
        statuses = [application.refresh("made-up").status_code for _ in range(120)]
        assert 429 in statuses


def test_buckets_are_forgotten() -> None:
    """Subjects do not pile up."""
    limits = Limits(Clock(lambda: 1_000_000.0))
    for number in range(10_500):
        limits.take(USERINFO, str(number))
    assert len(limits._buckets) == 10_000
