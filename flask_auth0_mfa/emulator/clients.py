"""Applications and APIs that the tenant knows."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import ClientMixin

MFA_OTP = "http://auth0.com/oauth/grant-type/mfa-otp"
MFA_OOB = "http://auth0.com/oauth/grant-type/mfa-oob"
MFA_RECOVERY_CODE = "http://auth0.com/oauth/grant-type/mfa-recovery-code"
GRANT_TYPES = ("authorization_code", "refresh_token", MFA_OTP, MFA_OOB, MFA_RECOVERY_CODE)
OIDC_SCOPES = ("openid", "profile", "email", "offline_access")

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_DAY = 86_400


@dataclass(frozen=True)
class Api:
    """A resource server; ``access_token_ttl`` is in seconds.

    Three fields are read by the default Actions. ``mfa_factors``: how many different factors a
    token for this API needs. ``honours_acr_values``: whether a login may ask for MFA by
    ``acr_values``. ``claims_namespace``: if there is one, tokens say under it when the user was
    authenticated last (``auth_time``), and whether that was by a second factor (``acr``).
    """

    identifier: str
    scopes: tuple[str, ...] = ()
    access_token_ttl: int = _DAY
    allow_offline_access: bool = True
    mfa_factors: int = 0
    honours_acr_values: bool = True
    claims_namespace: str = ""
    token_dialect: str = "access_token"  # noqa: S105 - Auth0's name for its own JWT profile


@dataclass(frozen=True)
class RefreshTokenSettings:
    """Refresh token settings of a client, in Auth0's names; times are seconds."""

    rotation_type: str = "rotating"
    leeway: int = 0
    token_lifetime: int = 2_592_000
    idle_token_lifetime: int = 2_592_000
    policies: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def rotates(self) -> bool:
        """Tell whether every use replaces the token."""
        return self.rotation_type == "rotating"


@dataclass(frozen=True)
class Client(ClientMixin):
    """A first-party application.

    With neither a secret nor a public key it is a public client. ``callbacks`` and ``logout_urls``
    are exact URLs; the word ``loopback`` in them allows every address of this machine.
    """

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    public_key: str | None = None
    name: str = "Demo"
    callbacks: tuple[str, ...] = ("loopback",)
    logout_urls: tuple[str, ...] = ("loopback",)
    grant_types: tuple[str, ...] = GRANT_TYPES
    refresh_token: RefreshTokenSettings = field(default_factory=RefreshTokenSettings)

    def get_client_id(self) -> str:
        """Return the client id."""
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """Return None: ``redirect_uri`` is always required."""

    def get_allowed_scope(self, scope: str | None) -> str:
        """Return the scope as requested: the API decides what of it is granted."""
        return scope or "openid"

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Tell whether the URL is an allowed callback."""
        return allows(self.callbacks, redirect_uri)

    def check_client_secret(self, client_secret: str) -> bool:
        """Tell whether the secret is right."""
        expected = (self.client_secret or "").encode()
        return bool(expected) and secrets.compare_digest(expected, client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Tell whether the client may authenticate that way, at any endpoint."""
        del endpoint
        if method == "private_key_jwt":
            return self.public_key is not None
        if method == "none":
            return self.client_secret is None and self.public_key is None
        return self.client_secret is not None

    def check_response_type(self, response_type: str) -> bool:
        """Tell whether the response type is allowed: ``code``, where that grant is switched on."""
        return response_type == "code" and self.check_grant_type("authorization_code")

    def check_grant_type(self, grant_type: str) -> bool:
        """Tell whether the grant is switched on for this client."""
        return grant_type in self.grant_types


def allows(allowed: tuple[str, ...], url: str) -> bool:
    """Tell whether ``url`` is listed, query string included, or loopback where that is listed."""
    return url in allowed or ("loopback" in allowed and is_loopback(url))


def is_loopback(url: str) -> bool:
    """Tell whether an http(s) URL points to this machine."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and parts.hostname in _LOOPBACK
    except ValueError:
        return False
