"""Tests of a guarded application against a local Auth0 tenant, in one process and without a socket.

With the extra ``emulator`` installed (``pip install "flask-auth0-mfa[emulator]"``) pytest finds the
fixtures by itself. They cost a run that does not use them nothing.

The application is made for the tenant, and the test says who logs in and what they open::

    # conftest.py
    import pytest
    from bank import create_app

    @pytest.fixture
    def app(auth0_tenant):
        return create_app(auth0_tenant.config)

The test itself::

    def test_transfer_needs_a_second_factor(auth0_client):
        auth0_client.log_in("ana@example.com")
        assert auth0_client.mfa_required("/transfer")
        assert "Transfer" in auth0_client.step_up("/transfer").text

======================= ============================================================================
fixture                 what it is
======================= ============================================================================
``auth0_tenant``        the tenant, new for every test: :class:`~.tenant.InProcessTenant`
``auth0_client``        a test client of the fixture ``app``: :class:`~.client.Auth0TestClient`
``auth0_config``        the settings alone, for an application that lives longer than one test
======================= ============================================================================

**The application.** ``auth0_tenant.client(app)`` returns a test client, which is one browser; ask
for a second one to have a second person. It needs ``Auth0MFA(app)`` and no special settings:
the tenant answers in place of the one that ``AUTH0_DOMAIN`` names, knows its client and callback,
and has every API that a guard of the application names, each with one factor.
``auth0_tenant.add_api("https://ledger.example.com", "read:ledger")`` adds another. No request of
the extension leaves the process.

**People.** ``ana@example.com`` has every factor, ``cleo@example.com`` an authenticator app,
``dan@example.com`` push, ``ben@example.com`` nothing yet: his first step-up enrolls a factor.
``step_up("/transfer", method="sms")`` picks a method: ``otp``, ``push``, ``sms``, ``voice``,
``email`` or ``recovery-code``. A tenant of one's own::

    import pytest
    from flask_auth0_mfa.emulator import Configuration, person

    @pytest.fixture
    def auth0_tenant(auth0_tenant):
        eve = person("eve@example.com", "Eve", phone_number="+15550100100")
        auth0_tenant.configure(Configuration(users=(eve,)))
        return auth0_tenant

    def test_eve_has_a_phone(auth0_client, auth0_tenant):
        auth0_client.log_in("eve@example.com")
        auth0_client.step_up("/transfer")
        assert auth0_tenant.last_message("eve@example.com").channel == "sms"

**Pieces of a check**, for tests that go through it step by step: ``auth0_tenant.otp(email)``,
``last_message(email).code``, ``recovery_code(email)``, ``approve_push(email)``,
``reject_push(email)``.

**Time.** ``auth0_tenant.advance(901)`` puts the clocks of the tenant and of the application
forward, the limits on guesses and messages included (those in memory, not those in Redis)::

    def test_the_second_factor_is_asked_for_again(auth0_client, auth0_tenant):
        auth0_client.log_in("ana@example.com")
        auth0_client.step_up("/transfer")
        auth0_tenant.advance(901)
        assert auth0_client.mfa_required("/transfer")

**Failure.** ``auth0_tenant.fault("/oauth/token", status=503)`` makes the next call fail;
``drop=True`` hangs up, ``delay=10`` is late (in no time: the clocks are put forward, and a call
that would have timed out does). ``auth0_tenant.calls`` lists what the tenant was asked::

    def test_a_failing_tenant_is_no_dead_end(auth0_client, auth0_tenant):
        auth0_client.log_in("ana@example.com")
        auth0_tenant.fault("/mfa/authenticators", drop=True)
        assert auth0_client.step_up("/transfer").status_code == 503

Without pytest, :class:`~.tenant.InProcessTenant` can be made by hand.
"""

from __future__ import annotations

#: The secret of the local tenant's client, which is none.
PUBLISHED = "demo-secret"
#: ``AUTH0_*`` settings of an application that is made for tests; the name is looked up nowhere.
CONFIG = {
    "AUTH0_DOMAIN": "tenant.test",
    "AUTH0_CLIENT_ID": "demo-client",
    "AUTH0_CLIENT_SECRET": PUBLISHED,
}
