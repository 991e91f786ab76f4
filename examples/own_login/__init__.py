"""A shop with a login of its own, by Authlib, and sessions in Redis; the checks are ours."""

from __future__ import annotations

from .app import create_app

__all__ = ["create_app"]
