"""Somebody in front of the pages of a check: reads each page and does what it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from werkzeug.test import TestResponse

from .forms import Form, forms_of, with_field
from .prover import Prover
from .universal_login import MAX_PAGES, PHONE_NUMBER

if TYPE_CHECKING:
    from .client import Auth0TestClient

_AS_A_PERSON = {"Accept": "text/html"}


class Person:
    """A user with a browser; ``method`` is how they would like to prove themselves."""

    def __init__(self, client: Auth0TestClient, email: str, method: str | None = None) -> None:
        self._client = client
        self._prover = Prover(client.auth0, email, method)

    def log_in(self, url: str) -> TestResponse:
        """Log in from the application's login address; returns the answer of the callback."""
        answer = self._get(url)
        if answer.location is None:
            return answer
        return self._get(self._client.universal_login.log_in(answer.location, self._prover))

    def reach(self, url: str) -> TestResponse:
        """Open a page and do every check on the way to it; returns where that ends."""
        page = self._followed(self._get(url))
        for _ in range(MAX_PAGES):
            form = self._next_form(page)
            if form is None:
                return page
            address = urljoin(page.request.url, form.action)
            page = self._followed(self._send(address, form))
        raise AssertionError(f"The check has no end; it came back to {page.request.url}")

    # -- one page ----------------------------------------------------------------------------

    def _next_form(self, page: TestResponse) -> Form | None:
        """Return the form of the page, filled in; ``None`` for what is no page of a check."""
        if page.status_code >= 400 or not self._is_check(page):
            return None
        forms = forms_of(page.text)
        poll = next((form for form in forms if form.action.endswith("/mfa/poll")), None)
        code = with_field(forms, "code")
        if form := with_field(forms, "saved"):
            return form.filled(saved="y")
        if form := with_field(forms, "phone_number"):
            return form.filled(phone_number=PHONE_NUMBER)
        if form := with_field(forms, "email"):
            return form.filled(email=self._prover.email)
        if (poll or code) and self._prover.method is None and "choose" not in page.request.args:
            return self._next_form(self._get(f"{page.request.url}&choose=1"))
        if poll is not None:
            self._prover.approve()
            return poll
        if code is not None:
            return code.filled(code=self._prover.code())
        return self._choice(forms)

    def _choice(self, forms: list[Form]) -> Form | None:
        """Return the form of the method that is taken: one that the user has, or enrolls."""
        for field, pick in (
            ("authenticator_id", self._prover.pick_authenticator),
            ("method", self._prover.pick),
        ):
            offered = {form.fields[field]: form for form in forms if field in form.fields}
            if offered:
                return offered[pick(list(offered))]
        return None

    def _is_check(self, page: TestResponse) -> bool:
        return page.request.path.startswith(f"{self._client.url_prefix}/mfa/")

    # -- addresses ---------------------------------------------------------------------------

    def _followed(self, answer: TestResponse) -> TestResponse:
        """Follow redirects, by way of Universal Login where they lead there."""
        universal_login = self._client.universal_login
        for _ in range(MAX_PAGES):
            if answer.location is None:
                return answer
            url = urljoin(answer.request.url, answer.location)
            if universal_login.is_here(url):
                url = universal_login.log_in(url, self._prover)
            elif urlsplit(url).netloc != urlsplit(answer.request.url).netloc:
                return answer
            answer = self._get(url)
        raise AssertionError(f"The redirects have no end; they came to {answer.request.url}")

    def _get(self, url: str) -> TestResponse:
        return self._client.get(self._path(url), headers=_AS_A_PERSON)

    def _send(self, url: str, form: Form) -> TestResponse:
        return self._client.post(self._path(url), data=form.fields, headers=_AS_A_PERSON)

    def _path(self, url: str) -> str:
        """Return what the test client takes: path and query, below the application's root."""
        parts = urlsplit(url)
        root = self._client.application.config["APPLICATION_ROOT"].rstrip("/")
        path = parts.path.removeprefix(root)
        return f"{path}?{parts.query}" if parts.query else path
