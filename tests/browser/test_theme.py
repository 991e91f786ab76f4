"""The look by configuration, as a browser shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response

from .axe import require_accessible
from .browser import Browser
from .conftest import serve_app
from .login import hand_login
from .pages import ANA

LOOK = {
    "AUTH0_MFA_LOGO": "/logo.svg",
    "AUTH0_MFA_COLORS": {"accent": "#5b2a86", "ground": "#fbf7ee"},
    "AUTH0_MFA_DARK_COLORS": {"accent": "#d9b8ff", "on-accent": "#2b0f45"},
    "AUTH0_MFA_WIDTH": "40rem",
}
PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle cx="4" cy="4" r="4"/></svg>'
)

pytestmark = pytest.mark.browser


@pytest.fixture
def themed(make_app: Callable[..., Flask], chromiums: Callable[..., Any]) -> Iterator[Browser]:
    """Ana on the page that asks for her code, at an application with a look of its own."""
    app = make_app(**LOOK)
    app.add_url_rule("/logo.svg", "logo", lambda: Response(PICTURE, mimetype="image/svg+xml"))
    with serve_app(app) as url:
        browser = Browser(chromiums(scripts=True), url)
        browser.forget()
        hand_login(browser, ANA, "/transfer")
        browser.press("Authenticator app")
        yield browser


def test_look(themed: Browser, axe: str) -> None:
    """Colours of both modes, width and logo are there, readable, in four requests of this site."""
    parts = themed.page_parts()
    assert len(parts) == 4
    assert all(one.url.startswith(f"{themed.site}/") for one in parts)
    assert themed.console_errors() == []
    assert themed.evaluate("document.querySelector('.mfa-logo').naturalWidth") > 0
    assert themed.evaluate("document.body.offsetWidth") == 640
    button = "getComputedStyle(document.querySelector('main .mfa-button'))"
    for scheme, ground, text in (
        ("light", "rgb(91, 42, 134)", "rgb(255, 255, 255)"),
        ("dark", "rgb(217, 184, 255)", "rgb(43, 15, 69)"),
    ):
        themed.prefer(color_scheme=scheme)
        assert themed.evaluate(f"{button}.backgroundColor") == ground
        assert themed.evaluate(f"{button}.color") == text
        require_accessible(themed, axe)
