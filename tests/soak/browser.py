"""One user's browser without JavaScript, which also looks for what must never be seen."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from flask_auth0_mfa.testing.forms import Form, forms_of

from .record import Record
from .servers import Servers

#: Seconds after which no answer is a hang: longer than any wait for a lock and a call to Auth0.
PATIENCE = 30
#: Seconds after a kill in which answers may be lost.
SHADOW = 3
#: What browsers keep of one cookie, and what gunicorn takes of one header, in bytes.
COOKIE, HEADER = 4096, 8190
_WHO = re.compile(r"soak\d{3}")
_HEADING = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)
_ANCHOR = re.compile(r'<a [^>]*href="([^"]*)"[^>]*>([^<]*)')


class AnswerLost(Exception):
    """The worker died before it answered."""


@dataclass(frozen=True)
class Page:
    """What the browser shows."""

    url: str
    status: int
    html: str

    @property
    def path(self) -> str:
        """The path of the page's address."""
        return urlsplit(self.url).path

    @property
    def heading(self) -> str:
        """The text of the first ``<h1>``, or nothing."""
        found = _HEADING.search(self.html)
        return found[1] if found else ""

    @property
    def forms(self) -> list[Form]:
        """The forms of the page."""
        return forms_of(self.html)

    def link(self, text: str) -> str | None:
        """Return the address of the first link with that text, if there is one."""
        for href, shown in _ANCHOR.findall(self.html):
            if text in shown:
                return urljoin(self.url, str(href).replace("&amp;", "&"))
        return None


class Browser:
    """The browser of one user; several tabs may use it at the same time."""

    def __init__(self, servers: Servers, record: Record, who: str) -> None:
        self._servers = servers
        self._record = record
        self._who = who
        self._session = requests.Session()
        self._session.trust_env = False
        #: Whether a page to log in is no surprise.
        self.expects_login = True
        #: When answers were lost, and with each perhaps a refresh token, on the wall's clock.
        self.lost_at: list[float] = []

    def get(self, path: str) -> Page:
        """Open an address, and follow redirects."""
        return self._go("GET", urljoin(self._servers.bank, path), None)

    def send(self, page: Page, form: Form) -> Page:
        """Send a form of a page, and follow redirects."""
        return self._go("POST", urljoin(page.url, form.action or page.url), form.fields)

    def json(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send one request as a program does: the status, and the body of the answer."""
        url = urljoin(self._servers.bank, path)
        answer = self._ask(method, url, json=body, headers={"Accept": "application/json"})
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return answer.status_code, answer.json() if is_json else {}

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _go(self, method: str, url: str, form: dict[str, str] | None) -> Page:
        headers = {"Accept": "text/html,*/*;q=0.8"}
        for _ in range(20):
            answer = self._ask(method, url, data=form, headers=headers)
            if not 300 <= answer.status_code < 400:
                return Page(url, answer.status_code, answer.text)
            if self._is_bank(url):
                headers["Referer"] = url
            method, url, form = "GET", urljoin(url, answer.headers["Location"]), None
            if "ticket=" in url:  # a new login on purpose, before a first factor is added
                self.expects_login = True
            if urlsplit(url).path == "/authorize" and not self.expects_login:
                self._surprised_by_login()
        self._record.violation("redirects without an end", f"{self._who} {url}")
        raise AnswerLost

    def _surprised_by_login(self) -> None:
        reused = requests.get(f"{self._servers.tenant}/_soak/reused", timeout=20).json()
        if self._who in {str(reuse["email"]).partition("@")[0] for reuse in reused}:
            # Whether that had to be is looked at in the end.
            self._record.count("signed out because the token family was revoked")
        else:
            self._record.violation("signed out without a reason", self._who)
        self.expects_login = True

    def _ask(self, method: str, url: str, **arguments: Any) -> requests.Response:
        arguments["headers"] = {**arguments["headers"], "Connection": "close"}
        began_at = time.monotonic()
        try:
            answer = self._session.request(
                method, url, allow_redirects=False, timeout=PATIENCE, **arguments
            )
        except requests.Timeout:
            self._record.violation("no answer", f"{self._who} {method} {url}")
            raise AnswerLost from None
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            self._lost(f"{self._who} {method} {url} {error}")
            raise AnswerLost from None
        if self._is_bank(url):
            self._record.took(time.monotonic() - began_at)
            self._look_at(method, url, answer)
        return answer

    def _lost(self, what: str) -> None:
        self.lost_at.append(time.time())
        if self._record.was_worker_killed(SHADOW):
            self._record.count("answers lost with a worker")
        else:
            self._record.violation("connection broken without a kill", what)

    def _look_at(self, method: str, url: str, answer: requests.Response) -> None:
        what = f"{self._who} {method} {urlsplit(url).path} {answer.status_code}"
        self._record.count(f"answers {answer.status_code}")
        if answer.status_code >= 500 and answer.status_code != 503:
            self._record.violation("answer of a broken server", what)
        if others := set(_WHO.findall(answer.text)) - {self._who}:
            self._record.violation("somebody else's data", f"{what}: {sorted(others)}")
        for name, value in answer.cookies.items():
            if len(name) + len(value or "") > COOKIE:
                self._record.violation("cookie too large for a browser", f"{what}: {name}")
        if len(answer.request.headers.get("Cookie", "")) > HEADER:
            self._record.violation("cookies too large for gunicorn", what)
        if "Logged in as" in answer.text:
            self.expects_login = False

    def _is_bank(self, url: str) -> bool:
        return url.startswith(f"{self._servers.bank}/")
