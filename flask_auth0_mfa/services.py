"""The parts of the extension in one application, and how the web edge reaches them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flask import current_app, has_request_context, request

from .client import Auth0Client
from .clock import AppClock
from .config import Settings
from .errors import (
    Auth0MFAError,
    Auth0ResponseError,
    Auth0UnavailableError,
    MfaEnrollmentError,
    MfaVerifyError,
    MfaVerifyPendingError,
    RateLimitedError,
)
from .flows import (
    ChallengeFlow,
    ContextFlow,
    DeviceFlow,
    EnrollmentFlow,
    Proof,
    Refusals,
    TokenFlow,
    VerificationFlow,
)
from .limits import Bucket, Limits
from .logins import Logins
from .models import Auth0Session, Authenticator, MfaContext, TokenResponse
from .sealing import Sealer
from .signin import SignInFlow

EXTENSION = "auth0_mfa"


@dataclass(frozen=True)
class Services:
    """What ``app.extensions["auth0_mfa"]`` holds."""

    settings: Settings
    client: Auth0Client
    sealer: Sealer
    contexts: ContextFlow
    tokens: TokenFlow
    challenges: ChallengeFlow
    verification: VerificationFlow
    enrollment: EnrollmentFlow
    refusals: Refusals
    devices: DeviceFlow
    sign_in: SignInFlow
    logins: Logins
    limits: Limits
    #: Authlib's client of the tenant.
    oauth: Any
    #: Connections to the APIs that views call: requests' adapter.
    api_adapter: Any
    clock: AppClock
    #: Listens for as long as it is held here; see :mod:`flask_auth0_mfa.eventlog`.
    event_log: Any
    #: The :class:`~flask_auth0_mfa.Auth0MFA` that built this.
    facade: Any

    def sign_out(self, session: Auth0Session) -> None:
        """End the session and revoke its refresh token, as far as Auth0 can be reached."""
        self.contexts.tell_of_abandoned(session, is_leaving=True)
        refresh_token = self.sign_in.sign_out(session)
        if refresh_token is not None:
            # The user is signed out here in any case; Auth0 lets the token lapse by itself.
            with suppress(Auth0MFAError, Auth0ResponseError):
                self.client.revoke(refresh_token)

    def start_challenge(
        self,
        session: Auth0Session,
        context: MfaContext,
        chosen: Authenticator,
        *,
        resend: bool = False,
        remember: bool | None = None,
    ) -> MfaContext:
        """Check the limits, then start a challenge; the only way to a message or a push.

        Raises what :meth:`ChallengeFlow.start` raises, and :class:`RateLimitedError`.
        """
        if self.challenges.will_send(context, chosen, resend=resend):
            user_id = str((session.user or {}).get("sub"))
            if chosen.method != "push":
                # A code that would not be accepted is not sent.
                self.limits.check([self.limits.row_bucket(user_id)], user_id)
            self.limits.count(self.limits.send_buckets(user_id, context.hash), user_id)
        return self.challenges.start(session, context, chosen, resend=resend, remember=remember)

    def may_send_again(self, session: Auth0Session, context: MfaContext) -> bool:
        """Tell whether the pause after a message or push is over."""
        user_id = str((session.user or {}).get("sub"))
        return self.limits.wait(self.limits.send_buckets(user_id, context.hash)) == 0

    def start_enrollment(
        self,
        session: Auth0Session,
        context: MfaContext,
        method: str,
        *,
        phone_number: str | None = None,
        email: str | None = None,
    ) -> MfaContext:
        """Check the limits, then begin to enroll a first factor.

        Raises what :meth:`EnrollmentFlow.start` raises, and :class:`RateLimitedError`.
        """
        self.enrollment.require_allowed(context, method)
        self.enrollment.require_address(method, phone_number, email)
        if self.enrollment.is_begun(context, method):
            return context
        user_id = str((session.user or {}).get("sub"))
        self.limits.count(self.limits.enroll_buckets(user_id), user_id)
        try:
            return self.enrollment.start(
                session, context, method, phone_number=phone_number, email=email
            )
        except MfaEnrollmentError:
            # The user may have added a method elsewhere, after the list was asked for.
            self.challenges.forget(session)
            raise

    def poll(self, session: Auth0Session, context: MfaContext) -> TokenResponse:
        """Check the limits, then ask whether the push was answered.

        Raises what :meth:`VerificationFlow.poll` raises.
        """
        return self._asked_phone(session, context, self.verification.proof_for_push(context))

    def _asked_phone(
        self, session: Auth0Session, context: MfaContext, proof: Proof
    ) -> TokenResponse:
        if self.verification.is_known(context, proof):
            return self.verification.verify(session, context, proof)
        self.contexts.usable(session, context)
        wait = self.verification.wait_before_asking(context)
        if wait:
            raise MfaVerifyPendingError(wait)
        user_id = str((session.user or {}).get("sub"))
        self.limits.count(self.limits.poll_buckets(context.hash), user_id)
        response = self.verification.poll(session, context, proof)
        self._forgive(user_id, context, [self.limits.row_bucket(user_id)])
        return response

    def verify(self, session: Auth0Session, context: MfaContext, proof: Proof) -> TokenResponse:
        """Check the limits, then prove the second factor; the only way to a grant.

        Raises what :meth:`VerificationFlow.verify` raises, and :class:`RateLimitedError`.
        """
        proof = proof.cleaned()
        if proof.is_push:
            return self._asked_phone(session, context, proof)
        if self.verification.is_known(context, proof):
            return self.verification.verify(session, context, proof)
        user_id = str((session.user or {}).get("sub"))
        is_recovery = proof.recovery_code is not None
        buckets = self.limits.verify_buckets(user_id, context.hash, recovery=is_recovery)
        address = self.limits.address_bucket(_remote_address())
        self.limits.check([address], user_id)
        try:
            self.limits.count(buckets, user_id)
        except RateLimitedError:
            self.contexts.offer_no_more(session, context)
            raise
        try:
            response = self.verification.verify(session, context, proof)
        except MfaVerifyError as error:
            self.limits.hit(address)
            error.attempts_left = self.limits.remaining(buckets)
            error.limit = self.limits.refusal(buckets)
            raise
        # Not after the first of several factors: who has that one alone could prove it again and
        # again, for as many guesses at the next.
        self._forgive(user_id, context, buckets)
        return response

    def _forgive(self, user_id: str, context: MfaContext, buckets: list[Bucket]) -> None:
        """Forget the tries of a user who has passed a check."""
        if context.chain:
            # The right codes of the factors before this one.
            buckets = [*buckets, self.limits.codes_bucket(user_id)]
        # The proof counts also when the storage is gone by now; the tries are then kept.
        with suppress(Auth0UnavailableError):
            self.limits.clear(buckets)


def services() -> Services:
    """Return the parts of the current application.

    Raises :class:`RuntimeError` when ``Auth0MFA(app)`` was not called for it.
    """
    try:
        found: Services = current_app.extensions[EXTENSION]
    except KeyError:
        raise RuntimeError(
            "This application has no Auth0MFA: call Auth0MFA(app) or mfa.init_app(app) first."
        ) from None
    return found


def _remote_address() -> str | None:
    # Only what the server itself says: a proxy's headers are the application's to trust, by
    # werkzeug's ProxyFix with the right number of hops (SEC-08).
    return request.remote_addr if has_request_context() else None
