"""The Python in the documentation, and how it is run.

A page's snippets run in order and share their names, as a reader takes them. In reStructuredText
they are ``.. code-block:: python``; in Markdown, fences with ``python``. Two comments, which no
reader sees, belong to a page:

``.. check:``
    with an indented block: run at that place, to prove what the page says of its snippets.
``.. not run: REASON``
    right before a snippet: it is left out, and counted.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_RST = re.compile(
    r"^(?P<indent> *)\.\. (?P<kind>code-block:: (?P<language>[\w+]+)|check:)\n"
    r"(?P<body>(?:(?:(?P=indent) +.*)?\n)+)",
    re.MULTILINE,
)
_FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"(?:\.\. not run: (?P<rst>.+)|<!-- not run: (?P<markdown>.+) -->)\n*\Z")
_OPTION = re.compile(r"\A(?:[ ]*:[\w-]+:.*\n)+")


@dataclass(frozen=True)
class Snippet:
    """One block of code: where it stands, what it is, and why it is not run, if it is not."""

    page: str
    line: int
    language: str
    code: str
    caption: str | None = None
    not_run: str | None = None


def snippets(path: Path) -> Iterator[Snippet]:
    """Yield the blocks of a page in order; a check counts as ``python``."""
    text = path.read_text(encoding="utf-8")
    pattern = _FENCE if path.suffix == ".md" else _RST
    for match in pattern.finditer(text):
        body, line = match["body"], text.count("\n", 0, match.start("body")) + 1
        options = _OPTION.match(body)
        if options:
            body = body[options.end() :]
            line += options[0].count("\n")
        caption = re.search(r":caption: (.+)", options[0]) if options else None
        reason = _NOT_RUN.search(text, 0, match.start())
        yield Snippet(
            page=path.name,
            line=line,
            language=match["language"] or "python",
            code=textwrap.dedent(body),
            caption=caption[1] if caption else None,
            not_run=(reason["rst"] or reason["markdown"]) if reason else None,
        )


def run(path: Path, names: dict[str, Any]) -> int:
    """Run the Python of a page with these names, and return how many snippets that was.

    A traceback names the page and the line.
    """
    count = 0
    for snippet in snippets(path):
        if snippet.language == "python" and snippet.not_run is None:
            code = "\n" * (snippet.line - 1) + snippet.code
            exec(compile(code, str(path), "exec", dont_inherit=True), names)  # noqa: S102 - ours
            count += 1
    return count
