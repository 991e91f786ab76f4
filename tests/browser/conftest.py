"""The bank, served to headless Chromium, with JavaScript and without."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest
from flask import Flask
from selenium import webdriver
from werkzeug.serving import WSGIRequestHandler, make_server

from examples.bank import create_app
from flask_auth0_mfa.emulator import Tenant

from .axe import axe_script
from .browser import Browser, chromium
from .login import hand_login
from .pages import ANA, TARGET

with_and_without_scripts = pytest.mark.parametrize(
    "scripts", [True, False], ids=["scripts", "no scripts"]
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the folder that screenshots.py writes into."""
    parser.addoption("--into", default="docs/_static/pages", help="folder for the screenshots")


class QuietHandler(WSGIRequestHandler):
    """Answers without a line in the log for each request."""

    def log_request(self, *_arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def serve_bank(
    tenant_url: str,
    *,
    clock: Callable[[], float] | None = None,
    views: Callable[[Flask], None] | None = None,
    **config: Any,
) -> Iterator[str]:
    """Serve the bank on a free port, for the length of the block; yields its address.

    ``views`` gives it pages that it does not have.
    """
    key = "a key for the browser tests, long enough"
    app = create_app({"AUTH0_DOMAIN": tenant_url, "SECRET_KEY": key, **config})
    if views is not None:
        views(app)
    if clock is not None:
        app.extensions["auth0_mfa"].clock.tell = clock
    with serve_app(app) as url:
        yield url


@contextmanager
def serve_app(app: Flask) -> Iterator[str]:
    """Serve an application on a free port, for the length of the block; yields its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
    # The interval is how long the end of a test has to wait, in seconds.
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name=app.name, daemon=True)
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


@pytest.fixture(scope="session")
def visit(
    chromiums: Callable[..., webdriver.Chrome], tenant_server: Any
) -> Callable[..., AbstractContextManager[Browser]]:
    """Return a context manager: somebody who has never been at a bank that has just opened."""

    @contextmanager
    def visitor(*, scripts: bool = True, **config: Any) -> Iterator[Browser]:
        tenant_server.tenant.reset()
        # A bank for each visit, so that no limit is used up yet.
        with serve_bank(tenant_server.url, **config) as url:
            browser = Browser(chromiums(scripts=scripts), url)
            browser.forget()
            yield browser

    return visitor


@pytest.fixture(scope="session")
def axe(request: pytest.FixtureRequest) -> str:
    """The script of axe-core, installed from the npm registry once."""
    return axe_script(request.config.cache.mkdir("axe-core"))


@pytest.fixture
def scripts() -> bool:
    """Whether JavaScript is on; tests that should hold for both parametrize it."""
    return True


@pytest.fixture
def bank_config() -> dict[str, Any]:
    """Settings of the bank beyond its defaults."""
    return {}


@pytest.fixture
def browser(
    visit: Callable[..., Any], tenant: Tenant, scripts: bool, bank_config: dict[str, Any]
) -> Iterator[Browser]:
    """Somebody who has never been at the bank."""
    with visit(scripts=scripts, **bank_config) as browser:
        yield browser


@pytest.fixture
def ana(browser: Browser) -> Browser:
    """Ana, logged in."""
    hand_login(browser, ANA, "/accounts")
    return browser


@pytest.fixture
def code_page(browser: Browser) -> Browser:
    """Ana on the page that asks for the code of her app, on her way to ``TARGET``."""
    hand_login(browser, ANA, TARGET)
    browser.press("Authenticator app")
    return browser


@pytest.fixture
def right_code(tenant: Tenant) -> str:
    """The code that Ana's app shows."""
    return tenant.current_otp(ANA)


@pytest.fixture
def wrong_code(right_code: str) -> str:
    """Six digits that Ana's app does not show."""
    return f"{(int(right_code) + 1) % 1_000_000:06}"
