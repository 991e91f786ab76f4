"""Login by Universal Login, its callback, logout, and the profile."""

from __future__ import annotations

import base64
import hmac
import json
import time
from urllib.parse import parse_qs, parse_qsl, urlencode, urljoin, urlsplit

import pytest
from flask import session
from joserfc import jwt
from joserfc.jwk import RSAKey

from flask_auth0_mfa import current_auth0, requires_stepup
from flask_auth0_mfa.emulator import Configuration, Tenant, serve
from flask_auth0_mfa.emulator.clients import Client
from flask_auth0_mfa.services import EXTENSION

from .conftest import ACCOUNTS, PAYMENTS, app_on_server
from .observed import ANA, paths
from .visitor import SITE, Page, Visitor

HTML = {"Accept": "text/html"}
CLEO = "cleo@example.com"


@pytest.fixture
def app(make_app):
    """An application that keeps something of its own in the session."""
    app = make_app()

    @app.get("/note/<text>")
    def write_note(text):
        session["note"] = text
        return "Noted"

    @app.get("/note")
    def read_note():
        return session.get("note", "No note")

    @app.get("/leave")
    def leave():
        session.clear()
        return "Bye"

    return app


def query_of(url):
    """Return the parameters of an address."""
    return dict(parse_qsl(urlsplit(url).query))


def authorization(visitor, url="/auth/login"):
    """Begin a login; return the address at the tenant."""
    return visitor.client.get(url, headers=HTML).headers["Location"]


def callback(visitor, url="/auth/login", email=ANA):
    """Log in at the tenant; return the address that it sends the browser to."""
    answer = visitor.tenant.get(authorization(visitor, url), timeout=10)
    page = Page(answer.url, answer.status_code, answer.text, answer.headers)
    action, fields = page.form("password")
    fields |= {"username": email, "password": "demo"}
    answer = visitor.tenant.post(action, data=fields, allow_redirects=False, timeout=10)
    return urljoin(action, answer.headers["Location"])


def is_signed_in(visitor):
    """Tell whether the application knows this visitor."""
    return visitor.json("GET", "/auth/profile").status_code == 200


class TestLogin:
    """GET /auth/login."""

    def test_request(self, visitor, tenant_server):
        """The tenant is asked for a code, with PKCE, state and nonce, for our own callback."""
        url = authorization(visitor)
        assert url.startswith(f"{tenant_server.url}/authorize?")
        query = query_of(url)
        assert query["response_type"] == "code"
        assert query["client_id"] == "demo-client"
        assert query["redirect_uri"] == "http://localhost/auth/callback"
        assert query["scope"] == "openid profile email offline_access"
        assert query["code_challenge_method"] == "S256"
        assert min(len(query[name]) for name in ("state", "nonce", "code_challenge")) >= 20

    def test_every_login_is_its_own(self, visitor):
        """No two logins share state, nonce or challenge."""
        first, second = query_of(authorization(visitor)), query_of(authorization(visitor))
        for name in ("state", "nonce", "code_challenge"):
            assert first[name] != second[name]

    def test_settings(self, make_app):
        """Audience, scope and further parameters come from the settings, never from the address."""
        app = make_app(
            AUTH0_AUDIENCE=ACCOUNTS,
            AUTH0_SCOPE="openid read:accounts",
            AUTH0_AUTHORIZE_PARAMS={"organization": "org_1", "ui_locales": "cy"},
        )
        query = query_of(authorization(Visitor(app), "/auth/login?scope=all&organization=org_2"))
        assert query["audience"] == ACCOUNTS
        assert query["scope"] == "openid read:accounts"
        assert (query["organization"], query["ui_locales"]) == ("org_1", "cy")

    def test_lands_where_it_was_asked_for(self, visitor):
        """After the login the user is on the page that wanted it, query string included."""
        page = visitor.get("/accounts?page=2&sort=date")
        page = visitor.press(page, "password", username=ANA, password="demo")
        assert page.url == "http://localhost/accounts?page=2&sort=date"
        assert page.text == f"Accounts of {ANA}"

    def test_wrong_password(self, visitor):
        """A wrong password does not sign in."""
        page = visitor.get("/accounts")
        page = visitor.press(page, "password", username=ANA, password="wrong")
        assert page.status == 400
        assert not is_signed_in(visitor)

    def test_two_tabs(self, visitor):
        """Two logins begun in two tabs can both be finished."""
        first = callback(visitor, "/auth/login?return_to=/accounts?a=1")
        visitor.tenant.cookies.clear()
        second = callback(visitor, "/auth/login?return_to=/accounts?a=2")
        assert visitor.get(first).url == "http://localhost/accounts?a=1"
        assert visitor.get(second).url == "http://localhost/accounts?a=2"

    def test_logins_that_were_never_finished(self, visitor):
        """Beginning many logins does not fill the browser with what is kept for them."""
        for _ in range(30):
            authorization(visitor)
        assert sum(len(value) for value in visitor.cookies().values()) < 4096
        assert visitor.log_in(ANA).text == "Home"

    @pytest.mark.parametrize(
        "return_to",
        [
            "https://evil.test/",
            "//evil.test",
            "///evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "https:evil.test",
            "http:///evil.test",
            "javascript:alert(1)",
            "data:text/html,x",
            "/\t/evil.test",
            " //evil.test",
            "%2F%2Fevil.test",
            "evil.test",
            "/%0d%0aSet-Cookie:x=1",
            "/\r\nSet-Cookie: x=1",
            "/" + "a" * 4000,
            "/auth/logout",
            "/auth/login",
            "/auth/callback?code=x",
            "",
        ],
    )
    def test_open_redirect(self, visitor, return_to):
        """An address that leaves the application, or does harm in it, leads home instead."""
        url = f"/auth/login?{urlencode({'return_to': return_to})}"
        answer = visitor.client.get(callback(visitor, url), headers=HTML)
        location = urljoin(SITE, answer.headers["Location"])
        assert answer.status_code == 303
        assert location in (f"{SITE}/", f"{SITE}/%0d%0aSet-Cookie:x=1")
        assert "x" not in visitor.cookies()

    @pytest.mark.parametrize(
        "return_to",
        [
            "/./auth/logout",
            "/.//auth/logout",
            "/x/../auth/logout",
            "/x/%2e%2E/auth/logout",
            "/auth//../logout",
            "/auth//logout",
            "/%61uth/logout",
            "/auth%2flogout",
            "/%2fauth/logout",
            "/auth/.",
        ],
    )
    def test_own_routes(self, visitor, return_to):
        """A detour to the extension's own routes, such as the logout, leads home as well."""
        url = f"/auth/login?{urlencode({'return_to': return_to})}"
        answer = visitor.client.get(callback(visitor, url), headers=HTML)
        assert answer.headers["Location"] == "/"

    @pytest.mark.parametrize("return_to", ["/authors", "/a/../b", "/auth/../accounts", "/x/auth/y"])
    def test_no_own_routes(self, visitor, return_to):
        """What only looks like one is a page like any other."""
        url = f"/auth/login?{urlencode({'return_to': return_to})}"
        answer = visitor.client.get(callback(visitor, url), headers=HTML)
        assert answer.headers["Location"] == return_to

    def test_host_header(self, visitor):
        """The callback's address is that of the request, which the tenant checks."""
        answer = visitor.client.get("/auth/login", headers={"X-Forwarded-Host": "evil.test"})
        assert "evil.test" not in answer.headers["Location"]

    def test_auth0_down(self, visitor, tenant):
        """Beginning a login needs no answer of Auth0's."""
        tenant.fault("*", status=500, times=10)
        assert visitor.client.get("/auth/login").status_code == 303


class TestCallback:
    """GET /auth/callback."""

    def failed(self, visitor, url, status=400):
        """Open the address; check that it ends in a page with a way on, signed out."""
        page = visitor.get(url)
        assert page.status == status
        assert page.link("Sign in again").startswith("http://localhost/auth/login")
        assert not is_signed_in(visitor)
        return page

    def test_success(self, visitor):
        """A login that was begun here is finished with 303, and keeps nothing of the protocol."""
        answer = visitor.client.get(callback(visitor), headers=HTML)
        assert answer.status_code == 303
        assert "no-store" in answer.headers["Cache-Control"]
        assert is_signed_in(visitor)

    @pytest.mark.parametrize("state", ["", "x", None, "\u2603"])
    def test_other_state(self, visitor, tenant, state):
        """A callback with another state, or none, is refused before its code is used."""
        query = query_of(callback(visitor)) | {"state": state}
        query = {name: value for name, value in query.items() if value is not None}
        before = paths(tenant)
        self.failed(visitor, f"/auth/callback?{urlencode(query)}")
        assert paths(tenant) == before

    def test_login_of_somebody_else(self, app, visitor):
        """A callback that was begun in another browser signs nobody in."""
        attacker = Visitor(app)
        self.failed(visitor, callback(attacker))

    def test_without_cookies(self, app, visitor):
        """Whose browser keeps no cookies would log in for ever: the page says what to allow."""
        page = Visitor(app).get(callback(visitor))
        assert "If this happens again, allow cookies for this site." in page.text

    def test_replay(self, visitor, app, tenant):
        """The same callback a second time does not exchange its code again."""
        url = callback(visitor)
        visitor.get(url)
        visitor.get("/auth/logout")
        before = paths(tenant)
        self.failed(visitor, url)
        assert paths(tenant) == before

    def test_replay_while_signed_in(self, ana, tenant):
        """Going back to the callback does not sign out who is signed in."""
        url = callback(ana_without_sso(ana))
        ana.get(url)
        assert ana.get(url).status == 400
        assert is_signed_in(ana)

    def test_unknown_code(self, visitor):
        """A code that the tenant does not know signs nobody in."""
        query = query_of(authorization(visitor))
        self.failed(visitor, f"/auth/callback?{urlencode({'code': 'x', 'state': query['state']})}")

    def test_nothing_at_all(self, visitor):
        """A callback without parameters is a page, and no error."""
        self.failed(visitor, "/auth/callback")

    @pytest.mark.parametrize(
        ("error", "status"), [("access_denied", 403), ("server_error", 400), ("<b>x</b>", 400)]
    )
    def test_error_of_auth0(self, visitor, error, status):
        """What Auth0 says about an error is not shown: anybody could have written it."""
        query = {
            "error": error,
            "error_description": "<script>alert(1)</script> call 555-evil",
            "state": query_of(authorization(visitor))["state"],
        }
        page = self.failed(visitor, f"/auth/callback?{urlencode(query)}", status)
        assert "script>alert" not in page.html
        assert "555-evil" not in page.html
        assert "<b>x" not in page.html

    def test_user_cancels(self, visitor):
        """Who cancels at the tenant sees a page that says so."""
        page = visitor.get("/accounts")
        page = visitor.press(page, "password", decision="cancel")
        assert (page.status, page.heading) == (403, "Access was denied")

    def test_error_as_json(self, visitor):
        """A program gets an error of the login as JSON."""
        answer = visitor.json("GET", "/auth/callback?code=x&state=y")
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")

    @pytest.mark.parametrize(
        "fault",
        [
            {"status": 500},
            {"status": 502, "body": "<html>"},
            {"drop": True},
            {"status": 200, "body": []},
            {"status": 200, "body": {}},
            {"status": 200, "body": "nonsense"},
            {"delay": 0.8, "status": 503},
        ],
        ids=str,
    )
    def test_auth0_down(self, make_app, tenant, fault):
        """When the code cannot be exchanged, a page says so and nobody is signed in."""
        visitor = Visitor(make_app(AUTH0_TIMEOUT=(0.4, 0.4)))
        url = callback(visitor)
        tenant.fault("/oauth/token", **fault)
        page = visitor.get(url)
        assert page.status in (400, 503)
        assert page.link("Sign in again")
        assert not is_signed_in(visitor)

    @pytest.mark.parametrize("token", [[], [{}], None, "text"])
    def test_answer_that_is_no_object(self, app, visitor, monkeypatch, token):
        """An answer that older Authlib hands on unread is Auth0's fault, and no error of ours."""
        url = callback(visitor)
        oauth = app.extensions[EXTENSION].oauth
        monkeypatch.setattr(oauth, "authorize_access_token", lambda **_: token)
        page = visitor.get(url)
        assert page.status == 503
        assert not is_signed_in(visitor)

    @pytest.mark.parametrize("body", [{"error": "too_many_attempts"}, "slow down"])
    def test_limit(self, visitor, tenant, body):
        """Where Auth0 has had too many of them, the page says to wait, and so does the header."""
        tenant.fault("/oauth/token", status=429, body=body)
        page = visitor.log_in()
        assert (page.status, page.heading) == (429, "Too many tries")
        assert page.headers["Retry-After"] == "60"

    def test_limit_by_json(self, visitor, tenant):
        """Programs are told as well."""
        begun = query_of(authorization(visitor))
        tenant.fault("/oauth/token", status=429, body={"error": "too_many_attempts"})
        answer = visitor.json("GET", f"/auth/callback?code=x&state={begun['state']}")
        assert (answer.status_code, answer.json["error"]) == (429, "rate_limited")
        assert answer.headers["Retry-After"] == "60"

    def test_keys_unavailable(self, visitor, tenant):
        """When the tenant's keys cannot be had, the ID token is not trusted without them."""
        url = callback(visitor)
        tenant.fault("/.well-known/jwks.json", status=500, times=5)
        page = visitor.get(url)
        assert page.status == 503
        assert not is_signed_in(visitor)


def ana_without_sso(ana):
    """Return Ana's browser after the tenant has forgotten her."""
    ana.tenant.cookies.clear()
    return ana


class TestPlantedSession:
    """Sessions on the server, known by an id that somebody may have put into the browser."""

    @pytest.fixture
    def app(self, tenant, tenant_server, clock):
        """An application with sessions on the server, and with a login of its own."""
        app = app_on_server(tenant_server.url, clock)

        @app.get("/")
        def home():
            return session.setdefault("note", "Home")

        @app.get("/own")
        def own_login():
            now = int(time.time())
            claims = {"iss": tenant.issuer, "aud": "demo-client", "sub": tenant.user(ANA).sub}
            id_token = tenant.keys.sign(claims | {"iat": now, "exp": now + 600})
            current_auth0.sign_in({"access_token": "x", "expires_in": 60, "id_token": id_token})
            return "Signed in"

        return app

    @pytest.mark.parametrize("url", ["/auth/login", "/own"])
    def test_stays_outside(self, app, url):
        """Who knows the id from before the login is not signed in by it; the data stay."""
        attacker, victim = Visitor(app), Visitor(app)
        attacker.get("/")
        victim.take_cookies(attacker)
        if url == "/auth/login":
            victim.log_in(ANA)
        else:
            victim.get(url)
        assert is_signed_in(victim)
        assert victim.get("/").text == "Home"
        assert not is_signed_in(attacker)


class TestIdToken:
    """The ID token of a login."""

    @pytest.fixture
    def forge(self, visitor, tenant):
        """Finish a login with an ID token of our making; tell how the callback answers it."""

        def forge(sign, **changes):
            begun = query_of(authorization(visitor))
            now = int(time.time())
            claims = {
                "iss": tenant.issuer,
                "aud": "demo-client",
                "sub": tenant.user(ANA).sub,
                "iat": now,
                "exp": now + 600,
                "nonce": begun["nonce"],
                **changes,
            }
            claims = {name: value for name, value in claims.items() if value is not None}
            tokens = {"access_token": "x", "token_type": "Bearer", "expires_in": 600}
            body = tokens | {"id_token": sign(claims)}
            tenant.fault("/oauth/token", status=200, body=body)
            return visitor.get(f"/auth/callback?code=x&state={begun['state']}")

        return forge

    def test_genuine(self, forge, tenant, visitor):
        """A token that the tenant signed for this login is accepted: the forger works."""
        assert forge(tenant.keys.sign).text == "Home"
        assert is_signed_in(visitor)

    @pytest.mark.parametrize(
        "changes",
        [
            {"nonce": "of another login"},
            {"nonce": None},
            {"aud": "another-client"},
            {"aud": ["demo-client", "another-client"]},
            {"iss": "https://evil.test/"},
            {"exp": 1},
            {"exp": None},
            {"iat": 4_000_000_000},
            {"sub": None},
            {"sub": ""},
            {"azp": "another-client"},
        ],
        ids=str,
    )
    def test_claims(self, forge, tenant, visitor, changes):
        """A token that was signed for somebody or something else is refused."""
        page = forge(tenant.keys.sign, **changes)
        assert page.status in (400, 401)
        assert not is_signed_in(visitor)

    @pytest.mark.parametrize("algorithm", ["none", "HS256", "own key", "own key, kid of theirs"])
    def test_signature(self, forge, tenant, visitor, algorithm):
        """A token that the tenant did not sign is refused."""
        public = tenant.keys.jwks()["keys"][0]

        def sign(claims):
            if algorithm in ("none", "HS256"):
                return by_hand(algorithm, claims, public)
            key = RSAKey.generate_key(2048)
            kid = public["kid"] if "theirs" in algorithm else "own"
            return jwt.encode({"alg": "RS256", "kid": kid}, claims, key)

        page = forge(sign)
        assert page.status in (400, 401)
        assert not is_signed_in(visitor)

    @pytest.mark.parametrize(("audience", "status"), [(PAYMENTS, 200), (ACCOUNTS, 403)])
    def test_access_token_for_another_api(self, make_app, tenant, audience, status):
        """A view for ``AUTH0_AUDIENCE`` opens with a token for that, whatever the login proved."""
        app = make_app(AUTH0_AUDIENCE=PAYMENTS)
        app.add_url_rule("/pay", view_func=requires_stepup(PAYMENTS)(lambda: "Open"))
        visitor = Visitor(app)
        begun = query_of(authorization(visitor))
        now = int(time.time())
        default = {"iss": tenant.issuer, "sub": tenant.user(ANA).sub, "iat": now, "exp": now + 600}
        claims = {"aud": "demo-client", "nonce": begun["nonce"], "amr": ["mfa"]}
        tokens = {
            "access_token": tenant.keys.sign(default | {"aud": audience}),
            "refresh_token": "v1.any",
            "id_token": tenant.keys.sign(default | claims),
            "token_type": "Bearer",
            "expires_in": 600,
        }
        tenant.fault("/oauth/token", status=200, body=tokens)
        visitor.get(f"/auth/callback?code=x&state={begun['state']}")
        required = {"error": "mfa_required", "mfa_token": "Fe26.2*token"}
        tenant.fault("/oauth/token", status=403, body=required)
        assert visitor.json("GET", "/pay").status_code == status

    def test_missing(self, visitor, tenant):
        """An answer without an ID token signs nobody in."""
        begun = query_of(authorization(visitor))
        tokens = {"access_token": "x", "token_type": "Bearer", "expires_in": 600}
        tenant.fault("/oauth/token", status=200, body=tokens)
        page = visitor.get(f"/auth/callback?code=x&state={begun['state']}")
        assert page.status in (400, 401)
        assert not is_signed_in(visitor)

    @pytest.mark.parametrize(
        "odd",
        [
            {"kty": "EC", "crv": "brainpoolP256r1", "x": "AQ", "y": "AQ", "kid": "odd"},
            {"kty": "RSA", "e": "AQAB", "kid": "odd"},
            {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AQ", "kid": "odd"},
            {},
            7,
        ],
        ids=["curve", "member missing", "kind", "empty", "no key"],
    )
    def test_beside_a_key_of_another_kind(self, visitor, tenant, odd):
        """A key that we cannot use does not keep us from those that we can (RFC 7517 section 5)."""
        body = {"keys": [odd, *tenant.keys.jwks()["keys"]]}
        tenant.fault("/.well-known/jwks.json", status=200, body=body)
        assert visitor.log_in().text == "Home"

    def test_keys_that_were_rotated(self, ana, tenant, app, clock):
        """After the tenant has changed its keys logins go on."""
        tenant.rotate_keys()
        clock.advance(11)
        assert Visitor(app).log_in(CLEO).text == "Home"


def by_hand(algorithm, claims, public):
    """Return a JWT without a signature, or with one by HMAC with the tenant's public key."""
    parts = ({"alg": algorithm, "kid": public["kid"]}, claims)
    signed = ".".join(_base64(json.dumps(part).encode()) for part in parts)
    if algorithm == "none":
        return f"{signed}."
    key = RSAKey.import_key(public).as_pem(private=False)
    return f"{signed}.{_base64(hmac.digest(key, signed.encode(), 'sha256'))}"


def _base64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class TestAnotherUser:
    """Somebody else logs in with the same browser."""

    @pytest.fixture
    def cleo(self, ana, tenant):
        """Cleo, who logs in where Ana still is, verified and with an open check."""
        ana.step_up("/transfer", tenant.current_otp(ANA))
        ana.get("/api/balance?other=scope")
        ana.get("/note/of-ana")
        ana.tenant.cookies.clear()
        ana.log_in(CLEO)
        return ana

    def test_user(self, cleo):
        """The application knows the new user."""
        assert cleo.json("GET", "/auth/profile").json["email"] == CLEO

    def test_proof(self, cleo):
        """The proof of the user before opens nothing."""
        assert cleo.json("GET", "/transfer").status_code == 403

    def test_own_data(self, cleo):
        """The application's own session data is gone."""
        assert cleo.get("/note").text == "No note"

    def test_own_data_of_nobody(self, visitor):
        """What somebody had before they signed in is theirs afterwards."""
        visitor.get("/note/of-ana")
        visitor.log_in(ANA)
        assert visitor.get("/note").text == "of-ana"

    def test_checks(self, cleo, tenant):
        """The open checks are gone, from the browser as well."""
        assert cleo.get("/auth/mfa/challenge").status == 404
        assert not [name for name in cleo.cookies() if "_auth0_c_" in name or "_auth0_t_" in name]

    def test_tokens(self, cleo, tenant):
        """The tokens are the new user's."""
        page = cleo.step_up("/transfer", tenant.current_otp(CLEO))
        assert page.path == "/transfer"

    def test_same_user(self, ana, tenant):
        """Who logs in again keeps what was there, the proof included."""
        ana.step_up("/transfer", tenant.current_otp(ANA))
        ana.get("/note/of-ana")
        ana.tenant.cookies.clear()
        ana.log_in(ANA)
        assert ana.get("/note").text == "of-ana"
        assert ana.get("/transfer").path == "/transfer"


class TestLogout:
    """GET /auth/logout."""

    def test_here(self, ana):
        """The session ends here, the application's own data included."""
        ana.get("/note/of-ana")
        ana.client.get("/auth/logout")
        assert not is_signed_in(ana)
        assert ana.get("/note").text == "No note"

    def test_cookies(self, ana, tenant):
        """No cookie of ours is left."""
        ana.step_up("/transfer", tenant.current_otp(ANA))
        ana.client.get("/auth/logout")
        assert not [name for name in ana.cookies() if "auth0" in name]

    def test_at_auth0(self, ana, tenant_server):
        """The session at Auth0 ends, too: the next login asks for the password."""
        answer = ana.client.get("/auth/logout")
        location = answer.headers["Location"]
        assert answer.status_code == 303
        assert location.startswith(f"{tenant_server.url}/oidc/logout?")
        query = query_of(location)
        assert query["client_id"] == "demo-client"
        assert query["post_logout_redirect_uri"] == "http://localhost/"
        assert "id_token_hint" not in query
        assert ana.get(location).text == "Home"
        assert "password" in ana.get("/accounts").forms()[0][1]

    def test_refresh_token(self, app, ana, tenant):
        """The refresh token is revoked: cookies from before are worth nothing."""
        before = Visitor(app)
        before.take_cookies(ana)
        ana.get("/auth/logout")
        assert "/oauth/revoke" in paths(tenant)
        assert before.json("GET", f"/token?audience={ACCOUNTS}").status_code == 401

    def test_auth0_down(self, ana, tenant):
        """Auth0 being down keeps nobody signed in."""
        tenant.fault("*", status=500, times=20)
        answer = ana.client.get("/auth/logout")
        assert answer.status_code == 303
        assert urlsplit(answer.headers["Location"]).path in ("/oidc/logout", "/v2/logout")
        assert not is_signed_in(ana)

    def test_not_signed_in(self, visitor):
        """Logging out without a session leads home like any other."""
        assert visitor.get("/auth/logout").status == 200

    def test_clearing_the_session(self, ana):
        """An application that empties Flask's session has logged the user out."""
        ana.get("/leave")
        assert not is_signed_in(ana)
        assert not [name for name in ana.cookies() if "auth0" in name]


class TestWithoutRefreshToken:
    """An application that asks for no refresh token by mistake."""

    @pytest.fixture
    def app(self, make_app):
        """The application, without ``offline_access``."""
        return make_app(AUTH0_SCOPE="openid profile email")

    def test_login_works(self, ana):
        """The login itself does not need one."""
        assert ana.get("/accounts").text == f"Accounts of {ANA}"

    def test_no_loop(self, ana):
        """A guarded view ends in a page or a login, and redirects do not go round for ever."""
        page = ana.get("/transfer")
        assert page.status in (200, 401, 403)
        assert "token for" not in page.text

    def test_log(self, visitor, caplog):
        """The log does not speak of what was not asked for."""
        visitor.log_in(ANA)
        assert "refresh token" not in caplog.text


class TestWithoutGrant:
    """A tenant that gives no refresh token, although the application asks for one."""

    @pytest.fixture
    def tenant_server(self):
        """A tenant whose application lacks the grant."""
        client = Client("demo-client", "demo-secret", grant_types=("authorization_code",))
        with serve(Tenant(Configuration(clients=(client,))), port=0) as server:
            yield server

    def test_log(self, visitor, caplog):
        """The log says at each login what is to be switched on."""
        visitor.log_in(ANA)
        assert caplog.text.count("gave no refresh token at login") == 1
        assert "grant Refresh Token" in caplog.text

    def test_page(self, ana):
        """The page says nothing that is not so: the user is signed in."""
        page = ana.get("/transfer")
        assert "Signed in as" in page.text
        assert "You need to sign in again." in page.text


def test_profile_is_not_kept(ana):
    """The profile is kept in no cache."""
    answer = ana.json("GET", "/auth/profile")
    assert "no-store" in answer.headers["Cache-Control"]
    assert "Cookie" in answer.headers["Vary"]


def test_return_to_is_one_parameter(visitor):
    """Of several targets in one address none is smuggled past the check."""
    url = "/auth/login?return_to=/accounts&return_to=https://evil.test/"
    page = visitor.client.get(callback(visitor, url), headers=HTML)
    assert page.headers["Location"] == "/accounts"
    assert "return_to" not in parse_qs(urlsplit(authorization(visitor, url)).query)
