"""Errors of the extension: what went wrong, and what the caller does next.

::

    Auth0MFAError
    ├── ConfigurationError              fix the settings
    ├── InvalidRequestError        400  fix the input; nothing was sent to Auth0
    ├── LoginRequiredError         401  log in again
    ├── MfaRequiredError           403  take the user through the challenge
    ├── MfaTokenError                   start the step-up again
    │   ├── MfaTokenExpiredError   401
    │   ├── MfaTokenInvalidError   400
    │   └── MfaTokenNotFoundError  404
    ├── MfaCallError               400  the tenant refused one call of the MFA API
    │   ├── MfaVerifyError              try another code
    │   │   ├── MfaDeclinedError        declined on the phone: do not ask again by yourself
    │   │   └── MfaCodeExpiredError     send a new code
    │   ├── MfaChallengeError
    │   ├── MfaEnrollmentError
    │   ├── MfaListAuthenticatorsError
    │   └── MfaNoAvailableFactorsError
    ├── MfaVerifyPendingError      202  ask again after ``interval`` seconds
    ├── AccessDeniedError          403  the tenant says no
    ├── InsufficientScopeError     403  the user may not do this
    ├── StepUpUnavailableError     403  the tenant is not configured for step-up
    │   ├── AudienceUnavailableError     add the audience to the refresh token policies
    │   └── UniversalLoginRequiredError  send the user to Universal Login
    ├── RateLimitedError           429  wait ``retry_after`` seconds
    └── Auth0UnavailableError      503  wait ``retry_after`` seconds

No message carries a token, a code or a text that came from Auth0.
"""

from __future__ import annotations

import copyreg
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class Auth0MFAError(Exception):
    """Base of all errors; ``error`` and ``error_description`` as in RFC 6749 section 5.2."""

    #: Machine-readable code, the JSON field ``error``.
    error: str = "server_error"
    #: HTTP status of the answer.
    status: int = 500
    #: Seconds after which trying again makes sense, the ``Retry-After`` header.
    retry_after: int | None = None
    description: ClassVar[str] = "The request could not be completed."

    def __init__(
        self,
        error_description: str | None = None,
        *,
        error: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        self.error_description = error_description or self.description
        if error is not None:
            self.error = error
        if retry_after is not None:
            self.retry_after = retry_after
        super().__init__(self.error_description)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON body: ``error``, ``error_description`` and ``message`` (same text)."""
        return {
            "error": self.error,
            "error_description": self.error_description,
            "message": self.error_description,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """Let errors be copied, and pickled on their way out of a worker process.

        Python would call ``__init__`` with the message alone, which some classes do not take.
        """
        return copyreg.__newobj__, (type(self), *self.args), vars(self).copy()  # type: ignore[attr-defined]


class ConfigurationError(Auth0MFAError):
    """Settings are missing or wrong; ``problems`` lists all of them, each with its remedy."""

    error = "configuration_error"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f"flask_auth0_mfa cannot start:\n{lines}")


class InvalidRequestError(Auth0MFAError):
    """Input is missing or malformed; nothing was sent to Auth0 and nothing was lost."""

    error = "invalid_request"
    status = 400
    description = "The request is missing something or is malformed."


class LoginRequiredError(Auth0MFAError):
    """There is no session, no refresh token, or Auth0 no longer accepts the refresh token."""

    error = "login_required"
    status = 401
    description = "You need to log in."
    #: Sealed parameter of the login route, where not just any login will do.
    ticket: str | None = None
    #: Where the login should lead, where the request itself does not say.
    return_to: str | None = None


class MfaRequiredError(Auth0MFAError):
    """The tenant wants a second factor before it hands out the access token."""

    error = "mfa_required"
    status = 403
    description = "Multifactor authentication required."

    def __init__(self, mfa_token: str, mfa_requirements: Mapping[str, Any], context_id: str):
        super().__init__()
        #: The sealed token for the MFA calls of this session; never Auth0's own.
        self.mfa_token = mfa_token
        #: ``{"challenge": [{"type": …}]}`` or ``{"enroll": [{"type": …}]}``; may be empty.
        self.mfa_requirements = dict(mfa_requirements)
        #: Names the context in page addresses; opens nothing by itself.
        self.context_id = context_id

    def to_dict(self) -> dict[str, Any]:
        return {
            **super().to_dict(),
            "mfa_token": self.mfa_token,
            "mfa_requirements": self.mfa_requirements,
        }


class MfaTokenError(Auth0MFAError):
    """Base of the three answers to an ``mfa_token`` that opens nothing."""

    #: The context that the token or page named, when it is known.
    context_id: str | None = None


class MfaTokenExpiredError(MfaTokenError):
    """The lifetime of the sealed token or of its context is over."""

    error = "mfa_token_expired"
    status = 401
    description = "This check has timed out. Start it again; you are still signed in."


class MfaTokenInvalidError(MfaTokenError):
    """The token is tampered with, malformed, sealed by another secret or for another session."""

    error = "mfa_token_invalid"
    status = 400
    description = "This check cannot be used here. Start it again."


class MfaTokenNotFoundError(MfaTokenError):
    """The session holds no context for this token."""

    error = "mfa_token_not_found"
    status = 404
    description = "This check is not open in this session. Start it again."


class MfaCallError(Auth0MFAError):
    """The tenant refused one call of the MFA API; ``error`` is Auth0's code where it is known."""

    status = 400


class MfaVerifyError(MfaCallError):
    """The tenant refused the code."""

    error = "verification_failed"
    description = "That code did not work."

    def __init__(
        self, error_description: str | None = None, *, attempts_left: int | None = None
    ) -> None:
        super().__init__(error_description)
        #: How many codes may still be tried before the limit; ``None`` when it is not known.
        self.attempts_left = attempts_left
        #: The limit that this try filled up, so that there is no next one.
        self.limit: RateLimitedError | None = None

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "attempts_left": self.attempts_left}


class MfaDeclinedError(MfaVerifyError):
    """The request was declined on the user's phone; final for this challenge."""

    error = "access_denied"
    description = "The request was declined on the phone."


class MfaCodeExpiredError(MfaVerifyError):
    """The code that was sent is too old; a new one must be sent."""

    error = "code_expired"
    description = "That code is too old. Ask for a new one."


class MfaChallengeError(MfaCallError):
    """The challenge could not be started (``POST /mfa/challenge``)."""

    error = "challenge_failed"
    description = "The check could not be started with this method. Use another method."


class MfaEnrollmentError(MfaCallError):
    """The method could not be added (``POST /mfa/associate``)."""

    error = "enrollment_failed"
    description = "This method could not be added."


class MfaListAuthenticatorsError(MfaCallError):
    """The user's methods could not be listed (``GET /mfa/authenticators``)."""

    error = "list_authenticators_failed"
    description = "Your methods could not be listed."


class MfaNoAvailableFactorsError(MfaCallError):
    """The user has no method that both the tenant and this application accept."""

    error = "mfa_no_available_factors"
    description = "None of your methods can be used here. Contact support."


class MfaVerifyPendingError(Auth0MFAError):
    """The user has not answered on the phone yet; ask again after ``interval`` seconds."""

    error = "authorization_pending"
    status = 202
    description = "Waiting for your answer on the phone."

    def __init__(self, interval: int) -> None:
        super().__init__(retry_after=interval)
        self.interval = interval

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "interval": self.interval}


class AccessDeniedError(Auth0MFAError):
    """The tenant refuses this user or this application; trying again does not help."""

    error = "access_denied"
    status = 403
    description = "Access was denied."


class InsufficientScopeError(Auth0MFAError):
    """The access token lacks a scope that was asked for (RFC 6750 section 3.1)."""

    error = "insufficient_scope"
    status = 403
    description = "You do not have the permission that this needs."


class StepUpUnavailableError(Auth0MFAError):
    """The tenant hands out no proof of a second factor for this audience."""

    error = "step_up_unavailable"
    status = 403
    description = "A second check is needed here, but it is not set up for this service."


class AudienceUnavailableError(StepUpUnavailableError):
    """The tenant answered with a token for another audience (RFC 8707 ``invalid_target``).

    Remedy: add the audience to the application's multi-resource refresh token policies.
    """

    error = "invalid_target"
    description = "This service is not set up for what you want to open."


class UniversalLoginRequiredError(StepUpUnavailableError):
    """Only Universal Login can prove a second factor here; ``ticket`` starts it."""

    description = "A second check is needed here. Sign in again to do it."

    def __init__(self, ticket: str) -> None:
        super().__init__()
        #: Sealed parameter of the login route: audience, scope and where to go afterwards.
        self.ticket = ticket


class RateLimitedError(Auth0MFAError):
    """Too many tries, by our limits or Auth0's; ``retry_after`` seconds to wait."""

    error = "rate_limited"
    status = 429
    retry_after = 60
    description = "Too many tries. Wait before you try again."

    def __init__(
        self,
        error_description: str | None = None,
        *,
        retry_after: int | None = None,
        limits: Sequence[str] = (),
    ) -> None:
        super().__init__(error_description, retry_after=retry_after)
        #: Which of our limits it was (``user``, ``context``, ``send``, …); empty for Auth0's.
        self.limits = frozenset(limits)

    @property
    def is_about_sending(self) -> bool:
        """Tell whether too many messages were asked for, rather than codes tried."""
        return bool(self.limits) and self.limits <= {"send", "send-context"}

    @property
    def is_about_support(self) -> bool:
        """Tell whether support must help, since waiting takes too long."""
        return "row" in self.limits

    @property
    def is_about_context(self) -> bool:
        """Tell whether starting the check again is all that is needed."""
        return self.limits == {"context"}

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "retry_after": self.retry_after}


class Auth0UnavailableError(Auth0MFAError):
    """Auth0 (or our shared state) did not answer in time or not as documented."""

    error = "auth0_unavailable"
    status = 503
    retry_after = 30
    description = "We cannot check this right now. This is not about your code. Try again shortly."
    #: The refresh token in place of the one that was sent, where tokens came but not as documented.
    successor: str | None = None


class Auth0ResponseError(Exception):
    """An error answer of Auth0, before it is given a meaning; never leaves the extension.

    ``code`` and ``description`` are the fields ``error`` and ``error_description``. The
    description is only matched, never shown.
    """

    def __init__(
        self, code: str, description: str = "", status: int = 400, retry_after: int | None = None
    ) -> None:
        super().__init__(f"Auth0 answered {status} {code}")
        self.code = code
        self.description = description
        self.status = status
        self.retry_after = retry_after


class Auth0MfaRequired(Auth0ResponseError):
    """Auth0's ``mfa_required`` with the raw ``mfa_token``; never leaves the extension."""

    def __init__(self, raw_mfa_token: str | None, mfa_requirements: Mapping[str, Any]) -> None:
        super().__init__("mfa_required", status=403)
        self.raw_mfa_token = raw_mfa_token
        self.mfa_requirements = dict(mfa_requirements)


#: Seconds between two checks of a push: Auth0 allows 12 exchanges a minute and session.
POLL_INTERVAL = 6
#: What ``slow_down`` adds (RFC 8628 section 3.5).
POLL_STEP = 5

_LIMITED = frozenset({"too_many_attempts", "too_many_requests", "too_many_logins"})
_GONE = "mfa_token"


def _common(answer: Auth0ResponseError) -> Auth0MFAError | None:
    """Return the error for codes that mean the same in every call."""
    too_many = answer.code == "invalid_request" and answer.description.startswith("Too many")
    if answer.status == 429 or answer.code in _LIMITED or too_many:
        return RateLimitedError(retry_after=answer.retry_after)
    if answer.code == "invalid_client":
        return Auth0UnavailableError()
    if answer.code == "unauthorized_client":
        return StepUpUnavailableError()
    return None


def refresh_error(answer: Auth0ResponseError) -> Auth0MFAError:
    """Return what a refused refresh grant means (``POST /oauth/token``)."""
    if error := _common(answer):
        return error
    if answer.code in {"invalid_grant", "login_required", "interaction_required"}:
        return LoginRequiredError()
    if answer.code == "unmet_authentication_requirements":
        return MfaNoAvailableFactorsError()
    return AccessDeniedError(error=answer.code)


def verify_error(answer: Auth0ResponseError, *, is_push: bool) -> Auth0MFAError:
    """Return what a refused MFA grant means (``POST /oauth/token``).

    Sources disagree about statuses, so only ``error`` counts; ``invalid_grant`` is told apart by
    the parameter that its description names. A declined push and a wrong code share it, so
    ``is_push`` says which of the two it was.
    """
    if answer.code in {"authorization_pending", "slow_down"}:
        slower = POLL_STEP if answer.code == "slow_down" else 0
        return MfaVerifyPendingError(POLL_INTERVAL + slower)
    if error := _common(answer):
        return error
    if answer.code == "access_denied":
        # For a code this is an Action of the tenant that says no after the factor.
        return MfaDeclinedError() if is_push else AccessDeniedError()
    if answer.code == "unmet_authentication_requirements":
        # The code was right: the tenant wants one more factor, which the user cannot have.
        return MfaNoAvailableFactorsError()
    if answer.code in {"expired_token", "invalid_token"}:
        # Only a challenge has a code that can be too old by itself.
        return MfaCodeExpiredError() if "oob_code" in answer.description else MfaTokenExpiredError()
    if answer.code in {"invalid_grant", "invalid_request"} and _GONE in answer.description:
        return MfaTokenExpiredError()
    if answer.code in {"invalid_grant", "invalid_request"} and "oob_code" in answer.description:
        return MfaCodeExpiredError()
    if is_push and answer.code == "invalid_grant" and "binding_code" not in answer.description:
        return MfaDeclinedError()
    return MfaVerifyError()


def mfa_api_error(answer: Auth0ResponseError, fallback: type[MfaCallError]) -> Auth0MFAError:
    """Return what a refused ``/mfa/*`` call means; ``fallback`` is the class of that call."""
    if error := _common(answer):
        return error
    if answer.code in {"expired_token", "invalid_token"}:
        return MfaTokenExpiredError()
    if answer.code == "invalid_grant":
        return MfaTokenExpiredError()
    return fallback(error=answer.code)
