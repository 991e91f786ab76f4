"""The rules of step-up: which token opens what, and how a second factor is proved.

A flow takes the user's :class:`~flask_auth0_mfa.models.Auth0Session`, changes it, and returns a
model or raises an error. It knows neither Flask nor cookies. What was obtained is in the session
before an error is raised, so nothing is lost when one step fails.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import signals
from .client import Auth0Client
from .codes import CodeFormatError, CodeKind, clean_code
from .config import Settings
from .errors import (
    AudienceUnavailableError,
    Auth0MFAError,
    Auth0MfaRequired,
    Auth0ResponseError,
    InsufficientScopeError,
    InvalidRequestError,
    LoginRequiredError,
    MfaChallengeError,
    MfaListAuthenticatorsError,
    MfaNoAvailableFactorsError,
    MfaRequiredError,
    MfaTokenExpiredError,
    MfaTokenInvalidError,
    MfaTokenNotFoundError,
    MfaVerifyError,
    MfaVerifyPendingError,
    StepUpUnavailableError,
    UniversalLoginRequiredError,
    mfa_api_error,
    refresh_error,
    verify_error,
)
from .factors import is_out_of_band
from .models import (
    AccessToken,
    Auth0Session,
    Authenticator,
    Challenge,
    MfaContext,
    StepUpRequest,
    StepUpTarget,
    TokenResponse,
    Verification,
    scope_set,
)
from .refresh import TokenFamily
from .sealing import LOGIN, MFA_TOKEN, STATE, SealBrokenError, Sealer, SealExpiredError
from .state import SharedState
from .tokens import IdTokenVerifier, InvalidTokenError, is_for

logger = logging.getLogger("flask_auth0_mfa")

#: A chain of factors longer than this is a mistake of the tenant's policy.
MAX_CHAIN = 3
#: An open context is offered again for the same request while it has this long to live (seconds).
REUSE_MARGIN = 60
#: … and while fewer codes than this were wrong.
REUSE_ATTEMPTS = 3
#: A challenge that was sent is kept open for this long before choosing its method sends another.
CHALLENGE_TTL = 300
#: How long the outcome of a code is remembered for the second press of the button (seconds).
DOUBLE_SUBMIT_TTL = 30
USED_MARGIN = 60
LOGIN_TICKET_TTL = 300


@dataclass(frozen=True)
class Proof:
    """What a person gives to prove a second factor; one of the kinds of MFA grant."""

    otp: str | None = None
    oob_code: str | None = None
    binding_code: str | None = None
    recovery_code: str | None = None

    def __repr__(self) -> str:
        kinds = [name for name, value in asdict(self).items() if value is not None]
        return f"<Proof {'+'.join(kinds)}>"

    @property
    def is_push(self) -> bool:
        """Tell whether this asks for the answer to a push, which carries no code."""
        return self.oob_code is not None and self.binding_code is None

    def cleaned(self) -> Proof:
        """Return the proof with its codes as Auth0 expects them.

        Raises :class:`InvalidRequestError` for none, several, or a malformed one.
        """
        given = [kind for kind in ("otp", "oob_code", "recovery_code") if getattr(self, kind)]
        if len(given) != 1:
            raise InvalidRequestError(
                "Give exactly one of code, otp, oob_code (with binding_code) or recovery_code."
            )
        if self.otp:
            return Proof(otp=_clean("otp", "otp", self.otp))
        if self.recovery_code:
            return Proof(recovery_code=_clean("recovery-code", "recovery_code", self.recovery_code))
        if self.binding_code is None:
            return Proof(oob_code=self.oob_code)
        binding_code = _clean("message", "binding_code", self.binding_code)
        return Proof(oob_code=self.oob_code, binding_code=binding_code)


def _clean(kind: CodeKind, name: str, code: str) -> str:
    texts = {
        "empty": f"{name} is empty.",
        "characters": f"{name} has characters that no code has.",
        "length": f"{name} has the wrong length.",
    }
    try:
        return clean_code(kind, code)
    except CodeFormatError as error:
        raise InvalidRequestError(texts[error.reason]) from None


@dataclass(frozen=True)
class StepUpFlow:
    """Step-up for one application; ``sender`` is what signals are sent from."""

    settings: Settings
    client: Auth0Client
    sealer: Sealer
    state: SharedState
    family: TokenFamily
    verifier: IdTokenVerifier
    clock: Callable[[], float]
    sender: Any

    # -- access tokens -----------------------------------------------------------------------

    def access_token(
        self, session: Auth0Session, request: StepUpRequest, *, refresh: bool = False
    ) -> AccessToken:
        """Return the stored token for the request, else one by the refresh grant.

        Raises :class:`MfaRequiredError` when the tenant wants a second factor first; the session
        then holds an MFA context for it.
        """
        self._require_user(session)
        audience = request.audience or self.settings.audience
        stored = session.token_for(audience, request.scope, self.clock())
        if stored is not None and not refresh:
            return stored
        return self._refreshed(session, replace(request, audience=audience), force=refresh)

    def require(self, session: Auth0Session, request: StepUpRequest) -> AccessToken:
        """Return the token that opens a guarded view.

        It is for exactly that audience, has the scope, and there is a recorded verification that
        is fresh enough. Raises :class:`MfaRequiredError` to get one, or
        :class:`UniversalLoginRequiredError` where the tenant asked for no second factor.
        """
        self._require_user(session)
        audience = request.audience or self.settings.audience
        if audience is None:
            raise StepUpUnavailableError("A guarded view needs an audience.")
        request = replace(request, audience=audience)
        is_verified = self._verification(session, request) is not None
        stored = session.token_for(audience, request.scope, self.clock())
        if stored is not None and is_verified:
            return stored
        self._offer_open_context(session, request)
        try:
            token = self._refreshed(session, request, force=not is_verified)
        except AudienceUnavailableError:
            raise self._universal_login(session, request) from None
        if self.settings.stepup_trust_tenant and not is_verified:
            session.verified[audience] = Verification(int(self.clock()), "tenant")
        if self._verification(session, request) is None:
            raise self._universal_login(session, request)
        return token

    def _verification(self, session: Auth0Session, request: StepUpRequest) -> Verification | None:
        max_age = request.max_age or self.settings.stepup_max_age
        return session.verification_for(
            request.audience or "", max_age, request.methods, self.clock()
        )

    def _require_user(self, session: Auth0Session) -> None:
        if session.user is None:
            raise LoginRequiredError()

    def _refreshed(
        self,
        session: Auth0Session,
        request: StepUpRequest,
        *,
        force: bool,
        chosen: str | None = None,
    ) -> AccessToken:
        if session.refresh_token is None:
            raise LoginRequiredError()
        # Asking for what is granted already as well keeps one token for all views of an API.
        scope = request.scope and " ".join(
            sorted(scope_set(request.scope) | session.granted_scope(request.audience))
        )
        try:
            response, was_asked = self.family.refresh(
                session.refresh_token, request.audience, scope, force=force
            )
        except Auth0MfaRequired as answer:
            raise self._opened(session, request, scope, answer, chosen=chosen) from None
        except Auth0ResponseError as answer:
            error = refresh_error(answer)
            if isinstance(error, LoginRequiredError):
                session.forget_tokens()
            raise error from None
        token = self._keep(session, response, request.audience, scope)
        if was_asked:
            self._send(
                signals.token_refreshed, session, audience=request.audience, scope=token.scope
            )
        if not scope_set(request.scope) <= scope_set(token.scope):
            raise InsufficientScopeError()
        return token

    def _keep(
        self,
        session: Auth0Session,
        response: TokenResponse,
        audience: str | None,
        scope: str | None,
    ) -> AccessToken:
        """Store every token of the answer; the rotated refresh token first of all."""
        if response.refresh_token is not None:
            session.refresh_token = response.refresh_token
        subject = (session.user or {}).get("sub")
        if response.id_token is not None:
            self._check_id_token(session, response.id_token, subject)
        if audience is not None and not is_for(response.access_token, audience, subject):
            logger.error(
                "Auth0 answered with an access token for another audience than %s: add it to the "
                "application's multi-resource refresh token policies",
                audience,
            )
            raise AudienceUnavailableError()
        token = AccessToken(
            token=response.access_token,
            audience=audience,
            # RFC 6749 section 5.1: a missing scope is the requested one.
            scope=response.scope if response.scope is not None else scope or "",
            expires_at=int(self.clock()) + response.expires_in,
        )
        session.keep_token(token)
        return token

    def _check_id_token(self, session: Auth0Session, id_token: str, subject: str | None) -> None:
        try:
            self.verifier.verify(id_token, subject=subject)
        except InvalidTokenError as error:
            # Tokens for somebody else, or from somebody else: end the session's use of them.
            logger.error("An ID token from the token endpoint was refused: %s", error)
            session.forget_tokens()
            raise LoginRequiredError() from None

    # -- contexts ----------------------------------------------------------------------------

    def _offer_open_context(self, session: Auth0Session, request: StepUpRequest) -> None:
        """Raise for a context that waits for this very request already, rather than open two."""
        for context in session.contexts.values():
            lives_on = context.expires_at - REUSE_MARGIN > self.clock()
            if context.answers(request) and lives_on and context.attempts < REUSE_ATTEMPTS:
                raise self._required(context)

    def _opened(
        self,
        session: Auth0Session,
        request: StepUpRequest,
        scope: str | None,
        answer: Auth0MfaRequired,
        *,
        chain: int = 0,
        chosen: str | None = None,
    ) -> Auth0MFAError:
        if answer.raw_mfa_token is None:
            return self._universal_login(session, request)
        now = int(self.clock())
        context = MfaContext(
            raw_mfa_token=answer.raw_mfa_token,
            opened_at=now,
            expires_at=now + self.settings.mfa_context_ttl,
            sid=session.sid or "",
            audience=request.audience,
            scope=scope,
            mfa_requirements=answer.mfa_requirements,
            return_to=request.return_to,
            reason=request.reason,
            methods=request.methods,
            chain=chain,
            chosen=chosen,
        )
        session.prune(now)
        session.open_context(context)
        self._send(
            signals.mfa_required,
            session,
            audience=context.audience,
            scope=context.scope,
            context_id=context.id,
        )
        return self._required(context)

    def _required(self, context: MfaContext) -> MfaRequiredError:
        return MfaRequiredError(self.sealed_token(context), context.mfa_requirements, context.id)

    def sealed_token(self, context: MfaContext) -> str:
        """Return the ``mfa_token`` that clients get: names the context, holds no raw token."""
        content = {"hash": context.hash, "sid": context.sid}
        return self.sealer.seal(MFA_TOKEN, content, context.expires_at)

    def _universal_login(
        self, session: Auth0Session, request: StepUpRequest
    ) -> UniversalLoginRequiredError:
        ticket = {
            "audience": request.audience,
            "scope": request.scope,
            "max_age": request.max_age or self.settings.stepup_max_age,
            "return_to": request.return_to,
            "sid": session.sid,
        }
        expires_at = int(self.clock()) + LOGIN_TICKET_TTL
        return UniversalLoginRequiredError(self.sealer.seal(LOGIN, ticket, expires_at))

    def context_for_token(self, session: Auth0Session, mfa_token: str) -> MfaContext:
        """Return the open context that a sealed ``mfa_token`` names.

        Raises one of :class:`MfaTokenInvalidError`, :class:`MfaTokenExpiredError` and
        :class:`MfaTokenNotFoundError`.
        """
        try:
            content = self.sealer.open(MFA_TOKEN, mfa_token)
            has_expired = False
        except SealExpiredError as expired:
            content, has_expired = expired.content, True
        except SealBrokenError:
            raise MfaTokenInvalidError() from None
        if session.sid is not None and content.get("sid") not in session.sids:
            raise MfaTokenInvalidError()
        if has_expired:
            raise MfaTokenExpiredError()
        context = session.contexts.get(str(content.get("hash")))
        return self._usable_context(context, MfaTokenNotFoundError())

    def context_for_page(self, session: Auth0Session, identifier: str | None) -> MfaContext:
        """Return the open context with this page id, or the newest one without an id.

        Raises :class:`MfaTokenExpiredError` for one whose time is over and
        :class:`MfaTokenNotFoundError` for one that this session does not know.
        """
        if not identifier:
            return self._usable_context(session.newest_context(), MfaTokenNotFoundError())
        missing: MfaTokenExpiredError | MfaTokenNotFoundError = MfaTokenNotFoundError()
        target = session.targets.get(identifier)
        if target is not None and not target.verified:
            missing = MfaTokenExpiredError()
            missing.context_id = identifier
        return self._usable_context(session.find_context(identifier), missing)

    def _usable_context(
        self, context: MfaContext | None, missing: MfaTokenExpiredError | MfaTokenNotFoundError
    ) -> MfaContext:
        if context is None:
            raise missing
        if context.expires_at <= self.clock():
            error = MfaTokenExpiredError()
            error.context_id = context.id
            raise error
        if self.state.get(self.sealer.name("used", context.hash)) is not None:
            raise MfaTokenNotFoundError()
        return context

    def restart(self, session: Auth0Session, identifier: str) -> StepUpTarget:
        """Start a timed-out check again: same target, same way.

        Returns the target when no second factor is wanted any more; otherwise raises
        :class:`MfaRequiredError` with the new context.
        """
        self._require_user(session)
        target = session.targets.get(identifier)
        if target is None:
            raise MfaTokenNotFoundError()
        before = session.find_context(identifier)
        if before is not None:
            session.close_context(before)
        request = StepUpRequest(
            audience=target.audience,
            scope=target.scope,
            reason=target.reason,
            methods=target.methods,
            return_to=target.return_to,
        )
        if not target.verified:
            self._refreshed(session, request, force=True, chosen=target.chosen)
        return target

    # -- authenticators and challenges -------------------------------------------------------

    def authenticators(self, session: Auth0Session, context: MfaContext) -> MfaContext:
        """Return the context with the user's authenticators, asking Auth0 once per context."""
        if context.authenticators is not None:
            return context
        try:
            listed = self.client.authenticators(context.raw_mfa_token)
        except Auth0ResponseError as answer:
            raise self._failed(
                session, context, mfa_api_error(answer, MfaListAuthenticatorsError)
            ) from None
        context = replace(context, authenticators=listed)
        session.replace_context(context)
        return context

    def pick(
        self, context: MfaContext, authenticator_id: str | None, challenge_type: str | None = None
    ) -> Authenticator:
        """Return one of the context's usable authenticators (SEC-67).

        Without an id it is the strongest whose ``challenge_type`` (``otp`` or ``oob``, or both
        with a space between) is asked for. Raises :class:`InvalidRequestError` for another id
        and :class:`MfaNoAvailableFactorsError` when there is none.
        """
        if authenticator_id is not None:
            for one in context.usable:
                if one.id == authenticator_id:
                    return one
            raise InvalidRequestError("This method cannot be used here. Choose one from the list.")
        wanted = (challenge_type or "otp oob").split()
        for one in context.usable:
            if ("oob" if is_out_of_band(one.method) else one.method) in wanted:
                return one
        raise MfaNoAvailableFactorsError()

    def will_send(self, context: MfaContext, chosen: Authenticator, *, resend: bool) -> bool:
        """Tell whether starting this challenge sends a message or a push."""
        if not is_out_of_band(chosen.method):
            return False
        return resend or self.open_challenge(context, chosen) is None

    def challenge(
        self,
        session: Auth0Session,
        context: MfaContext,
        chosen: Authenticator,
        *,
        resend: bool = False,
    ) -> MfaContext:
        """Start a challenge; one that is open for the same authenticator is kept.

        Codes from an app and recovery codes need no call to Auth0.
        """
        if not self.will_send(context, chosen, resend=resend):
            return self._shown(session, context, chosen)
        try:
            challenge = self.client.challenge(context.raw_mfa_token, chosen.method, chosen.id)
        except Auth0ResponseError as answer:
            raise self._failed(session, context, mfa_api_error(answer, MfaChallengeError)) from None
        context = replace(context, challenge=challenge)
        self._send(signals.challenge_sent, session, method=chosen.method, context_id=context.id)
        return self._shown(session, context, chosen)

    def challenge_answer(self, context: MfaContext, chosen: Authenticator) -> dict[str, str]:
        """Return Auth0's fields of the challenge that is open for this authenticator."""
        challenge = self.open_challenge(context, chosen)
        if challenge is None:
            return {"challenge_type": chosen.method}
        answer = {"challenge_type": challenge.challenge_type}
        if challenge.oob_code is not None:
            answer["oob_code"] = challenge.oob_code
        if challenge.binding_method is not None:
            answer["binding_method"] = challenge.binding_method
        return answer

    def open_challenge(self, context: MfaContext, chosen: Authenticator) -> Challenge | None:
        """Return the challenge that is open for this authenticator, if its code still lives."""
        challenge = context.challenge
        if challenge is None or challenge.authenticator_id != chosen.id:
            return None
        return challenge if self.clock() < challenge.sent_at + CHALLENGE_TTL else None

    def _shown(
        self, session: Auth0Session, context: MfaContext, chosen: Authenticator
    ) -> MfaContext:
        context = replace(context, chosen=chosen.id)
        session.replace_context(context)
        target = session.targets.get(context.id)
        if target is not None and target.chosen != chosen.id:
            session.targets[context.id] = replace(target, chosen=chosen.id)
        return context

    # -- verification ------------------------------------------------------------------------

    def proof_for_code(self, context: MfaContext, code: str) -> Proof:
        """Return the proof that a typed code is, by the method that is shown."""
        chosen = self.shown(context)
        method = chosen.method if chosen is not None else "otp"
        if method == "recovery-code":
            return Proof(recovery_code=code)
        if chosen is not None and is_out_of_band(method):
            challenge = self.open_challenge(context, chosen)
            if challenge is None:
                raise InvalidRequestError("No code was sent. Ask for a new one.")
            return Proof(oob_code=challenge.oob_code, binding_code=code)
        return Proof(otp=code)

    def shown(self, context: MfaContext) -> Authenticator | None:
        """Return the authenticator whose page is shown: the chosen one, or the only one."""
        usable = context.usable
        if context.chosen is not None:
            return next((a for a in usable if a.id == context.chosen), None)
        return usable[0] if len(usable) == 1 else None

    def verify(self, session: Auth0Session, context: MfaContext, proof: Proof) -> TokenResponse:
        """Prove the second factor: tokens and record into the session, context closed.

        ``proof`` must be :meth:`Proof.cleaned`. Raises :class:`MfaVerifyError` for a wrong code
        (the context stays open), :class:`MfaRequiredError` when the tenant wants another factor.
        """
        method = self._method_of(context, proof)
        if context.methods is not None and not context.allows(method):
            raise InvalidRequestError("This method is not accepted here. Use another one.")
        outcome = self.sealer.name("outcome", context.hash, *_parts(proof))
        family = self.family.held(session.refresh_token) if session.refresh_token else None
        with family or nullcontext() as newest:
            response = self._twin(outcome)
            if response is None:
                if newest is not None:
                    session.refresh_token = newest
                response = self._granted(session, context, proof, method)
                if newest is not None:
                    self.family.rotated(newest, response.refresh_token)
                self._remember(outcome, context, response)
        return self._verified(session, context, response, method)

    def _method_of(self, context: MfaContext, proof: Proof) -> str:
        if proof.otp is not None:
            return "otp"
        if proof.recovery_code is not None:
            return "recovery-code"
        challenge = context.challenge
        return challenge.method if challenge is not None else "oob"

    def _granted(
        self, session: Auth0Session, context: MfaContext, proof: Proof, method: str
    ) -> TokenResponse:
        self._usable_context(context, MfaTokenNotFoundError())
        try:
            return self.client.mfa_grant(context.raw_mfa_token, **asdict(proof))
        except Auth0MfaRequired as answer:
            raise self._next_factor(session, context, answer) from None
        except Auth0ResponseError as answer:
            error = verify_error(answer)
            if not isinstance(error, MfaVerifyPendingError):
                self._send(
                    signals.verify_failed,
                    session,
                    reason=error.error,
                    method=method,
                    context_id=context.id,
                )
            raise self._failed(session, context, error) from None

    def _next_factor(
        self, session: Auth0Session, context: MfaContext, answer: Auth0MfaRequired
    ) -> Auth0MFAError:
        """Go on with the next factor of a chain: a new context for the same target."""
        session.close_context(context)
        session.targets.pop(context.id, None)
        if context.chain + 1 > MAX_CHAIN:
            return StepUpUnavailableError()
        request = StepUpRequest(
            audience=context.audience,
            scope=context.scope,
            reason=context.reason,
            methods=context.methods,
            return_to=context.return_to,
        )
        return self._opened(session, request, context.scope, answer, chain=context.chain + 1)

    def _failed(
        self, session: Auth0Session, context: MfaContext, error: Auth0MFAError
    ) -> Auth0MFAError:
        """Write down what a refused call means for the context."""
        if isinstance(error, MfaTokenExpiredError):
            error.context_id = context.id
            session.close_context(context)
        elif isinstance(error, MfaVerifyError):
            session.replace_context(replace(context, attempts=context.attempts + 1))
        return error

    def _verified(
        self,
        session: Auth0Session,
        context: MfaContext,
        response: TokenResponse,
        method: str,
    ) -> TokenResponse:
        now = int(self.clock())
        session.close_context(context, verified=True, recovery_code=response.recovery_code)
        self._mark_used(context)
        token = self._keep(session, response, context.audience, context.scope)
        session.verified[context.audience or ""] = Verification(now, method)
        session.renew_sid(new_sid(), now)
        self._send(
            signals.verified,
            session,
            method=method,
            audience=context.audience,
            context_id=context.id,
        )
        if not scope_set(context.scope) <= scope_set(token.scope):
            raise InsufficientScopeError()
        return response

    def _mark_used(self, context: MfaContext) -> None:
        """Remember that the context is spent: an old cookie must not bring it back (SEC-42)."""
        remaining = context.expires_at - int(self.clock()) + USED_MARGIN
        self.state.put(self.sealer.name("used", context.hash), "1", remaining)

    def _twin(self, outcome: str) -> TokenResponse | None:
        """Return what the first press of the button got, for the second one."""
        sealed = self.state.get(outcome)
        if sealed is None:
            return None
        try:
            return TokenResponse(**self.sealer.open(STATE, sealed))
        except (SealBrokenError, SealExpiredError, TypeError):
            return None

    def _remember(self, outcome: str, context: MfaContext, response: TokenResponse) -> None:
        self._mark_used(context)
        expires_at = int(self.clock()) + DOUBLE_SUBMIT_TTL
        self.state.put(
            outcome, self.sealer.seal(STATE, asdict(response), expires_at), DOUBLE_SUBMIT_TTL
        )

    def _send(self, signal: Any, session: Auth0Session, **arguments: Any) -> None:
        signal.send(self.sender, user_id=(session.user or {}).get("sub"), **arguments)


def _parts(proof: Proof) -> tuple[str, ...]:
    return tuple(f"{name}={value}" for name, value in asdict(proof).items() if value)


def new_sid() -> str:
    """Return a new session id with 192 random bits (ASVS 7.2.3 asks for 128)."""
    return secrets.token_urlsafe(24)
