"""Back-channel logout: Auth0 says that a session is over (OpenID Connect)."""

from __future__ import annotations

from functools import partial

import pytest

from . import observed
from .redis_server import redis_server
from .visitor import Visitor

URL = "/auth/backchannel-logout"


@pytest.fixture
def logout_token(tenant):
    """Return a function that makes the tenant's logout token for somebody."""
    return partial(observed.logout_token, tenant)


def tell(app, token):
    """Let Auth0 send this logout token."""
    return app.test_client().post(URL, data={"logout_token": token})


def claim(browser, name):
    """Return a claim of the user who is signed in."""
    return browser.json("GET", "/auth/profile").json[name]


def is_in(browser):
    """Tell whether the browser is signed in."""
    return browser.json("GET", "/accounts").status_code == 200


@pytest.fixture
def elsewhere(app):
    """Ana in another browser."""
    browser = Visitor(app)
    browser.log_in("ana@example.com")
    return browser


class TestEnded:
    """Whose session is over, and whose is not."""

    def test_session(self, app, ana, elsewhere, logout_token):
        """A token for one session of Auth0 ends what was logged in with that one."""
        answer = tell(app, logout_token(sid=claim(ana, "sid"), sub=claim(ana, "sub")))
        assert answer.status_code == 200
        assert "no-store" in answer.headers["Cache-Control"]
        assert (is_in(ana), is_in(elsewhere)) == (False, True)

    def test_user(self, app, ana, elsewhere, logout_token):
        """A token for a user ends every session of theirs, and nobody else's."""
        ben = Visitor(app)
        ben.log_in("ben@example.com")
        tell(app, logout_token(sub=claim(ana, "sub")))
        assert (is_in(ana), is_in(elsewhere), is_in(ben)) == (False, False, True)

    def test_guarded(self, app, ana, tenant, logout_token):
        """A view that a second factor opened is shut, and an open check is no use any more."""
        ana.step_up("/transfer", tenant.current_otp("ana@example.com"))
        tell(app, logout_token(sub=claim(ana, "sub")))
        assert ana.json("GET", "/transfer").status_code == 401

    def test_next_login(self, app, ana, logout_token, clock):
        """Whoever logs in again is in."""
        tell(app, logout_token(sub=claim(ana, "sub")))
        clock.advance(2)
        ana.log_in("ana@example.com") if "password" in ana.get("/auth/login").html else None
        assert is_in(ana)

    @pytest.mark.parametrize("claim_of_it", ["sub", "sid"])
    def test_sent_again(self, app, ana, logout_token, clock, claim_of_it):
        """A token that is sent once more ends what it has ended, and not the next login."""
        token = logout_token(**{claim_of_it: claim(ana, claim_of_it)})
        tell(app, token)
        cookies_of_before = Visitor(app)
        cookies_of_before.take_cookies(ana)
        clock.advance(90)
        # The same session of Auth0: nobody has ended that one.
        ana.log_in("ana@example.com") if "password" in ana.get("/auth/login").html else None
        tell(app, token)
        assert (is_in(ana), is_in(cookies_of_before)) == (True, False)

    def test_older_one_comes_last(self, app, ana, logout_token, clock):
        """What a newer token has ended stays ended when an older one comes after it."""
        older = logout_token(sub=claim(ana, "sub"))
        clock.advance(90)
        later = Visitor(app)
        later.log_in("ana@example.com")
        tell(app, logout_token(sub=claim(later, "sub"), iat=int(clock()), exp=int(clock()) + 120))
        tell(app, older)
        assert not is_in(later)

    @pytest.mark.redis
    def test_other_process(self, make_app, logout_token):
        """All processes that share Redis know of it."""
        with redis_server() as server:
            one, two = (make_app(AUTH0_STATE_URI=server.url) for _ in range(2))
            ana = Visitor(one)
            ana.log_in("ana@example.com")
            tell(two, logout_token(sub=claim(ana, "sub")))
            assert not is_in(ana)


class TestRefused:
    """What ends nothing."""

    @pytest.mark.parametrize(
        "claims",
        [
            {"aud": "somebody-else"},
            {"iss": "https://evil.eu.auth0.com/"},
            {"events": {}},
            {"nonce": "n"},
            {"iat": 1},
        ],
        ids=lambda claims: next(iter(claims)),
    )
    def test_token(self, app, ana, logout_token, claims):
        """A token that is not Auth0's word on this application."""
        answer = tell(app, logout_token(sub=claim(ana, "sub"), **claims))
        assert answer.status_code == 400
        assert is_in(ana)

    @pytest.mark.parametrize("data", [{}, {"logout_token": ""}, {"logout_token": "a.b.c"}])
    def test_body(self, app, data):
        """No token, or none that can be read."""
        answer = app.test_client().post(URL, data=data, headers={"Accept": "application/json"})
        assert answer.status_code == 400

    def test_get(self, app):
        """It is told by POST only."""
        assert app.test_client().get(URL).status_code == 405

    def test_state_down(self, make_app, ana, logout_token):
        """While Redis is down Auth0 hears so, and sends it again."""
        app = make_app(AUTH0_STATE_URI="redis://127.0.0.1:1/0")
        answer = tell(app, logout_token(sub=claim(ana, "sub")))
        assert answer.status_code == 503
