"""The parts of the extension in one application, and how the web edge reaches them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import current_app, has_request_context, request

from .client import Auth0Client
from .config import Settings
from .errors import MfaRequiredError, MfaVerifyError
from .flows import Proof, StepUpFlow
from .limits import Limits
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
    step_up: StepUpFlow
    sign_in: SignInFlow
    limits: Limits
    #: Authlib's client of the tenant.
    oauth: Any
    clock: Callable[[], float]
    #: The :class:`~flask_auth0_mfa.Auth0MFA` that built this.
    facade: Any

    def start(
        self,
        session: Auth0Session,
        context: MfaContext,
        chosen: Authenticator,
        *,
        resend: bool = False,
    ) -> MfaContext:
        """Check the limits, then start a challenge; the only way to a message or a push.

        Raises what :meth:`StepUpFlow.challenge` raises, and :class:`RateLimitedError`.
        """
        if self.step_up.will_send(context, chosen, resend=resend):
            user_id = str((session.user or {}).get("sub"))
            self.limits.count(self.limits.send_buckets(user_id, context.hash), user_id)
        return self.step_up.challenge(session, context, chosen, resend=resend)

    def verify(self, session: Auth0Session, context: MfaContext, proof: Proof) -> TokenResponse:
        """Check the limits, then prove the second factor; the only way to a grant.

        Raises what :meth:`StepUpFlow.verify` raises, and :class:`RateLimitedError`.
        """
        proof = proof.cleaned()
        if proof.is_push:
            return self.step_up.verify(session, context, proof)
        user_id = str((session.user or {}).get("sub"))
        buckets = self.limits.verify_buckets(
            user_id, context.hash, recovery=proof.recovery_code is not None
        )
        address = self.limits.address_bucket(_remote_address())
        self.limits.check([address], user_id)
        self.limits.count(buckets, user_id)
        try:
            response = self.step_up.verify(session, context, proof)
        except MfaVerifyError as error:
            self.limits.hit(address)
            error.attempts_left = self.limits.remaining(buckets)
            raise
        except MfaRequiredError:
            # This code was right; the tenant wants another factor after it.
            self.limits.clear(buckets)
            raise
        self.limits.clear(buckets)
        return response


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
