"""The names of factors: Auth0 has three vocabularies for them, and this is where they meet.

A *factor* is what requirements speak of (``phone``), a *method* is one concrete way that a person
picks (``sms``). Auth0 names them in ``mfa_requirements``, as ``authenticator_type`` with
``oob_channel``, and as ``challenge_type``; all three are normalised here and nowhere else.
Unknown names stay as they are, so that a new factor never breaks us.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

#: The methods that the MFA API can do, strongest first (NIST SP 800-63B: a bare push approval is
#: weaker than a code, text messages are restricted, e-mail is no second device).
METHODS = ("otp", "push", "sms", "voice", "email", "recovery-code")

#: Asks for a second factor, and says that there was one (``acr``): Auth0's value, which comes from
#: the PAPE policy of OpenID.
MULTI_FACTOR = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"

#: What messages can be sent to (E.164; an e-mail address is what its mail server says).
PHONE_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
EMAIL_ADDRESS = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")

_FACTORS = {
    "otp": "otp",
    "totp": "otp",
    "sms": "phone",
    "voice": "phone",
    "phone": "phone",
    "email": "email",
    "auth0": "push",
    "push": "push",
    "push-notification": "push",
    "recovery-code": "recovery-code",
}
#: The factors that we know how to do.
KNOWN = frozenset(_FACTORS.values()) | {"oob"}
_CHANNELS = {"sms": "sms", "voice": "voice", "email": "email", "auth0": "push"}
_OUT_OF_BAND = frozenset({"phone", "email", "push"})
_MESSAGES = frozenset({"sms", "voice", "email"})


def factor_of(name: str) -> str:
    """Return the factor that any of Auth0's names means; an unknown name stands for itself."""
    return _FACTORS.get(name, name)


def method_of(authenticator_type: str, oob_channel: str | None) -> str:
    """Return the method of an authenticator as listed by ``GET /mfa/authenticators``."""
    if authenticator_type == "oob":
        return _CHANNELS.get(oob_channel or "", oob_channel or "oob")
    return factor_of(authenticator_type)


def is_out_of_band(method: str) -> bool:
    """Tell whether the method is challenged with ``challenge_type=oob``."""
    return factor_of(method) in _OUT_OF_BAND


def sends_code(method: str) -> bool:
    """Tell whether the method sends a message with a code that people type."""
    return method in _MESSAGES


def accepts(names: Iterable[str], method: str) -> bool:
    """Tell whether ``method`` is among ``names``, given in any vocabulary.

    ``oob`` names every out-of-band method, ``phone`` both text messages and calls; a name that is
    itself a method (``sms``) accepts just that one.
    """
    for name in names:
        if name in (method, factor_of(method)) or (name == "oob" and is_out_of_band(method)):
            return True
        if name not in METHODS and factor_of(name) == factor_of(method):
            return True
    return False


def method_names(names: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return the methods that an application accepts, ``None`` for all.

    Raises :class:`TypeError` for a single text, and :class:`ValueError` where nobody could prove
    any of them: such a view would never open.
    """
    if names is None:
        return None
    if isinstance(names, str):
        raise TypeError(f"methods must be a list of names, such as methods=[{METHODS[0]!r}]")
    chosen = tuple(names)
    if not chosen or not all(isinstance(one, str) and factor_of(one) in KNOWN for one in chosen):
        raise ValueError(f"methods must be some of {', '.join(METHODS)}, phone")
    return chosen


def strength(method: str) -> int:
    """Return the rank of a method for sorting: 0 is the strongest."""
    return METHODS.index(method) if method in METHODS else len(METHODS)
