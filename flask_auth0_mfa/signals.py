"""Signals: events that an application can listen to, for logs, metrics and notifications.

Each is sent with the Flask application as sender. No argument carries a token or a code.

================== ==========================================================================
signal             arguments
================== ==========================================================================
``mfa_required``   ``audience``, ``scope``, ``user_id``, ``context_id``
``challenge_sent`` ``method``, ``user_id``, ``context_id``
``verified``       ``method``, ``audience``, ``user_id``, ``context_id``
``verify_failed``  ``reason`` (an ``error`` code), ``method``, ``user_id``, ``context_id``
``enrolled``       ``method``, ``user_id``, ``context_id``
``token_refreshed`` ``audience``, ``scope``, ``user_id``
``rate_limited``   ``limit`` (``user``, ``context``, ``row``, …), ``user_id``
``logged_in``      ``user_id``, ``multifactor``
``logged_out``     ``user_id``
``device_remembered`` ``audience``, ``device_id``, ``user_id``
``device_forgotten`` ``audience``, ``device_id``, ``reason`` (``user``, ``authenticators``),
                   ``user_id``
================== ==========================================================================
"""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

mfa_required = _signals.signal("auth0-mfa-required")
challenge_sent = _signals.signal("auth0-mfa-challenge-sent")
verified = _signals.signal("auth0-mfa-verified")
verify_failed = _signals.signal("auth0-mfa-verify-failed")
enrolled = _signals.signal("auth0-mfa-enrolled")
token_refreshed = _signals.signal("auth0-token-refreshed")
rate_limited = _signals.signal("auth0-mfa-rate-limited")
logged_in = _signals.signal("auth0-logged-in")
logged_out = _signals.signal("auth0-logged-out")
device_remembered = _signals.signal("auth0-mfa-device-remembered")
device_forgotten = _signals.signal("auth0-mfa-device-forgotten")
