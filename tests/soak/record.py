"""What happened during the soak, and what must not have happened."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

#: Examples that are printed of each kind of violation.
EXAMPLES = 3
#: Seconds that an answer may take from a refresh of its tokens on.
SLOW = 30
#: Seconds after which the tenant may still do what a worker asked for that has died since.
LATE = 10


@dataclass
class Record:
    """Counters of events, violations by kind, and how long answers took, in seconds."""

    events: Counter[str] = field(default_factory=Counter)
    violations: dict[str, list[str]] = field(default_factory=dict)
    durations: list[float] = field(default_factory=list)
    #: Moments on the wall's clock, which is the tenant's too.
    worker_killed: list[float] = field(default_factory=list)
    redis_killed: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _began_at: float = field(default_factory=time.monotonic)

    @property
    def now(self) -> float:
        """Seconds since the soak began."""
        return time.monotonic() - self._began_at

    def was_worker_killed(self, within: float) -> bool:
        """Tell whether that happened in the last seconds."""
        return any(time.time() - killed < within for killed in self.worker_killed)

    def could_be_forgotten(self, replaced_at: float, used_at: float) -> bool:
        """Tell whether the bank may not know the successor of a token that was replaced then.

        The worker that got it died before it could tell, or Redis did after it was told.
        """
        told = any(-LATE <= killed - replaced_at <= SLOW for killed in self.worker_killed)
        kept = any(replaced_at - SLOW <= killed <= used_at for killed in self.redis_killed)
        return told or kept

    def count(self, event: str) -> None:
        """Count something that is allowed to happen."""
        with self._lock:
            self.events[event] += 1

    def took(self, seconds: float) -> None:
        """Note how long an answer of the bank took."""
        with self._lock:
            self.durations.append(seconds)

    def violation(self, kind: str, example: str) -> None:
        """Note something that must not happen."""
        with self._lock:
            self.violations.setdefault(kind, []).append(f"{self.now:6.1f}s {example}")

    def table(self) -> str:
        """Return the events by name, and the violations with a few examples."""
        lines = [f"{event:<52}{number:>8}" for event, number in sorted(self.events.items())]
        if self.durations:
            ordered = sorted(self.durations)
            for name, share in (("median", 0.5), ("95 %", 0.95), ("longest", 1)):
                seconds = ordered[min(len(ordered) - 1, int(share * len(ordered)))]
                lines.append(f"{'seconds to an answer, ' + name:<52}{seconds:>8.2f}")
        for kind, examples in sorted(self.violations.items()):
            lines.append(f"VIOLATION: {kind:<41}{len(examples):>8}")
            lines.extend(f"    {example}" for example in examples[:EXAMPLES])
        return "\n".join(lines)
