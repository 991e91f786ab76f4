"""The tenant's clock: the wall clock plus what a test has advanced it by."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """Tell the time in epoch seconds; ``advance`` moves it forward, never back.

    Only the tenant's own decisions (TOTP, codes, lifetimes, rate buckets) follow this clock. JWTs
    are stamped with ``wall()``, because the parties that check them live on the wall clock.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self.wall = wall
        self._advanced = 0.0

    def now(self) -> float:
        """Return the emulated time in epoch seconds."""
        return self.wall() + self._advanced

    def advance(self, seconds: float) -> None:
        """Move the clock forward by ``seconds``; raises ValueError for a negative length."""
        if seconds < 0:
            raise ValueError("The clock of the tenant only moves forward.")
        self._advanced += seconds

    def sleep(self, seconds: float) -> None:
        """Let that much time pass before an answer that is late on order."""
        time.sleep(seconds)

    def reset(self) -> None:
        """Return to the wall clock."""
        self._advanced = 0.0
