"""Figure 5: how many step-ups and guarded requests a second, beside FastAPI and Auth0's SDKs.

Both applications run in two processes, talk to the same tenant over TLS (Auth0's SDK insists on
it), and are asked in turn by the same clients. Ours shares its state through Redis, as it must
with more than one process.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import requests

from tests.redis_server import redis_server

from .browser import EMAIL, Browser, signed_in
from .rounds import Effort, Timing
from .servers import TenantProcess, gunicorn, tenant, uvicorn

OURS, SDK = "Flask, this extension", "FastAPI, Auth0's SDKs"
#: What nothing in Flask can be faster than: the same server, and a view that does nothing.
FLOOR = "Flask, a view that does nothing"
CLIENTS = 8
ROUNDS = 6


def timings(effort: Effort) -> dict[str, dict[str, Timing]]:
    """Return the seconds that one step-up and one guarded request take, of all clients' time."""
    with both() as (place, applications):
        rounds = min(ROUNDS, effort.rounds)
        users = max(1, effort.users // rounds)
        step_ups: dict[str, list[float]] = {name: [] for name in applications}
        guarded: dict[str, list[float]] = {name: [] for name in (*applications, FLOOR)}
        seconds = effort.seconds * 100
        for _ in range(rounds):
            for name, url in applications.items():
                browsers = [signed_in(url, place.ca_file) for _ in range(users)]
                step_ups[name].append(_all_step_up(browsers, code(place)))
            for name, url in applications.items():
                browser = signed_in(url, place.ca_file)
                step_up(browser, code(place))
                guarded[name].append(_asked(url, "/transfer", browser.header(), seconds))
            guarded[FLOOR].append(_asked(applications[OURS], "/plain", "", seconds))
    return {
        "step-ups": {name: Timing(tuple(found)) for name, found in step_ups.items()},
        "guarded requests": {name: Timing(tuple(found)) for name, found in guarded.items()},
    }


@contextmanager
def both() -> Iterator[tuple[TenantProcess, Mapping[str, str]]]:
    """Run a tenant and both applications; yields the tenant and the applications' addresses."""
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server())
        place = stack.enter_context(tenant(tls=True))
        ours = stack.enter_context(gunicorn(place, redis.url))
        theirs = stack.enter_context(uvicorn(place))
        yield place, {OURS: ours, SDK: theirs}


def code(place: TenantProcess) -> str:
    """Return the code that Ana's app shows; the tenant takes it as often as it is shown."""
    state = requests.get(f"{place.url}/_emulator/state", verify=place.ca_file or True, timeout=20)
    return str(next(one["otp"] for one in state.json()["users"] if one["email"] == EMAIL))


def step_up(browser: Browser, otp: str) -> None:
    """Ask for the guarded view, do the check that it asks for, and ask again."""
    status, body, _ = browser.ask("GET", "/transfer")
    assert status == 403, (status, body)
    token = json.loads(body)["mfa_token"]
    status, body, _ = browser.ask("GET", "/auth/mfa/authenticators", token=token)
    assert status == 200, (status, body)
    status, body, _ = browser.ask("POST", "/auth/mfa/verify", {"mfa_token": token, "otp": otp})
    assert status == 200, (status, body)
    status, body, _ = browser.ask("GET", "/transfer")
    assert status == 200, (status, body)


def _all_step_up(browsers: list[Browser], otp: str) -> float:
    began_at = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as threads:
        list(threads.map(lambda one: step_up(one, otp), browsers))
    took = time.perf_counter() - began_at
    for browser in browsers:
        browser.close()
    return took / len(browsers)


def _asked(url: str, path: str, cookies: str, seconds: float) -> float:
    """Return what one request takes while every client asks one after the other."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: application/json\r\n"
        f"Cookie: {cookies}\r\n\r\n"
    ).encode()
    ends_at = time.perf_counter() + seconds
    began_at = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as threads:
        counts = list(
            threads.map(lambda _: _ask_until(ends_at, (host, port), request), range(CLIENTS))
        )
    return (time.perf_counter() - began_at) / max(1, sum(counts))


def _ask_until(ends_at: float, address: tuple[str | None, int | None], request: bytes) -> int:
    count = 0
    with socket.create_connection(address, timeout=30) as connection:  # type: ignore[arg-type]  # both are there
        while time.perf_counter() < ends_at:
            connection.sendall(request)
            answer = b""
            # The answer is one small JSON object, in one piece with or behind the headers.
            while b'"length"' not in answer:
                piece = connection.recv(65_536)
                assert piece, "the server has hung up"
                answer += piece
            assert answer.startswith(b"HTTP/1.1 200"), answer
            count += 1
    return count
