"""Universal Login as the way out, and factors that the MFA API cannot do."""

from __future__ import annotations

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from flask_auth0_mfa import requires_stepup

from .conftest import OPEN, PAYMENTS
from .observed import ANA, refreshes, wrong_code
from .visitor import Visitor
from .ways import OTP, TARGET, asked

MULTI_FACTOR = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
AUTHENTICATORS = "/mfa/authenticators"
LINK = "Sign in again for more options"
SIGN_IN_AGAIN = "Sign in again to go on"
HTML = {"Accept": "text/html"}
CODE = "code from your authenticator app"
REJECTED_GRANT = {
    "error": "unauthorized_client",
    "error_description": "Grant type 'http://auth0.com/oauth/grant-type/mfa-otp' not allowed.",
}


@pytest.fixture
def app(app: Flask) -> Flask:
    """An application with views that accept certain methods only, and one that keeps forms."""
    for method in ("otp", "push", "phone"):
        view = requires_stepup(PAYMENTS, methods=(method,))(lambda: "Narrow")
        app.add_url_rule(f"/by/{method}", f"by_{method}", view)
    keeping = requires_stepup(PAYMENTS, resume=True)(lambda: "Sent")
    app.add_url_rule("/kept", "kept", keeping, methods=["POST"])
    return app


def listed(tenant, *entries, times=1):
    """Make Auth0 list these authenticators."""
    tenant.fault(AUTHENTICATORS, status=200, body=list(entries), times=times)


def entry(kind, **fields):
    """Return an authenticator as Auth0 would list it."""
    return {"id": f"{kind}|dev_1", "authenticator_type": kind, "active": True, **fields}


def authorization(visitor, url):
    """Return the parameters with which a link leads to Universal Login."""
    answer = visitor.client.get(url)
    assert answer.status_code == 303
    parts = urlsplit(answer.location)
    assert parts.path == "/authorize"
    return {name: values[0] for name, values in parse_qs(parts.query).items()}


class TestUnknownMethods:
    """What Auth0 lists and we do not know."""

    @pytest.mark.parametrize(
        "odd",
        [
            entry("webauthn-roaming", name="YubiKey"),
            entry("webauthn-platform", type="webauthn-platform"),
            entry("duo"),
            entry("carrier-pigeon", oob_channel="air"),
            entry("oob", oob_channel="whatsapp"),
            entry("oob"),
            entry("oob", oob_channel=7),
            entry("oob", oob_channels=[None]),
            entry("otp", type=None) | {"authenticator_type": "new"},
            {"id": "x|1", "type": "webauthn-roaming"},
            {"id": "x|1"},
        ],
        ids=lambda odd: "-".join(str(value) for value in odd.values())[:40],
    )
    def test_beside_a_known_one(self, ana, tenant, odd):
        """It is not offered, the known one is, and there is a link to Universal Login."""
        listed(tenant, odd, entry("otp"), entry("recovery-code"))
        page = ana.get(TARGET)
        assert page.status == 200
        assert [text for _, _, text in page.forms() if text] == [
            f"{OTP.label} A code from the app on your phone",
            "Recovery code The code you saved for emergencies",
        ]
        assert page.link(LINK)

    @pytest.mark.parametrize(
        "odd", [entry("webauthn-roaming"), entry("duo"), entry("oob", oob_channel="x"), {"id": "x"}]
    )
    def test_alone(self, ana, tenant, odd):
        """Who has nothing else is led to Universal Login, and back."""
        listed(tenant, odd)
        page = ana.get(TARGET)
        page = through_login(ana, page, tenant)
        assert page.url == f"http://localhost{TARGET}"

    @pytest.mark.parametrize(
        "beside", [(), (entry("otp"), entry("recovery-code"))], ids=["alone", "beside"]
    )
    def test_kept_form(self, ana, tenant, beside):
        """A form that the guard kept is what they come back to, ready to be sent."""
        listed(tenant, entry("webauthn-roaming"), *beside)
        page = ana._go("POST", "http://localhost/kept", {"amount": "500"})
        if beside:
            page = ana.get(page.link(LINK))
        page = through_login(ana, page, tenant)
        assert page.path == "/auth/mfa/resume"
        assert ana.press(page, "Send").text == "Sent"

    def test_beside_the_only_known_one(self, ana, tenant):
        """The page of its code does not call it the only one, and leads to the link."""
        listed(tenant, entry("webauthn-roaming"), entry("otp"))
        page = ana.get(TARGET)
        assert "only method" not in page.text
        assert ana.get(page.link("Use another method")).link(LINK)

    @pytest.mark.parametrize("junk", [None, 7, "text", [], {}, {"id": 7}])
    def test_nonsense_in_the_list(self, ana, tenant, junk):
        """What is no authenticator at all is passed over."""
        listed(tenant, junk, entry("otp"))
        assert CODE in ana.get(TARGET).heading

    def test_inactive(self, ana, tenant):
        """An authenticator that was never confirmed is not offered."""
        listed(tenant, entry("otp", active=False), entry("recovery-code"))
        assert "recovery code" in ana.get(TARGET).heading

    def test_unknown_requirement(self, ana, tenant):
        """A factor that only the tenant knows gives the link as well."""
        required = {
            "error": "mfa_required",
            "mfa_token": "Fe26.2*token",
            "mfa_requirements": {"challenge": [{"type": "palm"}, {"type": "otp"}, {"kind": 1}, 7]},
        }
        tenant.fault("/oauth/token", status=403, body=required)
        listed(tenant, entry("otp"), entry("otp") | {"id": "totp|2"})
        assert ana.get(TARGET).link(LINK)

    @pytest.mark.parametrize("kind", ["webauthn-roaming", "palm", "otp"])
    def test_required_and_not_listed(self, ana, tenant, kind):
        """Who is asked for a factor has one: a new one is not offered, it would be refused."""
        required = {
            "error": "mfa_required",
            "mfa_token": "Fe26.2*token",
            "mfa_requirements": {"challenge": [{"type": kind}]},
        }
        tenant.fault("/oauth/token", status=403, body=required)
        listed(tenant)
        answer = ana.client.get(ana.client.get(TARGET, headers=HTML).location, headers=HTML)
        assert answer.location.startswith("/auth/login?ticket=")

    def test_no_link_without_need(self, ana):
        """Who has only what the pages can do is not sent to Universal Login."""
        with pytest.raises(AssertionError, match="no link"):
            ana.get(TARGET).link(LINK)

    def test_json(self, ana, tenant):
        """The list for programs has what can be used, and no more."""
        listed(tenant, entry("duo"), entry("otp"), {"id": "x"})
        token = ana.mfa_required("/api/balance")["mfa_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        answer = ana.json("GET", "/auth/mfa/authenticators", headers=bearer)
        assert [one["authenticator_type"] for one in answer.json] == ["otp"]


def through_login(visitor, page, tenant, email=ANA):
    """Go through whatever Universal Login asks: the password, then a code of the app."""
    for _ in range(4):
        fields = {name for _, form, _ in page.forms() for name in form}
        if "password" in fields:
            page = visitor.press(page, "password", username=email, password="demo")
        elif page.url.startswith("http://localhost/"):
            break
        else:
            page = visitor.press(page, "code", code=tenant.current_otp(email))
    return page


class TestWayThere:
    """The link to Universal Login."""

    @pytest.fixture
    def link(self, ana, tenant):
        """The link for somebody with a security key and an app."""
        listed(tenant, entry("webauthn-roaming"), entry("otp"), entry("recovery-code"))
        return ana.get(TARGET).link(LINK)

    def test_asks_for_a_second_factor(self, ana, link):
        """It asks for a second factor for this API, no older than the view accepts."""
        asked_for = authorization(ana, link)
        assert asked_for["acr_values"] == MULTI_FACTOR
        assert asked_for["audience"] == PAYMENTS
        assert asked_for["max_age"] == "900"
        assert "transfer:funds" in asked_for["scope"].split()
        assert "openid" in asked_for["scope"].split()

    def test_leads_back(self, ana, link, tenant):
        """After it the page comes that was asked for, and stays open."""
        page = through_login(ana, ana.get(link), tenant)
        assert page.url == f"http://localhost{TARGET}"
        before = asked(tenant)
        assert ana.get(TARGET).path == "/transfer"
        assert asked(tenant) == before

    def test_next_refresh(self, ana, link, tenant):
        """The refresh token of the session is as good afterwards as before."""
        through_login(ana, ana.get(link), tenant)
        ana.json("GET", "/token?audience=https://accounts.example.com")
        ana.json("GET", "/token?audience=https://open.example.com")
        assert refreshes(tenant)[-2:] == [200, 200]

    def test_of_somebody_else(self, app, link):
        """In another browser the link is an ordinary login, without a target."""
        ben = Visitor(app)
        ben.log_in("ben@example.com")
        assert "acr_values" not in authorization(ben, link)

    def test_other_user_comes_back(self, ana, app, link, tenant):
        """When somebody else signs in there, nothing of the first user's session is left."""
        page = ana.get(link)
        ana.tenant.cookies.clear()
        page = through_login(ana, ana.get(link), tenant, "cleo@example.com")
        assert page.status in (200, 403)
        assert ana.get("/accounts").text == "Accounts of cleo@example.com"


class TestReturn:
    """What Universal Login brings back."""

    def test_without_second_factor(self, ana, tenant):
        """A login without ``amr: mfa`` does not open the page, and does not go in circles."""
        page = ana.get("/open")
        assert (page.status, page.heading) == (
            403,
            "A second check is needed, but it is not set up",
        )

    @pytest.mark.parametrize(("age", "status"), [(7200, 403), (600, 200)])
    def test_old_second_factor(self, ana, tenant, age, status):
        """A second factor of an older login than the view accepts does not open it, then or later.

        Auth0 says ``mfa`` right after its challenge only; where it says when, that counts too.
        """
        link = ana.json("GET", "/open").json["login_url"]
        now = int(time.time())
        default = {"iss": tenant.issuer, "sub": tenant.user(ANA).sub, "iat": now, "exp": now + 600}
        begun = authorization(ana, link)
        claims = {"aud": "demo-client", "nonce": begun["nonce"]}
        claims |= {"amr": ["mfa"], "auth_time": now - age}
        tokens = {
            "access_token": tenant.keys.sign(default | {"aud": OPEN}),
            "id_token": tenant.keys.sign(default | claims),
            "token_type": "Bearer",
            "expires_in": 600,
        }
        tenant.fault("/oauth/token", status=200, body=tokens)
        ana.get(f"/auth/callback?code=x&state={begun['state']}")
        assert ana.json("GET", "/open").status_code == status

    def test_without_second_factor_by_json(self, ana):
        """Programs get 403 with the address of the login."""
        answer = ana.json("GET", "/open")
        assert (answer.status_code, answer.json["error"]) == (403, "step_up_unavailable")
        assert answer.json["login_url"].startswith("/auth/login?ticket=")

    @pytest.fixture
    def back(self, ana, tenant):
        """Come back from Universal Login with a second factor, and with this in the answer."""

        def back(**fields):
            listed(tenant, entry("webauthn-roaming"), entry("otp"), entry("recovery-code"))
            begun = authorization(ana, ana.get(TARGET).link(LINK))
            now = int(tenant.clock.now())
            claims = {
                "iss": tenant.issuer,
                "sub": tenant.user(ANA).sub,
                "iat": now,
                "exp": now + 60,
            }
            proof = {"aud": "demo-client", "nonce": begun["nonce"], "amr": ["mfa"]}
            body = {
                "token_type": "Bearer",
                "expires_in": 600,
                "access_token": tenant.keys.sign(claims | {"aud": PAYMENTS}),
                "id_token": tenant.keys.sign(claims | proof),
                **fields,
            }
            tenant.fault("/oauth/token", status=200, body=body)
            return ana.get(f"/auth/callback?code=x&state={begun['state']}")

        return back

    def test_answer_without_scope(self, back):
        """A token without ``scope`` has what was asked for (RFC 6749 section 5.1), and opens."""
        assert back().path == "/transfer"

    def test_answer_with_less_scope(self, back):
        """A token that may not do what the view needs is said to be one; no circles."""
        page = back(scope="openid")
        assert (page.status, page.heading) == (403, "You do not have permission for this")
        assert "Sign in again" not in page.text


class TestMfaNotEnabled:
    """The application may not use the MFA grants."""

    @pytest.mark.parametrize("way", ["Authenticator app", "Text message", "Recovery code"])
    def test_code(self, ana, tenant, way):
        """The answer to the code is a page with a link, which leads to the target."""
        page = ana.challenge_page(TARGET, way)
        tenant.fault("/oauth/token", status=403, body=REJECTED_GRANT)
        code = {"Text message": lambda: tenant.last_message(ANA).code}.get(way)
        answer = ana.press(page, "code", code=code() if code else code_for(way, tenant))
        assert (answer.status, answer.path, answer.heading) == (
            403,
            "/auth/mfa/verify",
            SIGN_IN_AGAIN,
        )
        page = through_login(ana, ana.get(answer.link("Sign in again")), tenant)
        assert page.url == f"http://localhost{TARGET}"

    def test_push(self, ana, tenant):
        """The check of a push is answered by the same page, and the script by its address."""
        page = ana.press(ana.get(TARGET), "Approve on your phone")
        tenant.fault("/oauth/token", status=403, body=REJECTED_GRANT)
        url, fields = page.form("I have approved it")
        answer = ana.json("POST", url, data=fields)
        assert answer.json["login_url"].startswith("/auth/login?ticket=")

    def test_json(self, ana, tenant):
        """Programs get 403 with the address of the login."""
        token = ana.mfa_required("/api/balance")["mfa_token"]
        tenant.fault("/oauth/token", status=403, body=REJECTED_GRANT)
        body = {"mfa_token": token, "code": wrong_code(tenant)}
        answer = ana.json("POST", "/auth/mfa/verify", json=body)
        assert (answer.status_code, answer.json["error"]) == (403, "step_up_unavailable")
        assert authorization(ana, answer.json["login_url"])["acr_values"] == MULTI_FACTOR


def code_for(way, tenant):
    """Return the right code of a way without messages."""
    return tenant.recovery_code(ANA) if way == "Recovery code" else tenant.current_otp(ANA)


class TestNoToken:
    """``mfa_required`` without a token."""

    @pytest.fixture
    def without_token(self, tenant):
        """Make Auth0 leave the token out."""
        tenant.fault("/oauth/token", status=403, body={"error": "mfa_required"})

    def test_page(self, ana, without_token, tenant):
        """The way leads through Universal Login to the page that was asked for."""
        page = through_login(ana, ana.get(TARGET), tenant)
        assert page.url == f"http://localhost{TARGET}"

    def test_form(self, ana, without_token):
        """A form that is sent is answered by a page with a link."""
        answer = ana.client.post("/transfer", data={"to": "ben"}, headers={"Accept": "text/html"})
        assert answer.status_code == 403
        assert SIGN_IN_AGAIN in answer.text

    def test_json(self, ana, without_token):
        """Programs get the address of the login."""
        answer = ana.json("GET", "/api/balance")
        assert answer.status_code == 403
        assert answer.json["login_url"].startswith("/auth/login?ticket=")


class TestNarrowed:
    """Views that accept certain methods only (``methods=``)."""

    def test_choice(self, ana):
        """The choice has only those; ``phone`` is both kinds of message to it."""
        page = ana.get("/by/phone")
        assert [text.split(" •••")[0] for _, _, text in page.forms()] == [
            "Text message",
            "Phone call",
        ]

    def test_one_of_them(self, ana, tenant):
        """With one of them left its page comes at once, and opens the view."""
        page = ana.get("/by/otp")
        assert CODE in page.heading
        assert ana.press(page, "code", code=OTP.right(tenant)).text == "Narrow"

    def test_check_by_another_method(self, ana, tenant):
        """A check by a method that is not accepted does not open the view."""
        ana.step_up(TARGET, OTP.right(tenant))
        assert ana.get("/by/push").path == "/auth/mfa/challenge"

    def test_method_by_json(self, ana, tenant):
        """A proof by another method is refused before anything is sent."""
        token = ana.mfa_required("/by/push")["mfa_token"]
        tenant.calls.clear()
        for proof in ({"recovery_code": tenant.recovery_code(ANA)}, {"otp": OTP.right(tenant)}):
            answer = ana.json("POST", "/auth/mfa/verify", json={"mfa_token": token, **proof})
            assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        assert asked(tenant) == []

    def test_form_of_another_method(self, ana, tenant):
        """An authenticator that the view does not accept cannot be chosen."""
        ids = [f["authenticator_id"] for _, f, t in ana.get(TARGET).forms() if "Recovery" in t]
        page = ana.press(ana.get("/by/phone"), "Text message", authenticator_id=ids[0])
        assert page.status == 400
        assert not tenant.messages

    def test_none_of_them(self, visitor):
        """Who has none of them is told so: Universal Login would lead in circles."""
        visitor.log_in("cleo@example.com")
        page = visitor.get("/by/push")
        assert (page.status, page.heading) == (400, "None of your methods can be used here")
        assert visitor.json("GET", "/by/push").status_code == 403

    def test_no_way_through_login(self, ana, tenant):
        """Universal Login cannot prove one certain method, so nobody is sent there for it."""
        tenant.fault("/oauth/token", status=403, body={"error": "mfa_required"})
        page = ana.get("/by/otp")
        assert (page.status, page.path) == (403, "/by/otp")
        assert page.heading == "A second check is needed, but it is not set up"

    def test_login_with_a_second_factor(self, ana, tenant):
        """A login with some second factor does not say which, so it does not count."""
        tenant.fault("/oauth/token", status=403, body={"error": "mfa_required"})
        through_login(ana, ana.get(TARGET), tenant)
        assert ana.get("/by/push").heading == "Confirm that it is you"


class TestNowhereElse:
    """No form leads to another origin."""

    @pytest.mark.parametrize("method", [None, "Authenticator app", "Text message", "Approve"])
    def test_every_form(self, ana, method):
        """Whatever is sent, a redirect stays on this site, and off the login that leaves it."""
        page = ana.get(TARGET)
        if method:
            page = ana.press(page, method)
        answers = [
            ana.client.post(url, data={**fields, **changes})
            for url, fields, _ in page.forms()
            for changes in ({"csrf_token": ""}, {"context": "x"}, {"code": "123456"}, {})
        ]
        choice = ana.get(f"{ana.get(TARGET).url}&choose=1")
        answers += [ana.client.post(url, data=fields) for url, fields, _ in choice.forms()]
        ana.client.get("/auth/logout")
        answers += [ana.client.post(url, data=fields) for url, fields, _ in page.forms()]
        places = [urlsplit(one.location) for one in answers if one.location]
        assert places
        assert not [one for one in places if one.scheme or one.netloc or "login" in one.path]
