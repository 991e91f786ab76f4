"""The tenant in process: its place, its settings, its clock and its failures."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Blueprint, Flask
from werkzeug.test import Client as Browser

from flask_auth0_mfa import Auth0MFA, guard_blueprint, requires_stepup
from flask_auth0_mfa.api import ProtectedAPI
from flask_auth0_mfa.emulator import Client, Configuration, person
from flask_auth0_mfa.testing.client import Auth0TestClient
from flask_auth0_mfa.testing.tenant import InProcessTenant

from ..conftest import PAYMENTS, SECRET_KEY

ANA = "ana@example.com"
BEN = "ben@example.com"
DAN = "dan@example.com"


@pytest.fixture
def ana(auth0_client: Auth0TestClient) -> Auth0TestClient:
    """Ana, signed in."""
    auth0_client.log_in(ANA)
    return auth0_client


def verify(client: Auth0TestClient, mfa_token: str, otp: str) -> Any:
    """Send a code as a program."""
    return client.post("/auth/mfa/verify", json={"mfa_token": mfa_token, "otp": otp})


class TestInstall:
    """``install(app)``, which ``client(app)`` does as well."""

    def test_opens_no_socket(
        self, auth0_client: Auth0TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Login, step-up and logout make no connection and look no name up."""

        def refuse(*arguments: Any) -> None:
            raise AssertionError(f"a socket was used: {arguments}")

        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        monkeypatch.setattr(socket.socket, "connect", refuse)
        auth0_client.log_in(ANA)
        auth0_client.step_up("/transfer")
        logout = auth0_client.get("/auth/logout")
        assert logout.location.startswith("https://tenant.test/oidc/logout?")

    @pytest.mark.parametrize("name", [None, "bank.example.com"])
    def test_logout_leads_home(
        self, name: str | None, auth0_tenant: InProcessTenant, make_app: Callable[..., Flask]
    ) -> None:
        """The tenant sends a user who logged out back to the application, wherever that is."""
        client = auth0_tenant.client(make_app(SERVER_NAME=name))
        client.log_in(ANA)
        logout = client.get("/auth/logout")
        answer = Browser(auth0_tenant.wsgi_app).get(logout.location)
        assert answer.location == f"http://{name or 'localhost'}/"

    def test_api(self, auth0_tenant: InProcessTenant) -> None:
        """An API without a login takes the tenant's tokens, and its clock."""
        app = Flask("payments")
        api = ProtectedAPI(app, domain="payments.eu.auth0.com", audience=PAYMENTS)
        app.get("/")(api.requires_token(scope="read:payments", max_age=300)(lambda: "in"))
        auth0_tenant.install(app)

        def statuses(scope: str) -> list[int]:
            claims = {"auth_time": auth0_tenant.tenant.clock.now() - 299}
            token = auth0_tenant.access_token(ANA, PAYMENTS, scope, claims=claims)
            headers = {"Authorization": f"Bearer {token}"}
            found = []
            for _ in range(2):
                found.append(app.test_client().get("/", headers=headers).status_code)
                auth0_tenant.advance(2)
            return found

        assert statuses("read:payments") == [200, 401]
        assert statuses("") == [403, 403]

    def test_private_key(
        self, auth0_tenant: InProcessTenant, make_app: Callable[..., Flask]
    ) -> None:
        """An application that signs its requests (private_key_jwt) is believed."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        app = make_app(AUTH0_CLIENT_SECRET=None, AUTH0_CLIENT_ASSERTION_SIGNING_KEY=pem.decode())
        client = auth0_tenant.client(app)
        client.log_in(ANA)
        assert client.step_up("/transfer").status_code == 200

    def test_without_the_extension(self, auth0_tenant: InProcessTenant) -> None:
        """An application without Auth0MFA is refused with the remedy."""
        with pytest.raises(RuntimeError, match=r"call Auth0MFA\(app\) first"):
            auth0_tenant.install(Flask("bare"))

    def test_two_applications(
        self, auth0_tenant: InProcessTenant, make_app: Callable[..., Flask]
    ) -> None:
        """Two applications share the tenant, each with a client of its own."""
        for client_id in ("bank", "shop"):
            client = auth0_tenant.client(make_app(AUTH0_CLIENT_ID=client_id))
            client.log_in(ANA)
            assert client.step_up("/transfer").status_code == 200

    def test_two_tenants(
        self, auth0_tenant: InProcessTenant, make_app: Callable[..., Flask]
    ) -> None:
        """Applications of different tenants cannot share one."""
        auth0_tenant.install(make_app())
        with pytest.raises(RuntimeError, match="the same AUTH0_DOMAIN"):
            auth0_tenant.install(make_app(AUTH0_DOMAIN="other.eu.auth0.com"))

    def test_limits_start_empty(
        self, auth0_tenant: InProcessTenant, make_app: Callable[..., Flask]
    ) -> None:
        """What an application counted under an earlier tenant is forgotten."""
        app = make_app(AUTH0_MFA_SEND_LIMIT="1 per hour")
        for tenant in (InProcessTenant(auth0_tenant.tenant.keys), auth0_tenant):
            client = tenant.client(app)
            client.log_in(ANA)
            assert client.step_up("/transfer", method="sms").status_code == 200

    def test_limits_are_kept_for_a_second_browser(
        self, auth0_tenant: InProcessTenant, make_app: Callable[..., Flask]
    ) -> None:
        """Another client of the same tenant does not give new tries."""
        app = make_app(AUTH0_MFA_SEND_LIMIT="1 per hour")
        statuses = []
        for _ in range(2):
            client = auth0_tenant.client(app)
            client.log_in(ANA)
            statuses.append(client.step_up("/transfer", method="sms").status_code)
        assert statuses == [200, 429]


class TestSettings:
    """APIs and people."""

    def test_added_api(self, ana: Auth0TestClient, auth0_tenant: InProcessTenant) -> None:
        """An API that no guard names is added by hand."""
        auth0_tenant.add_api("https://ledger.example.com", "read:ledger", mfa_factors=0)
        answer = ana.get("/token?audience=https://ledger.example.com&scope=read:ledger")
        assert answer.get_json()["scope"].split() == ["read:ledger"]

    def test_guard_added_later(self, auth0_tenant: InProcessTenant) -> None:
        """A new client makes the tenant know the guards that came after the first one."""
        app = Flask("later")
        app.config.update(auth0_tenant.config, SECRET_KEY=SECRET_KEY)
        Auth0MFA(app)
        auth0_tenant.install(app)

        @app.get("/late")
        @requires_stepup("https://late.example.com")
        def late() -> str:
            return "Late"

        client = auth0_tenant.client(app)
        client.log_in(ANA)
        assert client.step_up("/late").text == "Late"

    def test_guarded_blueprint(
        self, auth0_tenant: InProcessTenant, make_app: Callable[..., Flask]
    ) -> None:
        """An API that a guarded blueprint names is known to the tenant."""
        app = make_app()
        vault = Blueprint("vault", "vault")
        vault.add_url_rule("/vault", view_func=lambda: "Vault", endpoint="door")
        app.register_blueprint(guard_blueprint(vault, "https://vault.example.com"))
        client = auth0_tenant.client(app)
        client.log_in(ANA)
        assert client.step_up("/vault").text == "Vault"

    def test_own_people(self, auth0_tenant: InProcessTenant, app: Flask) -> None:
        """A configuration of one's own replaces the people, and the application stays known."""
        client = auth0_tenant.client(app)
        eve = person("eve@example.com", "Eve", password="e", phone_number="+15550100100")
        mine = Client("shop", "shop-secret")
        auth0_tenant.configure(Configuration(users=(eve,), clients=(mine,)))
        client.log_in("eve@example.com")
        assert client.step_up("/transfer", method="voice").status_code == 200
        assert auth0_tenant.last_message("eve@example.com").channel == "voice"

    def test_config_is_a_copy(self, auth0_tenant: InProcessTenant) -> None:
        """Changing the settings of one application changes no other's."""
        auth0_tenant.config["AUTH0_DOMAIN"] = "changed"
        assert auth0_tenant.config["AUTH0_DOMAIN"] == "tenant.test"


class TestPieces:
    """Codes, messages and pushes."""

    def test_nothing_there(self, auth0_tenant: InProcessTenant) -> None:
        """What a user does not have, or did not get, is an error that says so."""
        with pytest.raises(LookupError, match="no authenticator app"):
            auth0_tenant.otp(BEN)
        with pytest.raises(LookupError, match="Nothing was sent"):
            auth0_tenant.last_message(ANA)
        with pytest.raises(LookupError, match="no recovery code"):
            auth0_tenant.recovery_code(BEN)
        with pytest.raises(LookupError, match="No push waits for anybody"):
            auth0_tenant.approve_push()

    @pytest.mark.parametrize(("decide", "status"), [("approve_push", 200), ("reject_push", 400)])
    def test_push(
        self,
        decide: str,
        status: int,
        auth0_client: Auth0TestClient,
        auth0_tenant: InProcessTenant,
    ) -> None:
        """A push is approved or rejected on the phone of the user to whom it went."""
        auth0_client.log_in(DAN)
        mfa_token = {"mfa_token": auth0_client.mfa_required("/transfer")["mfa_token"]}
        auth0_client.post("/auth/mfa/challenge", json={**mfa_token, "challenge_type": "oob"})
        with pytest.raises(LookupError, match=r"No push waits for ana@example\.com"):
            getattr(auth0_tenant, decide)(ANA)
        getattr(auth0_tenant, decide)(DAN)
        assert auth0_client.post("/auth/mfa/poll", json=mfa_token).status_code == status

    def test_calls(self, ana: Auth0TestClient, auth0_tenant: InProcessTenant) -> None:
        """The log of calls says what was asked, and how it was answered."""
        ana.mfa_required("/transfer")
        last = auth0_tenant.calls[-1]
        assert (last.method, last.path, last.grant_type, last.status) == (
            "POST",
            "/oauth/token",
            "refresh_token",
            403,
        )


class TestAdvance:
    """``advance(seconds)``, for the tenant and the application at once."""

    def test_verification_ages(self, ana: Auth0TestClient, auth0_tenant: InProcessTenant) -> None:
        """After the maximum age the second factor is asked for again."""
        ana.step_up("/transfer")
        auth0_tenant.advance(890)
        assert ana.get("/transfer").status_code == 200
        auth0_tenant.advance(20)
        assert ana.mfa_required("/transfer")

    def test_check_times_out(self, ana: Auth0TestClient, auth0_tenant: InProcessTenant) -> None:
        """A check that was left open is over after its time."""
        mfa_token = ana.mfa_required("/transfer")["mfa_token"]
        auth0_tenant.advance(301)
        answer = verify(ana, mfa_token, auth0_tenant.otp(ANA))
        assert (answer.status_code, answer.get_json()["error"]) == (401, "mfa_token_expired")

    def test_codes_change(self, ana: Auth0TestClient, auth0_tenant: InProcessTenant) -> None:
        """A code of two minutes ago is refused, the one of now is taken."""
        old = auth0_tenant.otp(ANA)
        auth0_tenant.advance(120)
        mfa_token = ana.mfa_required("/transfer")["mfa_token"]
        assert verify(ana, mfa_token, old).get_json()["error"] == "verification_failed"
        assert verify(ana, mfa_token, auth0_tenant.otp(ANA)).status_code == 200

    def test_access_token_expires(
        self, ana: Auth0TestClient, auth0_tenant: InProcessTenant
    ) -> None:
        """After a day access tokens are refreshed, and the answer's ID token is from today."""
        address = "/token?audience=https://accounts.example.com"
        first = ana.get(address).get_json()["expires_at"]
        auth0_tenant.advance(86_400)
        second = ana.get(address).get_json()["expires_at"]
        assert 86_400 <= second - first < 86_460

    def test_login_later(
        self, auth0_client: Auth0TestClient, auth0_tenant: InProcessTenant
    ) -> None:
        """A week later a login works, and counts as one of a week later."""
        auth0_tenant.advance(7 * 86_400)
        auth0_client.log_in(BEN)
        # To enroll takes a login of the last five minutes.
        assert auth0_client.step_up("/transfer").status_code == 200

    def test_limits_on_guesses(self, ana: Auth0TestClient, auth0_tenant: InProcessTenant) -> None:
        """Whoever guessed too often may try again when the time of the limit is over."""
        mfa_token = ana.mfa_required("/transfer")["mfa_token"]
        answers = [verify(ana, mfa_token, "000000").status_code for _ in range(6)]
        assert answers == [400] * 5 + [429]
        auth0_tenant.advance(200)
        assert verify(ana, mfa_token, auth0_tenant.otp(ANA)).status_code == 429
        auth0_tenant.advance(901)
        assert ana.step_up("/transfer", method="otp").status_code == 200

    def test_pause_between_messages(
        self, ana: Auth0TestClient, auth0_tenant: InProcessTenant, app: Flask
    ) -> None:
        """The pause after a message passes as well."""
        limits = app.extensions["auth0_mfa"].limits
        ana.mfa_required("/transfer")
        sent = limits.send_buckets("user", "context")
        limits.count(sent, "user")
        assert 29 <= limits.wait(sent) <= 30
        auth0_tenant.advance(20)
        assert 9 <= limits.wait(sent) <= 10
        auth0_tenant.advance(10)
        assert limits.wait(sent) == 0


class TestFault:
    """``fault(path)``."""

    @pytest.mark.parametrize(
        ("fault", "status"),
        [
            ({"status": 500}, 503),
            ({"status": 429, "body": {"error": "too_many_requests"}}, 429),
            ({"status": 200, "body": "<html>"}, 503),
            ({"drop": True}, 503),
            ({"delay": 5.5}, 503),
            ({"delay": 4.5}, 403),
        ],
        ids=str,
    )
    def test_what_the_application_makes_of_it(
        self,
        fault: dict[str, Any],
        status: int,
        ana: Auth0TestClient,
        auth0_tenant: InProcessTenant,
    ) -> None:
        """Errors, dropped connections and late answers arrive as from a real tenant, at once."""
        auth0_tenant.fault("/oauth/token", **fault)
        started = time.monotonic()
        answer = ana.get("/transfer", headers={"Accept": "application/json"})
        assert answer.status_code == status
        assert time.monotonic() - started < 4

    def test_late_answer_was_carried_out(
        self, ana: Auth0TestClient, auth0_tenant: InProcessTenant
    ) -> None:
        """A call whose answer came too late has been carried out all the same."""
        mfa_token = ana.mfa_required("/transfer")["mfa_token"]
        auth0_tenant.fault("/oauth/token", delay=10)
        assert verify(ana, mfa_token, auth0_tenant.otp(ANA)).status_code == 503
        assert auth0_tenant.calls[-1].status == 200

    def test_at_login(self, auth0_client: Auth0TestClient, auth0_tenant: InProcessTenant) -> None:
        """The code exchange of a login, which is Authlib's, meets faults as well."""
        auth0_tenant.fault("/oauth/token", delay=10)
        with pytest.raises(AssertionError, match="503"):
            auth0_client.log_in(ANA)

    def test_delay_passes_on_the_clock(
        self, ana: Auth0TestClient, auth0_tenant: InProcessTenant
    ) -> None:
        """The time of a late answer is gone afterwards, for codes and lifetimes alike."""
        before = auth0_tenant.tenant.clock.now()
        auth0_tenant.fault("/oauth/token", delay=4)
        ana.mfa_required("/transfer")
        assert auth0_tenant.tenant.clock.now() - before >= 4

    def test_number_of_times(self, ana: Auth0TestClient, auth0_tenant: InProcessTenant) -> None:
        """A fault happens as often as it was asked for."""
        auth0_tenant.fault("/oauth/token", status=502, times=2)
        answers = [ana.get("/api/balance").status_code for _ in range(3)]
        assert answers == [503, 503, 303]
