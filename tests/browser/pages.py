"""Every page that people see, and how to get to it; for tests of all pages, and for pictures."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from flask_auth0_mfa import requires_stepup
from flask_auth0_mfa.emulator import Tenant

from .browser import Browser
from .login import hand_login

PAYMENTS = "https://payments.example.com"

Walk = Callable[[Browser, Tenant], None]

ANA = "ana@example.com"
BEN = "ben@example.com"
#: Where the visitor of these pages is going, with a query that has to arrive unchanged.
TARGET = "/transfer?payee=Ben+O%27Neil&note=a%20b&list=1&list=2"

#: By name: what a visitor does to get there. Each begins with a browser that has never been here.
PAGES: dict[str, Walk] = {}


def page(walk: Walk) -> Walk:
    """Enter the page into the table, under the name of the function."""
    PAGES[walk.__name__.replace("_", "-")] = walk
    return walk


def remembering(app: Flask) -> None:
    """Give the bank a page that remembers devices."""
    view = requires_stepup(PAYMENTS, remember=30)(lambda: "<h1>Statements</h1>")
    app.add_url_rule("/statements", "statements", view)


# -- the way of a check ----------------------------------------------------------------------


@page
def choose(browser: Browser, tenant: Tenant) -> None:
    """Choose how to confirm that it is you."""
    hand_login(browser, ANA, TARGET)


@page
def code(browser: Browser, tenant: Tenant) -> None:
    """Enter the code from your authenticator app."""
    choose(browser, tenant)
    browser.press("Authenticator app")


@page
def wrong_code(browser: Browser, tenant: Tenant) -> None:
    """The code did not work."""
    code(browser, tenant)
    browser.enter(f"{(int(tenant.current_otp(ANA)) + 1) % 1_000_000:06}")


@page
def text_message(browser: Browser, tenant: Tenant) -> None:
    """Enter the code from your text message."""
    choose(browser, tenant)
    browser.press("Text message")


@page
def recovery(browser: Browser, tenant: Tenant) -> None:
    """Enter your recovery code."""
    choose(browser, tenant)
    browser.press("Recovery code")


@page
def new_recovery_code(browser: Browser, tenant: Tenant) -> None:
    """Save your new recovery code."""
    recovery(browser, tenant)
    browser.enter(tenant.recovery_code(ANA))


@page
def phone(browser: Browser, tenant: Tenant) -> None:
    """Approve the request on your phone."""
    choose(browser, tenant)
    browser.press("Approve on your phone")


@page
def declined(browser: Browser, tenant: Tenant) -> None:
    """The request was declined on your phone."""
    phone(browser, tenant)
    tenant.reject()
    browser.press("I have approved it")


# -- setting up a first method ---------------------------------------------------------------


@page
def enroll_choose(browser: Browser, tenant: Tenant) -> None:
    """Choose what to set up."""
    hand_login(browser, BEN, TARGET)


@page
def enroll_app(browser: Browser, tenant: Tenant) -> None:
    """Set up your authenticator app."""
    enroll_choose(browser, tenant)
    browser.press("Authenticator app")


@page
def enroll_number(browser: Browser, tenant: Tenant) -> None:
    """Say to which number messages go."""
    enroll_choose(browser, tenant)
    browser.press("Text message")


# -- what can come in between ----------------------------------------------------------------


@page
def expired(browser: Browser, tenant: Tenant) -> None:
    """This check has timed out."""
    code(browser, tenant)
    tenant.advance(601)
    browser.enter(tenant.current_otp(ANA))


@page
def limited(browser: Browser, tenant: Tenant) -> None:
    """Too many wrong codes."""
    wrong_code(browser, tenant)
    while "tries left" in browser.text or "try left" in browser.text:
        browser.enter("000000")


@page
def limited_messages(browser: Browser, tenant: Tenant) -> None:
    """Too many messages."""
    text_message(browser, tenant)
    browser.evaluate("document.querySelector('section button').disabled = false")
    browser.press("Send a new code")


@page
def unavailable(browser: Browser, tenant: Tenant) -> None:
    """We cannot check this right now."""
    code(browser, tenant)
    tenant.fault("/oauth/token", status=503)
    browser.enter(tenant.current_otp(ANA))


@page
def already_verified(browser: Browser, tenant: Tenant) -> None:
    """You are already verified."""
    code(browser, tenant)
    browser.enter(tenant.current_otp(ANA))
    browser.driver.back()


@page
def not_open(browser: Browser, tenant: Tenant) -> None:
    """This check is not open."""
    hand_login(browser, ANA, "/auth/mfa/challenge?context=AAAAAAAAAAAAAAAAAAAAAA")


@page
def signed_out(browser: Browser, tenant: Tenant) -> None:
    """Sign in to go on."""
    code(browser, tenant)
    browser.driver.delete_all_cookies()
    browser.enter("123456")


@page
def not_protected(browser: Browser, tenant: Tenant) -> None:
    """A second check is needed, but it is not set up."""
    hand_login(browser, ANA, "/open")


# -- without a login -------------------------------------------------------------------------


@page
def login_refused(browser: Browser, tenant: Tenant) -> None:
    """Access was denied."""
    browser.go("/accounts")
    browser.press("Cancel")


@page
def login_broken(browser: Browser, tenant: Tenant) -> None:
    """This did not work."""
    browser.go("/auth/callback?code=a&state=b")


# -- the bank --------------------------------------------------------------------------------


@page
def bank_home(browser: Browser, tenant: Tenant) -> None:
    """The bank's front page."""
    browser.go("/")


@page
def bank_accounts(browser: Browser, tenant: Tenant) -> None:
    """Your accounts."""
    hand_login(browser, ANA, "/accounts")


@page
def bank_transfer(browser: Browser, tenant: Tenant) -> None:
    """Transfer money."""
    code(browser, tenant)
    browser.enter(tenant.current_otp(ANA))


@page
def bank_dashboard(browser: Browser, tenant: Tenant) -> None:
    """How second checks went in the last hour."""
    wrong_code(browser, tenant)
    browser.enter(tenant.current_otp(ANA))
    browser.go("/dashboard")


# -- forms that a check stopped --------------------------------------------------------------


@page
def approve(browser: Browser, tenant: Tenant) -> None:
    """Choose how to confirm exactly this."""
    hand_login(browser, ANA, "/standing-order")
    browser.field("payee").send_keys("Café Zoë & Söhne")
    browser.field("amount").send_keys("25")
    browser.press("Set it up")


@page
def approve_code(browser: Browser, tenant: Tenant) -> None:
    """Enter the code for exactly this."""
    approve(browser, tenant)
    browser.press("Authenticator app")


@page
def resume(browser: Browser, tenant: Tenant) -> None:
    """You are verified. Send it now?"""
    approve_code(browser, tenant)
    browser.enter(tenant.current_otp(ANA))
