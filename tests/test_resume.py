"""Forms that a step-up stopped (``resume=True``): kept, shown, and sent by the user alone."""

from __future__ import annotations

import io

import pytest
from flask import Flask, request

from flask_auth0_mfa import requires_stepup

from .conftest import PAYMENTS
from .visitor import Page, Visitor

FORM = {"amount": "500", "to": "Zoë & <b>Söhne</b>", "note": "two\nlines", "csrf_token": "t-1"}


@pytest.fixture
def moved() -> list[dict[str, str]]:
    """The transfers that were carried out."""
    return []


@pytest.fixture
def app(make_app, moved) -> Flask:
    """An application with a transfer that keeps its form, and one that does not."""
    app = make_app()

    def pay() -> str:
        if request.method == "POST":
            moved.append({**request.form.to_dict(), "query": request.query_string.decode()})
            return "Moved"
        return "The form"

    for rule, options in {
        "/pay": {"resume": True},
        "/bound": {"resume": True, "binds": lambda: request.form.get("amount")},
        "/plain": {},
    }.items():
        view = requires_stepup(PAYMENTS, **options)(pay)
        app.add_url_rule(rule, rule, view, methods=["GET", "POST"])
    return app


@pytest.fixture
def code(tenant):
    """What Ana's authenticator app shows."""
    return tenant.current_otp("ana@example.com")


def send(browser: Visitor, url: str = "/pay", **form: str) -> Page:
    """Send the form, and follow where that leads."""
    return browser._go("POST", f"http://localhost{url}", FORM | form)


def checked(browser: Visitor, page: Page, code: str) -> Page:
    """Go through the check."""
    return browser.press(browser.press(page, "Authenticator app"), "code", code=code)


class TestResume:
    """From the form through the check to the form."""

    def test_asks_first(self, ana, code, moved):
        """After the check nothing runs: a page says what will be sent."""
        page = checked(ana, send(ana), code)
        assert moved == []
        assert "Nothing has been sent yet" in page.text
        for text in ("Amount", "500", "To", "Zoë & <b>Söhne</b>"):
            assert text in page.text
        assert "t-1" not in page.text

    def test_button(self, ana, code, moved):
        """The one button sends exactly what was entered."""
        page = checked(ana, send(ana, "/pay?from=1&from=2"), code)
        assert ana.press(page, "Send").text == "Moved"
        assert moved == [FORM | {"query": "from=1&from=2"}]

    def test_reload(self, ana, code, moved):
        """The page can be loaded again until the form is sent, and not after that."""
        page = checked(ana, send(ana), code)
        assert "Nothing has been sent yet" in ana.get(page.url).text
        ana.press(page, "Send")
        assert "Nothing has been sent yet" not in ana.get(page.url).text

    def test_same_name_twice(self, ana, code):
        """Fields with the same name are kept, all of them."""
        answer = ana.client.post("/pay", data={"list": ["1", "2", "3"]})
        page = checked(ana, ana.get(answer.location), code)
        assert page.html.count('name="list"') == 3

    def test_secrets(self, ana, code):
        """A password is sent on and not shown."""
        page = checked(ana, send(ana, password="hunter2", pin="1234"), code)
        assert "hunter2" not in page.text
        assert "1234" not in page.text

    def test_first_method(self, visitor, tenant, moved):
        """Who has to sign in anew to add a first method finds the form again after that."""
        visitor.log_in("ben@example.com")
        page = visitor.press(send(visitor), "Authenticator app")
        page = visitor.press(page, "code", code=tenant.current_otp("ben@example.com"))
        page = visitor.press(page, "saved", saved="y")
        assert "Nothing has been sent yet" in page.text
        assert visitor.press(page, "Send").text == "Moved"
        assert [one["amount"] for one in moved] == ["500"]

    def test_bound(self, ana, code, moved):
        """With an approval, the page shows what was approved, and the form goes through."""
        page = checked(ana, send(ana, "/bound"), code)
        assert "You are approving: 500" in page.text
        assert ana.press(page, "Send").text == "Moved"
        assert len(moved) == 1

    def test_started_again(self, ana, code, clock, moved):
        """A check that timed out and was started again keeps the form."""
        page = ana.press(send(ana), "Authenticator app")
        clock.advance(301)
        page = ana.press(ana.press(page, "code", code=code), "Start again")
        page = ana.press(page, "code", code=code)
        assert ana.press(page, "Send").text == "Moved"

    def test_before_the_check(self, ana, moved):
        """The page of a check that was not passed leads to the check."""
        page = send(ana)
        context = page.url.partition("context=")[2]
        page = ana.get(f"/auth/mfa/resume?context={context}")
        assert page.path == "/auth/mfa/challenge"

    def test_other_browser(self, app, ana, code):
        """Nobody else's browser can see the form."""
        page = checked(ana, send(ana), code)
        ben = Visitor(app)
        ben.log_in("ben@example.com")
        assert ben.get(page.url).status == 404

    def test_unknown(self, ana):
        """A page of no check is not found."""
        assert ana.get("/auth/mfa/resume?context=x").status == 404


class TestNotKept:
    """What is not kept: the user goes back to the page of the form."""

    def test_off(self, ana, code, moved):
        """By default nothing is kept."""
        page = checked(ana, send(ana, "/plain"), code)
        assert "Nothing has been sent yet" not in page.text
        assert "500" not in page.text

    def test_long(self, ana, code):
        """A form of more than 1 500 bytes is not kept, and the cookies stay within bounds."""
        page = checked(ana, send(ana, note="x" * 1_500), code)
        assert "Nothing has been sent yet" not in page.text

    @pytest.mark.parametrize("kind", ["text/plain", "application/xml"])
    def test_no_fields(self, ana, code, kind):
        """Nor is one whose fields cannot be read: an empty form would be sent in its place."""
        answer = ana.client.post("/pay", data="amount=500", content_type=kind)
        page = checked(ana, ana.get(answer.location), code)
        assert "Nothing has been sent yet" not in page.text

    def test_files(self, ana, code):
        """Nor is one with a file."""
        form = {"amount": "5", "file": (io.BytesIO(b"x"), "x.txt")}
        answer = ana.client.post("/pay", data=form)
        page = checked(ana, ana.get(answer.location), code)
        assert "Nothing has been sent yet" not in page.text

    @pytest.mark.parametrize("origin", ["https://evil.test", "http://shop.localhost", "null"])
    def test_other_origin(self, ana, code, origin):
        """Nor is it where an older browser, which has no fetch metadata, names the origin alone."""
        answer = ana.client.post("/pay", data=FORM, headers={"Origin": origin})
        page = checked(ana, ana.get(answer.location), code)
        assert "Nothing has been sent yet" not in page.text

    def test_own_origin(self, ana, code):
        """A form of the application itself is kept in such a browser, too."""
        answer = ana.client.post("/pay", data=FORM, headers={"Origin": "http://localhost"})
        page = checked(ana, ana.get(answer.location), code)
        assert "Nothing has been sent yet" in page.text

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_other_site(self, ana, code, site):
        """Nor is one that another site made the browser send."""
        answer = ana.client.post("/pay", data=FORM, headers={"Sec-Fetch-Site": site})
        page = checked(ana, ana.get(answer.location), code)
        assert "Nothing has been sent yet" not in page.text
