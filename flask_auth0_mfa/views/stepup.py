"""The challenge pages: choose a method, enter a code, land where the user was going.

Every form is answered with a redirect (303) or, when something is wrong with it, with the page
itself. GET requests change nothing at Auth0: only a button starts a challenge.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import jsonify, request, url_for
from werkzeug.wrappers import Response

from ..codes import OTP_LENGTH, CodeKind
from ..errors import (
    Auth0MFAError,
    Auth0UnavailableError,
    InvalidRequestError,
    LoginRequiredError,
    MfaCodeExpiredError,
    MfaNoAvailableFactorsError,
    MfaVerifyError,
    RateLimitedError,
)
from ..factors import is_out_of_band
from ..forms import ChooseForm, CodeForm, ContextForm, FormBinding, ResendForm, bind
from ..i18n import gettext
from ..models import Auth0Session, Authenticator, MfaContext, StepUpTarget
from ..pages import BLUEPRINT, Action, home_url, own_page, render_page
from ..responses import challenge_url, error_page, restart_action, see_other, wants_json
from ..services import services
from ..sessions import auth0_session


@dataclass(frozen=True)
class Method:
    """One of the user's methods as a page shows it."""

    kind: str
    label: str | None
    target: str | None
    form: ContextForm | None = None
    action: str | None = None


# -- routes ----------------------------------------------------------------------------------


def challenge() -> Response:
    """Show the form for the code, or the choice of a method."""
    identifier = request.args.get("context")
    with auth0_session() as session:
        _require_user(session)
        target = session.targets.get(identifier or "")
        if target is not None and target.verified:
            return _already_verified(session, target)
        context = services().step_up.context_for_page(session, identifier)
        context = _with_authenticators(session, context)
        return _page(session, context, is_choosing="choose" in request.args)


def start() -> Response:
    """Take a method: sends the code or push that it needs."""
    found = services()
    with auth0_session() as session:
        _require_user(session)
        form = ChooseForm.submitted(_binding(session))
        context = _submitted_context(session, form)
        context = _with_authenticators(session, context)
        resend = request.form.get("resend") == "1"
        chosen = found.step_up.pick(context, request.form.get("authenticator_id") or None)
        try:
            context = found.start(session, context, chosen, resend=resend)
        except (RateLimitedError, Auth0UnavailableError) as error:
            return _failed_page(session, context, error)
    return see_other(challenge_url(context.id))


def verify() -> Response:
    """Check the code that was entered."""
    found = services()
    with auth0_session() as session:
        _require_user(session)
        form = CodeForm.submitted(_binding(session))
        form.kind = _code_kind(found.step_up.shown(_peek(session, form)))
        context = _submitted_context(session, form)
        if form.errors:
            return _page(session, context, form=form, status=InvalidRequestError.status)
        target = session.targets.get(context.id)
        try:
            found.verify(
                session, context, found.step_up.proof_for_code(context, form.code.data or "")
            )
        except MfaVerifyError as error:
            form.code.errors = [_wrong_code(found.step_up.shown(context), error)]
            left = error.attempts_left
            return _page(session, context, form=form, status=error.status, attempts_left=left)
        except (RateLimitedError, Auth0UnavailableError) as error:
            return _failed_page(session, context, error)
        return _landing(target)


def restart() -> Response:
    """Start a timed-out check again: same target, same method."""
    found = services()
    with auth0_session() as session:
        _require_user(session)
        form = ContextForm.submitted(_binding(session))
        _require_ours(form)
        target = found.step_up.restart(session, form.context.data or "")
        return _landing(target)


# -- steps -----------------------------------------------------------------------------------


def _require_user(session: Auth0Session) -> None:
    if session.user is None:
        raise LoginRequiredError()


def _binding(session: Auth0Session) -> FormBinding:
    found = services()
    return bind(found.sealer, found.clock, session)


def _require_ours(form: ContextForm) -> None:
    form.validate()
    if not form.is_ours:
        raise InvalidRequestError(
            "This form does not belong to your session. Open the page again and send it from there."
        )


def _submitted_context(session: Auth0Session, form: ContextForm) -> MfaContext:
    """Return the context that a form is for, once it is certain that the form is ours."""
    _require_ours(form)
    return services().step_up.context_for_page(session, form.context.data or "-")


def _peek(session: Auth0Session, form: ContextForm) -> MfaContext:
    """Return the context that a form names, only to know which kind of code to expect."""
    found = session.find_context(form.context.data or "")
    return found or MfaContext("", 0, 0, "", None)


def _with_authenticators(session: Auth0Session, context: MfaContext) -> MfaContext:
    context = services().step_up.authenticators(session, context)
    if not context.usable:
        raise MfaNoAvailableFactorsError()
    return context


def _landing(target: StepUpTarget | None) -> Response:
    """Send the user to where they were going."""
    location = own_page(target.return_to if target else None) or home_url()
    if wants_json():
        return jsonify({"success": True, "redirect_to": location})
    return see_other(location)


# -- pages -----------------------------------------------------------------------------------


def _page(
    session: Auth0Session,
    context: MfaContext,
    *,
    is_choosing: bool = False,
    form: CodeForm | None = None,
    status: int = 200,
    attempts_left: int | None = None,
) -> Response:
    """Return the page for the next step of a check."""
    found = services()
    shown = None if is_choosing else found.step_up.shown(context)
    if shown is None or found.step_up.will_send(context, shown, resend=False):
        return _choice(session, context)
    form = form or CodeForm.shown(_binding(session), context.id)
    code_errors = form.code.errors
    return render_page(
        "challenge.html",
        session,
        status=status,
        form=form,
        verify_url=url_for(f"{BLUEPRINT}.verify"),
        method=_method(shown),
        reason=context.reason,
        attempts_left=attempts_left if code_errors else None,
        notice=None,
        choose_url=challenge_url(context.id, choose=1) if len(context.usable) > 1 else None,
        resend=_resend(session, context, shown),
        code_kind="recovery" if shown.method == "recovery-code" else "numeric",
        code_length=OTP_LENGTH,
        **_expiry(context),
    )


def _choice(session: Auth0Session, context: MfaContext) -> Response:
    binding = _binding(session)
    action = url_for(f"{BLUEPRINT}.start")
    methods = [
        _method(one, ChooseForm.shown(binding, context.id, authenticator_id=one.id), action)
        for one in context.usable
    ]
    return render_page(
        "choose.html",
        session,
        methods=methods,
        reason=context.reason,
        universal_login_url=None,
        back_url=challenge_url(context.id) if context.chosen else None,
        form_errors=[],
        **_expiry(context),
    )


def _already_verified(session: Auth0Session, target: StepUpTarget) -> Response:
    go_on = Action(gettext("Continue"), own_page(target.return_to) or home_url(), primary=True)
    return render_page(
        "message.html",
        session,
        status_kind="success",
        heading=gettext("You are already verified"),
        text=(gettext("Go on to the page that you wanted."),),
        wait_text=None,
        actions=(go_on,),
    )


def _failed_page(
    session: Auth0Session, context: MfaContext, error: RateLimitedError | Auth0UnavailableError
) -> Response:
    """Return the page of a step that could not be done now; the check itself goes on."""
    if wants_json():
        raise error
    actions = [Action(gettext("Try again"), challenge_url(context.id), primary=True)]
    if isinstance(error, RateLimitedError):
        actions = [Action(gettext("Back"), challenge_url(context.id), primary=True)]
        if len(context.usable) > 1:
            other = challenge_url(context.id, choose=1)
            actions = [Action(gettext("Use another method"), other, primary=True)]
        if context.attempts:
            actions.append(restart_action(session, context.id))
    return error_page(error, session, actions=tuple(actions))


def _method(
    one: Authenticator, form: ContextForm | None = None, action: str | None = None
) -> Method:
    target = one.name if is_out_of_band(one.method) and one.method != "push" else None
    label = one.name if target is None and one.method != "recovery-code" else None
    return Method(one.method, label, target, form, action)


def _resend(session: Auth0Session, context: MfaContext, shown: Authenticator) -> Any:
    if not is_out_of_band(shown.method):
        return None
    found = services()
    user_id = str((session.user or {}).get("sub"))
    form = ResendForm.shown(_binding(session), context.id, authenticator_id=shown.id, resend="1")
    return {
        "form": form,
        "url": url_for(f"{BLUEPRINT}.start"),
        "wait_seconds": found.limits.wait(found.limits.send_buckets(user_id, context.hash)),
    }


def _expiry(context: MfaContext) -> dict[str, Any]:
    remaining = max(0, context.expires_at - int(services().clock()))
    ends_at = datetime.fromtimestamp(context.expires_at).astimezone()
    return {"expires_minutes": max(1, remaining // 60), "expires_clock": ends_at.strftime("%H:%M")}


def _code_kind(shown: Authenticator | None) -> CodeKind:
    if shown is None or shown.method == "otp":
        return "otp"
    return "recovery-code" if shown.method == "recovery-code" else "message"


def _wrong_code(shown: Authenticator | None, error: Auth0MFAError) -> str:
    kind = _code_kind(shown)
    if isinstance(error, MfaCodeExpiredError):
        return gettext("That code is too old. Ask for a new one.")
    if kind == "recovery-code":
        return gettext("That recovery code did not work. Each code works once.")
    if kind == "message":
        return gettext("That code did not work. Check that you used the newest message.")
    return gettext("That code did not work. Wait for the next code in your app, then enter it.")
