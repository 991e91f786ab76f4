"""The one clock of the tenant and the applications in a test."""

from __future__ import annotations

import threading
import time

from ..emulator.clock import Clock


class SharedClock(Clock):
    """Tells both sides the time, and stamps the tenant's tokens.

    Sleeping takes no time: the clock is put forward instead.
    """

    def __init__(self) -> None:
        super().__init__()
        self.wall = self.now
        self._thread = threading.local()

    def now(self) -> float:
        """Return the time in epoch seconds."""
        return time.time() + self._advanced

    def sleep(self, seconds: float) -> None:
        """Put the clock forward, and remember that this thread would have slept."""
        self.advance(seconds)
        self._thread.slept = self.slept + seconds

    @property
    def slept(self) -> float:
        """The seconds for which this thread would have slept so far."""
        slept: float = getattr(self._thread, "slept", 0.0)
        return slept
