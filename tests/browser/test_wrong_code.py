"""A code that Auth0 refuses: what the page says, and how people go on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selenium.webdriver.support.ui import WebDriverWait

from flask_auth0_mfa.emulator import Tenant

from .browser import TIMEOUT, Browser
from .conftest import with_and_without_scripts
from .pages import PAGES, TARGET

CODE_PAGE = "Enter the code from your authenticator app"
#: Runs on the page: presses the button, and stops the loading before an answer can come.
SEND_AND_STOP = """(() => {
  document.querySelector("form button").click();
  window.stop();
  return document.querySelector("form button").disabled;
})()"""
IS_BLOCKED = "document.querySelector('form button').disabled"
#: Six digits that stand alone; nothing else on the page has them.
WRONG_CODE = re.compile(r"\b\d{6}\b")

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", params=[True, False], ids=["scripts", "no scripts"])
def wrong_code_page(
    request: pytest.FixtureRequest, visit: Callable[..., Any], tenant_server: Any
) -> Iterator[Browser]:
    """Ana after she has entered a wrong code, for all tests that only look at the page."""
    with visit(scripts=request.param) as browser:
        PAGES["wrong-code"](browser, tenant_server.tenant)
        yield browser


@pytest.fixture
def refused_page(code_page: Browser, wrong_code: str) -> Browser:
    """Ana after she has entered a wrong code."""
    code_page.enter(wrong_code)
    return code_page


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

    def test_sending_that_was_stopped(self, code_page: Browser) -> None:
        """Who stops the loading can press the button again after a while."""
        address = code_page.address
        # In a tab of its own: what is done to its clock lasts as long as the tab.
        with code_page.other_tab():
            code_page.go(address)
            assert code_page.evaluate(SEND_AND_STOP) is True
            hurry = {"policy": "pauseIfNetworkFetchesPending", "budget": 20_000}
            code_page.driver.execute_cdp_cmd("Emulation.setVirtualTimePolicy", hurry)
            WebDriverWait(code_page.driver, TIMEOUT, 0.05).until(
                lambda _: code_page.evaluate(IS_BLOCKED) is False
            )
            assert code_page.address == address

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
