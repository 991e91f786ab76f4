"""An Auth0 tenant on this machine, for demos and tests; not for production.

``python -m flask_auth0_mfa.emulator`` runs it; in Python:

>>> with serve(Tenant(), port=0) as server:  # doctest: +SKIP
...     requests.get(f"{server.url}/.well-known/openid-configuration")
"""

from __future__ import annotations

from .actions import Event, PostLoginApi
from .app import create_app
from .clients import Api, Client, RefreshTokenSettings
from .configuration import Configuration, InvalidConfiguration
from .faults import ConnectionDropped
from .server import RemoteRefused, RunningServer, serve
from .tenant import Tenant
from .totp import MissingExtra
from .users import person

__all__ = [
    "Api",
    "Client",
    "Configuration",
    "ConnectionDropped",
    "Event",
    "InvalidConfiguration",
    "MissingExtra",
    "PostLoginApi",
    "RefreshTokenSettings",
    "RemoteRefused",
    "RunningServer",
    "Tenant",
    "create_app",
    "person",
    "serve",
]
