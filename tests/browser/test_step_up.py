"""The step-up as a person goes through it: with mouse and keyboard, with scripts and without."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from flask_auth0_mfa.emulator import Tenant

from .browser import Browser
from .conftest import with_and_without_scripts
from .pages import ANA, PAGES

TARGET = "/transfer?payee=Ben+O%27Neil&note=a%20b&list=1&list=2"
#: Six digits that stand alone; nothing else on the page has them.
WRONG_CODE = re.compile(r"\b\d{6}\b")
#: What a page hears when its tab is looked at again.
COME_BACK = "document.dispatchEvent(new Event('visibilitychange'))"
CODE_PAGE = "Enter the code from your authenticator app"

pytestmark = pytest.mark.browser


@pytest.fixture
def right_code(tenant: Tenant) -> str:
    """The code that Ana's app shows."""
    return tenant.current_otp(ANA)


@pytest.fixture
def wrong_code(right_code: str) -> str:
    """Six digits that Ana's app does not show."""
    return f"{(int(right_code) + 1) % 1_000_000:06}"


@pytest.fixture
def code_page(browser: Browser) -> Browser:
    """Ana on the page that asks for the code of her app, on her way to ``TARGET``."""
    browser.log_in(ANA, TARGET)
    browser.press("Authenticator app")
    return browser


@pytest.fixture
def refused_page(code_page: Browser, wrong_code: str) -> Browser:
    """Ana after she has entered a wrong code."""
    code_page.enter(wrong_code)
    return code_page


@pytest.fixture(scope="module", params=[True, False], ids=["scripts", "no scripts"])
def wrong_code_page(
    request: pytest.FixtureRequest, visit: Callable[..., Any], tenant_server: Any
) -> Iterator[Browser]:
    """Ana after she has entered a wrong code, for all tests that only look at the page."""
    with visit(scripts=request.param) as browser:
        PAGES["wrong-code"](browser, tenant_server.tenant)
        yield browser


def mfa_grants(tenant: Tenant) -> int:
    """Return how many codes Auth0 has accepted."""
    return sum(
        1 for call in tenant.calls if "mfa" in (call.grant_type or "") and call.status == 200
    )


@with_and_without_scripts
class TestWholeWay:
    """From the login to the page that was asked for."""

    def test_from_nobody_to_the_page(self, browser: Browser, tenant: Tenant) -> None:
        """Log in, choose the app, enter its code: the page comes that was asked for, unchanged."""
        browser.log_in(target=TARGET)
        assert browser.heading == "Choose how to confirm it is you"
        browser.press("Authenticator app")
        assert browser.heading == CODE_PAGE
        browser.enter(tenant.current_otp(ANA))
        assert browser.address == TARGET
        assert browser.heading == "Transfer money"

    def test_by_text_message(self, ana: Browser, tenant: Tenant) -> None:
        """The code of a text message opens the page too."""
        ana.choose("Text message", TARGET)
        ana.enter(tenant.last_message(ANA).code)
        assert ana.address == TARGET

    def test_by_recovery_code(self, ana: Browser, tenant: Tenant) -> None:
        """The recovery code may be typed in small letters and in groups."""
        ana.choose("Recovery code", TARGET)
        code = tenant.recovery_code(ANA).lower()
        ana.enter(f"{code[:8]} {code[8:16]}-{code[16:]}")
        assert ana.heading == "Save your new recovery code"

    def test_by_approval_on_the_phone(self, ana: Browser, tenant: Tenant) -> None:
        """Approving on the phone opens the page, by the button or by itself."""
        ana.choose("Approve on your phone", TARGET)
        tenant.approve()
        ana.press("I have approved it")
        assert ana.address == TARGET

    def test_two_checks_in_a_row(self, ana: Browser, tenant: Tenant) -> None:
        """A page that needs two checks asks for the second right after the first."""
        ana.choose("Authenticator app", "/admin")
        ana.enter(tenant.current_otp(ANA))
        ana.press("Text message")
        ana.enter(tenant.last_message(ANA).code)
        assert ana.address == "/admin"

    def test_keyboard_alone(self, ana: Browser, right_code: str) -> None:
        """Tab and Enter are enough, and the field for the code has the focus already."""
        ana.go(TARGET)
        ana.tab_to("Authenticator app")
        with ana.next_page():
            ana.keys(Keys.ENTER)
        ana.await_focus("code")
        with ana.next_page():
            ana.keys(right_code, Keys.ENTER)
        assert ana.address == TARGET

    def test_pasted_code(self, code_page: Browser, right_code: str) -> None:
        """A code pasted as "123 456" arrives whole and is accepted."""
        pasted = f"{right_code[:3]} {right_code[3:]}"
        code_page.await_focus("code")
        code_page.keys(pasted)
        code_page.shortcuts("a", "x")
        assert code_page.field("code").get_property("value") == ""
        code_page.shortcuts("v")
        assert code_page.field("code").get_property("value") == pasted
        with code_page.next_page():
            code_page.keys(Keys.ENTER)
        assert code_page.address == TARGET

    def test_double_click(self, code_page: Browser, tenant: Tenant, right_code: str) -> None:
        """Clicking Continue twice is one check at Auth0, and ends well."""
        tenant.fault("/oauth/token", delay=0.3)
        code_page.field("code").send_keys(right_code)
        with code_page.next_page():
            ActionChains(code_page.driver).double_click(code_page.find("Continue")).perform()
        assert code_page.address == TARGET
        assert mfa_grants(tenant) == 1


class TestWrongCodePage:
    """The page after a code that Auth0 refused; one page for all of these tests."""

    def test_says_what_to_do(self, wrong_code_page: Browser) -> None:
        """The page says what is wrong, at the top and at the field."""
        assert wrong_code_page.heading == CODE_PAGE
        assert "There is a problem" in wrong_code_page.text
        assert wrong_code_page.text.count("That code did not work. Wait for the next code") == 2

    def test_says_how_many_tries_are_left(self, wrong_code_page: Browser) -> None:
        """The page says how many tries are left."""
        assert "You have 4 tries left." in wrong_code_page.text

    def test_title_says_it_first(self, wrong_code_page: Browser) -> None:
        """The title, which a screen reader reads first, begins with "Error:"."""
        assert wrong_code_page.title.startswith("Error: ")

    def test_focus_is_in_the_field(self, wrong_code_page: Browser) -> None:
        """The next code can be typed at once."""
        wrong_code_page.await_focus("code")

    def test_code_is_not_echoed(self, wrong_code_page: Browser) -> None:
        """What was entered is in the field no more, and nowhere else on the wrong_code_page."""
        assert wrong_code_page.field("code").get_property("value") == ""
        assert WRONG_CODE.search(wrong_code_page.driver.page_source) is None


@with_and_without_scripts
class TestWrongCode:
    """What somebody does after a code that Auth0 refused."""

    def test_summary_leads_to_the_field(self, refused_page: Browser) -> None:
        """The link in the summary puts the focus into the field."""
        refused_page.tab_to("Continue")
        refused_page.find("That code did not work").click()
        refused_page.keys("1")
        assert refused_page.field("code").get_property("value") == "1"

    def test_right_code_after_it(self, refused_page: Browser, right_code: str) -> None:
        """The right code still leads to the page that was asked for."""
        refused_page.enter(right_code)
        assert refused_page.address == TARGET

    def test_reload(self, refused_page: Browser, right_code: str) -> None:
        """After a reload the form is there, and the right code still works."""
        refused_page.driver.refresh()
        assert refused_page.heading == CODE_PAGE
        refused_page.enter(right_code)
        assert refused_page.address == TARGET

    def test_letters(self, code_page: Browser, tenant: Tenant) -> None:
        """Something that cannot be a code is explained, and does not cost a try."""
        code_page.enter("12a456")
        assert "The code can only have numbers." in code_page.text
        assert "tries left" not in code_page.text
        code_page.await_focus("code")

    def test_too_many_in_one_check(
        self, code_page: Browser, wrong_code: str, right_code: str
    ) -> None:
        """After five wrong codes the check has to be started again, by one button."""
        for _ in range(5):
            code_page.enter(wrong_code)
        assert code_page.heading == "Too many wrong codes"
        code_page.press("Start again")
        code_page.enter(right_code)
        assert code_page.address == TARGET


class TestTooManyInAll:
    """So many wrong codes that the user has to wait."""

    @pytest.fixture
    def bank_config(self) -> dict[str, Any]:
        """Only two tries in a quarter of an hour."""
        return {"AUTH0_MFA_VERIFY_LIMIT": "2 per 15 minutes"}

    @with_and_without_scripts
    def test_too_many(self, code_page: Browser, wrong_code: str) -> None:
        """The page says how long to wait, and leads to the other methods."""
        code_page.enter(wrong_code)
        code_page.enter(wrong_code)
        assert code_page.heading == "Too many tries"
        assert "You can try again in 15 minutes." in code_page.text
        code_page.press("Use another method")
        assert code_page.heading == "Choose how to confirm it is you"


class TestReloadWithScripts:
    """What only a script can spare people."""

    def test_reload_sends_nothing_again(self, refused_page: Browser, tenant: Tenant) -> None:
        """A reload after a wrong code does not send that code once more."""
        tenant.calls.clear()
        refused_page.driver.refresh()
        assert refused_page.address.startswith("/auth/mfa/challenge?context=")
        assert not tenant.calls

    def test_back_over_a_wrong_code(self, refused_page: Browser, right_code: str) -> None:
        """Back after a wrong and a right code is no warning about sending a form again."""
        refused_page.enter(right_code)
        refused_page.driver.back()
        assert refused_page.heading == "You are already verified"

    def test_six_digits_are_not_sent_by_themselves(
        self, code_page: Browser, right_code: str, tenant: Tenant
    ) -> None:
        """People can look at what they typed: nothing is sent before they say so."""
        before = len(code_page.requests())
        code_page.field("code").send_keys(right_code)
        code_page.evaluate("new Promise(done => setTimeout(done, 300))")
        assert len(code_page.requests()) == before
        assert code_page.heading == CODE_PAGE


@with_and_without_scripts
class TestLater:
    """What happens after a check, or in place of it."""

    def test_back_after_success(self, code_page: Browser, right_code: str) -> None:
        """Back says that the check is done, and leads on to the page."""
        code_page.enter(right_code)
        code_page.driver.back()
        assert code_page.heading == "You are already verified"
        code_page.press("Continue")
        assert code_page.address == TARGET

    def test_once_for_the_whole_while(self, code_page: Browser, right_code: str) -> None:
        """Opening the page again does not ask again."""
        code_page.enter(right_code)
        code_page.go(TARGET)
        assert code_page.address == TARGET

    def test_time_is_over(self, code_page: Browser, tenant: Tenant) -> None:
        """A check whose time is over is started again by one button, and leads to the page."""
        code_page.let_cookies_expire(301)
        code_page.enter(tenant.current_otp(ANA))
        assert code_page.heading == "This check has timed out"
        code_page.press("Start again")
        assert code_page.heading == CODE_PAGE
        code_page.enter(tenant.current_otp(ANA))
        assert code_page.address == TARGET

    def test_time_is_over_at_auth0(self, code_page: Browser, tenant: Tenant) -> None:
        """It is the same when Auth0 was the one to end the check."""
        tenant.advance(601)
        code_page.enter(tenant.current_otp(ANA))
        assert code_page.heading == "This check has timed out"
        code_page.press("Start again")
        code_page.enter(tenant.current_otp(ANA))
        assert code_page.address == TARGET

    def test_auth0_does_not_answer(
        self, code_page: Browser, tenant: Tenant, right_code: str
    ) -> None:
        """An outage is not blamed on the code, and the check goes on afterwards."""
        tenant.fault("/oauth/token", drop=True)
        code_page.enter(right_code)
        assert code_page.heading == "We cannot check this right now"
        assert "This is not about your code." in code_page.text
        code_page.press("Try again")
        code_page.enter(right_code)
        assert code_page.address == TARGET

    def test_cancel(self, code_page: Browser) -> None:
        """Cancel leads to the home page, without a loop and without a check passed."""
        code_page.press("Cancel")
        assert code_page.address == "/"
        code_page.go(TARGET)
        assert code_page.address.startswith("/auth/mfa/challenge")

    def test_another_method(self, code_page: Browser, tenant: Tenant, right_code: str) -> None:
        """Looking at the other methods and coming back sends nothing."""
        tenant.calls.clear()
        code_page.press("Use another method")
        code_page.press("Back")
        assert code_page.heading == CODE_PAGE
        assert not tenant.calls
        code_page.enter(right_code)
        assert code_page.address == TARGET


@with_and_without_scripts
class TestTwoWindows:
    """One browser, two windows."""

    def test_each_window_gets_its_own_page(self, code_page: Browser, tenant: Tenant) -> None:
        """Two checks for two pages are open at once, and each leads to its own."""
        with code_page.other_tab():
            code_page.choose("Text message", "/admin")
            code_page.enter(tenant.last_message(ANA).code)
            code_page.press("Authenticator app")
            code_page.enter(tenant.current_otp(ANA))
            assert code_page.address == "/admin"
        code_page.enter(tenant.current_otp(ANA))
        assert code_page.address == TARGET

    def test_same_api_for_two_pages(self, code_page: Browser, tenant: Tenant) -> None:
        """Two pages of one API lead each to its own, whichever check is finished first."""
        with code_page.other_tab():
            code_page.choose("Authenticator app", "/transfer?payee=Cleo")
            code_page.enter(tenant.current_otp(ANA))
            assert code_page.address == "/transfer?payee=Cleo"
        code_page.enter(tenant.current_otp(ANA))
        assert code_page.address == TARGET

    def test_logged_out_in_the_other_window(self, code_page: Browser, right_code: str) -> None:
        """Who logged out elsewhere is told so, and finds a way to log in; nothing is passed."""
        with code_page.other_tab():
            code_page.go("/")
            code_page.press("Log out")
        code_page.enter(right_code)
        assert code_page.heading == "Sign in to go on"
        code_page.press("Sign in")
        assert code_page.heading == "Log in"

    def test_finished_in_the_other_window(self, code_page: Browser, right_code: str) -> None:
        """A check that was finished elsewhere says so, and leads on to the page."""
        here = code_page.address
        with code_page.other_tab():
            code_page.go(here)
            code_page.enter(right_code)
        code_page.driver.refresh()
        assert code_page.heading == "You are already verified"
        code_page.press("Continue")
        assert code_page.address == TARGET


class TestWaitingWithScripts:
    """Waiting for the phone, when the page can ask by itself."""

    @pytest.fixture
    def waiting(self, ana: Browser) -> Browser:
        """Ana on the page that waits for her approval."""
        ana.choose("Approve on your phone", TARGET)
        return ana

    def test_goes_on_by_itself(self, waiting: Browser, tenant: Tenant) -> None:
        """Who comes back from the app on the same phone is taken on without a click."""
        tenant.approve()
        with waiting.next_page():
            waiting.evaluate(COME_BACK)
        assert waiting.address == TARGET

    def test_leaves_no_trap_behind(self, waiting: Browser, tenant: Tenant) -> None:
        """Back from the page that was asked for does not lead to waiting again."""
        tenant.approve()
        with waiting.next_page():
            waiting.evaluate(COME_BACK)
        waiting.driver.back()
        assert waiting.heading == "You are already verified"

    def test_declined(self, waiting: Browser, tenant: Tenant) -> None:
        """A request that was declined on the phone is not waited for any more."""
        tenant.reject()
        with waiting.next_page():
            waiting.evaluate(COME_BACK)
        assert waiting.heading == "The request was declined on your phone"

    def test_nothing_moves_for_who_wants_it_quiet(self, waiting: Browser) -> None:
        """The sign of waiting stands still when reduced motion is asked for."""
        assert waiting.evaluate("document.getAnimations().length") == 1
        waiting.prefer(reduced_motion="reduce")
        assert waiting.evaluate("document.getAnimations().length") == 0


class TestResend:
    """Asking for another text message."""

    @pytest.fixture
    def bank_config(self) -> dict[str, Any]:
        """No waiting between two messages, since no clock can be put forward here."""
        return {"AUTH0_MFA_SEND_CONTEXT_LIMIT": "10 per minute"}

    @with_and_without_scripts
    def test_new_code(self, ana: Browser, tenant: Tenant) -> None:
        """The page says that a new code is on its way, and the field is ready for it."""
        ana.choose("Text message", TARGET)
        first = tenant.last_message(ANA)
        ana.press("Send a new code")
        assert tenant.last_message(ANA).id != first.id
        assert "We sent a new code" in ana.text
        ana.await_focus("code")
        ana.enter(tenant.last_message(ANA).code)
        assert ana.address == TARGET


class TestOwnScripts:
    """A page of the application with a script that calls a guarded API."""

    def test_script_is_sent_to_the_check_and_comes_back(
        self, ana: Browser, right_code: str
    ) -> None:
        """The script of the accounts page leads to the check, and that back to the page."""
        ana.press("Ask for the total")
        ana.press("Authenticator app")
        ana.enter(right_code)
        assert ana.address == "/accounts"
        ana.find("Ask for the total").click()
        ana.evaluate("new Promise(done => setTimeout(done, 300))")
        assert "All your accounts together: 14780.50 EUR" in ana.text
