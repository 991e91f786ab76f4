"""The guarded routes as a table, as JSON, and as Markdown."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from .api import TokenRequirement
from .inventory import GuardedRoute, Mark

_HEAD = ("RULE", "HTTP", "NEEDS", "API", "AGE")
_MARKDOWN_HEAD = (
    "Rule", "HTTP", "Endpoint", "Needs", "API", "Scope", "Max age", "Methods", "Binds", "Resume",
    "Remember", "Reason",
)  # fmt: skip
_STEP_UP, _LOGIN, _TOKEN = "step-up", "login", "token"


def to_dict(row: GuardedRoute, default_max_age: int | None) -> dict[str, Any]:
    """Return a guard of a route in plain JSON types; ``max_age`` is the one that holds, seconds."""
    return {
        "rule": row.rule,
        "http_methods": list(row.http_methods),
        "endpoint": row.endpoint,
        "blueprint": row.blueprint,
        "needs": _LOGIN,
        "audience": row.audience,
        "scope": None,
        "max_age": None,
        "methods": None,
        "acr_values": None,
        "reason": None,
        "binds": None,
        "resume": False,
        "remember": None,
        **_asked(row.requirement, default_max_age),
    }


def _asked(wanted: Mark, default_max_age: int | None) -> dict[str, Any]:
    if isinstance(wanted, TokenRequirement):
        return {
            "needs": _TOKEN,
            "scope": wanted.scope,
            "max_age": wanted.demand.max_age,
            "acr_values": list(wanted.demand.acr_values) or None,
        }
    if wanted is None:
        return {}
    asked = wanted.request
    return {
        "needs": _STEP_UP,
        "scope": asked.scope,
        "max_age": asked.max_age or default_max_age,
        "methods": list(asked.methods) if asked.methods is not None else None,
        # It may be a lazy text, which is none to JSON.
        "reason": asked.reason and str(asked.reason),
        "binds": _name(wanted.binds),
        "resume": wanted.resume,
        "remember": asked.remember,
    }


def _name(function: Callable[..., Any] | None) -> str | None:
    """Return how a function is called, or what kind of callable it is."""
    if function is None:
        return None
    return str(getattr(function, "__name__", type(function).__name__))


def as_json(rows: Sequence[GuardedRoute], default_max_age: int | None) -> str:
    """Return all rows as a JSON array."""
    return json.dumps([to_dict(row, default_max_age) for row in rows], indent=2)


def as_markdown(rows: Sequence[GuardedRoute], default_max_age: int | None) -> str:
    """Return a Markdown table, for a document about the protected resources."""
    lines = [_MARKDOWN_HEAD, ("---",) * len(_MARKDOWN_HEAD)]
    for row in rows:
        one = to_dict(row, default_max_age)
        guard = f" (blueprint {one['blueprint']})" if one["blueprint"] else ""
        lines.append(
            (
                _code(one["rule"]),
                ", ".join(one["http_methods"]),
                _code(one["endpoint"]),
                f"{one['needs']}{guard}",
                _code(one["audience"]),
                _code(one["scope"]),
                f"{one['max_age']} s" if one["max_age"] else "",
                _ways(one),
                _code(one["binds"]),
                "yes" if one["resume"] else "",
                f"{one['remember']} d" if one["remember"] else "",
                _cell(one["reason"] or ""),
            )
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _ways(one: dict[str, Any]) -> str:
    """Return how a second factor may be proved; for a token, what its ``acr`` may be."""
    if one["needs"] == _STEP_UP:
        return ", ".join(one["methods"] or ["any"])
    return ", ".join(map(_code, one["acr_values"] or []))


def as_table(rows: Sequence[GuardedRoute], default_max_age: int | None, *, width: int) -> str:
    """Return a table for a terminal, with what a guard asks for below its API."""
    cells = [_lines(to_dict(row, default_max_age)) for row in rows]
    widths = [
        max(len(head), *(len(line) for row in cells for line in row[number]))
        for number, head in enumerate(_HEAD)
    ]
    # Sentences are what can be broken; addresses are there to be copied.
    others = sum(widths) - widths[3] + 2 * (len(_HEAD) - 1)
    names = (line for row in cells for line in row[3] if " " not in line or line[:1] != '"')
    widths[3] = max(min(widths[3], width - others), *map(len, names), len(_HEAD[3]))
    found = [_joined([[head] for head in _HEAD], widths)]
    for row in cells:
        row[3] = [part for line in row[3] for part in textwrap.wrap(line, widths[3]) or [""]]
        found.append(_joined(row, widths))
    return "\n".join(found)


def _lines(one: dict[str, Any]) -> list[list[str]]:
    """Return the lines of each cell of a row."""
    api = []
    if one["audience"]:
        api = [
            one["audience"],
            *([f"scope {one['scope']}"] if one["scope"] else []),
            *([f"by {', '.join(one['methods'])}"] if one["methods"] else []),
            *(f"acr {value}" for value in one["acr_values"] or []),
            *([f"binds {one['binds']}"] if one["binds"] else []),
            *(["resume"] if one["resume"] else []),
            *([f"remember {one['remember']} d"] if one["remember"] else []),
            *([f'"{one["reason"]}"'] if one["reason"] else []),
        ]
    return [
        [one["rule"], f"  {one['endpoint']}"],
        one["http_methods"],
        [one["needs"], *([f"({one['blueprint']})"] if one["blueprint"] else [])],
        api,
        [f"{one['max_age']} s"] if one["max_age"] else [],
    ]


def _joined(cells: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
    height = max(map(len, cells))
    lines = (
        "  ".join(
            f"{cell[number] if number < len(cell) else '':<{wide}}"
            for cell, wide in zip(cells, widths, strict=True)
        ).rstrip()
        for number in range(height)
    )
    return "\n".join(lines)


def _code(text: str | None) -> str:
    return f"`{_cell(text)}`" if text else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
