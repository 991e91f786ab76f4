"""axe-core, which finds what keeps people out of a page."""

from __future__ import annotations

import json
from pathlib import Path

from .browser import Browser
from .npm import install

AXE = "axe-core@4.14.1"
RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    },
    # Off by default, although WCAG 2.2 asks for it.
    "rules": {"target-size": {"enabled": True}},
}


def axe_script(folder: Path) -> str:
    """Return the script of axe-core, installed there from the npm registry once."""
    return (install(folder, AXE) / "node_modules" / "axe-core" / "axe.min.js").read_text()


def problems(browser: Browser, axe: str) -> list[str]:
    """Return what axe-core finds wrong with the page that is open."""
    browser.evaluate(f"{axe}; null")
    found = json.loads(
        browser.evaluate(f"axe.run({json.dumps(RULES)}).then((found) => JSON.stringify(found))")
    )
    # Rules that found nothing at all would be as silent as a page without problems.
    assert found["passes"]
    return [
        f"{violation['id']}: {node['html']}: {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def require_accessible(browser: Browser, axe: str) -> None:
    """Check the page that is open with axe-core."""
    assert problems(browser, axe) == []
