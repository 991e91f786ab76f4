"""Messages to a phone, and approval on it."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from jinja2 import ChoiceLoader, DictLoader
from selenium.webdriver.support.ui import WebDriverWait

from flask_auth0_mfa.emulator import Tenant

from .browser import TIMEOUT, Browser
from .conftest import with_and_without_scripts
from .login import hand_login
from .pages import ANA, TARGET

#: What a page hears when its tab is looked at again.
COME_BACK = "document.dispatchEvent(new Event('visibilitychange'))"

CANNOT_ASK = "This page cannot check by itself now."

#: Counts what is announced, and notices when a minute is over on the page's own clock.
COUNT_ANNOUNCEMENTS = """
  window.announced = [];
  const region = document.querySelector("[role=status]");
  new MutationObserver(() => announced.push(region.textContent)).observe(
    region, { childList: true, characterData: true, subtree: true });
  setTimeout(() => { window.isOver = true; }, 60000);
"""
#: Runs on the page: the time in five minutes, and what it was a minute before.
IN_FIVE_MINUTES = """
[300000, 240000].map((later) =>
  new Date(Date.now() + later).toLocaleTimeString("en", { timeStyle: "short" }))
"""
#: The rest of a frame as an application may have it.
FRAME = """<title>{% block title %}{% endblock %}</title>
<script src="{{ url_for('auth0_mfa.static', filename='auth0_mfa.js') }}" defer></script>
{% block main %}{% endblock %}"""
IS_OVER = "window.isOver === true"

pytestmark = pytest.mark.browser


def use_frame(app: Flask, language: str) -> None:
    """Put the pages into a frame of the application's own."""
    frame = f"<!doctype html><html {language}>{FRAME}"
    app.jinja_loader = ChoiceLoader([DictLoader({"auth0_mfa/base.html": frame}), app.jinja_loader])


def use_network(browser: Browser, *, is_there: bool) -> None:
    """Take the browser's network away, or bring it back."""
    conditions = {"offline": not is_there, "latency": 0}
    speed = {"downloadThroughput": -1, "uploadThroughput": -1}
    command = "Network.emulateNetworkConditions"
    browser.driver.execute_cdp_cmd(command, {**conditions, **speed})


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

    def test_a_minute_of_waiting(self, waiting: Browser) -> None:
        """In a minute it asks ten times and speaks once; nobody hears seconds being counted."""
        address = waiting.address
        # In a tab of its own: what is done to its clock lasts as long as the tab.
        with waiting.other_tab():
            waiting.go(address)
            waiting.forget_requests()
            waiting.evaluate(COUNT_ANNOUNCEMENTS)
            hurry = {"policy": "pauseIfNetworkFetchesPending", "budget": 61_000}
            waiting.driver.execute_cdp_cmd("Emulation.setVirtualTimePolicy", hurry)
            WebDriverWait(waiting.driver, TIMEOUT, 0.05).until(lambda _: waiting.evaluate(IS_OVER))
            polls = [one for one in waiting.requests() if one.url.endswith("/auth/mfa/poll")]
            assert 8 <= len(polls) <= 10
            assert waiting.evaluate("announced") == ["Still waiting for your approval."]
            assert "Check that your phone is online." in waiting.text

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

    def test_network_comes_back(self, waiting: Browser) -> None:
        """Without a network the page cannot ask; with one again it does, and says no more of it."""
        seen = WebDriverWait(waiting.driver, TIMEOUT, 0.05)
        use_network(waiting, is_there=False)
        seen.until(lambda _: waiting.evaluate(COME_BACK) and CANNOT_ASK in waiting.text)
        waiting.forget_requests()
        use_network(waiting, is_there=True)
        seen.until(lambda _: CANNOT_ASK not in waiting.text)
        assert any(one.url.endswith("/auth/mfa/poll") for one in waiting.requests())

    def test_nothing_moves_for_who_wants_it_quiet(self, waiting: Browser) -> None:
        """The sign of waiting stands still when reduced motion is asked for."""
        assert waiting.evaluate("document.getAnimations().length") == 1
        waiting.prefer(reduced_motion="reduce")
        assert waiting.evaluate("document.getAnimations().length") == 0


class TestClock:
    """The clock on the reader's wall, which only the page knows."""

    def test_time_of_day(self, ana: Browser) -> None:
        """A check says until what time it can be done, in five minutes."""
        ana.choose("Authenticator app", TARGET)
        around = ana.evaluate(IN_FIVE_MINUTES)
        assert any(f"about 5 minutes. That is until {time}." in ana.text for time in around)

    @pytest.mark.parametrize("language", ["", 'lang="pt_BR"'])
    def test_frame_that_names_no_language(self, visit: Any, tenant: Tenant, language: str) -> None:
        """In an application's frame with no usable ``lang`` the script does its work as ever."""
        with visit(views=lambda app: use_frame(app, language)) as ana:
            hand_login(ana, ANA, TARGET)
            ana.press("Approve on your phone")
            assert "That is until" in ana.text
            tenant.approve()
            with ana.next_page():
                ana.evaluate(COME_BACK)
            assert ana.address == TARGET


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
