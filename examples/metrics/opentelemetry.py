"""Step-ups as OpenTelemetry metrics: ``pip install opentelemetry-sdk``, then ``watch(app)``.

Without a provider the numbers go to the one that your process has set
(``opentelemetry.metrics.set_meter_provider``), with the exporter of your collector. Set it in each
gunicorn worker (``post_fork``): the thread that exports does not survive a fork. Each process
reports for itself, and the collector adds them up; give each its ``service.instance.id``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from opentelemetry import metrics
from opentelemetry.metrics import Counter, MeterProvider

from flask_auth0_mfa.signals import EVENTS

# Which events are counted, and the arguments that become attributes.
COUNTED = {
    "mfa_required": (),
    "challenge_sent": ("method",),
    "verified": ("method",),
    "verify_failed": ("method", "reason"),
    "check_expired": ("reason",),
    "check_abandoned": (),
    "check_refused": ("reason",),
    "enrolled": ("method",),
    "token_refreshed": (),
    "rate_limited": ("limit",),
    "unlocked": (),
    "logged_in": (),
    "login_refused": ("reason",),
    "logout_received": ("ends",),
    "logout_refused": ("reason",),
}
# What an attribute may say. Anything else is "other", and no user is ever in one: each new value
# is a new series for whoever stores them.
KNOWN = {
    "method": {"otp", "push", "sms", "voice", "email", "recovery-code"},
    "reason": {
        *("verification_failed", "access_denied", "code_expired", "rate_limited"),
        *("mfa_token_expired", "auth0_unavailable", "step_up_unavailable"),
        *("tampered", "foreign", "unknown", "used", "expired", "form-token", "cross-site"),
        *("timeout", "tenant", "lost"),
        *("state", "auth0-error", "code", "client", "id-token"),
        *("signature", "iss", "aud", "iat", "exp", "events", "nonce", "sub"),
    },
    "ends": {"session", "user"},
    "limit": {
        *("user", "context", "row", "address", "recovery", "send", "send-context", "poll"),
        "enroll",
    },
}
SECONDS = (5, 10, 20, 30, 45, 60, 90, 120, 180, 300)


def watch(app: Flask, provider: MeterProvider | None = None) -> None:
    """Count the events of the application, and note how long checks took."""
    meter = metrics.get_meter("flask_auth0_mfa", meter_provider=provider)
    for event, names in COUNTED.items():
        receiver = count_in(meter.create_counter(f"auth0_mfa.{event}"), names)
        # Not weak: nobody else holds the receiver.
        EVENTS[event].connect(receiver, sender=app, weak=False)
    duration = meter.create_histogram(
        "auth0_mfa.duration", unit="s", explicit_bucket_boundaries_advisory=SECONDS
    )

    def observe(_app: Flask, *, method: str, seconds: int, **_: Any) -> None:
        duration.record(seconds, {"method": attribute("method", method)})

    EVENTS["verified"].connect(observe, sender=app, weak=False)


def count_in(counter: Counter, names: tuple[str, ...]) -> Callable[..., None]:
    """Return what is called for an event: it adds one."""

    def count(_app: Flask, **arguments: Any) -> None:
        counter.add(1, {name: attribute(name, arguments[name]) for name in names})

    return count


def attribute(name: str, value: str) -> str:
    """Return the value of an attribute, one of those that are known."""
    return value if value in KNOWN[name] else "other"
