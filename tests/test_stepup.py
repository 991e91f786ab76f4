"""The challenge pages, as a person with a browser meets them."""

from __future__ import annotations

import math
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask_wtf.csrf import CSRFProtect

from flask_auth0_mfa import requires_stepup

from .conftest import PAYMENTS, SECRET_KEY
from .observed import ANA, grants, paths, refreshes, wrong_code
from .still import StillClock
from .visitor import Visitor

CLEO = "cleo@example.com"
TARGET = "/transfer?to=ben&amount=10"


@pytest.fixture
def page(ana):
    """The page that asks Ana for the code of her authenticator app."""
    return ana.challenge_page(TARGET)


@pytest.fixture
def code(tenant):
    """What Ana's authenticator app shows."""
    return tenant.current_otp(ANA)


def landed(page, target=TARGET):
    """Tell whether the visitor sees the very page that was asked for."""
    return page.status == 200 and page.url == f"http://localhost{target}"


class TestChoice:
    """The page on which a person chooses how to prove who they are."""

    def test_methods_by_strength(self, ana):
        """The methods have plain names, the strongest comes first, the recovery code last."""
        texts = [
            text for _, fields, text in ana.get(TARGET).forms() if "authenticator_id" in fields
        ]
        names = ["Authenticator app", "Approve", "Text message", "Phone call", "E-mail", "Recovery"]
        assert len(texts) == len(names)
        assert [name for name, text in zip(names, texts, strict=True) if name in text] == names

    def test_single_method(self, visitor):
        """Who has one method only is asked for its code at once, with no other to choose."""
        visitor.log_in(CLEO)
        page = visitor.get(TARGET)
        assert "authenticator app" in page.heading
        assert "This is the only method that you can use here." in page.text
        with pytest.raises(AssertionError, match="no link"):
            page.link("Use another method")

    def test_single_accepted_method(self, app, visitor):
        """Who has set up others, which this view does not accept, is not told to have one only."""
        app.get("/narrow")(requires_stepup(PAYMENTS, methods=["otp"])(lambda: ""))
        visitor.log_in(ANA)
        page = visitor.get("/narrow")
        assert "This is the only method that you can use here." in page.text
        assert "set up" not in page.text

    def test_why_and_who(self, ana):
        """The page gives the application's reason and says who is signed in."""
        page = ana.get(TARGET)
        assert "To move money we need a second check." in page.text
        assert "Ana Ortega" in page.text

    def test_default_reason(self, ana):
        """Without a reason from the application the page gives one of its own."""
        assert "we need to check that it is really you" in ana.get("/api/balance").text

    def test_code_form_after_choosing(self, page):
        """The authenticator app asks for its code, in one field."""
        assert page.path == "/auth/mfa/challenge"
        assert page.heading == "Enter the code from your authenticator app"
        fields = [tag for tag in page.root.iter("input") if tag.get("type") != "hidden"]
        assert [field.get("name") for field in fields] == ["code"]

    def test_another_method(self, ana, page, tenant):
        """Looking at the other methods and going back sends nothing to anybody."""
        choice = ana.get(page.link("Use another method"))
        assert "Text message" in choice.text
        back = ana.get(choice.link("Back"))
        assert back.heading == page.heading
        assert not tenant.messages
        assert "/mfa/challenge" not in paths(tenant)

    def test_pages_only_read(self, ana, page, tenant):
        """Reloading a page, in any step, asks Auth0 for nothing."""
        before = paths(tenant)
        for url in (page.url, page.link("Use another method"), "/auth/mfa/challenge"):
            assert ana.get(url).status == 200
            assert ana.get(url).status == 200
        assert paths(tenant) == before

    def test_newest_check_without_an_id(self, ana, page):
        """The challenge page without an id shows the check that was begun last."""
        found = ana.get("/auth/mfa/challenge")
        assert found.heading == page.heading
        assert found.form("code")[1]["context"] == page.form("code")[1]["context"]

    def test_newest_of_one_second(self, app, ana):
        """It is the last one also where several were begun in the same second."""
        app.extensions["auth0_mfa"].clock.tell = StillClock(time.time())
        first, last = (ana.mfa_required(f"/transfer?n={n}")["challenge_url"] for n in (1, 2))
        found = ana.get("/auth/mfa/challenge").html
        assert last.partition("=")[2] in found
        assert first.partition("=")[2] not in found

    @pytest.mark.parametrize("chosen", ["otp|dev_of_somebody_else", "sms|dev_1", "x" * 5000])
    def test_authenticator_of_somebody_else(self, ana, tenant, chosen):
        """An authenticator that is not on the list is refused and never named to Auth0."""
        page = ana.press(ana.get(TARGET), "Authenticator app", authenticator_id=chosen)
        assert page.status == 400
        assert "This method cannot be used here. Choose one from the list." in page.text
        assert "/mfa/challenge" not in paths(tenant)

    def test_cancel(self, ana, page):
        """Cancel leads to the application's home page and opens nothing."""
        assert ana.get(page.link("Cancel")).text == "Home"
        assert ana.get(TARGET).path == "/auth/mfa/challenge"

    def test_sign_out(self, ana, page):
        """Sign out is there on the page, and signs out."""
        ana.get(page.link("Sign out"))
        assert "password" in ana.get("/accounts").forms()[0][1]

    def test_user_data_is_text(self, visitor, tenant):
        """A name that looks like markup is shown as text."""
        tenant.user(ANA).name = "<img src=x onerror=alert(1)>"
        visitor.log_in(ANA)
        page = visitor.get(TARGET)
        assert "<img" not in page.html
        assert "&lt;img" in page.html


class TestField:
    """The field for the code, as browsers, keyboards and screen readers get it."""

    def test_attributes(self, page):
        """One text field: digits on the keyboard, the code from a message offered, no length."""
        (field,) = (one for one in page.root.iter("input") if one.get("type") != "hidden")
        assert {name: field.get(name) for name in ("type", "inputmode", "autocomplete")} == {
            "type": "text",
            "inputmode": "numeric",
            "autocomplete": "one-time-code",
        }
        assert (field.get("spellcheck"), field.get("autocapitalize")) == ("false", "none")
        assert field.get("maxlength") is None

    @pytest.mark.parametrize("typed", [None, "000000"], ids=["new", "wrong"])
    def test_described(self, ana, page, typed):
        """It has a label, and is told together with its hint, its error and the tries left."""
        if typed is not None:
            page = ana.press(page, "code", code=typed)
        field = page.root.find(".//input[@id='code']")
        label = page.root.find(".//label[@for='code']")
        assert "".join(label.itertext()) == "6-digit code"
        assert field.get("placeholder") is None
        told = field.get("aria-describedby").split()
        assert told == ["code-hint", "code-error", "code-attempts"][: 3 if typed else 1]
        for name in told:
            (text,) = (one for one in page.root.iter() if one.get("id") == name)
            assert "".join(text.itertext()).strip()


class TestCode:
    """The form for the code."""

    def test_right_code(self, ana, page, code):
        """The right code leads to the exact page that was asked for, query string included."""
        assert landed(ana.press(page, "code", code=code))

    @pytest.mark.parametrize("separator", [" ", "-", "\u00a0", "\u200b", "\u2013"])
    def test_code_with_separators(self, ana, page, code, separator):
        """A code is right however it is grouped."""
        assert landed(ana.press(page, "code", code=f"{code[:3]}{separator}{code[3:]} "))

    @pytest.mark.parametrize("zero", ["\u0660", "\uff10"], ids=["arabic-indic", "full-width"])
    def test_digits_of_other_scripts(self, ana, page, code, zero):
        """A code is right in whatever digits a keyboard gives."""
        typed = "".join(chr(ord(zero) + int(digit)) for digit in code)
        assert landed(ana.press(page, "code", code=typed))

    def test_wrong_code(self, ana, page, tenant):
        """A wrong code is told as such, at the field and on top, with the tries that are left."""
        wrong = wrong_code(tenant)
        answer = ana.press(page, "code", code=wrong)
        assert answer.status == 400
        assert answer.title.startswith("Error:")
        assert answer.text.count("That code did not work. Wait for the next code in your app") == 2
        assert "You have 4 tries left." in answer.text
        assert wrong not in answer.html
        field = answer.root.find(".//input[@id='code']")
        assert field.get("aria-invalid") == "true"
        assert grants(tenant) == [403]

    def test_right_after_wrong(self, ana, page, tenant, code):
        """After a wrong code the right one, entered in the same page, opens the target."""
        again = ana.press(page, "code", code=wrong_code(tenant))
        assert landed(ana.press(again, "code", code=code))

    def test_no_tries_left(self, ana, page, tenant):
        """The tries count down, and the last one ends the check with a way to start again."""
        shown = []
        for _ in range(4):
            page = ana.press(page, "code", code=wrong_code(tenant))
            shown.append(re.search(r"You have (\d) tr", page.text)[1])
        assert shown == ["4", "3", "2", "1"]
        page = ana.press(page, "code", code=wrong_code(tenant))
        assert page.status == 400
        assert page.heading == "Too many wrong codes"
        before = page.form("Start again")[1]["context"]
        page = ana.press(page, "Start again")
        assert ana.get(f"/auth/mfa/challenge?context={before}").status == 401
        assert landed(ana.press(page, "code", code=tenant.current_otp(ANA)))

    def test_new_check_does_not_reset_the_count(self, ana, page, tenant):
        """Starting over does not buy tries: the user's ten are counted over all checks."""
        for _ in range(2):
            for _ in range(5):
                page = ana.press(page, "code", code=wrong_code(tenant))
            assert page.status == 400
            if "Too many wrong codes" in page.heading:
                page = ana.press(page, "Start again")
        page = ana.challenge_page("/api/balance")
        answer = ana.press(page, "code", code=tenant.current_otp(ANA))
        assert answer.status == 429
        assert len(grants(tenant)) == 10

    @pytest.mark.parametrize(
        ("typed", "text"),
        [
            ("", "Enter the 6-digit code from your authenticator app."),
            ("  - ", "Enter the 6-digit code from your authenticator app."),
            ("12345", "The code must have 6 digits. You entered 5."),
            ("1234567", "The code must have 6 digits. You entered 7."),
            ("12345a", "The code can only have numbers."),
            ("<script>", "The code can only have numbers."),
            ("1" * 10_000, "The code must have 6 digits."),
        ],
        ids=["empty", "separators", "short", "long", "letter", "markup", "huge"],
    )
    def test_malformed_code(self, ana, page, tenant, typed, text):
        """What cannot be a code is told so at once; it is not sent, and not counted as a try."""
        answer = ana.press(page, "code", code=typed)
        assert answer.status == 400
        assert answer.title.startswith("Error:")
        assert text in answer.text
        assert "tries left" not in answer.text
        assert grants(tenant) == []
        assert "You have 4 tries left." in ana.press(answer, "code", code=wrong_code(tenant)).text

    def test_field_is_missing(self, ana, page, tenant):
        """A form without its field is answered like an empty one."""
        url, fields = page.form("code")
        del fields["code"]
        answer = ana.client.post(url, data=fields, headers={"Accept": "text/html"})
        assert answer.status_code == 400
        assert "Enter the 6-digit code" in answer.text
        assert grants(tenant) == []

    def test_already_verified(self, ana, page, code):
        """Going back to the page after success says so, and the way on is the target."""
        ana.press(page, "code", code=code)
        back = ana.get(page.url)
        assert back.status == 200
        assert back.heading == "You are already verified"
        assert landed(ana.get(back.link("Continue")))

    def test_form_sent_again_after_success(self, ana, page, tenant, code):
        """The second press of the button, after the first one's answer, leads to the target."""
        ana.press(page, "code", code=code)
        assert landed(ana.press(page, "code", code=code))
        assert grants(tenant) == [200]

    def test_redirects_are_303(self, ana, page, code):
        """No redirect of a form makes a browser send the code on to the target."""
        url, fields = page.form("code")
        answer = ana.client.post(url, data=fields | {"code": code})
        assert answer.status_code == 303
        assert answer.headers["Location"] == TARGET

    @pytest.mark.parametrize("address", ["evil.test", "localhost.evil.test"])
    def test_foreign_host_header(self, ana, page, code, address):
        """An address that the client claims for us comes up in no page and no redirect."""
        url, fields = page.form("code")
        answer = ana.client.post(
            url, data=fields | {"code": code}, headers={"X-Forwarded-Host": address}
        )
        assert address not in answer.headers["Location"] + answer.text


class TestLimit:
    """Too many tries."""

    @pytest.fixture
    def app(self, make_app):
        """An application that allows a user two tries."""
        return make_app(AUTH0_MFA_VERIFY_LIMIT="2 per 15 minutes")

    @pytest.fixture
    def limited(self, ana, page, tenant):
        """The page that Ana sees after two wrong codes."""
        for _ in range(2):
            page = ana.press(page, "code", code=wrong_code(tenant))
        return page

    def test_last_try(self, limited):
        """The last wrong code is answered as one, and says already that there is no next."""
        assert limited.status == 400
        assert limited.heading == "Too many tries"

    def test_wait_is_told(self, ana, page, limited, tenant):
        """After that, the page says how long to wait, and so does the header."""
        answer = ana.press(page, "code", code=wrong_code(tenant))
        assert answer.status == 429
        minutes = math.ceil(int(answer.headers["Retry-After"]) / 60)
        assert minutes == 15
        assert f"You can try again in {minutes} minutes." in answer.text

    def test_auth0_is_not_asked(self, ana, page, limited, tenant):
        """Not even the right code is sent on while a user is limited."""
        answer = ana.press(page, "code", code=tenant.current_otp(ANA))
        assert answer.status == 429
        assert grants(tenant) == [403, 403]

    def test_another_method_is_offered(self, ana, limited, tenant):
        """Wrong codes of the app do not lock the recovery code, and the page offers it."""
        choice = ana.get(limited.link("Use another method"))
        page = ana.press(choice, "Recovery code")
        page = ana.press(page, "code", code=tenant.recovery_code(ANA))
        assert page.path == "/auth/mfa/recovery-code"

    def test_limit_holds_in_another_browser(self, app, limited, tenant):
        """The count belongs to the user, whatever browser the tries come from."""
        other = Visitor(app)
        other.log_in(ANA)
        assert other.step_up(TARGET, tenant.current_otp(ANA)).status == 429

    def test_others_are_not_limited(self, app, limited, tenant):
        """One user's wrong codes do not lock another one out."""
        cleo = Visitor(app)
        cleo.log_in(CLEO)
        assert landed(cleo.step_up(TARGET, tenant.current_otp(CLEO)))

    def test_limit_of_auth0(self, make_app, tenant):
        """Auth0's own limit is told like ours, with Auth0's time to wait."""
        visitor = Visitor(make_app())
        visitor.log_in(ANA)
        page = visitor.challenge_page(TARGET)
        tenant.fault("/oauth/token", status=429, body={"error": "too_many_attempts"})
        answer = visitor.press(page, "code", code=tenant.current_otp(ANA))
        assert answer.status == 429
        assert answer.heading == "Too many tries"
        assert int(answer.headers["Retry-After"]) >= 1


class TestEnd:
    """A check whose time is over, or that is not there."""

    def test_code_that_came_too_late(self, ana, page, code, clock, tenant):
        """A code after the end is not sent on; the page offers to start again."""
        clock.advance(301)
        answer = ana.press(page, "code", code=code)
        assert answer.status == 401
        assert answer.heading == "This check has timed out"
        assert grants(tenant) == []

    def test_last_second(self, ana, page, code, clock):
        """Just before the end the code still counts."""
        clock.advance(295)
        assert landed(ana.press(page, "code", code=code))

    def test_reload_after_the_end(self, ana, page, clock):
        """The page, reloaded after the end, says that the time is over."""
        clock.advance(301)
        assert ana.get(page.url).status == 401

    def test_start_again(self, ana, page, clock, code):
        """Starting again takes one button and leads to the same method and the same target."""
        clock.advance(301)
        again = ana.press(ana.get(page.url), "Start again")
        assert again.heading == page.heading
        assert again.form("code")[1]["context"] != page.form("code")[1]["context"]
        assert landed(ana.press(again, "code", code=code))

    def test_start_again_without_the_method(self, ana, page, clock, tenant):
        """When the method was removed meanwhile, starting again leads to the choice."""
        user = tenant.user(ANA)
        user.authenticators = [one for one in user.authenticators if one.kind != "otp"]
        clock.advance(301)
        again = ana.press(ana.get(page.url), "Start again")
        assert again.heading == "Choose how to confirm it is you"

    def test_start_again_an_hour_later(self, ana, page, clock):
        """Long after the end the page is unknown, and no error."""
        clock.advance(3601)
        answer = ana.get(page.url)
        assert answer.status == 404
        assert answer.heading == "This check is not open"

    def test_start_again_after_success(self, ana, page, code, tenant):
        """A restart button from before the success leads to the target, without a new check."""
        _, fields = page.form("code")
        ana.press(page, "code", code=code)
        before = len(refreshes(tenant))
        answer = ana.client.post("/auth/mfa/restart", data=fields)
        assert (answer.status_code, answer.headers["Location"]) == (303, TARGET)
        assert len(refreshes(tenant)) == before

    def test_ended_at_auth0_first(self, ana, page, tenant):
        """When Auth0 ended the check before we did, starting again leads to the target."""
        tenant.advance(601)
        answer = ana.press(page, "code", code=tenant.current_otp(ANA))
        assert answer.status == 401
        again = ana.press(answer, "Start again")
        assert landed(ana.press(again, "code", code=tenant.current_otp(ANA)))

    def test_ended_at_auth0_before_a_message(self, ana, tenant):
        """The same when it comes out as a message is asked for."""
        choice = ana.get(TARGET)
        tenant.advance(601)
        answer = ana.press(choice, "Text message")
        assert (answer.status, answer.heading) == (401, "This check has timed out")
        assert ana.press(answer, "Start again").heading == choice.heading

    def test_ended_at_auth0_before_the_list(self, ana, tenant):
        """The same when it comes out as the methods are listed."""
        url = ana.mfa_required("/api/balance")["challenge_url"]
        tenant.advance(601)
        answer = ana.get(url)
        assert (answer.status, answer.heading) == (401, "This check has timed out")
        assert "Text message" in ana.press(answer, "Start again").text

    @pytest.mark.parametrize("context", ["AAAAAAAAAAAAAAAAAAAAAA", "x", "../../etc", "a" * 3000])
    def test_unknown_check(self, ana, context):
        """An address with an id that nobody was given is answered with 404."""
        answer = ana.get(f"/auth/mfa/challenge?context={context}")
        assert answer.status == 404
        assert answer.heading == "This check is not open"

    def test_check_of_somebody_else(self, app, page):
        """The address of Ana's page shows Cleo what an unknown one shows."""
        cleo = Visitor(app)
        cleo.log_in(CLEO)
        answer = cleo.get(page.url)
        unknown = cleo.get("/auth/mfa/challenge?context=AAAAAAAAAAAAAAAAAAAAAA")
        assert answer.status == 404
        assert answer.html == unknown.html

    def test_no_check_at_all(self, ana):
        """The challenge page without any check is answered with 404."""
        assert ana.get("/auth/mfa/challenge").status == 404

    def test_signed_out_meanwhile(self, ana, page, code, tenant):
        """A code sent after signing out in another tab meets a page with a way to sign in."""
        ana.get("/auth/logout")
        answer = ana.press(page, "code", code=code)
        assert answer.status == 401
        assert answer.heading == "Sign in to go on"
        assert answer.link("Sign in").startswith("http://localhost/auth/login")
        assert grants(tenant) == []

    def test_cookies_of_the_past(self, app, ana, page, code, tenant, clock):
        """Cookies from before the success do not bring the check back, up to its last second."""
        past = Visitor(app)
        past.take_cookies(ana)
        ana.press(page, "code", code=code)
        clock.advance(295)
        assert past.get(page.url).status == 404
        answer = past.press(page, "code", code=wrong_code(tenant))
        assert answer.status == 404
        assert grants(tenant) == [200]


class TestForgery:
    """Forms that did not come from our own page."""

    ROUTES = ("/auth/mfa/challenge", "/auth/mfa/verify", "/auth/mfa/restart")

    @pytest.fixture
    def send(self, ana, page, tenant, code):
        """Send Ana's form with another token; tell the status and what Auth0 saw of it."""

        def send(route, csrf_token):
            _, fields = page.form("code")
            fields |= {"code": code, "csrf_token": csrf_token}
            before = paths(tenant)
            answer = ana.client.post(route, data=fields, headers={"Accept": "text/html"})
            return answer.status_code, paths(tenant)[len(before) :]

        return send

    @pytest.mark.parametrize("route", ROUTES)
    @pytest.mark.parametrize("token", ["", "x", "a.b.c", "\u2603" * 10])
    def test_no_token(self, send, route, token):
        """A form without our token is refused and has no effect."""
        assert send(route, token) == (400, [])

    @pytest.mark.parametrize("route", ROUTES)
    def test_token_of_another_session(self, app, send, route):
        """A token from an attacker's own page is refused."""
        cleo = Visitor(app)
        cleo.log_in(CLEO)
        token = cleo.challenge_page(TARGET).form("code")[1]["csrf_token"]
        assert send(route, token) == (400, [])

    @pytest.mark.parametrize("route", ROUTES)
    def test_token_of_another_check(self, ana, page, send, route):
        """A token is good for its own check only."""
        token = ana.challenge_page("/api/balance").form("code")[1]["csrf_token"]
        assert send(route, token) == (400, [])

    def test_missing_fields(self, ana, page, tenant):
        """A form without any field is refused."""
        for route in self.ROUTES:
            assert ana.client.post(route).status_code == 400
        assert grants(tenant) == []

    def test_token_survives_a_key_rotation(self, app, ana, page, code):
        """A form that was open while the secret key was rotated can be sent."""
        app.config.update(SECRET_KEY="the next secret key", SECRET_KEY_FALLBACKS=[SECRET_KEY])
        assert landed(ana.press(page, "code", code=code))

    def test_key_without_fallback(self, app, ana, page, code, tenant):
        """After a change of the key without a fallback nobody is signed in, and nothing fails."""
        app.config["SECRET_KEY"] = "another secret key"
        assert ana.press(page, "code", code=code).status == 401
        assert grants(tenant) == []


class TestProtectedApplication:
    """An application that protects its own forms with Flask-WTF's CSRFProtect."""

    @pytest.fixture
    def app(self, make_app):
        """The application, protected after the extension was set up."""
        app = make_app()
        CSRFProtect(app)
        return app

    def test_our_forms_work(self, ana, code):
        """Our forms have a token of their own, and are not stopped for lack of another."""
        assert landed(ana.step_up(TARGET, code))

    def test_our_tokens_still_count(self, ana, page, code):
        """Our forms are not exempt from our own check."""
        _, fields = page.form("code")
        fields |= {"code": code, "csrf_token": ""}
        assert ana.client.post("/auth/mfa/verify", data=fields).status_code == 400

    def test_forms_of_the_application(self, ana, code):
        """The application's own forms stay protected."""
        ana.step_up(TARGET, code)
        assert ana.client.post("/transfer").status_code == 400


class TestTabs:
    """One browser, several pages at once."""

    def test_two_targets(self, ana, tenant, code):
        """Two tabs have checks of their own, and each leads to its own target."""
        first = ana.challenge_page(TARGET)
        second = ana.challenge_page("/transfer?to=dan")
        assert landed(ana.press(second, "code", code=code), "/transfer?to=dan")
        assert landed(ana.press(first, "code", code=code))

    def test_other_tab_is_told(self, ana, code):
        """A tab whose need was met by another one says so, and leads to its own target."""
        first = ana.challenge_page(TARGET)
        second = ana.challenge_page("/transfer?to=dan")
        ana.press(second, "code", code=code)
        answer = ana.get(first.url)
        assert answer.heading == "You are already verified"
        assert landed(ana.get(answer.link("Continue")))

    def test_same_target_twice(self, ana, tenant):
        """Opening the same page in two tabs makes one check, not two."""
        first, second = ana.get(TARGET), ana.get(TARGET)
        assert first.url == second.url
        assert refreshes(tenant) == [403]

    def test_nearly_over(self, ana, page, clock):
        """In its last minute a check is not offered again: there would be no time for it."""
        clock.advance(241)
        assert ana.get(TARGET).url != page.url

    def test_after_three_wrong_codes(self, ana, page, tenant):
        """After three wrong codes the guarded page begins another check."""
        for _ in range(2):
            ana.press(page, "code", code=wrong_code(tenant))
        assert ana.get(TARGET).url == page.url
        ana.press(page, "code", code=wrong_code(tenant))
        assert ana.get(TARGET).url != page.url

    def test_cookies_from_before(self, ana, page, code):
        """A check that was passed is not offered again to the cookies that it was open in."""
        before = ana.tab()
        ana.press(page, "code", code=code)
        again = before.get(TARGET)
        assert (again.status, again.path) == (200, page.path)
        assert again.url != page.url

    def test_wrong_code_in_one_tab(self, ana, tenant, code):
        """A wrong code in one tab leaves the other tab's form as it was."""
        first = ana.challenge_page(TARGET)
        second = ana.challenge_page("/transfer?to=dan")
        ana.press(first, "code", code=wrong_code(tenant))
        assert landed(ana.press(second, "code", code=code), "/transfer?to=dan")

    def test_answers_in_the_other_order(self, app, ana, tenant, code):
        """Two checks that were begun at once from the same cookies are both kept."""
        twin = Visitor(app)
        twin.take_cookies(ana)
        first, second = ana.challenge_page(TARGET), twin.challenge_page("/transfer?to=dan")
        ana.client._cookies |= twin.client._cookies
        assert landed(ana.press(first, "code", code=code))
        assert landed(ana.press(second, "code", code=code), "/transfer?to=dan")

    def test_double_submit(self, app, ana, page, code, tenant):
        """Two presses of the button at the same moment both lead to the target, by one grant."""
        url, fields = page.form("code")
        twins = [Visitor(app), Visitor(app)]
        for twin in twins:
            twin.take_cookies(ana)
        # Slow enough that the second comes while the first waits.
        tenant.fault("/oauth/token", delay=0.3)

        def press(twin):
            return twin._go("POST", url, fields | {"code": code})

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(press, twins))
        assert [landed(answer) for answer in answers] == [True, True]
        assert grants(tenant) == [200]

    def test_second_press_after_the_first(self, app, ana, page, code, tenant):
        """A second press that left before the first one's answer came leads to the target, too."""
        twin = Visitor(app)
        twin.take_cookies(ana)
        assert landed(ana.press(page, "code", code=code))
        assert landed(twin.press(page, "code", code=code))
        assert grants(tenant) == [200]

    def test_double_submit_of_a_wrong_code(self, app, ana, page, tenant):
        """Two presses with a wrong code are answered as such, and the check goes on."""
        twin = Visitor(app)
        twin.take_cookies(ana)
        wrong = wrong_code(tenant)
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda v: v.press(page, "code", code=wrong), [ana, twin]))
        assert [answer.status for answer in answers] == [400, 400]
        assert landed(ana.press(page, "code", code=tenant.current_otp(ANA)))


class TestFaults:
    """Auth0 does not answer, or not as it should."""

    FAULTS = (
        pytest.param({"status": 500, "body": {"error": "server_error"}}, id="500"),
        pytest.param({"status": 502, "body": "<html>Bad gateway</html>"}, id="html"),
        pytest.param({"drop": True}, id="dropped"),
        pytest.param({"delay": 1.5, "status": 503}, id="timeout"),
        pytest.param({"status": 200, "body": []}, id="array"),
        pytest.param({"status": 200, "body": "not JSON"}, id="nonsense"),
        pytest.param({"status": 200, "body": {"token_type": "Bearer"}}, id="no token"),
        pytest.param({"status": 302, "body": "elsewhere"}, id="redirect"),
    )

    @pytest.fixture
    def app(self, make_app):
        """An application that does not wait long."""
        return make_app(AUTH0_TIMEOUT=(1, 1))

    @pytest.mark.parametrize("fault", FAULTS)
    def test_while_a_code_is_checked(self, ana, page, code, tenant, fault):
        """The page says that it is not about the code, and the check can go on."""
        tenant.fault("/oauth/token", **fault)
        answer = ana.press(page, "code", code=code)
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert "This is not about your code." in answer.text
        assert "did not work" not in answer.text
        again = ana.get(answer.link("Try again"))
        assert landed(ana.press(again, "code", code=code))

    def test_tries_used_up(self, ana, page, code, tenant):
        """A check whose tries Auth0's failures have used up is not offered again."""
        for _ in range(5):
            tenant.fault("/oauth/token", status=500, body={"error": "server_error"})
            assert ana.press(page, "code", code=code).status == 503
        assert ana.press(page, "code", code=code).status == 429
        assert landed(ana.step_up(TARGET, tenant.current_otp("ana@example.com")))

    @pytest.mark.parametrize("fault", FAULTS)
    def test_while_a_page_is_opened(self, ana, tenant, fault):
        """A guarded page that cannot be checked now says so, and opens later."""
        tenant.fault("/oauth/token", **fault)
        answer = ana.get(TARGET)
        assert answer.status == 503
        assert ana.get(answer.link("Try again")).path == "/auth/mfa/challenge"

    def test_query_of_the_page(self, ana, tenant):
        """Trying again asks for the same page, its query included."""
        tenant.fault("/oauth/token", status=503)
        answer = ana.get("/transfer?name=Zo\u00eb&b=%C3%AB")
        assert answer.link("Try again").endswith("?name=Zo%C3%AB&b=%C3%AB")

    # An empty list of methods is a documented answer.
    @pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.id != "array"])
    def test_while_methods_are_listed(self, ana, tenant, fault):
        """A choice that cannot be shown now says so, and is shown later."""
        tenant.fault("/mfa/authenticators", **fault)
        answer = ana.get(TARGET)
        assert answer.status == 503
        assert "Authenticator app" in ana.get(answer.link("Try again")).text

    @pytest.mark.parametrize("fault", FAULTS)
    def test_while_a_message_is_sent(self, ana, tenant, fault):
        """A message that cannot be sent now does not end the check."""
        choice = ana.get(TARGET)
        tenant.fault("/mfa/challenge", **fault)
        answer = ana.press(choice, "Text message")
        assert answer.status == 503
        assert "Authenticator app" in ana.get(answer.link("Try again")).text

    def test_faults_count_as_tries(self, ana, page, tenant, code):
        """A fault of Auth0's does not open a way around the limit on codes."""
        tenant.fault("/oauth/token", status=500, times=100)
        statuses = [ana.press(page, "code", code=code).status for _ in range(6)]
        assert statuses == [503] * 5 + [429]
        assert grants(tenant) == [500] * 5

    @pytest.fixture
    def lost(self, ana, page, code, tenant):
        """The page after a grant whose answer came too late: Auth0 has carried it out."""
        tenant.fault("/oauth/token", delay=1.5)
        answer = ana.press(page, "code", code=code)
        ends_at = time.monotonic() + 5
        while not grants(tenant) and time.monotonic() < ends_at:
            time.sleep(0.05)
        assert grants(tenant) == [200]
        return answer

    def test_lost_answer(self, ana, lost, tenant):
        """A grant without an answer is not repeated: it may have been carried out."""
        assert lost.status == 503
        assert grants(tenant) == [200]

    def test_way_out_after_a_lost_answer(self, ana, lost, code):
        """When a lost answer held the next refresh token, logging in again leads to the target."""
        answer = ana.press(ana.get(lost.link("Try again")), "code", code=code)
        assert answer.heading == "This check has timed out"
        answer = ana.press(answer, "Start again")
        assert answer.heading == "Sign in to go on"
        page = ana.get(answer.link("Sign in"))
        assert page.path == "/auth/mfa/challenge"
        assert landed(ana.step_up(TARGET, code))


class TestAnswerForSomebodyElse:
    """Auth0 answers a right code with tokens that belong to another user."""

    @pytest.fixture(params=["id_token", "access_token"])
    def answer(self, request, ana, page, code, tenant):
        """The page after such an answer, in which one of the tokens is Cleo's."""
        users = dict.fromkeys(["id_token", "access_token"], ANA) | {request.param: CLEO}
        now = int(time.time())
        claims = {"iss": tenant.issuer, "iat": now, "exp": now + 600}
        subs = {name: {"sub": tenant.user(email).sub} for name, email in users.items()}
        body = {
            "token_type": "Bearer",
            "expires_in": 600,
            "scope": "transfer:funds",
            "id_token": tenant.keys.sign(claims | {"aud": "demo-client"} | subs["id_token"]),
            "access_token": tenant.keys.sign(claims | {"aud": PAYMENTS} | subs["access_token"]),
        }
        tenant.fault("/oauth/token", status=200, body=body)
        return ana.press(page, "code", code=code)

    def test_view_stays_closed(self, ana, answer):
        """Nobody gets in by somebody else's token."""
        assert answer.status in (401, 403)
        assert "token for" not in ana.get(TARGET).text

    @pytest.mark.parametrize("answer", ["id_token"], indirect=True)
    def test_log(self, answer, caplog):
        """The log says why the ID token was refused, for whoever looks for the reason."""
        told = [one.getMessage() for one in caplog.get_records("setup")]
        reason = "the ID token's sub is not acceptable"
        assert f"An ID token from the token endpoint was refused: {reason}" in told

    def test_user_is_the_same(self, ana, answer):
        """The session does not become the other user's."""
        assert ana.json("GET", "/auth/profile").json["email"] == ANA


def test_answer_without_scope(ana, code, tenant):
    """Where Auth0's answer names no scope, it is what was asked for (RFC 6749 section 5.1): what
    the view wants, and what the token before had.
    """
    ana.step_up("/api/balance", code)
    page = ana.challenge_page(TARGET)
    now = int(time.time())
    claims = {"iss": tenant.issuer, "iat": now, "exp": now + 600, "aud": PAYMENTS}
    token = tenant.keys.sign({**claims, "sub": tenant.user(ANA).sub})
    body = {"token_type": "Bearer", "expires_in": 600, "access_token": token}
    tenant.fault("/oauth/token", status=200, body=body)
    assert landed(ana.press(page, "code", code=code))
    assert ana.json("GET", "/api/balance").json == {"balance": 100}


def test_answer_without_scope_and_a_token_with_less(ana, page, code, tenant):
    """Where the answer names no scope and the token does, that counts: the view stays shut."""
    now = int(time.time())
    claims = {"iss": tenant.issuer, "iat": now, "exp": now + 600, "aud": PAYMENTS, "scope": "a:b"}
    token = tenant.keys.sign({**claims, "sub": tenant.user(ANA).sub})
    body = {"token_type": "Bearer", "expires_in": 600, "access_token": token}
    tenant.fault("/oauth/token", status=200, body=body)
    answer = ana.press(page, "code", code=code)
    assert (answer.status, answer.heading) == (403, "You do not have permission for this")


def test_answer_with_less_scope(ana, page, code, tenant):
    """Where the answer names less than was asked for, that is what was granted."""
    now = int(time.time())
    claims = {"iss": tenant.issuer, "iat": now, "exp": now + 600, "aud": PAYMENTS}
    token = tenant.keys.sign({**claims, "sub": tenant.user(ANA).sub})
    body = {"token_type": "Bearer", "expires_in": 600, "access_token": token, "scope": "a:b"}
    tenant.fault("/oauth/token", status=200, body=body)
    answer = ana.press(page, "code", code=code)
    assert (answer.status, answer.heading) == (403, "You do not have permission for this")


def test_page_of_a_token_for_another_api(ana):
    """Where the tenant does not give a token for an API, no second check is spoken of."""
    page = ana.get("/token?audience=https://x.test")
    assert (page.status, page.heading) == (403, "This did not work")
    assert "not set up for it yet" in page.text
    assert "second check" not in page.text


def test_token_that_is_over_at_once(ana, page, code, tenant, caplog):
    """A token that lives too short to be used ends in a page that says so, and not in one more
    check; the log says what to do.
    """
    now = int(time.time())
    claims = {"iss": tenant.issuer, "iat": now, "exp": now + 20, "aud": PAYMENTS}
    token = tenant.keys.sign({**claims, "sub": tenant.user(ANA).sub})
    body = {"token_type": "Bearer", "expires_in": 20, "access_token": token}
    tenant.fault("/oauth/token", status=200, body=body)
    answer = ana.press(page, "code", code=code)
    assert answer.heading == "A second check is needed, but it is not set up"
    assert "raise the API's Token Expiration" in caplog.text


class TestCookies:
    """The cookie that holds a check, from its first day to its last."""

    @staticmethod
    def of_checks(visitor, letter="c"):
        """Return the names of the cookies with a check in them."""
        return [name for name in visitor.cookies() if f"_auth0_{letter}_" in name]

    def test_while_open(self, ana, page):
        """An open check has one cookie, named after the id in the page."""
        identifier = page.form("code")[1]["context"]
        assert self.of_checks(ana) == [f"session_auth0_c_{identifier}_0"]

    def test_its_end(self, ana):
        """The browser forgets the cookie when the time of the check is over."""
        answer = ana.client.get(TARGET, headers={"Accept": "text/html"})
        cookie = next(c for c in answer.headers.getlist("Set-Cookie") if "_auth0_c_" in c)
        assert 290 <= int(re.search(r"Max-Age=(\d+)", cookie)[1]) <= 300
        assert "HttpOnly" in cookie

    def test_its_end_does_not_move(self, ana, page, tenant, clock):
        """Using the check does not make it last longer."""
        clock.advance(200)
        page = ana.press(page, "code", code=wrong_code(tenant))
        clock.advance(101)
        assert ana.press(page, "code", code=tenant.current_otp(ANA)).status == 401

    def test_after_success(self, ana, page, code):
        """A finished check leaves no cookie with its token."""
        ana.press(page, "code", code=code)
        assert self.of_checks(ana) == []
        assert len(self.of_checks(ana, "t")) == 1

    def test_lost_target(self, ana, page, code, tenant):
        """A check is not open when the browser has lost the cookie that says what it is for."""
        for key in [key for key in ana.client._cookies if "_auth0_t_" in key[2]]:
            del ana.client._cookies[key]
        assert ana.press(page, "code", code=code).status == 404
        assert grants(tenant) == []

    def test_after_its_time(self, ana, page, clock):
        """A check whose time is over leaves no cookie either."""
        clock.advance(301)
        ana.get(page.url)
        assert self.of_checks(ana) == []

    def test_reading_writes_nothing(self, ana, page):
        """Reloading the page sets no cookie."""
        answer = ana.client.get(page.url, headers={"Accept": "text/html"})
        assert answer.headers.getlist("Set-Cookie") == []


class TestHeaders:
    """What every page says to browsers and caches."""

    @pytest.fixture(params=["choice", "code", "wrong", "expired", "unknown", "verified"])
    def any_page(self, request, ana, page, code, clock, tenant):
        """Each page of a check."""
        if request.param == "choice":
            return ana.get(page.link("Use another method"))
        if request.param == "wrong":
            return ana.press(page, "code", code=wrong_code(tenant))
        if request.param == "expired":
            clock.advance(301)
            return ana.get(page.url)
        if request.param == "unknown":
            return ana.get("/auth/mfa/challenge?context=x")
        if request.param == "verified":
            ana.press(page, "code", code=code)
            return ana.get(page.url)
        return page

    def test_headers(self, any_page):
        """No page is kept, framed, sniffed, or may load anything from elsewhere."""
        headers = any_page.headers
        assert "no-store" in headers["Cache-Control"]
        assert "Cookie" in headers["Vary"]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"

    def test_frame(self, any_page):
        """Each page has one heading, a language, a title and the same line of help."""
        assert any_page.root.get("lang") == "en"
        assert len(list(any_page.root.iter("h1"))) == 1
        assert any_page.heading in any_page.title
        assert "Lost your phone or need help?" in any_page.text

    def test_nothing_inline(self, any_page):
        """No page has script or style of its own, which the policy would block."""
        assert not re.search(r"<style|\son\w+=|\sstyle=|<script(?![^>]*src)", any_page.html)
