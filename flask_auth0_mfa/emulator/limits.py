"""Auth0's rate buckets: a burst, refilled at a steady pace."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

from .clock import Clock
from .refusals import Refused


@dataclass(frozen=True)
class Limit:
    """``burst`` requests at once, then ``refill`` more in every ``per`` seconds."""

    name: str
    burst: int
    refill: int
    per: int


MFA_OOB = Limit("mfa-oob", 12, 12, 60)
OTP_FAILURES = Limit("otp-failures", 10, 10, 3600)
RECOVERY_CODE_FAILURES = Limit("recovery-code-failures", 10, 10, 3600)
PUSH_SENDS = Limit("push-sends", 5, 5, 60)
SMS_SENDS = Limit("sms-sends", 10, 1, 3600)
EMAIL_SENDS = Limit("email-sends", 20, 1, 60)
USERINFO = Limit("userinfo", 10, 5, 60)
#: Only tenants of the free tier have these.
FREE_TOKEN = Limit("free-token", 30, 30, 1)
FREE_JWKS = Limit("free-jwks", 20, 20, 1)
FREE_API = Limit("free-api", 300, 300, 60)

_BUCKETS_KEPT = 10_000


@dataclass
class _Bucket:
    left: float
    at: float


class Limits:
    """The buckets of a tenant, one for each limit and subject (a user, an MFA session)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()

    def check(self, limit: Limit, subject: str) -> None:
        """Raise 429 ``too_many_attempts`` when the bucket is empty; takes nothing from it."""
        if self._refilled(limit, subject).left < 1:
            raise self._refusal(limit, subject)

    def take(self, limit: Limit, subject: str) -> None:
        """Take one from the bucket, or raise 429 ``too_many_attempts``."""
        self.check(limit, subject)
        self._refilled(limit, subject).left -= 1

    def headers(self, limit: Limit, subject: str) -> dict[str, str]:
        """Return Auth0's ``x-ratelimit-*`` headers; the reset is in epoch seconds."""
        bucket = self._refilled(limit, subject)
        full_in = (limit.burst - bucket.left) * limit.per / limit.refill
        return {
            "x-ratelimit-limit": str(limit.burst),
            "x-ratelimit-remaining": str(int(bucket.left)),
            "x-ratelimit-reset": str(math.ceil(self._clock.wall() + full_in)),
        }

    def clear(self) -> None:
        """Fill every bucket."""
        self._buckets.clear()

    def _refusal(self, limit: Limit, subject: str) -> Refused:
        missing = 1 - self._refilled(limit, subject).left
        retry_after = max(1, math.ceil(missing * limit.per / limit.refill))
        headers = self.headers(limit, subject) | {
            "Retry-After": str(retry_after),
            "x-ratelimit-reset": str(math.ceil(self._clock.wall()) + retry_after),
        }
        return Refused(429, "too_many_attempts", "Too many attempts", headers=headers)

    def _refilled(self, limit: Limit, subject: str) -> _Bucket:
        now = self._clock.now()
        key = (limit.name, subject)
        bucket = self._buckets.setdefault(key, _Bucket(limit.burst, now))
        self._buckets.move_to_end(key)
        bucket.left = min(limit.burst, bucket.left + (now - bucket.at) * limit.refill / limit.per)
        bucket.at = now
        while len(self._buckets) > _BUCKETS_KEPT:
            self._buckets.popitem(last=False)
        return bucket
