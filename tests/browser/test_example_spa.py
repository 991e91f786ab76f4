"""``stepup.js`` in the example of a single page: by the challenge page, and by its own dialog."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from examples.spa import create_app
from flask_auth0_mfa.emulator import Tenant

from .browser import Browser
from .conftest import serve_app
from .pages import ANA

ASK_THREE_TIMES = """
    (async () => {
      const { stepUpFetch } = await import("/auth/mfa/static/stepup.js");
      let asked = 0;
      const prompt = async () => { asked += 1; return "CODE"; };
      const ask = () => stepUpFetch("/api/balance", {}, { prompt });
      const answers = await Promise.all([ask(), ask(), ask()]);
      return [asked, ...answers.map((answer) => answer.status)];
    })()
"""

pytestmark = pytest.mark.browser


@pytest.fixture
def site(tenant: Tenant, tenant_server: Any) -> Iterator[str]:
    """The address of the example."""
    key = "a key for the browser tests, long enough"
    app = create_app({"AUTH0_DOMAIN": tenant_server.url, "SECRET_KEY": key})
    with serve_app(app) as url:
        yield url


@pytest.fixture
def page(chromiums: Callable[..., Any], site: str) -> Browser:
    """Ana on the page, logged in."""
    browser = Browser(chromiums(scripts=True), site)
    browser.forget()
    browser.log_in(ANA, "/")
    return browser


def await_text(page: Browser, text: str) -> None:
    """Wait until the page has this text."""
    WebDriverWait(page.driver, 10, 0.05).until(lambda _: text in page.text, f"no {text!r}")


def await_dialog(page: Browser, *, is_open: bool = True) -> None:
    """Wait until the dialog is there, or gone."""
    shown = "!!document.querySelector('dialog[open]')"
    WebDriverWait(page.driver, 10, 0.05).until(lambda _: page.evaluate(shown) is is_open)


@pytest.fixture
def dialog(page: Browser) -> Browser:
    """Ana's page with the dialog that asks for her code."""
    page.find("Send 10 EUR to Ben").click()
    await_dialog(page)
    return page


class TestChallengePage:
    """As it stands, the browser goes to the challenge page."""

    def test_there_and_back(self, page: Browser, tenant: Tenant) -> None:
        """After the check the page is back, and goes on where it left off."""
        page.press("Show my balance")
        assert "To show money we need a check." in page.text
        page.press("Authenticator app")
        page.enter(tenant.current_otp(ANA))
        assert page.address == "/"
        await_text(page, "Your balance: 2480.50 EUR")

    def test_given_up(self, page: Browser) -> None:
        """Cancel leads back to the page, which says what is missing and goes nowhere by itself."""
        page.press("Show my balance")
        page.press("Cancel")
        await_text(page, "Multifactor authentication required.")
        assert page.address == "/"

    def test_back(self, page: Browser, tenant: Tenant) -> None:
        """The Back button leads to a page that works."""
        page.press("Show my balance")
        page.driver.back()
        await_text(page, "Multifactor authentication required.")
        page.press("Show my balance")
        page.press("Authenticator app")
        page.enter(tenant.current_otp(ANA))
        await_text(page, "Your balance")


class TestOwnForm:
    """With ``prompt`` the page is not left."""

    def type_code(self, page: Browser, code: str) -> None:
        """Enter the code into the dialog."""
        page.field("code").send_keys(code)
        page.find("Continue").click()

    def test_right_code(self, dialog: Browser, tenant: Tenant) -> None:
        """After the right code the request is sent again, with its body."""
        dialog.driver.execute_script("window.stayed = true")
        self.type_code(dialog, tenant.current_otp(ANA))
        await_text(dialog, "10.00 EUR sent to Ben")
        assert dialog.evaluate("window.stayed") is True
        assert not [e for e in dialog.console_errors() if "403" not in e]

    def test_wrong_code(self, dialog: Browser, tenant: Tenant, wrong_code: str) -> None:
        """The form is told about a wrong code and the tries that are left."""
        self.type_code(dialog, wrong_code)
        await_text(dialog, "That code did not work. Tries left: 4.")
        self.type_code(dialog, "12")
        await_text(dialog, "otp has the wrong length. Tries left: 4.")
        self.type_code(dialog, tenant.current_otp(ANA))
        await_text(dialog, "10.00 EUR sent to Ben")

    def test_cancelled(self, dialog: Browser, tenant: Tenant) -> None:
        """Cancel gives the 403 back to the page."""
        dialog.find("Cancel").click()
        await_text(dialog, "Multifactor authentication required.")
        dialog.find("Send 10 EUR to Ben").click()
        await_dialog(dialog)

    def test_too_many_tries(self, dialog: Browser, wrong_code: str) -> None:
        """After the last try the form is closed and the page has the answer."""
        for left in (4, 3, 2, 1, 0):
            self.type_code(dialog, wrong_code)
            await_text(dialog, f"Tries left: {left}.")
        self.type_code(dialog, wrong_code)
        await_text(dialog, "Too many tries. Wait before you try again.")
        await_dialog(dialog, is_open=False)

    def test_another_method(self, dialog: Browser, tenant: Tenant) -> None:
        """The link to the other methods leads to the challenge page, and that back here."""
        with dialog.next_page():
            dialog.driver.find_element(By.ID, "other").click()
        dialog.press("Use another method")
        dialog.press("Text message")
        dialog.enter(tenant.last_message(ANA).code)
        assert dialog.address == "/"
        dialog.find("Send 10 EUR to Ben").click()
        await_text(dialog, "10.00 EUR sent to Ben")

    def test_approval_on_the_phone(self, site: str, page: Browser, tenant: Tenant) -> None:
        """Who can only approve on the phone is taken to the waiting page."""
        page.forget()
        page.log_in("dan@example.com", "/")
        with page.next_page():
            page.find("Send 10 EUR to Ben").click()
        assert page.heading == "Approve the request on your phone"
        tenant.approve()
        page.press("I have approved it")
        assert page.address == "/"

    def test_one_check_for_many_requests(self, page: Browser, tenant: Tenant) -> None:
        """Requests that are refused at the same moment wait for one check."""
        script = ASK_THREE_TIMES.replace("CODE", tenant.current_otp(ANA))
        asked, *statuses = page.evaluate(script)
        assert (asked, statuses) == (1, [200, 200, 200])
