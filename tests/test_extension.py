"""The Python API: what an application calls in its own views."""

from __future__ import annotations

import time

import pytest
from authlib.integrations.flask_client import OAuth
from flask import Flask

from flask_auth0_mfa import (
    AudienceUnavailableError,
    Auth0MFA,
    Auth0MFAError,
    ConfigurationError,
    InsufficientScopeError,
    InvalidRequestError,
    LoginRequiredError,
    MfaNoAvailableFactorsError,
    MfaRequiredError,
    MfaTokenInvalidError,
    MfaTokenNotFoundError,
    MfaVerifyError,
    RateLimitedError,
    current_auth0,
    signals,
)
from flask_auth0_mfa.emulator import Configuration, Tenant, serve
from flask_auth0_mfa.emulator.clients import Api
from flask_auth0_mfa.sessions import auth0_session

from .conftest import ACCOUNTS, ADMIN, OPEN, PAYMENTS, SECRET_KEY, add_views
from .emulator.application import Application
from .observed import ANA, grants, paths, refreshes, wrong_code
from .visitor import Visitor

BEN = "ben@example.com"
CLEO = "cleo@example.com"


def call_view(app: Flask) -> None:
    """Give the application a view that does what a test wants done in a request."""
    app.extensions["tests"] = {}

    @app.get("/call")
    def call():
        box = app.extensions["tests"]
        try:
            box["result"] = box["action"]()
        except Auth0MFAError as error:
            box["error"] = error
        return "Done"


def run(visitor: Visitor, action):
    """Return what the action returns in a request of this visitor; raise our error that it had."""
    box = visitor.client.application.extensions["tests"]
    box.clear()
    box["action"] = action
    assert visitor.client.get("/call").text == "Done"
    if "error" in box:
        raise box["error"]
    return box["result"]


@pytest.fixture
def app(make_app):
    """An application whose views call the extension."""
    app = make_app()
    call_view(app)
    app.get("/verify/<token>")(lambda token: str(current_auth0.verify(token, otp="123456")))
    return app


@pytest.fixture
def do(ana):
    """Do something in a request of Ana's."""
    return lambda action: run(ana, action)


@pytest.fixture
def code(tenant):
    """What Ana's authenticator app shows."""
    return tenant.current_otp(ANA)


@pytest.fixture
def mfa_token(do):
    """The sealed token of a check that Ana's request has opened."""
    return refused(do).mfa_token


def refused(do, audience=PAYMENTS, scope="transfer:funds"):
    """Return the error of a refresh that needs a second factor."""
    with pytest.raises(MfaRequiredError) as caught:
        do(lambda: current_auth0.get_access_token(audience, scope))
    return caught.value


class TestUser:
    """``user`` and ``is_authenticated``."""

    def test_signed_in(self, do, tenant):
        """The user's claims are there, without those of the protocol."""
        user = do(lambda: current_auth0.user)
        assert user["email"] == ANA
        assert user["sub"] == tenant.user(ANA).sub
        assert not {"iss", "aud", "exp", "iat", "nonce"} & set(user)
        assert do(lambda: current_auth0.is_authenticated) is True

    def test_nobody(self, visitor):
        """Without a session there is no user, and no error."""
        assert run(visitor, lambda: current_auth0.user) is None
        assert run(visitor, lambda: current_auth0.is_authenticated) is False

    def test_changes_are_not_kept(self, do):
        """What a view does to the claims does not change the session."""
        do(lambda: current_auth0.user.update(email="changed@example.com"))
        assert do(lambda: current_auth0.user)["email"] == ANA


class TestAccessToken:
    """``get_access_token``."""

    def test_fields(self, do):
        """The token comes with its audience, scope and end."""
        token = do(lambda: current_auth0.get_access_token(ACCOUNTS, "read:accounts"))
        assert token.audience == ACCOUNTS
        assert "read:accounts" in token.scope.split()
        assert time.time() + 86_000 < token.expires_at < time.time() + 86_500
        assert token.token.count(".") == 2
        assert token.token not in repr(token)

    def test_cache(self, do, tenant):
        """The second time there is no call to Auth0."""
        first = do(lambda: current_auth0.get_access_token(ACCOUNTS))
        second = do(lambda: current_auth0.get_access_token(ACCOUNTS))
        assert first == second
        assert refreshes(tenant) == [200]

    def test_twice_in_one_request(self, do, tenant):
        """That holds within one request, too."""
        do(lambda: [current_auth0.get_access_token(ACCOUNTS) for _ in range(3)])
        assert refreshes(tenant) == [200]

    def test_refresh(self, do, tenant):
        """``refresh=True`` asks Auth0, and its token is the one that is kept."""
        do(lambda: current_auth0.get_access_token(ACCOUNTS))
        second = do(lambda: current_auth0.get_access_token(ACCOUNTS, refresh=True))
        assert do(lambda: current_auth0.get_access_token(ACCOUNTS)) == second
        assert refreshes(tenant) == [200, 200]

    def test_several_audiences(self, do, tenant):
        """Each API has a token of its own."""
        for _ in range(2):
            for audience in (ACCOUNTS, OPEN):
                found = do(lambda audience=audience: current_auth0.get_access_token(audience))
                assert found.audience == audience
        assert refreshes(tenant) == [200, 200]

    def test_default_audience(self, make_app, tenant):
        """Without an audience it is that of the settings, whose token the login has brought."""
        app = make_app(AUTH0_AUDIENCE=ACCOUNTS)
        call_view(app)
        ana = Visitor(app)
        ana.log_in(ANA)
        assert run(ana, lambda: current_auth0.get_access_token()).audience == ACCOUNTS
        assert run(ana, lambda: current_auth0.get_access_token(ACCOUNTS)).audience == ACCOUNTS
        assert refreshes(tenant) == []

    def test_no_default_audience(self, do, tenant):
        """Without any audience it is the token of the login."""
        assert do(lambda: current_auth0.get_access_token()).audience is None
        assert refreshes(tenant) == []

    def test_scope_union(self, do, code):
        """Asking for one more scope keeps those that the token has already."""
        for scope in ("read:payments", "transfer:funds"):
            token = refused(do, scope=scope).mfa_token
            do(lambda token=token: current_auth0.verify(token, otp=code))
        token = do(lambda: current_auth0.get_access_token(PAYMENTS))
        assert {"read:payments", "transfer:funds"} <= set(token.scope.split())

    def test_no_scope(self, do, code):
        """Without a scope it is all that the user may have, also when the token has less."""
        mfa_token = refused(do, scope="read:payments").mfa_token
        do(lambda: current_auth0.verify(mfa_token, otp=code))
        assert do(lambda: current_auth0.get_access_token(PAYMENTS)).scope == "read:payments"
        with pytest.raises(MfaRequiredError) as caught:
            do(lambda: current_auth0.get_access_token(PAYMENTS, refresh=True))
        do(lambda: current_auth0.verify(caught.value.mfa_token, otp=code))
        token = do(lambda: current_auth0.get_access_token(PAYMENTS))
        assert {"read:payments", "transfer:funds"} <= set(token.scope.split())

    def test_scope_that_is_there(self, do, tenant):
        """Asking for less than the token has makes no call."""
        do(lambda: current_auth0.get_access_token(ACCOUNTS))
        do(lambda: current_auth0.get_access_token(ACCOUNTS, "read:accounts"))
        assert refreshes(tenant) == [200]

    def test_scope_that_is_not_granted(self, do):
        """A scope that the user may not have is told, rather than a token without it given."""
        with pytest.raises(InsufficientScopeError) as caught:
            do(lambda: current_auth0.get_access_token(ACCOUNTS, "delete:accounts"))
        assert (caught.value.status, caught.value.error) == (403, "insufficient_scope")

    def test_scope_that_is_not_named(self, do, tenant):
        """Where Auth0's answer names no scope, it is what was asked for (RFC 6749 section 5.1)."""
        now = int(time.time())
        claims = {"iss": tenant.issuer, "iat": now, "exp": now + 600, "aud": ACCOUNTS}
        token = tenant.keys.sign({**claims, "sub": tenant.user(ANA).sub})
        body = {"token_type": "Bearer", "expires_in": 600, "access_token": token}
        tenant.fault("/oauth/token", status=200, body=body, times=2)
        for scope in (None, "read:accounts"):
            found = do(lambda scope=scope: current_auth0.get_access_token(ACCOUNTS, scope))
            assert (found.token, found.scope) == (token, scope or "")

    def test_audience_outside_the_policy(self, do, caplog):
        """An API that the refresh token is not good for is told, with the remedy in the log."""
        with pytest.raises(AudienceUnavailableError) as caught:
            do(lambda: current_auth0.get_access_token("https://other.example.com"))
        assert (caught.value.status, caught.value.error) == (403, "invalid_target")
        assert "not for https://other.example.com: " in caplog.text
        assert "refresh token policies" in caplog.text

    def test_audience_outside_the_policy_is_not_kept(self, do):
        """The token for another API that came instead is not passed off as this one's."""
        for _ in range(2):
            with pytest.raises(AudienceUnavailableError):
                do(lambda: current_auth0.get_access_token("https://other.example.com"))

    def test_nobody(self, visitor):
        """Without a session the user has to log in."""
        with pytest.raises(LoginRequiredError):
            run(visitor, lambda: current_auth0.get_access_token(ACCOUNTS))

    def test_mfa_required(self, do):
        """Where the tenant wants a second factor, the error has what is needed for it."""
        error = refused(do)
        assert (error.status, error.error) == (403, "mfa_required")
        assert {"type": "otp"} in error.mfa_requirements["challenge"]
        assert error.to_dict()["mfa_token"] == error.mfa_token

    def test_deleted_user(self, do, tenant):
        """A user who is gone at Auth0 has to log in, which then tells them."""
        tenant.delete_user(ANA)
        with pytest.raises(LoginRequiredError):
            do(lambda: current_auth0.get_access_token(ACCOUNTS))


class TestShortLife:
    """An API whose tokens live for a minute."""

    @pytest.fixture
    def tenant_server(self):
        """A tenant with such an API."""
        apis = (Api(ACCOUNTS, ("read:accounts",), access_token_ttl=60),)
        with serve(Tenant(Configuration(apis=apis)), port=0) as server:
            yield server

    def test_end(self, do, tenant, clock):
        """A token is replaced shortly before its end, since it could expire on its way."""
        for seconds, calls in ((0, 1), (29, 1), (2, 2), (29, 2), (2, 3)):
            clock.advance(seconds)
            do(lambda: current_auth0.get_access_token(ACCOUNTS))
            assert len(refreshes(tenant)) == calls


class TestMfa:
    """The MFA API in Python."""

    def test_authenticators(self, do, mfa_token):
        """The user's methods, strongest first, as typed values."""
        found = do(lambda: current_auth0.get_authenticators(mfa_token))
        assert [one.method for one in found] == [
            "otp",
            "push",
            "sms",
            "voice",
            "email",
            "recovery-code",
        ]

    def test_verify(self, do, mfa_token, code, tenant):
        """A right code brings the token, and what opens the guarded views."""
        response = do(lambda: current_auth0.verify(mfa_token, otp=code))
        token = do(lambda: current_auth0.get_access_token(PAYMENTS))
        assert token.token == response.access_token
        assert refreshes(tenant) == [403]

    def test_verify_opens_guarded_views(self, ana, do, mfa_token, code):
        """A check by Python counts like one by page."""
        do(lambda: current_auth0.verify(mfa_token, otp=code))
        assert ana.get("/transfer").path == "/transfer"

    def test_verify_changes_the_session_id(self, do, mfa_token, code):
        """A proof gives the session another id, as a login does (ASVS 7.2.4)."""

        def sid():
            with auth0_session() as mine:
                return mine.sid

        before = do(sid)
        do(lambda: current_auth0.verify(mfa_token, otp=code))
        assert do(sid) not in (None, before)

    def test_verified_once(self, do, mfa_token, code):
        """A finished check is not there any more."""
        do(lambda: current_auth0.verify(mfa_token, otp=code))
        with pytest.raises(MfaTokenNotFoundError):
            do(lambda: current_auth0.get_authenticators(mfa_token))

    def test_wrong_code(self, do, mfa_token, tenant):
        """A wrong code says how many tries are left."""
        with pytest.raises(MfaVerifyError) as caught:
            do(lambda: current_auth0.verify(mfa_token, otp=wrong_code(tenant)))
        assert (caught.value.status, caught.value.error) == (400, "verification_failed")
        assert caught.value.attempts_left == 4

    def test_limit(self, do, mfa_token, tenant):
        """The limits of the pages hold here."""
        for _ in range(5):
            with pytest.raises(MfaVerifyError):
                do(lambda: current_auth0.verify(mfa_token, otp=wrong_code(tenant)))
        with pytest.raises(RateLimitedError) as caught:
            do(lambda: current_auth0.verify(mfa_token, otp=tenant.current_otp(ANA)))
        assert caught.value.retry_after > 0
        assert len(grants(tenant)) == 5

    @pytest.mark.parametrize(
        "proof",
        [
            {},
            {"otp": ""},
            {"otp": "12345"},
            {"otp": "123456", "recovery_code": "A" * 24},
            {"otp": "123456", "oob_code": "x"},
            {"binding_code": "123456"},
            {"oob_code": "x", "binding_code": "x"},
            {"otp": 123456},
            {"otp": b"123456"},
            {"recovery_code": ["A"]},
            {"oob_code": "x", "binding_code": 123456},
            {"oob_code": {}},
        ],
        ids=str,
    )
    def test_malformed(self, do, mfa_token, tenant, proof):
        """What cannot be a proof is refused, and nothing is sent to Auth0."""
        with pytest.raises(InvalidRequestError):
            do(lambda: current_auth0.verify(mfa_token, **proof))
        assert grants(tenant) == []

    def test_cookies_from_before(self, ana, do, mfa_token, code):
        """A finished check does not come back with the cookies that it was open in."""
        before = ana.tab()
        do(lambda: current_auth0.verify(mfa_token, otp=code))
        with pytest.raises(MfaTokenNotFoundError):
            run(before, lambda: current_auth0.get_authenticators(mfa_token))

    def test_expired(self, ana, mfa_token, clock):
        """After its time the token opens nothing, and the page offers to start again."""
        clock.advance(301)
        page = ana.get(f"/verify/{mfa_token}")
        assert (page.status, page.heading) == (401, "This check has timed out")
        assert "Authenticator app" in ana.press(page, "Start again").text

    @pytest.mark.parametrize("token", ["", "x", "v1.M.x.y", "\u2603", None, 5, b"x", ["x"]])
    def test_invalid(self, do, token):
        """What is no sealed token is refused, Auth0's own included."""
        with pytest.raises(MfaTokenInvalidError):
            do(lambda: current_auth0.get_authenticators(token))

    def test_challenge(self, do, mfa_token, tenant):
        """A message is sent, and its code proves the factor."""
        sms = next(
            one.id
            for one in do(lambda: current_auth0.get_authenticators(mfa_token))
            if one.method == "sms"
        )
        started = do(lambda: current_auth0.challenge(mfa_token, authenticator_id=sms))
        assert (started.challenge_type, started.binding_method) == ("oob", "prompt")
        sent = tenant.last_message(ANA).code
        do(lambda: current_auth0.verify(mfa_token, oob_code=started.oob_code, binding_code=sent))
        assert grants(tenant) == [200]

    def test_challenge_of_the_app(self, do, mfa_token, tenant):
        """An authenticator app needs nothing sent."""
        started = do(lambda: current_auth0.challenge(mfa_token, challenge_type="otp"))
        assert (started.challenge_type, started.oob_code) == ("otp", None)
        assert "/mfa/challenge" not in paths(tenant)

    def test_challenge_that_is_not_there(self, do, app):
        """A type that the user does not have is told."""
        cleo = Visitor(app)
        cleo.log_in(CLEO)
        token = refused(lambda action: run(cleo, action)).mfa_token
        with pytest.raises(MfaNoAvailableFactorsError):
            run(cleo, lambda: current_auth0.challenge(token, challenge_type="oob"))

    def test_chain(self, do, code, tenant):
        """Where two factors are wanted, the first one brings a new token for the second."""
        token = refused(do, ADMIN, "read:admin").mfa_token
        with pytest.raises(MfaRequiredError) as caught:
            do(lambda: current_auth0.verify(token, otp=code))
        following = caught.value.mfa_token
        recovery_code = tenant.recovery_code(ANA)
        response = do(lambda: current_auth0.verify(following, recovery_code=recovery_code))
        assert response.recovery_code == tenant.recovery_code(ANA) != recovery_code


class TestComplete:
    """``complete_mfa_challenge``: the kind of the code follows from what was started."""

    @pytest.fixture
    def complete(self, do, mfa_token):
        """Complete Ana's check with a code."""
        return lambda code: do(lambda: current_auth0.complete_mfa_challenge(mfa_token, code))

    def start(self, do, mfa_token, method):
        """Start a challenge of that method."""
        listed = do(lambda: current_auth0.get_authenticators(mfa_token))
        chosen = next(one.id for one in listed if one.method == method)
        do(lambda: current_auth0.challenge(mfa_token, authenticator_id=chosen))

    def test_nothing_started(self, complete, code):
        """Without a challenge it is a code of the authenticator app."""
        assert complete(code).access_token

    @pytest.mark.parametrize("method", ["sms", "voice", "email"])
    def test_message(self, do, mfa_token, complete, tenant, method):
        """After a message it is the code of that."""
        self.start(do, mfa_token, method)
        assert complete(tenant.last_message(ANA).code).access_token

    def test_recovery_code(self, do, mfa_token, complete, tenant):
        """After the recovery code was chosen it is that."""
        self.start(do, mfa_token, "recovery-code")
        assert complete(tenant.recovery_code(ANA)).recovery_code

    def test_app_after_a_message(self, do, mfa_token, complete, tenant, code):
        """The method that was chosen last counts."""
        self.start(do, mfa_token, "sms")
        self.start(do, mfa_token, "otp")
        assert complete(code).access_token

    @pytest.mark.parametrize("entered", [None, 123456, "", "12345", b"123456"])
    def test_malformed(self, complete, tenant, entered):
        """What cannot be a code is refused, and nothing is sent to Auth0."""
        with pytest.raises(InvalidRequestError):
            complete(entered)
        assert grants(tenant) == []


class TestEnroll:
    """``enroll``: a first method for somebody who has none."""

    @pytest.fixture
    def app(self, make_app):
        """An application whose logins always say when the password was entered."""
        app = make_app(AUTH0_AUTHORIZE_PARAMS={"max_age": "3600"})
        call_view(app)
        return app

    @pytest.fixture
    def ben(self, visitor):
        """Do something in a request of Ben's, who has nothing enrolled."""
        visitor.log_in(BEN)
        return lambda action: run(visitor, action)

    def test_app(self, ben, tenant):
        """An app is confirmed by its first code, which completes the check."""
        token = refused(ben).mfa_token
        begun = ben(lambda: current_auth0.enroll(token, "otp"))
        assert begun.secret
        assert begun.barcode_uri.startswith("otpauth://totp/")
        assert len(begun.recovery_codes) == 1
        first = tenant.current_otp(BEN)
        assert ben(lambda: current_auth0.complete_mfa_challenge(token, first)).access_token

    def test_phone(self, ben, tenant):
        """So is a phone number."""
        token = refused(ben).mfa_token
        number = "+447700900123"
        ben(lambda: current_auth0.enroll(token, "sms", phone_number=number))
        assert tenant.last_message(BEN).to == number
        sent = tenant.last_message(BEN).code
        assert ben(lambda: current_auth0.complete_mfa_challenge(token, sent)).access_token

    def test_unknown_factor(self, ben, tenant):
        """A factor that nobody knows is refused, and nothing is sent to Auth0."""
        token = refused(ben).mfa_token
        with pytest.raises(InvalidRequestError):
            ben(lambda: current_auth0.enroll(token, "pigeon"))
        assert "/mfa/associate" not in paths(tenant)

    @pytest.mark.parametrize("number", [None, "", 447700900123, "07700 900123"])
    def test_phone_number(self, ben, tenant, number):
        """Without a number to send to nothing is sent to Auth0, and nothing is counted."""
        token = refused(ben).mfa_token
        for _ in range(4):
            with pytest.raises(InvalidRequestError):
                ben(lambda: current_auth0.enroll(token, "sms", phone_number=number))
        assert "/mfa/associate" not in paths(tenant)

    def test_who_has_methods(self, do, tenant):
        """Who has a method cannot add another one during a check."""
        token = refused(do).mfa_token
        with pytest.raises(MfaNoAvailableFactorsError):
            do(lambda: current_auth0.enroll(token, "otp"))
        assert "/mfa/associate" not in paths(tenant)

    def test_old_login(self, ben, clock, tenant):
        """Whose login is old has to log in first."""
        clock.advance(400)
        token = refused(ben).mfa_token
        with pytest.raises(LoginRequiredError):
            ben(lambda: current_auth0.enroll(token, "otp"))
        assert "/mfa/associate" not in paths(tenant)


class TestOwnLogin:
    """``sign_in`` and ``sign_out``, for applications that run their own login."""

    @pytest.fixture
    def tokens(self, tenant_server, tenant):
        """Return the answer of the token endpoint to a login that somebody else ran."""

        def tokens(email=ANA, **parameters):
            with Application(tenant_server.url) as own:
                return own.log_in(email, **parameters)

        return tokens

    def sign_in(self, visitor, tokens):
        """Sign in with that answer."""
        run(visitor, lambda: current_auth0.sign_in(tokens))

    def test_sign_in(self, visitor, tokens, code):
        """Afterwards the user is known, and everything works as after our own login."""
        self.sign_in(visitor, tokens())
        assert visitor.get("/accounts").text == f"Accounts of {ANA}"
        assert visitor.step_up("/transfer", code).path == "/transfer"

    @pytest.mark.parametrize("id_token", [None, "", "not.a.jwt", "x" * 10_000])
    def test_bad_id_token(self, visitor, tokens, id_token):
        """An answer whose ID token is missing or no good signs nobody in."""
        with pytest.raises(LoginRequiredError):
            self.sign_in(visitor, tokens() | {"id_token": id_token})
        assert run(visitor, lambda: current_auth0.is_authenticated) is False

    def test_id_token_of_another_client(self, visitor, tokens, tenant):
        """An ID token that was made for another application signs nobody in."""
        now = int(time.time())
        claims = {"iss": tenant.issuer, "aud": "other", "sub": "x", "iat": now, "exp": now + 60}
        with pytest.raises(LoginRequiredError):
            self.sign_in(visitor, tokens() | {"id_token": tenant.keys.sign(claims)})

    def test_another_user(self, visitor, tokens, code):
        """Somebody else's login ends the session before: proof, checks and tokens."""
        self.sign_in(visitor, tokens())
        visitor.step_up("/transfer", code)
        visitor.mfa_required("/api/balance")
        self.sign_in(visitor, tokens(CLEO))
        assert run(visitor, lambda: current_auth0.user)["email"] == CLEO
        assert visitor.json("GET", "/transfer").status_code == 403
        assert len([name for name in visitor.cookies() if "_auth0_c_" in name]) == 1

    def test_with_a_second_factor(self, visitor, tokens, tenant):
        """A login that says ``amr: mfa`` counts as a proof."""
        answer = tokens()
        claims = tenant.keys.verify(answer["id_token"]) | {"amr": ["mfa"]}
        self.sign_in(visitor, answer | {"id_token": tenant.keys.sign(claims)})
        assert visitor.get("/open").text == "Open"

    def test_old_second_factor(self, visitor, tokens, tenant):
        """The same answer, handed over once more much later, is no proof of that moment."""
        answer, then = tokens(), int(time.time()) - 3600
        claims = tenant.keys.verify(answer["id_token"]) | {"amr": ["mfa"], "iat": then}
        self.sign_in(visitor, answer | {"id_token": tenant.keys.sign(claims)})
        assert visitor.get("/accounts").text == f"Accounts of {ANA}"
        assert visitor.json("GET", "/open").status_code == 403

    def test_sign_out(self, ana, do, code):
        """Signing out ends the session here: user, tokens and proof."""
        ana.step_up("/transfer", code)
        do(lambda: current_auth0.sign_out())
        assert do(lambda: current_auth0.user) is None
        assert ana.json("GET", "/transfer").status_code == 401
        assert not [name for name in ana.cookies() if "auth0" in name]

    def test_registry_of_the_application(self, tenant_server):
        """What the application registered with Authlib is still found where Authlib keeps it."""
        app = bare_app(tenant_server.url)
        registry = OAuth(app)
        Auth0MFA(app)
        assert app.extensions["authlib.integrations.flask_client"] is registry

    def test_sign_out_of_nobody(self, visitor):
        """Signing out without a session is no error."""
        run(visitor, lambda: current_auth0.sign_out())


def bare_app(url: str, **config) -> Flask:
    """Return an application without the extension."""
    app = Flask("bare")
    app.config.update(
        SECRET_KEY=SECRET_KEY,
        AUTH0_DOMAIN=url,
        AUTH0_CLIENT_ID="demo-client",
        AUTH0_CLIENT_SECRET="demo-secret",
        **config,
    )
    return app


class TestSetUp:
    """``Auth0MFA(app)`` and ``init_app``."""

    def test_factory(self, tenant, tenant_server):
        """The object can be made first, and the application later."""
        mfa = Auth0MFA()
        app = bare_app(tenant_server.url)
        mfa.init_app(app)
        add_views(app)
        ana = Visitor(app)
        assert ana.log_in(ANA).text == "Home"

    def test_the_object_itself(self, tenant, tenant_server):
        """The object has the same methods as ``current_auth0``."""
        app = bare_app(tenant_server.url)
        mfa = Auth0MFA(app)
        add_views(app)
        call_view(app)
        ana = Visitor(app)
        ana.log_in(ANA)
        assert run(ana, lambda: mfa.user) == run(ana, lambda: current_auth0.user)
        assert run(ana, lambda: mfa.get_access_token(ACCOUNTS)).audience == ACCOUNTS

    def test_twice(self, tenant_server):
        """Setting up twice is a mistake, and is told."""
        app = bare_app(tenant_server.url)
        mfa = Auth0MFA(app)
        with pytest.raises(ConfigurationError, match="init_app once"):
            mfa.init_app(app)
        with pytest.raises(ConfigurationError, match="init_app once"):
            Auth0MFA(app)

    def test_options_win(self, tenant, tenant_server, clock):
        """An option of the constructor wins over the configuration."""
        app = bare_app(tenant_server.url, AUTH0_MFA_CONTEXT_TTL=300)
        Auth0MFA(app, clock=clock, mfa_context_ttl=60)
        add_views(app)
        ana = Visitor(app)
        ana.log_in(ANA)
        page = ana.challenge_page("/transfer")
        clock.advance(61)
        assert ana.get(page.url).status == 401

    def test_unknown_option(self, tenant_server):
        """An option with a typing error is told, with those that there are."""
        with pytest.raises(ConfigurationError, match="mfa_context_ttl"):
            Auth0MFA(bare_app(tenant_server.url), mfa_context_tll=60)

    def test_prefix(self, make_app, tenant):
        """The routes can be put under another prefix."""
        app = make_app(AUTH0_MFA_URL_PREFIX="/id")
        visitor = Visitor(app)
        page = visitor.get("/transfer")
        page = visitor.press(page, "password", username=CLEO, password="demo")
        assert page.path == "/id/mfa/challenge"
        page = visitor.press(page, "code", code=tenant.current_otp(CLEO))
        assert page.path == "/transfer"
        assert visitor.get("/auth/profile").status == 404

    def test_without_extension(self):
        """Using it in an application that has none says what to do."""
        app = Flask("bare")
        with app.test_request_context(), pytest.raises(RuntimeError, match=r"Auth0MFA\(app\)"):
            _ = current_auth0.user

    def test_without_an_application(self):
        """Using it outside of an application is Flask's own error."""
        with pytest.raises(RuntimeError, match="application context"):
            _ = current_auth0.user

    def test_command_line(self, app):
        """An application context without a request does not need a session."""
        with app.app_context():
            assert isinstance(current_auth0._get_current_object(), Auth0MFA)


class TestTwoApplications:
    """One process, one extension object, two applications."""

    @pytest.fixture
    def both(self, tenant, tenant_server, clock):
        """Two applications with settings of their own."""
        mfa = Auth0MFA(clock=clock)
        apps = []
        for prefix, limit in (("/one", "1 per 15 minutes"), ("/two", "10 per 15 minutes")):
            app = bare_app(tenant_server.url, AUTH0_MFA_VERIFY_LIMIT=limit)
            app.name = prefix
            mfa.init_app(app, mfa_url_prefix=prefix)
            add_views(app)
            apps.append(app)
        return apps

    @staticmethod
    def page(app):
        """Log Cleo in; return her and the page that asks for her code."""
        visitor = Visitor(app)
        page = visitor.get("/transfer")
        return visitor, visitor.press(page, "password", username=CLEO, password="demo")

    def test_settings(self, both):
        """Each has its own routes."""
        for app, prefix in zip(both, ("/one", "/two"), strict=True):
            assert self.page(app)[1].path == f"{prefix}/mfa/challenge"

    def test_limits(self, both, tenant):
        """Each has its own limits, and counts for itself."""
        statuses = []
        for app in both:
            visitor, page = self.page(app)
            for _ in range(2):
                answer = visitor.press(page, "code", code=wrong_code(tenant, CLEO))
            statuses.append(answer.status)
        assert statuses == [429, 400]

    def test_signals(self, both):
        """A signal names the application that it comes from."""
        senders = []

        def keep(sender, **arguments):
            senders.append(sender)

        with signals.logged_in.connected_to(keep):
            for app in both:
                self.page(app)
        assert senders == both

    def test_keys(self, both):
        """With secret keys of their own, the cookies of one are nothing to the other."""
        first, second = both
        second.config["SECRET_KEY"] = "another secret key"
        visitor, _ = self.page(first)
        other = Visitor(second)
        other.take_cookies(visitor)
        assert other.json("GET", "/two/profile").status_code == 401
