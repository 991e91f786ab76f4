"""Universal Login in a test: somebody at the tenant's own pages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin

from werkzeug.test import Client, TestResponse

from .forms import Form, forms_of, with_field
from .prover import Prover

if TYPE_CHECKING:
    from .tenant import InProcessTenant

#: More pages than any login has.
MAX_PAGES = 20
#: For a user who has to enroll a phone; nobody has it (reserved for fiction).
PHONE_NUMBER = "+15550100199"


class UniversalLogin:
    """One browser at the pages of the tenant, which remember who logged in with it."""

    def __init__(self, auth0: InProcessTenant) -> None:
        self._auth0 = auth0
        self._browser = Client(auth0.wsgi_app)

    def log_in(self, url: str, prover: Prover) -> str:
        """Go through a login from its ``/authorize`` address; returns the callback's address.

        Raises AssertionError when a page of the tenant leads no further.
        """
        page = self._browser.get(url)
        for _ in range(MAX_PAGES):
            if page.location:
                url = urljoin(url, page.location)
                if not self.is_here(url):
                    return url
                page = self._browser.get(url)
            elif page.status_code >= 400:
                break
            else:
                form = self._next_form(page, prover)
                url = urljoin(url, form.action)
                page = self._browser.post(url, data=form.fields)
        raise AssertionError(f"The login stopped at {url}: {page.status}\n{page.text}")

    def is_here(self, url: str) -> bool:
        """Tell whether the address is one of the tenant's."""
        return url.startswith(self._auth0.tenant.issuer)

    def _next_form(self, page: TestResponse, prover: Prover) -> Form:
        """Return the form of the page, filled in as its user would."""
        forms = forms_of(page.text)
        choice = next((form for form in forms if form.has_button("authenticator_id")), None)
        if form := with_field(forms, "password"):
            return form.filled(username=prover.email, password=self._password(prover.email))
        if choice is not None and prover.method is None:
            chosen = prover.pick_authenticator([value for _, value in choice.buttons])
            return choice.filled(authenticator_id=chosen)
        if form := with_field(forms, "code"):
            return form.filled(code=prover.code())
        if form := with_field(forms, "phone_number"):
            prover.method = "sms"
            return form.filled(phone_number=PHONE_NUMBER)
        if prover.method == "push":
            prover.approve()
        # What is left is a page to read, with one button to go on.
        return forms[0]

    def _password(self, email: str) -> str:
        users = {user.email: user.password for user in self._auth0.tenant.users}
        if email not in users:
            raise AssertionError(f"The tenant has no user {email}; it has {', '.join(users)}.")
        return users[email]
