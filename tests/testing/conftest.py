"""An application of the tenant in process, in place of the one that speaks HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from flask_auth0_mfa import Auth0MFA
from flask_auth0_mfa.testing.tenant import InProcessTenant

from ..conftest import SECRET_KEY, add_views


@pytest.fixture
def make_app(auth0_tenant: InProcessTenant) -> Callable[..., Flask]:
    """Return a function that makes an application with a few guarded views."""

    def make(**config: Any) -> Flask:
        app = Flask("bank")
        app.config.update(auth0_tenant.config, SECRET_KEY=SECRET_KEY)
        app.config.update(config)
        Auth0MFA(app)
        add_views(app)
        return app

    return make
