"""Settings of Sphinx, and the one conversion that the pages need: the changelog is Markdown."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
CHANGELOG = ROOT / "CHANGELOG.md"

# The pages describe this working copy, whatever is installed.
sys.path.insert(0, str(ROOT))

from flask_auth0_mfa import __version__  # noqa: E402 - found by the line above

project = "flask_auth0_mfa"
author = "the flask_auth0_mfa authors"
project_copyright = author
release = version = __version__

extensions = ["sphinx.ext.autodoc", "pallets_sphinx_themes"]
exclude_patterns = ["_build"]
default_role = "code"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

# Other projects' names, and type variables: nothing to link to here. The build must work without
# a network, so their inventories are not fetched.
nitpick_ignore_regex = [
    (r"py:.*", r"(blinker|collections|flask|requests|typing|werkzeug)\..*"),
    (r"py:.*", r"(optional|Any|Blueprint|Callable|Flask|Mapping|View|Response)"),
]

html_theme = "flask"
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_title = "flask_auth0_mfa"
html_show_sourcelink = False
html_sidebars = {"**": ["localtoc.html", "relations.html", "searchbox.html"]}


def with_changelog(app: Any, docname: str, source: list[str]) -> None:
    """Put the project's changelog under the title of the page ``changes``."""
    if docname == "changes":
        app.env.note_dependency(str(CHANGELOG))
        source[0] += from_markdown(CHANGELOG.read_text(encoding="utf-8"))


def from_markdown(text: str) -> str:
    """Return the few forms that a changelog has as reStructuredText, without its title."""
    text = re.sub(r"^# .*\n", "", text)
    text = re.sub(r"(?<!`)`([^`\n]+)`(?!`)", r"``\1``", text)
    text = re.sub(r"\[([^\]]+)\]\((https?://[^)]+)\)", r"`\1 <\2>`__", text)
    return re.sub(r"^(##+) (.*)$", _heading, text, flags=re.MULTILINE)


def _heading(match: re.Match[str]) -> str:
    title = match[2].replace("[", "").replace("]", "")
    return f"{title}\n{'-~'[len(match[1]) - 2] * len(title)}"


def setup(app: Any) -> None:
    """Connect the conversion."""
    app.connect("source-read", with_changelog)
