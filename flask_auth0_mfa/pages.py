"""Rendering of pages: what every template gets, and the headers that every page has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from posixpath import normpath
from typing import Any
from urllib.parse import quote, unquote

from flask import Response, current_app, make_response, render_template, request, url_for

from .forms import ContextForm
from .i18n import gettext, language, ngettext
from .models import Auth0Session
from .return_to import is_same_origin, safe_return_to, same_origin_path
from .services import services

BLUEPRINT = "auth0_mfa"


@dataclass(frozen=True)
class Action:
    """A way on from a page: a link, or a button that sends ``form``."""

    label: str
    url: str
    method: str = "get"
    form: ContextForm | None = None
    primary: bool = False


def render_page(
    template: str, session: Auth0Session, *, status: int = 200, **variables: Any
) -> Response:
    """Return the page made from ``auth0_mfa/<template>`` with all its headers."""
    response = make_response(
        render_template(f"auth0_mfa/{template}", **_common(session), **variables), status
    )
    set_page_headers(response)
    return response


def _common(session: Auth0Session) -> dict[str, Any]:
    settings = services().settings
    written = language()
    return {
        "_": gettext,
        "ngettext": ngettext,
        "lang": written.tag,
        "dir": written.direction,
        "service_name": settings.mfa_service_name or current_app.name,
        "account": account_name(session.user),
        "cancel_url": home_url(),
        "logout_url": url_for(f"{BLUEPRINT}.logout") if session.user else None,
        "help_url": settings.mfa_help_url,
        "logo_url": request.script_root + settings.mfa_logo if settings.mfa_logo else None,
        "stylesheet_url": stylesheet_url(),
    }


def stylesheet_url() -> str:
    """Return where the stylesheet is: a static file, unless the application has a look of its own.

    One or the other, so that no page needs a further request for its colours.
    """
    if services().settings.is_themed:
        return url_for(f"{BLUEPRINT}.stylesheet")
    return url_for(f"{BLUEPRINT}.static", filename="auth0_mfa.css")


def account_name(user: Mapping[str, Any] | None) -> str | None:
    """Return the name of the signed-in user; of an e-mail address only what tells it apart."""
    for claim in ("name", "nickname", "email"):
        value = (user or {}).get(claim)
        if isinstance(value, str) and value:
            local, at, host = value.partition("@")
            return f"{local[:1]}•••@{host}" if at and host else value
    return None


def home_url() -> str:
    """Return the safe page of the application that Cancel leads to."""
    return request.script_root + services().settings.mfa_cancel_url


def set_no_store(response: Response) -> Response:
    """Keep an answer that depends on a user's session out of every cache (SEC-70)."""
    response.headers["Cache-Control"] = "no-store, private"
    if "Vary" in response.headers:
        response.vary.add("Cookie")
    else:
        response.headers["Vary"] = "Cookie"
    return response


def set_page_headers(response: Response) -> Response:
    """Set the security headers of a page, where the application has not set its own."""
    set_no_store(response)
    # A form of ours may end in a redirect to the tenant's login page, which the browser checks
    # against form-action as well.
    tenant = services().settings.base_url
    policy = (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        f"img-src 'self' data:; form-action 'self' {tenant}; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    for name, value in {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        # Not no-referrer: browsers then send "Origin: null" with the page's own forms.
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    }.items():
        response.headers.setdefault(name, value)
    return response


# -- where a user comes from -------------------------------------------------------------------


def requested_url() -> str | None:
    """Return the path and query of this request in a form that is safe to go to again.

    What the server has decoded is not: of ``/%5Cevil.test`` a link would lead to that site.
    """
    path = quote(request.script_root + request.path, safe="/-._~!$&'()*+,;=:@")
    # Its bytes, as they came: not every client encodes what is beyond ASCII.
    query = quote(request.query_string, safe="/-._~!$&'()*+,;=:@%?[]|")
    return safe_return_to(f"{path}?{query}" if query else path)


def requested_path() -> str | None:
    """Return the path and query of this request as a page to come back to; none of ours."""
    return own_page(requested_url())


def referring_path() -> str | None:
    """Return the path of the page that sent this request, if it is one of this application."""
    return own_page(same_origin_path(request.referrer, request.host_url))


def is_from_another_site() -> bool:
    """Tell what browsers say of the page that made them send this; programs say nothing.

    Browsers that do not know fetch metadata name the origin.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("cross-site", "same-site")
    origin = request.headers.get("Origin")
    # What ProxyFix makes of the headers of a proxy is in the address already.
    return origin is not None and not is_same_origin(origin, request.host_url)


def own_page(target: str | None) -> str | None:
    """Return ``target`` if it is a page of the application, but none of ours (SEC-18)."""
    target = safe_return_to(target)
    return None if target is None or _leads_to_us(target) else target


def _leads_to_us(target: str) -> bool:
    """Tell whether a path ends up at our routes, however it is written."""
    prefix = request.script_root + services().settings.mfa_url_prefix
    arrived = _arrived(target)
    # A proxy may follow the dots that the server before it has decoded.
    return any(f"{path}/".startswith(f"{prefix}/") for path in (arrived, normpath(arrived)))


def _arrived(target: str) -> str:
    """Return the path that a target is in the end, without a slash at its end.

    The browser goes where ``.`` and ``..`` lead, encoded or not; the server then decodes what is
    left, and takes several slashes for one.
    """
    steps: list[str] = []
    for step in target.partition("?")[0].split("/")[1:]:
        if unquote(step) == "..":
            del steps[-1:]
        elif unquote(step) != ".":
            steps.append(step)
    decoded = unquote("/".join(steps))
    return "/" + "/".join(step for step in decoded.split("/") if step)
