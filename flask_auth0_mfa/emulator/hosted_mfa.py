"""The MFA step of a login, on pages of the tenant: choice, proof, and enrollment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import segno
from flask import Blueprint, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from . import proof
from .challenge import send
from .current import tenant
from .logins import Login, abandon, choices, enroll, go_on, login_of_request, required
from .refusals import Refused

mfa_pages = Blueprint("hosted_mfa", __name__)
_LATE = "That took too long. Choose a way again."
#: What the pages say where Auth0's API has words for programs.
_TEXTS = {
    "invalid_grant": "That code is not right. Try again.",
    "authorization_pending": "The request has not been approved yet.",
    "slow_down": "The request has not been approved yet. Wait a few seconds.",
    "access_denied": "The request was rejected. Choose a way again.",
    "expired_token": _LATE,
    "too_many_attempts": "Too many attempts. Wait a while, or choose another way.",
}


@mfa_pages.get("/u/mfa")
def show_mfa() -> str:
    """Show the choice of factors, the form for a code, or an enrollment."""
    login = login_of_request()
    if login.transaction is None:
        abandon()
    return _mfa_page(login)


@mfa_pages.post("/u/mfa")
def submit_mfa() -> Response:
    """Take a choice of factor, or check what the user proves."""
    login = login_of_request()
    if login.transaction is None:
        abandon()
    try:
        if "authenticator_id" in request.form:
            _choose(login, request.form["authenticator_id"])
            return redirect(url_for("hosted_mfa.show_mfa", state=login.state))
        if "phone_number" in request.form:
            _enroll_phone(login, request.form["phone_number"])
            return redirect(url_for("hosted_mfa.show_mfa", state=login.state))
        _prove(login, request.form.get("code", "").replace(" ", ""))
    except Refused as refusal:
        return Response(_mfa_page(login, refusal), refusal.status_code, mimetype="text/html")
    return _after_proof(login)


def _choose(login: Login, authenticator_id: str) -> None:
    login.oob_code = None
    login.authenticator = next((a for a in choices(login) if a.id == authenticator_id), None)
    if login.authenticator is not None and login.authenticator.authenticator_type == "oob":
        sent = send(tenant(), required(login.transaction), login.authenticator)
        login.oob_code = sent["oob_code"]


def _enroll_phone(login: Login, phone_number: str) -> None:
    if _prompt(login) == "number":
        channel = {"authenticator_types": ["oob"], "oob_channels": ["sms"]}
        enroll(login, channel | {"phone_number": phone_number.replace(" ", "")})


def _prove(login: Login, code: str) -> None:
    transaction = required(login.transaction)
    if login.oob_code:
        proof.check_oob(tenant(), transaction, login.oob_code, code)
    elif login.authenticator is not None and login.authenticator.kind == "recovery-code":
        proof.check_recovery_code(tenant(), transaction, code)
    else:
        proof.check_otp(tenant(), transaction, code)


def _after_proof(login: Login) -> Response:
    if required(login.flow).new_recovery_code:
        login.transaction = None
        return Response(render_template("emulator/recovery_code.html", login=login))
    return go_on(login)


@mfa_pages.post("/u/recovery-code")
def keep_recovery_code() -> Response:
    """Go on when the user has seen the new recovery code."""
    login = login_of_request()
    if login.flow is None or not login.flow.new_recovery_code:
        abandon()
    login.flow.new_recovery_code = None
    return go_on(login)


def _mfa_page(login: Login, refusal: Refused | None = None) -> str:
    return render_template(
        "emulator/mfa.html",
        login=login,
        choices=choices(login),
        prompt=_prompt(login),
        enrollment=login.enrollment,
        qr_code=_qr_code(login.enrollment),
        error=_TEXTS.get(refusal.error, refusal.description) if refusal else None,
    )


def _prompt(login: Login) -> str | None:
    """Return what the page asks for: a code, an approval, a phone number, or only a choice."""
    if login.enrollment:
        return "approval" if login.enrollment.get("oob_channel") == "auth0" else "code"
    if login.authenticator:
        return "approval" if login.authenticator.kind == "auth0" else "code"
    return None if choices(login) else "number"


def _qr_code(enrollment: Mapping[str, Any] | None) -> Markup | None:
    if not enrollment or "barcode_uri" not in enrollment:
        return None
    svg = segno.make(enrollment["barcode_uri"]).svg_inline(scale=4, border=4)
    # segno's own markup: what comes from a user is in there as modules of the code only.
    return Markup(svg)  # noqa: S704  # nosec B704
