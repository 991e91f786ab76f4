"""Remembered devices: a browser in which a second factor counts for days, and when that ends.

The browser holds a sealed cookie that names the device, for one user and one API. What counts is
the user's list in the shared state: a device that is not on it is not remembered, whatever its
cookie says. So forgetting works at once and everywhere, and a lost list forgets all of them.

The list also has a fingerprint of the user's authenticators. Whenever Auth0 lists these for a
check of that user, in whatever browser, another fingerprint forgets all devices.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from .. import signals
from ..errors import Auth0UnavailableError
from ..memory import Name
from ..models import (
    DAY,
    Auth0Session,
    Authenticator,
    MfaContext,
    RememberedDevice,
    StepUpRequest,
)
from ..sealing import DEVICE, SealBrokenError, SealExpiredError
from .parts import Parts

logger = logging.getLogger("flask_auth0_mfa")

#: A user may have this many remembered; the oldest goes.
MAX_DEVICES = 20


@dataclass(frozen=True)
class SealedDevice:
    """What a browser is given to keep; ``owner`` tells the cookies of users and APIs apart."""

    owner: str
    sealed: str
    expires_at: int


@dataclass(frozen=True)
class DeviceFlow:
    """Remembers devices, recognises and forgets them."""

    parts: Parts

    def name(self, session: Auth0Session) -> Name:
        """Return what the list of the session's user is remembered under."""
        subject = str((session.user or {}).get("sub"))
        return ("devices", self.parts.settings.issuer, subject)

    def owner(self, session: Auth0Session, audience: str) -> str:
        """Return the name of a user and an API among the cookies of a browser."""
        digest = hashlib.sha256("\n".join((*self.name(session), audience)).encode()).digest()
        return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()

    # -- recognising -------------------------------------------------------------------------

    def recognised(
        self, session: Auth0Session, request: StepUpRequest, sealed: str
    ) -> RememberedDevice | None:
        """Return the device that a cookie names if it counts for what is asked for.

        Raises :class:`Auth0UnavailableError` when the shared state cannot be reached.
        """
        identifier = self._identifier(session, request.audience or "", sealed)
        if identifier is None:
            return None
        now = self.parts.clock()
        found = (one for one in self._remembered(session) if one.id == identifier)
        return next((one for one in found if one.counts_for(request, now)), None)

    def listed(self, session: Auth0Session, cookies: Mapping[str, str]) -> list[RememberedDevice]:
        """Return the user's devices, the newest first.

        :param cookies: what the browser of this request has, by owner.

        Raises :class:`Auth0UnavailableError` when the shared state cannot be reached.
        """
        found = [
            replace(one, is_this=self._is_named(session, one, cookies))
            for one in self._remembered(session)
        ]
        return sorted(found, key=lambda one: one.remembered_at, reverse=True)

    def _is_named(
        self, session: Auth0Session, device: RememberedDevice, cookies: Mapping[str, str]
    ) -> bool:
        sealed = cookies.get(self.owner(session, device.audience), "")
        return self._identifier(session, device.audience, sealed) == device.id

    def _identifier(self, session: Auth0Session, audience: str, sealed: str) -> str | None:
        """Return the id in a cookie, if it is one of this user's for this API."""
        try:
            content = self.parts.sealer.open(DEVICE, sealed)
        except (SealBrokenError, SealExpiredError):
            return None
        identifier = content.get("device")
        is_ours = content.get("owner") == self.owner(session, audience)
        return identifier if is_ours and isinstance(identifier, str) else None

    def _remembered(self, session: Auth0Session) -> list[RememberedDevice]:
        if session.user is None:
            return []
        return self._living(self.parts.memory.get(self.name(session)))

    def _living(self, record: Mapping[str, Any] | None) -> list[RememberedDevice]:
        found = [RememberedDevice(**entry) for entry in (record or {}).get("devices", [])]
        return [one for one in found if one.expires_at > self.parts.clock()]

    # -- remembering -------------------------------------------------------------------------

    def remember(
        self, session: Auth0Session, context: MfaContext, before: str
    ) -> SealedDevice | None:
        """Remember the browser in which this check was passed just now.

        Not where the guard does not allow it, nor after a recovery code, nor while a method was
        being added. The second press of a button remembers nothing twice.

        :param before: the cookie that the browser had for this, whose device is replaced.
        """
        audience = context.audience or ""
        proof = session.verified.get(audience)
        if context.remember is None or context.authenticators is None or proof is None:
            return None
        if context.enrollment is not None or proof.method == "recovery-code":
            return None
        ends_at = proof.at + context.remember * DAY
        device = RememberedDevice(context.id, audience, proof.method, proof.at, ends_at)
        gone = {device.id, self._identifier(session, audience, before)}
        try:
            self._add(session, device, gone, fingerprint(context.authenticators))
        except Auth0UnavailableError:
            # The second factor counts all the same.
            logger.error("The shared state cannot be reached: a device was not remembered")
            return None
        owner = self.owner(session, audience)
        sealed = self.parts.sealer.seal(DEVICE, {"owner": owner, "device": device.id}, ends_at)
        return SealedDevice(owner, sealed, ends_at)

    def _add(
        self,
        session: Auth0Session,
        device: RememberedDevice,
        gone: set[str | None],
        authenticators: str,
    ) -> None:
        with self.parts.memory.locked(self.name(session)):
            known = self.parts.memory.get(self.name(session)) or {}
            is_same_set = known.get("authenticators") == authenticators
            before = self._living(known)
            kept = [one for one in before if is_same_set and one.id not in gone]
            kept.sort(key=lambda one: one.remembered_at)
            after = [*kept[1 - MAX_DEVICES :], device]
            self.parts.memory.put(
                self.name(session), _record(after, authenticators), self._ttl([*before, device])
            )
        if device.id not in {one.id for one in before}:
            self.parts.send(
                signals.device_remembered, session, audience=device.audience, device_id=device.id
            )

    def _ttl(self, devices: Iterable[RememberedDevice]) -> int:
        """Return for how long a new list must be kept: as long as any that it replaces.

        After a change of the key that one is still there, under its old name.
        """
        return max(one.expires_at for one in devices) - self.parts.now()

    # -- forgetting --------------------------------------------------------------------------

    def forget(self, session: Auth0Session, identifier: str | None = None) -> None:
        """Forget one of the user's devices; without ``identifier`` all of them.

        Raises :class:`Auth0UnavailableError` when the shared state cannot be reached.
        """
        if session.user is None:
            return
        with self.parts.memory.locked(self.name(session)):
            known = self.parts.memory.get(self.name(session)) or {}
            devices = self._living(known)
            gone = [one for one in devices if identifier in (None, one.id)]
            if gone:
                kept = [one for one in devices if one not in gone]
                record = _record(kept, known["authenticators"])
                self.parts.memory.put(self.name(session), record, self._ttl(devices))
        self._tell_forgotten(session, gone, "user")

    def compare(
        self,
        session: Auth0Session,
        record: Mapping[str, Any] | None,
        authenticators: Iterable[Authenticator],
    ) -> None:
        """Forget all devices if the user's authenticators are others than when these began.

        :param record: what was kept under :meth:`name`.
        """
        found, devices = fingerprint(authenticators), self._living(record)
        if not record or not devices or record["authenticators"] == found:
            return
        self.parts.memory.put_if_up(self.name(session), _record([], found), self._ttl(devices))
        self._tell_forgotten(session, devices, "authenticators")

    def _tell_forgotten(
        self, session: Auth0Session, devices: Iterable[RememberedDevice], reason: str
    ) -> None:
        for one in devices:
            self.parts.send(
                signals.device_forgotten,
                session,
                audience=one.audience,
                device_id=one.id,
                reason=reason,
            )


def _record(devices: Iterable[RememberedDevice], authenticators: str) -> dict[str, Any]:
    return {"authenticators": authenticators, "devices": [asdict(one) for one in devices]}


def fingerprint(authenticators: Iterable[Authenticator]) -> str:
    """Return what tells one set of active authenticators from another, by their ids and types."""
    active = sorted(
        (one.id, one.authenticator_type, one.oob_channel or "")
        for one in authenticators
        if one.active
    )
    digest = hashlib.sha256(repr(active).encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
