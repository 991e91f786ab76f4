"""Auth0's own SDK for Python, auth0-server-python, against the tenant over TLS, unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pyotp
import pytest

from flask_auth0_mfa.emulator import Tenant, serve
from flask_auth0_mfa.emulator.server import RunningServer

from .application import ADMIN, CALLBACK, PAYMENTS, SCOPE, Application, claims

# Deprecation warnings of the SDK and of what it imports are not ours to fix.
pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

ANA, BEN, DAN = "ana@example.com", "ben@example.com", "dan@example.com"


class MemoryStore:
    """The store that an application brings along."""

    def __init__(self) -> None:
        self.content: dict[str, Any] = {}

    async def set(
        self, identifier: str, state: Any, remove_if_expires: bool = False, options: Any = None
    ) -> None:
        """Keep the state."""
        self.content[identifier] = state

    async def get(self, identifier: str, options: Any = None) -> Any:
        """Return the state."""
        return self.content.get(identifier)

    async def delete(self, identifier: str, options: Any = None) -> None:
        """Forget the state."""
        self.content.pop(identifier, None)


@pytest.fixture(scope="module")
def tls_server() -> Iterator[RunningServer]:
    """A tenant over https, which the SDK insists on."""
    with serve(Tenant(), tls=True) as server:
        yield server


@pytest.fixture
def tenant(tls_server: RunningServer) -> Tenant:
    """The tenant, as at the start."""
    tls_server.tenant.reset()
    return tls_server.tenant


@pytest.fixture
def browser(tls_server: RunningServer) -> Iterator[Application]:
    """The user's browser."""
    with Application(tls_server.url, ca_file=tls_server.ca_file) as application:
        yield application


@pytest.fixture
def client(tls_server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The SDK's ServerClient, trusting the tenant's CA."""
    from auth0_server_python.auth_server.server_client import ServerClient

    monkeypatch.setenv("SSL_CERT_FILE", str(tls_server.ca_file))
    return ServerClient(
        domain=tls_server.url.removeprefix("https://"),
        client_id="demo-client",
        client_secret="demo-secret",
        redirect_uri=CALLBACK,
        secret="a secret of the application, long enough",
        transaction_store=MemoryStore(),
        state_store=MemoryStore(),
        authorization_params={"scope": SCOPE},
    )


async def log_in(client: Any, browser: Application, email: str) -> None:
    """Log in with the SDK and the tenant's page."""
    page = browser.visit(await client.start_interactive_login())
    answer = browser.password(page, email)
    await client.complete_interactive_login(answer.headers["Location"])


async def refused(client: Any, audience: str = PAYMENTS) -> Any:
    """Ask for a token and return the SDK's MfaRequiredError."""
    from auth0_server_python.error import MfaRequiredError

    with pytest.raises(MfaRequiredError) as error:
        await client.get_access_token(audience=audience)
    return error.value


def in_session(
    client: Any, browser: Application, email: str, then: Callable[[], Awaitable[None]]
) -> None:
    """Log a user in and go on in the same event loop."""

    async def both() -> None:
        try:
            await log_in(client, browser, email)
            await then()
        finally:
            # The SDK has no way to close the connection that it keeps open for the code grant.
            await client._oauth.aclose()

    asyncio.run(both())


def check(answer: Any, audience: str = PAYMENTS) -> None:
    """Check that the SDK was given a token for the audience."""
    assert audience in claims(answer.access_token)["aud"]


def test_login_and_refresh(client: Any, browser: Application) -> None:
    """Login, the user's claims, and a token for an API without MFA."""

    async def then() -> None:
        user = await client.get_user()
        assert user["email"] == ANA
        token = await client.get_access_token(audience="https://accounts.example.com")
        assert "https://accounts.example.com" in claims(token)["aud"]

    in_session(client, browser, ANA, then)


def test_otp(client: Any, browser: Application, tenant: Tenant) -> None:
    """List, challenge and verify with an authenticator app; the token is then in its store."""

    async def then() -> None:
        error = await refused(client)
        assert error.mfa_requirements.challenge[0].type == "otp"
        listed = await client.mfa.list_authenticators({"mfa_token": error.mfa_token})
        assert [entry.oob_channel for entry in listed[1:5]] == ["sms", "voice", "email", "auth0"]
        challenge = await client.mfa.challenge_authenticator(
            {"mfa_token": error.mfa_token, "factor_type": "otp"}
        )
        assert challenge.challenge_type == "otp"
        answer = await client.mfa.verify(
            {
                "mfa_token": error.mfa_token,
                "otp": tenant.current_otp(ANA),
                "persist": True,
                "audience": PAYMENTS,
            }
        )
        check(answer)
        assert await client.get_access_token(audience=PAYMENTS) == answer.access_token

    in_session(client, browser, ANA, then)


def test_wrong_otp(client: Any, browser: Application) -> None:
    """A wrong code is the SDK's MfaVerifyError with Auth0's words."""
    from auth0_server_python.error import MfaVerifyError

    async def then() -> None:
        error = await refused(client)
        with pytest.raises(MfaVerifyError, match=r"Invalid otp_code\."):
            await client.mfa.verify({"mfa_token": error.mfa_token, "otp": "000000x"})

    in_session(client, browser, ANA, then)


def test_sms(client: Any, browser: Application, tenant: Tenant) -> None:
    """A text message is sent to the chosen phone and its code verified."""

    async def then() -> None:
        error = await refused(client)
        listed = await client.mfa.list_authenticators({"mfa_token": error.mfa_token})
        sms = next(entry for entry in listed if entry.oob_channel == "sms")
        challenge = await client.mfa.challenge_authenticator(
            {"mfa_token": error.mfa_token, "factor_type": "sms", "authenticator_id": sms.id}
        )
        assert challenge.binding_method == "prompt"
        check(
            await client.mfa.verify(
                {
                    "mfa_token": error.mfa_token,
                    "oob_code": challenge.oob_code,
                    "binding_code": tenant.last_message(ANA).code,
                }
            )
        )

    in_session(client, browser, ANA, then)


def test_push(client: Any, browser: Application, tenant: Tenant) -> None:
    """A push is polled for until it is approved."""
    from auth0_server_python.error import MfaVerifyError

    async def then() -> None:
        error = await refused(client)
        challenge = await client.mfa.challenge_authenticator(
            {"mfa_token": error.mfa_token, "factor_type": "auth0"}
        )
        assert challenge.binding_method is None
        poll = {"mfa_token": error.mfa_token, "oob_code": challenge.oob_code}
        with pytest.raises(MfaVerifyError) as pending:
            await client.mfa.verify(poll)
        assert pending.value.cause["error"] == "authorization_pending"
        tenant.advance(5)
        tenant.approve()
        check(await client.mfa.verify(poll))

    in_session(client, browser, DAN, then)


def test_recovery_code(client: Any, browser: Application, tenant: Tenant) -> None:
    """A recovery code is spent, and the SDK hands its successor on."""

    async def then() -> None:
        error = await refused(client)
        answer = await client.mfa.verify(
            {"mfa_token": error.mfa_token, "recovery_code": tenant.recovery_code(ANA)}
        )
        check(answer)
        assert answer.recovery_code == tenant.recovery_code(ANA)

    in_session(client, browser, ANA, then)


def test_enroll_otp(client: Any, browser: Application, tenant: Tenant) -> None:
    """A user without factors enrolls an app and confirms it."""

    async def then() -> None:
        error = await refused(client)
        assert error.mfa_requirements.enroll
        enrolled = await client.mfa.enroll_authenticator(
            {"mfa_token": error.mfa_token, "factor_type": "otp"}
        )
        assert len(enrolled.recovery_codes) == 1
        otp = pyotp.TOTP(enrolled.secret).now()
        check(await client.mfa.verify({"mfa_token": error.mfa_token, "otp": otp}))

    in_session(client, browser, BEN, then)
    assert tenant.user(BEN).active_types() == ["otp", "recovery-code"]


@pytest.mark.parametrize(
    ("factor_type", "more"),
    [("sms", {"phone_number": "+15550100009"}), ("email", {})],
)
def test_enroll_by_message(
    client: Any, browser: Application, tenant: Tenant, factor_type: str, more: dict[str, str]
) -> None:
    """A phone or an e-mail address is enrolled with the code that is sent to it."""

    async def then() -> None:
        error = await refused(client)
        enrolled = await client.mfa.enroll_authenticator(
            {"mfa_token": error.mfa_token, "factor_type": factor_type, **more}
        )
        assert enrolled.oob_channel == factor_type
        check(
            await client.mfa.verify(
                {
                    "mfa_token": error.mfa_token,
                    "oob_code": enrolled.oob_code,
                    "binding_code": tenant.last_message(BEN).code,
                }
            )
        )

    in_session(client, browser, BEN, then)


def test_enroll_push(client: Any, browser: Application, tenant: Tenant) -> None:
    """Push is enrolled by scanning and polling."""

    async def then() -> None:
        error = await refused(client)
        enrolled = await client.mfa.enroll_authenticator(
            {"mfa_token": error.mfa_token, "factor_type": "auth0"}
        )
        assert enrolled.barcode_uri.startswith("otpauth://")
        tenant.approve()
        check(
            await client.mfa.verify({"mfa_token": error.mfa_token, "oob_code": enrolled.oob_code})
        )

    in_session(client, browser, BEN, then)


def test_chain(client: Any, browser: Application, tenant: Tenant) -> None:
    """The second factor is asked for with a new token, which the SDK wraps again."""
    from auth0_server_python.error import MfaRequiredError

    async def then() -> None:
        error = await refused(client, ADMIN)
        with pytest.raises(MfaRequiredError) as chained:
            await client.mfa.verify({"mfa_token": error.mfa_token, "otp": tenant.current_otp(ANA)})
        second = chained.value
        assert second.mfa_token != error.mfa_token
        challenge = await client.mfa.challenge_authenticator(
            {"mfa_token": second.mfa_token, "factor_type": "auth0"}
        )
        tenant.approve()
        check(
            await client.mfa.verify(
                {"mfa_token": second.mfa_token, "oob_code": challenge.oob_code}
            ),
            ADMIN,
        )

    in_session(client, browser, ANA, then)


def test_logout(client: Any, browser: Application) -> None:
    """The SDK's logout address ends the session at the tenant."""
    from auth0_server_python.auth_types import LogoutOptions

    async def then() -> None:
        url = await client.logout(LogoutOptions(return_to="http://localhost:5000/"))
        answer = browser.visit(url)
        assert answer.headers["Location"] == "http://localhost:5000/"
        assert await client.get_user() is None

    in_session(client, browser, ANA, then)
