"""What a session gives up when it needs too many bytes, one thing at a time."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from flask_auth0_mfa.budget import BUDGET, SessionTooLargeError, evict, make_way, take_back
from flask_auth0_mfa.models import (
    ANY_AUDIENCE,
    AccessToken,
    Auth0Session,
    Challenge,
    MfaContext,
    Verification,
)

NOW = 1_800_000_000
A, B, C = ("https://a.example.com", "https://b.example.com", "https://c.example.com")


def context(name, age, *, sent_at=None):
    """Return an open check that began ``age`` seconds ago, with a code sent where a time is."""
    challenge = Challenge("oob", "sms", oob_code=f"code of {name}", sent_at=sent_at or 0)
    return MfaContext(
        name,
        opened_at=NOW - age,
        expires_at=NOW + 300,
        login_id="login",
        audience=A,
        challenge=challenge if sent_at else None,
    )


def session_with(*contexts, tokens=(), verified=()):
    """Return a session with these checks and tokens; ``tokens`` are audiences, first to end."""
    session = Auth0Session(login_id="login", created_at=NOW)
    for one in contexts:
        session.open_context(one)
    for number, audience in enumerate(tokens):
        session.access_tokens[audience] = AccessToken("token", audience, "", NOW + 100 + number)
    for audience in verified:
        session.verified[audience] = Verification(NOW, "otp")
    return session


def names(session):
    """Return the raw tokens of the open checks, empty where the shared state has them alone."""
    return [str(one.raw_mfa_token) for one in session.contexts.values()]


def codes(session):
    """Return the codes of the open checks."""
    return [one.challenge.oob_code if one.challenge else None for one in session.contexts.values()]


class TestEvict:
    """The order in which things go."""

    def test_oldest_of_three_checks(self):
        """The oldest check goes first, while there are more than two."""
        session = session_with(context("b", 20), context("a", 30), context("c", 10))
        assert evict(session, 9000) is True
        assert names(session) == ["b", "c"]

    def test_code_that_was_sent_first(self):
        """Of two checks the code that was sent first is left to the shared state."""
        session = session_with(context("a", 30, sent_at=NOW - 5), context("b", 10, sent_at=NOW - 9))
        assert evict(session, 9000) is True
        assert names(session) == ["a", "b"]
        assert codes(session) == ["code of a", None]
        assert [one.challenge.sent_at for one in session.contexts.values()] == [NOW - 5, NOW - 9]

    def test_code_beside_a_check_without_one(self):
        """A check that has sent nothing has no code to give."""
        session = session_with(context("a", 30), context("b", 10, sent_at=NOW - 9))
        evict(session, 9000)
        assert codes(session) == [None, None]
        assert names(session) == ["a", "b"]

    def test_code_of_the_only_check(self):
        """The code of the only check stays while its raw token goes, and goes then."""
        session = session_with(context("a", 30, sent_at=NOW - 5))
        assert evict(session, 9000) is True
        assert codes(session) == ["code of a"]
        assert names(session) == [""]
        assert evict(session, 9000) is True
        assert codes(session) == [None]

    def test_raw_token_of_the_older_check(self):
        """Of two checks the older one leaves its raw token to the shared state."""
        session = session_with(context("b", 10), context("a", 30))
        assert evict(session, 9000) is True
        assert names(session) == ["b", ""]

    def test_plain_token_before_the_newest_raw_token(self):
        """A token that needs no second factor goes, the one that ends first."""
        session = session_with(context("a", 30), tokens=(A, C, B), verified=(A,))
        assert evict(session, 9000) is True
        assert list(session.access_tokens) == [A, B]
        assert names(session) == ["a"]

    def test_spent_target_that_ends_first(self):
        """What a check was for that is over is forgotten, the oldest one."""
        session = session_with(context("a", 30), context("b", 20), context("c", 10))
        spent = dict(zip("abc", session.contexts.values(), strict=True))
        session.close_context(spent["b"])
        session.close_context(spent["a"])
        assert evict(session, 9000) is True
        assert list(session.targets) == [spent["b"].id, spent["c"].id]
        assert names(session) == ["c"]

    def test_target_with_a_recovery_code(self):
        """What has still a recovery code to show is not forgotten."""
        session = session_with(context("a", 30), tokens=(A, B), verified=(A, B))
        (closed,) = session.contexts.values()
        session.close_context(closed, recovery_code="code")
        assert evict(session, 9000) is True
        assert list(session.targets) == [closed.id]
        assert list(session.access_tokens) == [B]

    def test_target_of_an_open_check(self):
        """What an open check is for stays; the check leaves its raw token instead."""
        session = session_with(context("a", 30), tokens=(A,), verified=(A,))
        evict(session, 9000)
        assert len(session.targets) == 1
        assert names(session) == [""]

    def test_older_approvals(self):
        """Approvals that nothing was sent with go, the oldest first, but the newest stays."""
        session = session_with(tokens=(A, B), verified=(A, B))
        for age in (30, 10, 20):
            session.verified[f"{A}\n{age}"] = Verification(NOW - age, "otp")
        assert evict(session, 9000) is True
        assert evict(session, 9000) is True
        assert session.verified.keys() == {A, B, f"{A}\n10"}
        assert evict(session, 9000) is True
        assert session.verified.keys() == {A, B, f"{A}\n10"}
        assert list(session.access_tokens) == [B]

    def test_proof_without_its_token(self):
        """A proof whose token is gone goes before another token does; that of a login stays."""
        session = session_with(tokens=(A, B), verified=(A, B, C, ANY_AUDIENCE))
        assert evict(session, 9000) is True
        assert session.verified.keys() == {A, B, ANY_AUDIENCE}
        assert list(session.access_tokens) == [A, B]

    def test_token_with_a_second_factor(self):
        """Then a token that took a second factor goes, the one that ends first."""
        session = session_with(context("a", 30).lean(), tokens=(B, A), verified=(A, B))
        assert evict(session, 9000) is True
        assert list(session.access_tokens) == [A]

    def test_older_of_two_checks(self):
        """At last the older of two checks is closed; the last token stays."""
        lean = context("b", 10).lean(), context("a", 30).lean()
        session = session_with(*lean, tokens=(A,), verified=(A,))
        assert evict(session, 9000) is True
        assert list(session.contexts.values()) == [lean[0]]
        assert list(session.access_tokens) == [A]

    def test_nothing_left(self, caplog):
        """With one lean check and one token it is an error, which names the sizes and remedies."""
        session = session_with(context("a", 30).lean(), tokens=(A,), verified=(A,))
        with (
            caplog.at_level(logging.ERROR, "flask_auth0_mfa"),
            pytest.raises(SessionTooLargeError) as error,
        ):
            evict(session, 9000)
        assert str(error.value) == (
            f"The session needs 9000 bytes of cookies and may have {BUDGET}. Keep the session on "
            "the server (Flask-Session, for example), or ask the tenant for smaller tokens and "
            "fewer claims."
        )
        assert caplog.messages == ["A session of 9000 bytes does not fit into cookies"]
        assert len(session.contexts) == len(session.access_tokens) == 1


class TestMakeWay:
    """What this request brought goes, where parallel answers have used up the room."""

    def test_raw_token_of_a_new_check(self):
        """First the raw token of a check that began here."""
        sent = session_with(context("a", 30))
        session = sent.copy()
        session.open_context(context("b", 0))
        assert make_way(session, sent) is True
        assert names(session) == ["a", ""]

    def test_new_check_before_its_target(self):
        """Then the check, whose target stays for another press of the button, then that."""
        sent = session_with(context("old", 60), context("a", 30))
        sent.close_context(next(iter(sent.contexts.values())))
        session = sent.copy()
        new = context("b", 0).lean()
        session.open_context(new)
        assert make_way(session, sent) is True
        assert names(session) == ["a"]
        assert new.id in session.targets
        assert make_way(session, sent) is True
        assert session.targets.keys() == sent.targets.keys()

    def test_token_that_was_here(self):
        """Of the tokens the one that was here goes before the one that came."""
        sent = session_with(tokens=(B, C))
        session = session_with(tokens=(A, B, C))
        session.access_tokens[A] = replace(session.access_tokens[A], expires_at=NOW)
        assert make_way(session, sent) is True
        assert list(session.access_tokens) == [A, C]

    def test_nothing_new(self):
        """Where nothing came, the usual order holds."""
        session = session_with(context("a", 30), tokens=(A,), verified=(A,))
        assert make_way(session, session.copy()) is True
        assert names(session) == [""]

    def test_nothing_left(self):
        """Where there is nothing to give it says so, and raises nothing."""
        session = session_with(context("a", 30).lean(), tokens=(A,), verified=(A,))
        assert make_way(session, session.copy()) is False


class TestTakeBack:
    """What this request would add goes, and nothing else."""

    def test_raw_token_that_was_elsewhere(self):
        """A check that came without its raw token leaves without it."""
        session = session_with(context("a", 30), context("b", 10))
        sent = session.copy()
        sent.replace_context(context("a", 30).lean())
        assert take_back(session, sent) is True
        assert names(session) == ["", "b"]

    def test_nothing_new(self):
        """What was here stays, however much it is."""
        session = session_with(context("a", 30), context("b", 10), tokens=(A, B))
        assert take_back(session, session.copy()) is False
        assert names(session) == ["a", "b"]


def test_small_enough_and_nothing_left():
    """A session within the budget is no error where the application's cookies leave less."""
    session = session_with(context("a", 30).lean(), tokens=(A,), verified=(A,))
    assert evict(session, BUDGET) is False
