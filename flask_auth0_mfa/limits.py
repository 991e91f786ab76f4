"""Limits on guesses and floods, counted before Auth0 is asked (SEC-01 to SEC-12).

The counting is Flask-Limiter's, with a moving window: a fixed one lets twice as many through at
its edge. Counters live in its storage and never in a cookie, which an attacker could send again.
A hit is counted before the call to Auth0, atomically, so that parallel guesses do not slip by.

The limiter lives on a bare Flask application of its own. On the host's it would hook itself into
every request and apply the host's ``RATELIMIT_*`` defaults a second time.
"""

from __future__ import annotations

import ipaddress
import math
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask_limiter import Limiter
from limits import RateLimitItem, parse_many
from limits.errors import StorageError
from limits.storage import MemoryStorage

from . import signals
from .config import Settings
from .errors import Auth0UnavailableError, RateLimitedError
from .sealing import Sealer
from .state import REDIS_TIMEOUTS, tell_of_outage


@dataclass(frozen=True)
class Bucket:
    """One counter: a name for the events, its limits, and the key of whom it counts."""

    name: str
    items: tuple[RateLimitItem, ...]
    key: str

    @property
    def path(self) -> tuple[str, str, str]:
        """What the counter is stored under; apart from the application's own limits."""
        return ("auth0_mfa", self.name, self.key)


class SpareKeys:
    """Gives back the memory of counters that count nothing any more.

    The library's memory storage keeps a key for everybody it ever counted.
    """

    def __init__(self, at_least: int = 1000) -> None:
        self._at_least = at_least
        self._next = at_least

    def tidy(self, storage: object) -> None:
        """Drop empty counters, whenever their number has doubled since the last time."""
        if not isinstance(storage, MemoryStorage) or len(storage.events) < self._next:
            return
        now = time.time()
        for key in list(storage.events):
            with storage.locks[key]:
                if all(entry.expiry <= now for entry in storage.events.get(key, ())):
                    storage.events.pop(key, None)
                    storage.locks.pop(key, None)
        self._next = max(self._at_least, 2 * len(storage.events))


@dataclass(frozen=True)
class Limits:
    """The limits of one application."""

    settings: Settings
    limiter: Limiter
    sealer: Sealer
    sender: Any
    spare: SpareKeys = field(default_factory=SpareKeys)

    # -- what is limited ---------------------------------------------------------------------

    def verify_buckets(self, user_id: str, context_hash: str, *, recovery: bool) -> list[Bucket]:
        """Return the counters of a code: by user, by context, and those in a row.

        Recovery codes of a user are counted apart from other codes, but for those in a row.
        """
        own = self.recovery_bucket(user_id) if recovery else self.codes_bucket(user_id)
        context_limit = self.settings.mfa_verify_context_limit
        return [
            own,
            self._bucket("context", context_limit, context_hash),
            self.row_bucket(user_id),
        ]

    def codes_bucket(self, user_id: str) -> Bucket:
        """Return the counter of a user's codes from apps and messages."""
        return self._bucket("user", self.settings.mfa_verify_limit, user_id)

    def recovery_bucket(self, user_id: str) -> Bucket:
        """Return the counter of a user's recovery codes."""
        return self._bucket("recovery", self.settings.mfa_recovery_limit, user_id)

    def row_bucket(self, user_id: str) -> Bucket:
        """Return the counter of a user's codes since the last success, of whatever kind (SEC-12).

        Only support clears it else: it is there for guesses too slow for every other limit.
        """
        return self._bucket("row", self.settings.mfa_verify_row_limit, user_id)

    def address_bucket(self, address: str | None) -> Bucket:
        """Return the counter of wrong codes that came from a network address."""
        return self._bucket("address", self.settings.mfa_verify_address_limit, network_of(address))

    def send_buckets(self, user_id: str, context_hash: str) -> list[Bucket]:
        """Return the counters of messages and pushes."""
        return [
            self._bucket("send-context", self.settings.mfa_send_context_limit, context_hash),
            self._bucket("send", self.settings.mfa_send_limit, user_id),
        ]

    def poll_buckets(self, context_hash: str) -> list[Bucket]:
        """Return the counter of checks whether a push was answered."""
        return [self._bucket("poll", self.settings.mfa_poll_limit, context_hash)]

    def enroll_buckets(self, user_id: str) -> list[Bucket]:
        """Return the counter of started enrollments."""
        return [self._bucket("enroll", self.settings.mfa_enroll_limit, user_id)]

    def user_buckets(self, user_id: str) -> list[Bucket]:
        """Return every counter of a user, for support to clear."""
        return [
            self.codes_bucket(user_id),
            self.recovery_bucket(user_id),
            self.row_bucket(user_id),
            self._bucket("send", self.settings.mfa_send_limit, user_id),
            *self.enroll_buckets(user_id),
        ]

    def _bucket(self, name: str, limits: str, *whom: str) -> Bucket:
        # Never an empty key, with which a limit would count everybody or nobody.
        key = self.sealer.name("limit", name, *whom)
        return Bucket(name, tuple(parse_many(limits)), key)

    # -- counting ----------------------------------------------------------------------------

    def count(self, buckets: list[Bucket], user_id: str) -> None:
        """Count one event in every bucket.

        Raises :class:`RateLimitedError` when one of them is full; the others are then not
        touched, unless they filled up at this very moment.
        """
        self.check(buckets, user_id)
        self.spare.tidy(self.limiter.storage)
        with _storage():
            full = [
                (bucket, item)
                for bucket in buckets
                for item in bucket.items
                if not self.limiter.limiter.hit(item, *bucket.path)
            ]
        self._refuse(full, user_id)

    def check(self, buckets: list[Bucket], user_id: str) -> None:
        """Raise :class:`RateLimitedError` when a bucket is full, without counting."""
        with _storage():
            full = [
                (bucket, item)
                for bucket in buckets
                for item in bucket.items
                if not self.limiter.limiter.test(item, *bucket.path)
            ]
        self._refuse(full, user_id)

    def refusal(self, buckets: list[Bucket]) -> RateLimitedError | None:
        """Return the error of the buckets that are full now, or ``None``."""
        with _storage():
            full = [(b, i) for b in buckets for i in b.items if self._stats(b, i)[1] <= 0]
        return self._refused(full) if full else None

    def remaining(self, buckets: list[Bucket]) -> int:
        """Return how many events fit before the first bucket is full."""
        with _storage():
            return min(
                max(0, self._stats(bucket, item)[1]) for bucket in buckets for item in bucket.items
            )

    def wait(self, buckets: list[Bucket]) -> int:
        """Return the seconds until one more event fits into every bucket; 0 if it does now."""
        with _storage():
            full = [(b, i) for b in buckets for i in b.items if self._stats(b, i)[1] <= 0]
        return self._longest_wait(full)

    def clear(self, buckets: list[Bucket]) -> None:
        """Forget what these buckets counted."""
        with _storage():
            for bucket in buckets:
                for item in bucket.items:
                    with _undisturbed(self.limiter.storage, item.key_for(*bucket.path)):
                        self.limiter.limiter.clear(item, *bucket.path)

    def unlock(self, user_id: str, *, by: str | None) -> None:
        """Forget what a user has tried, and tell listeners who did so (SEC-12).

        :param by: the ``sub`` of whoever unlocks, or another name for them.
        """
        self.clear(self.user_buckets(user_id))
        signals.unlocked.send(self.sender, user_id=user_id, by=by)

    def hit(self, bucket: Bucket) -> None:
        """Count one event without refusing it."""
        with _storage():
            for item in bucket.items:
                self.limiter.limiter.hit(item, *bucket.path)

    def _stats(self, bucket: Bucket, item: RateLimitItem) -> tuple[float, int]:
        stats = self.limiter.limiter.get_window_stats(item, *bucket.path)
        return stats.reset_time, stats.remaining

    def _refuse(self, full: list[tuple[Bucket, RateLimitItem]], user_id: str) -> None:
        if not full:
            return
        error = self._refused(full)
        for name in sorted(error.limits):
            signals.rate_limited.send(self.sender, limit=name, user_id=user_id)
        raise error

    def _refused(self, full: list[tuple[Bucket, RateLimitItem]]) -> RateLimitedError:
        names = [bucket.name for bucket, _ in full]
        text = "Too many wrong codes in a row. Contact support." if "row" in names else None
        return RateLimitedError(text, retry_after=max(1, self._longest_wait(full)), limits=names)

    def _longest_wait(self, full: list[tuple[Bucket, RateLimitItem]]) -> int:
        with _storage():
            resets = [self._stats(bucket, item)[0] for bucket, item in full]
        return max((math.ceil(reset - time.time()) for reset in resets), default=0)


def build_limits(settings: Settings, sealer: Sealer, sender: Any) -> Limits:
    """Return the limits of one application, counted in ``AUTH0_STATE_URI`` or in memory."""
    # What redis calls unix:// the library of the limits calls redis+unix://.
    uri = re.sub(r"^unix://", "redis+unix://", settings.state_uri or "memory://")
    options: dict[str, Any] = {"wrap_exceptions": True}
    if not uri.startswith("memory://"):
        # Connections of the limits may lie idle for hours, until something between here and Redis
        # has forgotten them.
        options |= REDIS_TIMEOUTS
    limiter = Limiter(
        _no_key,
        storage_uri=uri,
        storage_options=options,
        strategy="moving-window",
    )
    limiter.init_app(Flask("flask_auth0_mfa.limits"))
    return Limits(settings, limiter, sealer, sender)


def _no_key() -> str:
    raise RuntimeError("every limit of the extension names its own key")


def network_of(address: str | None) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 of an IPv6 one (SEC-08)."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return str(parsed)


def _undisturbed(storage: object, key: str) -> AbstractContextManager[object]:
    """Hold the counter's lock in memory: the library's clean-up fails over what vanishes."""
    return storage.locks[key] if isinstance(storage, MemoryStorage) else nullcontext()


@contextmanager
def _storage() -> Iterator[None]:
    """Fail closed: without its storage nothing is counted, so nothing is let through (SEC-06)."""
    try:
        yield
    except StorageError as error:
        tell_of_outage(error.storage_error)
        raise Auth0UnavailableError() from None
