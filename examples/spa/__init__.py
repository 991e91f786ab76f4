"""A single page with a JSON API behind it: how a front end of one's own does the second check."""

from __future__ import annotations

from .app import create_app

__all__ = ["create_app"]
