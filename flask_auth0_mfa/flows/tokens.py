"""Access tokens: which one opens a view, when it is refreshed, and what is kept of the answer."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NoReturn

from .. import signals
from ..errors import (
    AudienceUnavailableError,
    Auth0MfaRequired,
    Auth0ResponseError,
    Auth0UnavailableError,
    InsufficientScopeError,
    LoginRequiredError,
    MfaTokenNotFoundError,
    StepUpUnavailableError,
    refresh_error,
)
from ..models import (
    TENANTS_WORD,
    AccessToken,
    Auth0Session,
    RememberedDevice,
    StepUpRequest,
    StepUpTarget,
    TokenResponse,
    Verification,
    scope_set,
)
from ..secret import Secret
from ..tokens import InvalidTokenError, granted_scope, is_for
from .approvals import Approvals
from .contexts import ContextFlow
from .parts import Parts

logger = logging.getLogger("flask_auth0_mfa")


@dataclass(frozen=True)
class TokenFlow:
    """Gets access tokens with the session's refresh token."""

    parts: Parts
    contexts: ContextFlow
    approvals: Approvals

    def access_token(
        self, session: Auth0Session, request: StepUpRequest, *, refresh: bool = False
    ) -> AccessToken:
        """Return the stored token for the request, else one by the refresh grant.

        Raises :class:`MfaRequiredError` when the tenant wants a second factor first; the session
        then holds an MFA context for it.
        """
        self._require_user(session)
        stored = session.token_for(request.audience, request.scope, self.parts.clock())
        if stored is not None and not refresh:
            return stored
        if not refresh:
            self._offer_open_one(session, request)
        return self._refreshed(session, request, force=refresh)

    def stored(self, session: Auth0Session, request: StepUpRequest) -> AccessToken | None:
        """Return the token that a signed-in user's session has for the request."""
        if session.user is None:
            return None
        return session.token_for(request.audience, request.scope, self.parts.clock())

    def is_open(self, session: Auth0Session, request: StepUpRequest) -> bool:
        """Tell whether the session opens a view as it is, without any call."""
        if request.approval is not None or self.stored(session, request) is None:
            return False
        return self._is_verified(session, request)

    def require(
        self,
        session: Auth0Session,
        request: StepUpRequest,
        device: RememberedDevice | None = None,
    ) -> None:
        """Return when the session opens a guarded view, maybe after a refresh.

        It then has a token for exactly that audience, with the scope, and a recorded verification
        that is fresh enough, or a remembered ``device`` that stands for one. Raises
        :class:`MfaRequiredError` to get one, or :class:`UniversalLoginRequiredError` where the
        tenant asked for no second factor.
        """
        self._require_user(session)
        if request.approval is not None:
            self._require_approval(session, request)
            return
        is_verified = device is not None or self._is_verified(session, request)
        stored = session.token_for(request.audience, request.scope, self.parts.clock())
        if stored is not None and is_verified:
            return
        self._offer_open_one(session, request)
        try:
            self._refreshed(session, request, force=not is_verified, device=device)
        except StepUpUnavailableError:
            raise self.contexts.universal_login(session, request) from None
        if self.parts.settings.stepup_trust_tenant and not is_verified:
            word = Verification(self.parts.now(), TENANTS_WORD)
            session.verified[request.audience or ""] = word
        if device is None and not self._is_verified(session, request):
            raise self.contexts.universal_login(session, request)

    def step_up(self, session: Auth0Session, request: StepUpRequest) -> NoReturn:
        """Start a check for an API that does not take the token of the session.

        Raises :class:`MfaRequiredError`, or :class:`UniversalLoginRequiredError` where the tenant
        asks for no second factor; the API has the last word, so its decision is not trusted here.
        """
        self._require_user(session)
        self._offer_open_one(session, request)
        with suppress(StepUpUnavailableError):
            self._refreshed(session, request, force=True)
        raise self.contexts.universal_login(session, request)

    def _offer_open_one(self, session: Auth0Session, request: StepUpRequest) -> None:
        """Raise for a check that waits for this very request already.

        Not for one whose page would say that it was passed: another check has been since it was
        opened, and what that one proved is too old for this view by now.
        """
        for context in [one for one in session.contexts.values() if one.answers(request)]:
            if self.is_met(session, session.targets[context.id]):
                session.close_context(context)
        self.contexts.offer_open_one(session, request)

    def _require_approval(self, session: Auth0Session, request: StepUpRequest) -> None:
        """Return when the user has approved the text and there is a token: this once."""
        if self.approvals.is_given(session, request):
            self.access_token(session, request)
            if self.approvals.use(session, request):
                return
        self._offer_open_one(session, request)
        self._refreshed(session, request, force=True)
        # The tenant asked for no second factor, so there was no page that shows the text.
        raise StepUpUnavailableError()

    def restart(self, session: Auth0Session, identifier: str) -> StepUpTarget:
        """Start a timed-out check again: same target, same way.

        Returns the target when no second factor is wanted any more; otherwise raises
        :class:`MfaRequiredError` with the new context.
        """
        self._require_user(session)
        target = session.targets.get(identifier)
        if target is None:
            raise self.contexts.refused(session, MfaTokenNotFoundError(), "unknown")
        before = session.find_context(identifier)
        if before is not None:
            session.close_context(before)
        if not target.verified:
            try:
                self._refreshed(session, target.request, force=True, before=target)
            except LoginRequiredError as error:
                error.return_to = target.return_to
                raise
        return target

    def is_met(self, session: Auth0Session, target: StepUpTarget) -> bool:
        """Tell whether this check, or another one since it was opened, brought what it is for."""
        if target.verified:
            return True
        now = self.parts.clock()
        stored = session.token_for(target.audience, target.scope, now)
        since_opened = int(now) - target.opened_at + 1
        if target.approval is not None:
            return session.approval_for(target, since_opened, int(now)) is not None
        record = session.verification_for(
            target.audience or "", since_opened, target.methods, int(now)
        )
        return stored is not None and record is not None

    def keep(
        self,
        session: Auth0Session,
        response: TokenResponse,
        audience: str | None,
        scope: str | None,
    ) -> AccessToken:
        """Store every token of an answer; the rotated refresh token first of all.

        :param scope: what was asked for.

        Raises :class:`AudienceUnavailableError` when the access token is for another audience
        and :class:`LoginRequiredError` when the ID token is not this user's.
        """
        if response.refresh_token is not None:
            session.refresh_token = Secret(response.refresh_token)
        subject = (session.user or {}).get("sub")
        if response.id_token is not None:
            self._check_id_token(session, response.id_token, subject)
        if audience is not None and not is_for(response.access_token, audience, subject):
            logger.error(
                "Auth0 answered with an access token that is not for %s: add it to the "
                "application's multi-resource refresh token policies",
                audience,
            )
            raise AudienceUnavailableError()
        token = AccessToken(
            token=response.access_token,
            audience=audience,
            scope=granted_scope(response.access_token, response.scope, scope),
            expires_at=self.parts.now() + response.expires_in,
        )
        session.keep_token(token)
        return token

    def _is_verified(self, session: Auth0Session, request: StepUpRequest) -> bool:
        max_age = request.max_age or self.parts.settings.stepup_max_age
        record = session.verification_for(
            request.audience or "", max_age, request.methods, self.parts.clock()
        )
        return record is not None

    def _require_user(self, session: Auth0Session) -> None:
        if session.user is None:
            raise LoginRequiredError()

    def _refreshed(
        self,
        session: Auth0Session,
        request: StepUpRequest,
        *,
        force: bool,
        before: StepUpTarget | None = None,
        device: RememberedDevice | None = None,
    ) -> AccessToken:
        if session.refresh_token is None:
            raise LoginRequiredError()
        # Asking for what is granted already as well keeps one token for all views of an API.
        wanted = scope_set(request.scope) | session.granted_scope(request.audience)
        scope = " ".join(sorted(wanted)) if request.scope else None
        try:
            response, was_asked = self.parts.family.refresh(
                session.refresh_token,
                request.audience,
                scope,
                force=force,
                remembered_at=device.remembered_at if device else None,
            )
        except Auth0MfaRequired as answer:
            asked = replace(request, scope=scope)
            chosen = before.chosen if before is not None else None
            error = self.contexts.opened(session, asked, answer, chosen=chosen, before=before)
            raise error from None
        except Auth0UnavailableError as failure:
            session.refresh_token = failure.successor or session.refresh_token
            raise
        except Auth0ResponseError as answer:
            refusal = refresh_error(answer)
            if isinstance(refusal, LoginRequiredError):
                session.forget_tokens()
            raise refusal from None
        token = self.keep(session, response, request.audience, scope)
        if was_asked:
            self.parts.send(
                signals.token_refreshed, session, audience=request.audience, scope=token.scope
            )
        if not scope_set(request.scope) <= scope_set(token.scope):
            raise InsufficientScopeError()
        return token

    def _check_id_token(self, session: Auth0Session, id_token: str, subject: str | None) -> None:
        try:
            self.parts.verifier.verify(id_token, subject=subject)
        except InvalidTokenError as error:
            # Tokens for somebody else, or from somebody else: end the session's use of them.
            logger.error("An ID token from the token endpoint was refused: %s", error)
            session.forget_tokens()
            raise LoginRequiredError() from None
