"""Refresh tokens: families, rotation, leeway and reuse detection.

A token is ``v1.M`` and a sealed family id with a counter, so a rotated-out token costs no memory
and is still recognised as reuse. Source: Auth0's refresh token rotation.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from .clients import Api, Client, RefreshTokenSettings
from .clock import Clock
from .flow import Method
from .refusals import Refused
from .sealing import Handle, Malformed, Sealer
from .users import User

#: Auth0 keeps this many active refresh tokens per user and application; the oldest goes.
MAX_FAMILIES = 200
_PURPOSE = "refresh_token"


@dataclass
class Family:
    """A grant that lives on through its refresh tokens; moments are epoch seconds.

    ``counter`` is the number of the newest token, ``api`` and ``scope`` are the original grant.
    """

    id: str
    user: User
    client: Client
    api: Api | None
    scope: tuple[str, ...]
    created_at: float
    used_at: float
    methods: list[Method] = field(default_factory=list)
    sid: str = ""
    counter: int = 1
    rotated_at: float = 0.0
    revoked: bool = False

    def is_over(self, now: float) -> bool:
        """Tell whether the family is revoked, too old, or was idle for too long."""
        settings = self.client.refresh_token
        return (
            self.revoked
            or now >= self.created_at + settings.token_lifetime
            or now >= self.used_at + settings.idle_token_lifetime
        )


class Families:
    """Every refresh token family of a tenant."""

    def __init__(self, clock: Clock, sealer: Sealer) -> None:
        self._clock = clock
        self._sealer = sealer
        self._families: OrderedDict[str, Family] = OrderedDict()
        self._of_user: dict[tuple[str, str], list[str]] = {}

    def __len__(self) -> int:
        return len(self._families)

    def add(self, family: Family) -> str:
        """Keep a new family and return its first token."""
        self._families[family.id] = family
        ids = self._of_user.setdefault((family.user.sub, family.client.client_id), [])
        ids.append(family.id)
        now = self._clock.now()
        kept = [i for i in ids if not self._families[i].is_over(now)][-MAX_FAMILIES:]
        for gone in set(ids) - set(kept):
            del self._families[gone]
        ids[:] = kept
        return self._token(family)

    def find(self, refresh_token: str, client: Client) -> Family:
        """Return the family of a usable token, or raise 403 ``invalid_grant``.

        Using a token that was rotated out, unless it is the preceding one within the leeway,
        revokes the whole family.
        """
        family, counter = self._parse(refresh_token)
        if family.client.client_id != client.client_id or family.is_over(self._clock.now()):
            raise unusable()
        if family.user.deleted:
            text = "The refresh_token was generated for a user who doesn't exist anymore."
            raise Refused(403, "invalid_grant", text)
        if counter != family.counter and not self._in_leeway(family, counter):
            family.revoked = True
            raise unusable()
        return family

    def rotate(self, family: Family, refresh_token: str | None = None) -> str | None:
        """Return the next token of the family; None when the client does not rotate.

        Within the leeway the preceding token brings another copy of the current one, so that two
        requests which raced can both go on. Raises 403 when the family has ended meanwhile.
        """
        now = self._clock.now()
        if family.is_over(now):
            raise unusable()
        family.used_at = now
        if not family.client.refresh_token.rotates:
            return None
        if refresh_token is None or self._parse(refresh_token)[1] == family.counter:
            family.counter += 1
            family.rotated_at = now
        return self._token(family)

    def revoke(self, refresh_token: str, client: Client) -> None:
        """Revoke the family of a token; an unknown token or another client's changes nothing."""
        try:
            family, _ = self._parse(refresh_token)
        except Refused:
            return
        if family.client.client_id == client.client_id:
            family.revoked = True

    def _parse(self, refresh_token: str) -> tuple[Family, int]:
        try:
            handle = self._sealer.open(_PURPOSE, _unwrap(refresh_token))
        except Malformed:
            raise unusable() from None
        family_id, _, counter = handle.key.partition(".")
        family = self._families.get(family_id)
        if family is None:
            raise unusable()
        return family, int(counter)

    def _in_leeway(self, family: Family, counter: int) -> bool:
        settings: RefreshTokenSettings = family.client.refresh_token
        recent = self._clock.now() - family.rotated_at < settings.leeway
        return counter == family.counter - 1 and recent

    def _token(self, family: Family) -> str:
        handle = Handle(f"{family.id}.{family.counter}", 0)
        return _wrap(self._sealer.seal(_PURPOSE, handle))


def unusable() -> Refused:
    """Return the answer to an unknown, expired, revoked or reused refresh token."""
    return Refused(403, "invalid_grant", "Unknown or invalid refresh token.")


def _wrap(sealed: str) -> str:
    return "v1.M" + sealed.partition("*")[2].replace("*", ".")


def _unwrap(refresh_token: str) -> str:
    return "Fe26.2*" + refresh_token.removeprefix("v1.M").replace(".", "*")
