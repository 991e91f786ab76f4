"""The bank, served to headless Chromium, with JavaScript and without."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from selenium import webdriver
from werkzeug.serving import WSGIRequestHandler, make_server

from examples.bank import create_app
from flask_auth0_mfa.emulator import Tenant

from .browser import Browser, chromium

with_and_without_scripts = pytest.mark.parametrize(
    "scripts", [True, False], ids=["scripts", "no scripts"]
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the folder that screenshots.py writes into."""
    parser.addoption("--into", default="screenshots", help="folder for the screenshots")


class QuietHandler(WSGIRequestHandler):
    """Answers without a line in the log for each request."""

    def log_request(self, *_arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def serve_bank(tenant_url: str, **config: Any) -> Iterator[str]:
    """Serve the bank on a free port, for the length of the block; yields its address."""
    key = "a key for the browser tests, long enough"
    app = create_app({"AUTH0_DOMAIN": tenant_url, "SECRET_KEY": key, **config})
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, name="bank", daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="session")
def chromiums(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Return a function that gives the Chromium for a JavaScript setting, started once."""
    started: dict[bool, webdriver.Chrome] = {}
    with ExitStack() as running:

        def get(*, scripts: bool) -> webdriver.Chrome:
            if scripts not in started:
                profile = tmp_path_factory.mktemp("chromium")
                started[scripts] = running.enter_context(chromium(profile, scripts=scripts))
            return started[scripts]

        yield get


@pytest.fixture
def scripts() -> bool:
    """Whether JavaScript is on; tests that should hold for both parametrize it."""
    return True


@pytest.fixture
def bank_config() -> dict[str, Any]:
    """Settings of the bank beyond its defaults."""
    return {}


@pytest.fixture
def bank(tenant: Tenant, tenant_server: Any, bank_config: dict[str, Any]) -> Iterator[str]:
    """The bank's address: a new one for each test, so no limit is used up yet."""
    with serve_bank(tenant_server.url, **bank_config) as url:
        yield url


@pytest.fixture
def browser(chromiums: Callable[..., Any], scripts: bool, bank: str) -> Browser:
    """Somebody who has never been at the bank."""
    browser = Browser(chromiums(scripts=scripts), bank)
    browser.forget()
    return browser


@pytest.fixture
def ana(browser: Browser) -> Browser:
    """Ana, logged in."""
    browser.log_in()
    return browser
