"""Return targets in a real browser: none leads to another origin, as Chromium itself sees it.

The table goes through a login and Chromium's navigation; generated targets through its parser of
addresses. Names other than ``localhost`` are not found.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from flask_auth0_mfa.return_to import safe_return_to, same_origin_path

from ..test_return_to import BAD, GOOD
from .browser import Browser

#: How many targets are generated, and where the draw begins.
TARGETS = int(os.environ.get("RETURN_TARGETS", "10000"))
SEED = int(os.environ.get("RETURN_SEED", "1"))
#: What fits into a request line.
TABLE = [target for target in (*GOOD[:5], *BAD) if target and len(target) < 3_000]
BATCH = 1_000

pytestmark = pytest.mark.browser

#: What targets are put together from.
PIECES = (
    *("/", "//", "\\", "/\\", "\t", "\n", "\r", " ", "\x00", "\x01", "\x1f", "\x7f", "\u00a0"),
    *("https:", "http:", "HTTPS:", "javascript:", "data:", "file:", "blob:", "x:", ":", "://"),
    *("evil.test", "localhost", "@", "ana@", "[::1]", "127.0.0.1", ".", "..", "%2f", "%5c", "%09"),
    *("transfer", "auth", "?", "?to=", "#", "&", "=", ";", "a", "b", "\u3002", "\uff0f", "\u2044"),
    *("\ufeff", "\u202e", "\u2028", "é", "%", "%0d%0a", "|", "^", "{", "`", '"', "'", "<", "~"),
)
#: Of these, what may stand in a path.
PLAIN = tuple(piece for piece in PIECES if safe_return_to("/a" + piece))


@pytest.fixture(scope="module")
def signed_in(visit: Callable[..., Any]) -> Iterator[Browser]:
    """Ana, logged in at the bank and at the tenant."""
    with visit() as browser:
        browser.log_in()
        yield browser


def as_query(target: str) -> str:
    """Return a target as it stands in a query."""
    return quote(target, safe="", errors="surrogatepass")


def test_table(signed_in: Browser) -> None:
    """No entry of the table leads away after a login, and each one leads to a page."""
    home = urlsplit(signed_in.site)
    led = {}
    for target in TABLE if "CAMPAIGN" in os.environ else TABLE[::3]:
        signed_in.go(f"/auth/login?return_to={as_query(target)}")
        address = urlsplit(signed_in.driver.current_url)
        assert (address.scheme, address.netloc) == (home.scheme, home.netloc), repr(target)
        assert "Internal Server Error" not in signed_in.title, repr(target)
        led[target] = signed_in.address
    assert led["/transfer?to=ben&amount=10"].startswith("/auth/mfa/challenge")
    assert led["//evil.test"] == led["/\\evil.test"] == "/"


def drawn() -> list[str]:
    """Return as many targets as were asked for, always the same for one seed."""
    draw = random.Random(SEED)  # noqa: S311 - a repeatable draw, no secret
    kinds = (("", PIECES), ("/", PIECES), ("/", PLAIN), ("//", PLAIN), ("https:", PIECES))

    def one() -> str:
        beginning, pieces = draw.choice(kinds)
        return beginning + "".join(draw.choices(pieces, k=draw.randint(0, 6)))

    return [one() for _ in range(TARGETS)]


def leaves(browser: Browser, targets: list[str]) -> list[bool]:
    """Return for each target whether Chromium, told to go there, would leave the site."""
    found: list[bool] = []
    for start in range(0, len(targets), BATCH):
        batch = json.dumps(targets[start : start + BATCH])
        found += browser.evaluate(
            f"""{batch}.map(target => {{
                try {{
                    return new URL(target, location.origin + "/auth/callback").origin
                        !== location.origin
                }} catch {{
                    return false
                }}
            }})"""
        )
    return found


def test_generated(signed_in: Browser) -> None:
    """Of ten thousand targets many lead away, and not one of those that are accepted."""
    signed_in.go("/")
    targets = drawn()
    away = leaves(signed_in, targets)
    taken = [safe_return_to(target) is not None for target in targets]
    assert not [target for target, *both in zip(targets, away, taken, strict=True) if all(both)]
    # The draw reaches what it is about.
    assert sum(away) > TARGETS / 10
    assert sum(taken) > TARGETS / 10


def test_generated_referrers(signed_in: Browser) -> None:
    """The same for the page that a form says it came from."""
    signed_in.go("/")
    urls = [signed_in.site + target for target in drawn()]
    paths = [same_origin_path(url, f"{signed_in.site}/") for url in urls]
    found = [path for path in paths if path is not None]
    assert not any(leaves(signed_in, found))
    assert len(found) > TARGETS / 50
