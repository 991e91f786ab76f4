"""Push: the page that waits for the user's answer on the phone, and the check behind it.

The server never waits: the page's button asks, or its script every few seconds. How often Auth0
is asked is counted over all tabs of a check (:meth:`VerificationFlow.poll`).
"""

from __future__ import annotations

from flask import request, url_for
from werkzeug.wrappers import Response

from ..devices import remember_device
from ..errors import (
    POLL_INTERVAL,
    Auth0UnavailableError,
    MfaCodeExpiredError,
    MfaDeclinedError,
    MfaVerifyPendingError,
    RateLimitedError,
)
from ..forms import ContextForm
from ..i18n import gettext
from ..models import Auth0Session, MfaContext
from ..pages import BLUEPRINT, render_page
from ..responses import challenge_url, json_error, restart_action, see_other, wants_json
from ..services import services
from ..sessions import auth0_session
from . import steps


def wait() -> Response:
    """Show the waiting page; reloading it sends nothing."""
    identifier = request.args.get("context")
    with auth0_session() as session:
        steps.require_user(session)
        if steps.passed_target(session, identifier) is not None:
            return see_other(challenge_url(identifier))
        found = services()
        context = _shown_context(session, identifier)
        context = found.challenges.listed(session, context)
        if context.declined:
            return declined_page(session, context, MfaDeclinedError())
        if not context.waits_for_phone or context.enrollment is not None:
            return see_other(challenge_url(context.id))
        return _waiting_page(session, context)


def _shown_context(session: Auth0Session, identifier: str | None) -> MfaContext:
    """Return the check that waits; also one whose approval was told in an answer that got lost.

    Somebody reloads the page just when it asks: the next question brings that answer again.
    """
    found = services()
    context = found.contexts.for_page(session, identifier, maybe_spent=True)
    if context.waits_for_phone:
        proof = found.verification.proof_for_push(context)
        if found.verification.is_known(context, proof):
            return context
    return found.contexts.usable(session, context)


def poll() -> Response:
    """Ask whether the push was answered: the button, or the page's script."""
    found = services()
    with auth0_session() as session:
        steps.require_user(session)
        form = ContextForm.submitted(steps.binding(session))
        if passed := steps.finished(session, form):
            return passed
        context = steps.submitted_context(session, form, maybe_spent=True)
        context = found.challenges.listed(session, context)
        if context.declined:
            return declined_page(session, context, MfaDeclinedError())
        try:
            found.poll(session, context)
        except MfaVerifyPendingError as pending:
            return pending_page(context, pending)
        except MfaDeclinedError as error:
            return declined_page(session, context, error)
        except MfaCodeExpiredError:
            if wants_json():
                raise
            return see_other(challenge_url(context.id, late=1))
        except (RateLimitedError, Auth0UnavailableError) as error:
            return steps.failed_page(session, context, error)
        if context.wants_remembering:
            remember_device(session, context)
        return steps.landing(context.id, session.targets.get(context.id))


def pending_page(context: MfaContext, pending: MfaVerifyPendingError) -> Response:
    """Return the answer to somebody whose phone has not answered yet."""
    if wants_json():
        return json_error(pending)
    endpoint = "wait" if context.enrollment is None else "enroll"
    return see_other(url_for(f"{BLUEPRINT}.{endpoint}", context=context.id, still=1))


def _waiting_page(session: Auth0Session, context: MfaContext) -> Response:
    found = services()
    shown = found.challenges.shown(context)
    return render_page(
        "wait.html",
        session,
        form=ContextForm.shown(steps.binding(session), context.id),
        poll_url=url_for(f"{BLUEPRINT}.poll"),
        interval=POLL_INTERVAL,
        reason=context.reason,
        approval=context.approval,
        target=shown.name if shown is not None else None,
        choose_url=steps.choose_url(context),
        resend=steps.resend_shown(session, context, shown) if shown is not None else None,
        still_waiting="still" in request.args,
        notice=_notice(),
        **steps.expiry(context),
    )


def _notice() -> str | None:
    """Return what to tell a person who has just pressed one of the page's buttons."""
    if "still" in request.args:
        return gettext("Still waiting for your approval.")
    return gettext("We sent a new request.") if request.args.get("sent") == "2" else None


def declined_page(session: Auth0Session, context: MfaContext, error: MfaDeclinedError) -> Response:
    """Return the page of a declined request; it does not offer to send one at once."""
    if wants_json():
        return json_error(error)
    return render_page(
        "declined.html",
        session,
        status=error.status,
        choose_url=steps.choose_url(context),
        restart=restart_action(session, context.id),
    )
