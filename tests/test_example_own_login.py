"""The example with a login of its own: Authlib signs in, Redis keeps the session, we check."""

from __future__ import annotations

import signal

import pytest
import requests

from examples.own_login import create_app

from .observed import ANA
from .redis_server import redis_server
from .test_examples import program
from .visitor import SITE, Visitor

pytestmark = pytest.mark.redis
BEN = "ben@example.com"


@pytest.fixture(scope="module")
def redis():
    """A Redis server for this file."""
    with redis_server() as server:
        yield server


@pytest.fixture
def kept(redis):
    """A connection of one's own to the emptied server, to see what is kept there."""
    with redis.connection() as connection:
        connection.flushall()
        yield connection


@pytest.fixture
def app(tenant, tenant_server, redis, kept):
    """The example, in place of the application that other tests use."""
    settings = {"AUTH0_DOMAIN": tenant_server.url, "REDIS_URL": redis.url}
    app = create_app({**settings, "SECRET_KEY": "a key for tests only, long enough"})
    yield app
    app.config["SESSION_REDIS"].close()


@pytest.fixture
def ana(visitor):
    """Ana, signed in by the example's own login, on the page that she wanted."""
    page = visitor.press(visitor.get("/orders"), "password", username=ANA, password="demo")
    assert page.heading == "Orders"
    return visitor


def sessions(kept):
    """Return the names of the sessions in Redis."""
    return set(kept.keys("session:*"))


def test_step_up(ana, tenant):
    """After the shop's own login the check is asked for, and leads to the page with a token."""
    page = ana.step_up("/refund", tenant.current_otp(ANA))
    assert page.heading == "Pay money back"
    assert "https://payments.example.com" in page.text


def test_our_own_login_has_no_part_in_it(ana, tenant):
    """The session of the shop's own login is all that is needed: nobody logs in twice."""
    grants = [call.grant_type for call in tenant.calls if call.grant_type]
    assert grants == ["authorization_code"]
    ana.get("/refund")
    assert [call.path for call in tenant.calls if call.path == "/authorize"] == ["/authorize"]


def test_browser_holds_a_name_only(ana, kept):
    """The browser has the name of its session, and the session is in Redis."""
    assert set(ana.cookies()) == {"session"}
    assert sessions(kept) == {f"session:{ana.cookies()['session']}".encode()}


def test_session_that_somebody_planted(app):
    """A name that was in the browser before the login is worth nothing after it."""
    thief = Visitor(app)
    thief.get("/orders")
    planted = thief.cookies()["session"]
    victim = thief.tab()
    victim.press(victim.get("/orders"), "password", username=ANA, password="demo")
    assert victim.get("/orders").heading == "Orders"
    assert victim.cookies()["session"] != planted
    assert "password" in thief.get("/orders").forms()[0][1]


def test_sign_out(ana, kept, tenant):
    """Signing out ends the session here and at the tenant, and revokes the refresh token."""
    page = ana.press(ana.get("/orders"), "Sign out")
    assert (page.url, sessions(kept)) == (f"{SITE}/", set())
    assert "/oauth/revoke" in [call.path for call in tenant.calls]
    assert "password" in ana.get("/orders").forms()[0][1]


@pytest.mark.parametrize(
    "query", ["error=access_denied&state=", "code=stolen&state=", "code=stolen&state=of-another"]
)
def test_login_that_fails(visitor, query):
    """A login that was declined, or was begun by somebody else, signs nobody in."""
    state = visitor.client.get("/login").headers["Location"].partition("&state=")[2]
    state = state.partition("&")[0] if "access_denied" in query else ""
    page = visitor.get(f"/login/finish?{query}{state}")
    assert (page.status, page.heading) == (400, "Sign-in was not finished")
    assert visitor.json("GET", "/auth/profile").status_code == 401


def test_first_method(visitor, tenant):
    """A user without a method adds one, by a login of the extension, and stays signed in."""
    page = visitor.press(visitor.get("/orders"), "password", username=BEN, password="demo")
    page = visitor.press(visitor.get("/refund"), "Authenticator app")
    page = visitor.press(page, "code", code=tenant.current_otp(BEN))
    page = visitor.press(page, "saved", saved="y")
    assert page.heading == "Pay money back"
    assert "Ben Okafor" in page.text


def test_program(redis):
    """Started as its README says, it prints where to go, and is there."""
    with program("examples.own_login", REDIS_URL=redis.url) as (process, site):
        login = requests.get(f"{site}/orders", timeout=10)
        assert "to continue to Demo" in login.text
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=10)[0] == "Stopped.\n"
