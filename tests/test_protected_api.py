"""An API that takes access tokens: what it answers to whom, in requests and headers."""

from __future__ import annotations

import subprocess
import sys

import pytest
from flask import Blueprint, Flask, jsonify
from flask.views import MethodView
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.datastructures import WWWAuthenticate

from flask_auth0_mfa.api import MULTI_FACTOR, ProtectedAPI
from flask_auth0_mfa.errors import ConfigurationError
from flask_auth0_mfa.testing.clock import SharedClock

from .conftest import ACCOUNTS, PAYMENTS
from .still import NOW, StillClock

DOMAIN = "https://localhost:4433"
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
NAMESPACE = f"{PAYMENTS}/"
SECOND_FACTOR = {f"{NAMESPACE}acr": MULTI_FACTOR, f"{NAMESPACE}auth_time": NOW - 100}


@pytest.fixture
def clock():
    """A clock that stands still."""
    return StillClock()


@pytest.fixture
def jwks(requests_mock):
    """The tenant's keys, as they are served."""
    keys = {"keys": [KEY.as_dict(private=False)]}
    return requests_mock.get(f"{DOMAIN}/.well-known/jwks.json", json=keys)


@pytest.fixture
def api(clock):
    """The payments API, whose tenant has an Action for its claims."""
    return ProtectedAPI(
        domain=DOMAIN,
        audience=PAYMENTS,
        clock=clock,
        auth_time_claim=f"{NAMESPACE}auth_time",
        acr_claim=f"{NAMESPACE}acr",
    )


@pytest.fixture
def app(api, jwks):
    """An application with a view for each kind of guard; it has no secret key."""
    app = Flask("payments")
    api.init_app(app)

    @app.route("/balance", methods=["GET", "POST"])
    @api.requires_token()
    def balance():
        return jsonify(sub=api.claims["sub"])

    app.get("/transfer", endpoint="transfer")(
        api.requires_token(scope="read:payments transfer:funds")(lambda: "moved")
    )
    app.get("/recent", endpoint="recent")(api.requires_token(max_age=300)(lambda: "recent"))
    strong = api.requires_token(acr_values=[MULTI_FACTOR], max_age=300, scope="transfer:funds")
    app.get("/strong", endpoint="strong")(strong(lambda: "strong"))
    return app


def token(**changes):
    """Return an access token of the payments API."""
    claims = {
        "iss": f"{DOMAIN}/",
        "sub": "auth0|ana",
        "aud": PAYMENTS,
        "iat": NOW,
        "exp": NOW + 3600,
        "scope": "read:payments transfer:funds",
    }
    header = {"alg": "RS256", "typ": "JWT", "kid": "one"}
    return jwt.encode(header, claims | changes, KEY, algorithms=["RS256"])


def asked(app, path, bearer=None, **options):
    """Send a request, with a token if there is one."""
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    return app.test_client().open(path, headers=headers, **options)


def challenge(answer):
    """Return the parameters of the answer's challenge, which is a bearer one."""
    header = WWWAuthenticate.from_header(answer.headers["WWW-Authenticate"])
    assert header.type == "bearer"
    return dict(header.parameters)


class TestToken:
    """Which requests get in."""

    def test_opens(self, app):
        """A token of the tenant for this API does, and the view knows its claims."""
        answer = asked(app, "/balance", token())
        assert (answer.status_code, answer.json) == (200, {"sub": "auth0|ana"})

    def test_scheme_in_any_case(self, app):
        """The scheme may be written as one likes."""
        headers = {"Authorization": f"bEARER {token()}"}
        assert app.test_client().get("/balance", headers=headers).status_code == 200

    @pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Token x"])
    def test_missing(self, app, header):
        """Without a token it is 401 that names the scheme, and no error (RFC 6750, 3.1)."""
        headers = {} if header is None else {"Authorization": header}
        answer = app.test_client().get("/balance", headers=headers)
        assert answer.status_code == 401
        assert challenge(answer) == {"realm": PAYMENTS}
        assert "error" not in answer.json

    def test_elsewhere(self, app):
        """A token in the address or the body is none."""
        answer = asked(app, f"/balance?access_token={token()}")
        assert challenge(answer) == {"realm": PAYMENTS}
        answer = asked(app, "/balance", method="POST", data={"access_token": token()})
        assert challenge(answer) == {"realm": PAYMENTS}

    @pytest.mark.parametrize(
        "bearer",
        [
            "opaque",
            token()[:-4],
            token(aud=ACCOUNTS),
            token(aud="demo-client"),
            token(exp=NOW - 3600),
            token(iss="https://evil.example.com/"),
        ],
        ids=["opaque", "cut", "another API", "ID token", "expired", "another tenant"],
    )
    def test_invalid(self, app, bearer):
        """A bad token is 401 invalid_token, which says nothing of the token."""
        answer = asked(app, "/balance", bearer)
        assert answer.status_code == 401
        assert challenge(answer)["error"] == answer.json["error"] == "invalid_token"
        assert answer.headers["Cache-Control"] == "no-store"
        assert bearer not in answer.text + str(answer.headers)

    @pytest.mark.parametrize("scope", ["", "read:payments", "transfer:fund", None, ["a"]])
    def test_scope(self, app, scope):
        """A missing scope is 403 and named (RFC 6750, 3.1)."""
        answer = asked(app, "/transfer", token(scope=scope))
        assert answer.status_code == 403
        assert challenge(answer)["error"] == answer.json["error"] == "insufficient_scope"
        assert challenge(answer)["scope"] == "read:payments transfer:funds"

    def test_tenant_that_does_not_answer(self, app, jwks, requests_mock):
        """Without the keys nothing is open, and it is said that waiting helps."""
        requests_mock.get(f"{DOMAIN}/.well-known/jwks.json", status_code=500)
        answer = asked(app, "/balance", token())
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0

    def test_log(self, app, caplog):
        """The log says what was wrong, and has no token."""
        caplog.set_level("DEBUG")
        bearer = token(aud=ACCOUNTS)
        asked(app, "/balance", bearer)
        assert "the access token's aud is not acceptable" in caplog.text
        assert bearer not in caplog.text


class TestStepUp:
    """What the authentication behind a token must have been (RFC 9470)."""

    def test_strong_and_recent(self, app):
        """A second factor a moment ago opens."""
        assert asked(app, "/strong", token(**SECOND_FACTOR)).text == "strong"

    def test_challenge(self, app):
        """A password alone is answered with what is wanted, as parameters of the challenge."""
        answer = asked(app, "/strong", token())
        assert answer.status_code == 401
        assert answer.json["error"] == "insufficient_user_authentication"
        parameters = challenge(answer)
        assert parameters.pop("error_description") == answer.json["error_description"]
        assert parameters == {
            "realm": PAYMENTS,
            "error": "insufficient_user_authentication",
            "acr_values": MULTI_FACTOR,
            "max_age": "300",
        }

    def test_only_what_is_wanted(self, app):
        """A view that wants an age only says nothing of acr_values."""
        assert "acr_values" not in challenge(asked(app, "/recent", token()))

    def test_scope_comes_first(self, app):
        """No step-up is asked for where it would not help."""
        assert asked(app, "/strong", token(scope="")).json["error"] == "insufficient_scope"

    @pytest.mark.parametrize(
        ("age", "status"), [(0, 200), (300, 200), (301, 401), (-60, 200), (-61, 401)]
    )
    def test_age(self, app, age, status):
        """Until its last second a proof counts; from the future it may be by a clock's error."""
        answer = asked(app, "/recent", token(**{f"{NAMESPACE}auth_time": NOW - age}))
        assert answer.status_code == status

    @pytest.mark.parametrize("moment", [None, True, str(NOW), [NOW], float("nan")])
    def test_moment_that_is_none(self, app, moment):
        """A claim that is no number of seconds proves nothing."""
        assert asked(app, "/recent", token(**{f"{NAMESPACE}auth_time": moment})).status_code == 401

    @pytest.mark.parametrize(
        ("claims", "status"),
        [
            ({f"{NAMESPACE}acr": "urn:other"}, 401),
            ({f"{NAMESPACE}acr": [MULTI_FACTOR]}, 401),
            ({f"{NAMESPACE}acr": ""}, 401),
            ({"acr": MULTI_FACTOR}, 401),
            ({"amr": ["pwd", "mfa"]}, 200),
            ({"amr": ["pwd"]}, 401),
            ({"amr": "mfa"}, 401),
        ],
    )
    def test_strength(self, app, claims, status):
        """``acr`` counts under its own name only, and ``amr`` with ``mfa`` is a second factor."""
        claims = {f"{NAMESPACE}auth_time": NOW, **claims}
        assert asked(app, "/strong", token(**claims)).status_code == status


class TestShapes:
    """Views of every kind."""

    def test_blueprint(self, app, api):
        """The guard of a blueprint holds for each of its views."""
        inner = Blueprint("inner", __name__)
        inner.get("/inner")(lambda: jsonify(api.claims["sub"]))
        app.register_blueprint(api.guard_blueprint(inner, scope="transfer:funds"))
        assert asked(app, "/inner").status_code == 401
        assert asked(app, "/inner", token(scope="")).status_code == 403
        assert asked(app, "/inner", token()).json == "auth0|ana"

    def test_async_view(self, app, api):
        """An async view is guarded as well."""

        async def view():
            return api.claims["sub"]

        app.get("/async")(api.requires_token()(view))
        assert asked(app, "/async").status_code == 401
        assert asked(app, "/async", token()).text == "auth0|ana"

    def test_class_based_view(self, app, api):
        """So is every method of a class."""

        class Money(MethodView):
            decorators = (api.requires_token(),)

            def get(self):
                return "money"

        app.add_url_rule("/money", view_func=Money.as_view("money"))
        assert asked(app, "/money").status_code == 401
        assert asked(app, "/money", token()).text == "money"

    @pytest.mark.parametrize("method", ["HEAD", "POST"])
    def test_other_methods(self, app, method):
        """No method of HTTP is a way around it."""
        assert asked(app, "/balance", method=method).status_code == 401

    def test_preflight(self, app, api):
        """A browser may ask, without a token, which methods there are; the view does not run."""
        inner = Blueprint("inner", __name__)
        inner.route("/inner", methods=["OPTIONS"])(lambda: "ran")
        app.register_blueprint(api.guard_blueprint(inner))
        options = api.requires_token()(lambda: "ran")
        app.add_url_rule("/options", "options", options, methods=["OPTIONS"])
        for path in ("/balance", "/inner", "/options"):
            answer = asked(app, path, method="OPTIONS")
            assert (answer.status_code, answer.data) == (200, b"")

    def test_error_handler_of_the_application(self, app):
        """An application's handler of all exceptions does not see a refusal."""
        app.errorhandler(Exception)(lambda _: ("swallowed", 500))
        assert asked(app, "/balance").status_code == 401

    def test_claims_belong_to_a_request(self, app, api):
        """A view without a guard has no claims, also right after one that had."""
        app.testing = True
        app.get("/open", endpoint="open")(lambda: jsonify(api.claims["sub"]))
        with app.app_context():
            asked(app, "/balance", token())
            with pytest.raises(RuntimeError, match="put requires_token above the view"):
                asked(app, "/open", token())

    def test_two_apis(self, app, clock):
        """Two APIs in one application take a token each of its own."""
        accounts = ProtectedAPI(app, domain=DOMAIN, audience=ACCOUNTS, clock=clock)
        app.get("/accounts", endpoint="accounts")(accounts.requires_token()(lambda: "accounts"))
        assert asked(app, "/accounts", token()).status_code == 401
        assert asked(app, "/accounts", token(aud=ACCOUNTS)).text == "accounts"


class TestSettings:
    """What an API has to be told."""

    def test_from_config(self, jwks, clock):
        """Domain and audience may come from the application's configuration."""
        app = Flask("payments")
        app.config.update(AUTH0_DOMAIN=DOMAIN, AUTH0_AUDIENCE=PAYMENTS)
        api = ProtectedAPI(app, clock=clock)
        app.get("/")(api.requires_token()(lambda: "in"))
        assert asked(app, "/", token()).text == "in"

    def test_missing(self):
        """Both problems are named, with their remedies."""
        with pytest.raises(ConfigurationError) as refusal:
            ProtectedAPI(Flask("payments"))
        assert [text.split()[0] for text in refusal.value.problems] == [
            "AUTH0_DOMAIN",
            "AUTH0_AUDIENCE",
        ]

    def test_twice(self, app, api):
        """A second call for the same application is refused."""
        with pytest.raises(ConfigurationError, match="call init_app once"):
            api.init_app(app)

    def test_not_set_up(self, api):
        """A guard in an application that was forgotten is an error, and lets nobody in."""
        app = Flask("other")
        app.get("/")(api.requires_token()(lambda: "in"))
        app.testing = True
        with pytest.raises(RuntimeError, match="call init_app first"):
            asked(app, "/", token())

    @pytest.mark.parametrize("max_age", [0, -1])
    def test_age(self, api, max_age):
        """An age that no proof can have is a mistake."""
        with pytest.raises(ValueError, match="positive number of seconds"):
            api.requires_token(max_age=max_age)

    def test_scope(self, api):
        """Scopes in a list are a mistake that no request should run into."""
        with pytest.raises(TypeError, match="scope must be one text"):
            api.requires_token(scope=["read:payments"])

    def test_import_is_light(self):
        """An API loads nothing of login and pages."""
        heavy = {"authlib", "flask_wtf", "flask_limiter"}
        script = f"import flask_auth0_mfa.api, sys; print({heavy} & set(sys.modules))"
        done = subprocess.run(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert done.stdout == "set()\n"


def test_rotation_at_the_tenant(tenant_server, tenant):
    """Tokens of a real tenant are taken before and after it changes its key."""
    clock = SharedClock()
    app = Flask("payments")
    api = ProtectedAPI(app, domain=tenant_server.url, audience=PAYMENTS, clock=clock.now)
    app.get("/")(api.requires_token()(lambda: "in"))

    def signed():
        claims = {"iss": tenant.issuer, "sub": "a", "aud": PAYMENTS, "exp": clock.now() + 60}
        return tenant.keys.sign(claims)

    assert asked(app, "/", signed()).text == "in"
    tenant.rotate_keys()
    clock.advance(11)
    assert asked(app, "/", signed()).text == "in"
