"""Pictures of every page: ``pytest tests/browser/screenshots.py --into FOLDER``.

Not a test, so pytest takes it only when it is named.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.languages import Foreigner, only

from .browser import Browser
from .pages import PAGES

#: By name: colours and width in CSS pixels.
LOOKS = {"light": ("light", 1280), "dark": ("dark", 1280), "phone": ("light", 390)}
ARABIC = {"arabic": ("light", 1280), "arabic-phone": ("light", 390)}

pytestmark = pytest.mark.browser


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Path:
    """The folder that the pictures go into."""
    folder = Path(request.config.getoption("--into"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("name", PAGES)
def test_take(name: str, folder: Path, visit: Callable[..., Any], tenant_server: Any) -> None:
    """Write ``NAME-light.png``, ``NAME-dark.png`` and ``NAME-phone.png``."""
    with visit() as browser:
        PAGES[name](browser, tenant_server.tenant)
        take(browser, folder, name, LOOKS)


@pytest.mark.parametrize("name", [name for name in PAGES if not name.startswith("bank")])
def test_take_in_arabic(
    name: str, folder: Path, visit: Callable[..., Any], tenant_server: Any
) -> None:
    """Write ``NAME-arabic.png`` and ``NAME-arabic-phone.png``, from right to left."""
    with visit(**only("ar")) as browser:
        PAGES[name](Foreigner(browser, "ar"), tenant_server.tenant)
        take(browser, folder, name, ARABIC)


def take(browser: Browser, folder: Path, name: str, looks: dict[str, tuple[str, int]]) -> None:
    """Write a picture of the page that is open for each look."""
    for look, (scheme, width) in looks.items():
        browser.prefer(color_scheme=scheme)
        browser.resize(width)
        # A screen as high as the page: beyond its screen Chromium moves aside what is read from
        # right to left.
        browser.resize(width, browser.evaluate("document.documentElement.scrollHeight"))
        picture = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {})
        (folder / f"{name}-{look}.png").write_bytes(base64.b64decode(picture["data"]))
