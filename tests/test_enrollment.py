"""Adding a first method during a check: when that is allowed, and how each is added."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from flask_auth0_mfa import requires_stepup
from flask_auth0_mfa.emulator import Configuration, Tenant, serve
from flask_auth0_mfa.emulator.totp import code_at, new_secret
from flask_auth0_mfa.testing.clock import SharedClock

from .conftest import ADMIN, PAYMENTS
from .observed import ANA, grants
from .visitor import Visitor
from .ways import BEN, PHONE, TARGET, age_limits, asked, refresh_twice

CLEO = "cleo@example.com"
ENROLL = "/auth/mfa/enroll"
ASSOCIATE = "/auth/mfa/associate"
CHOICE = "Set up a second check"
TOO_MANY = "Too many wrong codes"
TIMED_OUT = "This check has timed out"


@pytest.fixture(scope="module")
def tenant_server():
    """A tenant that stamps its tokens with the clock that tests put forward."""
    with serve(Tenant(clock=SharedClock()), port=0) as server:
        yield server


@pytest.fixture
def clock(tenant):
    """The application's clock, which is the tenant's."""
    return tenant.clock.now


@pytest.fixture
def later(app, tenant):
    """Return a function that puts the clock forward."""

    def later(seconds):
        tenant.advance(seconds)
        age_limits(app, seconds)

    return later


@pytest.fixture
def ben(visitor):
    """Ben, signed in, who has no method yet."""
    visitor.log_in(BEN)
    return visitor


@pytest.fixture
def choice(ben):
    """The page on which Ben chooses a method to add."""
    page = ben.get(TARGET)
    assert page.heading == CHOICE
    return page


def finished(visitor, page):
    """Tell whether the visitor, after saving the recovery code, sees what was asked for."""
    page = visitor.press(page, "saved", saved="y")
    return page.status == 200 and page.url == f"http://localhost{TARGET}"


def secret_on(page):
    """Return the key that the page shows for an authenticator app."""
    groups = page.root.findall(".//details//p[@class='mfa-code']/span")
    return "".join(group.text for group in groups)


def associations(tenant):
    """Return how often an enrollment was begun at Auth0."""
    return asked(tenant).count("/mfa/associate")


class TestAuthenticatorApp:
    """A code from an app."""

    @pytest.fixture
    def page(self, ben, choice):
        """The page with what the app has to scan."""
        return ben.press(choice, "Authenticator app")

    def test_added(self, ben, page, tenant):
        """The first code adds the app and opens the page that was asked for."""
        page = ben.press(page, "code", code=code_at(secret_on(page), tenant.clock.now()))
        assert page.heading == "Save your new recovery code"
        assert finished(ben, page)
        assert refresh_twice(ben, tenant) == [200, 200]

    def test_calls(self, ben, tenant):
        """Auth0 is asked for one refresh, one list, one enrollment and one grant."""
        ben.get(TARGET)
        tenant.calls.clear()
        other = ben.get(f"{TARGET}&other")
        page = ben.press(other, "Authenticator app")
        ben.press(page, "code", code=code_at(secret_on(page), tenant.clock.now()))
        assert asked(tenant) == ["refresh_token", "/mfa/associate", "mfa-otp"]

    def test_ways_to_take_the_key(self, page):
        """There is a picture with a name, the key as text, and a link for the same device."""
        picture = page.root.find(".//div[@role='img']")
        assert picture.get("aria-label") == "Picture to scan with the app"
        assert any(tag.tag.endswith("svg") for tag in picture)
        link = urlsplit(page.link("Open the app on this device"))
        assert link.scheme == "otpauth"
        assert parse_qs(link.query)["secret"] == [secret_on(page)]

    def test_time_is_told(self, ben, page, later):
        """Who has to get the app first knows how long there is for it."""
        assert "You have about 5 minutes." in page.text
        later(121)
        assert "You have about 3 minutes." in ben.get(page.url).text

    def test_key_is_nowhere_else(self, page):
        """The key is in no address and in no text that is read out in place of the picture."""
        key = secret_on(page)
        assert key not in page.url
        assert key not in str(page.headers)
        assert page.html.count(key) == 1

    def test_pages_begin_nothing(self, ben, page, tenant):
        """Reading the pages ten times begins no enrollment, and the key stays the same."""
        before = asked(tenant)
        for url in (page.url, page.link("Use another method"), TARGET):
            for _ in range(10):
                assert ben.get(url).status == 200
        assert asked(tenant) == before
        assert secret_on(ben.get(page.url)) == secret_on(page)

    def test_chosen_again(self, ben, page, tenant):
        """Choosing it again after a look at the others does not spoil the key that was scanned."""
        again = ben.press(ben.get(page.link("Use another method")), "Authenticator app")
        assert secret_on(again) == secret_on(page)
        assert associations(tenant) == 1

    def test_wrong_code(self, ben, page, tenant):
        """After a wrong code the same picture is there, and the right code is accepted."""
        code = code_at(secret_on(page), tenant.clock.now())
        wrong = f"{(int(code) + 1) % 1_000_000:06}"
        again = ben.press(page, "code", code=wrong)
        assert again.status == 400
        assert "That code did not work." in again.text
        assert "You have 4 tries left." in again.text
        assert secret_on(again) == secret_on(page)
        assert finished(ben, ben.press(again, "code", code=code))

    def test_malformed_code(self, ben, page, tenant):
        """What cannot be a code is told at once, and not sent."""
        assert ben.press(page, "code", code="12").status == 400
        assert grants(tenant) == []

    def test_too_many_tries(self, ben, page, tenant):
        """The fifth wrong code ends the check."""
        code = code_at(secret_on(page), tenant.clock.now())
        for number in range(1, 6):
            page = ben.press(page, "code", code=f"{(int(code) + number) % 1_000_000:06}")
        assert (page.status, page.heading) == (400, TOO_MANY)
        assert len(grants(tenant)) == 5

    def test_timed_out(self, ben, page, tenant, later):
        """When the time is over the check starts again; the login is too old then, and comes
        first.
        """
        code = code_at(secret_on(page), tenant.clock.now())
        later(301)
        page = ben.press(page, "code", code=code)
        assert (page.status, page.heading) == (401, TIMED_OUT)
        page = ben.press(page, "Start again")
        assert "password" in page.forms()[0][1]
        page = ben.press(page, "password", username=BEN, password="demo")
        assert page.heading == CHOICE

    def test_given_up(self, ben, page):
        """An enrollment that was given up opens nothing, and can be gone on with."""
        assert ben.get(page.link("Cancel")).text == "Home"
        assert secret_on(ben.get(TARGET)) == secret_on(page)

    def test_back_after_success(self, ben, page, tenant):
        """Going back to the page afterwards says that it is done."""
        done = ben.press(page, "code", code=code_at(secret_on(page), tenant.clock.now()))
        ben.press(done, "saved", saved="y")
        assert ben.get(page.url).heading == "You are already verified"

    def test_next_check_asks_for_it(self, ben, page, tenant, later):
        """The next check asks for a code of the app that was added."""
        done = ben.press(page, "code", code=code_at(secret_on(page), tenant.clock.now()))
        ben.press(done, "saved", saved="y")
        later(901)
        assert "Authenticator app" in ben.get(TARGET).text


class TestMessages:
    """Codes by text message, call and e-mail."""

    @pytest.fixture
    def address_page(self, ben, choice):
        """The page that asks for Ben's number."""
        return ben.press(choice, "Text message")

    @pytest.mark.parametrize(
        ("label", "channel"), [("Text message", "sms"), ("Phone call", "voice")]
    )
    def test_added(self, ben, choice, tenant, label, channel):
        """The number is asked for, a code is sent there, and the code adds it."""
        page = ben.press(choice, label)
        page = ben.press(page, "phone_number", phone_number="+44 7700 900123")
        message = tenant.last_message(BEN)
        assert (message.channel, message.to) == (channel, "+447700900123")
        assert "••• 0123" in page.text
        assert "900123" not in page.html
        assert finished(ben, ben.press(page, "code", code=message.code))
        assert refresh_twice(ben, tenant) == [200, 200]

    @pytest.mark.parametrize("number", ["", "0770 900123", "+44", "+44 call me", "x" * 5000])
    def test_malformed_number(self, ben, address_page, tenant, number):
        """What cannot be a number is told at once, with an example, and not sent."""
        page = ben.press(address_page, "phone_number", phone_number=number)
        assert page.status == 400
        assert page.title.startswith("Error:")
        assert "for example +44 7700 900123" in page.text
        assert associations(tenant) == 0

    def test_number_is_kept(self, ben, address_page):
        """A number that has to be corrected does not have to be typed again."""
        page = ben.press(address_page, "phone_number", phone_number="0770 900123")
        assert page.root.find(".//input[@id='phone_number']").get("value") == "0770 900123"

    @pytest.mark.parametrize("first", ["Authenticator app", "Approve on your phone"])
    def test_after_another_one(self, ben, choice, tenant, first):
        """Who has begun with an app can still take text messages instead, and finish with them."""
        begun = ben.press(choice, first)
        page = ben.press(ben.get(begun.link("Use another method")), "Text message")
        assert page.heading == "Set up text messages"
        form = ben.press(page, "phone_number", phone_number=PHONE)
        assert finished(ben, ben.press(form, "code", code=tenant.last_message(BEN).code))

    def test_number_from_the_contacts(self, ben, address_page, tenant):
        """A number that was copied with marks of direction around it is taken."""
        page = ben.press(address_page, "phone_number", phone_number=f"\u202a{PHONE}\u202c")
        assert page.form("code")
        assert tenant.last_message(BEN).to == PHONE

    def test_number_that_auth0_refuses(self, ben, address_page, tenant):
        """A number that Auth0 does not take is asked for again."""
        body = {"error": "invalid_request", "error_description": "The phone number is invalid."}
        tenant.fault("/mfa/associate", status=400, body=body)
        page = ben.press(address_page, "phone_number", phone_number=PHONE)
        assert page.status == 400
        assert "This cannot be used. Check it, or use another one." in page.text
        assert ben.press(page, "phone_number", phone_number=PHONE).form("code")

    def test_wrong_code(self, ben, address_page, tenant):
        """After a wrong code the right one is accepted."""
        page = ben.press(address_page, "phone_number", phone_number=PHONE)
        code = tenant.last_message(BEN).code
        again = ben.press(page, "code", code=f"{(int(code) + 1) % 1_000_000:06}")
        assert "That code did not work." in again.text
        assert finished(ben, ben.press(again, "code", code=code))

    def test_too_many_tries(self, ben, address_page, tenant):
        """The fifth wrong code ends the check; the right one is then not sent any more."""
        form = ben.press(address_page, "phone_number", phone_number=PHONE)
        code = tenant.last_message(BEN).code
        for number in range(1, 6):
            page = ben.press(form, "code", code=f"{(int(code) + number) % 1_000_000:06}")
        assert (page.status, page.heading) == (400, TOO_MANY)
        assert ben.press(form, "code", code=code).status == 429
        assert len(grants(tenant)) == 5

    def test_timed_out(self, ben, address_page, tenant, later):
        """When the time is over the code is not sent, and starting again sends no message."""
        page = ben.press(address_page, "phone_number", phone_number=PHONE)
        later(301)
        page = ben.press(page, "code", code=tenant.last_message(BEN).code)
        assert (page.status, page.heading) == (401, TIMED_OUT)
        assert "password" in ben.press(page, "Start again").forms()[0][1]
        assert grants(tenant) == []
        assert len(tenant.messages) == 1

    def test_given_up(self, ben, address_page, tenant):
        """An enrollment that was given up opens nothing, and coming back sends nothing anew."""
        page = ben.press(address_page, "phone_number", phone_number=PHONE)
        tenant.calls.clear()
        assert ben.get(page.link("Cancel")).text == "Home"
        assert ben.get(TARGET).heading == page.heading
        assert asked(tenant) == []
        assert len(tenant.messages) == 1

    def test_not_received(self, ben, address_page, tenant):
        """When nothing comes, the number can be checked and a new code asked for."""
        page = ben.press(address_page, "phone_number", phone_number=PHONE)
        page = ben.get(page.link("Check the number and send a new code"))
        page = ben.press(page, "phone_number", phone_number="+447700900124")
        assert tenant.last_message(BEN).to == "+447700900124"
        assert finished(ben, ben.press(page, "code", code=tenant.last_message(BEN).code))

    def test_pages_send_nothing(self, ben, address_page, tenant):
        """Reading the page with the code's field ten times sends nothing."""
        page = ben.press(address_page, "phone_number", phone_number=PHONE)
        for _ in range(10):
            assert ben.get(page.url).status == 200
        assert len(tenant.messages) == 1

    def test_too_many(self, ben, address_page, tenant):
        """Three enrollments in ten minutes, then the page says how long to wait."""
        for _ in range(4):
            page = ben.press(address_page, "phone_number", phone_number=PHONE)
        assert page.status == 429
        assert int(page.headers["Retry-After"]) > 500
        assert associations(tenant) == 3


class TestAnyMethod:
    """Where the tenant says that a factor is due, and not which."""

    @pytest.fixture
    def tenant_server(self):
        """A tenant whose Action asks for any factor."""
        with serve(Tenant(Configuration(actions=(ask_for_any_factor,))), port=0) as server:
            yield server

    def test_email(self, ben, choice, tenant):
        """An e-mail address can be added too, with the code that was sent there."""
        page = ben.press(choice, "E-mail")
        refused = ben.press(page, "email", email="no address")
        assert (refused.status, refused.title[:6]) == (400, "Error:")
        page = ben.press(refused, "email", email="ben.okafor@example.org")
        message = tenant.last_message(BEN)
        assert (message.channel, message.to) == ("email", "ben.okafor@example.org")
        assert "b•••@example.org" in page.text
        assert finished(ben, ben.press(page, "code", code=message.code))

    def test_email_by_json(self, ben, choice, tenant):
        """By JSON Auth0 takes the user's own address where none is given."""
        token = {"mfa_token": ben.mfa_required("/api/balance")["mfa_token"]}
        body = {"authenticator_types": ["oob"], "oob_channels": ["email"]}
        assert ben.json("POST", ASSOCIATE, json={**token, **body}).status_code == 200
        message = tenant.last_message(BEN)
        assert message.to == BEN
        answer = ben.json("POST", "/auth/mfa/verify", json={**token, "code": message.code})
        assert answer.status_code == 200


def ask_for_any_factor(event, api):
    """Ask for any factor before the payments API may be called; an Action of a tenant."""
    is_refresh = event.transaction.protocol == "oauth2-refresh-token"
    if is_refresh and event.resource_server.identifier == PAYMENTS:
        api.multifactor.enable("any")


class TestNoRecoveryCodes:
    """A tenant that gives no recovery code with a first method."""

    @pytest.fixture
    def tenant_server(self):
        """A tenant where authenticator apps alone are switched on."""
        configuration = Configuration(factors=frozenset({"otp"}))
        with serve(Tenant(configuration, clock=SharedClock()), port=0) as server:
            yield server

    def test_app(self, ben, choice, tenant):
        """The first code leads to the page that was asked for, past no other."""
        page = ben.press(choice, "Authenticator app")
        page = ben.press(page, "code", code=code_at(secret_on(page), tenant.clock.now()))
        assert (page.status, page.url) == (200, f"http://localhost{TARGET}")


class TestTwoTabs:
    """Two methods that were begun, one after the other."""

    def test_code_of_the_first(self, ben, choice, tenant):
        """A code of the app leads to the approval on the phone that was begun since."""
        app = ben.press(choice, "Authenticator app")
        phone = ben.press(choice, "Approve on your phone")
        code = code_at(secret_on(app), tenant.clock.now())
        answer = ben.press(app, "code", code=code)
        assert (answer.status, answer.heading) == (200, phone.heading)
        assert grants(tenant) == []


class TestPush:
    """Approval on the phone."""

    @pytest.fixture
    def page(self, ben, choice):
        """The page with what the Guardian app has to scan."""
        return ben.press(choice, "Approve on your phone")

    def test_added(self, ben, page, tenant):
        """What was confirmed in the app is added, by the button."""
        assert "It is valid for 5 minutes." in page.text
        tenant.approve()
        assert finished(ben, ben.press(page, "I have scanned it"))
        assert refresh_twice(ben, tenant) == [200, 200]

    def test_chosen_again(self, ben, page, tenant):
        """Choosing it again does not spoil the picture that the app has scanned."""
        ben.press(ben.get(page.link("Use another method")), "Approve on your phone")
        assert associations(tenant) == 1

    def test_not_yet(self, ben, page):
        """Before that the button leads back, and says that it is not confirmed."""
        answer = ben.press(page, "I have scanned it")
        assert answer.heading == page.heading
        assert "Your phone has not confirmed it yet." in answer.text

    def test_declined(self, ben, page, tenant):
        """Declined on the phone is a page of its own, from which it starts anew."""
        tenant.reject()
        answer = ben.press(page, "I have scanned it")
        assert answer.heading == "The request was declined on your phone"
        assert ben.get(page.url).heading == CHOICE
        assert ben.press(answer, "Start again").heading == CHOICE

    def test_limit(self, make_app, tenant):
        """AUTH0_MFA_POLL_LIMIT bounds the checks; the page then leads back."""
        app = make_app(AUTH0_MFA_POLL_LIMIT="2 per minute")
        ben = Visitor(app)
        ben.log_in(BEN)
        page = ben.press(ben.get(TARGET), "Approve on your phone")
        for _ in range(3):
            answer = ben.press(page, "I have scanned it")
            tenant.advance(6)
            age_limits(app, 6)
        assert (answer.status, answer.heading) == (429, "Too many tries")
        assert asked(tenant).count("mfa-oob") == 2
        assert ben.get(answer.link("Go back")).heading == page.heading

    def test_timed_out(self, ben, page, tenant, later):
        """When the time is over a late confirmation is not asked for, and opens nothing."""
        tenant.approve()
        later(301)
        answer = ben.press(page, "I have scanned it")
        assert (answer.status, answer.heading) == (401, TIMED_OUT)
        assert grants(tenant) == []

    def test_given_up(self, ben, page, tenant):
        """An enrollment that was given up opens nothing, and can be gone on with."""
        tenant.calls.clear()
        assert ben.get(page.link("Cancel")).text == "Home"
        assert ben.get(TARGET).heading == page.heading
        assert asked(tenant) == []


class TestWhen:
    """When a method may be added."""

    @pytest.fixture
    def ana(self, make_app):
        """Ana, who has methods, and whose login says that it is fresh."""
        ana = Visitor(make_app(AUTH0_AUTHORIZE_PARAMS={"max_age": "240"}))
        ana.log_in(ANA)
        return ana

    def test_not_with_an_active_method(self, ana, tenant):
        """Who has a method proves it: there is no way to add one on the pages."""
        choice = ana.get(TARGET)
        assert "Set up" not in choice.text
        page = ana.get(choice.url.replace("/challenge", "/enroll"))
        assert page.heading == choice.heading
        _, fields = choice.form("Authenticator app")
        answer = ana.client.post(ENROLL, data={**fields, "method": "otp"})
        assert answer.status_code == 400
        assert associations(tenant) == 0

    def test_not_with_an_active_method_by_json(self, ana, tenant):
        """By JSON it is refused too, before Auth0 is asked."""
        body = {**ana.mfa_required("/api/balance"), "authenticator_types": ["otp"]}
        answer = ana.json("POST", ASSOCIATE, json=body)
        assert (answer.status_code, answer.json["error"]) == (400, "mfa_no_available_factors")
        assert associations(tenant) == 0

    def test_only_what_the_tenant_asks_for(self, choice, ben, tenant):
        """A method that the tenant does not name is not offered, and not accepted."""
        assert "E-mail" not in choice.text
        _, fields = choice.form("Authenticator app")
        data = {**fields, "method": "email", "email": BEN}
        answer = ben.client.post(ENROLL, data=data, headers={"Accept": "text/html"})
        assert answer.status_code == 400
        assert "This method cannot be added here. Choose one from the list." in answer.text
        assert associations(tenant) == 0

    @pytest.mark.parametrize("methods", [["otp", "push"], ["phone"]])
    def test_view_that_names_its_methods(self, make_app, tenant, methods):
        """Where the view takes certain methods only, one of those can be added."""
        app = make_app()
        app.get("/limits")(requires_stepup(PAYMENTS, methods=methods)(lambda: "Your limits"))
        ben = Visitor(app)
        ben.log_in(BEN)
        page = ben.get("/limits")
        offered = {fields["method"] for _, fields, _ in page.forms() if "method" in fields}
        assert offered == ({"sms", "voice"} if methods == ["phone"] else set(methods))
        if methods == ["phone"]:
            page = ben.press(page, "Text message")
            page = ben.press(page, "phone_number", phone_number=PHONE)
            page = ben.press(page, "code", code=tenant.last_message(BEN).code)
        else:
            page = ben.press(page, "Authenticator app")
            page = ben.press(page, "code", code=code_at(secret_on(page), tenant.clock.now()))
        assert ben.press(page, "saved", saved="y").text == "Your limits"

    def test_another_method_than_the_one_that_is_added(self, make_app, tenant):
        """While a number is added, a code from an app is no proof for the view's methods."""
        app = make_app()
        app.get("/limits")(requires_stepup(PAYMENTS, methods=["otp", "phone"])(lambda: ""))
        ben = Visitor(app)
        ben.log_in(BEN)
        page = ben.press(ben.get("/limits"), "Text message")
        ben.press(page, "phone_number", phone_number=PHONE)
        body = {**ben.mfa_required("/limits"), "otp": "123456"}
        tenant.calls.clear()
        assert ben.json("POST", "/auth/mfa/verify", json=body).status_code == 400
        assert asked(tenant) == []

    def test_old_login_comes_first(self, ben, tenant, later):
        """Five minutes after the login it is asked for again, and then the way goes on."""
        later(301)
        page = ben.get(TARGET)
        assert "password" in page.forms()[0][1]
        page = ben.press(page, "password", username=BEN, password="demo")
        assert page.heading == CHOICE
        page = ben.press(page, "Authenticator app")
        page = ben.press(page, "code", code=code_at(secret_on(page), tenant.clock.now()))
        assert finished(ben, page)

    def test_login_gets_old_on_the_page(self, make_app, tenant):
        """A form that is sent too late answers with a link to the login, not with a redirect."""
        ben = Visitor(make_app(AUTH0_MFA_CONTEXT_TTL=900))
        ben.log_in(BEN)
        choice = ben.get(TARGET)
        tenant.advance(301)
        page = ben.press(choice, "Authenticator app")
        assert (page.status, page.path) == (401, ENROLL)
        assert associations(tenant) == 0
        page = ben.get(page.link("Sign in"))
        page = ben.press(page, "password", username=BEN, password="demo")
        assert page.heading == CHOICE

    def test_added_elsewhere(self, ben, choice, tenant):
        """Who has added a method elsewhere meanwhile is asked for that one, the next time."""
        secret = new_secret()
        tenant.user(BEN).enroll("otp", secret=secret, active=True)
        page = ben.step_up(f"{TARGET}&other", tenant.current_otp(BEN))
        assert page.url == f"http://localhost{TARGET}&other"

    def test_refused_by_auth0(self, ben, choice, tenant):
        """When Auth0 refuses, the page says so and the user is not lost."""
        body = {"error": "access_denied", "error_description": "User is already enrolled."}
        tenant.fault("/mfa/associate", status=403, body=body)
        page = ben.press(choice, "Authenticator app")
        assert page.status == 400
        assert "already enrolled" not in page.html

    def test_ended_at_auth0_first(self, ben, choice, tenant):
        """When Auth0 ended the check before we did, it starts again with one press."""
        body = {"error": "expired_token", "error_description": "mfa_token is expired"}
        tenant.fault("/mfa/associate", status=401, body=body)
        page = ben.press(choice, "Authenticator app")
        assert (page.status, page.heading) == (401, TIMED_OUT)
        assert ben.press(page, "Start again").heading == CHOICE

    def test_one_method_more(self, make_app, tenant):
        """Who must add a second method does so at Universal Login, where the MFA API refuses."""
        app = make_app(AUTH0_AUTHORIZE_PARAMS={"max_age": "240"})
        app.get("/admin")(requires_stepup(ADMIN)(lambda: "Admin"))
        cleo = Visitor(app)
        cleo.log_in(CLEO)
        page = cleo.step_up("/admin?tab=users", tenant.current_otp(CLEO))
        assert page.heading == CHOICE
        assert "You need one more method here." in page.text
        body = {"error": "access_denied", "error_description": "User is already enrolled."}
        tenant.fault("/mfa/associate", status=403, body=body)
        page = cleo.press(page, "Approve on your phone")
        assert (page.status, page.heading) == (403, "Sign in again to go on")
        login = cleo.client.get(page.link("Sign in again"))
        asked_for = parse_qs(urlsplit(login.location).query)
        assert asked_for["audience"] == [ADMIN]
        assert "multi-factor" in asked_for["acr_values"][0]


class TestJson:
    """By the JSON routes."""

    @pytest.fixture
    def token(self, ben, choice):
        """The token of a check, after the fresh login that the pages have seen to."""
        return {"mfa_token": ben.mfa_required("/api/balance")["mfa_token"]}

    def test_app(self, ben, token, tenant):
        """The answer has Auth0's fields, and the first code completes the check."""
        body = {**token, "authenticator_types": ["otp"]}
        begun = ben.json("POST", ASSOCIATE, json=body)
        assert begun.json.keys() == {
            "authenticator_type",
            "secret",
            "barcode_uri",
            "recovery_codes",
        }
        code = code_at(begun.json["secret"], tenant.clock.now())
        assert ben.json("POST", "/auth/mfa/verify", json={**token, "otp": code}).status_code == 200
        assert ben.json("GET", "/api/balance").json == {"balance": 100}
        assert refresh_twice(ben, tenant) == [200, 200]

    @pytest.mark.parametrize("said", [{"oob_channels": ["sms"]}, {}], ids=["list", "nothing"])
    def test_channel_said_otherwise(self, ben, token, tenant, said):
        """What Auth0's answer does not repeat is as it was asked for."""
        answer = {"authenticator_type": "oob", "oob_code": "Fe26.2*code", **said}
        tenant.fault("/mfa/associate", status=200, body=answer)
        body = {"authenticator_types": ["oob"], "oob_channels": ["sms"], "phone_number": PHONE}
        begun = ben.json("POST", ASSOCIATE, json={**token, **body})
        assert (begun.json["oob_channel"], begun.json["binding_method"]) == ("sms", "prompt")

    @pytest.mark.parametrize("channel", ["sms", "voice"])
    def test_number(self, ben, token, tenant, channel):
        """A number is added with the code that was sent there."""
        body = {"authenticator_types": ["oob"], "oob_channels": [channel]}
        number = {"phone_number": PHONE}
        begun = ben.json("POST", ASSOCIATE, json={**token, **body, **number})
        assert begun.json["binding_method"] == "prompt"
        code = tenant.last_message(BEN).code
        answer = ben.json("POST", "/auth/mfa/verify", json={**token, "code": code})
        assert answer.status_code == 200

    def test_push(self, ben, token, tenant, later):
        """A push is added by polling, no more often than any other."""
        body = {"authenticator_types": ["oob"], "oob_channels": ["auth0"]}
        begun = ben.json("POST", ASSOCIATE, json={**token, **body})
        assert begun.json["barcode_uri"].startswith("otpauth://")
        assert ben.json("POST", "/auth/mfa/poll", json=token).status_code == 202
        tenant.approve()
        proof = {**token, "oob_code": begun.json["oob_code"]}
        assert ben.json("POST", "/auth/mfa/verify", json=proof).status_code == 202
        later(6)
        assert ben.json("POST", "/auth/mfa/verify", json=proof).json["success"] is True

    def test_old_login(self, ben, token, tenant, later):
        """With an old login the answer is 401 and names the login that helps."""
        later(290)
        token = {"mfa_token": ben.mfa_required("/api/balance")["mfa_token"]}
        later(11)
        body = {**token, "authenticator_types": ["otp"]}
        answer = ben.json("POST", ASSOCIATE, json=body)
        assert (answer.status_code, answer.json["error"]) == (401, "login_required")
        assert answer.json["error_description"] == "Log in again before you add a method."
        page = ben.get(answer.json["login_url"])
        page = ben.press(page, "password", username=BEN, password="demo")
        assert ben.json("POST", ASSOCIATE, json=body).status_code == 200

    def test_recovery_code_comes_once(self, ben, token, tenant):
        """The recovery code that comes with the first method is the one that works later."""
        begun = ben.json("POST", ASSOCIATE, json={**token, "authenticator_types": ["otp"]})
        [code] = begun.json["recovery_codes"]
        assert re.fullmatch("[A-Z0-9]{24}", code)
        assert code == tenant.recovery_code(BEN)
