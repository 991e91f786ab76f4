"""The limits of a real browser and of a real server, and a session that comes close to them.

Chromium drops a cookie of more than 4 096 bytes; gunicorn, as it is installed, refuses a request
with a header of more than 8 190.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask

from examples.bank import create_app
from flask_auth0_mfa import current_auth0, requires_login, requires_stepup
from flask_auth0_mfa.emulator import Tenant

from .browser import Browser
from .pages import ANA

ACCOUNTS = "https://accounts.example.com"
ADMIN = "https://admin.example.com"
#: gunicorn's own default for ``--limit-request-field_size``, in bytes.
HEADER_LIMIT = 8_190
COOKIE_LIMIT = 4_096
KEY = "a key for the browser tests, long enough"

pytestmark = pytest.mark.browser


def application() -> Flask:
    """Return what gunicorn serves: the bank, and views for one API more."""
    app = create_app()

    @app.get("/statement")
    @requires_login
    def statement() -> str:
        return f"Statement with a token for {current_auth0.get_access_token(ACCOUNTS).audience}"

    @app.get("/admin/list")
    @requires_stepup(ADMIN, scope="read:admin")
    def listed() -> str:
        return "Everybody"

    @app.get("/admin/change")
    @requires_stepup(ADMIN, scope="write:admin")
    def changed() -> str:
        return "Changed"

    return app


@pytest.fixture
def site(tenant: Tenant, tenant_server: Any) -> Iterator[str]:
    """The address of the application, served by gunicorn with its own limits."""
    target = "tests.browser.test_cookie_limits:application()"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        fd = listening.fileno()
        process = subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, "-m", "gunicorn", "--bind", f"fd://{fd}", "--threads", "4", target],
            cwd=Path(__file__).parent.parent.parent,
            env=os.environ
            | {"SECRET_KEY": KEY, "AUTH0_DOMAIN": tenant_server.url}
            | {"AUTH0_CLIENT_ID": "demo-client", "AUTH0_CLIENT_SECRET": "demo-secret"},
            pass_fds=[fd],
            stderr=subprocess.DEVNULL,
        )
        yield f"http://localhost:{listening.getsockname()[1]}"
        process.terminate()
        process.wait(20)


@pytest.fixture
def ana(chromiums: Callable[..., Any], site: str, tenant: Tenant) -> Browser:
    """Ana, who is signed in and has been verified for two APIs, and has a token for a third one."""
    browser = Browser(chromiums(scripts=True), site)
    browser.forget()
    browser.log_in(ANA, "/statement")
    prove(browser, tenant, "/transfer")
    prove(browser, tenant, "/admin/list")
    return browser


def prove(browser: Browser, tenant: Tenant, target: str) -> None:
    """Open a page and prove what it asks for."""
    browser.go(target)
    finish(browser, tenant)
    assert browser.address == target


def finish(browser: Browser, tenant: Tenant) -> int:
    """Do what the pages of a check ask for, until they let go; return how often it began again."""
    again = 0
    for _ in range(8):
        if not browser.address.startswith("/auth/mfa/"):
            return again
        browser.driver.refresh()
        if "timed out" in browser.heading:
            again += 1
            browser.press("Start again")
        elif "text message" in browser.heading:
            browser.enter(tenant.last_message(ANA).code)
        elif browser.driver.find_elements("name", "code"):
            # A code of the app counts once.
            tenant.advance(30)
            browser.enter(tenant.current_otp(ANA))
        else:
            browser.press(
                "Authenticator" if "Authenticator app" in browser.text else "Text message"
            )
    raise AssertionError(browser.text)


def cookies(browser: Browser) -> dict[str, str]:
    """Return the cookies that the browser sends."""
    return {cookie["name"]: cookie["value"] for cookie in browser.driver.get_cookies()}


def header_size(browser: Browser) -> int:
    """Return how long the header is in which the browser sends its cookies, in bytes."""
    sent = "; ".join(f"{name}={value}" for name, value in cookies(browser).items())
    return len(f"Cookie: {sent}\r\n")


@pytest.fixture
def two_tabs(ana: Browser) -> Iterator[Browser]:
    """Ana with a check open in each of two tabs; the second one, for another API, is in front."""
    ana.go("/api/balance")
    ana.press("Authenticator app")
    with ana.other_tab():
        ana.go("/admin/change")
        ana.press("Text message")
        yield ana


def test_server_has_a_limit(site: str) -> None:
    """This server refuses a header that is a byte too long, so what follows is no accident."""
    answers = []
    for size in (HEADER_LIMIT, HEADER_LIMIT + 1):
        value = "b" * (size - len("Cookie: a=\r\n"))
        answer = requests.get(site, headers={"Cookie": f"a={value}"}, timeout=10)
        answers.append(answer.status_code in (400, 431))
    assert answers == [False, True]


def test_further_requests(two_tabs: Browser) -> None:
    """With both checks open every other page is answered, for the user who is signed in."""
    shown = {"/": "Ana", "/accounts": "Ana", "/statement": ACCOUNTS, "/auth/profile": ANA}
    for path, text in shown.items():
        # More than one cookie can hold, and no more than browser and server accept.
        assert COOKIE_LIMIT < header_size(two_tabs) <= HEADER_LIMIT
        assert all(len(name + value) <= COOKIE_LIMIT for name, value in cookies(two_tabs).items())
        two_tabs.go(path)
        assert two_tabs.address == path
        assert text in two_tabs.text


def test_both_checks_are_finished(ana: Browser, two_tabs: Browser, tenant: Tenant) -> None:
    """Each tab arrives at its own page, without starting again, and no other one is lost."""
    again = finish(two_tabs, tenant)
    assert two_tabs.address == "/admin/change"
    tabs = two_tabs.driver.window_handles
    two_tabs.driver.switch_to.window(tabs[0])
    again += finish(two_tabs, tenant)
    assert two_tabs.address == "/api/balance"
    assert again == 0
    two_tabs.driver.switch_to.window(tabs[1])
    for path in ("/statement", "/admin/change", "/api/balance", "/transfer", "/admin/list"):
        two_tabs.go(path)
        assert two_tabs.address == path
