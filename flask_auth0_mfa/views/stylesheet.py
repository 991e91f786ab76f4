"""The stylesheet of an application whose pages have colours or a width of its own."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from io import BytesIO

from flask import Response, send_file

from ..config import Settings
from ..theme import themed_stylesheet


def build_stylesheet(settings: Settings) -> Callable[[], Response]:
    """Return the view of it; made once, and cached by browsers as the static files are."""
    text = themed_stylesheet(settings.mfa_colors, settings.mfa_dark_colors, settings.mfa_width)
    content = text.encode()
    etag = sha256(content).hexdigest()[:32]

    def stylesheet() -> Response:
        return send_file(
            BytesIO(content), mimetype="text/css", download_name="theme.css", etag=etag
        )

    return stylesheet
