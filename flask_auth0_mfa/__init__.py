"""Step-up authentication with Auth0 for Flask.

::

    from flask_auth0_mfa import Auth0MFA, current_auth0, requires_stepup

    mfa = Auth0MFA(app)

    @app.get("/transfer")
    @requires_stepup("https://payments.example.com", scope="transfer:funds")
    def transfer():
        token = current_auth0.get_access_token("https://payments.example.com").token
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .decorators import guard_blueprint, requires_login, requires_stepup
    from .errors import (
        AccessDeniedError,
        AudienceUnavailableError,
        Auth0MFAError,
        Auth0UnavailableError,
        ConfigurationError,
        InsufficientScopeError,
        InvalidRequestError,
        LoginRequiredError,
        MfaChallengeError,
        MfaEnrollmentError,
        MfaListAuthenticatorsError,
        MfaNoAvailableFactorsError,
        MfaRequiredError,
        MfaTokenExpiredError,
        MfaTokenInvalidError,
        MfaTokenNotFoundError,
        MfaVerifyError,
        RateLimitedError,
        StepUpUnavailableError,
    )
    from .extension import Auth0MFA, current_auth0
    from .models import AccessToken

__version__ = "0.1.0"

__all__ = [
    "AccessDeniedError",
    "AccessToken",
    "AudienceUnavailableError",
    "Auth0MFA",
    "Auth0MFAError",
    "Auth0UnavailableError",
    "ConfigurationError",
    "InsufficientScopeError",
    "InvalidRequestError",
    "LoginRequiredError",
    "MfaChallengeError",
    "MfaEnrollmentError",
    "MfaListAuthenticatorsError",
    "MfaNoAvailableFactorsError",
    "MfaRequiredError",
    "MfaTokenExpiredError",
    "MfaTokenInvalidError",
    "MfaTokenNotFoundError",
    "MfaVerifyError",
    "RateLimitedError",
    "StepUpUnavailableError",
    "current_auth0",
    "guard_blueprint",
    "requires_login",
    "requires_stepup",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first asked for.

        The pytest plugin and the local tenant are in this package too, and should not cost a
        process that uses nothing else of it.
        """
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from . import decorators, errors, extension, models

        found = vars(models) | vars(errors) | vars(decorators) | vars(extension)
        globals()[name] = found[name]
        return found[name]

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
