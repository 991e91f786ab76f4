"""The example of an API that asks for a second check, and of the application that calls it."""

from __future__ import annotations

import pytest
import requests

from examples.api import create_api, create_app
from examples.api.__main__ import tenant as demo_tenant
from examples.api.server import MAX_AGE, api
from flask_auth0_mfa.emulator import Tenant, serve
from flask_auth0_mfa.testing.clock import SharedClock

from .observed import ANA, grants
from .served import served


@pytest.fixture(scope="module")
def tenant_server():
    """The tenant of the example, with a clock that can be put forward."""
    with serve(Tenant(demo_tenant().configuration, clock=SharedClock()), port=0) as server:
        yield server


@pytest.fixture
def payments(tenant_server):
    """The address of the API."""
    app = create_api(tenant_server.url)
    api.services(app).clock.tell = tenant_server.tenant.clock.now
    with served(app) as url:
        yield url


@pytest.fixture
def app(tenant, tenant_server, payments):
    """The application."""
    app = create_app(
        {
            "AUTH0_DOMAIN": tenant_server.url,
            "PAYMENTS_URL": payments,
            "SECRET_KEY": "a key for tests only",
        }
    )
    app.extensions["auth0_mfa"].clock.tell = tenant.clock.now
    return app


@pytest.fixture
def at_balance(ana, tenant):
    """Ana, who has seen her balance after a check."""
    page = ana.step_up("/balance", tenant.current_otp(ANA))
    assert "€2480" in page.text
    return ana


def test_api_alone(payments):
    """The API answers a request without a token with what it wants."""
    answer = requests.get(f"{payments}balance", timeout=5)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="https://payments.example.com"'


def test_sending_money_right_away(at_balance, tenant):
    """A check of a moment ago is enough for the API."""
    page = at_balance.press(at_balance.get("/transfer"), "payee", payee="Ben", amount="10")
    assert "€10 are on their way to Ben. €2470" in page.text
    assert len(grants(tenant)) == 1


def test_sending_money_later(at_balance, tenant):
    """An older one is not: the user has another one before the form, and lands there."""
    tenant.advance(MAX_AGE + 1)
    page = at_balance.step_up("/transfer", tenant.current_otp(ANA))
    assert (page.path, page.heading) == ("/transfer", "Send money")


def test_taking_long_over_the_form(at_balance, tenant):
    """Who takes long has one when the form is sent, comes back to it, and sends it again."""
    form = at_balance.get("/transfer")
    tenant.advance(MAX_AGE + 1)
    _, fields = form.form("payee")
    answer = at_balance.client.post(
        "/transfer",
        data=fields | {"payee": "Ben", "amount": "10"},
        headers={"Accept": "text/html", "Referer": form.url},
    )
    page = at_balance.step_up(answer.location, tenant.current_otp(ANA))
    assert (page.path, page.heading) == ("/transfer", "Send money")
    assert at_balance.press(page, "payee", payee="Ben", amount="10").path == "/balance"


def test_too_much(at_balance):
    """What the API refuses for another reason is the application's to explain."""
    page = at_balance.press(at_balance.get("/transfer"), "payee", payee="Ben", amount="501")
    assert (page.status, page.heading) == (400, "Nothing was sent")
