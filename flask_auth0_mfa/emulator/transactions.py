"""Interrupted flows: what an ``mfa_token`` stands for, and who may use it."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from .clients import Client
from .flow import Flow, Step
from .records import MfaTransaction
from .refusals import Refused, invalid_request
from .sealing import MFA_TOKEN_LENGTH, Handle, Malformed
from .tenant import Tenant
from .tokens import Bearer

_MFA_TOKEN = "mfa_token"  # noqa: S105 - a purpose, not a secret  # nosec B105


def interrupt(tenant: Tenant, flow: Flow, step: Step) -> MfaTransaction:
    """Keep an interrupted flow until its user has passed ``step``."""
    expires_at = tenant.clock.now() + tenant.configuration.mfa_token_ttl
    transaction = MfaTransaction(secrets.token_urlsafe(16), flow, step, expires_at)
    tenant.transactions.put(transaction.id, transaction)
    return transaction


def mfa_required(tenant: Tenant, transaction: MfaTransaction) -> Refused:
    """Return the 403 ``mfa_required`` answer with the transaction's token."""
    handle = Handle(transaction.id, transaction.expires_at)
    fields: dict[str, Any] = {
        "mfa_token": tenant.sealer.seal(_MFA_TOKEN, handle, length=MFA_TOKEN_LENGTH)
    }
    if transaction.step.listed:
        fields["mfa_requirements"] = transaction.step.requirements()
    return Refused(403, "mfa_required", "Multifactor authentication required", fields=fields)


def transaction_of(tenant: Tenant, mfa_token: str, client: Client | None = None) -> MfaTransaction:
    """Return the interrupted flow of an ``mfa_token``, for the client it was issued to.

    Raises 403 ``invalid_grant`` (Malformed mfa_token), 401 ``expired_token`` or 400
    ``invalid_request`` (issued to another client).
    """
    transaction = tenant.transactions.get(_key_of(tenant, mfa_token))
    if transaction is None or transaction.flow.user.deleted:
        raise _malformed()
    if client is not None and transaction.flow.client.client_id != client.client_id:
        raise invalid_request("mfa_token not issued to this client")
    return transaction


def _key_of(tenant: Tenant, mfa_token: str) -> str:
    if is_access_token(mfa_token):
        return _digest(mfa_token)
    try:
        handle = tenant.sealer.open(_MFA_TOKEN, mfa_token)
    except Malformed:
        raise _malformed() from None
    if handle.expires_at <= tenant.clock.now():
        raise Refused(401, "expired_token", "mfa_token is expired")
    return handle.key


def _malformed() -> Refused:
    return Refused(403, "invalid_grant", "Malformed mfa_token")


def is_access_token(mfa_token: str) -> bool:
    """Tell whether this is an access token for the MFA API: Auth0 calls both an mfa_token."""
    return mfa_token.startswith("eyJ")


def transaction_for_enrollment(tenant: Tenant, access_token: str, bearer: Bearer) -> MfaTransaction:
    """Return the transaction in which a user enrolls with an access token for the MFA API."""
    key = _digest(access_token)
    known = tenant.transactions.get(key)
    if known is not None:
        return known
    client = tenant.client(bearer.client_id)
    if client is None:
        raise Refused(403, "access_denied", "The client of this token is gone.")
    api = tenant.api(tenant.mfa_audience)
    # Its end gives an access token of the same reach: the Actions have run for this one already.
    flow = Flow(bearer.user, client, "oauth2-mfa", api, bearer.scope)
    flow.next_action = len(tenant.policy.actions)
    flow.passed.append("enrolled")
    transaction = MfaTransaction(key, flow, Step(), bearer.expires_at)
    tenant.transactions.put(key, transaction)
    return transaction


def _digest(access_token: str) -> str:
    return hashlib.sha256(access_token.encode()).hexdigest()
