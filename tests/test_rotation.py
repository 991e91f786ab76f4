"""Rotating refresh tokens: Auth0 takes the second use of one for theft, and we never make one.

The local tenant rotates with every use, allows no overlap, and revokes the whole family when an
old token comes back: the session is then over. So a refresh that works shows that the newest token
was kept.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Response, jsonify, request, stream_with_context

from flask_auth0_mfa import client, current_auth0, requires_login
from flask_auth0_mfa.emulator import Configuration, Tenant, serve
from flask_auth0_mfa.emulator.clients import Client, RefreshTokenSettings

from .conftest import ACCOUNTS, PAYMENTS
from .observed import ANA, refreshes, wrong_code
from .visitor import Visitor


@pytest.fixture
def start(make_app):
    """Start a process of the application: with a view that always asks Auth0 for a new token."""

    def start():
        app = make_app()

        @app.get("/refresh")
        def refresh():
            audience = request.args.get("audience", ACCOUNTS)
            return jsonify(audience=current_auth0.get_access_token(audience, refresh=True).audience)

        return app

    return start


@pytest.fixture
def app(start):
    """The process that answers, unless a test starts another one."""
    return start()


@pytest.fixture
def code(tenant):
    """What Ana's authenticator app shows."""
    return tenant.current_otp(ANA)


def refresh(visitor, audience=ACCOUNTS):
    """Use the session's refresh token; tell the status."""
    return visitor.json("GET", f"/refresh?audience={audience}").status_code


def twin_of(visitor, app):
    """Return another tab of the same browser, with the cookies of this moment."""
    twin = Visitor(app)
    twin.take_cookies(visitor)
    return twin


class TestStepUp:
    """The MFA grant replaces the refresh token of the session."""

    def test_refresh_afterwards(self, ana, code):
        """After a step-up the refresh token still works."""
        ana.step_up("/transfer", code)
        assert refresh(ana) == 200

    def test_many_times(self, ana, clock, tenant):
        """Checks and refreshes can follow one another for a whole day."""
        for _ in range(12):
            page = ana.step_up("/transfer", tenant.current_otp(ANA))
            assert "Transfer with a token" in page.text
            assert [refresh(ana), refresh(ana)] == [200, 200]
            clock.advance(901)
        assert refreshes(tenant).count(403) == 12
        assert set(refreshes(tenant)) == {200, 403}

    def test_by_a_program(self, ana, code):
        """A check by JSON keeps the new token just the same."""
        body = ana.mfa_required("/api/balance")
        answer = ana.json(
            "POST", "/auth/mfa/verify", json={"mfa_token": body["mfa_token"], "otp": code}
        )
        assert answer.status_code == 200
        assert [refresh(ana), refresh(ana)] == [200, 200]

    def test_by_message(self, ana, tenant):
        """So does one by text message."""
        page = ana.challenge_page("/transfer", "Text message")
        ana.press(page, "code", code=tenant.last_message(ANA).code)
        assert [refresh(ana), refresh(ana)] == [200, 200]

    def test_by_recovery_code(self, ana, tenant):
        """So does one by recovery code."""
        page = ana.challenge_page("/transfer", "Recovery code")
        ana.press(page, "code", code=tenant.recovery_code(ANA))
        assert [refresh(ana), refresh(ana)] == [200, 200]

    def test_after_wrong_codes(self, ana, tenant, code):
        """Wrong codes spend no refresh token."""
        page = ana.challenge_page("/transfer")
        for _ in range(3):
            ana.press(page, "code", code=wrong_code(tenant))
            assert refresh(ana) == 200
        ana.press(page, "code", code=code)
        assert refresh(ana) == 200

    def test_refused_refresh_spends_nothing(self, ana):
        """Being told that a second factor is needed leaves the token as it was."""
        ana.get("/transfer")
        assert [refresh(ana), refresh(ana)] == [200, 200]

    def test_refresh_while_a_check_is_open(self, ana, code):
        """A refresh between the question and the code does no harm to either."""
        page = ana.challenge_page("/transfer")
        assert refresh(ana) == 200
        assert ana.press(page, "code", code=code).path == "/transfer"
        assert refresh(ana) == 200

    def test_faults(self, ana, tenant, code):
        """A failed call is not repeated behind the user's back and spends nothing."""
        page = ana.challenge_page("/transfer")
        tenant.fault("/oauth/token", status=500, times=2)
        assert refresh(ana) == 503
        ana.press(page, "code", code=code)
        assert refresh(ana) == 200
        assert ana.press(page, "code", code=code).path == "/transfer"
        assert refresh(ana) == 200


class TestUnusableTokens:
    """Auth0 has carried it out, but one field of its answer is not as documented."""

    @pytest.fixture
    def spoil(self, monkeypatch):
        """Return a function that makes every access token of the tenant's answers another type."""

        def spoil():
            parse = client.jsontext.parse

            def without_token(content, *hook):
                answer = parse(content, *hook)
                return {**answer, "access_token": 7} if "access_token" in answer else answer

            monkeypatch.setattr(client.jsontext, "parse", without_token)

        return spoil

    def test_refresh(self, ana, spoil, monkeypatch):
        """The next refresh is made with the refresh token that came with them."""
        spoil()
        assert refresh(ana) == 503
        monkeypatch.undo()
        assert refresh(ana) == 200

    def test_refresh_of_another_tab(self, app, ana, spoil, monkeypatch):
        """So is that of a tab which still carries the token before."""
        late = twin_of(ana, app)
        spoil()
        assert refresh(ana) == 503
        monkeypatch.undo()
        assert refresh(late) == 200

    def test_code(self, ana, code, spoil, monkeypatch):
        """So is the one after a code."""
        page = ana.challenge_page("/transfer")
        spoil()
        assert ana.press(page, "code", code=code).status == 503
        monkeypatch.undo()
        assert refresh(ana) == 200

    def test_code_of_another_tab(self, app, ana, code, spoil, monkeypatch):
        """So is the one of a tab which still carries the token before the code."""
        page = ana.challenge_page("/transfer")
        late = twin_of(ana, app)
        spoil()
        assert ana.press(page, "code", code=code).status == 503
        monkeypatch.undo()
        assert refresh(late) == 200


class TestStreamedBody:
    """A body that is streamed: its cookies are on their way when it asks for a token."""

    @pytest.fixture
    def app(self, start):
        """The process, with a view that takes its token while it streams."""
        app = start()

        @app.get("/streamed")
        @requires_login
        def streamed():
            def rows():
                yield "first,"
                for _ in range(2):
                    yield str(current_auth0.get_access_token(ACCOUNTS).audience)

            return Response(stream_with_context(rows()))

        return app

    def test_login_goes_on(self, ana, tenant, clock):
        """The token is there at once, and the next refresh is no reuse, hours later."""
        assert ana.client.get("/streamed").text == f"first,{ACCOUNTS}{ACCOUNTS}"
        for moving in (clock, tenant):
            moving.advance(5 * 3600)
        assert refresh(ana) == 200
        assert refreshes(tenant) == [200, 200]


class TestAnotherProcess:
    """A process that remembers nothing of the one before: it has the browser's cookies alone."""

    def test_after_a_refresh(self, start, ana):
        """The newest token is in the cookies after a refresh …"""
        assert refresh(ana) == 200
        assert refresh(twin_of(ana, start())) == 200

    def test_after_a_step_up(self, start, ana, code):
        """… after a step-up …"""
        assert ana.step_up("/transfer", code).path == "/transfer"
        assert refresh(twin_of(ana, start())) == 200

    def test_after_a_refused_scope(self, start, ana):
        """… and after an answer that was of no use otherwise."""
        assert ana.json("GET", f"/token?audience={ACCOUNTS}&scope=delete:all").status_code == 403
        assert ana.json("GET", "/token?audience=https://x.test").status_code == 403
        assert refresh(twin_of(ana, start())) == 200

    def test_before_a_code(self, start, ana, code):
        """A check can be finished in another process than the one that began it."""
        page = ana.challenge_page("/transfer")
        later = twin_of(ana, start())
        assert later.press(page, "code", code=code).path == "/transfer"
        assert refresh(later) == 200

    def test_code_without_keys(self, start, ana, code, tenant):
        """A new process that cannot fetch the tenant's keys spends no code: it works later."""
        page = ana.challenge_page("/transfer")
        ana = twin_of(ana, start())
        tenant.fault("/.well-known/jwks.json", status=503)
        failed = ana.press(page, "code", code=code)
        assert failed.status == 503
        page = ana.get(failed.link("Try again"))
        assert ana.press(page, "code", code=code).path == "/transfer"


class TestTabs:
    """Tabs that come with older cookies than another tab has by now."""

    def test_late_tab_after_a_refresh(self, app, ana):
        """A tab with the token before the last one gets its own token, and nobody is out."""
        late = twin_of(ana, app)
        assert refresh(ana) == 200
        assert refresh(late) == 200
        assert refresh(ana) == 200

    def test_late_tab_after_a_step_up(self, app, ana, code):
        """The same after a step-up in the other tab, whose grant brought the new token."""
        late = twin_of(ana, app)
        ana.step_up("/transfer", code)
        assert refresh(late) == 200
        assert refresh(ana) == 200

    def test_late_tab_steps_up(self, app, ana, code):
        """A tab whose check was open while the other tab refreshed can finish it."""
        late = twin_of(ana, app)
        page = late.challenge_page("/transfer")
        for _ in range(3):
            assert refresh(ana) == 200
        assert late.press(page, "code", code=code).path == "/transfer"
        assert refresh(late) == 200
        assert refresh(ana) == 200

    def test_many_tabs_at_once(self, app, ana, tenant):
        """Ten tabs that refresh at the same moment all succeed, by one call."""
        tabs = [twin_of(ana, app) for _ in range(10)]
        tenant.fault("/oauth/token", delay=0.2)
        with ThreadPoolExecutor(10) as pool:
            assert list(pool.map(refresh, tabs)) == [200] * 10
        assert refreshes(tenant) == [200]
        assert refresh(ana) == 200

    def test_refreshes_during_a_step_up(self, app, ana, tenant, code):
        """Tabs that refresh while a code is being checked do not end the session."""
        page = ana.challenge_page("/transfer")
        tabs = [twin_of(ana, app) for _ in range(6)]
        tenant.fault("/oauth/token", delay=0.2)
        with ThreadPoolExecutor(7) as pool:
            stepped_up = pool.submit(ana.press, page, "code", code=code)
            statuses = list(pool.map(refresh, tabs))
        assert stepped_up.result().path == "/transfer"
        assert statuses == [200] * 6
        assert refresh(ana) == 200

    def test_two_step_ups_at_once(self, app, ana, tenant, code):
        """Two tabs that finish their checks at the same moment both do, and stay signed in."""
        first, second = twin_of(ana, app), twin_of(ana, app)
        pages = [first.challenge_page("/transfer?a=1"), second.challenge_page("/transfer?a=2")]
        with ThreadPoolExecutor(2) as pool:
            answers = list(
                pool.map(lambda v, p: v.press(p, "code", code=code), [first, second], pages)
            )
        assert [answer.path for answer in answers] == ["/transfer", "/transfer"]
        assert [refresh(first), refresh(second)] == [200, 200]


class TestTheft:
    """A refresh token that came back from somewhere else."""

    def test_family_is_gone(self, ana, tenant):
        """When Auth0 has ended the family, the user is asked to log in, and can."""
        tenant.reset()
        assert refresh(ana) == 401
        ana.log_in(ANA)
        assert refresh(ana) == 200

    def test_open_check(self, ana, tenant, code):
        """A check that was open then can be passed, and brings the next refresh token."""
        page = ana.challenge_page("/transfer")
        tenant.fault("/oauth/token", status=403, body={"error": "invalid_grant"})
        assert refresh(ana) == 401
        assert ana.press(page, "code", code=code).path == "/transfer"
        assert refresh(ana) == 200

    def test_page_says_sign_in(self, ana, tenant):
        """A person sees a page with a way to sign in, which leads back to the page."""
        tenant.reset()
        page = ana.get("/transfer?to=ben")
        assert page.heading == "Sign in to go on"
        page = ana.get(page.link("Sign in"))
        page = ana.press(page, "password", username=ANA, password="demo")
        assert page.path == "/auth/mfa/challenge"


class TestWithoutRotation:
    """A tenant whose refresh tokens stay the same."""

    @pytest.fixture
    def tenant_server(self):
        """A tenant that sends no new refresh token."""
        policies = {PAYMENTS: ("transfer:funds",), ACCOUNTS: ("read:accounts",)}
        settings = RefreshTokenSettings("non-rotating", policies=policies)
        client = Client("demo-client", "demo-secret", refresh_token=settings)
        with serve(Tenant(Configuration(clients=(client,))), port=0) as server:
            yield server

    def test_token_is_kept(self, ana, code):
        """An answer without a refresh token leaves the one that the session has."""
        assert ana.step_up("/transfer", code).path == "/transfer"
        assert [refresh(ana), refresh(ana)] == [200, 200]
