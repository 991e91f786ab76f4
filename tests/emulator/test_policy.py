"""Actions: what they see, what they can ask for, and how a flow goes through them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from flask_auth0_mfa.emulator import Configuration, Tenant, serve
from flask_auth0_mfa.emulator.actions import Action, Event, PostLoginApi

from .application import ACCOUNTS, MULTI_FACTOR, PAYMENTS, Application, claims

ANA, BEN = "ana@example.com", "ben@example.com"


@contextmanager
def tenant_with(*actions: Action, **settings: Any) -> Iterator[tuple[Application, Tenant]]:
    """Serve a tenant with these Actions, and log in with the demo client."""
    tenant = Tenant(Configuration(actions=actions, **settings))
    with serve(tenant) as server, Application(server.url) as application:
        yield application, tenant


def on_refresh(action: Action) -> Action:
    """Run the Action on refresh exchanges only."""

    def filtered(event: Event, api: PostLoginApi) -> None:
        if event.transaction.protocol == "oauth2-refresh-token":
            action(event, api)

    return filtered


def requirements(answer: Any) -> dict[str, list[str]]:
    """Return the factor types of an ``mfa_required`` answer."""
    body = answer.json()
    assert body["error"] == "mfa_required"
    lists = body["mfa_requirements"]
    return {name: [entry["type"] for entry in entries] for name, entries in lists.items()}


def test_event() -> None:
    """The event of a refresh has user, client, target, scopes and body, without secrets."""
    events: list[Event] = []
    with tenant_with(lambda event, _api: events.append(event)) as (application, _):
        tokens = application.log_in(ANA, acr_values=MULTI_FACTOR, **{"ext-color": "blue"})
        application.token(
            "refresh_token",
            refresh_token=tokens["refresh_token"],
            audience=PAYMENTS,
            scope="transfer:funds",
            reason="rent",
        )
    login, refresh = events
    assert login.transaction.protocol == "oidc-basic-profile"
    assert login.transaction.acr_values == (MULTI_FACTOR,)
    assert login.request.query["ext-color"] == "blue"
    assert login.resource_server is None
    assert [method.name for method in login.authentication.methods] == ["pwd"]
    assert refresh.transaction.requested_scopes == ("transfer:funds",)
    assert refresh.resource_server is not None
    assert refresh.resource_server.identifier == PAYMENTS
    assert refresh.request.body["reason"] == "rent"
    assert {"client_secret", "refresh_token"}.isdisjoint(refresh.request.body)
    assert [factor.type for factor in refresh.user.enrolled_factors][:2] == ["otp", "phone"]
    assert refresh.client.client_id == "demo-client"


def test_challenge_with_one_factor() -> None:
    """Only the named factor is listed, and only that one passes."""
    action = on_refresh(lambda _event, api: api.authentication.challenge_with("otp"))
    with tenant_with(action) as (application, tenant):
        tokens = application.log_in(ANA)
        answer = application.refresh(tokens["refresh_token"])
        assert requirements(answer) == {"challenge": ["otp"]}
        mfa_token = answer.json()["mfa_token"]
        code = tenant.recovery_code(ANA)
        other = application.token("mfa-recovery-code", mfa_token=mfa_token, recovery_code=code)
        assert other.json()["error_description"] == "MFA Authorization rejected."
        refused = application.challenge(mfa_token, challenge_type="oob")
        assert refused.json()["error"] == "unsupported_challenge_type"
        otp = tenant.current_otp(ANA)
        assert application.token("mfa-otp", mfa_token=mfa_token, otp=otp).status_code == 200


def test_factors_with_options_and_aliases() -> None:
    """A factor may be an object with options, and ``push`` means ``push-notification``."""

    def action(_event: Event, api: PostLoginApi) -> None:
        phone = {"type": "phone", "options": {"preferredMethod": "both"}}
        api.authentication.challenge_with_any([phone, "push", "webauthn-roaming"])

    with tenant_with(on_refresh(action)) as (application, _):
        answer = application.refresh(application.log_in(ANA)["refresh_token"])
        assert requirements(answer) == {"challenge": ["phone", "push-notification"]}


def test_disabled_factors_are_skipped() -> None:
    """What the tenant has switched off is not listed."""
    action = on_refresh(lambda _e, api: api.authentication.challenge_with_any(["otp", "phone"]))
    with tenant_with(action, factors=frozenset({"otp"})) as (application, _):
        answer = application.refresh(application.log_in(ANA)["refresh_token"])
        assert requirements(answer) == {"challenge": ["otp"]}


def test_enroll_leaves_email_out() -> None:
    """``enroll_with_any`` knows every factor but e-mail."""
    action = on_refresh(lambda _e, api: api.authentication.enroll_with_any(["email", "otp"]))
    with tenant_with(action) as (application, _):
        answer = application.refresh(application.log_in(BEN)["refresh_token"])
        assert requirements(answer) == {"enroll": ["otp"]}


def test_an_existing_factor_comes_before_a_new_one() -> None:
    """Whoever has a factor proves it, and then enrolls the one that the Action asks for."""
    action = on_refresh(lambda _event, api: api.authentication.enroll_with("phone"))
    with tenant_with(action) as (application, tenant):
        tokens = application.log_in("cleo@example.com")
        first = application.refresh(tokens["refresh_token"])
        assert requirements(first) == {"challenge": ["otp"]}
        otp = tenant.current_otp("cleo@example.com")
        mfa_token = first.json()["mfa_token"]
        second = application.token("mfa-otp", mfa_token=mfa_token, otp=otp)
        assert requirements(second) == {"enroll": ["phone"]}


def test_enroll_with_email_alone_cannot_be_met() -> None:
    """Nothing left to enroll is a failure."""
    action = on_refresh(lambda _event, api: api.authentication.enroll_with("email"))
    with tenant_with(action) as (application, _):
        answer = application.refresh(application.log_in(BEN)["refresh_token"])
        assert answer.json()["error"] == "unmet_authentication_requirements"


def test_next_action_sees_what_was_proved() -> None:
    """Methods are up to date when the next Action starts, and not before."""
    seen: list[list[str]] = []

    def look(event: Event, api: PostLoginApi) -> None:
        seen.append([method.name for method in event.authentication.methods])
        if len(seen) == 1:
            api.authentication.challenge_with("otp")

    with tenant_with(on_refresh(look), on_refresh(look)) as (application, tenant):
        mfa_token = application.step_up(ANA)
        otp = tenant.current_otp(ANA)
        assert application.token("mfa-otp", mfa_token=mfa_token, otp=otp).status_code == 200
    assert seen == [["pwd"], ["pwd", "mfa"]]


def test_the_refresh_token_remembers_methods() -> None:
    """A later refresh sees the factor with its time, so a policy can allow a window."""

    def window(event: Event, api: PostLoginApi) -> None:
        if all(method.name != "mfa" for method in event.authentication.methods):
            api.authentication.challenge_with("otp")

    with tenant_with(on_refresh(window)) as (application, tenant):
        mfa_token = application.step_up(ANA)
        verified = application.token(
            "mfa-otp", mfa_token=mfa_token, otp=tenant.current_otp(ANA)
        ).json()
        assert application.refresh(verified["refresh_token"], PAYMENTS).status_code == 200


def test_commands_of_one_action_are_taken_in_order() -> None:
    """Two commands of one Action make two steps."""

    def action(_event: Event, api: PostLoginApi) -> None:
        api.authentication.challenge_with("otp")
        api.authentication.challenge_with("recovery-code")

    with tenant_with(on_refresh(action)) as (application, tenant):
        mfa_token = application.step_up(ANA)
        second = application.token("mfa-otp", mfa_token=mfa_token, otp=tenant.current_otp(ANA))
        assert requirements(second) == {"challenge": ["recovery-code"]}


@pytest.mark.parametrize(("commands", "error"), [(4, "mfa_required"), (5, "unmet")])
def test_four_commands_at_most(commands: int, error: str) -> None:
    """A fifth command in one flow is a failure."""

    def action(_event: Event, api: PostLoginApi) -> None:
        for _ in range(commands):
            api.authentication.challenge_with("otp")

    with tenant_with(on_refresh(action)) as (application, _):
        answer = application.refresh(application.log_in(ANA)["refresh_token"])
        assert answer.json()["error"].startswith(error)


def test_multifactor_enable_lists_nothing() -> None:
    """The coarse switch says ``mfa_required`` without requirements; any factor passes."""
    action = on_refresh(lambda _event, api: api.multifactor.enable("any"))
    with tenant_with(action) as (application, tenant):
        answer = application.refresh(application.log_in(ANA)["refresh_token"])
        assert answer.json()["error"] == "mfa_required"
        assert "mfa_requirements" not in answer.json()
        done = application.token(
            "mfa-recovery-code",
            mfa_token=answer.json()["mfa_token"],
            recovery_code=tenant.recovery_code(ANA),
        )
        assert done.status_code == 200


def test_commands_override_multifactor_enable() -> None:
    """After a challenge command nothing more is asked for."""

    def action(_event: Event, api: PostLoginApi) -> None:
        api.multifactor.enable("any")
        api.authentication.challenge_with("otp")

    with tenant_with(on_refresh(action)) as (application, tenant):
        mfa_token = application.step_up(ANA)
        otp = tenant.current_otp(ANA)
        assert application.token("mfa-otp", mfa_token=mfa_token, otp=otp).status_code == 200


def test_policy_always_meets_every_refresh() -> None:
    """The tenant policy Always makes even a background refresh fail, without requirements."""

    def nothing(_event: Event, _api: PostLoginApi) -> None:
        """Ask for nothing."""

    with tenant_with(nothing, mfa_policy="always") as (application, tenant):
        page = application.password(application.authorize(), "cleo@example.com")
        page = application.submit(page, "/u/mfa", code=tenant.current_otp("cleo@example.com"))
        code = page.headers["Location"].split("code=")[1].split("&")[0]
        tokens = application.exchange(code).json()
        answer = application.refresh(tokens["refresh_token"])
        assert answer.json()["error"] == "mfa_required"
        assert "mfa_requirements" not in answer.json()


def test_custom_claims() -> None:
    """Actions add claims of their own; names that are Auth0's cannot be set."""

    def action(_event: Event, api: PostLoginApi) -> None:
        api.id_token.set_custom_claim("https://acme.example.com/plan", "gold")
        api.id_token.set_custom_claim("amr", ["mfa"])
        api.access_token.set_custom_claim("https://acme.example.com/plan", "gold")
        for name in ("auth_time", "acr", "permissions", "urn:auth0:acr", "https://auth0.com/acr"):
            api.access_token.set_custom_claim(name, "gold")

    with tenant_with(action) as (application, _):
        tokens = application.log_in(ANA, audience=ACCOUNTS)
        for name in ("id_token", "access_token"):
            assert claims(tokens[name])["https://acme.example.com/plan"] == "gold"
        assert "amr" not in claims(tokens["id_token"])
        gold = [name for name, value in claims(tokens["access_token"]).items() if value == "gold"]
        assert gold == ["https://acme.example.com/plan"]
