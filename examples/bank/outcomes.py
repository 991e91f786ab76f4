"""How step-ups went in the last hour, kept in this process and fed by the extension's signals.

Nothing here knows about the web. For more than one process, and for longer, use metrics:
``examples/metrics``.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask_auth0_mfa.signals import verified, verify_failed

HOUR = 3600
#: Length of one interval, in seconds.
INTERVAL = 300
#: Outcomes that are kept; of more than these in an hour, the oldest are forgotten.
KEPT = 20_000


@dataclass(frozen=True)
class Interval:
    """What happened from ``until`` to ``since`` minutes ago."""

    since: int
    until: int
    passed: int
    refused: int


class Outcomes:
    """Checks that were passed, and codes that were refused."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._kept: deque[tuple[float, bool]] = deque(maxlen=KEPT)

    def listen(self, sender: Any) -> None:
        """Note the outcomes of this application, for as long as this object is held."""
        verified.connect(self._passed, sender)
        verify_failed.connect(self._refused, sender)

    def _passed(self, _sender: Any, **_: Any) -> None:
        self._kept.append((self._clock(), True))

    def _refused(self, _sender: Any, **_: Any) -> None:
        self._kept.append((self._clock(), False))

    def last_hour(self) -> list[Interval]:
        """Return the intervals of the last hour, the oldest first."""
        now, counts = self._clock(), [[0, 0] for _ in range(HOUR // INTERVAL)]
        for at, was_passed in tuple(self._kept):
            age = max(0.0, now - at)
            if age < HOUR:
                counts[int(age // INTERVAL)][was_passed] += 1
        minutes = INTERVAL // 60
        return [
            Interval((index + 1) * minutes, index * minutes, passed, refused)
            for index, (refused, passed) in reversed(list(enumerate(counts)))
        ]
