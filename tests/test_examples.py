"""The bank example against the local tenant, and ``make demo`` as a person starts it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from xml.etree.ElementTree import Element

import html5lib
import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from examples.bank import create_app
from examples.bank.ledger import InsufficientFundsError, Ledger
from flask_auth0_mfa.emulator import Tenant, serve

ROOT = Path(__file__).parent.parent
BANK = "http://localhost"


class Page:
    """What a visitor sees: an answer with its address and its forms."""

    def __init__(self, url: str, status: int, html: str) -> None:
        self.url = url
        self.status = status
        self.root: Element = html5lib.parse(html, namespaceHTMLElements=False)

    @property
    def path(self) -> str:
        """The path of the page's address."""
        return urlsplit(self.url).path

    @property
    def text(self) -> str:
        """The text of the page, with single spaces."""
        return " ".join("".join(self.root.find("body").itertext()).split())

    def form(self, field: str) -> tuple[str, dict[str, str]]:
        """Return address and fields of the first form that has ``field``."""
        for form in self.root.iter("form"):
            fields = {
                tag.get("name", ""): tag.get("value", "")
                for tag in form.iter()
                if tag.tag in ("input", "select", "button") and tag.get("name")
            }
            if field in fields:
                return urljoin(self.url, form.get("action", "")), fields
        raise AssertionError(f"no form with {field}: {self.text}")


class Visitor:
    """A browser without JavaScript: the bank in process, the tenant over its socket."""

    def __init__(self, app: Flask) -> None:
        self.bank: FlaskClient = app.test_client()
        self.tenant = requests.Session()

    def get(self, url: str) -> Page:
        """Go to the address and follow every redirect."""
        return self._go("GET", urljoin(BANK, url), None)

    def submit(self, page: Page, **values: str) -> Page:
        """Fill in the form that has the first of these fields, and send it."""
        url, fields = page.form(next(iter(values)))
        return self._go("POST", url, fields | values)

    def log_in(self, email: str = "ana@example.com") -> Page:
        """Log in with the demo's password."""
        page = self.get("/auth/login?return_to=/accounts")
        return self.submit(page, username=email, password="demo")

    def _go(self, method: str, url: str, form: dict[str, str] | None) -> Page:
        for _ in range(12):
            if url.startswith(f"{BANK}/"):
                answer = self.bank.open(
                    url, method=method, data=form, headers={"Accept": "text/html"}
                )
                status, html, target = answer.status_code, answer.text, answer.location
            else:
                reply = self.tenant.request(
                    method, url, data=form, allow_redirects=False, timeout=10
                )
                status, html, target = reply.status_code, reply.text, reply.headers.get("Location")
            if not 300 <= status < 400:
                return Page(url, status, html)
            method, url, form = "GET", urljoin(url, target), None
        raise AssertionError(f"redirects do not end: {url}")


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    """A local tenant on a free port."""
    with serve(Tenant(), port=0) as server:
        yield server


@pytest.fixture
def app(tenant) -> Flask:
    """A bank of its own for each test, with the tenant as it starts."""
    tenant.tenant.reset()
    return create_app({"AUTH0_DOMAIN": tenant.url, "SECRET_KEY": "for tests", "TESTING": True})


@pytest.fixture
def visitor(app) -> Visitor:
    """Somebody who has not logged in."""
    return Visitor(app)
