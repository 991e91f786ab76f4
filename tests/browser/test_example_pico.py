"""The example with a frame of its own: the pages work in it, and can be read in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from examples.pico import create_app
from flask_auth0_mfa.emulator import Tenant

from .axe import require_accessible
from .browser import Browser
from .conftest import serve_app
from .pages import ANA

pytestmark = pytest.mark.browser


@pytest.fixture
def wrong(tenant: Tenant, tenant_server: Any, chromiums: Callable[..., Any]) -> Iterator[Browser]:
    """Ana, who has typed a wrong code on the way to her results."""
    key = "a key for the browser tests, long enough"
    app = create_app({"AUTH0_DOMAIN": tenant_server.url, "SECRET_KEY": key})
    with serve_app(app) as url:
        browser = Browser(chromiums(scripts=True), url)
        browser.forget()
        browser.go("/")
        with browser.next_page():
            browser.find("Open my test results").click()
        browser.field("username").send_keys(ANA)
        browser.field("password").send_keys("demo")
        browser.press("Continue")
        browser.press("Authenticator app")
        browser.enter(f"{(int(tenant.current_otp(ANA)) + 1) % 1_000_000:06}")
        yield browser


def test_way_to_the_results(wrong: Browser, tenant: Tenant) -> None:
    """After the right code the results are there, and nothing was in the browser's way."""
    assert wrong.title.startswith("Error: ")
    assert "Linden Clinic" in wrong.text
    assert "You have 4 tries left." in wrong.text
    wrong.enter(tenant.current_otp(ANA))
    assert wrong.address == "/results"
    assert wrong.heading == "Your test results"
    assert wrong.console_errors() == []
    assert not any("auth0_mfa.css" in one.url for one in wrong.requests())


def test_accessible(wrong: Browser, axe: str) -> None:
    """axe-core finds nothing in the site's frame, in light and dark, and it fits a small phone."""
    for page in ("wrong code", "choice"):
        if page == "choice":
            wrong.press("Use another method")
        for scheme in ("light", "dark"):
            # Pico fades from one to the other, unless somebody wants less motion.
            wrong.prefer(color_scheme=scheme, reduced_motion="reduce")
            require_accessible(wrong, axe)
        wrong.resize(320, 640)
        assert wrong.evaluate("document.documentElement.scrollWidth <= innerWidth")
