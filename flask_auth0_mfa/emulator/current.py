"""The tenant and the authorization server of the application that handles the request."""

from __future__ import annotations

from flask import current_app

from .oauth import Server
from .tenant import Tenant

EXTENSION = "auth0_emulator"


def tenant() -> Tenant:
    """Return the tenant of the current app."""
    found: Tenant = current_app.extensions[EXTENSION].tenant
    return found


def server() -> Server:
    """Return Authlib's server of the current app."""
    found: Server = current_app.extensions[EXTENSION]
    return found
