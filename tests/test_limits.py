"""Limits on guesses and messages: what is counted, for whom, and what happens when it is enough."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest

from flask_auth0_mfa import current_auth0, state
from flask_auth0_mfa.config import load_settings
from flask_auth0_mfa.errors import Auth0UnavailableError, RateLimitedError
from flask_auth0_mfa.limits import SpareKeys, build_limits
from flask_auth0_mfa.sealing import Sealer
from flask_auth0_mfa.signals import rate_limited, unlocked

from .observed import ANA, grants, paths, wrong_code
from .redis_server import redis_server
from .still import StillClock
from .visitor import Visitor

CLEO = "cleo@example.com"
REQUIRED = {"domain": "acme.eu.auth0.com", "client_id": "client-1", "client_secret": "s3cret"}


def make_limits(sender=None, **options):
    """Return the limits of an application with these settings."""
    settings = load_settings(
        {"SECRET_KEY": "a secret key, and long enough for tests"}, REQUIRED | options, {}
    )
    sealer = Sealer(lambda: [b"a secret key, and long enough for tests"], StillClock())
    return build_limits(settings, sealer, sender)


@pytest.fixture
def limits():
    """Five codes for a user in ten minutes, three for a check."""
    return make_limits(mfa_verify_limit="5 per 10 minutes", mfa_verify_context_limit="3 per hour")


def user_bucket(limits, user_id="auth0|ana"):
    """Return the counter of a user's codes alone."""
    return limits.verify_buckets(user_id, "some context", recovery=False)[:1]


def fill(limits, buckets):
    """Count until the limit says no; return how many got through."""
    for number in range(1000):
        try:
            limits.count(buckets, "auth0|ana")
        except RateLimitedError:
            return number
    raise AssertionError("there is no limit")


def age(limits, seconds):
    """Make everything that was counted so much older: the storage reads the wall clock."""
    for entries in limits.limiter.storage.events.values():
        for entry in entries:
            entry.atime -= seconds
            entry.expiry -= seconds


class TestCounting:
    """How many are let through."""

    def test_limit(self, limits):
        """As many as the limit says, and not one more."""
        assert fill(limits, user_bucket(limits)) == 5

    def test_remaining(self, limits):
        """What is left goes down one by one, and never below nothing."""
        left = []
        for _ in range(5):
            left.append(limits.remaining(user_bucket(limits)))
            limits.count(user_bucket(limits), "auth0|ana")
        assert left == [5, 4, 3, 2, 1]
        limits.hit(user_bucket(limits)[0])
        assert limits.remaining(user_bucket(limits)) == 0

    def test_smallest_counts(self, limits):
        """Of several counters the first that is full decides."""
        buckets = limits.verify_buckets("auth0|ana", "context", recovery=False)
        assert limits.remaining(buckets) == 3
        assert fill(limits, buckets) == 3

    def test_refused_is_not_counted(self, limits):
        """A try that one counter refuses does not use up the other ones."""
        first = limits.verify_buckets("auth0|ana", "one", recovery=False)
        fill(limits, first)
        for _ in range(10):
            with pytest.raises(RateLimitedError):
                limits.count(first, "auth0|ana")
        assert limits.remaining(user_bucket(limits)) == 2

    def test_checking_counts_nothing(self, limits):
        """Looking whether there is room takes none."""
        for _ in range(20):
            limits.check(user_bucket(limits), "auth0|ana")
            assert limits.refusal(user_bucket(limits)) is None
            assert limits.wait(user_bucket(limits)) == 0
        assert limits.remaining(user_bucket(limits)) == 5

    def test_several_limits_in_one(self):
        """A day's limit holds beside the minutes' limit."""
        limits = make_limits(mfa_verify_limit="2 per minute; 3 per day")
        assert fill(limits, user_bucket(limits)) == 2
        age(limits, 61)
        assert fill(limits, user_bucket(limits)) == 1
        age(limits, 61)
        assert fill(limits, user_bucket(limits)) == 0

    @pytest.mark.parametrize("threads", [40])
    def test_at_once(self, limits, threads):
        """Forty tries at the same moment get no more through than one after the other."""
        start = threading.Barrier(threads)

        def count(_):
            start.wait(10)
            try:
                limits.count(user_bucket(limits), "auth0|ana")
            except RateLimitedError:
                return False
            return True

        with ThreadPoolExecutor(threads) as pool:
            assert sum(pool.map(count, range(threads))) == 5

    def test_cleared(self, limits):
        """After a right code the user's own counters begin anew."""
        buckets = limits.verify_buckets("auth0|ana", "context", recovery=False)
        fill(limits, buckets)
        limits.clear(buckets)
        assert limits.remaining(buckets) == 3


class TestWindow:
    """The window moves with time: there is no edge at which twice as many fit."""

    def test_edge(self, limits):
        """There is room for one more when the time of the first is over, and not before."""
        bucket = user_bucket(limits)
        limits.count(bucket, "auth0|ana")
        age(limits, 300)
        assert fill(limits, bucket) == 4
        age(limits, 299)
        assert fill(limits, bucket) == 0
        age(limits, 2)
        assert fill(limits, bucket) == 1

    def test_any_window(self, limits):
        """In no ten minutes do more get through than the limit says."""
        now, times = 0, []
        for _ in range(60):
            times += [now] * fill(limits, user_bucket(limits))
            now += 37
            age(limits, 37)
        assert all(sum(at <= t < at + 600 for t in times) <= 5 for at in times)
        assert len(times) >= 15

    def test_wait(self, limits):
        """The wait is until one more fits, and the error says the same."""
        bucket = user_bucket(limits)
        limits.count(bucket, "auth0|ana")
        age(limits, 200)
        fill(limits, bucket)
        assert limits.wait(bucket) == pytest.approx(400, abs=1)
        with pytest.raises(RateLimitedError) as caught:
            limits.count(bucket, "auth0|ana")
        assert caught.value.retry_after == pytest.approx(400, abs=1)
        assert limits.refusal(bucket).retry_after == pytest.approx(400, abs=1)
        age(limits, caught.value.retry_after)
        limits.count(bucket, "auth0|ana")

    def test_longest_wait(self):
        """Where several are full, the longest wait counts: after it there is room."""
        limits = make_limits(mfa_verify_limit="1 per minute; 1 per hour")
        bucket = user_bucket(limits)
        fill(limits, bucket)
        with pytest.raises(RateLimitedError) as caught:
            limits.count(bucket, "auth0|ana")
        assert caught.value.retry_after > 3500


class TestLongRun:
    """What the default limits leave to somebody who guesses day and night (SEC-12)."""

    def guessed(self, limits, days, *, every=300, recovery=False):
        """Try as often as the limits allow, in a new check each time; return when, in seconds."""
        times = []
        for now in range(0, days * 86_400, every):
            with suppress(RateLimitedError):
                for number in range(20):
                    context = f"context {now} {number}"
                    buckets = limits.verify_buckets("auth0|ana", context, recovery=recovery)
                    limits.count(buckets, "auth0|ana")
                    times.append(now)
            age(limits, every)
        return times

    def test_day(self):
        """In no day are more than thirty codes tried, and in no quarter of an hour ten."""
        times = self.guessed(make_limits(), days=3)
        for length, most in ((86_400, 30), (900, 10)):
            counts = [sum(at <= one < at + length for one in times) for at in times]
            assert max(counts) == most

    def test_row(self):
        """After a hundred in a row no day brings another one."""
        times = self.guessed(make_limits(), days=8, every=3600)
        assert len(times) == 100
        assert times[-1] < 4 * 86_400

    def test_any_kind(self):
        """Recovery codes count among those in a row."""
        limits = make_limits(mfa_verify_row_limit="7 per year")
        assert len(self.guessed(limits, days=1, recovery=True)) == 7
        assert self.guessed(limits, days=1) == []

    def test_at_once(self):
        """Forty tries at the same moment, each in a check of its own: not one more than allowed."""
        limits = make_limits(mfa_verify_row_limit="7 per year", mfa_verify_limit="1000 per day")
        start = threading.Barrier(40)

        def count(number):
            start.wait(10)
            try:
                buckets = limits.verify_buckets("auth0|ana", str(number), recovery=False)
                limits.count(buckets, "auth0|ana")
            except RateLimitedError:
                return False
            return True

        with ThreadPoolExecutor(40) as pool:
            assert sum(pool.map(count, range(40))) == 7


class TestWhom:
    """Whose counter it is."""

    def test_other_user(self, limits):
        """A full counter stops nobody else."""
        fill(limits, user_bucket(limits))
        assert limits.remaining(user_bucket(limits, "auth0|ben")) == 5

    def test_new_context(self, limits):
        """A new check does not give a user more tries than the user has."""
        total = sum(
            fill(limits, limits.verify_buckets("auth0|ana", f"context {n}", recovery=False))
            for n in range(5)
        )
        assert total == 5

    def test_other_kind(self, limits):
        """Who has no tries left with an app can still use a recovery code in another check."""
        fill(limits, user_bucket(limits))
        recovery = limits.verify_buckets("auth0|ana", "another context", recovery=True)
        limits.count(recovery, "auth0|ana")

    @pytest.mark.parametrize("user_id", ["", "None", "é中", "\ud800", "a\nb", "\x00", "a" * 10_000])
    def test_strange_user(self, limits, user_id):
        """No user id, however strange or empty, switches the limit off."""
        assert fill(limits, user_bucket(limits, user_id)) == 5

    def test_key_tells_nothing(self, limits):
        """What lies in the storage does not name a user or an address."""
        limits.count(user_bucket(limits), "auth0|ana")
        limits.hit(limits.address_bucket("192.0.2.7"))
        keys = str(list(limits.limiter.storage.events))
        assert "ana" not in keys
        assert "192.0.2" not in keys
        assert "auth0_mfa" in keys

    def test_no_key_is_empty(self, limits):
        """Every counter has a key of its own."""
        buckets = [
            *limits.verify_buckets("", "", recovery=False),
            *limits.verify_buckets("", "", recovery=True),
            *limits.send_buckets("", ""),
            *limits.poll_buckets(""),
            *limits.enroll_buckets(""),
            limits.address_bucket(None),
        ]
        assert all(len(bucket.key) == 40 for bucket in buckets)
        names = {(bucket.name, bucket.key) for bucket in buckets}
        # The counters of the context and of those in a row are one for both kinds of code.
        assert len(names) == len(buckets) - 2

    def test_applications(self):
        """Two applications count for themselves."""
        one, two = (make_limits(mfa_verify_limit=f"{n} per hour") for n in (2, 4))
        assert fill(one, user_bucket(one)) == 2
        assert fill(two, user_bucket(two)) == 4


class TestAddress:
    """What counts as one network address."""

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ("192.0.2.7", "192.0.2.7", True),
            ("192.0.2.7", "192.0.2.8", False),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
            ("2001:DB8:1:2::1", "2001:db8:1:2:0:0:0:1", True),
            ("::ffff:192.0.2.7", "192.0.2.7", True),
            ("::ffff:192.0.2.7", "::ffff:192.0.2.8", False),
            ("fe80::1%eth0", "fe80::2", True),
            (None, "", True),
            (None, "unknown", True),
            (None, "192.0.2.7", False),
            ("not an address", "another one", True),
            ("192.0.2.7, 10.0.0.1", None, True),
        ],
    )
    def test_same(self, limits, one, other, same):
        """An IPv4 address, or a /64 of IPv6, which one subscriber has; nonsense is one address."""
        assert (limits.address_bucket(one) == limits.address_bucket(other)) is same


class TestError:
    """What a refusal says."""

    @pytest.mark.parametrize(
        ("bucket", "name", "sending", "context"),
        [
            ("user", "user", False, False),
            ("context", "context", False, True),
            ("row", "row", False, False),
            ("send", "send", True, False),
            ("send-context", "send-context", True, False),
            ("poll", "poll", False, False),
            ("enroll", "enroll", False, False),
            ("address", "address", False, False),
        ],
    )
    def test_which(self, bucket, name, sending, context):
        """Which limit it was, and so whether a new check would help."""
        limits = make_limits()
        buckets = [
            *limits.verify_buckets("auth0|ana", "context", recovery=False),
            *limits.send_buckets("auth0|ana", "context"),
            *limits.poll_buckets("context"),
            *limits.enroll_buckets("auth0|ana"),
            limits.address_bucket("192.0.2.7"),
        ]
        (chosen,) = (one for one in buckets if one.name == bucket)
        fill(limits, [chosen])
        error = limits.refusal([chosen])
        assert error.limits == {name}
        assert (error.is_about_sending, error.is_about_context) == (sending, context)
        assert error.is_about_support is (name == "row")
        assert ("Contact support." in str(error)) is (name == "row")

    def test_signal(self):
        """A refusal is told to whoever listens, once, with the user's id."""
        sender, heard = object(), []
        limits = make_limits(sender, mfa_verify_limit="1 per hour")
        fill(limits, user_bucket(limits))
        with rate_limited.connected_to(lambda _, **what: heard.append(what), sender):
            with pytest.raises(RateLimitedError):
                limits.count(user_bucket(limits), "auth0|ana")
            limits.refusal(user_bucket(limits))
        assert heard == [{"limit": "user", "user_id": "auth0|ana"}]

    def test_signal_of_recovery_codes(self):
        """Those of recovery codes have a name of their own."""
        sender, heard = object(), []
        limits = make_limits(sender, mfa_recovery_limit="1 per hour")
        codes = limits.verify_buckets("auth0|ana", "context", recovery=True)
        limits.count(codes, "auth0|ana")
        with (
            rate_limited.connected_to(lambda _, **what: heard.append(what), sender),
            pytest.raises(RateLimitedError),
        ):
            limits.count(codes, "auth0|ana")
        assert heard == [{"limit": "recovery", "user_id": "auth0|ana"}]

    def test_signal_of_a_race(self):
        """A counter that fills up between the look at it and the count tells the same."""
        sender, heard = object(), []
        limits = make_limits(sender, mfa_verify_limit="1 per hour")
        twice = user_bucket(limits) * 2
        with (
            rate_limited.connected_to(lambda _, **what: heard.append(what), sender),
            pytest.raises(RateLimitedError),
        ):
            limits.count(twice, "auth0|ana")
        assert heard == [{"limit": "user", "user_id": "auth0|ana"}]


@pytest.fixture(scope="module")
def redis():
    """A Redis server for this file."""
    with redis_server() as server:
        yield server


@pytest.mark.redis
class TestRedis:
    """Counters that all workers share."""

    @pytest.fixture
    def workers(self, redis):
        """Two workers of one application."""
        redis.connection().flushall()
        options = {"mfa_verify_limit": "5 per hour", "state_uri": redis.url}
        return [make_limits(**options) for _ in range(2)]

    def test_shared(self, workers):
        """What one worker counted the other one knows."""
        fill(workers[0], user_bucket(workers[0]))
        assert workers[1].remaining(user_bucket(workers[1])) == 0

    def test_at_once(self, workers):
        """Forty tries at both workers at the same moment get no more through than five."""
        start = threading.Barrier(40)

        def count(number):
            limits = workers[number % 2]
            start.wait(10)
            try:
                limits.count(user_bucket(limits), "auth0|ana")
            except RateLimitedError:
                return False
            return True

        with ThreadPoolExecutor(40) as pool:
            assert sum(pool.map(count, range(40))) == 5

    def test_socket(self, workers, redis, make_app, tenant):
        """An application reaches the same counters through a socket of this machine."""
        visitor = Visitor(make_app(AUTH0_STATE_URI=redis.socket_url))
        visitor.log_in(CLEO)
        visitor.press(visitor.challenge_page("/transfer"), "code", code=wrong_code(tenant, CLEO))
        assert redis.connection().keys("LIMITS*")
        local = make_limits(mfa_verify_limit="5 per hour", state_uri=redis.socket_url)
        fill(local, user_bucket(local))
        assert workers[0].remaining(user_bucket(workers[0])) == 0

    def test_nothing_stays_for_ever(self, workers, redis):
        """Every counter goes away by itself."""
        workers[0].count(user_bucket(workers[0]), "auth0|ana")
        connection = redis.connection()
        keys = connection.keys("*")
        assert keys
        assert all(0 < connection.ttl(key) <= 3600 for key in keys)


@pytest.mark.redis
class TestOutage:
    """Without its storage nothing can be counted, so nothing is let through."""

    @pytest.fixture
    def server(self):
        """A Redis server that a test may stop."""
        with redis_server() as server:
            yield server

    @pytest.mark.parametrize(
        "call",
        [
            lambda limits, buckets: limits.count(buckets, "auth0|ana"),
            lambda limits, buckets: limits.check(buckets, "auth0|ana"),
            lambda limits, buckets: limits.hit(buckets[0]),
            lambda limits, buckets: limits.remaining(buckets),
            lambda limits, buckets: limits.refusal(buckets),
            lambda limits, buckets: limits.wait(buckets),
            lambda limits, buckets: limits.clear(buckets),
        ],
        ids=["count", "check", "hit", "remaining", "refusal", "wait", "clear"],
    )
    def test_closed(self, server, call):
        """Every question is answered with 503, none with yes; afterwards all is well again."""
        limits = make_limits(state_uri=server.url, mfa_verify_limit="5 per hour")
        limits.count(user_bucket(limits), "auth0|ana")
        server.stop()
        with pytest.raises(Auth0UnavailableError) as caught:
            call(limits, user_bucket(limits))
        assert caught.value.status == 503
        server.start()
        assert fill(limits, user_bucket(limits)) == 5

    def test_no_answer(self, monkeypatch):
        """A Redis that takes the connection and says nothing is not waited for without end."""
        monkeypatch.setitem(state.REDIS_TIMEOUTS, "socket_timeout", 0.1)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            limits = make_limits(state_uri=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
            started = time.monotonic()
            with pytest.raises(Auth0UnavailableError):
                limits.check(user_bucket(limits), "auth0|ana")
        assert time.monotonic() - started < 2

    def test_reason_is_in_the_log(self, server, caplog):
        """What is wrong with Redis is in the log, without its address or its password."""
        connection = server.connection()
        connection.execute_command("ACL SETUSER", "shop", "on", ">hunter2", "~auth0_mfa:*", "+@all")
        limits = make_limits(state_uri=server.url_of("shop", "hunter2"))
        with pytest.raises(Auth0UnavailableError):
            limits.check(user_bucket(limits), "auth0|ana")
        text = "The shared state in AUTH0_STATE_URI failed: NoPermissionError"
        assert caplog.messages == [text]

    def test_at_the_door(self, server, make_app, tenant, monkeypatch):
        """A code that cannot be counted is not sent to Auth0; the page says it is not its fault."""
        # How long locks from before the outage are waited for, once Redis has lost them.
        monkeypatch.setattr(state, "LOCK_TTL", 0.2)
        visitor = Visitor(make_app(AUTH0_STATE_URI=server.url))
        visitor.log_in(ANA)
        page = visitor.challenge_page("/transfer")
        server.stop()
        answer = visitor.press(page, "code", code=tenant.current_otp(ANA))
        assert answer.status == 503
        assert answer.headers["Retry-After"]
        assert grants(tenant) == []
        assert visitor.get("/").status == 200
        server.start()
        visitor.get("/accounts")
        time.sleep(0.2)
        assert visitor.press(page, "code", code=tenant.current_otp(ANA)).path == "/transfer"


class TestAtTheDoor:
    """What users and attackers meet."""

    def guess(self, visitor, tenant, **environ):
        """Send a wrong code as a program; return the status."""
        token = visitor.mfa_required("/api/balance")["mfa_token"]
        answer = visitor.json(
            "POST",
            "/auth/mfa/verify",
            json={"mfa_token": token, "otp": wrong_code(tenant)},
            **environ,
        )
        return answer.status_code

    def test_counted_before_auth0(self, make_app, tenant):
        """What is over the limit never reaches Auth0."""
        visitor = Visitor(make_app(AUTH0_MFA_VERIFY_LIMIT="3 per hour"))
        visitor.log_in(ANA)
        assert [self.guess(visitor, tenant) for _ in range(5)] == [400] * 3 + [429] * 2
        assert len(grants(tenant)) == 3

    def test_many_sessions(self, make_app, tenant):
        """Guessing in many sessions at once gives no more tries than in one (SEC-01)."""
        app = make_app(
            AUTH0_MFA_VERIFY_LIMIT="4 per hour", AUTH0_MFA_VERIFY_ADDRESS_LIMIT="1000 per hour"
        )
        visitors = [Visitor(app) for _ in range(10)]
        tokens = []
        for visitor in visitors:
            visitor.log_in(ANA)
            tokens.append(visitor.mfa_required("/api/balance")["mfa_token"])
        code, start = wrong_code(tenant), threading.Barrier(10)

        def guess(number):
            start.wait(10)
            body = {"mfa_token": tokens[number], "otp": code}
            return visitors[number].json("POST", "/auth/mfa/verify", json=body).status_code

        with ThreadPoolExecutor(10) as pool:
            statuses = list(pool.map(guess, range(10)))
        assert sorted(statuses) == [400] * 4 + [429] * 6
        assert len(grants(tenant)) == 4

    def test_new_login(self, make_app, tenant):
        """Logging out and in again does not give new tries."""
        visitor = Visitor(make_app(AUTH0_MFA_VERIFY_LIMIT="2 per hour"))
        for expected in (400, 400, 429):
            visitor.log_in(ANA)
            assert self.guess(visitor, tenant) == expected
            visitor.get("/auth/logout")

    def test_address(self, make_app, tenant):
        """Wrong codes from one address are limited over all users, right ones are not counted."""
        app = make_app(AUTH0_MFA_VERIFY_ADDRESS_LIMIT="2 per hour")
        ana, cleo = Visitor(app), Visitor(app)
        ana.log_in(ANA)
        cleo.log_in(CLEO)
        cleo.step_up("/transfer", tenant.current_otp(CLEO))
        assert [self.guess(ana, tenant) for _ in range(2)] == [400, 400]
        page = cleo.challenge_page("/api/balance")
        assert cleo.press(page, "code", code=tenant.current_otp(CLEO)).status == 429

    @pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP"])
    def test_spoofed_address(self, make_app, tenant, header):
        """A header that names another address makes nobody another (SEC-08)."""
        visitor = Visitor(make_app(AUTH0_MFA_VERIFY_ADDRESS_LIMIT="2 per hour"))
        visitor.log_in(ANA)
        statuses = [
            self.guess(visitor, tenant, headers={header: f"198.51.100.{n}"}) for n in range(3)
        ]
        assert statuses == [400, 400, 429]

    def test_network(self, make_app, tenant):
        """Addresses of one IPv6 network are one."""
        visitor = Visitor(make_app(AUTH0_MFA_VERIFY_ADDRESS_LIMIT="2 per hour"))
        visitor.log_in(ANA)
        addresses = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"]
        statuses = [
            self.guess(visitor, tenant, environ_overrides={"REMOTE_ADDR": address})
            for address in addresses
        ]
        assert statuses == [400, 400, 429, 400]

    def test_success_clears_own_only(self, make_app, tenant):
        """A right code clears the user's own counter, and not that of the address (SEC-03)."""
        app = make_app(
            AUTH0_MFA_VERIFY_LIMIT="3 per hour", AUTH0_MFA_VERIFY_ADDRESS_LIMIT="4 per hour"
        )
        visitor = Visitor(app)
        visitor.log_in(ANA)
        assert [self.guess(visitor, tenant) for _ in range(2)] == [400, 400]
        visitor.step_up("/transfer", tenant.current_otp(ANA))
        other = Visitor(app)
        other.log_in(ANA)
        assert [self.guess(other, tenant) for _ in range(3)] == [400, 400, 429]

    @pytest.fixture
    def locked(self, make_app, tenant):
        """Ana, after three wrong codes where no more than three in a row are taken."""
        visitor = Visitor(make_app(AUTH0_MFA_VERIFY_ROW_LIMIT="3 per year"))
        visitor.log_in(ANA)
        page = visitor.challenge_page("/transfer")
        for _ in range(3):
            page_after = visitor.press(page, "code", code=wrong_code(tenant))
        assert page_after.status == 400
        assert page_after.heading == "Too many wrong codes"
        return visitor

    def test_row_page(self, locked, tenant):
        """After too many in a row the page says to contact support, not how long to wait."""
        page = locked.press(locked.challenge_page("/api/balance"), "code", code="123456")
        assert page.status == 429
        assert "Contact support" in page.text
        assert "try again in" not in page.text
        assert len(grants(tenant)) == 3

    def test_row_json(self, locked, tenant):
        """A program is told the same, as for every limit: 429 and when the count has gone down."""
        token = locked.mfa_required("/api/balance")["mfa_token"]
        body = {"mfa_token": token, "otp": tenant.current_otp(ANA)}
        answer = locked.json("POST", "/auth/mfa/verify", json=body)
        assert (answer.status_code, answer.json["error"]) == (429, "rate_limited")
        text = "Too many wrong codes in a row. Contact support."
        assert answer.json["error_description"] == text
        assert answer.headers["Retry-After"] == str(answer.json["retry_after"])
        assert answer.json["retry_after"] > 300 * 86_400

    def test_row_of_another_kind(self, locked, tenant):
        """Neither time nor another kind of code helps."""
        age(locked.client.application.extensions["auth0_mfa"].limits, 7 * 86_400)
        token = locked.mfa_required("/api/balance")["mfa_token"]
        body = {"mfa_token": token, "recovery_code": tenant.recovery_code(ANA)}
        answer = locked.json("POST", "/auth/mfa/verify", json=body)
        assert answer.status_code == 429
        assert len(grants(tenant)) == 3

    def test_row_sends_nothing(self, locked, tenant):
        """A code that would not be accepted is not sent."""
        page = locked.press(locked.get("/transfer?n=1"), "Text message")
        assert page.status == 429
        assert "Contact support" in page.text
        assert not tenant.messages

    def test_row_ends_with_a_push(self, locked, tenant):
        """An approved push is a success: codes are taken again after it."""
        page = locked.press(locked.get("/transfer?n=1"), "Approve on your phone")
        tenant.approve()
        assert locked.press(page, "I have approved it").path == "/transfer"
        assert self.guess(locked, tenant) == 400

    def test_row_ends_with_support(self, locked, tenant):
        """Who asks support can go on; the page opens with the next right code."""
        app = locked.client.application
        with app.app_context():
            current_auth0.unlock(tenant.user(ANA).sub)
        assert locked.step_up("/transfer?n=1", tenant.current_otp(ANA)).path == "/transfer"

    def test_row_of_somebody_else(self, locked, tenant):
        """Unlocking one user unlocks nobody else."""
        with locked.client.application.app_context():
            current_auth0.unlock(tenant.user(CLEO).sub)
        assert self.guess(locked, tenant) == 429

    def test_success_ends_a_row(self, make_app, tenant):
        """A right code between wrong ones begins the row anew."""
        visitor = Visitor(make_app(AUTH0_MFA_VERIFY_ROW_LIMIT="3 per year"))
        visitor.log_in(ANA)
        assert [self.guess(visitor, tenant) for _ in range(2)] == [400, 400]
        visitor.step_up("/transfer", tenant.current_otp(ANA))
        other = Visitor(visitor.client.application)
        other.log_in(ANA)
        assert [self.guess(other, tenant) for _ in range(4)] == [400] * 3 + [429]

    def test_messages(self, make_app, tenant):
        """Messages are limited for a user, over all checks and however they are asked for."""
        visitor = Visitor(make_app(AUTH0_MFA_SEND_LIMIT="2 per hour"))
        visitor.log_in(ANA)
        for number, expected in enumerate([200, 200, 429]):
            page = visitor.get(f"/transfer?n={number}")
            assert visitor.press(page, "Text message").status == expected
        assert paths(tenant).count("/mfa/challenge") == 2

    def test_same_wait(self, make_app, tenant):
        """``Retry-After`` and the JSON body say the same, and it is true."""
        visitor = Visitor(make_app(AUTH0_MFA_VERIFY_LIMIT="1 per hour"))
        visitor.log_in(ANA)
        self.guess(visitor, tenant)
        token = visitor.mfa_required("/api/balance")["mfa_token"]
        body = {"mfa_token": token, "otp": wrong_code(tenant)}
        answer = visitor.json("POST", "/auth/mfa/verify", json=body)
        assert answer.headers["Retry-After"] == str(answer.json["retry_after"])
        assert 3590 <= answer.json["retry_after"] <= 3600

    def test_host_settings(self, make_app, tenant):
        """The application's own ``RATELIMIT_*`` settings do not change ours, nor ours its."""
        visitor = Visitor(
            make_app(
                RATELIMIT_ENABLED=False,
                RATELIMIT_DEFAULT="1 per day",
                AUTH0_MFA_VERIFY_LIMIT="2 per hour",
            )
        )
        visitor.log_in(ANA)
        assert [self.guess(visitor, tenant) for _ in range(3)] == [400, 400, 429]
        assert [visitor.get("/").status for _ in range(3)] == [200] * 3


def test_memory_is_given_back():
    """What is over is forgotten: memory does not grow with every user who ever came."""
    limits = make_limits(mfa_verify_limit="5 per 1 second")
    for number in range(2000):
        limits.count(user_bucket(limits, f"auth0|{number}"), "x")
    age(limits, 2)
    # The next one who comes sets off a clean-up, in a thread of the storage's own.
    limits.count(user_bucket(limits), "x")
    deadline = time.monotonic() + 5
    while len(limits.limiter.storage.events) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(limits.limiter.storage.events) <= 1


def test_memory_is_given_back_soon():
    """What is over is forgotten with the next count, its lock as well, and what is not is kept."""
    limits = replace(make_limits(mfa_verify_limit="5 per hour"), spare=SpareKeys(at_least=1))
    for number in range(4):
        limits.count(user_bucket(limits, f"auth0|{number}"), "x")
    age(limits, 3601)
    fill(limits, user_bucket(limits))
    limits.count(user_bucket(limits, "auth0|ben"), "x")
    assert limits.remaining(user_bucket(limits)) == 0
    storage = limits.limiter.storage
    assert storage.events.keys() == storage.locks.keys()
    assert len(storage.events) == 2


@pytest.mark.parametrize(
    "buckets",
    [
        lambda limits, who: limits.verify_buckets(who, "check", recovery=False)[:1],
        lambda limits, who: limits.verify_buckets(who, "check", recovery=True)[:1],
        lambda limits, who: limits.verify_buckets("auth0|ana", who, recovery=False)[1:2],
        lambda limits, who: limits.send_buckets("auth0|ana", who)[:1],
        lambda limits, who: limits.send_buckets(who, "check")[1:],
        lambda limits, who: limits.poll_buckets(who),
        lambda limits, who: limits.enroll_buckets(who),
    ],
    ids=["user", "recovery", "context", "send-context", "send", "poll", "enroll"],
)
def test_every_counter_is_somebodys(buckets):
    """No counter is shared: what one user or check has used up is there for another."""
    limits = make_limits()
    fill(limits, buckets(limits, "one"))
    assert limits.remaining(buckets(limits, "one")) == 0
    assert limits.remaining(buckets(limits, "another")) > 0


def test_support_clears_every_counter():
    """After support has unlocked a user, each counter begins anew, and listeners are told."""
    sender, heard = object(), []
    limits = make_limits(sender)
    counters = [
        *user_bucket(limits),
        *limits.verify_buckets("auth0|ana", "context", recovery=True)[:1],
        limits.row_bucket("auth0|ana"),
        *limits.send_buckets("auth0|ana", "context")[1:],
        *limits.enroll_buckets("auth0|ana"),
    ]
    unused = [limits.remaining([one]) for one in counters]
    for one in counters:
        limits.hit(one)
    with unlocked.connected_to(lambda _, **what: heard.append(what), sender):
        limits.unlock("auth0|ana", by="agent-17")
    assert heard == [{"user_id": "auth0|ana", "by": "agent-17"}]
    assert [limits.remaining([one]) for one in counters] == unused


def test_last_one_needs_no_wait(limits):
    """As long as one more fits, there is nothing to wait for."""
    for _ in range(4):
        limits.count(user_bucket(limits), "auth0|ana")
    assert limits.remaining(user_bucket(limits)) == 1
    assert limits.wait(user_bucket(limits)) == 0


def test_clearing_waits_for_the_clean_up(limits):
    """A counter does not vanish while the storage tidies it up, which would bring that down."""
    bucket = user_bucket(limits)
    limits.count(bucket, "auth0|ana")
    (key,) = limits.limiter.storage.events
    thread = threading.Thread(target=limits.clear, args=(bucket,))
    with limits.limiter.storage.locks[key]:
        thread.start()
        thread.join(0.2)
        assert key in limits.limiter.storage.events
    thread.join(10)
    assert key not in limits.limiter.storage.events


def test_last_one_is_not_refused(limits):
    """As long as one more fits, there is no refusal to show."""
    for _ in range(4):
        limits.count(user_bucket(limits), "auth0|ana")
    assert limits.refusal(user_bucket(limits)) is None
    limits.count(user_bucket(limits), "auth0|ana")
    assert limits.refusal(user_bucket(limits)) is not None


def test_recovery_codes_have_a_limit_of_their_own():
    """Recovery codes are counted by their own limit, and other codes by theirs."""
    limits = make_limits(mfa_recovery_limit="2 per hour", mfa_verify_limit="4 per hour")
    assert fill(limits, limits.verify_buckets("auth0|ana", "one", recovery=True)[:1]) == 2
    assert fill(limits, limits.verify_buckets("auth0|ana", "two", recovery=False)[:1]) == 4
