"""Proving factors as a user would: which method is taken, and what proves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..factors import method_of

if TYPE_CHECKING:
    from .tenant import InProcessTenant


class Prover:
    """One user in one check; ``method`` is the one in use, while there is one.

    :param wanted: the method to take first; without it the first one of each page.
    """

    def __init__(self, auth0: InProcessTenant, email: str, wanted: str | None = None) -> None:
        self._auth0 = auth0
        self.email = email
        self._wanted = wanted
        self.method: str | None = None

    def pick(self, offered: Sequence[str]) -> str:
        """Take one of the methods that a page offers.

        Raises AssertionError when the wanted one is not among them.
        """
        if self._wanted is not None and self._wanted not in offered:
            raise AssertionError(
                f"{self.email} cannot use {self._wanted} here; offered: {', '.join(offered)}."
            )
        self.method = self._wanted or offered[0]
        # A second factor after it, where there is one, has to be another.
        self._wanted = None
        return self.method

    def pick_authenticator(self, offered: Sequence[str]) -> str:
        """Take one of the authenticators that a page offers, and return its id."""
        by_method = {self._method_of(one): one for one in reversed(offered)}
        return by_method[self.pick([self._method_of(one) for one in offered])]

    def _method_of(self, authenticator_id: str) -> str:
        found = self._auth0.tenant.user(self.email).authenticator(authenticator_id)
        if found is None:
            raise AssertionError(f"A page offers {authenticator_id}, which {self.email} has not.")
        return method_of(found.authenticator_type, found.kind)

    def code(self) -> str:
        """Return the code that proves the method in use, which is then not in use any more."""
        method, self.method = self.method, None
        if method == "recovery-code":
            return self._auth0.recovery_code(self.email)
        if method in (None, "otp"):
            return self._auth0.otp(self.email)
        return self._auth0.last_message(self.email).code

    def approve(self) -> None:
        """Approve the push on the phone."""
        self.method = None
        self._auth0.approve_push(self.email)
