"""A pytest plugin: test ids of letters and digits only.

mutmut names each test on pytest's command line, where an id made of an attacker's address, with
colons, brackets and spaces in it, is not understood.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,60}")


def pytest_make_parametrize_id(val: Any) -> str | None:
    """Name a text by its digest when it is not plain; pytest names everything else itself."""
    if not isinstance(val, (str, bytes)):
        return None
    text = val if isinstance(val, str) else val.decode("latin-1")
    if _PLAIN.fullmatch(text):
        return None
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:12]
