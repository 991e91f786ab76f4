"""Every error that Auth0 documents for these endpoints, each produced by a real situation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import requests

from flask_auth0_mfa.emulator import Configuration, Tenant, serve
from flask_auth0_mfa.emulator.actions import Event, PostLoginApi
from flask_auth0_mfa.emulator.clients import Client
from flask_auth0_mfa.emulator.defaults import default_clients

from .application import ACCOUNTS, GRANT, PAYMENTS, Application, callback

ANA, BEN, CLEO, DAN = (f"{name}@example.com" for name in ("ana", "ben", "cleo", "dan"))


def deny_on_refresh(event: Event, api: PostLoginApi) -> None:
    """Deny what is asked for with the scope ``deny:me``, and revoke with ``revoke:me``."""
    if event.transaction.protocol == "oauth2-refresh-token":
        scopes = event.transaction.requested_scopes
        if "deny:me" in scopes:
            api.access.deny("Not today.")
        if "revoke:me" in scopes:
            api.refresh_token.revoke("Not ever.")
        if "impossible:me" in scopes:
            api.authentication.challenge_with("webauthn-roaming")


@pytest.fixture(scope="module")
def tenant_of_table() -> Iterator[Tenant]:
    """A tenant with one more Action and two more clients."""
    from flask_auth0_mfa.emulator.defaults import default_actions

    defaults = Configuration()
    demo = default_clients()[0]
    configuration = Configuration(
        clients=(
            demo,
            Client("other-client", "other-secret"),
            Client(
                "no-mfa",
                "no-mfa-secret",
                grant_types=("authorization_code", "refresh_token"),
                refresh_token=demo.refresh_token,
            ),
        ),
        actions=(deny_on_refresh, *default_actions(defaults.apis)),
    )
    with serve(Tenant(configuration)) as server:
        yield server.tenant


@dataclass
class World:
    """What a situation is made of."""

    application: Application
    tenant: Tenant

    def other(self, client_id: str) -> Application:
        """Return another client of the tenant."""
        secret = client_id.replace("-client", "") + "-secret"
        self.second = Application(self.tenant.url, client_id, secret)
        return self.second

    def refresh_token(self, email: str = ANA) -> str:
        """Return a new refresh token."""
        token: str = self.application.log_in(email)["refresh_token"]
        return token

    def mfa_access_token(self, email: str, scope: str) -> str:
        """Return an access token for the MFA API, after the MFA step that it takes."""
        app = self.application
        audience = f"{self.tenant.url}/mfa/"
        app.browser.cookies.clear()
        page = app.password(app.authorize(audience=audience, scope=scope), email)
        if not page.is_redirect:
            page = app.submit(page, "/u/mfa", code=self.tenant.current_otp(email))
        token: str = app.redeem(callback(page))["access_token"]
        return token


@pytest.fixture
def world(tenant_of_table: Tenant) -> Iterator[World]:
    """The tenant at its start, and the demo client."""
    tenant_of_table.reset()
    with Application(tenant_of_table.url) as application:
        world = World(application, tenant_of_table)
        world.second = Application(tenant_of_table.url)
        with world.second:
            yield world


Situation = Callable[[World], requests.Response]
TABLE: list[tuple[str, Situation, int, str, str | None]] = []


def row(
    status: int, error: str, description: str | None = None
) -> Callable[[Situation], Situation]:
    """Enter a situation into the table, with the answer that it has to bring."""

    def enter(situation: Situation) -> Situation:
        TABLE.append((situation.__name__, situation, status, error, description))
        return situation

    return enter


# Client authentication (wire 0.1) -----------------------------------------------------------------


@row(401, "invalid_client", "Unauthorized")
def unknown_client(world: World) -> requests.Response:
    world.application.credentials["client_id"] = "nobody"
    return world.application.token("refresh_token", refresh_token="x")


@row(401, "invalid_client", "Unauthorized")
def wrong_secret(world: World) -> requests.Response:
    world.application.credentials["client_secret"] = "wrong"
    return world.application.token("refresh_token", refresh_token="x")


@row(401, "invalid_client", "Unauthorized")
def missing_secret(world: World) -> requests.Response:
    del world.application.credentials["client_secret"]
    return world.application.token("refresh_token", refresh_token="x")


@row(401, "invalid_client", "Unauthorized")
def wrong_secret_at_challenge(world: World) -> requests.Response:
    mfa_token = world.application.step_up(ANA)
    world.application.credentials["client_secret"] = "wrong"
    return world.application.challenge(mfa_token, challenge_type="otp")


@row(401, "invalid_client", "Unauthorized")
def basic_at_challenge(world: World) -> requests.Response:
    mfa_token = world.application.step_up(ANA)
    return requests.post(
        f"{world.tenant.url}/mfa/challenge",
        json={"mfa_token": mfa_token, "challenge_type": "otp"},
        auth=("demo-client", "demo-secret"),
        timeout=5,
    )


# The code grant (wire 3.1) ------------------------------------------------------------------------


@row(403, "invalid_grant", "Invalid authorization code")
def unknown_code(world: World) -> requests.Response:
    world.application.authorize()
    return world.application.exchange("made-up")


@row(403, "invalid_grant", "Invalid authorization code")
def replayed_code(world: World) -> requests.Response:
    app = world.application
    code = callback(app.password(app.authorize(), ANA))["code"]
    assert app.exchange(code).status_code == 200
    return app.exchange(code)


@row(403, "invalid_grant", "Invalid authorization code")
def expired_code(world: World) -> requests.Response:
    app = world.application
    code = callback(app.password(app.authorize(), ANA))["code"]
    world.tenant.advance(601)
    return app.exchange(code)


@row(403, "invalid_grant", "Invalid authorization code")
def code_of_another_client(world: World) -> requests.Response:
    app = world.application
    code = callback(app.password(app.authorize(), ANA))["code"]
    return world.other("other-client").token(
        "authorization_code", code=code, code_verifier=app.verifier
    )


@row(403, "invalid_grant", "Failed to verify code verifier")
def wrong_verifier(world: World) -> requests.Response:
    app = world.application
    code = callback(app.password(app.authorize(), ANA))["code"]
    return app.exchange(code, code_verifier="w" * 43)


@row(400, "unsupported_grant_type")
def unknown_grant(world: World) -> requests.Response:
    return world.application.token("telepathy")


@row(400, "invalid_request", "Missing required parameter: grant_type")
def no_grant(world: World) -> requests.Response:
    return world.application.token("")


# The refresh grant (wire 3.2) ---------------------------------------------------------------------


@row(403, "invalid_grant", "Unknown or invalid refresh token.")
def unknown_refresh_token(world: World) -> requests.Response:
    return world.application.refresh("v1.Mmade-up")


@row(403, "invalid_grant", "Unknown or invalid refresh token.")
def expired_refresh_token(world: World) -> requests.Response:
    token = world.refresh_token()
    world.tenant.advance(2_592_000)
    return world.application.refresh(token)


@row(403, "invalid_grant", "Unknown or invalid refresh token.")
def revoked_refresh_token(world: World) -> requests.Response:
    app, token = world.application, world.refresh_token()
    revoked = app.http.post(f"{app.url}/oauth/revoke", json={**app.credentials, "token": token})
    assert (revoked.status_code, revoked.content) == (200, b"")
    return app.refresh(token)


@row(403, "invalid_grant", "Unknown or invalid refresh token.")
def reused_refresh_token(world: World) -> requests.Response:
    token = world.refresh_token()
    assert world.application.refresh(token).status_code == 200
    return world.application.refresh(token)


@row(403, "invalid_grant", "Unknown or invalid refresh token.")
def family_of_a_reused_refresh_token(world: World) -> requests.Response:
    token = world.refresh_token()
    newer = world.application.refresh(token).json()["refresh_token"]
    world.application.refresh(token)
    return world.application.refresh(newer)


@row(403, "invalid_grant", "Unknown or invalid refresh token.")
def refresh_token_of_another_client(world: World) -> requests.Response:
    return world.other("other-client").refresh(world.refresh_token())


@row(
    403,
    "invalid_grant",
    "The refresh_token was generated for a user who doesn't exist anymore.",
)
def deleted_user(world: World) -> requests.Response:
    token = world.refresh_token()
    world.tenant.delete_user(ANA)
    return world.application.refresh(token)


@row(403, "invalid_grant", "Malformed mfa_token")
def user_deleted_during_a_step_up(world: World) -> requests.Response:
    mfa_token, otp = world.application.step_up(ANA), world.tenant.current_otp(ANA)
    world.tenant.delete_user(ANA)
    return world.application.token("mfa-otp", mfa_token=mfa_token, otp=otp)


@row(403, "access_denied", "Not today.")
def action_denies(world: World) -> requests.Response:
    return world.application.refresh(world.refresh_token(), scope="openid deny:me")


@row(403, "access_denied", "Not ever.")
def action_revokes(world: World) -> requests.Response:
    return world.application.refresh(world.refresh_token(), scope="openid revoke:me")


@row(403, "invalid_grant", "Unknown or invalid refresh token.")
def family_that_an_action_revoked(world: World) -> requests.Response:
    token = world.refresh_token()
    world.application.refresh(token, scope="openid revoke:me")
    return world.application.refresh(token)


@row(403, "unmet_authentication_requirements")
def no_usable_factor(world: World) -> requests.Response:
    return world.application.refresh(world.refresh_token(), scope="impossible:me")


@row(403, "mfa_required", "Multifactor authentication required")
def mfa_is_due(world: World) -> requests.Response:
    return world.application.refresh(world.refresh_token(), PAYMENTS)


# The MFA grants (wire 5.1) ------------------------------------------------------------------------


@row(403, "invalid_grant", "Invalid otp_code.")
def wrong_otp(world: World) -> requests.Response:
    return world.application.token(
        "mfa-otp", mfa_token=world.application.step_up(ANA), otp="not-it"
    )


@row(403, "invalid_grant", "Invalid otp_code.")
def otp_of_long_ago(world: World) -> requests.Response:
    mfa_token = world.application.step_up(ANA)
    otp = world.tenant.current_otp(ANA)
    world.tenant.advance(90)
    return world.application.token("mfa-otp", mfa_token=mfa_token, otp=otp)


@row(403, "invalid_grant", "Invalid binding_code.")
def wrong_binding_code(world: World) -> requests.Response:
    mfa_token = world.application.step_up(ANA)
    oob_code = world.application.oob(mfa_token, "sms")
    return world.application.token(
        "mfa-oob", mfa_token=mfa_token, oob_code=oob_code, binding_code="not-it"
    )


@row(400, "invalid_request", "Missing required parameter: binding_code")
def omitted_binding_code(world: World) -> requests.Response:
    mfa_token = world.application.step_up(ANA)
    oob_code = world.application.oob(mfa_token, "sms")
    return world.application.token("mfa-oob", mfa_token=mfa_token, oob_code=oob_code)


@row(403, "invalid_grant", "MFA Authorization rejected.")
def wrong_recovery_code(world: World) -> requests.Response:
    return world.application.token(
        "mfa-recovery-code", mfa_token=world.application.step_up(ANA), recovery_code="A" * 24
    )


@row(403, "invalid_grant", "MFA Authorization rejected.")
def spent_recovery_code(world: World) -> requests.Response:
    code = world.tenant.recovery_code(ANA)
    app = world.application
    first = app.token("mfa-recovery-code", mfa_token=app.step_up(ANA), recovery_code=code)
    assert first.status_code == 200
    return app.token("mfa-recovery-code", mfa_token=app.step_up(ANA), recovery_code=code)


@row(
    400,
    "authorization_pending",
    "Authorization pending: please repeat the request in a few seconds.",
)
def pending_push(world: World) -> requests.Response:
    mfa_token = world.application.step_up(DAN)
    oob_code = world.application.oob(mfa_token, "auth0")
    return world.application.token("mfa-oob", mfa_token=mfa_token, oob_code=oob_code)


@row(400, "slow_down")
def hasty_poll(world: World) -> requests.Response:
    mfa_token = world.application.step_up(DAN)
    oob_code = world.application.oob(mfa_token, "auth0")
    world.application.token("mfa-oob", mfa_token=mfa_token, oob_code=oob_code)
    world.tenant.advance(2)
    return world.application.token("mfa-oob", mfa_token=mfa_token, oob_code=oob_code)


@row(400, "access_denied", "MFA Authorization rejected.")
def rejected_push(world: World) -> requests.Response:
    mfa_token = world.application.step_up(DAN)
    oob_code = world.application.oob(mfa_token, "auth0")
    world.tenant.reject()
    return world.application.token("mfa-oob", mfa_token=mfa_token, oob_code=oob_code)


@row(401, "expired_token", "mfa_token is expired")
def expired_mfa_token(world: World) -> requests.Response:
    mfa_token = world.application.step_up(ANA)
    world.tenant.advance(600)
    otp = world.tenant.current_otp(ANA)
    return world.application.token("mfa-otp", mfa_token=mfa_token, otp=otp)


@row(401, "expired_token", "oob_code is expired")
def expired_oob_code(world: World) -> requests.Response:
    mfa_token = world.application.step_up(ANA)
    oob_code = world.application.oob(mfa_token, "sms")
    world.tenant.advance(300)
    return world.application.token(
        "mfa-oob",
        mfa_token=mfa_token,
        oob_code=oob_code,
        binding_code=world.tenant.last_message(ANA).code,
    )


@row(403, "invalid_grant", "Malformed mfa_token")
def garbage_mfa_token(world: World) -> requests.Response:
    return world.application.token("mfa-otp", mfa_token="Fe26.2*garbage", otp="123456")


@row(403, "invalid_grant", "Malformed mfa_token")
def used_up_mfa_token(world: World) -> requests.Response:
    mfa_token, otp = world.application.step_up(ANA), world.tenant.current_otp(ANA)
    first = world.application.token("mfa-otp", mfa_token=mfa_token, otp=otp)
    assert first.status_code == 200
    return world.application.token("mfa-otp", mfa_token=mfa_token, otp=otp)


@row(403, "invalid_grant", "Malformed oob_code")
def garbage_oob_code(world: World) -> requests.Response:
    return world.application.token(
        "mfa-oob", mfa_token=world.application.step_up(ANA), oob_code="Fe26.2*garbage"
    )


@row(400, "invalid_request", "mfa_token not issued to this client")
def mfa_token_of_another_client(world: World) -> requests.Response:
    mfa_token, otp = world.application.step_up(ANA), world.tenant.current_otp(ANA)
    return world.other("other-client").token("mfa-otp", mfa_token=mfa_token, otp=otp)


@row(400, "invalid_request", "The oob_code doesn't match the mfa_token")
def oob_code_of_another_transaction(world: World) -> requests.Response:
    first = world.application.step_up(ANA)
    oob_code = world.application.oob(first, "sms")
    return world.application.token(
        "mfa-oob",
        mfa_token=world.application.step_up(ANA),
        oob_code=oob_code,
        binding_code=world.tenant.last_message(ANA).code,
    )


@row(
    403,
    "unauthorized_client",
    f"Grant type '{GRANT}mfa-otp' not allowed for the client.",
)
def mfa_grant_is_off(world: World) -> requests.Response:
    app = world.other("no-mfa")
    mfa_token = app.step_up(ANA)
    return app.token("mfa-otp", mfa_token=mfa_token, otp=world.tenant.current_otp(ANA))


@row(403, "mfa_required", "Multifactor authentication required")
def another_factor_is_due(world: World) -> requests.Response:
    mfa_token = world.application.step_up(ANA, "https://admin.example.com")
    answer = world.application.token(
        "mfa-otp", mfa_token=mfa_token, otp=world.tenant.current_otp(ANA)
    )
    assert answer.json()["mfa_token"] != mfa_token
    return answer


@row(429, "too_many_attempts", "Too many attempts")
def too_many_otps(world: World) -> requests.Response:
    mfa_token = world.application.step_up(ANA)
    for _ in range(10):
        world.application.token("mfa-otp", mfa_token=mfa_token, otp="not-it")
    otp = world.tenant.current_otp(ANA)
    return world.application.token("mfa-otp", mfa_token=mfa_token, otp=otp)


@row(429, "too_many_attempts", "Too many attempts")
def too_many_recovery_codes(world: World) -> requests.Response:
    mfa_token = world.application.step_up(ANA)
    for _ in range(10):
        world.application.token("mfa-recovery-code", mfa_token=mfa_token, recovery_code="no")
    code = world.tenant.recovery_code(ANA)
    return world.application.token("mfa-recovery-code", mfa_token=mfa_token, recovery_code=code)


@row(429, "too_many_attempts", "Too many attempts")
def too_many_polls(world: World) -> requests.Response:
    mfa_token = world.application.step_up(DAN)
    oob_code = world.application.oob(mfa_token, "auth0")
    for _ in range(12):
        world.application.token("mfa-oob", mfa_token=mfa_token, oob_code=oob_code)
    return world.application.token("mfa-oob", mfa_token=mfa_token, oob_code=oob_code)


@row(400, "invalid_request", "Missing required parameter: mfa_token")
def no_mfa_token(world: World) -> requests.Response:
    return world.application.token("mfa-otp", otp="123456")


@row(400, "invalid_request", "Missing required parameter: otp")
def no_otp(world: World) -> requests.Response:
    return world.application.token("mfa-otp", mfa_token=world.application.step_up(ANA))


# /mfa/authenticators (wire 6) ---------------------------------------------------------------------

BAD_TOKEN = "The mfa_token provided is invalid. Try getting a new token."


@row(401, "invalid_grant", BAD_TOKEN)
def listing_with_garbage(world: World) -> requests.Response:
    return world.application.authenticators("garbage")


@row(401, "invalid_grant", BAD_TOKEN)
def listing_with_an_access_token_for_another_api(world: World) -> requests.Response:
    tokens = world.application.log_in(ANA, audience=ACCOUNTS)
    return world.application.authenticators(tokens["access_token"])


@row(401, "expired_token", "mfa_token is expired")
def listing_with_an_expired_token(world: World) -> requests.Response:
    mfa_token = world.application.step_up(ANA)
    world.tenant.advance(600)
    return world.application.authenticators(mfa_token)


@row(403, "insufficient_scope")
def listing_without_the_scope(world: World) -> requests.Response:
    token = world.mfa_access_token(CLEO, "openid enroll")
    return world.application.authenticators(token)


@row(403, "insufficient_scope")
def removing_with_an_mfa_token(world: World) -> requests.Response:
    mfa_token = world.application.step_up(CLEO)
    entry = world.application.authenticators(mfa_token).json()[0]
    return world.application.remove(mfa_token, entry["id"])


@row(404, "invalid_authenticator", "Authenticator not found")
def removing_what_is_not_there(world: World) -> requests.Response:
    token = world.mfa_access_token(CLEO, "openid remove:authenticators")
    return world.application.remove(token, "sms|dev_nothing")


# /mfa/challenge (wire 7) --------------------------------------------------------------------------


@row(400, "unsupported_challenge_type")
def unknown_challenge_type(world: World) -> requests.Response:
    return world.application.challenge(
        world.application.step_up(ANA), challenge_type="webauthn-roaming"
    )


@row(400, "unsupported_challenge_type")
def challenge_type_the_user_lacks(world: World) -> requests.Response:
    return world.application.challenge(world.application.step_up(CLEO), challenge_type="oob")


@row(400, "association_required")
def nothing_enrolled(world: World) -> requests.Response:
    return world.application.challenge(world.application.step_up(BEN), challenge_type="otp oob")


@row(400, "invalid_authenticator", "Invalid authenticator ID")
def bad_authenticator_id(world: World) -> requests.Response:
    return world.application.challenge(
        world.application.step_up(ANA), challenge_type="oob", authenticator_id="sms|dev_nothing"
    )


@row(403, "invalid_grant", "Malformed mfa_token")
def challenge_with_garbage(world: World) -> requests.Response:
    return world.application.challenge("garbage", challenge_type="otp")


@row(403, "invalid_grant", "Malformed mfa_token")
def challenge_with_an_mfa_access_token(world: World) -> requests.Response:
    token = world.mfa_access_token(CLEO, "openid enroll read:authenticators")
    return world.application.challenge(token, challenge_type="otp")


@row(401, "expired_token", "mfa_token is expired")
def challenge_with_an_expired_token(world: World) -> requests.Response:
    mfa_token = world.application.step_up(ANA)
    world.tenant.advance(600)
    return world.application.challenge(mfa_token, challenge_type="otp")


@row(400, "invalid_request", "mfa_token not issued to this client")
def challenge_by_another_client(world: World) -> requests.Response:
    mfa_token = world.application.step_up(ANA)
    return world.other("other-client").challenge(mfa_token, challenge_type="otp")


@row(429, "too_many_attempts", "Too many attempts")
def too_many_text_messages(world: World) -> requests.Response:
    mfa_token = world.application.step_up(ANA)
    for _ in range(10):
        world.application.oob(mfa_token, "sms")
    return world.application.challenge(
        mfa_token,
        challenge_type="oob",
        authenticator_id=world.application.authenticator_id(mfa_token, "sms"),
    )


@row(429, "too_many_attempts", "Too many attempts")
def too_many_pushes(world: World) -> requests.Response:
    mfa_token = world.application.step_up(DAN)
    for _ in range(5):
        world.application.oob(mfa_token, "auth0")
    return world.application.challenge(mfa_token, challenge_type="oob")


@row(429, "too_many_attempts", "Too many attempts")
def too_many_emails(world: World) -> requests.Response:
    mfa_token = world.application.step_up(ANA)
    for _ in range(20):
        world.application.oob(mfa_token, "email")
    return world.application.challenge(
        mfa_token,
        challenge_type="oob",
        authenticator_id=world.application.authenticator_id(mfa_token, "email"),
    )


# /mfa/associate (wire 8) --------------------------------------------------------------------------


@row(403, "access_denied", "User is already enrolled.")
def enrolling_a_second_factor(world: World) -> requests.Response:
    return world.application.associate(world.application.step_up(CLEO), authenticator_types=["otp"])


@row(400, "invalid_request", "The phone number is invalid.")
def bad_phone_number(world: World) -> requests.Response:
    return world.application.associate(
        world.application.step_up(BEN),
        authenticator_types=["oob"],
        oob_channels=["sms"],
        phone_number="0555 123",
    )


@row(400, "unsupported_authenticator_type")
def bad_authenticator_type(world: World) -> requests.Response:
    return world.application.associate(
        world.application.step_up(BEN), authenticator_types=["webauthn-roaming"]
    )


@row(400, "unsupported_authenticator_type")
def bad_channel(world: World) -> requests.Response:
    return world.application.associate(
        world.application.step_up(BEN), authenticator_types=["oob"], oob_channels=["pigeon"]
    )


@row(401, "invalid_grant", BAD_TOKEN)
def enrolling_with_garbage(world: World) -> requests.Response:
    return world.application.associate("garbage", authenticator_types=["otp"])


@row(401, "expired_token", "mfa_token is expired")
def enrolling_with_an_expired_token(world: World) -> requests.Response:
    mfa_token = world.application.step_up(BEN)
    world.tenant.advance(600)
    return world.application.associate(mfa_token, authenticator_types=["otp"])


@row(403, "insufficient_scope")
def enrolling_without_the_scope(world: World) -> requests.Response:
    token = world.mfa_access_token(CLEO, "openid read:authenticators")
    return world.application.associate(token, authenticator_types=["otp"])


# /userinfo and /oauth/revoke (wire 9) -------------------------------------------------------------


@row(401, "invalid_token")
def userinfo_with_garbage(world: World) -> requests.Response:
    return world.application.userinfo("garbage")


@row(401, "invalid_token")
def userinfo_without_openid(world: World) -> requests.Response:
    tokens = world.application.log_in(ANA, audience=ACCOUNTS, scope="read:accounts")
    return world.application.userinfo(tokens["access_token"])


@row(401, "invalid_token")
def userinfo_with_an_expired_token(world: World) -> requests.Response:
    tokens = world.application.log_in(ANA)
    world.tenant.advance(86_400)
    return world.application.userinfo(tokens["access_token"])


@row(429, "too_many_attempts", "Too many attempts")
def too_much_userinfo(world: World) -> requests.Response:
    tokens = world.application.log_in(ANA)
    for _ in range(10):
        assert world.application.userinfo(tokens["access_token"]).status_code == 200
    return world.application.userinfo(tokens["access_token"])


@row(401, "invalid_client", "Unauthorized")
def revoking_without_the_secret(world: World) -> requests.Response:
    token = world.refresh_token()
    return world.application.http.post(
        f"{world.tenant.url}/oauth/revoke", data={"client_id": "demo-client", "token": token}
    )


@row(400, "invalid_request", "Missing required parameter: token")
def revoking_nothing(world: World) -> requests.Response:
    app = world.application
    return app.http.post(f"{app.url}/oauth/revoke", data=app.credentials)


@pytest.mark.parametrize(
    ("situation", "status", "error", "description"),
    [pytest.param(*entry[1:], id=entry[0]) for entry in TABLE],
)
def test_answer(
    world: World, situation: Situation, status: int, error: str, description: str | None
) -> None:
    """The situation brings Auth0's status, code and words, as uncached JSON."""
    answer = situation(world)

    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert body["error"] == error
    if description is not None:
        assert body["error_description"] == description
    if status == 429:
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.headers["x-ratelimit-remaining"] == "0"
        assert answer.headers["x-ratelimit-reset"].isdigit()
