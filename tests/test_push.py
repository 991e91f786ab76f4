"""Approval on the phone: the waiting page, its button, its script, and the JSON route."""

from __future__ import annotations

from functools import partial
from urllib.parse import parse_qs

import pytest
import requests

from .observed import ANA, grants, wrong_code
from .visitor import Visitor
from .ways import TARGET, asked, authenticator_id, pass_time, refresh_twice

PUSH = "Approve on your phone"
BUTTON = "I have approved it"
WAITING = "Approve the request on your phone"
DECLINED = "The request was declined on your phone"
POLL = "/auth/mfa/poll"


@pytest.fixture
def later(app, tenant, clock):
    """Return a function that puts every clock forward."""
    return partial(pass_time, app, tenant, clock)


@pytest.fixture
def page(ana):
    """The page on which Ana waits for her phone."""
    return ana.press(ana.get(TARGET), PUSH)


@pytest.fixture
def ask(ana, page):
    """Return a function that checks as the page's script does."""

    def ask(visitor=ana):
        url, fields = page.form(BUTTON)
        return visitor.json("POST", url, data=fields)

    return ask


def polls(tenant):
    """Return how often Auth0 was asked about the push."""
    return asked(tenant).count("mfa-oob")


def landed(page):
    """Tell whether the visitor sees the very page that was asked for."""
    return page.status == 200 and page.url == f"http://localhost{TARGET}"


def said(page):
    """Return what the page's status says."""
    return page.root.find(".//div[@role='status']").text


class TestButton:
    """The waiting page without scripts."""

    def test_approved(self, ana, page, tenant):
        """After the approval the button opens the page that was asked for."""
        tenant.approve()
        assert landed(ana.press(page, BUTTON))
        assert refresh_twice(ana, tenant) == [200, 200]

    def test_calls(self, ana, tenant, later):
        """Auth0 is asked for one refresh, one list, one push, and once for each check."""
        tenant.calls.clear()
        page = ana.press(ana.get(TARGET), PUSH)
        page = ana.press(page, BUTTON)
        later(6)
        tenant.approve()
        ana.press(page, BUTTON)
        steps = ["refresh_token", "/mfa/authenticators", "/mfa/challenge", "mfa-oob", "mfa-oob"]
        assert asked(tenant) == steps

    def test_not_yet(self, ana, page):
        """Before the approval the button leads back, with hints what to check."""
        answer = ana.press(page, BUTTON)
        assert (answer.status, answer.heading) == (200, WAITING)
        hints = answer.root.find(".//section[@id='still-waiting']")
        assert hints.get("hidden") is None

    def test_not_yet_is_said_first(self, ana, page):
        """Who presses too early is answered above everything else, where a reader begins."""
        answer = ana.press(page, BUTTON)
        assert said(answer) == "Still waiting for your approval."

    def test_new_request_is_confirmed(self, ana, page, later, tenant):
        """Who asks for another request is told that it was sent."""
        later(31)
        answer = ana.press(page, "Send a new request")
        assert said(answer) == "We sent a new request."
        assert len(tenant.pushes) == 2

    def test_nothing_refreshes_by_itself(self, page):
        """The page has no refresh, which would take it away from under a screen reader."""
        assert "Refresh" not in page.headers
        assert not [tag for tag in page.root.iter("meta") if tag.get("http-equiv")]

    def test_pages_send_nothing(self, ana, page, tenant):
        """Reading any page ten times sends no push and checks nothing."""
        before = asked(tenant)
        for url in (page.url, page.link("Use another method"), TARGET):
            for _ in range(10):
                assert ana.get(url).status == 200
        assert asked(tenant) == before
        assert len(tenant.pushes) == 1

    def test_other_method_and_back(self, ana, page, tenant):
        """Going to another method and back keeps the push that was sent."""
        other = ana.press(ana.get(page.link("Use another method")), "Authenticator app")
        back = ana.press(ana.get(other.link("Use another method")), PUSH)
        assert back.heading == WAITING
        assert len(tenant.pushes) == 1

    def test_code_of_a_message_before_it(self, ana, tenant, later):
        """The code of a message whose place the push has taken leads to the page that waits."""
        form = ana.challenge_page(TARGET, "Text message")
        later(31)
        ana.press(ana.get(form.link("Use another method")), PUSH)
        before = asked(tenant)
        answer = ana.press(form, "code", code=tenant.last_message(ANA).code)
        assert (answer.status, answer.heading) == (200, WAITING)
        assert asked(tenant) == before

    def test_wrong_code_of_another_method(self, ana, page, tenant):
        """A wrong code of another method counts as one, and the push is waited for as before."""
        other = ana.press(ana.get(page.link("Use another method")), "Authenticator app")
        again = ana.press(other, "code", code=wrong_code(tenant))
        assert again.heading == other.heading
        assert "You have 4 tries left." in again.text
        back = ana.press(ana.get(again.link("Use another method")), PUSH)
        assert len(tenant.pushes) == 1
        tenant.approve()
        assert landed(ana.press(back, BUTTON))

    def test_another_push(self, ana, page, tenant, later):
        """Another push may be sent after 30 seconds, and takes the place of the first."""
        assert ana.press(page, "Send a new request").status == 429
        first = tenant.pushes[-1].id
        later(31)
        page = ana.press(page, "Send a new request")
        assert len(tenant.pushes) == 2
        tenant.approve(first)
        assert ana.press(page, BUTTON).heading == WAITING
        later(6)
        tenant.approve()
        assert landed(ana.press(page, BUTTON))

    def test_timed_out(self, ana, page, tenant, later):
        """When the time is over the check starts again, and sends nothing before it is asked to."""
        later(301)
        answer = ana.press(page, BUTTON)
        assert (answer.status, answer.heading) == (401, "This check has timed out")
        again = ana.press(answer, "Start again")
        assert len(tenant.pushes) == 1
        assert ana.press(again, PUSH).heading == WAITING

    def test_auth0_is_down(self, ana, page, tenant, later):
        """When Auth0 does not answer, the wait goes on afterwards."""
        tenant.fault("/oauth/token", status=503)
        answer = ana.press(page, BUTTON)
        assert answer.status == 503
        later(6)
        tenant.approve()
        assert landed(ana.press(ana.get(answer.link("Try again")), BUTTON))

    def test_check_that_was_not_sent(self, ana, tenant):
        """Without a push there is nothing to check, and Auth0 is not asked."""
        choice = ana.get(TARGET)
        _, fields = choice.form(PUSH)
        answer = ana.client.post(POLL, data=fields, headers={"Accept": "text/html"})
        assert answer.status_code == 400
        assert "No request was sent to the phone. Send one first." in answer.text
        assert polls(tenant) == 0

    def test_one_method_only(self, visitor, tenant):
        """Who has push only presses a button first: opening a page sends nothing."""
        visitor.log_in("dan@example.com")
        page = visitor.get(TARGET)
        assert not tenant.pushes
        page = visitor.press(page, PUSH)
        tenant.approve()
        assert landed(visitor.press(page, BUTTON))


class TestPace:
    """How often Auth0 is asked."""

    def test_two_tabs_for_a_minute(self, app, ana, page, ask, tenant, later):
        """Two tabs that check every second make at most twelve calls a minute together."""
        other_tab = Visitor(app)
        other_tab.take_cookies(ana)
        for _ in range(60):
            assert ask().status_code == 202
            assert ask(other_tab).status_code == 202
            later(1)
        assert polls(tenant) == 10

    def test_too_soon(self, ask, tenant):
        """Asked too soon, the answer is 202 with the seconds to wait, and Auth0 is not asked."""
        assert ask().json["interval"] == 6
        answer = ask()
        assert answer.status_code == 202
        assert answer.json["error"] == "authorization_pending"
        assert answer.json["interval"] <= 6
        assert answer.headers["Retry-After"] == str(answer.json["interval"])
        assert polls(tenant) == 1

    def test_each_slow_down_widens(self, ask, tenant, later):
        """Each ``slow_down`` of Auth0 adds five seconds, for all that follows."""
        for interval in (11, 16):
            tenant.fault("/oauth/token", status=400, body={"error": "slow_down"})
            assert ask().json["interval"] == interval
            later(interval)
        assert ask().json["interval"] == 16
        later(15)
        ask()
        assert polls(tenant) == 3

    def test_limit(self, make_app, tenant, clock):
        """AUTH0_MFA_POLL_LIMIT bounds the checks, whatever the interval."""
        app = make_app(AUTH0_MFA_POLL_LIMIT="2 per minute")
        ana = Visitor(app)
        ana.log_in(ANA)
        page = ana.press(ana.get(TARGET), PUSH)
        for _ in range(3):
            answer = ana.press(page, BUTTON)
            pass_time(app, tenant, clock, 6)
        assert answer.status == 429
        assert polls(tenant) == 2


class TestScript:
    """What the page's script gets, which sends the form and asks for JSON."""

    def test_approved(self, ana, ask, tenant):
        """The answer names the page that was asked for, by its path."""
        tenant.approve()
        answer = ask()
        assert (answer.status_code, answer.json) == (200, {"success": True, "redirect_to": TARGET})
        assert landed(ana.get(answer.json["redirect_to"]))

    def test_page_is_reloaded_meanwhile(self, app, ana, page, ask, tenant):
        """Where a reload cuts off the answer, the page is there, and asks for that answer again."""
        reloading = Visitor(app)
        reloading.take_cookies(ana)
        tenant.approve()
        ask()
        waiting = reloading.get(page.url)
        assert (waiting.status, waiting.heading) == (200, WAITING)
        assert landed(reloading.press(waiting, BUTTON))
        assert polls(tenant) == 1

    def test_page_is_opened_much_later(self, app, ana, page, ask, tenant, later):
        """Once the answer is forgotten, the page of a check that is over waits for nothing."""
        late = Visitor(app)
        late.take_cookies(ana)
        tenant.approve()
        ask()
        later(31)
        assert late.get(page.url).heading == "This check is not open"

    def test_declined(self, ana, page, ask, tenant):
        """The refusal is final, and loading the page again shows it."""
        tenant.reject()
        assert (ask().status_code, ask().json["error"]) == (400, "access_denied")
        assert polls(tenant) == 1
        assert ana.get(page.url).heading == DECLINED


class TestDeclined:
    """The person said no on the phone."""

    @pytest.fixture
    def declined(self, ana, page, tenant):
        """The page that says so."""
        tenant.reject()
        return ana.press(page, BUTTON)

    def test_page(self, declined):
        """It has a page of its own, with a warning for those who did not decline it."""
        assert (declined.status, declined.heading) == (400, DECLINED)
        assert "If you did not do this, change your password." in declined.text

    def test_no_instant_push(self, ana, declined, tenant, later):
        """Nothing on the page sends another push at once."""
        assert PUSH not in declined.text
        assert "Send a new request" not in declined.text
        later(31)
        choice = ana.press(declined, "Start again")
        assert choice.heading == "Choose how to confirm it is you"
        assert len(tenant.pushes) == 1

    def test_is_final(self, ana, page, declined, tenant, later):
        """Checking again asks Auth0 nothing, in this tab or by going back to it."""
        later(6)
        assert ana.press(page, BUTTON).heading == DECLINED
        assert ana.get(page.url).heading == DECLINED
        assert polls(tenant) == 1

    def test_another_method(self, ana, declined, tenant):
        """Another method ends the same check well."""
        page = ana.press(ana.get(declined.link("Use another method")), "Authenticator app")
        assert landed(ana.press(page, "code", code=tenant.current_otp(ANA)))

    def test_chosen_again(self, ana, declined, tenant, later):
        """Who wants the push after all can have another one in the same check."""
        later(31)
        page = ana.press(ana.get(declined.link("Use another method")), PUSH)
        assert page.heading == WAITING
        tenant.approve()
        assert landed(ana.press(page, BUTTON))

    def test_only_method(self, visitor, tenant):
        """Who has no other method can start again, which sends nothing by itself."""
        visitor.log_in("dan@example.com")
        page = visitor.press(visitor.get(TARGET), PUSH)
        tenant.reject()
        page = visitor.press(visitor.press(page, BUTTON), "Start again")
        assert len(tenant.pushes) == 1
        page = visitor.press(page, PUSH)
        tenant.approve()
        assert landed(visitor.press(page, BUTTON))

    def test_in_the_words_of_the_documentation(self, ana, page, tenant):
        """Auth0's documentation has another code for it; it is as final."""
        body = {"error": "invalid_grant", "error_description": "MFA Authorization rejected."}
        tenant.fault("/oauth/token", status=403, body=body)
        assert ana.press(page, BUTTON).heading == DECLINED


class TestSecondTab:
    """The same check in two tabs."""

    def test_button_after_success(self, ana, page, tenant):
        """The button of the tab that was left open leads to the page that was asked for."""
        tenant.approve()
        ana.press(page, BUTTON)
        assert landed(ana.press(page, BUTTON))
        assert polls(tenant) == 1

    def test_reload_after_success(self, ana, page, tenant):
        """Loading that tab again says that it is done."""
        tenant.approve()
        ana.press(page, BUTTON)
        assert ana.get(page.url).heading == "You are already verified"

    def test_cookies_from_before(self, app, ana, page, ask, tenant):
        """A check that was on its way at the same moment ends as well as the first one."""
        other_tab = Visitor(app)
        other_tab.take_cookies(ana)
        tenant.approve()
        assert landed(ana.press(page, BUTTON))
        assert ask(other_tab).json == {"success": True, "redirect_to": TARGET}
        assert polls(tenant) == 1


class TestLongChecks:
    """Where AUTH0_MFA_CONTEXT_TTL lets a check outlive its push."""

    @pytest.fixture
    def app(self, make_app):
        """An application with checks of a quarter of an hour."""
        return make_app(AUTH0_MFA_CONTEXT_TTL=900)

    def test_push_is_too_old(self, ana, page, tenant, later):
        """A push that nobody answered ends with the choice of methods, and says why."""
        later(301)
        answer = ana.press(page, BUTTON)
        assert answer.heading == "Choose how to confirm it is you"
        assert "The request was not answered in time." in answer.text
        assert ana.press(answer, PUSH).heading == WAITING

    def test_script_is_told(self, ana, page, ask, later):
        """The script stops, and loading the page again leads to the choice."""
        later(301)
        answer = ask()
        assert (answer.status_code, answer.json["error"]) == (400, "code_expired")
        assert ana.get(page.url).heading == "Choose how to confirm it is you"


class TestCodeOnThePhone:
    """A push that asks for a code (``binding_method`` is ``prompt``)."""

    @pytest.fixture
    def sent(self, requests_mock, tenant_server):
        """Make the tenant's push ask for a code; what was sent to the token endpoint."""
        real = requests.Session()

        def with_prompt(request, context):
            url = f"{tenant_server.url}/mfa/challenge?real"
            answer = real.post(url, data=request.body, headers=dict(request.headers), timeout=10)
            return {**answer.json(), "binding_method": "prompt"}

        requests_mock.real_http = True
        challenge = f"{tenant_server.url}/mfa/challenge"
        requests_mock.register_uri("POST", f"{challenge}?real", real_http=True)
        requests_mock.register_uri(
            "POST",
            challenge,
            additional_matcher=lambda request: not request.query,
            json=with_prompt,
        )

        def sent():
            grants = [one for one in requests_mock.request_history if one.path == "/oauth/token"]
            return parse_qs(grants[-1].text)

        return sent

    def test_code_is_asked_for_and_sent(self, ana, tenant, sent):
        """The page asks for the code instead of waiting, and sends it with the grant."""
        page = ana.press(ana.get(TARGET), PUSH)
        assert page.heading == "Enter the code shown on your phone"
        tenant.approve()
        assert landed(ana.press(page, "code", code="73 12"))
        assert sent()["binding_code"] == ["7312"]


class TestMessageWithoutBindingMethod:
    """Auth0 sends a message, and its answer does not say that there is a code to type."""

    @pytest.fixture(autouse=True)
    def silent(self, tenant):
        """Make the tenant's answer to a challenge leave ``binding_method`` out."""
        body = {"challenge_type": "oob", "oob_code": "Fe26.2*code"}
        tenant.fault("/mfa/challenge", status=200, body=body)

    @pytest.mark.parametrize("way", ["Text message", "Phone call", "E-mail"])
    def test_page(self, ana, way):
        """The page asks for the code: nothing waits on the phone to be approved."""
        page = ana.press(ana.get(TARGET), way)
        assert "code" in page.form("code")[1]
        assert "Guardian" not in page.text

    def test_json(self, ana, tenant):
        """Programs are told to ask for it."""
        token = ana.mfa_required("/api/balance")["mfa_token"]
        body = {
            "mfa_token": token,
            "challenge_type": "oob",
            "authenticator_id": authenticator_id(tenant, "sms"),
        }
        begun = ana.json("POST", "/auth/mfa/challenge", json=body)
        assert begun.json["binding_method"] == "prompt"


class TestJson:
    """By the JSON routes."""

    @pytest.fixture
    def bearer(self, ana, tenant):
        """The credential of a check in which a push is open."""
        token = ana.mfa_required("/api/balance")["mfa_token"]
        chosen = {"authenticator_id": authenticator_id(tenant, "push"), "challenge_type": "oob"}
        bearer = {"headers": {"Authorization": f"Bearer {token}"}}
        answer = ana.json("POST", "/auth/mfa/challenge", json=chosen, **bearer)
        assert answer.json.keys() == {"challenge_type", "oob_code"}
        return {**bearer, "oob_code": answer.json["oob_code"]}

    def poll(self, ana, bearer):
        """Ask whether the push was answered."""
        return ana.json("POST", POLL, headers=dict(bearer["headers"]))

    def test_poll(self, ana, bearer, tenant, later):
        """202 while it waits, then 200; and the API answers."""
        assert self.poll(ana, bearer).status_code == 202
        tenant.approve()
        later(6)
        answer = self.poll(ana, bearer)
        assert (answer.status_code, answer.json) == (200, {"success": True})
        assert ana.json("GET", "/api/balance").json == {"balance": 100}
        assert refresh_twice(ana, tenant) == [200, 200]

    def test_too_soon(self, ana, bearer, tenant):
        """Asked sooner than the interval, it answers 202 without asking Auth0."""
        for _ in range(5):
            answer = self.poll(ana, bearer)
            assert answer.status_code == 202
            assert 1 <= answer.json["interval"] <= 6
        assert polls(tenant) == 1

    def test_token_in_the_body(self, ana, bearer, tenant):
        """The token may be in the body as well."""
        tenant.approve()
        token = bearer["headers"]["Authorization"].removeprefix("Bearer ")
        assert ana.json("POST", POLL, json={"mfa_token": token}).json == {"success": True}

    def test_declined(self, ana, bearer, tenant):
        """The refusal is told, and final; a code that comes after it is one of the app."""
        tenant.reject()
        answer = self.poll(ana, bearer)
        assert (answer.status_code, answer.json["error"]) == (400, "access_denied")
        assert self.poll(ana, bearer).status_code == 400
        assert polls(tenant) == 1
        body = {"code": tenant.current_otp(ANA)}
        answer = ana.json("POST", "/auth/mfa/verify", json=body, headers=bearer["headers"])
        assert answer.json == {"success": True}

    def test_verify_keeps_the_pace(self, ana, bearer, tenant):
        """``verify`` with the ``oob_code`` asks no more often than ``poll``."""
        body = {"oob_code": bearer["oob_code"]}
        for _ in range(5):
            answer = ana.json("POST", "/auth/mfa/verify", json=body, headers=bearer["headers"])
            assert answer.status_code == 202
        assert grants(tenant) == [400]

    def test_message_is_open(self, ana, tenant):
        """While a text message is open there is no push to ask about, and Auth0 is not asked."""
        token = ana.mfa_required("/api/balance")["mfa_token"]
        chosen = {"authenticator_id": authenticator_id(tenant, "sms"), "challenge_type": "oob"}
        ana.json("POST", "/auth/mfa/challenge", json={"mfa_token": token, **chosen})
        answer = ana.json("POST", POLL, json={"mfa_token": token})
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        assert polls(tenant) == 0

    def test_timed_out(self, ana, bearer, later):
        """After its time the token is 401."""
        later(301)
        assert self.poll(ana, bearer).json["error"] == "mfa_token_expired"
