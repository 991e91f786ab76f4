"""The grants of ``/oauth/token``, on Authlib's grant classes."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from authlib.oauth2.rfc6749 import BaseGrant, InvalidGrantError, TokenEndpointMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge

from . import proof
from .clients import MFA_OOB, MFA_OTP, MFA_RECOVERY_CODE, Client
from .families import Family
from .flow import REFRESH_PROTOCOL, Flow
from .oauth_request import AuthorizationRequest
from .records import Grant, MfaTransaction
from .refusals import NO_STORE, Refused, missing
from .scopes import resolved_at_refresh
from .tenant import Tenant
from .tokens import Authentication, token_response
from .transactions import interrupt, mfa_required, transaction_of

_AUTH_METHODS = ["client_secret_post", "client_secret_basic", "private_key_jwt", "none"]


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

    @staticmethod
    def validate_authorization_redirect_uri(
        oauth_request: AuthorizationRequest, client: Client
    ) -> str:
        """Return the callback, or refuse it in words that any callback can be quoted in."""
        redirect_uri: str | None = oauth_request.payload.redirect_uri
        if not redirect_uri:
            raise missing("redirect_uri")
        if not client.check_redirect_uri(redirect_uri):
            raise Refused(403, "unauthorized_client", f"Callback URL mismatch: {redirect_uri}")
        return redirect_uri

    def save_authorization_code(self, code: str, oauth_request: AuthorizationRequest) -> None:
        """Keep what the code stands for."""
        if oauth_request.grant is None:
            raise RuntimeError("A code is issued at the end of a login only.")
        self.tenant.grants.put(code, oauth_request.grant)

    def query_authorization_code(self, code: str, client: Client) -> Grant:
        """Return the grant of a code of this client, or raise 403 ``invalid_grant``."""
        grant = self.tenant.grants.get(code)
        if (
            grant is None
            or grant.flow.client.client_id != client.client_id
            or grant.flow.user.deleted
        ):
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
        transaction = transaction_of(self.tenant, self.field("mfa_token"), client)
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
        proof.check_otp(self.tenant, transaction, self.field("otp"))


class MfaOobGrant(MfaGrant):
    """``mfa-oob``: a code that was sent, or a push that is polled for."""

    GRANT_TYPE = MFA_OOB

    def prove(self, transaction: MfaTransaction) -> None:
        """Check ``oob_code`` and, for a code that was sent, ``binding_code``."""
        binding_code = self.request.form.get("binding_code")
        proof.check_oob(self.tenant, transaction, self.field("oob_code"), binding_code)


class MfaRecoveryCodeGrant(MfaGrant):
    """``mfa-recovery-code``: spend the code, get the next one."""

    GRANT_TYPE = MFA_RECOVERY_CODE

    def prove(self, transaction: MfaTransaction) -> None:
        """Check ``recovery_code``; its successor comes with the tokens."""
        proof.check_recovery_code(self.tenant, transaction, self.field("recovery_code"))


def finish(tenant: Tenant, flow: Flow, refresh_token: str | None = None) -> dict[str, Any]:
    """Go on with a refresh or MFA flow to its tokens; raises ``mfa_required`` or a denial."""
    step = tenant.policy.proceed(flow)
    if step is not None:
        raise mfa_required(tenant, interrupt(tenant, flow, step))
    family, sid, next_token = flow.family, "", None
    if family is not None:
        next_token = tenant.families.rotate(family, refresh_token)
        family.methods = list(flow.methods)
        sid = family.sid
    body = token_response(tenant, flow, Authentication(sid), next_token)
    if flow.new_recovery_code:
        body["recovery_code"] = flow.new_recovery_code
    return body
