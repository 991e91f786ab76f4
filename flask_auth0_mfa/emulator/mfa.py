"""The rules of the MFA API: list, challenge, associate, and the check of what the user proves.

Source: Auth0's ``/mfa/authenticators``, ``/mfa/challenge``, ``/mfa/associate`` and the MFA grants
of ``/oauth/token``.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from . import limits
from .clients import Client
from .policy import Flow, Step
from .refusals import Refused, invalid_request, missing
from .sealing import MFA_TOKEN_LENGTH, OOB_CODE_LENGTH, Handle, Malformed
from .tenant import MfaTransaction, OobChallenge, Push, Tenant
from .tokens import Bearer
from .totp import new_secret, step_of
from .users import (
    CHANNELS,
    Authenticator,
    User,
    new_recovery_code,
    otpauth_uri,
    twin_of,
)

_MFA_TOKEN = "mfa_token"  # noqa: S105 - a purpose, not a secret
_OOB_CODE = "oob_code"
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_SECONDS_TO_SLOW_DOWN = 5
_LONGEST_POLL_INTERVAL = 10
#: Clients that poll to the second arrive a little early now and then.
_POLL_TOLERANCE = 0.5
#: The order in which a channel is chosen when the client names no authenticator.
_PREFERENCE = ("otp", "auth0", "sms", "voice", "email")
_SEND_LIMITS = {
    "sms": limits.SMS_SENDS,
    "voice": limits.SMS_SENDS,
    "email": limits.EMAIL_SENDS,
    "auth0": limits.PUSH_SENDS,
}


# The mfa_token ------------------------------------------------------------------------------------


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


def transaction_of(tenant: Tenant, mfa_token: str, client: Client | None) -> MfaTransaction:
    """Return the interrupted flow of an ``mfa_token``, for the client it was issued to.

    Raises 403 ``invalid_grant`` (Malformed mfa_token), 401 ``expired_token`` or 400
    ``invalid_request`` (issued to another client).
    """
    malformed = Refused(403, "invalid_grant", "Malformed mfa_token")
    if mfa_token.startswith("eyJ"):
        return _enrollment_by_access_token(tenant, mfa_token) or _raise(malformed)
    try:
        handle = tenant.sealer.open(_MFA_TOKEN, mfa_token)
    except Malformed:
        raise malformed from None
    if handle.expires_at <= tenant.clock.now():
        raise Refused(401, "expired_token", "mfa_token is expired")
    transaction = tenant.transactions.get(handle.key)
    if transaction is None:
        raise malformed
    if client is not None and transaction.flow.client.client_id != client.client_id:
        raise invalid_request("mfa_token not issued to this client")
    return transaction


def _raise(error: Refused) -> MfaTransaction:
    raise error


def _key_of(access_token: str) -> str:
    return hashlib.sha256(access_token.encode()).hexdigest()


def _enrollment_by_access_token(tenant: Tenant, access_token: str) -> MfaTransaction | None:
    return tenant.transactions.get(_key_of(access_token))


def transaction_for_enrollment(tenant: Tenant, access_token: str, bearer: Bearer) -> MfaTransaction:
    """Return the transaction in which a user enrolls with an access token for the MFA API."""
    known = _enrollment_by_access_token(tenant, access_token)
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
    key = _key_of(access_token)
    transaction = MfaTransaction(key, flow, Step(), bearer.expires_at)
    tenant.transactions.put(key, transaction)
    return transaction


# List and remove ----------------------------------------------------------------------------------


def listed(tenant: Tenant, user: User) -> list[dict[str, object]]:
    """Return the user's authenticators as ``GET /mfa/authenticators`` shows them."""
    entries = [authenticator.to_json() for authenticator in user.authenticators]
    if tenant.configuration.list_verified_email and _lists_own_email(user):
        entries.append(Authenticator("email|dev_verified", "email", True, user.email).to_json())
    return entries


def _lists_own_email(user: User) -> bool:
    has_other_factor = any(a.kind not in ("email", "recovery-code") for a in user.active())
    return user.email_verified and has_other_factor and not user.active("email")


def remove(user: User, authenticator_id: str) -> None:
    """Remove an authenticator and its twin; raises 404 ``invalid_authenticator``."""
    authenticator = user.authenticator(authenticator_id)
    if authenticator is None:
        raise Refused(404, "invalid_authenticator", "Authenticator not found")
    is_own_email = authenticator.kind == "email" and authenticator.address == user.email
    if is_own_email and user.email_verified:
        raise Refused(403, "access_denied", "A verified e-mail address cannot be removed.")
    user.remove(authenticator)


# Challenge ----------------------------------------------------------------------------------------


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


# Associate ----------------------------------------------------------------------------------------


def associate(
    tenant: Tenant, transaction: MfaTransaction, body: Mapping[str, Any]
) -> dict[str, Any]:
    """Begin an enrollment and return the body of ``POST /mfa/associate``."""
    kind = _requested_kind(body)
    user = transaction.flow.user
    answer: dict[str, Any]
    if kind == "otp":
        answer = _associate_otp(tenant, transaction)
    elif kind == "auth0":
        answer = _associate_push(tenant, transaction)
    else:
        answer = _associate_address(tenant, transaction, kind, body)
    return answer | _first_recovery_code(tenant, user)


def _requested_kind(body: Mapping[str, Any]) -> str:
    types, channels = body.get("authenticator_types"), body.get("oob_channels")
    if types is None:
        raise missing("authenticator_types")
    # auth0-auth-js has a type of its own for e-mail.
    if types in (["otp"], ["email"]):
        return str(types[0])
    if types == ["oob"] and isinstance(channels, list) and len(channels) == 1:
        channel = channels[0]
        if channel in CHANNELS:
            return str(channel)
    raise Refused(400, "unsupported_authenticator_type", "Unsupported authenticator type")


def _enroll(
    transaction: MfaTransaction, kind: str, *, address: str | None = None, secret: str | None = None
) -> Authenticator:
    user = transaction.flow.user
    authenticator = user.enroll(kind, address=address, secret=secret, active=False)
    transaction.enrolling.append(authenticator.id)
    return authenticator


def _associate_otp(tenant: Tenant, transaction: MfaTransaction) -> dict[str, Any]:
    authenticator = _enroll(transaction, "otp", secret=new_secret())
    uri = otpauth_uri(
        transaction.flow.user.email, tenant.configuration.name, str(authenticator.secret)
    )
    return {"authenticator_type": "otp", "secret": authenticator.secret, "barcode_uri": uri}


def _associate_push(tenant: Tenant, transaction: MfaTransaction) -> dict[str, Any]:
    user = transaction.flow.user
    sent = send(tenant, transaction, _enroll(transaction, "auth0"))
    name = f"{quote(tenant.configuration.name)}:{quote(user.email)}"
    query = urlencode({"enrollment_tx_id": secrets.token_hex(16), "base_url": tenant.url})
    return {
        "authenticator_type": "oob",
        "oob_channel": "auth0",
        "oob_code": sent["oob_code"],
        "barcode_uri": f"otpauth://totp/{name}?{query}",
    }


def _associate_address(
    tenant: Tenant, transaction: MfaTransaction, channel: str, body: Mapping[str, Any]
) -> dict[str, Any]:
    if channel == "email":
        address = body.get("email") or transaction.flow.user.email
        if not isinstance(address, str) or "@" not in address:
            raise invalid_request("The email address is invalid.")
    else:
        address = body.get("phone_number")
        if not isinstance(address, str) or not _E164.fullmatch(address):
            raise invalid_request("The phone number is invalid.")
    sent = send(tenant, transaction, _enroll(transaction, channel, address=address))
    return {
        "authenticator_type": "oob",
        "oob_channel": channel,
        "oob_code": sent["oob_code"],
        "binding_method": "prompt",
    }


def _first_recovery_code(tenant: Tenant, user: User) -> dict[str, list[str]]:
    if "recovery-code" not in tenant.policy.factors or user.active():
        return {}
    user.enroll("recovery-code", active=False)
    user.recovery_code = new_recovery_code()
    return {"recovery_codes": [user.recovery_code]}


# Prove --------------------------------------------------------------------------------------------


def check_otp(tenant: Tenant, transaction: MfaTransaction, otp: str) -> None:
    """Accept a TOTP code, or raise 403 ``invalid_grant``; a pending enrollment is confirmed."""
    user = transaction.flow.user
    tenant.limits.check(limits.OTP_FAILURES, user.sub)
    for authenticator in user.authenticators:
        if authenticator.secret and _usable(transaction, authenticator):
            step = step_of(authenticator.secret, otp, tenant.clock.now())
            if step is not None and _unused(tenant, user, step):
                return _passed(tenant, transaction, authenticator)
    tenant.limits.take(limits.OTP_FAILURES, user.sub)
    raise Refused(403, "invalid_grant", "Invalid otp_code.")


def _usable(transaction: MfaTransaction, authenticator: Authenticator) -> bool:
    if not authenticator.active:
        return authenticator.id in transaction.enrolling
    return transaction.step.allows(authenticator.type)


def _unused(tenant: Tenant, user: User, step: int) -> bool:
    if not tenant.configuration.otp_single_use:
        return True
    user.used_otp_steps = {used for used in user.used_otp_steps if used >= step - 2}
    fresh = step not in user.used_otp_steps
    user.used_otp_steps.add(step)
    return fresh


def check_recovery_code(tenant: Tenant, transaction: MfaTransaction, code: str) -> None:
    """Spend the recovery code, or raise 403 ``invalid_grant``; the flow then has the next one."""
    user = transaction.flow.user
    tenant.limits.check(limits.RECOVERY_CODE_FAILURES, user.sub)
    active = user.active("recovery-code")
    right = secrets.compare_digest((user.recovery_code or "").encode(), code.encode())
    if not (active and right and transaction.step.allows("recovery-code")):
        tenant.limits.take(limits.RECOVERY_CODE_FAILURES, user.sub)
        raise rejected(403, "invalid_grant")
    user.recovery_code = transaction.flow.new_recovery_code = new_recovery_code()
    _passed(tenant, transaction, active[0])


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


def check_oob(
    tenant: Tenant, transaction: MfaTransaction, oob_code: str, binding_code: str | None
) -> None:
    """Accept an approved push or the code that was sent; else raise what the poller is told."""
    challenge = challenge_of(tenant, transaction, oob_code)
    tenant.limits.take(limits.MFA_OOB, transaction.id)
    if challenge.push is not None:
        check_push(tenant, challenge, challenge.push)
    elif not binding_code:
        raise missing("binding_code")
    elif not secrets.compare_digest((challenge.code or "").encode(), binding_code.encode()):
        raise Refused(403, "invalid_grant", "Invalid binding_code.")
    authenticator = transaction.flow.user.authenticator(challenge.authenticator_id)
    if authenticator is None or not _usable(transaction, authenticator):
        raise rejected(403, "invalid_grant")
    tenant.challenges.drop(challenge.id)
    _passed(tenant, transaction, authenticator)


def check_push(tenant: Tenant, challenge: OobChallenge, push: Push) -> None:
    """Return for an approved push; raises ``authorization_pending``, ``slow_down`` or rejection."""
    if push.status == "approved":
        return
    if push.status == "rejected":
        raise rejected(400, "access_denied")
    now = tenant.clock.now()
    last, challenge.polled_at = challenge.polled_at, now
    if last is not None and now - last < challenge.poll_interval - _POLL_TOLERANCE:
        longer = challenge.poll_interval + _SECONDS_TO_SLOW_DOWN
        challenge.poll_interval = min(longer, _LONGEST_POLL_INTERVAL)
        raise Refused(400, "slow_down", "You are polling too quickly: please slow down.")
    text = "Authorization pending: please repeat the request in a few seconds."
    raise Refused(400, "authorization_pending", text)


def rejected(status: int, error: str) -> Refused:
    """Return the answer to a rejected push or a wrong recovery code."""
    return Refused(status, error, "MFA Authorization rejected.")


def _passed(tenant: Tenant, transaction: MfaTransaction, authenticator: Authenticator) -> None:
    if not authenticator.active:
        _confirm(transaction.flow.user, authenticator)
    transaction.flow.prove(authenticator.type, tenant.clock.now())
    tenant.transactions.drop(transaction.id)


def _confirm(user: User, authenticator: Authenticator) -> None:
    authenticator.active = True
    if authenticator.kind in ("sms", "voice"):
        user.authenticators.append(twin_of(authenticator))
    if authenticator.kind == "auth0":
        # The Guardian app that was enrolled for pushes also shows codes.
        user.enroll("otp", secret=new_secret(), active=True)
    for other in user.authenticators:
        if other.kind == "recovery-code":
            other.active = True
