"""``flask auth0-mfa``: the commands at the shell, and the list of guarded routes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Blueprint, Flask
from flask.cli import ScriptInfo
from flask.views import MethodView, View
from flask_babel import Babel, lazy_gettext

from flask_auth0_mfa import Auth0MFA, guard_blueprint, requires_login, requires_stepup
from flask_auth0_mfa.api import ProtectedAPI
from flask_auth0_mfa.cli import commands
from flask_auth0_mfa.emulator import Tenant
from flask_auth0_mfa.inventory import GuardedRoute, guarded_apis, guarded_routes

from .conftest import ADMIN, PAYMENTS, SECRET_KEY
from .emulator.application import Application

ROOT = Path(__file__).parent.parent


def run(app: Flask | Callable[[], Flask], *arguments: str, **options: Any) -> Result:
    """Run a command for an application, or for a factory of one."""
    made = (lambda: app) if isinstance(app, Flask) else app
    return CliRunner().invoke(commands, arguments, obj=ScriptInfo(create_app=made), **options)


def at_the_shell(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``flask auth0-mfa`` for the bank in a process of its own."""
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "flask", "--app", "examples.bank.app", "auth0-mfa", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


# -- routes --------------------------------------------------------------------------------------


def row(app: Flask, rule: str) -> GuardedRoute:
    """Return the one guard of a rule."""
    (found,) = (one for one in guarded_routes(app) if one.rule == rule)
    return found


def test_routes_as_json(app: Flask) -> None:
    """Each guarded route is listed with everything that its guard asks for."""
    result = run(app, "routes", "--format", "json")
    rows = {one["rule"]: one for one in json.loads(result.stdout)}
    assert rows["/transfer"] == {
        "rule": "/transfer",
        "http_methods": ["GET", "POST"],
        "endpoint": "transfer",
        "blueprint": None,
        "needs": "step-up",
        "audience": PAYMENTS,
        "scope": "transfer:funds",
        "max_age": 900,
        "methods": None,
        "acr_values": None,
        "reason": "To move money we need a second check.",
        "binds": None,
        "resume": False,
        "remember": None,
    }
    assert rows["/accounts"]["needs"] == "login"
    assert "/" not in rows
    assert result.exit_code == 0


def test_routes_as_json_with_lazy_reason(make_app: Callable[..., Flask]) -> None:
    """A reason that is a lazy text is written as its text."""
    app = make_app()
    Babel(app)
    reason = lazy_gettext("To see your payslip.")
    app.get("/payslip")(requires_stepup(PAYMENTS, reason=reason)(str))
    rows = json.loads(run(app, "routes", "--format", "json").stdout)
    assert "To see your payslip." in [one["reason"] for one in rows]


def test_routes_as_table(app: Flask) -> None:
    """The table fits into 80 columns and has the same."""
    text = run(app, "routes").stdout
    assert max(map(len, text.splitlines())) <= 80
    for shown in ("/transfer", PAYMENTS, "scope transfer:funds", "900 s", "login"):
        assert shown in text


def test_table_of_the_page() -> None:
    """The table that the documentation shows is what the command prints."""
    page = (ROOT / "docs" / "routes.rst").read_text("utf-8")
    shown = page.partition("$ flask auth0-mfa routes\n")[2].partition("\n\n")[0]
    app = Flask("shop")
    app.config.update(SECRET_KEY=SECRET_KEY, AUTH0_CLIENT_ID="c", AUTH0_CLIENT_SECRET="s")
    Auth0MFA(app, domain="http://localhost:1")
    guard = requires_stepup(
        PAYMENTS, scope="transfer:funds", reason="To move money we need a second check."
    )
    app.get("/accounts", endpoint="accounts")(requires_login(lambda: ""))
    app.route("/transfer", methods=["GET", "POST"], endpoint="transfer")(guard(lambda: ""))
    assert run(app, "routes").stdout == f"{textwrap.dedent(shown)}\n"


def test_routes_as_markdown(app: Flask) -> None:
    """The Markdown has one line a guard, and a pipe in a reason does not break it."""
    app.get("/odd", endpoint="odd")(requires_stepup(ADMIN, reason="a|b\nc")(lambda: ""))
    lines = run(app, "routes", "--format", "markdown").stdout.splitlines()
    assert {line.replace("\\|", "").count("|") for line in lines} == {13}
    assert len(lines) == 2 + len(guarded_routes(app))


def test_no_guarded_route() -> None:
    """An application without guards is told so."""
    app = Flask("shop")
    app.config.update(SECRET_KEY=SECRET_KEY, AUTH0_CLIENT_ID="c", AUTH0_CLIENT_SECRET="s")
    Auth0MFA(app, domain="http://localhost:1")
    assert "No route is guarded" in run(app, "routes").stdout
    assert json.loads(run(app, "routes", "--format", "json").stdout) == []


def test_options_of_a_guard(app: Flask) -> None:
    """What a guard says of age and methods is listed."""
    guard = requires_stepup(ADMIN, max_age=60, methods=["otp", "push"])
    app.get("/admin", endpoint="admin")(guard(lambda: ""))
    (found,) = (
        one
        for one in json.loads(run(app, "routes", "--format", "json").stdout)
        if one["rule"] == "/admin"
    )
    assert (found["max_age"], found["methods"]) == (60, ["otp", "push"])
    assert "by otp, push" in run(app, "routes").stdout


def test_binds_and_resume(app: Flask) -> None:
    """What a guard has approved, by the name of the function, and that it keeps forms."""

    def payment_in_words() -> str:
        return "Pay"

    guard = requires_stepup(ADMIN, binds=payment_in_words, resume=True)
    app.post("/pay", endpoint="pay")(guard(lambda: ""))
    rows = {one["rule"]: one for one in json.loads(run(app, "routes", "--format", "json").stdout)}
    assert (rows["/pay"]["binds"], rows["/pay"]["resume"]) == ("payment_in_words", True)
    text = run(app, "routes").stdout
    assert re.search(r" binds payment_in_words\n +resume\n", text)
    markdown = run(app, "routes", "--format", "markdown").stdout
    assert re.search(r"\| `/pay` \|.*\| `payment_in_words` \| yes \|", markdown)


def test_remember(app: Flask) -> None:
    """For how many days a guard lets a device be remembered."""
    app.get("/pay", endpoint="pay")(requires_stepup(ADMIN, remember=30)(lambda: ""))
    rows = {one["rule"]: one for one in json.loads(run(app, "routes", "--format", "json").stdout)}
    assert rows["/pay"]["remember"] == 30
    assert " remember 30 d\n" in run(app, "routes").stdout
    assert "| 30 d |" in run(app, "routes", "--format", "markdown").stdout


def test_api_without_a_login() -> None:
    """An API that takes tokens lists what it asks of them, and needs no Auth0MFA for that."""
    app, members = Flask("payments"), Blueprint("members", __name__)
    api = ProtectedAPI(app, domain="http://localhost:1", audience=PAYMENTS)
    guard = api.requires_token(scope="transfer:funds", acr_values=["mfa"], max_age=300)
    app.post("/transfers", endpoint="transfers")(guard(lambda: ""))
    members.get("/members")(lambda: "")
    app.register_blueprint(api.guard_blueprint(members, scope="read:payments"))
    rows = {one["rule"]: one for one in json.loads(run(app, "routes", "--format", "json").stdout)}
    found = rows["/transfers"]
    assert (found["needs"], found["audience"]) == ("token", PAYMENTS)
    assert (found["scope"], found["max_age"]) == ("transfer:funds", 300)
    assert found["acr_values"] == ["mfa"]
    assert (rows["/members"]["blueprint"], rows["/members"]["max_age"]) == ("members", None)
    assert " acr mfa\n" in run(app, "routes").stdout
    assert guarded_apis(app) == {}


def test_blueprint_guards(app: Flask) -> None:
    """The guard of a blueprint, and of one around it, is listed for each of its routes."""
    outer, inner, members = Blueprint("o", "o"), Blueprint("i", "i"), Blueprint("m", "m")
    guard_blueprint(outer, ADMIN)
    guard_blueprint(members)
    inner.get("/deep")(lambda: "")
    members.get("/members")(lambda: "")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    app.register_blueprint(members)
    assert row(app, "/deep").blueprint == "o"
    assert row(app, "/deep").requirement is not None
    assert (row(app, "/members").blueprint, row(app, "/members").requirement) == ("m", None)
    assert "(m)" in run(app, "routes").stdout


def test_class_based_views(app: Flask) -> None:
    """A guard is found around a class, on one of its methods, and on an inherited one."""

    class Whole(View):
        decorators = (requires_login,)

        def dispatch_request(self) -> str:
            return ""

    class Base(MethodView):
        @requires_stepup(ADMIN)
        def post(self) -> str:
            return ""

    class Part(Base):
        def get(self) -> str:
            return ""

    app.add_url_rule("/whole", view_func=Whole.as_view("whole"))
    app.add_url_rule("/part", view_func=Part.as_view("part"))
    assert row(app, "/whole").requirement is None
    assert row(app, "/part").http_methods == ("POST",)


def test_two_guards_on_one_view(app: Flask) -> None:
    """Of two guards above each other both are listed, each once."""
    view = requires_stepup(ADMIN)(requires_stepup(PAYMENTS)(lambda: ""))
    app.get("/both", endpoint="both")(view)
    found = [one.audience for one in guarded_routes(app) if one.rule == "/both"]
    assert found == [ADMIN, PAYMENTS]


def test_scopes_of_an_api_are_joined(app: Flask) -> None:
    """The APIs of an application come with all scopes that guards ask for."""
    assert guarded_apis(app)[PAYMENTS] == {"transfer:funds", "read:payments"}


# -- doctor --------------------------------------------------------------------------------------


def test_doctor_without_errors(app: Flask) -> None:
    """Without errors the status is 0, and the last line counts."""
    result = run(app, "doctor")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1].startswith("0 errors, ")


def test_doctor_with_an_error(make_app: Callable[..., Flask]) -> None:
    """With an error the status is 1, and the error has its code, its reason and its remedy."""
    result = run(make_app(AUTH0_SCOPE="openid"), "doctor", "--offline")
    assert result.exit_code == 1
    block = result.stdout.partition("ERROR        offline-access")[2]
    assert all(f"\n  {name} " in block for name in ("what", "why", "fix"))


def test_doctor_as_json(app: Flask) -> None:
    """The JSON has each finding and the counts; nothing else is on standard output."""
    content = json.loads(run(app, "doctor", "--json").stdout)
    assert content["application"] == "bank"
    assert set(content["findings"][0]) == {"code", "severity", "what", "why", "fix"}
    assert sum(content["counts"].values()) == len(content["findings"])


@pytest.mark.parametrize("way", ["prompt", "option", "environment"])
def test_doctor_takes_a_refresh_token(app: Flask, tenant: Tenant, way: str) -> None:
    """The token can be typed, given, or left in the environment, and is not shown."""
    with Application(tenant.url) as application:
        token = application.log_in("ana@example.com")["refresh_token"]
    result = {
        "prompt": lambda: run(app, "doctor", "--refresh-token", "-", input=f"{token}\n"),
        "option": lambda: run(app, "doctor", "--refresh-token", token),
        "environment": lambda: run(app, "doctor", env={"AUTH0_DOCTOR_REFRESH_TOKEN": token}),
    }[way]()
    assert f"asks for a second factor for\n             {PAYMENTS}" in result.stdout
    assert token not in result.output


def test_doctor_of_an_application_that_does_not_start() -> None:
    """Wrong settings are findings, not a traceback."""

    def broken() -> Flask:
        app = Flask("shop")
        app.config.update(SECRET_KEY="dev", AUTH0_DOMAIN="https://x/y")
        Auth0MFA(app)
        return app

    result = run(broken, "doctor", "--json")
    findings = json.loads(result.stdout)["findings"]
    told = " ".join(one["what"] for one in findings)
    assert result.exit_code == 1
    assert all(key in told for key in ("AUTH0_DOMAIN", "AUTH0_CLIENT_ID", "SECRET_KEY"))
    assert all(one["fix"] for one in findings)


def test_entry_point() -> None:
    """Flask finds the commands by the package's metadata, also where no application starts."""
    metadata = (ROOT / "pyproject.toml").read_text("utf-8")
    group = metadata.partition('[project.entry-points."flask.commands"]')[2]
    found = re.match(r'\n(\S+) = "(\S+)"\n', group)
    assert found
    assert EntryPoint(found[1], found[2], "flask.commands").load() is commands
    assert found[1] == commands.name


def test_base_url_must_be_one(app: Flask) -> None:
    """A host name alone is no address."""
    result = run(app, "doctor", "--base-url", "shop.example.com")
    assert result.exit_code == 2
    assert "https://" in result.output


@pytest.mark.parametrize("command", ["doctor", "action", "routes"])
def test_application_without_the_extension(command: str) -> None:
    """An application without Auth0MFA gets a sentence."""
    result = run(Flask("other"), command)
    assert result.exit_code == 1
    assert "other has no Auth0MFA" in result.output


# -- at the shell --------------------------------------------------------------------------------


def test_bank_at_the_shell(tenant: Tenant) -> None:
    """The command of the bank runs in a process of its own, without colours through a pipe."""
    account = {"AUTH0_CLIENT_ID": "demo-client", "AUTH0_CLIENT_SECRET": "demo-secret"}
    result = at_the_shell("doctor", AUTH0_DOMAIN=tenant.url, **account)
    assert result.returncode == 0, result.stderr
    assert "The tenant takes the client's credentials" in result.stdout
    assert "\x1b" not in result.stdout
    assert result.stderr == ""


def test_ascii_terminal() -> None:
    """The reports can be written where only ASCII can be."""
    result = at_the_shell("doctor", "--offline", PYTHONIOENCODING="ascii")
    assert result.returncode == 0, result.stderr


def test_commands_cost_nothing() -> None:
    """An application that serves requests has imported none of what the commands do."""
    script = (
        "import sys; from examples.bank.app import create_app; create_app();"
        " print([one for one in ('doctor', 'action', 'listing', 'inventory')"
        " if f'flask_auth0_mfa.{one}' in sys.modules])"
    )
    result = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert result.stdout == "[]\n"
