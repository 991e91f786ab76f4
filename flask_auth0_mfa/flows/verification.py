"""Verification: how a proof of a second factor becomes tokens and a record."""

from __future__ import annotations

import logging
import math
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace

from .. import signals
from ..errors import (
    POLL_INTERVAL,
    POLL_STEP,
    Auth0MFAError,
    Auth0MfaRequired,
    Auth0ResponseError,
    Auth0UnavailableError,
    InsufficientScopeError,
    InvalidRequestError,
    MfaCodeExpiredError,
    MfaVerifyPendingError,
    StepUpUnavailableError,
    verify_error,
)
from ..i18n import marked
from ..memory import Name
from ..models import (
    EXPIRY_MARGIN,
    AccessToken,
    Auth0Session,
    Enrollment,
    MfaContext,
    TokenResponse,
    Verification,
    approval_key,
    scope_set,
)
from .challenges import ChallengeFlow
from .contexts import ContextFlow
from .parts import Parts, new_sid
from .proof import Proof
from .tokens import TokenFlow

logger = logging.getLogger("flask_auth0_mfa")

#: A check goes on with one more factor this often at most: Auth0 itself has four in one flow.
MAX_CHAIN = 3
#: How long the outcome of a code is remembered for the second press of the button (seconds).
DOUBLE_SUBMIT_TTL = 30


@dataclass(frozen=True)
class Accepted:
    """What Auth0 gave for a proof, and when.

    A second press of the button gets both: were its proof a later one, an approval that has been
    used by then would come back.
    """

    response: TokenResponse
    at: int


@dataclass(frozen=True)
class VerificationFlow:
    """Completes MFA grants."""

    parts: Parts
    contexts: ContextFlow
    tokens: TokenFlow
    challenges: ChallengeFlow

    def proof_for_code(self, context: MfaContext, code: str) -> Proof:
        """Return the proof that a typed code is, by the method that is shown or enrolled."""
        enrollment = context.enrollment
        if enrollment is not None and enrollment.oob_code is not None:
            return Proof(oob_code=enrollment.oob_code, binding_code=code)
        shown = self.challenges.shown(context)
        method = context.chosen_method or (shown.method if shown is not None else "otp")
        if enrollment is not None or method == "otp":
            return Proof(otp=code)
        if method == "recovery-code":
            return Proof(recovery_code=code)
        challenge = self.challenges.open_one(context, context.chosen)
        if challenge is None and context.challenge is not None:
            raise MfaCodeExpiredError()
        if challenge is None:
            raise InvalidRequestError(marked("No code was sent. Ask for a new one."))
        return Proof(oob_code=challenge.oob_code, binding_code=code)

    def proof_for_push(self, context: MfaContext) -> Proof:
        """Return the proof that the answer to the open push is."""
        begun = context.enrollment or context.challenge
        if begun is None or not context.waits_for_phone:
            raise InvalidRequestError(marked("No request was sent to the phone. Send one first."))
        return Proof(oob_code=begun.oob_code)

    def verify(self, session: Auth0Session, context: MfaContext, proof: Proof) -> TokenResponse:
        """Prove the second factor: tokens and record into the session, context closed.

        ``proof`` must be :meth:`Proof.cleaned`. Raises :class:`MfaVerifyError` for a wrong code
        (the context stays open), :class:`MfaRequiredError` when the tenant wants another factor
        and :class:`MfaVerifyPendingError` while a push is not answered.
        """
        method = self._method_of(context, proof)
        if not self._is_accepted(context, method):
            raise InvalidRequestError(marked("This method is not accepted here. Use another one."))
        outcome = self._outcome(context, proof)
        family = self.parts.family
        held = family.held(session.refresh_token) if session.refresh_token else nullcontext()
        with held as newest:
            accepted = self._accepted_before(outcome)
            is_first = accepted is None
            if accepted is None:
                session.refresh_token = newest
                response = self._granted(session, context, proof, method)
                if newest is not None:
                    family.rotated(newest, response.refresh_token)
                accepted = Accepted(response, self.parts.now())
                self._remember(outcome, context, accepted)
        response = accepted.response
        token = self._keep(session, context, accepted, method)
        if is_first:
            self._tell(session, context, method)
        if not scope_set(context.scope) <= scope_set(token.scope):
            raise InsufficientScopeError()
        self._require_lasting(token)
        return response

    def _require_lasting(self, token: AccessToken) -> None:
        """Raise for a token that is over before it can be used: its view would never open."""
        if token.expires_at - EXPIRY_MARGIN <= self.parts.clock():
            logger.error(
                "Auth0's access tokens for %s live %d s or less, too short to be used: raise the"
                " API's Token Expiration in the dashboard",
                token.audience,
                EXPIRY_MARGIN,
            )
            raise StepUpUnavailableError()

    def wait_before_asking(self, context: MfaContext) -> int:
        """Return the seconds until Auth0 may be asked about this push again; 0 for now.

        Counted over all tabs: Auth0 allows 12 exchanges a minute and session.
        """
        with self.parts.memory.locked(("poll", context.hash)):
            next_at, interval = self._last_poll(context)
            wait = next_at - self.parts.clock()
            if wait > 0:
                return math.ceil(wait)
            self._next_poll(context, interval)
        return 0

    def poll(self, session: Auth0Session, context: MfaContext, proof: Proof) -> TokenResponse:
        """Ask whether the push was answered; see :meth:`verify` for what it does and raises.

        Not before :meth:`wait_before_asking` is 0.
        """
        try:
            return self.verify(session, context, proof)
        except MfaVerifyPendingError as pending:
            interval = self._interval_after(context, pending)
            raise MfaVerifyPendingError(interval) from None

    def _interval_after(self, context: MfaContext, pending: MfaVerifyPendingError) -> int:
        """Return the interval from now on: each ``slow_down`` widens it (RFC 8628 section 3.5)."""
        _, interval = self._last_poll(context)
        if pending.interval > POLL_INTERVAL:
            interval += POLL_STEP
            self._next_poll(context, interval)
        return interval

    def _last_poll(self, context: MfaContext) -> tuple[float, int]:
        """Return when the next check may be made, and the interval between checks."""
        kept = self.parts.memory.get(("poll", context.hash))
        return (0.0, POLL_INTERVAL) if kept is None else (kept["next_at"], kept["interval"])

    def _next_poll(self, context: MfaContext, interval: int) -> None:
        kept = {"next_at": self.parts.clock() + interval, "interval": interval}
        self.parts.memory.put(("poll", context.hash), kept, self.parts.settings.mfa_context_ttl)

    @staticmethod
    def _is_accepted(context: MfaContext, method: str) -> bool:
        """Tell whether the view takes this method as a proof."""
        if context.methods is None:
            return True
        if context.enrollment is not None:
            # Tenant and view accepted it when it began to be added.
            return method == context.enrollment.method
        return context.allows(method)

    @staticmethod
    def _method_of(context: MfaContext, proof: Proof) -> str:
        """Return the method; refuse the ``oob_code`` of anything but what is open in this check."""
        if proof.otp is not None:
            return "otp"
        if proof.recovery_code is not None:
            return "recovery-code"
        begun = context.enrollment or context.challenge
        if begun is None or begun.oob_code != proof.oob_code:
            raise InvalidRequestError("This oob_code is not of this check's open challenge.")
        return begun.method

    def _granted(
        self, session: Auth0Session, context: MfaContext, proof: Proof, method: str
    ) -> TokenResponse:
        self.contexts.usable(session, context)
        self.parts.verifier.require_keys()
        try:
            return self.parts.client.mfa_grant(context.raw_mfa_token, **asdict(proof))
        except Auth0UnavailableError as failure:
            if session.refresh_token is not None:
                self.parts.family.rotated(session.refresh_token, failure.successor)
            session.refresh_token = failure.successor or session.refresh_token
            raise
        except Auth0MfaRequired as answer:
            raise self._next_factor(session, context, answer, method) from None
        except Auth0ResponseError as answer:
            error = verify_error(answer, is_push=method == "push")
            if not isinstance(error, MfaVerifyPendingError):
                self.parts.send(
                    signals.verify_failed,
                    session,
                    reason=error.error,
                    method=method,
                    context_id=context.id,
                )
            asked_phone = proof.is_push and context.waits_for_phone
            raise self.contexts.failed(session, context, error, asked_phone=asked_phone) from None

    def _next_factor(
        self, session: Auth0Session, context: MfaContext, answer: Auth0MfaRequired, method: str
    ) -> Auth0MFAError:
        """Go on with the next factor of a chain: a new context for the same target."""
        if answer.raw_mfa_token != context.raw_mfa_token:
            # Auth0's token is a new one for each factor, as far as is known; no promise says so.
            self.contexts.mark_used(context)
        session.close_context(context)
        before = session.targets.pop(context.id)
        if context.enrollment is not None:
            self.challenges.forget(session)
            code = _first_code(context.enrollment) or before.recovery_code
            before = replace(before, recovery_code=code)
            self._tell_of_method(session, context, context.enrollment.method)
        if context.chain + 1 > MAX_CHAIN:
            return StepUpUnavailableError()
        request = context.request
        if method == "recovery-code":
            request = replace(request, remember=None)
        return self.contexts.opened(
            session, request, answer, chain=context.chain + 1, before=before
        )

    def _keep(
        self, session: Auth0Session, context: MfaContext, accepted: Accepted, method: str
    ) -> AccessToken:
        """Put the tokens and the record into the session, and close the context."""
        response, proved = accepted.response, Verification(accepted.at, method)
        recovery_code = response.recovery_code
        if context.enrollment is not None:
            self.challenges.forget(session)
            recovery_code = _first_code(context.enrollment) or recovery_code
        session.close_context(context, verified=True, recovery_code=recovery_code)
        token = self.tokens.keep(session, response, context.audience, context.scope)
        session.verified[context.audience or ""] = proved
        if context.approval is not None:
            session.verified[approval_key(context)] = proved
        session.sid = new_sid()
        return token

    def _tell(self, session: Auth0Session, context: MfaContext, method: str) -> None:
        """Tell listeners of a proof; once, however often the button was pressed."""
        self.parts.send(
            signals.verified,
            session,
            method=method,
            audience=context.audience,
            seconds=max(0, self.parts.now() - context.opened_at),
            context_id=context.id,
        )
        if context.enrollment is not None:
            self._tell_of_method(session, context, method)

    def _tell_of_method(self, session: Auth0Session, context: MfaContext, method: str) -> None:
        self.parts.send(signals.enrolled, session, method=method, context_id=context.id)

    # -- the second press of the button ------------------------------------------------------

    def is_known(self, context: MfaContext, proof: Proof) -> bool:
        """Tell whether this very proof was accepted a moment ago."""
        return self._accepted_before(self._outcome(context, proof)) is not None

    @staticmethod
    def _outcome(context: MfaContext, proof: Proof) -> Name:
        return ("accepted", context.hash, *proof.fields)

    def _accepted_before(self, outcome: Name) -> Accepted | None:
        """Return what the first press of the button got, for the second one (UX-74)."""
        kept = self.parts.memory.get(outcome)
        return None if kept is None else Accepted(TokenResponse(**kept["tokens"]), kept["at"])

    def _remember(self, outcome: Name, context: MfaContext, accepted: Accepted) -> None:
        self.contexts.mark_used(context)
        kept = {"tokens": asdict(accepted.response), "at": accepted.at}
        self.parts.memory.put_if_up(outcome, kept, DOUBLE_SUBMIT_TTL)


def _first_code(enrollment: Enrollment) -> str | None:
    """Return the recovery code that came with a first method; Auth0 tells it once."""
    return next(iter(enrollment.recovery_codes), None)
