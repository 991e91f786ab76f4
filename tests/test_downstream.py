"""Calls to an API from a view, and the step-up that the API asks for: all three over real HTTP."""

from __future__ import annotations

from dataclasses import replace

import pytest
import requests
from flask import Flask, Response, jsonify, redirect, request

from flask_auth0_mfa import Auth0MFA, StepUpUnavailableError, current_auth0, requires_stepup
from flask_auth0_mfa.api import MULTI_FACTOR, ProtectedAPI
from flask_auth0_mfa.emulator import Configuration, Tenant, serve
from flask_auth0_mfa.testing.clock import SharedClock

from .conftest import ACCOUNTS, PAYMENTS, SECRET_KEY
from .observed import ANA, grants, refreshes
from .served import served
from .visitor import Visitor

NAMESPACE = f"{PAYMENTS}/"
UNAVAILABLE = "A second check is needed, but it is not set up"


@pytest.fixture(scope="module")
def tenant_server():
    """A tenant whose tokens for payments, and for the API that needs no check, say what was proved.

    It stamps them with the clock that tests put forward.
    """
    apis = [
        replace(api, claims_namespace=NAMESPACE) if api.identifier in (PAYMENTS, ACCOUNTS) else api
        for api in Configuration().apis
    ]
    with serve(Tenant(Configuration(apis=tuple(apis)), clock=SharedClock()), port=0) as server:
        yield server


@pytest.fixture(scope="module")
def other_place():
    """Another server, which remembers the headers of what it is asked."""
    app, seen = Flask("elsewhere"), []

    @app.route("/<path:_path>")
    def note(_path):
        seen.append(dict(request.headers))
        return "elsewhere"

    with served(app) as url:
        yield url, seen


@pytest.fixture(scope="module")
def payments(tenant_server, other_place):
    """The address of the payments API."""
    app = Flask("payments")
    claims = {"auth_time_claim": f"{NAMESPACE}auth_time", "acr_claim": f"{NAMESPACE}acr"}
    clock = tenant_server.tenant.clock.now
    options = {"domain": tenant_server.url, "clock": clock, **claims}
    api = ProtectedAPI(app, audience=PAYMENTS, **options)
    never = ProtectedAPI(app, audience=PAYMENTS, domain=tenant_server.url, clock=clock)
    unguarded = ProtectedAPI(app, audience=ACCOUNTS, **options)

    def add(rule, guard):
        app.add_url_rule(rule, rule, guard(lambda: f"{rule} {request.headers.get('Cookie')}"))

    add("/v1/balance", api.requires_token())
    add("/v1/transfer", api.requires_token(acr_values=[MULTI_FACTOR], max_age=300))
    add("/v1/now", api.requires_token(max_age=5))
    add("/v1/closed", api.requires_token(scope="close:accounts"))
    add("/v1/never", never.requires_token(acr_values=[MULTI_FACTOR]))
    add("/v1/plain", unguarded.requires_token())
    add("/v1/open", unguarded.requires_token(acr_values=[MULTI_FACTOR], max_age=300))
    app.get("/v1/moved", endpoint="moved")(lambda: redirect("/v1/plain"))
    app.get("/v1/away", endpoint="away")(lambda: redirect(f"{other_place[0]}away", 307))

    @app.get("/v1/zero", endpoint="zero", defaults={"asked": "max_age=0"})
    @app.get("/v1/open/zero", endpoint="open zero", defaults={"asked": "max_age=0"})
    @app.get("/v1/odd", endpoint="odd", defaults={"asked": 'acr_values="urn:retina"'})
    def not_content(asked):
        header = f'Basic realm="x", Bearer error="insufficient_user_authentication", {asked}'
        return Response("no", 401, {"WWW-Authenticate": header})

    @app.get("/v1/echo")
    def echo():
        response = jsonify(dict(request.headers))
        response.set_cookie("user", request.headers["Authorization"][-8:])
        return response

    with served(app) as url:
        yield f"{url}v1/"


def bank(tenant_server, payments, **options):
    """Return an application with a page for each view of the API, which shows its answer."""
    app = Flask("bank")
    app.config["SECRET_KEY"] = SECRET_KEY
    Auth0MFA(
        app,
        clock=tenant_server.tenant.clock.now,
        domain=tenant_server.url,
        client_id="demo-client",
        client_secret="demo-secret",
        **options,
    )

    @app.get("/")
    def home():
        return "Home"

    @app.get("/call/<path:path>")
    def call(path):
        audience = ACCOUNTS if path.startswith("open") else PAYMENTS
        scope = request.args.get("scope")
        api = current_auth0.api(audience, base_url=payments, scope=scope, reason="To see money.")
        answer = api.get(path)
        return Response(f"{answer.status_code} {answer.text}", mimetype="text/plain")

    @app.get("/guarded/<path:path>")
    @requires_stepup(PAYMENTS)
    def guarded(path):
        return current_auth0.api(PAYMENTS, base_url=payments).get(path).text

    @app.get("/trusted/<path:path>")
    @requires_stepup(ACCOUNTS)
    def trusted(path):
        return current_auth0.api(ACCOUNTS, base_url=payments).get(path).text

    @app.get("/retina")
    def retina():
        api = current_auth0.api(PAYMENTS, base_url=payments, acr_values=["urn:retina"])
        return api.get("odd").text

    @app.get("/do")
    def do():
        return app.config["DO"](current_auth0.api(ACCOUNTS, base_url=payments))

    return app


@pytest.fixture
def app(tenant, tenant_server, payments):
    """The application, with a tenant as it is when it starts."""
    return bank(tenant_server, payments)


@pytest.fixture(scope="module")
def in_view(tenant_server, payments):
    """Return a function that runs another one in a view, with the session for an API.

    Who is signed in there has the token already, so that nothing else is asked for.
    """
    tenant_server.tenant.reset()
    app = bank(tenant_server, payments)
    ben = Visitor(app)
    ben.log_in("ben@example.com")

    def run(do):
        app.config["DO"] = do
        answer = ben.client.get("/do")
        assert answer.status_code == 200
        return answer.text

    run(lambda api: api.get("plain").text)
    return run


@pytest.fixture
def verified(ana, tenant):
    """Ana, who has had a check for payments."""
    assert ana.step_up("/call/balance", code(tenant)).text.startswith("200")
    return ana


def code(tenant):
    """Return what Ana's authenticator app shows."""
    return tenant.current_otp(ANA)


class TestStepUp:
    """What the API asks for is done, and then asked for again."""

    def test_lands_where_it_was_going(self, verified, tenant):
        """A proof that is too old for the API leads through a check and back; then it answers."""
        tenant.advance(301)
        page = verified.challenge_page("/call/transfer?x=1")
        assert "To see money." in page.text
        page = verified.press(page, "code", code=code(tenant))
        assert page.url == "http://localhost/call/transfer?x=1"
        assert page.text.startswith("200 /v1/transfer")

    def test_fresh_enough(self, verified, tenant):
        """A proof that is fresh enough opens without a further check."""
        asked = len(refreshes(tenant))
        assert verified.get("/call/transfer").text.startswith("200")
        assert len(refreshes(tenant)) == asked

    def test_fresher_than_the_guard_wants(self, verified, tenant):
        """The API may want more than the guard of the view, which was satisfied."""
        tenant.advance(30)
        page = verified.step_up("/guarded/now", code(tenant))
        assert page.text.startswith("/v1/now")
        assert len(grants(tenant)) == 2

    def test_word_of_the_tenant(self, tenant, tenant_server, payments):
        """An API is not content with a token that a guard took on the tenant's word alone."""
        app = bank(tenant_server, payments, stepup_trust_tenant=True)
        ana = Visitor(app)
        ana.log_in(ANA)
        page = ana.press(ana.get("/trusted/open"), "code", code=code(tenant))
        assert page.text.startswith("/v1/open")

    def test_again_later(self, verified, tenant):
        """An API that was satisfied may ask again, also a moment later."""
        for _ in range(2):
            tenant.advance(30)
            assert verified.step_up("/call/now", code(tenant)).text.startswith("200")

    def test_program(self, verified, tenant):
        """A program gets the 403 that it can act on, and the answer when it has."""
        tenant.advance(301)
        token = verified.mfa_required("/call/transfer")["mfa_token"]
        body = {"mfa_token": token, "code": code(tenant)}
        assert verified.json("POST", "/auth/mfa/verify", json=body).status_code == 200
        assert verified.json("GET", "/call/transfer").text.startswith("200")

    def test_reload_opens_no_second_check(self, verified, tenant):
        """Asked again before it is passed, the same check is offered, without asking Auth0."""
        tenant.advance(301)
        first = verified.get("/call/transfer").url
        asked = len(refreshes(tenant))
        assert verified.get("/call/transfer").url == first
        assert len(refreshes(tenant)) == asked

    def test_universal_login(self, ana, tenant):
        """Where the tenant hands out tokens without a check, Universal Login does it, and back."""
        page = ana.get("/call/open?x=1")
        page = ana.press(page, "code", code=code(tenant))
        assert page.url == "http://localhost/call/open?x=1"
        assert page.text.startswith("200 /v1/open")

    def test_tenant_that_asks_by_now(self, app, ana, tenant):
        """The tenant is asked again, though it has just handed out a token without a check."""
        app.config["DO"] = lambda api: api.get("plain").text
        assert ana.get("/do").status == 200
        required = {"error": "mfa_required", "mfa_token": "Fe26.2*now"}
        tenant.fault("/oauth/token", status=403, body=required)
        assert ana.get("/call/open").path == "/auth/mfa/challenge"


class TestNoCircles:
    """An API that is never content ends in an error."""

    @pytest.mark.parametrize("path", ["zero", "never"])
    def test_never_content(self, verified, tenant, caplog, path):
        """What refuses even the token of the check that it asked for is asked no more."""
        tenant.advance(30)
        page = verified.step_up(f"/call/{path}", code(tenant))
        assert (page.status, page.heading) == (403, UNAVAILABLE)
        assert f"{PAYMENTS} refuses a token right after a check" in caplog.text
        assert len(grants(tenant)) == 2

    def test_right_after_a_guard(self, ana, tenant):
        """So is what refuses the token of the check that a guard has asked for just now."""
        page = ana.step_up("/guarded/never", code(tenant))
        assert (page.status, page.heading) == (403, UNAVAILABLE)
        assert len(grants(tenant)) == 1

    def test_never_content_with_universal_login(self, ana, tenant):
        """So is what refuses the token of a fresh login with a second factor."""
        tenant.advance(30)
        page = ana.get("/call/open/zero")
        # An age of 0 is at least a fresh login.
        page = ana.press(page, "password", username=ANA, password="demo")
        page = ana.press(page, "code", code=code(tenant))
        assert (page.status, page.heading) == (403, UNAVAILABLE)

    def test_try_again(self, verified, tenant):
        """A new attempt later is a new check: the API may have been mended."""
        assert verified.get("/call/zero").heading == UNAVAILABLE
        tenant.advance(30)
        assert verified.get("/call/zero").path == "/auth/mfa/challenge"

    def test_unknown_acr(self, verified, tenant, caplog):
        """What no check here can give starts none, and the log names it."""
        asked = len(refreshes(tenant))
        answer = verified.json("GET", "/call/odd")
        assert (answer.status_code, answer.json["error"]) == (403, "step_up_unavailable")
        assert "'urn:retina'" in caplog.text
        assert len(refreshes(tenant)) == asked

    def test_acr_by_another_name(self, verified, tenant):
        """An API's own name for the second factor can be given."""
        tenant.advance(30)
        assert verified.get("/retina").path == "/auth/mfa/challenge"


class TestOtherAnswers:
    """What is no step-up comes back as it is."""

    def test_insufficient_scope(self, verified):
        """403 insufficient_scope is the caller's to judge."""
        assert verified.get("/call/closed").text.startswith("403 {")

    def test_other_401(self, in_view):
        """So is a token that the API does not believe."""
        assert in_view(lambda api: str(api.get("balance").status_code)) == "401"

    def test_token_first(self, ana, visitor, app):
        """Getting the token may need a check itself, and a login before that."""
        page = ana.get("/call/balance")
        assert page.path == "/auth/mfa/challenge"
        assert ana.get("/call/balance").url == page.url
        assert Visitor(app).json("GET", "/call/balance").json["error"] == "login_required"

    def test_scope(self, ana, tenant):
        """The token is for the scope that was asked for, and one that lacks it is not used."""
        assert ana.step_up("/call/balance?scope=close:accounts", code(tenant)).status == 403
        assert ana.get("/call/balance?scope=close:accounts").path == "/auth/mfa/challenge"


class TestOrigin:
    """The token goes to the API and to nobody else."""

    def test_redirect_within(self, in_view):
        """A redirect within the API is followed, with the token."""
        assert in_view(lambda api: api.get("moved").text).startswith("/v1/plain")

    def test_redirect_away(self, in_view, other_place):
        """A redirect to elsewhere is not followed; the caller gets it."""
        assert in_view(lambda api: str(api.get("away").status_code)) == "307"
        assert other_place[1] == []

    @pytest.mark.parametrize(
        "path", ["//localhost/x", "http://localhost:1/x", "https://example.com/"]
    )
    def test_another_address(self, in_view, path):
        """An absolute address of another origin is refused before anything is sent."""

        def call(api):
            with pytest.raises(requests.exceptions.InvalidURL):
                api.get(path)
            return "refused"

        assert in_view(call) == "refused"

    @pytest.mark.parametrize(
        "base_url",
        [
            "",
            "payments.example.com",
            "http://payments.example.com",
            "http://localhost.example.com/",
            "http://127.0.0.1.example.com/",
            "ftp://localhost/",
            "https://user:pw@payments.example.com/",
            "https://payments.example.com/?x=1",
            "https://",
        ],
    )
    def test_base_url(self, app, base_url):
        """Only https, or this machine, is an address that a token may go to."""
        with app.test_request_context(), pytest.raises(ValueError, match="base_url must be"):
            current_auth0.api(PAYMENTS, base_url=base_url)

    def test_methods(self, app):
        """Methods are names in a list, as in the guards."""
        with app.test_request_context(), pytest.raises(TypeError, match="methods"):
            current_auth0.api(PAYMENTS, base_url="https://api.example.com", methods="otp")

    def test_scope(self, app):
        """Scopes are one text, as in the guards."""
        with app.test_request_context(), pytest.raises(TypeError, match="scope must be one text"):
            current_auth0.api(PAYMENTS, base_url="https://api.example.com", scope=["read:payments"])

    @pytest.mark.parametrize(
        "base_url", ["https://API.example.com:443/v1", "http://localhost:5/", "http://[::1]:5"]
    )
    def test_good_base_url(self, app, base_url):
        """These are."""
        with app.test_request_context():
            assert current_auth0.api(PAYMENTS, base_url=base_url)

    def test_other_credentials(self, in_view, tmp_path, monkeypatch, requests_mock):
        """Neither what the caller gives nor a .netrc file comes in place of the token."""
        (tmp_path / "netrc").write_text("default login me password it")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        sent = requests_mock.get("https://payments.example.com/x", text="")

        def call(_):
            api = current_auth0.api(ACCOUNTS, base_url="https://payments.example.com")
            api.get("x")
            api.get("x", headers={"Authorization": "Basic x"}, auth=("a", "b"))
            return ""

        in_view(call)
        seen = [one.headers["Authorization"] for one in sent.request_history]
        assert [one[:10] for one in seen] == ["Bearer eyJ"] * 2

    def test_proxy(self, in_view, monkeypatch, other_place):
        """On this machine, without TLS, no proxy of the environment gets the token to read."""
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("http_proxy", other_place[0])
        assert in_view(lambda api: api.get("plain").text).startswith("/v1/plain")
        assert other_place[1] == []

    def test_cookies_are_not_kept(self, in_view):
        """A cookie that the API sets for one user is not sent with the next call."""

        def call(api):
            assert "user=" in api.get("echo").headers["Set-Cookie"]
            return api.get("plain").text

        assert in_view(call) == "/v1/plain None"

    def test_repr(self, in_view):
        """The headers of a request that was sent do not show the token."""

        def call(api):
            sent = api.get("plain").request
            assert sent.headers["Authorization"].startswith("Bearer ey")
            return repr(sent.headers)

        assert "eyJ" not in in_view(call)


class TestConnections:
    """What calls share."""

    def test_pool(self, in_view, payments):
        """Sessions share the application's connections, also after one was closed."""

        def call(api):
            with current_auth0.api(ACCOUNTS, base_url=payments) as first:
                first.get("plain")
            assert first.get_adapter(payments) is api.get_adapter(payments)
            assert len(api.get_adapter(payments).poolmanager.pools) > 0
            return api.get("plain").text

        assert in_view(call).startswith("/v1/plain")

    def test_timeout(self, in_view, payments, requests_mock):
        """Without a timeout of the caller's the one of the settings holds."""
        requests_mock.get(f"{payments}slow", text="")

        def call(api):
            patient = current_auth0.api(ACCOUNTS, base_url=payments, timeout=1.5)
            for session in (api, patient):
                session.get("slow")
                session.get("slow", timeout=9)
            return str([sent.timeout for sent in requests_mock.request_history])

        assert in_view(call) == "[(3.0, 5.0), 9, 1.5, 9]"

    def test_refused_answer_is_closed(self, in_view):
        """The body of the answer that asked for a step-up is not left open."""
        bodies = []

        def call(api):
            api.hooks["response"].append(lambda answer, **_: bodies.append(answer.raw))
            with pytest.raises(StepUpUnavailableError):
                api.get("odd", stream=True)
            return "refused"

        assert in_view(call) == "refused"
        assert bodies[0].closed
