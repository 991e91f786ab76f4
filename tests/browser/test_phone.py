"""Messages to a phone, and approval on it."""

from __future__ import annotations

from typing import Any

import pytest

from flask_auth0_mfa.emulator import Tenant

from .browser import Browser
from .conftest import with_and_without_scripts
from .pages import ANA, TARGET

#: What a page hears when its tab is looked at again.
COME_BACK = "document.dispatchEvent(new Event('visibilitychange'))"

pytestmark = pytest.mark.browser


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
