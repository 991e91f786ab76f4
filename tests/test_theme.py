"""The look by configuration: what the pages then have, and what is refused before they do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from flask import Flask

from flask_auth0_mfa import Auth0MFA
from flask_auth0_mfa.config import load_settings
from flask_auth0_mfa.errors import ConfigurationError
from flask_auth0_mfa.theme import DARK, LIGHT, contrast, shipped_colors, weak_contrasts

from .test_config import REQUIRED
from .visitor import Visitor

#: A page that is shown to anybody, without a login.
ANY_PAGE = "/auth/callback?state=a"
LOGO = "/static/harbour.svg"
#: Colours of a bank that can be read.
TEAL = {"accent": "#0F5D66", "ground": "#f4f7f7"}
PALE = {"accent": "#7fd1c7", "on-accent": "#06282b"}

MakeApp = Callable[..., Flask]


def stylesheets(app: Flask, **request: str) -> list[str]:
    """Return the addresses of the stylesheets of a page."""
    html = app.test_client().get(ANY_PAGE, **request).text
    return re.findall(r'<link rel="stylesheet" href="([^"]+)">', html)


def problem(name: str, value: object) -> str:
    """Return the one problem that a value is."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings({**REQUIRED, name: value}, {}, {})
    (found,) = caught.value.problems
    return found


class TestStylesheet:
    """One file with everything, where there is something of the application's own."""

    def test_without(self, make_app: MakeApp) -> None:
        """Without settings the page has the static file, and there is no other."""
        app = make_app()
        assert stylesheets(app) == ["/auth/mfa/static/auth0_mfa.css"]
        assert app.test_client().get("/auth/mfa/theme.css").status_code == 404

    @pytest.mark.parametrize(
        ("key", "value", "rule"),
        [
            (
                "AUTH0_MFA_COLORS",
                TEAL,
                "@media (prefers-color-scheme: light) "
                "{ :root { --auth0-mfa-accent: #0f5d66; --auth0-mfa-ground: #f4f7f7; } }",
            ),
            (
                "AUTH0_MFA_DARK_COLORS",
                {"accent": "#9cf"},
                "@media (prefers-color-scheme: dark) { :root { --auth0-mfa-accent: #99ccff; } }",
            ),
            ("AUTH0_MFA_WIDTH", "36rem", ":root { --auth0-mfa-width: 36rem; }"),
            ("AUTH0_MFA_WIDTH", " 720px", ":root { --auth0-mfa-width: 720px; }"),
        ],
    )
    def test_setting(self, make_app: MakeApp, key: str, value: object, rule: str) -> None:
        """Each setting stands at the end of it, colours in their own mode alone."""
        app = make_app(**{key: value})
        (url,) = stylesheets(app)
        answer = app.test_client().get(url)
        assert answer.mimetype == "text/css"
        with app.test_client().get("/auth/mfa/static/auth0_mfa.css") as shipped:
            assert answer.text == f"{shipped.text}{rule}\n"

    def test_below_a_prefix(self, make_app: MakeApp) -> None:
        """Served below a path, logo and stylesheet are below it as well."""
        app = make_app(AUTH0_MFA_WIDTH="36rem", AUTH0_MFA_LOGO=LOGO)
        below = {"environ_overrides": {"SCRIPT_NAME": "/shop"}}
        assert stylesheets(app, **below) == ["/shop/auth/mfa/theme.css"]
        assert f'src="/shop{LOGO}"' in app.test_client().get(ANY_PAGE, **below).text

    def test_cache(self, make_app: MakeApp) -> None:
        """A browser keeps it and asks whether it is still the same; no cookie has a say in it."""
        app = make_app(AUTH0_MFA_WIDTH="36rem")
        ana = Visitor(app)
        ana.log_in()
        first = ana.client.get("/auth/mfa/theme.css")
        assert first.headers["Cache-Control"] == "no-cache"
        assert "Vary" not in first.headers
        assert "Set-Cookie" not in first.headers
        known = {"If-None-Match": first.headers["ETag"]}
        again = ana.client.get("/auth/mfa/theme.css", headers=known)
        assert (again.status_code, again.data) == (304, b"")
        other = make_app(AUTH0_MFA_WIDTH="37rem").test_client()
        assert other.get("/auth/mfa/theme.css", headers=known).status_code == 200

    def test_cached_as_static_files_are(self, make_app: MakeApp) -> None:
        """An application that lets its static files be kept longer keeps this as long."""
        app = make_app(AUTH0_MFA_WIDTH="36rem", SEND_FILE_MAX_AGE_DEFAULT=600)
        answer = app.test_client().get("/auth/mfa/theme.css")
        assert answer.cache_control.max_age == 600

    def test_two_applications(self, make_app: MakeApp) -> None:
        """Each application has its own colours."""
        teal, pale = make_app(AUTH0_MFA_COLORS=TEAL), make_app(AUTH0_MFA_DARK_COLORS=PALE)
        assert "#0f5d66" in teal.test_client().get("/auth/mfa/theme.css").text
        assert "#0f5d66" not in pale.test_client().get("/auth/mfa/theme.css").text


class TestLogo:
    """A picture in place of the shield."""

    def test_shown(self, make_app: MakeApp) -> None:
        """It stands before the name, and a screen reader hears the name alone."""
        app = make_app(AUTH0_MFA_LOGO=LOGO, AUTH0_MFA_SERVICE_NAME="Harbour Bank")
        header = Visitor(app).get(ANY_PAGE).root.find(".//header")
        (picture,) = header.iter("img")
        assert (picture.get("src"), picture.get("alt")) == (LOGO, "")
        assert not list(header.iter("svg"))
        assert "Harbour Bank" in "".join(header.itertext())

    def test_alone(self, make_app: MakeApp) -> None:
        """A logo alone leaves the stylesheet as it is."""
        assert stylesheets(make_app(AUTH0_MFA_LOGO=LOGO)) == ["/auth/mfa/static/auth0_mfa.css"]

    @pytest.mark.parametrize(
        "value",
        [
            "https://cdn.example/logo.svg",
            "//cdn.example/logo.svg",
            "/\\cdn.example/logo.svg",
            "logo.svg",
            "data:image/svg+xml,<svg/>",
            "javascript:alert(1)",
            7,
        ],
    )
    def test_refused(self, value: object) -> None:
        """Only a path of this application: nobody else is asked for it."""
        assert problem("AUTH0_MFA_LOGO", value).startswith("AUTH0_MFA_LOGO must be a")

    @pytest.mark.parametrize(
        ("logo", "warnings"),
        [
            ("/static/lgo.svg", 1),
            ("/static/../secret.svg", 1),
            ("/static/logo.svg", 0),
            ("/static/logo.svg?v=2", 0),
            # Not a static file: whether it is there, only a request could tell.
            ("/brand/logo.svg", 0),
        ],
    )
    def test_missing_file(self, logo: str, warnings: int, tmp_path, caplog) -> None:
        """A logo that is not in the static folder, though it should be, is warned of."""
        (tmp_path / "logo.svg").write_text("<svg/>")
        app = Flask("bank", static_folder=tmp_path, static_url_path="/static")
        app.config.update(REQUIRED, TESTING=True)
        Auth0MFA(app, mfa_logo=logo)
        texts = [record.getMessage() for record in caplog.records]
        assert len(texts) == warnings
        assert all(text.startswith("AUTH0_MFA_LOGO names /static/") for text in texts)

    def test_no_static_folder(self, caplog) -> None:
        """An application without static files has its logo somewhere else."""
        app = Flask("bank", static_folder=None)
        app.config.update(REQUIRED, TESTING=True)
        Auth0MFA(app, mfa_logo=LOGO)
        assert caplog.records == []


class TestColors:
    """Which colours are taken."""

    def test_environment(self) -> None:
        """In the environment they are written as JSON."""
        environ = {"AUTH0_MFA_COLORS": json.dumps(TEAL), "AUTH0_MFA_DARK_COLORS": json.dumps(PALE)}
        settings = load_settings(REQUIRED, {}, environ)
        assert settings.mfa_colors["accent"] == "#0f5d66"
        assert settings.mfa_dark_colors == PALE

    @pytest.mark.parametrize("key", ["AUTH0_MFA_COLORS", "AUTH0_MFA_DARK_COLORS"])
    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ("teal", "must be a JSON object such as"),
            ('["#000"]', "must be a mapping such as"),
            ({"acent": "#000000"}, "has no colour 'acent': the names are accent, border,"),
            ({"font": "#000000"}, "has no colour 'font'"),
            ({"width": "#000000"}, "has no colour 'width'"),
            ({7: "#000000"}, "has no colour 7"),
            ({"accent": "teal"}, "has 'teal' for accent: must be written as #rgb or #rrggbb"),
            ({"accent": "#0f5d66cc"}, "has '#0f5d66cc' for accent"),
            ({"accent": "#0f5d6\n"}, "for accent: must be written"),
            ({"accent": "red; } body { display: none"}, "for accent: must be written"),
            ({"accent": "url(https://cdn.example/)"}, "for accent: must be written"),
            ({"accent": None}, "has None for accent"),
        ],
    )
    def test_not_a_color(self, key: str, value: object, words: str) -> None:
        """What is no colour is named, together with what one looks like."""
        found = problem(key, value)
        assert found.startswith(f"{key} ")
        assert words in found

    def test_button_text(self) -> None:
        """A button whose text cannot be read is refused: the pair, what it has, what it needs."""
        found = problem("AUTH0_MFA_COLORS", {"accent": "#fc0"})
        assert "on-accent (#ffffff) on accent (#ffcc00) has 1.51 to 1 and needs 4.5" in found
        assert found.endswith("Make one of each two darker or lighter.")

    @pytest.mark.parametrize(
        ("key", "colors", "pair"),
        [
            ("AUTH0_MFA_COLORS", {"ground": "#5a6672"}, "text (#17212b) on ground (#5a6672)"),
            ("AUTH0_MFA_COLORS", {"border": "#b0b0b0"}, "border (#b0b0b0) on card (#ffffff)"),
            ("AUTH0_MFA_COLORS", {"error": "#ff6b6b"}, "error (#ff6b6b) on card (#ffffff)"),
            ("AUTH0_MFA_DARK_COLORS", {"accent": "#0a4f7d"}, "accent (#0a4f7d) on card (#19222b)"),
            ("AUTH0_MFA_DARK_COLORS", {"card": "#ffffff"}, "text (#eef3f7) on card (#ffffff)"),
        ],
    )
    def test_contrast(self, key: str, colors: dict[str, str], pair: str) -> None:
        """So is every other pair of colours, in the light and in the dark."""
        assert pair in problem(key, colors)

    @pytest.mark.parametrize(("accent", "is_taken"), [("#767676", True), ("#777777", False)])
    def test_limit(self, accent: str, is_taken: bool) -> None:
        """4.54 to 1 is enough, 4.48 is not: the two greys on white that the limit lies between."""
        assert (
            list(weak_contrasts({"accent": accent, "ground": "#ffffff"}, LIGHT)) == []
        ) is is_taken

    def test_contrast_of_black_and_white(self) -> None:
        """The ratio is that of WCAG: 21 for black on white, 1 for a colour on itself."""
        assert contrast("#000000", "#ffffff") == pytest.approx(21)
        assert contrast("#0f5d66", "#0f5d66") == 1

    @pytest.mark.parametrize("scheme", [LIGHT, DARK])
    def test_shipped(self, scheme: str) -> None:
        """The shipped colours are found, are the same ones in both modes, and can be read."""
        colors = shipped_colors(scheme)
        assert len(colors) == 11
        assert colors.keys() == shipped_colors(LIGHT).keys()
        assert list(weak_contrasts({}, scheme)) == []


@pytest.mark.parametrize(
    "width", ["31", "31em", "50%", "10rem", "61rem", "319px", "1e3px", "-30rem"]
)
def test_width_refused(width: str) -> None:
    """A width is a length on which the pages can be read."""
    assert "must be a length between 20rem and 60rem" in problem("AUTH0_MFA_WIDTH", width)
