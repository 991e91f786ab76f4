"""What the guards of an application ask for: the APIs that its tenant has to know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Flask

from ..decorators import REQUIREMENT
from ..models import StepUpRequest, scope_set


def guarded_apis(app: Flask) -> dict[str, frozenset[str]]:
    """Return the audience of every guarded view and blueprint, with all scopes that are asked."""
    found: dict[str, frozenset[str]] = {}
    for candidate in _candidates(app):
        wanted = getattr(candidate, REQUIREMENT, None)
        if isinstance(wanted, StepUpRequest) and wanted.audience is not None:
            known = found.get(wanted.audience, frozenset())
            found[wanted.audience] = known | scope_set(wanted.scope)
    return found


def _candidates(app: Flask) -> Iterator[Any]:
    yield from app.blueprints.values()
    for view in app.view_functions.values():
        yield view
        # A class-based view may carry its guard on one of its methods.
        yield from vars(getattr(view, "view_class", object)).values()
