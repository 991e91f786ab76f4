"""The error map: what each error looks like, as a page for people or as JSON for programs.

The only place that tells the one from the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from .bearer import bearer_token
from .errors import (
    AccessDeniedError,
    AudienceUnavailableError,
    Auth0MFAError,
    Auth0UnavailableError,
    InsufficientScopeError,
    InvalidRequestError,
    LoginRequiredError,
    MfaChallengeError,
    MfaNoAvailableFactorsError,
    MfaRequiredError,
    MfaTokenError,
    MfaTokenExpiredError,
    RateLimitedError,
    StepUpUnavailableError,
    UniversalLoginRequiredError,
)
from .forms import ContextForm, bind
from .i18n import gettext, ngettext
from .models import Auth0Session
from .pages import (
    BLUEPRINT,
    Action,
    home_url,
    referring_path,
    render_page,
    requested_path,
    requested_url,
    set_no_store,
)
from .services import services
from .sessions import auth0_session

_MEDIA_TYPES = ("text/html", "application/json")


def is_program_call() -> bool:
    """Tell whether the request speaks the JSON side: a JSON body, or a token as credential."""
    return request.is_json or bearer_token() is not None or "mfa_token" in request.form


def wants_json() -> bool:
    """Tell whether the answer should be JSON (RFC 9110 section 12.5.1; HTML where both do)."""
    if is_program_call():
        return True
    return request.accept_mimetypes.best_match(_MEDIA_TYPES) == "application/json"


def return_to_page() -> str:
    """Return where the user should land after a login or a check that this request needs.

    A page is its own target. For a form that was sent, and for a program's call, it is the page
    that it came from: coming back to the address of a POST would answer 405.
    """
    is_page = request.method in ("GET", "HEAD")
    if is_page and not wants_json() and not _is_fragment():
        return requested_path() or home_url()
    return referring_path() or (requested_path() if is_page else None) or home_url()


def error_response(error: Auth0MFAError) -> WerkzeugResponse:
    """Return the answer to an error: JSON, a redirect that mends it, or a page."""
    if wants_json():
        return json_error(error)
    response = _html_error(error)
    return _redirect_by_htmx(error, response) if _is_htmx() else response


def _is_htmx() -> bool:
    return request.headers.get("HX-Request") == "true"


def _is_fragment() -> bool:
    """Tell whether htmx asks for a part of the page that is open."""
    return _is_htmx() and request.headers.get("HX-Boosted") != "true"


def _redirect_by_htmx(error: Auth0MFAError, response: WerkzeugResponse) -> WerkzeugResponse:
    """Let htmx take the whole page to where a redirect leads.

    The browser follows a redirect before htmx sees it: a login page would land in the middle of
    the application's, or be stopped as another origin's.
    """
    if not 300 <= response.status_code < 400:
        return response
    answer = Response(status=error.status)
    answer.headers["HX-Redirect"] = response.headers["Location"]
    answer.headers["Vary"] = "HX-Request"
    return set_no_store(answer)


def json_error(error: Auth0MFAError) -> Response:
    """Return the JSON body of an error with its status."""
    body = error.to_dict()
    if isinstance(error, MfaRequiredError):
        body["challenge_url"] = challenge_url(error.context_id)
    if isinstance(error, (LoginRequiredError, UniversalLoginRequiredError)) and error.ticket:
        body["login_url"] = url_for(f"{BLUEPRINT}.login", ticket=error.ticket)
    response = jsonify(body)
    response.status_code = error.status
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return set_no_store(response)


def challenge_url(context: str | None = None, **values: Any) -> str:
    """Return the path of the challenge page of a context."""
    return url_for(f"{BLUEPRINT}.challenge", context=context, **values)


def see_other(location: str) -> WerkzeugResponse:
    """Redirect with 303: the next request is a GET, whatever this one was."""
    response = redirect(location, 303)
    response.headers["Cache-Control"] = "no-store, private"
    return response


def _html_error(error: Auth0MFAError) -> WerkzeugResponse:
    if isinstance(error, MfaRequiredError):
        return see_other(challenge_url(error.context_id))
    with auth0_session() as session:
        can_leave = request.method in ("GET", "HEAD")
        if can_leave and isinstance(error, UniversalLoginRequiredError):
            return see_other(url_for(f"{BLUEPRINT}.login", ticket=error.ticket))
        # Only a user who is not known is sent on by itself: where login works but brings no
        # refresh token, the redirects would never end.
        if can_leave and isinstance(error, LoginRequiredError) and session.user is None:
            return see_other(login_url(error))
        return error_page(error, session)


def login_url(error: LoginRequiredError) -> str:
    """Return the path of the login that leads back to where the user was going."""
    if error.ticket is not None:
        return url_for(f"{BLUEPRINT}.login", ticket=error.ticket)
    return url_for(f"{BLUEPRINT}.login", return_to=error.return_to or return_to_page())


# -- pages -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Text:
    """The words of an error's page."""

    kind: str
    heading: str
    paragraphs: tuple[str, ...]


def error_page(
    error: Auth0MFAError, session: Auth0Session, *, actions: tuple[Action, ...] | None = None
) -> Response:
    """Return the page of an error: what happened, and what to do next."""
    text = _text(error)
    wait_text = None
    if isinstance(error, RateLimitedError) and not (
        error.is_about_context or error.is_about_support
    ):
        wait_text = _wait_text(error.retry_after or 1)
    response = render_page(
        "message.html",
        session,
        status=error.status,
        status_kind=text.kind,
        heading=text.heading,
        text=text.paragraphs,
        wait_text=wait_text,
        actions=_actions(error, session) if actions is None else actions,
    )
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _wait_text(seconds: int) -> str:
    """Return how long to wait, rounded up: a whole sentence for each unit, as languages need it."""
    if seconds < 60:
        return ngettext(
            "You can try again in %(num)d second.",
            "You can try again in %(num)d seconds.",
            max(1, seconds),
        )
    if seconds < 3600:
        return ngettext(
            "You can try again in %(num)d minute.",
            "You can try again in %(num)d minutes.",
            -(-seconds // 60),
        )
    return ngettext(
        "You can try again in %(num)d hour.",
        "You can try again in %(num)d hours.",
        -(-seconds // 3600),
    )


def _text(error: Auth0MFAError) -> Text:
    if isinstance(error, InvalidRequestError):
        return Text("error", gettext("This did not work"), (gettext(error.error_description),))
    if isinstance(error, LoginRequiredError) and error.ticket is not None:
        return Text(
            "info",
            gettext("Sign in again to go on"),
            (gettext("Before you add a way to confirm that it is you, sign in once more."),),
        )
    if isinstance(error, RateLimitedError) and error.is_about_sending:
        return Text("warning", gettext("Wait before the next message"), (_why_to_wait(error),))
    if isinstance(error, RateLimitedError) and error.is_about_support:
        return Text(
            "error",
            gettext("Too many wrong codes"),
            (
                gettext("To protect your account, codes are not accepted any more."),
                gettext("Contact support. You are still signed in."),
            ),
        )
    if isinstance(error, RateLimitedError) and error.is_about_context:
        return Text(
            "warning",
            gettext("Too many wrong codes"),
            (gettext("Start this check again. You are still signed in."),),
        )
    for kind, text in _texts().items():
        if isinstance(error, kind):
            return text
    return Text(
        "error",
        gettext("This did not work"),
        (gettext("Go back and try again. If it happens again, contact support."),),
    )


def _why_to_wait(error: RateLimitedError) -> str:
    """Return why no message was sent; many for other checks may have been, and none for this."""
    if "send-context" in error.limits:
        return gettext("We have sent one already. It can take a minute to arrive.")
    return gettext("To protect your account, we have paused this for a while.")


def _texts() -> Mapping[type[Auth0MFAError], Text]:
    """Return the words for each class; the first class that fits counts."""
    return {
        MfaTokenExpiredError: Text(
            "warning",
            gettext("This check has timed out"),
            (gettext("Start it again. You are still signed in."),),
        ),
        MfaTokenError: Text(
            "warning",
            gettext("This check is not open"),
            (
                gettext("It was finished, was started in another browser, or is too old."),
                gettext("Go back to the page you wanted and open it again."),
            ),
        ),
        LoginRequiredError: Text(
            "info",
            gettext("Sign in to go on"),
            (gettext("You need to sign in again. Then do the last step once more."),),
        ),
        RateLimitedError: Text(
            "warning",
            gettext("Too many tries"),
            (gettext("To protect your account, we have paused this for a while."),),
        ),
        Auth0UnavailableError: Text(
            "error",
            gettext("We cannot check this right now"),
            (
                gettext("This is not about your code. Our sign-in service does not answer."),
                gettext("Try again in a minute. You do not have to start over."),
            ),
        ),
        MfaChallengeError: Text(
            "error",
            gettext("This method does not work right now"),
            (
                gettext(
                    "The check could not be started with it. Try again later, or use another "
                    "method if you have one."
                ),
            ),
        ),
        MfaNoAvailableFactorsError: Text(
            "error",
            gettext("None of your methods can be used here"),
            (gettext("Contact support to set up a way to confirm that it is you."),),
        ),
        UniversalLoginRequiredError: Text(
            "info",
            gettext("Sign in again to go on"),
            (gettext("This page needs a second check, which is part of signing in."),),
        ),
        # A second check would not change that the tenant gives a token for another API.
        AudienceUnavailableError: Text(
            "error",
            gettext("This did not work"),
            (gettext("This service is not set up for it yet. Contact support."),),
        ),
        StepUpUnavailableError: Text(
            "error",
            gettext("A second check is needed, but it is not set up"),
            (
                gettext("This page needs a second check that it is you."),
                gettext("This service is not set up for it yet. Contact support."),
            ),
        ),
        InsufficientScopeError: Text(
            "error",
            gettext("You do not have permission for this"),
            (gettext("If you think that you should have it, contact support."),),
        ),
        AccessDeniedError: Text(
            "error",
            gettext("Access was denied"),
            (
                gettext("The sign-in was not finished, or your account may not do this."),
                gettext("If you think that you should have access, contact support."),
            ),
        ),
    }


def _actions(error: Auth0MFAError, session: Auth0Session) -> tuple[Action, ...]:
    if isinstance(error, MfaTokenExpiredError) and error.context_id in session.targets:
        return (restart_action(session, error.context_id),)
    if isinstance(error, RateLimitedError) and error.is_about_support:
        return (Action(gettext("Go back"), home_url(), primary=True),)
    newest = session.newest_context()
    if isinstance(error, InvalidRequestError) and newest is not None:
        return (Action(gettext("Go back"), challenge_url(newest.id), primary=True),)
    if isinstance(error, (LoginRequiredError, UniversalLoginRequiredError)) and error.ticket:
        url = url_for(f"{BLUEPRINT}.login", ticket=error.ticket)
        return (Action(gettext("Sign in again"), url, primary=True),)
    if isinstance(error, LoginRequiredError):
        return (Action(gettext("Sign in"), login_url(error), primary=True),)
    if isinstance(error, (Auth0UnavailableError, RateLimitedError)):
        return (Action(gettext("Try again"), _again_url(), primary=True),)
    return (Action(gettext("Go back"), home_url(), primary=True),)


def _again_url() -> str:
    is_page = request.method in ("GET", "HEAD")
    return (requested_url() if is_page else referring_path()) or home_url()


def restart_action(session: Auth0Session, context: str) -> Action:
    """Return the button that starts a timed-out check again."""
    found = services()
    binding = bind(found.sealer, found.clock, session)
    return Action(
        gettext("Start again"),
        url_for(f"{BLUEPRINT}.restart"),
        method="post",
        form=ContextForm.shown(binding, context),
        primary=True,
    )
