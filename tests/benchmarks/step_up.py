"""Figure 4: a whole step-up, beside the calls to the tenant that it cannot do without.

The tenant runs in a process of its own; what is measured is the time until its answers are there
and ours is made, with the work of Flask's test client, which plays the browser.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import requests
from flask import Flask

from flask_auth0_mfa.services import EXTENSION
from flask_auth0_mfa.sessions import glance
from flask_auth0_mfa.testing.forms import forms_of, with_field
from tests.visitor import Visitor

from .flask_app import PAYMENTS, SCOPE, create_app
from .rounds import Effort, Timing
from .servers import CREDENTIALS, TenantProcess, tenant

#: Her only method is an authenticator app, so the first page is that of the code.
EMAIL = "cleo@example.com"
WHOLE, BARE = "whole step-up", "its three calls alone"
GRANT = "http://auth0.com/oauth/grant-type/mfa-otp"
#: How long Auth0 takes for a call where it is not on the same machine, in seconds.
FAR = 0.03
STEPS = ("refused view", "page", "code", "landing")


@dataclass(frozen=True)
class StepUps:
    """What was measured: the time of each, our calls for one step-up, and our connections."""

    timings: dict[str, Timing]
    calls: int
    connections: int
    steps: dict[str, list[float]] = field(default_factory=dict)


def step_ups(effort: Effort, delay: float = 0.0) -> StepUps:
    """Do a step-up and its bare calls in turn; the tenant waits ``delay`` before each answer."""
    with tenant(tls=False) as place, requests.Session() as connection:
        app = create_app(
            SECRET_KEY=secrets.token_hex(),
            TESTING=True,
            SERVER_NAME="localhost",
            AUTH0_DOMAIN=place.url,
            **CREDENTIALS,
        )
        bare = Bare(place, connection, _refresh_token(_signed_in(app)))
        taken: dict[str, list[float]] = {WHOLE: [], BARE: []}
        steps: dict[str, list[float]] = {name: [] for name in STEPS}
        calls = 0
        for number in range(effort.rounds + 1):
            visitor, otp = _signed_in(app), _code(place)
            before = _calls(place)
            _slow_down(place, delay)
            took = _whole(visitor, otp)
            calls = _calls(place) - before
            _slow_down(place, delay)
            alone = bare.took(otp)
            if number:  # the first one warms up
                taken[WHOLE].append(sum(took.values()))
                taken[BARE].append(alone)
                for name, seconds in took.items():
                    steps[name].append(seconds)
        timings = {name: Timing(tuple(found)) for name, found in taken.items()}
        return StepUps(timings, calls, _connections(app), steps)


def _slow_down(place: TenantProcess, delay: float) -> None:
    """Make the tenant late for the next three calls, which are those of a step-up."""
    if delay:
        fault = {"path": "/*", "delay": delay, "times": 3}
        requests.post(f"{place.url}/_emulator/faults", json=fault, timeout=20).raise_for_status()


def _signed_in(app: Flask) -> Visitor:
    visitor = Visitor(app)
    visitor.log_in(EMAIL, return_to="/auth/profile")
    visitor.tenant.close()
    return visitor


def _refresh_token(visitor: Visitor) -> str:
    with visitor.client:
        visitor.client.get("/auth/profile")
        return str(glance(None).refresh_token)


def _whole(visitor: Visitor, otp: str) -> dict[str, float]:
    """Return what the application takes for each step; what the browser does is not counted."""
    took = {}

    def asked(name: str, method: str, path: str, form: dict[str, str] | None = None) -> Any:
        headers = {"Accept": "text/html", "Referer": "http://localhost/transfer"}
        began_at = time.perf_counter()
        answer = visitor.client.open(path, method=method, data=form, headers=headers)
        took[name] = time.perf_counter() - began_at
        return answer

    refused = asked("refused view", "GET", "/transfer")
    page = asked("page", "GET", refused.headers["Location"])
    form = with_field(forms_of(page.text), "code")
    assert form is not None, page.text
    checked = asked("code", "POST", form.action, form.filled(code=otp).fields)
    landed = asked("landing", "GET", checked.headers["Location"])
    assert landed.status_code == 200, landed.text
    assert landed.json["length"]
    return took


@dataclass
class Bare:
    """The calls of a step-up without anything around them, on one connection."""

    place: TenantProcess
    connection: requests.Session
    refresh_token: str

    def took(self, otp: str) -> float:
        """Return the seconds that a refused refresh, the list of methods and the grant take."""
        began_at = time.perf_counter()
        refused = self._token(
            grant_type="refresh_token",
            refresh_token=self.refresh_token,
            audience=PAYMENTS,
            scope=SCOPE,
        )
        mfa_token = refused["mfa_token"]
        self.connection.get(
            f"{self.place.url}/mfa/authenticators",
            headers={"Authorization": f"Bearer {mfa_token}"},
            timeout=20,
        ).json()
        granted = self._token(grant_type=GRANT, mfa_token=mfa_token, otp=otp)
        took = time.perf_counter() - began_at
        self.refresh_token = granted["refresh_token"]
        return took

    def _token(self, **body: str) -> Any:
        known = {
            "client_id": CREDENTIALS["AUTH0_CLIENT_ID"],
            "client_secret": CREDENTIALS["AUTH0_CLIENT_SECRET"],
        }
        answer = self.connection.post(f"{self.place.url}/oauth/token", data=known | body)
        return answer.json()


def _code(place: TenantProcess) -> str:
    users = requests.get(f"{place.url}/_emulator/state", timeout=20).json()["users"]
    return str(next(one["otp"] for one in users if one["email"] == EMAIL))


def _calls(place: TenantProcess) -> int:
    return len(requests.get(f"{place.url}/_emulator/state", timeout=20).json()["calls"])


def _connections(app: Flask) -> int:
    """Return how many connections to the tenant this process has opened for its calls."""
    client = app.extensions[EXTENSION].client
    url = app.extensions[EXTENSION].settings.base_url
    pools = client._http.get_adapter(url).poolmanager.pools
    return sum(pools[key].num_connections for key in pools.keys())  # noqa: SIM118 - no mapping
