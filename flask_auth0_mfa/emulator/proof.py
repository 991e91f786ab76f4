"""The check of what a user proves: a code, an approved push, a recovery code.

Source: Auth0's MFA grants of ``/oauth/token``.
"""

from __future__ import annotations

import secrets

from . import limits
from .challenge import challenge_of
from .enrollment import confirm
from .records import MfaTransaction, OobChallenge, Push
from .refusals import Refused, missing
from .tenant import Tenant
from .totp import step_of
from .users import Authenticator, User, new_recovery_code

_SECONDS_TO_SLOW_DOWN = 5
_LONGEST_POLL_INTERVAL = 10
#: Clients that poll to the second arrive a little early now and then.
_POLL_TOLERANCE = 0.5


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
        raise _rejected(403, "invalid_grant")
    user.recovery_code = transaction.flow.new_recovery_code = new_recovery_code()
    _passed(tenant, transaction, active[0])


def check_oob(
    tenant: Tenant, transaction: MfaTransaction, oob_code: str, binding_code: str | None
) -> None:
    """Accept an approved push or the code that was sent; else raise what the poller is told."""
    challenge = challenge_of(tenant, transaction, oob_code)
    tenant.limits.take(limits.MFA_OOB, transaction.id)
    if challenge.push is not None:
        _check_push(tenant, challenge, challenge.push)
    elif not binding_code:
        raise missing("binding_code")
    elif not secrets.compare_digest((challenge.code or "").encode(), binding_code.encode()):
        raise Refused(403, "invalid_grant", "Invalid binding_code.")
    authenticator = transaction.flow.user.authenticator(challenge.authenticator_id)
    if authenticator is None or not _usable(transaction, authenticator):
        raise _rejected(403, "invalid_grant")
    tenant.challenges.drop(challenge.id)
    _passed(tenant, transaction, authenticator)


def _check_push(tenant: Tenant, challenge: OobChallenge, push: Push) -> None:
    """Return for an approved push; raises ``authorization_pending``, ``slow_down`` or rejection."""
    if push.status == "approved":
        return
    if push.status == "rejected":
        raise _rejected(400, "access_denied")
    now = tenant.clock.now()
    last, challenge.polled_at = challenge.polled_at, now
    if last is not None and now - last < challenge.poll_interval - _POLL_TOLERANCE:
        longer = challenge.poll_interval + _SECONDS_TO_SLOW_DOWN
        challenge.poll_interval = min(longer, _LONGEST_POLL_INTERVAL)
        raise Refused(400, "slow_down", "You are polling too quickly: please slow down.")
    text = "Authorization pending: please repeat the request in a few seconds."
    raise Refused(400, "authorization_pending", text)


def _rejected(status: int, error: str) -> Refused:
    """Return the answer to a rejected push or a wrong recovery code."""
    return Refused(status, error, "MFA Authorization rejected.")


def _passed(tenant: Tenant, transaction: MfaTransaction, authenticator: Authenticator) -> None:
    if not authenticator.active:
        confirm(transaction.flow.user, authenticator)
    transaction.flow.prove(authenticator.type, tenant.clock.now())
    tenant.transactions.drop(transaction.id)
