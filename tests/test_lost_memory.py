"""What a user meets after the shared state has lost everything, as Redis does when it restarts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from flask_auth0_mfa import requires_stepup
from flask_auth0_mfa.services import EXTENSION
from flask_auth0_mfa.sessions import auth0_session
from flask_auth0_mfa.signals import check_expired
from flask_auth0_mfa.state import MemoryState

from .conftest import PAYMENTS
from .observed import grants


@pytest.fixture
def app(make_app) -> Flask:
    """An application that can leave checks' tokens to the shared state, as full cookies do."""
    app = make_app()

    @app.get("/lean")
    def lean() -> str:
        with auth0_session() as mine:
            for context in list(mine.contexts.values()):
                mine.replace_context(context.lean())
        return "Lean"

    @app.get("/without-code")
    def without_code() -> str:
        with auth0_session() as mine:
            for context in list(mine.contexts.values()):
                assert context.challenge is not None
                challenge = replace(context.challenge, oob_code=None)
                mine.replace_context(replace(context, challenge=challenge))
        return "Without code"

    app.add_url_rule("/message", view_func=requires_stepup(PAYMENTS, methods=["sms"])(lambda: ""))
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


def test_code_of_a_message(ana, forget, tenant):
    """The code of a message whose other half is lost is not sent on, and another one is offered."""
    page = ana.press(ana.get("/message"), "Text message")
    ana.get("/without-code")
    forget()
    answer = ana.press(page, "code", code=tenant.last_message("ana@example.com").code)
    assert (answer.status, grants(tenant)) == (400, [])
    assert "No code was sent. Ask for a new one." in answer.text


def test_it_is_told(app, ana, forget):
    """Listeners hear that a check was lost, and not that somebody came too late."""
    page, told = ana.challenge_page("/transfer"), []
    ana.get("/lean")
    forget()
    with check_expired.connected_to(lambda _, **what: told.append(what["reason"]), app):
        ana.get(page.url)
    assert told == ["lost"]


def test_check_that_is_known_is_offered_again(ana):
    """A check whose token the shared state still has goes on."""
    first = ana.challenge_page("/transfer")
    ana.get("/lean")
    assert ana.challenge_page("/transfer").url == first.url
