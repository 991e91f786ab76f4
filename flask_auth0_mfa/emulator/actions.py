"""What a post-login Action is given, in the shape of Auth0's own.

An Action is a callable ``action(event, api)``. Commands that it gives
(``api.authentication.challenge_with_any`` and the like) take effect when it has ended, and the next
Action sees in ``event.authentication.methods`` what was proved. Source: Auth0's post-login event
and API objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .flow import Command, Flow, Method
from .refusals import Refused

MULTI_FACTOR = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
#: Parameters that Actions have not seen since September 2025.
_STRIPPED = frozenset(
    {"auth_session", "authn_response", "client_secret", "client_assertion", "refresh_token"}
)
_ALIASES = {"push": "push-notification"}

Factor = str | Mapping[str, Any]


@dataclass(frozen=True)
class EnrolledFactor:
    """A factor of ``event.user.enrolled_factors``."""

    type: str


@dataclass(frozen=True)
class EventUser:
    """``event.user``."""

    user_id: str
    email: str
    name: str
    enrolled_factors: tuple[EnrolledFactor, ...]


@dataclass(frozen=True)
class EventTransaction:
    """``event.transaction``; on a refresh the protocol is ``oauth2-refresh-token``."""

    protocol: str
    requested_scopes: tuple[str, ...]
    acr_values: tuple[str, ...]


@dataclass(frozen=True)
class EventRequest:
    """``event.request``: the POST body and the query of the authorization request."""

    body: Mapping[str, str]
    query: Mapping[str, str]


@dataclass(frozen=True)
class EventClient:
    """``event.client``."""

    client_id: str
    name: str


@dataclass(frozen=True)
class EventResourceServer:
    """``event.resource_server``: the API whose token is asked for."""

    identifier: str


@dataclass(frozen=True)
class EventAuthentication:
    """``event.authentication``."""

    methods: tuple[Method, ...]


@dataclass(frozen=True)
class Event:
    """What a post-login Action knows about the flow."""

    user: EventUser
    client: EventClient
    transaction: EventTransaction
    request: EventRequest
    resource_server: EventResourceServer | None
    authentication: EventAuthentication


def event_of(flow: Flow) -> Event:
    """Return the event of a flow as its next Action sees it."""
    user = flow.user
    return Event(
        user=EventUser(
            user.sub, user.email, user.name, tuple(map(EnrolledFactor, user.active_types()))
        ),
        client=EventClient(flow.client.client_id, flow.client.name),
        transaction=EventTransaction(flow.protocol, flow.requested_scopes, flow.acr_values),
        request=EventRequest(_visible(flow.body), _visible(flow.query)),
        resource_server=EventResourceServer(flow.api.identifier) if flow.api else None,
        authentication=EventAuthentication(tuple(flow.methods)),
    )


def _visible(parameters: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if name not in _STRIPPED}


class Authentication:
    """``api.authentication``: ask for a factor, by type or as ``{"type": …, "options": …}``."""

    def __init__(self, commands: list[Command]) -> None:
        self._commands = commands

    def challenge_with(self, factor: Factor) -> None:
        """Ask for this factor."""
        self.challenge_with_any([factor])

    def challenge_with_any(self, factors: Sequence[Factor]) -> None:
        """Ask for one of these factors."""
        self._commands.append(Command("challenge", _types(factors)))

    def enroll_with(self, factor: Factor) -> None:
        """Have the user enroll this factor."""
        self.enroll_with_any([factor])

    def enroll_with_any(self, factors: Sequence[Factor]) -> None:
        """Have the user enroll one of these factors; e-mail cannot be enrolled this way."""
        self._commands.append(Command("enroll", _types(factors)))


class Access:
    """``api.access``."""

    def deny(self, reason: str) -> None:
        """End the flow with ``access_denied`` and the reason as description."""
        raise Refused(403, "access_denied", reason)


class RefreshToken:
    """``api.refresh_token``."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def revoke(self, reason: str) -> None:
        """Revoke the family of the refresh token and end the flow with ``access_denied``."""
        if self._flow.family is not None:
            self._flow.family.revoked = True
        raise Refused(403, "access_denied", reason)


class Multifactor:
    """``api.multifactor``: the older, coarser switch."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def enable(self, provider: str, *, allow_remember_browser: bool = False) -> None:
        """Ask for any factor; a challenge or enroll command overrides this."""
        del provider, allow_remember_browser
        self._flow.multifactor = True


#: Names of claims that no Action can set. Source: Auth0's page on custom claims.
_RESERVED_CLAIMS = frozenset((
    "acr", "act", "active", "amr", "at_hash", "ath", "attest", "aud", "auth_time",
    "authorization_details", "azp", "c_hash", "client_id", "cnf", "cty", "dest", "entitlements",
    "events", "exp", "groups", "gty", "htm", "htu", "iat", "internalService", "iss", "jcard", "jku",
    "jti", "jwe", "jwk", "kid", "may_act", "mky", "nbf", "nonce", "object_id", "org_id", "org_name",
    "orig", "origid", "permissions", "roles", "rph", "s_hash", "sid", "sip_callid", "sip_cseq_num",
    "sip_date", "sip_from_tag", "sip_via_branch", "sub", "sub_jwk", "toe", "txn", "typ", "uuid",
    "vot", "vtm", "x5t#S256",
))  # fmt: skip
#: What the name of a claim may not begin with.
_RESERVED_NAMESPACES = ("urn:auth0", "https://auth0.com", "http://auth0.com")


class CustomClaims:
    """``api.id_token`` and ``api.access_token``."""

    def __init__(self, claims: dict[str, Any]) -> None:
        self._claims = claims

    def set_custom_claim(self, name: str, value: object) -> None:
        """Add a claim to the token; one that is Auth0's own is left out without a word."""
        if name not in _RESERVED_CLAIMS and not name.startswith(_RESERVED_NAMESPACES):
            self._claims[name] = value


class PostLoginApi:
    """What a post-login Action can do."""

    def __init__(self, flow: Flow) -> None:
        self.commands: list[Command] = []
        self.authentication = Authentication(self.commands)
        self.access = Access()
        self.refresh_token = RefreshToken(flow)
        self.multifactor = Multifactor(flow)
        self.id_token = CustomClaims(flow.id_token_claims)
        self.access_token = CustomClaims(flow.access_token_claims)


#: An Action of a tenant.
Action = Callable[[Event, PostLoginApi], None]


def _types(factors: Iterable[Factor]) -> tuple[str, ...]:
    names = (f if isinstance(f, str) else str(f["type"]) for f in factors)
    return tuple(_ALIASES.get(name, name) for name in names)
