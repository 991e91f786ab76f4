"""Enrollment: when a first factor may be added during a check, and how.

Only where the tenant asks for it, or the user has nothing enrolled, and only right after a fresh
login: a session that somebody took over must not enroll their phone (SEC-65). Auth0 itself takes
an ``mfa_token`` for this only while the user has no active factor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from .. import factors, signals
from ..errors import (
    Auth0ResponseError,
    InvalidRequestError,
    LoginRequiredError,
    MfaEnrollmentError,
    MfaNoAvailableFactorsError,
    mfa_api_error,
)
from ..i18n import marked
from ..models import Auth0Session, MfaContext
from .contexts import ContextFlow
from .parts import Parts

#: What can be enrolled through the MFA API, strongest first.
ENROLLABLE = ("otp", "push", "sms", "voice", "email")
#: A login this recent is fresh, in seconds.
FRESH_LOGIN = 300
#: The login is asked to be younger by this, so that what it brings is fresh enough (seconds): the
#: callback accepts it a minute later, and would otherwise lead in circles.
LOGIN_MARGIN = 60


@dataclass(frozen=True)
class EnrollmentFlow:
    """Adds a first authenticator."""

    parts: Parts
    contexts: ContextFlow

    def methods(self, context: MfaContext) -> tuple[str, ...]:
        """Return what the user may enroll for this check; empty when they may not."""
        required = context.required_types("enroll")
        if not required and not self._has_nothing(context):
            return ()
        return tuple(
            method
            for method in ENROLLABLE
            if (not required or factors.accepts(required, method))
            and (context.methods is None or factors.accepts(context.methods, method))
        )

    def is_fresh(self, session: Auth0Session) -> bool:
        """Tell whether the user's primary login is recent enough (``auth_time``)."""
        authenticated_at = (session.user or {}).get("auth_time")
        if not isinstance(authenticated_at, (int, float)):
            return False
        return self.parts.clock() - FRESH_LOGIN < authenticated_at

    def require_fresh(self, session: Auth0Session, context: MfaContext) -> None:
        """Raise :class:`LoginRequiredError` with a ticket for the login that must come first."""
        if not self.is_fresh(session):
            error = LoginRequiredError("Log in again before you add a method.")
            error.ticket = self.fresh_login_ticket(session, context)
            raise error

    def fresh_login_ticket(self, session: Auth0Session, context: MfaContext) -> str:
        """Return the parameter of the login that must come first."""
        request = replace(context.request, max_age=FRESH_LOGIN - LOGIN_MARGIN)
        return self.contexts.login_ticket(session, request, step_up=False, context_id=context.id)

    def require_allowed(self, context: MfaContext, method: str) -> None:
        """Raise unless the user may enroll this method for this check."""
        allowed = self.methods(context)
        if not allowed:
            raise MfaNoAvailableFactorsError()
        if method not in allowed:
            raise InvalidRequestError(
                marked("This method cannot be added here. Choose one from the list.")
            )

    def require_address(self, method: str, phone_number: str | None, email: str | None) -> None:
        """Raise unless a message can be sent there; it is not counted, and not sent to Auth0."""
        if method in ("sms", "voice") and not _is_address(factors.PHONE_NUMBER, phone_number):
            raise InvalidRequestError("phone_number must be in E.164 form, such as +447700900123.")
        # Without one Auth0 takes the user's own.
        if method == "email" and email and not _is_address(factors.EMAIL_ADDRESS, email):
            raise InvalidRequestError("email must be an e-mail address.")

    def is_begun(self, context: MfaContext, method: str) -> bool:
        """Tell whether this enrollment is open: choosing it again must not spoil what was scanned.

        Only for methods without an address, which may have been mistyped.
        """
        begun = context.enrollment
        return begun is not None and begun.method == method and method in ("otp", "push")

    def start(
        self,
        session: Auth0Session,
        context: MfaContext,
        method: str,
        *,
        phone_number: str | None = None,
        email: str | None = None,
    ) -> MfaContext:
        """Add an authenticator that the first code will confirm.

        :param phone_number: E.164, for ``sms`` and ``voice``.
        :param email: for ``email``; without it Auth0 takes the user's own address.
        """
        self.require_allowed(context, method)
        try:
            enrollment = self.parts.client.associate(
                context.raw_mfa_token, method, phone_number=phone_number, email=email
            )
        except Auth0ResponseError as answer:
            error = mfa_api_error(answer, MfaEnrollmentError)
            if isinstance(error, MfaEnrollmentError) and self.has_active(context):
                # The tenant wants one more method, and its MFA API adds the first one only.
                raise self.contexts.universal_login(session, context.request, context.id) from None
            raise self.contexts.failed(session, context, error) from None
        context = replace(context, enrollment=enrollment, address=phone_number or email)
        session.replace_context(context)
        if factors.is_out_of_band(method):
            self.parts.send(signals.challenge_sent, session, method=method, context_id=context.id)
        return context

    def _has_nothing(self, context: MfaContext) -> bool:
        # Who is asked for a factor has one, also where the MFA API does not list it.
        is_asked = bool(context.required_types("challenge"))
        return context.authenticators is not None and not is_asked and not self.has_active(context)

    def has_active(self, context: MfaContext) -> bool:
        """Tell whether the user has a method already, as far as it is known."""
        return any(one.active for one in context.authenticators or ())


def _is_address(pattern: re.Pattern[str], address: str | None) -> bool:
    return isinstance(address, str) and pattern.fullmatch(address) is not None
