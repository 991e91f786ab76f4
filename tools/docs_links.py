"""Finds dead links inside the documentation: ``python -m tools.docs_links docs/_build README.md``.

Sphinx refuses a reference that leads nowhere; this looks at what was written by hand as well, in
the built pages and in Markdown files. Links to other sites are not followed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_MARKDOWN_LINK = re.compile(r"\]\(([^)\s]+)\)")


class _Page(HTMLParser):
    """Collects where a page links to, and what can be linked to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = {""}

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            if name in ("href", "src") and value:
                self.links.append(value)


@cache
def page(path: Path) -> _Page:
    """Return links and anchors of a built page."""
    found = _Page()
    found.feed(path.read_text(encoding="utf-8"))
    return found


def links(path: Path) -> list[str]:
    """Return where a file links to."""
    if path.suffix == ".html":
        return page(path).links
    return _MARKDOWN_LINK.findall(path.read_text(encoding="utf-8"))


def dead_links(path: Path, root: Path) -> Iterator[str]:
    """Yield the links of a file that lead to nothing; those from ``/`` begin at the root."""
    for link in links(path):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        name = unquote(parts.path)
        target = root / name[1:] if name.startswith("/") else path.parent / name
        target = target if name else path
        is_page = target.suffix == ".html"
        if not target.exists() or (is_page and unquote(parts.fragment) not in page(target).anchors):
            yield link


def main(arguments: list[str]) -> int:
    """Print the dead links of files and folders; the status is 1 if there are any."""
    files = [
        (file, path if path.is_dir() else path.parent)
        for path in map(Path, arguments)
        for file in (sorted(path.rglob("*.html")) if path.is_dir() else [path])
    ]
    dead = [f"{file}: {link}" for file, root in files for link in dead_links(file, root)]
    print("\n".join(dead) or f"No dead link in {len(files)} files.")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
