"""The processes that are measured: a tenant, Redis, gunicorn, uvicorn."""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import certifi

ROOT = Path(__file__).resolve().parents[2]
#: As many as there are cores.
WORKERS, THREADS = 2, 4
CREDENTIALS = {"AUTH0_CLIENT_ID": "demo-client", "AUTH0_CLIENT_SECRET": "demo-secret"}
_DOMAIN = re.compile(r"Domain +(\S+)")
_CA = re.compile(r"CA to trust +(\S+)")
_STARTING = 30


@dataclass(frozen=True)
class TenantProcess:
    """A local tenant in a process of its own, and the file with the CA to trust, if over TLS."""

    url: str
    ca_file: str | None


@contextmanager
def tenant(*, tls: bool) -> Iterator[TenantProcess]:
    """Run the local tenant for the length of the block."""
    command = [sys.executable, "-m", "flask_auth0_mfa.emulator", "--port", "0"]
    command += ["--host", "localhost", *(["--tls"] if tls else [])]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own command line
    with process:
        try:
            url, ca_file, lines = None, None, iter(process.stdout or ())
            while url is None or (tls and ca_file is None):
                line = next(lines)
                url = _found(_DOMAIN, line) or url
                ca_file = _found(_CA, line) or ca_file
            yield TenantProcess(url, ca_file)
        finally:
            process.terminate()


@contextmanager
def gunicorn(tenant: TenantProcess, redis_url: str) -> Iterator[str]:
    """Run our application as one does in production; yields its address."""
    port = _free_port()
    command = ["-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"]
    command += ["--workers", str(WORKERS), "--threads", str(THREADS), "--log-level", "error"]
    command += ["tests.benchmarks.flask_app:create_app()"]
    with _application(command, port, tenant, AUTH0_STATE_URI=redis_url) as url:
        yield url


@contextmanager
def uvicorn(tenant: TenantProcess) -> Iterator[str]:
    """Run the application with Auth0's SDKs; yields its address."""
    port = _free_port()
    command = ["-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", str(WORKERS), "--log-level", "error"]
    command += ["tests.benchmarks.fastapi_app:app"]
    with _application(command, port, tenant) as url:
        yield url


@contextmanager
def _application(
    command: list[str], port: int, tenant: TenantProcess, **environment: str
) -> Iterator[str]:
    url = f"http://127.0.0.1:{port}"
    known = {k: v for k, v in os.environ.items() if not k.startswith("AUTH0_")} | CREDENTIALS
    known |= {"AUTH0_DOMAIN": tenant.url, "APP_BASE_URL": url, "SECRET_KEY": secrets.token_hex()}
    if tenant.ca_file is not None:
        bundle = _bundle(tenant.ca_file)
        known |= {"REQUESTS_CA_BUNDLE": bundle, "SSL_CERT_FILE": bundle}
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=known | environment)  # noqa: S603 - our own command line
    with process:
        try:
            _wait_for(port, process)
            yield url
        finally:
            process.terminate()


def _bundle(ca_file: str) -> str:
    """Return a file with the CAs that HTTP clients trust by default, and the tenant's."""
    bundle = Path(ca_file).with_name("bundle.pem")
    bundle.write_text(certifi.contents() + Path(ca_file).read_text())
    return str(bundle)


def _found(pattern: re.Pattern[str], line: str) -> str | None:
    match = pattern.search(line)
    return match[1] if match else None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    ends_at = time.monotonic() + _STARTING
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, "a server of the benchmark has ended"
            assert time.monotonic() < ends_at, "a server of the benchmark does not start"
            time.sleep(0.1)
        else:
            return
