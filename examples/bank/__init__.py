"""A small bank that logs in with Auth0 and asks for a second check where it matters.

``make demo`` starts it together with a local Auth0 tenant; start reading in ``app.py``.
"""

from __future__ import annotations

from .app import create_app

__all__ = ["create_app"]
