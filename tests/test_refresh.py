"""One refresh at a time: a rotated refresh token is never used twice by our doing.

The tenant is real: it revokes the whole family at the second use of a token, without a leeway. So
a family that still works shows that every token was used once.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from flask_auth0_mfa.client import Auth0Client
from flask_auth0_mfa.config import load_settings
from flask_auth0_mfa.emulator import Configuration, Tenant, serve
from flask_auth0_mfa.emulator.clients import Client, RefreshTokenSettings
from flask_auth0_mfa.errors import Auth0MfaRequired, Auth0ResponseError, Auth0UnavailableError
from flask_auth0_mfa.memory import Memory
from flask_auth0_mfa.refresh import RESULT_TTL, SUCCESSOR_TTL, TokenFamily
from flask_auth0_mfa.sealing import Sealer
from flask_auth0_mfa.state import MemoryState, open_state

from .conftest import ACCOUNTS, PAYMENTS
from .emulator.application import Application
from .observed import ANA, refreshes
from .redis_server import redis_server

SECRET = b"a secret key for tests, and long enough for them"


@pytest.fixture
def make_family(tenant, tenant_server, clock):
    """Return a function that makes a worker's gate to the tenant."""

    def make(state=None, url=tenant_server.url, clock=clock):
        values = {"domain": url, "client_id": "demo-client", "client_secret": "demo-secret"}
        client = Auth0Client(
            load_settings({"SECRET_KEY": "a secret key, and long enough for tests"}, values, {}),
            clock,
        )
        return TokenFamily(
            client, Memory(state or MemoryState(), Sealer(lambda: [SECRET], clock), clock)
        )

    return make


@pytest.fixture
def family(make_family):
    """The gate of one worker."""
    return make_family()


@pytest.fixture
def token(tenant, tenant_server):
    """Ana's refresh token after her login."""
    return log_in(tenant_server.url)


def log_in(url, email=ANA):
    """Log somebody in; return the refresh token."""
    with Application(url) as application:
        return application.log_in(email)["refresh_token"]


def refresh(family, token, audience=ACCOUNTS, scope=None, *, force=False):
    """Refresh; return the tokens."""
    return family.refresh(token, audience, scope, force=force)[0]


def at_once(number, call):
    """Make calls in as many threads, all at the same moment; return the results."""
    start = threading.Barrier(number)

    def wait_and_call(which):
        start.wait(10)
        return call(which)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(wait_and_call, range(number)))


class TestOne:
    """Requests one after the other."""

    def test_rotation(self, family, token, tenant):
        """A refresh brings a new token, with which the next one works, and so on."""
        for _ in range(5):
            response, was_asked = family.refresh(token, ACCOUNTS, None, force=True)
            assert was_asked
            assert response.refresh_token not in (None, token)
            token = response.refresh_token
        assert refreshes(tenant) == [200] * 5

    def test_late_tab(self, family, token, tenant):
        """A tab with the token from the beginning goes on with the newest one."""
        for _ in range(3):
            refresh(family, token, force=True)
        assert refreshes(tenant) == [200] * 3

    def test_recent_result(self, family, token, tenant):
        """A request that comes with the old cookie a moment later gets the same result."""
        first = refresh(family, token)
        again, was_asked = family.refresh(token, ACCOUNTS, None, force=False)
        assert (again, was_asked) == (first, False)
        assert refreshes(tenant) == [200]

    def test_result_gets_old(self, family, token, tenant, clock):
        """Later it gets a new one, still without a second use of its token."""
        first = refresh(family, token)
        clock.advance(RESULT_TTL)
        assert refresh(family, token).refresh_token != first.refresh_token
        assert refreshes(tenant) == [200, 200]

    def test_forced(self, family, token, tenant):
        """Who insists on a fresh token gets one."""
        refresh(family, token)
        refresh(family, token, force=True)
        assert refreshes(tenant) == [200, 200]

    @pytest.mark.parametrize(
        ("audience", "scope"), [("https://open.example.com", None), (ACCOUNTS, "read:accounts")]
    )
    def test_another_request(self, family, token, tenant, audience, scope):
        """A result counts for its own audience and scope only."""
        refresh(family, token)
        response = refresh(family, token, audience, scope)
        assert refreshes(tenant) == [200, 200]
        assert scope in (None, response.scope)

    def test_forgotten_successor(self, family, token, tenant, clock):
        """After an hour the successor is forgotten; a browser has been here long before."""
        newest = refresh(family, token).refresh_token
        clock.advance(SUCCESSOR_TTL - 1)
        assert family.newest(token) == newest
        clock.advance(1)
        assert family.newest(token) == token

    def test_unknown_token(self, family, tenant):
        """An unknown token is refused by the tenant, and leaves nothing locked."""
        for _ in range(2):
            with pytest.raises(Auth0ResponseError):
                refresh(family, "v1.M-unknown")
        assert refreshes(tenant) == [403, 403]


class TestAtOnce:
    """Requests of one session at the same moment."""

    @pytest.mark.parametrize("force", [True, False])
    def test_same_token(self, family, token, tenant, force):
        """Twenty requests for the same token make one call and share its result."""
        tenant.fault("/oauth/token", delay=0.3)
        responses = at_once(20, lambda _: refresh(family, token, force=force))
        assert len({response.refresh_token for response in responses}) == 1
        assert refreshes(tenant) == [200]
        refresh(family, responses[0].refresh_token, force=True)
        assert refreshes(tenant) == [200, 200]

    def test_different_audiences(self, family, token, tenant):
        """Requests for different tokens go one by one, and the family lives on."""
        audiences = [ACCOUNTS, "https://open.example.com"] * 5
        responses = at_once(10, lambda n: refresh(family, token, audiences[n], force=False))
        assert len({response.access_token for response in responses}) == 2
        assert set(refreshes(tenant)) == {200}
        refresh(family, token, force=True)
        assert 403 not in refreshes(tenant)

    def test_mixed_tabs(self, family, token, tenant):
        """Tabs with tokens of different age do not end the session."""
        tokens = [token]
        for _ in range(4):
            tokens.append(refresh(family, tokens[-1], force=True).refresh_token)
        at_once(5, lambda n: refresh(family, tokens[n], force=True))
        assert 403 not in refreshes(tenant)
        refresh(family, token, force=True)
        assert 403 not in refreshes(tenant)

    def test_refused(self, family, token, tenant):
        """Being told that a second factor is due is nobody's result, and spends no token."""

        def ask(_):
            with pytest.raises(Auth0MfaRequired) as caught:
                refresh(family, token, PAYMENTS)
            return caught.value.raw_mfa_token

        assert len(set(at_once(5, ask))) == 5
        assert refreshes(tenant) == [403] * 5
        refresh(family, token)

    def test_failed(self, family, token, tenant):
        """When the call fails, the next in line makes one of its own."""
        tenant.fault("/oauth/token", status=500, delay=0.2)

        def ask(_):
            try:
                return refresh(family, token).refresh_token
            except Auth0UnavailableError:
                return None

        results = at_once(5, ask)
        assert results.count(None) == 1
        assert len(set(results)) == 2
        assert refreshes(tenant) == [500, 200]

    def test_others(self, family, token, tenant, tenant_server):
        """Somebody else's refresh does not wait for this one."""
        other = log_in(tenant_server.url, "cleo@example.com")
        with family.held(token), ThreadPoolExecutor(1) as pool:
            assert pool.submit(refresh, family, other).result(timeout=5)


class TestVerify:
    """An MFA grant rotates the same family."""

    def test_rotated(self, family, token, tenant, tenant_server):
        """A tab with the token from before the grant refreshes with the one that it brought."""
        with Application(tenant_server.url) as application, family.held(token) as newest:
            refused = application.refresh(newest, PAYMENTS).json()
            tokens = application.token(
                "mfa-otp", mfa_token=refused["mfa_token"], otp=tenant.current_otp(ANA)
            ).json()
            family.rotated(newest, tokens["refresh_token"])
        assert family.newest(token) == tokens["refresh_token"]
        assert refresh(family, token).refresh_token != tokens["refresh_token"]
        assert refreshes(tenant) == [403, 200]

    def test_refresh_meanwhile(self, family, token, tenant):
        """A refresh that comes while the grant is on its way waits for the new token."""
        with ThreadPoolExecutor(1) as pool:
            with family.held(token) as newest:
                waiting = pool.submit(refresh, family, token, force=True)
                got = family._client.refresh(newest, ACCOUNTS)
                assert not waiting.done()
                family.rotated(newest, got.refresh_token)
            assert waiting.result(timeout=5).refresh_token != got.refresh_token
        assert refreshes(tenant) == [200, 200]

    def test_held_after_rotation(self, family, token):
        """Whoever waited for the family is handed its newest token, not the one they came with."""
        got = refresh(family, token)
        with family.held(token) as newest:
            assert newest == got.refresh_token

    def test_held_is_released(self, family, token, tenant):
        """An error while the family is held releases it."""
        with pytest.raises(LookupError), family.held(token):
            raise LookupError
        assert refresh(family, token)

    @pytest.mark.parametrize("new", [None, "same"])
    def test_not_rotated(self, family, token, new):
        """No new token, or the same one, replaces nothing."""
        family.rotated(token, token if new else None)
        assert family.newest(token) == token


class TestWithoutRotation:
    """A tenant whose refresh tokens stay."""

    def test_token_stays(self, make_family):
        """The token that we have is kept when none comes back."""
        settings = RefreshTokenSettings("non-rotating", policies={ACCOUNTS: ("read:accounts",)})
        client = Client("demo-client", "demo-secret", refresh_token=settings)
        with serve(Tenant(Configuration(clients=(client,)))) as server:
            token = log_in(server.url)
            family = make_family(url=server.url)
            for _ in range(3):
                assert refresh(family, token, force=True).refresh_token == token
            assert refreshes(server.tenant) == [200] * 3


class TestShared:
    """What lies in the shared state."""

    def test_sealed(self, make_family, token):
        """Neither names nor values show a token."""
        state = RecordingState()
        family = make_family(state)
        response = refresh(family, token)
        kept = str(state.names) + str(state.values)
        assert len(state.values) == 3
        for secret in (token, response.access_token, response.refresh_token, response.id_token):
            assert secret not in kept

    def test_tampered(self, make_family, token, tenant):
        """Whoever writes there makes us use no token of theirs."""
        state = RecordingState()
        family = make_family(state)
        refresh(family, token)
        state.values = {name: value[:-2] + "AA" for name, value in state.values.items()}
        assert family.newest(token) == token

    @pytest.mark.redis
    def test_two_workers(self, make_family, token, tenant):
        """Two processes that share Redis make one call, and follow each other's tokens."""
        with redis_server() as server:
            workers = [make_family(open_state(server.url)) for _ in range(2)]
            tenant.fault("/oauth/token", delay=0.3)
            responses = at_once(10, lambda n: refresh(workers[n % 2], token))
            assert len({response.refresh_token for response in responses}) == 1
            assert refreshes(tenant) == [200]
            for worker in workers * 2:
                refresh(worker, token, force=True)
            assert refreshes(tenant) == [200] * 5


class RecordingState:
    """Shared state that can be looked into."""

    def __init__(self):
        self.values = {}
        self.names = []

    def get(self, name):
        """Return the value under a name."""
        return self.values.get(name)

    def get_many(self, names):
        """Return the values under the names."""
        return [self.get(name) for name in names]

    def put(self, name, value, ttl):
        """Keep a value under a name."""
        self.values[name] = value

    @contextmanager
    def locked(self, name):
        """Hold nothing, but remember the name."""
        self.names.append(name)
        yield
