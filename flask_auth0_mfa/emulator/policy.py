"""The post-login Actions of a tenant, in the shape of Auth0's own.

An Action is a callable ``action(event, api)``. Commands that it gives (``api.authentication
.challenge_with_any`` and the like) take effect when it has ended, and the next Action sees in
``event.authentication.methods`` what was proved. Source: Auth0's post-login API and event objects.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .clients import Api, Client
from .refusals import Refused
from .users import ENROLLABLE, User

if TYPE_CHECKING:
    from .families import Family

MULTI_FACTOR = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
#: Auth0 allows this many challenge and enroll commands in one flow.
MAX_COMMANDS = 4
_ALIASES = {"push": "push-notification"}

Factor = str | Mapping[str, Any]


@dataclass(frozen=True)
class Method:
    """One way in which the user has proved who they are; ``timestamp`` is in epoch seconds."""

    name: str
    timestamp: float
    type: str | None = None


@dataclass(frozen=True)
class Command:
    """``challenge`` or ``enroll``, with the factor types to choose from."""

    verb: str
    types: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """What the user has to do before the flow goes on.

    With ``listed`` false the tenant says only that MFA is due and any factor will do.
    """

    challenge: tuple[str, ...] = ()
    enroll: tuple[str, ...] = ()
    listed: bool = True

    def allows(self, factor: str) -> bool:
        """Tell whether this factor may be challenged."""
        return factor in self.challenge if self.listed else True

    def requirements(self) -> dict[str, list[dict[str, str]]]:
        """Return the ``mfa_requirements`` object."""
        lists = {"challenge": self.challenge, "enroll": self.enroll}
        return {name: [{"type": t} for t in types] for name, types in lists.items() if types}


@dataclass
class Flow:
    """One run of the Actions: an interactive login, or a refresh exchange."""

    user: User
    client: Client
    protocol: str
    api: Api | None
    scope: tuple[str, ...]
    acr_values: tuple[str, ...] = ()
    requested_scopes: tuple[str, ...] = ()
    body: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    methods: list[Method] = field(default_factory=list)
    family: Family | None = None
    commands: deque[Command] = field(default_factory=deque)
    commands_given: int = 0
    next_action: int = 0
    passed: list[str] = field(default_factory=list)
    multifactor: bool = False
    new_recovery_code: str | None = None
    id_token_claims: dict[str, Any] = field(default_factory=dict)
    access_token_claims: dict[str, Any] = field(default_factory=dict)

    def prove(self, factor: str, at: float) -> None:
        """Record that the user has passed a factor."""
        self.passed.append(factor)
        self.methods.append(Method("mfa", at, factor))


# What an Action is given: the event ---------------------------------------------------------------


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


#: Parameters that Actions have not seen since September 2025.
_STRIPPED = frozenset(
    {"auth_session", "authn_response", "client_secret", "client_assertion", "refresh_token"}
)


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


# What an Action is given: the api -----------------------------------------------------------------


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


class CustomClaims:
    """``api.id_token`` and ``api.access_token``."""

    _RESERVED = frozenset({"amr", "acr", "auth_time"})

    def __init__(self, claims: dict[str, Any]) -> None:
        self._claims = claims

    def set_custom_claim(self, name: str, value: object) -> None:
        """Add a claim to the token; Auth0 ignores ``amr``, ``acr`` and ``auth_time``."""
        if name not in self._RESERVED:
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


Action = Callable[[Event, PostLoginApi], None]


# Running them -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Policy:
    """The Actions of a tenant, its enabled factors, and its own MFA policy as a backstop.

    ``always`` is the tenant policy "Always": any factor is due in every flow where the Actions
    asked for none.
    """

    actions: tuple[Action, ...]
    factors: frozenset[str]
    always: bool = False

    def proceed(self, flow: Flow) -> Step | None:
        """Run Actions until the user has something to do, or to the end (None).

        Raises Refused when an Action denies access or no factor can satisfy it.
        """
        while True:
            if flow.commands:
                return self._step(flow.commands.popleft(), flow.user)
            if flow.next_action == len(self.actions):
                return self._backstop(flow)
            self._run(flow)

    def _run(self, flow: Flow) -> None:
        action = self.actions[flow.next_action]
        flow.next_action += 1
        api = PostLoginApi(flow)
        action(event_of(flow), api)
        flow.commands_given += len(api.commands)
        if flow.commands_given > MAX_COMMANDS:
            raise _unmet(f"More than {MAX_COMMANDS} challenge and enroll commands in one flow.")
        flow.commands.extend(api.commands)

    def _step(self, command: Command, user: User) -> Step:
        enabled = [t for t in command.types if t in self.factors]
        if command.verb == "challenge":
            enrolled = user.active_types()
            if usable := tuple(t for t in enabled if t in enrolled):
                return Step(challenge=usable)
        elif usable := tuple(t for t in enabled if t in ENROLLABLE):
            return Step(enroll=usable)
        raise _unmet("None of the factors that are asked for can be used.")

    def _backstop(self, flow: Flow) -> Step | None:
        if (self.always or flow.multifactor) and not flow.passed:
            return Step(listed=False)
        return None


def _unmet(description: str) -> Refused:
    return Refused(403, "unmet_authentication_requirements", description)


def _types(factors: Iterable[Factor]) -> tuple[str, ...]:
    names = (f if isinstance(f, str) else str(f["type"]) for f in factors)
    return tuple(_ALIASES.get(name, name) for name in names)


# The Actions of the default tenant ----------------------------------------------------------------


def default_actions(apis: Iterable[Api]) -> tuple[Action, ...]:
    """Return Actions that ask for as many different factors as each API says."""
    by_identifier = {api.identifier: api for api in apis}

    def factors_due(event: Event) -> int:
        server = event.resource_server
        target = by_identifier.get(server.identifier) if server else None
        due = target.mfa_factors if target else 0
        refresh = event.transaction.protocol == "oauth2-refresh-token"
        if not refresh and MULTI_FACTOR in event.transaction.acr_values:
            return max(due, 1) if target is None or target.honours_acr_values else due
        return due

    def first_factor(event: Event, api: PostLoginApi) -> None:
        if factors_due(event) < 1:
            return
        enrolled = [factor.type for factor in event.user.enrolled_factors]
        if enrolled:
            api.authentication.challenge_with_any(enrolled)
        else:
            api.authentication.enroll_with_any(ENROLLABLE)

    def second_factor(event: Event, api: PostLoginApi) -> None:
        if factors_due(event) < 2:
            return
        done = [method.type for method in event.authentication.methods if method.name == "mfa"][-1]
        others = [f.type for f in event.user.enrolled_factors if f.type != done]
        if others:
            api.authentication.challenge_with_any(others)
        else:
            api.authentication.enroll_with_any([f for f in ENROLLABLE if f != done])

    return (first_factor, second_factor)
