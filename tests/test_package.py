"""The package itself: public names come in when they are asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import flask_auth0_mfa


@pytest.mark.parametrize("name", flask_auth0_mfa.__all__)
def test_public_names(name: str) -> None:
    """Every public name is there and known to ``dir``."""
    assert getattr(flask_auth0_mfa, name) is not None
    assert name in dir(flask_auth0_mfa)


def test_unknown_name() -> None:
    """A name that is not public is an AttributeError as of any module."""
    with pytest.raises(AttributeError, match="has no attribute 'Auth0Mfa'"):
        _ = flask_auth0_mfa.Auth0Mfa  # type: ignore[attr-defined]


def test_import_is_light() -> None:
    """Importing the package alone imports no library."""
    script = "import flask_auth0_mfa, sys; print(len({'flask', 'authlib'} & set(sys.modules)))"
    result = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout == "0\n"
