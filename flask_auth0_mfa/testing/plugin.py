"""The pytest plugin: see :mod:`flask_auth0_mfa.testing` for how it is used.

It is imported in every pytest run where this package is installed, so whatever costs time is
imported inside the fixtures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flask import Flask

    from ..emulator.keys import SigningKeys
    from .client import Auth0TestClient
    from .tenant import InProcessTenant


@pytest.fixture(scope="session")
def auth0_config() -> dict[str, str]:
    """``AUTH0_*`` settings of an application that is made for tests."""
    from . import CONFIG

    return dict(CONFIG)


@pytest.fixture(scope="session")
def _auth0_keys() -> SigningKeys:
    """Keys for the whole run: they take a moment to make, and applications remember them."""
    from ..emulator.keys import SigningKeys

    return SigningKeys()


@pytest.fixture
def auth0_tenant(_auth0_keys: SigningKeys) -> InProcessTenant:
    """A local Auth0 tenant in this process, as it is when it starts."""
    from ..emulator import MissingExtra
    from .tenant import InProcessTenant

    try:
        return InProcessTenant(_auth0_keys)
    except MissingExtra as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture
def auth0_client(auth0_tenant: InProcessTenant, app: Flask) -> Auth0TestClient:
    """A test client of the fixture ``app`` that can log in and step up in one line each."""
    return auth0_tenant.client(app)
