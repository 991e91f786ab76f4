"""The doctor: each trouble is made on the local tenant, found, and told with its remedy."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click import unstyle
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.middleware.shared_data import SharedDataMiddleware

from flask_auth0_mfa import Auth0MFA, doctor, jsontext, requires_stepup
from flask_auth0_mfa.doctor import Finding, Severity, Subject, examine, report
from flask_auth0_mfa.emulator import Api, Client, Configuration, RefreshTokenSettings, Tenant, serve
from flask_auth0_mfa.emulator.clients import GRANT_TYPES
from flask_auth0_mfa.secret import Secret
from flask_auth0_mfa.signals import check_refused

from .conftest import ACCOUNTS, PAYMENTS, SECRET_KEY, Clock
from .emulator.application import Application
from .redis_server import redis_server

ANA = "ana@example.com"
DOCTOR = Path(doctor.__file__).parent
ERROR, WARNING, UNCHECKED, OK = (
    Severity.ERROR,
    Severity.WARNING,
    Severity.UNCHECKED,
    Severity.OK,
)
POLICIES = {
    ACCOUNTS: ("read:accounts",),
    PAYMENTS: ("read:payments", "transfer:funds"),
}
CLIENT = Client("demo-client", "demo-secret", refresh_token=RefreshTokenSettings(policies=POLICIES))


class Ward:
    """A shop with one guarded view, at a tenant of its own."""

    def __init__(self, url: str, tenant: Tenant, clock: Clock) -> None:
        self.url = url
        self.tenant = tenant
        self.clock = clock

    def app(self, scope: str = "transfer:funds", **config: Any) -> Flask:
        """Return the application, with these settings over the right ones."""
        app = Flask("shop")
        app.config.update(
            SECRET_KEY=SECRET_KEY,
            AUTH0_DOMAIN=self.url,
            AUTH0_CLIENT_ID="demo-client",
            AUTH0_CLIENT_SECRET="demo-secret",
        )
        app.config.update(config)
        Auth0MFA(app, clock=self.clock)
        app.get("/transfer")(requires_stepup(PAYMENTS, scope=scope)(lambda: "moved"))
        return app

    def refresh_token(self) -> Secret:
        """Log Ana in, for the doctor; the login itself asks for no second factor."""
        configuration = self.tenant.configuration
        self.tenant.configure(replace(configuration, mfa_policy="never"))
        with Application(self.url) as application:
            token = Secret(application.log_in(ANA)["refresh_token"])
        self.tenant.configure(configuration)
        return token

    def findings(self, *, log_in: bool = False, **config: Any) -> list[Finding]:
        """Return what the doctor finds; with a login, by a refresh token as well."""
        app = self.app(**config)
        token = self.refresh_token() if log_in else None
        return examine(Subject(app, "http://localhost:5000", token))


@pytest.fixture
def ward_with(tenant: Tenant, clock: Clock) -> Callable[..., Any]:
    """Return a function that serves a tenant with these settings."""

    @contextmanager
    def make(**settings: Any) -> Iterator[Ward]:
        own = Tenant(Configuration(**{"clients": (CLIENT,), **settings}), keys=tenant.keys)
        with serve(own) as server:
            yield Ward(server.url, own, clock)

    return make


@pytest.fixture
def ward(ward_with: Callable[..., Any]) -> Iterator[Ward]:
    """A tenant that is set up as it should be."""
    with ward_with() as made:
        yield made


def the(code: str, findings: list[Finding]) -> Finding:
    """Return the one finding of that code."""
    found = [one for one in findings if one.code == code]
    assert len(found) == 1, [(one.code, one.severity.value, one.what) for one in findings]
    return found[0]


def codes(findings: list[Finding], severity: Severity) -> set[str]:
    """Return the codes of the findings of that severity."""
    return {one.code for one in findings if one.severity is severity}


def always(_event: Any, api: Any) -> None:
    """Ask for a second factor wherever there is a refresh."""
    if _event.transaction.protocol == "oauth2-refresh-token":
        api.authentication.challenge_with_any(["otp"])


def never(_event: Any, _api: Any) -> None:
    """Ask for nothing: what a tenant without an Action does."""


def coarse(event: Any, api: Any) -> None:
    """Ask for payments, by the older switch."""
    if event.resource_server and event.resource_server.identifier == PAYMENTS:
        api.multifactor.enable("any")


def deny(event: Any, api: Any) -> None:
    """Deny payments."""
    if event.resource_server and event.resource_server.identifier == PAYMENTS:
        api.access.deny("closed")


# -- a healthy application -----------------------------------------------------------------------


def test_healthy(ward: Ward) -> None:
    """With everything as it should be there is no error, and the refresh token is tried."""
    findings = ward.findings(log_in=True)
    assert codes(findings, ERROR) == set()
    assert codes(findings, UNCHECKED) == set()
    assert {"issuer", "jwks", "clock", "client-credentials", "refresh-grant", "mfa-grant"} <= codes(
        findings, OK
    )
    assert {"always-mfa", "step-up", "callback-url", "logout-url"} <= codes(findings, OK)


def test_production(ward_with: Callable[..., Any]) -> None:
    """With the settings that the documentation asks for there is no warning either."""
    with ward_with() as ward:
        app = ward.app(
            SESSION_COOKIE_SECURE=True,
            SESSION_COOKIE_SAMESITE="Lax",
            TRUSTED_HOSTS=["localhost"],
        )
        app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1)  # type: ignore[method-assign]
        findings = examine(Subject(app))
    assert codes(findings, WARNING) == {"storage"}


def test_not_checked_is_said(ward: Ward) -> None:
    """Without a refresh token and an address, what they show counts as not checked."""
    findings = examine(Subject(ward.app()))
    assert codes(findings, UNCHECKED) == {"callback-url", "refreshes"}
    assert PAYMENTS in the("refreshes", findings).what
    assert "--refresh-token" in the("refreshes", findings).fix


def test_offline_asks_nobody(ward: Ward) -> None:
    """Offline no call is made, and the report says so."""
    findings = examine(Subject(ward.app()), offline=True)
    assert the("online", findings).severity is UNCHECKED
    assert list(ward.tenant.calls) == []


def test_changes_nothing_for_users(ward: Ward) -> None:
    """A session of the same user goes on after the doctor has used its own refresh token."""
    with Application(ward.url) as application:
        theirs = application.log_in(ANA)["refresh_token"]
        ward.findings(log_in=True)
        assert application.refresh(theirs).status_code == 200


def test_refresh_token_is_revoked(ward: Ward) -> None:
    """What the doctor got with the refresh token is good for nobody when it is done."""
    ward.findings(log_in=True)
    ((family, *_),) = [list(ward.tenant.families._families.values())]
    assert family.revoked


# -- troubles of the tenant, each by its row in docs/troubleshooting.rst ---------------------------


def client(**changes: Any) -> dict[str, Any]:
    """Return settings of a tenant whose client is different."""
    return {"clients": (replace(CLIENT, **changes),)}


def policies(**changed: Any) -> dict[str, Any]:
    """Return settings of a tenant whose refresh tokens are good for these APIs."""
    return client(refresh_token=RefreshTokenSettings(**changed))


#: Trouble, settings of the tenant, settings of the application, the finding, words of the remedy.
TROUBLES = [
    ("always", {"mfa_policy": "always"}, {}, "always-mfa", ERROR, "Never or Adaptive"),
    ("action for all", {"actions": (always,)}, {}, "always-mfa", ERROR, "return early"),
    ("no action", {"actions": (never,)}, {}, "step-up", ERROR, "flask auth0-mfa action"),
    (
        "no action, but trusted",
        {"actions": (never,)},
        {"AUTH0_STEPUP_TRUST_TENANT": True},
        "step-up",
        WARNING,
        "flask auth0-mfa action",
    ),
    ("action denies", {"actions": (deny,)}, {}, "step-up", ERROR, "Logs"),
    ("no factor", {"factors": frozenset()}, {}, "step-up", ERROR, "Factors"),
    ("old switch", {"actions": (coarse,)}, {}, "factors-by-action", WARNING, "challengeWithAny"),
    (
        "no policy",
        policies(policies={ACCOUNTS: ()}),
        {"AUTH0_AUDIENCE": None},
        "refresh-policy",
        ERROR,
        PAYMENTS,
    ),
    (
        "scope not in the policy",
        {"actions": (never,)},
        {"scope": "transfer:moon"},
        "scopes",
        ERROR,
        "Permissions",
    ),
    (
        "no rotation",
        policies(policies=POLICIES, rotation_type="non-rotating"),
        {},
        "rotation",
        WARNING,
        "Rotation",
    ),
]


@pytest.mark.parametrize(
    ("setup", "config", "code", "severity", "remedy"),
    [row[1:] for row in TROUBLES],
    ids=[row[0] for row in TROUBLES],
)
def test_trouble_that_a_refresh_shows(
    ward_with: Callable[..., Any],
    setup: Any,
    config: Any,
    code: str,
    severity: Severity,
    remedy: str,
) -> None:
    """The refresh token brings the trouble to light, and the finding names the remedy."""
    with ward_with(**setup) as ward:
        finding = the(code, ward.findings(log_in=True, **config))
    assert finding.severity is severity
    assert remedy in finding.fix
    assert finding.why


#: Trouble, settings of the tenant, settings of the application, the finding, words of the remedy.
WITHOUT_LOGIN = [
    ("secret", {}, {"AUTH0_CLIENT_SECRET": "other"}, "client-credentials", "AUTH0_CLIENT_SECRET"),
    ("client id", {}, {"AUTH0_CLIENT_ID": "other"}, "client-credentials", "AUTH0_CLIENT_ID"),
    ("MFA off", client(grant_types=GRANT_TYPES[:2]), {}, "mfa-grant", "Grant Types > MFA"),
    (
        "refresh off",
        client(grant_types=(GRANT_TYPES[0], *GRANT_TYPES[2:])),
        {},
        "refresh-grant",
        "Grant Types > Refresh Token",
    ),
    (
        "callback",
        client(callbacks=("https://shop.example.com/auth/callback",)),
        {},
        "callback-url",
        "add http://localhost:5000/auth/callback",
    ),
    (
        "prefix",
        client(callbacks=("http://localhost:5000/auth/callback",)),
        {"AUTH0_MFA_URL_PREFIX": "/sign-in"},
        "callback-url",
        "add http://localhost:5000/sign-in/callback",
    ),
    ("API unknown", {"apis": (Api(ACCOUNTS),)}, {}, "api", "byte for byte"),
    ("no offline_access", {}, {"AUTH0_SCOPE": "openid"}, "offline-access", "offline_access"),
    ("no Redis", {}, {"AUTH0_STATE_URI": "redis://localhost:1/0"}, "state", "Redis"),
]


@pytest.mark.parametrize(
    ("setup", "config", "code", "remedy"),
    [row[1:] for row in WITHOUT_LOGIN],
    ids=[row[0] for row in WITHOUT_LOGIN],
)
def test_trouble_that_needs_no_login(
    ward_with: Callable[..., Any], setup: Any, config: Any, code: str, remedy: str
) -> None:
    """The trouble is an error without anybody's refresh token, and the finding names the remedy."""
    with ward_with(**setup) as ward:
        finding = the(code, ward.findings(**config))
    assert finding.severity is ERROR
    assert remedy in finding.fix
    assert finding.why


def test_logout_address(ward_with: Callable[..., Any]) -> None:
    """A logout address that the tenant does not allow is found, with the one to add."""
    with ward_with(**client(logout_urls=())) as ward:
        finding = the("logout-url", ward.findings())
    assert finding.severity is WARNING
    assert finding.fix.endswith("add http://localhost:5000/")


def test_guarded_login_audience(ward_with: Callable[..., Any]) -> None:
    """Where the login's own API is guarded, its refreshes ask by right, and that is no error."""
    with ward_with(actions=(always,)) as ward:
        finding = the("always-mfa", ward.findings(log_in=True, AUTH0_AUDIENCE=PAYMENTS))
    assert finding.severity is UNCHECKED


def test_used_refresh_token(ward: Ward) -> None:
    """A refresh token that was used before is told from a trouble of the tenant."""
    token = ward.refresh_token()
    examine(Subject(ward.app(), None, token))
    finding = the("refresh-token", examine(Subject(ward.app(), None, token)))
    assert "Take a new refresh token" in finding.fix


# -- the domain, the clock, and a tenant in trouble ------------------------------------------------


def test_wrong_domain(ward: Ward) -> None:
    """A name that leads nowhere is an error, and nothing else is claimed about the tenant."""
    findings = ward.findings(AUTH0_DOMAIN="http://localhost:1")
    assert "refused" in the("tenant", findings).what
    assert "AUTH0_DOMAIN" in the("tenant", findings).fix
    assert the("online", findings).severity is UNCHECKED
    assert "client-credentials" not in codes(findings, OK)


def test_other_issuer(ward: Ward) -> None:
    """A tenant that calls itself by another name, as behind a custom domain, is an error."""
    finding = the("issuer", ward.findings(AUTH0_DOMAIN=ward.url.replace("localhost", "127.0.0.1")))
    assert finding.severity is ERROR
    assert f"AUTH0_DOMAIN={ward.url.removeprefix('http://')}" in finding.fix


def test_not_a_tenant(ward: Ward) -> None:
    """A web server that is no tenant is told apart from one that does not answer."""
    ward.tenant.fault("/.well-known/openid-configuration", status=200, body="<h1>Welcome</h1>")
    assert "not an Auth0 tenant" in the("discovery", ward.findings()).what


@pytest.mark.parametrize(
    ("ahead", "severity", "word"), [(0, OK, "agree"), (-30, WARNING, "slow"), (600, ERROR, "fast")]
)
def test_clock(ward: Ward, ahead: int, severity: Severity, word: str) -> None:
    """The machine's clock is compared with the tenant's."""
    ward.clock.advance(ahead)
    finding = the("clock", ward.findings())
    assert finding.severity is severity
    assert word in finding.what


def test_no_keys(ward: Ward) -> None:
    """A tenant without keys is an error."""
    ward.tenant.fault("/.well-known/jwks.json", status=200, body={"keys": []})
    assert the("jwks", ward.findings()).severity is ERROR


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 503}, "503"),
        ({"status": 429, "body": {"error": "too_many_requests"}}, "too many"),
        ({"drop": True}, "connection failed"),
    ],
    ids=["down", "limited", "hangs up"],
)
def test_tenant_in_trouble(ward: Ward, fault: Any, words: str) -> None:
    """A token endpoint that does not answer is said once, and no setting is blamed for it."""
    ward.tenant.fault("/oauth/token", **fault)
    findings = ward.findings()
    assert words in the("tenant", findings).what
    assert "client-credentials" not in codes(findings, ERROR)
    assert "mfa-grant" in codes(findings, OK)


def test_unknown_client(ward: Ward) -> None:
    """A client that Auth0 does not know is not taken for one whose grant is off."""
    body = {"error": "unauthorized_client", "error_description": "Unknown client: demo-client"}
    ward.tenant.fault("/oauth/token", status=403, body=body)
    findings = ward.findings()
    assert the("client-credentials", findings).severity is ERROR
    assert "refresh-grant" not in codes(findings, ERROR)


def test_answer_that_says_nothing(ward: Ward) -> None:
    """An undocumented answer leaves the setting unchecked, and its text cannot steer a terminal."""
    body = {"error": "\x1b[2Jodd", "error_description": "\x1b]0;owned\x07"}
    ward.tenant.fault("/oauth/token", status=400, body=body)
    finding = the("client-credentials", ward.findings())
    assert finding.severity is UNCHECKED
    assert finding.what.isprintable()


ODD = [
    None,
    "",
    "\ufeff<html>",
    [],
    [[{}]],
    {"error": {"a": 1}, "issuer": 5, "keys": "no"},
    {"error": "mfa_required", "mfa_requirements": {}, "issuer": "https://[x"},
    {"error": "mfa_required", "mfa_requirements": ["otp"], "keys": [{"kty": 1}]},
    {"access_token": 3, "id_token": [], "refresh_token": {}, "scope": 7, "keys": {"a": []}},
    {"access_token": "a.e30.c", "id_token": "a.b.c", "scope": None, "issuer": None},
]


@pytest.mark.parametrize("status", [200, 302, 400, 401])
@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
def test_odd_answers(ward: Ward, body: Any, status: int) -> None:
    """Whatever answers in the tenant's place, there is a report and no traceback."""
    subject = Subject(ward.app(), "http://localhost:5000", ward.refresh_token())
    first = "/.well-known/openid-configuration"
    ward.tenant.fault(first, status=status, body=body)
    assert codes(examine(subject), ERROR) & {"discovery", "issuer", "tenant"}
    for path in ("/.well-known/jwks.json", "/oauth/*", "/authorize", "/v2/logout"):
        ward.tenant.fault(path, status=status, body=body, times=20)
    assert codes(examine(subject), ERROR)


def test_user_without_a_factor(ward: Ward) -> None:
    """With the refresh token of somebody who has to enroll, challenges count as not seen."""
    with Application(ward.url) as application:
        token = Secret(application.log_in("ben@example.com")["refresh_token"])
    findings = examine(Subject(ward.app(), None, token))
    assert the("factors", findings).severity is UNCHECKED


@pytest.fixture
def answered(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Finding]]:
    """Return a function that examines a tenant whose answers have these fields otherwise."""

    def findings(**fields: Any) -> list[Finding]:
        parse = jsontext.parse

        def changed(content: bytes, *hook: Any) -> Any:
            answer = parse(content, *hook)
            return answer | {name: fields[name] for name in fields if name in answer}

        monkeypatch.setattr(jsontext, "parse", changed)
        return ward.findings(log_in=True)

    return findings


CODE = {"type": "otp"}


@pytest.mark.parametrize(
    ("requirements", "found"),
    [
        ({"challenge": [CODE]}, set()),
        ({"challenge": [CODE], "enroll": []}, set()),
        ({"challenge": [CODE], "enroll": [CODE]}, set()),
        ({"challenge": [], "enroll": [CODE]}, {"factors"}),
        ({"challenge": [], "enroll": []}, {"factors-by-action"}),
        ({}, {"factors-by-action"}),
    ],
    ids=str,
)
def test_factors_that_are_named(
    answered: Callable[..., list[Finding]], requirements: Any, found: set[str]
) -> None:
    """What the tenant names counts, and not that it has a field for it."""
    findings = answered(mfa_requirements=requirements)
    assert {one.code for one in findings} & {"factors", "factors-by-action"} == found


def test_refresh_without_an_id_token(answered: Callable[..., list[Finding]]) -> None:
    """An ID token that did not come is not said to be refused."""
    assert the("id-token", answered(id_token=None)).severity is UNCHECKED


@pytest.mark.redis
def test_redis(ward: Ward) -> None:
    """Shared state in Redis is written and read."""
    with redis_server() as server:
        findings = ward.findings(AUTH0_STATE_URI=server.url)
    assert {"state", "storage"} <= codes(findings, OK)


@pytest.mark.redis
@pytest.mark.parametrize("rights", ["~auth0_mfa:* +@all", "~* +@all -eval -evalsha"])
def test_redis_user_who_may_too_little(ward: Ward, rights: str) -> None:
    """A Redis user who may read and write, but not count codes, is found before the users do."""
    with redis_server() as server:
        server.connection().execute_command("ACL SETUSER", "shop", "on", ">pass", *rights.split())
        finding = the("state", ward.findings(AUTH0_STATE_URI=server.url_of("shop", "pass")))
    assert finding.severity is ERROR
    assert "LIMITS:*" in finding.fix


# -- the application alone -------------------------------------------------------------------------

REAL = {"AUTH0_DOMAIN": "shop.eu.auth0.com"}
SHOP = {"SERVER_NAME": "shop.example.com"}
SETTINGS = [
    ({"SECRET_KEY": "k3-9vQ!x7.Zp2_Lm8r"}, "secret-key", WARNING),
    ({"SESSION_COOKIE_SECURE": False}, "cookie-secure", WARNING),
    ({**REAL, "SESSION_COOKIE_SECURE": False}, "cookie-secure", ERROR),
    ({"SESSION_COOKIE_HTTPONLY": False}, "cookie-httponly", ERROR),
    ({"SESSION_COOKIE_SAMESITE": "Strict"}, "cookie-samesite", ERROR),
    ({"SESSION_COOKIE_SAMESITE": "strict"}, "cookie-samesite", ERROR),
    ({"SESSION_COOKIE_SAMESITE": "nonsense"}, "cookie-samesite", ERROR),
    ({"SESSION_COOKIE_SAMESITE": "None"}, "cookie-samesite", WARNING),
    ({"SESSION_COOKIE_SAMESITE": None}, "cookie-samesite", WARNING),
    ({"SESSION_COOKIE_PATH": "/shop"}, "cookie-path", ERROR),
    ({"SESSION_COOKIE_DOMAIN": "example.com"}, "cookie-domain", WARNING),
    ({"SESSION_COOKIE_DOMAIN": ".Shop.example.com", **SHOP}, "cookie-domain", WARNING),
    ({"SESSION_COOKIE_DOMAIN": "example.org", **SHOP}, "cookie-domain", ERROR),
    ({"SESSION_COOKIE_DOMAIN": "op.example.com", **SHOP}, "cookie-domain", ERROR),
    (REAL, "proxy", WARNING),
    (REAL, "trusted-hosts", WARNING),
    ({"AUTH0_STATE_URI": "memory://"}, "storage", WARNING),
    ({"AUTH0_MFA_CONTEXT_TTL": 1200}, "context-ttl", WARNING),
    ({"AUTH0_MFA_CONTEXT_TTL": 20}, "context-ttl", WARNING),
    ({"PERMANENT_SESSION_LIFETIME": 600}, "session-lifetime", WARNING),
    ({"AUTH0_STEPUP_TRUST_TENANT": True}, "trust-tenant", WARNING),
    ({**REAL, "DEBUG": True}, "debug", WARNING),
    (REAL, "events", WARNING),
]


@pytest.mark.parametrize(
    ("config", "code", "severity"),
    SETTINGS,
    ids=str,
)
def test_setting(clock: Clock, config: Any, code: str, severity: Severity) -> None:
    """A setting that makes trouble is found without the network, with reason and remedy."""
    app = Ward("http://localhost:1", None, clock).app(**config)  # type: ignore[arg-type]  # unused
    finding = the(code, examine(Subject(app), offline=True))
    assert finding.severity is severity
    assert finding.why
    assert finding.fix


@pytest.fixture
def shop(clock: Clock) -> Flask:
    """An application whose tenant is not asked."""
    return Ward("http://localhost:1", None, clock).app()  # type: ignore[arg-type]  # not used


def test_application_root(clock: Clock) -> None:
    """An application below a path of its own has its cookies there, and that is right."""
    ward = Ward("http://localhost:1", None, clock)  # type: ignore[arg-type]  # not used
    findings = examine(Subject(ward.app(APPLICATION_ROOT="/shop")), offline=True)
    assert "cookie-path" not in {one.code for one in findings}


def test_proxy_that_is_half_believed(shop: Flask) -> None:
    """A ProxyFix that keeps the inner host is found, also below another middleware."""
    shop.wsgi_app = SharedDataMiddleware(ProxyFix(shop.wsgi_app), {})  # type: ignore[method-assign]
    assert "x_host is 0" in the("proxy", examine(Subject(shop), offline=True)).what


def test_several_workers(shop: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory for shared state is an error where several workers are announced."""
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    assert the("storage", examine(Subject(shop), offline=True)).severity is ERROR


def test_secure_cookies_over_http(clock: Clock) -> None:
    """Cookies that only go over https do not come back over http."""
    ward = Ward("http://localhost:1", None, clock)  # type: ignore[arg-type]  # not used
    app = ward.app(**REAL, SESSION_COOKIE_SECURE=True)
    findings = examine(Subject(app, "http://shop.example.com"), offline=True)
    assert "over http" in the("cookie-secure", findings).what


def test_replaced_session_interface(shop: Flask) -> None:
    """A session interface that was set after the extension is an error."""
    shop.session_interface = SecureCookieSessionInterface()
    finding = the("session-interface", examine(Subject(shop), offline=True))
    assert finding.severity is ERROR
    assert "first Session(app), then Auth0MFA(app)" in finding.fix


def test_session_in_a_readable_cookie() -> None:
    """A session interface that only signs its cookie would show the tokens."""

    class Own(SecureCookieSessionInterface):
        salt = "own"

    app = Flask("shop")
    app.session_interface = Own()
    app.config.update(SECRET_KEY=SECRET_KEY, AUTH0_CLIENT_ID="c", AUTH0_CLIENT_SECRET="s")
    Auth0MFA(app, domain="http://localhost:1")
    finding = the("session-interface", examine(Subject(app), offline=True))
    assert finding.severity is ERROR
    assert "Own" in finding.what


def test_somebody_listens(clock: Clock) -> None:
    """With the event log, or a receiver for refused checks, it is not missed."""
    ward = Ward("http://localhost:1", None, clock)  # type: ignore[arg-type]  # not used
    logged = examine(Subject(ward.app(**REAL, AUTH0_MFA_EVENT_LOG=True)), offline=True)
    assert the("events", logged).severity is OK
    app = ward.app(**REAL)
    with check_refused.connected_to(lambda _sender, **_what: None, app):
        assert the("events", examine(Subject(app), offline=True)).severity is OK


def test_nothing_guarded() -> None:
    """An application without a guard is warned."""
    app = Flask("shop")
    app.config.update(SECRET_KEY=SECRET_KEY, AUTH0_CLIENT_ID="c", AUTH0_CLIENT_SECRET="s")
    Auth0MFA(app, domain="http://localhost:1")
    assert the("guards", examine(Subject(app), offline=True)).severity is WARNING


def test_identifiers_that_differ_by_a_slash(shop: Flask) -> None:
    """Two identifiers with and without a slash are warned of."""
    shop.get("/other", endpoint="other")(requires_stepup(f"{PAYMENTS}/")(lambda: "other"))
    assert the("audiences", examine(Subject(shop), offline=True)).severity is WARNING


# -- the report ------------------------------------------------------------------------------------


def test_fingerprint(shop: Flask) -> None:
    """The key's fingerprint is the same for the same key, another for another one."""
    first = the("secret-key-fingerprint", examine(Subject(shop), offline=True)).what
    assert first == the("secret-key-fingerprint", examine(Subject(shop), offline=True)).what
    shop.config["SECRET_KEY"] = "another secret key, which is long enough"
    assert first != the("secret-key-fingerprint", examine(Subject(shop), offline=True)).what


def test_no_secret_is_printed(ward: Ward) -> None:
    """No key, secret or token is in the report, whatever goes wrong."""
    token = ward.refresh_token()
    subject = Subject(ward.app(AUTH0_CLIENT_SECRET="a-wrong-secret"), None, token)
    findings = examine(subject)
    printed = report.as_json(findings, "shop", None) + report.as_text(findings, "shop", width=80)
    for hidden in (SECRET_KEY, "a-wrong-secret", str(token), "eyJ"):
        assert hidden not in printed
        assert hidden not in repr(subject)


def test_width(ward: Ward) -> None:
    """Lines fit into 80 columns unless an address or a name is longer."""
    findings = [*ward.findings(log_in=True), *ward.findings(**REAL, AUTH0_SCOPE="openid")]
    text = unstyle(report.as_text(findings, "shop", width=80))
    too_long = [line for line in text.splitlines() if len(line) > 80 and " " in line[13:].strip()]
    assert too_long == []
    assert text.isascii()


def test_addresses_can_be_copied(ward_with: Callable[..., Any]) -> None:
    """An address that is longer than a line stays in one piece."""
    host = f"http://{'a-long-name.' * 8}example.com"
    with ward_with() as ward:
        findings = examine(Subject(ward.app(), host))
    text = report.as_text(findings, "shop", width=80)
    assert f"{host}/auth/callback" in text


def test_sample_of_the_page(ward_with: Callable[..., Any]) -> None:
    """The report that the documentation shows is what the doctor says."""
    with ward_with(**client(grant_types=GRANT_TYPES[:2])) as ward:
        findings = examine(Subject(ward.app(SESSION_COOKIE_SAMESITE="Lax")))
        title = f"Application shop, tenant {ward.url}"
        text = unstyle(report.as_text(findings, title, width=80))
    text = text.replace(ward.url, "http://localhost:4400")
    text = re.sub(r"fingerprint \w{8}", "fingerprint 3fb139b1", text)
    assert shown("$ flask auth0-mfa doctor") == text


def shown(command: str) -> str:
    """Return what the page about the doctor shows below a command."""
    page = (DOCTOR.parents[1] / "docs" / "doctor.rst").read_text("utf-8")
    block = re.search(rf"^   {re.escape(command)}\n((?:   .*\n|\n)+)", page, re.MULTILINE)
    assert block, command
    return textwrap.dedent(block[1]).strip("\n")


#: What the page about a real tenant calls forgotten: settings of the tenant, then what the doctor
#: needs to see it. Several are forgotten at once where they do not hide one another.
FORGOTTEN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {
            **client(callbacks=(), logout_urls=(), grant_types=GRANT_TYPES[:2]),
            "advertise_end_session": False,
        },
        {},
    ),
    (client(grant_types=(GRANT_TYPES[0], *GRANT_TYPES[2:])), {}),
    ({}, {"AUTH0_CLIENT_SECRET": "another"}),
    ({"apis": (Api(ACCOUNTS),)}, {}),
    (
        {
            "actions": (never,),
            **policies(policies={PAYMENTS: ("read:payments",)}, rotation_type="non-rotating"),
        },
        {"log_in": True},
    ),
    (policies(policies={ACCOUNTS: ()}), {"log_in": True}),
    ({"factors": frozenset()}, {"log_in": True}),
    ({"mfa_policy": "always"}, {"log_in": True}),
    ({"actions": (coarse,)}, {"log_in": True}),
]


def test_forgotten_steps_of_the_page(ward_with: Callable[..., Any]) -> None:
    """What the page about a real tenant says of each forgotten step is what the doctor says."""
    said: set[tuple[str, str]] = set()
    for settings, examination in FORGOTTEN:
        with ward_with(**settings) as ward:
            said |= {(one.code, one.what) for one in ward.findings(**examination)}
    with ward_with() as ward:
        other_name = ward.url.replace("localhost", "127.0.0.1")
        said |= {(one.code, one.what) for one in ward.findings(AUTH0_DOMAIN=other_name)}
    assert len(forgotten_steps()) == 15
    for code, text in forgotten_steps():
        pattern = ".*".join(map(re.escape, text.split("…")))
        assert any(one == code and re.fullmatch(pattern, what) for one, what in said), text


def forgotten_steps() -> list[tuple[str, str]]:
    """Return code and text of each row in the last table of the page about a real tenant."""
    page = (DOCTOR.parents[1] / "docs" / "real_tenant.rst").read_text("utf-8")
    rows = re.findall(r"^     - ``([a-z-]+)``\n     - ((?:.*\n(?=       ))*.*)", page, re.MULTILINE)
    plain = [(code, " ".join(text.replace("\\", "").split())) for code, text in rows]
    localhost = ("https://shop.example.com", "http://localhost:5000")
    return [(code, text.replace(*localhost)) for code, text in plain]


def documented_codes() -> set[str]:
    """Return the codes in the table of the page about the doctor."""
    page = (DOCTOR.parents[1] / "docs" / "doctor.rst").read_text("utf-8")
    return set(re.findall(r"^   \* - ``([a-z-]+)``$", page, re.MULTILINE))


def test_troubleshooting_names_findings() -> None:
    """Each trouble that the doctor sees is listed with codes that it has."""
    page = (DOCTOR.parents[1] / "docs" / "troubleshooting.rst").read_text("utf-8")
    lines = re.findall(r"\*Doctor:\* ([^.]+)\.", page)
    named = {code for line in lines for code in re.findall(r"``([a-z-]+)``", line)}
    assert len(lines) == 18
    assert named <= documented_codes()


def test_every_code_is_documented() -> None:
    """Each code that the doctor can give is in the page about it."""
    source = "".join(path.read_text("utf-8") for path in DOCTOR.glob("*.py"))
    calls = r"(?:error|warning|unchecked|passed|report|Finding|_strange|_refused)\(\s*\"([a-z-]+)\""
    assert set(re.findall(calls, source)) == documented_codes()
