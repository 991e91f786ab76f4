"""Signals: each thing that happens in a flow is told once (SEC-51)."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from blinker import NamedSignal
from flask import request

from flask_auth0_mfa import LoginRequiredError, current_auth0, signals
from flask_auth0_mfa.errors import Auth0UnavailableError
from flask_auth0_mfa.services import EXTENSION

from .conftest import ACCOUNTS, ADMIN, PAYMENTS
from .observed import ANA, logout_token, wrong_code
from .visitor import Visitor
from .ways import MATRIX, PHONE, TARGET

NAMES = {name: one for name, one in vars(signals).items() if isinstance(one, NamedSignal)}


@pytest.fixture
def heard(app):
    """Everything that was told so far: name and arguments, in order."""
    heard, receivers = [], []
    for name, one in NAMES.items():

        def receive(sender, _name=name, **arguments):
            heard.append((_name, arguments))

        one.connect(receive, app)
        receivers.append(receive)
    yield heard
    assert receivers


def begun(visitor, way):
    """Log in and go as far as the page on which the way's code is typed, or its push awaited."""
    visitor.log_in(way.email)
    page = visitor.press(visitor.get(TARGET), way.label)
    if way.enrolls and way.method == "sms":
        page = visitor.press(page, "phone_number", phone_number=PHONE)
    return page


def answered(visitor, page, way, code):
    """Type the code; of a push, press the button after the phone has answered."""
    if way.is_push:
        return visitor.press(page, "I have")
    return visitor.press(page, "code", code=code)


def names(heard):
    """Return the names alone."""
    return [name for name, _ in heard]


@pytest.mark.parametrize("way", MATRIX, ids=lambda way: way.name)
class TestEachWay:
    """Every way to prove a second factor, or to add a first one."""

    def test_success(self, way, visitor, tenant, heard):
        """Login, check, message, proof, new method: each once, in their order."""
        page = begun(visitor, way)
        answered(visitor, page, way, way.right(tenant))
        sent = ["challenge_sent"] * way.is_sent
        added = ["enrolled"] * way.enrolls
        # Who adds a method signs in once more before it.
        again = ["logged_in"] * way.enrolls
        assert names(heard) == ["logged_in", "mfa_required", *again, *sent, "verified", *added]
        told = [what for name, what in heard if name not in ("logged_in", "mfa_required")]
        assert {what["method"] for what in told} == {way.method}
        proof = dict(heard)["verified"]
        assert proof["audience"] == PAYMENTS
        assert {arguments["user_id"] for _, arguments in heard} == {tenant.user(way.email).sub}
        checks = {what["context_id"] for name, what in heard if name != "logged_in"}
        assert len(checks) == 1

    def test_refusal(self, way, visitor, tenant, heard):
        """What the tenant refuses is told once, with the reason, and nothing else."""
        page = begun(visitor, way)
        before = len(heard)
        answered(visitor, page, way, way.wrong(tenant))
        ((name, arguments),) = heard[before:]
        assert arguments["context_id"] == dict(heard)["mfa_required"]["context_id"]
        reason = "access_denied" if way.is_push else "verification_failed"
        assert (name, arguments["method"], arguments["reason"]) == (
            "verify_failed",
            way.method,
            reason,
        )


class TestOthers:
    """What is no proof."""

    def test_second_press(self, visitor, tenant, heard):
        """The second press of the button tells nothing: there was one proof."""
        page = begun(visitor, MATRIX[0])
        code, tab = tenant.current_otp(ANA), visitor.tab()
        visitor.press(page, "code", code=code)
        before = len(heard)
        assert tab.press(page, "code", code=code).path == "/transfer"
        assert heard[before:] == []

    def test_limit(self, make_app, tenant):
        """A limit tells each refusal once."""
        app = make_app(AUTH0_MFA_VERIFY_LIMIT="1 per hour")
        visitor, limits = Visitor(app), []
        with signals.rate_limited.connected_to(lambda _, **what: limits.append(what), app):
            visitor.log_in(ANA)
            page = visitor.challenge_page(TARGET)
            for _ in range(3):
                visitor.press(page, "code", code=wrong_code(tenant))
        assert [one["limit"] for one in limits] == ["user", "user"]

    def test_refresh(self, ana, tenant, heard):
        """A refresh tells for which API the token is, and what may be done with it."""
        ana.json("GET", f"/token?audience={ACCOUNTS}&scope=read:accounts")
        told = {"audience": ACCOUNTS, "scope": "read:accounts", "user_id": tenant.user(ANA).sub}
        assert heard == [("token_refreshed", told)]

    def test_pages_tell_nothing(self, visitor, tenant, heard):
        """Looking at pages again tells nothing."""
        begun(visitor, MATRIX[0])
        before = len(heard)
        for path in ("/auth/mfa/challenge", TARGET, "/auth/mfa/challenge?choose=1", "/"):
            visitor.get(path)
        assert heard[before:] == []

    def test_logout(self, ana, heard):
        """A logout is told once, also when it is asked for twice."""
        ana.get("/auth/logout")
        ana.get("/auth/logout")
        assert names(heard) == ["logged_out"]


def reasons(heard):
    """Return reason and check of each refusal, in order."""
    return [(what["reason"], what["context_id"]) for name, what in heard if name == "check_refused"]


def verify(visitor, mfa_token, **headers):
    """Send a code as a program."""
    body = {"mfa_token": mfa_token, "otp": "000000"}
    return visitor.json("POST", "/auth/mfa/verify", json=body, headers=headers)


@pytest.fixture
def check(ana):
    """Ana's open check as a program knows it: its token, and its id in addresses."""
    answer = ana.mfa_required("/api/balance")
    return answer["mfa_token"], answer["challenge_url"].partition("context=")[2]


class TestRefused:
    """A request about a check that cannot be used is told with its reason."""

    def test_tampered(self, ana, check, heard):
        """A token that was changed names no check."""
        assert verify(ana, check[0][:-4] + "AAAA").status_code == 400
        assert reasons(heard) == [("tampered", None)]

    def test_foreign(self, app, check, tenant, heard):
        """A token of another session names the check that it was taken from, and who sent it."""
        cleo = Visitor(app)
        cleo.log_in("cleo@example.com")
        assert verify(cleo, check[0]).status_code == 400
        assert reasons(heard) == [("foreign", check[1])]
        assert heard[-1][1]["user_id"] == tenant.user("cleo@example.com").sub

    def test_expired(self, ana, check, clock, heard):
        """A token whose time is over."""
        clock.advance(301)
        assert verify(ana, check[0]).status_code == 401
        assert reasons(heard) == [("expired", check[1])]

    @pytest.mark.parametrize("path", ["challenge", "wait", "enroll", "recovery-code", "resume"])
    def test_unknown(self, ana, heard, path):
        """A page of a check that this session never had; what the address says is not repeated."""
        ana.get(f"/auth/mfa/{path}?context=AAAAAAAAAAAAAAAAAAAAAA")
        assert reasons(heard) == [("unknown", None)]

    def test_too_old_to_restart(self, ana, check, clock, heard):
        """The button of a page that timed out an hour ago."""
        clock.advance(310)
        page = ana.get(f"/auth/mfa/challenge?context={check[1]}")
        clock.advance(3400)
        ana.json("GET", f"/token?audience={ADMIN}&scope=read:admin")
        assert ana.press(page, "Start again").status == 404
        assert reasons(heard) == [("expired", check[1]), ("unknown", None)]

    def test_used(self, ana, check, tenant, heard):
        """Cookies and token from before the check was passed, with another code."""
        tab = ana.tab()
        body = {"mfa_token": check[0], "otp": tenant.current_otp(ANA)}
        assert ana.json("POST", "/auth/mfa/verify", json=body).status_code == 200
        assert verify(tab, check[0]).status_code == 404
        assert tab.get("/auth/mfa/challenge").status == 404
        assert reasons(heard) == [("used", check[1])] * 2

    def test_passed(self, ana, check, tenant, heard):
        """The token of a check that was passed, with another code."""
        body = {"mfa_token": check[0], "otp": tenant.current_otp(ANA)}
        assert ana.json("POST", "/auth/mfa/verify", json=body).status_code == 200
        assert verify(ana, check[0]).status_code == 404
        assert reasons(heard) == [("unknown", check[1])]
        assert heard[-1][1]["user_id"] == tenant.user(ANA).sub

    @pytest.mark.parametrize("path", ["challenge", "verify", "restart", "poll", "enroll"])
    def test_form_token(self, ana, check, heard, path):
        """A form without the token of this session and check."""
        answer = ana.client.post(f"/auth/mfa/{path}", data={"context": check[1]})
        assert answer.status_code == 400
        assert reasons(heard) == [("form-token", None)]

    @pytest.mark.parametrize(
        "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.test"}], ids=str
    )
    def test_cross_site(self, ana, check, tenant, heard, headers):
        """What another site makes the browser send, with the user whose browser it is."""
        assert verify(ana, check[0], **headers).status_code == 400
        assert reasons(heard) == [("cross-site", None)]
        assert heard[-1][1]["user_id"] == tenant.user(ANA).sub

    def test_bookmark(self, ana, heard):
        """Who opens the challenge page without a check claims nothing: no attack."""
        assert ana.get("/auth/mfa/challenge").status == 404
        assert reasons(heard) == []


class TestEnd:
    """How a check ends that is not passed: told once, however many requests find out."""

    def ends(self, heard):
        """Return name, reason and check of each end that was told."""
        return [
            (name, what.get("reason"), what["context_id"])
            for name, what in heard
            if name in ("check_expired", "check_abandoned")
        ]

    def test_too_late(self, ana, check, clock, heard):
        """Its user comes back after its time, twice, and signs out."""
        clock.advance(301)
        for _ in range(2):
            ana.get(f"/auth/mfa/challenge?context={check[1]}")
        ana.get("/auth/logout")
        assert self.ends(heard) == [("check_expired", "timeout", check[1])]
        assert {what["audience"] for name, what in heard if name == "check_expired"} == {PAYMENTS}

    def test_passed_in_time(self, ana, check, tenant, clock, heard):
        """A check that was passed has not expired, also when its token comes back later."""
        body = {"mfa_token": check[0], "otp": tenant.current_otp(ANA)}
        assert ana.json("POST", "/auth/mfa/verify", json=body).status_code == 200
        clock.advance(301)
        assert verify(ana, check[0]).status_code == 401
        assert self.ends(heard) == []

    def test_refused_by_the_tenant(self, ana, check, tenant, heard):
        """Auth0's own token was over before ours."""
        body = {"error": "expired_token", "error_description": "mfa_token is expired"}
        tenant.fault("/oauth/token", status=401, body=body)
        assert verify(ana, check[0]).status_code == 401
        assert self.ends(heard) == [("check_expired", "tenant", check[1])]

    def test_signing_out(self, ana, check, heard):
        """Its user signs out with the check open."""
        ana.get("/auth/logout")
        ana.get("/auth/logout")
        assert self.ends(heard) == [("check_abandoned", None, check[1])]
        assert names(heard) == ["check_abandoned", "logged_out"]
        assert heard[0][1]["audience"] == PAYMENTS

    def test_signing_out_after_another(self, ana, check, tenant, heard):
        """Of two checks the one that was not passed is told."""
        body = {"mfa_token": check[0], "otp": tenant.current_otp(ANA)}
        assert ana.json("POST", "/auth/mfa/verify", json=body).status_code == 200
        ana.json("GET", f"/token?audience={ADMIN}&scope=read:admin")
        opened = heard[-1][1]
        assert (opened["audience"], opened["scope"]) == (ADMIN, "read:admin")
        ana.get("/auth/logout")
        assert self.ends(heard) == [("check_abandoned", None, opened["context_id"])]

    def test_next_check(self, ana, check, clock, heard):
        """Its user begins another one when its time is over."""
        clock.advance(301)
        for scope in ("read:admin", "write:admin"):
            ana.json("GET", f"/token?audience={ADMIN}&scope={scope}")
        assert self.ends(heard) == [("check_abandoned", None, check[1])]

    def test_open_one(self, ana, check, heard):
        """A check that can still be done is not abandoned because there is another one."""
        ana.json("GET", f"/token?audience={ADMIN}&scope=read:admin")
        assert self.ends(heard) == []

    def test_passed_in_another_tab(self, ana, check, tenant, heard):
        """What another check brought meanwhile is not missed: nothing was abandoned."""
        assert ana.step_up("/transfer", tenant.current_otp(ANA)).path == "/transfer"
        ana.get("/auth/logout")
        assert self.ends(heard) == []

    def test_without_shared_state(self, app, ana, check, heard, monkeypatch):
        """With the shared state down signing out works, and is told."""
        memory = app.extensions[EXTENSION].contexts.parts.memory

        def down(name):
            raise Auth0UnavailableError()

        monkeypatch.setattr(memory.state, "get_many", down)
        ana.get("/auth/logout")
        assert names(heard) == ["check_abandoned", "logged_out"]


def test_seconds(ana, check, tenant, clock, heard):
    """A proof says how long its check was open."""
    clock.advance(40)
    body = {"mfa_token": check[0], "otp": tenant.current_otp(ANA)}
    assert ana.json("POST", "/auth/mfa/verify", json=body).status_code == 200
    (proof,) = (what for name, what in heard if name == "verified")
    assert 40 <= proof["seconds"] <= 45


def told(heard, name):
    """Return the arguments of each signal of that name, in order."""
    return [what for one, what in heard if one == name]


def finish(visitor, **query):
    """Begin a login and open the callback with these parameters, as Auth0 or anybody else would."""
    authorization = visitor.client.get("/auth/login").headers["Location"]
    (state,) = parse_qs(urlsplit(authorization).query)["state"]
    url = f"/auth/callback?{urlencode({'state': state} | query)}"
    return url, visitor.json("GET", url)


class TestLoginRefused:
    """A login that the callback refuses is told once, with a reason of ours and nothing else."""

    @pytest.mark.parametrize("query", ["", "?code=x&state=x", "?error=access_denied&state=x"])
    def test_never_begun(self, visitor, heard, query):
        """A callback of a login that this browser has not begun, whatever its address says."""
        assert visitor.json("GET", f"/auth/callback{query}").status_code == 400
        assert heard == [("login_refused", {"reason": "state"})]

    def test_finished_before(self, visitor, tenant, heard):
        """The same callback a second time."""
        url, _ = finish(visitor, code="x")
        visitor.json("GET", url)
        assert [what["reason"] for what in told(heard, "login_refused")] == ["code", "state"]

    def test_head(self, visitor, heard):
        """A program that only looks at the address of a callback that would be genuine."""
        authorization = visitor.client.get("/auth/login").headers["Location"]
        (state,) = parse_qs(urlsplit(authorization).query)["state"]
        visitor.client.head(f"/auth/callback?code=x&state={state}")
        assert heard == [("login_refused", {"reason": "state"})]

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            ("access_denied", "access_denied"),
            ("unauthorized", "auth0-error"),
            ("unauthorized_client", "auth0-error"),
            ("id-token\r\n", "auth0-error"),
        ],
    )
    def test_error_in_the_address(self, visitor, heard, error, reason):
        """Auth0's error in the address, which anybody can write: not a word of it is repeated."""
        finish(visitor, error=error, error_description="call 555-evil")
        assert heard == [("login_refused", {"reason": reason})]

    @pytest.mark.parametrize(
        ("status", "error", "reason"),
        [
            (403, "invalid_grant", "code"),
            (401, "invalid_client", "client"),
            (401, "access_denied", "client"),
            (403, "unauthorized_client", "client"),
            (429, "too_many_requests", "auth0-error"),
            (400, ["code"], "auth0-error"),
            (500, "server_error", "auth0_unavailable"),
        ],
    )
    def test_exchange(self, visitor, tenant, heard, status, error, reason):
        """The token endpoint refuses the code, the application, or everything."""
        tenant.fault("/oauth/token", status=status, body={"error": error})
        finish(visitor, code="x")
        assert heard == [("login_refused", {"reason": reason})]

    @pytest.mark.parametrize("error", ["invalid_client", "access_denied"])
    def test_wrong_secret(self, visitor, tenant, caplog, error):
        """A secret that Auth0 refuses, by either of its words: the log says what to check."""
        tenant.fault("/oauth/token", status=401, body={"error": error})
        _, answer = finish(visitor, code="x")
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        assert "check AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET" in caplog.text

    @pytest.mark.parametrize("claims", [None, {"nonce": "of another login"}], ids=["none", "nonce"])
    def test_id_token(self, visitor, tenant, heard, claims):
        """An answer without an ID token, or with one of another login."""
        body = {"access_token": "x", "token_type": "Bearer", "expires_in": 600}
        if claims is not None:
            body["id_token"] = tenant.keys.sign(claims)
        tenant.fault("/oauth/token", status=200, body=body)
        finish(visitor, code="x")
        assert heard == [("login_refused", {"reason": "id-token"})]

    def test_step_up(self, ana, heard):
        """A tenant that does not ask for the factor for which a guard has sent the user there."""
        assert ana.get("/open").status == 403
        assert names(heard)[-2:] == ["logged_in", "login_refused"]
        assert heard[-1][1] == {"reason": "step_up_unavailable"}

    @pytest.mark.parametrize("id_token", [None, "a.b.c"])
    def test_own_login(self, app, heard, id_token):
        """A login that the application ran itself, and whose ID token is missing or forged."""
        answer = {"access_token": "x", "expires_in": 600, "id_token": id_token}
        with app.test_request_context(), pytest.raises(LoginRequiredError):
            current_auth0.sign_in(answer)
        assert heard == [("login_refused", {"reason": "id-token"})]

    def test_own_login_without_keys(self, app, tenant, heard):
        """A login that the application ran itself, while the tenant's keys cannot be had."""
        tenant.fault("/.well-known/jwks.json", status=500, times=5)
        answer = {"access_token": "x", "expires_in": 600, "id_token": tenant.keys.sign({})}
        with app.test_request_context(), pytest.raises(Auth0UnavailableError):
            current_auth0.sign_in(answer)
        assert heard == [("login_refused", {"reason": "auth0_unavailable"})]


class TestBackchannelLogout:
    """A back-channel logout is told once: as done, or with what is wrong with its token."""

    @staticmethod
    def tell(app, tenant, changes, sign=lambda token: token):
        """Send a logout token for Ana with these changes; return the status of the answer."""
        token = sign(logout_token(tenant, **{"sub": tenant.user(ANA).sub, **changes}))
        return app.test_client().post("/auth/backchannel-logout", data={"logout_token": token})

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"iss": "https://evil.test/"}, "iss"),
            ({"aud": "another-client"}, "aud"),
            ({"iat": 1}, "iat"),
            ({"iat": None}, "iat"),
            ({"exp": 1}, "exp"),
            ({"events": {"https://evil.test/": {}}}, "events"),
            ({"nonce": "x"}, "nonce"),
            ({"sub": None}, "sub"),
        ],
        ids=str,
    )
    def test_claims(self, app, tenant, heard, changes, reason):
        """A token that the tenant has signed for something else, or long ago."""
        assert self.tell(app, tenant, changes).status_code == 400
        assert heard == [("logout_refused", {"reason": reason})]

    @pytest.mark.parametrize("token", ["", "a.b.c", None], ids=["none", "nonsense", "changed"])
    def test_signature(self, app, tenant, heard, token):
        """A token that the tenant has not signed."""
        answer = self.tell(app, tenant, {}, lambda good: good[:-8] if token is None else token)
        assert answer.status_code == 400
        assert heard == [("logout_refused", {"reason": "signature"})]

    def test_keys_unavailable(self, app, tenant, heard):
        """A token that cannot be checked, as the tenant's keys cannot be had."""
        tenant.fault("/.well-known/jwks.json", status=500, times=5)
        assert self.tell(app, tenant, {}).status_code == 503
        assert heard == [("logout_refused", {"reason": "auth0_unavailable"})]

    def test_state_down(self, app, tenant, heard, monkeypatch):
        """A genuine token that cannot be written down, so that its sessions go on."""

        def down(*_):
            raise Auth0UnavailableError()

        monkeypatch.setattr(app.extensions[EXTENSION].logins.memory.state, "put", down)
        assert self.tell(app, tenant, {}).status_code == 503
        assert heard == [("logout_refused", {"reason": "auth0_unavailable"})]

    def test_genuine(self, app, tenant, heard):
        """A logout of all of a user's sessions, which is done, is told with whose they are."""
        assert self.tell(app, tenant, {}).status_code == 200
        received = {"ends": "user", "user_id": tenant.user(ANA).sub}
        assert heard == [("logout_received", received)]

    def test_genuine_session(self, app, tenant, heard):
        """That of one session at Auth0 is told as such, though Auth0 does not say whose it is."""
        assert self.tell(app, tenant, {"sid": "session-1", "sub": None}).status_code == 200
        assert heard == [("logout_received", {"ends": "session", "user_id": None})]


class TestUnlocked:
    """Who lets a locked user try again is told, and whom."""

    @pytest.fixture
    def support(self, app):
        """A page of the application's own, on which support unlocks users."""

        @app.post("/unlock")
        def unlock():
            current_auth0.unlock(request.form["user_id"], by=request.form.get("by"))
            return "Done"

    def test_on_a_page(self, support, ana, tenant, heard):
        """By whom is who is signed in where it was done."""
        ana.client.post("/unlock", data={"user_id": "auth0|ben"})
        assert heard == [("unlocked", {"user_id": "auth0|ben", "by": tenant.user(ANA).sub})]

    def test_on_a_page_without_login(self, support, visitor, heard):
        """A page without a login of ours names nobody."""
        visitor.client.post("/unlock", data={"user_id": "auth0|ben"})
        assert heard == [("unlocked", {"user_id": "auth0|ben", "by": None})]

    def test_by_name(self, support, ana, heard):
        """A page with a login of its own says who it was, whoever is signed in by the extension."""
        ana.client.post("/unlock", data={"user_id": "auth0|ben", "by": "agent-17"})
        assert heard == [("unlocked", {"user_id": "auth0|ben", "by": "agent-17"})]

    def test_not_done(self, app, heard, monkeypatch):
        """What could not be done is not told."""

        def down(*_):
            raise Auth0UnavailableError()

        monkeypatch.setattr(app.extensions[EXTENSION].limits.limiter.limiter, "clear", down)
        with app.app_context(), pytest.raises(Auth0UnavailableError):
            current_auth0.unlock("auth0|ben")
        assert heard == []
