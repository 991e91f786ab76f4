"""Guards on every shape of view, and what opens them."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Blueprint, Flask, request
from flask.views import MethodView, View

from flask_auth0_mfa import (
    LoginRequiredError,
    MfaRequiredError,
    current_auth0,
    guard_blueprint,
    requires_login,
    requires_stepup,
)

from .conftest import ACCOUNTS, ADMIN, OPEN, PAYMENTS
from .observed import ANA, grants, paths, refreshes
from .visitor import Visitor

HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}
SHAPES = (
    "/function",
    "/async",
    "/method-view",
    "/view",
    "/blueprint/page",
    "/blueprint/async",
    "/nested/page",
    "/slash/",
    "/argument/7",
    "/any-method",
)
#: A guard of a view and of a blueprint, an error in a guarded view and in one without a guard.
OWN = ("/function", "/async", "/blueprint/page", "/calls", "/token")


def add_shapes(app: Flask) -> None:
    """Give the application one view of each shape, all guarded alike."""
    guard = requires_stepup(PAYMENTS, scope="read:payments")

    class GuardedMethods(MethodView):
        decorators = (guard,)

        def get(self):
            return "Inside"

    class GuardedView(View):
        decorators = (guard,)

        def dispatch_request(self):
            return "Inside"

    @app.get("/function")
    @guard
    def function():
        return "Inside"

    @app.get("/async")
    @guard
    async def coroutine():
        return "Inside"

    @app.get("/slash/")
    @guard
    def slash():
        return "Inside"

    @app.get("/argument/<int:number>")
    @guard
    def argument(number):
        return f"Inside {number}"

    @app.route("/any-method", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    @guard
    def any_method():
        return "Inside"

    app.add_url_rule("/method-view", view_func=GuardedMethods.as_view("method_view"))
    app.add_url_rule("/view", view_func=GuardedView.as_view("class_view"))
    for name in ("blueprint", "nested"):
        blueprint = guard_blueprint(Blueprint(name, name), PAYMENTS, scope="read:payments")
        _add_pages(blueprint)
        if name == "nested":
            outer = Blueprint("outer", "outer", url_prefix="/nested")
            outer.register_blueprint(blueprint, url_prefix="")
            blueprint, prefix = outer, "/nested"
        else:
            prefix = "/blueprint"
        app.register_blueprint(blueprint, url_prefix=prefix)


def _add_pages(blueprint: Blueprint) -> None:
    @blueprint.get("/page")
    def page():
        return "Inside"

    @blueprint.get("/async")
    async def coroutine():
        return "Inside"


@pytest.fixture
def app(make_app):
    """An application with a view of each shape."""
    app = make_app()
    add_shapes(app)
    return app


@pytest.fixture
def code(tenant):
    """What Ana's authenticator app shows."""
    return tenant.current_otp(ANA)


class TestShapes:
    """A guard holds, whatever the view is made of."""

    @pytest.mark.parametrize("url", SHAPES)
    def test_stranger(self, visitor, url):
        """Somebody unknown is sent to the login, and from there back to the view."""
        answer = visitor.client.get(f"{url}?a=1", headers=HTML)
        assert answer.status_code == 303
        location = urlsplit(answer.headers["Location"])
        assert location.path == "/auth/login"
        assert parse_qs(location.query) == {"return_to": [f"{url}?a=1"]}

    @pytest.mark.parametrize("url", SHAPES)
    def test_program_of_a_stranger(self, visitor, url):
        """A program without a session gets 401."""
        answer = visitor.json("GET", url)
        assert (answer.status_code, answer.json["error"]) == (401, "login_required")

    @pytest.mark.parametrize("url", SHAPES)
    def test_without_a_second_factor(self, ana, url):
        """A signed-in user is taken to the challenge page."""
        answer = ana.client.get(url, headers=HTML)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/auth/mfa/challenge?context=")

    @pytest.mark.parametrize("url", SHAPES)
    def test_program_without_a_second_factor(self, ana, url):
        """A program of a signed-in user gets 403."""
        assert ana.mfa_required(url)["mfa_token"]

    @pytest.mark.parametrize("url", SHAPES)
    def test_open(self, ana, code, url):
        """After the second factor the view itself answers."""
        page = ana.step_up(url, code)
        assert page.path == url
        assert page.text.startswith("Inside")

    @pytest.mark.parametrize("url", SHAPES)
    def test_head(self, ana, url):
        """HEAD is guarded like GET."""
        assert ana.client.head(url, headers=HTML).status_code == 303
        assert ana.client.head(url, headers=JSON).status_code == 403

    @pytest.mark.parametrize("url", SHAPES)
    def test_options(self, visitor, tenant, url):
        """OPTIONS, which browsers send without cookies, is answered, but never by the view."""
        answer = visitor.client.options(url)
        assert answer.status_code == 200
        assert "GET" in answer.headers["Allow"]
        assert "Inside" not in answer.text
        assert paths(tenant) == []

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_other_methods(self, visitor, ana, method):
        """No method gets around the guard."""
        assert Visitor(visitor.client.application).json(method, "/any-method").status_code == 401
        assert ana.json(method, "/any-method").status_code == 403
        assert ana.client.open("/any-method", method=method, headers=HTML).status_code == 303

    def test_method_override(self, ana):
        """Headers that name another method or address change nothing."""
        headers = {
            "X-HTTP-Method-Override": "OPTIONS",
            "X-Original-URL": "/",
            "X-Rewrite-URL": "/",
            **HTML,
        }
        assert ana.client.get("/function", headers=headers).status_code == 303

    def test_without_the_slash(self, ana, code):
        """The address without its slash leads through the check to the one with it."""
        page = ana.step_up("/slash?a=1", code)
        assert page.url == "http://localhost/slash/?a=1"
        assert page.text == "Inside"

    def test_query_that_is_not_encoded(self, visitor):
        """What a client has sent beyond ASCII without encoding it is the same text afterwards."""
        answer = visitor.client.get("/function?name=Zo\u00eb&b=%C3%AB", headers=HTML)
        target = parse_qs(urlsplit(answer.headers["Location"]).query)["return_to"]
        assert target == ["/function?name=Zo%C3%AB&b=%C3%AB"]

    def test_name_and_text(self, app):
        """The guarded view keeps its name and its docstring."""

        @requires_login
        def settings():
            """Show the settings."""

        assert (settings.__name__, settings.__doc__) == ("settings", "Show the settings.")

    def test_login_alone(self, make_app):
        """A blueprint guarded without an audience asks for a login and no more."""
        app = make_app()
        blueprint = guard_blueprint(Blueprint("members", "members"))
        _add_pages(blueprint)
        app.register_blueprint(blueprint, url_prefix="/members")
        visitor = Visitor(app)
        assert visitor.json("GET", "/members/page").status_code == 401
        visitor.log_in(ANA)
        assert visitor.get("/members/page").text == "Inside"

    def test_under_a_prefix_of_the_server(self, ana):
        """An application that is mounted below a path keeps that path in every address."""
        answer = ana.client.get(
            "/function", headers=HTML, environ_overrides={"SCRIPT_NAME": "/bank"}
        )
        assert answer.headers["Location"].startswith("/bank/auth/mfa/challenge")


class TestMistakes:
    """Guards that were written wrongly fail at import, with the remedy."""

    def test_forgotten_audience(self):
        """``@requires_stepup`` without parentheses says what to write."""
        with pytest.raises(TypeError, match=r'@requires_stepup\("https://'):

            @requires_stepup
            def view():
                return "Inside"

    @pytest.mark.parametrize("audience", ["", None])
    def test_empty_audience(self, audience):
        """An audience that came out empty of a setting guards nothing, so it is refused."""
        with pytest.raises(TypeError):
            requires_stepup(audience)

    @pytest.mark.parametrize("max_age", [0, -1])
    def test_max_age(self, max_age):
        """A proof that can never be fresh enough is a mistake."""
        with pytest.raises(ValueError, match="max_age"):
            requires_stepup(PAYMENTS, max_age=max_age)

    def test_scope(self):
        """Scopes in a list are a mistake that no request should run into."""
        with pytest.raises(TypeError, match="scope must be one text"):
            requires_stepup(PAYMENTS, scope=["transfer:funds"])

    def test_one_method_as_text(self):
        """A text would be taken for a list of letters."""
        with pytest.raises(TypeError, match=r"methods=\['otp'\]"):
            requires_stepup(PAYMENTS, methods="otp")

    @pytest.mark.parametrize("methods", [(), ["recovery_code"], ["otp", 7], ["pigeon"]], ids=str)
    def test_methods(self, methods):
        """Methods that nobody can prove would keep everybody out."""
        with pytest.raises(ValueError, match="recovery-code"):
            requires_stepup(PAYMENTS, methods=methods)

    @pytest.mark.parametrize(
        "options",
        [{"scope": "transfer:funds"}, {"max_age": 60}, {"methods": ["otp"]}, {"resume": True}],
        ids=str,
    )
    def test_blueprint_without_audience(self, options):
        """What only a second factor can mean does not end as a guard for a login alone."""
        with pytest.raises(TypeError, match="needs the audience"):
            guard_blueprint(Blueprint("b", "b"), **options)

    def test_methods_of_a_blueprint(self):
        """The same holds for the guard of a blueprint."""
        with pytest.raises(TypeError, match="methods"):
            guard_blueprint(Blueprint("b", "b"), PAYMENTS, methods="otp")


def own_page(error: Exception) -> tuple[str, int]:
    """Answer an error as an application does that has one page for all of them."""
    return "Our own page", 500


class TestOwnErrorHandlers:
    """An application with handlers for every exception still gives our answers."""

    @pytest.fixture
    def app(self, make_app):
        """An application that turns every error into a page of its own."""
        app = make_app()
        add_shapes(app)
        blueprint = Blueprint("own", "own", url_prefix="/own")

        @blueprint.get("/guarded")
        @requires_stepup(PAYMENTS)
        def guarded():
            return "Inside"

        @blueprint.get("/calls")
        @requires_login
        def calls():
            return current_auth0.get_access_token(PAYMENTS).audience

        app.register_error_handler(Exception, own_page)
        blueprint.register_error_handler(Exception, own_page)
        app.register_blueprint(blueprint)
        return app

    @pytest.mark.parametrize("url", [*SHAPES, "/own/guarded", "/own/calls", "/token"])
    def test_challenge(self, ana, url):
        """The user is taken to the challenge page all the same."""
        url = f"{url}?audience={PAYMENTS}"
        assert ana.client.get(url, headers=HTML).status_code == 303
        assert ana.mfa_required(url)

    @pytest.mark.parametrize("url", [*SHAPES, "/own/guarded", "/own/calls"])
    def test_login(self, visitor, url):
        """So is somebody unknown to the login."""
        assert visitor.client.get(url, headers=HTML).status_code == 303
        assert visitor.json("GET", url).status_code == 401

    def test_pages(self, ana):
        """Our own routes answer with our pages."""
        assert ana.get("/auth/mfa/challenge?context=x").heading == "This check is not open"

    def test_errors_of_the_view(self, make_app, tenant, code):
        """An error of the view itself is the application's affair."""
        app = make_app(PROPAGATE_EXCEPTIONS=False)

        @app.get("/broken")
        @requires_login
        def broken():
            raise ZeroDivisionError

        app.register_error_handler(ZeroDivisionError, own_page)
        visitor = Visitor(app)
        visitor.log_in(ANA)
        assert visitor.client.get("/broken").text == "Our own page"


class TestOwnHandlers:
    """A handler of the application for one of our classes answers in place of ours."""

    @pytest.fixture
    def app(self, make_app):
        """An application that answers strangers, and those without a second factor, itself."""
        app = make_app(PROPAGATE_EXCEPTIONS=False)
        add_shapes(app)

        @app.get("/calls")
        @requires_login
        def calls():
            return current_auth0.get_access_token(PAYMENTS).audience

        app.register_error_handler(LoginRequiredError, lambda _: ("Own login", 401))
        app.register_error_handler(MfaRequiredError, lambda _: ("Own check", 403))
        return app

    @pytest.mark.parametrize("url", OWN)
    def test_stranger(self, visitor, url):
        """Somebody unknown gets the application's answer, whatever the view is made of."""
        answer = visitor.client.get(url, headers=JSON)
        assert (answer.status_code, answer.text) == (401, "Own login")

    @pytest.mark.parametrize("url", OWN)
    def test_without_a_second_factor(self, ana, url):
        """So does a user who has no second factor yet, also where the view asks for the token."""
        answer = ana.client.get(f"{url}?audience={PAYMENTS}", headers=HTML)
        assert (answer.status_code, answer.text) == (403, "Own check")

    def test_no_store(self, visitor):
        """Nothing keeps that answer: it depends on who asks."""
        answer = visitor.client.get("/function", headers=JSON)
        assert "no-store" in answer.headers["Cache-Control"]

    def test_of_a_blueprint(self, make_app):
        """The handler of a blueprint comes before that of the application."""
        app = make_app()
        blueprint = guard_blueprint(Blueprint("members", "members"))
        _add_pages(blueprint)
        app.register_error_handler(LoginRequiredError, lambda _: "Of the application")
        blueprint.register_error_handler(LoginRequiredError, lambda _: "Of the blueprint")
        app.register_blueprint(blueprint)
        assert app.test_client().get("/page").text == "Of the blueprint"

    def test_async(self, make_app):
        """It may be a coroutine."""
        app = make_app()
        add_shapes(app)

        async def answer(_error):
            return "Own"

        app.register_error_handler(LoginRequiredError, answer)
        assert app.test_client().get("/function").text == "Own"

    @pytest.mark.parametrize("url", ["/function", "/blueprint/page"])
    def test_no_answer(self, app, url):
        """A handler that returns nothing does not let the request in."""
        app.register_error_handler(LoginRequiredError, lambda _: None)
        answer = app.test_client().get(url)
        assert answer.status_code == 500
        assert "Inside" not in answer.text

    def test_own_routes(self, visitor):
        """The extension's own routes keep their answers: pages and scripts rely on them."""
        assert visitor.json("GET", "/auth/profile").json["error"] == "login_required"


class TestRepresentation:
    """HTML or JSON: who asks gets what they can read."""

    @pytest.mark.parametrize(
        ("accept", "is_json"),
        [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
            ("text/html", False),
            ("*/*", False),
            (None, False),
            ("", False),
            ("application/json", True),
            ("application/json, text/plain, */*", True),
            ("text/html;q=0.5, application/json", True),
            ("application/*", True),
            ("image/png", False),
            ("nonsense", False),
        ],
    )
    def test_accept(self, ana, accept, is_json):
        """The header ``Accept`` decides, and HTML comes first where both will do."""
        headers = {} if accept is None else {"Accept": accept}
        answer = ana.client.get("/function", headers=headers)
        assert answer.status_code == (403 if is_json else 303)

    def test_json_body(self, ana):
        """Who sends JSON gets JSON."""
        answer = ana.client.post("/any-method", json={}, headers={"Accept": "*/*"})
        assert answer.status_code == 403
        assert answer.json["error"] == "mfa_required"


class TestCaches:
    """No answer that depends on a user is kept."""

    @pytest.mark.parametrize("url", SHAPES)
    @pytest.mark.parametrize("headers", [HTML, JSON], ids=["html", "json"])
    def test_refusal(self, ana, url, headers):
        """Not the refusal …"""
        self.check(ana.client.get(url, headers=headers))

    @pytest.mark.parametrize("url", SHAPES)
    def test_answer_of_the_view(self, ana, code, url):
        """… and not what the view answers."""
        self.check(ana.step_up(url, code))

    def test_header_of_the_view(self, make_app, tenant, code):
        """A view that allows caching by mistake does not get it."""
        app = make_app()

        @app.get("/cached")
        @requires_login
        def cached():
            return "Inside", 200, {"Cache-Control": "public, max-age=3600"}

        visitor = Visitor(app)
        visitor.log_in(ANA)
        self.check(visitor.get("/cached"))

    @staticmethod
    def check(answer):
        assert "no-store" in answer.headers["Cache-Control"]
        assert "public" not in answer.headers["Cache-Control"]
        assert "Cookie" in answer.headers["Vary"]

    def test_open_pages_are_not_touched(self, ana):
        """A view without a guard keeps its own headers."""
        answer = ana.client.get("/")
        assert "Cache-Control" not in answer.headers
        assert "Vary" not in answer.headers
        assert "Set-Cookie" not in answer.headers


class TestTryAgain:
    """The link of a page that says that Auth0 does not answer."""

    @pytest.mark.parametrize(
        "path",
        [
            "/wild/a?b=c%26d&e=f",
            "/wild/a%3Fb%23c",
            "/%5Cevil.test",
            "/%5Cevil.test/a?b",
            "/%09/evil.test",
        ],
    )
    def test_address(self, make_app, tenant, path):
        """It leads to the same page, and never to another site."""
        app = make_app()
        view = requires_stepup(PAYMENTS)(lambda page: page)
        app.add_url_rule("/<path:page>", view_func=view, endpoint="wild")
        visitor = Visitor(app)
        visitor.log_in(ANA)
        tenant.fault("/oauth/token", status=503)
        page = visitor.get(path)
        assert page.status == 503
        assert page.link("Try again") == f"http://localhost{path}"


class TestForms:
    """A form that is sent to a guarded view."""

    def test_back_to_the_form(self, ana, code):
        """After the check the user is back on the page of the form, query string included."""
        headers = {"Referer": "http://localhost/accounts?page=2", **HTML}
        answer = ana.client.post("/any-method", headers=headers)
        page = ana.press(ana.get(answer.headers["Location"]), "Authenticator app")
        assert ana.press(page, "code", code=code).url == "http://localhost/accounts?page=2"

    def test_signed_out(self, app):
        """Who is signed out while filling in a form is not told that nothing is lost."""
        page = Visitor(app).client.post("/any-method", headers=HTML)
        assert "Then do the last step once more." in page.text
        assert "is lost" not in page.text

    def test_form_is_not_sent_again(self, make_app, code):
        """What was refused is not carried out later behind the user's back."""
        app, done = make_app(), []

        @app.post("/pay")
        @requires_stepup(PAYMENTS)
        def pay():
            done.append(request.form)
            return "Paid"

        ana = Visitor(app)
        ana.log_in(ANA)
        headers = {"Referer": "http://localhost/accounts", **HTML}
        answer = ana.client.post("/pay", data={"to": "ben"}, headers=headers)
        page = ana.press(ana.get(answer.headers["Location"]), "Authenticator app")
        assert ana.press(page, "code", code=code).path == "/accounts"
        assert done == []
        assert ana.client.post("/pay", data={"to": "ben"}).text == "Paid"

    @pytest.mark.parametrize(
        "referrer",
        [
            None,
            "http://evil.test/accounts",
            "http://localhost.evil.test/",
            "http://localhost:81/accounts",
            "https://localhost/accounts",
            "http://localhost//evil.test",
            "http://localhost/auth/logout",
            "javascript:alert(1)",
            "http://[/",
        ],
    )
    def test_referrer_that_cannot_be_trusted(self, ana, code, referrer):
        """From elsewhere, the way back is the application's home page."""
        headers = {**HTML, **({"Referer": referrer} if referrer else {})}
        answer = ana.client.post("/any-method", headers=headers)
        page = ana.press(ana.get(answer.headers["Location"]), "Authenticator app")
        assert ana.press(page, "code", code=code).url == "http://localhost/"

    def test_stranger(self, visitor):
        """Somebody unknown gets a page with a link: a form is not redirected to the login."""
        answer = visitor.client.post("/any-method", headers=HTML)
        assert answer.status_code == 401
        assert "Sign in" in answer.text


class TestProof:
    """What opens a view: a token for the audience with the scope, and a fresh second factor."""

    def test_cached(self, ana, code, tenant):
        """Once open, the view asks Auth0 for nothing."""
        ana.step_up("/transfer", code)
        before = paths(tenant)
        assert ana.get("/transfer").path == "/transfer"
        assert paths(tenant) == before

    def test_another_audience(self, make_app, code):
        """A check for one API does not open the views of another."""
        app = make_app()
        app.add_url_rule(
            "/admin", view_func=requires_stepup(ADMIN, scope="read:admin")(lambda: "Inside")
        )
        ana = Visitor(app)
        ana.log_in(ANA)
        ana.step_up("/transfer", code)
        assert ana.get("/admin").path == "/auth/mfa/challenge"

    def test_another_scope(self, ana, code):
        """A check for reading does not open the view that moves money, nor pass its check."""
        waiting = ana.get("/transfer")
        ana.step_up("/function", code)
        assert ana.get(waiting.url).heading == waiting.heading
        assert ana.get("/transfer").path == "/auth/mfa/challenge"

    def test_both_scopes(self, ana, code):
        """After a second check both views are open: the new token has both scopes."""
        ana.step_up("/function", code)
        ana.step_up("/transfer", code)
        assert ana.get("/transfer").path == "/transfer"
        assert ana.get("/function").path == "/function"

    def test_scope_that_is_not_granted(self, make_app, code):
        """A scope that the user may not have ends in a page that says so, and in no loop."""
        app = make_app()
        view = requires_stepup(PAYMENTS, scope="delete:everything")(lambda: "Inside")
        app.add_url_rule("/forbidden", view_func=view)
        ana = Visitor(app)
        ana.log_in(ANA)
        page = ana.step_up("/forbidden", code)
        assert (page.status, page.heading) == (403, "You do not have permission for this")
        assert ana.json("GET", "/forbidden").status_code == 403

    def test_max_age_is_absolute(self, ana, code, clock):
        """Fifteen minutes after the check it is over, however often the view was used."""
        ana.step_up("/transfer", code)
        for _ in range(8):
            clock.advance(110)
            assert ana.get("/transfer").path == "/transfer"
        clock.advance(30)
        assert ana.get("/transfer").path == "/auth/mfa/challenge"

    def test_max_age_of_a_view(self, make_app, code, clock):
        """A view can ask for a fresher proof than others."""
        app = make_app()
        view = requires_stepup(PAYMENTS, scope="transfer:funds", max_age=60)(lambda: "Inside")
        app.add_url_rule("/fresh", view_func=view)
        ana = Visitor(app)
        ana.log_in(ANA)
        ana.step_up("/transfer", code)
        assert ana.get("/fresh").text == "Inside"
        clock.advance(61)
        assert ana.get("/fresh").path == "/auth/mfa/challenge"
        assert ana.get("/transfer").path == "/transfer"
        assert ana.step_up("/fresh", code).text == "Inside"

    def test_open_check_whose_proof_is_too_old(self, make_app, code, clock):
        """A check that another one has met is not offered when that proof is too old by now."""
        app = make_app()
        view = requires_stepup(PAYMENTS, scope="transfer:funds", max_age=60)(lambda: "Inside")
        app.add_url_rule("/fresh", view_func=view)
        ana = Visitor(app)
        ana.log_in(ANA)
        first = ana.challenge_page("/fresh?tab=1")
        assert ana.step_up("/fresh?tab=2", code).text == "Inside"
        clock.advance(61)
        assert ana.challenge_page("/fresh?tab=1").url != first.url

    def test_max_age_of_the_application(self, make_app, code, clock):
        """The application sets the default."""
        ana = Visitor(make_app(AUTH0_STEPUP_MAX_AGE=30))
        ana.log_in(ANA)
        ana.step_up("/transfer", code)
        clock.advance(31)
        assert ana.get("/transfer").path == "/auth/mfa/challenge"

    def test_clock_that_goes_back(self, ana, code, clock):
        """A proof from the future proves nothing."""
        clock.advance(600)
        ana.step_up("/transfer", code)
        clock.advance(-600)
        assert ana.get("/transfer").path == "/auth/mfa/challenge"

    def test_logging_out(self, ana, code):
        """The proof ends with the session."""
        ana.step_up("/transfer", code)
        ana.get("/auth/logout")
        assert ana.json("GET", "/transfer").status_code == 401
        ana.log_in(ANA)
        assert ana.json("GET", "/transfer").status_code == 403


class TestMethods:
    """A view that accepts certain methods only."""

    @pytest.fixture
    def app(self, make_app):
        """An application with a view for the authenticator app alone."""
        app = make_app()
        for url, methods in (("/otp", ["otp"]), ("/phone", ("phone",)), ("/dan", ["sms"])):
            guard = requires_stepup(PAYMENTS, scope="transfer:funds", methods=methods)
            app.add_url_rule(url, url, guard(lambda: "Inside"))
        return app

    def test_choice(self, ana):
        """Only those methods are offered."""
        page = ana.get("/phone")
        assert "Text message" in page.text
        assert "Phone call" in page.text
        assert "Authenticator app" not in page.text
        assert "Recovery code" not in page.text

    def test_proof_by_another_method(self, ana, tenant):
        """A proof by text message does not open a view for the authenticator app."""
        waiting = ana.get("/otp")
        page = ana.challenge_page("/transfer", "Text message")
        assert ana.press(page, "code", code=tenant.last_message(ANA).code).path == "/transfer"
        assert ana.get("/otp").path == "/auth/mfa/challenge"
        assert ana.get(waiting.url).heading == waiting.heading

    def test_proof_by_that_method(self, ana, code):
        """A proof by the app opens both."""
        assert ana.step_up("/otp", code).text == "Inside"
        assert ana.get("/transfer").path == "/transfer"

    def test_other_proof_for_its_check(self, ana, tenant):
        """The check of such a view takes no other proof, by JSON neither."""
        token = ana.mfa_required("/otp")["mfa_token"]
        body = {"mfa_token": token, "recovery_code": tenant.recovery_code(ANA)}
        answer = ana.json("POST", "/auth/mfa/verify", json=body)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        text = "This method is not accepted here. Use another one."
        assert answer.json["error_description"] == text
        assert grants(tenant) == []

    def test_no_such_method(self, app):
        """Who has none of them is told so, or offered the way through Universal Login."""
        cleo = Visitor(app)
        cleo.log_in("cleo@example.com")
        answer = cleo.client.get(cleo.mfa_required("/dan")["challenge_url"], headers=HTML)
        assert answer.status_code in (303, 400)
        assert "/auth/mfa/enroll" not in answer.headers.get("Location", "")


class TestTenantThatDoesNotAsk:
    """A tenant whose Action is missing hands out the token without a second factor."""

    @pytest.fixture
    def app(self, make_app):
        """An application with a view for an API that never asks, and for one that can."""
        app = make_app()
        app.add_url_rule("/ledger", view_func=requires_stepup(ACCOUNTS)(lambda: "Inside"))
        return app

    def authorization(self, visitor, url):
        """Follow the guard to Universal Login; return the parameters that it is given."""
        answer = visitor.client.get(url, headers=HTML)
        answer = visitor.client.get(answer.headers["Location"], headers=HTML)
        location = urlsplit(answer.headers["Location"])
        assert location.path == "/authorize"
        return {name: values[0] for name, values in parse_qs(location.query).items()}

    def test_universal_login(self, ana):
        """The user is sent to Universal Login, which is asked for a second factor."""
        asked = self.authorization(ana, "/open")
        assert asked["acr_values"].endswith("policies/2007/06/multi-factor")
        assert asked["audience"] == OPEN
        assert asked["max_age"] == "900"
        assert "offline_access" not in asked["scope"].split()

    def test_not_configured(self, ana):
        """If that brings none either, a page says so; the view stays closed, and nothing loops."""
        page = ana.get("/open")
        assert page.status == 403
        assert page.heading == "A second check is needed, but it is not set up"
        assert ana.get("/open").status == 403

    def test_asks_by_now(self, ana, tenant):
        """A guard asks anew, though a token was handed out without a second factor just now."""
        assert ana.json("GET", f"/token?audience={OPEN}").status_code == 200
        required = {"error": "mfa_required", "mfa_token": "Fe26.2*now"}
        tenant.fault("/oauth/token", status=403, body=required)
        assert ana.get("/open").path == "/auth/mfa/challenge"

    def test_program(self, ana):
        """A program is told the same, with the address that a person can try."""
        answer = ana.json("GET", "/open")
        assert (answer.status_code, answer.json["error"]) == (403, "step_up_unavailable")
        assert answer.json["login_url"].startswith("/auth/login?ticket=")

    def test_second_factor_at_universal_login(self, ana, code):
        """Where Universal Login asks for one, the view opens, on the page that was wanted."""
        page = ana.get("/ledger?year=2026")
        page = pass_tenant_check(ana, page, code)
        assert page.url == "http://localhost/ledger?year=2026"
        assert page.text == "Inside"

    def test_refresh_token_survives(self, ana, code, tenant):
        """That login does not replace the session's refresh token."""
        pass_tenant_check(ana, ana.get("/ledger"), code)
        assert ana.json("GET", f"/token?audience={OPEN}").status_code == 200
        assert refreshes(tenant)[-1] == 200

    def test_ticket_of_another_session(self, app, ana):
        """The address from one session asks for nothing in another one."""
        ticket = ana.json("GET", "/open").json["login_url"]
        location = Visitor(app).client.get(ticket).headers["Location"]
        assert "acr_values" not in location

    def test_trusted(self, make_app):
        """With ``AUTH0_STEPUP_TRUST_TENANT`` the tenant's decision is good enough."""
        ana = Visitor(make_app(AUTH0_STEPUP_TRUST_TENANT=True))
        ana.log_in(ANA)
        assert ana.get("/open").text == "Open"

    def test_trust_does_not_open_what_the_tenant_refuses(self, make_app):
        """Trust means the tenant's decision, so where it asks the user is asked."""
        ana = Visitor(make_app(AUTH0_STEPUP_TRUST_TENANT=True))
        ana.log_in(ANA)
        assert ana.get("/transfer").path == "/auth/mfa/challenge"

    def test_unknown_api(self, make_app):
        """An API that the tenant does not know ends in a page, and the view stays closed."""
        app = make_app()
        app.add_url_rule("/unknown", view_func=requires_stepup("https://x.test")(lambda: "Inside"))
        ana = Visitor(app)
        ana.log_in(ANA)
        page = ana.get("/unknown")
        assert page.status == 403
        assert page.heading
        assert "Inside" not in page.text


def pass_tenant_check(visitor, page, code):
    """Go through the tenant's own pages for a second factor."""
    for _ in range(3):
        if page.url.startswith("http://localhost/"):
            break
        fields = [name for _, fields, _ in page.forms() for name in fields]
        if "password" in fields:
            page = visitor.press(page, "password", username=ANA, password="demo")
        elif "code" in fields:
            page = visitor.press(page, "code", code=code)
        else:
            button = next(tag for tag in page.root.iter("button") if tag.get("name"))
            page = visitor.press(page, "Authenticator app", authenticator_id=button.get("value"))
    return page


class TestLoginWithASecondFactor:
    """A login in which the user has proved a second factor already."""

    @pytest.fixture
    def app(self, make_app):
        """An application whose logins ask for one."""
        acr = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
        return make_app(AUTH0_AUTHORIZE_PARAMS={"acr_values": acr})

    @pytest.fixture
    def visitor(self, visitor, code):
        """Ana, logged in with her password and her app."""
        page = visitor.log_in(ANA)
        assert pass_tenant_check(visitor, page, code).text == "Home"
        return visitor

    def test_opens_what_needs_no_more(self, visitor):
        """It counts for every API whose token the tenant then hands out."""
        assert visitor.get("/open").text == "Open"

    def test_tenant_may_still_ask(self, visitor):
        """Where the tenant asks again, the user is asked again."""
        assert visitor.get("/transfer").path == "/auth/mfa/challenge"

    def test_it_gets_old(self, visitor, clock):
        """It gets old like every other proof."""
        clock.advance(901)
        answer = visitor.client.get("/open", headers=HTML)
        assert answer.headers["Location"].startswith("/auth/login?ticket=")
