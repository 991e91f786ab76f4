"""A tenant over real HTTP, and an application and a browser to use it with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flask_auth0_mfa.emulator import Tenant, serve
from flask_auth0_mfa.emulator.server import RunningServer

from .application import Application


@pytest.fixture(scope="session")
def shared_server() -> Iterator[RunningServer]:
    """One served tenant for all tests that use the default configuration."""
    with serve(Tenant()) as server:
        yield server


@pytest.fixture
def server(shared_server: RunningServer) -> RunningServer:
    """The shared server, with its tenant as at the start."""
    shared_server.tenant.reset()
    return shared_server


@pytest.fixture
def tenant(server: RunningServer) -> Tenant:
    """The tenant of the shared server."""
    return server.tenant


@pytest.fixture
def application(server: RunningServer) -> Iterator[Application]:
    """The demo client."""
    with Application(server.url) as application:
        yield application
