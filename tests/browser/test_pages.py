"""What every page keeps: small, quiet, readable for everyone, at home on a small phone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from selenium.webdriver.common.keys import Keys

from flask_auth0_mfa.emulator import Tenant
from tests.languages import PSEUDO, Foreigner, only, write_pseudo

from .axe import require_accessible
from .browser import Browser, Request
from .login import hand_login
from .pages import ANA, PAGES, remembering

pytestmark = pytest.mark.browser

#: Runs on the document: buttons and links that look like buttons, lower than 44 pixels.
LOW_BUTTONS = """
[...document.querySelectorAll("main button, main .mfa-button")]
  .filter((element) => element.offsetParent && element.offsetHeight < 44)
  .map((element) => element.textContent)
"""
#: Runs on the document: fields and buttons that only a colour sets apart from the page.
WITHOUT_BORDER = """
[...document.querySelectorAll(".mfa-button, .mfa-method, .mfa-input")]
  .filter((element) => element.offsetParent)
  .filter((element) => {
    const { borderStyle, borderWidth, forcedColorAdjust } = getComputedStyle(element);
    return borderStyle !== "solid" || parseFloat(borderWidth) < 1 || forcedColorAdjust !== "auto";
  })
  .map((element) => element.textContent)
"""
TWICE_AS_LARGE = ":root { font-size: 200% }"
#: The spacing that a page must bear.
SET_WIDER = """
* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
p { margin-bottom: 2em !important }
"""
#: Runs on the document, which lets no style element in.
WITH_STYLES = """
(() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(%s);
  document.adoptedStyleSheets = [sheet];
})()
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(seen: Seen, axe: str, scheme: str) -> None:
    """axe-core finds nothing that would keep somebody out, in light and in dark colours."""
    seen.browser.prefer(color_scheme=scheme)
    require_accessible(seen.browser, axe)


def test_remembering_is_accessible(visit: Callable[..., Any], tenant: Tenant, axe: str) -> None:
    """Nor where a device can be remembered, and where the devices are listed."""
    with visit(views=remembering) as browser:
        hand_login(browser, ANA, "/statements")
        require_accessible(browser, axe)
        browser.press("Authenticator app")
        browser.field("remember").click()
        browser.enter(tenant.current_otp(ANA))
        browser.go("/auth/mfa/devices")
        require_accessible(browser, axe)


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
    parts = seen.browser.page_parts()
    assert len(parts) <= 4, [one.url for one in parts]
    assert sum(one.size for one in parts) <= 30 * 1024


def test_fits_a_small_phone(seen: Seen) -> None:
    """On 320 pixels nothing has to be scrolled sideways."""
    seen.browser.resize(320, 640)
    assert seen.browser.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_larger_text(seen: Seen) -> None:
    """Text of twice the size, and text set wider, fit without scrolling sideways (WCAG 1.4.12)."""
    for width, styles in ((640, TWICE_AS_LARGE), (320, SET_WIDER)):
        seen.browser.resize(width)
        seen.browser.evaluate(WITH_STYLES % json.dumps(styles))
        try:
            assert seen.browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
        finally:
            seen.browser.evaluate("document.adoptedStyleSheets = []; null")


def test_forced_colors(seen: Seen) -> None:
    """Where the system sets all colours, fields and buttons still have a border, focus a ring."""
    active = {"name": "forced-colors", "value": "active"}
    seen.browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [active]})
    try:
        assert seen.browser.evaluate("matchMedia('(forced-colors: active)').matches")
        assert seen.browser.evaluate(WITHOUT_BORDER) == []
        seen.browser.evaluate("document.activeElement.blur()")
        seen.browser.keys(Keys.TAB)
        ring = seen.browser.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert float(ring.removesuffix("px")) >= 2
    finally:
        seen.browser.prefer()


def test_fields_are_not_zoomed_into(seen: Seen) -> None:
    """What is typed is at least 16 pixels high: below that, phones zoom into the field."""
    assert seen.browser.evaluate(
        "[...document.querySelectorAll('input:not([type=hidden], [type=checkbox]), select')]"
        ".every((one) => parseFloat(getComputedStyle(one).fontSize) >= 16)"
    )


def test_help_is_always_there(seen: Seen) -> None:
    """Help ends every page of ours, in the same place; changes are told in one region."""
    assert seen.browser.evaluate(
        "[...document.querySelectorAll('.mfa-card')].every((card) =>"
        " card.lastElementChild.matches('.mfa-help')"
        " && card.querySelectorAll('[role=status]').length === 1)"
    )


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


# -- in other languages ------------------------------------------------------------------------

#: Languages and pages with everything that they can break: fields, codes, lists, pictures.
ABROAD = [
    ("ar", "choose"),
    ("ar", "wrong-code"),
    ("ar", "new-recovery-code"),
    ("ar", "enroll-app"),
    (PSEUDO, "wrong-code"),
]
#: Runs on the document: parts whose beginning is not left of their end, or was not found.
TURNED_ROUND = """
[%s].filter(([selector, first, last]) => {
  const at = (text) => {
    const nodes = document.createTreeWalker(document.querySelector(selector), 4);
    while (nodes.nextNode()) {
      const start = nodes.currentNode.data.indexOf(text);
      if (start < 0) continue;
      const range = document.createRange();
      range.setStart(nodes.currentNode, start);
      range.setEnd(nodes.currentNode, start + text.length);
      return range.getBoundingClientRect().left;
    }
  };
  return !(at(first) < at(last));
})
"""


@pytest.fixture(scope="module", params=ABROAD, ids="-".join)
def abroad(
    request: pytest.FixtureRequest,
    visit: Callable[..., Any],
    tenant_server: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Browser]:
    """One page after the other in Arabic, then with every text marked and so a little longer."""
    language, name = request.param
    folder = tmp_path_factory.mktemp("texts")
    write_pseudo(folder)
    with visit(**only(language, folder)) as browser:
        walker = browser if language == PSEUDO else Foreigner(browser, language)
        PAGES[name](walker, tenant_server.tenant)
        yield browser


def test_accessible_abroad(abroad: Browser, axe: str) -> None:
    """axe-core finds nothing in another language either."""
    require_accessible(abroad, axe)


def test_fits_a_small_phone_abroad(abroad: Browser) -> None:
    """Longer texts, and texts from right to left, fit on 320 pixels too."""
    abroad.resize(320, 640)
    assert abroad.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert abroad.evaluate("document.querySelector('h1').getBoundingClientRect().left >= 0")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("text-message", [("main p b", "•••", "9167")]),
        ("choose", [("li:nth-child(3) small", "•••", "9167")]),
        ("enroll-number", [("#phone_number-hint", "+44", "7700"), ("main", "7700", "900123")]),
    ],
)
def test_numbers_are_not_turned_round(
    name: str, parts: list[tuple[str, str, str]], visit: Callable[..., Any], tenant_server: Any
) -> None:
    """In Arabic the groups of a number stay in their order, and codes are typed to the right."""
    with visit(**only("ar")) as browser:
        PAGES[name](Foreigner(browser, "ar"), tenant_server.tenant)
        assert browser.evaluate("getComputedStyle(document.body).direction") == "rtl"
        wanted = ",".join(json.dumps(part) for part in parts)
        assert browser.evaluate(TURNED_ROUND % wanted) == []
        fields = "[...document.querySelectorAll('input.mfa-input')]"
        assert browser.evaluate(
            f"{fields}.every((one) => getComputedStyle(one).direction == 'ltr')"
        )
        arrows = "[...document.querySelectorAll('.mfa-icon-next')]"
        mirrored = "getComputedStyle(one).transform == 'matrix(-1, 0, 0, 1, 0, 0)'"
        assert browser.evaluate(f"{arrows}.every((one) => {mirrored})")
