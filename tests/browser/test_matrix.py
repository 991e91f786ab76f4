"""Each factor with JavaScript and without: passed, wrong, expired, limited and abandoned.

The table of the same rows by JSON is in ``tests/test_matrix.py``. A push has no wrong code: there
it is declined.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from flask_auth0_mfa.emulator import Tenant, serve
from flask_auth0_mfa.testing.clock import SharedClock

from ..observed import grants, refreshes
from ..ways import (
    MATRIX,
    OTP,
    PHONE,
    PUSH,
    SMS,
    TARGET,
    Way,
    asked,
)
from .browser import Browser
from .conftest import serve_bank
from .login import hand_login

CHOICES = ("Choose how to confirm it is you", "Set up a second check")
DECLINED = "The request was declined on your phone"
TIMED_OUT = "This check has timed out"
TOO_MANY = ("Too many wrong codes", "Too many tries")
#: What the page of a refusal offers.
WAYS_ON = ("Start again", "Use another method", "Go back")
#: Polls within a minute, so that the limit is near; each has to wait for the interval as well.
POLLS = 2
INTERVAL = 6
CONTEXT_TTL = 300
CONFIG = {
    "AUTH0_MFA_POLL_LIMIT": f"{POLLS} per minute",
    # A method is added after a fresh login only; this makes a login say that it is.
    "AUTH0_AUTHORIZE_PARAMS": {"max_age": "240"},
}

#: The two shapes of a check, a code and a phone. Without scripts the others are gone in a campaign
#: only: test_factors_flow.py sends the same forms, and the other browser tests their own pages.
SHAPES = (OTP, PUSH)
CAMPAIGN = "CAMPAIGN" in os.environ
ROWS = [
    (way, scripts)
    for way in MATRIX
    for scripts in (True, False)
    if scripts or CAMPAIGN or way in SHAPES
]

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def row_name(value: Way | bool) -> str:
    """Return how a row of the table is called."""
    if isinstance(value, bool):
        return "scripts" if value else "no scripts"
    return value.name


@pytest.fixture(scope="module")
def tenant_server() -> Iterator[Any]:
    """A tenant that stamps its tokens with the clock that tests put forward."""
    with serve(Tenant(clock=SharedClock()), port=0) as server:
        yield server


@dataclass(frozen=True)
class Check:
    """Somebody on one way through a check."""

    browser: Browser
    tenant: Tenant
    way: Way

    def begin(self, target: str = TARGET) -> None:
        """Open the guarded page, and go on to where the code or the phone's answer is due."""
        self.browser.go(target)
        self.choose()

    def choose(self) -> None:
        """Choose the method where there is a choice, and send what it needs."""
        if self.browser.heading in CHOICES:
            self.browser.press(self.way.label)
        if self.way.enrolls and self.way.method == "sms":
            self.browser.field("phone_number").send_keys(PHONE)
            self.browser.press("Send a code")

    def send(self, code: str) -> None:
        """Type the code; where nothing is typed, press the button."""
        if self.way.is_push:
            self.browser.press("I have scanned it" if self.way.enrolls else "I have approved it")
        else:
            self.browser.enter(code)

    def prove(self) -> None:
        """Give the right answer, and save the new recovery code if there is one."""
        self.send(self.way.right(self.tenant))
        if self.way.has_recovery_page:
            assert self.browser.heading == "Save your new recovery code"
            self.browser.field("saved").click()
            self.browser.press("Continue")

    def log_in_again(self) -> None:
        """Log in where a method is about to be added, for which the login has got too old."""
        self.browser.field("username").send_keys(self.way.email)
        self.browser.field("password").send_keys("demo")
        self.browser.press("Continue")

    @property
    def delivered(self) -> int:
        """How many messages and pushes were sent so far."""
        return len(self.tenant.messages) + len(self.tenant.pushes)


@pytest.fixture
def start(tenant_server: Any, tenant: Tenant) -> Callable[[], AbstractContextManager[str]]:
    """Return a function that starts a process of the bank."""
    return partial(serve_bank, tenant_server.url, clock=tenant.clock.now, **CONFIG)


@pytest.fixture
def browser(
    chromiums: Callable[..., Any],
    start: Callable[..., Any],
    tenant: Tenant,
    scripts: bool,
    way: Way,
) -> Iterator[Browser]:
    """Whoever goes this way, signed in; what the tenant was asked for before is forgotten."""
    with start() as url:
        browser = Browser(chromiums(scripts=scripts), url)
        browser.forget()
        hand_login(browser, way.email)
        tenant.calls.clear()
        yield browser


@pytest.fixture
def check(browser: Browser, tenant: Tenant, way: Way) -> Check:
    """A check in which this way was begun."""
    check = Check(browser, tenant, way)
    check.begin()
    return check


@pytest.fixture
def later(browser: Browser, tenant: Tenant) -> Callable[[int], None]:
    """Return a function that puts the clock forward, for the browser's cookies too."""

    def later(seconds: int) -> None:
        tenant.advance(seconds)
        browser.let_cookies_expire(seconds)

    return later


@pytest.mark.parametrize(("way", "scripts"), ROWS, ids=row_name)
class TestMatrix:
    """A row for each factor, a test for each outcome."""

    def test_passes(
        self, check: Check, browser: Browser, way: Way, tenant: Tenant, start: Callable[..., Any]
    ) -> None:
        """It opens what was asked for, by the fewest calls, and the tokens go on rotating."""
        check.prove()
        assert browser.address == TARGET
        assert asked(tenant) == way.calls
        # Another process has nothing but the cookies to know the newest refresh token from. It
        # gets a token for another API, and with the refresh token that came with it asks again.
        with start() as browser.site:
            browser.go("/open")
            browser.go("/admin")
            assert browser.heading in CHOICES
        assert refreshes(tenant)[1:] == [200, 403]

    def test_wrong(self, check: Check, browser: Browser, way: Way, tenant: Tenant) -> None:
        """The page says so and opens nothing; after it the right answer ends it well."""
        heading, delivered = browser.heading, check.delivered
        check.send(way.wrong(tenant))
        if way.is_push:
            assert browser.heading == DECLINED
            assert check.delivered == delivered
            browser.press("Start again")
            check.choose()
        else:
            assert browser.heading == heading
            assert "did not work" in browser.text
            assert "You have 4 tries left." in browser.text
        check.prove()
        assert browser.address == TARGET

    def test_expired(
        self, check: Check, browser: Browser, way: Way, tenant: Tenant, later: Callable[..., None]
    ) -> None:
        """When the time is over nothing is sent, and one button starts the check again."""
        code, delivered = way.right(tenant), check.delivered
        later(CONTEXT_TTL + 1)
        check.send(code)
        assert browser.heading == TIMED_OUT
        assert grants(tenant) == []
        browser.press("Start again")
        assert check.delivered == delivered
        if way.enrolls:
            check.log_in_again()
        check.choose()
        check.prove()
        assert browser.address == TARGET

    def test_limited(
        self, check: Check, browser: Browser, way: Way, tenant: Tenant, later: Callable[..., None]
    ) -> None:
        """Too many tries are refused, the right one too, and are not sent."""
        form, tries = browser.address, POLLS if way.is_push else 5
        for _ in range(tries):
            check.send("" if way.is_push else way.wrong(tenant))
            # The pause between polls is another thing than their limit.
            later(INTERVAL * way.is_push)
        if not way.is_push:
            assert browser.heading in TOO_MANY
            browser.go(form)
        check.send(way.right(tenant))
        assert browser.heading in TOO_MANY
        assert any(way_on in browser.text for way_on in WAYS_ON)
        assert len(grants(tenant)) == tries
        browser.go(TARGET)
        assert browser.heading != "Transfer money"

    def test_abandoned(
        self, check: Check, browser: Browser, tenant: Tenant, later: Callable[..., None]
    ) -> None:
        """Cancel opens nothing and sends nothing; other checks go on, and its time runs out."""
        heading, form, delivered = browser.heading, browser.address, check.delivered
        tenant.calls.clear()
        browser.press("Cancel")
        assert browser.address == "/"
        browser.go(TARGET)
        assert browser.heading == heading
        assert asked(tenant) == []
        browser.go("/admin")
        assert browser.heading in CHOICES
        later(CONTEXT_TTL + 1)
        browser.go(form)
        assert browser.heading == TIMED_OUT
        assert check.delivered == delivered
        assert grants(tenant) == []


@pytest.mark.parametrize("way", [SMS, PUSH], ids=lambda way: way.name)
@pytest.mark.parametrize("scripts", [True, False] if CAMPAIGN else [True], ids=row_name)
class TestLeaving:
    """Ways to abandon a check without a word."""

    @pytest.fixture
    def left(self, browser: Browser, tenant: Tenant, way: Way, request: Any) -> Check:
        """A check that was left; what the tenant was asked for until then is forgotten."""
        check = Check(browser, tenant, way)
        getattr(self, request.param)(check)
        return check

    def close_the_tab(self, check: Check) -> None:
        """Begin in a second tab, and close it."""
        with check.browser.other_tab():
            check.begin()
            check.tenant.calls.clear()

    def go_elsewhere(self, check: Check) -> None:
        """Type another address."""
        check.begin()
        check.tenant.calls.clear()
        check.browser.go("/accounts")

    @pytest.mark.parametrize("left", ["close_the_tab", "go_elsewhere"], indirect=True)
    def test_coming_back(self, left: Check, browser: Browser, tenant: Tenant) -> None:
        """The page that was asked for is closed; the check goes on, and nothing is sent anew."""
        browser.go(TARGET)
        assert browser.heading != "Transfer money"
        assert asked(tenant) == []
        assert left.delivered == 1
        left.prove()
        assert browser.address == TARGET
