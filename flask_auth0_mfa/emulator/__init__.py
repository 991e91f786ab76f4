"""An Auth0 tenant on this machine, for demos and tests; not for production.

``python -m flask_auth0_mfa.emulator`` runs it; in Python:

>>> with serve(Tenant(), port=0) as server:  # doctest: +SKIP
...     requests.get(f"{server.url}/.well-known/openid-configuration")
"""

from __future__ import annotations

from .app import create_app
from .configuration import Configuration, InvalidConfiguration, person
from .faults import ConnectionDropped
from .server import RemoteRefused, serve
from .tenant import Tenant
from .totp import MissingExtra

__all__ = [
    "Configuration",
    "ConnectionDropped",
    "InvalidConfiguration",
    "MissingExtra",
    "RemoteRefused",
    "Tenant",
    "create_app",
    "person",
    "serve",
]
