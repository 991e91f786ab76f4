"""What can be seen in the application alone: keys, cookies, proxy, storage, times, guards."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from flask.sessions import SecureCookieSessionInterface
from werkzeug.middleware.proxy_fix import ProxyFix

from ..config import key_warnings
from ..models import scope_set
from ..sessions import Auth0SessionInterface, WrappedSessionInterface
from ..signals import check_refused
from .findings import Finding, Severity, error, passed, warning
from .subject import Subject

#: How long Auth0's own ``mfa_token`` lives, in seconds.
AUTH0_MFA_TOKEN_TTL = 600
#: Nobody finds a phone, reads a code and fills in a form in less, in seconds.
SHORTEST_CHECK = 60

Check = Callable[[Subject], Iterator[Finding]]


def check_secret_key(subject: Subject) -> Iterator[Finding]:
    """The keys are strong; their fingerprint lets an operator compare machines."""
    weaknesses = key_warnings(subject.app.config, subject.found.settings.domain)
    for weakness in weaknesses:
        what, _, fix = weakness.partition(". ")
        yield warning(
            "secret-key",
            f"{what}.",
            why="Who guesses it makes sessions and opens the sealed tokens of every user.",
            fix=fix or weakness,
        )
    fingerprint = subject.found.sealer.name("doctor")[:8]
    text = f"SECRET_KEY has the fingerprint {fingerprint}: the same at each start and machine?"
    yield passed("secret-key-fingerprint", text)


def check_cookie_secure(subject: Subject) -> Iterator[Finding]:
    """Session cookies travel over HTTPS only."""
    config = subject.app.config
    is_secure = bool(config["SESSION_COOKIE_SECURE"])
    is_plain_http = subject.base_url is not None and not subject.is_https
    if is_secure and is_plain_http and not subject.is_local:
        yield error(
            "cookie-secure",
            f"SESSION_COOKIE_SECURE is set, but users reach {subject.base_url} over http.",
            why="Browsers do not send the cookies back: every login ends in an error.",
            fix="Serve the application over https, and give that address to --base-url.",
        )
    elif is_secure:
        yield passed("cookie-secure", "Cookies travel over https only")
    else:
        # With a tenant on this machine this is somebody's desk, where there is no https.
        is_bad = subject.is_https or not subject.is_local
        yield Finding(
            "cookie-secure",
            Severity.ERROR if is_bad else Severity.WARNING,
            "SESSION_COOKIE_SECURE is off.",
            "A request over http, which anybody on the network can cause, shows the session"
            " cookies. The __Host- prefix is missing, too.",
            'In production: app.config["SESSION_COOKIE_SECURE"] = True',
        )


def check_cookie_httponly(subject: Subject) -> Iterator[Finding]:
    """Scripts cannot read the application's session."""
    if subject.app.config["SESSION_COOKIE_HTTPONLY"]:
        yield passed("cookie-httponly", "Scripts cannot read the session cookie")
        return
    yield error(
        "cookie-httponly",
        "SESSION_COOKIE_HTTPONLY is off.",
        why="A script that gets into a page takes the session away, and begins logins with it.",
        fix='app.config["SESSION_COOKIE_HTTPONLY"] = True (which is Flask\'s default)',
    )


def check_cookie_samesite(subject: Subject) -> Iterator[Finding]:
    """The cookies come along on the way back from Auth0, and not with other sites' forms."""
    chosen = subject.app.config["SESSION_COOKIE_SAMESITE"]
    lax = 'app.config["SESSION_COOKIE_SAMESITE"] = "Lax"'
    # Werkzeug takes it in any case.
    meant = chosen.title() if isinstance(chosen, str) else chosen
    if meant == "Strict":
        yield error(
            "cookie-samesite",
            f'SESSION_COOKIE_SAMESITE is "{chosen}".',
            why="Auth0 sends users back from another site, and a strict cookie does not come"
            " along: every login ends in an error.",
            fix=lax,
        )
    elif meant == "Lax":
        yield passed("cookie-samesite", "SameSite is Lax")
    elif meant not in ("None", None):
        yield error(
            "cookie-samesite",
            f"SESSION_COOKIE_SAMESITE is {chosen!r}, which no cookie can have.",
            why="Whatever sets a cookie ends in an error 500: nobody can log in.",
            fix=lax,
        )
    else:
        yield warning(
            "cookie-samesite",
            f"SESSION_COOKIE_SAMESITE is {chosen!r}.",
            why="Other sites can send forms with your users' session. The extension's own forms"
            " and cookies are protected; the application's may not be.",
            fix=lax,
        )


def check_cookie_scope(subject: Subject) -> Iterator[Finding]:
    """The cookies reach the callback, and nobody else's host."""
    path = subject.app.session_interface.get_cookie_path(subject.app)
    callback = subject.path_of("callback")
    if not f"{callback}/".startswith(f"{path.rstrip('/')}/"):
        yield error(
            "cookie-path",
            f"The cookies' path is {path}, and the callback {callback} is not below it.",
            why="The browser does not send them to the callback: every login ends in an error.",
            fix="Leave SESSION_COOKIE_PATH out, or put the routes below it with"
            " AUTH0_MFA_URL_PREFIX.",
        )
    domain = subject.app.config["SESSION_COOKIE_DOMAIN"]
    host = urlsplit(subject.public_url or "").hostname
    if domain and host and not f".{host}".endswith(f".{domain.lstrip('.').lower()}"):
        yield error(
            "cookie-domain",
            f"SESSION_COOKIE_DOMAIN is {domain}, and {host} is not below it.",
            why="Browsers refuse cookies for another domain: every login ends in an error.",
            fix="Leave SESSION_COOKIE_DOMAIN out.",
        )
    elif domain:
        yield warning(
            "cookie-domain",
            f"SESSION_COOKIE_DOMAIN is {domain}.",
            why="Every host below it gets the session cookies and can plant its own; the __Host-"
            " prefix cannot be used.",
            fix="Leave SESSION_COOKIE_DOMAIN out, unless hosts have to share a session.",
        )


def check_proxy(subject: Subject) -> Iterator[Finding]:
    """Behind a proxy, scheme, host and addresses of users are taken from its headers."""
    fix = _proxy_fix(subject.app.wsgi_app)
    lines = (
        "from werkzeug.middleware.proxy_fix import ProxyFix;"
        " app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1), with the number of"
        " your proxies"
    )
    why = (
        "Behind a proxy, the callback is made with http:// or an inner host, which Auth0 refuses,"
        " and limits take all users for one address (too many tries for everybody)."
    )
    if fix is None:
        if not subject.is_local:
            what = "There is no ProxyFix. Right only if no proxy stands in front."
            yield warning("proxy", what, why=why, fix=lines)
        return
    missing = [name for name in ("x_for", "x_proto", "x_host") if not getattr(fix, name)]
    if missing:
        what = f"ProxyFix ignores what the proxy says: {', '.join(missing)} is 0."
        yield warning("proxy", what, why=why, fix=lines)
    else:
        hops = f"x_for={fix.x_for}, x_proto={fix.x_proto}, x_host={fix.x_host}"
        yield passed("proxy", f"ProxyFix is there ({hops})")


def _proxy_fix(wsgi_app: object) -> ProxyFix | None:
    """Return the ProxyFix among the middlewares, as far as they say what they wrap."""
    for _ in range(20):
        if wsgi_app is None or isinstance(wsgi_app, ProxyFix):
            return wsgi_app
        parts = getattr(wsgi_app, "__dict__", {})
        wsgi_app = parts.get("app") or parts.get("wsgi_app") or parts.get("application")
    return None


def check_trusted_hosts(subject: Subject) -> Iterator[Finding]:
    """The host in callback and logout addresses is one of the application's own."""
    if subject.app.config.get("TRUSTED_HOSTS"):
        yield passed("trusted-hosts", "TRUSTED_HOSTS is set")
    elif not subject.is_local:
        yield warning(
            "trusted-hosts",
            "TRUSTED_HOSTS is not set.",
            why="Callback and logout addresses are made from the request's Host header, which"
            " anybody can write.",
            fix='app.config["TRUSTED_HOSTS"] = ["shop.example.com"], with your own host',
        )


def check_storage(subject: Subject) -> Iterator[Finding]:
    """Limits and refreshes are shared by all processes."""
    uri = subject.settings.state_uri
    if uri is not None and not uri.startswith("memory://"):
        yield passed("storage", "Shared state is kept outside the process")
        return
    workers = os.environ.get("WEB_CONCURRENCY", "1")
    severity = Severity.ERROR if workers.isdigit() and int(workers) > 1 else Severity.WARNING
    yield Finding(
        "storage",
        severity,
        "AUTH0_STATE_URI names no shared storage: each process keeps its own state in memory.",
        "Right for one process only. With more, limits on guesses count in each for itself, and"
        " two processes can use the same refresh token, which ends the user's login.",
        "AUTH0_STATE_URI=redis://HOST:6379/0 (pip install 'flask-auth0-mfa[redis]')",
    )


def check_session_interface(subject: Subject) -> Iterator[Finding]:
    """Sessions are kept by the extension's interface, where browsers cannot read them."""
    interface = subject.app.session_interface
    name = type(interface).__name__
    if not isinstance(interface, Auth0SessionInterface | WrappedSessionInterface):
        yield error(
            "session-interface",
            f"{name} has replaced the session interface of Auth0MFA.",
            why="Checks that are over are not removed, and where it keeps sessions in cookies,"
            " browsers can read the tokens.",
            fix="Set it up before the extension: first Session(app), then Auth0MFA(app).",
        )
        return
    inner = getattr(interface, "_inner", None)
    if isinstance(inner, SecureCookieSessionInterface):
        yield error(
            "session-interface",
            f"{type(inner).__name__} keeps the session in a signed cookie, with the tokens in it.",
            why="A signature hides nothing: the browser can read access and refresh tokens. They"
            " hardly fit into a cookie, either.",
            fix="Use Flask's own SecureCookieSessionInterface, beside which the tokens travel"
            " sealed, or a session on the server (Flask-Session).",
        )
        return
    kept = "in sealed cookies" if inner is None else f"by {type(inner).__name__}"
    yield passed("session-interface", f"Sessions are kept {kept}")


def check_times(subject: Subject) -> Iterator[Finding]:
    """The lengths of time fit together."""
    settings = subject.settings
    ttl = settings.mfa_context_ttl
    lifetime = int(subject.app.permanent_session_lifetime.total_seconds())
    if ttl > AUTH0_MFA_TOKEN_TTL:
        yield warning(
            "context-ttl",
            f"AUTH0_MFA_CONTEXT_TTL is {ttl} s, longer than Auth0's mfa_token lives"
            f" (about {AUTH0_MFA_TOKEN_TTL} s).",
            why="Right codes are refused at the end of it, as mfa_token_expired.",
            fix="AUTH0_MFA_CONTEXT_TTL=300",
        )
    if ttl < SHORTEST_CHECK:
        yield warning(
            "context-ttl",
            f"AUTH0_MFA_CONTEXT_TTL is {ttl} s.",
            why="Nobody finds their phone in that time: checks end in mfa_token_expired.",
            fix="AUTH0_MFA_CONTEXT_TTL=300",
        )
    if lifetime < max(ttl, settings.stepup_max_age):
        yield warning(
            "session-lifetime",
            f"PERMANENT_SESSION_LIFETIME is {lifetime} s, shorter than a check is good for"
            f" ({settings.stepup_max_age} s) or may take ({ttl} s).",
            why="The login ends first: users are sent to log in in the middle of a check.",
            fix="Make PERMANENT_SESSION_LIFETIME longer than both.",
        )


def check_scope(subject: Subject) -> Iterator[Finding]:
    """Login asks for the refresh token that everything is made with."""
    if "offline_access" in scope_set(subject.settings.scope):
        yield passed("offline-access", "Login asks for offline_access")
        return
    yield error(
        "offline-access",
        "AUTH0_SCOPE does not contain offline_access.",
        why="Login brings no refresh token: guarded views answer login_required, again and again,"
        " although the user is signed in.",
        fix='AUTH0_SCOPE="openid profile email offline_access", and in the dashboard'
        " Applications > APIs > your API > Allow Offline Access",
    )


def check_trust(subject: Subject) -> Iterator[Finding]:
    """A mistake in the tenant does not open a view."""
    if subject.settings.stepup_trust_tenant:
        yield warning(
            "trust-tenant",
            "AUTH0_STEPUP_TRUST_TENANT is on.",
            why="Any mistake in the tenant's Action opens every guarded view without a second"
            " factor, and nobody notices.",
            fix="Leave AUTH0_STEPUP_TRUST_TENANT out.",
        )


def check_debug(subject: Subject) -> Iterator[Finding]:
    """Nothing that is for the desk runs with a real tenant."""
    on = [name for name in ("DEBUG", "TESTING") if subject.app.config.get(name)]
    if on and not subject.is_local:
        yield warning(
            "debug",
            f"{' and '.join(on)} is on, with the tenant {subject.settings.domain}.",
            why="Errors show the application's inside, and weak keys are let pass.",
            fix="Run this command, and production, without FLASK_DEBUG and TESTING.",
        )


def check_events(subject: Subject) -> Iterator[Finding]:
    """Somebody hears of attacks: the event log, or a receiver of the application's own."""
    if check_refused.has_receivers_for(subject.app):
        yield passed("events", "Refused checks are heard of")
    elif not subject.is_local:
        yield warning(
            "events",
            "Nobody hears of refused checks: there is no event log, and no receiver of signals.",
            why="Somebody who presents forged or stolen tokens is refused, and nobody notices.",
            fix="Set AUTH0_MFA_EVENT_LOG=True, or connect a receiver to the signal check_refused.",
        )


def check_guards(subject: Subject) -> Iterator[Finding]:
    """Something is guarded, by identifiers that are not mixed up."""
    apis = subject.apis
    if not apis:
        yield warning(
            "guards",
            "No route is guarded by requires_stepup.",
            why="Nothing asks for a second factor. Or the guard stands above @app.route, where the"
            " route never sees it.",
            fix="Put @requires_stepup(AUDIENCE) below @app.route(...); `flask auth0-mfa routes`"
            " shows what is guarded.",
        )
        return
    for audience in sorted(apis):
        if f"{audience}/" in apis:
            yield warning(
                "audiences",
                f"Guards name both {audience} and {audience}/.",
                why="To Auth0 these are two APIs; one of them is probably a slip, and its routes"
                " cannot be opened.",
                fix="Use the API's identifier as the dashboard shows it, byte for byte.",
            )
    listed = ", ".join(sorted(apis))
    yield passed("guards", f"Guarded APIs: {listed}")


#: Every check that needs no network, in the order of the report.
CHECKS: tuple[Check, ...] = (
    check_secret_key,
    check_cookie_secure,
    check_cookie_httponly,
    check_cookie_samesite,
    check_cookie_scope,
    check_proxy,
    check_trusted_hosts,
    check_storage,
    check_session_interface,
    check_times,
    check_scope,
    check_trust,
    check_debug,
    check_events,
    check_guards,
)
