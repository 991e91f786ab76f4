"""The time of one application."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class AppClock:
    """The clock of one application, in epoch seconds; tests put another one in its place."""

    tell: Callable[[], float]

    def __call__(self) -> float:
        return self.tell()
