"""The Action that ``flask auth0-mfa action`` writes, run by Node and as the local tenant's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.cli import ScriptInfo

from flask_auth0_mfa import Auth0MFA
from flask_auth0_mfa.action import write_action
from flask_auth0_mfa.cli import commands
from flask_auth0_mfa.emulator import Configuration, Tenant, serve

from .conftest import ACCOUNTS, ADMIN, OPEN, PAYMENTS, SECRET_KEY, add_views
from .snippets import snippets
from .visitor import Visitor

MULTI_FACTOR = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
#: Calls the Action with the event on standard input, and prints what it asked of ``api``.
RUNNER = """
const calls = [];
const note = (name) => (...values) => { calls.push([name, ...values]); };
const api = {
  authentication: {
    challengeWithAny: note("challengeWithAny"),
    enrollWithAny: note("enrollWithAny"),
  },
  access: { deny: note("deny") },
  accessToken: { setCustomClaim: note("setCustomClaim") },
};
const event = JSON.parse(require("node:fs").readFileSync(0, "utf-8"));
require(process.argv[2]).onExecutePostLogin(event, api).then(() => {
  console.log(JSON.stringify(calls));
});
"""

Act = Callable[[dict[str, Any]], list[list[Any]]]


def node() -> str:
    """Return where Node is; skips without it, but not where everything has to be tested."""
    found = shutil.which("node")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Node.js is not installed")
        pytest.skip("Node.js is not installed")
    return found


def acting(folder: Path, action: str) -> Act:
    """Return a function that runs an Action under Node."""
    (folder / "action.js").write_text(action, encoding="utf-8")
    (folder / "run.js").write_text(RUNNER, encoding="utf-8")
    program = node()

    def act(event: dict[str, Any]) -> list[list[Any]]:
        ended = subprocess.run(  # noqa: S603 - our own script
            [program, str(folder / "run.js"), str(folder / "action.js")],
            input=json.dumps(event),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        calls: list[list[Any]] = json.loads(ended.stdout)
        return calls

    return act


@pytest.fixture
def act(tmp_path: Path) -> Act:
    """The Action for the payments API."""
    return acting(tmp_path, write_action([PAYMENTS]))


def event(
    audience: str | None = PAYMENTS,
    enrolled: tuple[str, ...] | None = ("otp",),
    protocol: str = "oauth2-refresh-token",
    acr_values: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return an event in the shape of Auth0's."""
    user = {} if enrolled is None else {"enrolledFactors": [{"type": one} for one in enrolled]}
    return {
        "user": {"user_id": "auth0|1", **user},
        "transaction": {"protocol": protocol, "acr_values": list(acr_values)},
        **({"resource_server": {"identifier": audience}} if audience else {}),
    }


def types(*names: str) -> list[dict[str, str]]:
    """Return factors as the commands take them."""
    return [{"type": name} for name in names]


@pytest.mark.node
class TestUnderNode:
    """What the Action asks for, event by event."""

    def test_enrolled_factors(self, act: Act) -> None:
        """At a refresh of a guarded API it asks for any factor that the user has."""
        asked = act(event(enrolled=("phone", "otp", "phone")))
        assert asked == [["challengeWithAny", types("otp", "phone")]]

    @pytest.mark.parametrize("enrolled", [(), None], ids=["none", "absent"])
    def test_nothing_enrolled(self, act: Act, enrolled: tuple[str, ...] | None) -> None:
        """A user without a factor enrolls one."""
        asked = act(event(enrolled=enrolled))
        assert asked == [["enrollWithAny", types("otp", "push-notification", "phone")]]

    def test_unknown_factor(self, act: Act) -> None:
        """A user whose factor is unknown enrolls no other one without proving it."""
        ((name, _),) = act(event(enrolled=("retina",)))
        assert name == "deny"

    @pytest.mark.parametrize("audience", [ACCOUNTS, f"{PAYMENTS}/", None])
    def test_other_audiences(self, act: Act, audience: str | None) -> None:
        """Other APIs, also those with a similar identifier, are left alone."""
        assert act(event(audience)) == []

    @pytest.mark.parametrize("acr_values", [(), (MULTI_FACTOR,)], ids=["plain", "asked for"])
    def test_login(self, act: Act, acr_values: tuple[str, ...]) -> None:
        """At a login it does nothing."""
        asked = act(event(protocol="oidc-basic-profile", acr_values=acr_values))
        assert asked == []

    def test_login_that_asks(self, tmp_path: Path) -> None:
        """With the option it asks at a login that wants it, and at no other."""
        act = acting(tmp_path, write_action([PAYMENTS], universal_login=True))
        login = "oidc-basic-profile"
        asked = act(event(protocol=login, acr_values=(MULTI_FACTOR,)))
        assert asked == [["challengeWithAny", types("otp")]]
        assert act(event(protocol=login)) == []
        assert act(event()) == [["challengeWithAny", types("otp")]]

    @pytest.mark.parametrize("audience", ['https://x/"];//', "https://x/\u2028", "$audiences"])
    def test_odd_identifiers(self, tmp_path: Path, audience: str) -> None:
        """An identifier cannot leave its string, whatever is in it."""
        act = acting(tmp_path, write_action([audience]))
        assert act(event(audience)) == [["challengeWithAny", types("otp")]]
        assert act(event(PAYMENTS)) == []


@pytest.mark.node
def test_as_the_policy_of_the_local_tenant(tmp_path: Path, tenant: Tenant) -> None:
    """With the Action as the tenant's only policy, its users step up, enroll, or go on unasked."""
    act = acting(tmp_path, write_action([PAYMENTS]))

    def policy(event: Any, api: Any) -> None:
        """Hand the tenant's event to Node, and its commands back."""
        content = asdict(event)
        content["user"]["enrolledFactors"] = content["user"].pop("enrolled_factors")
        commands_of = {
            "challengeWithAny": api.authentication.challenge_with_any,
            "enrollWithAny": api.authentication.enroll_with_any,
            "deny": api.access.deny,
        }
        for name, value in act(content):
            commands_of[name](value)

    own = Tenant(Configuration(actions=(policy,)), keys=tenant.keys)
    with serve(own) as server:
        app = Flask("bank")
        app.config.update(
            SECRET_KEY=SECRET_KEY, AUTH0_CLIENT_ID="demo-client", AUTH0_CLIENT_SECRET="demo-secret"
        )
        Auth0MFA(app, domain=server.url)
        add_views(app)
        ana, ben = Visitor(app), Visitor(app)
        ana.log_in("ana@example.com")
        assert ana.json("GET", f"/token?audience={ACCOUNTS}").status_code == 200
        done = ana.step_up("/transfer", own.current_otp("ana@example.com"))
        assert done.text == f"Transfer with a token for {PAYMENTS}"
        ben.log_in("ben@example.com")
        assert ben.mfa_required("/transfer")["mfa_requirements"] == {
            "enroll": types("otp", "push-notification", "phone")
        }


# -- the command -----------------------------------------------------------------------------------


@pytest.mark.node
def test_action_of_the_page(tmp_path: Path) -> None:
    """The Action that the documentation shows asks where it says: at a refresh, or if asked to."""
    page = Path(__file__).parent.parent / "docs" / "tenant.rst"
    (shown,) = (one.code for one in snippets(page) if one.language == "javascript")
    act, login = acting(tmp_path, shown), "oidc-basic-profile"
    assert act(event()) == [["challengeWithAny", types("otp")]]
    assert act(event(enrolled=())) == [["enrollWithAny", types("otp", "push-notification")]]
    assert act(event(protocol=login, acr_values=(MULTI_FACTOR,)))
    assert act(event(protocol=login)) == act(event(ACCOUNTS)) == []


def written(app: Flask, *options: str) -> Any:
    """Run the command."""
    info = ScriptInfo(create_app=lambda: app)
    return CliRunner().invoke(commands, ["action", *options], obj=info)


def test_guarded_apis_are_named(app: Flask) -> None:
    """It protects what the application guards, and nothing else."""
    result = written(app)
    assert result.exit_code == 0
    assert f'const GUARDED = [\n  "{OPEN}",\n  "{PAYMENTS}",\n];' in result.stdout
    assert ACCOUNTS not in result.stdout


def test_further_api(app: Flask) -> None:
    """An API can be added by hand."""
    assert f'  "{ADMIN}",\n' in written(app, "--audience", ADMIN).stdout


def test_nothing_guarded() -> None:
    """Without a guard there is no Action but a sentence, and nothing on standard output."""
    app = Flask("shop")
    app.config.update(SECRET_KEY=SECRET_KEY, AUTH0_CLIENT_ID="c", AUTH0_CLIENT_SECRET="s")
    Auth0MFA(app, domain="http://localhost:1")
    result = written(app)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "--audience" in result.stderr


@pytest.mark.node
class TestClaims:
    """The Action that the page on APIs shows, which says in tokens what was proved, and when."""

    @pytest.fixture
    def act(self, tmp_path: Path) -> Act:
        """The Action of the page."""
        page = Path(__file__).parent.parent / "docs" / "apis.rst"
        (code,) = (one.code for one in snippets(page) if one.language == "javascript")
        return acting(tmp_path, code)

    def proved(self, *methods: tuple[str, str], audience: str = PAYMENTS) -> dict[str, Any]:
        """Return an event of a user who has proved something at these moments."""
        named = [{"name": name, "timestamp": moment} for name, moment in methods]
        return {**event(audience), "authentication": {"methods": named}}

    def test_second_factor(self, act: Act) -> None:
        """The newest second factor counts, also where a password is newer."""
        asked = act(
            self.proved(
                ("mfa", "2026-01-02T10:00:00.000Z"),
                ("mfa", "2026-01-02T10:05:00.900Z"),
                ("pwd", "2026-01-02T11:00:00.000Z"),
            )
        )
        assert asked == [
            ["setCustomClaim", f"{PAYMENTS}/auth_time", 1_767_348_300],
            ["setCustomClaim", f"{PAYMENTS}/acr", MULTI_FACTOR],
        ]

    def test_password(self, act: Act) -> None:
        """A password alone has a moment, and is no second factor."""
        asked = act(self.proved(("pwd", "2026-01-02T10:05:00.000Z")))
        assert asked == [["setCustomClaim", f"{PAYMENTS}/auth_time", 1_767_348_300]]

    def test_nothing_to_say(self, act: Act) -> None:
        """Without a moment that can be read, nothing is said."""
        assert act(self.proved(("mfa", "soon"))) == []

    def test_another_api(self, act: Act) -> None:
        """Tokens of another API stay as they are."""
        moment = "2026-01-02T10:05:00.000Z"
        assert act(self.proved(("mfa", moment), audience=ACCOUNTS)) == []
