"""Step-ups as Prometheus counters: ``pip install prometheus-client``, then ``watch(app)``.

Success and failure rates, and what else ``alerts.yml`` asks for, at ``/metrics``. Let nobody but
your Prometheus reach that address: the numbers tell an attacker how they are doing.

With several processes (gunicorn) each has numbers of its own, and a scrape meets one of them. Set
``PROMETHEUS_MULTIPROC_DIR`` to an empty directory before the start, and use ``gunicorn.conf.py``
from beside this file; ``/metrics`` then adds all processes up.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from flask import Flask, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from flask_auth0_mfa.signals import EVENTS

# What a label may say. Anything else is "other", and no user is ever in a label: each new value is
# a new series, and Prometheus keeps them all.
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


def counter(name: str, text: str, *labels: str) -> Counter:
    """Return a counter of step-ups."""
    return Counter(f"auth0_mfa_{name}", text, labels)


COUNTERS = {
    "mfa_required": counter("required", "Checks that were opened"),
    "challenge_sent": counter("challenges_sent", "Messages and pushes", "method"),
    "verified": counter("verified", "Checks that were passed", "method"),
    "verify_failed": counter("failed", "Codes and pushes that were refused", "method", "reason"),
    "check_expired": counter("expired", "Checks that were over before they were done", "reason"),
    "check_abandoned": counter("abandoned", "Checks that were left"),
    "check_refused": counter("refused", "Requests about checks that were refused", "reason"),
    "enrolled": counter("enrolled", "Methods that were added", "method"),
    "token_refreshed": counter("refreshed", "Access tokens that Auth0 gave"),
    "rate_limited": counter("limited", "Tries and messages that a limit refused", "limit"),
    "unlocked": counter("unlocked", "Users whom support let try again"),
    "logged_in": counter("logged_in", "Logins"),
    "login_refused": counter("login_refused", "Logins that the callback refused", "reason"),
    "logout_received": counter("logout_received", "Back-channel logouts that were taken", "ends"),
    "logout_refused": counter("logout_refused", "Back-channel logouts that were refused", "reason"),
}
SECONDS = Histogram(
    "auth0_mfa_duration_seconds",
    "From the opening of a check to its proof",
    ["method"],
    buckets=(5, 10, 20, 30, 45, 60, 90, 120, 180, 300),
)


def watch(app: Flask) -> None:
    """Count the events of the application, and show the numbers at ``/metrics``."""
    for event, counts in COUNTERS.items():
        # Not weak: nobody else holds the receiver.
        EVENTS[event].connect(count_in(counts), sender=app, weak=False)
    for reason in ("timeout", "tenant", "lost"):
        # From nothing to one is no increase for Prometheus: it must have seen the zero.
        COUNTERS["check_expired"].labels(reason)
    EVENTS["verified"].connect(observe, sender=app, weak=False)
    app.add_url_rule("/metrics", "metrics", show)


def count_in(counts: Counter) -> Callable[..., None]:
    """Return what is called for an event: it adds one."""

    def count(_app: Flask, **arguments: Any) -> None:
        labels = {name: label(name, arguments[name]) for name in counts._labelnames}
        (counts.labels(**labels) if labels else counts).inc()

    return count


def observe(_app: Flask, *, method: str, seconds: int, **_: Any) -> None:
    """Note how long a check took."""
    SECONDS.labels(label("method", method)).observe(seconds)


def label(name: str, value: str) -> str:
    """Return the value of a label, one of those that are known."""
    return value if value in KNOWN[name] else "other"


def show() -> Response:
    """Return the numbers in the text format of Prometheus, of all processes where it is set up."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library's gap
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
