"""What goes on, and what does not, while the shared state cannot be reached."""

from __future__ import annotations

import pytest

from flask_auth0_mfa import current_auth0
from flask_auth0_mfa.errors import Auth0UnavailableError
from flask_auth0_mfa.services import EXTENSION


class Broken:
    """A shared state that cannot be reached."""

    def get(self, name):
        """Fail."""
        raise Auth0UnavailableError()

    get_many = put = recall = replace = locked = lambda self, *_arguments: self.get("")


def break_state(app):
    """Let the application's shared state go away."""
    memory = app.extensions[EXTENSION].logins.memory
    object.__setattr__(memory, "state", Broken())


@pytest.fixture
def outage(app, ana):
    """Ana is signed in when the shared state goes away."""
    break_state(app)


def test_page_for_signed_in_users_goes_on(ana, outage, caplog):
    """A page that only asks who is signed in is shown, and the log says what it risks."""
    assert ana.get("/accounts").text == "Accounts of ana@example.com"
    text = "The shared state cannot be reached: logouts elsewhere are not known"
    assert text in caplog.messages


def test_page_that_asks_often_waits_once(app, visitor):
    """A page that asks many times who is signed in waits once for a Redis without an answer."""
    asked = []
    app.get("/often")(lambda: " ".join(str(current_auth0.is_authenticated) for _ in range(3)))
    visitor.log_in()
    break_state(app)
    state = app.extensions[EXTENSION].logins.memory.state
    object.__setattr__(state, "get_many", lambda *_: asked.append(1) or state.get(""))
    assert visitor.get("/often").text == "True True True"
    assert len(asked) == 1


def test_guarded_view_is_closed(ana, outage):
    """A view behind a second factor stays closed, and says that it is not the user's fault."""
    page = ana.get("/transfer")
    assert page.status == 503
    assert page.headers["Retry-After"]
    assert "not about your code" in page.text


def test_view_that_was_open_is_closed(app, ana, tenant):
    """So does one whose check was passed: that its login has ended meanwhile is not known."""
    ana.step_up("/api/balance", tenant.current_otp("ana@example.com"))
    assert ana.json("GET", "/api/balance").status_code == 200
    break_state(app)
    assert ana.json("GET", "/api/balance").status_code == 503


def test_program_gets_503(ana, outage):
    """A program is told to come back."""
    answer = ana.json("GET", "/api/balance")
    assert answer.status_code == 503
    assert answer.json["error"] == "auth0_unavailable"


def test_logout_works(ana, outage, app):
    """The user is signed out in this browser all the same."""
    ana.get("/auth/logout")
    assert not [name for name in ana.cookies() if "auth0" in name]
