"""What we read from Auth0's JWTs: ID tokens, fully checked, and access tokens on both ends.

An application reads its access tokens for their audience only; an API checks them fully. Checks of
the ID token: OpenID Connect Core section 3.1.3.7; of the access token: RFC 9068 section 4, and what
of it holds for Auth0's own profile. Both with asymmetric signatures only.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeGuard

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import Key, KeySet

from . import jsontext
from .errors import Auth0UnavailableError
from .signals import LogoutRefusal

ALGORITHMS = ("RS256", "PS256", "ES256")
#: Claims that belong to the protocol and say nothing about the user.
PROTOCOL_CLAIMS = frozenset(
    {"iss", "aud", "azp", "iat", "exp", "nbf", "nonce", "at_hash", "c_hash", "s_hash"}
)
#: ``typ`` of access tokens: Auth0's own profile, and RFC 9068 section 2.1 in both spellings.
ACCESS_TOKEN_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
KEYS_TTL = 600
#: An unknown key id makes us fetch the keys again, but not more often than this (seconds).
KEYS_PAUSE = 10
LEEWAY = 60
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
#: A logout token older than this is not taken, in seconds.
LOGOUT_TOKEN_TTL = 300


class InvalidTokenError(ValueError):
    """The token is not what the tenant signs for this application and user."""


class LogoutTokenError(InvalidTokenError):
    """The logout token is not what the tenant signs to end a session of this application."""

    def __init__(self, reason: LogoutRefusal) -> None:
        super().__init__(f"the logout token's {reason} is not acceptable")
        self.reason = reason


class SigningKeys:
    """The tenant's public keys, kept for a while and fetched anew when one is unknown.

    :param fetch: returns the JWKS document; raises when the tenant cannot be reached.
    """

    def __init__(self, fetch: Callable[[], dict[str, Any]], clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._fetched_at = 0.0
        self._asked_at = 0.0
        self._failures = 0

    def current(self) -> KeySet:
        """Return the keys, fetching them when there are none or they are old.

        Old keys are better than none while the tenant cannot be reached; and nobody waits for
        another thread's fetch who has any.
        """
        if self._keys is None:
            self._first()
        elif self._is_over(self._fetched_at, KEYS_TTL) and self._lock.acquire(blocking=False):
            try:
                if self._may_ask():
                    with suppress(Auth0UnavailableError, InvalidTokenError):
                        self._renew()
            finally:
                self._lock.release()
        return self._known()

    def _first(self) -> None:
        """Fetch the first keys; who waits for another thread's fetch that fails fails with it.

        One after the other would each wait for all before, as long as the tenant does not answer.
        """
        failures = self._failures
        with self._lock:
            if self._keys is not None:
                return
            if self._failures != failures:
                raise Auth0UnavailableError()
            try:
                self._renew()
            except Auth0UnavailableError:
                self._failures += 1
                raise

    def renewed(self) -> KeySet:
        """Return the keys after a look for new ones, at most one every few seconds."""
        with self._lock:
            if self._may_ask():
                self._renew()
            return self._known()

    def _may_ask(self) -> bool:
        # Also after a failure: forged tokens must not make a call each while the tenant is down.
        return self._is_over(self._asked_at, KEYS_PAUSE)

    def _is_over(self, since: float, seconds: int) -> bool:
        # A clock that went back counts as over.
        return not 0 <= self._clock() - since < seconds

    def _renew(self) -> None:
        self._asked_at = self._clock()
        try:
            self._keys = _usable_keys(self._fetch())
        except (JoseError, TypeError, KeyError):
            raise InvalidTokenError("the tenant's keys are malformed") from None
        self._fetched_at = self._clock()

    def _known(self) -> KeySet:
        if self._keys is None:
            raise InvalidTokenError("the tenant's keys are not known")
        return self._keys


def _usable_keys(document: dict[str, Any]) -> KeySet:
    """Return the keys of a JWKS document, without those that we cannot use (RFC 7517 section 5)."""
    keys: list[Key] = []
    for entry in document["keys"]:
        with suppress(JoseError, ValueError, TypeError, KeyError, AttributeError):
            keys += KeySet.import_key_set({"keys": [entry]}).keys
    if not keys:
        raise KeyError("keys")
    return KeySet(keys)


class IdTokenVerifier:
    """Checks ID tokens of one issuer for one client."""

    def __init__(
        self, keys: SigningKeys, issuer: str, client_id: str, clock: Callable[[], float]
    ) -> None:
        self.keys = keys
        self._issuer = issuer
        self._client_id = client_id
        self._clock = clock

    def require_keys(self) -> None:
        """Fetch the tenant's keys if there are none yet.

        Before what can be asked for once only: without keys its answer could not be used. Raises
        :class:`Auth0UnavailableError`.
        """
        with suppress(InvalidTokenError):
            self.keys.current()

    def verify(self, id_token: str, *, subject: str | None = None) -> dict[str, Any]:
        """Return the claims of a valid ID token.

        :param subject: the ``sub`` that the token must have.

        Raises :class:`InvalidTokenError`.
        """
        claims = self._decode(id_token).claims
        self.check(claims, subject=subject)
        return dict(claims)

    def check(self, claims: dict[str, Any], *, subject: str | None = None) -> None:
        """Check claims whose signature was verified; raises :class:`InvalidTokenError`."""
        now = self._clock()
        audiences = _audiences(claims.get("aud"))
        rules = (
            ("iss", claims.get("iss") == self._issuer),
            ("aud", self._client_id in audiences),
            ("azp", claims.get("azp", self._client_id) == self._client_id),
            ("azp", len(audiences) < 2 or "azp" in claims),
            ("exp", _is_number(claims.get("exp")) and claims["exp"] + LEEWAY > now),
            ("iat", _is_number(claims.get("iat")) and claims["iat"] - LEEWAY <= now),
            ("sub", isinstance(claims.get("sub"), str) and claims["sub"] != ""),
            ("sub", subject is None or claims.get("sub") == subject),
        )
        for claim, holds in rules:
            if not holds:
                raise InvalidTokenError(f"the ID token's {claim} is not acceptable")

    def verify_logout_token(self, logout_token: str) -> dict[str, Any]:
        """Return the claims of a valid logout token (OpenID Connect Back-Channel Logout 2.6).

        Raises :class:`LogoutTokenError`.
        """
        try:
            claims = _verified(logout_token, self.keys).claims
        except _NotSignedError:
            raise LogoutTokenError("signature") from None
        now = self._clock()
        events = claims.get("events")
        rules: tuple[tuple[LogoutRefusal, bool], ...] = (
            ("iss", claims.get("iss") == self._issuer),
            ("aud", self._client_id in _audiences(claims.get("aud"))),
            ("iat", _is_number(claims.get("iat")) and abs(claims["iat"] - now) < LOGOUT_TOKEN_TTL),
            ("exp", not _is_number(claims.get("exp")) or claims["exp"] + LEEWAY > now),
            ("events", isinstance(events, dict) and LOGOUT_EVENT in events),
            ("nonce", "nonce" not in claims),
            ("sub", isinstance(claims.get("sub"), str) or isinstance(claims.get("sid"), str)),
        )
        for claim, holds in rules:
            if not holds:
                raise LogoutTokenError(claim)
        return dict(claims)

    def _decode(self, id_token: str) -> jwt.Token:
        try:
            return _verified(id_token, self.keys)
        except _NotSignedError:
            raise InvalidTokenError("the ID token is malformed or not signed by us") from None


class AccessTokenVerifier:
    """Checks access tokens of one issuer for one API."""

    def __init__(
        self, keys: SigningKeys, issuer: str, audience: str, clock: Callable[[], float]
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock

    def verify(self, access_token: str) -> dict[str, Any]:
        """Return the claims of a valid access token, in Auth0's profile or in that of RFC 9068.

        An ID token is none: it is for a client, and not for an API. A token that is bound to a key
        (``cnf``, RFC 9449) is none either: without its proof it may be stolen.

        Raises :class:`InvalidTokenError`.
        """
        try:
            token = _verified(access_token, self._keys)
        except _NotSignedError:
            raise InvalidTokenError("the access token is malformed or not signed by us") from None
        claims, now = token.claims, self._clock()
        rules = (
            ("typ", str(token.header.get("typ", "JWT")).lower() in ACCESS_TOKEN_TYPES),
            ("iss", claims.get("iss") == self._issuer),
            ("aud", self._audience in _audiences(claims.get("aud"))),
            ("exp", _is_number(claims.get("exp")) and claims["exp"] + LEEWAY > now),
            ("nbf", _is_past(claims.get("nbf"), now)),
            ("iat", _is_past(claims.get("iat"), now)),
            ("sub", isinstance(claims.get("sub"), str) and claims["sub"] != ""),
            ("cnf", "cnf" not in claims),
        )
        for claim, holds in rules:
            if not holds:
                raise InvalidTokenError(f"the access token's {claim} is not acceptable")
        return dict(claims)


class _NotSignedError(Exception):
    """The text is no JWT that the tenant has signed."""


def _verified(token: str, keys: SigningKeys) -> jwt.Token:
    """Return a JWT whose signature was checked; its claims were not."""
    try:
        # joserfc parses the header before it knows who signed, however deeply it is nested.
        jsontext.parse(_decoded(token.partition(".")[0]))
        try:
            decoded = jwt.decode(token, keys.current(), algorithms=ALGORITHMS)
        except InvalidKeyIdError:
            decoded = jwt.decode(token, keys.renewed(), algorithms=ALGORITHMS)
        # joserfc before 1.8 hands on a payload of any JSON.
        if isinstance(decoded.claims, dict):
            return decoded
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        raise _NotSignedError from None
    raise _NotSignedError


def _is_past(moment: object, now: float) -> bool:
    """Tell whether a moment that a token may name has come."""
    return moment is None or (_is_number(moment) and moment - LEEWAY <= now)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _audiences(value: object) -> frozenset[str]:
    if isinstance(value, str):
        return frozenset({value})
    if isinstance(value, list):
        return frozenset(one for one in value if isinstance(one, str))
    return frozenset()


def access_token_claims(access_token: str) -> dict[str, Any]:
    """Return the claims of a JWT access token; empty for an opaque or malformed one.

    The signature is not checked: the token came straight from the token endpoint, and the API
    that it is for checks it. Auth0 answers a refresh for an audience outside its policy with 200
    and a token for another audience; the claims are how we notice.
    """
    parts = access_token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = jsontext.parse(_decoded(parts[1]))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


def is_for(access_token: str, audience: str, subject: str | None) -> bool:
    """Tell whether a JWT access token names that audience, and no other user."""
    claims = access_token_claims(access_token)
    same_user = subject is None or claims.get("sub", subject) == subject
    return audience in _audiences(claims.get("aud")) and same_user


def granted_scope(access_token: str, said: str | None, requested: str | None) -> str:
    """Return the scope of an access token.

    :param said: ``scope`` of the answer that it came in. Where that is missing, the token's own
        word counts, and then what was requested (RFC 6749 section 5.1).
    """
    if said is not None:
        return said
    claim = access_token_claims(access_token).get("scope")
    return claim if isinstance(claim, str) else requested or ""
