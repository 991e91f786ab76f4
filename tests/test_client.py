"""The client of Auth0's API: what it sends, and what it makes of every kind of answer."""

from __future__ import annotations

import gzip
import json
import logging
import threading
import time
import tracemalloc
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests
import requests_mock
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from flask_auth0_mfa import Auth0MFA
from flask_auth0_mfa import client as client_module
from flask_auth0_mfa.client import Auth0Client, token_response
from flask_auth0_mfa.config import load_settings
from flask_auth0_mfa.emulator import Configuration, Tenant, serve
from flask_auth0_mfa.emulator.clients import Client
from flask_auth0_mfa.errors import (
    AccessDeniedError,
    Auth0MfaRequired,
    Auth0ResponseError,
    Auth0UnavailableError,
    ConfigurationError,
    LoginRequiredError,
    MfaChallengeError,
    MfaCodeExpiredError,
    MfaDeclinedError,
    MfaEnrollmentError,
    MfaListAuthenticatorsError,
    MfaNoAvailableFactorsError,
    MfaTokenExpiredError,
    MfaVerifyError,
    MfaVerifyPendingError,
    RateLimitedError,
    StepUpUnavailableError,
    mfa_api_error,
    refresh_error,
    verify_error,
)
from flask_auth0_mfa.transport import MAX_BODY

from .still import NOW, StillClock
from .wire import hang_up, reset, wire_server

DOMAIN = "acme.eu.auth0.com"
TOKENS = {
    "access_token": "eyJ.a.b",
    "refresh_token": "v1.N",
    "id_token": "eyJ.c.d",
    "scope": "openid read:x",
    "expires_in": 86_400,
    "token_type": "Bearer",
}
MFA_GRANT = "http://auth0.com/oauth/grant-type/mfa-"


def make_client(domain=DOMAIN, clock=None, **options):
    """Return a client of the tenant; without another clock its time stands still."""
    values = {"client_id": "client-1", "client_secret": "s3cret", "domain": domain} | options
    settings = load_settings({"SECRET_KEY": "a secret key, and long enough for tests"}, values, {})
    return Auth0Client(settings, clock or StillClock())


@pytest.fixture
def wire():
    """A tenant of which only single answers exist."""
    return requests_mock.Adapter()


@pytest.fixture
def client(wire):
    """A client of that tenant."""
    made = make_client()
    made.mount(wire)
    return made


@pytest.fixture
def raw():
    """A tenant that answers byte by byte."""
    with wire_server() as server:
        yield server


@pytest.fixture
def raw_client(raw):
    """A client of that tenant, which waits a moment only."""
    return make_client(raw.url, timeout=(0.5, 0.3))


def answers(wire, status=200, body=None, **arguments):
    """Let the tenant answer everything this way."""
    content = {"json": body} if not isinstance(body, (bytes, str)) else {}
    content |= {"content": body} if isinstance(body, bytes) else {}
    content |= {"text": body} if isinstance(body, str) else {}
    wire.register_uri(
        requests_mock.ANY, requests_mock.ANY, status_code=status, **content, **arguments
    )


def form_of(wire):
    """Return the form fields of the last request."""
    return dict(parse_qsl(wire.last_request.text))


def browser_at(url):
    """Return a browser at an application whose tenant is at ``url``."""
    app = Flask("bank")
    app.config.update(
        SECRET_KEY="a secret key, and long enough for tests",
        AUTH0_DOMAIN=url,
        AUTH0_CLIENT_ID="client-1",
        AUTH0_CLIENT_SECRET="s3cret",
    )
    Auth0MFA(app)
    return app.test_client()


def code_back(browser):
    """Return the query with which Universal Login sends this browser back."""
    query = parse_qs(urlsplit(browser.get("/auth/login").location).query)
    return {"code": "c", "state": query["state"][0]}


class TestRequests:
    """What goes out, field by field, as Auth0 documents it."""

    def test_refresh(self, client, wire):
        """A refresh is a form with the client's credentials."""
        answers(wire, body=TOKENS)
        client.refresh("v1.M", "https://payments.example.com", "transfer:funds")
        assert wire.last_request.url == f"https://{DOMAIN}/oauth/token"
        assert form_of(wire) == {
            "grant_type": "refresh_token",
            "refresh_token": "v1.M",
            "audience": "https://payments.example.com",
            "scope": "transfer:funds",
            "client_id": "client-1",
            "client_secret": "s3cret",
        }

    def test_refresh_for_the_original_audience(self, client, wire):
        """Without audience and scope neither is sent, not even empty."""
        answers(wire, body=TOKENS)
        client.refresh("v1.M")
        assert not {"audience", "scope"} & set(form_of(wire))

    @pytest.mark.parametrize(
        ("kind", "proof"),
        [
            ("otp", {"otp": "123456"}),
            ("oob", {"oob_code": "Fe26", "binding_code": "123456"}),
            ("oob", {"oob_code": "Fe26"}),
            ("recovery-code", {"recovery_code": "ABCD"}),
        ],
    )
    def test_mfa_grant(self, client, wire, kind, proof):
        """An MFA grant has its type, the token in the body, and the proof."""
        answers(wire, body=TOKENS)
        client.mfa_grant("Fe26.2*raw", **proof)
        assert form_of(wire) == {
            "grant_type": MFA_GRANT + kind,
            "mfa_token": "Fe26.2*raw",
            "client_id": "client-1",
            "client_secret": "s3cret",
            **proof,
        }
        assert "Authorization" not in wire.last_request.headers

    def test_mfa_grant_without_proof(self, client, wire):
        """A grant without any proof is our own mistake, and is not sent."""
        with pytest.raises(ValueError, match="needs otp"):
            client.mfa_grant("Fe26.2*raw")
        assert wire.call_count == 0

    @pytest.mark.parametrize(
        ("method", "challenge_type"),
        [
            ("otp", "otp"),
            ("sms", "oob"),
            ("voice", "oob"),
            ("email", "oob"),
            ("push", "oob"),
            ("oob", "oob"),
        ],
    )
    def test_challenge(self, client, wire, method, challenge_type):
        """A challenge is JSON with credentials and token in the body, and no other credential."""
        answers(wire, body={"challenge_type": challenge_type, "oob_code": "Fe26"})
        client.challenge("Fe26.2*raw", method, "sms|dev_1")
        assert wire.last_request.url == f"https://{DOMAIN}/mfa/challenge"
        assert wire.last_request.json() == {
            "mfa_token": "Fe26.2*raw",
            "client_id": "client-1",
            "client_secret": "s3cret",
            "challenge_type": challenge_type,
            "authenticator_id": "sms|dev_1",
        }
        assert "Authorization" not in wire.last_request.headers

    def test_challenge_of_any_authenticator(self, client, wire):
        """Without an authenticator the field is left out."""
        answers(wire, body={"challenge_type": "otp"})
        client.challenge("Fe26.2*raw", "otp")
        assert "authenticator_id" not in wire.last_request.json()

    def test_authenticators(self, client, wire):
        """The list is asked for with the token alone."""
        answers(wire, body=[])
        client.authenticators("Fe26.2*raw")
        assert wire.last_request.method == "GET"
        assert wire.last_request.url == f"https://{DOMAIN}/mfa/authenticators"
        assert wire.last_request.headers["Authorization"] == "Bearer Fe26.2*raw"
        assert wire.last_request.text is None

    @pytest.mark.parametrize(
        ("method", "address", "body"),
        [
            ("otp", {}, {"authenticator_types": ["otp"]}),
            ("push", {}, {"authenticator_types": ["oob"], "oob_channels": ["auth0"]}),
            (
                "sms",
                {"phone_number": "+15550100"},
                {
                    "authenticator_types": ["oob"],
                    "oob_channels": ["sms"],
                    "phone_number": "+15550100",
                },
            ),
            (
                "email",
                {"email": "ana@example.com"},
                {
                    "authenticator_types": ["oob"],
                    "oob_channels": ["email"],
                    "email": "ana@example.com",
                },
            ),
        ],
    )
    def test_associate(self, client, wire, method, address, body):
        """Enrolling is JSON with the token as bearer."""
        answers(wire, body={"authenticator_type": "otp"})
        client.associate("Fe26.2*raw", method, **address)
        assert wire.last_request.json() == body
        assert wire.last_request.headers["Authorization"] == "Bearer Fe26.2*raw"

    def test_revoke(self, client, wire):
        """A refresh token is revoked with the client's credentials; the answer is empty."""
        answers(wire, body="")
        assert client.revoke("v1.M") is None
        assert form_of(wire) == {
            "token": "v1.M",
            "client_id": "client-1",
            "client_secret": "s3cret",
        }

    def test_special_characters(self, client, wire):
        """Whatever a code or token contains, it stays one field."""
        answers(wire, body=TOKENS)
        client.refresh("v1.M&grant_type=x", "https://a.example/?x=1&y=é", "a b")
        assert form_of(wire)["refresh_token"] == "v1.M&grant_type=x"
        assert form_of(wire)["audience"] == "https://a.example/?x=1&y=é"
        assert form_of(wire)["grant_type"] == "refresh_token"


class TestPrivateKeyJwt:
    """A client that signs instead of sending a secret."""

    @pytest.fixture
    def key(self):
        """The client's key."""
        return RSAKey.generate_key(2048)

    @pytest.fixture
    def options(self, key):
        """The settings of a client with that key."""
        pem = key.as_pem(private=True).decode()
        return {"client_secret": None, "client_assertion_signing_key": pem}

    def test_accepted(self, key, options):
        """A real tenant takes the assertion for its client; without a secret, none is sent."""
        registered = Client("client-1", public_key=key.as_pem(private=False).decode())
        with serve(Tenant(Configuration(clients=(registered,)))) as server:
            client = make_client(server.url, time.time, **options)
            with pytest.raises(Auth0ResponseError) as caught:
                client.refresh("v1.M-unknown")
            # The client itself was recognised: it is the token that is refused.
            assert caught.value.code == "invalid_grant"

    def test_wrong_key(self, key, options):
        """An assertion by another key is no credential."""
        other = RSAKey.generate_key(2048).as_pem(private=False).decode()
        registered = Client("client-1", public_key=other)
        with serve(Tenant(Configuration(clients=(registered,)))) as server:
            with pytest.raises(Auth0ResponseError) as caught:
                make_client(server.url, time.time, **options).refresh("v1.M-unknown")
            assert caught.value.code == "invalid_client"

    @pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
    @pytest.mark.parametrize(
        ("private", "alg"),
        [(RSAKey.generate_key(2048), "RS256"), (ECKey.generate_key("P-256"), "ES256")],
    )
    def test_assertion(self, private, alg, form):
        """The assertion names client and tenant, is short-lived, and never the same twice."""
        pem = private.private_key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
        client = make_client(client_secret=None, client_assertion_signing_key=pem)
        first, second = (client.credentials()["client_assertion"] for _ in range(2))
        token = jwt.decode(first, private, algorithms=[alg])
        assert token.header["alg"] == alg
        jti = token.claims.pop("jti")
        assert token.claims == {
            "iss": "client-1",
            "sub": "client-1",
            "aud": f"https://{DOMAIN}/",
            "iat": NOW,
            "exp": NOW + 180,
        }
        assert jwt.decode(second, private, algorithms=[alg]).claims["jti"] != jti

    @pytest.mark.parametrize(
        "pem",
        [
            "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----",
            Ed25519PrivateKey.generate()
            .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            .decode(),
            RSAKey.generate_key(2048).as_pem(private=True, password="locked").decode(),
            ECKey.generate_key("P-384").as_pem(private=True).decode(),
        ],
        ids=["nonsense", "cut off", "Ed25519", "with a password", "P-384"],
    )
    def test_unusable_key(self, pem):
        """A key that cannot sign is refused when the application starts, and named."""
        with pytest.raises(ConfigurationError, match="AUTH0_CLIENT_ASSERTION_SIGNING_KEY"):
            make_client(client_secret=None, client_assertion_signing_key=pem)

    def test_fields(self, options):
        """The assertion comes with its type, and no secret beside it."""
        credentials = make_client(**options).credentials()
        assert credentials["client_assertion_type"] == (
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        )
        assert "client_secret" not in credentials


class TestTokens:
    """A successful answer of the token endpoint."""

    def test_all_fields(self, client, wire):
        """Every token of the answer is kept, a new recovery code too."""
        answers(wire, body=TOKENS | {"recovery_code": "17EQ"})
        got = client.refresh("v1.M")
        assert (got.access_token, got.refresh_token, got.id_token) == (
            "eyJ.a.b",
            "v1.N",
            "eyJ.c.d",
        )
        assert (got.scope, got.expires_in, got.recovery_code) == ("openid read:x", 86_400, "17EQ")

    def test_few_fields(self, client, wire):
        """What Auth0 leaves out is absent, not an error."""
        answers(wire, body={"access_token": "a", "expires_in": 1})
        got = client.refresh("v1.M")
        assert (got.refresh_token, got.id_token, got.scope, got.recovery_code) == (None,) * 4

    @pytest.mark.parametrize("value", [None, ""])
    def test_empty_fields(self, client, wire, value):
        """An empty refresh token is none: the one we have is kept."""
        answers(wire, body=TOKENS | {"refresh_token": value})
        assert client.refresh("v1.M").refresh_token is None

    def test_unknown_fields(self, client, wire):
        """New fields of Auth0's do not break us."""
        answers(wire, body=TOKENS | {"authorization_details": [{}], "x": {"y": [1]}})
        assert client.refresh("v1.M").access_token == "eyJ.a.b"

    @pytest.mark.parametrize(
        ("expires_in", "seconds"),
        [(1, 1), ("86400", 86_400), (10**30, 366 * 86_400), (366 * 86_400, 366 * 86_400)],
    )
    def test_lifetime(self, client, wire, expires_in, seconds):
        """The lifetime is a number of seconds, also as text, and has an upper end."""
        answers(wire, body=TOKENS | {"expires_in": expires_in})
        assert client.refresh("v1.M").expires_in == seconds

    @pytest.mark.parametrize(
        "expires_in",
        [None, 0, -1, "", "-5", "1e9", "soon", "٣", True, [], {}, 1.5, float("nan"), "9" * 40],
    )
    def test_no_lifetime(self, client, wire, expires_in):
        """A token without a sensible lifetime is not a documented answer."""
        answers(wire, body=json.dumps(TOKENS | {"expires_in": expires_in}))
        with pytest.raises(Auth0UnavailableError):
            client.refresh("v1.M")

    @pytest.mark.parametrize("value", [None, "", 0, 1, True, [], {}, ["a"], {"a": "b"}])
    def test_no_access_token(self, client, wire, value):
        """A 200 without a token in text opens nothing."""
        answers(wire, body=TOKENS | {"access_token": value})
        with pytest.raises(Auth0UnavailableError):
            client.refresh("v1.M")

    @pytest.mark.parametrize("name", ["refresh_token", "id_token", "scope", "recovery_code"])
    @pytest.mark.parametrize("value", [1, True, [], ["a"], {}, "\ud800"])
    def test_wrong_types(self, client, wire, name, value):
        """A field of another type is not a documented answer either."""
        answers(wire, body=json.dumps(TOKENS | {name: value}))
        with pytest.raises(Auth0UnavailableError):
            client.refresh("v1.M")

    def test_login_of_the_application(self):
        """An application's own login answer is read the same way, extra fields and all."""
        got = token_response(TOKENS | {"expires_at": 1, "userinfo": {}})
        assert got.access_token == "eyJ.a.b"


NONSENSE = {
    "HTML": "<html><body>Bad gateway</body></html>",
    "empty": "",
    "space": " ",
    "empty list": "[]",
    "null": "null",
    "true": "true",
    "number": "7",
    "text": '"error"',
    "NaN": "NaN",
    "Infinity": "[Infinity]",
    "half of it": '{"access_token": "a", "expires_in',
    "two of them": "{}{}",
    "empty object": "{}",
    "nested": "[" * 100_000,
    "nested object": '{"a":' * 50_000,
    "not UTF-8": b"\xff\xfe{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "NUL": b"\x00",
    "error is a number": '{"error": 7}',
    "error is null": '{"error": null}',
    "error is a list": '{"error": ["invalid_grant"]}',
    "big number": '{"expires_in": ' + "9" * 5_000 + "}",
}


class TestNonsense:
    """Whatever is not a documented answer: the tenant is unavailable, nothing else happens."""

    @pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE.keys())
    @pytest.mark.parametrize("status", [200, 403, 502])
    def test_body(self, client, wire, status, body):
        """No body of any status makes another error or a success."""
        answers(wire, status, body)
        for call in (
            lambda: client.refresh("v1.M"),
            lambda: client.mfa_grant("raw", otp="123456"),
            lambda: client.challenge("raw", "sms"),
            lambda: client.associate("raw", "otp"),
        ):
            with pytest.raises(Auth0UnavailableError):
                call()

    @pytest.mark.parametrize(
        "body", [b for b in NONSENSE.values() if b not in ("[]", "[Infinity]")]
    )
    def test_list(self, client, wire, body):
        """Nor does any body but a list count as a list of authenticators."""
        answers(wire, 200, body)
        with pytest.raises(Auth0UnavailableError):
            client.authenticators("raw")

    @pytest.mark.parametrize("status", [201, 202, 204, 206, 301, 302, 303, 307, 400, 404, 500, 503])
    def test_tokens_under_another_status(self, client, wire, status):
        """Only 200 is a success, whatever the body says."""
        answers(wire, status, TOKENS)
        with pytest.raises(Auth0UnavailableError):
            client.refresh("v1.M")

    def test_error_under_200(self, client, wire):
        """A body that is an error is one, also under 200, also beside tokens."""
        answers(wire, 200, TOKENS | {"error": "invalid_grant"})
        with pytest.raises(Auth0ResponseError) as caught:
            client.refresh("v1.M")
        assert caught.value.code == "invalid_grant"

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_error_of_the_server(self, client, wire, status):
        """A 5xx blames nobody's code, even when its body is in Auth0's form."""
        answers(wire, status, {"error": "invalid_grant", "error_description": "Invalid otp_code."})
        with pytest.raises(Auth0UnavailableError):
            client.mfa_grant("raw", otp="123456")

    @settings(deadline=None, max_examples=50)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from([*TOKENS, "error", "error_description", "mfa_token", "id"])
                    | st.text(),
                    inner,
                )
            ),
        )
    )
    def test_any_json(self, content):
        """No JSON at all brings another kind of error, or tokens that are not text."""
        wire = requests_mock.Adapter()
        answers(wire, 200, json.dumps(content))
        client = make_client()
        client.mount(wire)
        for call in (
            lambda: client.refresh("v1.M"),
            lambda: client.challenge("raw", "push"),
            lambda: client.associate("raw", "push"),
            lambda: client.authenticators("raw"),
        ):
            try:
                call()
            except (Auth0UnavailableError, Auth0ResponseError):
                continue

    @pytest.mark.parametrize("token", ["\ud800", "é", "a\r\nX: y", "a b\x00", "中" * 10])
    def test_token_of_strange_characters(self, client, wire, token):
        """An ``mfa_token`` that no header can carry is nonsense, and not a crash later on."""
        answers(wire, 403, json.dumps({"error": "mfa_required", "mfa_token": token}))
        with pytest.raises((Auth0UnavailableError, Auth0MfaRequired)) as caught:
            client.refresh("v1.M")
        assert getattr(caught.value, "raw_mfa_token", None) is None

    @pytest.mark.parametrize("codes", [None, [], "ABCD", 5, {"a": 1}, [1, None], [["A"]]])
    def test_recovery_codes(self, client, wire, codes):
        """Recovery codes that are no list of texts are left out."""
        answers(wire, 200, {"authenticator_type": "otp", "recovery_codes": codes})
        assert client.associate("raw", "otp").recovery_codes == ()

    def test_no_oob_code(self, client, wire):
        """A challenge out of band without its code could never be completed."""
        answers(wire, 200, {"challenge_type": "oob"})
        with pytest.raises(Auth0UnavailableError):
            client.challenge("raw", "push")


class TestAuthenticators:
    """The list of the user's authenticators."""

    def listed(self, client, wire, *entries):
        """Return what the client makes of these entries."""
        answers(wire, 200, list(entries))
        return client.authenticators("raw")

    @pytest.mark.parametrize(
        ("entry", "method"),
        [
            ({"authenticator_type": "otp"}, "otp"),
            ({"authenticator_type": "oob", "oob_channel": "sms"}, "sms"),
            ({"authenticator_type": "oob", "oob_channels": ["voice"]}, "voice"),
            ({"authenticator_type": "oob", "oob_channel": "email"}, "email"),
            ({"authenticator_type": "oob", "oob_channel": "auth0"}, "push"),
            ({"authenticator_type": "recovery-code"}, "recovery-code"),
            ({"type": "otp"}, "otp"),
            ({"type": "webauthn-roaming"}, "webauthn-roaming"),
            ({"authenticator_type": "oob"}, "oob"),
            ({"authenticator_type": "oob", "oob_channel": "carrier-pigeon"}, "carrier-pigeon"),
            ({"authenticator_type": 7}, "unknown"),
            ({}, "unknown"),
        ],
    )
    def test_methods(self, client, wire, entry, method):
        """Both ways to name a channel are read; what we do not know is still listed."""
        (one,) = self.listed(client, wire, {"id": "x|dev_1", "active": True, **entry})
        assert one.method == method

    @pytest.mark.parametrize(
        ("active", "is_active"), [(True, True), (False, False), (None, False), ("true", False)]
    )
    def test_unconfirmed(self, client, wire, active, is_active):
        """Only one that Auth0 calls active is."""
        (one,) = self.listed(client, wire, {"id": "x", "active": active})
        assert one.active is is_active

    @pytest.mark.parametrize("entry", [None, 1, "x", [], {}, {"id": 7}, {"id": None}])
    def test_malformed_entries(self, client, wire, entry):
        """An entry without an id cannot be chosen; the others stay."""
        found = self.listed(client, wire, entry, {"id": "good"})
        assert [one.id for one in found] == ["good"]

    def test_strange_channels(self, client, wire):
        """Channels of another shape are ignored."""
        found = self.listed(
            client,
            wire,
            {"id": "a", "authenticator_type": "oob", "oob_channels": []},
            {"id": "b", "authenticator_type": "oob", "oob_channels": "sms"},
            {"id": "c", "authenticator_type": "oob", "oob_channels": [7]},
            {"id": "d", "authenticator_type": "oob", "oob_channel": 7, "name": 7, "type": 7},
        )
        assert [one.method for one in found] == ["oob"] * 4


def refresh(client):
    """Refresh; return what a refusal means."""
    return refresh_error(refused(lambda: client.refresh("v1.M")))


def verify_code(client):
    """Send a code from an app; return what a refusal means."""
    return verify_error(refused(lambda: client.mfa_grant("raw", otp="1")), is_push=False)


def verify_message(client):
    """Send a code from a message; return what a refusal means."""
    grant = lambda: client.mfa_grant("raw", oob_code="o", binding_code="1")  # noqa: E731
    return verify_error(refused(grant), is_push=False)


def poll(client):
    """Ask for the answer to a push; return what a refusal means."""
    return verify_error(refused(lambda: client.mfa_grant("raw", oob_code="o")), is_push=True)


def list_all(client):
    """List authenticators; return what a refusal means."""
    return mfa_api_error(refused(lambda: client.authenticators("raw")), MfaListAuthenticatorsError)


def challenge(client):
    """Start a challenge; return what a refusal means."""
    return mfa_api_error(refused(lambda: client.challenge("raw", "sms")), MfaChallengeError)


def enroll(client):
    """Begin to enroll; return what a refusal means."""
    return mfa_api_error(refused(lambda: client.associate("raw", "otp")), MfaEnrollmentError)


def refused(call):
    """Return the error answer of a call."""
    with pytest.raises(Auth0ResponseError) as caught:
        call()
    return caught.value


#: Section of auth0-wire.md, call, status, ``error``, ``error_description``, what it means here.
ERRORS = [
    ("3.2", refresh, 403, "invalid_grant", "Unknown or invalid refresh token.", LoginRequiredError),
    (
        "3.2",
        refresh,
        403,
        "invalid_grant",
        "The refresh_token was generated for a user who doesn't exist anymore.",
        LoginRequiredError,
    ),
    ("3.2", refresh, 403, "access_denied", "because I say so", AccessDeniedError),
    (
        "3.2",
        refresh,
        403,
        "unmet_authentication_requirements",
        "",
        MfaNoAvailableFactorsError,
    ),
    ("2", refresh, 403, "login_required", "", LoginRequiredError),
    ("2", refresh, 403, "interaction_required", "", LoginRequiredError),
    ("0.1", refresh, 401, "invalid_client", "Unauthorized", Auth0UnavailableError),
    ("13", refresh, 403, "unauthorized_client", "Grant type not allowed", StepUpUnavailableError),
    ("12", refresh, 429, "too_many_requests", "", RateLimitedError),
    ("3.1", refresh, 400, "unsupported_grant_type", "", AccessDeniedError),
    ("-", refresh, 400, "an_error_of_tomorrow", "", AccessDeniedError),
    ("5.1", verify_code, 403, "invalid_grant", "Invalid otp_code.", MfaVerifyError),
    ("5.1", verify_code, 403, "invalid_grant", "Invalid OTP", MfaVerifyError),
    ("5.1", verify_code, 400, "invalid_grant", "Invalid otp_code.", MfaVerifyError),
    ("5.1", verify_code, 401, "invalid_otp", "", MfaVerifyError),
    ("5.1", verify_message, 403, "invalid_grant", "Invalid binding_code.", MfaVerifyError),
    ("5.1", verify_message, 400, "invalid_grant", "Invalid binding_code.", MfaVerifyError),
    (
        "5.1",
        verify_message,
        400,
        "invalid_request",
        "Missing required parameter: binding_code",
        MfaVerifyError,
    ),
    ("5.1", verify_code, 403, "invalid_grant", "MFA Authorization rejected.", MfaVerifyError),
    ("5.1", verify_code, 401, "invalid_grant", "MFA Authorization rejected.", MfaVerifyError),
    ("5.1", poll, 400, "authorization_pending", "Authorization pending", MfaVerifyPendingError),
    ("5.1", poll, 200, "authorization_pending", "", MfaVerifyPendingError),
    ("5.1", poll, 400, "slow_down", "", MfaVerifyPendingError),
    ("5.1", poll, 429, "slow_down", "", MfaVerifyPendingError),
    ("5.1", poll, 400, "access_denied", "MFA Authorization rejected.", MfaDeclinedError),
    ("5.1", poll, 403, "invalid_grant", "MFA Authorization rejected.", MfaDeclinedError),
    ("5.1", verify_code, 401, "expired_token", "mfa_token is expired", MfaTokenExpiredError),
    ("5.1", verify_code, 403, "expired_token", "mfa_token is expired", MfaTokenExpiredError),
    ("5.1", verify_message, 401, "expired_token", "oob_code is expired", MfaCodeExpiredError),
    ("5.1", poll, 401, "expired_token", "oob_code is expired", MfaCodeExpiredError),
    ("5.1", verify_code, 401, "expired_token", "", MfaTokenExpiredError),
    ("5.1", verify_message, 401, "invalid_token", "", MfaTokenExpiredError),
    (
        "5.1",
        verify_code,
        403,
        "unmet_authentication_requirements",
        "",
        MfaNoAvailableFactorsError,
    ),
    ("5.1", verify_code, 403, "invalid_grant", "Malformed mfa_token", MfaTokenExpiredError),
    ("5.1", verify_message, 403, "invalid_grant", "Malformed oob_code", MfaCodeExpiredError),
    ("5.1", poll, 403, "invalid_grant", "Malformed oob_code", MfaCodeExpiredError),
    ("5.1", poll, 403, "invalid_grant", "Malformed mfa_token", MfaTokenExpiredError),
    (
        "5.1",
        verify_code,
        400,
        "invalid_request",
        "mfa_token not issued to this client",
        MfaTokenExpiredError,
    ),
    (
        "5.1",
        verify_code,
        403,
        "unauthorized_client",
        "Grant type 'http://auth0.com/oauth/grant-type/mfa-otp' not allowed for the client.",
        StepUpUnavailableError,
    ),
    ("5.1", verify_code, 403, "access_denied", "an Action says no", AccessDeniedError),
    ("5.1", verify_code, 429, "too_many_attempts", "Too many attempts", RateLimitedError),
    ("5.1", verify_code, 403, "too_many_attempts", "Too many attempts", RateLimitedError),
    ("5.1", verify_code, 429, "too_many_requests", "", RateLimitedError),
    (
        "5.1",
        verify_code,
        400,
        "invalid_request",
        "Too many failed codes. Wait for some minutes before retrying.",
        RateLimitedError,
    ),
    (
        "5.1",
        challenge,
        400,
        "invalid_request",
        "Too many SMS sent by the user. Wait for some minutes before retrying.",
        RateLimitedError,
    ),
    (
        "6",
        list_all,
        401,
        "invalid_grant",
        "The mfa_token provided is invalid.",
        MfaTokenExpiredError,
    ),
    ("6", list_all, 401, "invalid_token", "", MfaTokenExpiredError),
    ("6", list_all, 400, "invalid_grant", "", MfaTokenExpiredError),
    ("6", list_all, 401, "expired_token", "mfa_token is expired", MfaTokenExpiredError),
    ("6", list_all, 403, "insufficient_scope", "", MfaListAuthenticatorsError),
    ("6", list_all, 403, "access_denied", "", MfaListAuthenticatorsError),
    ("7", challenge, 400, "unsupported_challenge_type", "", MfaChallengeError),
    ("7", challenge, 400, "association_required", "", MfaChallengeError),
    ("7", challenge, 400, "invalid_authenticator", "Invalid authenticator ID", MfaChallengeError),
    ("7", challenge, 400, "invalid_request", "", MfaChallengeError),
    ("7", challenge, 403, "invalid_grant", "Malformed mfa_token", MfaTokenExpiredError),
    ("7", challenge, 401, "expired_token", "mfa_token is expired", MfaTokenExpiredError),
    ("7", challenge, 403, "invalid_token", "", MfaTokenExpiredError),
    ("7", challenge, 429, "too_many_attempts", "", RateLimitedError),
    ("8", enroll, 403, "access_denied", "User is already enrolled.", MfaEnrollmentError),
    ("8", enroll, 400, "invalid_request", "The phone number is invalid.", MfaEnrollmentError),
    ("8", enroll, 400, "invalid_phone_number", "", MfaEnrollmentError),
    ("8", enroll, 400, "unsupported_authenticator_type", "", MfaEnrollmentError),
    ("8", enroll, 401, "expired_token", "mfa_token is expired", MfaTokenExpiredError),
    ("-", challenge, 400, "an_error_of_tomorrow", "", MfaChallengeError),
]


class TestErrorAnswers:
    """Every error that Auth0 is known to answer, and what it means to our callers."""

    @pytest.mark.parametrize(
        ("section", "call", "status", "code", "description", "error"),
        ERRORS,
        ids=[f"{row[0]}-{row[1].__name__}-{row[2]}-{row[3]}-{row[4][:20]}" for row in ERRORS],
    )
    def test_meaning(self, client, wire, section, call, status, code, description, error):
        """The code decides; the status, about which sources differ, does not."""
        answers(wire, status, {"error": code, "error_description": description})
        assert type(call(client)) is error

    @pytest.mark.parametrize("description", [None, 7, [], {}, ""])
    def test_without_description(self, client, wire, description):
        """A description may be missing or be anything."""
        answers(wire, 403, {"error": "invalid_grant", "error_description": description})
        assert type(verify_code(client)) is MfaVerifyError

    @pytest.mark.parametrize("status", [400, 401, 403])
    def test_mfa_required(self, client, wire, status):
        """``mfa_required`` brings the raw token and the requirements, under any status."""
        requirements = {"challenge": [{"type": "otp"}]}
        body = {"error": "mfa_required", "mfa_token": "Fe26", "mfa_requirements": requirements}
        answers(wire, status, body)
        with pytest.raises(Auth0MfaRequired) as caught:
            client.refresh("v1.M")
        assert caught.value.raw_mfa_token == "Fe26"
        assert caught.value.mfa_requirements == requirements

    @pytest.mark.parametrize("requirements", [None, [], "otp", 7])
    @pytest.mark.parametrize("token", [None, "", 7, ["a"]])
    def test_mfa_required_without_more(self, client, wire, token, requirements):
        """Token and requirements can be missing; then there are none."""
        body = {"error": "mfa_required", "mfa_token": token, "mfa_requirements": requirements}
        answers(wire, 403, body)
        with pytest.raises(Auth0MfaRequired) as caught:
            client.refresh("v1.M")
        assert (caught.value.raw_mfa_token, caught.value.mfa_requirements) == (None, {})

    def test_throttled_without_json(self, client, wire):
        """A bare 429 is a limit as well."""
        answers(wire, 429, "slow down")
        assert type(verify_code(client)) is RateLimitedError

    @pytest.mark.parametrize("body", ["slow down", {"error": "too_many_requests"}])
    def test_throttling_is_logged(self, client, wire, caplog, body):
        """That it is Auth0's limit and not ours is in the log."""
        answers(wire, 429, body)
        assert type(refresh(client)) is RateLimitedError
        assert caplog.messages == [
            "Auth0 POST /oauth/token answered 429: it has had too many calls"
        ]

    def test_pending_push_is_not_logged(self, client, wire, caplog):
        """That a push is asked about too often is nothing to look at."""
        answers(wire, 429, {"error": "slow_down"})
        poll(client)
        assert caplog.messages == []

    def test_wrong_client_is_logged(self, client, wire, caplog):
        """A wrong client secret names the keys to look at in the log; the user sees a 503."""
        answers(wire, 401, {"error": "invalid_client", "error_description": "Unauthorized"})
        assert type(refresh(client)) is Auth0UnavailableError
        assert "AUTH0_CLIENT_SECRET" in caplog.text
        assert "s3cret" not in caplog.text

    def test_error_text(self, client, wire):
        """The description is Auth0's and is not in the text of the error."""
        answers(wire, 403, {"error": "invalid_grant", "error_description": "<b>Ana</b>"})
        error = refused(lambda: client.refresh("v1.M"))
        assert "Ana" not in str(error) + repr(error)


class TestWaiting:
    """How long Auth0 asks us to wait."""

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({}, None),
            ({"Retry-After": "5"}, 5),
            ({"Retry-After": "0"}, 1),
            ({"Retry-After": "3600"}, 3600),
            ({"Retry-After": "3601"}, 3600),
            ({"Retry-After": "99999999999"}, 3600),
            ({"Retry-After": "9" * 5_000}, None),
            ({"Retry-After": "-5"}, None),
            ({"Retry-After": "5.5"}, None),
            ({"Retry-After": "1e3"}, None),
            ({"Retry-After": "0x10"}, None),
            ({"Retry-After": "soon"}, None),
            ({"Retry-After": ""}, None),
            ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
            ({"x-ratelimit-reset": str(NOW + 30)}, 30),
            ({"x-ratelimit-reset": str(NOW)}, 1),
            ({"x-ratelimit-reset": str(NOW - 100)}, 1),
            ({"x-ratelimit-reset": str(NOW + 10**6)}, 3600),
            ({"x-ratelimit-reset": "-1"}, None),
            ({"x-ratelimit-reset": "soon"}, None),
            ({"Retry-After": "7", "x-ratelimit-reset": str(NOW + 30)}, 7),
            ({"Retry-After": "soon", "x-ratelimit-reset": str(NOW + 30)}, 30),
        ],
    )
    @pytest.mark.parametrize("body", [{"error": "too_many_attempts"}, "slow down"])
    def test_header(self, client, wire, headers, seconds, body):
        """Between a second and an hour; anything odd counts as not said."""
        answers(wire, 429, body, headers=headers)
        assert refused(lambda: client.refresh("v1.M")).retry_after == seconds

    @pytest.mark.parametrize(("headers", "seconds"), [({"Retry-After": "9"}, 9), ({}, 30)])
    def test_unavailable(self, client, wire, headers, seconds):
        """A 503 of Auth0's says how long, or we do."""
        answers(wire, 503, "", headers=headers)
        with pytest.raises(Auth0UnavailableError) as caught:
            client.refresh("v1.M")
        assert caught.value.retry_after == seconds

    def test_limit_without_header(self, client, wire):
        """A limit without a time still tells people to wait a minute."""
        answers(wire, 429, {"error": "too_many_attempts"})
        assert verify_code(client).retry_after == 60


class TestNetwork:
    """What can go wrong on the way: always the same calm error, and never a second try."""

    def fails(self, client):
        """Assert that the tenant counts as unavailable, and that we know it soon."""
        started = time.monotonic()
        with pytest.raises(Auth0UnavailableError):
            client.refresh("v1.M")
        assert time.monotonic() - started < 2

    @pytest.mark.parametrize(
        "answer",
        [
            hang_up,
            reset,
            lambda c: c.sendall(b"\x00\x01\x02\x03\r\n\r\n"),
            lambda c: (c.sendall(b"HTTP/1.1 200 OK\r\nContent-Le"), hang_up(c)),
            lambda c: (c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), hang_up(c)),
            lambda c: (c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), reset(c)),
            lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
            lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}"),
            lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            lambda c: c.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"
            ),
            lambda c: c.sendall(b"HTTP/1.1 999999 Huh\r\n\r\n"),
            lambda c: c.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n"),
            lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"),
            lambda c: c.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + b"nothing"),
        ],
        ids=[
            "no answer",
            "reset",
            "not HTTP",
            "half a header",
            "half a body",
            "half a body, reset",
            "the rest never comes",
            "no length",
            "no chunk",
            "not gzip",
            "no status",
            "many headers",
            "a long header",
            "only a beginning",
        ],
    )
    def test_broken_answer(self, raw, raw_client, answer):
        """A broken connection or answer is a failure of the tenant's, and is asked for once."""
        raw.answer = answer
        self.fails(raw_client)
        assert len(raw.requests) == 1

    def test_too_slow(self, raw, raw_client):
        """A tenant that does not begin to answer in time is unavailable."""
        raw.answer = lambda _: raw.is_over.wait(5)
        self.fails(raw_client)
        assert len(raw.requests) == 1

    def test_drip(self, raw, raw_client, monkeypatch):
        """A body that comes byte by byte does not hold a worker longer than the whole limit."""
        monkeypatch.setattr(client_module, "TOTAL_TIMEOUT", 0.5)
        raw.answer = lambda c: drip(c, raw, b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b" ")
        self.fails(raw_client)

    def test_drip_of_headers(self, raw, raw_client, monkeypatch):
        """Nor do headers that come byte by byte."""
        monkeypatch.setattr(client_module, "TOTAL_TIMEOUT", 0.5)
        raw.answer = lambda c: drip(c, raw, b"HTTP/1.1 200 OK\r\nX: ", b"y")
        self.fails(raw_client)

    def test_slow_but_whole(self, raw, raw_client):
        """An answer in pieces is put together."""
        body = json.dumps(TOKENS).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()

        def answer(connection):
            for start in range(0, len(body), 40):
                connection.sendall((head if start == 0 else b"") + body[start : start + 40])
                raw.is_over.wait(0.01)

        raw.answer = answer
        assert raw_client.refresh("v1.M").access_token == "eyJ.a.b"

    def test_refused(self):
        """Nobody listening."""
        with wire_server() as gone:
            client = make_client(gone.url, timeout=(0.5, 0.5))
        self.fails(client)

    def test_unknown_name(self):
        """A domain that does not resolve."""
        self.fails(make_client("nowhere.invalid", timeout=(0.5, 0.5)))

    def test_no_tls(self, raw):
        """A tenant that speaks no TLS where https is expected."""
        raw.answer = hang_up
        self.fails(make_client(raw.url.replace("http:", "https:"), timeout=(0.5, 0.5)))

    def test_unknown_certificate(self):
        """A certificate that nobody vouches for is not accepted, and sees no secret."""
        with serve(Tenant(), tls=True) as server:
            self.fails(make_client(server.url, timeout=(0.5, 0.5)))
            assert list(server.tenant.calls) == []

    def test_body_of_the_greatest_length(self, client, wire):
        """A body is read up to the limit."""
        text = json.dumps(TOKENS)
        answers(wire, 200, text + " " * (MAX_BODY - len(text)))
        assert client.refresh("v1.M").access_token == "eyJ.a.b"

    def test_huge_body(self, client, wire):
        """A byte more is none of Auth0's answers."""
        text = json.dumps(TOKENS)
        answers(wire, 200, text + " " * (MAX_BODY - len(text) + 1))
        with pytest.raises(Auth0UnavailableError):
            client.refresh("v1.M")

    def test_endless_body(self, raw, raw_client):
        """A body without an end is given up at the limit."""

        def answer(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while not raw.is_over.is_set():
                connection.sendall(b" " * 65_536)

        raw.answer = answer
        self.fails(raw_client)

    @pytest.mark.parametrize("layers", [1, 2])
    def test_bomb(self, raw, raw_client, layers):
        """A small body that unpacks to 50 MB is given up before it does."""
        body = b" " * 50_000_000
        for _ in range(layers):
            body = gzip.compress(body)
        coding = ", ".join(["gzip"] * layers)
        raw.answers("HTTP/1.1 200 OK", f"Content-Encoding: {coding}", body=body)
        tracemalloc.start()
        try:
            self.fails(raw_client)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 20_000_000

    def test_gzip(self, raw, raw_client):
        """An honest compressed answer is read."""
        body = gzip.compress(json.dumps(TOKENS).encode())
        raw.answers("HTTP/1.1 200 OK", "Content-Encoding: gzip", body=body)
        assert raw_client.refresh("v1.M").access_token == "eyJ.a.b"

    def test_log(self, raw, raw_client, caplog):
        """The log says what failed and how, and shows no token or secret."""
        with caplog.at_level(logging.DEBUG):
            self.fails(raw_client)
        assert "Auth0 POST /oauth/token failed: ConnectionError" in caplog.text
        assert "v1.M" not in caplog.text
        assert "s3cret" not in caplog.text


def drip(connection, raw, head, byte):
    """Send a beginning, then a byte now and then, until the client or the test is over."""
    connection.sendall(head)
    deadline = time.monotonic() + 5
    while not raw.is_over.wait(0.05) and time.monotonic() < deadline:
        connection.sendall(byte)


class TestConnections:
    """What is kept between calls, and what is not."""

    def test_kept_open(self, raw, raw_client):
        """Calls go over one connection."""
        connections = set()

        def answer(connection):
            connections.add(connection.getpeername())
            body = json.dumps(TOKENS).encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        raw.answer = answer
        for _ in range(3):
            raw_client.refresh("v1.M")
        assert len(connections) == 1

    def test_closed_in_between(self, raw, raw_client):
        """A connection that the tenant closed while it was idle is not a failure."""

        is_closed = threading.Event()

        def answer(connection):
            body = json.dumps(TOKENS).encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            hang_up(connection)
            is_closed.set()

        raw.answer = answer
        for _ in range(3):
            assert raw_client.refresh("v1.M").access_token == "eyJ.a.b"
            assert is_closed.wait(5)
            is_closed.clear()

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirects(self, raw, raw_client, status):
        """A redirect is not followed: credentials go nowhere but to the configured domain."""
        with wire_server() as elsewhere:
            raw.answers(f"HTTP/1.1 {status} Moved", f"Location: {elsewhere.url}/oauth/token")
            with pytest.raises(Auth0UnavailableError):
                raw_client.refresh("v1.M")
            assert elsewhere.requests == []
        assert len(raw.requests) == 1

    @pytest.mark.parametrize("location", [b"\xe9", b"https://[x", b"https://a:port/", b""])
    def test_redirects_to_nowhere(self, raw, raw_client, location):
        """An address that nobody can read is no other error than a redirect."""
        head = b"HTTP/1.1 302 Moved\r\nContent-Length: 0\r\nLocation: "
        raw.answer = lambda connection: connection.sendall(head + location + b"\r\n\r\n")
        with pytest.raises(Auth0UnavailableError):
            raw_client.refresh("v1.M")
        browser = browser_at(raw.url)
        assert browser.get("/auth/callback", query_string=code_back(browser)).status_code == 503

    def test_cookies(self, raw, raw_client):
        """A cookie that came with one user's answer does not go out with another's request."""
        body = json.dumps(TOKENS).encode()
        raw.answers("HTTP/1.1 200 OK", "Set-Cookie: did=ana; Path=/", body=body)
        for _ in range(2):
            raw_client.refresh("v1.M")
        assert not any("cookie:" in head for head in raw.heads)

    def test_cookies_at_login(self, raw, raw_client):
        """Nor does a cookie that came with one user's login."""
        raw.answers("HTTP/1.1 200 OK", "Set-Cookie: did=ana; Path=/")
        with requests.Session() as login:
            raw_client.share_transport(login)
            for _ in range(2):
                login.get(raw.url, timeout=5)
        assert not any("cookie:" in head for head in raw.heads)

    @pytest.mark.parametrize("status", [302, 307, 308])
    def test_redirects_at_login(self, raw, status):
        """Nor do code and secret of a login follow a redirect; the user sees a 503."""
        browser = browser_at(raw.url)
        back = code_back(browser)
        with wire_server() as elsewhere:
            raw.answers(f"HTTP/1.1 {status} Moved", f"Location: {elsewhere.url}/oauth/token")
            answer = browser.get("/auth/callback", query_string=back)
            assert elsewhere.requests == []
        assert answer.status_code == 503

    @pytest.mark.parametrize("body", [b" " * (MAX_BODY + 1), b"[" * 50_000], ids=["long", "deep"])
    def test_odd_answers_at_login(self, raw, body):
        """An answer to a login that no parser should be given is a 503 as well."""
        browser = browser_at(raw.url)
        back = code_back(browser)
        raw.answers("HTTP/1.1 200 OK", "Content-Type: application/json", body=body)
        assert browser.get("/auth/callback", query_string=back).status_code == 503

    @pytest.mark.parametrize("token", [None, 7, 1.5, True, [], {}])
    def test_odd_id_token_at_login(self, raw, token):
        """An ID token that is no text signs nobody in, and is no error of ours."""
        browser = browser_at(raw.url)
        back = code_back(browser)
        body = json.dumps(TOKENS | {"id_token": token}).encode()
        raw.answers("HTTP/1.1 200 OK", "Content-Type: application/json", body=body)
        assert browser.get("/auth/callback", query_string=back).status_code in (400, 503)
        assert browser.get("/auth/profile").status_code != 200

    @pytest.mark.parametrize("entry", ["machine 127.0.0.1", "default"])
    def test_netrc(self, raw, raw_client, tmp_path, monkeypatch, entry):
        """Credentials from a .netrc file replace nothing and are added to nothing."""
        netrc = tmp_path / "netrc"
        netrc.write_text(f"{entry} login somebody password something\n")
        monkeypatch.setenv("NETRC", str(netrc))
        raw.answers("HTTP/1.1 200 OK", body=json.dumps(TOKENS).encode())
        raw_client.refresh("v1.M")
        raw.answers("HTTP/1.1 200 OK", body=b"[]")
        raw_client.authenticators("raw-token")
        assert "authorization:" not in raw.heads[0]
        assert "authorization: bearer raw-token" in raw.heads[1]


class TestProxy:
    """A proxy that the environment names."""

    @pytest.fixture(autouse=True)
    def proxy(self, raw, monkeypatch):
        """A proxy for everything; it lets nothing through."""
        raw.answers("HTTP/1.1 403 Forbidden", body=b"")
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, raw.url)
            monkeypatch.delenv(name.upper(), raising=False)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        return raw

    def test_tenant(self, proxy):
        """A tenant elsewhere is called through it, by a tunnel that it cannot look into."""
        with pytest.raises(Auth0UnavailableError):
            make_client().refresh("v1.M")
        assert proxy.heads[0].startswith(f"connect {DOMAIN}:443 ")

    def test_exempt_tenant(self, proxy, monkeypatch):
        """One that the environment exempts is not."""
        monkeypatch.setenv("no_proxy", "127.0.0.1,.invalid")
        with pytest.raises(Auth0UnavailableError):
            make_client("acme.invalid", timeout=(0.1, 0.1)).refresh("v1.M")
        assert proxy.heads == []

    def test_tenant_on_this_machine(self, proxy):
        """The local tenant is called directly: a proxy would read secret and tokens."""
        with wire_server() as tenant:
            tenant.answers("HTTP/1.1 200 OK", body=json.dumps(TOKENS).encode())
            assert make_client(tenant.url).refresh("v1.M").access_token == "eyJ.a.b"
        assert proxy.heads == []

    def test_login_at_this_machine(self, proxy):
        """Nor does a login there give it code and secret."""
        with wire_server() as tenant:
            tenant.answers("HTTP/1.1 503 Down")
            browser = browser_at(tenant.url)
            browser.get("/auth/callback", query_string=code_back(browser))
            assert len(tenant.requests) == 1
        assert proxy.heads == []


class TestLogoutEndpoint:
    """Where OpenID Connect logout starts."""

    def test_of_the_tenant(self, client, wire):
        """The tenant's own endpoint is used, and asked for once."""
        endpoint = f"https://{DOMAIN}/oidc/logout"
        answers(wire, 200, {"end_session_endpoint": endpoint})
        assert [client.end_session_endpoint() for _ in range(3)] == [endpoint] * 3
        assert wire.call_count == 1

    @pytest.mark.parametrize(
        "endpoint",
        [
            None,
            7,
            "",
            "/oidc/logout",
            "https://evil.test/oidc/logout",
            f"https://{DOMAIN}.evil.test/oidc/logout",
            f"https://{DOMAIN}@evil.test/oidc/logout",
            f"http://{DOMAIN}/oidc/logout",
            "javascript:alert(1)",
        ],
    )
    def test_of_somebody_else(self, client, wire, endpoint):
        """An endpoint of another origin is not used, whatever the tenant answers."""
        answers(wire, 200, {"end_session_endpoint": endpoint})
        assert client.end_session_endpoint() is None

    def test_unreachable(self, client, wire):
        """A tenant that is down has none now, and is asked again next time."""
        answers(wire, 502, "")
        assert client.end_session_endpoint() is None
        endpoint = f"https://{DOMAIN}/oidc/logout"
        answers(wire, 200, {"end_session_endpoint": endpoint})
        assert client.end_session_endpoint() == endpoint
