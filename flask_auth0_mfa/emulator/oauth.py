"""The OAuth side, on Authlib's authorization server: clients, grants and ``/oauth/token``."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, ClassVar

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import (
    BaseGrant,
    InvalidClientError,
    InvalidGrantError,
    OAuth2Request,
    TokenEndpointMixin,
)
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from authlib.oauth2.rfc7636 import CodeChallenge
from flask import Flask, request
from joserfc.jwk import RSAKey

from . import mfa
from .clients import MFA_OOB, MFA_OTP, MFA_RECOVERY_CODE, OIDC_SCOPES, Api, Client
from .families import Family
from .policy import Flow
from .refusals import NO_STORE, Refused, missing
from .store import Store
from .tenant import Grant, MfaTransaction, Tenant
from .tokens import Authentication, token_response

_AUTH_METHODS = ["client_secret_post", "client_secret_basic", "private_key_jwt", "none"]
#: ``/mfa/challenge`` takes credentials in the body only.
BODY_AUTH_METHODS = ["client_secret_post", "private_key_jwt", "none"]
REFRESH_PROTOCOL = "oauth2-refresh-token"
LOGIN_PROTOCOL = "oidc-basic-profile"


def body_of_request() -> dict[str, Any]:
    """Return the fields of a JSON or form body; raises 400 ``invalid_request``."""
    if not request.is_json:
        return dict(request.form)
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise Refused(400, "invalid_request", "The body must be a JSON object.")
    return body


class AuthorizationRequest(OAuth2Request):
    """A request to Authlib that holds plain values, so that it outlives the HTTP request.

    The address given to Authlib is the tenant's own: it refuses plain http elsewhere, and where
    this server may listen is decided at its start.
    """

    grant: Grant | None = None

    def __init__(self, method: str, parameters: Mapping[str, Any], headers: Mapping[str, str]):
        super().__init__(method, "http://localhost/", headers=dict(headers))
        self._parameters = {name: str(value) for name, value in parameters.items()}
        self.payload = BasicOAuth2Payload(self._parameters)

    @property
    def args(self) -> dict[str, str]:
        """Return the parameters of an authorization request."""
        return self._parameters

    @property
    def form(self) -> dict[str, str]:
        """Return the fields of the body."""
        return self._parameters


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


# Scopes and audiences -----------------------------------------------------------------------------


def granted_at_login(
    client: Client, api: Api | None, requested: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the scopes a login grants: unknown ones are dropped without a word."""
    known = OIDC_SCOPES + (api.scopes if api else ())
    offline = (api is None or api.allow_offline_access) and client.check_grant_type("refresh_token")
    return tuple(s for s in requested if s in known and (s != "offline_access" or offline))


def resolved_at_refresh(
    tenant: Tenant, family: Family, audience: str | None, requested: tuple[str, ...]
) -> tuple[Api | None, tuple[str, ...]]:
    """Return the API and scopes a refresh grants (Auth0's multi-resource refresh tokens).

    An audience in no policy falls back to the original one, and a scope outside the policy is
    dropped, both without a word.
    """
    policies = family.client.refresh_token.policies
    api = family.api
    if audience in policies:
        api = tenant.api(audience) or family.api
    allowed = [scope for scope in family.scope if scope in OIDC_SCOPES]
    if api is not None:
        allowed += policies.get(api.identifier, ())
    if api == family.api:
        allowed += family.scope
    allowed = list(dict.fromkeys(allowed))
    return api, tuple(s for s in allowed if not requested or s in requested)


def finish(tenant: Tenant, flow: Flow, refresh_token: str | None = None) -> dict[str, Any]:
    """Go on with a refresh or MFA flow to its tokens; raises ``mfa_required`` or a denial."""
    step = tenant.policy.proceed(flow)
    if step is not None:
        raise mfa.mfa_required(tenant, mfa.interrupt(tenant, flow, step))
    family, sid, next_token = flow.family, "", None
    if family is not None:
        next_token = tenant.families.rotate(family, refresh_token)
        family.methods = list(flow.methods)
        sid = family.sid
    body = token_response(tenant, flow, Authentication(sid), next_token)
    if flow.new_recovery_code:
        body["recovery_code"] = flow.new_recovery_code
    return body


# Grants -------------------------------------------------------------------------------------------


class Auth0Grant(BaseGrant, TokenEndpointMixin):
    """What all grants share: the client proves itself and has the grant switched on."""

    TOKEN_ENDPOINT_AUTH_METHODS = _AUTH_METHODS
    TOKEN_RESPONSE_HEADER: ClassVar = list(NO_STORE)

    @property
    def tenant(self) -> Tenant:
        """Return the tenant behind the server."""
        tenant: Tenant = self.server.tenant
        return tenant

    def authenticate_token_endpoint_client(self) -> Client:
        """Return the client, or raise ``invalid_client`` or ``unauthorized_client``."""
        client: Client = super().authenticate_token_endpoint_client()
        if not client.check_grant_type(self.GRANT_TYPE):
            text = f"Grant type '{self.GRANT_TYPE}' not allowed for the client."
            raise Refused(403, "unauthorized_client", text)
        return client

    def validate_token_request(self) -> None:
        """Authenticate the client."""
        self.request.client = self.authenticate_token_endpoint_client()

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Return status, body and headers for Authlib."""
        return 200, self.tokens(), self.TOKEN_RESPONSE_HEADER

    def tokens(self) -> dict[str, Any]:
        """Return the body; each grant has its own way."""
        raise NotImplementedError

    def field(self, name: str) -> str:
        """Return a required field of the body, or raise 400 ``invalid_request``."""
        value: str | None = self.request.form.get(name)
        if not value:
            raise missing(name)
        return value


class CodeGrant(Auth0Grant, AuthorizationCodeGrant):
    """``authorization_code``, with the grant that the login has left in the request."""

    def validate_token_request(self) -> None:
        """Check client, code and callback as Authlib does."""
        AuthorizationCodeGrant.validate_token_request(self)

    def save_authorization_code(self, code: str, oauth_request: AuthorizationRequest) -> None:
        """Keep what the code stands for."""
        if oauth_request.grant is None:
            raise RuntimeError("A code is issued at the end of a login only.")
        self.tenant.grants.put(code, oauth_request.grant)

    def query_authorization_code(self, code: str, client: Client) -> Grant:
        """Return the grant of a code of this client, or raise 403 ``invalid_grant``."""
        grant = self.tenant.grants.get(code)
        if grant is None or grant.flow.client.client_id != client.client_id:
            raise Refused(403, "invalid_grant", "Invalid authorization code")
        return grant

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Spend the code and return the first tokens."""
        grant: Grant = self.request.authorization_code
        self.tenant.grants.drop(self.request.form["code"])
        return 200, self._first_tokens(grant), self.TOKEN_RESPONSE_HEADER

    def _first_tokens(self, grant: Grant) -> dict[str, Any]:
        flow = grant.flow
        refresh_token = None
        if "offline_access" in flow.scope:
            refresh_token = self.tenant.families.add(_family_of(self.tenant, grant))
        authentication = Authentication(
            grant.sid,
            grant.nonce,
            grant.auth_time if grant.states_auth_time else None,
            hosted_mfa=bool(flow.passed),
        )
        return token_response(self.tenant, flow, authentication, refresh_token)


def _family_of(tenant: Tenant, grant: Grant) -> Family:
    flow, now = grant.flow, tenant.clock.now()
    return Family(
        secrets.token_urlsafe(12),
        flow.user,
        flow.client,
        flow.api,
        flow.scope,
        created_at=now,
        used_at=now,
        methods=list(flow.methods),
        sid=grant.sid,
    )


class Pkce(CodeChallenge):
    """PKCE with S256 only (RFC 7636)."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD: ClassVar = ["S256"]

    def validate_code_verifier(self, grant: CodeGrant, result: object) -> None:
        """Check the verifier with Auth0's words for a wrong one."""
        try:
            super().validate_code_verifier(grant, result)
        except InvalidGrantError:
            raise Refused(403, "invalid_grant", "Failed to verify code verifier") from None


class RefreshTokenGrant(Auth0Grant):
    """``refresh_token``: the flow that step-up interrupts."""

    GRANT_TYPE = "refresh_token"

    def tokens(self) -> dict[str, Any]:
        """Return tokens for the audience, or raise ``mfa_required``; a refusal spends nothing."""
        tenant, form = self.tenant, self.request.form
        refresh_token = self.field("refresh_token")
        family = tenant.families.find(refresh_token, self.request.client)
        requested = tuple(form.get("scope", "").split())
        api, scope = resolved_at_refresh(tenant, family, form.get("audience"), requested)
        flow = Flow(
            family.user,
            family.client,
            REFRESH_PROTOCOL,
            api,
            scope,
            requested_scopes=requested,
            body=dict(form),
            methods=list(family.methods),
            family=family,
        )
        return finish(tenant, flow, refresh_token)


class MfaGrant(Auth0Grant):
    """What the MFA grants share: the ``mfa_token``, and the flow going on afterwards."""

    def tokens(self) -> dict[str, Any]:
        """Check the proof and go on with the interrupted flow."""
        client: Client = self.request.client
        transaction = mfa.transaction_of(self.tenant, self.field("mfa_token"), client)
        self.prove(transaction)
        return finish(self.tenant, transaction.flow)

    def prove(self, transaction: MfaTransaction) -> None:
        """Check the proof, or raise what is wrong with it."""
        raise NotImplementedError


class MfaOtpGrant(MfaGrant):
    """``mfa-otp``: a code from an authenticator app."""

    GRANT_TYPE = MFA_OTP

    def prove(self, transaction: MfaTransaction) -> None:
        """Check ``otp``."""
        mfa.check_otp(self.tenant, transaction, self.field("otp"))


class MfaOobGrant(MfaGrant):
    """``mfa-oob``: a code that was sent, or a push that is polled for."""

    GRANT_TYPE = MFA_OOB

    def prove(self, transaction: MfaTransaction) -> None:
        """Check ``oob_code`` and, for a code that was sent, ``binding_code``."""
        binding_code = self.request.form.get("binding_code")
        mfa.check_oob(self.tenant, transaction, self.field("oob_code"), binding_code)


class MfaRecoveryCodeGrant(MfaGrant):
    """``mfa-recovery-code``: spend the code, get the next one."""

    GRANT_TYPE = MFA_RECOVERY_CODE

    def prove(self, transaction: MfaTransaction) -> None:
        """Check ``recovery_code``; its successor comes with the tokens."""
        mfa.check_recovery_code(self.tenant, transaction, self.field("recovery_code"))
