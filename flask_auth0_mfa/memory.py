"""What requests leave for one another: named, sealed, and forgotten after a while.

Names tell nothing about what they stand for. They are looked for under every secret of the
application, so that a change of ``SECRET_KEY`` forgets nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from .errors import Auth0UnavailableError
from .sealing import STATE, SealBrokenError, Sealer, SealExpiredError
from .state import SharedState

logger = logging.getLogger("flask_auth0_mfa")

Name = tuple[str, ...]

#: How often a change is made anew because others made theirs meanwhile.
TRIES = 50


@dataclass(frozen=True)
class Memory:
    """Sealed values in the shared state; a value is a mapping of plain JSON types."""

    state: SharedState
    sealer: Sealer
    clock: Callable[[], float]

    def put(self, name: Name, value: dict[str, Any], ttl: int) -> None:
        """Remember ``value`` for ``ttl`` seconds."""
        ttl = max(1, ttl)
        sealed = self.sealer.seal(STATE, value, int(self.clock()) + ttl)
        self.state.put(self.sealer.name(*name), sealed, ttl)

    def put_if_up(self, name: Name, value: dict[str, Any], ttl: int) -> None:
        """Remember ``value`` unless the shared state is down, which is logged.

        For what Auth0 has just answered: a grant cannot be asked for twice, so the tokens must
        reach the session whether or not this is written down.
        """
        try:
            self.put(name, value, ttl)
        except Auth0UnavailableError:
            _log_lost(name)

    def get(self, name: Name) -> dict[str, Any] | None:
        """Return what is remembered under the name."""
        return self.get_many([name])[0]

    def get_many(self, names: Sequence[Name]) -> list[dict[str, Any] | None]:
        """Return what is remembered under each of the names, in one go."""
        aliases = self.sealer.names_of(names)
        found = self.state.get_many([alias for group in aliases for alias in group])
        if not any(found):
            # Of most logins nothing is remembered, and each request asks.
            return [None] * len(names)
        values = iter(found)
        return [self._first([next(values) for _ in group]) for group in aliases]

    def change(
        self, name: Name, change: Callable[[dict[str, Any] | None], dict[str, Any]], ttl: int
    ) -> None:
        """Remember what ``change`` makes of what is remembered under the name.

        It is called again when another request has changed that meanwhile. Raises
        :class:`Auth0UnavailableError` when what is remembered cannot be known; when it is known
        but the change cannot be written down, that is logged.
        """
        aliases = self.sealer.names(*name)
        for _ in range(TRIES):
            found = self.state.recall(aliases)
            ends_at = int(self.clock()) + ttl
            sealed = self.sealer.seal(STATE, change(self._first(found)), ends_at)
            try:
                is_done = self.state.replace(aliases[0], found[0], sealed, ttl)
            except Auth0UnavailableError:
                return _log_lost(name)
            if is_done:
                return None
        raise Auth0UnavailableError(retry_after=1)

    def locked(self, name: Name) -> AbstractContextManager[None]:
        """Hold the lock of that name; raises :class:`Auth0UnavailableError` if it stays taken."""
        return self.state.locked(self.sealer.name(*name))

    def _first(self, values: Sequence[str | None]) -> dict[str, Any] | None:
        for sealed in values:
            if sealed is None:
                continue
            try:
                return self.sealer.open(STATE, sealed)
            except (SealBrokenError, SealExpiredError):
                continue
        return None


def _log_lost(name: Name) -> None:
    logger.error("The shared state cannot be reached: %s was not written down", name[0])
