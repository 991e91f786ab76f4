"""What the pages of a check share: who sent the form, for which check, and where it leads."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flask import jsonify, url_for
from werkzeug.wrappers import Response

from ..codes import CodeKind
from ..errors import (
    Auth0UnavailableError,
    InvalidRequestError,
    LoginRequiredError,
    MfaChallengeError,
    MfaTokenError,
    MfaTokenNotFoundError,
    RateLimitedError,
)
from ..factors import KNOWN, METHODS, factor_of, is_out_of_band
from ..forms import ContextForm, FormBinding, ResendForm, bind
from ..i18n import gettext, marked
from ..models import Auth0Session, Authenticator, MfaContext, StepUpTarget
from ..pages import BLUEPRINT, Action, home_url, own_page
from ..responses import challenge_url, error_page, restart_action, see_other, wants_json
from ..services import services


@dataclass(frozen=True)
class Method:
    """One of the user's methods as a page shows it."""

    kind: str
    label: str | None = None
    target: str | None = None
    form: ContextForm | None = None
    action: str | None = None


@dataclass(frozen=True)
class Resend:
    """The button that asks for another message; ``wait_seconds`` until it may."""

    form: ContextForm
    url: str
    wait_seconds: int


# -- who sent the form, and for which check ----------------------------------------------------


def require_user(session: Auth0Session) -> None:
    """Raise :class:`LoginRequiredError` when nobody is signed in."""
    if session.user is None:
        raise LoginRequiredError()


def binding(session: Auth0Session) -> FormBinding:
    """Return what the forms of this session are bound to."""
    found = services()
    return bind(found.sealer, found.clock, session)


def require_ours(session: Auth0Session, form: ContextForm) -> None:
    """Validate the form; raise unless its token is one that this session was given."""
    form.validate()
    if not form.is_ours:
        services().contexts.tell_of_refusal(session, "form-token")
        raise InvalidRequestError(
            marked(
                "This form does not belong to your session. Open the page again and send it from "
                "there."
            )
        )


def unknown_check(session: Auth0Session) -> MfaTokenError:
    """Return the error of a page for a check that this session never had, or has no more."""
    return services().contexts.refused(session, MfaTokenNotFoundError(), "unknown")


def submitted_context(
    session: Auth0Session, form: ContextForm, *, maybe_spent: bool = False
) -> MfaContext:
    """Return the context that a form is for, once it is certain that the form is ours."""
    require_ours(session, form)
    identifier = form.context.data or "-"
    return services().contexts.for_page(session, identifier, maybe_spent=maybe_spent)


def finished(session: Auth0Session, form: ContextForm) -> Response | None:
    """Return the way on if the check of this form was passed already, maybe in another tab."""
    require_ours(session, form)
    identifier = form.context.data or ""
    target = passed_target(session, identifier)
    return landing(identifier, target) if target is not None else None


def passed_target(session: Auth0Session, identifier: str | None) -> StepUpTarget | None:
    """Return what a check was for, if that was reached already, maybe in another tab (UX-75)."""
    target = session.targets.get(identifier or "")
    is_met = target is not None and services().tokens.is_met(session, target)
    return target if is_met else None


def unsaved_code(session: Auth0Session, context: MfaContext) -> Response | None:
    """Return the way to a recovery code that came with the check's first factor, if one waits."""
    target = session.targets.get(context.id)
    if target is None or target.recovery_code is None:
        return None
    return see_other(recovery_url(context.id))


# -- where it leads ----------------------------------------------------------------------------


def landing(context_id: str, target: StepUpTarget | None) -> Response:
    """Send the user to where they were going; first past a new recovery code, if there is one."""
    location = target_url(context_id, target)
    if target is not None and target.recovery_code is not None:
        location = recovery_url(context_id)
    if wants_json():
        return jsonify({"success": True, "redirect_to": location})
    return see_other(location)


def target_url(context_id: str, target: StepUpTarget | None) -> str:
    """Return the path of what the step-up was for; of a form that it stopped, the page to send it.

    :param context_id: the id of the check.
    """
    if target is not None and target.form is not None:
        return url_for(f"{BLUEPRINT}.resume", context=context_id)
    return own_page(target.return_to if target else None) or home_url()


def recovery_url(context_id: str, **values: Any) -> str:
    """Return the path of the page that shows the new recovery code."""
    return url_for(f"{BLUEPRINT}.recovery_code", context=context_id, **values)


def failed_page(
    session: Auth0Session,
    context: MfaContext,
    error: RateLimitedError | Auth0UnavailableError | MfaChallengeError,
) -> Response:
    """Return the page of a step that could not be done now; the check itself goes on."""
    if wants_json():
        raise error
    again = restart_action(session, context.id)
    back = Action(gettext("Go back"), challenge_url(context.id), primary=True)
    other = Action(gettext("Use another method"), choose_url(context) or "", primary=True)
    if isinstance(error, RateLimitedError) and error.is_about_support:
        actions = [Action(gettext("Go back"), home_url(), primary=True)]
    elif isinstance(error, Auth0UnavailableError):
        actions = [Action(gettext("Try again"), challenge_url(context.id), primary=True)]
    elif isinstance(error, RateLimitedError) and error.is_about_context:
        actions = [again]
    elif not choose_url(context) or (
        isinstance(error, RateLimitedError) and error.is_about_sending
    ):
        actions = [back]
    else:
        actions = [other]
    return error_page(error, session, actions=tuple(actions))


# -- parts of pages ----------------------------------------------------------------------------


def choose_url(context: MfaContext) -> str | None:
    """Return the path of the choice of methods, if there is one."""
    has_choice = len(context.usable) > 1 or has_more_elsewhere(context)
    return challenge_url(context.id, choose=1) if has_choice else None


def has_more_elsewhere(context: MfaContext) -> bool:
    """Tell whether Universal Login can do more for this user than the MFA API."""
    if context.methods is not None:
        return False
    listed = [one.method for one in context.authenticators or () if one.active]
    required = context.required_types("challenge")
    return any(one not in METHODS for one in listed) or any(
        factor_of(one) not in KNOWN for one in required
    )


def method_shown(
    one: Authenticator, form: ContextForm | None = None, action: str | None = None
) -> Method:
    """Return an authenticator as pages show it: masked number or address, or its own name."""
    has_target = is_out_of_band(one.method) and one.method != "push"
    label = one.name if not has_target and one.method != "recovery-code" else None
    target = _masked(one.name) if has_target and one.name else None
    return Method(one.method, label, target, form, action)


def _masked(name: str) -> str:
    """Return a number or address as Auth0 masks it, its hidden beginning as three dots."""
    return re.sub(r"^[X*]{2,}", "•••" if "@" in name else "••• ", name)


def masked_address(address: str) -> str:
    """Return a number or address that was just entered, masked like those of Auth0."""
    local, at, host = address.partition("@")
    return f"{local[:1]}•••@{host}" if at else f"••• {address[-4:]}"


def resend_shown(session: Auth0Session, context: MfaContext, shown: Authenticator) -> Resend | None:
    """Return the button for another message, for methods that have one."""
    if not is_out_of_band(shown.method):
        return None
    found = services()
    user_id = str((session.user or {}).get("sub"))
    wait_seconds = 0
    with suppress(Auth0UnavailableError):
        # The page must be there even while nothing can be counted; the button then says so.
        wait_seconds = found.limits.wait(found.limits.send_buckets(user_id, context.hash))
    return Resend(
        ResendForm.shown(binding(session), context.id, authenticator_id=shown.id, resend="1"),
        url_for(f"{BLUEPRINT}.start"),
        wait_seconds,
    )


def expiry(context: MfaContext) -> dict[str, Any]:
    """Return how long the check can still be done, in minutes and in seconds.

    No clock time, which the page's script adds: the server does not know the user's time zone.
    """
    remaining = max(0, context.expires_at - int(services().clock()))
    return {"expires_minutes": max(1, -(-remaining // 60)), "expires_seconds": remaining}


def code_kind(method: str) -> CodeKind:
    """Return the kind of code that a method has."""
    if method == "otp":
        return "otp"
    return "recovery-code" if method == "recovery-code" else "message"
