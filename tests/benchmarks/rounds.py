"""Two things measured side by side: short rounds in turn, medians, and how far they spread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Work = Callable[[], object]
#: How long one contestant runs in one round, in seconds: longer than a tick of the scheduler,
#: shorter than the moods of a machine.
ROUND = 0.02


@dataclass(frozen=True)
class Effort:
    """How much is measured: ``rounds`` of ``seconds`` each, and ``users`` where there are some."""

    rounds: int
    seconds: float
    users: int


#: What ``make bench`` takes, and what a test takes that only looks whether everything runs.
FULL = Effort(rounds=41, seconds=ROUND, users=240)
SMOKE = Effort(rounds=2, seconds=0.001, users=2)


@dataclass(frozen=True)
class Timing:
    """What one piece of work took in each round, in seconds."""

    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.samples)

    def over(self, other: Timing) -> Ratio:
        """Return this in relation to another that ran in the same rounds."""
        pairs = zip(self.samples, other.samples, strict=True)
        return Ratio(tuple(mine / theirs for mine, theirs in pairs))


@dataclass(frozen=True)
class Ratio:
    """One thing in relation to another, round by round."""

    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of all rounds."""
        return statistics.median(self.samples)

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles: half of the rounds lie between them."""
        first, _, third = statistics.quantiles(self.samples, n=4)
        return first, third


def side_by_side(
    contestants: Mapping[str, Work],
    effort: Effort,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, Timing]:
    """Return what each contestant takes, in seconds for one piece of work.

    They take turns, and each round begins with another one: what slows the machine down for a
    while slows all of them. The clock counts this process's own time, unless what is measured has
    to wait for others.
    """
    repeats = {name: _repeats(work, effort, clock) for name, work in contestants.items()}
    names = list(contestants)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for number in range(effort.rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            samples[name].append(_once(contestants[name], repeats[name], clock))
    return {name: Timing(tuple(found)) for name, found in samples.items()}


def _repeats(work: Work, effort: Effort, clock: Callable[[], float]) -> int:
    """Return how often the work fits into a round; its first runs warm it up."""
    for _ in range(3):
        work()
    return max(1, round(effort.seconds / max(1e-7, _once(work, 5, clock))))


def _once(work: Work, repeats: int, clock: Callable[[], float]) -> float:
    began_at = clock()
    for _ in range(repeats):
        work()
    return (clock() - began_at) / repeats
