"""What users have enrolled: listing and removing it, and enrolling more.

Source: Auth0's ``/mfa/authenticators`` and ``/mfa/associate``.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from .challenge import send
from .records import MfaTransaction
from .refusals import Refused, invalid_request, missing
from .tenant import Tenant
from .totp import new_secret
from .users import CHANNELS, Authenticator, User, new_recovery_code, otpauth_uri, twin_of

_E164 = re.compile(r"\+[1-9]\d{6,14}")


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


def confirm(user: User, authenticator: Authenticator) -> None:
    """Take a proved authenticator into use, with what comes along with it."""
    authenticator.active = True
    if authenticator.kind in ("sms", "voice"):
        user.authenticators.append(twin_of(authenticator))
    if authenticator.kind == "auth0":
        # The Guardian app that was enrolled for pushes also shows codes.
        user.enroll("otp", secret=new_secret(), active=True)
    for other in user.authenticators:
        if other.kind == "recovery-code":
            other.active = True
