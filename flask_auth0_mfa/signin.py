"""Signing in and out: how a user's session begins and ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import signals
from .config import Settings
from .errors import Auth0UnavailableError, LoginRequiredError
from .flows import new_sid
from .logins import Logins
from .models import (
    ANY_AUDIENCE,
    AccessToken,
    Auth0Session,
    TokenResponse,
    Verification,
    scope_set,
)
from .signals import LoginRefusal
from .tokens import (
    LEEWAY,
    PROTOCOL_CLAIMS,
    IdTokenVerifier,
    InvalidTokenError,
    LogoutTokenError,
    granted_scope,
    is_for,
)

logger = logging.getLogger("flask_auth0_mfa")

#: An ID token is of a login of now for so long, in seconds; it is valid for hours.
RECENT = 300


@dataclass(frozen=True)
class SignInFlow:
    """Begins and ends sessions of one application; ``sender`` is what signals are sent from."""

    settings: Settings
    logins: Logins
    verifier: IdTokenVerifier
    clock: Callable[[], float]
    sender: Any

    def claims(self, response: TokenResponse) -> dict[str, Any]:
        """Return the claims of the ID token in a login's answer, fully checked."""
        if response.id_token is None:
            self.tell_of_refusal("id-token")
            raise LoginRequiredError("The login brought no ID token; ask for the scope openid.")
        try:
            return self.verifier.verify(response.id_token)
        except InvalidTokenError:
            self.tell_of_refusal("id-token")
            raise LoginRequiredError("The login brought an ID token that is not valid.") from None
        except Auth0UnavailableError:
            self.tell_of_refusal("auth0_unavailable")
            raise

    def is_recent(self, claims: Mapping[str, Any]) -> bool:
        """Tell whether an ID token was issued a moment ago, so that its login is one of now."""
        return bool(claims["iat"] > self.clock() - RECENT)

    def tell_of_refusal(self, reason: LoginRefusal) -> None:
        """Tell listeners that a login was refused; see :mod:`.signals`."""
        signals.login_refused.send(self.sender, reason=reason)

    def sign_in(
        self,
        session: Auth0Session,
        response: TokenResponse,
        claims: Mapping[str, Any],
        *,
        audience: str | None = None,
        scope: str | None = None,
        is_fresh: bool = True,
    ) -> None:
        """Begin or go on with the session of the user whose ID token has these claims.

        :param audience: the API that the access token is for, where login asked for one other
            than ``AUTH0_AUDIENCE``.
        :param scope: what the login asked for, where that is known.
        :param is_fresh: whether the user was authenticated as lately as was asked; a second factor
            of an older authentication is no proof of now.

        Another user's session ends here: nothing of it is carried over.
        """
        now = int(self.clock())
        if (session.user or {}).get("sub") != claims["sub"]:
            self.forget(session)
        session.user = {k: v for k, v in claims.items() if k not in PROTOCOL_CLAIMS}
        session.sid = new_sid()
        session.login_id = session.login_id or new_sid()
        session.client = self.logins.client
        session.created_at = self.clock()
        if response.refresh_token is not None:
            if session.refresh_token is not None:
                # A tab that still carries the one before goes on with this one.
                self.logins.family.rotated(session.refresh_token, response.refresh_token)
            session.refresh_token = response.refresh_token
        elif session.refresh_token is None and "offline_access" in scope_set(scope):
            logger.error(
                "Auth0 gave no refresh token at login, so no other API can be called: switch on the"
                " application's grant Refresh Token and the API's Allow Offline Access"
            )
        self._keep_access_token(session, response, audience, scope)
        is_multifactor = is_fresh and has_multifactor(claims)
        if is_multifactor:
            session.verified[ANY_AUDIENCE] = Verification(now, "mfa")
        signals.logged_in.send(self.sender, user_id=claims["sub"], multifactor=is_multifactor)

    def _keep_access_token(
        self,
        session: Auth0Session,
        response: TokenResponse,
        audience: str | None,
        scope: str | None,
    ) -> None:
        expected = audience or self.settings.audience
        subject = (session.user or {}).get("sub")
        is_right = expected is None or is_for(response.access_token, expected, subject)
        if not is_right:
            logger.error("The login brought an access token that is not for %s", expected)
        token = AccessToken(
            token=response.access_token,
            audience=expected,
            scope=granted_scope(response.access_token, response.scope, scope),
            expires_at=int(self.clock()) + response.expires_in,
        )
        if audience is None:
            session.login_token = token if is_right else None
        elif is_right:
            session.keep_token(token)

    def sign_out(self, session: Auth0Session) -> str | None:
        """End the session; returns the refresh token that should be revoked, if there is one."""
        user, refresh_token = session.user, session.refresh_token
        try:
            self.logins.end(session)
        except Auth0UnavailableError:
            # The user is signed out in this browser all the same.
            logger.error("The shared state cannot be reached: a logout was not written down")
        self.forget(session)
        if user is not None:
            signals.logged_out.send(self.sender, user_id=user.get("sub"))
        return refresh_token

    def end_everywhere(self, logout_token: str) -> None:
        """End the sessions that Auth0 says are over (OpenID Connect Back-Channel Logout 1.0).

        Raises :class:`LogoutTokenError`, and :class:`Auth0UnavailableError` when the tenant's keys
        or the shared state cannot be reached.
        """
        try:
            claims = self.verifier.verify_logout_token(logout_token)
            sid, subject = (_text(claims.get(name)) for name in ("sid", "sub"))
            self.logins.end_everywhere(
                auth0_sid=sid,
                subject=subject,
                # The same token sent once more does not end the user's next login.
                before=claims["iat"] + LEEWAY,
            )
        except LogoutTokenError as error:
            signals.logout_refused.send(self.sender, reason=error.reason)
            raise
        except Auth0UnavailableError:
            signals.logout_refused.send(self.sender, reason="auth0_unavailable")
            raise
        ends = "user" if sid is None else "session"
        signals.logout_received.send(self.sender, ends=ends, user_id=subject)

    @staticmethod
    def forget(session: Auth0Session) -> None:
        """Empty the session."""
        session.__dict__.update(Auth0Session().__dict__)


def _text(claim: object) -> str | None:
    return claim if isinstance(claim, str) else None


def has_multifactor(claims: Mapping[str, Any]) -> bool:
    """Tell whether the ID token says that a second factor was proved (RFC 8176 ``mfa``)."""
    methods = claims.get("amr")
    return isinstance(methods, list) and "mfa" in methods
