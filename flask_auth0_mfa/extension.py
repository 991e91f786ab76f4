"""The extension: puts the parts together for an application, and is its Python API.

No rules here: what a method does is in :mod:`.flows` and :mod:`.signin`.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, has_request_context
from werkzeug.local import LocalProxy

from .approval import approved_text
from .cli import commands
from .client import Auth0Client
from .client import token_response as parse_token_response
from .clock import AppClock
from .config import key_warnings, load_settings
from .devices import forget_devices, listed_devices, remember_device
from .downstream import ApiSession, Timeout, api_session, build_adapter
from .errors import Auth0MFAError, ConfigurationError, InvalidRequestError
from .factors import MULTI_FACTOR
from .flows import (
    Approvals,
    ChallengeFlow,
    ContextFlow,
    DeviceFlow,
    EnrollmentFlow,
    Parts,
    Proof,
    Refusals,
    TokenFlow,
    VerificationFlow,
)
from .limits import build_limits
from .logins import Logins
from .memory import Memory
from .models import (
    AccessToken,
    Auth0Session,
    Authenticator,
    Challenge,
    Enrollment,
    RememberedDevice,
    StepUpRequest,
    TokenResponse,
    client_mark,
)
from .refresh import TokenFamily
from .responses import error_response, return_to_page
from .sealing import Sealer
from .services import EXTENSION, Services, services
from .sessions import auth0_session, glance, wrap
from .signin import SignInFlow
from .state import open_state
from .theme import missing_logo
from .tokens import IdTokenVerifier, SigningKeys
from .views import build_blueprint
from .views.login import build_oauth, renew_session_id

if TYPE_CHECKING:
    from .eventlog import EventLog

logger = logging.getLogger("flask_auth0_mfa")


class Auth0MFA:
    """Step-up authentication with Auth0 for a Flask application.

    ::

        mfa = Auth0MFA(app)             # or mfa = Auth0MFA(); mfa.init_app(app)

    Options are the configuration keys without ``AUTH0_``, in lower case, and win over
    ``app.config``. The object holds nothing of an application, so one serves many.
    """

    def __init__(
        self, app: Flask | None = None, *, clock: Callable[[], float] = time.time, **options: Any
    ) -> None:
        self._clock = clock
        self._options = options
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, **options: Any) -> None:
        """Register the routes, the session interface and the error map on ``app``.

        Reads the ``AUTH0_*`` keys: ``DOMAIN``, ``CLIENT_ID``, ``CLIENT_SECRET`` (required),
        ``CLIENT_ASSERTION_SIGNING_KEY``, ``AUDIENCE``, ``SCOPE``, ``AUTHORIZE_PARAMS``,
        ``MFA_CONTEXT_TTL``, ``STEPUP_MAX_AGE``, ``STEPUP_TRUST_TENANT``, ``MFA_URL_PREFIX``,
        ``MFA_EVENT_LOG``, ``STATE_URI``, ``TIMEOUT``, the ``MFA_*_LIMIT`` ones, and of the pages
        ``MFA_SERVICE_NAME``, ``MFA_HELP_URL``, ``MFA_CANCEL_URL``, ``MFA_LOGO``, ``MFA_COLORS``,
        ``MFA_DARK_COLORS`` and ``MFA_WIDTH``; and Flask's ``SECRET_KEY``,
        ``SECRET_KEY_FALLBACKS``, ``SESSION_COOKIE_*`` and ``PERMANENT_SESSION_LIFETIME``.

        Raises :class:`ConfigurationError` with every problem at once.
        """
        if EXTENSION in app.extensions:
            raise ConfigurationError(
                ["Auth0MFA is set up for this application already: call init_app once."]
            )
        app.extensions[EXTENSION] = found = self._build(app, {**self._options, **options})
        if found.settings.state_uri is None and not (app.debug or app.testing):
            logger.warning(
                "AUTH0_STATE_URI is not set: limits on guesses count in each process for itself. "
                "With more than one process set it to redis://HOST:PORT/DB."
            )
        for weakness in key_warnings(app.config, found.settings.domain):
            logger.warning(weakness)
        if missing := missing_logo(found.settings.mfa_logo, app.static_url_path, app.static_folder):
            logger.warning(missing)
        app.session_interface = wrap(app.session_interface, found.sealer, found.clock)
        app.register_blueprint(build_blueprint(found.settings))
        app.register_error_handler(Auth0MFAError, error_response)
        app.cli.add_command(commands)

    def _build(self, app: Flask, options: Mapping[str, Any]) -> Services:
        settings = load_settings(app.config, options, os.environ)
        clock = AppClock(self._clock)
        sealer = Sealer(lambda: _secrets(app), clock)
        client = Auth0Client(settings, clock)
        state = open_state(settings.state_uri)
        keys = SigningKeys(client.jwks, clock)
        verifier = IdTokenVerifier(keys, settings.issuer, settings.client_id, clock)
        memory = Memory(state, sealer, clock)
        family = TokenFamily(client, memory)
        logins = Logins(
            memory,
            family,
            lambda: int(app.permanent_session_lifetime.total_seconds()),
            client_mark(settings.issuer, settings.client_id),
        )
        parts = Parts(settings, client, sealer, memory, family, verifier, clock, sender=app)
        contexts = ContextFlow(parts)
        tokens = TokenFlow(parts, contexts, Approvals(parts))
        devices = DeviceFlow(parts)
        challenges = ChallengeFlow(parts, contexts, devices)
        return Services(
            settings=settings,
            client=client,
            sealer=sealer,
            contexts=contexts,
            tokens=tokens,
            challenges=challenges,
            verification=VerificationFlow(parts, contexts, tokens, challenges),
            enrollment=EnrollmentFlow(parts, contexts),
            refusals=Refusals(parts, tokens),
            devices=devices,
            sign_in=SignInFlow(settings, logins, verifier, clock, sender=app),
            logins=logins,
            limits=build_limits(settings, sealer, sender=app),
            oauth=build_oauth(app, settings, client, keys),
            api_adapter=build_adapter(),
            clock=clock,
            event_log=_event_log(app, sealer, clock) if settings.mfa_event_log else None,
            facade=self,
        )

    # -- the user ----------------------------------------------------------------------------

    @property
    def user(self) -> dict[str, Any] | None:
        """The claims of the signed-in user's ID token, or ``None``."""
        return glance(None).user

    @property
    def is_authenticated(self) -> bool:
        """Whether somebody is signed in."""
        return self.user is not None

    # -- tokens ------------------------------------------------------------------------------

    def get_access_token(
        self, audience: str | None = None, scope: str | None = None, *, refresh: bool = False
    ) -> AccessToken:
        """Return an access token for an API: the stored one, else one by the refresh grant.

        :param audience: the API's identifier; without it ``AUTH0_AUDIENCE``.
        :param scope: scopes that the token must have, with spaces between them.
        :param refresh: ask Auth0 even if a stored token would do.

        Raises :class:`MfaRequiredError` when the tenant wants a second factor (the session then
        holds a context for it), :class:`LoginRequiredError`, :class:`InsufficientScopeError`,
        :class:`AudienceUnavailableError` and :class:`Auth0UnavailableError`.
        """
        found = services()
        request = StepUpRequest(audience or found.settings.audience, scope)
        stored = None if refresh else found.tokens.stored(glance(request.audience), request)
        if stored is not None:
            return stored
        request = replace(request, return_to=return_to_page())
        with auth0_session() as session:
            return found.tokens.access_token(session, request, refresh=refresh)

    def api(
        self,
        audience: str,
        *,
        base_url: str,
        scope: str | None = None,
        reason: str | None = None,
        methods: Collection[str] | None = None,
        acr_values: Collection[str] = (MULTI_FACTOR,),
        timeout: Timeout | None = None,
    ) -> ApiSession:
        """Return a requests session for calling an API in the name of the signed-in user.

        It adds the access token for the audience, as :meth:`get_access_token` returns it, and
        starts the step-up that the API asks for (RFC 9470).

        :param audience: the API's identifier in Auth0.
        :param base_url: where the API is: ``https://``, or ``http://`` on this machine. Addresses
            of calls are relative to it, and the token is sent to its origin only.
        :param scope: scopes that the token must have, with spaces between them.
        :param reason: one sentence for the challenge page, as in the guards.
        :param methods: the methods that are accepted in a step-up, as in the guards.
        :param acr_values: what this API calls the second factor that is proved here.
        :param timeout: seconds to connect and to wait for data; else ``AUTH0_TIMEOUT``.

        Raises :class:`ValueError` for a ``base_url`` that no token should go to. A call raises
        what :meth:`get_access_token` raises, and :class:`StepUpUnavailableError` when the API asks
        for what no step-up can give.
        """
        return api_session(
            audience,
            base_url,
            scope=scope,
            reason=reason,
            methods=methods,
            acr_values=acr_values,
            timeout=timeout,
        )

    @property
    def approval(self) -> str | None:
        """The text that the user approved for this very request; see ``binds`` of the guards."""
        return approved_text()

    # -- remembered devices -------------------------------------------------------------------

    @property
    def remembered_devices(self) -> list[RememberedDevice]:
        """The user's devices in which a second factor counts for longer, the newest first.

        See ``remember`` of the guards. Raises :class:`Auth0UnavailableError` when the shared state
        cannot be reached.
        """
        with auth0_session() as session:
            return listed_devices(session)

    def forget_device(self, device_id: str) -> None:
        """Forget one of the user's devices: the next check there is asked for as elsewhere.

        :param device_id: the ``id`` of one of :attr:`remembered_devices`.

        Raises :class:`Auth0UnavailableError` when the shared state cannot be reached.
        """
        with auth0_session() as session:
            forget_devices(session, device_id)

    def forget_devices(self, user_id: str | None = None) -> None:
        """Forget all devices of the signed-in user, or of another one.

        :param user_id: the ``sub`` of a user's ID token, for support and for jobs of your own.

        Raises :class:`Auth0UnavailableError` when the shared state cannot be reached.
        """
        if user_id is not None:
            services().devices.forget(Auth0Session(user={"sub": user_id}))
            return
        with auth0_session() as session:
            forget_devices(session)

    # -- the MFA API -------------------------------------------------------------------------

    def get_authenticators(self, mfa_token: str) -> list[Authenticator]:
        """Return the user's authenticators that this check can use, strongest first.

        :param mfa_token: the sealed token of :class:`MfaRequiredError`.
        """
        found = services()
        with auth0_session() as session:
            context = found.contexts.for_token(session, mfa_token)
            return list(found.challenges.listed(session, context).usable)

    def challenge(
        self,
        mfa_token: str,
        *,
        authenticator_id: str | None = None,
        challenge_type: str | None = None,
    ) -> Challenge:
        """Start a challenge, which sends a code or a push where the method needs one.

        Called again, it returns the challenge that is open; once the pause after a message is over
        (``AUTH0_MFA_SEND_CONTEXT_LIMIT``), it sends a new one.

        :param authenticator_id: one of :meth:`get_authenticators`; else the strongest is taken.
        :param challenge_type: ``otp`` or ``oob``.
        """
        found = services()
        with auth0_session() as session:
            context = found.contexts.for_token(session, mfa_token)
            context = found.challenges.listed(session, context)
            chosen = found.challenges.pick(context, authenticator_id, challenge_type)
            resend = found.may_send_again(session, context)
            context = found.start_challenge(session, context, chosen, resend=resend)
            opened = found.challenges.open_one(context, chosen.id)
            return opened or Challenge(chosen.method, chosen.method, chosen.id)

    def enroll(
        self,
        mfa_token: str,
        factor: str,
        *,
        phone_number: str | None = None,
        email: str | None = None,
    ) -> Enrollment:
        """Begin to enroll a first authenticator; the first code, by :meth:`verify`, confirms it.

        :param factor: ``otp``, ``push``, ``sms``, ``voice`` or ``email``.
        :param phone_number: E.164, for ``sms`` and ``voice``.

        Raises :class:`LoginRequiredError` unless the login is at most five minutes old.
        """
        found = services()
        with auth0_session() as session:
            context = found.contexts.for_token(session, mfa_token)
            context = found.challenges.listed(session, context)
            found.enrollment.require_fresh(session, context)
            context = found.start_enrollment(
                session, context, factor, phone_number=phone_number, email=email
            )
            return cast(Enrollment, context.enrollment)

    def verify(
        self,
        mfa_token: str,
        *,
        otp: str | None = None,
        oob_code: str | None = None,
        binding_code: str | None = None,
        recovery_code: str | None = None,
        remember: bool = False,
    ) -> TokenResponse:
        """Complete the MFA grant, store every token that came back, close the context.

        The rotated refresh token is stored too. With ``remember`` this device is remembered where
        the guard that asked allows it. Raises :class:`MfaVerifyError` for a wrong code,
        :class:`InvalidRequestError` for a malformed one (nothing is sent to Auth0 then),
        :class:`RateLimitedError`, and :class:`MfaRequiredError` for a further factor.
        """
        proof = Proof(otp, oob_code, binding_code, recovery_code)
        found = services()
        with auth0_session() as session:
            context = found.contexts.for_token(session, mfa_token)
            if remember:
                context = found.challenges.listed(session, context)
            response = found.verify(session, context, proof)
            if remember:
                remember_device(session, context)
            return response

    def complete_mfa_challenge(self, mfa_token: str, code: str) -> TokenResponse:
        """Complete the check with what the user typed.

        Which kind of code it is follows from the open challenge; without one it is a code from
        an authenticator app. See :meth:`verify` for what it does and raises.
        """
        if not isinstance(code, str):
            raise InvalidRequestError("code must be a string.")
        found = services()
        with auth0_session() as session:
            context = found.contexts.for_token(session, mfa_token)
            return found.verify(session, context, found.verification.proof_for_code(context, code))

    # -- an application's own login ----------------------------------------------------------

    def sign_in(self, token_response: Mapping[str, Any]) -> None:
        """Begin the session for a login that the application ran itself (Authlib or other).

        :param token_response: the answer of the token endpoint, with ``id_token``, which is
            validated here, and ``refresh_token`` (ask for ``offline_access``). A second factor
            that it tells of counts if it is of the last five minutes.
        """
        found = services()
        response = parse_token_response(token_response)
        claims = found.sign_in.claims(response)
        with auth0_session() as session:
            is_fresh = found.sign_in.is_recent(claims)
            found.sign_in.sign_in(session, response, claims, is_fresh=is_fresh)
        renew_session_id()

    def sign_out(self) -> None:
        """End the user's session here and revoke its refresh token.

        Auth0's own session, with which it signs users in without a password, is not touched.
        """
        with auth0_session() as session:
            services().sign_out(session)

    def unlock(self, user_id: str, *, by: str | None = None) -> None:
        """Forget how many codes and messages a user has tried, after too many wrong ones in a row.

        For support, once it is certain that it is the user who asks. The check and the address
        of whoever tried them are not forgiven.

        :param user_id: the ``sub`` of the user's ID token.
        :param by: who does it, for the signal ``unlocked`` and the event log; without it the user
            who is signed in here, if there is one.

        Raises :class:`Auth0UnavailableError` when the shared state cannot be reached.
        """
        if by is None and has_request_context():
            by = (self.user or {}).get("sub")
        services().limits.unlock(user_id, by=by)


def _event_log(app: Flask, sealer: Sealer, clock: Callable[[], float]) -> EventLog:
    # Without the log nothing of it is imported.
    from .eventlog import EventLog

    return EventLog(sealer, clock, app)


def _secrets(app: Flask) -> tuple[bytes, ...]:
    """Return the application's secrets, the current one first."""
    return _encoded((app.config["SECRET_KEY"], *(app.config.get("SECRET_KEY_FALLBACKS") or ())))


@lru_cache(maxsize=16)
def _encoded(known: tuple[str | bytes | None, ...]) -> tuple[bytes, ...]:
    return tuple(one if isinstance(one, bytes) else str(one).encode() for one in known if one)


#: The extension of the current application.
current_auth0: Auth0MFA = cast(Auth0MFA, LocalProxy(lambda: services().facade))
