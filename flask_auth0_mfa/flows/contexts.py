"""MFA contexts: how a refused refresh becomes one, who may use it, and how it ends."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from .. import signals
from ..errors import (
    AccessDeniedError,
    Auth0MFAError,
    Auth0MfaRequired,
    Auth0UnavailableError,
    MfaDeclinedError,
    MfaRequiredError,
    MfaTokenError,
    MfaTokenExpiredError,
    MfaTokenInvalidError,
    MfaTokenNotFoundError,
    MfaVerifyError,
    StepUpUnavailableError,
    UniversalLoginRequiredError,
)
from ..models import (
    TARGET_TTL,
    Auth0Session,
    Challenge,
    MfaContext,
    StepUpRequest,
    StepUpTarget,
    context_id,
)
from ..sealing import LOGIN, MFA_TOKEN, SealBrokenError, SealExpiredError
from ..secret import Secret
from .parts import Parts

#: An open context is offered again for the same request while it has this long to live (seconds).
REUSE_MARGIN = 60
#: … and while fewer codes than this were wrong.
REUSE_ATTEMPTS = 3
LOGIN_TICKET_TTL = 300
#: How long a spent context is remembered after its end (SEC-42), in seconds.
USED_MARGIN = 60


@dataclass(frozen=True)
class ContextFlow:
    """Opens, finds and closes contexts."""

    parts: Parts

    # -- opening -----------------------------------------------------------------------------

    def opened(
        self,
        session: Auth0Session,
        request: StepUpRequest,
        answer: Auth0MfaRequired,
        *,
        chain: int = 0,
        chosen: str | None = None,
        before: StepUpTarget | None = None,
    ) -> Auth0MFAError:
        """Open a context for Auth0's ``mfa_required`` and return the error that names it.

        :param chain: how many factors were proved before in the same check.
        :param chosen: the authenticator whose page comes first.
        :param before: the target of the check that this one goes on with: a form that waits to be
            sent, a recovery code that waits to be saved.
        """
        if answer.raw_mfa_token is None:
            return self.universal_login(session, request)
        now = self.parts.now()
        context = MfaContext(
            raw_mfa_token=answer.raw_mfa_token,
            opened_at=now,
            expires_at=now + self.parts.settings.mfa_context_ttl,
            login_id=session.login_id or "",
            audience=request.audience,
            scope=request.scope,
            mfa_requirements=answer.mfa_requirements,
            return_to=request.return_to,
            reason=request.reason,
            methods=request.methods,
            approval=request.approval,
            remember=request.remember,
            chain=chain,
            chosen=chosen,
        )
        self.tell_of_abandoned(session)
        session.prune(now)
        session.open_context(context)
        self._remember_raw_token(context)
        if before is not None:
            session.targets[context.id] = replace(
                session.targets[context.id], form=before.form, recovery_code=before.recovery_code
            )
        self.parts.send(
            signals.mfa_required,
            session,
            audience=context.audience,
            scope=context.scope,
            context_id=context.id,
        )
        return self.required(context)

    def offer_open_one(self, session: Auth0Session, request: StepUpRequest) -> None:
        """Raise for a context that waits for this very request already, rather than open two."""
        for context in session.contexts.values():
            lives_on = context.expires_at - REUSE_MARGIN > self.parts.clock()
            is_good = context.attempts < REUSE_ATTEMPTS and not self.is_used(context)
            if context.answers(request) and lives_on and is_good and self._has_raw_token(context):
                raise self.required(context)

    def offer_no_more(self, session: Auth0Session, context: MfaContext) -> None:
        """Let the next request for the same thing open another context: this one is used up.

        Also codes that Auth0 could not check were counted, so the attempts do not tell.
        """
        attempts = max(context.attempts, REUSE_ATTEMPTS)
        session.replace_context(replace(context, attempts=attempts))

    def required(self, context: MfaContext) -> MfaRequiredError:
        """Return the error that sends a person or program to this context."""
        return MfaRequiredError(self.sealed_token(context), context.mfa_requirements, context.id)

    def sealed_token(self, context: MfaContext) -> str:
        """Return the ``mfa_token`` that clients get: names the context, holds no raw token."""
        content = {"hash": context.hash, "login": context.login_id}
        return self.parts.sealer.seal(MFA_TOKEN, content, context.expires_at)

    def universal_login(
        self, session: Auth0Session, request: StepUpRequest, context_id: str | None = None
    ) -> StepUpUnavailableError:
        """Return the error that sends a person through Universal Login for a second factor.

        It says that there was one, not which (``amr`` is ``mfa``): where the view accepts certain
        methods only, that would lead in circles, so the check cannot be done; and nobody can
        approve a text there.
        """
        if request.methods is not None or request.approval is not None:
            return StepUpUnavailableError()
        ticket = self.login_ticket(session, request, step_up=True, context_id=context_id)
        return UniversalLoginRequiredError(ticket)

    def login_ticket(
        self,
        session: Auth0Session,
        request: StepUpRequest,
        *,
        step_up: bool,
        context_id: str | None = None,
    ) -> str:
        """Return the sealed parameter of a login that a guard asks for.

        With ``step_up`` it must bring a second factor, else only a fresh first one. The check with
        the ``context_id`` may have kept a form, which the user finds again after the login.
        """
        ticket = {
            "step_up": step_up,
            "audience": request.audience,
            "scope": request.scope,
            "max_age": request.max_age or self.parts.settings.stepup_max_age,
            "return_to": request.return_to,
            "login": session.login_id,
            "context": context_id,
        }
        return self.parts.sealer.seal(LOGIN, ticket, self.parts.now() + LOGIN_TICKET_TTL)

    # -- finding -----------------------------------------------------------------------------

    def for_token(
        self, session: Auth0Session, mfa_token: str, *, maybe_spent: bool = False
    ) -> MfaContext:
        """Return the open context that a sealed ``mfa_token`` names.

        :param maybe_spent: see :meth:`usable`.

        Raises one of :class:`MfaTokenInvalidError`, :class:`MfaTokenExpiredError` and
        :class:`MfaTokenNotFoundError`.
        """
        if not isinstance(mfa_token, str):
            # A view may hand on a field of a JSON body, where there is anything or nothing.
            raise self.refused(session, MfaTokenInvalidError(), "tampered")
        try:
            content = self.parts.sealer.open(MFA_TOKEN, mfa_token)
            has_expired = False
        except SealExpiredError as expired:
            content, has_expired = expired.content, True
        except SealBrokenError:
            raise self.refused(session, MfaTokenInvalidError(), "tampered") from None
        hashed = str(content.get("hash"))
        named = context_id(hashed)
        if session.login_id is not None and content.get("login") != session.login_id:
            raise self.refused(session, MfaTokenInvalidError(), "foreign", named)
        if has_expired:
            raise self._timed_out(session, named)
        context = session.contexts.get(hashed)
        if context is None:
            raise self.refused(session, MfaTokenNotFoundError(), "unknown", named)
        return self.usable(session, context, maybe_spent=maybe_spent)

    def for_page(
        self, session: Auth0Session, identifier: str | None, *, maybe_spent: bool = False
    ) -> MfaContext:
        """Return the open context with this page id, or the newest one without an id.

        :param maybe_spent: see :meth:`usable`.

        Raises :class:`MfaTokenExpiredError` for one whose time is over and
        :class:`MfaTokenNotFoundError` for one that this session does not know.
        """
        if not identifier:
            newest = session.newest_context()
            if newest is None:
                # Nobody claimed that there is one: an old bookmark is no attack.
                raise MfaTokenNotFoundError()
            return self.usable(session, newest)
        context = session.find_context(identifier)
        if context is None and _is_unmet(session.targets.get(identifier)):
            raise self._timed_out(session, identifier)
        if context is None:
            raise self.refused(session, MfaTokenNotFoundError(), "unknown")
        return self.usable(session, context, maybe_spent=maybe_spent)

    def usable(
        self, session: Auth0Session, context: MfaContext, *, maybe_spent: bool = False
    ) -> MfaContext:
        """Return the context if its time is not over and it was not spent in another request.

        :param maybe_spent: let a spent one pass: the second press of a button, whose outcome
            :class:`VerificationFlow` remembers (UX-74).
        """
        if context.expires_at <= self.parts.clock():
            raise self._timed_out(session, context.id)
        if not maybe_spent and self.is_used(context):
            raise self.refused(session, MfaTokenNotFoundError(), "used", context.id)
        return self._with_oob_code(self._with_raw_token(session, context))

    def refused(
        self, session: Auth0Session, error: MfaTokenError, reason: str, named: str | None = None
    ) -> MfaTokenError:
        """Tell listeners that a check cannot be used here, and return the error to raise.

        :param named: the id of the check, where it is certain that it is one of ours.
        """
        self.tell_of_refusal(session, reason, named)
        return error

    def tell_of_refusal(self, session: Auth0Session, reason: str, named: str | None = None) -> None:
        """Tell listeners that a request about a check was refused; see :mod:`.signals`."""
        self.parts.send(signals.check_refused, session, reason=reason, context_id=named)

    def _timed_out(self, session: Auth0Session, named: str) -> MfaTokenError:
        self._tell_of_expiry(session, named, "timeout")
        error = MfaTokenExpiredError()
        error.context_id = named
        return self.refused(session, error, "expired", named)

    # -- what did not fit into the cookies -----------------------------------------------------

    def _remember_raw_token(self, context: MfaContext) -> None:
        """Keep Auth0's token in the shared state as well; see :mod:`flask_auth0_mfa.budget`."""
        kept = {"raw_mfa_token": context.raw_mfa_token}
        ttl = context.expires_at - self.parts.now()
        self.parts.memory.put_if_up(("raw", context.hash), kept, ttl)

    def _has_raw_token(self, context: MfaContext) -> bool:
        """Tell whether the check can go on: what the shared state had alone may be lost."""
        return not context.is_lean or self.parts.memory.get(("raw", context.hash)) is not None

    def _with_raw_token(self, session: Auth0Session, context: MfaContext) -> MfaContext:
        if not context.is_lean:
            return context
        kept = self.parts.memory.get(("raw", context.hash))
        if kept is None:
            # Another process knows it; the check can start again.
            self._tell_of_expiry(session, context.id, "lost")
            error = MfaTokenExpiredError()
            error.context_id = context.id
            raise error
        return replace(context, raw_mfa_token=Secret(kept["raw_mfa_token"]), kept_hash=None)

    def remember_oob_code(self, context: MfaContext, challenge: Challenge) -> None:
        """Keep the code of a challenge in the shared state as well.

        It is long, and the first to be left out when two open checks do not fit into cookies.
        """
        if challenge.oob_code is None:
            return
        ttl = context.expires_at - self.parts.now()
        self.parts.memory.put_if_up(("oob", context.hash), {"oob_code": challenge.oob_code}, ttl)

    def _with_oob_code(self, context: MfaContext) -> MfaContext:
        challenge = context.challenge
        if challenge is None or challenge.challenge_type != "oob" or challenge.oob_code:
            return context
        kept = self.parts.memory.get(("oob", context.hash))
        if kept is None:
            # Another process knows it; the user can ask for a new code.
            return replace(context, challenge=None)
        return replace(context, challenge=replace(challenge, oob_code=Secret(kept["oob_code"])))

    # -- ending ------------------------------------------------------------------------------

    def is_used(self, context: MfaContext) -> bool:
        """Tell whether the context was spent, maybe in a request whose answer is not here yet."""
        return self.parts.memory.get(("used", context.hash)) is not None

    def mark_used(self, context: MfaContext) -> None:
        """Remember that the context is spent: an old cookie must not bring it back (SEC-42)."""
        remaining = context.expires_at - self.parts.now() + USED_MARGIN
        self.parts.memory.put_if_up(("used", context.hash), {}, remaining)

    def tell_of_abandoned(self, session: Auth0Session, *, is_leaving: bool = False) -> None:
        """Tell listeners of the checks that their user has left unfinished.

        Nobody watches a clock: it is noticed when the same session opens its next check or ends.

        :param is_leaving: count the open ones as well: the session ends.
        """
        for identifier, target in session.targets.items():
            is_open = not is_leaving and self._is_open(session, identifier)
            if is_open or not _is_unmet(target) or _is_met_elsewhere(session, target):
                continue
            if self._ends_now(identifier):
                self.parts.send(
                    signals.check_abandoned,
                    session,
                    audience=target.audience,
                    context_id=identifier,
                )

    def _is_open(self, session: Auth0Session, identifier: str) -> bool:
        context = session.find_context(identifier)
        return context is not None and context.expires_at > self.parts.clock()

    def _tell_of_expiry(self, session: Auth0Session, identifier: str, reason: str) -> None:
        target = session.targets.get(identifier)
        if target is None or not _is_unmet(target) or not self._ends_now(identifier):
            return
        self.parts.send(
            signals.check_expired,
            session,
            reason=reason,
            audience=target.audience,
            context_id=identifier,
        )

    def _ends_now(self, identifier: str) -> bool:
        """Tell whether no request has told the end of this check yet; this one does now."""
        name = ("ended", identifier)
        with suppress(Auth0UnavailableError):
            if self.parts.memory.get(name) is not None:
                return False
            self.parts.memory.put(name, {}, TARGET_TTL)
        return True

    def failed(
        self,
        session: Auth0Session,
        context: MfaContext,
        error: Auth0MFAError,
        *,
        asked_phone: bool = False,
    ) -> Auth0MFAError:
        """Write down what a refused call means for the context, and return what to raise.

        :param asked_phone: whether the call asked for the answer to a push.
        """
        if isinstance(error, MfaTokenExpiredError):
            error.context_id = context.id
            self._tell_of_expiry(session, context.id, "tenant")
            session.close_context(context)
        elif isinstance(error, (AccessDeniedError, MfaVerifyError)) and asked_phone:
            # The push is over; going back to its page must not wait for it again.
            declined = isinstance(error, MfaDeclinedError)
            context = replace(context, challenge=None, enrollment=None, declined=declined)
            session.replace_context(replace(context, chosen=None, chosen_method=None))
        elif isinstance(error, MfaVerifyError):
            session.replace_context(replace(context, attempts=context.attempts + 1))
        elif isinstance(error, StepUpUnavailableError):
            # The MFA grant is not enabled for this application: Universal Login can still do it.
            return self.universal_login(session, context.request, context.id)
        return error


def _is_unmet(target: StepUpTarget | None) -> bool:
    return target is not None and not target.verified


def _is_met_elsewhere(session: Auth0Session, target: StepUpTarget) -> bool:
    """Tell whether another check for the same API was passed since this one was opened."""
    record = session.verified.get(target.audience or "")
    return target.approval is None and record is not None and record.at >= target.opened_at
