"""Logins on their way from ``/authorize`` to a code at the callback."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error
from flask import abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from .clients import Client
from .current import server, tenant
from .enrollment import associate
from .flow import LOGIN_PROTOCOL, Flow, Method, Step
from .grants import CodeGrant
from .records import Grant, MfaTransaction
from .refusals import Refused
from .scopes import granted_at_login
from .sealing import Handle, Malformed
from .sessions import Session, keep_session
from .transactions import interrupt
from .users import ENROLLABLE, Authenticator, User

T = TypeVar("T")
_LOGIN = "login"


@dataclass
class Login:
    """An authorization request on its way to a code; ``state`` is its sealed id in the pages."""

    id: str
    state: str
    oauth: CodeGrant
    client: Client
    expires_at: float
    session: Session | None = None
    flow: Flow | None = None
    transaction: MfaTransaction | None = None
    authenticator: Authenticator | None = None
    oob_code: str | None = None
    enrollment: dict[str, Any] | None = None

    @property
    def query(self) -> Mapping[str, str]:
        """Return the parameters of the authorization request."""
        query: Mapping[str, str] = self.oauth.request.args
        return query

    @property
    def prompts(self) -> set[str]:
        """Return the values of ``prompt``."""
        return set(self.query.get("prompt", "").split())


def begin(oauth: CodeGrant) -> Login:
    """Return a new login for an authorization request that Authlib has found valid."""
    login_id = secrets.token_urlsafe(16)
    expires_at = tenant().clock.now() + tenant().configuration.login_ttl
    # The way back travels in the handle, so that a login which is over can still end there.
    query = oauth.request.args
    content = json.dumps([login_id, query["redirect_uri"], query.get("state")])
    state = tenant().sealer.seal(_LOGIN, Handle(content, expires_at))
    return Login(login_id, state, oauth, oauth.request.client, expires_at)


def login_of_request() -> Login:
    """Return the login that a page is about; ends the request when there is none any more."""
    try:
        handle = tenant().sealer.open(_LOGIN, request.values.get("state", ""))
    except Malformed:
        abandon()
    login_id, redirect_uri, state = json.loads(handle.key)
    if handle.expires_at <= tenant().clock.now():
        refusal = Refused(400, "invalid_request", "The login took too long. Start it again.")
        abort(_redirect_with_error(redirect_uri, state, refusal))
    login: Login | None = tenant().logins.get(login_id)
    return login or abandon()


def abandon() -> NoReturn:
    """End the request with a page that says that the login is over."""
    abort(error_page("This login is over. Start it again."))


def error_page(text: str, status: int = 400) -> Response:
    """Return a page with one sentence."""
    return Response(render_template("emulator/error.html", text=text), status, mimetype="text/html")


def _redirect_with_error(redirect_uri: str, state: str | None, refusal: OAuth2Error) -> Response:
    parameters = [("error", refusal.error), ("error_description", refusal.description)]
    if state:
        parameters.append(("state", state))
    return redirect(add_params_to_uri(redirect_uri, parameters))


def to_callback_with_error(login: Login, refusal: OAuth2Error) -> Response:
    """End the login at the callback with ``error`` and ``error_description``."""
    tenant().logins.drop(login.id)
    query = login.query
    return _redirect_with_error(query["redirect_uri"], query.get("state"), refusal)


def authenticated(login: Login, session: Session) -> Response:
    """Go on with a login whose user is known."""
    user = tenant().user_of(session.sub)
    if user is None or user.deleted:
        return redirect(url_for("login.log_in", state=login.state))
    login.session = session
    login.flow = _flow_of(login, user)
    return go_on(login)


def _flow_of(login: Login, user: User) -> Flow:
    query, session = login.query, login.session
    audience = query.get("audience")
    api = tenant().api(audience) if audience else None
    requested = tuple(query.get("scope", "openid").split())
    # A token for the MFA API takes MFA from everyone who has more than an e-mail address for it.
    forced = audience == tenant().mfa_audience and bool(set(user.active_types()) - {"email"})
    return Flow(
        user,
        login.client,
        LOGIN_PROTOCOL,
        api,
        granted_at_login(login.client, api, requested),
        acr_values=tuple(query.get("acr_values", "").split()),
        requested_scopes=requested,
        query=query,
        methods=[Method("pwd", session.authenticated_at)] if session else [],
        multifactor=forced,
    )


def go_on(login: Login) -> Response:
    """Run the Actions: to the callback with a code or an error, or to the MFA step."""
    flow = required(login.flow)
    try:
        step = tenant().policy.proceed(flow)
        if step is None:
            return _with_code(login, required(login.session), flow)
        if "none" in login.prompts:
            raise Refused(400, "login_required", "Multifactor authentication required")
        _interrupt(login, flow, step)
    except Refused as refusal:
        return to_callback_with_error(login, refusal)
    return keep_session(redirect(url_for("hosted_mfa.show_mfa", state=login.state)), login.session)


def _with_code(login: Login, session: Session, flow: Flow) -> Response:
    query = login.query
    login.oauth.request.grant = Grant(
        flow,
        query["redirect_uri"],
        query.get("code_challenge"),
        query.get("code_challenge_method"),
        query.get("nonce"),
        session.sid,
        session.auth_time,
        "max_age" in query or "login" in login.prompts,
        tenant().clock.now() + tenant().configuration.authorization_code_ttl,
    )
    tenant().logins.drop(login.id)
    answer: Response = server().create_authorization_response(
        login.oauth.request, grant_user=flow.user, grant=login.oauth
    )
    return keep_session(answer, session)


def _interrupt(login: Login, flow: Flow, step: Step) -> None:
    login.transaction = interrupt(tenant(), flow, step)
    login.authenticator = login.oob_code = login.enrollment = None
    offered = choices(login)
    if not offered:
        _begin_enrollment(login, step)
    elif len(offered) == 1 and offered[0].authenticator_type != "oob":
        login.authenticator = offered[0]


def _begin_enrollment(login: Login, step: Step) -> None:
    offered = step.enroll or ENROLLABLE
    if "otp" in offered:
        enroll(login, {"authenticator_types": ["otp"]})
    elif "push-notification" in offered:
        enroll(login, {"authenticator_types": ["oob"], "oob_channels": ["auth0"]})
    # What is left is a phone, and the page asks for its number first.


def enroll(login: Login, body: Mapping[str, Any]) -> None:
    """Begin the enrollment that the body of ``/mfa/associate`` describes."""
    login.enrollment = associate(tenant(), required(login.transaction), body)
    login.oob_code = login.enrollment.get("oob_code")


def choices(login: Login) -> list[Authenticator]:
    """Return the authenticators that the MFA step allows; none when one is to be enrolled."""
    transaction = required(login.transaction)
    if transaction.step.enroll:
        return []
    return [a for a in transaction.flow.user.active() if transaction.step.allows(a.type)]


def required(value: T | None) -> T:
    """Return what an earlier step of the login has left; raises RuntimeError without it."""
    if value is None:
        raise RuntimeError("The steps of a login were taken out of order.")
    return value
