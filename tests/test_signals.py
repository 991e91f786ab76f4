"""Signals: each thing that happens in a flow is told once (SEC-51)."""

from __future__ import annotations

import pytest
from blinker import NamedSignal

from flask_auth0_mfa import signals

from .observed import ANA, wrong_code
from .visitor import Visitor
from .ways import MATRIX, PHONE, TARGET

NAMES = {name: one for name, one in vars(signals).items() if isinstance(one, NamedSignal)}


@pytest.fixture
def heard(app):
    """Everything that was told so far: name and arguments, in order."""
    heard, receivers = [], []
    for name, one in NAMES.items():

        def receive(sender, _name=name, **arguments):
            heard.append((_name, arguments))

        one.connect(receive, app)
        receivers.append(receive)
    yield heard
    assert receivers


def begun(visitor, way):
    """Log in and go as far as the page on which the way's code is typed, or its push awaited."""
    visitor.log_in(way.email)
    page = visitor.press(visitor.get(TARGET), way.label)
    if way.enrolls and way.method == "sms":
        page = visitor.press(page, "phone_number", phone_number=PHONE)
    return page


def answered(visitor, page, way, code):
    """Type the code; of a push, press the button after the phone has answered."""
    if way.is_push:
        return visitor.press(page, "I have")
    return visitor.press(page, "code", code=code)


def names(heard):
    """Return the names alone."""
    return [name for name, _ in heard]


@pytest.mark.parametrize("way", MATRIX, ids=lambda way: way.name)
class TestEachWay:
    """Every way to prove a second factor, or to add a first one."""

    def test_success(self, way, visitor, tenant, heard):
        """Login, check, message, proof, new method: each once, in their order."""
        page = begun(visitor, way)
        answered(visitor, page, way, way.right(tenant))
        sent = ["challenge_sent"] * way.is_sent
        added = ["enrolled"] * way.enrolls
        # Who adds a method signs in once more before it.
        again = ["logged_in"] * way.enrolls
        assert names(heard) == ["logged_in", "mfa_required", *again, *sent, "verified", *added]
        assert {arguments.get("method", way.method) for _, arguments in heard} == {way.method}
        assert {arguments["user_id"] for _, arguments in heard} == {tenant.user(way.email).sub}
        checks = {what["context_id"] for name, what in heard if name != "logged_in"}
        assert len(checks) == 1

    def test_refusal(self, way, visitor, tenant, heard):
        """What the tenant refuses is told once, with the reason, and nothing else."""
        page = begun(visitor, way)
        before = len(heard)
        answered(visitor, page, way, way.wrong(tenant))
        ((name, arguments),) = heard[before:]
        reason = "access_denied" if way.is_push else "verification_failed"
        assert (name, arguments["method"], arguments["reason"]) == (
            "verify_failed",
            way.method,
            reason,
        )


class TestOthers:
    """What is no proof."""

    def test_second_press(self, visitor, tenant, heard):
        """The second press of the button tells nothing: there was one proof."""
        page = begun(visitor, MATRIX[0])
        code, tab = tenant.current_otp(ANA), visitor.tab()
        visitor.press(page, "code", code=code)
        before = len(heard)
        assert tab.press(page, "code", code=code).path == "/transfer"
        assert heard[before:] == []

    def test_limit(self, make_app, tenant):
        """A limit tells each refusal once."""
        app = make_app(AUTH0_MFA_VERIFY_LIMIT="1 per hour")
        visitor, limits = Visitor(app), []
        with signals.rate_limited.connected_to(lambda _, **what: limits.append(what), app):
            visitor.log_in(ANA)
            page = visitor.challenge_page(TARGET)
            for _ in range(3):
                visitor.press(page, "code", code=wrong_code(tenant))
        assert [one["limit"] for one in limits] == ["user", "user"]

    def test_pages_tell_nothing(self, visitor, tenant, heard):
        """Looking at pages again tells nothing."""
        begun(visitor, MATRIX[0])
        before = len(heard)
        for path in ("/auth/mfa/challenge", TARGET, "/auth/mfa/challenge?choose=1", "/"):
            visitor.get(path)
        assert heard[before:] == []

    def test_logout(self, ana, heard):
        """A logout is told once, also when it is asked for twice."""
        ana.get("/auth/logout")
        ana.get("/auth/logout")
        assert names(heard) == ["logged_out"]
