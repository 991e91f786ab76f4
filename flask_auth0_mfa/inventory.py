"""Which routes of an application are guarded, and what their guards ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from .api import EXTENSION, TOKEN_REQUIREMENT, TokenRequirement
from .decorators import REQUIREMENT, Requirement
from .models import scope_set

#: Methods that a guard answers itself, or that come with GET.
_IMPLIED = frozenset({"HEAD", "OPTIONS"})
_MARKS = (REQUIREMENT, TOKEN_REQUIREMENT)
Mark = Requirement | TokenRequirement | None


@dataclass(frozen=True)
class GuardedRoute:
    """One guard in front of one route; ``requirement`` is ``None`` where a login is enough.

    ``audience`` is the API that the guard is about. ``blueprint`` names the blueprint whose guard
    it is, if it is not the view's own.
    """

    rule: str
    http_methods: tuple[str, ...]
    endpoint: str
    requirement: Mark
    audience: str | None = None
    blueprint: str | None = None


def guarded_routes(app: Flask) -> list[GuardedRoute]:
    """Return a row for each guard of each route, sorted by rule; nothing for open routes."""
    found = [row for rule in app.url_map.iter_rules() for row in _rows(app, rule)]
    return sorted(found, key=lambda row: (row.rule, row.http_methods, row.endpoint))


def guarded_apis(app: Flask) -> dict[str, frozenset[str]]:
    """Return the audience of every view and blueprint guarded by step-up, with all its scopes."""
    found: dict[str, frozenset[str]] = {}
    for row in guarded_routes(app):
        wanted = row.requirement
        if isinstance(wanted, Requirement) and row.audience is not None:
            known = found.get(row.audience, frozenset())
            found[row.audience] = known | scope_set(wanted.request.scope)
    return found


def _rows(app: Flask, rule: Rule) -> Iterator[GuardedRoute]:
    methods = tuple(sorted((rule.methods or set()) - _IMPLIED))
    for http_methods, wanted, blueprint in _guards(app, rule.endpoint, methods):
        audience = _audience(app, wanted)
        yield GuardedRoute(rule.rule, http_methods, rule.endpoint, wanted, audience, blueprint)


def _guards(
    app: Flask, endpoint: str, methods: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Mark, str | None]]:
    """Yield each guard of an endpoint: for which methods, what it asks for, whose it is."""
    for name in _blueprint_names(endpoint):
        for wanted in _requirements(app.blueprints.get(name)):
            yield methods, wanted, name
    view = app.view_functions.get(endpoint)
    for wanted in _requirements(view):
        yield methods, wanted, None
    # A class-based view may carry its guard on one of its methods.
    view_class = getattr(view, "view_class", None)
    if view_class is None:
        return
    for wanted in _requirements(getattr(view_class, "dispatch_request", None)):
        yield methods, wanted, None
    for method in methods:
        for wanted in _requirements(getattr(view_class, method.lower(), None)):
            yield (method,), wanted, None


def _audience(app: Flask, wanted: Mark) -> str | None:
    if isinstance(wanted, TokenRequirement):
        found = app.extensions.get(EXTENSION, {}).get(wanted.api)
        return found.settings.audience if found is not None else None
    return wanted.request.audience if wanted is not None else None


def _blueprint_names(endpoint: str) -> Iterator[str]:
    """Yield the names of the blueprints around an endpoint; guards of all of them hold."""
    parts = endpoint.split(".")[:-1]
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])


def _requirements(guarded: Any) -> list[Mark]:
    """Return what the guards around a view ask for, the outermost first.

    ``functools.wraps`` copies the mark of a guard to the decorators above it, so the same one is
    met several times.
    """
    found: list[Mark] = []
    while guarded is not None:
        marks = getattr(guarded, "__dict__", {})
        for name in _MARKS:
            if name in marks and not any(marks[name] is known for known in found):
                found.append(marks[name])
        guarded = marks.get("__wrapped__")
    return found
