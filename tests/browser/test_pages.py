"""What every page keeps: small, quiet, readable for everyone, at home on a small phone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from selenium.webdriver.common.keys import Keys

from .browser import Browser, Request
from .pages import PAGES

pytestmark = pytest.mark.browser

AXE = "axe-core@4.14.1"
RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    },
    # Off by default, although WCAG 2.2 asks for it.
    "rules": {"target-size": {"enabled": True}},
}
#: Runs on the document: buttons and links that look like buttons, lower than 44 pixels.
LOW_BUTTONS = """
[...document.querySelectorAll("main button, main .mfa-button")]
  .filter((element) => element.offsetParent && element.offsetHeight < 44)
  .map((element) => element.textContent)
"""
#: Runs on the document: where the focused element stands, and whether something covers it.
FOCUSED = """
(() => {
  const element = document.activeElement;
  const { left, top, width, height } = element.getBoundingClientRect();
  const there = document.elementFromPoint(left + width / 2, top + height / 2);
  const covered = !element.contains(there) && !there?.contains(element);
  return { tag: element.tagName, top: top + scrollY, bottom: top + height + scrollY, covered };
})()
"""


@dataclass(frozen=True)
class Seen:
    """A page that is open now, and what the developer tools saw on the way to it."""

    browser: Browser
    tenant_url: str
    requests: list[Request]
    console_errors: list[str]


@pytest.fixture(scope="module", params=PAGES)
def seen(
    request: pytest.FixtureRequest, visit: Callable[..., Any], tenant_server: Any
) -> Iterator[Seen]:
    """One page after the other, for all tests of this module."""
    with visit() as browser:
        PAGES[request.param](browser, tenant_server.tenant)
        yield Seen(browser, tenant_server.url, browser.requests(), browser.console_errors())


@pytest.fixture(scope="session")
def axe(request: pytest.FixtureRequest) -> str:
    """The script of axe-core, installed from the npm registry once."""
    folder: Path = request.config.cache.mkdir("axe-core")
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", AXE]
        command += ["--prefix", str(folder)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - a fixed command
    return script.read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(seen: Seen, axe: str, scheme: str) -> None:
    """axe-core finds nothing that would keep somebody out, in light and in dark colours."""
    seen.browser.prefer(color_scheme=scheme)
    seen.browser.evaluate(f"{axe}; null")
    found = json.loads(
        seen.browser.evaluate(
            f"axe.run({json.dumps(RULES)}).then((found) => JSON.stringify(found))"
        )
    )
    problems = [
        f"{violation['id']}: {node['html']}: {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
    assert not problems
    assert found["passes"]


def test_one_heading_and_a_title(seen: Seen) -> None:
    """The page has one main heading, and a title that names the bank after the task."""
    assert seen.browser.evaluate("document.querySelectorAll('h1').length") == 1
    task, _, service = seen.browser.title.rpartition(" \N{EN DASH} ")
    assert task
    assert service == "Harbour Bank"


def test_silent_console(seen: Seen) -> None:
    """Nothing breaks the Content-Security-Policy, no script fails, no file is missing."""
    assert seen.console_errors == []


def test_asks_nobody_else(seen: Seen) -> None:
    """Every request goes to the bank, or to its tenant for the login."""
    others = {
        one.url
        for one in seen.requests
        if not one.url.startswith((f"{seen.browser.site}/", f"{seen.tenant_url}/", "data:"))
    }
    assert others == set()


def test_no_token_in_an_address(seen: Seen) -> None:
    """No address of a check has anything as long as a token; a context is 22 characters."""
    for one in seen.requests:
        if one.url.startswith(f"{seen.browser.site}/auth/mfa/"):
            assert all(len(value) <= 22 for _, value in parse_qsl(urlsplit(one.url).query))


def test_small(seen: Seen) -> None:
    """The page comes with at most four requests and 30 KB, from an empty cache."""
    start = max(i for i, one in enumerate(seen.requests) if one.kind == "Document")
    # "Other" is the site's icon, which Chromium fetches once and not with each page.
    parts = [one for one in seen.requests[start:] if one.kind != "Other"]
    assert len(parts) <= 4, [one.url for one in parts]
    assert sum(one.size for one in parts) <= 30 * 1024


def test_fits_a_small_phone(seen: Seen) -> None:
    """On 320 pixels nothing has to be scrolled sideways."""
    seen.browser.resize(320, 640)
    assert seen.browser.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_buttons_are_large(seen: Seen) -> None:
    """A button is at least 44 pixels high."""
    assert seen.browser.evaluate(LOW_BUTTONS) == []


def test_keyboard_follows_the_eye(seen: Seen) -> None:
    """Tab goes from top to bottom, comes to an end, and what has the focus can be seen."""
    seen.browser.resize(1280)
    seen.browser.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
    places = []
    for _ in range(30):
        seen.browser.keys(Keys.TAB)
        place = seen.browser.evaluate(FOCUSED)
        if place["tag"] == "BODY":
            break
        places.append(place)
    else:
        raise AssertionError("Tab goes round in circles")
    assert not any(place["covered"] for place in places)
    assert all(below["bottom"] > above["top"] for above, below in pairwise(places))
