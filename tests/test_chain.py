"""Chained factors: the tenant wants another one after the first."""

from __future__ import annotations

import pytest
from flask import Flask, jsonify

from flask_auth0_mfa import requires_stepup
from flask_auth0_mfa.emulator.totp import code_at
from flask_auth0_mfa.signals import enrolled

from .conftest import ADMIN
from .observed import ANA, grants
from .visitor import Visitor
from .ways import OTP, RECOVERY, SMS, asked, authenticator_id, refresh_twice

TARGET = "/admin?tab=users"
REASON = "To manage the branch we need two checks."
CHOICE = "Choose how to confirm it is you"
PUSH = "Approve on your phone"


@pytest.fixture
def app(app: Flask) -> Flask:
    """An application with an API that needs two factors."""

    @app.get("/admin")
    @requires_stepup(ADMIN, reason=REASON)
    def admin() -> str:
        return "Admin"

    @app.get("/api/admin")
    @requires_stepup(ADMIN)
    def api():
        return jsonify(admin=True)

    return app


@pytest.fixture
def second(ana, tenant):
    """The page that comes after the first factor, a code of the app."""
    return ana.step_up(TARGET, tenant.current_otp(ANA))


def wanted_again(tenant, times):
    """Make the tenant want one more factor, as often as that."""
    for number in range(times):
        required = {"error": "mfa_required", "mfa_token": f"Fe26.2*another*{number}"}
        tenant.fault("/oauth/token", status=403, body=required)


class TestPages:
    """With a browser."""

    def test_two_factors(self, ana, second, tenant):
        """The second factor opens the page that was asked for."""
        page = ana.press(second, SMS.label)
        page = ana.press(page, "code", code=SMS.right(tenant))
        assert (page.text, page.url) == ("Admin", f"http://localhost{TARGET}")
        assert refresh_twice(ana, tenant) == [200, 200]

    def test_first_is_not_offered_again(self, second):
        """The second check has the same reason, and offers what the tenant still accepts."""
        assert second.heading == CHOICE
        assert REASON in second.text
        assert OTP.label not in second.text

    def test_first_is_said_to_be_passed(self, ana, second):
        """The next page says that the code was right, until a method is chosen for it."""
        said = "That worked. One more check is needed."
        assert said in second.text
        assert said not in ana.get(f"{second.url}&choose=1").text
        page = ana.press(second, RECOVERY.label)
        assert said not in page.text
        assert said not in ana.press(page, "code", code="B" * 24).text

    def test_calls(self, ana, tenant):
        """Auth0 is asked for one list, one message and one grant for each factor."""
        tenant.calls.clear()
        page = ana.press(ana.step_up(TARGET, tenant.current_otp(ANA)), SMS.label)
        ana.press(page, "code", code=SMS.right(tenant))
        first = ["refresh_token", "/mfa/authenticators", "mfa-otp"]
        assert asked(tenant) == [*first, "/mfa/challenge", "mfa-oob"]

    def test_first_factor_alone_opens_nothing(self, ana, second, tenant):
        """Going to the page after the first factor leads back to the second check."""
        before = asked(tenant)
        again = ana.get(TARGET)
        assert again.url == second.url
        assert asked(tenant) == before

    def test_push_first(self, ana, tenant):
        """After an approval on the phone the button leads on to the second check."""
        page = ana.press(ana.get(TARGET), PUSH)
        tenant.approve()
        page = ana.press(page, "I have approved it")
        assert page.heading == CHOICE
        page = ana.press(page, OTP.label)
        assert ana.press(page, "code", code=OTP.right(tenant)).text == "Admin"

    def test_push_first_by_script(self, ana, tenant):
        """The waiting page's script is told the address of the second check."""
        url, fields = ana.press(ana.get(TARGET), PUSH).form("I have approved it")
        tenant.approve()
        answer = ana.json("POST", url, data=fields)
        assert (answer.status_code, answer.json["error"]) == (403, "mfa_required")
        assert ana.get(answer.json["challenge_url"]).heading == CHOICE

    def test_page_of_the_first_check(self, ana, tenant):
        """Going back to the first check does not ask for its code again."""
        first = ana.challenge_page(TARGET)
        ana.press(first, "code", code=OTP.right(tenant))
        page = ana.get(first.url)
        assert "code" not in {name for _, fields, _ in page.forms() for name in fields}

    def test_time_starts_anew(self, ana, app, second, tenant, clock):
        """Each check of a chain has its own time."""
        clock.advance(200)
        page = ana.press(second, SMS.label)
        clock.advance(90)
        assert ana.press(page, "code", code=SMS.right(tenant)).text == "Admin"

    def test_timed_out(self, ana, second, clock):
        """When the second check has timed out, it starts again from the first factor."""
        clock.advance(301)
        page = ana.press(ana.get(second.url), "Start again")
        assert page.heading == CHOICE
        assert OTP.label in page.text

    def test_one_method_only(self, visitor, tenant):
        """Who has nothing left to prove is led to add a method, since the tenant asks for it."""
        visitor.log_in("cleo@example.com")
        page = visitor.challenge_page(TARGET)
        page = visitor.press(page, "code", code=tenant.current_otp("cleo@example.com"))
        assert page.heading == "Set up a second check"
        assert OTP.label not in page.text

    def test_two_methods_added(self, visitor, tenant):
        """Who adds a method on the way sees the new recovery code before the next factor."""
        visitor.log_in("ben@example.com")
        page = visitor.press(visitor.get(TARGET), "Authenticator app")
        groups = page.root.findall(".//details//p[@class='mfa-code']/span")
        secret = "".join(group.text for group in groups)
        page = visitor.press(page, "code", code=code_at(secret, tenant.clock.now()))
        assert page.heading == "Save your new recovery code"
        recovery_code = tenant.user("ben@example.com").recovery_code
        assert recovery_code in page.text.replace(" ", "")
        page = visitor.press(page, "saved", saved="y")
        assert page.heading == "Enter your recovery code"
        assert visitor.get(page.url).heading == page.heading

    def test_method_added_is_told(self, app, visitor, tenant):
        """Listeners hear of the new method although the check goes on: its owner must be told."""
        told = []
        with enrolled.connected_to(lambda _, **what: told.append(what["method"]), app):
            self.test_two_methods_added(visitor, tenant)
        assert told == ["otp"]

    def test_method_added_is_known(self, visitor, tenant):
        """The method that was added can be used at once, in another check as well."""
        self.test_two_methods_added(visitor, tenant)
        assert (
            visitor.challenge_page("/transfer").heading
            == "Enter the code from your authenticator app"
        )

    def test_token_stays_the_same(self, ana, tenant):
        """A tenant that goes on with the same token gets the second factor as well."""
        required = {"error": "mfa_required", "mfa_token": "Fe26.2*the same"}
        tenant.fault("/oauth/token", status=403, body=required, times=2)
        body = [{"id": "totp|1", "authenticator_type": "otp", "active": True}]
        tenant.fault("/mfa/authenticators", status=200, body=body)
        page = ana.step_up(TARGET, tenant.current_otp(ANA))
        assert page.status == 200
        assert "code" in page.form("code")[1]

    def test_endless_chain(self, ana, tenant):
        """After three more factors the tenant is taken to be misconfigured."""
        page = ana.challenge_page(TARGET)
        wanted_again(tenant, 4)
        seen = []
        for _ in range(4):
            page = ana.press(page, "code", code=OTP.right(tenant))
            seen.append(page.heading)
            if page.heading == CHOICE:
                page = ana.press(page, OTP.label)
        assert seen == [CHOICE, CHOICE, CHOICE, "A second check is needed, but it is not set up"]
        assert page.status == 403
        assert len(grants(tenant)) == 4


class TestJson:
    """By the JSON routes."""

    def test_two_factors(self, ana, tenant):
        """The first proof is answered with a new 403, whose token is for the second."""
        first = ana.mfa_required("/api/admin")
        body = {"mfa_token": first["mfa_token"], "code": OTP.right(tenant)}
        answer = ana.json("POST", "/auth/mfa/verify", json=body)
        assert (answer.status_code, answer.json["error"]) == (403, "mfa_required")
        token = answer.json["mfa_token"]
        assert token != first["mfa_token"]
        assert {"type": "otp"} not in answer.json["mfa_requirements"]["challenge"]
        chosen = {"challenge_type": "oob", "authenticator_id": authenticator_id(tenant, "sms")}
        ana.json("POST", "/auth/mfa/challenge", json={"mfa_token": token, **chosen})
        body = {"mfa_token": token, "code": SMS.right(tenant)}
        assert ana.json("POST", "/auth/mfa/verify", json=body).json == {"success": True}
        assert ana.json("GET", "/api/admin").json == {"admin": True}
        assert refresh_twice(ana, tenant) == [200, 200]

    def test_first_token_is_spent(self, ana, tenant):
        """The token of the first check is 404 afterwards, and nothing is sent for it."""
        body = {**ana.mfa_required("/api/admin"), "code": OTP.right(tenant)}
        ana.json("POST", "/auth/mfa/verify", json=body)
        answer = ana.json("POST", "/auth/mfa/verify", json=body)
        assert (answer.status_code, answer.json["error"]) == (404, "mfa_token_not_found")
        assert len(grants(tenant)) == 1


class TestGuesses:
    """What the first factor is worth to somebody who guesses the second."""

    @staticmethod
    def first_factor(visitor, tenant):
        """Prove the first factor; return the token of the second check."""
        tenant.advance(30)
        body = {**visitor.mfa_required("/api/admin"), "otp": OTP.right(tenant)}
        return visitor.json("POST", "/auth/mfa/verify", json=body).json

    @pytest.mark.parametrize("limit", ["AUTH0_MFA_VERIFY_LIMIT", "AUTH0_MFA_VERIFY_ROW_LIMIT"])
    def test_not_forgiven(self, make_app, tenant, limit):
        """The first factor, proved again and again, brings no more guesses at the second."""
        app = make_app(**{limit: "4 per year"})
        app.add_url_rule("/api/admin", view_func=requires_stepup(ADMIN)(lambda: "Admin"))
        statuses = []
        for _ in range(3):
            visitor = Visitor(app)
            visitor.log_in(ANA)
            token = self.first_factor(visitor, tenant).get("mfa_token")
            if token is None:
                break
            guess = {"mfa_token": token, "otp": OTP.wrong(tenant)}
            statuses.append(visitor.json("POST", "/auth/mfa/verify", json=guess).status_code)
        assert statuses == [400, 400]

    @pytest.mark.parametrize("second", ["sms", "push"])
    def test_forgiven_at_the_end(self, make_app, tenant, clock, second):
        """Who passes the whole check has all tries again, however often it is passed."""
        app = make_app(
            AUTH0_MFA_VERIFY_LIMIT="2 per hour", AUTH0_MFA_SEND_CONTEXT_LIMIT="9 per second"
        )
        app.add_url_rule(
            "/api/admin", view_func=requires_stepup(ADMIN, max_age=60)(lambda: "Admin")
        )
        visitor = Visitor(app)
        visitor.log_in(ANA)
        for _ in range(4):
            token = self.first_factor(visitor, tenant)["mfa_token"]
            body = {"mfa_token": token, "challenge_type": "oob"}
            body["authenticator_id"] = authenticator_id(tenant, second)
            visitor.json("POST", "/auth/mfa/challenge", json=body)
            if second == "push":
                tenant.approve()
                answer = visitor.json("POST", "/auth/mfa/poll", json={"mfa_token": token})
            else:
                code = {"mfa_token": token, "code": SMS.right(tenant)}
                answer = visitor.json("POST", "/auth/mfa/verify", json=code)
            assert answer.json == {"success": True}
            clock.advance(61)
