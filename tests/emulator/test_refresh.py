"""Refresh tokens: rotation, leeway, reuse, and tokens for several APIs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from flask_auth0_mfa.emulator import Configuration, Tenant, serve
from flask_auth0_mfa.emulator.defaults import default_clients

from .application import ACCOUNTS, OPEN, PAYMENTS, SCOPE, Application, Json, claims

ANA = "ana@example.com"


@contextmanager
def application_with(**refresh_token: Any) -> Iterator[tuple[Application, Tenant]]:
    """Serve a tenant whose demo client has these refresh token settings."""
    demo = default_clients()[0]
    client = replace(demo, refresh_token=replace(demo.refresh_token, **refresh_token))
    tenant = Tenant(Configuration(clients=(client,)))
    with serve(tenant) as server, Application(server.url) as application:
        yield application, tenant


def target(body: Json) -> str | list[str]:
    """Return the audience of a token response, without the one for userinfo."""
    audience: str | list[str] = claims(body["access_token"])["aud"]
    return audience if isinstance(audience, str) else audience[0]


def test_every_use_rotates(application: Application) -> None:
    """Each refresh brings another refresh token and works again."""
    token, seen = application.log_in(ANA)["refresh_token"], set()
    for _ in range(5):
        seen.add(token)
        token = application.refresh(token).json()["refresh_token"]
    assert len(seen | {token}) == 6


def test_a_refused_refresh_spends_nothing(application: Application, tenant: Tenant) -> None:
    """The token that met ``mfa_required`` is good until the MFA grant has rotated it."""
    mfa_token = application.step_up(ANA)
    token = application.tokens["refresh_token"]
    assert application.refresh(token, PAYMENTS).status_code == 403
    verified = application.token("mfa-otp", mfa_token=mfa_token, otp=tenant.current_otp(ANA))
    assert application.refresh(token).status_code == 403
    # That was reuse, and it has taken the whole family with it.
    assert application.refresh(verified.json()["refresh_token"]).status_code == 403


def test_two_step_ups_of_one_session(application: Application, tenant: Tenant) -> None:
    """Two interrupted refreshes of one token can both be finished, in any order."""
    first = application.step_up(ANA)
    token = application.tokens["refresh_token"]
    second = application.refresh(token, PAYMENTS).json()["mfa_token"]
    for mfa_token in (second, first):
        answer = application.token("mfa-otp", mfa_token=mfa_token, otp=tenant.current_otp(ANA))
        assert answer.status_code == 200
        newest = answer.json()["refresh_token"]
    assert application.refresh(newest).status_code == 200


def test_mfa_after_the_family_is_gone(application: Application, tenant: Tenant) -> None:
    """A proof cannot bring a revoked family back."""
    mfa_token = application.step_up(ANA)
    token = application.tokens["refresh_token"]
    application.refresh(token)
    application.refresh(token)
    answer = application.token("mfa-otp", mfa_token=mfa_token, otp=tenant.current_otp(ANA))
    assert answer.json()["error_description"] == "Unknown or invalid refresh token."


def test_leeway_allows_the_preceding_token() -> None:
    """Two requests that raced can both go on, until the leeway is over."""
    with application_with(leeway=10) as (application, tenant):
        first = application.log_in(ANA)["refresh_token"]
        one = application.refresh(first).json()["refresh_token"]
        two = application.refresh(first).json()["refresh_token"]
        assert application.refresh(one).status_code == 200
        assert application.refresh(two).status_code == 200
        tenant.advance(10)
        assert application.refresh(one).status_code == 403


def test_leeway_covers_one_generation_only() -> None:
    """A token older than the preceding one kills the family even within the leeway."""
    with application_with(leeway=60) as (application, _):
        first = application.log_in(ANA)["refresh_token"]
        second = application.refresh(first).json()["refresh_token"]
        third = application.refresh(second).json()["refresh_token"]
        assert application.refresh(first).status_code == 403
        assert application.refresh(third).status_code == 403


def test_a_client_without_rotation_keeps_its_token() -> None:
    """No refresh token comes back, and the old one stays good."""
    with application_with(rotation_type="non-rotating") as (application, _):
        token = application.log_in(ANA)["refresh_token"]
        for _ in range(2):
            answer = application.refresh(token)
            assert answer.status_code == 200
            assert "refresh_token" not in answer.json()


def test_idle_tokens_expire() -> None:
    """Use keeps a family alive, idleness ends it, and the absolute life ends it anyway."""
    settings = {"idle_token_lifetime": 100, "token_lifetime": 250}
    with application_with(**settings) as (application, tenant):
        token = application.log_in(ANA)["refresh_token"]
        statuses = []
        for _ in range(3):
            tenant.advance(90)
            answer = application.refresh(token)
            statuses.append(answer.status_code)
            token = answer.json().get("refresh_token", token)
        assert statuses == [200, 200, 403]


def test_two_hundred_families_at_most(application: Application, tenant: Tenant) -> None:
    """The oldest of 201 logins of one user loses its refresh token."""
    page = application.password(application.authorize(), ANA)
    assert page.is_redirect
    tokens = []
    for _ in range(201):
        code = application.authorize().headers["Location"].split("code=")[1].split("&")[0]
        tokens.append(application.exchange(code).json()["refresh_token"])
    assert application.refresh(tokens[0]).status_code == 403
    assert application.refresh(tokens[1]).status_code == 200
    assert len(tenant.families) == 200


@pytest.mark.parametrize(
    ("audience", "scope", "expected_audience", "expected_scope"),
    [
        ("", "", ACCOUNTS, f"{SCOPE} read:accounts"),
        ("", "openid read:accounts write:all", ACCOUNTS, "openid read:accounts"),
        (OPEN, "", OPEN, f"{SCOPE} read:open"),
        (OPEN, "openid read:open read:accounts", OPEN, "openid read:open"),
        ("https://unknown.example.com", "", ACCOUNTS, f"{SCOPE} read:accounts"),
        ("https://unknown.example.com", "openid read:open", ACCOUNTS, "openid"),
    ],
)
def test_audience_and_scope(
    application: Application,
    audience: str,
    scope: str,
    expected_audience: str,
    expected_scope: str,
) -> None:
    """The policies of the client decide, and fall back without a word."""
    tokens = application.log_in(ANA, audience=ACCOUNTS, scope=f"{SCOPE} read:accounts")
    answer = application.refresh(tokens["refresh_token"], audience, scope)
    assert answer.status_code == 200
    body = answer.json()
    assert target(body) == expected_audience
    assert body["scope"] == expected_scope
    assert claims(body["access_token"])["scope"] == expected_scope
    assert "id_token" in body


def test_without_policies_the_audience_is_ignored() -> None:
    """A client without multi-resource refresh tokens gets the original audience."""
    with application_with(policies={}) as (application, _):
        tokens = application.log_in(ANA, audience=ACCOUNTS, scope=f"{SCOPE} read:accounts")
        body = application.refresh(tokens["refresh_token"], PAYMENTS).json()
        assert target(body) == ACCOUNTS


def test_the_original_audience_stays_the_original(application: Application) -> None:
    """A refresh for another API does not change what one without an audience gives."""
    tokens = application.log_in(ANA, audience=ACCOUNTS, scope=f"{SCOPE} read:accounts")
    token = application.refresh(tokens["refresh_token"], OPEN).json()["refresh_token"]
    assert target(application.refresh(token).json()) == ACCOUNTS


def test_no_refresh_token_without_offline_access(application: Application) -> None:
    """``offline_access`` is what brings a refresh token."""
    assert "refresh_token" not in application.log_in(ANA, scope="openid profile")


def test_no_id_token_without_openid(application: Application) -> None:
    """``openid`` is what brings an ID token, also at the refresh."""
    tokens = application.log_in(ANA, scope="offline_access", audience=ACCOUNTS)
    assert "id_token" not in tokens
    assert "id_token" not in application.refresh(tokens["refresh_token"]).json()
