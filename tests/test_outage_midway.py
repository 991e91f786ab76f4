"""The shared state goes away between Auth0's answer and what we write down about it."""

from __future__ import annotations

import pytest

from flask_auth0_mfa.errors import Auth0UnavailableError
from flask_auth0_mfa.services import EXTENSION

from .conftest import ACCOUNTS


class DyingState:
    """A shared state that works until something is written to it."""

    def __init__(self, real):
        self._real = real
        self.is_dying = False

    def __getattr__(self, name):
        """Do as the real one does."""
        return getattr(self._real, name)

    def put(self, name, value, ttl):
        """Fail once the state is dying."""
        if self.is_dying:
            raise Auth0UnavailableError()
        self._real.put(name, value, ttl)

    def replace(self, name, before, value, ttl):
        """Fail once the state is dying."""
        if self.is_dying:
            raise Auth0UnavailableError()
        return self._real.replace(name, before, value, ttl)


@pytest.fixture
def state(app, ana):
    """Ana is signed in; the test decides when the state dies."""
    memory = app.extensions[EXTENSION].logins.memory
    dying = DyingState(memory.state)
    object.__setattr__(memory, "state", dying)
    return dying


def token(visitor, audience):
    """Ask for a token by a refresh."""
    return visitor.json("GET", f"/token?audience={audience}")


def test_refresh(ana, state):
    """The refresh token that came back is not lost, so the next refresh is no reuse."""
    state.is_dying = True
    assert token(ana, ACCOUNTS).status_code == 200
    state.is_dying = False
    assert token(ana, "https://open.example.com").status_code == 200


def test_step_up(ana, state, tenant):
    """A second factor that was proved counts, and the refresh token after it is kept."""
    page = ana.challenge_page("/transfer")
    state.is_dying = True
    assert ana.press(page, "code", code=tenant.current_otp("ana@example.com")).status == 200
    state.is_dying = False
    assert token(ana, ACCOUNTS).status_code == 200
