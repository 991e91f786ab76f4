"""Challenges: choosing an authenticator, and sending a code or a push (``POST /mfa/challenge``)."""

from __future__ import annotations

import secrets
from typing import Any

from . import limits
from .flow import Step
from .records import MfaTransaction, OobChallenge
from .refusals import Refused, invalid_request
from .sealing import OOB_CODE_LENGTH, Handle, Malformed
from .tenant import Tenant
from .users import Authenticator, User

_OOB_CODE = "oob_code"
#: The order in which a channel is chosen when the client names no authenticator.
_PREFERENCE = ("otp", "auth0", "sms", "voice", "email")
_SEND_LIMITS = {
    "sms": limits.SMS_SENDS,
    "voice": limits.SMS_SENDS,
    "email": limits.EMAIL_SENDS,
    "auth0": limits.PUSH_SENDS,
}


def challenge(
    tenant: Tenant,
    transaction: MfaTransaction,
    challenge_type: str | None,
    authenticator_id: str | None,
) -> dict[str, Any]:
    """Start a challenge and return the body of ``POST /mfa/challenge``."""
    types = set((challenge_type or "otp oob").split()) & {"otp", "oob"}
    if not types:
        raise Refused(400, "unsupported_challenge_type", "Unsupported challenge type")
    user = transaction.flow.user
    if not user.active():
        raise Refused(400, "association_required", "The user has no authenticator enrolled.")
    authenticator = _chosen(user, transaction.step, types, authenticator_id)
    if authenticator.kind == "otp":
        return {"challenge_type": "otp"}
    return send(tenant, transaction, authenticator)


def _chosen(user: User, step: Step, types: set[str], authenticator_id: str | None) -> Authenticator:
    candidates = [a for a in user.active() if a.authenticator_type in types and step.allows(a.type)]
    if authenticator_id is not None:
        named = next((a for a in user.active() if a.id == authenticator_id), None)
        if named is None:
            raise Refused(400, "invalid_authenticator", "Invalid authenticator ID")
        candidates = [a for a in candidates if a is named]
    if not candidates:
        raise Refused(400, "unsupported_challenge_type", "Unsupported challenge type")
    return min(candidates, key=lambda a: _PREFERENCE.index(a.kind))


def send(
    tenant: Tenant, transaction: MfaTransaction, authenticator: Authenticator
) -> dict[str, Any]:
    """Send a code or a push and return the ``oob_code`` that goes with it."""
    user = transaction.flow.user
    tenant.limits.take(_SEND_LIMITS[authenticator.kind], user.sub)
    challenge = _open_challenge(tenant, transaction, authenticator)
    body = {"challenge_type": "oob", "oob_code": oob_code(tenant, challenge)}
    if authenticator.kind == "auth0":
        purpose = "challenge" if authenticator.active else "enrollment"
        challenge.push = tenant.send_push(user, purpose)
        return body
    challenge.code = f"{secrets.randbelow(1_000_000):06d}"
    tenant.send_message(user, authenticator.kind, authenticator.address or "", challenge.code)
    return body | {"binding_method": "prompt"}


def _open_challenge(
    tenant: Tenant, transaction: MfaTransaction, authenticator: Authenticator
) -> OobChallenge:
    expires_at = tenant.clock.now() + tenant.configuration.oob_code_ttl
    challenge = OobChallenge(
        secrets.token_urlsafe(16), transaction.id, authenticator.id, expires_at
    )
    tenant.challenges.put(challenge.id, challenge)
    return challenge


def oob_code(tenant: Tenant, challenge: OobChallenge) -> str:
    """Return the sealed ``oob_code`` of a challenge."""
    handle = Handle(challenge.id, challenge.expires_at)
    return tenant.sealer.seal(_OOB_CODE, handle, length=OOB_CODE_LENGTH)


def challenge_of(tenant: Tenant, transaction: MfaTransaction, oob_code: str) -> OobChallenge:
    """Return the challenge of an ``oob_code``.

    Raises 403 ``invalid_grant`` (Malformed oob_code), 401 ``expired_token`` or 400
    ``invalid_request`` (another transaction's).
    """
    malformed = Refused(403, "invalid_grant", "Malformed oob_code")
    try:
        handle = tenant.sealer.open(_OOB_CODE, oob_code)
    except Malformed:
        raise malformed from None
    if handle.expires_at <= tenant.clock.now():
        raise Refused(401, "expired_token", "oob_code is expired")
    challenge = tenant.challenges.get(handle.key)
    if challenge is None:
        raise malformed
    if challenge.transaction_id != transaction.id:
        raise invalid_request("The oob_code doesn't match the mfa_token")
    return challenge
