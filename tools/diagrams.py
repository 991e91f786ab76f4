"""Draws the two pictures of the page on architecture: ``python -m tools.diagrams``.

The floors come from setup.cfg, which import-linter enforces, so the picture cannot show what is not
so. Each picture brings its own ground and follows the reader's choice of light or dark.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).parent.parent
STATIC = ROOT / "docs" / "_static"
PACKAGE = "flask_auth0_mfa."
WIDTH = 880
#: Where boxes begin, after the names of the floors, how high they are, and how far apart.
LEFT, HEIGHT, GAP = 112, 39, 8
#: How wide a character is, in the two sizes of text.
CHARACTER, SMALL_CHARACTER = 7.2, 6

STYLE = """
  .ground { fill: #f6f8f9 } .band { fill: #e7edf0 }
  .box { fill: #fff; stroke: #8a99a3 } .line { stroke: #5b6b76 }
  text { font: 13px system-ui, sans-serif; fill: #17242d }
  .small { font-size: 11px; fill: #4b5b66 } .name { font-weight: 600 }
  .arrow { fill: #5b6b76 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #17212a } .band { fill: #1e2a34 }
    .box { fill: #2a3a46; stroke: #7d8f9c } .line { stroke: #9fb0bc }
    text { fill: #eef3f6 } .small { fill: #b9c7d1 } .arrow { fill: #9fb0bc }
  }
"""

#: What a floor is called, by one of the modules that live there.
FLOORS = {
    "extension": "roof",
    "cli": "commands",
    "decorators": "web edge",
    "flows": "middle",
    "sealing": "doors",
    "errors": "vocabulary",
}

BROWSER, APPLICATION, AUTH0 = 90, 440, 790


@dataclass(frozen=True)
class Message:
    """One arrow of the sequence, or, without a target, what the application does by itself."""

    text: str
    source: int = APPLICATION
    target: int | None = None


STEP_UP = (
    Message("GET /transfer", BROWSER, APPLICATION),
    Message("decorators: is it open? sessions: load"),
    Message("flows.tokens: refresh token", APPLICATION, AUTH0),
    Message("403 mfa_required", AUTH0, APPLICATION),
    Message("flows.contexts: a context into the session"),
    Message("303 to the challenge page (JSON: 403)", APPLICATION, BROWSER),
    Message("GET challenge", BROWSER, APPLICATION),
    Message("flows.challenges: list the methods", APPLICATION, AUTH0),
    Message("the choice", APPLICATION, BROWSER),
    Message("POST challenge", BROWSER, APPLICATION),
    Message("services: the limit on messages"),
    Message("flows.challenges: send", APPLICATION, AUTH0),
    Message("303 to the form for the code", APPLICATION, BROWSER),
    Message("POST verify", BROWSER, APPLICATION),
    Message("services: the limit on codes, before Auth0 is asked"),
    Message("flows.verification: MFA grant", APPLICATION, AUTH0),
    Message("tokens, the next refresh token", AUTH0, APPLICATION),
    Message("sessions: tokens and the record of the proof"),
    Message("303 to /transfer", APPLICATION, BROWSER),
)


def settings() -> configparser.ConfigParser:
    """Return what import-linter is told."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def floors() -> list[list[str]]:
    """Return the modules of each floor, from the roof down."""
    layers = settings()["importlinter:contract:floors"]["layers"]
    return [re.split(r"\s*:\s*", line.strip()) for line in layers.strip().splitlines()]


def doors() -> dict[str, list[str]]:
    """Return the third-party libraries that each module is the door of."""
    found: dict[str, list[str]] = {}
    for section in settings().values():
        if section.get("type") != "protected":
            continue
        libraries = section["protected_modules"].split()
        for importer in section["allowed_importers"].split():
            module = importer.removeprefix(PACKAGE).partition(".")[0]
            found.setdefault(module, []).extend(libraries)
    # The local tenant stands alone, and has doors of its own.
    found["emulator"] = ["stands alone"]
    return found


def picture(height: int, title: str, description: str, body: Iterator[str]) -> str:
    """Return an SVG document with its own ground, and words for those who do not see it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' width="{WIDTH}" height="{height}">\n'
        f"<title>{escape(title)}</title>\n<desc>{escape(description)}</desc>\n"
        f"<style>{STYLE}</style>\n"
        f'<rect class="ground" width="{WIDTH}" height="{height}" rx="8"/>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def label(x: float, y: float, text: str, *, kind: str = "", anchor: str = "start") -> str:
    """Return a line of text."""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'


def draw_floors() -> str:
    """Return the picture of the floors, each on a band of its own."""
    libraries, parts, top = doors(), [], 12
    for modules in floors():
        name = next((FLOORS[one] for one in modules if one in FLOORS), "")
        boxes = list(placed(modules, libraries, top))
        bottom = boxes[-1].top + HEIGHT
        parts += [
            f'<rect class="band" x="8" y="{top - 5}" width="{WIDTH - 16}"'
            f' height="{bottom - top + 10}" rx="6"/>',
            label(20, (top + bottom) / 2 + 5, name, kind="name"),
            *(part for box in boxes for part in box.drawn()),
        ]
        top = bottom + 16
    words = "; ".join(", ".join(modules) for modules in floors())
    title = "The floors of flask_auth0_mfa; imports go down only"
    return picture(top, title, f"From the roof down: {words}.", iter(parts))


@dataclass(frozen=True)
class Box:
    """A module, with the libraries that come in by it."""

    left: int
    top: int
    width: int
    module: str
    libraries: str

    def drawn(self) -> Iterator[str]:
        """Yield the parts of the picture."""
        middle = self.left + self.width / 2
        yield (
            f'<rect class="box" x="{self.left}" y="{self.top}" width="{self.width}"'
            f' height="{HEIGHT}" rx="5"/>'
        )
        line = self.top + (17 if self.libraries else 24)
        yield label(middle, line, self.module, anchor="middle")
        if self.libraries:
            yield label(middle, self.top + 32, self.libraries, kind="small", anchor="middle")


def placed(modules: list[str], libraries: dict[str, list[str]], top: int) -> Iterator[Box]:
    """Yield the boxes of one floor; what does not fit beside the others goes below them."""
    left = LEFT
    for module in modules:
        below = ", ".join(libraries.get(module, []))
        width = int(max(len(module) * CHARACTER, len(below) * SMALL_CHARACTER) + 18)
        if left + width > WIDTH - 16:
            left, top = LEFT, top + HEIGHT + GAP
        yield Box(left, top, width, module, below)
        left += width + GAP


def draw_step_up() -> str:
    """Return the picture of one step-up."""
    height = 70 + 34 * len(STEP_UP)
    names = {BROWSER: "browser", APPLICATION: "application", AUTH0: "Auth0"}
    words = "; ".join(
        f"{names[one.source]} to {names[one.target]}: {one.text}" if one.target else one.text
        for one in STEP_UP
    )
    return picture(height, "One step-up, from the guard and back", words, sequence(height, names))


def sequence(height: int, names: dict[int, str]) -> Iterator[str]:
    """Yield lifelines and arrows."""
    yield (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8"'
        ' markerHeight="8" orient="auto"><path class="arrow" d="M0 0 8 4 0 8z"/></marker></defs>'
    )
    for x, name in names.items():
        yield label(x, 28, name, kind="name", anchor="middle")
        yield f'<line class="line" x1="{x}" y1="40" x2="{x}" y2="{height - 14}"/>'
    for number, message in enumerate(STEP_UP):
        y = 74 + 34 * number
        if message.target is None:
            width = len(message.text) * CHARACTER + 24
            yield (
                f'<rect class="box" x="{APPLICATION - width / 2:g}" y="{y - 19}"'
                f' width="{width:g}" height="26" rx="13"/>'
            )
            yield label(APPLICATION, y - 2, message.text, anchor="middle")
            continue
        middle = (message.source + message.target) / 2
        yield label(middle, y - 6, message.text, anchor="middle")
        yield (
            f'<line class="line" x1="{message.source}" y1="{y}" x2="{message.target}" y2="{y}"'
            ' marker-end="url(#tip)"/>'
        )


PICTURES = {"floors.svg": draw_floors, "stepup.svg": draw_step_up}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (STATIC / name).write_text(draw(), encoding="utf-8")
