"""The example of a front end with a form of its own, as its script talks to it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import requests

import flask_auth0_mfa
from examples.spa import create_app
from flask_auth0_mfa.emulator import Tenant

from .observed import ANA
from .test_examples import program
from .visitor import Visitor

ORDER = {"payee": "Ben", "amount": "10.00"}
MODULE = Path(flask_auth0_mfa.__file__).parent / "static/stepup.js"


@pytest.fixture
def app(tenant: Tenant, tenant_server):
    """The example, in place of the application that other tests use."""
    return create_app({"AUTH0_DOMAIN": tenant_server.url, "SECRET_KEY": "a key for tests only"})


class TestServer:
    """The page and its API."""

    def test_page_needs_a_login(self, visitor):
        """Somebody unknown lands on the tenant's login page, and then on the page."""
        page = visitor.get("/")
        page = visitor.press(page, "password", username=ANA, password="demo")
        assert page.heading == "Harbour Pay"

    def test_page_allows_its_own_files_only(self, ana):
        """The page's policy lets nothing in from elsewhere, and no inline script."""
        assert "default-src 'self'" in ana.get("/").headers["Content-Security-Policy"]
        assert "unsafe" not in ana.get("/").headers["Content-Security-Policy"]

    def test_api_asks_for_a_second_check(self, ana):
        """The API answers 403 with what the script needs."""
        body = ana.mfa_required("/api/balance")
        assert body.keys() >= {"mfa_token", "mfa_requirements", "challenge_url", "message"}

    def test_form_of_its_own(self, ana, tenant):
        """The three steps of the script: refused, verified, sent again."""
        refused = ana.json("POST", "/api/transfer", json=ORDER)
        token = {"mfa_token": refused.json["mfa_token"]}
        started = ana.json("POST", "/auth/mfa/challenge", json=token)
        assert started.json == {"challenge_type": "otp"}
        code = {"code": tenant.current_otp(ANA)}
        assert ana.json("POST", "/auth/mfa/verify", json={**token, **code}).status_code == 200
        assert ana.json("POST", "/api/transfer", json=ORDER).json["payee"] == "Ben"

    def test_challenge_page(self, ana, tenant):
        """The challenge page leads back to the page that the script runs on."""
        headers = {"Referer": "http://localhost/"}
        refused = ana.json("GET", "/api/balance", headers=headers)
        page = ana.press(ana.get(refused.json["challenge_url"]), "Authenticator app")
        page = ana.press(page, "code", code=tenant.current_otp(ANA))
        assert (page.path, page.heading) == ("/", "Harbour Pay")
        assert ana.json("GET", "/api/balance").json["balance"] == "2480.50"


class TestModule:
    """The script that the package ships."""

    def test_is_served_as_a_module(self, app):
        """Its address is under the extension's prefix, with a type that browsers take."""
        with Visitor(app).client.get("/auth/mfa/static/stepup.js") as answer:
            assert answer.status_code == 200
            assert answer.mimetype == "text/javascript"

    def test_is_small_and_alone(self):
        """It has less than 4 KB and loads nothing else."""
        source = MODULE.read_text()
        assert len(source.encode()) < 4096
        assert "\nimport " not in source


def test_program():
    """Started as its README says, it prints where to go, and is there."""
    with program("examples.spa") as (process, site):
        assert "to continue to Demo" in requests.get(site, timeout=10).text
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=10)[0] == "Stopped.\n"
