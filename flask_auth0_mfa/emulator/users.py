"""People of the tenant and what they have enrolled."""

from __future__ import annotations

import hashlib
import secrets
import string
from dataclasses import dataclass, field
from urllib.parse import quote

from .totp import code_at

#: Factor types in the order in which ``mfa_requirements`` lists them.
FACTORS = ("otp", "phone", "email", "push-notification", "recovery-code")
#: Factors that can be enrolled during a step-up; e-mail is left out as in Auth0's Actions.
ENROLLABLE = ("otp", "phone", "push-notification")
CHANNELS = ("sms", "voice", "email", "auth0")

_TYPES = {"sms": "phone", "voice": "phone", "email": "email", "auth0": "push-notification"}
_PREFIXES = {"otp": "totp", "auth0": "push"}
_ALPHANUMERIC = string.ascii_letters + string.digits


@dataclass
class Authenticator:
    """One entry of ``GET /mfa/authenticators``.

    ``kind`` is one of ``CHANNELS``, ``otp`` or ``recovery-code``; ``address`` is a phone number
    or an e-mail address, ``secret`` the base32 TOTP key.
    """

    id: str
    kind: str
    active: bool = True
    address: str | None = None
    secret: str | None = field(default=None, repr=False)

    @property
    def authenticator_type(self) -> str:
        """Return ``otp``, ``oob`` or ``recovery-code``."""
        return "oob" if self.kind in CHANNELS else self.kind

    @property
    def type(self) -> str:
        """Return the factor in the vocabulary of ``mfa_requirements``."""
        return _TYPES.get(self.kind, self.kind)

    @property
    def suffix(self) -> str:
        """Return the part of the id that twins share."""
        return self.id.partition("|")[2]

    def to_json(self) -> dict[str, object]:
        """Return the entry as Auth0 lists it, with both spellings of the channel field."""
        entry: dict[str, object] = {
            "id": self.id,
            "authenticator_type": self.authenticator_type,
            "active": self.active,
            "type": self.type,
        }
        if self.kind in CHANNELS:
            entry |= {"oob_channel": self.kind, "oob_channels": [self.kind]}
        if self.address:
            entry["name"] = mask(self.address)
        return entry


@dataclass
class User:
    """A user of the tenant's database connection."""

    email: str
    password: str = field(repr=False)
    name: str
    authenticators: list[Authenticator] = field(default_factory=list)
    recovery_code: str | None = field(default=None, repr=False)
    email_verified: bool = True
    deleted: bool = False
    used_otp_steps: set[int] = field(default_factory=set)

    @property
    def sub(self) -> str:
        """Return the user id; it follows from the address, so a reset does not change it."""
        return f"auth0|{hashlib.sha256(self.email.encode()).hexdigest()[:24]}"

    @property
    def nickname(self) -> str:
        """Return the part of the address before the ``@``."""
        return self.email.partition("@")[0]

    def active(self, kind: str | None = None) -> list[Authenticator]:
        """Return the confirmed authenticators, of one kind or of all."""
        return [a for a in self.authenticators if a.active and kind in (None, a.kind)]

    def active_types(self) -> list[str]:
        """Return the factors the user can be challenged with, in Auth0's order."""
        types = {authenticator.type for authenticator in self.active()}
        return [factor for factor in FACTORS if factor in types]

    def authenticator(self, authenticator_id: str) -> Authenticator | None:
        """Return the authenticator of that id, confirmed or not."""
        return next((a for a in self.authenticators if a.id == authenticator_id), None)

    def current_otp(self, at: float) -> str | None:
        """Return the TOTP code of this moment, or None when no TOTP is enrolled or pending."""
        keys = [a.secret for a in self.authenticators if a.secret]
        return code_at(keys[0], at) if keys else None

    def enroll(
        self, kind: str, *, address: str | None = None, secret: str | None = None, active: bool
    ) -> Authenticator:
        """Add an authenticator; an unconfirmed one of the same kind is replaced."""
        self.authenticators = [a for a in self.authenticators if a.active or a.kind != kind]
        added = Authenticator(new_id(kind), kind, active, address, secret)
        self.authenticators.append(added)
        return added

    def remove(self, authenticator: Authenticator) -> None:
        """Remove an authenticator and its twin: SMS and voice of one number share a suffix."""
        self.authenticators = [a for a in self.authenticators if a.suffix != authenticator.suffix]
        if authenticator.kind == "recovery-code":
            self.recovery_code = None


def person(
    email: str,
    name: str,
    *,
    password: str = "demo",  # noqa: S107 - the published password of the local tenant
    totp_secret: str | None = None,
    phone_number: str | None = None,
    push: bool = False,
    email_factor: bool = False,
    recovery_code: str | None = None,
    email_verified: bool = True,
) -> User:
    """Return a user with the factors that are given; a phone takes both texts and calls."""
    enrolled: list[tuple[str, str | None, str | None]] = []
    if totp_secret:
        enrolled.append(("otp", None, totp_secret))
    if phone_number:
        enrolled += [("sms", phone_number, None), ("voice", phone_number, None)]
    if email_factor:
        enrolled.append(("email", email, None))
    if push:
        enrolled.append(("auth0", None, None))
    if recovery_code:
        enrolled.append(("recovery-code", None, None))
    authenticators = []
    for kind, address, secret in enrolled:
        # Twins share a suffix, and fixed ids make the tenant of one run like that of the next.
        seed = email + ("phone" if kind in ("sms", "voice") else kind)
        authenticators.append(Authenticator(new_id(kind, seed), kind, True, address, secret))
    return User(email, password, name, authenticators, recovery_code, email_verified)


def new_id(kind: str, seed: str | None = None) -> str:
    """Return an authenticator id such as ``sms|dev_…``; the same ``seed`` gives the same suffix."""
    if seed is None:
        suffix = "".join(secrets.choice(_ALPHANUMERIC) for _ in range(16))
    else:
        suffix = hashlib.sha256(seed.encode()).hexdigest()[:16]
    return f"{_PREFIXES.get(kind, kind)}|dev_{suffix}"


def twin_of(authenticator: Authenticator) -> Authenticator:
    """Return the voice entry that comes with an SMS enrollment, or the other way round."""
    kind = "voice" if authenticator.kind == "sms" else "sms"
    twin_id = f"{kind}|{authenticator.suffix}"
    return Authenticator(twin_id, kind, authenticator.active, authenticator.address)


def new_recovery_code() -> str:
    """Return 24 characters of A-Z and 0-9."""
    return "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(24))


def mask(address: str) -> str:
    """Return an address as Auth0 shows it: the end of a number, the start of a mail domain."""
    local, at, domain = address.partition("@")
    if not at:
        return "X" * max(0, len(address) - 4) + address[-4:]
    return f"{'*' * len(local)}@{domain[:4]}{'*' * len(domain[4:])}"


def otpauth_uri(label: str, issuer: str, secret: str) -> str:
    """Return the key URI that an authenticator app scans."""
    name = f"{quote(issuer)}:{quote(label)}"
    return (
        f"otpauth://totp/{name}?secret={secret}&issuer={quote(issuer)}"
        "&algorithm=SHA1&digits=6&period=30"
    )
