"""Pictures of every page: ``pytest tests/browser/screenshots.py --into FOLDER``.

Not a test, so pytest takes it only when it is named.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .pages import PAGES

#: By name: colours and width in CSS pixels.
LOOKS = {"light": ("light", 1280), "dark": ("dark", 1280), "phone": ("light", 390)}


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_take(
    name: str, visit: Callable[..., Any], tenant_server: Any, request: pytest.FixtureRequest
) -> None:
    """Write ``NAME-light.png``, ``NAME-dark.png`` and ``NAME-phone.png``."""
    folder = Path(request.config.getoption("--into"))
    folder.mkdir(parents=True, exist_ok=True)
    with visit() as browser:
        PAGES[name](browser, tenant_server.tenant)
        for look, (scheme, width) in LOOKS.items():
            browser.prefer(color_scheme=scheme)
            browser.resize(width)
            picture = browser.driver.execute_cdp_cmd(
                "Page.captureScreenshot", {"captureBeyondViewport": True}
            )
            (folder / f"{name}-{look}.png").write_bytes(base64.b64decode(picture["data"]))
