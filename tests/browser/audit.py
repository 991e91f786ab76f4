"""Every page in every state and language: ``make pages``, which takes about twenty minutes.

axe-core in light and in dark, Lighthouse, the Nu HTML checker, the page's weight. Of the same, the
ordinary run has a shorter draw (``test_pages.py``). Not a test by its name, so pytest takes it only
when it is named. Needs Node.js with npm, and Java.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.languages import PSEUDO, Foreigner, only, write_pseudo

from .axe import problems
from .browser import Browser
from .npm import install
from .pages import PAGES, STATES, remembering

WALKS = PAGES | STATES
#: The bank's own pages are in English only.
LOOKED_AT = [
    (language, name)
    for language in ("en", PSEUDO, "ar")
    for name in WALKS
    if language == "en" or not name.startswith("bank")
]
IN_ENGLISH = [("en", name) for name in WALKS]
LIGHTHOUSE = ("lighthouse@12.8.2", "puppeteer-core@24.43.1")
CHECKER = "vnu-jar@26.9.27"
SCRIPT = Path(__file__).with_name("lighthouse.mjs")

pytestmark = pytest.mark.browser


@dataclass(frozen=True)
class Open:
    """A page that is open now."""

    name: str
    language: str
    browser: Browser


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the HTML of every page, as the server sent it."""
    return tmp_path_factory.mktemp("sources")


@pytest.fixture(scope="module", params=LOOKED_AT, ids="-".join)
def opened(
    request: pytest.FixtureRequest,
    visit: Callable[..., Any],
    tenant_server: Any,
    sources: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Open]:
    """One page after the other."""
    language, name = request.param
    folder = tmp_path_factory.mktemp("texts")
    write_pseudo(folder)
    directory = folder if language == PSEUDO else "translations"
    with visit(views=remembering, **only(language, directory)) as browser:
        walker = Foreigner(browser, language) if language == "ar" else browser
        WALKS[name](walker, tenant_server.tenant)
        (sources / f"{name}-{language}.html").write_text(browser.source, encoding="utf-8")
        yield Open(name, language, browser)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe(opened: Open, axe: str, scheme: str) -> None:
    """axe-core finds nothing: WCAG 2.2 AA, the size of targets, and its best practices."""
    opened.browser.prefer(color_scheme=scheme)
    assert problems(opened.browser, axe) == []


def test_language(opened: Open) -> None:
    """The page says which language it is in."""
    wanted = "en" if opened.name.startswith("bank") else opened.language
    assert opened.browser.evaluate("document.documentElement.lang") == wanted


def test_weight(opened: Open) -> None:
    """At most 30 KB in four requests, none of them to anybody else."""
    parts = opened.browser.page_parts()
    assert len(parts) <= 4, [one.url for one in parts]
    assert sum(one.size for one in parts) <= 30 * 1024
    assert all(one.url.startswith(f"{opened.browser.site}/") for one in parts)


def test_fits_a_small_phone(opened: Open) -> None:
    """On 320 pixels nothing has to be scrolled sideways."""
    opened.browser.resize(320, 640)
    assert opened.browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    opened.browser.resize(1280)


@pytest.fixture(scope="session")
def modules(request: pytest.FixtureRequest) -> Path:
    """Where Lighthouse is installed, from the npm registry once."""
    return install(request.config.cache.mkdir("lighthouse"), *LIGHTHOUSE)


@pytest.mark.parametrize("opened", IN_ENGLISH, ids="-".join, indirect=True)
def test_lighthouse(opened: Open, modules: Path) -> None:
    """Lighthouse gives accessibility and best practices all the points that there are."""
    browser = opened.browser
    title = browser.title
    # Opened again, the answer to a form would be another page; and of a page that comes with the
    # status of an error the console says so, which Lighthouse counts against it.
    status = browser.evaluate("performance.getEntriesByType('navigation')[0].responseStatus")
    is_get = browser.page_parts()[0].method == "GET"
    mode = "navigation" if is_get and status == 200 else "snapshot"
    port = browser.driver.capabilities["goog:chromeOptions"]["debuggerAddress"].rpartition(":")[2]
    command = ["node", str(SCRIPT), str(modules), port, browser.driver.current_url, mode]
    done = subprocess.run(  # noqa: S603 - our own script
        command, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["error"] is None
    assert found["title"] == title
    assert found["scores"] == {"accessibility": 1, "best-practices": 1}, found["failed"]


def test_valid(sources: Path, request: pytest.FixtureRequest, capsys: Any) -> None:
    """The Nu HTML checker finds no error in any page, in no language."""
    assert shutil.which("java"), "install Java: apt-get install default-jre-headless"
    modules = install(request.config.cache.mkdir("vnu"), CHECKER)
    jar = modules / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"
    pages = sorted(sources.glob("*.html"))
    assert pages
    command = ["java", "-jar", str(jar), "--errors-only", "--format", "gnu", *map(str, pages)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.stderr == ""
    assert done.returncode == 0
    with capsys.disabled():
        print(f"\n{len(pages)} pages are valid HTML.")
