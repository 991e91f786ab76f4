"""Pages in other languages: a catalogue that marks every text, and somebody who walks by English.

The walks of ``tests/browser/pages.py`` press buttons by their English names. Here they are gone
without a browser (:class:`Reader`), or in one that shows another language (:class:`Foreigner`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from flask_auth0_mfa.i18n import CATALOGUES, DOMAIN

from .browser.browser import Browser
from .browser.login import hand_login
from .browser.pages import ANA
from .visitor import Page

LANGUAGES = ("ar", "de", "es", "fr", "ja", "pt")
#: Esperanto, of which we have no catalogue, stands for the language in which nothing is missed.
PSEUDO = "eo"
OPEN, CLOSE = "[!!!", "!!!]"


def template() -> Catalog:
    """Return the catalogue without translations."""
    with (CATALOGUES / f"{DOMAIN}.pot").open("rb") as file:
        return read_po(file)


def catalogue(language: str) -> Catalog:
    """Return our catalogue of a language."""
    with (CATALOGUES / language / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as file:
        return read_po(file, locale=language, domain=DOMAIN)


def compile_into(directory: Path, texts: Catalog, domain: str = DOMAIN) -> None:
    """Write a catalogue into a folder of translations."""
    folder = directory / str(texts.locale) / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / f"{domain}.mo").open("wb") as file:
        write_mo(file, texts)


def write_pseudo(directory: Path) -> None:
    """Write a catalogue in which each text is marked at both ends."""
    marked = Catalog(locale=PSEUDO, domain=DOMAIN)
    for message in template():
        if isinstance(message.id, tuple):
            marked.add(message.id, tuple(f"{OPEN} {one} {CLOSE}" for one in message.id))
        elif message.id:
            marked.add(message.id, f"{OPEN} {message.id} {CLOSE}")
    compile_into(directory, marked)


def only(language: str, directory: Path | str = "translations") -> dict[str, Any]:
    """Return settings of the bank that make every page come in one language."""
    return {
        "LANGUAGES": [language],
        "BABEL_DEFAULT_LOCALE": language,
        "BABEL_TRANSLATION_DIRECTORIES": str(directory),
    }


class Foreigner(Browser):
    """Somebody whose pages are in another language, and who finds things by English names."""

    def __init__(self, browser: Browser, language: str) -> None:
        super().__init__(browser.driver, browser.site)
        self._language = language
        self._words = catalogue(language)

    @property
    def text(self) -> str:
        """The text of the page, and the English of every text of ours in it."""
        shown = super().text
        return "\n".join([shown, *self._english(shown)])

    def find(self, text: str) -> Any:
        """Return the first link or button with that text; the tenant's pages are in English."""
        is_ours = self.evaluate("document.documentElement.lang") == self._language
        message = self._words.get(text) if is_ours else None
        return super().find(message.string if message else text)

    def _english(self, shown: str) -> Iterator[str]:
        for message in self._words:
            forms = message.string if isinstance(message.string, tuple) else (message.string,)
            for form in filter(None, forms if message.id else ()):
                if re.search(re.sub(r"%\\\(\w+\\\)[ds]", ".+", re.escape(form)), shown):
                    yield message.id if isinstance(message.id, str) else message.id[1]


class Reader:
    """A browser without scripts or pictures, with as much of Browser as the walks need."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.session = requests.Session()
        #: Every page so far, the newest last.
        self.pages: list[Page] = []
        self._typed: dict[str, str] = {}

    @property
    def driver(self) -> Reader:
        """Itself: the walks ask the driver for Back and for the cookies."""
        return self

    @property
    def page(self) -> Page:
        """The page that is open."""
        return self.pages[-1]

    @property
    def text(self) -> str:
        """The text of the page."""
        return self.page.text

    def log_in(self) -> None:
        """Log Ana in."""
        hand_login(self, ANA, "/accounts")

    def go(self, path: str) -> None:
        """Open an address of the bank."""
        self._open("GET", urljoin(self.site, path))

    def press(self, text: str) -> None:
        """Press the first button with that text, else the first link."""
        for button in self.page.root.iter("button"):
            if text in "".join(button.itertext()):
                name = button.get("name")
                return self._send(text, **({name: button.get("value", "")} if name else {}))
        return self.go(self.page.link(text))

    def enter(self, code: str) -> None:
        """Send the code."""
        self._send("code", code=code)

    def field(self, name: str) -> Field:
        """Return the field of that name."""
        return Field(name, self._typed)

    def evaluate(self, expression: str) -> None:
        """Do nothing: there are no scripts."""

    def back(self) -> None:
        """Open the page before this one again."""
        self.go(self.pages[-2].url)

    def delete_all_cookies(self) -> None:
        """Forget every cookie."""
        self.session.cookies.clear()

    def execute_cdp_cmd(self, command: str, arguments: dict[str, Any]) -> None:
        """Take cookies, the one command that a walk gives."""
        assert command == "Network.setCookies"
        for cookie in arguments["cookies"]:
            # The jar's own name for localhost, or an answer could not replace the cookie.
            name, value = cookie["name"], cookie["value"]
            self.session.cookies.set(name, value, domain="localhost.local")

    def _send(self, having: str, **values: str) -> None:
        url, fields = self.page.form(having)
        self._open("POST", url, fields | values | self._typed)
        self._typed.clear()

    def _open(self, method: str, url: str, form: dict[str, str] | None = None) -> None:
        headers = {"Accept": "text/html", "Referer": self.pages[-1].url if self.pages else ""}
        answer = self.session.request(method, url, data=form, headers=headers, timeout=10)
        self.pages.append(Page(answer.url, answer.status_code, answer.text, answer.headers))


@dataclass(frozen=True)
class Field:
    """A field of a form that is filled in and not sent yet."""

    name: str
    typed: dict[str, str]

    def send_keys(self, text: str) -> None:
        """Type into the field."""
        self.typed[self.name] = text
