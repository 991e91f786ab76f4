"""A Redis server of the tests' own, on a free port."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis


class RedisServer:
    """A server that can be stopped and started again."""

    def __init__(self, directory: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.socket_url = f"unix://{directory}/redis.sock?db=0"
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        program = shutil.which("redis-server") or "redis-server"
        options = {"port": str(self.port), "bind": "127.0.0.1", "dir": self._directory, "save": ""}
        options["unixsocket"] = f"{self._directory}/redis.sock"
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL)  # noqa: S603 - our own command line
        deadline = time.monotonic() + 10
        while not self._answers():
            assert time.monotonic() < deadline, "the Redis server does not start"
            time.sleep(0.02)

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url) as connection:
            try:
                return bool(connection.ping())
            except redis.RedisError:
                return False

    def stop(self) -> None:
        """Stop, without a word to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def url_of(self, user: str, password: str) -> str:
        """Return the address as that user of Redis has it."""
        return self.url.replace("//", f"//{user}:{password}@")

    def connection(self) -> redis.Redis:
        """Return a connection of one's own, to look at what is kept."""
        return redis.Redis.from_url(self.url)


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Run a server for the length of the block."""
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(directory)
        server.start()
        try:
            yield server
        finally:
            server.stop()
