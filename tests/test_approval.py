"""Approvals (``binds``): the check is for the text that was shown, and is good for it once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask, request

from flask_auth0_mfa import current_auth0, requires_stepup
from flask_auth0_mfa.memory import Memory

from .conftest import ACCOUNTS, PAYMENTS
from .observed import ANA, refreshes
from .visitor import Visitor

FORM = {"amount": "500", "to": "DE89"}
TEXT = "Transfer 500 EUR to DE89"


def what_is_sent() -> str | None:
    """Return the text to approve, for a form that is sent."""
    if request.method != "POST":
        return None
    form = request.json if request.is_json else request.form
    return f"Transfer {form['amount']} EUR to {form['to']}"


@pytest.fixture
def app(make_app) -> Flask:
    """An application with a transfer that is approved word by word."""
    app = make_app()

    @app.route("/pay", methods=["GET", "POST"])
    @requires_stepup(PAYMENTS, scope="transfer:funds", binds=what_is_sent)
    def pay() -> str:
        return f"Approved: {current_auth0.approval}"

    @app.get("/pay/<name>")
    @requires_stepup(PAYMENTS, binds=lambda name: name)
    def named(name: str) -> str:
        return f"Approved: {current_auth0.approval}"

    @app.get("/safe/<name>")
    @requires_stepup(PAYMENTS, binds=lambda name: name, methods=["otp"])
    def safe(name: str) -> str:
        return f"Safe: {current_auth0.approval}"

    @app.get("/unprotected")
    @requires_stepup(ACCOUNTS, binds=lambda: "This")
    def unprotected() -> str:
        return "open"

    return app


@pytest.fixture
def code(tenant):
    """What Ana's authenticator app shows."""
    return tenant.current_otp("ana@example.com")


def sent(browser: Visitor, **form: str):
    """Send the transfer, and follow where that leads."""
    return browser._go("POST", "http://localhost/pay", FORM | form)


def approve(browser: Visitor, code: str, **form: str):
    """Send the transfer, and go through the check."""
    page = sent(browser, **form)
    if "Authenticator app" in page.text:
        page = browser.press(page, "Authenticator app")
    return browser.press(page, "code", code=code)


class TestApproval:
    """What opens the view, and how often."""

    def test_shown(self, ana):
        """Choice and code page show the text, word by word."""
        page = sent(ana)
        assert TEXT in page.text
        assert TEXT in ana.press(page, "Authenticator app").text

    def test_once(self, ana, code):
        """After the check the form goes through, and the next time it is asked for again."""
        check = sent(ana)
        approve(ana, code)
        assert sent(ana).text == f"Approved: {TEXT}"
        assert ana.get(check.url).heading == "You are already verified"
        assert sent(ana).path == "/auth/mfa/challenge"

    def test_stranger(self, make_app):
        """Who is not signed in learns nothing from the text: it is not asked for."""
        app, asked = make_app(), []
        guard = requires_stepup(PAYMENTS, binds=lambda number: asked.append(number))
        app.get("/invoices/<number>")(guard(lambda number: number))
        answer = Visitor(app).json("GET", "/invoices/7")
        assert (answer.status_code, answer.json["error"]) == (401, "login_required")
        assert asked == []

    def test_sent_again(self, ana, tenant):
        """The form sent again before it is approved leads to the same check."""
        assert sent(ana).url == sent(ana).url
        assert refreshes(tenant) == [403]

    def test_other_tab(self, ana, code):
        """A tab that waits for the same text is told when it was approved in another one."""
        first = ana.get("/pay/rent?tab=1")
        token = ana.mfa_required("/pay/rent?tab=2")["mfa_token"]
        assert ana.get(first.url).heading == first.heading
        ana.json("POST", "/auth/mfa/verify", json={"mfa_token": token, "otp": code})
        assert ana.get(first.url).heading == "You are already verified"

    def test_at_the_same_moment(self, ana, code, monkeypatch):
        """Of two requests that both find the approval unused, one goes through."""
        approve(ana, code)
        hold, both_looked = Memory.locked, Barrier(2, timeout=10)

        def locked(memory, name):
            if name[0] == "approval":
                both_looked.wait()
            return hold(memory, name)

        monkeypatch.setattr(Memory, "locked", locked)
        tabs = [ana.tab(), ana.tab()]
        with ThreadPoolExecutor(2) as threads:
            pages = list(threads.map(sent, tabs))
        assert sorted(page.path for page in pages) == ["/auth/mfa/challenge", "/pay"]

    def test_again(self, ana, code, clock):
        """What was approved and sent can be approved and sent again."""
        approve(ana, code)
        sent(ana)
        clock.advance(2)
        approve(ana, code)
        assert sent(ana).text == f"Approved: {TEXT}"

    @pytest.mark.parametrize("form", [{"amount": "501"}, {"to": "DE90"}, {"amount": "500 "}])
    def test_other_text(self, ana, code, form):
        """An approval opens nothing for any other text, and keeps for its own."""
        approve(ana, code)
        assert sent(ana, **form).path == "/auth/mfa/challenge"
        assert sent(ana).text == f"Approved: {TEXT}"

    def test_verified_before(self, ana, code):
        """That a second factor was proved a moment ago does not stand in for an approval."""
        ana.step_up("/transfer", code)
        assert sent(ana).path == "/auth/mfa/challenge"

    def test_without_text(self, ana, code):
        """Where nothing has to be approved, the guard is an ordinary one."""
        assert ana.step_up("/pay", code).text == "Approved: None"
        assert ana.get("/pay").text == "Approved: None"

    def test_counts_as_verified(self, ana, code):
        """An approval is also a proof for views that need no approval."""
        approve(ana, code)
        assert ana.get("/transfer").status == 200

    def test_old_cookies(self, ana, code):
        """Cookies from before an approval was used do not bring it back."""
        approve(ana, code)
        copy = ana.tab()
        sent(ana)
        assert sent(copy).path == "/auth/mfa/challenge"

    def test_code_sent_again(self, ana, code, clock):
        """The second press of the check's button brings no second approval."""
        page = ana.press(sent(ana), "Authenticator app")
        late = ana.tab()
        ana.press(page, "code", code=code)
        assert sent(ana).text == f"Approved: {TEXT}"
        clock.advance(3)
        late.press(page, "code", code=code)
        assert late.get("/transfer").status == 200
        assert sent(late).path == "/auth/mfa/challenge"

    def test_weaker_method(self, ana, tenant):
        """A text that was approved by another method than a view accepts does not open it."""
        token = ana.mfa_required("/pay/rent")["mfa_token"]
        proof = {"mfa_token": token, "recovery_code": tenant.recovery_code(ANA)}
        assert ana.json("POST", "/auth/mfa/verify", json=proof).status_code == 200
        assert ana.mfa_required("/safe/rent")
        assert ana.get("/pay/rent").text == "Approved: rent"

    def test_time(self, ana, code, clock):
        """An approval that was not used is good for five minutes."""
        approve(ana, code)
        clock.advance(301)
        assert sent(ana).path == "/auth/mfa/challenge"

    def test_another_user(self, app, ana, code):
        """An approval is the user's own."""
        approve(ana, code)
        ben = Visitor(app)
        ben.log_in("ben@example.com")
        assert sent(ben).path != "/pay"

    def test_two_texts(self, ana, code):
        """Two approvals at the same time do not mix."""
        approve(ana, code)
        approve(ana, code, to="FR76")
        assert sent(ana, to="FR76").text == "Approved: Transfer 500 EUR to FR76"
        assert sent(ana).text == f"Approved: {TEXT}"

    def test_view_arguments(self, ana, code):
        """The text is made from the view's arguments."""
        page = ana.press(ana.get("/pay/rent"), "Authenticator app")
        assert "rent" in page.text
        assert ana.press(page, "code", code=code).text == "Approved: rent"

    def test_json(self, ana, code):
        """A program sends the same call again."""
        refusal = ana.json("POST", "/pay", json=FORM).json
        headers = {"Authorization": f"Bearer {refusal['mfa_token']}"}
        ana.json("POST", "/auth/mfa/verify", json={"otp": code}, headers=headers)
        assert ana.json("POST", "/pay", json=FORM).text == f"Approved: {TEXT}"
        assert ana.json("POST", "/pay", json=FORM).status_code == 403

    def test_restart(self, ana, code, clock):
        """A check that has timed out starts again with its text."""
        sent(ana)
        clock.advance(301)
        page = ana.press(sent(ana), "Authenticator app")
        assert TEXT in page.text

    def test_no_second_factor(self, ana):
        """Where the tenant asks for none, nothing is approved and the view stays shut."""
        page = ana.get("/unprotected")
        assert page.status == 403
        assert "not set up" in page.text

    def test_second_factor_by_now(self, ana, tenant):
        """A tenant that asked for none a moment ago is asked again."""
        ana.get("/unprotected")
        required = {"error": "mfa_required", "mfa_token": "Fe26.2*now"}
        tenant.fault("/oauth/token", status=403, body=required)
        assert ana.get("/unprotected").path == "/auth/mfa/challenge"


class TestText:
    """What can be approved: what people can read."""

    @pytest.mark.parametrize(
        "to", ["x" * 300, "DE\u202e89", "DE\u200b89", "DE\x0089", "DE\u2066"], ids=repr
    )
    def test_unreadable(self, ana, to, tenant):
        """A text that would not be seen as it is cannot be approved."""
        page = sent(ana, to=to)
        assert page.status == 400
        assert refreshes(tenant) == []

    def test_lines(self, ana, code):
        """What a textarea sends has line breaks of two characters; they are shown as one."""
        approve(ana, code, to="DE89\r\nRent")
        page = sent(ana, to="DE89\r\nRent")
        assert "Approved: Transfer 500 EUR to DE89\nRent" in page.html

    def test_markup(self, ana):
        """The text is text, whatever is in it."""
        page = sent(ana, to="<b>DE89</b>")
        assert "<b>DE89</b>" in page.text

    @pytest.mark.parametrize("text", ["", " ", 5])
    def test_nothing(self, make_app, text):
        """A guard that names no text is the developer's mistake."""
        app = make_app(PROPAGATE_EXCEPTIONS=True)

        @app.get("/nothing")
        @requires_stepup(PAYMENTS, binds=lambda: text)
        def nothing() -> str:
            return "open"

        visitor = Visitor(app)
        visitor.log_in("ana@example.com")
        with pytest.raises(TypeError, match="binds"):
            visitor.client.get("/nothing")
