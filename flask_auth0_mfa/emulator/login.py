"""The interactive login: ``/authorize``, the pages behind it, and logging out.

Source: Auth0's ``/authorize``, ``/oidc/logout`` and ``/v2/logout``.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import segno
from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error
from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from . import mfa
from .clients import Client, allows
from .keys import InvalidToken
from .oauth import LOGIN_PROTOCOL, CodeGrant, Server, granted_at_login
from .policy import Flow, Method, Step
from .refusals import Refused
from .sealing import Handle, Malformed
from .tenant import Grant, MfaTransaction, Tenant
from .users import Authenticator, User

#: Cookies are shared between the ports of one host, so the name has to be ours alone.
COOKIE = "auth0_emulator"
_SESSION = "session"
_LOGIN = "login"

pages = Blueprint("login", __name__)


@dataclass(frozen=True)
class Session:
    """A browser's session with the tenant; ``auth_time`` is on the wall clock."""

    sub: str
    sid: str
    authenticated_at: float
    auth_time: int


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


def tenant() -> Tenant:
    """Return the tenant of the current app."""
    found: Tenant = current_app.extensions["auth0_emulator"].tenant
    return found


def server() -> Server:
    """Return Authlib's server of the current app."""
    found: Server = current_app.extensions["auth0_emulator"]
    return found


# /authorize ---------------------------------------------------------------------------------------


@pages.get("/authorize")
def authorize() -> Response:
    """Begin a login: with a session go on, without one ask for the password."""
    try:
        oauth: CodeGrant = server().get_consent_grant()
    except OAuth2Error as error:
        return _refuse_request(error)
    login = _begin(oauth)
    try:
        _check_parameters(login.query)
    except Refused as refusal:
        return to_callback_with_error(login, refusal)
    tenant().logins.put(login.id, login)
    session = current_session()
    if session is not None and not _must_log_in(login, session):
        return _authenticated(login, session)
    if login.query.get("prompt") == "none":
        return to_callback_with_error(login, Refused(400, "login_required", "Login required"))
    return redirect(url_for("login.log_in", state=login.state))


def _begin(oauth: CodeGrant) -> Login:
    login_id = secrets.token_urlsafe(16)
    expires_at = tenant().clock.now() + tenant().configuration.login_ttl
    # The way back travels in the handle, so that a login which is over can still end there.
    query = oauth.request.args
    content = json.dumps([login_id, query["redirect_uri"], query.get("state")])
    state = tenant().sealer.seal(_LOGIN, Handle(content, expires_at))
    return Login(login_id, state, oauth, oauth.request.client, expires_at)


def _refuse_request(error: OAuth2Error) -> Response:
    if error.redirect_uri:
        error.state = request.args.get("state")
        answer: Response = server().handle_error_response(None, error)
        return answer
    return _error_page(f"{error.error}: {error.description or 'The request cannot be trusted.'}")


def _error_page(text: str, status: int = 400) -> Response:
    return Response(render_template("emulator/error.html", text=text), status, mimetype="text/html")


def _check_parameters(query: Mapping[str, str]) -> None:
    audience = query.get("audience")
    if audience and tenant().api(audience) is None:
        raise Refused(403, "access_denied", f"Service not found: {audience}")
    scopes = query.get("scope", "").split()
    if "online_access" in scopes and "offline_access" in scopes:
        raise Refused(400, "invalid_request", "online_access and offline_access exclude each other")
    if not query.get("max_age", "0").isdigit():
        raise Refused(400, "invalid_request", "max_age must be a number of seconds")
    if query.get("response_mode", "query") != "query":
        raise Refused(400, "invalid_request", "This local tenant only knows response_mode=query")


def _must_log_in(login: Login, session: Session) -> bool:
    if login.query.get("prompt") in ("login", "select_account"):
        return True
    max_age = login.query.get("max_age")
    age = tenant().clock.now() - session.authenticated_at
    return max_age is not None and age > int(max_age)


def to_callback_with_error(login: Login, refusal: OAuth2Error) -> Response:
    """End the login at the callback with ``error`` and ``error_description``."""
    tenant().logins.drop(login.id)
    query = login.query
    return _redirect_with_error(query["redirect_uri"], query.get("state"), refusal)


def _redirect_with_error(redirect_uri: str, state: str | None, refusal: OAuth2Error) -> Response:
    parameters = [("error", refusal.error), ("error_description", refusal.description)]
    if state:
        parameters.append(("state", state))
    return redirect(add_params_to_uri(redirect_uri, parameters))


# The password -------------------------------------------------------------------------------------


@pages.get("/u/login")
def log_in() -> str:
    """Show the login form."""
    return _login_page(_login_of_request())


@pages.post("/u/login")
def submit_password() -> Response:
    """Check e-mail and password, or let the user decline."""
    login = _login_of_request()
    if request.form.get("decision") == "cancel":
        refusal = Refused(403, "access_denied", "User did not authorize the request")
        return to_callback_with_error(login, refusal)
    try:
        user = tenant().user(request.form.get("username", "").strip().lower())
        wrong = user.password != request.form.get("password", "")
    except KeyError:
        wrong = True
    if wrong:
        return Response(_login_page(login, error=True), 400, mimetype="text/html")
    clock = tenant().clock
    session = Session(user.sub, secrets.token_urlsafe(16), clock.now(), int(clock.wall()))
    return _authenticated(login, session)


def _login_of_request() -> Login:
    try:
        handle = tenant().sealer.open(_LOGIN, request.values.get("state", ""))
    except Malformed:
        _abandon()
    login_id, redirect_uri, state = json.loads(handle.key)
    if handle.expires_at <= tenant().clock.now():
        refusal = Refused(400, "invalid_request", "The login took too long. Start it again.")
        abort(_redirect_with_error(redirect_uri, state, refusal))
    login: Login | None = tenant().logins.get(login_id)
    return login or _abandon()


def _abandon() -> NoReturn:
    abort(_error_page("This login is over. Start it again."))


def _login_page(login: Login, *, error: bool = False) -> str:
    return render_template(
        "emulator/login.html",
        login=login,
        error=error,
        username=request.form.get("username") or login.query.get("login_hint", ""),
        users=[user for user in tenant().users if not user.deleted],
    )


def _authenticated(login: Login, session: Session) -> Response:
    user = tenant().user_of(session.sub)
    if user is None or user.deleted:
        return redirect(url_for("login.log_in", state=login.state))
    login.session = session
    login.flow = _flow_of(login, user)
    return _go_on(login)


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


def _go_on(login: Login) -> Response:
    flow = _required(login.flow)
    try:
        step = tenant().policy.proceed(flow)
        if step is None:
            return _with_code(login, _required(login.session), flow)
        if login.query.get("prompt") == "none":
            raise Refused(400, "login_required", "Multifactor authentication required")
        _interrupt(login, flow, step)
    except Refused as refusal:
        return to_callback_with_error(login, refusal)
    return _keep_session(redirect(url_for("login.show_mfa", state=login.state)), login.session)


def _required(value: Any) -> Any:
    if value is None:
        raise RuntimeError("The steps of a login were taken out of order.")
    return value


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
        "max_age" in query or query.get("prompt") == "login",
        tenant().clock.now() + tenant().configuration.authorization_code_ttl,
    )
    tenant().logins.drop(login.id)
    answer: Response = server().create_authorization_response(
        login.oauth.request, grant_user=flow.user, grant=login.oauth
    )
    return _keep_session(answer, session)


# The MFA step -------------------------------------------------------------------------------------


def _interrupt(login: Login, flow: Flow, step: Step) -> None:
    login.transaction = mfa.interrupt(tenant(), flow, step)
    login.authenticator = login.oob_code = login.enrollment = None
    choices = _choices(login)
    if not choices:
        _begin_enrollment(login, step)
    elif len(choices) == 1 and choices[0].authenticator_type != "oob":
        login.authenticator = choices[0]


def _choices(login: Login) -> list[Authenticator]:
    transaction = _required(login.transaction)
    if transaction.step.enroll:
        return []
    return [a for a in transaction.flow.user.active() if transaction.step.allows(a.type)]


def _begin_enrollment(login: Login, step: Step) -> None:
    body = {"authenticator_types": ["otp"]}
    if step.enroll and "otp" not in step.enroll:
        body = {"authenticator_types": ["oob"], "oob_channels": ["auth0"]}
    login.enrollment = mfa.associate(tenant(), _required(login.transaction), body)
    login.oob_code = login.enrollment.get("oob_code")


@pages.get("/u/mfa")
def show_mfa() -> str:
    """Show the choice of factors, the form for a code, or an enrollment."""
    login = _login_of_request()
    if login.transaction is None:
        _abandon()
    return _mfa_page(login)


@pages.post("/u/mfa")
def submit_mfa() -> Response:
    """Take a choice of factor, or check what the user proves."""
    login = _login_of_request()
    if login.transaction is None:
        _abandon()
    try:
        if "authenticator_id" in request.form:
            _choose(login, request.form["authenticator_id"])
            return redirect(url_for("login.show_mfa", state=login.state))
        _prove(login, request.form.get("code", "").replace(" ", ""))
    except Refused as refusal:
        return Response(_mfa_page(login, refusal), refusal.status_code, mimetype="text/html")
    return _after_proof(login)


def _choose(login: Login, authenticator_id: str) -> None:
    login.oob_code = None
    login.authenticator = next((a for a in _choices(login) if a.id == authenticator_id), None)
    if login.authenticator is not None and login.authenticator.authenticator_type == "oob":
        sent = mfa.send(tenant(), _required(login.transaction), login.authenticator)
        login.oob_code = sent["oob_code"]


def _prove(login: Login, code: str) -> None:
    transaction = _required(login.transaction)
    if login.oob_code:
        mfa.check_oob(tenant(), transaction, login.oob_code, code)
    elif login.authenticator is not None and login.authenticator.kind == "recovery-code":
        mfa.check_recovery_code(tenant(), transaction, code)
    else:
        mfa.check_otp(tenant(), transaction, code)


def _after_proof(login: Login) -> Response:
    if _required(login.flow).new_recovery_code:
        login.transaction = None
        return Response(render_template("emulator/recovery_code.html", login=login))
    return _go_on(login)


@pages.post("/u/recovery-code")
def keep_recovery_code() -> Response:
    """Go on when the user has seen the new recovery code."""
    login = _login_of_request()
    if login.flow is None or not login.flow.new_recovery_code:
        _abandon()
    login.flow.new_recovery_code = None
    return _go_on(login)


def _mfa_page(login: Login, refusal: Refused | None = None) -> str:
    qr_code = None
    if login.enrollment:
        # segno's own markup: there is nothing of a user in it that is not encoded as modules.
        svg = segno.make(login.enrollment["barcode_uri"]).svg_inline(scale=4, border=4)
        qr_code = Markup(svg)  # noqa: S704
    return render_template(
        "emulator/mfa.html",
        login=login,
        choices=_choices(login),
        enrollment=login.enrollment,
        qr_code=qr_code,
        error=refusal.description if refusal else None,
    )


# The session cookie -------------------------------------------------------------------------------


def current_session() -> Session | None:
    """Return the session of this browser, if it has one."""
    try:
        handle = tenant().sealer.open(_SESSION, request.cookies.get(COOKIE, ""))
    except Malformed:
        return None
    if handle.expires_at <= tenant().clock.now():
        return None
    return Session(*json.loads(handle.key))


def _keep_session(answer: Response, session: Session | None) -> Response:
    if session is None:
        return answer
    content = [session.sub, session.sid, session.authenticated_at, session.auth_time]
    expires_at = tenant().clock.now() + tenant().configuration.session_ttl
    sealed = tenant().sealer.seal(_SESSION, Handle(json.dumps(content), expires_at))
    answer.set_cookie(COOKIE, sealed, httponly=True, samesite="Lax", secure=request.is_secure)
    return answer


# Logging out --------------------------------------------------------------------------------------


@pages.route("/oidc/logout", methods=["GET", "POST"])
def oidc_logout() -> Response:
    """End the session (OpenID Connect RP-Initiated Logout 1.0)."""
    hint = request.values.get("id_token_hint")
    try:
        claims = tenant().keys.verify(hint) if hint else {}
    except InvalidToken:
        return _error_page("id_token_hint is not a token of this tenant.")
    client_id = request.values.get("client_id") or claims.get("aud")
    if claims and claims["aud"] != client_id:
        return _error_page("id_token_hint was issued to another client.")
    target = request.values.get("post_logout_redirect_uri")
    if target and not allows(_logout_urls(client_id), target):
        return _error_page("post_logout_redirect_uri is not in the allowed logout URLs.")
    session = current_session()
    sid = claims.get("sid") or request.values.get("logout_hint")
    confirmed = request.method == "POST" and "confirmed" in request.form
    if session is not None and session.sid != sid and not confirmed:
        return Response(
            render_template("emulator/logout.html", parameters=request.values), mimetype="text/html"
        )
    if target and (state := request.values.get("state")):
        target = add_params_to_uri(target, [("state", state)])
    return _logged_out(target)


@pages.get("/v2/logout")
def logout() -> Response:
    """End the session and go to ``returnTo``."""
    target = request.args.get("returnTo")
    if target and not allows(_logout_urls(request.args.get("client_id")), target):
        return _error_page("returnTo is not in the allowed logout URLs.")
    return _logged_out(target)


def _logout_urls(client_id: str | None) -> tuple[str, ...]:
    if client_id is None:
        return tenant().configuration.logout_urls
    client = tenant().client(client_id)
    return client.logout_urls if client else ()


def _logged_out(target: str | None) -> Response:
    answer = redirect(target) if target else _error_page("You are logged out.", 200)
    answer.delete_cookie(COOKIE)
    return answer
