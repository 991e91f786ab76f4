"""Auth0's Authentication and MFA API: JSON in, a model or an error out.

The only module that speaks HTTP to the tenant after login. It knows no session and no rules; what
an error answer means is decided above, from :class:`~flask_auth0_mfa.errors.Auth0ResponseError`.

No call is ever repeated by itself: a grant that got no answer may have been carried out.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeGuard
from urllib.parse import quote

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from requests.adapters import BaseAdapter
from urllib3.exceptions import HTTPError

from . import jsontext
from .config import Settings, TenantSettings
from .errors import (
    Auth0MfaRequired,
    Auth0ResponseError,
    Auth0UnavailableError,
    ConfigurationError,
)
from .factors import is_out_of_band, sends_code
from .models import Authenticator, Challenge, Enrollment, TokenResponse
from .secret import Secret
from .transport import TenantAdapter, deadline, read_body

logger = logging.getLogger("flask_auth0_mfa")

#: One call may take no longer than this, whatever its parts take, in seconds.
TOTAL_TIMEOUT = 8.0
MAX_RETRY_AFTER = 3600
#: Connections kept open: as many as a server has threads, usually.
POOL_SIZE = 32
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_TTL = 180
MFA_GRANT = "http://auth0.com/oauth/grant-type/mfa-"
#: Our own field of a refresh, for the tenant's Action (``event.request.body``).
REMEMBERED_AT = "auth0_mfa_remembered_at"
#: Fields of Auth0's answers that hold a token or a code.
_SECRETS = frozenset(
    {
        "access_token",
        "refresh_token",
        "id_token",
        "mfa_token",
        "oob_code",
        "secret",
        "barcode_uri",
        "recovery_code",
    }
)
_NO_COOKIES = DefaultCookiePolicy(allowed_domains=[])
#: ``oob_channels`` of ``POST /mfa/associate`` by our name of the method.
CHANNELS = {"sms": "sms", "voice": "voice", "email": "email", "push": "auth0"}


class TenantClient:
    """Calls one tenant, for what needs no credentials; safe to share between threads."""

    def __init__(self, settings: TenantSettings, clock: Callable[[], float] = time.time) -> None:
        self._tenant = settings
        self._clock = clock
        self._http = _http_session(settings.base_url)
        self._adapter: BaseAdapter | None = None

    def mount(self, adapter: BaseAdapter) -> None:
        """Send the tenant's requests through ``adapter`` (a tenant in process, for tests)."""
        self._adapter = adapter
        self._http.mount(self._tenant.base_url, adapter)

    def jwks(self) -> dict[str, Any]:
        """Return the tenant's public keys (``GET /.well-known/jwks.json``)."""
        try:
            answer = self._call("GET", "/.well-known/jwks.json")
        except Auth0ResponseError as error:
            # No error of this endpoint is documented but its rate limit.
            raise Auth0UnavailableError(retry_after=error.retry_after) from None
        if not isinstance(answer, dict):
            raise Auth0UnavailableError()
        return answer

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        data: Mapping[str, str] | None = None,
        bearer: str | None = None,
    ) -> Any:
        """Send one request and return its JSON.

        Raises :class:`Auth0ResponseError` for an error in Auth0's form and
        :class:`Auth0UnavailableError` for everything that is not a documented answer.
        """
        try:
            with deadline(TOTAL_TIMEOUT):
                response = self._http.request(
                    method,
                    self._tenant.base_url + quote(path, safe="/."),
                    json=body,
                    data=data,
                    headers={"Authorization": f"Bearer {bearer}"} if bearer else None,
                    timeout=self._tenant.timeout,
                    allow_redirects=False,
                    stream=True,
                )
                with response:
                    answer = _parse(read_body(response))
        except (requests.RequestException, HTTPError, OSError) as error:
            # The class name alone: the text of these errors can carry addresses and headers.
            logger.warning("Auth0 %s %s failed: %s", method, path, type(error).__name__)
            raise Auth0UnavailableError() from None
        return self._checked(method, path, response, answer)

    def _checked(self, method: str, path: str, response: requests.Response, answer: Any) -> Any:
        if response.status_code == 429 and not _is_pending(answer):
            logger.warning("Auth0 %s %s answered 429: it has had too many calls", method, path)
        if isinstance(answer, dict) and isinstance(answer.get("error"), str):
            self._raise_error(method, path, response, answer)
        if response.status_code == 200:
            # Revocation answers with an empty body, or with the word OK.
            return None if path == "/oauth/revoke" else answer
        retry_after = self.retry_after(response)
        if response.status_code == 429:
            raise Auth0ResponseError("too_many_requests", "", 429, retry_after)
        logger.warning("Auth0 %s %s answered %d", method, path, response.status_code)
        raise Auth0UnavailableError(retry_after=retry_after)

    def _raise_error(
        self, method: str, path: str, response: requests.Response, answer: Mapping[str, Any]
    ) -> None:
        code, status = answer["error"], response.status_code
        if code == "mfa_required":
            requirements = answer.get("mfa_requirements")
            raise Auth0MfaRequired(
                _visible(answer.get("mfa_token")),
                requirements if isinstance(requirements, dict) else {},
            )
        retry_after = self.retry_after(response)
        if status >= 500:
            logger.warning("Auth0 %s %s answered %d", method, path, status)
            raise Auth0UnavailableError(retry_after=retry_after)
        if code in {"invalid_client", "unauthorized_client"}:
            logger.error(
                "Auth0 %s %s answered %s: check AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET and the "
                "application's grant types (Refresh Token, MFA) in the dashboard",
                method,
                path,
                "invalid_client" if code == "invalid_client" else "unauthorized_client",
            )
        description = answer.get("error_description")
        raise Auth0ResponseError(
            code, description if isinstance(description, str) else "", status, retry_after
        )

    def retry_after(self, response: requests.Response) -> int | None:
        """Return how long Auth0 asks us to wait, between 1 second and an hour."""
        asked = _integer(response.headers.get("Retry-After"))
        if asked is None and (reset := _integer(response.headers.get("x-ratelimit-reset"))):
            asked = reset - int(self._clock())
        return None if asked is None else max(1, min(asked, MAX_RETRY_AFTER))


class Auth0Client(TenantClient):
    """Calls one tenant for one client; safe to share between threads."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        super().__init__(settings, clock)
        self._settings = settings
        self._signing_key = _signing_key(settings.client_assertion_signing_key)
        self._metadata: dict[str, Any] | None = None

    def share_transport(self, session: requests.Session) -> None:
        """Make another requests session talk to the tenant the way this client does."""
        session.cookies.set_policy(_NO_COOKIES)
        session.trust_env = _may_use_proxy(self._settings.base_url)
        # A redirect is an error: code and secret go nowhere but to the configured domain (SEC-59).
        session.max_redirects = 0
        session.mount(self._settings.base_url, self._adapter or TenantAdapter())

    # -- tokens ------------------------------------------------------------------------------

    def refresh(
        self,
        refresh_token: str,
        audience: str | None = None,
        scope: str | None = None,
        *,
        remembered_at: int | None = None,
    ) -> TokenResponse:
        """Exchange the refresh token for an access token (RFC 6749 section 6).

        :param remembered_at: when the second factor was proved that a remembered device stands
            for. An Action may take that for enough; Auth0 itself does not know the field.

        Raises :class:`Auth0MfaRequired` when the tenant wants a second factor first.
        """
        body = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        if remembered_at is not None:
            body[REMEMBERED_AT] = str(remembered_at)
        return self._grant(body | _given(audience=audience, scope=scope))

    def mfa_grant(
        self,
        raw_mfa_token: str,
        *,
        otp: str | None = None,
        oob_code: str | None = None,
        binding_code: str | None = None,
        recovery_code: str | None = None,
    ) -> TokenResponse:
        """Exchange a proof of a second factor for tokens (Auth0's ``mfa-*`` grants)."""
        if otp is not None:
            kind, proof = "otp", {"otp": otp}
        elif oob_code is not None:
            kind, proof = "oob", {"oob_code": oob_code} | _given(binding_code=binding_code)
        elif recovery_code is not None:
            kind, proof = "recovery-code", {"recovery_code": recovery_code}
        else:
            raise ValueError("an MFA grant needs otp, oob_code or recovery_code")
        return self._grant({"grant_type": MFA_GRANT + kind, "mfa_token": raw_mfa_token} | proof)

    def revoke(self, refresh_token: str) -> None:
        """Revoke a refresh token (RFC 7009, Auth0 ``POST /oauth/revoke``)."""
        self._call("POST", "/oauth/revoke", data={"token": refresh_token} | self.credentials())

    def end_session_endpoint(self) -> str | None:
        """Return where OpenID Connect logout starts, if the tenant offers it.

        From ``GET /.well-known/openid-configuration``, asked once; ``None`` also when the tenant
        cannot be reached.
        """
        if self._metadata is None:
            try:
                answer = self._call("GET", "/.well-known/openid-configuration")
            except (Auth0UnavailableError, Auth0ResponseError):
                return None
            self._metadata = answer if isinstance(answer, dict) else {}
        endpoint = self._metadata.get("end_session_endpoint")
        # Never another origin's, whatever the answer says (SEC-58).
        is_ours = isinstance(endpoint, str) and endpoint.startswith(self._settings.issuer)
        return endpoint if is_ours else None

    # -- the MFA API -------------------------------------------------------------------------

    def authenticators(self, raw_mfa_token: str) -> tuple[Authenticator, ...]:
        """List the user's authenticators (Auth0 ``GET /mfa/authenticators``)."""
        answer = self._call("GET", "/mfa/authenticators", bearer=raw_mfa_token)
        if not isinstance(answer, list):
            raise Auth0UnavailableError()
        return tuple(_authenticator(entry) for entry in answer if _is_authenticator(entry))

    def challenge(
        self, raw_mfa_token: str, method: str, authenticator_id: str | None = None
    ) -> Challenge:
        """Start a challenge (Auth0 ``POST /mfa/challenge``), which sends a code by message."""
        challenge_type = "oob" if is_out_of_band(method) or method == "oob" else method
        body = {"mfa_token": raw_mfa_token, "challenge_type": challenge_type}
        body |= self.credentials() | _given(authenticator_id=authenticator_id)
        answer = _object(self._call("POST", "/mfa/challenge", body=body))
        if challenge_type == "oob":
            # Without it there would be nothing to prove, and nothing to wait for.
            _string(answer, "oob_code")
        return Challenge(
            challenge_type=_string(answer, "challenge_type"),
            method=method,
            authenticator_id=authenticator_id,
            oob_code=_optional_string(answer, "oob_code"),
            binding_method=_binding_method(answer, method),
            sent_at=int(self._clock()),
        )

    def associate(
        self,
        raw_mfa_token: str,
        method: str,
        *,
        phone_number: str | None = None,
        email: str | None = None,
    ) -> Enrollment:
        """Add an authenticator (Auth0 ``POST /mfa/associate``); a grant confirms it."""
        body: dict[str, Any] = {"authenticator_types": ["otp"]}
        if method in CHANNELS:
            body = {"authenticator_types": ["oob"], "oob_channels": [CHANNELS[method]]}
        body |= _given(phone_number=phone_number, email=email)
        answer = _object(self._call("POST", "/mfa/associate", body=body, bearer=raw_mfa_token))
        codes = answer.get("recovery_codes")
        return Enrollment(
            authenticator_type=_string(answer, "authenticator_type"),
            # What was asked for, where Auth0 does not repeat it.
            oob_channel=_optional_string(answer, "oob_channel") or CHANNELS.get(method),
            secret=_optional_string(answer, "secret"),
            barcode_uri=_optional_string(answer, "barcode_uri"),
            recovery_codes=tuple(
                code for code in (codes if isinstance(codes, list) else []) if _is_text(code)
            ),
            oob_code=_optional_string(answer, "oob_code"),
            binding_method=_binding_method(answer, method),
        )

    # -- credentials ---------------------------------------------------------------------------

    def credentials(self) -> dict[str, str]:
        """Return the body fields that authenticate this client (secret or private_key_jwt)."""
        client_id = self._settings.client_id
        if self._signing_key is None:
            client_secret = Secret(self._settings.client_secret or "")
            return {"client_id": client_id, "client_secret": client_secret}
        return {
            "client_id": client_id,
            "client_assertion": self._client_assertion(*self._signing_key),
            "client_assertion_type": ASSERTION_TYPE,
        }

    def _client_assertion(self, algorithm: str, key: RSAKey | ECKey) -> str:
        now = int(self._clock())
        claims = {
            "iss": self._settings.client_id,
            "sub": self._settings.client_id,
            "aud": self._settings.issuer,
            "iat": now,
            "exp": now + ASSERTION_TTL,
            "jti": secrets.token_urlsafe(16),
        }
        return Secret(jwt.encode({"alg": algorithm}, claims, key))

    def _grant(self, fields: dict[str, str]) -> TokenResponse:
        answer = _object(self._call("POST", "/oauth/token", data=fields | self.credentials()))
        try:
            return token_response(answer)
        except Auth0UnavailableError as error:
            # Auth0 has carried it out: the token that was sent must not be sent again.
            successor = answer.get("refresh_token")
            error.successor = successor if _is_text(successor) and successor else None
            raise


class _Direct(requests.Session):
    """A session that does not even read where a redirect leads.

    requests does, also where it is not to follow, and an address that is no UTF-8 is an error.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - requests' name
        return None


def _http_session(base_url: str) -> requests.Session:
    session = _Direct()
    session.trust_env = _may_use_proxy(base_url)
    # A cookie that Auth0 sets for one user's request must not go out with another's.
    session.cookies.set_policy(_NO_COOKIES)
    # Without this, requests puts credentials from a .netrc file in place of our own header.
    session.auth = lambda request: request
    for scheme in ("https://", "http://"):
        session.mount(scheme, TenantAdapter(pool_maxsize=POOL_SIZE))
    session.headers["Accept"] = "application/json"
    return session


def _may_use_proxy(base_url: str) -> bool:
    """Tell whether the proxy that the environment names may be used.

    A tenant without TLS is on this machine: a proxy would hardly find it, and would read its
    tokens and our secret.
    """
    return base_url.startswith("https://")


def _signing_key(pem: str | None) -> tuple[str, RSAKey | ECKey] | None:
    """Return algorithm and key of private_key_jwt; raises :class:`ConfigurationError`."""
    if pem is None:
        return None
    for algorithm, kind in (("RS256", RSAKey), ("ES256", ECKey)):
        try:
            key = kind.import_key(pem)
            jwt.encode({"alg": algorithm}, {}, key)
        except (JoseError, ValueError, TypeError):
            continue
        return algorithm, key
    raise ConfigurationError(
        [
            "AUTH0_CLIENT_ASSERTION_SIGNING_KEY cannot sign: it must be a private key without "
            "password, RSA or P-256, in PEM form."
        ]
    )


def _is_pending(answer: Any) -> bool:
    """Tell whether this says to ask later whether a push was answered, as is usual."""
    return isinstance(answer, dict) and answer.get("error") == "slow_down"


def _parse(content: bytes) -> Any:
    try:
        return jsontext.parse(content, _with_secrets)
    except ValueError:
        return None


def _with_secrets(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object whose tokens and codes do not show where it is printed."""
    return {
        name: Secret(value) if name in _SECRETS and isinstance(value, str) else value
        for name, value in pairs
    }


def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise Auth0UnavailableError()
    return answer


def _string(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if not _is_text(value) or not value:
        raise Auth0UnavailableError()
    return value


def _optional_string(answer: Mapping[str, Any], name: str) -> str | None:
    value = answer.get(name)
    if value is not None and not _is_text(value):
        raise Auth0UnavailableError()
    return value or None


def _binding_method(answer: Mapping[str, Any], method: str) -> str | None:
    """Return what Auth0 says; a message has a code in it, also where it does not."""
    said = _optional_string(answer, "binding_method")
    return said or ("prompt" if sends_code(method) else None)


def _is_text(value: Any) -> TypeGuard[str]:
    """Tell whether this is text that can be sent again: JSON can hold lone surrogates."""
    return isinstance(value, str) and value.isprintable()


def _visible(value: Any) -> str | None:
    """Return text that fits into a header; anything else counts as missing."""
    return value if _is_text(value) and value.isascii() and value else None


def _integer(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else None


def _given(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}


def token_response(answer: Mapping[str, Any]) -> TokenResponse:
    """Return the tokens of an answer; raises :class:`Auth0UnavailableError` if it is malformed."""
    expires_in = answer.get("expires_in")
    if isinstance(expires_in, str):
        expires_in = _integer(expires_in)
    if not isinstance(expires_in, int) or isinstance(expires_in, bool) or expires_in <= 0:
        raise Auth0UnavailableError()
    return TokenResponse(
        access_token=_string(answer, "access_token"),
        expires_in=min(expires_in, 366 * 86_400),
        # An empty scope grants nothing; only a missing one stands for the requested (RFC 6749 5.1).
        scope="" if answer.get("scope") == "" else _optional_string(answer, "scope"),
        refresh_token=_optional_string(answer, "refresh_token"),
        id_token=_optional_string(answer, "id_token"),
        recovery_code=_optional_string(answer, "recovery_code"),
    )


def _is_authenticator(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("id"), str)


def _authenticator(entry: Mapping[str, Any]) -> Authenticator:
    channels = entry.get("oob_channels")
    channel = entry.get("oob_channel")
    if channel is None and isinstance(channels, list) and channels:
        channel = channels[0]
    name = entry.get("name")
    kind = entry.get("type")
    authenticator_type = entry.get("authenticator_type", kind)
    return Authenticator(
        id=entry["id"],
        # One of a kind that we do not know is still one: the user has something enrolled.
        authenticator_type=authenticator_type if isinstance(authenticator_type, str) else "unknown",
        active=entry.get("active", True) is True,
        oob_channel=channel if isinstance(channel, str) else None,
        name=name if isinstance(name, str) else None,
        type=kind if isinstance(kind, str) else None,
    )
