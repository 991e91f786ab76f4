"""One seal in as many cookies as it takes, and back.

A piece says how many there are, and bears the mark of its write, so that pieces of two writes are
never put together: ``1.MARK.SEAL`` in the cookie ``NAME_0``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

#: Longest piece of a seal, in bytes: browsers drop a cookie of more than 4 096 with its name, and
#: Werkzeug warns about one whose whole header line is longer.
CHUNK = 3_800
#: A seal in more pieces than this is none of ours.
MAX_PIECES = 3
#: Characters of a mark. It is how the seal begins, which is random and different for each.
MARK = 8
_PIECE = re.compile(rf"([1-9])\.([A-Za-z0-9_-]{{{MARK}}})\.(.+)", re.DOTALL)


def cut(name: str, sealed: str) -> dict[str, str]:
    """Return the pieces of a seal by the names of their cookies."""
    pieces = [sealed[i : i + CHUNK] for i in range(0, len(sealed), CHUNK)]
    head = f"{len(pieces)}.{sealed[:MARK]}."
    return {f"{name}_{number}": head + piece for number, piece in enumerate(pieces)}


def join(name: str, cookies: Mapping[str, str]) -> str | None:
    """Return a seal from its pieces; ``None`` for a gap or a mix of two writes."""
    if f"{name}_0" not in cookies:
        return None
    first = _PIECE.fullmatch(cookies[f"{name}_0"])
    if first is None or int(first[1]) > MAX_PIECES:
        return None
    pieces = [first[3]]
    for number in range(1, int(first[1])):
        following = _PIECE.fullmatch(cookies.get(f"{name}_{number}", ""))
        if following is None or following.group(1, 2) != first.group(1, 2):
            return None
        pieces.append(following[3])
    sealed = "".join(pieces)
    return sealed if sealed.startswith(first[2]) else None


def present(name: str, cookies: Mapping[str, str]) -> dict[str, str]:
    """Return the pieces of a seal that :func:`join` has found whole, by name."""
    count = int(cookies[f"{name}_0"][0])
    names = [f"{name}_{number}" for number in range(count)]
    return {one: cookies[one] for one in names}


def mark_of(piece: str) -> str:
    """Return the mark that a piece bears; none where it is no piece of ours."""
    found = _PIECE.fullmatch(piece)
    return found[2] if found else ""
