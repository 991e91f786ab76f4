"""Compiled routes that every application of a test run shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from werkzeug.routing import Rule

_Key = tuple[bool, str, tuple[tuple[bool, str], ...]]


class RememberedRule(Rule):
    """A rule that takes from earlier ones of the same kind how its addresses are put together.

    Werkzeug compiles this into two functions for each rule, which is a fifth of the time of most
    tests. They take the rule as an argument and keep nothing of it. Should Werkzeug name the
    method in another way one day, only the time is lost.
    """

    _builders: ClassVar[dict[_Key, Callable[..., tuple[str, str]]]] = {}

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        if self.defaults:
            return super()._compile_builder(append_unknown)
        key = append_unknown, self.rule, tuple(self._trace)
        if key not in self._builders:
            self._builders[key] = super()._compile_builder(append_unknown)
        return self._builders[key]
