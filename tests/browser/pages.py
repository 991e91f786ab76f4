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
#: What else these pages can look like, mostly when something is wrong. For ``make pages`` only; the
#: bank is there with the page of :func:`remembering`.
STATES: dict[str, Walk] = {}


def page(walk: Walk) -> Walk:
    """Enter the page into the table, under the name of the function."""
    PAGES[walk.__name__.replace("_", "-")] = walk
    return walk


def state(walk: Walk) -> Walk:
    """Enter a further state of a page into its table, under the name of the function."""
    STATES[walk.__name__.replace("_", "-")] = walk
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


#: The pages of the extension that the documentation shows, without the bank's own.
OURS = [*(name for name in PAGES if not name.startswith("bank")), "remember", "devices"]


# -- further states ----------------------------------------------------------------------------


@state
def no_code(browser: Browser, tenant: Tenant) -> None:
    """Continue was pressed without a code."""
    code(browser, tenant)
    browser.enter("")


@state
def short_code(browser: Browser, tenant: Tenant) -> None:
    """The code is not long enough."""
    code(browser, tenant)
    browser.enter("123")


@state
def last_try(browser: Browser, tenant: Tenant) -> None:
    """One try is left."""
    wrong_code(browser, tenant)
    for _ in range(3):
        browser.enter("000000")


@state
def only_method(browser: Browser, tenant: Tenant) -> None:
    """The code of the only method that there is."""
    hand_login(browser, "cleo@example.com", TARGET)


@state
def phone_call(browser: Browser, tenant: Tenant) -> None:
    """Enter the code from the phone call."""
    choose(browser, tenant)
    browser.press("Phone call")


@state
def e_mail(browser: Browser, tenant: Tenant) -> None:
    """Enter the code from your e-mail."""
    choose(browser, tenant)
    browser.press("E-mail")


@state
def wrong_message_code(browser: Browser, tenant: Tenant) -> None:
    """The code of the message did not work."""
    text_message(browser, tenant)
    browser.enter("000000")


@state
def wrong_recovery_code(browser: Browser, tenant: Tenant) -> None:
    """The recovery code did not work."""
    recovery(browser, tenant)
    browser.enter("A" * 24)


@state
def not_saved(browser: Browser, tenant: Tenant) -> None:
    """Continue was pressed before the recovery code was saved."""
    new_recovery_code(browser, tenant)
    browser.press("Continue")


@state
def not_approved_yet(browser: Browser, tenant: Tenant) -> None:
    """The button was pressed before the request was approved."""
    phone(browser, tenant)
    browser.press("I have approved it")


@state
def second_of_two(browser: Browser, tenant: Tenant) -> None:
    """The first of two checks is passed."""
    hand_login(browser, ANA, "/admin")
    browser.press("Authenticator app")
    browser.enter(tenant.current_otp(ANA))


@state
def enroll_wrong_code(browser: Browser, tenant: Tenant) -> None:
    """The code of the new app did not work."""
    enroll_app(browser, tenant)
    browser.enter("000000")


@state
def enroll_wrong_number(browser: Browser, tenant: Tenant) -> None:
    """The number is not one."""
    enroll_number(browser, tenant)
    browser.field("phone_number").send_keys("12")
    browser.press("Send a code")


@state
def enroll_message(browser: Browser, tenant: Tenant) -> None:
    """Enter the code that went to the new number."""
    enroll_number(browser, tenant)
    browser.field("phone_number").send_keys("+447700900123")
    browser.press("Send a code")


@state
def enroll_phone(browser: Browser, tenant: Tenant) -> None:
    """Set up approval on your phone."""
    enroll_choose(browser, tenant)
    browser.press("Approve on your phone")


@state
def unavailable_choice(browser: Browser, tenant: Tenant) -> None:
    """The methods cannot be asked for."""
    tenant.fault("/mfa/authenticators", status=503, times=9)
    hand_login(browser, ANA, TARGET)


@state
def method_does_not_work(browser: Browser, tenant: Tenant) -> None:
    """The message cannot be sent."""
    choose(browser, tenant)
    body = {"error": "server_error", "error_description": "no provider"}
    tenant.fault("/mfa/challenge", status=400, body=body)
    browser.press("Text message")


# -- remembered devices ------------------------------------------------------------------------


@state
def remember(browser: Browser, tenant: Tenant) -> None:
    """Enter the code, and say whether this device is remembered."""
    hand_login(browser, ANA, "/statements")
    browser.press("Authenticator app")


@state
def remember_choice(browser: Browser, tenant: Tenant) -> None:
    """Choose a method, where approval on the phone has a box of its own."""
    hand_login(browser, ANA, "/statements")


@state
def no_device(browser: Browser, tenant: Tenant) -> None:
    """No device is remembered."""
    hand_login(browser, ANA, "/auth/mfa/devices")


@state
def devices(browser: Browser, tenant: Tenant) -> None:
    """Remembered devices."""
    remember(browser, tenant)
    browser.field("remember").click()
    browser.enter(tenant.current_otp(ANA))
    browser.go("/auth/mfa/devices")
