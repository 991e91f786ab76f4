"""The JSON side, as a front end written for nextjs-auth0's ``/auth/mfa/*`` routes meets it."""

from __future__ import annotations

import re
import time

import pytest

from .conftest import ADMIN, PAYMENTS
from .observed import ANA, grants, paths, wrong_code
from .visitor import Visitor

VERIFY = "/auth/mfa/verify"
CHALLENGE = "/auth/mfa/challenge"
AUTHENTICATORS = "/auth/mfa/authenticators"
ASSOCIATE = "/auth/mfa/associate"
POLL = "/auth/mfa/poll"


@pytest.fixture
def refused(ana):
    """The body of the 403 that a program of Ana's gets."""
    return ana.mfa_required("/api/balance")


@pytest.fixture
def mfa_token(refused):
    """The sealed token of that 403."""
    return refused["mfa_token"]


@pytest.fixture
def post(ana, mfa_token):
    """Send a JSON body with the token as a Bearer credential."""

    def post(url, **body):
        headers = {"Authorization": f"Bearer {mfa_token}"}
        return ana.json("POST", url, json=body, headers=headers)

    return post


@pytest.fixture
def code(tenant):
    """What Ana's authenticator app shows."""
    return tenant.current_otp(ANA)


def authenticator(tenant, kind, email=ANA):
    """Return the id of a user's authenticator of that kind."""
    return next(one.id for one in tenant.user(email).authenticators if one.kind == kind)


class TestRefusal:
    """What a guarded view answers to a program."""

    def test_body(self, refused):
        """The 403 has what a front end needs to go on, and nothing else."""
        assert set(refused) == {
            "error",
            "error_description",
            "message",
            "mfa_token",
            "mfa_requirements",
            "challenge_url",
        }
        assert refused["error"] == "mfa_required"
        assert refused["message"] == refused["error_description"]
        types = [entry["type"] for entry in refused["mfa_requirements"]["challenge"]]
        assert types == ["otp", "phone", "email", "push-notification", "recovery-code"]

    def test_challenge_url(self, ana, refused):
        """The address in the 403 is a page on which a person can do it."""
        assert refused["challenge_url"].startswith("/auth/mfa/challenge?context=")
        assert "Authenticator app" in ana.get(refused["challenge_url"]).text

    def test_headers(self, ana):
        """The 403 is JSON and is not kept by anybody."""
        answer = ana.json("GET", "/api/balance")
        assert answer.content_type == "application/json"
        assert "no-store" in answer.headers["Cache-Control"]
        assert "Cookie" in answer.headers["Vary"]

    def test_token_is_sealed_and_short(self, mfa_token):
        """The token is the application's own: short, and of characters that fit anywhere."""
        assert re.fullmatch(r"[A-Za-z0-9_.-]+", mfa_token)
        assert len(mfa_token) < 400

    def test_asking_twice(self, ana, mfa_token, tenant):
        """Asking again while the check is open names the same check."""
        again = ana.mfa_required("/api/balance")
        assert again["challenge_url"] == ana.mfa_required("/api/balance")["challenge_url"]
        assert grants(tenant, "refresh_token") == [403]

    def test_lands_on_the_page_of_the_call(self, ana, code):
        """A person who follows the address lands on the page whose script made the call."""
        headers = {"Referer": "http://localhost/accounts"}
        url = ana.json("GET", "/api/balance", headers=headers).json["challenge_url"]
        page = ana.press(ana.get(url), "Authenticator app")
        assert ana.press(page, "code", code=code).path == "/accounts"

    def test_not_signed_in(self, visitor):
        """A program without a session is told to log in, and is not redirected."""
        answer = visitor.json("GET", "/api/balance")
        assert answer.status_code == 401
        assert answer.json["error"] == "login_required"


class TestVerify:
    """POST /auth/mfa/verify."""

    @pytest.mark.parametrize("field", ["code", "otp"])
    def test_success(self, ana, post, code, field):
        """A right code is answered with exactly this, and the view is open."""
        answer = post(VERIFY, **{field: code})
        assert answer.status_code == 200
        assert answer.json == {"success": True}
        assert ana.json("GET", "/api/balance").json == {"balance": 100}

    @pytest.mark.parametrize("field", ["mfa_token", "mfaToken"])
    def test_token_in_the_body(self, ana, mfa_token, code, field):
        """The token may stand in the body, under both of its names."""
        answer = ana.json("POST", VERIFY, json={field: mfa_token, "otp": code})
        assert answer.json == {"success": True}

    def test_form_body(self, ana, mfa_token, code):
        """A program may send a form as well; the token tells it from a page."""
        answer = ana.json("POST", VERIFY, data={"mfa_token": mfa_token, "otp": code})
        assert answer.json == {"success": True}

    def test_bearer_and_html(self, ana, mfa_token, code):
        """A call with a Bearer token gets JSON whatever it accepts."""
        headers = {"Authorization": f"Bearer {mfa_token}", "Accept": "text/html"}
        answer = ana.client.post(VERIFY, json={"code": code}, headers=headers)
        assert answer.json == {"success": True}

    def test_wrong_code(self, post, tenant):
        """A wrong code is answered with the tries that are left, and no word of Auth0's."""
        answer = post(VERIFY, code=wrong_code(tenant))
        assert answer.status_code == 400
        assert answer.json == {
            "error": "verification_failed",
            "error_description": "That code did not work.",
            "message": "That code did not work.",
            "attempts_left": 4,
        }

    def test_right_after_wrong(self, post, tenant, code):
        """A wrong code leaves the check open."""
        post(VERIFY, code=wrong_code(tenant))
        assert post(VERIFY, code=code).json == {"success": True}

    def test_limit(self, post, tenant, code):
        """After five wrong codes the check is closed for a while, for the right code, too."""
        left = [post(VERIFY, code=wrong_code(tenant)).json["attempts_left"] for _ in range(5)]
        assert left == [4, 3, 2, 1, 0]
        answer = post(VERIFY, code=code)
        assert answer.status_code == 429
        assert answer.json["error"] == "rate_limited"
        assert int(answer.headers["Retry-After"]) == answer.json["retry_after"] > 0
        assert len(grants(tenant)) == 5

    def test_sms(self, post, tenant):
        """A code from a message is proved with the handle of its challenge."""
        started = post(
            CHALLENGE, challenge_type="oob", authenticator_id=authenticator(tenant, "sms")
        )
        sent = tenant.last_message(ANA)
        answer = post(VERIFY, oob_code=started.json["oob_code"], binding_code=sent.code)
        assert answer.json == {"success": True}

    def test_sms_camel_case(self, post, tenant):
        """The fields may be named as nextjs-auth0's client names them."""
        started = post(CHALLENGE, challengeType="oob", authenticatorId=authenticator(tenant, "sms"))
        sent = tenant.last_message(ANA)
        answer = post(VERIFY, oobCode=started.json["oob_code"], bindingCode=sent.code)
        assert answer.json == {"success": True}

    def test_code_of_the_open_challenge(self, post, tenant):
        """``code`` is whatever the open challenge asks for."""
        post(CHALLENGE, challenge_type="oob", authenticator_id=authenticator(tenant, "email"))
        assert post(VERIFY, code=tenant.last_message(ANA).code).json == {"success": True}

    def test_recovery_code(self, post, tenant):
        """A recovery code is answered with the one that replaces it."""
        answer = post(VERIFY, recovery_code=tenant.recovery_code(ANA))
        assert answer.json == {"success": True, "recovery_code": tenant.recovery_code(ANA)}

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"otp": ""},
            {"otp": None},
            {"otp": 123456},
            {"otp": ["123456"]},
            {"otp": {"$ne": ""}},
            {"otp": True},
            {"otp": "12345"},
            {"otp": "1234567"},
            {"otp": "12345a"},
            {"code": ""},
            {"code": "abc"},
            {"code": "123456", "otp": "123456"},
            {"otp": "123456", "recovery_code": "A" * 24},
            {"otp": "123456", "oob_code": "x"},
            {"recovery_code": "short"},
            {"oob_code": "x", "binding_code": "abcdef"},
            {"binding_code": "123456"},
        ],
        ids=str,
    )
    def test_bad_input(self, post, tenant, body):
        """What cannot be a proof is refused, and nothing is sent to Auth0."""
        answer = post(VERIFY, **body)
        assert answer.status_code == 400
        assert answer.json["error"] == "invalid_request"
        assert grants(tenant) == []

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            (
                {},
                "Give exactly one of code, otp, oob_code (with binding_code) or recovery_code.",
            ),
            ({"otp": "12345"}, "otp has the wrong length."),
            ({"recovery_code": "-"}, "recovery_code is empty."),
            (
                {"oob_code": "x", "binding_code": "abcdef"},
                "binding_code has characters that no code has.",
            ),
        ],
        ids=str,
    )
    def test_what_is_wrong(self, post, body, text):
        """The answer says which field is wrong, and what is wrong with it."""
        assert post(VERIFY, **body).json["error_description"] == text

    @pytest.mark.parametrize("text", ["", "{", "null", "[]", '"x"', "1", "\ufeff{}", "NaN"])
    def test_malformed_json(self, ana, mfa_token, tenant, text):
        """A body that is no JSON object is refused as such, and nothing is sent to Auth0."""
        headers = {"Authorization": f"Bearer {mfa_token}", "Content-Type": "application/json"}
        answer = ana.json("POST", VERIFY, data=text.encode(), headers=headers)
        assert answer.status_code == 400
        assert answer.json["error"] == "invalid_request"
        assert grants(tenant) == []

    def test_deep_json(self, ana, mfa_token, tenant):
        """A body that is nested beyond reason is refused like any other."""
        headers = {"Authorization": f"Bearer {mfa_token}", "Content-Type": "application/json"}
        answer = ana.json("POST", VERIFY, data="[" * 20_000, headers=headers)
        assert answer.status_code == 400

    def test_text_without_end(self, visitor):
        """A body of quotes that never end keeps no worker busy, whoever sends it."""
        before = time.process_time()
        body = "[" * 70 + '"' + '\\"' * 15_000
        answer = visitor.json("POST", VERIFY, data=body, content_type="application/json")
        assert answer.status_code == 400
        assert time.process_time() - before < 1

    def test_oversized_body(self, ana, mfa_token, tenant):
        """A body of more than 64 KiB is refused without being read."""
        headers = {"Authorization": f"Bearer {mfa_token}"}
        answer = ana.json("POST", VERIFY, json={"otp": "1" * 100_000}, headers=headers)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        assert grants(tenant) == []


class TestToken:
    """The four codes that the project is known by, and what leads to each."""

    ROUTES = (
        pytest.param("POST", VERIFY, {"otp": "123456"}, id="verify"),
        pytest.param("POST", CHALLENGE, {"challenge_type": "oob"}, id="challenge"),
        pytest.param("POST", ASSOCIATE, {"authenticator_types": ["otp"]}, id="associate"),
        pytest.param("POST", POLL, {}, id="poll"),
        pytest.param("GET", AUTHENTICATORS, None, id="authenticators"),
    )

    @staticmethod
    def send(visitor, method, url, body, token):
        headers = {"Authorization": f"Bearer {token}"}
        return visitor.json(method, url, json=body, headers=headers)

    @pytest.mark.parametrize(("method", "url", "body"), ROUTES)
    def test_expired(self, ana, mfa_token, clock, tenant, method, url, body):
        """A token whose time is over: 401."""
        clock.advance(301)
        before = paths(tenant)
        answer = self.send(ana, method, url, body, mfa_token)
        assert (answer.status_code, answer.json["error"]) == (401, "mfa_token_expired")
        assert paths(tenant) == before

    @pytest.mark.parametrize(("method", "url", "body"), ROUTES)
    @pytest.mark.parametrize("change", ["flip", "cut", "word", "jwt", "long"])
    def test_invalid(self, ana, mfa_token, tenant, method, url, body, change):
        """A token that was tampered with, or never was one: 400."""
        token = {
            "flip": mfa_token[:-1] + ("A" if mfa_token[-1] != "A" else "Q"),
            "cut": mfa_token[:-5],
            "word": "nonsense",
            "jwt": "eyJhbGciOiJub25lIn0.e30.",
            "long": "A" * 20_000,
        }[change]
        before = paths(tenant)
        answer = self.send(ana, method, url, body, token)
        assert (answer.status_code, answer.json["error"]) == (400, "mfa_token_invalid")
        assert paths(tenant) == before

    @pytest.mark.parametrize(("method", "url", "body"), ROUTES)
    def test_of_another_session(self, app, mfa_token, tenant, method, url, body):
        """A token of somebody else's session: 400."""
        cleo = Visitor(app)
        cleo.log_in("cleo@example.com")
        answer = self.send(cleo, method, url, body, mfa_token)
        assert (answer.status_code, answer.json["error"]) == (400, "mfa_token_invalid")

    @pytest.mark.parametrize(("method", "url", "body"), ROUTES)
    def test_not_found(self, ana, mfa_token, code, tenant, method, url, body):
        """A token whose check is finished: 404."""
        self.send(ana, "POST", VERIFY, {"otp": code}, mfa_token)
        before = paths(tenant)
        answer = self.send(ana, method, url, body | {"otp": "1" * 6} if body else body, mfa_token)
        assert (answer.status_code, answer.json["error"]) == (404, "mfa_token_not_found")
        assert paths(tenant) == before

    @pytest.mark.parametrize(("method", "url", "body"), ROUTES)
    def test_without_a_session(self, app, mfa_token, tenant, method, url, body):
        """A token without the session's cookie opens nothing."""
        before = paths(tenant)
        answer = self.send(Visitor(app), method, url, body, mfa_token)
        assert answer.status_code in (401, 404)
        assert paths(tenant) == before

    @pytest.mark.parametrize(("method", "url", "body"), ROUTES)
    def test_missing(self, ana, mfa_token, tenant, method, url, body):
        """No token at all: 400."""
        headers = {"Content-Type": "application/json"} if body is None else {}
        answer = ana.json(method, url, json=body, headers=headers)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")

    def test_of_another_purpose(self, ana, tenant):
        """What else the application seals, here a form's token, is no ``mfa_token``."""
        _, fields = ana.challenge_page("/transfer").form("code")
        answer = self.send(ana, "POST", VERIFY, {"otp": "123456"}, fields["csrf_token"])
        assert (answer.status_code, answer.json["error"]) == (400, "mfa_token_invalid")

    def test_after_logging_in_as_somebody_else(self, ana, mfa_token):
        """A token does not live on in the next user's session of the same browser."""
        ana.get("/auth/logout")
        ana.tenant.cookies.clear()
        ana.log_in("cleo@example.com")
        answer = self.send(ana, "POST", VERIFY, {"otp": "123456"}, mfa_token)
        assert (answer.status_code, answer.json["error"]) == (400, "mfa_token_invalid")

    def test_ended_at_auth0_first(self, ana, mfa_token, tenant):
        """When Auth0 ended the check before we did, that is 401 as well."""
        tenant.advance(601)
        body = {"otp": tenant.current_otp(ANA)}
        answer = self.send(ana, "POST", VERIFY, body, mfa_token)
        assert (answer.status_code, answer.json["error"]) == (401, "mfa_token_expired")

    def test_double_submit(self, app, ana, mfa_token, code, tenant):
        """The same call twice, with the cookies of before, succeeds twice by one grant."""
        twin = Visitor(app)
        twin.take_cookies(ana)
        for visitor in (ana, twin):
            answer = self.send(visitor, "POST", VERIFY, {"otp": code}, mfa_token)
            assert answer.json == {"success": True}
        assert grants(tenant) == [200]


class TestAuthenticators:
    """GET /auth/mfa/authenticators."""

    @staticmethod
    def listed(visitor, url="/api/balance"):
        token = visitor.mfa_required(url)["mfa_token"]
        return visitor.json("GET", AUTHENTICATORS, headers={"Authorization": f"Bearer {token}"})

    def test_fields(self, ana, tenant):
        """The methods come in an array, strongest first, with Auth0's fields."""
        answer = self.listed(ana)
        assert answer.status_code == 200
        assert answer.json[0] == {
            "id": authenticator(tenant, "otp"),
            "authenticator_type": "otp",
            "active": True,
            "type": "otp",
        }
        kinds = [entry.get("oob_channel", entry["authenticator_type"]) for entry in answer.json]
        assert kinds == ["otp", "auth0", "sms", "voice", "email", "recovery-code"]

    def test_numbers_are_masked(self, ana, tenant):
        """No full phone number or address is told."""
        answer = self.listed(ana)
        assert "9167" in answer.text
        assert "+1555" not in answer.text
        assert ANA not in answer.text

    def test_asked_once(self, ana, tenant):
        """Listing again does not ask Auth0 again."""
        self.listed(ana)
        self.listed(ana)
        assert paths(tenant).count("/mfa/authenticators") == 1

    def test_unknown_factors(self, ana, tenant):
        """What the application cannot do is left out, and breaks nothing."""
        mixed = [
            {"id": "webauthn|1", "authenticator_type": "webauthn-roaming", "active": True},
            {"id": "oob|1", "authenticator_type": "oob", "oob_channel": "pigeon", "active": True},
            {"id": "totp|0", "authenticator_type": "otp", "active": False, "type": "otp"},
            {"id": "totp|1", "authenticator_type": "otp", "active": True, "type": "otp", "new": 1},
            {"id": 7},
            "nonsense",
        ]
        token = ana.mfa_required("/api/balance")["mfa_token"]
        tenant.fault("/mfa/authenticators", status=200, body=mixed)
        answer = ana.json("GET", AUTHENTICATORS, headers={"Authorization": f"Bearer {token}"})
        assert [entry["id"] for entry in answer.json] == ["totp|1"]


class TestChallenge:
    """POST /auth/mfa/challenge."""

    def test_otp(self, post):
        """An authenticator app needs nothing sent."""
        answer = post(CHALLENGE, challenge_type="otp")
        assert (answer.status_code, answer.json) == (200, {"challenge_type": "otp"})

    def test_sms(self, post, tenant):
        """A message is sent, and its handle is answered with how it is proved."""
        answer = post(
            CHALLENGE, challenge_type="oob", authenticator_id=authenticator(tenant, "sms")
        )
        assert answer.status_code == 200
        assert set(answer.json) == {"challenge_type", "oob_code", "binding_method"}
        assert answer.json["challenge_type"] == "oob"
        assert answer.json["binding_method"] == "prompt"
        assert [message.channel for message in tenant.messages] == ["sms"]

    def test_push(self, post, tenant):
        """A push has no code to type."""
        answer = post(
            CHALLENGE, challenge_type="oob", authenticator_id=authenticator(tenant, "auth0")
        )
        assert set(answer.json) == {"challenge_type", "oob_code"}
        assert len(tenant.pushes) == 1

    def test_strongest_by_default(self, post, tenant):
        """Without an authenticator the strongest is taken, of all or of the type."""
        assert post(CHALLENGE).json == {"challenge_type": "otp"}
        post(CHALLENGE, challenge_type="oob")
        assert len(tenant.pushes) == 1

    def test_again(self, post, tenant):
        """Asking again for the open challenge sends nothing and answers the same."""
        sms = authenticator(tenant, "sms")
        first = post(CHALLENGE, challenge_type="oob", authenticator_id=sms)
        second = post(CHALLENGE, challenge_type="oob", authenticator_id=sms)
        assert first.json == second.json
        assert len(tenant.messages) == 1

    def test_flood(self, post, tenant):
        """Changing the method does not get around the pause between two messages."""
        post(CHALLENGE, challenge_type="oob", authenticator_id=authenticator(tenant, "sms"))
        answer = post(
            CHALLENGE, challenge_type="oob", authenticator_id=authenticator(tenant, "email")
        )
        assert answer.status_code == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 30
        assert len(tenant.messages) == 1

    @pytest.mark.parametrize(
        "body",
        [
            {"challenge_type": "pigeon"},
            {"challenge_type": 1},
            {"challenge_type": "oob", "authenticator_id": "sms|dev_of_somebody_else"},
            {"challenge_type": "oob", "authenticator_id": ["x"]},
            {"challenge_type": "oob", "authenticator_id": ""},
        ],
        ids=str,
    )
    def test_bad_input(self, post, tenant, body):
        """What names no challenge of this check is refused, and nothing is sent."""
        answer = post(CHALLENGE, **body)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        assert "/mfa/challenge" not in paths(tenant)

    def test_authenticator_of_another_type(self, post, tenant):
        """An authenticator that does not fit the asked type is refused."""
        answer = post(
            CHALLENGE, challenge_type="otp", authenticator_id=authenticator(tenant, "sms")
        )
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        assert not tenant.messages

    def test_no_such_method(self, app, tenant):
        """A type that the user has not enrolled is answered as such."""
        cleo = Visitor(app)
        cleo.log_in("cleo@example.com")
        body = {
            "mfa_token": cleo.mfa_required("/api/balance")["mfa_token"],
            "challenge_type": "oob",
        }
        answer = cleo.json("POST", CHALLENGE, json=body)
        assert (answer.status_code, answer.json["error"]) == (400, "mfa_no_available_factors")


class TestPoll:
    """POST /auth/mfa/poll."""

    @pytest.fixture
    def poll(self, post, tenant):
        """Ask whether the push was answered that was just sent."""
        post(CHALLENGE, challenge_type="oob", authenticator_id=authenticator(tenant, "auth0"))
        return lambda: post(POLL)

    def test_pending(self, poll):
        """While nobody answers: 202 with the seconds to wait."""
        answer = poll()
        assert answer.status_code == 202
        assert answer.json["interval"] == int(answer.headers["Retry-After"]) == 6

    def test_asked_too_soon(self, poll, tenant):
        """Asked sooner than that, it is 202 again without a word to Auth0."""
        assert [poll().status_code for _ in range(5)] == [202] * 5
        assert len(grants(tenant)) == 1

    def test_approved(self, poll, tenant, clock):
        """After the approval: 200."""
        poll()
        tenant.approve()
        clock.advance(6)
        answer = poll()
        assert (answer.status_code, answer.json) == (200, {"success": True})

    def test_declined(self, poll, tenant):
        """After a refusal: its own error, which is final."""
        tenant.reject()
        answer = poll()
        assert (answer.status_code, answer.json["error"]) == (400, "access_denied")

    def test_nothing_sent(self, post, tenant):
        """Without a push there is nothing to ask about."""
        assert post(POLL).json["error"] == "invalid_request"
        assert grants(tenant) == []


class TestAssociate:
    """POST /auth/mfa/associate."""

    @pytest.fixture
    def app(self, make_app):
        """An application whose logins always say when the password was entered."""
        return make_app(AUTH0_AUTHORIZE_PARAMS={"max_age": "3600"})

    @pytest.fixture
    def associate(self, app):
        """Begin an enrollment for Ben, who has nothing enrolled."""
        ben = Visitor(app)
        ben.log_in("ben@example.com")
        token = ben.mfa_required("/api/balance")["mfa_token"]

        def associate(**body):
            return ben.json("POST", ASSOCIATE, json={"mfa_token": token, **body})

        associate.verify = lambda code: ben.json(
            "POST", VERIFY, json={"mfa_token": token, "code": code}
        )
        associate.visitor = ben
        return associate

    def test_authenticator_app(self, associate, tenant):
        """An app is begun with Auth0's fields, and confirmed by its first code."""
        answer = associate(authenticator_types=["otp"])
        assert answer.status_code == 200
        assert set(answer.json) == {
            "authenticator_type",
            "secret",
            "barcode_uri",
            "recovery_codes",
        }
        confirmed = associate.verify(tenant.current_otp("ben@example.com"))
        assert confirmed.json["success"] is True
        assert associate.visitor.json("GET", "/api/balance").json == {"balance": 100}

    def test_sms(self, associate, tenant):
        """A phone number is confirmed by the code that it got."""
        answer = associate(
            authenticator_types=["oob"], oob_channels=["sms"], phone_number="+447700900123"
        )
        assert answer.json["binding_method"] == "prompt"
        code = tenant.last_message("ben@example.com").code
        assert associate.verify(code).json["success"] is True

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"authenticator_types": "otp"},
            {"authenticator_types": []},
            {"authenticator_types": ["pigeon"]},
            {"authenticator_types": ["oob"]},
            {"authenticator_types": ["oob"], "oob_channels": ["sms", "voice"]},
            {"authenticator_types": ["oob"], "oob_channels": [7]},
            {"authenticator_types": ["oob"], "oob_channels": ["sms"], "phone_number": 7},
            {"authenticator_types": ["oob"], "oob_channels": ["sms"]},
            {"authenticator_types": ["oob"], "oob_channels": ["voice"], "phone_number": "0770"},
        ],
        ids=str,
    )
    def test_bad_input(self, associate, tenant, body):
        """What names no method is refused, and nothing is sent to Auth0."""
        answer = associate(**body)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        assert "/mfa/associate" not in paths(tenant)

    def test_who_has_methods_adds_none(self, post, tenant):
        """Who has a method must prove it; a check is no way to add another one."""
        answer = post(ASSOCIATE, authenticator_types=["otp"])
        assert (answer.status_code, answer.json["error"]) == (400, "mfa_no_available_factors")
        assert "/mfa/associate" not in paths(tenant)

    def test_old_login(self, associate, clock, tenant):
        """A session whose login is old must log in again first: it may be stolen."""
        clock.advance(299)
        token = associate.visitor.mfa_required("/api/balance")["mfa_token"]
        clock.advance(2)
        body = {"mfa_token": token, "authenticator_types": ["otp"]}
        answer = associate.visitor.json("POST", ASSOCIATE, json=body)
        assert (answer.status_code, answer.json["error"]) == (401, "login_required")
        assert "/mfa/associate" not in paths(tenant)

    def test_way_to_a_fresh_login(self, make_app):
        """A program that is refused for that is told which login makes up for it."""
        ben = Visitor(make_app())
        ben.log_in("ben@example.com")
        token = ben.mfa_required("/api/balance")["mfa_token"]
        body = {"mfa_token": token, "authenticator_types": ["otp"]}
        refused = ben.json("POST", ASSOCIATE, json=body)
        assert (refused.status_code, refused.json["error"]) == (401, "login_required")
        ben.get(refused.json["login_url"])
        assert ben.json("POST", ASSOCIATE, json=body).status_code == 200


class TestChain:
    """An API that wants two factors."""

    def test_second_factor(self, ana, code, tenant):
        """After the first factor the answer is 403 with a new token, and after the second 200."""
        first = ana.json("GET", f"/token?audience={ADMIN}&scope=read:admin").json
        body = {"mfa_token": first["mfa_token"], "otp": code}
        second = ana.json("POST", VERIFY, json=body)
        assert (second.status_code, second.json["error"]) == (403, "mfa_required")
        assert second.json["mfa_token"] != first["mfa_token"]
        types = [entry["type"] for entry in second.json["mfa_requirements"]["challenge"]]
        assert "otp" not in types
        body = {
            "mfa_token": second.json["mfa_token"],
            "recovery_code": tenant.recovery_code(ANA),
        }
        assert ana.json("POST", VERIFY, json=body).json["success"] is True
        assert ana.json("GET", f"/token?audience={ADMIN}").json["audience"] == ADMIN

    def test_first_token_is_spent(self, ana, code):
        """The first token opens nothing any more."""
        first = ana.json("GET", f"/token?audience={ADMIN}&scope=read:admin").json
        body = {"mfa_token": first["mfa_token"], "otp": code}
        ana.json("POST", VERIFY, json=body)
        answer = ana.json("POST", VERIFY, json=body | {"otp": "000000"})
        assert (answer.status_code, answer.json["error"]) == (404, "mfa_token_not_found")


class TestFaults:
    """Auth0 does not answer."""

    @pytest.mark.parametrize(
        ("url", "path", "body"),
        [
            (VERIFY, "/oauth/token", {"otp": "123456"}),
            (CHALLENGE, "/mfa/challenge", {"challenge_type": "oob"}),
            (CHALLENGE, "/mfa/authenticators", {"challenge_type": "oob"}),
        ],
    )
    def test_unavailable(self, post, tenant, url, path, body):
        """A failing call is 503 with a time to wait, and the check goes on."""
        tenant.fault(path, status=502, body="<html>")
        answer = post(url, **body)
        assert (answer.status_code, answer.json["error"]) == (503, "auth0_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert post(VERIFY, otp=tenant.current_otp(ANA)).json == {"success": True}


class TestProfile:
    """GET /auth/profile."""

    def test_claims(self, ana):
        """The user's claims, without those of the protocol."""
        answer = ana.json("GET", "/auth/profile")
        assert answer.json["email"] == ANA
        assert answer.json["sub"].startswith("auth0|")
        assert not {"iss", "aud", "exp", "nonce"} & set(answer.json)

    def test_not_signed_in(self, visitor):
        """Without a session: 401."""
        answer = visitor.json("GET", "/auth/profile")
        assert (answer.status_code, answer.json["error"]) == (401, "login_required")


@pytest.mark.parametrize(("method", "url"), [("GET", ASSOCIATE), ("POST", AUTHENTICATORS)])
def test_other_methods(ana, method, url):
    """Reading a route that changes something, or the other way round, is 405."""
    assert ana.json(method, url).status_code == 405


@pytest.mark.parametrize("url", [VERIFY, CHALLENGE, POLL])
def test_reading(ana, mfa_token, tenant, url):
    """A GET to a route of a program asks Auth0 for nothing and ends no check."""
    before = paths(tenant)
    ana.json("GET", url, headers={"Authorization": f"Bearer {mfa_token}"})
    assert set(paths(tenant)[len(before) :]) <= {"/mfa/authenticators"}
    body = {"mfa_token": mfa_token, "otp": tenant.current_otp(ANA)}
    assert ana.json("POST", VERIFY, json=body).json == {"success": True}


@pytest.mark.parametrize("url", [VERIFY, CHALLENGE, AUTHENTICATORS, ASSOCIATE, POLL])
def test_no_foreign_origins(ana, mfa_token, url):
    """No answer lets another site's script read it."""
    headers = {"Origin": "https://evil.test", "Authorization": f"Bearer {mfa_token}"}
    method = "GET" if url == AUTHENTICATORS else "POST"
    answer = ana.json(method, url, headers=headers, json={} if method == "POST" else None)
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "no-store" in answer.headers["Cache-Control"]


def test_token_for_the_audience(ana, mfa_token, code):
    """After the check the application has a token for exactly that API."""
    headers = {"Authorization": f"Bearer {mfa_token}"}
    ana.json("POST", VERIFY, json={"otp": code}, headers=headers)
    found = ana.json("GET", f"/token?audience={PAYMENTS}").json
    assert found["audience"] == PAYMENTS
    assert "read:payments" in found["scope"].split()
