"""Each factor by JSON: passed, wrong, expired, limited and abandoned.

The table of the same rows in a browser is in ``browser/test_matrix.py``. A push has no wrong code:
there it is declined.
"""

from __future__ import annotations

from functools import partial

import pytest

from flask_auth0_mfa.emulator import Tenant, serve
from flask_auth0_mfa.testing.clock import SharedClock

from .observed import grants
from .visitor import Visitor
from .ways import PHONE, age_limits, asked, authenticator_id, refresh_twice, whole_matrix

GUARDED = "/api/balance"
#: Polls within a minute, so that the limit is near; each has to wait for the interval as well.
POLLS = 2
INTERVAL = 6
CONTEXT_TTL = 300


@pytest.fixture(scope="module")
def tenant_server():
    """A tenant that stamps its tokens with the clock that tests put forward."""
    with serve(Tenant(clock=SharedClock()), port=0) as server:
        yield server


@pytest.fixture
def clock(tenant):
    """The application's clock, which is the tenant's."""
    return tenant.clock.now


@pytest.fixture
def start(make_app):
    """Return a function that starts a process of the application.

    Its limit on polls is near, and its logins say that they are fresh.
    """
    return partial(
        make_app,
        AUTH0_MFA_POLL_LIMIT=f"{POLLS} per minute",
        AUTH0_AUTHORIZE_PARAMS={"max_age": "240"},
    )


@pytest.fixture
def app(start):
    """The first process."""
    return start()


@pytest.fixture
def later(tenant, app):
    """Return a function that puts the clock forward."""

    def later(seconds):
        tenant.advance(seconds)
        age_limits(app, seconds)

    return later


class Check:
    """One check of a program: the guarded address said 403, and the method was started."""

    def __init__(self, visitor, tenant, way):
        self.visitor, self.tenant, self.way = visitor, tenant, way
        self.token = visitor.mfa_required(GUARDED)["mfa_token"]
        self.started = self._associate() if way.enrolls else self._challenge()
        assert self.started.status_code == 200, self.started.text

    def _challenge(self):
        chosen = authenticator_id(self.tenant, self.way.method)
        return self.post("challenge", authenticator_id=chosen)

    def _associate(self):
        if self.way.method == "otp":
            return self.post("associate", authenticator_types=["otp"])
        channel = "auth0" if self.way.is_push else self.way.method
        number = {} if self.way.is_push else {"phone_number": PHONE}
        body = {"authenticator_types": ["oob"], "oob_channels": [channel]}
        return self.post("associate", **body, **number)

    def post(self, step, **body):
        """Send one request that names this check."""
        body = {"mfa_token": self.token, **body}
        return self.visitor.json("POST", f"/auth/mfa/{step}", json=body)

    def send(self, code):
        """Send what was typed; where nothing is, ask whether the phone has answered."""
        return self.post("poll") if self.way.is_push else self.post("verify", code=code)

    def prove(self):
        """Give the right answer."""
        return self.send(self.way.right(self.tenant))


@pytest.fixture
def person(app, tenant, way):
    """Whoever goes this way, signed in; what the tenant was asked for before is forgotten."""
    person = Visitor(app)
    person.log_in(way.email)
    tenant.calls.clear()
    return person


@pytest.fixture
def check(person, tenant, way):
    """A check in which this way was begun."""
    return Check(person, tenant, way)


def opens(visitor):
    """Tell whether the guarded address is open."""
    return visitor.json("GET", GUARDED).status_code == 200


@whole_matrix
class TestMatrix:
    """A row for each factor, a test for each outcome."""

    def test_passes(self, person, check, way, tenant, start):
        """It opens what was asked for, by the fewest calls, and the tokens go on rotating."""
        answer = check.prove()
        assert (answer.status_code, answer.json["success"]) == (200, True)
        # Another process has nothing but the cookies to know the newest refresh token from; and
        # that from this very answer, before a further request could mend them.
        elsewhere = Visitor(start())
        elsewhere.take_cookies(person)
        assert opens(person)
        assert asked(tenant) == way.calls
        assert refresh_twice(elsewhere, tenant) == [200, 200]

    def test_wrong(self, person, check, way, tenant):
        """A wrong code leaves the check open for the right one; a declined push is final."""
        answer = check.send(way.wrong(tenant))
        assert answer.status_code == 400
        assert not opens(person)
        if way.is_push:
            assert answer.json["error"] == "access_denied"
            assert check.send("").status_code == 400
            assert len(grants(tenant)) == 1
        else:
            assert answer.json["error"] == "verification_failed"
            assert answer.json["attempts_left"] == 4
            assert check.prove().status_code == 200
            assert opens(person)

    def test_expired(self, person, check, way, tenant, later):
        """After its time the token is 401, nothing is sent, and asking again begins anew."""
        code = way.right(tenant)
        later(CONTEXT_TTL + 1)
        answer = check.send(code)
        assert (answer.status_code, answer.json["error"]) == (401, "mfa_token_expired")
        assert grants(tenant) == []
        assert person.mfa_required(GUARDED)["mfa_token"] != check.token

    def test_limited(self, person, check, way, tenant, later):
        """Too many tries are 429 with the time to wait, the right one too, and are not sent."""
        tries = POLLS if way.is_push else 5
        for _ in range(tries):
            answer = check.send("" if way.is_push else way.wrong(tenant))
            assert answer.status_code == (202 if way.is_push else 400)
            # The pause between polls is another thing than their limit.
            later(INTERVAL * way.is_push)
        answer = check.prove()
        assert (answer.status_code, answer.json["error"]) == (429, "rate_limited")
        assert int(answer.headers["Retry-After"]) == answer.json["retry_after"] > 0
        assert len(grants(tenant)) == tries
        assert not opens(person)

    def test_abandoned(self, person, check, way, tenant, later):
        """Nothing opens and nothing more is sent; other checks go on, and its time runs out."""
        delivered = len(tenant.messages) + len(tenant.pushes)
        tenant.calls.clear()
        assert person.mfa_required(GUARDED)["challenge_url"]
        assert asked(tenant) == []
        other = person.mfa_required("/transfer")["mfa_token"]
        assert other != check.token
        assert asked(tenant) == ["refresh_token"]
        later(CONTEXT_TTL + 1)
        assert check.post("verify", code="123456").json["error"] == "mfa_token_expired"
        assert person.mfa_required(GUARDED)["mfa_token"] not in (check.token, other)
        assert asked(tenant) == ["refresh_token", "refresh_token"]
        assert len(tenant.messages) + len(tenant.pushes) == delivered
