"""The pytest plugin in a project of its own: what its user writes, sees and pays.

In a process of its own only where that is the subject: it imports everything again.
"""

from __future__ import annotations

import re
import textwrap

import pytest

import flask_auth0_mfa.testing

pytest_plugins = ["pytester"]

APPLICATION = """
    from flask import Flask
    from flask_auth0_mfa import Auth0MFA, requires_stepup

    def create_app(config):
        app = Flask("bank")
        app.config.update(config, SECRET_KEY="a secret key that is long enough")
        Auth0MFA(app)

        @app.get("/transfer")
        @requires_stepup("https://payments.bank.example", scope="transfer:funds")
        def transfer():
            return "Transfer"

        return app
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A fresh directory with an application and a fixture for it."""
    pytester.makepyfile(bank=APPLICATION)
    pytester.makeconftest(
        """
        import pytest
        from bank import create_app

        @pytest.fixture
        def app(auth0_tenant):
            return create_app(auth0_tenant.config)
        """
    )
    return pytester


def test_five_lines(project: pytest.Pytester) -> None:
    """The test of a guarded view is at most five lines and needs nothing but the plugin."""
    project.makepyfile(
        """
        def test_transfer_needs_a_second_factor(auth0_client):
            auth0_client.log_in("ana@example.com")
            assert auth0_client.mfa_required("/transfer")
            assert auth0_client.step_up("/transfer").text == "Transfer"
        """
    )
    project.runpytest_subprocess("-W", "error").assert_outcomes(passed=1)


def test_documented_examples(project: pytest.Pytester) -> None:
    """The examples of the documentation run as they stand there."""
    blocks = re.findall(r"::\n\n((?:    .*\n|\n)+)", flask_auth0_mfa.testing.__doc__ or "")
    conftest, *tests = (textwrap.dedent(block) for block in blocks)
    project.makeconftest(conftest)
    project.makepyfile(**{f"test_{number}": text for number, text in enumerate(tests)})
    project.runpytest_inprocess("-W", "error").assert_outcomes(passed=4)


def test_one_application_for_many_tests(project: pytest.Pytester) -> None:
    """An application that lives for the whole run meets a new tenant in every test."""
    project.makepyfile(
        """
        import pytest
        from bank import create_app

        @pytest.fixture(scope="session")
        def app(auth0_config):
            return create_app(auth0_config)

        @pytest.mark.parametrize("run", range(7))
        def test_by_message(auth0_client, auth0_tenant, run):
            assert not auth0_tenant.calls
            auth0_client.log_in("ana@example.com")
            assert auth0_client.step_up("/transfer", method="sms").text == "Transfer"
            auth0_tenant.advance(100)
        """
    )
    project.runpytest_inprocess("-W", "error").assert_outcomes(passed=7)


def test_missing_extra(project: pytest.Pytester) -> None:
    """Without pyotp the fixture fails with the sentence that names the extra."""
    project.makepyfile(
        """
        import sys

        sys.modules["pyotp"] = None  # as if it were not installed

        def test_transfer(auth0_client):
            auth0_client.log_in("ana@example.com")
        """
    )
    result = project.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(['*needs pyotp*pip install "flask-auth0-mfa[[]emulator[]]"*'])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_costs_nothing_unused(pytester: pytest.Pytester) -> None:
    """A run that does not use the fixtures imports three small modules, and no library."""
    pytester.makepyfile(
        """
        import sys

        LOADED = set(sys.modules)

        def test_modules():
            assert not {"flask", "authlib", "requests", "joserfc"} & LOADED
            ours = {name for name in LOADED if name.startswith("flask_auth0_mfa")}
            assert ours == {
                "flask_auth0_mfa",
                "flask_auth0_mfa.testing",
                "flask_auth0_mfa.testing.plugin",
            }
        """
    )
    # Plugins of others may import what they like.
    others = ["requests_mock", "anyio", "hypothesispytest", "pytest_cov"]
    options = [option for name in others for option in ("-p", f"no:{name}")]
    pytester.runpytest_subprocess(*options).assert_outcomes(passed=1)


def test_fixtures_are_explained(pytester: pytest.Pytester) -> None:
    """``pytest --fixtures`` says what each fixture is."""
    result = pytester.runpytest_inprocess("--fixtures")
    result.stdout.fnmatch_lines_random(
        [
            "auth0_client -- *",
            "auth0_config [[]session scope[]] -- *",
            "auth0_tenant -- *",
            "    A local Auth0 tenant in this process, as it is when it starts.",
        ]
    )
