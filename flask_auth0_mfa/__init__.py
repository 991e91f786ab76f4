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
