"""Codes as people type them: cleaned, and checked before anything is sent to Auth0.

People paste ``123 456``, type with a keyboard of their own script, or copy a code with an
invisible character at its end. None of that makes the code wrong.
"""

from __future__ import annotations

import unicodedata
from typing import Literal

CodeKind = Literal["otp", "message", "recovery-code"]

OTP_LENGTH = 6
#: Shortest and longest code that a message carries; Auth0 sends 6 digits today.
MESSAGE_LENGTHS = (4, 10)
RECOVERY_LENGTHS = (8, 64)
_UNSEEN = {"Zs", "Cf", "Cc"}
_DROPPED = _UNSEEN | {"Pd"}


class CodeFormatError(ValueError):
    """The code cannot be right: ``reason`` is ``empty``, ``characters`` or ``length``."""

    def __init__(self, reason: Literal["empty", "characters", "length"], entered: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        #: How many characters were entered, without separators, where their number is wrong.
        self.entered = entered


def clean_code(kind: CodeKind, text: str | None) -> str:
    """Return the code without separators, digits as ASCII, letters in capitals.

    Raises :class:`CodeFormatError` when it cannot be a code of that kind.
    """
    code = "".join(_character(one) for one in (text or "")[:256])
    if not code:
        raise CodeFormatError("empty")
    if kind == "recovery-code":
        code = code.upper()
        allowed, (low, high) = code.isascii() and code.isalnum(), RECOVERY_LENGTHS
    else:
        allowed = code.isascii() and code.isdigit()
        low, high = (OTP_LENGTH, OTP_LENGTH) if kind == "otp" else MESSAGE_LENGTHS
    if not allowed:
        raise CodeFormatError("characters")
    if not low <= len(code) <= high:
        raise CodeFormatError("length", len(code))
    return code


def clean_number(text: str | None) -> str:
    """Return a telephone number as it is dialled, whether it can be one or not.

    Copied from a list of contacts, it comes between invisible marks of direction; and in
    ``+44 (0)7700`` nobody dials the zero.
    """
    typed = "".join(_character(one) for one in (text or "")[:256])
    return typed.replace("(0)", "").translate({ord(one): None for one in "()/"})


def clean_email(text: str | None) -> str:
    """Return an e-mail address without blanks, and without what cannot be seen."""
    normal = unicodedata.normalize("NFKC", (text or "")[:512])
    return "".join(one for one in normal if unicodedata.category(one) not in _UNSEEN)


def _character(character: str) -> str:
    if unicodedata.category(character) in _DROPPED or character in "_.":
        return ""
    digit = unicodedata.digit(character, None)
    if digit is not None and character.isdecimal():
        return str(digit)
    # Full-width letters, as an East Asian keyboard gives them.
    normal = unicodedata.normalize("NFKC", character)
    return normal if len(normal) == 1 else character
