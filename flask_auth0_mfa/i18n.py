"""Texts for people: the one place through which every one of them goes.

Texts are gettext messages in English; placeholders are ``%(name)s``. Without a translation
library the English text is used as it is.
"""

from __future__ import annotations


def gettext(text: str, **values: object) -> str:
    """Return the text in the user's language with its placeholders filled."""
    return text % values if values else text


def ngettext(singular: str, plural: str, num: int, **values: object) -> str:
    """Return the text for ``num`` things; ``%(num)d`` stands for the number."""
    return (singular if num == 1 else plural) % {"num": num, **values}


def duration(seconds: int) -> str:
    """Return a length of time in words, rounded up: "40 seconds", "4 minutes", "2 hours"."""
    if seconds < 60:
        return ngettext("%(num)d second", "%(num)d seconds", max(1, seconds))
    if seconds < 3600:
        return ngettext("%(num)d minute", "%(num)d minutes", -(-seconds // 60))
    return ngettext("%(num)d hour", "%(num)d hours", -(-seconds // 3600))
