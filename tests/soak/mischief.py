"""What goes wrong during the soak: faults of Auth0, Redis that dies, workers that are killed."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

import requests

from .record import Record
from .servers import Servers

#: Faults that carry out nothing at Auth0, or answer in time: none of them costs a refresh token.
FAULTS: tuple[dict[str, Any], ...] = (
    {"path": "/oauth/token", "status": 500, "body": {"error": "server_error"}},
    {"path": "/oauth/token", "status": 503, "body": "<h1>Service Unavailable</h1>"},
    {"path": "/oauth/token", "status": 429, "body": {"error": "too_many_requests"}},
    {"path": "/oauth/token", "status": 200, "body": "<html>not JSON"},
    {"path": "/oauth/token", "status": 200, "body": {"access_token": 7}},
    {"path": "/oauth/token", "drop": True},
    {"path": "/oauth/token", "delay": 2},
    {"path": "/mfa/challenge", "status": 500, "body": {"error": "server_error"}},
    {"path": "/mfa/challenge", "delay": 8},
    {"path": "/mfa/authenticators", "drop": True},
    {"path": "/mfa/authenticators", "status": 200, "body": {"not": "a list"}},
    {"path": "/mfa/associate", "status": 502, "body": ""},
    {"path": "/mfa/*", "delay": 2},
    {"path": "/.well-known/jwks.json", "status": 500, "body": ""},
    {"path": "/.well-known/*", "drop": True},
    {"path": "/oauth/revoke", "drop": True},
)
#: How often Redis has nothing left. After each restart the bank refuses refreshes for 20 seconds.
FORGETS = 0.4


class Mischief:
    """Does harm every few seconds until told to stop."""

    def __init__(self, servers: Servers, record: Record, seed: int) -> None:
        self._servers = servers
        self._record = record
        self._random = random.Random(seed)  # noqa: S311 - to be repeated

    def live(self, stop: threading.Event) -> None:
        """Do one harm after the other."""
        harms = {self.fault: 32, self.kill_worker: 8, self.restart_redis: 2}
        while not stop.wait(self._random.uniform(1, 2)):
            (harm,) = self._random.choices(list(harms), list(harms.values()))
            harm()

    def fault(self) -> None:
        """Let Auth0 fail for a few calls."""
        fault = {**self._random.choice(FAULTS), "times": self._random.randint(1, 4)}
        requests.post(f"{self._servers.tenant}/_emulator/faults", json=fault, timeout=20)
        self._record.count("harm: faults of Auth0 ordered")

    def kill_worker(self) -> None:
        """Kill a worker; gunicorn starts another."""
        self._record.worker_killed.append(time.time())
        self._servers.kill_worker()
        self._record.count("harm: workers killed")

    def restart_redis(self) -> None:
        """Kill Redis and start it again, with what it knew or with nothing."""
        forgets = self._random.random() < FORGETS
        with self._servers.redis.connection() as connection:
            file = Path(str(connection.config_get("dir")["dir"])) / "dump.rdb"
            if not forgets:
                connection.save()
        self._record.redis_killed.append(time.time())
        self._servers.redis.stop()
        if forgets:
            file.unlink(missing_ok=True)
        time.sleep(self._random.uniform(0, 2))
        self._servers.redis.start()
        self._record.count(f"harm: Redis killed, {'empty' if forgets else 'kept'} after it")
