"""The server: kept connections, many at once, and a memory that does not grow."""

from __future__ import annotations

import gc
import os
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from flask_auth0_mfa.emulator import RemoteRefused, Tenant, create_app, serve
from flask_auth0_mfa.emulator.server import RunningServer

from .application import GRANT, PAYMENTS, SCOPE, Application

ANA, CLEO = "ana@example.com", "cleo@example.com"


def test_connections_are_kept(server: RunningServer) -> None:
    """Two requests, one with a body, go over one connection."""
    with socket.create_connection(("127.0.0.1", server.http.port), timeout=5) as connection:
        for _ in range(2):
            connection.sendall(
                b"POST /oauth/token HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\n"
                b"Content-Length: 3\r\n\r\na=b"
            )
            head = b""
            while b"}" not in head:
                received = connection.recv(4096)
                assert received, "the server has closed the connection"
                head += received
            assert head.startswith(b"HTTP/1.1 400")
            assert b"Connection: close" not in head


def test_chunked_body(server: RunningServer) -> None:
    """A body without a length is read as well."""

    def parts() -> list[bytes]:
        return [b'{"grant_type":', b'"telepathy"}']

    answer = requests.post(
        f"{server.url}/oauth/token",
        data=iter(parts()),
        headers={"Content-Type": "application/json"},
        timeout=5,
    )
    assert answer.json()["error"] in ("unsupported_grant_type", "invalid_client")


def test_head_and_unknown_paths(server: RunningServer) -> None:
    """HEAD has no body, an unknown path is 404 and a wrong method 405, as JSON."""
    with requests.Session() as http:
        head = http.head(f"{server.url}/.well-known/jwks.json", timeout=5)
        assert (head.status_code, head.content) == (200, b"")
        assert http.get(f"{server.url}/nothing", timeout=5).json()["error"] == "not_found"
        assert http.get(f"{server.url}/oauth/token", timeout=5).status_code == 405


def test_idle_tls_connections_keep_nobody_out() -> None:
    """A client that never finishes its handshake does not stop the others."""
    with (
        serve(Tenant(), tls=True) as server,
        socket.create_connection(("127.0.0.1", server.http.port)),
    ):
        url = f"{server.url}/.well-known/openid-configuration"
        answer = requests.get(url, verify=str(server.ca_file), timeout=5)
        assert answer.json()["issuer"] == f"{server.url}/"


def test_plain_http_to_a_tls_port() -> None:
    """Talking http to the https port fails for that client only."""
    with serve(Tenant(), tls=True) as server:
        plain = server.url.replace("https", "http")
        with pytest.raises(requests.ConnectionError):
            requests.get(plain, timeout=5)
        context = ssl.create_default_context(cafile=str(server.ca_file))
        with (
            socket.create_connection(("localhost", server.http.port)) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as secured,
        ):
            assert secured.version() in ("TLSv1.2", "TLSv1.3")


def test_remote_addresses_are_refused() -> None:
    """In Python, too, only loopback is served."""
    with pytest.raises(RemoteRefused), serve(Tenant(), host="0.0.0.0"):  # noqa: S104
        pass


def test_stopping_ends_kept_connections() -> None:
    """No thread is left behind when the block ends."""
    before = set(threading.enumerate())
    with serve(Tenant()) as server, requests.Session() as http:
        http.get(f"{server.url}/.well-known/jwks.json", timeout=5)
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(timeout=5)
    assert not any(thread.is_alive() for thread in left)


def step_up(url: str, otp: Callable[[], str]) -> int:
    """Log in and step up over HTTP; return the status of the last answer."""
    with Application(url) as application:
        tokens = application.log_in(ANA)
        refused = application.refresh(tokens["refresh_token"], PAYMENTS).json()
        return application.token("mfa-otp", mfa_token=refused["mfa_token"], otp=otp()).status_code


@pytest.mark.slow
def test_two_hundred_flows_at_once(server: RunningServer) -> None:
    """200 users who log in and step up at the same moment are all served."""
    with ThreadPoolExecutor(200) as pool:
        flows = [
            pool.submit(step_up, server.url, lambda: server.tenant.current_otp(ANA))
            for _ in range(200)
        ]
        assert [flow.result() for flow in flows] == [200] * 200


def create_flow_client(tenant: Tenant) -> Callable[[], None]:
    """Return a function that runs one flow without a socket."""
    app = create_app(tenant)
    credentials = {"client_id": "demo-client", "client_secret": "demo-secret"}

    def post(**fields: str) -> dict[str, str]:
        with app.test_client() as client:
            answer = client.post("/oauth/token", data={**credentials, **fields})
            body: dict[str, str] = answer.get_json()
            return body

    def flow() -> None:
        with app.test_client() as browser:
            query = {
                "response_type": "code",
                "client_id": "demo-client",
                "redirect_uri": "http://localhost:5000/auth/callback",
                "scope": SCOPE,
            }
            page = browser.get("/authorize", query_string=query)
            state = page.headers["Location"].split("state=")[1]
            login = {"state": state, "username": CLEO, "password": "demo"}
            code = browser.post("/u/login", data=login).headers["Location"].split("code=")[1]
        tokens = post(
            grant_type="authorization_code",
            code=code,
            redirect_uri="http://localhost:5000/auth/callback",
        )
        for finished in (False, True):
            refused = post(
                grant_type="refresh_token",
                refresh_token=tokens["refresh_token"],
                audience=PAYMENTS,
            )
            if finished:
                verified = post(
                    grant_type=f"{GRANT}mfa-otp",
                    mfa_token=refused["mfa_token"],
                    otp=tenant.current_otp(CLEO),
                )
                assert "access_token" in verified
        tenant.advance(10)

    return flow


@pytest.mark.slow
def test_memory_stays_flat() -> None:
    """The tenant forgets what is over: after many more flows it keeps as many objects as before.

    ``EMULATOR_FLOWS`` sets the number of flows; the long campaign takes 20 000.
    """
    tenant = Tenant()
    # The log of calls is bounded as well, but fills up more slowly than this test runs.
    tenant.calls = deque(maxlen=100)
    flow = create_flow_client(tenant)
    counts = []
    # What other tests have left, and may let go meanwhile, is not counted.
    gc.freeze()
    try:
        for flows in (220, int(os.environ.get("EMULATOR_FLOWS", "150"))):
            for _ in range(flows):
                flow()
            gc.collect()
            counts.append(len(gc.get_objects()))
    finally:
        gc.unfreeze()
    assert len(tenant.families) == 200
    assert len(tenant.transactions) <= 62
    assert abs(counts[1] - counts[0]) < 200
