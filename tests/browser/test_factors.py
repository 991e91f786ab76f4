"""Factors beyond the authenticator app, and adding one, as a person goes through them.

What holds for every factor alike is in ``test_matrix.py``.
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from zxingcpp import read_barcodes

from flask_auth0_mfa.emulator import Tenant
from flask_auth0_mfa.emulator.totp import code_at

from .browser import Browser
from .conftest import with_and_without_scripts
from .login import hand_login
from .pages import ANA, TARGET

BEN = "ben@example.com"
PUSH = "Approve on your phone"
CHOICE = "Choose how to confirm it is you"

pytestmark = pytest.mark.browser


def scanned(browser: Browser) -> str:
    """Return what an app reads when it is held before the screen."""
    picture = browser.driver.find_element(By.CLASS_NAME, "mfa-qr")
    browser.driver.execute_cdp_cmd("Page.bringToFront", {})
    [code] = read_barcodes(Image.open(io.BytesIO(picture.screenshot_as_png)))
    return str(code.text)


def secret_of(uri: str) -> str:
    """Return the key in an ``otpauth:`` address."""
    return parse_qs(urlsplit(uri).query)["secret"][0]


def joined(text: str) -> str:
    """Return the text without what parts it into groups."""
    return "".join(text.split())


class TestMessages:
    """Text messages, calls and e-mails."""

    @with_and_without_scripts
    def test_another_one_too_soon(self, ana: Browser, scripts: bool, tenant: Tenant) -> None:
        """Before the pause is over no other message is sent; the button says so by itself, or
        the page that comes after it does.
        """
        ana.choose("Text message", TARGET)
        assert "Wait 30 seconds before you ask again." in ana.text
        if scripts:
            assert not ana.find("Send a new code").is_enabled()
        else:
            ana.press("Send a new code")
            assert ana.heading == "Wait before the next message"
            ana.press("Go back")
        ana.enter(tenant.last_message(ANA).code)
        assert ana.address == TARGET
        assert len(tenant.messages) == 1

    @with_and_without_scripts
    def test_there_and_back(self, ana: Browser, tenant: Tenant) -> None:
        """Looking at another method, going back, and loading again sends nothing new."""
        ana.choose("Text message", TARGET)
        ana.press("Use another method")
        ana.press("Authenticator app")
        ana.press("Use another method")
        ana.press("Text message")
        ana.driver.refresh()
        ana.enter(tenant.last_message(ANA).code)
        assert ana.address == TARGET
        assert len(tenant.messages) == 1


class TestPush:
    """Approval on the phone."""

    def test_script_asks_by_itself(self, ana: Browser, tenant: Tenant) -> None:
        """Whoever just waits is taken on some seconds after the approval."""
        ana.choose(PUSH, TARGET)
        tenant.approve()
        with ana.next_page():
            pass
        assert ana.address == TARGET
        assert not ana.console_errors()

    def test_script_goes_on_to_the_next_check(self, ana: Browser, tenant: Tenant) -> None:
        """Where another factor is wanted after it, its page comes by itself."""
        ana.choose(PUSH, "/admin")
        tenant.approve()
        with ana.next_page():
            ana.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert ana.heading == CHOICE
        ana.press("Authenticator app")
        ana.enter(tenant.current_otp(ANA))
        assert ana.address == "/admin"

    @with_and_without_scripts
    def test_two_tabs(self, ana: Browser, scripts: bool, tenant: Tenant) -> None:
        """After the success in one tab the other one leads to the same page, by itself where it
        can.
        """
        ana.choose(PUSH, TARGET)
        waiting = ana.address
        with ana.other_tab():
            ana.go(waiting)
            tenant.approve()
            ana.press("I have approved it")
            assert ana.address == TARGET
        if scripts:
            WebDriverWait(ana.driver, 10).until(lambda _: ana.address == TARGET)
        else:
            ana.press("I have approved it")
        assert ana.address == TARGET


class TestRecoveryCode:
    """The page with the new recovery code."""

    @pytest.fixture
    def page(self, ana: Browser, tenant: Tenant) -> Browser:
        """Ana on the page with her new code."""
        ana.choose("Recovery code", TARGET)
        ana.enter(tenant.recovery_code(ANA))
        return ana

    @with_and_without_scripts
    def test_saved(self, page: Browser) -> None:
        """A tick and a click lead to the page that was asked for; Back does not show it again."""
        recovery_page = page.address
        page.field("saved").click()
        page.press("Continue")
        assert page.address == TARGET
        page.go(recovery_page)
        assert page.address == TARGET

    @with_and_without_scripts
    def test_reload(self, page: Browser, tenant: Tenant) -> None:
        """Loading the page again shows the same code."""
        page.driver.refresh()
        assert tenant.recovery_code(ANA) in joined(page.text)

    @with_and_without_scripts
    def test_not_ticked(self, page: Browser) -> None:
        """Without the tick the page says what is missing."""
        page.press("Continue")
        assert page.title.startswith("Error:")
        assert "Say that you have saved the code, then continue." in page.text

    def test_copy(self, page: Browser, tenant: Tenant) -> None:
        """Copy puts the code on the clipboard, and says so."""
        permissions = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
        page.driver.execute_cdp_cmd("Browser.grantPermissions", permissions)
        page.find("Copy").click()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == tenant.recovery_code(ANA)
        assert "The code is copied." in page.text

    def test_copy_refused(self, page: Browser, tenant: Tenant) -> None:
        """Where the browser does not allow it, the page says so, and has the code selected."""
        for permission in ("clipboard-write", "clipboard-sanitized-write"):
            denied = {"permission": {"name": permission}, "setting": "denied"}
            with suppress(WebDriverException):
                page.driver.execute_cdp_cmd("Browser.setPermission", denied)
        try:
            page.find("Copy").click()
            told = "Your browser did not copy it."
            WebDriverWait(page.driver, 10, 0.02).until(lambda _: told in page.text)
            selected = page.evaluate("getSelection().toString()")
            assert joined(selected) == tenant.recovery_code(ANA)
        finally:
            page.driver.execute_cdp_cmd("Browser.resetPermissions", {})

    def test_reload_after_a_missing_tick(self, page: Browser, tenant: Tenant) -> None:
        """The page without its tick has the address of its check: a reload sends nothing."""
        address = page.address
        page.press("Continue")
        assert page.address == address

    def test_no_buttons_without_scripts(self, visit: Any, tenant: Tenant) -> None:
        """Without scripts there are no buttons that do nothing."""
        with visit(scripts=False) as ana:
            ana.log_in(ANA, TARGET)
            ana.press("Recovery code")
            ana.enter(tenant.recovery_code(ANA))
            assert "Copy" not in ana.text
            assert "Print" not in ana.text
            assert "Download" in ana.text

    def test_print(self, page: Browser, tenant: Tenant) -> None:
        """On paper there are the service and the code, and nothing to click."""
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        printed = page.text
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        assert tenant.recovery_code(ANA) in joined(printed)
        assert "Harbour Bank" in printed
        for word in ("Continue", "Copy", "Print", "Sign out", "I have saved it"):
            assert word not in printed


class TestEnrollment:
    """Adding a first method."""

    @pytest.fixture
    def ben(self, browser: Browser) -> Browser:
        """Ben, who has no method yet, where he chooses one."""
        hand_login(browser, BEN, TARGET)
        assert browser.heading == "Set up a second check"
        return browser

    @with_and_without_scripts
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_scanned_picture(self, ben: Browser, tenant: Tenant, scheme: str) -> None:
        """An app reads the picture from the screen, in dark colours too; its code ends it."""
        ben.prefer(**{"prefers-color-scheme": scheme})
        ben.press("Authenticator app")
        key = secret_of(scanned(ben))
        ben.enter(code_at(key, tenant.clock.now()))
        assert ben.heading == "Save your new recovery code"
        ben.field("saved").click()
        ben.press("Continue")
        assert ben.address == TARGET

    def test_reload_after_a_wrong_code(self, ben: Browser, tenant: Tenant) -> None:
        """A reload sends no code and no number again, which would cost one more try."""
        ben.press("Authenticator app")
        address = ben.address
        ben.enter("000000")
        assert ben.address == address
        ben.press("Use another method")
        ben.press("Text message")
        address = ben.address
        ben.field("phone_number").send_keys("12")
        ben.press("Send a code")
        assert set(address.split("&")) <= set(ben.address.split("&"))

    @with_and_without_scripts
    def test_typed_key(self, ben: Browser) -> None:
        """The key in the text and in the link is the one in the picture."""
        ben.press("Authenticator app")
        key = secret_of(scanned(ben))
        ben.driver.find_element(By.TAG_NAME, "summary").click()
        shown = ben.driver.find_element(By.CSS_SELECTOR, "details .mfa-code").text
        assert joined(shown) == key
        link = ben.find("Open the app on this device").get_attribute("href")
        assert secret_of(str(link)) == key

    @with_and_without_scripts
    def test_push(self, ben: Browser) -> None:
        """The Guardian app reads the picture; before it is confirmed there, the page says so."""
        ben.press(PUSH)
        assert scanned(ben).startswith("otpauth://")
        ben.press("I have scanned it")
        assert "Your phone has not confirmed it yet." in ben.text
