"""How much room there is for an answer's cookies in the browser that the request came from.

Answers to parallel requests do not know of one another, and meet in one jar. What is counted is
names and values in bytes; the limits are those of :mod:`~flask_auth0_mfa.budget`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

from .budget import BUDGET, HEADER, USUAL, Written
from .pieces import mark_of

#: Parts that parallel answers write under the same name differ by a few bytes; the last one to
#: arrive, which nobody knows, may be the longest.
PARALLEL_MARGIN = 32
#: What an answer may add while nobody knows what parallel ones add, in bytes: enough for the target
#: of a check, which can be started again from it.
UNKNOWN_MARGIN = 600


@dataclass(frozen=True)
class Cookie:
    """A cookie to be set; ``lasts`` says that it has an end of its own, like a context."""

    value: str
    expires_at: int
    lasts: bool


#: The cookies that the browser should hold, by name: new ones, and values that it has.
Cookies = Mapping[str, Cookie | str]


class Jar:
    """What the browser has sent: all its cookies, and the names of ours among them."""

    def __init__(self, cookies: Mapping[str, str], ours: Set[str]) -> None:
        self._cookies = cookies
        self._ours = ours

    def limit(self) -> int:
        """Return how many bytes all our cookies may take beside those of the application."""
        # With "=" and "; " around each.
        theirs = sum(
            _size(name, value) + 3
            for name, value in self._cookies.items()
            if name not in self._ours
        )
        return min(BUDGET, max(USUAL, HEADER - theirs))

    def size(self) -> int:
        """Return how many bytes our cookies took in the request."""
        return sum(_size(name, self._cookies[name]) for name in self._ours)

    def adds_little(self, cookies: Cookies) -> bool:
        """Tell whether this answer adds no more than can do no harm, whatever others add.

        What it deletes gives no room: parallel ones may delete the same.
        """
        added = sum(
            max(0, _size(name, cookie) - self._present_size(name))
            for name, cookie in cookies.items()
        )
        return added <= max(0, min(UNKNOWN_MARGIN, USUAL - self.size()))

    def _present_size(self, name: str) -> int:
        return _size(name, self._cookies[name]) if name in self._cookies else 0

    def room(self, limit: int, others: Sequence[Written]) -> Callable[[Cookies], int]:
        """Return how many bytes an answer with such cookies may fill, beside parallel ones.

        Those may arrive after it, over what it writes or deletes.
        """
        largest: dict[str, int] = {}
        for name, size, mark in others:
            if mark != self._marks.get(name):
                largest[name] = max(size, largest.get(name, 0))

        def room(cookies: Cookies) -> int:
            unseen = sum(
                max(0, size - (_size(name, cookies[name]) if name in cookies else 0))
                for name, size in largest.items()
            )
            return limit - unseen - (PARALLEL_MARGIN if unseen else 0)

        return room

    def tell(self, others: list[Written], cookies: Cookies) -> None:
        """Write down, for parallel requests, which cookies come and which go."""
        mine = [
            (name, _size(name, cookie), mark_of(cookie.value))
            for name, cookie in cookies.items()
            if isinstance(cookie, Cookie)
        ]
        changed = {name for name, *_ in mine} | (self._ours - cookies.keys())
        # What was here has arrived; what else was written into these cookies may still come.
        others[:] = [
            (name, size, mark)
            for name, size, mark in others
            if name not in changed or mark != self._marks.get(name)
        ]
        others.extend(mine)

    @cached_property
    def _marks(self) -> dict[str, str]:
        """The mark of each cookie of ours that came."""
        return {name: mark_of(self._cookies[name]) for name in self._ours}


def total(cookies: Cookies) -> int:
    """Return how many bytes such cookies take."""
    return sum(_size(name, cookie) for name, cookie in cookies.items())


def _size(name: str, cookie: Cookie | str) -> int:
    return len(name) + len(cookie.value if isinstance(cookie, Cookie) else cookie)
