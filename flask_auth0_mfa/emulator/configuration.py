"""How a tenant is set up, in Python or in a TOML file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from inspect import get_annotations
from pathlib import Path
from typing import Any, TypeVar

from .actions import Action
from .clients import Api, Client, RefreshTokenSettings
from .defaults import default_apis, default_clients, default_users
from .totp import MissingExtra
from .users import FACTORS, User, new_recovery_code, person

T = TypeVar("T")

#: What the fields of a tenant file are: by their annotation the type, and how it is called.
_KINDS: dict[str, tuple[type, str]] = {
    "int": (int, "a whole number"),
    "bool": (bool, "true or false"),
    "str": (str, "a text"),
    "str | None": (str, "a text"),
}


class InvalidConfiguration(ValueError):
    """A tenant file that cannot be used; the message names the place and the remedy."""


@dataclass(frozen=True)
class Configuration:
    """A tenant's settings; lengths of time (``_ttl``) are seconds.

    - ``actions``: the post-login Actions; without any, the default ones read ``mfa_factors``,
      ``honours_acr_values`` and ``claims_namespace`` of each API. In a file:
      ``["package.module:function"]``.
    - ``factors``: the factor types that are switched on.
    - ``mfa_policy``: ``never`` leaves MFA to the Actions; ``always`` asks in every flow.
    - ``logout_urls``: where ``/v2/logout`` without a client may lead.
    - ``otp_single_use``: refuse a TOTP code that was used before, in any transaction.
    - ``remove_with_mfa_token``: let an ``mfa_token`` remove authenticators, as auth0-auth-js does.
    - ``list_verified_email``: list the verified address of a user who has another factor.
    - ``advertise_end_session``: name ``/oidc/logout`` in the metadata.
    - ``free_tier``: add the rate limits of a free tenant as a whole.
    """

    name: str = "Acme"
    users: tuple[User, ...] = field(default_factory=default_users)
    clients: tuple[Client, ...] = field(default_factory=default_clients)
    apis: tuple[Api, ...] = field(default_factory=default_apis)
    actions: tuple[Action, ...] = ()
    factors: frozenset[str] = frozenset(FACTORS)
    mfa_policy: str = "never"
    logout_urls: tuple[str, ...] = ("loopback",)
    mfa_token_ttl: int = 600
    oob_code_ttl: int = 300
    authorization_code_ttl: int = 600
    login_ttl: int = 3600
    session_ttl: int = 259_200
    id_token_ttl: int = 36_000
    otp_single_use: bool = False
    remove_with_mfa_token: bool = False
    list_verified_email: bool = False
    advertise_end_session: bool = True
    free_tier: bool = False

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if unknown := self.factors - set(FACTORS):
            names = ", ".join(sorted(unknown))
            raise InvalidConfiguration(f"factors: {names} is none of {', '.join(FACTORS)}.")
        if self.mfa_policy not in ("never", "always"):
            raise InvalidConfiguration(
                f"mfa_policy is 'never' or 'always', not {self.mfa_policy!r}."
            )

    @classmethod
    def from_toml(cls, path: Path) -> Configuration:
        """Read a tenant file; raises InvalidConfiguration with a sentence that says what to do."""
        try:
            content = _read_toml(path)
        # TOMLDecodeError and UnicodeDecodeError are ValueErrors.
        except (OSError, ValueError) as error:
            raise InvalidConfiguration(f"{path} cannot be read as TOML: {error}.") from error
        return cls.from_mapping(content)

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Configuration:
        """Build from the tables of a tenant file; raises InvalidConfiguration."""
        builders: dict[str, Callable[[Mapping[str, Any]], object]] = {
            "users": _user,
            "clients": _client,
            "apis": lambda table: _build(Api, table),
        }
        settings: dict[str, Any] = {}
        for name, value in content.items():
            if name in builders:
                settings[name] = tuple(builders[name](table) for table in _tables(name, value))
            elif name == "actions":
                settings[name] = tuple(map(_import_action, _texts(name, value)))
            elif name == "factors":
                settings[name] = frozenset(_texts(name, value))
            else:
                settings[name] = _frozen(value)
        return _build(cls, settings)


def _read_toml(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ModuleNotFoundError:
            raise MissingExtra("tomli") from None
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _tables(name: str, value: object) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
        raise InvalidConfiguration(f"{name} must be tables: [[{name}]].")
    return value


def _user(table: Mapping[str, Any]) -> User:
    code = table.get("recovery_code")
    recovery_code = new_recovery_code() if code is True else code
    return _build(person, {**table, "recovery_code": recovery_code})


def _client(table: Mapping[str, Any]) -> Client:
    values = {name: _frozen(value) for name, value in table.items()}
    if "refresh_token" in values:
        values["refresh_token"] = _refresh_token(values["refresh_token"])
    return _build(Client, values)


def _refresh_token(table: object) -> RefreshTokenSettings:
    if not isinstance(table, Mapping):
        raise InvalidConfiguration("refresh_token must be a table: [clients.refresh_token].")
    policies = dict(_policy(policy) for policy in _items("policies", table.get("policies", ())))
    return _build(RefreshTokenSettings, {**table, "policies": policies})


def _policy(policy: object) -> tuple[str, tuple[str, ...]]:
    # Auth0's own shape: "policies" is a list of {"audience", "scope"}.
    if not isinstance(policy, Mapping) or "audience" not in policy:
        raise InvalidConfiguration(
            'Each policy of a client needs an audience: {audience = "https://…", scope = []}.'
        )
    return policy["audience"], _texts("scope", policy.get("scope", ()))


def _items(name: str, value: object) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise InvalidConfiguration(f"{name} must be a list, in brackets.")
    return tuple(value)


def _texts(name: str, value: object) -> tuple[str, ...]:
    """Return a list of texts; one text in its place would be read letter by letter."""
    items = _items(name, value)
    if not all(isinstance(item, str) for item in items):
        raise InvalidConfiguration(f"{name} must be a list of texts.")
    return items


def _check_kinds(kind: Callable[..., Any], values: Mapping[str, Any]) -> None:
    """Refuse values of another kind than their fields, before a request runs into them."""
    for name, wanted in get_annotations(kind).items():
        value = values.get(name)
        if value is None:
            continue
        if wanted == "tuple[str, ...]":
            _texts(name, value)
        elif wanted in _KINDS and type(value) is not _KINDS[wanted][0]:
            raise InvalidConfiguration(f"{name} must be {_KINDS[wanted][1]}, not {value!r}.")


def _build(kind: Callable[..., T], values: Mapping[str, Any]) -> T:
    _check_kinds(kind, values)
    try:
        return kind(**{name: _frozen(value) for name, value in values.items()})
    except TypeError as error:
        what = getattr(kind, "__name__", "table")
        raise InvalidConfiguration(f"In a {what} table of the tenant file: {error}.") from error


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _import_action(target: str) -> Action:
    module, _, name = target.partition(":")
    try:
        action: Action = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidConfiguration(
            f"actions: {target!r} must be 'package.module:function' that can be imported ({error})."
        ) from error
    return action
