"""The interactive login: pages, sessions, prompts, the MFA step, and logging out."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pyotp
import pytest
import requests

from flask_auth0_mfa.emulator import Configuration, Tenant, serve
from flask_auth0_mfa.emulator.actions import Event, PostLoginApi
from flask_auth0_mfa.emulator.clients import Client

from .application import (
    ADMIN,
    CALLBACK,
    MULTI_FACTOR,
    OPEN,
    PAYMENTS,
    Application,
    callback,
    claims,
)

ANA, BEN, CLEO, DAN = (f"{name}@example.com" for name in ("ana", "ben", "cleo", "dan"))


def mfa_page(page: requests.Response) -> bool:
    """Tell whether the browser is at the MFA step."""
    return urlsplit(page.url).path == "/u/mfa"


def test_log_in(application: Application) -> None:
    """Password, callback with the state, and an ID token with nonce, session and profile."""
    page = application.authorize()
    assert "not for production" in page.text.lower()
    parameters = callback(application.password(page, ANA))
    assert parameters["state"] == "a-state"
    id_token = claims(application.redeem(parameters)["id_token"])
    assert id_token["iss"] == f"{application.url}/"
    assert id_token["aud"] == "demo-client"
    assert id_token["nonce"] == "a-nonce"
    assert id_token["email"] == ANA
    assert id_token["exp"] - id_token["iat"] == 36_000
    assert {"amr", "acr", "auth_time"}.isdisjoint(id_token)


def test_wrong_password(application: Application) -> None:
    """A wrong password keeps the user on the page, which says so."""
    page = application.password(application.authorize(), ANA, "wrong")
    assert page.status_code == 400
    assert "Wrong email or password." in page.text
    assert application.password(page, ANA).is_redirect


def test_unknown_user(application: Application) -> None:
    """An unknown address is told the same as a wrong password."""
    page = application.password(application.authorize(), "nobody@example.com")
    assert "Wrong email or password." in page.text


def test_declining(application: Application) -> None:
    """Cancel goes back to the application with ``access_denied``."""
    page = application.submit(application.authorize(), "/u/login", decision="cancel")
    assert callback(page)["error"] == "access_denied"


def test_login_that_took_too_long(application: Application, tenant: Tenant) -> None:
    """An expired login ends at the callback with ``invalid_request``."""
    page = application.authorize()
    tenant.advance(3_600)
    parameters = callback(application.password(page, ANA))
    assert parameters["error"] == "invalid_request"
    assert parameters["state"] == "a-state"


@pytest.mark.parametrize("path", ["/u/login", "/u/mfa", "/u/recovery-code"])
def test_pages_without_a_login(application: Application, path: str) -> None:
    """A made-up state leads to a page that says so."""
    answer = application.browser.post(application.url + path, {"state": "made-up"})
    assert answer.status_code == 400
    assert "This login is over" in answer.text


def test_session(application: Application) -> None:
    """A second login in the same browser asks for nothing and has the same ``sid``."""
    first = application.log_in(ANA)
    second = application.redeem(callback(application.authorize()))
    assert claims(first["id_token"])["sid"] == claims(second["id_token"])["sid"]


def test_session_cookie(application: Application) -> None:
    """The session has a name of its own and is out of reach for scripts."""
    page = application.authorize()
    state = dict(p.split("=") for p in urlsplit(page.url).query.split("&"))["state"]
    answer = application.browser.post(
        f"{application.url}/u/login",
        {"state": state, "username": ANA, "password": "demo"},
        allow_redirects=False,
    )
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("auth0_emulator=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_session_ends(application: Application, tenant: Tenant) -> None:
    """After three days the password is due again."""
    application.log_in(ANA)
    tenant.advance(259_200)
    assert urlsplit(application.authorize().url).path == "/u/login"


@pytest.mark.parametrize("prompt", ["login", "select_account", "login consent"])
def test_prompt_asks_again(application: Application, prompt: str) -> None:
    """``prompt`` ignores the session."""
    application.log_in(ANA)
    assert urlsplit(application.authorize(prompt=prompt).url).path == "/u/login"


def test_prompt_none_without_a_session(application: Application) -> None:
    """Silent authentication needs a session."""
    assert callback(application.authorize(prompt="none"))["error"] == "login_required"


def test_prompt_none_with_a_session(application: Application) -> None:
    """Silent authentication brings a code, and no ``amr``."""
    application.log_in(ANA)
    tokens = application.redeem(callback(application.authorize(prompt="none")))
    assert "amr" not in claims(tokens["id_token"])


def test_prompt_none_when_mfa_is_due(application: Application) -> None:
    """MFA under ``prompt=none`` is ``login_required`` with Auth0's words for MFA."""
    application.log_in(ANA)
    parameters = callback(application.authorize(prompt="none", audience=PAYMENTS))
    assert parameters["error"] == "login_required"
    assert parameters["error_description"] == "Multifactor authentication required"


def test_max_age(application: Application, tenant: Tenant) -> None:
    """``max_age`` states ``auth_time``, and asks again when the login is older."""
    application.log_in(ANA)
    tokens = application.redeem(callback(application.authorize(max_age="60")))
    assert isinstance(claims(tokens["id_token"])["auth_time"], int)
    tenant.advance(61)
    assert urlsplit(application.authorize(max_age="60").url).path == "/u/login"


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"audience": "https://unknown.example.com"}, "access_denied"),
        ({"scope": "openid online_access offline_access"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
    ],
)
def test_errors_at_the_callback(
    application: Application, parameters: dict[str, str], error: str
) -> None:
    """Faults of a request whose callback can be trusted are told there, with the state."""
    answer = callback(application.authorize(**parameters))
    assert answer["error"] == error
    assert answer["state"] == "a-state"


@pytest.mark.parametrize(
    "parameters",
    [
        {"client_id": "nobody"},
        {"redirect_uri": "https://evil.example.com/callback"},
        {"redirect_uri": "http://localhost.evil.example.com/"},
        {"redirect_uri": ""},
    ],
)
def test_untrusted_requests_stay_here(application: Application, parameters: dict[str, str]) -> None:
    """An unknown client or callback brings an error page, and no redirect."""
    answer = application.authorize(**parameters)
    assert answer.status_code == 400
    assert "text/html" in answer.headers["Content-Type"]


def test_public_client_needs_pkce() -> None:
    """A client without a secret authenticates with its id and must use PKCE."""
    configuration = Configuration(clients=(Client("public", callbacks=(CALLBACK,)),))
    with (
        serve(Tenant(configuration)) as server,
        Application(server.url, "public", None) as application,
    ):
        assert application.log_in(ANA)["access_token"]
        page = application.authorize(code_challenge="", code_challenge_method="")
        answer = application.exchange(callback(page)["code"], code_verifier="")
        assert answer.json()["error"] == "invalid_request"


def test_deny_at_login() -> None:
    """``api.access.deny`` is ``access_denied`` at the callback, with the reason."""

    def action(event: Event, api: PostLoginApi) -> None:
        api.access.deny(f"{event.user.email} stays out.")

    with (
        serve(Tenant(Configuration(actions=(action,)))) as server,
        Application(server.url) as application,
    ):
        parameters = callback(application.password(application.authorize(), ANA))
        assert parameters["error"] == "access_denied"
        assert parameters["error_description"] == "ana@example.com stays out."


# The MFA step -------------------------------------------------------------------------------------


def test_acr_values_bring_amr(application: Application, tenant: Tenant) -> None:
    """A hosted MFA step puts ``amr`` and ``acr`` into the ID token."""
    page = application.password(application.authorize(acr_values=MULTI_FACTOR), CLEO)
    assert mfa_page(page)
    page = application.submit(page, "/u/mfa", code=tenant.current_otp(CLEO))
    id_token = claims(application.redeem(callback(page))["id_token"])
    assert id_token["amr"] == ["mfa"]
    assert id_token["acr"] == MULTI_FACTOR


def test_acr_values_with_a_session(application: Application) -> None:
    """With a session only the MFA step is asked for."""
    application.log_in(ANA)
    assert mfa_page(application.authorize(acr_values=MULTI_FACTOR))


def test_open_ignores_acr_values(application: Application) -> None:
    """The misconfigured API never brings an MFA step."""
    tokens = application.log_in(ANA, acr_values=MULTI_FACTOR, audience=OPEN)
    assert "amr" not in claims(tokens["id_token"])


@pytest.mark.parametrize("audience", [PAYMENTS, ADMIN])
def test_audience_alone_asks_for_mfa(application: Application, audience: str) -> None:
    """Logging in for an API that needs MFA asks for it at once."""
    assert mfa_page(application.password(application.authorize(audience=audience), ANA))


def test_choice_of_factor(application: Application, tenant: Tenant) -> None:
    """Ana chooses text messages, mistypes, and goes on with the right code."""
    page = application.password(application.authorize(acr_values=MULTI_FACTOR), ANA)
    chosen = re.search(r'value="(sms\|[^"]+)"', page.text)
    assert chosen
    page = application.submit(page, "/u/mfa", authenticator_id=chosen.group(1))
    wrong = application.submit(page, "/u/mfa", code="not-it")
    assert "That code is not right." in wrong.text
    done = application.submit(page, "/u/mfa", code=tenant.last_message(ANA).code)
    assert "code" in callback(done)


def test_push_on_the_page(application: Application, tenant: Tenant) -> None:
    """The page waits for the push until it is approved."""
    page = application.password(application.authorize(acr_values=MULTI_FACTOR), DAN)
    chosen = re.search(r'value="(push\|[^"]+)"', page.text)
    assert chosen
    page = application.submit(page, "/u/mfa", authenticator_id=chosen.group(1))
    assert "not been approved yet" in application.submit(page, "/u/mfa").text
    tenant.approve()
    assert "code" in callback(application.submit(page, "/u/mfa"))


def test_recovery_code_on_the_page(application: Application, tenant: Tenant) -> None:
    """The new recovery code is shown before the login goes on."""
    page = application.password(application.authorize(acr_values=MULTI_FACTOR), ANA)
    chosen = re.search(r'value="(recovery-code\|[^"]+)"', page.text)
    assert chosen
    page = application.submit(page, "/u/mfa", authenticator_id=chosen.group(1))
    shown = application.submit(page, "/u/mfa", code=tenant.recovery_code(ANA))
    assert tenant.recovery_code(ANA) in shown.text
    assert "code" in callback(application.submit(shown, "/u/recovery-code"))


def test_chain_on_the_page(application: Application, tenant: Tenant) -> None:
    """Two factors are asked for one after the other."""
    page = application.password(application.authorize(audience=ADMIN), ANA)
    for kind in ("totp", "email"):
        chosen = re.search(rf'value="({kind}\|[^"]+)"', page.text)
        assert chosen
        page = application.submit(page, "/u/mfa", authenticator_id=chosen.group(1))
        otp = tenant.current_otp(ANA) if kind == "totp" else tenant.last_message(ANA).code
        page = application.submit(page, "/u/mfa", code=otp)
    assert "code" in callback(page)


def test_enrollment_on_the_page(application: Application, tenant: Tenant) -> None:
    """Ben scans a QR code, or types the key, and confirms with a code."""
    page = application.password(application.authorize(acr_values=MULTI_FACTOR), BEN)
    assert "<svg" in page.text
    pending = next(a for a in tenant.user(BEN).authenticators if a.secret)
    assert str(pending.secret) in page.text
    code = pyotp.TOTP(str(pending.secret)).now()
    tokens = application.redeem(callback(application.submit(page, "/u/mfa", code=code)))
    assert claims(tokens["id_token"])["amr"] == ["mfa"]


def test_phone_enrollment_on_the_page() -> None:
    """Where only a phone is offered, the page asks for its number first."""

    def action(event: Event, api: PostLoginApi) -> None:
        if not event.user.enrolled_factors:
            api.authentication.enroll_with("phone")

    with (
        serve(Tenant(Configuration(actions=(action,)))) as server,
        Application(server.url) as application,
    ):
        page = application.password(application.authorize(), BEN)
        wrong = application.submit(page, "/u/mfa", phone_number="555")
        assert "The phone number is invalid." in wrong.text
        page = application.submit(page, "/u/mfa", phone_number="+1 555 010 0042")
        code = server.tenant.last_message(BEN).code
        assert "code" in callback(application.submit(page, "/u/mfa", code=code))
        assert server.tenant.user(BEN).active("sms")


# Logging out --------------------------------------------------------------------------------------


def log_out(application: Application, path: str, **parameters: str) -> requests.Response:
    """Visit a logout address without following where it leads."""
    return application.browser.get(application.url + path, params=parameters, allow_redirects=False)


def is_logged_out(application: Application) -> bool:
    """Tell whether the browser has lost its session."""
    return callback(application.authorize(prompt="none")).get("error") == "login_required"


def test_oidc_logout(application: Application) -> None:
    """With a hint the session ends at once, and the state travels along."""
    tokens = application.log_in(ANA)
    answer = log_out(
        application,
        "/oidc/logout",
        id_token_hint=tokens["id_token"],
        post_logout_redirect_uri="http://localhost:5000/bye",
        state="xyz",
    )
    assert answer.headers["Location"] == "http://localhost:5000/bye?state=xyz"
    assert is_logged_out(application)


def test_oidc_logout_by_sid(application: Application) -> None:
    """``logout_hint`` with the ``sid`` does as well."""
    sid = claims(application.log_in(ANA)["id_token"])["sid"]
    log_out(application, "/oidc/logout", client_id="demo-client", logout_hint=sid)
    assert is_logged_out(application)


def test_oidc_logout_asks_without_a_hint(application: Application) -> None:
    """Without a hint the user confirms."""
    application.log_in(ANA)
    page = log_out(application, "/oidc/logout", client_id="demo-client")
    assert "Log out?" in page.text
    assert not is_logged_out(application)
    application.browser.post(
        f"{application.url}/oidc/logout", {"client_id": "demo-client", "confirmed": "yes"}
    )
    assert is_logged_out(application)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/oidc/logout", {"post_logout_redirect_uri": "https://evil.example.com/"}),
        ("/oidc/logout", {"id_token_hint": "made-up"}),
        ("/v2/logout", {"client_id": "demo-client", "returnTo": "https://evil.example.com/"}),
        ("/v2/logout", {"returnTo": "https://evil.example.com/"}),
    ],
)
def test_logout_refuses(application: Application, path: str, parameters: dict[str, str]) -> None:
    """An unlisted address or a made-up hint brings an error page."""
    answer = log_out(application, path, **parameters)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_logout_hint_of_another_client(application: Application) -> None:
    """A hint has to belong to the client that logs out."""
    tokens = application.log_in(ANA)
    answer = log_out(
        application, "/oidc/logout", id_token_hint=tokens["id_token"], client_id="other"
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("parameters", [{}, {"client_id": "demo-client"}])
def test_v2_logout(application: Application, parameters: dict[str, str]) -> None:
    """``/v2/logout`` ends the session and goes to ``returnTo``."""
    application.log_in(ANA)
    answer = log_out(application, "/v2/logout", returnTo="http://localhost:5000/", **parameters)
    assert answer.headers["Location"] == "http://localhost:5000/"
    assert is_logged_out(application)


def test_refresh_tokens_survive_the_logout(application: Application) -> None:
    """Logging out ends the session, not the offline access."""
    tokens = application.log_in(ANA)
    log_out(application, "/v2/logout")
    assert application.refresh(tokens["refresh_token"]).status_code == 200
