"""The code in the documentation, and how it is run.

A page's blocks of code are taken in order and share their names, as a reader takes them. In
reStructuredText they are ``.. code-block:: LANGUAGE``; in Markdown, fences with a language.

- ``python`` is run.
- ``console`` is run where every command is ``flask``, against the page's ``app``, or ``python -c``;
  what the page shows as its output has to come out.
- Any other block is given to the check below it as ``shown`` (JSON parsed, all else as text).
- ``text`` is for people: pictures made of letters, and no code.

Three comments, which no reader sees, belong to a page:

``.. check:``
    with an indented block: run at that place, to prove what the page says of its snippets.
``.. run by: FILE::TEST``
    right before a block: that test runs it, since it takes more than a page alone.
``.. not run: REASON``
    right before a block: it is left out, and counted.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask

_RST = re.compile(
    r"^(?P<indent> *)\.\. (?P<kind>code-block:: (?P<language>[\w+]+)|check:)\n"
    r"(?P<body>(?:(?:(?P=indent) +.*)?\n)+)",
    re.MULTILINE,
)
_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"(?:\.\.|<!--) (?P<kind>not run|run by): (?P<text>.+?)(?: -->)?\n*[ ]*\Z")
_OPTION = re.compile(r"\A(?:[ ]*:[\w-]+:.*\n)+")
#: A ``flask`` command, where its output goes to, and what follows if it fails.
_FLASK = re.compile(r"flask (?P<arguments>.*?)(?: > (?P<file>\S+))?(?: \|\| .+)?")


@dataclass(frozen=True)
class Snippet:
    """One block of code: where it stands, what it is, and who runs it, if not its page."""

    page: str
    line: int
    language: str
    code: str
    is_check: bool = False
    caption: str | None = None
    not_run: str | None = None
    run_by: str | None = None

    @property
    def commands(self) -> list[str]:
        """What a person types into the terminal."""
        return re.findall(r"^\$ (.*)$", self.code, re.MULTILINE)

    @property
    def is_run_here(self) -> bool:
        """Whether it is run with its page."""
        if self.not_run or self.run_by:
            return False
        typed = all(one.startswith(("flask ", "python -c ")) for one in self.commands)
        return self.language == "python" or (self.language == "console" and typed)


def snippets(path: Path) -> Iterator[Snippet]:
    """Yield the blocks of a page in order; a check counts as ``python``."""
    text = path.read_text(encoding="utf-8")
    pattern = _FENCE if path.suffix == ".md" else _RST
    for match in pattern.finditer(text):
        body, line = match["body"], text.count("\n", 0, match.start("body")) + 1
        is_check = match.groupdict().get("kind") == "check:"
        options = _OPTION.match(body)
        if options and not is_check:
            body = body[options.end() :]
            line += options[0].count("\n")
        line += len(body) - len(body.lstrip("\n"))
        caption = re.search(r":caption: (.+)", options[0]) if options else None
        mark = _MARK.search(text, 0, match.start())
        kind = mark["kind"] if mark else None
        yield Snippet(
            page=path.name,
            line=line,
            language="python" if is_check else match["language"],
            code=textwrap.dedent(body).strip("\n") + "\n",
            is_check=is_check,
            caption=caption[1] if caption else None,
            not_run=mark["text"] if mark and kind == "not run" else None,
            run_by=mark["text"] if mark and kind == "run by" else None,
        )


def run(path: Path, names: dict[str, Any]) -> int:
    """Run what a page shows with these names, and return how many snippets that was.

    A traceback names the page and the line.
    """
    count = 0
    for snippet in snippets(path):
        if snippet.language != "python":
            is_json = snippet.language == "json"
            names["shown"] = json.loads(snippet.code) if is_json else snippet.code
        if not snippet.is_run_here:
            continue
        count += 1
        if snippet.language == "console":
            type_in(snippet, names["app"], Path(names["directory"]))
            continue
        code = "\n" * (snippet.line - 1) + snippet.code
        exec(compile(code, str(path), "exec", dont_inherit=True), names)  # noqa: S102 - ours
    return count


def type_in(snippet: Snippet, app: Flask, directory: Path) -> None:
    """Run the commands of a block one after the other; what is shown of them has to come out."""
    printed = ""
    for command in snippet.commands:
        printed += f"$ {command}\n"
        if command.startswith("python "):
            printed += _python(command)
        else:
            printed += _flask(command, app, directory)
    if shown := re.sub(r"^\$ .*\n", "", snippet.code, flags=re.MULTILINE):
        assert shown in printed, f"{snippet.page}:{snippet.line} printed:\n{printed}"


def _python(command: str) -> str:
    done = subprocess.run(  # noqa: S603 - what the page says to type
        [sys.executable, *shlex.split(command)[1:]], capture_output=True, text=True, check=True
    )
    return done.stdout


def _flask(command: str, app: Flask, directory: Path) -> str:
    match = _FLASK.fullmatch(command)
    assert match, command
    result = app.test_cli_runner().invoke(args=shlex.split(match["arguments"]), input="typed\n")
    # 1 is the doctor's word for a trouble that it found; 2 is a command that does not exist.
    assert result.exit_code in (0, 1 if "doctor" in command else 0), result.output
    if match["file"] is None:
        return result.output
    (directory / match["file"]).write_text(result.stdout, encoding="utf-8")
    return ""
