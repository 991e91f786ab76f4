"""Which routes of an application are guarded, and what their guards ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from .decorators import REQUIREMENT
from .models import StepUpRequest, scope_set

#: Methods that a guard answers itself, or that come with GET.
_IMPLIED = frozenset({"HEAD", "OPTIONS"})


@dataclass(frozen=True)
class GuardedRoute:
    """One guard in front of one route; ``requirement`` is ``None`` where a login is enough.

    ``blueprint`` names the blueprint whose guard it is, if it is not the view's own.
    """

    rule: str
    http_methods: tuple[str, ...]
    endpoint: str
    requirement: StepUpRequest | None
    blueprint: str | None = None


def guarded_routes(app: Flask) -> list[GuardedRoute]:
    """Return a row for each guard of each route, sorted by rule; nothing for open routes."""
    found = [row for rule in app.url_map.iter_rules() for row in _rows(app, rule)]
    return sorted(found, key=lambda row: (row.rule, row.http_methods, row.endpoint))


def guarded_apis(app: Flask) -> dict[str, frozenset[str]]:
    """Return the audience of every guarded view and blueprint, with all scopes that are asked."""
    found: dict[str, frozenset[str]] = {}
    for row in guarded_routes(app):
        wanted = row.requirement
        if wanted is not None and wanted.audience is not None:
            known = found.get(wanted.audience, frozenset())
            found[wanted.audience] = known | scope_set(wanted.scope)
    return found


def _rows(app: Flask, rule: Rule) -> Iterator[GuardedRoute]:
    methods = tuple(sorted((rule.methods or set()) - _IMPLIED))
    for name in _blueprint_names(rule.endpoint):
        for wanted in _requirements(app.blueprints.get(name)):
            yield GuardedRoute(rule.rule, methods, rule.endpoint, wanted, name)
    view = app.view_functions.get(rule.endpoint)
    for wanted in _requirements(view):
        yield GuardedRoute(rule.rule, methods, rule.endpoint, wanted)
    # A class-based view may carry its guard on one of its methods.
    view_class = getattr(view, "view_class", None)
    if view_class is None:
        return
    for wanted in _requirements(getattr(view_class, "dispatch_request", None)):
        yield GuardedRoute(rule.rule, methods, rule.endpoint, wanted)
    for method in methods:
        for wanted in _requirements(getattr(view_class, method.lower(), None)):
            yield GuardedRoute(rule.rule, (method,), rule.endpoint, wanted)


def _blueprint_names(endpoint: str) -> Iterator[str]:
    """Yield the names of the blueprints around an endpoint; guards of all of them hold."""
    parts = endpoint.split(".")[:-1]
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])


def _requirements(guarded: Any) -> list[StepUpRequest | None]:
    """Return what the guards around a view ask for, the outermost first.

    ``functools.wraps`` copies the mark of a guard to the decorators above it, so the same one is
    met several times.
    """
    found: list[StepUpRequest | None] = []
    while guarded is not None:
        marks = getattr(guarded, "__dict__", {})
        if REQUIREMENT in marks and not any(marks[REQUIREMENT] is known for known in found):
            found.append(marks[REQUIREMENT])
        guarded = marks.get("__wrapped__")
    return found
