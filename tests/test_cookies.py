"""The sealed cookies of a session: what is written when, and what is believed.

The tests run short functions on the session of a request, and look at the cookies that come back.
"""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import suppress
from dataclasses import replace
from http.cookies import SimpleCookie
from itertools import permutations

import pytest
from flask import flash, session
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.http import parse_date

from flask_auth0_mfa.budget import BUDGET, HEADER, USUAL, SessionTooLargeError
from flask_auth0_mfa.cookies import MAX_DELETED, MAX_PARTS
from flask_auth0_mfa.jar import PARALLEL_MARGIN, UNKNOWN_MARGIN
from flask_auth0_mfa.logins import IN_FLIGHT
from flask_auth0_mfa.models import (
    TARGET_TTL,
    Auth0Session,
    Challenge,
    context_id,
)
from flask_auth0_mfa.pieces import CHUNK, cut
from flask_auth0_mfa.sealing import AUDIENCE, CONTEXT, SESSION, TARGET
from flask_auth0_mfa.sessions import auth0_session, glance

from .scripted import (
    ADMIN,
    PAD,
    PAYMENTS,
    SECRET_KEY,
    Site,
    claim,
    grow,
    keep_token,
    open_context,
    sign_in,
    verify,
)
from .still import StillClock
from .test_parallel_tabs import nothing_known

#: How the names of the cookies begin that an audience's token is in.
ADMIN_COOKIE = f"session_auth0_a_{context_id(ADMIN)}_"


@pytest.fixture
def clock():
    """The clock of the application; the test client itself lives in real time."""
    return StillClock(int(time.time()))


@pytest.fixture
def site(clock):
    """An application with Flask's cookie session."""
    return Site(clock)


@pytest.fixture
def signed_in(site):
    """The same, with somebody signed in."""
    site.change(sign_in)
    return site


class TestWriting:
    """Each part is written when it changed, and only then."""

    def test_looking(self, signed_in):
        """Looking at the session writes nothing, but the answer depends on the cookie."""
        signed_in.content()
        assert "Set-Cookie" not in signed_in.answer.headers
        assert signed_in.answer.headers["Vary"] == "Cookie"

    @pytest.mark.parametrize(
        ("change", "kinds"),
        [
            (claim(name="Ana"), {"0"}),
            (lambda mine: setattr(mine, "refresh_token", "v1.N"), {"0"}),
            (lambda mine: setattr(mine, "sid", "new"), {"0"}),
            (keep_token(), {"a"}),
            (verify(), {"a"}),
            (keep_token(ADMIN), {"a"}),
            (open_context("two"), {"c", "t"}),
            (lambda mine: mine.replace_context(attempted(mine)), {"c"}),
            (claim(sub="auth0|ana"), set()),
        ],
    )
    def test_one_part(self, signed_in, change, kinds):
        """A change writes its own part, and leaves every other cookie alone."""
        signed_in.change(open_context("one"))
        signed_in.change(keep_token("https://other.example.com"))
        before = signed_in.cookies
        signed_in.change(change)
        written = {name.removeprefix("session_auth0_").split("_")[0] for name in signed_in.set}
        assert written == kinds
        assert signed_in.deleted == set()
        untouched = set(before) - signed_in.set
        assert all(signed_in.cookies[name] == before[name] for name in untouched)

    def test_change_before_an_error(self, signed_in):
        """What was changed before an error was raised is written."""

        def fail():
            with suppress(LookupError), auth0_session() as mine:
                mine.refresh_token = "v1.N"
                raise LookupError

        signed_in.run(fail)
        assert signed_in.content()["token_set"]["refresh_token"] == "v1.N"

    def test_closed_context(self, signed_in):
        """A context that is closed takes its cookie with it."""
        signed_in.change(open_context())
        (name,) = signed_in.named("c")
        signed_in.change(lambda mine: mine.close_context(mine.newest_context()))
        assert signed_in.deleted == {name}
        assert signed_in.named("c") == []

    def test_check_without_its_token(self, signed_in):
        """Checks whose tokens the shared state has alone are the same ones as before."""
        for name in ("one", "two"):
            signed_in.change(open_context(name))
        before = signed_in.content()["mfa_context"].keys()
        signed_in.change(
            lambda mine: [mine.replace_context(one.lean()) for one in list(mine.contexts.values())]
        )
        after = signed_in.content()["mfa_context"]
        assert after.keys() == before
        assert not any(one["raw_mfa_token"] for one in after.values())

    def test_nothing_twice(self, signed_in):
        """What a check is for is in one cookie, and takes no room in that of the check."""
        signed_in.change(open_context("one"))
        (one,) = signed_in.named("c")
        signed_in.change(open_context("two", reason=PAD[:400]))
        (two,) = set(signed_in.named("c")) - {one}
        assert abs(len(signed_in.cookies[two]) - len(signed_in.cookies[one])) < 100

    def test_everything_comes_back(self, signed_in):
        """Every part comes back as it was stored."""
        signed_in.change(keep_token())
        signed_in.change(verify())
        signed_in.change(open_context(challenge=Challenge("oob", "sms", "sms|dev_1", "Fe26", "p")))
        signed_in.change(lambda mine: keep_token(None)(mine))

        def same():
            with auth0_session() as mine:
                return mine.to_dict()

        first, second = signed_in.run(same), signed_in.run(same)
        assert first == second
        assert first["verified"][PAYMENTS]["method"] == "otp"
        assert first["access_tokens"][0]["audience"] == PAYMENTS
        (context,) = first["mfa_context"].values()
        assert context["challenge"]["oob_code"] == "Fe26"
        assert context["return_to"] == "/transfer"


def of_ours(site):
    """Return the bytes of our cookies, names and values, beside those of the application."""
    return sum(len(k + v) for k, v in site.cookies.items() if "_auth0_" in k)


def both(one, other):
    """Return the change that makes two."""
    return lambda mine: (one(mine), other(mine))


def attempted(mine):
    """Return the newest context, with one try more."""
    context = mine.newest_context()
    return replace(context, attempts=context.attempts + 1)


class TestTabs:
    """Answers of parallel requests arrive in any order, and none undoes another."""

    def parallel(self, site, clock, *changes):
        """Make requests that all start from the cookies of now; return what each one set."""
        start = dict(site.client._cookies)
        answers = []
        for change in changes:
            site.client._cookies = dict(start)
            change(site)
            answers.append(site.answer.headers.getlist("Set-Cookie"))
        site.client._cookies = start
        return answers

    def receive(self, site, answers):
        """Let the browser take over what those answers set, in that order."""
        for headers in answers:
            for header in headers:
                for name, morsel in SimpleCookie(header).items():
                    if morsel.value:
                        site.put(name, morsel.value)
                    else:
                        site.client.delete_cookie(name)

    @pytest.mark.parametrize("order", [1, -1])
    def test_two_contexts(self, signed_in, clock, order):
        """Two checks that start at once are both open."""
        answers = self.parallel(
            signed_in,
            clock,
            lambda site: site.change(open_context("one")),
            lambda site: site.change(open_context("two")),
        )
        self.receive(signed_in, answers[::order])
        assert len(signed_in.content()["mfa_context"]) == 2

    @pytest.mark.parametrize("order", [1, -1])
    def test_two_verifications(self, signed_in, clock, order):
        """Two checks that end at once both count."""
        answers = self.parallel(
            signed_in,
            clock,
            lambda site: site.change(verify(PAYMENTS)),
            lambda site: site.change(verify(ADMIN)),
        )
        self.receive(signed_in, answers[::order])
        assert set(signed_in.content()["verified"]) == {PAYMENTS, ADMIN}

    @pytest.mark.parametrize("order", [1, -1])
    def test_late_message(self, signed_in, clock, order):
        """A tab that only shows a message never brings back an old refresh token."""
        answers = self.parallel(
            signed_in,
            clock,
            lambda site: site.change(lambda mine: setattr(mine, "refresh_token", "v1.N")),
            lambda site: site.run(lambda: flash("Done")),
        )
        self.receive(signed_in, answers[::order])
        assert signed_in.content()["token_set"]["refresh_token"] == "v1.N"

    @pytest.mark.parametrize("order", [1, -1])
    def test_late_context(self, signed_in, clock, order):
        """Nor does a tab that opens or changes a check."""
        signed_in.change(open_context("one"))
        answers = self.parallel(
            signed_in,
            clock,
            lambda site: site.change(lambda mine: setattr(mine, "refresh_token", "v1.N")),
            lambda site: site.change(lambda mine: mine.replace_context(attempted(mine))),
            lambda site: site.change(open_context("two")),
        )
        self.receive(signed_in, answers[::order])
        content = signed_in.content()
        assert content["token_set"]["refresh_token"] == "v1.N"
        assert sorted(c.get("attempts", 0) for c in content["mfa_context"].values()) == [0, 1]


class TestPieces:
    """What is too long for one cookie goes on in the next."""

    def names(self, site):
        """Return the names of the cookies of the part with the tokens."""
        return sorted(n for n in site.cookies if n.removeprefix("session_auth0_").isdigit())

    def fill(self, site, length):
        """Make the part with the tokens as long as it gets without being longer than that."""
        low, high = 0, 2 * length
        while low < high:
            middle = (low + high + 1) // 2
            site.change(grow(middle))
            pieces = [site.cookies[name].split(".", 2)[2] for name in self.names(site)]
            low, high = (middle, high) if len("".join(pieces)) <= length else (low, middle - 1)
        site.change(grow(low))
        return low

    @pytest.mark.parametrize("number", [1, 2])
    def test_at_the_edge(self, signed_in, number):
        """At the longest length for so many pieces, around it, and one beyond: all is read back."""
        size = self.fill(signed_in, CHUNK * number) if number == 1 else 5_300
        seen = set()
        for pad in range(size - 3, size + 8):
            signed_in.change(grow(pad))
            seen.add(len(self.names(signed_in)))
            assert signed_in.content()["user"]["pad"] == PAD[:pad]
        assert seen == ({1, 2} if number == 1 else {2})

    def test_longest_cookie(self, signed_in):
        """Even at the edge a cookie has no more than the 4 096 bytes that browsers keep."""
        self.fill(signed_in, CHUNK)
        sizes = [len(name) + len(value) for name, value in signed_in.cookies.items()]
        assert CHUNK - 100 < max(sizes) <= 4096

    def test_header_line(self, signed_in):
        """Nor is its whole header line longer than Werkzeug finds right (it warns: an error)."""
        self.fill(signed_in, CHUNK)
        headers = signed_in.answer.headers.getlist("Set-Cookie")
        assert all(len(header) <= 4093 for header in headers)

    def test_shrinking(self, signed_in):
        """A part that became shorter leaves no old piece behind."""
        signed_in.change(grow(5_000))
        assert len(self.names(signed_in)) == 2
        signed_in.change(grow(10))
        assert signed_in.deleted == {"session_auth0_1"}
        assert self.names(signed_in) == ["session_auth0_0"]
        assert len(signed_in.content()["user"]["pad"]) == 10

    def test_stale_piece(self, signed_in):
        """A piece that a browser failed to delete is not read."""
        signed_in.put("session_auth0_1", "2.AAAAAAAA.stale")
        assert signed_in.content()["user"]["sub"] == "auth0|ana"

    @pytest.mark.parametrize("gone", ["session_auth0_0", "session_auth0_1"])
    def test_gap(self, signed_in, gone):
        """A part with a piece missing is absent, whole."""
        signed_in.change(grow(5_000))
        signed_in.client.delete_cookie(gone)
        assert signed_in.content()["user"] is None

    @pytest.mark.parametrize("late", ["session_auth0_0", "session_auth0_1"])
    def test_two_writes(self, signed_in, late):
        """Pieces of two writes are never put together."""
        signed_in.change(grow(5_000))
        old = signed_in.cookies[late]
        signed_in.change(claim(pad=PAD[-5_000:]))
        assert len(self.names(signed_in)) == 2
        signed_in.put(late, old)
        assert signed_in.content()["user"] is None

    def test_other_order(self, signed_in):
        """Pieces under each other's names are no part."""
        signed_in.change(grow(5_000))
        first, second = (signed_in.cookies[f"session_auth0_{n}"] for n in (0, 1))
        signed_in.put("session_auth0_0", second)
        signed_in.put("session_auth0_1", first)
        assert signed_in.content()["user"] is None

    @pytest.mark.parametrize("count", ["0", "1", "3", "9", "10", "-1", "٢", ""])
    def test_other_count(self, signed_in, count):
        """A wrong number of pieces makes no part."""
        signed_in.change(grow(5_000))
        for number in (0, 1):
            name = f"session_auth0_{number}"
            signed_in.put(name, count + signed_in.cookies[name][1:])
        assert signed_in.content()["user"] is None

    def test_many_pieces(self, site):
        """A thousand pieces are no part, and no work."""
        for number in range(1000):
            site.put(f"session_auth0_{number}", f"9.AAAAAAAA.{number}")
        assert site.content()["user"] is None

    def test_rest_is_deleted(self, signed_in):
        """What is left of a broken part is deleted."""
        signed_in.change(grow(5_000))
        signed_in.client.delete_cookie("session_auth0_0")
        signed_in.content()
        assert signed_in.deleted == {"session_auth0_1"}

    def test_long_context(self, signed_in):
        """A context can be longer than one cookie as well."""
        signed_in.change(open_context(token=secrets.token_urlsafe(3_000)))
        assert len(signed_in.named("c")) == 2
        assert len(signed_in.content()["mfa_context"]) == 1


def plant(site, count):
    """Put cookies with fitting names into the browser, as a sibling domain can."""
    for number in range(count):
        site.put(f"session_auth0_a_{number:022d}_0", "x")


class TestForeignCookies:
    """Tampered, swapped and foreign cookies count as absent; no request fails for them."""

    @pytest.fixture
    def full(self, signed_in):
        """Somebody with a cookie of every kind."""
        for change in (keep_token(), verify(), keep_token(ADMIN), open_context()):
            signed_in.change(change)
        return signed_in

    def sees(self, site):
        """Return what is found of each kind: users, audiences, contexts, targets."""
        content = site.content()
        assert site.answer.status_code == 200
        self.check_glances(site, content)
        parts = ("access_tokens", "mfa_context", "targets")
        return (content["user"] is not None, *(len(content[part]) for part in parts))

    def check_glances(self, site, content):
        """Check that a look at one audience, as guards take it, believes nothing else."""
        for audience in (PAYMENTS, ADMIN):
            seen = site.run(lambda audience=audience: glance(audience).to_dict())
            assert seen["user"] == content["user"]
            of_it = [one for one in content["access_tokens"] if one["audience"] == audience]
            assert seen["access_tokens"] == of_it
            assert seen["verified"].get(audience) == content["verified"].get(audience)

    @pytest.mark.parametrize(
        ("letter", "seen"),
        [("0", (False, 0, 0, 0)), ("a", (True, 1, 1, 1)), ("c", (True, 2, 0, 1))],
    )
    @pytest.mark.parametrize(
        "change",
        [
            lambda value: value[:-1],
            lambda value: value[:-2] + ("AA" if value[-2:] != "AA" else "BB"),
            lambda value: value[: len(value) // 2],
            lambda value: value[1:],
            # The mark of another write before this seal.
            lambda value: f"1.AAAAAAAA.{value.split('.', 2)[2]}",
            lambda value: value + "A",
            lambda value: value + value,
            lambda value: value.upper(),
            lambda value: value.replace(".", ""),
            lambda _: "",
            lambda _: ".",
            lambda _: "1.AAAAAAAA.",
            lambda _: "1.AAAAAAAA.\x00",
            lambda _: "1.AAAAAAAA.é中",
            lambda _: "1.AAAAAAAA." + "A" * 4_000,
            lambda _: "null",
        ],
    )
    def test_changed(self, full, letter, seen, change):
        """A changed cookie loses its own part and no other."""
        assert self.sees(full) == (True, 2, 1, 1)
        name = "session_auth0_0" if letter == "0" else full.named(letter)[0]
        full.put(name, change(full.cookies[name]))
        assert self.sees(full) == seen

    def test_every_truncation(self, full):
        """No beginning of a session cookie signs anybody in."""
        value = full.cookies["session_auth0_0"]
        for length in range(0, len(value), 7):
            full.put("session_auth0_0", value[:length])
            assert full.content()["user"] is None

    def test_deleted(self, full):
        """What is not genuine is deleted from the browser."""
        (name,) = full.named("c")
        full.put(name, "broken")
        full.content()
        assert full.deleted == {name}

    @pytest.mark.parametrize(("source", "target"), list(permutations("0act", 2)))
    def test_swapped_kinds(self, full, source, target):
        """A cookie of one kind is none of another kind, under whatever name."""
        cookies = full.cookies
        names = {letter: full.named(letter)[0] for letter in "act"} | {"0": "session_auth0_0"}
        full.put(names[target], cookies[names[source]])
        lost = {"0": (False, 0, 0, 0), "a": (True, 1, 1, 1), "c": (True, 2, 0, 1)}
        # A context is none without its target.
        assert self.sees(full) == lost.get(target, (True, 2, 0, 0))

    def test_swapped_contexts(self, full):
        """A context under another one's name is absent."""
        full.change(open_context("two"))
        one, two = full.named("c")
        values = full.cookies
        full.put(one, values[two])
        full.put(two, values[one])
        assert self.sees(full)[2] == 0

    def test_swapped_audiences(self, full):
        """What one audience has is not what another one has."""
        one, two = full.named("a")
        full.put(one, full.cookies[two])
        assert self.sees(full)[1] == 1

    def test_another_login(self, full, clock):
        """Cookies of another login, of the same person, too, open nothing in this one."""
        other = Site(clock)
        other.change(sign_in)
        for name, value in full.cookies.items():
            if name != "session_auth0_0":
                other.put(name, value)
        assert self.sees(other) == (True, 0, 0, 0)

    def test_another_application(self, full, clock):
        """Cookies of an application with another secret open nothing."""
        other = Site(clock)
        other.app.secret_key = "another secret key, and also long enough"
        for name, value in full.cookies.items():
            other.put(name, value)
        assert self.sees(other) == (False, 0, 0, 0)

    def test_context_without_login(self, full, clock):
        """A context alone, planted before a login, is absent after it (fixation)."""
        other = Site(clock)
        (name,) = full.named("c")
        other.put(name, full.cookies[name])
        assert self.sees(other) == (False, 0, 0, 0)
        other.put(name, full.cookies[name])
        other.change(sign_in)
        assert self.sees(other) == (True, 0, 0, 0)

    def test_flood(self, full):
        """A thousand cookies with fitting names make no more work than a few."""
        sealer = full.app.extensions["auth0_mfa"].sealer
        opened = []
        for number in range(1000):
            full.put(f"session_auth0_c_{number:022d}_0", "1.AAAAAAAA.AAAAAAAA.x")
        open_one = sealer.open
        try:
            # A bound method is an attribute of the instance here, so nobody else sees it.
            sealer.open = lambda *arguments: opened.append(1) or open_one(*arguments)
            assert full.content()["user"]["sub"] == "auth0|ana"
        finally:
            del sealer.open
        assert MAX_PARTS < len(opened) <= 1 + 3 * MAX_PARTS

    def test_planted(self, full):
        """Hundreds of planted cookies do not make an answer too long for the proxy before us."""
        plant(full, 180)
        full.content()
        assert len(full.deleted) == MAX_DELETED
        assert sum(map(len, full.answer.headers.getlist("Set-Cookie"))) < 4096

    @pytest.mark.parametrize(
        ("seconds", "kinds"),
        [
            (0, {"session_auth0_0", "session_auth0_a", "session_auth0_c", "session_auth0_t"}),
            (2 * 86_400, {"session_auth0_0", "session_auth0_a"}),
        ],
    )
    def test_planted_before_a_logout(self, full, clock, seconds, kinds):
        """A logout deletes all of the session all the same, also what is over by then."""
        clock.advance(seconds)
        ours = {name for name in full.cookies if name[:15] in kinds}
        plant(full, 180)
        full.change(lambda mine: mine.__dict__.update(Auth0Session().__dict__))
        assert ours <= full.deleted
        assert len(full.deleted) == len(ours) + MAX_DELETED

    @pytest.mark.parametrize(
        "header",
        [
            "session_auth0_0=a; session_auth0_0=b",
            "session_auth0_0",
            "session_auth0_0=",
            "=session_auth0_0",
            "session_auth0_0=;;;;=;=a",
            'session_auth0_0="1.AAAAAAAA.\\101"',
            "session_auth0_c_" + "A" * 22 + "_0=1.AAAAAAAA.x; session_auth0_c_\xff_0=y",
            "; ".join(["session_auth0_0=1.AAAAAAAA.x"] * 500),
        ],
    )
    def test_strange_header(self, site, header):
        """A strange ``Cookie`` header fails no request."""

        def action():
            with auth0_session() as mine:
                return mine.user

        site.action = action
        assert site.client.get("/", headers={"Cookie": header}).status_code == 200

    @settings(deadline=None, max_examples=50)
    @given(
        st.dictionaries(
            st.sampled_from(
                ["session_auth0_0", "session_auth0_1", "session"]
                + [f"session_auth0_{letter}_{'A' * 22}_0" for letter in "act"]
            ),
            st.text(st.characters(max_codepoint=0xFF))
            | st.from_regex(r"\A[0-9]\.[\w-]{8}\.[\w.-]{0,99}\Z")
            | st.from_regex(r"\A[\w-]{8}[\w.-]{1,99}\Z").map(lambda seal: f"1.{seal[:8]}.{seal}"),
        )
    )
    def test_any_cookie(self, cookies):
        """No cookies at all sign anybody in or fail a request."""
        site = Site(StillClock(int(time.time())))
        for name, value in cookies.items():
            site.put(name, value)
        assert site.content()["user"] is None


class TestForeignContent:
    """Content that we would not write, though it is sealed with our key: an older version's."""

    IDENTIFIER = context_id(PAYMENTS)
    GOOD = {  # noqa: RUF012 - never changed
        "user": {"sub": "auth0|ana"},
        "token_set": {"refresh_token": "v1.M"},
        "sid": "s",
        "login_id": "l",
        "created_at": 1,
    }

    def plant(self, site, purpose, content, identifier=""):
        """Put a genuine cookie with this content into the browser."""
        letter = {AUDIENCE: "a_", CONTEXT: "c_", TARGET: "t_", SESSION: ""}[purpose]
        sealer = site.app.extensions["auth0_mfa"].sealer
        own = {"id": identifier} if identifier else {}
        sealed = sealer.seal(purpose, content | own, int(site.clock()) + 300)
        name = f"session_auth0_{letter}{identifier}" if identifier else "session_auth0"
        for piece in cut(name, sealed).items():
            site.put(*piece)

    def test_as_we_write_it(self, site):
        """Without a change the planted session is believed, so that a change can matter."""
        self.plant(site, SESSION, self.GOOD | {"created_at": int(site.clock())})
        content = {"login_id": "l", "audience": PAYMENTS, "verified": {"at": 1, "method": "otp"}}
        self.plant(site, AUDIENCE, content, self.IDENTIFIER)
        assert site.content()["user"] == {"sub": "auth0|ana"}
        assert site.content()["verified"][PAYMENTS]["method"] == "otp"

    @pytest.mark.parametrize(
        "changes",
        [
            {"token_set": None},
            {"token_set": {}},
            {"token_set": {"refresh_token": "a", "access_token": "b"}},
            {"created_at": None, "login_id": "l"},
            {"sid": []},
            {"user": None},
        ],
    )
    def test_session(self, site, changes):
        """A session of another shape counts as absent, or is read as far as it goes."""
        self.plant(site, SESSION, self.GOOD | changes)
        site.content()
        assert site.answer.status_code == 200

    def test_session_without_keys(self, site):
        """A session that lacks something is absent."""
        for name in self.GOOD:
            self.plant(site, SESSION, {k: v for k, v in self.GOOD.items() if k != name})
            assert site.content()["user"] is None

    @pytest.mark.parametrize("purpose", [AUDIENCE, CONTEXT, TARGET])
    @pytest.mark.parametrize(
        "content",
        [
            {},
            {"audience": [], "verified": {"at": 1, "method": "otp"}},
            {"audience": PAYMENTS, "verified": 7},
            {"audience": PAYMENTS, "verified": {"at": 1}},
            {"verified": {"at": 1, "method": "otp"}},
            {"audience": PAYMENTS, "token": {}},
            {"audience": PAYMENTS, "token": []},
            {"raw_mfa_token": 7, "opened_at": "x", "expires_at": "y"},
            {"raw_mfa_token": "t", "opened_at": 1, "expires_at": None},
            {"raw_mfa_token": "t", "unknown": 1},
            {"expires_at": "x", "return_to": 7},
            {"unknown": 1},
        ],
    )
    def test_part(self, site, purpose, content):
        """A part of another shape fails no request."""
        self.plant(site, SESSION, self.GOOD | {"created_at": int(site.clock())})
        self.plant(site, purpose, {"login_id": "l"} | content, self.IDENTIFIER)
        site.content()
        assert site.answer.status_code == 200


class TestContextLifetime:
    """A context's cookie lives exactly as long as the context."""

    def test_max_age(self, signed_in, clock):
        """Its Max-Age is what is left of its time, and it expires at the same moment."""
        signed_in.change(open_context())
        (name,) = signed_in.named("c")
        assert signed_in.written[name]["max-age"] == "300"
        assert parse_date(signed_in.written[name]["expires"]).timestamp() == clock() + 300

    def test_time_zone(self, signed_in, clock, monkeypatch):
        """It is the same moment where the server's time zone is another one."""
        with monkeypatch.context() as patch:
            patch.setenv("TZ", "Asia/Tokyo")
            time.tzset()
            signed_in.change(open_context())
        time.tzset()
        (name,) = signed_in.named("c")
        assert parse_date(signed_in.written[name]["expires"]).timestamp() == clock() + 300

    def test_not_prolonged(self, signed_in, clock):
        """Working with it does not prolong its time."""
        signed_in.change(open_context())
        (name,) = signed_in.named("c")
        clock.advance(100)
        signed_in.change(lambda mine: mine.replace_context(attempted(mine)))
        assert signed_in.written[name]["max-age"] == "200"
        clock.advance(199)
        assert len(signed_in.content()["mfa_context"]) == 1
        clock.advance(1)
        assert signed_in.content()["mfa_context"] == {}

    def test_browser_that_keeps_it(self, signed_in, clock):
        """A browser that keeps the cookie for longer gets nothing, and is told to drop it."""
        signed_in.change(open_context())
        (name,) = signed_in.named("c")
        clock.advance(300)
        assert signed_in.content()["mfa_context"] == {}
        assert name in signed_in.deleted

    def test_target(self, signed_in, clock):
        """What it was for is known for an hour, so that it can be started again."""
        signed_in.change(open_context())
        (name,) = signed_in.named("t")
        assert signed_in.written[name]["max-age"] == str(TARGET_TTL)
        clock.advance(TARGET_TTL - 1)
        (target,) = signed_in.content()["targets"].values()
        assert target["return_to"] == "/transfer"
        clock.advance(1)
        assert signed_in.content()["targets"] == {}


class TestBudget:
    """Servers refuse long headers, so ours have an upper end, and what matters least goes first."""

    def size(self, site):
        """Return the bytes of our cookies, names and values."""
        return sum(len(name) + len(value) for name, value in site.cookies.items())

    def test_usual_session(self, signed_in):
        """The usual session with a check open needs no more than 4 096 bytes."""
        signed_in.change(keep_token(size=700))
        signed_in.change(verify())
        signed_in.change(open_context(token=secrets.token_hex(950)))
        assert self.size(signed_in) <= 4096

    def test_many_contexts(self, signed_in, clock):
        """Checks beyond what fits are forgotten, the oldest first, but two stay."""
        for number in range(6):
            signed_in.change(open_context(f"n{number}", token=secrets.token_urlsafe(1_400)))
            clock.advance(1)
            assert self.size(signed_in) <= BUDGET
        raw = [c["raw_mfa_token"] for c in signed_in.content()["mfa_context"].values()]
        names = sorted(one.split("*")[1] for one in raw)
        assert names == ["n4", "n5"]

    def test_many_small_contexts(self, signed_in, clock):
        """While there is room, more checks than two stay open."""
        for number in range(3):
            signed_in.change(open_context(f"n{number}", token="x" * 200))
        assert len(signed_in.content()["mfa_context"]) == 3

    def test_many_tokens(self, signed_in):
        """Access tokens beyond what fits are forgotten, the one that ends first first."""
        for number in range(8):
            audience = f"https://api{number}.example.com"
            signed_in.change(keep_token(audience, size=900, ttl=3600 + number))
            assert self.size(signed_in) <= BUDGET
        audiences = {t["audience"] for t in signed_in.content()["access_tokens"]}
        assert "https://api7.example.com" in audiences
        assert "https://api0.example.com" not in audiences

    def test_no_more_than_is_needed(self, signed_in):
        """A check that leaves its raw token to the shared state has made room for the rest."""
        for change in (keep_token(size=1_700), verify(), keep_token(ADMIN, 1_700), verify(ADMIN)):
            signed_in.change(change)
        signed_in.change(open_context(token=secrets.token_urlsafe(900)))
        assert self.size(signed_in) <= BUDGET
        content = signed_in.content()
        assert [one["kept_hash"] for one in content["mfa_context"].values()] != [None]
        assert len(content["access_tokens"]) == 2

    def test_verifications_stay(self, signed_in):
        """That a second factor was proved is not forgotten with a token."""
        signed_in.change(verify("https://api0.example.com"))
        for number in range(8):
            signed_in.change(keep_token(f"https://api{number}.example.com", size=900))
        assert "https://api0.example.com" in signed_in.content()["verified"]

    def test_too_large(self, signed_in):
        """What cannot be made to fit fails loudly, and names the remedy."""
        with pytest.raises(SessionTooLargeError, match="Keep the session on the server"):
            signed_in.change(grow(12_000))

    def test_nothing_half_written(self, signed_in, caplog):
        """Then nothing at all is written: the old session goes on, and the log says why."""
        signed_in.app.testing = False
        before = signed_in.cookies

        def too_much(mine):
            grow(12_000)(mine)
            keep_token()(mine)
            session["a"] = 1

        with caplog.at_level(logging.ERROR):
            signed_in.change(too_much)
        assert signed_in.answer.status_code == 500
        assert "Set-Cookie" not in signed_in.answer.headers
        assert "does not fit into cookies" in caplog.text
        assert signed_in.cookies == before
        assert "pad" not in signed_in.content()["user"]

    def test_edge(self, signed_in):
        """The budget counts every byte: what just fits is written, a little more is not."""
        low, high = 0, 12_000
        while low < high:
            middle = (low + high + 1) // 2
            try:
                signed_in.change(grow(middle))
                low = middle
            except SessionTooLargeError:
                high = middle - 1
        assert BUDGET - 4 <= self.size_at(signed_in, low) <= BUDGET
        with pytest.raises(SessionTooLargeError):
            signed_in.change(grow(low + 8))

    @pytest.mark.parametrize(
        ("count", "length", "room"),
        # Each of theirs has nine characters of name, and "=" and "; " around them.
        [(0, 0, BUDGET), (150, 10, HEADER - 150 * (9 + 10 + 3)), (9, 900, USUAL)],
        ids=["none", "many small ones", "more than there is room"],
    )
    def test_room_beside_the_application(self, signed_in, count, length, room):
        """A token stays as long as there is room beside the application's cookies."""
        for number in range(count):
            signed_in.put(f"theirs{number:03}", "x" * length)
        low, high, taken = 0, 8_600, 0
        while low < high:
            middle = (low + high + 1) // 2
            signed_in.change(both(keep_token(size=200), grow(middle)))
            if signed_in.named("a"):
                low, taken = middle, max(taken, of_ours(signed_in))
            else:
                high = middle - 1
        assert room - 16 <= taken <= room

    def test_room_that_the_application_takes_later(self, signed_in):
        """When the application's cookies grow, ours give way with the next answer, if only read."""
        for change in (keep_token(), keep_token(ADMIN, size=2_500)):
            signed_in.change(change)
        for number in range(9):
            signed_in.put(f"theirs{number}", "x" * 900)
        signed_in.content()
        assert of_ours(signed_in) <= USUAL

    def size_at(self, site, pad):
        """Return the bytes of our cookies with that much in them."""
        site.change(grow(pad))
        return self.size(site)


class TestParallelAnswers:
    """What an answer may add while others, whose cookies it has not seen, are on their way."""

    def longest(self, site, clock, add, late=()):
        """Return the bytes that ours take with the longest token which an answer keeps.

        :param add: returns the change that adds a token of so many bytes for ``ADMIN``.
        :param late: changes that were made before, whose answers arrive after it, the first last.
        """
        start, most, low, high = dict(site.client._cookies), 0, 0, 4_000
        while low < high:
            middle = (low + high + 1) // 2
            clock.advance(IN_FLIGHT + 1)
            headers = [self.set_by(site, start, change) for change in late]
            site.client._cookies = dict(start)
            site.change(add(middle))
            kept = any(name.startswith(ADMIN_COOKIE) for name in site.set)
            for one in reversed(headers):
                site.client._update_cookies_from_response("localhost", "/", one)
            low, high = (middle, high) if kept else (low, middle - 1)
            most = max(most, of_ours(site)) if kept else most
        site.client._cookies = start
        return most

    def set_by(self, site, cookies, change):
        """Return the cookies that the answer to a change of these ones sets."""
        site.client._cookies = dict(cookies)
        site.change(change)
        return site.answer.headers.getlist("Set-Cookie")

    @pytest.mark.parametrize("pad", [0, 4_400])
    def test_nothing_known(self, signed_in, clock, pad):
        """While nothing is known of others it is a little, and less where there is much already."""
        signed_in.change(grow(pad))
        before = of_ours(signed_in)
        with nothing_known():
            most = self.longest(signed_in, clock, lambda size: keep_token(ADMIN, size=size))
        allowed = min(UNKNOWN_MARGIN, USUAL - before)
        assert 200 < allowed - 16 <= most - before <= allowed

    @pytest.mark.parametrize("pad", [0, 5_500])
    def test_nothing_known_and_shorter(self, signed_in, pad):
        """What replaces something longer adds nothing, so it is kept beside anything."""
        for change in (grow(pad), keep_token(size=600)):
            signed_in.change(change)
        before = of_ours(signed_in)
        with nothing_known():
            signed_in.change(both(keep_token(size=500), verify()))
        assert of_ours(signed_in) < before - 50
        assert signed_in.content()["verified"]

    def test_another_cookie(self, signed_in, clock):
        """What another answer adds is no room for this one."""
        most = self.longest(
            signed_in,
            clock,
            lambda size: keep_token(ADMIN, size=size),
            late=[keep_token(size=1_500)],
        )
        assert BUDGET - 16 <= most + PARALLEL_MARGIN <= BUDGET

    def test_the_same_cookie(self, signed_in, clock):
        """Where several write the same cookie, the longest one counts: it may come last."""
        most = self.longest(
            signed_in,
            clock,
            lambda size: both(keep_token(size=500), keep_token(ADMIN, size=size, ttl=60)),
            late=[keep_token(size=size) for size in (1_500, 1_000)],
        )
        assert BUDGET - 16 <= most + PARALLEL_MARGIN <= BUDGET


class TestKeyRotation:
    """``SECRET_KEY_FALLBACKS`` open, ``SECRET_KEY`` seals."""

    def rotate(self, site, **config):
        """Give the application a new key."""
        site.app.secret_key = "the new secret key, and long enough for anything"
        site.app.config["SECRET_KEY_FALLBACKS"] = config.get("fallbacks", [SECRET_KEY])

    def test_everything_survives(self, signed_in):
        """A session with all its parts survives a new key."""
        for change in (keep_token(), verify(), open_context()):
            signed_in.change(change)
        before = signed_in.content()
        self.rotate(signed_in)
        assert signed_in.content() == before

    def test_new_key_writes(self, signed_in):
        """What is written after that needs the old key no longer."""
        self.rotate(signed_in)
        signed_in.change(lambda mine: setattr(mine, "refresh_token", "v1.N"))
        signed_in.app.config["SECRET_KEY_FALLBACKS"] = []
        assert signed_in.content()["token_set"]["refresh_token"] == "v1.N"

    def test_old_key_removed(self, signed_in):
        """Without the fallback the user has to log in again, and nothing fails."""
        signed_in.change(open_context())
        self.rotate(signed_in, fallbacks=[])
        assert signed_in.content()["user"] is None
        assert signed_in.cookies == {}

    @pytest.mark.parametrize("fallbacks", [None, [], ["", None, SECRET_KEY], [SECRET_KEY.encode()]])
    def test_odd_fallbacks(self, signed_in, fallbacks):
        """Fallbacks may be missing, empty, or bytes."""
        self.rotate(signed_in, fallbacks=fallbacks)
        expected = "auth0|ana" if fallbacks and len(str(fallbacks)) > 5 else None
        assert (signed_in.content()["user"] or {}).get("sub") == expected
