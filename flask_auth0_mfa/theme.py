"""The look that an application gives the pages by configuration: colours and width.

The stylesheet is where colours have their names and defaults; they are read from there, so that
there is no second list of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

STATIC = Path(__file__).parent / "static"
LIGHT, DARK = "light", "dark"
#: Which colour has to be told from which, and by how much (WCAG 2.2, 1.4.3 and 1.4.11).
CONTRASTS = (
    ("text", "ground", 4.5),
    ("text", "card", 4.5),
    ("muted", "ground", 4.5),
    ("muted", "card", 4.5),
    ("accent", "card", 4.5),
    ("on-accent", "accent", 4.5),
    ("error", "card", 4.5),
    ("warning", "card", 4.5),
    ("success", "card", 4.5),
    ("border", "card", 3.0),
    # The ring around the link that has the focus.
    ("accent", "ground", 3.0),
)


def shipped_stylesheet() -> str:
    """Return the stylesheet of the pages as it is without configuration."""
    return (STATIC / "auth0_mfa.css").read_text(encoding="utf-8")


def shipped_colors(scheme: str) -> dict[str, str]:
    """Return the colours of the stylesheet in ``light`` or ``dark``, by name, as ``#rrggbb``."""
    light, _, rest = shipped_stylesheet().partition("@media (prefers-color-scheme: dark)")
    properties = re.findall(r"--auth0-mfa-(\S+): (#\w+)", light if scheme == LIGHT else rest)
    return {name: long_form(value) for name, value in properties}


def long_form(color: str) -> str:
    """Return ``#rgb`` or ``#rrggbb`` in the longer form; ValueError when it is neither."""
    if not re.fullmatch(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})", color):
        raise ValueError(color)
    digits = color[1:].lower()
    return "#" + (digits if len(digits) == 6 else "".join(digit * 2 for digit in digits))


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    channels = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return sum(
        weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
    )


def weak_contrasts(colors: Mapping[str, str], scheme: str) -> Iterator[str]:
    """Yield each pair that ``colors``, over the shipped ones, leave too hard to tell apart."""
    palette = {**shipped_colors(scheme), **colors}
    for front, back, least in CONTRASTS:
        found = contrast(palette[front], palette[back])
        if found < least:
            # Rounded down: 4.4999 must not read as 4.5.
            shown = int(found * 100) / 100
            yield (
                f"{front} ({palette[front]}) on {back} ({palette[back]}) "
                f"has {shown} to 1 and needs {least}"
            )


def themed_stylesheet(
    colors: Mapping[str, str], dark_colors: Mapping[str, str], width: str | None
) -> str:
    """Return the shipped stylesheet with an application's own colours and width at its end."""
    rules = [shipped_stylesheet().rstrip()]
    # Each in its scheme alone: a light colour that came last would hold in the dark as well.
    for scheme, chosen in ((LIGHT, colors), (DARK, dark_colors)):
        if chosen:
            rules.append(f"@media (prefers-color-scheme: {scheme}) {{ {_root(chosen)} }}")
    if width:
        rules.append(_root({"width": width}))
    return "\n".join(rules) + "\n"


def _root(properties: Mapping[str, str]) -> str:
    text = " ".join(f"--auth0-mfa-{name}: {value};" for name, value in properties.items())
    return f":root {{ {text} }}"


def missing_logo(logo: str | None, static_url: str | None, static_folder: str | None) -> str | None:
    """Return what is wrong when the logo should be in the application's static folder, but is not.

    A logo elsewhere is not looked for: any view, or the server in front, may answer there.
    """
    if not (logo and static_url and static_folder):
        return None
    path, prefix = re.split(r"[?#]", logo)[0], static_url.rstrip("/") + "/"
    if not path.startswith(prefix) or (Path(static_folder) / path.removeprefix(prefix)).is_file():
        return None
    return f"AUTH0_MFA_LOGO names {path}, which is not in {static_folder}: put the picture there."
