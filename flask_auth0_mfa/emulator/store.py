"""Records with an expiry, in memory and bounded."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

from .clock import Clock


class Record(Protocol):
    """What a store keeps: anything that says when it is over, in epoch seconds."""

    expires_at: float


R = TypeVar("R", bound=Record)


class Store(Generic[R]):
    """Keep records until they expire; over ``limit`` the oldest goes first."""

    def __init__(self, clock: Clock, limit: int = 10_000) -> None:
        self._clock = clock
        self._limit = limit
        self._records: OrderedDict[str, R] = OrderedDict()

    def __len__(self) -> int:
        return len(self._records)

    def put(self, key: str, record: R) -> None:
        """Keep ``record`` under ``key`` as the newest one and forget what has expired."""
        self._records[key] = record
        self._records.move_to_end(key)
        self._prune()

    def get(self, key: str) -> R | None:
        """Return the record, or None when there is none or it has expired."""
        record = self._records.get(key)
        if record is None or record.expires_at <= self._clock.now():
            return None
        return record

    def drop(self, key: str) -> None:
        """Forget the record, if there is one."""
        self._records.pop(key, None)

    def values(self) -> list[R]:
        """Return the records that are not over, oldest first."""
        now = self._clock.now()
        return [record for record in self._records.values() if record.expires_at > now]

    def clear(self) -> None:
        """Forget everything."""
        self._records.clear()

    def _prune(self) -> None:
        # Records of one store live equally long or nearly so: the oldest are the first to expire,
        # and stopping at the first live one keeps a write cheap.
        now = self._clock.now()
        while self._records:
            oldest = next(iter(self._records))
            over = self._records[oldest].expires_at <= now
            if not over and len(self._records) <= self._limit:
                return
            del self._records[oldest]
