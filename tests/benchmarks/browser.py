"""A browser that costs little: it must not be what is measured.

Two cores run the servers and whoever asks them, so a request is sent with the standard library's
own client. Tools that generate load (locust, wrk) are made for one request again and again, or
take as long for a request as the server does; a step-up is a conversation of four, each with the
cookies and the token of the one before.
"""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from flask_auth0_mfa.testing.forms import forms_of, with_field

EMAIL, PASSWORD = "ana@example.com", "demo"


class Browser:
    """One user's cookies, and one connection that is kept open."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cookies: dict[str, str] = {}
        self._host = urlsplit(url).netloc
        self._connection: http.client.HTTPConnection | None = None

    def ask(
        self, method: str, path: str, body: Any = None, token: str | None = None
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        """Send one request, JSON if it has a body; returns status, body and headers."""
        headers = {"Accept": "application/json", "Cookie": self.header()}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._host, timeout=30)
        try:
            self._connection.request(method, path, content, headers)
            answer = self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            # The server has closed a connection that was idle.
            self._connection.close()
            self._connection.request(method, path, content, headers)
            answer = self._connection.getresponse()
        received = answer.read()
        for set_cookie in answer.headers.get_all("Set-Cookie") or ():
            self._keep(set_cookie)
        return answer.status, received, answer.headers

    def header(self) -> str:
        """Return what is sent as ``Cookie``."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _keep(self, set_cookie: str) -> None:
        pair, _, attributes = set_cookie.partition(";")
        name, _, value = pair.partition("=")
        if value and "max-age=0" not in attributes.lower():
            self.cookies[name] = value
        else:
            self.cookies.pop(name, None)


def signed_in(url: str, ca_file: str | None = None) -> Browser:
    """Return a new browser in which Ana has signed in to the application at ``url``."""
    browser = Browser(url)
    _, _, headers = browser.ask("GET", "/auth/login")
    with requests.Session() as at_tenant:
        at_tenant.trust_env = False
        at_tenant.verify = ca_file or True
        page = at_tenant.get(headers["Location"])
        form = with_field(forms_of(page.text), "password")
        assert form is not None, page.text
        filled = form.filled(username=EMAIL, password=PASSWORD).fields
        answer = at_tenant.post(
            urljoin(page.url, form.action or page.url), filled, allow_redirects=False
        )
        while not answer.headers["Location"].startswith(url):
            target = urljoin(answer.url, answer.headers["Location"])
            answer = at_tenant.get(target, allow_redirects=False)
    status, body, _ = browser.ask("GET", answer.headers["Location"].removeprefix(url))
    assert status in (302, 303, 307), body
    return browser
