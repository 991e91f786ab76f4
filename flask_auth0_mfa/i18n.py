"""Texts for people: the one place through which every one of them goes.

Texts are gettext messages in English; placeholders are ``%(name)s``. Where the application has
set up Flask-Babel (the extra ``babel``), its locale decides the language. Without it, and outside
a request, every text is English.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from gettext import GNUTranslations, NullTranslations, translation
from pathlib import Path

try:
    import flask_babel
    from babel import Locale, UnknownLocaleError
except ImportError:
    flask_babel = None

#: Name of the catalogues: ``LOCALE/LC_MESSAGES/auth0_mfa.mo``.
DOMAIN = "auth0_mfa"
#: Where our own catalogues are.
CATALOGUES = Path(__file__).parent / "translations"


@dataclass(frozen=True)
class Language:
    """What a page is written in.

    ``tag`` is its ``lang`` (BCP 47, ``pt-BR``), ``direction`` its ``dir``: ``ltr`` or ``rtl``.
    """

    tag: str
    direction: str
    texts: NullTranslations


ENGLISH = Language("en", "ltr", NullTranslations())


def language() -> Language:
    """Return the language of this request; English where there is no catalogue for its locale."""
    if flask_babel is None:
        return ENGLISH
    try:
        directories = flask_babel.get_babel().translation_directories
    except (KeyError, RuntimeError):
        # Babel(app) was not called, or there is no application.
        return ENGLISH
    try:
        locale = flask_babel.get_locale()
    except (RuntimeError, ValueError, UnknownLocaleError):
        # The selector wanted a request and there is none, or it named what Babel does not know.
        return ENGLISH
    return _language(locale, tuple(directories)) if locale is not None else ENGLISH


@cache
def _language(locale: Locale, directories: tuple[str, ...]) -> Language:
    """Return the language of a locale; the application's own catalogues go over ours."""
    texts = NullTranslations()
    for directory in (str(CATALOGUES), *directories):
        found = translation(DOMAIN, directory, [str(locale)], fallback=True)
        if isinstance(found, GNUTranslations):
            found.add_fallback(texts)
            texts = found
    if not isinstance(texts, GNUTranslations) and locale.language != "en":
        return ENGLISH
    return Language(str(locale).replace("_", "-"), locale.text_direction, texts)


def gettext(text: str, **values: object) -> str:
    """Return the text in the user's language with its placeholders filled."""
    text = language().texts.gettext(text)
    return text % values if values else text


def ngettext(singular: str, plural: str, num: int, **values: object) -> str:
    """Return the text for ``num`` things; ``%(num)d`` stands for the number."""
    text = language().texts.ngettext(singular, plural, num)
    return text % {"num": num, **values}


def marked(text: str) -> str:
    """Return the English text as it is, and enter it into the catalogues.

    For an error that programs get in English, and whose page translates it.
    """
    return text
