"""Requests as Authlib reads them, from JSON or form bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authlib.oauth2.rfc6749 import OAuth2Request
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from flask import request

from .. import jsontext
from .records import Grant
from .refusals import invalid_request


def json_object() -> dict[str, Any] | None:
    """Return the JSON object in the body of the request, or None when there is none."""
    if not request.is_json:
        return None
    try:
        body = jsontext.parse(request.get_data())
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def body_of_request() -> dict[str, Any]:
    """Return the fields of a JSON or form body; raises 400 ``invalid_request``."""
    if not request.is_json:
        return dict(request.form)
    body = json_object()
    if body is None:
        raise invalid_request("The body must be a JSON object.")
    return body


class AuthorizationRequest(OAuth2Request):
    """A request to Authlib that holds plain values, so that it outlives the HTTP request.

    The address given to Authlib is the tenant's own: it refuses plain http elsewhere, and where
    this server may listen is decided at its start.
    """

    grant: Grant | None = None

    def __init__(self, method: str, parameters: Mapping[str, Any], headers: Mapping[str, str]):
        super().__init__(method, "http://localhost/", headers=dict(headers))
        self._parameters = {
            name: str(value) for name, value in parameters.items() if value is not None
        }
        self.payload = BasicOAuth2Payload(self._parameters)

    @property
    def args(self) -> dict[str, str]:
        """Return the parameters of an authorization request."""
        return self._parameters

    @property
    def form(self) -> dict[str, str]:
        """Return the fields of the body."""
        return self._parameters
