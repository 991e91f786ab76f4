"""Where a POST comes from, as browsers tell it: fetch metadata, else the origin (SEC-15)."""

from __future__ import annotations

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from .observed import ANA, paths
from .visitor import Visitor

OURS = {"Origin": "http://localhost"}
EVIL = {"Origin": "https://evil.test"}
NULL = {"Origin": "null"}

#: Headers of a request, and whether a call without a form token gets through.
TABLE = {
    "program": ({}, True),
    "same site as ever": (OURS, True),
    "foreign": (EVIL, False),
    "hidden": (NULL, False),
    "empty": ({"Origin": ""}, False),
    "no address": ({"Origin": "http://[::1"}, False),
    "other scheme": ({"Origin": "https://localhost"}, False),
    "other port": ({"Origin": "http://localhost:8080"}, False),
    "sibling": ({"Origin": "http://shop.localhost"}, False),
    "prefix": ({"Origin": "http://localhost.evil.test"}, False),
    "user in front": ({"Origin": "http://localhost@evil.test"}, False),
    "metadata counts more": (OURS | {"Sec-Fetch-Site": "cross-site"}, False),
    "sibling by metadata": ({"Sec-Fetch-Site": "same-site"}, False),
    "metadata vouches": (NULL | {"Sec-Fetch-Site": "same-origin"}, True),
    "typed by the user": ({"Sec-Fetch-Site": "none"}, True),
}


@pytest.fixture
def call(ana):
    """A way to send Ana's code as a program, with headers."""
    token = ana.mfa_required("/api/balance")["mfa_token"]

    def send(headers, **arguments):
        return ana.json(
            "POST",
            "/auth/mfa/verify",
            json={"otp": "000000"},
            headers={"Authorization": f"Bearer {token}", **headers},
            **arguments,
        )

    return send


@pytest.mark.parametrize("name", TABLE)
def test_calls(call, tenant, name):
    """A call of another site is refused before Auth0 is asked; a program's is not."""
    headers, gets_through = TABLE[name]
    before = len(paths(tenant))
    answer = call(headers)
    # The code is wrong: who gets through is told so.
    assert answer.json["error"] == ("verification_failed" if gets_through else "invalid_request")
    assert len(paths(tenant)) == before + gets_through


@pytest.mark.parametrize("path", ["challenge", "verify", "poll", "associate"])
@pytest.mark.parametrize("headers", [EVIL, NULL], ids=str)
def test_each_call(ana, tenant, path, headers):
    """Each address that changes something refuses it, also for a body that is a form."""
    token = ana.mfa_required("/api/balance")["mfa_token"]
    before = paths(tenant)
    answer = ana.json("POST", f"/auth/mfa/{path}", data={"mfa_token": token}, headers=headers)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert "page of this application" in answer.json["message"]
    assert paths(tenant) == before


def test_logout_of_auth0(visitor):
    """Back-channel logout comes from a server: a browser that is made to send it is refused."""
    answer = visitor.json("POST", "/auth/backchannel-logout", data={}, headers=EVIL)
    assert "page of this application" in answer.json["message"]


@pytest.mark.parametrize("headers", [NULL, EVIL], ids=str)
def test_form_token_proves_more(ana, tenant, headers):
    """A form of ours counts by its token: some browsers hide the origin of forms."""
    page = ana.challenge_page("/transfer")
    url, fields = page.form("code")
    fields["code"] = tenant.current_otp(ANA)
    answer = ana.client.post(url, data=fields, headers={"Accept": "text/html", **headers})
    assert answer.location == "/transfer"


def test_field_that_looks_like_a_token(call, ana, tenant):
    """A field of that name does not open the way for a call: its own token is no form token."""
    token = ana.mfa_required("/api/balance")["mfa_token"]
    before = paths(tenant)
    fields = {"mfa_token": token, "csrf_token": "x", "otp": "000000"}
    answer = ana.json("POST", "/auth/mfa/verify", data=fields, headers=EVIL)
    assert answer.json["error"] == "invalid_request"
    assert paths(tenant) == before


#: What a proxy that ends TLS adds.
OUTSIDE = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example.com"}


class TestProxy:
    """Behind a proxy that ends TLS, it is the address outside that counts."""

    def error(self, app, origin):
        """Return the error of a call that comes through the proxy."""
        headers = {**OUTSIDE, "Origin": origin}
        answer = Visitor(app).json("POST", "/auth/mfa/verify", json={}, headers=headers)
        return answer.json["message"]

    def test_outside(self, app):
        """With ProxyFix a page of the outside address may call, and one of the inside may not."""
        app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1)
        assert "mfa_token is missing" in self.error(app, "https://shop.example.com")
        assert "page of this application" in self.error(app, "http://localhost")

    def test_headers_of_a_stranger(self, app):
        """Without ProxyFix the headers of a caller make no origin ours."""
        assert "page of this application" in self.error(app, "https://shop.example.com")
