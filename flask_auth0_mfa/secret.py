"""Text that must not show up where values are looked at."""

from __future__ import annotations


class Secret(str):
    """A token or code: the text itself for those who use it, a mark for those who look.

    Error reporters and debuggers print the ``repr`` of local variables, dictionaries and
    dataclasses. What a secret is sent as stays untouched.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret>"


def secret(value: str | None) -> Secret | None:
    """Return the text as a secret, ``None`` as it is."""
    return None if value is None else Secret(value)
