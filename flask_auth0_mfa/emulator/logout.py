"""Logging out: ``/oidc/logout`` and ``/v2/logout``."""

from __future__ import annotations

from authlib.common.urls import add_params_to_uri
from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from .clients import allows
from .current import tenant
from .keys import InvalidToken
from .logins import error_page
from .sessions import COOKIE, current_session

logout_pages = Blueprint("logout", __name__)


@logout_pages.route("/oidc/logout", methods=["GET", "POST"])
def oidc_logout() -> Response:
    """End the session (OpenID Connect RP-Initiated Logout 1.0)."""
    hint = request.values.get("id_token_hint")
    try:
        claims = tenant().keys.verify(hint) if hint else {}
    except InvalidToken:
        return error_page("id_token_hint is not a token of this tenant.")
    client_id = request.values.get("client_id") or claims.get("aud")
    if claims and claims["aud"] != client_id:
        return error_page("id_token_hint was issued to another client.")
    target = request.values.get("post_logout_redirect_uri")
    if target and not allows(_logout_urls(client_id), target):
        return error_page("post_logout_redirect_uri is not in the allowed logout URLs.")
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


@logout_pages.get("/v2/logout")
def logout() -> Response:
    """End the session and go to ``returnTo``."""
    target = request.args.get("returnTo")
    if target and not allows(_logout_urls(request.args.get("client_id")), target):
        return error_page("returnTo is not in the allowed logout URLs.")
    return _logged_out(target)


def _logout_urls(client_id: str | None) -> tuple[str, ...]:
    if client_id is None:
        return tenant().configuration.logout_urls
    client = tenant().client(client_id)
    return client.logout_urls if client else ()


def _logged_out(target: str | None) -> Response:
    answer = redirect(target) if target else error_page("You are logged out.", 200)
    answer.delete_cookie(COOKIE)
    return answer
