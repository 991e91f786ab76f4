"""What a user meets after the shared state has lost everything, as Redis does when it restarts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from flask_auth0_mfa.services import EXTENSION
from flask_auth0_mfa.sessions import auth0_session
from flask_auth0_mfa.signals import check_expired
from flask_auth0_mfa.state import MemoryState

from .observed import grants
from .ways import SMS, pass_time


@pytest.fixture
def app(make_app) -> Flask:
    """An application that can leave tokens and codes to the shared state, as full cookies do."""
    app = make_app()

    @app.get("/lean")
    def lean() -> str:
        with auth0_session() as mine:
            for context in list(mine.contexts.values()):
                mine.replace_context(context.lean())
        return "Lean"

    @app.get("/codeless")
    def codeless() -> str:
        with auth0_session() as mine:
            for context in list(mine.contexts.values()):
                challenge = replace(context.challenge, oob_code=None)
                mine.replace_context(replace(context, challenge=challenge))
        return "Codeless"

    return app


@pytest.fixture
def forget(app):
    """Return a function that empties the shared state."""
    memory = app.extensions[EXTENSION].logins.memory
    return lambda: object.__setattr__(memory, "state", MemoryState())


def test_page_starts_another_check(ana, forget, tenant):
    """A check whose token is lost is not offered again: the guarded page begins another one."""
    ana.challenge_page("/transfer")
    ana.get("/lean")
    forget()
    page = ana.step_up("/transfer", tenant.current_otp("ana@example.com"))
    assert page.path == "/transfer", page.text


def test_program_gets_another_token(ana, forget, tenant):
    """A program that asks again gets the token of a check that can be done."""
    lost = ana.mfa_required("/api/balance")["mfa_token"]
    ana.get("/lean")
    forget()
    body = {"mfa_token": lost, "otp": tenant.current_otp("ana@example.com")}
    assert ana.json("POST", "/auth/mfa/verify", json=body).status_code == 401
    body["mfa_token"] = ana.mfa_required("/api/balance")["mfa_token"]
    assert ana.json("POST", "/auth/mfa/verify", json=body).json == {"success": True}


def test_it_is_told(app, ana, forget):
    """Listeners hear that a check was lost, not that somebody came too late; it starts again."""
    page, told = ana.challenge_page("/transfer"), []
    ana.get("/lean")
    forget()
    with check_expired.connected_to(lambda _, **what: told.append(what["reason"]), app):
        page = ana.get(page.url)
    assert told == ["lost"]
    assert ana.press(page, "Start again").heading == "Enter the code from your authenticator app"


def test_check_that_is_known_is_offered_again(ana, tenant):
    """A check whose token the shared state still has goes on, and ends well."""
    first = ana.challenge_page("/transfer")
    ana.get("/lean")
    again = ana.challenge_page("/transfer")
    assert again.url == first.url
    assert ana.press(again, "code", code=tenant.current_otp("ana@example.com")).path == "/transfer"


def test_message(ana, tenant):
    """The code of a message is right also where the cookies had no room for what it answers."""
    page = ana.challenge_page("/transfer", SMS.label)
    ana.get("/codeless")
    assert ana.press(page, "code", code=SMS.right(tenant)).path == "/transfer"


def test_message_that_the_cookies_have(ana, forget, tenant):
    """What is in the cookies does not have to be in the shared state."""
    page = ana.challenge_page("/transfer", SMS.label)
    forget()
    assert ana.press(page, "code", code=SMS.right(tenant)).path == "/transfer"


def test_message_that_is_lost(app, ana, forget, tenant, clock):
    """When that is lost as well its code is not tried as another one; another message helps."""
    page = ana.challenge_page("/transfer", SMS.label)
    ana.get("/codeless")
    forget()
    answer = ana.press(page, "code", code=SMS.right(tenant))
    assert (answer.status, grants(tenant)) == (400, [])
    assert "No code was sent. Ask for a new one." in answer.text
    page = ana.get(page.url)
    assert page.heading == "Choose how to confirm it is you"
    pass_time(app, tenant, clock, 31)
    page = ana.press(page, SMS.label)
    assert ana.press(page, "code", code=SMS.right(tenant)).path == "/transfer"
