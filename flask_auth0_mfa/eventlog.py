"""The event log: one JSON object for each signal, without anything that must not be kept.

Only the fields of :data:`FIELDS` are ever written, and users and addresses only as keyed hashes:
who reads the log can tell that two events are of one user, but not of whom. ``flask auth0-mfa
hash`` tells those who hold ``SECRET_KEY``.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from functools import partial
from typing import Any

from flask import g, has_request_context, request
from flask.logging import has_level_handler, wsgi_errors_stream

from .limits import network_of
from .sealing import EVENT, Sealer
from .signals import EVENTS

logger = logging.getLogger("flask_auth0_mfa.events")

#: The arguments of signals that are written as they are.
FIELDS = (
    "audience",
    "scope",
    "method",
    "reason",
    "limit",
    "seconds",
    "multifactor",
    "ends",
    "context_id",
    "device_id",
)
#: Events that are worth a look by themselves; the others are of level INFO.
_WARNINGS = frozenset(
    {"check_refused", "rate_limited", "login_refused", "logout_refused", "unlocked"}
)
#: Reasons that are everyday all the same: somebody comes late, goes back, or changes their mind.
_EVERYDAY = frozenset({"expired", "state", "access_denied"})
#: Longest text of a field, in characters.
MAX_TEXT = 256
#: Hexadecimal digits of a hash: 64 bits tell apart more users than anybody has.
HASH_LENGTH = 16
_STDERR = logging.StreamHandler(wsgi_errors_stream)  # type: ignore[call-overload]  # a LocalProxy
_STDERR.setFormatter(logging.Formatter("%(message)s"))
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:=+/@-]{1,128}", re.ASCII)


class EventLog:
    """Writes the events of one application (``sender``) for as long as it is held."""

    def __init__(self, sealer: Sealer, clock: Callable[[], float], sender: object) -> None:
        self._sealer = sealer
        self._clock = clock
        # Blinker holds receivers weakly, so that an application can be thrown away.
        self._receivers = [partial(self._write, name) for name in EVENTS]
        for receiver, signal in zip(self._receivers, EVENTS.values(), strict=True):
            signal.connect(receiver, sender)

    def _write(self, event: str, _sender: object, **arguments: Any) -> None:
        _be_heard()
        fields = {
            "event": event,
            "time": _moment(self._clock()),
            **self._whom(arguments.get("user_id"), arguments.get("by")),
            **{name: _plain(arguments[name]) for name in FIELDS if _is_told(arguments, name)},
        }
        if request_id := _request_id():
            fields["request_id"] = request_id
        # As one attribute: an application may give its records a request_id of its own.
        logger.log(_level(fields), "%s", json.dumps(fields), extra={"auth0_mfa": fields})

    def _whom(self, user_id: object, by: object) -> dict[str, str]:
        found = {}
        if user_id is not None:
            found["user_hash"] = user_hashes(self._sealer, str(user_id))[0]
        if by is not None:
            found["by_hash"] = user_hashes(self._sealer, str(by))[0]
        if has_request_context() and request.remote_addr:
            found["address_hash"] = address_hashes(self._sealer, request.remote_addr)[0]
        return found


def user_hashes(sealer: Sealer, user_id: str) -> list[str]:
    """Return what stands for a user (``sub``) in the log: under each key, the current one first."""
    return [name[:HASH_LENGTH] for name in sealer.names("user", user_id, purpose=EVENT)]


def address_hashes(sealer: Sealer, address: str) -> list[str]:
    """Return what stands for an address; all of an IPv6 network (``/64``) have the same."""
    whom = network_of(address)
    return [name[:HASH_LENGTH] for name in sealer.names("address", whom, purpose=EVENT)]


def _be_heard() -> None:
    """See to it that events come out where the application has not set up logging.

    When the first one is written: applications set up logging before or after this extension.
    """
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    if not has_level_handler(logger):
        logger.addHandler(_STDERR)


def _level(fields: Mapping[str, Any]) -> int:
    is_everyday = fields.get("reason") in _EVERYDAY
    return logging.WARNING if fields["event"] in _WARNINGS and not is_everyday else logging.INFO


def _moment(now: float) -> str:
    moment = datetime.fromtimestamp(now, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_told(arguments: dict[str, Any], name: str) -> bool:
    return arguments.get(name) is not None


def _plain(value: Any) -> str | int:
    return value if isinstance(value, (bool, int)) else str(value)[:MAX_TEXT]


def _request_id() -> str | None:
    """Return the id that the application, or the proxy before it, has given this request."""
    if not has_request_context():
        return None
    found = g.get("request_id") or request.headers.get("X-Request-ID")
    return found if isinstance(found, str) and _REQUEST_ID.fullmatch(found) else None
