"""The step-up as a person goes through it: with mouse and keyboard, with scripts and without."""

from __future__ import annotations

from typing import Any

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from flask_auth0_mfa.emulator import Tenant

from .browser import Browser
from .conftest import with_and_without_scripts
from .pages import ANA, TARGET, remembering

CODE_PAGE = "Enter the code from your authenticator app"

pytestmark = pytest.mark.browser


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


@with_and_without_scripts
class TestRememberedDevice:
    """The box that has this device remembered."""

    @pytest.fixture
    def bank_config(self) -> dict[str, Any]:
        """A bank with a page that remembers devices."""
        return {"views": remembering}

    def test_by_keyboard(self, ana: Browser, right_code: str) -> None:
        """The box is between the field and the button, unticked, and Space ticks it."""
        ana.choose("Authenticator app", "/statements")
        assert not ana.field("remember").is_selected()
        ana.await_focus("code")
        with ana.next_page():
            ana.keys(right_code, Keys.TAB, Keys.SPACE, Keys.TAB, Keys.ENTER)
        assert ana.address == "/statements"
        ana.go("/auth/mfa/devices")
        assert "This device" in ana.text
        ana.press("Forget")
        assert "No device is remembered." in ana.text
