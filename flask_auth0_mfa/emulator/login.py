"""The beginning of a login: ``/authorize`` and the page for the password."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

from authlib.oauth2 import OAuth2Error
from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from .current import server, tenant
from .grants import CodeGrant
from .logins import (
    Login,
    authenticated,
    begin,
    error_page,
    login_of_request,
    to_callback_with_error,
)
from .refusals import Refused
from .sessions import Session, current_session

login_pages = Blueprint("login", __name__)
_SECONDS = re.compile(r"[0-9]{1,9}")


@login_pages.get("/authorize")
def authorize() -> Response:
    """Begin a login: with a session go on, without one ask for the password."""
    try:
        oauth: CodeGrant = server().get_consent_grant()
    except OAuth2Error as error:
        return _refuse_request(error)
    login = begin(oauth)
    try:
        _check_parameters(login.query)
    except Refused as refusal:
        return to_callback_with_error(login, refusal)
    tenant().logins.put(login.id, login)
    session = current_session()
    if session is not None and not _must_log_in(login, session):
        return authenticated(login, session)
    if "none" in login.prompts:
        return to_callback_with_error(login, Refused(400, "login_required", "Login required"))
    return redirect(url_for("login.log_in", state=login.state))


def _refuse_request(error: OAuth2Error) -> Response:
    if error.redirect_uri:
        error.state = request.args.get("state")
        answer: Response = server().handle_error_response(None, error)
        return answer
    return error_page(f"{error.error}: {error.description or 'The request cannot be trusted.'}")


def _check_parameters(query: Mapping[str, str]) -> None:
    audience = query.get("audience")
    if audience and tenant().api(audience) is None:
        raise Refused(403, "access_denied", f"Service not found: {audience}")
    scopes = query.get("scope", "").split()
    if "online_access" in scopes and "offline_access" in scopes:
        raise Refused(400, "invalid_request", "online_access and offline_access exclude each other")
    if not _SECONDS.fullmatch(query.get("max_age", "0")):
        raise Refused(400, "invalid_request", "max_age must be a number of seconds")
    if query.get("response_mode", "query") != "query":
        raise Refused(400, "invalid_request", "This local tenant only knows response_mode=query")


def _must_log_in(login: Login, session: Session) -> bool:
    if login.prompts & {"login", "select_account"}:
        return True
    max_age = login.query.get("max_age")
    age = tenant().clock.now() - session.authenticated_at
    return max_age is not None and age > int(max_age)


@login_pages.get("/u/login")
def log_in() -> str:
    """Show the login form."""
    return _login_page(login_of_request())


@login_pages.post("/u/login")
def submit_password() -> Response:
    """Check e-mail and password, or let the user decline."""
    login = login_of_request()
    if request.form.get("decision") == "cancel":
        refusal = Refused(403, "access_denied", "User did not authorize the request")
        return to_callback_with_error(login, refusal)
    try:
        user = tenant().user(request.form.get("username", "").strip())
        wrong = user.password != request.form.get("password", "")
    except KeyError:
        wrong = True
    if wrong:
        return Response(_login_page(login, error=True), 400, mimetype="text/html")
    clock = tenant().clock
    session = Session(user.sub, secrets.token_urlsafe(16), clock.now(), int(clock.wall()))
    return authenticated(login, session)


def _login_page(login: Login, *, error: bool = False) -> str:
    return render_template(
        "emulator/login.html",
        login=login,
        error=error,
        username=request.form.get("username") or login.query.get("login_hint", ""),
        users=[user for user in tenant().users if not user.deleted],
    )
