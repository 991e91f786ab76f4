"""One run through the Actions of a tenant, and what its user has to do on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .clients import Api, Client
from .users import User

if TYPE_CHECKING:
    from .families import Family

LOGIN_PROTOCOL = "oidc-basic-profile"
REFRESH_PROTOCOL = "oauth2-refresh-token"


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
