"""The texts: each goes through the catalogues, these are complete, and the right one is used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from flask import Flask, request
from flask_babel import Babel, force_locale, lazy_gettext
from jinja2 import Environment

import flask_auth0_mfa
from examples.bank import create_app
from flask_auth0_mfa import errors, requires_stepup
from flask_auth0_mfa.codes import CodeFormatError
from flask_auth0_mfa.forms import code_problem
from flask_auth0_mfa.i18n import CATALOGUES, DOMAIN, gettext, language, ngettext

from .browser.conftest import serve_bank
from .browser.pages import PAGES
from .conftest import PAYMENTS
from .languages import (
    CLOSE,
    LANGUAGES,
    OPEN,
    PSEUDO,
    Reader,
    catalogue,
    compile_into,
    only,
    template,
    write_pseudo,
)
from .snippets import snippets
from .visitor import Page, Visitor

ANA = "ana@example.com"
PACKAGE = Path(flask_auth0_mfa.__file__).parent
CHOICE = "Choose how to confirm it is you"
#: What a catalogue that is not up to date needs.
REMEDY = "run `make texts`, then translate what is empty in translations/*/LC_MESSAGES/*.po"

every_language = pytest.mark.parametrize("name", LANGUAGES)


@pytest.fixture
def translated(make_app: Callable[..., Flask]) -> Callable[..., Flask]:
    """Return a function that makes an application whose pages come in one locale."""

    def make(locale: str | None, **config: Any) -> Flask:
        app = make_app(**config)
        Babel(app, locale_selector=lambda: locale)
        return app

    return make


# -- which language ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "tag", "direction", "cancel"),
    [
        ("de", "de", "ltr", "Abbrechen"),
        ("de_AT", "de-AT", "ltr", "Abbrechen"),
        ("fr_CA", "fr-CA", "ltr", "Annuler"),
        ("es_MX", "es-MX", "ltr", "Cancelar"),
        ("pt_BR", "pt-BR", "ltr", "Cancelar"),
        ("ja", "ja", "ltr", "キャンセル"),
        ("ar", "ar", "rtl", "إلغاء"),
        ("ar_EG", "ar-EG", "rtl", "إلغاء"),
        ("en_GB", "en-GB", "ltr", "Cancel"),
        # No catalogue: the page is English from left to right, and says so.
        ("nl", "en", "ltr", "Cancel"),
        ("he", "en", "ltr", "Cancel"),
        # Not a locale that Babel knows, or none at all.
        ("tlh", "en", "ltr", "Cancel"),
        ("not a locale", "en", "ltr", "Cancel"),
        (None, "en", "ltr", "Cancel"),
    ],
)
def test_locale(
    translated: Callable[..., Flask], locale: str, tag: str, direction: str, cancel: str
) -> None:
    """A page is in the language of the application's locale, and names it; else in English."""
    ana = Visitor(translated(locale))
    ana.log_in(ANA)
    page = ana.get("/transfer")
    assert (page.root.get("lang"), page.root.get("dir")) == (tag, direction)
    assert page.link(cancel)


def test_default_locale(translated: Callable[..., Flask]) -> None:
    """Where the selector has no answer, BABEL_DEFAULT_LOCALE counts."""
    page = Visitor(translated(None, BABEL_DEFAULT_LOCALE="de")).get("/auth/callback?state=a")
    assert page.heading == "Das hat nicht funktioniert"


def test_without_babel_for_the_application(visitor: Visitor) -> None:
    """An application that does not use Flask-Babel has English pages, though it is installed."""
    page = visitor.get("/auth/callback?state=a")
    assert page.root.get("lang") == "en"
    assert page.heading == "This did not work"


def test_without_flask_babel() -> None:
    """Without the library every text is English, with its values and its plural."""
    script = (
        "import sys\n"
        "sys.modules['flask_babel'] = sys.modules['babel'] = None\n"
        "from flask_auth0_mfa.i18n import gettext, language, ngettext\n"
        "print(gettext('Back to %(service)s', service='A'), language().tag)\n"
        "print([ngettext('%(num)d try', '%(num)d tries', n) for n in (0, 1, 2)])\n"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["Back to A en", "['0 tries', '1 try', '2 tries']"]


def test_bank_without_flask_babel() -> None:
    """The example starts without the library, too."""
    script = (
        "import sys\n"
        "sys.modules['flask_babel'] = sys.modules['babel'] = None\n"
        "from examples.bank import create_app\n"
        "arabic = {'Accept-Language': 'ar'}\n"
        "page = create_app().test_client().get('/auth/callback', headers=arabic)\n"
        'print(\'<html lang="en" dir="ltr">\' in page.text)\n'
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", script],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "True\n"


def test_outside_a_request() -> None:
    """Outside a request texts are English, also where the selector would ask for one."""
    assert gettext("Cancel") == "Cancel"
    app = Flask("shop")
    Babel(app, locale_selector=lambda: request.accept_languages.best_match(["de"]))
    with app.app_context():
        assert gettext("Cancel") == "Cancel"
        assert language().tag == "en"


def test_forced_locale() -> None:
    """Flask-Babel's ``force_locale`` holds for our texts too."""
    app = Flask("shop")
    Babel(app)
    with app.test_request_context():
        with force_locale("fr"):
            assert gettext("Cancel") == "Annuler"
        assert gettext("Cancel") == "Cancel"


def test_programs_get_english(translated: Callable[..., Flask]) -> None:
    """The fields of a JSON error stay English: they are for whoever writes the program."""
    answer = Visitor(translated("de")).json("GET", "/api/balance")
    assert answer.json["error_description"] == "You need to log in."


def test_bank_speaks_the_language_of_the_browser(tenant: Any, tenant_server: Any) -> None:
    """The example shows the pages in what Accept-Language asks for, else in English."""
    bank = create_app({"AUTH0_DOMAIN": tenant_server.url}).test_client()
    found = {
        wanted: bank.get("/auth/callback?state=a", headers={"Accept-Language": wanted}).text
        for wanted in ("pt-BR,pt;q=0.9,en;q=0.5", "en-US,en;q=0.9,de;q=0.5", "nl")
    }
    assert '<html lang="pt" ' in found["pt-BR,pt;q=0.9,en;q=0.5"]
    assert '<html lang="en" ' in found["en-US,en;q=0.9,de;q=0.5"]
    assert '<html lang="en" ' in found["nl"]


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("en", "The code must have 4 to 10 digits. You entered 12."),
        ("de", "Der Code muss 4 bis 10 Ziffern haben. Sie haben 12 eingegeben."),
        ("ja", "コードは4～10桁です。入力されたのは12桁です。"),  # noqa: RUF001 - Japanese
    ],
)
def test_code_of_a_message_is_too_long(
    translated: Callable[..., Flask], locale: str, text: str
) -> None:
    """A code that is too long is not called too short, in any language."""
    with translated(locale).test_request_context():
        assert code_problem("message", CodeFormatError("length", 12)) == text


# -- texts of the application ------------------------------------------------------------------


def own_texts(directory: Path, locale: str, texts: dict[str, str]) -> str:
    """Write a catalogue of an application, and return its folder."""
    own = Catalog(locale=locale, domain=DOMAIN)
    for text, translation in texts.items():
        own.add(text, translation)
    compile_into(directory, own)
    return str(directory)


def test_one_text_replaced(translated: Callable[..., Flask], tmp_path: Path) -> None:
    """A catalogue of the application goes over ours text by text."""
    folder = own_texts(tmp_path, "de", {"Cancel": "Zurück zum Laden"})
    ana = Visitor(translated("de_AT", BABEL_TRANSLATION_DIRECTORIES=folder))
    ana.log_in(ANA)
    page = ana.get("/transfer")
    assert page.link("Zurück zum Laden")
    assert page.link("Abmelden")


def test_plurals_stay_ours(translated: Callable[..., Flask], tmp_path: Path) -> None:
    """A catalogue of the application does not change how our other texts are counted."""
    folder = own_texts(tmp_path, "ar", {"Cancel": "رجوع"})
    app = translated("ar", BABEL_TRANSLATION_DIRECTORIES=folder)
    with app.test_request_context():
        assert gettext("Cancel") == "رجوع"
        left = ["You have %(num)d try left.", "You have %(num)d tries left."]
        found = [ngettext(*left, num) for num in (1, 2, 3, 11)]
    assert len({re.sub(r"\d+", "", text) for text in found}) == 4


def test_english_text_replaced(translated: Callable[..., Flask], tmp_path: Path) -> None:
    """English is replaced like any other language."""
    folder = own_texts(tmp_path, "en", {"Cancel": "Leave"})
    app = translated("en", BABEL_TRANSLATION_DIRECTORIES=folder)
    with app.test_request_context():
        assert gettext("Cancel") == "Leave"


def test_another_language(translated: Callable[..., Flask], tmp_path: Path) -> None:
    """A language that we have no catalogue of can be added by the application."""
    folder = own_texts(tmp_path, "he", {"This did not work": "זה לא עבד"})
    page = Visitor(translated("he", BABEL_TRANSLATION_DIRECTORIES=folder)).get(
        "/auth/callback?state=a"
    )
    assert page.heading == "זה לא עבד"
    assert (page.root.get("lang"), page.root.get("dir")) == ("he", "rtl")


def test_catalogues_of_the_page(translated: Callable[..., Flask], tmp_path: Path) -> None:
    """What the documentation says to type changes a text, and adds a language."""
    page = Path(__file__).parent.parent / "docs" / "translations.rst"
    blocks = [one for one in snippets(page) if one.run_by]
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for block in blocks:
        if block.caption:
            (tmp_path / block.caption).parent.mkdir(parents=True)
            (tmp_path / block.caption).write_text(block.code, encoding="utf-8")
        for_shell = ["/bin/bash", "-e", "-c", "\n".join(block.commands)]
        subprocess.run(  # noqa: S603 - what the page says to type
            for_shell,
            cwd=tmp_path,
            env={**os.environ, "PATH": programs},
            capture_output=True,
            check=True,
        )
    folder = str(tmp_path / "translations")
    with translated("de", BABEL_TRANSLATION_DIRECTORIES=folder).test_request_context():
        assert gettext("Cancel") == "Zurück zum Laden"
    with translated("nl", BABEL_TRANSLATION_DIRECTORIES=folder).test_request_context():
        assert (language().tag, gettext("Cancel")) == ("nl", "Cancel")


def test_lazy_reason(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    """The reason of a guard may be a lazy text: it comes in the language of its reader."""
    own = Catalog(locale="de")
    own.add("To see your payslip.", "Um Ihre Abrechnung zu sehen.")
    compile_into(tmp_path, own, domain="messages")
    app = make_app(BABEL_TRANSLATION_DIRECTORIES=str(tmp_path))
    Babel(app, locale_selector=lambda: "de")

    @app.get("/payslip")
    @requires_stepup(PAYMENTS, reason=lazy_gettext("To see your payslip."))
    def payslip() -> str:
        return "Payslip"

    ana = Visitor(app)
    ana.log_in(ANA)
    assert "Um Ihre Abrechnung zu sehen." in ana.get("/payslip").text


# -- the catalogues ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The texts that are in the code and in the templates now."""
    file = tmp_path_factory.mktemp("texts") / "now.pot"
    command = ["extract", "-F", "pyproject.toml", "-k", "marked", "-o", str(file), PACKAGE.name]
    subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "babel.messages.frontend", "-q", *command],
        cwd=PACKAGE.parent,
        check=True,
    )
    with file.open("rb") as texts:
        return read_po(texts)


def texts_of(texts: Catalog) -> set[Any]:
    """Return the English of each text in a catalogue."""
    return {message.id for message in texts if message.id}


def forms(message: Message) -> tuple[str, ...]:
    """Return the translations of a text: one, or one for each plural."""
    return message.string if isinstance(message.string, tuple) else (message.string,)


def translations(texts: Catalog) -> dict[Any, Any]:
    """Return the translations by their English; Babel reads plurals as lists or as tuples."""
    return {
        one.id if isinstance(one.id, str) else tuple(one.id): (
            one.string if isinstance(one.string, str) else tuple(one.string)
        )
        for one in texts
        if one.id
    }


def placeholders(text: str) -> set[str]:
    """Return the names of the values in a text."""
    return set(re.findall(r"%\((\w+)\)[sd]", text))


def test_template_is_up_to_date(extracted: Catalog) -> None:
    """The catalogue without translations has exactly the texts that there are."""
    changed = texts_of(template()) ^ texts_of(extracted)
    assert not changed, f"{REMEDY}: {changed}"


@every_language
def test_catalogue_is_complete(extracted: Catalog, name: str) -> None:
    """Each text has a translation, in every form that the language counts with."""
    texts = catalogue(name)
    changed = texts_of(texts) ^ texts_of(extracted)
    assert not changed, f"{REMEDY}: {changed}"
    unfinished = [
        message.id for message in texts if message.id and (message.fuzzy or not all(forms(message)))
    ]
    assert not unfinished, f"{REMEDY}: {unfinished}"
    counted = {len(forms(one)) for one in texts if isinstance(one.id, tuple)}
    assert counted == {{"ar": 6, "ja": 1}.get(name, 2)}


@every_language
def test_placeholders_are_kept(name: str) -> None:
    """A translation has the values of its text; a form for one or two may say them in words."""
    for message in catalogue(name):
        if not message.id:
            continue
        source = message.id if isinstance(message.id, str) else message.id[1]
        for form in forms(message):
            spelled = {"num"} if name == "ar" else set()
            missing = placeholders(source) - placeholders(form)
            assert missing <= spelled, form
            assert placeholders(form) <= placeholders(source), form
            # What is left of a percent sign would be an error when the page is made.
            assert not re.search(r"%(?!\(\w+\)[sd])", form), form


@every_language
def test_compiled_catalogue_is_up_to_date(name: str) -> None:
    """The compiled catalogue says what its source says."""
    with (CATALOGUES / name / "LC_MESSAGES" / f"{DOMAIN}.mo").open("rb") as file:
        compiled = read_mo(file)
    source = catalogue(name)
    assert translations(compiled) == translations(source), REMEDY
    assert (compiled.num_plurals, compiled.plural_expr) == (source.num_plurals, source.plural_expr)


def test_numbers_and_addresses_in_arabic() -> None:
    """A number or address inside an Arabic sentence is isolated, or its groups change places."""
    for message in catalogue("ar"):
        for form in forms(message) if message.id else ():
            if "+44" in form or "@" in form:
                assert re.search("\u2066[^\u2069]*[@+][^\u2069]*\u2069", form), form


# -- no text beside the catalogues -------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("templates/**/*.html")), ids=lambda p: p.name)
def test_no_words_in_a_template(path: Path) -> None:
    """All words of a template are in its expressions."""
    source = path.read_text(encoding="utf-8")
    tokens = Environment(autoescape=True).lex(source)
    # An expression inside a tag must not end it, so it leaves a mark.
    markup = "".join(
        value if kind == "data" else "\0" for _, kind, value in tokens if kind != "whitespace"
    )
    assert not re.findall(r"[^\W\d_]+", re.sub(r"<[^>]*>", "", markup))


def test_no_words_in_the_scripts() -> None:
    """The script of the pages announces only what the page gave it."""
    script = (PACKAGE / "static" / "auth0_mfa.js").read_text(encoding="utf-8")
    announced = re.findall(r"announce\(([^)]*)\)|textContent = ([^;]*);", script)
    assert announced
    time = r'hint\.dataset\.until\.replace\("{time}", time\)'
    given = rf"(text|(form|button)\.dataset\.\w+|{time}|)"
    assert all(re.fullmatch(given, one) for pair in announced for one in pair)


@pytest.fixture(scope="module")
def pseudo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Settings of the bank that mark every text at both ends."""
    folder = tmp_path_factory.mktemp("pseudo")
    write_pseudo(folder)
    return only(PSEUDO, folder)


#: Parts that show what a person, the application or the tenant named, or a code.
DATA = ("bdi", "svg")
#: Attributes that are read out or shown.
SHOWN = ("alt", "aria-label", "placeholder", "title")


def is_data(element: Element) -> bool:
    """Tell whether an element shows data: names, numbers, codes, the application's reason."""
    classes = element.get("class", "").split()
    return element.tag in DATA or "mfa-code" in classes or element.get("dir") == "auto"


def words(element: Element) -> Iterator[str]:
    """Return the text of an element in its order, without data, and texts in its attributes."""
    if element.tag in ("script", "style"):
        return
    for name, value in element.attrib.items():
        is_text = name in SHOWN or (name.startswith("data-") and " " in value)
        if is_text:
            yield value
    if not is_data(element):
        yield element.text or ""
        for child in element:
            yield from words(child)
            yield child.tail or ""


def unmarked(text: str) -> str:
    """Return what of a text is outside the marks."""
    depth, outside = 0, ""
    for part in re.split(f"({re.escape(OPEN)}|{re.escape(CLOSE)})", text):
        depth += (part == OPEN) - (part == CLOSE)
        if depth == 0 and part != CLOSE:
            outside += part
    return outside.strip()


def glued(text: str) -> list[str]:
    """Return texts with another text in them: languages order the parts of a sentence each way."""
    inside = f"(?:(?!{re.escape(OPEN)}|{re.escape(CLOSE)}).)*"
    return re.findall(f"{re.escape(OPEN)}{inside}{re.escape(OPEN)}{inside}", text, re.S)


def require_marked(page: Page) -> None:
    """Check every text of a page; the title is made of a heading and the name of the service."""
    title = page.title.replace("Harbour Bank", "").replace("bank", "")
    assert title.startswith(OPEN)
    assert unmarked(title) == ""
    shown = "".join(words(page.root.find("body")))
    assert OPEN in shown
    assert unmarked(shown) == ""
    assert glued(shown) == []


@pytest.mark.parametrize("name", [name for name in PAGES if not name.startswith("bank")])
def test_every_text_is_translated(
    name: str, pseudo: dict[str, Any], tenant: Any, tenant_server: Any
) -> None:
    """On each page each text comes from the catalogue, and as a whole."""
    with serve_bank(tenant_server.url, **pseudo) as site:
        reader = Reader(site)
        PAGES[name](reader, tenant)
    require_marked(reader.page)


#: Errors that are a page; the others are answered by a redirect, or never leave the extension.
ERRORS = [
    error
    for error in vars(errors).values()
    if isinstance(error, type)
    and issubclass(error, errors.Auth0MFAError)
    and error is not errors.ConfigurationError
]


def raised(kind: type[errors.Auth0MFAError]) -> errors.Auth0MFAError:
    """Return an error of that class."""
    arguments: dict[str, tuple[Any, ...]] = {
        "MfaRequiredError": ("token", {}, "A" * 22),
        "MfaVerifyPendingError": (6,),
        "UniversalLoginRequiredError": ("ticket",),
        "InvalidRequestError": ("No code was sent. Ask for a new one.",),
    }
    return kind(*arguments.get(kind.__name__, ()))


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_is_translated(
    kind: type[errors.Auth0MFAError], make_app: Callable[..., Flask], pseudo: dict[str, Any]
) -> None:
    """The page of each error is translated; it is a POST, which is not sent on by itself."""
    app = make_app(**pseudo)
    Babel(app)

    @app.post("/fail")
    def fail() -> str:
        raise raised(kind)

    answer = app.test_client().post("/fail", headers={"Accept": "text/html"})
    if kind is not errors.MfaRequiredError:
        require_marked(Page("/fail", answer.status_code, answer.text, answer.headers))


@pytest.mark.parametrize("seconds", [0, 1, 59, 60, 61, 3600, 86400])
def test_waiting_time(seconds: int, make_app: Callable[..., Flask], pseudo: dict[str, Any]) -> None:
    """How long to wait is one sentence, for any length."""
    app = make_app(**pseudo)
    Babel(app)

    @app.post("/fail")
    def fail() -> str:
        raise errors.RateLimitedError(retry_after=seconds, limits=["user"])

    answer = app.test_client().post("/fail", headers={"Accept": "text/html"})
    page = Page("/fail", answer.status_code, answer.text, answer.headers)
    require_marked(page)
    assert f"{OPEN} You can try again in " in page.text
