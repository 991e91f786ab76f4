"""JSON from outside, parsed within bounds (RFC 8259 section 9 allows a parser its limits).

Python's parser calls itself for every level. Thousands of brackets bring it to the end of the
stack, where unrelated code fails too: a finalizer that happens to run there, for one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

#: Levels of arrays and objects that are read; what Auth0 and our clients send has five at most.
MAX_DEPTH = 64
#: A string, or the rest of the text where one does not end: looking for an end behind each of its
#: quotes in turn would take as long as the square of its length.
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)


def parse(
    content: bytes | str, pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    """Return the value of a JSON text, bytes in UTF-8.

    :param pairs_hook: makes an object from its members, as for :func:`json.loads`.

    Raises :class:`ValueError`, also for more than ``MAX_DEPTH`` levels.
    """
    text = content if isinstance(content, str) else content.decode()
    if _is_deep(text):
        raise ValueError("nested too deeply")
    return json.loads(text, object_pairs_hook=pairs_hook)


def _is_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for character in _STRING.sub("", text):
        if character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
        if depth > MAX_DEPTH:
            return True
    return False
