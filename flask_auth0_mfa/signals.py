"""Signals: events that an application can listen to, for logs, metrics and notifications.

Each is sent with the Flask application as sender. No argument carries a token or a code.

===================== ========================================================================
signal                arguments
===================== ========================================================================
``mfa_required``      ``audience``, ``scope``, ``user_id``, ``context_id``
``challenge_sent``    ``method``, ``user_id``, ``context_id``
``verified``          ``method``, ``audience``, ``seconds``, ``user_id``, ``context_id``
``verify_failed``     ``reason`` (an ``error`` code), ``method``, ``user_id``, ``context_id``
``check_expired``     ``reason`` (``timeout``, ``tenant``, ``lost``), ``audience``, ``user_id``,
                      ``context_id``
``check_abandoned``   ``audience``, ``user_id``, ``context_id``
``check_refused``     ``reason`` (``tampered``, ``foreign``, ``expired``, …), ``user_id``,
                      ``context_id``
``enrolled``          ``method``, ``user_id``, ``context_id``
``token_refreshed``   ``audience``, ``scope``, ``user_id``
``rate_limited``      ``limit`` (``user``, ``context``, ``row``, …), ``user_id``
``unlocked``          ``user_id``, ``by``
``logged_in``         ``user_id``, ``multifactor``
``login_refused``     ``reason`` (:data:`LoginRefusal`)
``logged_out``        ``user_id``
``logout_received``   ``ends`` (``session``, ``user``), ``user_id`` where Auth0 says whose
``logout_refused``    ``reason`` (:data:`LogoutRefusal`)
``device_remembered`` ``audience``, ``device_id``, ``user_id``
``device_forgotten``  ``audience``, ``device_id``, ``reason`` (``user``, ``authenticators``),
                      ``user_id``
===================== ========================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from blinker import Namespace, Signal

#: Why the callback refused a login. Ours and not Auth0's words: anybody can open its address.
LoginRefusal = Literal[
    "state",
    "access_denied",
    "auth0-error",
    "code",
    "client",
    "id-token",
    "auth0_unavailable",
    "step_up_unavailable",
]
#: Why a logout token was refused: its signature, or the first claim that is missing or wrong.
LogoutRefusal = Literal[
    "signature", "iss", "aud", "iat", "exp", "events", "nonce", "sub", "auth0_unavailable"
]

_signals = Namespace()

mfa_required = _signals.signal("auth0-mfa-required")
challenge_sent = _signals.signal("auth0-mfa-challenge-sent")
verified = _signals.signal("auth0-mfa-verified")
verify_failed = _signals.signal("auth0-mfa-verify-failed")
check_expired = _signals.signal("auth0-mfa-check-expired")
check_abandoned = _signals.signal("auth0-mfa-check-abandoned")
check_refused = _signals.signal("auth0-mfa-check-refused")
enrolled = _signals.signal("auth0-mfa-enrolled")
token_refreshed = _signals.signal("auth0-token-refreshed")
rate_limited = _signals.signal("auth0-mfa-rate-limited")
unlocked = _signals.signal("auth0-mfa-unlocked")
logged_in = _signals.signal("auth0-logged-in")
login_refused = _signals.signal("auth0-login-refused")
logged_out = _signals.signal("auth0-logged-out")
logout_received = _signals.signal("auth0-logout-received")
logout_refused = _signals.signal("auth0-logout-refused")
device_remembered = _signals.signal("auth0-mfa-device-remembered")
device_forgotten = _signals.signal("auth0-mfa-device-forgotten")

#: Every signal by its name here, for those who listen to all of them.
EVENTS: Mapping[str, Signal] = {
    "mfa_required": mfa_required,
    "challenge_sent": challenge_sent,
    "verified": verified,
    "verify_failed": verify_failed,
    "check_expired": check_expired,
    "check_abandoned": check_abandoned,
    "check_refused": check_refused,
    "enrolled": enrolled,
    "token_refreshed": token_refreshed,
    "rate_limited": rate_limited,
    "unlocked": unlocked,
    "logged_in": logged_in,
    "login_refused": login_refused,
    "logged_out": logged_out,
    "logout_received": logout_received,
    "logout_refused": logout_refused,
    "device_remembered": device_remembered,
    "device_forgotten": device_forgotten,
}
