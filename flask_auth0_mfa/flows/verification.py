"""Verification: how a proof of a second factor becomes tokens and a record."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import asdict, dataclass

from .. import signals
from ..errors import (
    POLL_INTERVAL,
    Auth0MFAError,
    Auth0MfaRequired,
    Auth0ResponseError,
    InsufficientScopeError,
    InvalidRequestError,
    MfaVerifyPendingError,
    StepUpUnavailableError,
    verify_error,
)
from ..factors import is_out_of_band
from ..models import Auth0Session, MfaContext, TokenResponse, Verification, scope_set
from ..sealing import STATE, SealBrokenError, SealExpiredError
from .challenges import ChallengeFlow
from .contexts import ContextFlow
from .parts import Parts, new_sid
from .proof import Proof
from .tokens import TokenFlow

#: A chain of factors longer than this is a mistake of the tenant's policy.
MAX_CHAIN = 3
#: How long the outcome of a code is remembered for the second press of the button (seconds).
DOUBLE_SUBMIT_TTL = 30


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
        chosen = self.challenges.shown(context)
        if enrollment is not None or chosen is None or chosen.method == "otp":
            return Proof(otp=code)
        if chosen.method == "recovery-code":
            return Proof(recovery_code=code)
        challenge = self.challenges.open_one(context, chosen)
        if challenge is None:
            raise InvalidRequestError("No code was sent. Ask for a new one.")
        return Proof(oob_code=challenge.oob_code, binding_code=code)

    def proof_for_push(self, context: MfaContext) -> Proof:
        """Return the proof that the answer to the open push is."""
        waiting = context.enrollment or context.challenge
        if waiting is None or waiting.oob_code is None or waiting.binding_method == "prompt":
            raise InvalidRequestError("No request was sent to the phone. Send one first.")
        return Proof(oob_code=waiting.oob_code)

    def verify(self, session: Auth0Session, context: MfaContext, proof: Proof) -> TokenResponse:
        """Prove the second factor: tokens and record into the session, context closed.

        ``proof`` must be :meth:`Proof.cleaned`. Raises :class:`MfaVerifyError` for a wrong code
        (the context stays open), :class:`MfaRequiredError` when the tenant wants another factor
        and :class:`MfaVerifyPendingError` while a push is not answered.
        """
        method = self._method_of(context, proof)
        if context.methods is not None and not context.allows(method):
            raise InvalidRequestError("This method is not accepted here. Use another one.")
        outcome = self.parts.sealer.name("outcome", context.hash, *proof.fields)
        family = self.parts.family
        held = family.held(session.refresh_token) if session.refresh_token else nullcontext()
        with held as newest:
            response = self._twin(outcome)
            if response is None:
                session.refresh_token = newest
                response = self._granted(session, context, proof, method)
                if newest is not None:
                    family.rotated(newest, response.refresh_token)
                self._remember(outcome, context, response)
        return self._verified(session, context, response, method)

    def wait_before_asking(self, context: MfaContext) -> int:
        """Return the seconds until Auth0 may be asked about this push again; 0 for now.

        Counted over all tabs: Auth0 allows 12 exchanges a minute and session.
        """
        name = self.parts.sealer.name("poll", context.hash)
        with self.parts.state.locked(name):
            next_at, interval = self._last_poll(name)
            wait = next_at - self.parts.clock()
            if wait > 0:
                return math.ceil(wait)
            self._next_poll(name, interval)
        return 0

    def poll(self, session: Auth0Session, context: MfaContext) -> TokenResponse:
        """Ask whether the push was answered; see :meth:`verify` for what it does and raises."""
        self.contexts.usable(context)
        wait = self.wait_before_asking(context)
        if wait:
            raise MfaVerifyPendingError(wait)
        try:
            return self.verify(session, context, self.proof_for_push(context))
        except MfaVerifyPendingError as pending:
            if pending.interval > POLL_INTERVAL:
                self._next_poll(self.parts.sealer.name("poll", context.hash), pending.interval)
            raise

    def _last_poll(self, name: str) -> tuple[float, int]:
        """Return when the next check may be made, and the interval between checks."""
        try:
            next_at, interval = (self.parts.state.get(name) or "").split()
            return float(next_at), int(interval)
        except ValueError:
            return 0.0, POLL_INTERVAL

    def _next_poll(self, name: str, interval: int) -> None:
        ttl = self.parts.settings.mfa_context_ttl
        self.parts.state.put(name, f"{self.parts.clock() + interval} {interval}", ttl)

    def _method_of(self, context: MfaContext, proof: Proof) -> str:
        if proof.otp is not None:
            return "otp"
        if proof.recovery_code is not None:
            return "recovery-code"
        if context.enrollment is not None:
            return context.enrollment.method
        return context.challenge.method if context.challenge is not None else "oob"

    def _granted(
        self, session: Auth0Session, context: MfaContext, proof: Proof, method: str
    ) -> TokenResponse:
        self.contexts.usable(context)
        try:
            return self.parts.client.mfa_grant(context.raw_mfa_token, **asdict(proof))
        except Auth0MfaRequired as answer:
            raise self._next_factor(session, context, answer) from None
        except Auth0ResponseError as answer:
            error = verify_error(answer)
            if not isinstance(error, MfaVerifyPendingError):
                self.parts.send(
                    signals.verify_failed,
                    session,
                    reason=error.error,
                    method=method,
                    context_id=context.id,
                )
            raise self.contexts.failed(session, context, error) from None

    def _next_factor(
        self, session: Auth0Session, context: MfaContext, answer: Auth0MfaRequired
    ) -> Auth0MFAError:
        """Go on with the next factor of a chain: a new context for the same target."""
        self.contexts.mark_used(context)
        session.close_context(context)
        session.targets.pop(context.id, None)
        if context.chain + 1 > MAX_CHAIN:
            return StepUpUnavailableError()
        return self.contexts.opened(session, context.request, answer, chain=context.chain + 1)

    def _verified(
        self, session: Auth0Session, context: MfaContext, response: TokenResponse, method: str
    ) -> TokenResponse:
        now = self.parts.now()
        recovery_code = response.recovery_code
        if context.enrollment is not None and context.enrollment.recovery_codes:
            recovery_code = context.enrollment.recovery_codes[0]
        session.close_context(context, verified=True, recovery_code=recovery_code)
        token = self.tokens.keep(session, response, context.audience, context.scope)
        session.verified[context.audience or ""] = Verification(now, method)
        session.renew_sid(new_sid(), now)
        self.parts.send(
            signals.verified,
            session,
            method=method,
            audience=context.audience,
            context_id=context.id,
        )
        if not scope_set(context.scope) <= scope_set(token.scope):
            raise InsufficientScopeError()
        return response

    # -- the second press of the button ------------------------------------------------------

    def _twin(self, outcome: str) -> TokenResponse | None:
        """Return what the first press of the button got, for the second one (UX-74)."""
        sealed = self.parts.state.get(outcome)
        if sealed is None:
            return None
        try:
            return TokenResponse(**self.parts.sealer.open(STATE, sealed))
        except (SealBrokenError, SealExpiredError, TypeError):
            return None

    def _remember(self, outcome: str, context: MfaContext, response: TokenResponse) -> None:
        self.contexts.mark_used(context)
        expires_at = self.parts.now() + DOUBLE_SUBMIT_TTL
        sealed = self.parts.sealer.seal(STATE, asdict(response), expires_at)
        self.parts.state.put(outcome, sealed, DOUBLE_SUBMIT_TTL)


def is_waiting_for_phone(context: MfaContext) -> bool:
    """Tell whether the open challenge or enrollment is answered on the phone, without a code."""
    waiting = context.enrollment or context.challenge
    return (
        waiting is not None
        and waiting.oob_code is not None
        and is_out_of_band(waiting.method)
        and waiting.binding_method != "prompt"
    )
