"""Two programs: an API that says when it wants a second check, and an application that calls it."""

from __future__ import annotations

from .app import create_app
from .server import create_api

__all__ = ["create_api", "create_app"]
