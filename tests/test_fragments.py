"""Clients that load parts of pages: htmx, by its headers, and Turbo, by what stands in the page."""

from __future__ import annotations

import pytest

from .visitor import Visitor

PAGE = "http://localhost/accounts?tab=2"
HTMX = {"HX-Request": "true", "Referer": PAGE, "Accept": "*/*"}


class TestHtmx:
    """The whole page goes where a redirect would have led."""

    def test_check(self, ana, tenant):
        """A fragment that needs a check takes the page to it, and then back to itself."""
        answer = ana.client.get("/transfer", headers=HTMX)
        assert answer.status_code == 403
        assert answer.text == ""
        assert "Location" not in answer.headers
        page = ana.press(ana.get(answer.headers["HX-Redirect"]), "Authenticator app")
        page = ana.press(page, "code", code=tenant.current_otp("ana@example.com"))
        assert page.url == PAGE

    def test_form(self, ana):
        """So does a form that is sent."""
        answer = ana.client.post("/transfer", headers=HTMX)
        assert answer.status_code == 403
        assert answer.headers["HX-Redirect"].startswith("/auth/mfa/challenge?")

    def test_login(self, visitor):
        """One that needs a login takes the page to the login."""
        answer = visitor.client.get("/accounts", headers=HTMX)
        assert answer.status_code == 401
        page = visitor.get(answer.headers["HX-Redirect"])
        page = visitor.press(page, "password", username="ana@example.com", password="demo")
        assert page.url == PAGE

    def test_boosted(self, visitor):
        """A boosted link is a page, and its own target."""
        answer = visitor.client.get("/accounts?tab=3", headers={**HTMX, "HX-Boosted": "true"})
        assert "tab%3D3" in answer.headers["HX-Redirect"]

    def test_open(self, ana, tenant):
        """A view that is open answers as ever."""
        ana.step_up("/transfer", tenant.current_otp("ana@example.com"))
        answer = ana.client.get("/transfer", headers=HTMX)
        assert answer.status_code == 200
        assert "HX-Redirect" not in answer.headers

    @pytest.mark.parametrize("value", ["false", "1", ""])
    def test_others(self, ana, value):
        """Only htmx itself says so."""
        answer = ana.client.get("/transfer", headers={**HTMX, "HX-Request": value})
        assert answer.status_code == 303

    def test_caches(self, ana):
        """No cache gives one client the other's answer."""
        answer = ana.client.get("/transfer", headers=HTMX)
        assert "HX-Request" in answer.headers["Vary"]
        assert "no-store" in answer.headers["Cache-Control"]


def test_turbo(ana: Visitor):
    """A page that a Turbo frame asked for becomes the whole page."""
    answer = ana.client.get("/transfer", headers={"Turbo-Frame": "f", "Accept": "text/html"})
    page = ana.get(answer.location)
    names = {meta.get("name"): meta.get("content") for meta in page.root.iter("meta")}
    assert names["turbo-visit-control"] == "reload"
