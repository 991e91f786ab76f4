"""Tenants of one's own, in Python and in TOML."""

from __future__ import annotations

from pathlib import Path

import pytest

from flask_auth0_mfa.emulator import Configuration, InvalidConfiguration, Tenant, person, serve
from flask_auth0_mfa.emulator.actions import Event, PostLoginApi

from .application import Application, callback

TENANT = """
name = "Bank"
mfa_token_ttl = 60
factors = ["otp", "recovery-code"]

[[users]]
email = "eve@example.com"
name = "Eve"
password = "correct horse"
totp_secret = "JBSWY3DPEHPK3PXP"
recovery_code = true

[[apis]]
identifier = "https://vault.example.com"
scopes = ["read:vault"]
mfa_factors = 1

[[apis]]
identifier = "https://news.example.com"
scopes = ["read:news"]
access_token_ttl = 60

[[clients]]
client_id = "bank"
client_secret = "bank-secret"
callbacks = ["http://localhost:5000/auth/callback"]

[clients.refresh_token]
leeway = 5
policies = [
  { audience = "https://vault.example.com", scope = ["read:vault"] },
  { audience = "https://news.example.com", scope = ["read:news"] },
]
"""


def write(folder: Path, content: str) -> Path:
    """Write a tenant file."""
    path = folder / "tenant.toml"
    path.write_text(content, encoding="utf-8")
    return path


def ask_for_recovery_code(event: Event, api: PostLoginApi) -> None:
    """Stand for the Action of a tenant file."""
    if event.transaction.protocol == "oauth2-refresh-token":
        api.authentication.challenge_with("recovery-code")


def test_toml(tmp_path: Path) -> None:
    """A tenant file describes users, clients and APIs, and the rest keeps its defaults."""
    configuration = Configuration.from_toml(write(tmp_path, TENANT))
    assert configuration.oob_code_ttl == 300
    with (
        serve(Tenant(configuration)) as server,
        Application(server.url, "bank", "bank-secret") as application,
    ):
        page = application.password(application.authorize(), "eve@example.com", "correct horse")
        tokens = application.redeem(callback(page))
        news = application.refresh(tokens["refresh_token"], "https://news.example.com").json()
        assert news["expires_in"] == 60
        refused = application.refresh(news["refresh_token"], "https://vault.example.com").json()
        assert refused["mfa_requirements"]["challenge"] == [
            {"type": "otp"},
            {"type": "recovery-code"},
        ]
        server.tenant.advance(60)
        expired = application.token("mfa-otp", mfa_token=refused["mfa_token"], otp="123456")
        assert expired.json()["error"] == "expired_token"
    assert len(server.tenant.recovery_code("eve@example.com")) == 24


def test_actions_in_toml(tmp_path: Path) -> None:
    """Actions are named as ``module:function``."""
    content = f'actions = ["{__name__}:ask_for_recovery_code"]'
    configuration = Configuration.from_toml(write(tmp_path, content))
    with serve(Tenant(configuration)) as server, Application(server.url) as application:
        answer = application.refresh(application.log_in("ana@example.com")["refresh_token"])
        assert answer.json()["mfa_requirements"] == {"challenge": [{"type": "recovery-code"}]}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("name = ", "cannot be read as TOML"),
        ("colour = 1", "colour"),
        ('[[users]]\nemail = "x@example.com"\nname = "X"\nshoe_size = 40', "shoe_size"),
        ("[[apis]]\nscopes = []", "identifier"),
        ('[[clients]]\nclient_id = "x"\nrefresh_token = {shape = 1}', "shape"),
        ('actions = ["nowhere"]', "nowhere"),
        ('actions = ["no.such.module:action"]', "no.such.module"),
        ('factors = ["otp", "telepathy"]', "telepathy"),
        ('mfa_policy = "sometimes"', "sometimes"),
        ('users = "ana"', "users"),
        ('[[clients]]\nclient_id = "x"\nrefresh_token = {policies = [{scope = []}]}', "audience"),
        ('[[clients]]\nclient_id = "x"\nrefresh_token = {policies = ["x"]}', "audience"),
        ('[[clients]]\nclient_id = "x"\nrefresh_token = {policies = "x"}', "policies"),
        (
            '[[clients]]\nclient_id = "x"\nrefresh_token = "rotating"',
            "refresh_token must be a table",
        ),
        ("actions = 5", "actions must be a list"),
        ('factors = "otp"', "factors must be a list"),
        ('[[apis]]\nidentifier = "x"\nscopes = "read:a"', "scopes must be a list"),
        ('[[apis]]\nidentifier = "x"\nscopes = [1]', "scopes must be a list of texts"),
        ('[[apis]]\nidentifier = "x"\nmfa_factors = "1"', "mfa_factors must be a whole number"),
        ('[[clients]]\nclient_id = "x"\ncallbacks = "loopback"', "callbacks must be a list"),
        ('[[users]]\nemail = "x@y"\nname = "X"\npush = "yes"', "push must be true or false"),
        ('[[users]]\nemail = "x@y"\nname = "X"\nphone_number = 5', "phone_number must be a text"),
        ('session_ttl = "1h"', "session_ttl must be a whole number"),
    ],
)
def test_bad_toml(tmp_path: Path, content: str, complaint: str) -> None:
    """A tenant file with a mistake is refused with a sentence that names it."""
    with pytest.raises(InvalidConfiguration, match=complaint):
        Configuration.from_toml(write(tmp_path, content))


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(InvalidConfiguration, match=r"nothing\.toml"):
        Configuration.from_toml(tmp_path / "nothing.toml")


def test_users_in_python() -> None:
    """``person`` makes a user with the factors that are given."""
    user = person("zoe@example.com", "Zoe", phone_number="+15550100003", push=True)
    tenant = Tenant(Configuration(users=(user,)))
    assert tenant.user("zoe@example.com").active_types() == ["phone", "push-notification"]


def test_tenants_share_nothing() -> None:
    """A change in one tenant is not seen in another with the same configuration."""
    configuration = Configuration()
    one, other = Tenant(configuration), Tenant(configuration)
    one.user("ben@example.com").enroll("otp", secret="JBSWY3DPEHPK3PXP", active=True)
    assert other.user("ben@example.com").authenticators == []
    one.reset()
    assert one.user("ben@example.com").authenticators == []


def test_no_secret_in_a_repr() -> None:
    """Passwords, keys and codes stay out of what a log may show."""
    tenant = Tenant()
    shown = repr((tenant.configuration, tenant.users))
    for secret in ("demo-secret", "'demo'", "JBSWY3DPEHPK3PXP", tenant.recovery_code(ANA)):
        assert secret not in shown


ANA = "ana@example.com"


def test_scope_of_a_policy_as_text(tmp_path: Path) -> None:
    """Scopes of a policy are a list; a text would allow its letters, and no scope."""
    policy = '{audience = "https://a.example.com", scope = "read:a"}'
    content = f'[[clients]]\nclient_id = "x"\nrefresh_token = {{policies = [{policy}]}}'
    with pytest.raises(InvalidConfiguration, match="scope must be a list"):
        Configuration.from_toml(write(tmp_path, content))
