"""Where a user may be sent back to: the address of a page here, and never anybody else's."""

from __future__ import annotations

import re
import string

import pytest
from flask import Flask, redirect
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flask_auth0_mfa.return_to import MAX_LENGTH, safe_return_to, same_origin_path

HOST = "https://bank.example/"

GOOD = [
    "/",
    "/transfer",
    "/transfer/",
    "/transfer?to=ben&amount=10",
    "/transfer?to=ben;x=1",
    "/a/b/c.html",
    "/a//b",
    "/a/../b",
    "/./a",
    "/%C3%A9",
    "/a%20b?c=d%26e",
    "/search?q=https%3A%2F%2Fevil.test",
    "/search?q=https://evil.test/",
    "/login?next=//evil.test",
    "/@ana",
    "/a:b",
    "/;x",
    "/~ana",
    "/a?",
    "/a?b=c?d",
    "/a?ids[]=1&x=a|b",
    "/a?q=it's+(a)+*test*!$,",
    "/evil.test",
    "/%2f%2fevil.test",
    "/%5cevil.test",
    "/" + "a" * (MAX_LENGTH - 1),
]

BAD = [
    None,
    "",
    # Other origins, as they are written.
    "https://evil.test",
    "https://evil.test/transfer",
    "http://evil.test",
    "HTTPS://EVIL.TEST",
    "//evil.test",
    "//evil.test/transfer",
    "///evil.test",
    "////evil.test",
    "//",
    "///",
    "//@evil.test",
    "//bank.example@evil.test",
    "//evil.test:443",
    "//evil.test:port",
    "//[::1]",
    "//[evil",
    "//127.0.0.1",
    "//2130706433",
    # Origins without the slashes that one expects.
    "https:evil.test",
    "https:/evil.test",
    "https:///evil.test",
    "http:///evil.test",
    "http:evil.test",
    "https:\\\\evil.test",
    "http:\\evil.test",
    "https:bank.example@evil.test",
    # Backslashes, which browsers take for slashes.
    "\\evil.test",
    "\\\\evil.test",
    "/\\evil.test",
    "/\\/evil.test",
    "\\/evil.test",
    "//\\evil.test",
    "/\\\\evil.test",
    "/transfer\\..\\..\\evil.test",
    # Characters that browsers drop before they look.
    " //evil.test",
    "\t//evil.test",
    "\n//evil.test",
    "\x00//evil.test",
    "\x01//evil.test",
    "\x1f//evil.test",
    "/\t/evil.test",
    "/\n/evil.test",
    "/\r/evil.test",
    "/\r\n/evil.test",
    "/\t\\evil.test",
    "/\x00/evil.test",
    "//\tevil.test",
    "h\nttps://evil.test",
    "java\tscript:alert(1)",
    " /transfer",
    "/transfer ",
    "/trans fer",
    "/transfer\n",
    "/transfer\x7f",
    # Line breaks that would begin a header of their own.
    "/transfer\r\nSet-Cookie: a=b",
    "/transfer\nLocation: //evil.test",
    "/transfer\u2028x",
    "/transfer\u0085x",
    # Look-alikes of slash and dot.
    "//evil\u3002test",
    "/\uff0fevil.test",
    "\uff0f\uff0fevil.test",
    "/\u2215evil.test",
    "/\u2044evil.test",
    "/\u29f8evil.test",
    "/é",
    "/\ud800",
    "/\u202e/tset.live",
    "\ufeff//evil.test",
    "\u00a0//evil.test",
    # Other schemes.
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "javascript://bank.example/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "mailto:ana@example.com",
    "ftp://evil.test",
    "blob:https://bank.example/1",
    "about:blank",
    "x:y",
    # No path from the root.
    "transfer",
    "./transfer",
    "../transfer",
    "?to=ben",
    "#top",
    "@evil.test",
    ":443",
    ".evil.test",
    "bank.example",
    "bank.example/transfer",
    # Fragments, quotes and brackets, which no request line has.
    "/transfer#top",
    "/#//evil.test",
    '/"onmouseover="alert(1)',
    "/<script>",
    "/a`b",
    "/a{b}",
    "/a^b",
    # Too long.
    "/" + "a" * MAX_LENGTH,
    "/" + "a" * 1_000_000,
]


def leaves(location: str) -> bool:
    """Tell whether a browser that gets this ``Location`` leaves the site.

    As browsers read an address (WHATWG URL, basic URL parser): surrounding control characters and
    every tab and line break are dropped, a backslash is a slash, two slashes begin a host.
    """
    text = re.sub(r"[\t\n\r]", "", location.strip("".join(map(chr, range(33)))))
    text = text.replace("\\", "/")
    return text.startswith("//") or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text) is not None


class TestReturnTo:
    """The target that came from outside."""

    @pytest.mark.parametrize("target", GOOD)
    def test_good(self, target):
        """A path of the application, with its query, is taken as it is."""
        assert safe_return_to(target) == target

    @pytest.mark.parametrize("target", BAD)
    def test_bad(self, target):
        """Everything else is dropped."""
        assert safe_return_to(target) is None

    def test_enough(self):
        """The table has the tricks that we know of; some of them do leave the site."""
        assert len(BAD) >= 60
        assert sum(leaves(target or "") for target in BAD) >= 40
        assert not any(leaves(target) for target in GOOD)

    @settings(deadline=None, max_examples=300)
    @given(
        st.text()
        | st.text("/\\:@?#%.\t\n\r \x00aehpst", max_size=12)
        | st.from_regex(r"\A[/\\\s]{0,4}(https?:)?[/\\\s]{0,4}evil\.test")
    )
    @example("/\\evil.test")
    @example("\x01//evil.test")
    def test_any_text(self, target):
        """Whatever the text, the result is the text itself and stays on the site, or nothing."""
        result = safe_return_to(target)
        assert result in (None, target)
        assert result is None or not leaves(result)

    @settings(deadline=None, max_examples=300)
    @given(st.text(string.ascii_letters + string.digits + "/?&=%.-_~@:;,+!*'()$[]|", max_size=40))
    def test_any_path(self, rest):
        """Every path in the characters of an address is taken, if it names no host."""
        target = "/" + rest
        assert safe_return_to(target) == (None if rest.startswith("/") else target)

    @pytest.mark.parametrize("target", GOOD)
    def test_as_location(self, target):
        """The framework sends a good target as it is, in one header."""
        with Flask("bank").test_request_context():
            response = redirect(target, 303)
        assert response.headers.getlist("Location") == [target]


class TestReferrer:
    """The page that a form was sent from."""

    @pytest.mark.parametrize(
        ("url", "path"),
        [
            ("https://bank.example/", "/"),
            ("https://bank.example", "/"),
            ("https://bank.example/transfer?to=ben", "/transfer?to=ben"),
            ("https://bank.example/transfer#top", "/transfer"),
            ("https://bank.example?to=ben", "/?to=ben"),
            ("https://bank.example/a%20b", "/a%20b"),
        ],
    )
    def test_own(self, url, path):
        """A page of this origin becomes its path."""
        assert same_origin_path(url, HOST) == path

    @pytest.mark.parametrize(
        "url",
        [
            None,
            "",
            "/transfer",
            "null",
            "about:client",
            "http://bank.example/transfer",
            "https://evil.test/transfer",
            "https://bank.example.evil.test/",
            "https://evil.test/bank.example",
            "https://bank.example:8443/transfer",
            "https://ana@bank.example/transfer",
            "https://bank.example@evil.test/",
            "https://bank.example\\@evil.test/",
            "https://bank.example//evil.test",
            "https://bank.example/\\evil.test",
            "https://bank.example/\t/evil.test",
            "https://bank.example/é",
            "//bank.example/transfer",
            "https://[bank.example/",
            "https://bank.example\uff0f/evil",
        ],
    )
    def test_foreign(self, url):
        """A page of any other origin, or a strange address of this one, is none."""
        assert same_origin_path(url, HOST) is None

    def test_strange_host(self):
        """A strange ``Host`` header makes no page anybody's."""
        assert same_origin_path("https://[x/", "https://[x/") is None

    @settings(deadline=None, max_examples=300)
    @given(st.text(), st.text())
    def test_any_text(self, url, host):
        """No text makes an error, or a path that leaves the site."""
        result = same_origin_path(url, host)
        assert result is None or not leaves(result)
