"""Guards: what may open a view.

The answer of a guard is *returned*, not raised: an application's own ``errorhandler(Exception)``
would otherwise see our error first and turn a challenge into a failure. One for a class of ours is
meant for it, and answers in place of ours.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from flask import Blueprint, after_this_request, current_app, make_response, request
from werkzeug.wrappers import Response

from .approval import note_approval, text_to_approve
from .devices import this_device
from .errors import Auth0MFAError, LoginRequiredError, MfaRequiredError
from .factors import method_names
from .models import StepUpRequest, require_scope_text
from .pages import set_no_store
from .responses import error_response, return_to_page
from .resume import forget_form, keep_form
from .services import services
from .sessions import auth0_session, glance

View = TypeVar("View", bound=Callable[..., Any])
Guard = Callable[[], None]

#: Name under which a guarded view or blueprint carries its :class:`Requirement`, or ``None`` where
#: a login is enough.
REQUIREMENT = "__auth0_mfa_requirement__"
#: Longest time that a device is remembered, in days; browsers keep no cookie much longer.
MAX_REMEMBER = 365


@dataclass(frozen=True)
class Requirement:
    """What a guard asks for, and what it does with the request that it stops."""

    request: StepUpRequest
    binds: Callable[..., str | None] | None = None
    resume: bool = False


def requires_login(view: View) -> View:
    """Let only signed-in users into the view; others are sent to the login and back.

    Programs get 401 ``login_required``. Works on sync and async views.
    """
    return _guarded(view, _check_login, None)


def requires_stepup(
    audience: str,
    *,
    scope: str | None = None,
    max_age: int | None = None,
    reason: str | None = None,
    methods: tuple[str, ...] | list[str] | None = None,
    binds: Callable[..., str | None] | None = None,
    resume: bool = False,
    remember: int | None = None,
) -> Callable[[View], View]:
    """Let users into the view only after a second factor.

    The view runs if this session holds a valid access token for exactly ``audience`` with
    ``scope`` and a recorded verification at most ``max_age`` seconds old (default
    ``AUTH0_STEPUP_MAX_AGE``). Otherwise people are taken through the challenge page and back, and
    programs get 403 ``mfa_required``.

    :param audience: the API's identifier in Auth0.
    :param scope: scopes that the access token must have, with spaces between them.
    :param max_age: seconds, absolute; using the view does not prolong it.
    :param reason: one sentence for the challenge page that says why, in plain words.
    :param methods: the methods that are accepted (``otp``, ``push``, ``sms``, ``voice``,
        ``email``, ``recovery-code``, or ``phone`` for both kinds of phone message).
    :param binds: called with the view's arguments, returns the text that this request needs an
        approval of ("Transfer 500 EUR to DE89…"), or ``None``. The challenge page shows it, and
        the check is good for that text, once. The view finds it in ``current_auth0.approval``.
    :param resume: keep a form that is stopped here (sealed, at most 1 500 bytes, no files), and
        offer to send it after the check; without it the user fills it in again.
    :param remember: let the user have this device remembered for so many days (1 to 365). On it a
        proof counts that long, whatever ``max_age`` says. Not together with ``binds``.

    Put it under ``@app.route``, so that the route holds the guarded view.
    """
    asked = _step_up_request(audience, scope, max_age, reason, methods, remember)
    wanted = _requirement(asked, binds, resume=resume)

    def decorate(view: View) -> View:
        return _guarded(view, lambda: _check_step_up(wanted), wanted)

    return decorate


def guard_blueprint(
    blueprint: Blueprint,
    audience: str | None = None,
    *,
    scope: str | None = None,
    max_age: int | None = None,
    reason: str | None = None,
    methods: tuple[str, ...] | list[str] | None = None,
    binds: Callable[..., str | None] | None = None,
    resume: bool = False,
    remember: int | None = None,
) -> Blueprint:
    """Guard every view of a blueprint, as :func:`requires_stepup` does for one.

    Without ``audience`` only a login is required. Call it before the blueprint is registered.
    """
    guard: Guard = _check_login
    setattr(blueprint, REQUIREMENT, None)
    options = (scope, max_age, reason, methods, binds, remember)
    if audience is None and (resume or any(one is not None for one in options)):
        # A login alone would be less than what was asked for.
        raise TypeError(
            "guard_blueprint needs the audience of an API for a second factor: "
            'guard_blueprint(blueprint, "https://payments.example.com")'
        )
    if audience is not None:
        asked = _step_up_request(audience, scope, max_age, reason, methods, remember)
        wanted = _requirement(asked, binds, resume=resume)
        setattr(blueprint, REQUIREMENT, wanted)

        def guard() -> None:
            _check_step_up(wanted)

    blueprint.before_request(lambda: _refusal(guard))
    return blueprint


def _step_up_request(
    audience: str,
    scope: str | None,
    max_age: int | None,
    reason: str | None,
    methods: tuple[str, ...] | list[str] | None,
    remember: int | None,
) -> StepUpRequest:
    if not isinstance(audience, str) or not audience:
        raise TypeError(
            "requires_stepup needs the audience of an API: "
            '@requires_stepup("https://payments.example.com")'
        )
    require_scope_text(scope)
    if max_age is not None and max_age <= 0:
        raise ValueError("max_age must be a positive number of seconds")
    if remember is not None and not (type(remember) is int and 1 <= remember <= MAX_REMEMBER):
        raise ValueError(f"remember must be a number of days between 1 and {MAX_REMEMBER}")
    return StepUpRequest(
        audience=audience,
        scope=scope,
        max_age=max_age,
        reason=reason,
        methods=method_names(methods),
        remember=remember,
    )


def _requirement(
    asked: StepUpRequest, binds: Callable[..., str | None] | None, *, resume: bool
) -> Requirement:
    if asked.remember is not None and binds is not None:
        raise ValueError("remember and binds exclude each other: an approval is good once")
    return Requirement(asked, binds, resume)


def _guarded(view: View, guard: Guard, wanted: Requirement | None) -> View:
    is_async = inspect.iscoroutinefunction(view)

    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        refusal = _refusal(guard)
        if refusal is not None:
            return refusal
        try:
            return (current_app.ensure_sync(view) if is_async else view)(*args, **kwargs)
        except Auth0MFAError as error:
            return _answer(error)

    setattr(guarded, REQUIREMENT, wanted)
    return guarded  # type: ignore[return-value]  # the same signature, by functools.wraps


def _refusal(guard: Guard) -> Response | None:
    """Return the answer that keeps this request out, or ``None`` to let it in."""
    if request.method == "OPTIONS":
        # A browser asks with OPTIONS whether it may ask, and sends no cookies with it. It gets the
        # methods; a view that takes OPTIONS itself would otherwise be open to everybody.
        return current_app.make_default_options_response()
    after_this_request(set_no_store)
    try:
        guard()
    except Auth0MFAError as error:
        return _answer(error)
    return None


def _answer(error: Auth0MFAError) -> Response:
    """Return the answer to an error: by the application's handler for its class, else ours."""
    for name in (*request.blueprints, None):
        handlers = current_app.error_handler_spec.get(name, {}).get(None, {})
        for kind in type(error).__mro__:
            if issubclass(kind, Auth0MFAError) and kind in handlers:
                # A handler that returns nothing must not let the request in.
                return make_response(current_app.ensure_sync(handlers[kind])(error))
    return error_response(error)


def _check_login() -> None:
    if glance(None).user is None:
        raise LoginRequiredError()


def _check_step_up(wanted: Requirement) -> None:
    asked = wanted.request
    if wanted.binds is not None:
        # It looks things up, maybe for the user: nothing of that is for strangers.
        _check_login()
    approval = text_to_approve(wanted.binds)
    if approval is not None:
        asked = replace(asked, approval=approval)
    # Most requests find the view open, and need no more of the session than what opens it.
    is_open = services().tokens.is_open(glance(asked.audience, is_strict=True), asked)
    if wanted.resume or not is_open:
        _require_step_up(asked, is_open=is_open, resume=wanted.resume)
    note_approval(approval)


def _require_step_up(asked: StepUpRequest, *, is_open: bool, resume: bool) -> None:
    with auth0_session(is_strict=True) as session:
        try:
            if not is_open:
                # The reason may be a lazy text, which is read in the language of this request.
                reason = asked.reason and str(asked.reason)
                asked = replace(asked, reason=reason, return_to=return_to_page())
                services().tokens.require(session, asked, this_device(session, asked))
        except MfaRequiredError as error:
            if resume:
                keep_form(session, error.context_id)
            raise
        if resume:
            forget_form(session)
