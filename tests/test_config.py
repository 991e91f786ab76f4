"""Settings: where they come from, what is refused, and how that is said."""

from __future__ import annotations

import json
import secrets
import sys
import time
import traceback

import pytest
from flask import Flask

from flask_auth0_mfa import Auth0MFA
from flask_auth0_mfa.config import KEYS, key_warnings, load_settings
from flask_auth0_mfa.errors import ConfigurationError

REQUIRED = {
    "AUTH0_DOMAIN": "acme.eu.auth0.com",
    "AUTH0_CLIENT_ID": "client-1",
    "AUTH0_CLIENT_SECRET": "s3cret",
    "SECRET_KEY": "a secret key for tests, and long enough for them",
}
PEM = "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----"


def load(config=None, options=None, environ=None, **more):
    """Return the settings for what is required and more."""
    return load_settings(REQUIRED | (config or {}) | more, options or {}, environ or {})


def problems(*arguments, **config):
    """Return the problems that keep an application from starting."""
    with pytest.raises(ConfigurationError) as caught:
        load(*arguments, **config)
    return caught.value.problems


class TestSources:
    """An option wins over the configuration, and that over the environment."""

    def test_configuration(self):
        """A key of ``app.config`` is read."""
        assert load(AUTH0_MFA_CONTEXT_TTL=120).mfa_context_ttl == 120

    def test_environment(self):
        """So is an environment variable of the same name, as text."""
        assert load(environ={"AUTH0_MFA_CONTEXT_TTL": "120"}).mfa_context_ttl == 120

    def test_option(self):
        """So is an option of the constructor, in lower case and without prefix."""
        assert load(options={"mfa_context_ttl": 120}).mfa_context_ttl == 120

    @pytest.mark.parametrize(
        ("options", "config", "expected"), [({"audience": "o"}, "c", "o"), ({}, "c", "c")]
    )
    def test_order(self, options, config, expected):
        """Where several give a value, the nearest one counts."""
        environ = {"AUTH0_AUDIENCE": "e"}
        assert load(options=options, environ=environ, AUTH0_AUDIENCE=config).audience == expected

    @pytest.mark.parametrize("empty", [None, ""])
    def test_empty(self, empty):
        """An empty value is none: the next source is asked, then the default."""
        assert load(AUTH0_AUDIENCE=empty, environ={"AUTH0_AUDIENCE": "e"}).audience == "e"
        assert load(AUTH0_AUDIENCE=empty).audience is None

    @pytest.mark.parametrize("zero", [False, 0])
    def test_false_is_a_value(self, zero):
        """False is not empty: it wins over the environment."""
        environ = {"AUTH0_STEPUP_TRUST_TENANT": "true"}
        assert load(environ=environ, AUTH0_STEPUP_TRUST_TENANT=zero).stepup_trust_tenant is False

    def test_required_from_anywhere(self):
        """What is required may come from the environment alone."""
        environ = {name: value for name, value in REQUIRED.items() if name != "SECRET_KEY"}
        settings = load_settings({"SECRET_KEY": REQUIRED["SECRET_KEY"]}, {}, environ)
        assert settings.domain == "acme.eu.auth0.com"

    def test_other_variables(self):
        """Variables of other programs are not ours."""
        assert load(environ={"AUTH0_NOTHING": "x", "DOMAIN": "y"}).domain == "acme.eu.auth0.com"

    def test_of_an_application(self, monkeypatch):
        """An application reads its configuration, its options and the real environment."""
        monkeypatch.setenv("AUTH0_AUDIENCE", "from the environment")
        app = Flask("bank")
        app.config.update(REQUIRED)
        Auth0MFA(app, mfa_context_ttl=60)
        settings = app.extensions["auth0_mfa"].settings
        assert (settings.audience, settings.mfa_context_ttl) == ("from the environment", 60)

    def test_option_of_init_app(self):
        """An option at ``init_app`` wins over one of the constructor."""
        app = Flask("bank")
        app.config.update(REQUIRED)
        Auth0MFA(mfa_context_ttl=60, stepup_max_age=10).init_app(app, mfa_context_ttl=70)
        settings = app.extensions["auth0_mfa"].settings
        assert (settings.mfa_context_ttl, settings.stepup_max_age) == (70, 10)


class TestDefaults:
    """What holds when only the required keys are set."""

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("audience", None),
            ("scope", "openid profile email offline_access"),
            ("authorize_params", {}),
            ("mfa_context_ttl", 300),
            ("stepup_max_age", 900),
            ("stepup_trust_tenant", False),
            ("mfa_url_prefix", "/auth"),
            ("state_uri", None),
            ("timeout", (3.0, 5.0)),
            ("mfa_cancel_url", "/"),
        ],
    )
    def test_value(self, name, value):
        """The documented default."""
        assert getattr(load(), name) == value

    def test_every_field(self):
        """Every key has its field, and no field is without a key."""
        assert set(KEYS) == set(vars(load()))

    def test_frozen(self):
        """Settings do not change while the application runs."""
        with pytest.raises(AttributeError):
            load().audience = "x"

    def test_repr(self):
        """Secrets do not show where settings are printed."""
        settings = load(
            AUTH0_CLIENT_ASSERTION_SIGNING_KEY=PEM, AUTH0_STATE_URI="redis://:hunter2@h/0"
        )
        assert not any(secret in repr(settings) for secret in ("s3cret", "MII", "hunter2"))


@pytest.mark.parametrize(
    "password", ["hunter2/", "hunter2#", "hunter2?", "1/hunter2", "[hunter2", "\u2100hunter2"]
)
def test_password_of_the_state(password):
    """A password that makes the address unreadable is not repeated by the error about it."""
    app = Flask("shop")
    uri = f"redis://:{password}@localhost:6379/0"
    app.config.update(REQUIRED, AUTH0_STATE_URI=uri)
    with pytest.raises(ConfigurationError, match="AUTH0_STATE_URI cannot be read") as raised:
        Auth0MFA(app)
    assert "hunter2" not in "".join(traceback.format_exception(raised.value))


class TestDomain:
    """The tenant's host name decides where credentials go."""

    @pytest.mark.parametrize(
        ("given", "base_url"),
        [
            ("acme.auth0.com", "https://acme.auth0.com"),
            ("acme.eu.auth0.com", "https://acme.eu.auth0.com"),
            ("Acme.EU.Auth0.com", "https://acme.eu.auth0.com"),
            ("login.acme.co", "https://login.acme.co"),
            ("acme.auth0.com/", "https://acme.auth0.com"),
            (" acme.auth0.com ", "https://acme.auth0.com"),
            ("xn--bcher-kva.example", "https://xn--bcher-kva.example"),
            ("http://localhost:4400", "http://localhost:4400"),
            ("http://localhost:4400/", "http://localhost:4400"),
            ("http://127.0.0.1:4400", "http://127.0.0.1:4400"),
            ("http://[::1]:4400", "http://[::1]:4400"),
            ("https://localhost:4443", "https://localhost:4443"),
            ("http://localhost", "http://localhost"),
        ],
    )
    def test_good(self, given, base_url):
        """A host name means https; only this machine may be a whole address, and do without."""
        settings = load(AUTH0_DOMAIN=given)
        assert settings.base_url == base_url
        assert settings.issuer == base_url + "/"

    @pytest.mark.parametrize(
        "given",
        [
            "https://acme.auth0.com",
            "http://acme.auth0.com",
            "//acme.auth0.com",
            "acme.auth0.com:443",
            "acme.auth0.com/path",
            "acme.auth0.com?x=1",
            "acme.auth0.com#x",
            "acme.auth0.com\\evil.test",
            "ana@acme.auth0.com",
            "ana:pw@acme.auth0.com",
            "acme..auth0.com",
            ".acme.auth0.com",
            "acme.auth0.com.",
            "-acme.auth0.com",
            "acme-.auth0.com",
            "ac_me.auth0.com",
            "acme .auth0.com",
            "acme.auth0.com\nevil.test",
            "acme.auth0.com,evil.test",
            "acme",
            "localhost",
            "10.0.0.1",
            "169.254.169.254",
            "[::1]",
            "0x7f.1",
            "2130706433",
            "bücher.example",
            "acme。auth0。com",
            "\u0430cme.auth0.com",
            "a" * 64 + ".auth0.com",
            ".".join(["abc"] * 80) + ".com",
            "http://localhost:4400/path",
            "http://localhost:4400?x=1",
            "http://localhost:4400#x",
            "http://ana@localhost:4400",
            "http://:pw@localhost:4400",
            "http://localhost:port",
            "http://localhost:99999",
            "http://localhost.evil.test:4400",
            "http://127.0.0.1.evil.test",
            "http://127.0.0.2:4400",
            "http://0.0.0.0:4400",
            "ftp://localhost",
            "file:///etc/passwd",
            "http://",
            "http://[::1",
            "javascript:alert(1)",
            7,
            ["acme.auth0.com"],
            b"acme.auth0.com",
            True,
        ],
    )
    def test_bad(self, given):
        """Anything else is refused, with an example of what is right."""
        (problem,) = problems(AUTH0_DOMAIN=given)
        assert problem.startswith("AUTH0_DOMAIN must be")


#: A value that is right as given, and what becomes of it.
GOOD = [
    ("mfa_context_ttl", 1, 1),
    ("mfa_context_ttl", "300", 300),
    ("mfa_context_ttl", 300.0, 300),
    ("mfa_context_ttl", 3600, 3600),
    ("stepup_max_age", 43_200, 43_200),
    ("stepup_trust_tenant", True, True),
    ("stepup_trust_tenant", "True", True),
    ("stepup_trust_tenant", "1", True),
    ("stepup_trust_tenant", 1, True),
    ("stepup_trust_tenant", "no", False),
    ("stepup_trust_tenant", " false ", False),
    ("scope", "openid", "openid"),
    ("scope", " offline_access openid ", "offline_access openid"),
    ("authorize_params", {"organization": "org_1"}, {"organization": "org_1"}),
    ("authorize_params", '{"ui_locales": "fr en"}', {"ui_locales": "fr en"}),
    ("authorize_params", {"max_age": 60}, {"max_age": "60"}),
    ("mfa_url_prefix", "/auth", "/auth"),
    ("mfa_url_prefix", "/a/b-c_d.e~f", "/a/b-c_d.e~f"),
    ("mfa_verify_limit", "5 per minute", "5 per minute"),
    ("mfa_verify_limit", "5/minute; 10/hour", "5/minute; 10/hour"),
    ("mfa_verify_limit", "10 per 15 minutes, 30 per day", "10 per 15 minutes, 30 per day"),
    ("mfa_cancel_url", "/home", "/home"),
    ("mfa_help_url", "https://help.example.com", "https://help.example.com"),
    ("mfa_help_url", "mailto:help@example.com", "mailto:help@example.com"),
    ("mfa_help_url", "tel:+15550100", "tel:+15550100"),
    ("mfa_help_url", "/help", "/help"),
    ("state_uri", "memory://", "memory://"),
    ("state_uri", "redis://localhost:6379/0", "redis://localhost:6379/0"),
    ("state_uri", "rediss://u:p@h:6379/0", "rediss://u:p@h:6379/0"),
    ("state_uri", "redis://:hunter%2F2@[::1]:6379/0", "redis://:hunter%2F2@[::1]:6379/0"),
    ("state_uri", "unix:///run/redis.sock", "unix:///run/redis.sock"),
    ("timeout", (1, 2), (1.0, 2.0)),
    ("timeout", [0.5, 60], (0.5, 60.0)),
    ("timeout", "(1, 2.5)", (1.0, 2.5)),
    ("timeout", "1,2", (1.0, 2.0)),
    ("client_assertion_signing_key", PEM, PEM),
    ("client_assertion_signing_key", PEM.encode(), PEM),
]

#: A value that is wrong, and a word of the remedy.
BAD = [
    ("mfa_context_ttl", 0, "between 1 and 3600"),
    ("mfa_context_ttl", -1, "between"),
    ("mfa_context_ttl", 3601, "between"),
    ("mfa_context_ttl", "soon", "whole number of seconds"),
    ("mfa_context_ttl", 1.5, "whole number"),
    ("mfa_context_ttl", "1.5", "whole number"),
    ("mfa_context_ttl", True, "whole number"),
    ("mfa_context_ttl", float("nan"), "whole number"),
    ("mfa_context_ttl", float("inf"), "whole number"),
    ("mfa_context_ttl", [], "whole number"),
    ("stepup_max_age", 43_201, "between 1 and 43200"),
    ("stepup_max_age", 0, "between"),
    ("stepup_trust_tenant", "maybe", "True or False"),
    ("stepup_trust_tenant", 2, "True or False"),
    ("stepup_trust_tenant", [], "True or False"),
    ("scope", "profile", "openid"),
    ("scope", "openidx", "openid"),
    ("scope", ["openid"], "string"),
    ("authorize_params", "organization=org_1", "JSON object"),
    ("authorize_params", "[]", "mapping"),
    ("authorize_params", 7, "mapping"),
    ("authorize_params", {"state": "x"}, "state"),
    ("authorize_params", {"redirect_uri": "x", "client_id": "y"}, "client_id, redirect_uri"),
    ("authorize_params", {"code_challenge_method": "S256"}, "code_challenge_method"),
    ("authorize_params", {"response_mode": "form_post"}, "response_mode"),
    ("authorize_params", {"prompt": None}, "prompt"),
    ("authorize_params", {"mobile": True}, "mobile"),
    ("authorize_params", '{"claims": {"userinfo": {}}}', "claims"),
    ("mfa_url_prefix", "auth", "starts with a slash"),
    ("mfa_url_prefix", "/", "slash"),
    ("mfa_url_prefix", "/auth/", "slash"),
    ("mfa_url_prefix", "//evil.test", "slash"),
    ("mfa_url_prefix", "/a b", "path"),
    ("mfa_url_prefix", "/<name>", "path"),
    ("mfa_verify_limit", "many", "10 per 15 minutes"),
    ("mfa_verify_limit", "5", "10 per 15 minutes"),
    ("mfa_verify_limit", "5 per fortnight", "10 per 15 minutes"),
    ("mfa_verify_limit", ";", "10 per 15 minutes"),
    ("mfa_verify_limit", 5, "string"),
    ("mfa_verify_limit", "-5 per minute", "10 per 15 minutes"),
    ("mfa_verify_limit", "0 per minute", "10 per 15 minutes"),
    ("mfa_verify_limit", "5 per 0 minutes", "10 per 15 minutes"),
    ("mfa_poll_limit", "5 per", "10 per 15 minutes"),
    ("mfa_cancel_url", "https://evil.test", "path of the application"),
    ("mfa_cancel_url", "//evil.test", "path"),
    ("mfa_cancel_url", "/\\evil.test", "path"),
    ("mfa_cancel_url", "home", "path"),
    ("mfa_help_url", "javascript:alert(1)", "address"),
    ("mfa_help_url", "//evil.test", "address"),
    ("mfa_help_url", "data:text/html,x", "address"),
    ("state_uri", "localhost:6379", "redis://"),
    ("state_uri", "memcached://h", "redis://"),
    ("state_uri", "redis://h:x/0", "redis://"),
    ("state_uri", "redis://h:99999/0", "cannot be read"),
    ("state_uri", "redis://[::1/0", "cannot be read"),
    ("state_uri", "redis://:hunt/er2@h:6379/0", "percent-encoded"),
    ("timeout", 5, "(connect, read)"),
    ("timeout", (1,), "(connect, read)"),
    ("timeout", (1, 2, 3), "(connect, read)"),
    ("timeout", ("a", "b"), "(connect, read)"),
    ("timeout", "soon", "(connect, read)"),
    ("timeout", (0, 5), "between 0 and 60"),
    ("timeout", (3, 61), "between 0 and 60"),
    ("timeout", (3, float("nan")), "between 0 and 60"),
    ("timeout", (-1, 5), "between 0 and 60"),
    ("client_assertion_signing_key", "key", "PEM"),
    ("client_assertion_signing_key", "-----BEGIN PUBLIC KEY-----", "PEM"),
    ("client_id", " ", "non-empty"),
    ("client_id", 7, "string"),
    ("client_secret", b"s3cret", "string"),
    ("audience", ["a"], "string"),
]


class TestValues:
    """What each key takes."""

    @pytest.mark.parametrize(("name", "given", "expected"), GOOD)
    def test_good(self, name, given, expected):
        """A value is taken as it is written in Python and, where it can be, as text."""
        assert getattr(load(**{f"AUTH0_{name.upper()}": given}), name) == expected

    @pytest.mark.parametrize(("name", "given", "remedy"), BAD)
    def test_bad(self, name, given, remedy):
        """A wrong value is refused by the name of its key, with what would be right."""
        key = f"AUTH0_{name.upper()}"
        (problem,) = problems(**{key: given})
        assert problem.startswith(key)
        assert remedy in problem

    @pytest.mark.parametrize("source", ["options", "environ"])
    def test_bad_anywhere(self, source):
        """The key is named alike, wherever its value came from."""
        name = {"options": "mfa_context_ttl", "environ": "AUTH0_MFA_CONTEXT_TTL"}[source]
        (problem,) = problems(**{source: {name: "soon"}})
        assert problem.startswith("AUTH0_MFA_CONTEXT_TTL ")

    @pytest.mark.parametrize("name", [name for name in KEYS if name.endswith("_limit")])
    def test_limits(self, name):
        """Every limit is checked."""
        (problem,) = problems(**{f"AUTH0_{name.upper()}": "many"})
        assert name.upper() in problem

    @pytest.mark.parametrize("name", list(KEYS))
    def test_nonsense(self, name):
        """No key falls over a value of a strange type; it is refused like any other."""
        for value in (object(), {1: 2}, b"\xff", lambda: 1, 10**400, "\ud800"):
            try:
                load(**{f"AUTH0_{name.upper()}": value})
            except ConfigurationError:
                continue


class TestStateWarning:
    """Limits in memory count in each process for itself (SEC-07)."""

    @pytest.mark.parametrize(
        ("config", "is_warned"),
        [
            ({}, True),
            ({"AUTH0_STATE_URI": "memory://"}, False),
            ({"AUTH0_STATE_URI": "redis://localhost:1/0"}, False),
            ({"DEBUG": True}, False),
            ({"TESTING": True}, False),
        ],
    )
    def test_log(self, caplog, config, is_warned):
        """Who has chosen nothing is warned of it at the start, but for debug mode and tests."""
        app = Flask("bank")
        app.config.update(REQUIRED, **config)
        Auth0MFA(app)
        assert ("AUTH0_STATE_URI is not set" in caplog.text) is is_warned


class TestProblems:
    """Everything that is wrong is said at once."""

    def test_nothing_set(self):
        """An empty configuration names all four keys, and where their values are found."""
        with pytest.raises(ConfigurationError) as caught:
            load_settings({}, {}, {})
        named = [problem.split()[0] for problem in caught.value.problems]
        assert named == ["AUTH0_DOMAIN", "AUTH0_CLIENT_ID", "AUTH0_CLIENT_SECRET", "SECRET_KEY"]
        assert "Auth0 dashboard" in caught.value.problems[0]
        assert "secrets.token_hex" in caught.value.problems[3]

    def test_all_at_once(self):
        """Problems of every kind come together, in one text with a line for each."""
        found = problems(
            options={"colour": "blue"},
            AUTH0_DOMAIN="https://acme.auth0.com",
            AUTH0_CLIENT_SECRET=None,
            AUTH0_MFA_CONTEXT_TTL=0,
            AUTH0_TIMEOUT="soon",
            SECRET_KEY="",
        )
        assert len(found) == 6
        text = str(ConfigurationError(found))
        assert text.startswith("flask_auth0_mfa cannot start:")
        assert all(f"\n  - {problem}" in text for problem in found)

    def test_unknown_option(self):
        """A misspelt option is not ignored; the options are listed."""
        (problem,) = problems(options={"mfa_contextttl": 60})
        assert "'mfa_contextttl' is not an option" in problem
        assert "mfa_context_ttl" in problem

    def test_key_instead_of_secret(self):
        """With a signing key no secret is needed."""
        settings = load(AUTH0_CLIENT_SECRET=None, AUTH0_CLIENT_ASSERTION_SIGNING_KEY=PEM)
        assert settings.client_secret is None

    def test_bad_key_instead_of_secret(self):
        """A malformed signing key is one problem, not two."""
        (problem,) = problems(AUTH0_CLIENT_SECRET=None, AUTH0_CLIENT_ASSERTION_SIGNING_KEY="x")
        assert problem.startswith("AUTH0_CLIENT_ASSERTION_SIGNING_KEY")

    def test_values_do_not_show(self):
        """No problem repeats a secret that was given."""
        found = problems(
            AUTH0_CLIENT_ASSERTION_SIGNING_KEY="hunter2",
            AUTH0_STATE_URI="hunter2",
            AUTH0_DOMAIN="https://ana:hunter2@acme.auth0.com",
        )
        assert "hunter2" not in str(found)

    def test_application_is_left_alone(self):
        """An application that could not be set up has nothing of ours, and can be set up then."""
        app = Flask("bank")
        interface = app.session_interface
        with pytest.raises(ConfigurationError):
            Auth0MFA(app)
        assert "auth0_mfa" not in app.extensions
        assert app.session_interface is interface
        app.config.update(REQUIRED)
        Auth0MFA(app)
        assert "auth0_mfa" in app.extensions

    def test_set_up_twice(self):
        """Setting an application up twice is a mistake, and is said to be one."""
        app = Flask("bank")
        app.config.update(REQUIRED)
        Auth0MFA(app)
        with pytest.raises(ConfigurationError, match="call init_app once"):
            Auth0MFA(app)

    def test_no_redis_client(self, monkeypatch):
        """Without the client of Redis the package to install is named."""
        monkeypatch.setitem(sys.modules, "redis", None)
        app = Flask("bank")
        app.config.update(REQUIRED, AUTH0_STATE_URI="redis://localhost:1/0")
        with pytest.raises(ConfigurationError, match=r'pip install "flask-auth0-mfa\[redis\]"'):
            Auth0MFA(app)


#: Keys that somebody can guess, and a word of what is said about them.
GUESSABLE = [
    ("dev", "placeholder"),
    ("SECRET", "placeholder"),
    ("changeme", "placeholder"),
    ("change-me", "placeholder"),
    ("Change this to some_random_string 123!", "placeholder"),
    ("your-secret-key-goes-here", "placeholder"),
    ("hard to guess string", "placeholder"),
    ("super-secret-key-do-not-use-in-production", "placeholder"),
    ("change-me-" * 8, "placeholder"),
    (b"dev", "placeholder"),
    ("192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf", "placeholder"),
    (b'_5#y2L"F4Q8z\n\xec]/', "placeholder"),
    ("k7#pQ2", "shorter than 16 bytes"),
    ("k7#pQ2xZ9!mW4vR"[:15], "shorter than 16 bytes"),
    (b"\x00\xff" * 7, "shorter than 16 bytes"),
    ("x" * 40, "repeats"),
    ("abcde" * 8, "repeats"),
    (b"\x00" * 32, "repeats"),
    (12345, "shorter than 16 bytes"),
]


class TestKeys:
    """How strong ``SECRET_KEY`` must be, from which every other key is derived (SEC-38)."""

    @pytest.mark.parametrize(("key", "word"), GUESSABLE)
    def test_guessable(self, key, word):
        """A key that can be guessed is refused, and the remedy makes a good one."""
        (problem,) = problems(SECRET_KEY=key)
        assert problem.startswith("SECRET_KEY ")
        assert word in problem
        assert "secrets.token_hex()" in problem

    @pytest.mark.parametrize("mode", ["DEBUG", "TESTING"])
    @pytest.mark.parametrize("key", [key for key, _ in GUESSABLE])
    def test_on_this_machine(self, key, mode):
        """In debug mode and in tests it is a warning, and the application starts."""
        config = REQUIRED | {"SECRET_KEY": key, mode: True}
        load_settings(config, {}, {})
        assert len(key_warnings(config)) == 1

    def test_local_tenant(self):
        """With a tenant on this machine it is a warning as well: nobody else is there."""
        config = REQUIRED | {"SECRET_KEY": "dev", "AUTH0_DOMAIN": "http://localhost:4400"}
        domain = load_settings(config, {}, {}).domain
        assert len(key_warnings(config, domain)) == 1

    @pytest.mark.parametrize(
        "key",
        [
            secrets.token_hex(),
            secrets.token_urlsafe(),
            secrets.token_bytes(32),
            secrets.token_hex(16),
            "85" + str(secrets.randbits(400)).zfill(120),
            "a long sentence that nobody else would think of, with a parrot",
            "schlüssel für die anwendung, den sonst niemand kennt",
        ],
        ids=["hex", "base64", "bytes", "half", "digits", "sentence", "letters"],
    )
    def test_good(self, key):
        """A random key of the usual kinds is taken without a word."""
        load(SECRET_KEY=key)
        assert key_warnings({"SECRET_KEY": key}) == []

    @pytest.mark.parametrize("length", [16, 31])
    def test_short(self, length):
        """A key that is only short is taken with a warning, at either end of what is short."""
        key = secrets.token_urlsafe(64)[:length]
        load(SECRET_KEY=key)
        (warning,) = key_warnings({"SECRET_KEY": key})
        assert warning.startswith("SECRET_KEY is shorter than 32 bytes.")
        assert "secrets.token_hex()" in warning

    def test_fallback(self):
        """An old key still opens seals, so it must be as good; its place in the list is told."""
        found = problems(SECRET_KEY_FALLBACKS=[REQUIRED["SECRET_KEY"], "", None, "dev", "x" * 40])
        names = [problem.split()[0] for problem in found]
        assert names == ["SECRET_KEY_FALLBACKS[3]", "SECRET_KEY_FALLBACKS[4]"]
        assert all("Take it out of the list" in problem for problem in found)

    @pytest.mark.parametrize("mode", ["DEBUG", "TESTING", "ENV"])
    @pytest.mark.parametrize("keys", [REQUIRED["SECRET_KEY"], b"an old key that was good enough"])
    def test_fallback_outside_a_list(self, keys, mode):
        """One old key in place of a list would make a key of each of its characters: refused."""
        (problem,) = problems(SECRET_KEY_FALLBACKS=keys, **{mode: True})
        assert problem.startswith("SECRET_KEY_FALLBACKS must be a list")

    def test_with_the_other_problems(self):
        """A weak key comes together with everything else that is wrong."""
        found = problems(SECRET_KEY="dev", AUTH0_TIMEOUT="soon", SECRET_KEY_FALLBACKS=["dev"])
        assert len(found) == 3

    def test_keys_do_not_show(self):
        """Neither a problem nor a warning repeats a key."""
        keys = {"SECRET_KEY": "hunter2", "SECRET_KEY_FALLBACKS": ["hunter2 and a bit more"]}
        assert "hunter2" not in str(problems(**keys))
        assert "hunter2" not in str(key_warnings(keys))

    def test_log(self, caplog):
        """An application that starts with a weak key says so in the log."""
        app = Flask("bank")
        app.config.update(REQUIRED, SECRET_KEY="dev", TESTING=True)
        Auth0MFA(app)
        (record,) = caplog.records
        assert (record.levelname, record.name) == ("WARNING", "flask_auth0_mfa")
        assert record.getMessage().startswith("SECRET_KEY is a placeholder")

    def test_long_nonsense(self):
        """A key of any length is looked at once: no pattern takes long."""
        start = time.perf_counter()
        key_warnings({"SECRET_KEY": "anyoursomeintothis" * 20_000 + "q"})
        assert time.perf_counter() - start < 2


def test_text_of_the_environment():
    """Every key that takes a structure can be written as text in the environment."""
    environ = {
        "AUTH0_AUTHORIZE_PARAMS": json.dumps({"connection": "sms"}),
        "AUTH0_TIMEOUT": "2, 4",
        "AUTH0_STEPUP_TRUST_TENANT": "yes",
        "AUTH0_CLIENT_ASSERTION_SIGNING_KEY": PEM,
    }
    settings = load(environ=environ)
    assert settings.authorize_params == {"connection": "sms"}
    assert settings.timeout == (2.0, 4.0)
    assert settings.stepup_trust_tenant is True
    assert settings.client_assertion_signing_key == PEM
