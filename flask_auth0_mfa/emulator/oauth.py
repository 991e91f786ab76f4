"""Authlib's authorization server, with Auth0's ways of authenticating clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import InvalidClientError, OAuth2Request
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from flask import Flask, request
from joserfc.jwk import RSAKey

from .clients import Client
from .grants import (
    CodeGrant,
    MfaOobGrant,
    MfaOtpGrant,
    MfaRecoveryCodeGrant,
    Pkce,
    RefreshTokenGrant,
)
from .oauth_request import AuthorizationRequest, body_of_request
from .refusals import Refused
from .store import Store
from .tenant import Tenant

#: ``/mfa/challenge`` takes credentials in the body only.
BODY_AUTH_METHODS = ["client_secret_post", "private_key_jwt", "none"]


class Server(AuthorizationServer):
    """Authlib's server with Auth0's way of reading requests and refusing clients."""

    def __init__(self, app: Flask, tenant: Tenant) -> None:
        super().__init__(app, query_client=tenant.client, save_token=_already_saved)
        self.tenant = tenant
        for grant in (RefreshTokenGrant, MfaOtpGrant, MfaOobGrant, MfaRecoveryCodeGrant):
            self.register_grant(grant)
        self.register_grant(CodeGrant, [Pkce(required=True)])
        assertion = ClientAssertion(tenant)
        self.register_client_auth_method("private_key_jwt", assertion)

    def create_oauth2_request(self, _request: object) -> AuthorizationRequest:
        """Read the current HTTP request, JSON or form."""
        parameters = request.args if request.method == "GET" else body_of_request()
        return AuthorizationRequest(request.method, parameters, dict(request.headers))

    def get_authorization_grant(self, oauth_request: AuthorizationRequest) -> CodeGrant:
        """Return the code grant; any other response type is refused, at the callback if allowed."""
        payload = oauth_request.payload
        if payload.response_type == "code":
            grant: CodeGrant = super().get_authorization_grant(oauth_request)
            return grant
        refusal = Refused(400, "unsupported_response_type", "Only response_type=code is served")
        client = self.tenant.client(payload.client_id)
        if client and client.check_redirect_uri(payload.redirect_uri or ""):
            refusal.redirect_uri = payload.redirect_uri
        raise refusal

    def authenticate_client(
        self, oauth_request: OAuth2Request, methods: list[str], endpoint: str = "token"
    ) -> Client:
        """Return the client, or raise 401 ``invalid_client``."""
        try:
            client: Client = super().authenticate_client(oauth_request, methods, endpoint)
        except InvalidClientError:
            raise Refused(401, "invalid_client", "Unauthorized") from None
        return client


def _already_saved(_token: Mapping[str, Any], _request: OAuth2Request) -> None:
    """Do nothing: refresh token families are kept where they are made."""


class _Jti:
    """The mark that an assertion was used."""

    def __init__(self, expires_at: float) -> None:
        self.expires_at = expires_at


class ClientAssertion(JWTBearerClientAssertion):
    """``private_key_jwt`` (RFC 7523) with the public key of the client."""

    CLIENT_AUTH_METHOD = "private_key_jwt"

    def __init__(self, tenant: Tenant) -> None:
        super().__init__()
        self._tenant = tenant
        self._used: Store[_Jti] = Store(tenant.clock)

    def get_audiences(self) -> list[str]:
        """Return what an assertion may name as its audience."""
        return [self._tenant.issuer, f"{self._tenant.url}/oauth/token"]

    def resolve_client_public_key(self, client: Client) -> RSAKey:
        """Return the client's key; a client without one cannot authenticate this way."""
        if client.public_key is None:
            raise InvalidClientError
        key: RSAKey = RSAKey.import_key(client.public_key)
        return key

    def validate_jti(self, claims: Mapping[str, Any], jti: str) -> bool:
        """Tell whether the assertion is used for the first time."""
        key = f"{claims['sub']} {jti}"
        if self._used.get(key):
            return False
        self._used.put(key, _Jti(float(claims["exp"])))
        return True
