"""The tenant of the demo and of the tests: its people, clients, APIs and Actions."""

from __future__ import annotations

from collections.abc import Iterable

from .actions import MULTI_FACTOR, Action, Event, PostLoginApi
from .clients import Api, Client, RefreshTokenSettings
from .flow import REFRESH_PROTOCOL
from .users import ENROLLABLE, User, person

ACCOUNTS = "https://accounts.example.com"
PAYMENTS = "https://payments.example.com"
ADMIN = "https://admin.example.com"
OPEN = "https://open.example.com"


def default_apis() -> tuple[Api, ...]:
    """Return the four APIs: no MFA, one factor, two factors, and one that never asks."""
    return (
        Api(ACCOUNTS, ("read:accounts",)),
        Api(PAYMENTS, ("read:payments", "transfer:funds"), mfa_factors=1),
        Api(ADMIN, ("read:admin", "write:admin"), mfa_factors=2),
        Api(OPEN, ("read:open",), honours_acr_values=False),
    )


def default_clients() -> tuple[Client, ...]:
    """Return the demo client, whose refresh tokens are good for all four APIs."""
    policies = {api.identifier: api.scopes for api in default_apis()}
    settings = RefreshTokenSettings(policies=policies)
    secret = "demo-secret"  # noqa: S105 - published  # nosec B105
    return (Client("demo-client", secret, refresh_token=settings),)


def default_users() -> tuple[User, ...]:
    """Return Ana, Ben, Cleo and Dan; every password is ``demo``."""
    return (
        person(
            "ana@example.com",
            "Ana Ortega",
            totp_secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",  # noqa: S106 - published  # nosec B106
            phone_number="+15550109167",
            push=True,
            email_factor=True,
            recovery_code="N3BGPZZWJ85JLCNPZBDW6QXC",
        ),
        person("ben@example.com", "Ben Okafor"),
        person(
            "cleo@example.com",
            "Cleo Lindqvist",
            totp_secret="KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU",  # noqa: S106 - published  # nosec B106
        ),
        person("dan@example.com", "Dan Moreau", push=True),
    )


def default_actions(apis: Iterable[Api]) -> tuple[Action, ...]:
    """Return Actions that ask for as many factors as each API says, and state them in tokens."""
    by_identifier = {api.identifier: api for api in apis}

    def factors_due(event: Event) -> int:
        server = event.resource_server
        target = by_identifier.get(server.identifier) if server else None
        due = target.mfa_factors if target else 0
        refresh = event.transaction.protocol == REFRESH_PROTOCOL
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

    def claims(event: Event, api: PostLoginApi) -> None:
        server = event.resource_server
        target = by_identifier.get(server.identifier) if server else None
        if target is None or not target.claims_namespace:
            return
        methods = event.authentication.methods
        second = [method for method in methods if method.name == "mfa"]
        # How fresh a proof is that took a second factor is how fresh that factor is.
        moments = [method.timestamp for method in second or methods]
        if moments:
            name = f"{target.claims_namespace}auth_time"
            api.access_token.set_custom_claim(name, int(max(moments)))
        if second:
            api.access_token.set_custom_claim(f"{target.claims_namespace}acr", MULTI_FACTOR)

    # An Action sees what the one before it has asked for, and not what it asks for itself.
    return (first_factor, second_factor, claims)
