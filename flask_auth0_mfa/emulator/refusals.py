"""The one exception that becomes an error answer: ``{"error", "error_description"}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authlib.oauth2 import OAuth2Error

#: Answers about tokens are never kept by a cache (RFC 6749 section 5.1).
NO_STORE = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))


class Refused(OAuth2Error):
    """A request that the tenant refuses, with its status, code, description and further fields.

    Auth0's texts are quoted as they are, so the character check of Authlib's class is left out.
    """

    def __init__(
        self,
        status: int,
        error: str,
        description: str | None = None,
        *,
        fields: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(error=error, status_code=status)
        self.description = description
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})

    def get_body(self) -> list[tuple[str, Any]]:
        """Return the fields of the JSON body in order."""
        body: list[tuple[str, Any]] = [("error", self.error)]
        if self.description:
            body.append(("error_description", self.description))
        if self.state:
            body.append(("state", self.state))
        return body + list(self.fields.items())

    def get_headers(self) -> list[tuple[str, str]]:
        """Return the headers of the answer."""
        return [*NO_STORE, *self.headers.items()]


def invalid_request(description: str) -> Refused:
    """Return the answer to missing or malformed input: 400 ``invalid_request``."""
    return Refused(400, "invalid_request", description)


def missing(parameter: str) -> Refused:
    """Return the answer to an absent parameter."""
    return invalid_request(f"Missing required parameter: {parameter}")
