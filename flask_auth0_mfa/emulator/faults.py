"""Faults on order: a path answers with an error, late, or not at all, a number of times."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any


class ConnectionDropped(ConnectionError):
    """The tenant hung up without an answer (raised in process, where there is no socket)."""


@dataclass
class Fault:
    """What happens to the next ``times`` requests to ``path`` (``*`` matches anything).

    ``delay`` is in seconds. With a ``status`` or a ``body`` the request is answered with them and
    not carried out; with ``drop`` the connection is closed; with a delay alone it is only late.
    """

    path: str
    status: int | None = None
    body: Any = None
    delay: float = 0.0
    drop: bool = False
    times: int = 1

    @property
    def answers(self) -> bool:
        """Tell whether this fault stands in for the real answer."""
        return self.status is not None or self.body is not None

    def to_json(self) -> dict[str, Any]:
        """Return the fault as the control API lists it."""
        return dict(vars(self))


class Faults:
    """The faults that are still to happen, first ordered first served."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Order a fault."""
        self._faults.append(fault)

    def take(self, path: str) -> Fault | None:
        """Return the fault that this request meets, counting it, or None."""
        for fault in self._faults:
            if fnmatchcase(path, fault.path):
                fault.times -= 1
                self._faults = [left for left in self._faults if left.times > 0]
                return fault
        return None

    def clear(self) -> None:
        """Take every order back."""
        self._faults.clear()

    def to_json(self) -> list[dict[str, Any]]:
        """Return the faults that are still to happen."""
        return [fault.to_json() for fault in self._faults]
