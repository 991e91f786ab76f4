"""A person with a browser without JavaScript: the application in process, the tenant over HTTP."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import urljoin, urlsplit
from xml.etree.ElementTree import Element

import html5lib
import requests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

SITE = "http://localhost"


class Page:
    """What a visitor sees: an answer with its address and its forms."""

    def __init__(self, url: str, status: int, html: str, headers: Any) -> None:
        self.url = url
        self.status = status
        self.html = html
        self.headers = headers

    @cached_property
    def root(self) -> Element:
        """The page's document as a browser parses it, once somebody looks at it."""
        return html5lib.parse(self.html, namespaceHTMLElements=False)

    @property
    def path(self) -> str:
        """The path of the page's address."""
        return urlsplit(self.url).path

    @property
    def text(self) -> str:
        """The text of the page, with single spaces."""
        return " ".join("".join(self.root.find("body").itertext()).split())

    @property
    def heading(self) -> str:
        """The text of the one ``<h1>``."""
        return " ".join("".join(self.root.find(".//h1").itertext()).split())

    @property
    def title(self) -> str:
        """The page's title."""
        return " ".join("".join(self.root.find(".//title").itertext()).split())

    def forms(self) -> list[tuple[str, dict[str, str], str]]:
        """Return address, fields and text of every form."""
        found = []
        for form in self.root.iter("form"):
            fields = {
                tag.get("name", ""): tag.get("value", "")
                for tag in form.iter()
                if tag.tag == "input" and tag.get("name")
            }
            text = " ".join("".join(form.itertext()).split())
            found.append((urljoin(self.url, form.get("action", "")), fields, text))
        return found

    def form(self, having: str) -> tuple[str, dict[str, str]]:
        """Return address and fields of the first form with that field, or with that text."""
        for url, fields, text in self.forms():
            if having in fields or having in text:
                return url, fields
        raise AssertionError(f"no form with {having!r}: {self.text}")

    def link(self, text: str) -> str:
        """Return the address of the first link with that text."""
        for tag in self.root.iter("a"):
            if text in " ".join("".join(tag.itertext()).split()):
                return urljoin(self.url, tag.get("href", ""))
        raise AssertionError(f"no link {text!r}: {self.text}")


class Visitor:
    """Somebody with a browser of their own."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()
        self.tenant = requests.Session()
        # The tenant is on this machine: no proxy is looked for, which takes a fifth of a request.
        self.tenant.trust_env = False

    # -- people ------------------------------------------------------------------------------

    def get(self, url: str) -> Page:
        """Go to the address and follow every redirect."""
        return self._go("GET", urljoin(SITE, url), None)

    def press(self, page: Page, having: str, **values: str) -> Page:
        """Send the first form with that field or text, filled in with ``values``."""
        url, fields = page.form(having)
        return self._go("POST", url, fields | values)

    def log_in(self, email: str = "ana@example.com", return_to: str = "/") -> Page:
        """Log in with the local tenant's password."""
        page = self.get(f"/auth/login?return_to={return_to}")
        return self.press(page, "password", username=email, password="demo")

    def challenge_page(self, url: str, method: str = "Authenticator app") -> Page:
        """Open a guarded page and choose the method: the page that asks for the code."""
        page = self.get(url)
        assert page.path == "/auth/mfa/challenge", page.text
        if any("code" in fields for _, fields, _ in page.forms()):
            return page
        return self.press(page, method)

    def step_up(self, url: str, code: str) -> Page:
        """Open a guarded page, enter the code of the authenticator app, see where it leads."""
        return self.press(self.challenge_page(url), "code", code=code)

    # -- programs ----------------------------------------------------------------------------

    def json(self, method: str, url: str, **arguments: Any) -> TestResponse:
        """Send one request that asks for JSON."""
        headers = {"Accept": "application/json", **arguments.pop("headers", {})}
        return self.client.open(url, method=method, headers=headers, **arguments)

    def mfa_required(self, url: str) -> dict[str, Any]:
        """Ask for a guarded address as a program: the body of the 403."""
        answer = self.json("GET", url)
        assert answer.status_code == 403, answer.text
        assert answer.json["error"] == "mfa_required"
        return answer.json

    # -- cookies -----------------------------------------------------------------------------

    def cookies(self) -> dict[str, str]:
        """The cookies that the application has set, as the browser holds them now."""
        return {key[2]: cookie.value for key, cookie in self.client._cookies.items()}

    def take_cookies(self, other: Visitor) -> None:
        """Use the cookies of another browser in place of one's own."""
        self.client._cookies = dict(other.client._cookies)

    def tab(self) -> Visitor:
        """Return a visitor with the cookies of this moment: what a parallel request carries."""
        tab = Visitor(self.client.application)
        tab.take_cookies(self)
        return tab

    def receive(self, answer: TestResponse) -> None:
        """Take the cookies of an answer to a parallel request into this browser."""
        headers = answer.headers.getlist("Set-Cookie")
        self.client._update_cookies_from_response("localhost", "/", headers)

    def _go(self, method: str, url: str, form: dict[str, str] | None) -> Page:
        referrer = None
        for _ in range(15):
            if url.startswith(f"{SITE}/"):
                headers = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
                if referrer is not None:
                    headers["Referer"] = referrer
                answer = self.client.open(url, method=method, data=form, headers=headers)
                status, html, found = answer.status_code, answer.text, answer.headers
            else:
                reply = self.tenant.request(
                    method, url, data=form, allow_redirects=False, timeout=10
                )
                status, html, found = reply.status_code, reply.text, reply.headers
            if not 300 <= status < 400:
                return Page(url, status, html, found)
            method, url, form = "GET", urljoin(url, found["Location"]), None
        raise AssertionError(f"redirects do not end: {url}")
