"""The routes: one line each, with the module that answers it.

=================================== ==================== =========================================
route                               module               what it does
=================================== ==================== =========================================
``GET  /login``                     :mod:`.login`        to Universal Login
``GET  /callback``                  :mod:`.login`        back from it
``GET  /logout``                    :mod:`.login`        ends the session here and at Auth0
``POST /backchannel-logout``        :mod:`.login`        Auth0 ends a session
``GET  /profile``                   :mod:`.login`        claims of the user, JSON
``GET  /mfa/challenge``             :mod:`.stepup`       choose a method, or enter a code
``POST /mfa/challenge``             both                 start a challenge
``POST /mfa/verify``                both                 check the code
``POST /mfa/restart``               :mod:`.stepup`       start a timed-out check again
``GET  /mfa/wait``                  :mod:`.push`         wait for the answer on the phone
``POST /mfa/poll``                  both                 ask whether it is there
``GET  /mfa/enroll``                :mod:`.enroll`       add a first method
``POST /mfa/enroll``                :mod:`.enroll`       begin to add one
``GET  /mfa/recovery-code``         :mod:`.recovery`     show the new recovery code
``POST /mfa/recovery-code``         :mod:`.recovery`     say that it is saved
``GET  /mfa/resume``                :mod:`.resume`       ask whether a stopped form may be sent
``GET  /mfa/devices``               :mod:`.devices`      the user's remembered devices
``POST /mfa/devices``               :mod:`.devices`      forget one or all of them
``GET  /mfa/theme.css``             :mod:`.stylesheet`   colours and width, where there are any
``GET  /mfa/authenticators``        :mod:`.api`          the user's methods, JSON
``POST /mfa/associate``             :mod:`.api`          begin to add a first method, JSON
=================================== ==================== =========================================

Where people and programs share a route ("both"), :mod:`.api` answers JSON and the module of the
page answers forms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request

from ..config import Settings
from ..errors import Auth0MFAError, InvalidRequestError
from ..i18n import marked
from ..pages import BLUEPRINT, is_from_another_site, set_no_store
from ..responses import error_response, is_program_call
from ..services import services
from ..sessions import auth0_session
from . import api, devices, enroll, login, push, recovery, resume, stepup
from .stylesheet import build_stylesheet

#: No request to the blueprint needs more, in bytes.
MAX_CONTENT_LENGTH = 64 * 1024


def build_blueprint(settings: Settings) -> Blueprint:
    """Return the blueprint with all routes under ``AUTH0_MFA_URL_PREFIX``."""
    blueprint = Blueprint(
        BLUEPRINT,
        "flask_auth0_mfa",
        url_prefix=settings.mfa_url_prefix,
        template_folder="templates",
        static_folder="static",
        static_url_path="/mfa/static",
    )
    for rule, name, view, methods in (
        ("/login", "login", login.login, ["GET"]),
        ("/callback", "callback", login.callback, ["GET"]),
        ("/logout", "logout", login.logout, ["GET"]),
        ("/backchannel-logout", "backchannel_logout", login.backchannel_logout, ["POST"]),
        ("/profile", "profile", login.profile, ["GET"]),
        ("/mfa/challenge", "challenge", stepup.challenge, ["GET"]),
        ("/mfa/challenge", "start", _by_side(stepup.start, api.start), ["POST"]),
        ("/mfa/verify", "verify", _by_side(stepup.verify, api.verify), ["POST"]),
        ("/mfa/verify", "verify_again", stepup.again, ["GET"]),
        ("/mfa/restart", "restart", stepup.restart, ["POST"]),
        ("/mfa/restart", "restart_again", stepup.again, ["GET"]),
        ("/mfa/wait", "wait", push.wait, ["GET"]),
        ("/mfa/poll", "poll", _by_side(push.poll, api.poll), ["POST"]),
        ("/mfa/poll", "poll_again", stepup.again, ["GET"]),
        ("/mfa/enroll", "enroll", enroll.show, ["GET"]),
        ("/mfa/enroll", "start_enrollment", enroll.start, ["POST"]),
        ("/mfa/recovery-code", "recovery_code", recovery.show, ["GET"]),
        ("/mfa/recovery-code", "acknowledge_recovery_code", recovery.acknowledge, ["POST"]),
        ("/mfa/resume", "resume", resume.show, ["GET"]),
        ("/mfa/devices", "devices", devices.show, ["GET"]),
        ("/mfa/devices", "forget_devices", devices.forget, ["POST"]),
        ("/mfa/authenticators", "authenticators", api.authenticators, ["GET"]),
        ("/mfa/associate", "associate", api.associate, ["POST"]),
    ):
        blueprint.add_url_rule(rule, name, view, methods=methods)
    if settings.is_themed:
        view = build_stylesheet(settings)
        blueprint.add_url_rule("/mfa/theme.css", "stylesheet", view, methods=["GET"])
    blueprint.register_error_handler(Auth0MFAError, error_response)
    blueprint.url_value_preprocessor(_prepare)
    blueprint.before_request(_refuse_other_sites)
    blueprint.after_request(_no_store)
    return blueprint


def _by_side(for_people: Callable[[], Any], for_programs: Callable[[], Any]) -> Callable[[], Any]:
    def view() -> Any:
        return for_programs() if is_program_call() else for_people()

    return view


def _prepare(endpoint: str | None, values: dict[str, Any] | None) -> None:  # noqa: ARG001 - Flask's signature
    request.max_content_length = MAX_CONTENT_LENGTH
    _leave_csrf_to_us(current_app)


def _refuse_other_sites() -> None:
    """Refuse what another site makes a browser send (SEC-15).

    Forms and JSON calls have a token of their own besides; back-channel logout comes from Auth0.
    """
    if request.method == "POST" and not _has_form_token() and is_from_another_site():
        with auth0_session() as session:
            services().contexts.tell_of_refusal(session, "cross-site")
        raise InvalidRequestError(marked("This must be sent from a page of this application."))


def _has_form_token() -> bool:
    """Tell whether the token of a form says where it comes from.

    It proves more than the origin, which some browsers hide from forms; fetch metadata count first.
    """
    if "Sec-Fetch-Site" in request.headers:
        return False
    return not is_program_call() and "csrf_token" in request.form


def _leave_csrf_to_us(app: Flask) -> None:
    """Exempt our forms from the application's CSRFProtect: they have a token of their own.

    Done when a request comes, before any ``before_request`` function: the application may set up
    its protection after us.
    """
    protection = app.extensions.get("csrf")
    if protection is not None:
        protection.exempt(app.blueprints[BLUEPRINT])


def _no_store(response: Response) -> Response:
    is_the_same_for_all = request.endpoint in (f"{BLUEPRINT}.static", f"{BLUEPRINT}.stylesheet")
    return response if is_the_same_for_all else set_no_store(response)
