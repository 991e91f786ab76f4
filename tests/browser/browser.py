"""A Chromium as a person uses it: by what is on the page, with mouse and keyboard."""

from __future__ import annotations

import base64
import json
import math
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nothing leaves this machine, whatever a page asks for.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost",
    # Half of Chromium's work is not the page: no tabs and toolbars to draw, and fewer processes.
    # Not fewer for the pages: a test gives one of them a clock of its own.
    "--kiosk",
    "--screen-info={1280x813}",
    "--in-process-gpu",
    "--enable-features=NetworkServiceInProcess2",
)
TIMEOUT = 10

#: The first link or button that shows a text.
FIND = """
    return [...document.querySelectorAll("a, button")].find(
        (one) => one.checkVisibility() && one.innerText.includes(arguments[0])
    )
"""
#: The middle of an element on the screen, or nothing where something else lies above it.
MIDDLE = """
    const [element] = arguments
    element.scrollIntoViewIfNeeded()
    const {x, y, width, height} = element.getClientRects()[0]
    const middle = [x + width / 2, y + height / 2]
    return element.contains(document.elementFromPoint(...middle)) ? middle : null
"""


@dataclass(frozen=True)
class Request:
    """One request of the browser, as its developer tools see it; ``size`` is in bytes."""

    url: str
    kind: str
    method: str
    size: int = 0


@contextmanager
def chromium(profile: Path, *, scripts: bool) -> Iterator[webdriver.Chrome]:
    """Run a headless Chromium with a profile of its own, for the length of the block."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    if not scripts:
        blocked = {"profile.managed_default_content_settings.javascript": 2}
        options.add_experimental_option("prefs", blocked)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


class Browser:
    """Somebody with a browser in front of the bank at ``site``."""

    def __init__(self, driver: webdriver.Chrome, site: str) -> None:
        self.driver = driver
        self.site = site
        self._requests: list[Request] = []
        #: Where the newest request with an id stands in the list.
        self._places: dict[str, int] = {}

    # -- what is on the page -----------------------------------------------------------------

    @property
    def address(self) -> str:
        """The path and query of the page, as the address bar shows them."""
        parts = urlsplit(self.driver.current_url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    @property
    def title(self) -> str:
        """The title of the page."""
        return self.driver.title

    @property
    def heading(self) -> str:
        """The text of the page's ``<h1>``."""
        return self.driver.find_element(By.TAG_NAME, "h1").text

    @property
    def text(self) -> str:
        """The text that can be seen on the page."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    @property
    def focused(self) -> str:
        """What has the keyboard's focus: the field's name, or the text of a link or button."""
        element = self.driver.switch_to.active_element
        return element.get_attribute("name") or element.text.split("\n")[0]

    def field(self, name: str) -> WebElement:
        """Return the visible field of that name."""
        return self.driver.find_element(By.NAME, name)

    def find(self, text: str) -> WebElement:
        """Return the first link or button with that text."""
        element = self.driver.execute_script(FIND, text)
        assert element is not None, f"nothing to press with {text!r}: {self.text}"
        return element

    # -- what a person does ------------------------------------------------------------------

    def go(self, path: str) -> None:
        """Open an address of the bank."""
        self.driver.get(urljoin(self.site, path))

    def press(self, text: str) -> None:
        """Click the link or button with that text, and wait for the page that it leads to."""
        with self.next_page():
            self.click(self.find(text))

    def click(self, element: WebElement) -> None:
        """Press and release the mouse in the middle of an element, as a person would.

        Half the work of WebDriver's own click, which most tests do several times.
        """
        middle = self.driver.execute_script(MIDDLE, element)
        assert middle is not None, f"something lies above {element.text!r}"
        x, y = middle
        for kind in ("mousePressed", "mouseReleased"):
            event = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
            self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    def enter(self, code: str) -> None:
        """Type the code and send it with the Enter key."""
        with self.next_page():
            self.field("code").send_keys(code, Keys.ENTER)

    def keys(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def await_focus(self, name: str) -> None:
        """Wait until a field has the focus: a page gives it with the first picture it draws."""
        WebDriverWait(self.driver, TIMEOUT, 0.02).until(lambda _: self.focused == name)

    def shortcuts(self, *letters: str) -> None:
        """Press each letter together with Ctrl."""
        chain = ActionChains(self.driver).key_down(Keys.CONTROL)
        chain.send_keys(*letters).key_up(Keys.CONTROL).perform()

    def tab_to(self, what: str) -> list[str]:
        """Press Tab until ``what`` has the focus, and return everything on the way."""
        way: list[str] = []
        while not way or what not in way[-1]:
            assert len(way) < 20, f"{what!r} is not reached by Tab: {way}"
            self.keys(Keys.TAB)
            way.append(self.focused)
        return way

    def log_in(self, email: str = "ana@example.com", target: str = "/accounts") -> None:
        """Open a page that needs a login, and log in with the local tenant's password."""
        self.go(target)
        self.field("username").send_keys(email)
        with self.next_page():
            self.field("password").send_keys("demo", Keys.ENTER)

    def choose(self, method: str, target: str = "/transfer") -> None:
        """Open a page that needs a second check, and choose how to do it."""
        self.go(target)
        self.press(method)

    def let_cookies_expire(self, seconds: int) -> None:
        """Forget the cookies that the browser would not have any more after so many seconds."""
        for cookie in self.driver.get_cookies():
            if cookie.get("expiry", math.inf) < time.time() + seconds:
                self.driver.delete_cookie(cookie["name"])

    @contextmanager
    def other_tab(self) -> Iterator[None]:
        """Do what follows in a second tab, and come back to the first one."""
        first = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        try:
            yield
        finally:
            self.driver.close()
            self.driver.switch_to.window(first)

    @contextmanager
    def next_page(self) -> Iterator[None]:
        """Wait, after what follows, until another page has come."""
        loader = self._loader()
        yield
        WebDriverWait(self.driver, TIMEOUT, 0.02).until(lambda _: self._loader() != loader)

    # -- how it is shown ---------------------------------------------------------------------

    def resize(self, width: int, height: int = 900) -> None:
        """Show the page on a screen of that size, in CSS pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        # As on a phone: they take no room.
        self.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})

    def prefer(self, **features: str) -> None:
        """Set what the user prefers: ``color_scheme="dark"``, ``reduced_motion="reduce"``."""
        wanted = [
            {"name": f"prefers-{name.replace('_', '-')}", "value": value}
            for name, value in features.items()
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, which may be a promise.

        By the developer tools, which the page's Content-Security-Policy does not bind.
        """
        command = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        answer = self.driver.execute_cdp_cmd("Runtime.evaluate", command)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    # -- what the developer tools saw --------------------------------------------------------

    def requests(self) -> list[Request]:
        """Return every request since :meth:`forget`, in the order in which they were sent."""
        for event in self._events():
            name, params = event["method"], event["params"]
            if name == "Network.requestWillBeSent":
                # A redirect is a request of its own under the same id.
                self._places[params["requestId"]] = len(self._requests)
                sent = params["request"]
                kind = params.get("type", "")
                self._requests.append(Request(sent["url"], kind, sent["method"]))
            elif name == "Network.loadingFinished" and params["requestId"] in self._places:
                place = self._places[params["requestId"]]
                size = int(params["encodedDataLength"])
                self._requests[place] = replace(self._requests[place], size=size)
        return list(self._requests)

    def page_parts(self) -> list[Request]:
        """Return the requests for the page that is open, itself first."""
        seen = self.requests()
        start = max(place for place, one in enumerate(seen) if one.kind == "Document")
        # "Other" is the site's icon, which Chromium fetches once and not with each page.
        return [one for one in seen[start:] if one.kind != "Other"]

    @property
    def source(self) -> str:
        """The HTML of the page as it came, also where it was the answer to a form."""
        documents = (n for n, one in enumerate(self.requests()) if one.kind == "Document")
        last = max(documents)
        (request,) = (name for name, place in self._places.items() if place == last)
        found = self.driver.execute_cdp_cmd("Network.getResponseBody", {"requestId": request})
        content: str = found["body"]
        return base64.b64decode(content).decode() if found["base64Encoded"] else content

    def console_errors(self) -> list[str]:
        """Return what the console reports, but for the status of the pages themselves."""
        pages = {one.url for one in self.requests() if one.kind == "Document"}
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if not (
                "the server responded with a status of" in entry["message"]
                and entry["message"].split(" ")[0] in pages
            )
        ]

    def forget_requests(self) -> None:
        """Begin the list of requests anew; the page that is open has finished loading."""
        self._events()
        self._requests.clear()
        self._places.clear()

    def forget(self) -> None:
        """Become a browser that has never been here: no cookies, no cache, no log."""
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.prefer()
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.forget_requests()

    def _events(self) -> list[dict[str, Any]]:
        entries = self.driver.get_log("performance")
        return [json.loads(entry["message"])["message"] for entry in entries]

    def _loader(self) -> str:
        """Return the id of the page load: another one for each page that has come."""
        tree = self.driver.execute_cdp_cmd("Page.getFrameTree", {})
        return str(tree["frameTree"]["frame"]["loaderId"])
