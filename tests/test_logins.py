"""Logins that have ended stay ended, for browsers that still have their cookies."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flask_auth0_mfa import current_auth0
from flask_auth0_mfa.logins import IN_FLIGHT

from .conftest import ACCOUNTS
from .visitor import Visitor

DAY = 86_400


@pytest.fixture
def other_tab(app, ana):
    """Ana's cookies of before she logs out."""
    tab = Visitor(app)
    tab.take_cookies(ana)
    return tab


@pytest.mark.parametrize("days", [0, 1, 2, 30])
def test_logged_out(ana, other_tab, clock, days):
    """Cookies from before a logout open nothing, as long as they would have lived otherwise."""
    ana.get("/auth/logout")
    clock.advance(days * DAY + 1)
    assert other_tab.json("GET", "/accounts").status_code == 401


def test_others_stay(app, ana, clock):
    """A logout in one browser ends no other login of the same user."""
    elsewhere = Visitor(app)
    elsewhere.log_in("ana@example.com")
    ana.get("/auth/logout")
    assert elsewhere.get("/accounts").status == 200


def test_own_lifetime(make_app, clock):
    """The application's own lifetime of sessions counts, however long it is."""
    app = make_app(PERMANENT_SESSION_LIFETIME=timedelta(days=90))
    ana, tab = Visitor(app), Visitor(app)
    ana.log_in("ana@example.com")
    tab.take_cookies(ana)
    ana.get("/auth/logout")
    clock.advance(80 * DAY)
    assert tab.json("GET", "/accounts").status_code == 401


def our_cookies(answer) -> list[str]:
    """Return the names of our cookies that an answer sets or deletes."""
    names = [header.partition("=")[0] for header in answer.headers.getlist("Set-Cookie")]
    return [name for name in names if "auth0_" in name]


class TestNextLogin:
    """Answers to requests of an ended login, which find the next login's cookies in place."""

    def test_request_of_before(self, ana, other_tab):
        """An answer to cookies from before a logout touches none, for a moment after it."""
        ana.get("/auth/logout")
        assert our_cookies(other_tab.json("GET", "/accounts")) == []

    def test_cleaned_up_later(self, ana, other_tab, clock):
        """Later they are removed: nobody can be logging in at the same moment."""
        ana.get("/auth/logout")
        clock.advance(IN_FLIGHT + 1)
        assert our_cookies(other_tab.json("GET", "/accounts")) != []
        assert our_cookies(other_tab.json("GET", "/accounts")) == []

    def test_login_over_old_cookies(self, ana, other_tab):
        """Who has the cookies of an ended login still can log in."""
        ana.get("/auth/logout")
        other_tab.log_in("ana@example.com")
        assert other_tab.get("/accounts").path == "/accounts"

    def test_late_answer(self, make_app):
        """A request that was slow, while the user logged out and in again, changes nothing."""
        app = make_app()
        ana = Visitor(app)

        @app.get("/slow")
        def slow():
            current_auth0.get_access_token(ACCOUNTS, refresh=True)
            ana.get("/auth/logout")
            ana.log_in("ana@example.com")
            return "late"

        ana.log_in("ana@example.com")
        answer = ana.tab().client.get("/slow")
        assert answer.text == "late"
        ana.receive(answer)
        assert our_cookies(answer) == []
        assert ana.get("/accounts").status == 200

    def test_same_user(self, ana, other_tab, tenant):
        """After a second login, a tab from before it goes on with the newer refresh token."""
        ana.get("/auth/login")
        answer = other_tab.json("GET", f"/token?audience={ACCOUNTS}")
        assert answer.status_code == 200
        ana.receive(answer)
        ana.get("/auth/logout")
        assert [call.path for call in tenant.calls].count("/oauth/revoke") == 1
        first, second = tenant.families._families.values()
        assert (first.counter, second.revoked) == (1, True)
