"""Many requests of one session at the same moment, in one process and in several.

The tenant rotates refresh tokens and takes a second use of one for theft, without a leeway: it
then revokes the family. So a family that still works shows that no token was presented twice.
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
from flask import Flask, jsonify, request

from flask_auth0_mfa import Auth0MFA, current_auth0, state
from flask_auth0_mfa.emulator import Configuration, Tenant, serve
from flask_auth0_mfa.emulator.defaults import default_apis
from flask_auth0_mfa.state import LOCK_WAIT

from .conftest import ACCOUNTS, OPEN, SECRET_KEY
from .observed import refreshes
from .redis_server import redis_server
from .visitor import Visitor

REQUESTS = 100
#: How long an access token of this tenant lives, in seconds.
TOKEN_TTL = 3_600
#: By then the access token that was got after the login has expired, in seconds.
LATER = TOKEN_TTL + 100
URL = f"/digest?audience={ACCOUNTS}"
SYNC = ("--worker-class", "sync")
GTHREAD = ("--worker-class", "gthread", "--threads", "25")


class Answer(NamedTuple):
    """What came back; ``digest`` tells access tokens apart without showing them."""

    status: int
    digest: str | None
    set_cookies: list[str]
    took: float


def application() -> Flask:
    """Return the application that gunicorn serves, by settings from the environment."""
    # After Redis has lost everything, locks are refused for this long.
    state.LOCK_TTL = 1.5
    ahead = float(os.environ["TEST_CLOCK_AHEAD"])
    return make_app(os.environ["TEST_TENANT"], os.environ["TEST_STATE"], ahead)


def make_app(tenant_url: str, state_uri: str, ahead: float) -> Flask:
    """Return an application whose clock is so many seconds ahead."""
    app = Flask("parallel")
    app.config.update(
        SECRET_KEY=SECRET_KEY,
        AUTH0_DOMAIN=tenant_url,
        AUTH0_CLIENT_ID="demo-client",
        AUTH0_CLIENT_SECRET="demo-secret",
        AUTH0_STATE_URI=state_uri,
    )
    Auth0MFA(app, clock=lambda: time.time() + ahead)
    add_view(app)
    return app


def add_view(app: Flask) -> None:
    """Give the application a view that needs an access token."""

    @app.get("/digest")
    def digest():
        token = current_auth0.get_access_token(request.args["audience"])
        return jsonify(digest=hashlib.sha256(token.token.encode()).hexdigest())


def cookie_header(visitor: Visitor) -> str:
    """Return what the visitor's browser sends."""
    return "; ".join(f"{name}={value}" for name, value in visitor.cookies().items())


def receive(visitor: Visitor, answers: list[Answer]) -> None:
    """Let the browser have the cookies of these answers, in this order."""
    for answer in answers:
        visitor.client._update_cookies_from_response("localhost", "/", answer.set_cookies)


def at_once(call, number: int = REQUESTS) -> list:
    """Make the call in so many threads at the same moment."""
    with storm(call, number) as answers:
        return [answer.result() for answer in answers]


@contextmanager
def storm(call, number: int = REQUESTS):
    """Do what the block does while so many calls are on their way; yields their futures."""
    start = threading.Barrier(number)

    def wait_and_call():
        start.wait(30)
        return call()

    with ThreadPoolExecutor(number) as pool:
        futures: list[Future] = [pool.submit(wait_and_call) for _ in range(number)]
        yield futures


def await_call(tenant) -> None:
    """Wait until the call that is to be late has reached the tenant."""
    deadline = time.monotonic() + 10
    while tenant.faults.to_json():
        assert time.monotonic() < deadline, "nobody refreshes"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def tenant_server():
    """A local tenant whose access tokens live for an hour."""
    apis = tuple(replace(api, access_token_ttl=TOKEN_TTL) for api in default_apis())
    with serve(Tenant(Configuration(apis=apis))) as server:
        yield server


class TestThreads:
    """A hundred threads of one process."""

    @pytest.fixture
    def expired(self, make_app, clock):
        """Ana, signed in, with an access token that has expired."""
        app = make_app()
        add_view(app)
        ana = Visitor(app)
        ana.log_in()
        assert ana.json("GET", URL).status_code == 200
        clock.advance(LATER)
        return ana

    def ask(self, ana):
        """Ask from a tab of its own, as a browser with the cookies of now."""
        answer = ana.tab().json("GET", URL)
        digest = answer.json.get("digest")
        return Answer(answer.status_code, digest, answer.headers.getlist("Set-Cookie"), 0)

    def test_one_refresh(self, expired, tenant):
        """They share the result of one refresh, and each is answered with the same token."""
        tenant.fault("/oauth/token", delay=0.5)
        before = refreshes(tenant)
        answers = at_once(lambda: self.ask(expired))
        assert Counter(answer.status for answer in answers) == {200: REQUESTS}
        assert len({answer.digest for answer in answers}) == 1
        assert refreshes(tenant) == [*before, 200]

    @pytest.mark.parametrize("order", [1, -1])
    def test_browser_goes_on(self, expired, tenant, order):
        """Whichever answer the browser gets last, the next refresh is no reuse."""
        receive(expired, at_once(lambda: self.ask(expired))[::order])
        assert expired.json("GET", f"/digest?audience={OPEN}").status_code == 200
        assert set(refreshes(tenant)) == {200}

    def test_late_requests(self, expired, tenant):
        """Requests with the cookies from before that come a moment later get the same token."""
        before = refreshes(tenant)
        answers = [self.ask(expired) for _ in range(5)]
        assert len({answer.digest for answer in answers}) == 1
        assert refreshes(tenant) == [*before, 200]

    def test_late_requests_for_two_tokens(self, expired, tenant):
        """Also where tokens for another API were got in between."""
        before = refreshes(tenant)
        for _ in range(3):
            self.ask(expired)
            expired.tab().json("GET", f"/digest?audience={OPEN}")
        assert refreshes(tenant) == [*before, 200, 200]


class Workers:
    """An application served by four gunicorn workers, and a browser for it."""

    def __init__(self, url: str, ana: Visitor) -> None:
        self.url = url
        self.ana = ana

    def ask(self, audience: str = ACCOUNTS, cookies: str | None = None) -> Answer:
        """Ask for the view, with the browser's cookies of now."""
        headers = {"Cookie": cookies or cookie_header(self.ana), "Accept": "application/json"}
        began = time.monotonic()
        answer = requests.get(
            f"{self.url}/digest?audience={audience}", headers=headers, timeout=2 * LOCK_WAIT
        )
        took = time.monotonic() - began
        digest = answer.json().get("digest")
        return Answer(answer.status_code, digest, answer.raw.headers.getlist("Set-Cookie"), took)

    def ask_until_up(self, audience: str = ACCOUNTS) -> Answer:
        """Ask again while the answer is to come back later."""
        deadline = time.monotonic() + LOCK_WAIT
        while (answer := self.ask(audience)).status == 503 and time.monotonic() < deadline:
            time.sleep(0.2)
        return answer


@contextmanager
def gunicorn(target: str, *options: str, **environment: str):
    """Serve the application on a free port for the length of the block; yields the address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.set_inheritable(True)
        number = listening.fileno()
        command = [sys.executable, "-m", "gunicorn", "--bind", f"fd://{number}", *options, target]
        process = subprocess.Popen(  # noqa: S603 - our own command line
            [*command, "--log-level", "error"],
            cwd=Path(__file__).parent.parent,
            env=os.environ | environment,
            pass_fds=[number],
        )
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def redis():
    """A Redis server for this file."""
    with redis_server() as server:
        yield server


#: Kinds of workers: the second one in a campaign only, it takes another minute.
KINDS = {"gthread": GTHREAD, "sync": SYNC} if "CAMPAIGN" in os.environ else {"gthread": GTHREAD}


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS)
def address(request, redis, tenant_server):
    """The address of four workers; their clocks are ahead."""
    with gunicorn(
        "tests.test_parallel:application()",
        *("--workers", "4", *request.param),
        TEST_TENANT=tenant_server.url,
        TEST_STATE=redis.url,
        TEST_CLOCK_AHEAD=str(LATER),
    ) as url:
        yield url


@pytest.fixture
def workers(address, redis, tenant, tenant_server):
    """Ana at the workers; she has signed in, and got an access token, more than an hour ago."""
    app = make_app(tenant_server.url, redis.url, 0)
    ana, ben = Visitor(app), Visitor(app)
    ana.log_in()
    assert ana.json("GET", URL).status_code == 200
    ben.log_in("ben@example.com")
    # Each worker has seen this Redis, and has waited if it knew one that forgot everything.
    at_once(Workers(address, ben).ask_until_up, 16)
    return Workers(address, ana)


@pytest.mark.redis
@pytest.mark.slow
class TestWorkers:
    """A hundred requests to four workers that share Redis."""

    def test_one_refresh(self, workers, tenant):
        """They share the result of one refresh, and each is answered with the same token."""
        tenant.fault("/oauth/token", delay=0.5)
        before = refreshes(tenant)
        answers = at_once(workers.ask)
        assert Counter(answer.status for answer in answers) == {200: REQUESTS}
        assert len({answer.digest for answer in answers}) == 1
        assert refreshes(tenant) == [*before, 200]

    def test_browser_goes_on(self, workers, tenant):
        """Whichever answer the browser gets last, the next refresh is no reuse."""
        receive(workers.ana, at_once(workers.ask))
        assert workers.ask(OPEN).status == 200
        assert set(refreshes(tenant)) == {200}


@pytest.mark.redis
@pytest.mark.slow
class TestRedisDies:
    """Redis is killed while a hundred requests are on their way, and comes back empty."""

    @pytest.mark.parametrize(
        ("moment", "order"), [("at the start", 1), ("refresh on its way", -1), ("first answer", -1)]
    )
    def test_moment(self, workers, redis, tenant, moment, order):
        """Every answer is right or a 503 and in time, no token is presented twice, Ana goes on."""
        tenant.fault("/oauth/token", delay=0.5)
        with storm(workers.ask) as futures:
            if moment == "refresh on its way":
                await_call(tenant)
            elif moment == "first answer":
                wait(futures, 10, FIRST_COMPLETED)
            redis.stop()
            answers = [future.result() for future in futures]
        tenant.faults.clear()
        redis.start()
        assert {answer.status for answer in answers} <= {200, 503}
        assert len({answer.digest for answer in answers if answer.status == 200}) <= 1
        assert max(answer.took for answer in answers) < LOCK_WAIT
        receive(workers.ana, answers[::order])
        assert workers.ask_until_up(OPEN).status == 200
        assert workers.ask_until_up().status == 200
        assert set(refreshes(tenant)) == {200}

    def test_back_at_once(self, workers, redis, tenant):
        """Redis is back, empty, while the refresh is still on its way: nobody begins a second."""
        tenant.fault("/oauth/token", delay=0.7)
        with storm(workers.ask) as futures:
            await_call(tenant)
            redis.stop()
            redis.start()
            answers = [future.result() for future in futures]
        receive(workers.ana, answers[::-1])
        assert {answer.status for answer in answers} <= {200, 503}
        assert workers.ask_until_up(OPEN).status == 200
        assert set(refreshes(tenant)) == {200}

    def test_no_refresh_without_it(self, workers, redis, tenant):
        """While Redis is away no refresh is begun at all."""
        before = refreshes(tenant)
        redis.stop()
        answers = at_once(workers.ask, 8)
        redis.start()
        assert {answer.status for answer in answers} == {503}
        assert refreshes(tenant) == before
