"""Time-based codes (RFC 6238): the one door to pyotp, which is in the extra ``emulator``.

pyotp comes in late, so that whoever lacks it is told what to install.
"""

from __future__ import annotations

import secrets

#: Seconds for which one code is shown.
STEP = 30


class MissingExtra(ImportError):
    """A package of the extra ``emulator`` is not installed; the message says what to do."""

    def __init__(self, package: str) -> None:
        super().__init__(
            f"The local tenant needs {package}, which is not installed: "
            'pip install "flask-auth0-mfa[emulator]"'
        )


def require_pyotp() -> None:
    """Raise MissingExtra when pyotp is not installed."""
    try:
        import pyotp  # noqa: F401 - only to see whether it is there
    except ModuleNotFoundError:
        raise MissingExtra("pyotp") from None


def new_secret() -> str:
    """Return a new base32 key."""
    import pyotp

    return pyotp.random_base32()


def code_at(secret: str, at: float) -> str:
    """Return the six digits that an app with this key shows at a moment in epoch seconds."""
    import pyotp

    return pyotp.TOTP(secret).at(int(at))


def step_of(secret: str, code: str, at: float) -> int | None:
    """Return the step whose code this is: the current, the previous or the next one, else None."""
    for moment in (at, at - STEP, at + STEP):
        if secrets.compare_digest(code_at(secret, moment).encode(), code.encode()):
            return int(moment) // STEP
    return None
