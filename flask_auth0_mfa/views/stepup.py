"""The challenge pages: choose a method, enter a code, land where the user was going.

Every form is answered with a redirect (303) or, when something is wrong with it, with the page
itself. GET requests change nothing at Auth0: only a button starts a challenge.
"""

from __future__ import annotations

from dataclasses import replace

from flask import request, url_for
from werkzeug.wrappers import Response

from ..codes import OTP_LENGTH
from ..devices import remember_device
from ..errors import (
    POLL_INTERVAL,
    Auth0MFAError,
    Auth0UnavailableError,
    InvalidRequestError,
    MfaChallengeError,
    MfaCodeExpiredError,
    MfaDeclinedError,
    MfaNoAvailableFactorsError,
    MfaRequiredError,
    MfaVerifyError,
    MfaVerifyPendingError,
    RateLimitedError,
)
from ..forms import ChooseForm, CodeForm, ContextForm
from ..i18n import gettext
from ..models import Auth0Session, MfaContext, StepUpTarget
from ..pages import BLUEPRINT, Action, render_page
from ..responses import challenge_url, see_other
from ..services import services
from ..sessions import auth0_session
from . import enroll, push, steps


def challenge() -> Response:
    """Show the form for the code, or the choice of a method."""
    identifier = request.args.get("context")
    with auth0_session() as session:
        steps.require_user(session)
        target = steps.passed_target(session, identifier)
        if target is not None:
            return _already_verified(session, identifier or "", target)
        found = services()
        context = found.contexts.for_page(session, identifier)
        if waiting := steps.unsaved_code(session, context):
            return waiting
        context = found.challenges.listed(session, context)
        return next_page(session, context, is_choosing="choose" in request.args)


def start() -> Response:
    """Take a method: sends the code or push that it needs."""
    found = services()
    with auth0_session() as session:
        steps.require_user(session)
        form = ChooseForm.submitted(steps.binding(session))
        if passed := steps.finished(session, form):
            return passed
        context = steps.submitted_context(session, form)
        context = found.challenges.listed(session, context)
        chosen = found.challenges.pick(context, form.authenticator_id.data or None)
        resend = request.form.get("resend") == "1"
        sends = found.challenges.will_send(context, chosen, resend=resend)
        try:
            has_box = chosen.method == "push" and not resend
            wants = form.remember.data if has_box else None
            context = found.start_challenge(session, context, chosen, resend=resend, remember=wants)
        except (MfaChallengeError, RateLimitedError, Auth0UnavailableError) as error:
            return steps.failed_page(session, context, error)
    return see_other(challenge_url(context.id, sent=1 + resend if sends else None))


def verify() -> Response:
    """Check the code that was entered."""
    found = services()
    with auth0_session() as session:
        steps.require_user(session)
        form = CodeForm.submitted(steps.binding(session))
        named = session.find_context(form.context.data or "")
        form.kind = steps.code_kind(form.method.data or (_method(named) if named else "otp"))
        if passed := steps.finished(session, form):
            return passed
        context = steps.submitted_context(session, form, maybe_spent=True)
        context = found.challenges.listed(session, context)
        context = found.challenges.back_to(session, context, form.method.data or "")
        if _waits_for_phone(context):
            return push.pending_page(context, MfaVerifyPendingError(POLL_INTERVAL))
        if form.errors:
            return next_page(session, context, form=form, status=InvalidRequestError.status)
        try:
            proof = found.verification.proof_for_code(context, form.code.data or "")
            found.verify(session, context, proof)
        except MfaDeclinedError as error:
            return push.declined_page(session, context, error)
        except MfaVerifyError as error:
            return _wrong_code_page(session, context, form, error)
        except (RateLimitedError, Auth0UnavailableError) as error:
            return steps.failed_page(session, context, error)
        except MfaRequiredError as error:
            _keep_tick(session, error.context_id, form)
            raise
        if form.remember.data:
            remember_device(session, context)
        return steps.landing(context.id, session.targets.get(context.id))


def restart() -> Response:
    """Start a timed-out check again: same target, same method."""
    with auth0_session() as session:
        steps.require_user(session)
        form = ContextForm.submitted(steps.binding(session))
        steps.require_ours(session, form)
        target = services().tokens.restart(session, form.context.data or "")
        return steps.landing(form.context.data or "", target)


def again() -> Response:
    """Lead back from the address of a form that was sent, which a person may open again."""
    return see_other(challenge_url())


# -- pages -------------------------------------------------------------------------------------


def next_page(
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
    if context.enrollment is not None and form is not None:
        return enroll.confirm_page(
            session, context, form=form, status=status, attempts_left=attempts_left
        )
    if not context.usable:
        return _without_methods(session, context)
    shown = None if is_choosing else found.challenges.shown(context)
    notice = _sent_notice() or _chain_notice(context)
    if shown is None:
        return _choice(session, context)
    needs_button = found.challenges.will_send(context, shown, resend=False)
    if form is None and needs_button:
        return _choice(session, context)
    if context.chosen_method != shown.method and not needs_button:
        # The only method: remember it, so that its form is read as what it is.
        context = found.challenges.start(session, context, shown, resend=False)
    opened = found.challenges.open_one(context, shown.id)
    if opened is not None and opened.binding_method != "prompt":
        sent = request.args.get("sent")
        return see_other(url_for(f"{BLUEPRINT}.wait", context=context.id, sent=sent))
    form = form or CodeForm.shown(
        steps.binding(session),
        context.id,
        method=shown.method,
        remember=context.wants_remembering,
    )
    return render_page(
        "challenge.html",
        session,
        status=status,
        form=form,
        verify_url=url_for(f"{BLUEPRINT}.verify"),
        method=steps.method_shown(shown),
        reason=context.reason,
        approval=context.approval,
        attempts_left=attempts_left if form.code.errors else None,
        notice=notice,
        choose_url=steps.choose_url(context),
        resend=steps.resend_shown(session, context, shown),
        code_kind="recovery" if shown.method == "recovery-code" else "numeric",
        code_length=OTP_LENGTH if shown.method == "otp" else None,
        remember_days=context.remember if shown.method != "recovery-code" else None,
        **steps.expiry(context),
    )


def _sent_notice() -> str | None:
    """Return what to tell a person to whom something was sent just now."""
    notices = {"1": gettext("We sent you a code."), "2": gettext("We sent a new code.")}
    return notices.get(request.args.get("sent", ""))


def _chain_notice(context: MfaContext) -> str | None:
    """Return what to tell a person who has just passed one of several checks.

    Without it, the page of the next one looks as if the code had not been taken.
    """
    was_tried = context.chosen is not None or context.attempts or context.declined
    if not context.chain or was_tried or "choose" in request.args:
        return None
    return gettext("That worked. One more check is needed.")


def _choice(session: Auth0Session, context: MfaContext) -> Response:
    bound = steps.binding(session)
    action = url_for(f"{BLUEPRINT}.start")
    methods = [
        steps.method_shown(
            one, ChooseForm.shown(bound, context.id, authenticator_id=one.id), action
        )
        for one in context.usable
    ]
    can_go_back = context.chosen is not None and len(methods) > 1
    return render_page(
        "choose.html",
        session,
        methods=methods,
        reason=context.reason,
        approval=context.approval,
        universal_login_url=_universal_login_url(session, context),
        back_url=challenge_url(context.id) if can_go_back else None,
        notice=_late_notice() if "late" in request.args else _chain_notice(context),
        remember_days=context.remember,
        form_errors=[],
        **steps.expiry(context),
    )


def _late_notice() -> str:
    return gettext("The request was not answered in time. Choose how to go on.")


def _universal_login_url(session: Auth0Session, context: MfaContext) -> str | None:
    """Return the way through Universal Login, where it can do more than the MFA API."""
    if not steps.has_more_elsewhere(context):
        return None
    ticket = services().contexts.login_ticket(
        session, context.request, step_up=True, context_id=context.id
    )
    return url_for(f"{BLUEPRINT}.login", ticket=ticket)


def _without_methods(session: Auth0Session, context: MfaContext) -> Response:
    found = services()
    if found.enrollment.methods(context):
        return see_other(url_for(f"{BLUEPRINT}.enroll", context=context.id))
    if context.methods is not None:
        raise MfaNoAvailableFactorsError()
    raise found.contexts.universal_login(session, context.request, context.id)


def _wrong_code_page(
    session: Auth0Session, context: MfaContext, form: CodeForm, error: MfaVerifyError
) -> Response:
    if error.limit is not None:
        # The last try: its code was wrong (400); the next one will be one too many (429).
        page = steps.failed_page(session, context, error.limit)
        page.status_code = error.status
        return page
    form.code.errors = [_wrong_code(_method(context), error)]
    return next_page(
        session, context, form=form, status=error.status, attempts_left=error.attempts_left
    )


def _already_verified(session: Auth0Session, context_id: str, target: StepUpTarget) -> Response:
    if target.recovery_code is not None:
        return see_other(steps.recovery_url(context_id))
    go_on = Action(gettext("Continue"), steps.target_url(context_id, target), primary=True)
    return render_page(
        "message.html",
        session,
        status_kind="success",
        heading=gettext("You are already verified"),
        text=(gettext("Go on to the page that you wanted."),),
        wait_text=None,
        actions=(go_on,),
    )


def _keep_tick(session: Auth0Session, identifier: str, form: CodeForm) -> None:
    """Leave the box as it is for the page of the next factor."""
    following = session.find_context(identifier)
    if following is not None:
        ticked = replace(following, wants_remembering=form.remember.data)
        session.replace_context(ticked)


def _method(context: MfaContext) -> str:
    """Return the method whose code the page asks for."""
    if context.enrollment is not None:
        return context.enrollment.method
    if context.chosen_method is not None:
        return context.chosen_method
    shown = services().challenges.shown(context)
    return shown.method if shown is not None else "otp"


def _waits_for_phone(context: MfaContext) -> bool:
    """Tell whether no code can pass this check now: another tab has chosen the phone since."""
    begun = context.enrollment or context.challenge
    return context.waits_for_phone and begun is not None and begun.method == _method(context)


def _wrong_code(method: str, error: Auth0MFAError) -> str:
    kind = steps.code_kind(method)
    if isinstance(error, MfaCodeExpiredError):
        return gettext("That code is too old. Ask for a new one.")
    if kind == "recovery-code":
        return gettext("That recovery code did not work. Each code works once.")
    if kind == "message":
        return gettext("That code did not work. Check that you used the newest message.")
    return gettext("That code did not work. Wait for the next code in your app, then enter it.")
