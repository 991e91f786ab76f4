"""Where a user may be sent back to: a path of this application, and nothing else.

Werkzeug sends a ``Location`` as it is given, and browsers read one more freely than URL parsers
do: they drop tabs and line breaks, take ``\\`` for ``/`` and ``https:evil`` for an origin. So the
rule is an allow-list of what a path looks like, not a list of known tricks.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

MAX_LENGTH = 2048

# One slash, then neither a second one nor a backslash; the characters of RFC 3986 only.
_PATH = re.compile(r"/(?![/\\])[A-Za-z0-9\-._~!$&'()*+,;=:@%/?\[\]|]*", re.ASCII)


def safe_return_to(target: str | None) -> str | None:
    """Return ``target`` if it is a same-origin path with query, else ``None``."""
    if not target or len(target) > MAX_LENGTH or not _PATH.fullmatch(target):
        return None
    return target


def is_same_origin(url: str, host_url: str) -> bool:
    """Tell whether scheme, host and port of ``url`` are those of ``host_url`` (RFC 6454)."""
    try:
        parts, host = urlsplit(url), urlsplit(host_url)
    except ValueError:
        return False
    return (parts.scheme, parts.netloc) == (host.scheme, host.netloc)


def same_origin_path(url: str | None, host_url: str) -> str | None:
    """Return the path and query of ``url`` if its origin is that of ``host_url``."""
    if not url or not is_same_origin(url, host_url):
        return None
    parts = urlsplit(url)
    path = parts.path or "/"
    return safe_return_to(f"{path}?{parts.query}" if parts.query else path)
