"""Pictures of every page: ``pytest tests/browser/screenshots.py --into FOLDER``.

``make screenshots`` writes them into the documentation. A picture is written anew only where the
page looks different; what is drawn by chance (codes, secrets, seconds) does not count. Not a test,
so pytest takes it only when it is named.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.languages import Foreigner, only

from .browser import Browser
from .pages import OURS, PAGES, STATES, remembering

#: By name: colours and width in CSS pixels.
LOOKS = {"light": ("light", 640), "dark": ("dark", 640), "phone": ("light", 390)}
ARABIC = {"arabic": ("light", 390)}
#: The pages have few colours, and the edges of letters shades of them.
COLORS = 64
#: Still pictures: nothing moves, and no cursor blinks.
STILL = "*, ::before { caret-color: transparent !important; animation: none !important; }"
#: What is another one at each visit.
BY_CHANCE = (
    ".mfa-code span, .mfa-qr svg, [data-wait], [data-until], main strong { visibility: hidden; }"
)
WALKS = PAGES | STATES
LOOKS_LIKE = "looks-like"

pytestmark = pytest.mark.browser


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Path:
    """The folder that the pictures go into."""
    folder = Path(request.config.getoption("--into"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("name", OURS)
def test_take(name: str, folder: Path, visit: Callable[..., Any], tenant_server: Any) -> None:
    """Write ``NAME-light.png``, ``NAME-dark.png`` and ``NAME-phone.png``."""
    with visit(views=remembering) as browser:
        WALKS[name](browser, tenant_server.tenant)
        take(browser, folder, name, LOOKS)


@pytest.mark.parametrize("name", OURS)
def test_take_in_arabic(
    name: str, folder: Path, visit: Callable[..., Any], tenant_server: Any
) -> None:
    """Write ``NAME-arabic.png``, from right to left."""
    with visit(views=remembering, **only("ar")) as browser:
        WALKS[name](Foreigner(browser, "ar"), tenant_server.tenant)
        take(browser, folder, name, ARABIC)


def take(browser: Browser, folder: Path, name: str, looks: dict[str, tuple[str, int]]) -> None:
    """Write a picture of the page that is open for each look."""
    # Away from the button that was pressed, under which there may be another one now.
    away = {"type": "mouseMoved", "x": 0, "y": 0}
    browser.driver.execute_cdp_cmd("Input.dispatchMouseEvent", away)
    for look, (scheme, width) in looks.items():
        browser.prefer(color_scheme=scheme)
        browser.resize(width)
        # A screen as high as the page: beyond its screen Chromium moves aside what is read from
        # right to left.
        browser.resize(width, browser.evaluate("document.body.scrollHeight"))
        hidden = picture(browser, STILL + BY_CHANCE)
        looks_like = hashlib.sha256(hidden.tobytes()).hexdigest()
        file = folder / f"{name}-{look}.png"
        if known(file) != looks_like:
            write(picture(browser, STILL), file, looks_like)


def picture(browser: Browser, styles: str) -> Image.Image:
    """Return what the browser shows, with further styles."""
    # Not as a style element, which the page's Content-Security-Policy would not let in.
    browser.evaluate(
        "(() => { const sheet = new CSSStyleSheet();"
        f" sheet.replaceSync({json.dumps(styles)}); document.adoptedStyleSheets = [sheet]; }})()"
    )
    taken = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {})
    return Image.open(io.BytesIO(base64.b64decode(taken["data"]))).convert("RGB")


def known(file: Path) -> str | None:
    """Return what the page looked like when the file was written, if it is there."""
    if not file.exists():
        return None
    with Image.open(file) as image:
        return image.info.get(LOOKS_LIKE)


def write(image: Image.Image, file: Path, looks_like: str) -> None:
    """Write a small PNG file."""
    info = PngInfo()
    info.add_text(LOOKS_LIKE, looks_like)
    small = image.quantize(COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(file, optimize=True, pnginfo=info)
