"""A site with a frame of its own around the pages of the second check, styled by Pico CSS."""

from __future__ import annotations

from .app import create_app

__all__ = ["create_app"]
