"""Logins that have ended stay ended, for browsers that still have their cookies."""

from __future__ import annotations

from datetime import timedelta

import pytest

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
