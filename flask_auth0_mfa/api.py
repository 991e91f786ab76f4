"""The other end of a call: a guard for Flask APIs that take Auth0's access tokens.

It stands alone. An API has no login, no session and no secret, and is mostly a process of its own:
it needs to know the tenant and its own identifier, and neither ``SECRET_KEY`` nor
:class:`~flask_auth0_mfa.Auth0MFA`.
"""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Blueprint, Flask, Response, current_app, jsonify, request

from .bearer import INSUFFICIENT_AUTHENTICATION, bearer_challenge, bearer_token
from .client import TenantClient
from .clock import AppClock
from .config import ApiSettings, load_api_settings
from .errors import Auth0UnavailableError, ConfigurationError
from .factors import MULTI_FACTOR
from .models import StepUpDemand, require_scope_text, scope_set
from .tokens import LEEWAY, AccessTokenVerifier, InvalidTokenError, SigningKeys

__all__ = ["MULTI_FACTOR", "ProtectedAPI"]

logger = logging.getLogger("flask_auth0_mfa")

EXTENSION = "auth0_mfa_api"
#: Name under which a guarded view or blueprint carries its :class:`TokenRequirement`.
TOKEN_REQUIREMENT = "__auth0_mfa_token_requirement__"  # noqa: S105 - a name  # nosec B105
#: Where a request keeps the claims of its token, by the object that has checked it.
_CLAIMS = "flask_auth0_mfa.claims"

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class ApiServices:
    """The parts of one API in one application."""

    settings: ApiSettings
    client: TenantClient
    verifier: AccessTokenVerifier
    clock: AppClock


@dataclass(frozen=True)
class TokenRequirement:
    """What a guard asks of an access token."""

    api: ProtectedAPI
    scope: str | None
    demand: StepUpDemand


class ProtectedAPI:
    """An API whose views open with an access token of the tenant, by ``Authorization: Bearer``.

    ::

        api = ProtectedAPI(app, audience="https://payments.example.com")

        @app.post("/transfers")
        @api.requires_token(scope="transfer:funds", acr_values=[MULTI_FACTOR], max_age=300)
        def transfer():
            return {"by": api.claims["sub"]}

    The options ``domain``, ``audience`` (the API's identifier) and ``timeout`` win over
    ``AUTH0_DOMAIN``, ``AUTH0_AUDIENCE`` and ``AUTH0_TIMEOUT`` in ``app.config``, and those over the
    environment. The object holds nothing of an application, so one serves many.

    :param auth_time_claim: the claim with the moment of the last authentication, in seconds since
        the epoch. Auth0 sets none; an Action of the tenant can, under a name of its own.
    :param acr_claim: the claim with what that authentication was.
    :param amr_claim: the claim with its methods; ``mfa`` among them counts as ``MULTI_FACTOR``.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        auth_time_claim: str = "auth_time",
        acr_claim: str = "acr",
        amr_claim: str = "amr",
        clock: Callable[[], float] = time.time,
        **options: Any,
    ) -> None:
        self._auth_time_claim = auth_time_claim
        self._acr_claim = acr_claim
        self._amr_claim = amr_claim
        self._clock = clock
        self._options = options
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, **options: Any) -> None:
        """Read the settings ``AUTH0_DOMAIN``, ``AUTH0_AUDIENCE`` and ``AUTH0_TIMEOUT``.

        Raises :class:`~flask_auth0_mfa.ConfigurationError` with every problem at once.
        """
        known = app.extensions.setdefault(EXTENSION, {})
        if self in known:
            raise ConfigurationError(
                ["This ProtectedAPI is set up for this application already: call init_app once."]
            )
        settings = load_api_settings(app.config, {**self._options, **options}, os.environ)
        clock = AppClock(self._clock)
        client = TenantClient(settings, clock)
        keys = SigningKeys(client.jwks, clock)
        verifier = AccessTokenVerifier(keys, settings.issuer, settings.audience, clock)
        known[self] = ApiServices(settings, client, verifier, clock)

    @property
    def claims(self) -> Mapping[str, Any]:
        """The claims of this request's access token; ``sub`` is the user's id.

        Raises :class:`RuntimeError` in a view without a guard of this object.
        """
        found: Mapping[str, Any] | None = request.environ.get(_CLAIMS, {}).get(self)
        if found is None:
            raise RuntimeError("No token was checked here: put requires_token above the view.")
        return found

    def requires_token(
        self,
        *,
        scope: str | None = None,
        max_age: int | None = None,
        acr_values: Collection[str] | str | None = None,
    ) -> Callable[[View], View]:
        """Let requests into the view that carry a valid access token for this API.

        Others get 401, or 403 where a scope is missing, with ``WWW-Authenticate`` as RFC 6750 and
        RFC 9470 say. Works on sync and async views.

        :param scope: scopes that the token must have, with spaces between them.
        :param max_age: seconds since the user was authenticated, at most.
        :param acr_values: what the authentication must have been, one of these; ``MULTI_FACTOR``
            for a second factor.

        Put it under ``@app.route``, so that the route holds the guarded view.
        """
        wanted = self._requirement(scope, max_age, acr_values)

        def decorate(view: View) -> View:
            @functools.wraps(view)
            def guarded(*args: Any, **kwargs: Any) -> Any:
                refusal = _refusal(wanted)
                if refusal is not None:
                    return refusal
                return current_app.ensure_sync(view)(*args, **kwargs)

            setattr(guarded, TOKEN_REQUIREMENT, wanted)
            return guarded  # type: ignore[return-value]  # the same signature, by functools.wraps

        return decorate

    def guard_blueprint(
        self,
        blueprint: Blueprint,
        *,
        scope: str | None = None,
        max_age: int | None = None,
        acr_values: Collection[str] | str | None = None,
    ) -> Blueprint:
        """Guard every view of a blueprint, as :meth:`requires_token` does for one.

        Call it before the blueprint is registered.
        """
        wanted = self._requirement(scope, max_age, acr_values)
        setattr(blueprint, TOKEN_REQUIREMENT, wanted)
        blueprint.before_request(lambda: _refusal(wanted))
        return blueprint

    def _requirement(
        self, scope: str | None, max_age: int | None, acr_values: Collection[str] | str | None
    ) -> TokenRequirement:
        require_scope_text(scope)
        if max_age is not None and max_age <= 0:
            raise ValueError("max_age must be a positive number of seconds")
        values = acr_values.split() if isinstance(acr_values, str) else tuple(acr_values or ())
        return TokenRequirement(self, scope, StepUpDemand(tuple(values), max_age))

    def services(self, app: Flask) -> ApiServices:
        """Return the parts of this API in an application.

        Raises :class:`RuntimeError` when it was not set up for it.
        """
        found: ApiServices | None = app.extensions.get(EXTENSION, {}).get(self)
        if found is None:
            raise RuntimeError(
                "This ProtectedAPI is not set up for the application: call init_app first."
            )
        return found

    def is_met(self, demand: StepUpDemand, claims: Mapping[str, Any], now: float) -> bool:
        """Tell whether the authentication behind a token is strong and recent enough."""
        return self._is_strong(demand, claims) and self._is_recent(demand, claims, now)

    def _is_strong(self, demand: StepUpDemand, claims: Mapping[str, Any]) -> bool:
        if not demand.acr_values or claims.get(self._acr_claim) in demand.acr_values:
            return True
        methods = claims.get(self._amr_claim)
        return MULTI_FACTOR in demand.acr_values and isinstance(methods, list) and "mfa" in methods

    def _is_recent(self, demand: StepUpDemand, claims: Mapping[str, Any], now: float) -> bool:
        if demand.max_age is None:
            return True
        moment = claims.get(self._auth_time_claim)
        if not isinstance(moment, (int, float)):
            return False
        return -LEEWAY <= now - moment <= demand.max_age


def _refusal(wanted: TokenRequirement) -> Response | None:
    """Return the answer that keeps this request out, or ``None`` to let it in."""
    if request.method == "OPTIONS":
        # A browser asks with OPTIONS whether it may ask, and sends no token with it.
        return current_app.make_default_options_response()
    found = wanted.api.services(current_app)
    realm = found.settings.audience
    token = bearer_token()
    if not token:
        # No error: the client did not know that there is something to know (RFC 6750, 3.1).
        return _answer(401, {"message": "An access token is needed here."}, realm=realm)
    try:
        claims = found.verifier.verify(token)
    except InvalidTokenError as error:
        logger.info("A request was refused: %s", error)
        text = "The access token is expired, malformed, or not for this API."
        return _error(401, "invalid_token", text, realm=realm)
    except Auth0UnavailableError as error:
        return _unavailable(error)
    if not scope_set(wanted.scope) <= scope_set(_text(claims.get("scope"))):
        text = "The access token does not have the scope that is needed here."
        return _error(403, "insufficient_scope", text, realm=realm, scope=wanted.scope)
    demand = wanted.demand
    if not wanted.api.is_met(demand, claims, found.clock()):
        return _error(
            401,
            INSUFFICIENT_AUTHENTICATION,
            "The user has to confirm who they are once more.",
            realm=realm,
            acr_values=" ".join(demand.acr_values) or None,
            max_age=demand.max_age,
        )
    request.environ.setdefault(_CLAIMS, {})[wanted.api] = claims
    return None


def _text(claim: object) -> str:
    return claim if isinstance(claim, str) else ""


def _error(status: int, error: str, text: str, **parameters: str | int | None) -> Response:
    realm = parameters.pop("realm")
    body = {"error": error, "error_description": text, "message": text}
    return _answer(status, body, realm=realm, error=error, error_description=text, **parameters)


def _answer(status: int, body: Mapping[str, Any], **parameters: str | int | None) -> Response:
    response = jsonify(body)
    response.status_code = status
    response.headers["WWW-Authenticate"] = bearer_challenge(**parameters)
    response.headers["Cache-Control"] = "no-store"
    return response


def _unavailable(error: Auth0UnavailableError) -> Response:
    response = jsonify(error.to_dict())
    response.status_code = error.status
    response.headers["Retry-After"] = str(error.retry_after)
    response.headers["Cache-Control"] = "no-store"
    return response
