"""Short-lived state that every worker must see: results of a refresh, used marks, locks.

Values are sealed before they get here. Without ``AUTH0_STATE_URI`` the state lives in this
process, which is right for one process and for tests; with ``redis://`` all workers and machines
share it.
"""

from __future__ import annotations

import logging
import math
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from cachelib import SimpleCache

from .errors import Auth0UnavailableError, ConfigurationError

if TYPE_CHECKING:
    from redis import Redis

logger = logging.getLogger("flask_auth0_mfa")

#: How long Redis may take to connect, and to answer, in seconds.
REDIS_TIMEOUTS = {"socket_connect_timeout": 2, "socket_timeout": 5}
#: How long one request waits for another that does the same, in seconds.
LOCK_WAIT = 15.0
#: A lock whose holder died is free after this, in seconds; longer than any call to Auth0.
LOCK_TTL = 20.0
#: Entries in memory before expired ones are dropped.
MEMORY_ENTRIES = 100_000


class SharedState(Protocol):
    """Named values with a lifetime, and named locks."""

    def get(self, name: str) -> str | None:
        """Return the value under ``name`` if its time is not over."""

    def get_many(self, names: Sequence[str]) -> list[str | None]:
        """Return the values under all the names, in their order, in one go."""

    def put(self, name: str, value: str, ttl: int) -> None:
        """Keep ``value`` under ``name`` for ``ttl`` seconds."""

    def recall(self, names: Sequence[str]) -> list[str | None]:
        """Return the values as :meth:`get_many` does, if all that was put there lately is known.

        Raises :class:`Auth0UnavailableError` when some of it may have been lost.
        """

    def replace(self, name: str, before: str | None, value: str, ttl: int) -> bool:
        """Put ``value`` in the place of ``before`` (``None``: of nothing), in one step.

        Tells whether that was still there; if not, nothing is changed.
        """

    def locked(self, name: str) -> AbstractContextManager[None]:
        """Hold the lock ``name``; raises :class:`Auth0UnavailableError` if it stays taken."""


def open_state(uri: str | None) -> SharedState:
    """Return the state for ``AUTH0_STATE_URI``."""
    if uri is None or uri.startswith("memory://"):
        return MemoryState()
    return RedisState(uri)


class MemoryState:
    """State of one process."""

    def __init__(self) -> None:
        self._cache = SimpleCache(threshold=MEMORY_ENTRIES)
        # SimpleCache is a plain dictionary that prunes itself while it is written.
        self._guard = threading.Lock()
        self._locks = NamedLocks()

    def get(self, name: str) -> str | None:
        return self.get_many([name])[0]

    def get_many(self, names: Sequence[str]) -> list[str | None]:
        with self._guard:
            values = [self._cache.get(name) for name in names]
        return [value if isinstance(value, str) else None for value in values]

    def put(self, name: str, value: str, ttl: int) -> None:
        with self._guard:
            self._cache.set(name, value, timeout=ttl)

    def recall(self, names: Sequence[str]) -> list[str | None]:
        return self.get_many(names)

    def replace(self, name: str, before: str | None, value: str, ttl: int) -> bool:
        with self._guard:
            is_there = bool(self._cache.get(name) == before)
            if is_there:
                self._cache.set(name, value, timeout=ttl)
        return is_there

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        if not self._locks.acquire(name, LOCK_WAIT):
            raise Auth0UnavailableError(retry_after=1)
        try:
            yield
        finally:
            self._locks.release(name)


class NamedLocks:
    """Locks between the threads of this process; a name costs nothing while nobody holds it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    def acquire(self, name: str, timeout: float) -> bool:
        """Take the lock ``name`` and tell whether that worked within ``timeout`` seconds."""
        with self._guard:
            lock, users = self._locks.get(name, (threading.Lock(), 0))
            self._locks[name] = (lock, users + 1)
        taken = lock.acquire(timeout=timeout)
        if not taken:
            self._leave(name)
        return taken

    def release(self, name: str) -> None:
        """Give the lock ``name`` back."""
        with self._guard:
            lock, _ = self._locks[name]
        lock.release()
        self._leave(name)

    def _leave(self, name: str) -> None:
        with self._guard:
            lock, users = self._locks[name]
            if users == 1:
                del self._locks[name]
            else:
                self._locks[name] = (lock, users - 1)


class RedisState:
    """State in Redis, for several processes and machines.

    Values are read and written as plain strings: a cache that pickles would run what somebody
    else wrote there.
    """

    KEY_PREFIX = "auth0_mfa:"
    #: Puts a value in the place of the one before, which is "" for none; in one step.
    REPLACE = """
        if (redis.call("GET", KEYS[1]) or "") ~= ARGV[1] then return 0 end
        redis.call("SET", KEYS[1], ARGV[2], "EX", ARGV[3])
        return 1
    """
    BIRTHMARK = "birthmark"

    def __init__(self, uri: str) -> None:
        self._redis = _redis(uri, self._on_connect)
        #: The runs of servers that connections have led to.
        self._runs: set[str] = set()
        #: What Redis holds for as long as it remembers anything.
        self._birthmark: bytes | str | None = None
        self._forgot_at = -math.inf

    def get(self, name: str) -> str | None:
        return self.get_many([name])[0]

    def get_many(self, names: Sequence[str]) -> list[str | None]:
        keys = [self.KEY_PREFIX + name for name in (self.BIRTHMARK, *names)]
        with _outage():
            birthmark, *values = self._redis.mget(keys)
            if birthmark is None:
                self._redis.set(keys[0], secrets.token_hex(8), nx=True)
                birthmark = self._redis.get(keys[0])
        if self._birthmark not in (None, birthmark):
            self._note_loss()
        self._birthmark = birthmark
        return [_text(value) for value in values]

    def put(self, name: str, value: str, ttl: int) -> None:
        with _outage():
            self._redis.set(self.KEY_PREFIX + name, value, ex=max(1, ttl))

    def recall(self, names: Sequence[str]) -> list[str | None]:
        values = self.get_many(names)
        left = self._forgot_at + LOCK_TTL - time.monotonic()
        if left > 0:
            raise Auth0UnavailableError(retry_after=math.ceil(left))
        return values

    def replace(self, name: str, before: str | None, value: str, ttl: int) -> bool:
        key, expires_in = self.KEY_PREFIX + name, str(max(1, ttl))
        with _outage():
            done = self._redis.eval(self.REPLACE, 1, key, before or "", value, expires_in)
        return bool(done == 1)

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        lock = self._redis.lock(
            f"{self.KEY_PREFIX}lock:{name}", timeout=LOCK_TTL, blocking_timeout=LOCK_WAIT
        )
        with _outage():
            taken = lock.acquire()
        if not taken:
            logger.warning("A lock in the shared state stayed taken for %d seconds", LOCK_WAIT)
            raise Auth0UnavailableError(retry_after=1)
        try:
            # Redis may have given the lock to somebody else before it lost its memory, who may
            # still be at work: two refreshes with one token would make Auth0 revoke the family.
            self.recall([])
            yield
        finally:
            self._give_back(lock)

    def _on_connect(self, connection: Any) -> None:
        """Notice that Redis has started anew, or that another one took its place.

        It may have come back with what it saved a second before it died, locks left out.
        """
        from redis.exceptions import ResponseError

        connection.on_connect()
        connection.send_command("INFO", "server")
        try:
            run = _run_id(connection.read_response())
        except ResponseError:
            # The access list of a hosted Redis may not allow it: then only an empty one shows.
            return
        if run is None or run in self._runs:
            return
        if self._runs:
            self._note_loss()
        self._runs.add(run)

    def _note_loss(self) -> None:
        self._forgot_at = time.monotonic()
        logger.warning(
            "Redis has started anew, was emptied or replaced: nothing is refreshed for %d seconds",
            LOCK_TTL,
        )

    @staticmethod
    def _give_back(lock: AbstractContextManager[object]) -> None:
        from redis.exceptions import LockError, RedisError

        try:
            lock.release()  # type: ignore[attr-defined]  # redis.lock.Lock is untyped
        except (LockError, RedisError):
            # It has expired or Redis is gone: either way the lock is not ours any more.
            return


@contextmanager
def _outage() -> Iterator[None]:
    from redis.exceptions import RedisError

    try:
        yield
    except RedisError as error:
        tell_of_outage(error)
        raise Auth0UnavailableError() from None


def tell_of_outage(error: Exception) -> None:
    """Say in the log what kind of error it was; its text can carry the address."""
    logger.error("The shared state in AUTH0_STATE_URI failed: %s", type(error).__name__)


def _text(value: object) -> str | None:
    """Return what Redis holds as text; the address may ask the client to decode it already."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


def _run_id(information: object) -> str | None:
    """Return the ``run_id`` of an answer to ``INFO server``, which changes with each start."""
    found = re.search(r"run_id:(\w+)", _text(information) or "")
    return found[1] if found else None


def _redis(uri: str, on_connect: Callable[[Any], None]) -> Redis:
    try:
        from redis import Redis, RedisError
    except ImportError:
        raise ConfigurationError(
            [
                "AUTH0_STATE_URI names Redis, but its client is not installed: "
                'pip install "flask-auth0-mfa[redis]".'
            ]
        ) from None
    try:
        client = Redis.from_url(uri, **REDIS_TIMEOUTS, redis_connect_func=on_connect)
        pool = client.connection_pool
        # The client looks at options of its address when it connects, which is in a request.
        pool.connection_class(**pool.connection_kwargs)
    except (TypeError, ValueError, RedisError):
        raise ConfigurationError(
            [
                "AUTH0_STATE_URI has options (after the ?) that the Redis client does not take: "
                "leave them out, or look them up in the documentation of redis-py."
            ]
        ) from None
    return client
