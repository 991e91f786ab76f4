"""Any interleaving of tabs: requests leave with the cookies of one moment, answers come later.

A browser with several tabs sends requests with the cookies that it has, and the answers reach it
in any order. Whatever happens, an open check that the budget allows stays open, the newest
refresh token is kept and no used one is presented, a session that was ended stays ended, and the
cookies never pass what a server accepts.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from flask import Flask, jsonify, session
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from werkzeug.test import TestResponse

from flask_auth0_mfa import Auth0MFA, current_auth0, requires_login, requires_stepup
from flask_auth0_mfa.budget import BUDGET, KEPT_CONTEXTS
from flask_auth0_mfa.emulator.keys import SigningKeys
from flask_auth0_mfa.logins import IN_FLIGHT
from flask_auth0_mfa.refresh import SUCCESSOR_TTL
from flask_auth0_mfa.testing.prover import Prover
from flask_auth0_mfa.testing.tenant import InProcessTenant
from flask_auth0_mfa.testing.universal_login import UniversalLogin

from .conftest import ACCOUNTS, PAYMENTS, SECRET_KEY
from .visitor import Visitor

#: Runs of the machine: a short draw by default, more for a campaign.
RUNS = int(os.environ.get("TABS_RUNS", "30"))
KEYS = SigningKeys()
VERIFY = "/auth/mfa/verify"
#: A check takes at most this many bytes of cookies.
CHECK_SIZE = 3_000
#: How long a check opens the guarded page, in seconds; longer than an answer is on its way.
MAX_AGE = 60


def make_app() -> Flask:
    """Return an application in which everything that tabs do has an address."""
    app = Flask("tabs")
    generous = dict.fromkeys(
        ("AUTH0_MFA_VERIFY_LIMIT", "AUTH0_MFA_VERIFY_ADDRESS_LIMIT"), "1000 per minute"
    )
    app.config.update(SECRET_KEY=SECRET_KEY, **InProcessTenant(KEYS).config, **generous)
    Auth0MFA(app)

    @app.get("/accounts")
    @requires_login
    def accounts():
        return "Accounts"

    @app.get("/payment/<int:number>")
    @requires_stepup(PAYMENTS, max_age=MAX_AGE)
    def payment(number):
        return f"Payment {number}"

    @app.get("/token")
    def token():
        from flask import request

        current_auth0.get_access_token(request.args.get("audience"), refresh=True)
        return jsonify({})

    @app.get("/flash")
    def flash():
        session["notes"] = session.get("notes", 0) + 1
        return "Flashed"

    return app


@dataclass
class Check:
    """A check that a tab was asked for: its context's id, and the token to answer it with."""

    id: str
    token: str = field(repr=False)
    #: It was begun while the budget had room for it.
    has_room: bool
    is_over: bool = False


@dataclass
class Answer:
    """An answer on its way to the browser."""

    response: TestResponse
    left_at: float


class Tabs(RuleBasedStateMachine):
    """One browser; what the model remembers is what its user would miss."""

    @initialize()
    def open_browser(self):
        """Start a new application and a new tenant, and sign in."""
        self.app = make_app()
        self.auth0 = InProcessTenant(KEYS)
        self.auth0.install(self.app)
        self.browser = Visitor(self.app)
        self.under_way: list[Answer] = []
        self.checks: list[Check] = []
        self.is_in = False
        #: Somebody proved a second factor less than MAX_AGE ago; the answer that says so.
        self.is_proved = False
        self.proof: Answer | None = None
        self.logouts = 0
        self.log_in()

    # -- what tabs do ------------------------------------------------------------------------

    @rule()
    def log_in(self):
        """Sign in, which takes longer than any answer is on its way."""
        self.receive_all()
        away = self.send("GET", "/auth/login")
        self.receive_all()
        prover = Prover(self.auth0, "ana@example.com")
        back = UniversalLogin(self.auth0).log_in(away.location, prover)
        if not self.is_in:
            self.checks.clear()
        assert self.send("GET", back).status_code == 303
        self.is_in = True
        self.receive_all()

    @precondition(lambda self: self.is_in)
    @rule(number=st.integers(0, 7))
    def open_payment(self, number):
        """Open a guarded page, once the last check is too old for it."""
        self.wait(MAX_AGE if self.is_proved else 1)
        unseen = self.unseen()
        room = BUDGET - self.bytes_in_browser() - sum(unseen.values())
        begun = {name for name in self.names() | unseen.keys() if "_c_" in name}
        fits = room >= CHECK_SIZE and len(begun) < KEPT_CONTEXTS
        answer = self.send("GET", f"/payment/{number}")
        assert answer.status_code == 403
        identifier = answer.json["challenge_url"].partition("context=")[2]
        if identifier in {check.id for check in self.checks}:
            return
        if not fits:
            # It takes the place of older ones; of those that are on their way, it leaves room.
            for check in self.checks:
                check.has_room = False
        has_room = fits or not unseen
        self.checks.append(Check(identifier, answer.json["mfa_token"], has_room))

    # Which checks are open depends on sizes, and those on random values; what Hypothesis draws
    # must not depend on them.
    @precondition(lambda self: self.is_in)
    @rule(number=st.integers(0, 5))
    def prove(self, number):
        """Answer a check that must be open: it brings the token."""
        open_checks = self.provable()
        if not open_checks:
            return
        check = open_checks[number % len(open_checks)]
        headers = {"Authorization": f"Bearer {check.token}"}
        body = {"otp": self.auth0.otp("ana@example.com")}
        answer = self.send("POST", VERIFY, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        check.is_over = True
        self.is_proved = True
        self.proof = self.under_way[-1]

    @precondition(lambda self: self.is_in)
    @rule(query=st.sampled_from(["", f"?audience={ACCOUNTS}"]))
    def refresh(self, query):
        """Get a new access token."""
        answer = self.send("GET", f"/token{query}")
        assert answer.status_code == 200, answer.text

    @rule()
    def flash(self):
        """Let the application write to its own session."""
        assert self.send("GET", "/flash").status_code == 200

    @precondition(lambda self: self.is_in)
    @rule()
    def log_out(self):
        """Sign out in one tab."""
        assert self.send("GET", "/auth/logout").status_code == 303
        self.is_in = self.is_proved = False
        self.logouts += 1

    @rule(number=st.integers(0, 50))
    def receive(self, number):
        """Let any one of the answers arrive."""
        if self.under_way:
            self.take(self.under_way[number % len(self.under_way)])

    # -- what must hold ----------------------------------------------------------------------

    @invariant()
    def is_known(self):
        """Whoever signed in is signed in, and whoever signed out is not."""
        status = self.browser.tab().json("GET", "/accounts").status_code
        assert status == (200 if self.is_in else 401)

    @invariant()
    def is_open(self):
        """What a check opened stays open for its time, once its answer has arrived."""
        if self.is_proved and self.proof not in self.under_way:
            assert self.browser.tab().json("GET", "/payment/0").status_code == 200

    @invariant()
    def fits(self):
        """The browser never holds more than the budget."""
        assert self.bytes_in_browser() <= BUDGET

    @invariant()
    def family_lives(self):
        """No used refresh token was presented: only logouts revoke."""
        families = self.auth0.tenant.families._families.values()
        assert sum(family.revoked for family in families) <= self.logouts

    def teardown(self):
        """When every answer has arrived, the newest refresh token is in the browser.

        It is there after the next page, so that nobody has to remember what replaced what.
        """
        self.under_way.reverse()
        self.receive_all()
        self.send("GET", "/accounts")
        self.receive_all()
        self.auth0.advance(SUCCESSOR_TTL + 1)
        if self.is_in:
            assert self.send("GET", "/token").status_code == 200
            self.family_lives()

    # -- the browser -------------------------------------------------------------------------

    def send(self, method: str, url: str, **arguments) -> TestResponse:
        """Send a request with the cookies of now; its answer is on its way."""
        response = self.browser.tab().json(method, url, **arguments)
        self.under_way.append(Answer(response, self.auth0.tenant.clock.now()))
        return response

    def take(self, answer: Answer) -> None:
        """Let an answer arrive."""
        self.under_way.remove(answer)
        self.browser.receive(answer.response)

    def receive_all(self) -> None:
        """Let every answer arrive."""
        for answer in list(self.under_way):
            self.take(answer)

    def wait(self, seconds: int) -> None:
        """Let time pass; no answer is on its way for as long as a minute."""
        self.auth0.advance(seconds)
        now = self.auth0.tenant.clock.now()
        if self.under_way and now - self.under_way[0].left_at > IN_FLIGHT - 2:
            self.receive_all()
        if seconds >= MAX_AGE:
            self.is_proved = False

    def names(self) -> set[str]:
        """Return the names of our cookies in the browser."""
        return {name for name in self.browser.cookies() if "auth0_" in name}

    def bytes_in_browser(self) -> int:
        """Return how many bytes our cookies take in the browser."""
        cookies = self.browser.cookies()
        return sum(len(name) + len(cookies[name]) for name in self.names())

    def unseen(self) -> dict[str, int]:
        """Return names and sizes of cookies that are on their way and not here yet."""
        sizes = {}
        for answer in self.under_way:
            for header in answer.response.headers.getlist("Set-Cookie"):
                name, _, rest = header.partition("=")
                sizes[name] = len(name) + len(rest.partition(";")[0])
        return {n: size for n, size in sizes.items() if "auth0_" in n and n not in self.names()}

    def provable(self) -> list[Check]:
        """Return the checks that must be open now: begun with room, and none of too many."""
        if not self.is_in:
            return []
        newest = [check for check in self.checks if not check.is_over][-KEPT_CONTEXTS:]
        unseen = self.unseen()
        return [
            check
            for check in newest
            if check.has_room and f"session_auth0_c_{check.id}_0" not in unseen
        ]


def test_tabs():
    """Nothing that tabs do to one another loses anything."""
    run_state_machine_as_test(
        Tabs,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=40,
            deadline=None,
            derandomize="TABS_RUNS" not in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )
