"""Bearer tokens in headers: the one that a request carries, and what an API says of it.

What ``WWW-Authenticate`` says: RFC 6750 section 3, and RFC 9470 section 3 for a step-up. Its
grammar: RFC 9110 section 11.6.1, in which the comma stands between challenges as well as between
their parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote
from urllib.request import parse_http_list

from flask import request
from werkzeug.http import parse_dict_header, quote_header_value

from .models import StepUpDemand

#: The API wants a fresher or stronger proof of who the user is (RFC 9470 section 3).
INSUFFICIENT_AUTHENTICATION = "insufficient_user_authentication"
#: The first part of a challenge: its scheme, which a parameter's name would have "=" after.
_SCHEME = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:[ \t]+(?![ \t=])(.*))?", re.DOTALL)
#: What a header may have in quotes (RFC 9110 section 5.6.4); servers drop an answer with more.
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
#: A longer age is no age, and int() takes its time over thousands of digits.
_SECONDS = re.compile(r"[0-9]{1,9}")


def bearer_token() -> str | None:
    """Return the token of the ``Authorization`` header (RFC 6750 section 2.1)."""
    credentials = request.authorization
    return credentials.token if credentials is not None and credentials.type == "bearer" else None


def bearer_challenge(**parameters: str | int | None) -> str:
    """Return the value of the header, with the parameters that are given.

    All of them are quoted, numbers too: there are clients that read no other form. What is beyond
    ASCII is percent-encoded, as in an address: the identifier of an API may be any text.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    texts = {name: quote(str(value), safe=_PRINTABLE) for name, value in given.items()}
    quoted = (f"{name}={quote_header_value(text, False)}" for name, text in texts.items())
    return f"Bearer {', '.join(quoted)}"


def step_up_demand(header: str | None) -> StepUpDemand | None:
    """Return what a ``WWW-Authenticate`` header asks for, ``None`` if it is no step-up."""
    for scheme, asked in _challenges(header or ""):
        if scheme == "bearer" and asked.get("error") == INSUFFICIENT_AUTHENTICATION:
            max_age = asked.get("max_age", "").strip()
            return StepUpDemand(
                acr_values=tuple(asked.get("acr_values", "").split()),
                max_age=int(max_age) if _SECONDS.fullmatch(max_age) else None,
            )
    return None


def _challenges(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield scheme and parameters of each challenge; Werkzeug itself reads a single one."""
    scheme, parameters = "", [""]
    for item in parse_http_list(header):
        begins = _SCHEME.fullmatch(item)
        if begins is None:
            parameters.append(item)
            continue
        yield scheme, _parsed(parameters)
        scheme, parameters = begins[1].lower(), [begins[2] or ""]
    yield scheme, _parsed(parameters)


def _parsed(parameters: list[str]) -> dict[str, str]:
    found = parse_dict_header(", ".join(parameters))
    return {name.lower(): value or "" for name, value in found.items()}
