"""The text that a request needs an approval of, and the one that it was let in with."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from flask import g, request

from .errors import InvalidRequestError
from .i18n import marked

#: Longest text that can be approved, in characters: people have to read it.
MAX_LENGTH = 300
_NOTE = "_auth0_mfa_approval"


def text_to_approve(binds: Callable[..., str | None] | None) -> str | None:
    """Return what ``binds`` says of this request; ``None`` where nothing has to be approved.

    Raises :class:`InvalidRequestError` for a text that would not be read as it is: one that is
    too long, or has characters that reorder or hide others. It is made of what the user sent.
    """
    if binds is None:
        return None
    text = binds(**(request.view_args or {}))
    if text is None:
        return None
    if not isinstance(text, str) or not text.strip():
        raise TypeError("binds must return the text that the user approves, or None")
    # A line break as forms send it, from every textarea.
    text = text.replace("\r\n", "\n")
    if len(text) > MAX_LENGTH or not all(_is_readable(one) for one in text):
        raise InvalidRequestError(
            marked("This cannot be shown as it is, so it cannot be approved.")
        )
    return text


def note_approval(text: str | None) -> None:
    """Remember what this request was let in with."""
    setattr(g, _NOTE, text)


def approved_text() -> str | None:
    """Return what the user approved for this request."""
    text: str | None = g.get(_NOTE)
    return text


def _is_readable(character: str) -> bool:
    return character == "\n" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co")
