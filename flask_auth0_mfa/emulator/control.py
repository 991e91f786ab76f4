"""The control API for tests (``/_emulator``) and the phone page for people (``/``)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from .clients import is_loopback
from .current import tenant
from .faults import Fault
from .oauth_request import json_object
from .records import Push
from .refusals import Refused
from .users import User

control = Blueprint("control", __name__)

_DECISIONS = {"approve": "approved", "reject": "rejected"}
#: How far the clock goes forward at once, in seconds.
LONGEST_ADVANCE = 100 * 365 * 86_400
_FAULT_FIELDS = {"path", "status", "body", "delay", "drop", "times"}


@control.before_request
def refuse_other_sites() -> None:
    """Refuse what another web site's page sends through the user's browser.

    That site may have made a name of its own lead to this machine (DNS rebinding): to the browser
    the page then comes from here, and the name is what gives it away.
    """
    if is_loopback(tenant().url) and not is_loopback(f"http://{request.host}"):
        raise Refused(403, "access_denied", "This tenant is reached as localhost only.")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise Refused(403, "access_denied", "Requests from other web sites are refused.")


@control.get("/")
def phone() -> str:
    """Show the users' codes, messages and pushes, as if they were on one phone."""
    now = tenant().clock.now()
    return render_template(
        "emulator/phone.html",
        users=[_user(user) for user in tenant().users if not user.deleted],
        messages=list(reversed(tenant().messages))[:20],
        pushes=[push for push in reversed(tenant().pushes) if tenant().is_open(push)],
        seconds_left=30 - int(now) % 30,
        now=now,
    )


@control.post("/phone/pushes/<push_id>")
def decide_on_phone(push_id: str) -> Response:
    """Approve or reject a push from the phone page."""
    _decide(push_id, request.form.get("decision"))
    return redirect(url_for("control.phone"))


@control.get("/_emulator/state")
def state() -> Response:
    """Return what a test may want to know."""
    return jsonify(
        {
            "now": tenant().clock.now(),
            "users": [_user(user) for user in tenant().users if not user.deleted],
            "messages": [asdict(message) for message in tenant().messages],
            "pushes": [asdict(push) for push in tenant().pushes],
            "calls": [asdict(call) for call in tenant().calls],
        }
    )


@control.post("/_emulator/reset")
def reset() -> Response:
    """Return to the state at the start; the signing keys stay."""
    tenant().reset()
    return jsonify({"reset": True})


@control.post("/_emulator/clock")
def clock() -> Response:
    """Advance the clock by a number of seconds."""
    seconds: Any = _body().get("advance")
    # JSON as Python reads it knows NaN and Infinity, and no clock comes back from those.
    if not _is_number(seconds) or not 0 <= seconds <= LONGEST_ADVANCE:
        raise _bad_input('"advance" must be a number of seconds, not negative, up to 100 years.')
    tenant().advance(seconds)
    return jsonify({"now": tenant().clock.now()})


@control.post("/_emulator/faults")
def faults() -> tuple[Response, int]:
    """Order a fault and return the ones that are still to happen."""
    tenant().faults.add(_fault(_body()))
    return jsonify({"faults": tenant().faults.to_json()}), 201


@control.post("/_emulator/pushes/<push_id>")
def decide(push_id: str) -> Response:
    """Approve or reject a push."""
    return jsonify(asdict(_decide(push_id, _body().get("decision"))))


def _decide(push_id: str, decision: object) -> Push:
    if not isinstance(decision, str) or decision not in _DECISIONS:
        raise _bad_input('"decision" must be "approve" or "reject".')
    act = tenant().approve if decision == "approve" else tenant().reject
    try:
        return act(push_id)
    except LookupError as error:
        raise Refused(404, "not_found", str(error)) from error


def _user(user: User) -> dict[str, Any]:
    totp = next((a for a in user.authenticators if a.secret), None)
    return {
        "email": user.email,
        "sub": user.sub,
        "name": user.name,
        "otp": user.current_otp(tenant().clock.now()),
        "totp_secret": totp.secret if totp else None,
        "recovery_code": user.recovery_code,
        "authenticators": [authenticator.to_json() for authenticator in user.authenticators],
    }


def _body() -> dict[str, Any]:
    body = json_object()
    if body is None:
        raise _bad_input("The body must be a JSON object.")
    return body


def _fault(body: dict[str, Any]) -> Fault:
    if unknown := set(body) - _FAULT_FIELDS:
        raise _bad_input(f"Unknown: {', '.join(sorted(unknown))}.")
    fault = Fault(
        path=body.get("path"),  # type: ignore[arg-type]  # checked below, with the other fields
        status=body.get("status"),
        body=body.get("body"),
        delay=body.get("delay", 0),
        drop=body.get("drop", False),
        times=body.get("times", 1),
    )
    if not isinstance(fault.path, str) or not fault.path.startswith("/"):
        raise _bad_input('"path" must be a path such as "/oauth/token".')
    if not _is_whole(fault.times) or fault.times < 1:
        raise _bad_input('"times" must be a whole number, at least 1.')
    if fault.status is not None and not (_is_whole(fault.status) and 200 <= fault.status <= 599):
        raise _bad_input('"status" must be an HTTP status from 200 to 599.')
    if not _is_number(fault.delay) or not 0 <= fault.delay <= 60:
        raise _bad_input('"delay" must be a number of seconds from 0 to 60.')
    if not isinstance(fault.drop, bool):
        raise _bad_input('"drop" must be true or false.')
    if not (fault.answers or fault.drop or fault.delay):
        raise _bad_input('A fault needs a "status", a "body", a "delay" or "drop".')
    return fault


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _bad_input(sentence: str) -> Refused:
    return Refused(400, "invalid_request", sentence)
