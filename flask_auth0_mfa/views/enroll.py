"""Enrollment pages: choose a method to add, scan or type what it needs, confirm with a code."""

from __future__ import annotations

from typing import Any

import segno
from flask import request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from ..codes import OTP_LENGTH
from ..errors import (
    Auth0UnavailableError,
    InvalidRequestError,
    MfaEnrollmentError,
    RateLimitedError,
)
from ..forms import CodeForm, ContextForm, EmailForm, EnrollForm, PhoneForm
from ..i18n import gettext
from ..models import Auth0Session, MfaContext
from ..pages import BLUEPRINT, render_page
from ..responses import challenge_url, see_other
from ..services import services
from ..sessions import auth0_session
from . import steps
from .recovery import grouped

#: Methods that need an address, and the form that asks for it.
ADDRESS_FORMS: dict[str, type[EnrollForm]] = {
    "sms": PhoneForm,
    "voice": PhoneForm,
    "email": EmailForm,
}
#: White modules around a QR code (ISO/IEC 18004 asks for four).
QUIET_ZONE = 4


def show() -> Response:
    """Show what can be added, or what was begun."""
    found = services()
    with auth0_session() as session:
        steps.require_user(session)
        identifier = request.args.get("context")
        if steps.passed_target(session, identifier) is not None:
            return see_other(challenge_url(identifier))
        context = found.contexts.for_page(session, identifier)
        context = found.challenges.listed(session, context)
        if not found.enrollment.methods(context):
            return see_other(challenge_url(context.id))
        if not found.enrollment.is_fresh(session):
            # A session that somebody took over must not enroll their phone (SEC-65).
            ticket = found.enrollment.fresh_login_ticket(session, context)
            return see_other(url_for(f"{BLUEPRINT}.login", ticket=ticket))
        if "choose" in request.args or context.enrollment is None:
            return _choice(session, context, request.args.get("method"))
        return confirm_page(session, context)


def start() -> Response:
    """Take a method to add: asks for its address first, where it has one."""
    found = services()
    with auth0_session() as session:
        steps.require_user(session)
        method = request.form.get("method", "")
        form = ADDRESS_FORMS.get(method, EnrollForm).submitted(steps.binding(session))
        if passed := steps.finished(session, form):
            return passed
        context = steps.submitted_context(session, form)
        context = found.challenges.listed(session, context)
        found.enrollment.require_fresh(session, context)
        if method in ADDRESS_FORMS and not _address_fields(form):
            # Even where another method was begun: the user wants this one now.
            return see_other(_url(context, choose=1, method=method))
        if form.errors:
            return _address_page(session, context, method, form, InvalidRequestError.status)
        try:
            context = found.start_enrollment(session, context, method, **_address(form))
        except MfaEnrollmentError as error:
            return _refused(session, context, method, form, error)
        except (RateLimitedError, Auth0UnavailableError) as error:
            return steps.failed_page(session, context, error)
    return see_other(_url(context))


def _url(context: MfaContext, **values: Any) -> str:
    return url_for(f"{BLUEPRINT}.enroll", context=context.id, **values)


def _address_fields(form: EnrollForm) -> list[str]:
    """Return the address fields that the browser sent, filled in or not."""
    return [name for name in ("phone_number", "email") if name in form and name in request.form]


def _address(form: EnrollForm) -> dict[str, str]:
    return {name: str(form[name].data) for name in _address_fields(form)}


def _refused(
    session: Auth0Session,
    context: MfaContext,
    method: str,
    form: EnrollForm,
    error: MfaEnrollmentError,
) -> Response:
    fields = _address_fields(form)
    if not fields:
        raise error
    form[fields[0]].errors = [gettext("This cannot be used. Check it, or use another one.")]
    return _address_page(session, context, method, form, error.status)


# -- pages -------------------------------------------------------------------------------------


def _choice(session: Auth0Session, context: MfaContext, method: str | None) -> Response:
    found = services()
    bound = steps.binding(session)
    methods = found.enrollment.methods(context)
    if method in ADDRESS_FORMS and method in methods:
        form = ADDRESS_FORMS[method].shown(bound, context.id, method=method)
        return _address_page(session, context, method, form)
    action = url_for(f"{BLUEPRINT}.start_enrollment")
    return render_page(
        "enroll_choose.html",
        session,
        methods=[
            steps.Method(one, form=EnrollForm.shown(bound, context.id, method=one), action=action)
            for one in methods
        ],
        has_method=found.enrollment.has_active(context),
        reason=context.reason,
        form_errors=[],
    )


def _address_page(
    session: Auth0Session,
    context: MfaContext,
    method: str,
    form: EnrollForm,
    status: int = 200,
) -> Response:
    return render_page(
        "enroll.html",
        session,
        status=status,
        factor=method,
        step="address",
        form=form,
        enroll_url=url_for(f"{BLUEPRINT}.start_enrollment"),
        qr_svg=None,
        choose_url=_url(context, choose=1),
        **steps.expiry(context),
    )


def confirm_page(
    session: Auth0Session,
    context: MfaContext,
    *,
    form: CodeForm | None = None,
    status: int = 200,
    attempts_left: int | None = None,
) -> Response:
    """Return the page of an enrollment that was begun: what to scan, and the code's field."""
    enrollment = context.enrollment
    if enrollment is None:
        raise ValueError("no enrollment was begun")
    shown: ContextForm
    if context.waits_for_phone:
        shown, endpoint = ContextForm.shown(steps.binding(session), context.id), "poll"
    else:
        form = form or CodeForm.shown(steps.binding(session), context.id, method=enrollment.method)
        shown, endpoint = form, "verify"
    notice = gettext("Your phone has not confirmed it yet.") if "still" in request.args else None
    return render_page(
        "enroll.html",
        session,
        status=status,
        factor=enrollment.method,
        step="confirm",
        form=shown,
        enroll_url=url_for(f"{BLUEPRINT}.{endpoint}"),
        qr_svg=_qr_code(enrollment.barcode_uri),
        otpauth_uri=enrollment.barcode_uri,
        secret_groups=grouped(enrollment.secret or ""),
        attempts_left=attempts_left,
        code_length=OTP_LENGTH if enrollment.method == "otp" else None,
        notice=notice,
        target=steps.masked_address(context.address) if context.address else None,
        again_url=_again_url(context, enrollment.method),
        choose_url=_url(context, choose=1),
        **steps.expiry(context),
    )


def _again_url(context: MfaContext, method: str) -> str | None:
    """Return where the number or address can be checked, and a new code asked for."""
    return _url(context, choose=1, method=method) if method in ADDRESS_FORMS else None


def _qr_code(uri: str | None) -> Markup | None:
    if uri is None:
        return None
    drawn = segno.make(uri, micro=False).svg_inline(
        border=QUIET_ZONE, light="white", omitsize=True, svgclass="mfa-qr-code", lineclass=None
    )
    # Drawn by segno from modules: no text of Auth0's is in it.
    return Markup(drawn)  # noqa: S704  # nosec B704
