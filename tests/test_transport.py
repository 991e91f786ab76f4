"""Connections that a process opened before it forked, as gunicorn does with ``--preload``."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: Asks before the fork, in the child, and in the parent again.
PROGRAM = """
import os, sys
import requests
from flask_auth0_mfa.downstream import build_adapter
from flask_auth0_mfa.transport import TenantAdapter

session = requests.Session()
session.trust_env = False
session.mount("http://", {"tenant": TenantAdapter, "api": build_adapter}[sys.argv[1]]())
ask = lambda: session.get(sys.argv[2]).content
ask()
child = os.fork()
ask()
ask()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    """A server that keeps connections open, and notes by which one each request came."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            ports.append(self.client_address[1])
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    ports: list[int] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.daemon_threads = True
        made.ports = ports
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.mark.parametrize("whose", ["tenant", "api"])
def test_fork(server: ThreadingHTTPServer, whose: str) -> None:
    """A child opens a connection of its own: on its parent's it would read the parent's answers."""
    url = f"http://127.0.0.1:{server.server_port}/"
    subprocess.run([sys.executable, "-c", PROGRAM, whose, url], cwd=ROOT, check=True, timeout=30)  # noqa: S603 - our own program
    parent = server.ports[0]
    assert sorted(server.ports.count(port) for port in set(server.ports)) == [2, 3]
    assert server.ports.count(parent) == 3
