"""A Flask test client that can log in and step up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ..services import EXTENSION
from .person import Person
from .universal_login import UniversalLogin

if TYPE_CHECKING:
    from .tenant import InProcessTenant


class Auth0TestClient(FlaskClient):
    """A browser at the application, without JavaScript; made by ``auth0_tenant.client(app)``."""

    #: The tenant that the application talks to.
    auth0: InProcessTenant
    _universal_login: UniversalLogin | None = None

    @property
    def universal_login(self) -> UniversalLogin:
        """This browser at the tenant's own pages, where it keeps its session."""
        if self._universal_login is None:
            self._universal_login = UniversalLogin(self.auth0)
        return self._universal_login

    def log_in(self, email: str) -> TestResponse:
        """Log in with the user's password; returns the answer of the callback.

        Raises AssertionError when that fails.
        """
        # Whoever was logged in at the tenant in this browser would be logged in again.
        self._universal_login = None
        answer = Person(self, email).log_in(f"{self.url_prefix}/login")
        if answer.status_code >= 400:
            raise AssertionError(f"{email} could not log in: {answer.status}\n{answer.text}")
        return answer

    def step_up(self, url: str, *, method: str | None = None) -> TestResponse:
        """Open a guarded page, do the check that it asks for, and return what it leads to.

        :param method: ``otp``, ``push``, ``sms``, ``voice``, ``email`` or ``recovery-code``; by
            default the first one that the page offers. A user who has none enrolls one.

        Where the check cannot be finished the answer is the page that says so. Raises
        AssertionError when nobody is signed in or ``method`` is not offered.
        """
        return Person(self, self._email(), method).reach(url)

    def mfa_required(self, url: str, **request: Any) -> dict[str, Any]:
        """Ask as a program; returns the body of the 403 ``mfa_required``.

        :param request: more for the request, as ``client.open`` takes it.

        Raises AssertionError for any other answer.
        """
        headers = {"Accept": "application/json", **request.pop("headers", {})}
        answer = self.open(url, headers=headers, **request)
        body = answer.get_json(silent=True)
        if not isinstance(body, dict) or body.get("error") != "mfa_required":
            raise AssertionError(f"{url} asked for no second factor: {answer.status}")
        return body

    @property
    def url_prefix(self) -> str:
        """The path of the extension's routes."""
        prefix: str = self.application.extensions[EXTENSION].settings.mfa_url_prefix
        return prefix

    def _email(self) -> str:
        profile = self.get(f"{self.url_prefix}/profile", headers={"Accept": "application/json"})
        user = self.auth0.tenant.user_of((profile.get_json(silent=True) or {}).get("sub", ""))
        if user is None:
            raise AssertionError("Nobody is signed in here: call client.log_in(email) first.")
        return user.email
