"""The test client: it logs in and steps up in one line each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask.views import MethodView

from flask_auth0_mfa import current_auth0, requires_stepup
from flask_auth0_mfa.testing.client import Auth0TestClient
from flask_auth0_mfa.testing.tenant import InProcessTenant

from ..conftest import ADMIN, OPEN, PAYMENTS

ANA = "ana@example.com"
BEN = "ben@example.com"
CLEO = "cleo@example.com"
DAN = "dan@example.com"


def signed_in_as(client: FlaskClient) -> str | None:
    """Return the address of the user that the application knows."""
    return (client.get("/auth/profile").get_json() or {}).get("email")


def paths(tenant: InProcessTenant) -> list[str]:
    """Return the MFA calls that the tenant got, and its token endpoint's grants."""
    return [call.grant_type or call.path for call in tenant.calls]


class TestLogIn:
    """``log_in(email)``."""

    def test_signs_in(self, auth0_client: Auth0TestClient) -> None:
        """The user is signed in afterwards."""
        auth0_client.log_in(ANA)
        assert signed_in_as(auth0_client) == ANA

    def test_changes_the_user(self, auth0_client: Auth0TestClient) -> None:
        """Another user who logs in takes over the browser, whoever the tenant remembers."""
        auth0_client.log_in(ANA)
        auth0_client.log_in(BEN)
        assert signed_in_as(auth0_client) == BEN

    def test_each_client_is_a_browser(
        self, auth0_client: Auth0TestClient, auth0_tenant: InProcessTenant, app: Flask
    ) -> None:
        """A second client is signed in as nobody."""
        auth0_client.log_in(ANA)
        other = auth0_tenant.client(app)
        assert signed_in_as(other) is None
        other.log_in(BEN)
        assert signed_in_as(auth0_client) == ANA

    def test_unknown_user(self, auth0_client: Auth0TestClient) -> None:
        """A user whom the tenant does not know is an error that names those it knows."""
        with pytest.raises(AssertionError, match=r"no user eve@example\.com; it has ana@"):
            auth0_client.log_in("eve@example.com")

    def test_failure(self, auth0_client: Auth0TestClient, auth0_tenant: InProcessTenant) -> None:
        """A login that does not come through is an error with what the user saw."""
        auth0_tenant.fault("/oauth/token", drop=True)
        with pytest.raises(AssertionError, match="could not log in: 503"):
            auth0_client.log_in(ANA)

    @pytest.mark.parametrize("email", [ANA, BEN, CLEO, DAN])
    def test_second_factor_at_login(
        self, email: str, auth0_tenant: InProcessTenant, make_app: Callable[..., Flask]
    ) -> None:
        """Where the tenant asks for a second factor at login, the user proves or enrolls one."""
        client = auth0_tenant.client(make_app(AUTH0_AUDIENCE=PAYMENTS))
        client.log_in(email)
        assert "mfa" in client.get("/auth/profile").get_json()["amr"]


class TestStepUp:
    """``step_up(url)``."""

    @pytest.mark.parametrize("method", ["otp", "push", "sms", "voice", "email", "recovery-code"])
    def test_each_method(self, method: str, auth0_client: Auth0TestClient) -> None:
        """The page that was asked for comes back, whichever method is used."""
        auth0_client.log_in(ANA)
        answer = auth0_client.step_up("/transfer", method=method)
        assert answer.text == f"Transfer with a token for {PAYMENTS}"
        assert answer.request.path == "/transfer"

    def test_is_recorded_by_its_method(
        self, auth0_tenant: InProcessTenant, make_app: Callable[..., Flask]
    ) -> None:
        """A view that accepts one method only is opened by that method."""
        app = make_app()

        @app.get("/by-text")
        @requires_stepup(PAYMENTS, methods=["sms"])
        def by_text() -> str:
            return "By text"

        client = auth0_tenant.client(app)
        client.log_in(ANA)
        client.step_up("/transfer", method="otp")
        assert client.mfa_required("/by-text")
        assert client.step_up("/by-text").text == "By text"
        assert auth0_tenant.last_message(ANA).channel == "sms"

    @pytest.mark.parametrize(
        ("method", "expected"),
        [
            ("otp", ["/mfa/authenticators", "http://auth0.com/oauth/grant-type/mfa-otp"]),
            (
                "push",
                [
                    "/mfa/authenticators",
                    "/mfa/challenge",
                    "http://auth0.com/oauth/grant-type/mfa-oob",
                ],
            ),
        ],
    )
    def test_calls(
        self,
        method: str,
        expected: list[str],
        auth0_client: Auth0TestClient,
        auth0_tenant: InProcessTenant,
    ) -> None:
        """The tenant is asked what it would be asked for a person, and no more."""
        auth0_client.log_in(ANA)
        before = len(auth0_tenant.calls)
        auth0_client.step_up("/transfer", method=method)
        assert paths(auth0_tenant)[before:] == ["refresh_token", *expected]

    def test_chain(self, auth0_tenant: InProcessTenant, make_app: Callable[..., Flask]) -> None:
        """Two factors in a chain are proved one after the other, the wanted one first."""
        app = make_app()

        @app.get("/admin")
        @requires_stepup(ADMIN)
        def admin() -> str:
            return "Admin"

        client = auth0_tenant.client(app)
        client.log_in(ANA)
        assert client.step_up("/admin", method="push").text == "Admin"
        grants = [path for path in paths(auth0_tenant) if "grant-type/mfa" in path]
        assert [grant.rpartition("/")[2] for grant in grants] == ["mfa-oob", "mfa-otp"]

    @pytest.mark.parametrize("method", [None, "otp", "push", "sms", "voice"])
    def test_enrolls(
        self, method: str | None, auth0_client: Auth0TestClient, auth0_tenant: InProcessTenant
    ) -> None:
        """A user without a factor enrolls one on the way."""
        auth0_client.log_in(BEN)
        assert "Transfer" in auth0_client.step_up("/transfer", method=method).text
        kind = {None: "otp", "push": "auth0"}.get(method, method)
        assert auth0_tenant.tenant.user(BEN).active(kind)

    def test_goes_on_with_an_open_check(
        self, auth0_client: Auth0TestClient, auth0_tenant: InProcessTenant
    ) -> None:
        """A check that the test began by hand is finished, by another method if wanted."""
        auth0_client.log_in(DAN)
        auth0_client.get("/transfer", follow_redirects=True)
        assert "Transfer" in auth0_client.step_up("/transfer").text

    def test_open_page(self, auth0_client: Auth0TestClient) -> None:
        """A page without a guard is simply returned."""
        auth0_client.log_in(ANA)
        assert auth0_client.step_up("/").text == "Home"

    def test_by_universal_login(
        self, auth0_client: Auth0TestClient, auth0_tenant: InProcessTenant
    ) -> None:
        """A tenant that asks for no factor is asked by way of Universal Login."""
        auth0_client.log_in(ANA)
        answer = auth0_client.step_up("/open")
        assert answer.status_code == 403
        assert "A second check is needed, but it is not set up" in answer.text
        assert [call.path for call in auth0_tenant.calls].count("/authorize") == 2

    def test_nobody(self, auth0_client: Auth0TestClient) -> None:
        """A step-up of nobody says that a login comes first."""
        with pytest.raises(AssertionError, match=r"call client\.log_in"):
            auth0_client.step_up("/transfer")

    def test_method_that_the_user_has_not(self, auth0_client: Auth0TestClient) -> None:
        """A method that is not offered is an error that says which ones are."""
        auth0_client.log_in(CLEO)
        with pytest.raises(AssertionError, match="cannot use sms here; offered: otp"):
            auth0_client.step_up("/transfer", method="sms")

    def test_returns_the_page_where_it_stops(
        self, auth0_client: Auth0TestClient, auth0_tenant: InProcessTenant
    ) -> None:
        """A check that cannot be finished ends at the page that says so."""
        auth0_client.log_in(ANA)
        auth0_tenant.fault("/mfa/authenticators", status=500)
        answer = auth0_client.step_up("/transfer")
        assert answer.status_code == 503
        assert "We cannot check this right now" in answer.text


class TestMfaRequired:
    """``mfa_required(url)``."""

    def test_body(self, auth0_client: Auth0TestClient, auth0_tenant: InProcessTenant) -> None:
        """The body has what a program needs to go on."""
        auth0_client.log_in(ANA)
        body = auth0_client.mfa_required("/transfer")
        code = auth0_tenant.otp(ANA)
        answer = auth0_client.post(
            "/auth/mfa/verify", json={"mfa_token": body["mfa_token"], "otp": code}
        )
        assert answer.get_json() == {"success": True}

    def test_takes_a_request(self, auth0_client: Auth0TestClient) -> None:
        """Method and body can be given as for any request."""
        auth0_client.log_in(ANA)
        assert auth0_client.mfa_required("/transfer", method="POST", json={"amount": 5})

    def test_other_answer(self, auth0_client: Auth0TestClient) -> None:
        """A page that asks for no second factor is an error."""
        auth0_client.log_in(ANA)
        with pytest.raises(AssertionError, match="/accounts asked for no second factor: 200 OK"):
            auth0_client.mfa_required("/accounts")


class TestApplications:
    """Applications that are set up in ways of their own."""

    @pytest.mark.parametrize(
        "config",
        [
            {"SERVER_NAME": "bank.example.com"},
            {"APPLICATION_ROOT": "/bank"},
            {"AUTH0_MFA_URL_PREFIX": "/sign-in/here"},
            {
                "AUTH0_DOMAIN": "bank.eu.auth0.com",
                "AUTH0_CLIENT_ID": "a",
                "AUTH0_CLIENT_SECRET": "b",
            },
            {"AUTH0_DOMAIN": "http://localhost:4400"},
            {"WTF_CSRF_ENABLED": False, "TESTING": True},
            {"SESSION_COOKIE_SECURE": True, "PREFERRED_URL_SCHEME": "https"},
            {"AUTH0_AUDIENCE": "https://api.bank.example.com"},
        ],
        ids=lambda config: "-".join(config),
    )
    def test_settings(
        self,
        config: dict[str, Any],
        auth0_tenant: InProcessTenant,
        make_app: Callable[..., Flask],
    ) -> None:
        """Login and step-up work as the application is set up, its own tenant included."""
        client = auth0_tenant.client(make_app(**config))
        client.log_in(ANA)
        assert "Transfer" in client.step_up("/transfer").text

    def test_own_test_client(
        self, auth0_tenant: InProcessTenant, make_app: Callable[..., Flask]
    ) -> None:
        """The application's own kind of test client is kept."""

        class Client(FlaskClient):
            def greet(self) -> str:
                return "Hello"

        app = make_app()
        app.test_client_class = Client
        assert auth0_tenant.client(app).greet() == "Hello"  # type: ignore[attr-defined]

    def test_class_based_view(
        self, auth0_tenant: InProcessTenant, make_app: Callable[..., Flask]
    ) -> None:
        """An API that only one method of a class-based view names is known to the tenant."""

        class Vault(MethodView):
            @requires_stepup("https://vault.example.com", scope="open:vault")
            def get(self) -> str:
                return current_auth0.get_access_token("https://vault.example.com").scope

        app = make_app()
        app.add_url_rule("/vault", view_func=Vault.as_view("vault"))
        client = auth0_tenant.client(app)
        client.log_in(ANA)
        assert client.step_up("/vault").text == "open:vault"

    def test_misconfigured_api_stays_so(self, auth0_client: Auth0TestClient) -> None:
        """An API that the tenant knows already is not changed by a guard that names it."""
        apis = auth0_client.auth0.tenant.configuration.apis
        assert next(api for api in apis if api.identifier == OPEN).mfa_factors == 0
