"""A clock that stands still, for tests about a single second."""

from __future__ import annotations

#: Where the clock stands when it is new, in epoch seconds.
NOW = 1_800_000_000


class StillClock:
    """Tells the same moment until it is put forward."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Put the clock forward, or back."""
        self.now += seconds
