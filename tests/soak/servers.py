"""The processes of the soak, each of its own: they can be killed and come back."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import requests

from flask_auth0_mfa.emulator.totp import new_secret
from flask_auth0_mfa.emulator.users import new_recovery_code
from tests.redis_server import RedisServer

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2
#: Seconds for which a check is good here: short, so that there are many checks.
MAX_AGE = 5
#: Limits that fifty users on one address do not reach in five minutes. Those of a check stay.
BANK = {
    "AUTH0_CLIENT_ID": "demo-client",
    "AUTH0_CLIENT_SECRET": "demo-secret",
    "AUTH0_STEPUP_MAX_AGE": str(MAX_AGE),
    "AUTH0_MFA_VERIFY_LIMIT": "1000 per hour",
    "AUTH0_MFA_VERIFY_ROW_LIMIT": "1000 per hour",
    "AUTH0_MFA_VERIFY_ADDRESS_LIMIT": "100000 per hour",
    "AUTH0_MFA_RECOVERY_LIMIT": "1000 per hour",
    "AUTH0_MFA_SEND_LIMIT": "1000 per hour",
    "AUTH0_MFA_ENROLL_LIMIT": "1000 per hour",
}


def email_of(number: int) -> str:
    """Return the address of a user of the soak."""
    return f"soak{number:03}@example.com"


def tenant_file(users: int) -> str:
    """Return a tenant with that many users; one in five has no factor yet."""
    tables = []
    for number in range(users):
        lines = [f'email = "{email_of(number)}"', f'name = "Customer soak{number:03}"']
        if number % 5:
            lines += [
                f'totp_secret = "{new_secret()}"',
                f'phone_number = "+1555{number:07}"',
                "push = true",
                "email_factor = true",
                f'recovery_code = "{new_recovery_code()}"',
            ]
        tables.append("\n".join(["[[users]]", *lines]))
    return "\n\n".join(tables)


@dataclass
class Servers:
    """What runs: addresses, Redis, the master process of gunicorn, and the file of its errors."""

    tenant: str
    bank: str
    redis: RedisServer
    gunicorn: subprocess.Popen[bytes]
    errors: Path

    def workers(self) -> list[int]:
        """Return the process ids of the workers, oldest first."""
        children = Path(f"/proc/{self.gunicorn.pid}/task/{self.gunicorn.pid}/children")
        return sorted(int(pid) for pid in children.read_text().split())

    def kill_worker(self) -> None:
        """Kill the youngest worker; the oldest one lives on, to see what it does to memory."""
        workers = self.workers()
        if len(workers) == WORKERS:
            os.kill(workers[-1], signal.SIGKILL)

    def memory(self) -> float:
        """Return what the oldest worker holds, in MiB."""
        status = Path(f"/proc/{self.workers()[0]}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024


@contextmanager
def running(directory: Path, redis: RedisServer, users: int) -> Iterator[Servers]:
    """Run the tenant and the bank for the length of the block."""
    tenant_port, bank_port = _free_port(), _free_port()
    # Not the same host name: cookies do not know ports.
    tenant, bank = f"http://localhost:{tenant_port}", f"http://127.0.0.1:{bank_port}"
    file, errors = directory / "tenant.toml", directory / "gunicorn.log"
    file.write_text(tenant_file(users))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AUTH0_")} | BANK
    environment |= {
        "AUTH0_DOMAIN": tenant,
        "AUTH0_STATE_URI": redis.url,
        "SECRET_KEY": secrets.token_hex(),
        # The memory of many arenas is never given back, which looks like a leak.
        "MALLOC_ARENA_MAX": "2",
    }
    gunicorn = ["gunicorn", "--bind", f"127.0.0.1:{bank_port}", "--workers", str(WORKERS)]
    gunicorn += ["--threads", "8", "--worker-class", "gthread", "examples.bank:create_app()"]
    with (
        errors.open("wb") as log,
        _process([sys.executable, "-m", "tests.soak.tenant", str(file), str(tenant_port)], {}),
        _process([sys.executable, "-m", *gunicorn], environment, log) as master,
    ):
        _wait_for(lambda: requests.get(f"{tenant}/_soak/reused", timeout=5).ok)
        _wait_for(lambda: requests.get(f"{bank}/", timeout=5).ok)
        yield Servers(tenant, bank, redis, master, errors)


@contextmanager
def _process(
    command: list[str], environment: dict[str, str], log: IO[bytes] | int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(  # noqa: S603 - our own command line
        command,
        cwd=ROOT,
        env=environment or None,
        stderr=log,
        stdout=subprocess.DEVNULL,
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(answers: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if answers():
                return
        except (requests.ConnectionError, requests.Timeout):
            pass
        assert time.monotonic() < deadline, "a server of the soak does not start"
        time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
