"""Single calls to the tenant, the way the application makes them, whose whole answer is seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit

import requests
from urllib3.exceptions import HTTPError

from .. import jsontext
from ..client import TOTAL_TIMEOUT, Auth0Client
from ..config import Settings
from ..transport import deadline, read_body


class Unanswered(Exception):
    """The tenant gave no answer that says anything; the text says what happened instead."""


@dataclass(frozen=True)
class Answer:
    """An answer of the tenant; ``asked_at`` and ``at`` are by the application's clock."""

    status: int
    location: str
    date: float | None
    asked_at: float
    at: float
    content: Any

    @property
    def body(self) -> Mapping[str, Any]:
        """The JSON object of the answer; empty where there is none."""
        return self.content if isinstance(self.content, dict) else {}

    @property
    def error(self) -> str | None:
        """Auth0's error code."""
        code = self.body.get("error")
        return code if isinstance(code, str) else None

    @property
    def description(self) -> str:
        """Auth0's words for the error, made fit for a terminal."""
        return plain(self.body.get("error_description"))


def parts_of(url: str) -> SplitResult:
    """Return the parts of foreign text that should be an address; empty ones if it is not."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def plain(value: object) -> str:
    """Return foreign text as one short printable line: a terminal obeys control characters."""
    text = value if isinstance(value, str) else ""
    text = " ".join(text.split())
    return "".join(one if one.isascii() and one.isprintable() else "?" for one in text)[:200]


class Probe:
    """Asks one tenant; never twice, and follows no redirect."""

    def __init__(
        self, client: Auth0Client, settings: Settings, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._http = requests.Session()
        # Without this, requests puts credentials from a .netrc file into our requests.
        self._http.auth = lambda request: request
        self._http.headers["Accept"] = "application/json"
        client.share_transport(self._http)
        # Redirects are looked at, never followed; 0 would make an error of them.
        self._http.max_redirects = 1

    def get(self, path: str, **params: str) -> Answer:
        """Return the answer to a GET; raises :class:`Unanswered`."""
        return self._ask("GET", path, params=params)

    def post(self, path: str, **fields: str) -> Answer:
        """Return the answer to a form; raises :class:`Unanswered`."""
        return self._ask("POST", path, data=fields)

    def _ask(self, method: str, path: str, **arguments: Any) -> Answer:
        asked_at = self._clock()
        try:
            with deadline(TOTAL_TIMEOUT):
                response = self._http.request(
                    method,
                    self._settings.base_url + path,
                    timeout=self._settings.timeout,
                    allow_redirects=False,
                    stream=True,
                    **arguments,
                )
                with response:
                    content = _parsed(read_body(response))
        except (requests.RequestException, HTTPError, OSError) as failure:
            raise Unanswered(f"{method} {path}: {_reason(failure)}") from None
        if response.status_code == 429:
            raise Unanswered(f"{method} {path}: 429, too many requests; try again in a minute")
        if response.status_code >= 500:
            raise Unanswered(f"{method} {path}: the tenant answered {response.status_code}")
        return Answer(
            status=response.status_code,
            location=response.headers.get("Location", ""),
            date=_moment(response.headers.get("Date")),
            asked_at=asked_at,
            at=self._clock(),
            content=content,
        )


def _parsed(content: bytes) -> Any:
    try:
        return jsontext.parse(content)
    except ValueError:
        return None


def _moment(header: str | None) -> float | None:
    try:
        return parsedate_to_datetime(header or "").timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _reason(failure: Exception) -> str:
    """Say what failed without the text of the error, which can carry addresses and headers."""
    text = str(failure)
    if "NameResolutionError" in text or "getaddrinfo" in text:
        return "the host's name cannot be resolved"
    if isinstance(failure, requests.exceptions.SSLError):
        return "the host's certificate is not trusted here"
    if isinstance(failure, requests.exceptions.ProxyError):
        return "the proxy of this machine (HTTPS_PROXY) does not let the request through"
    if isinstance(failure, requests.exceptions.Timeout | TimeoutError):
        return "no answer in time"
    if "Connection refused" in text:
        return "the connection was refused"
    return f"the connection failed ({type(failure).__name__})"
