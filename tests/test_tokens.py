"""Tokens from Auth0: which ID tokens are believed, and with which keys."""

from __future__ import annotations

import base64
import hmac
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import requests
from joserfc import jwe, jws, jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from flask_auth0_mfa.client import Auth0Client
from flask_auth0_mfa.config import load_settings
from flask_auth0_mfa.errors import Auth0UnavailableError
from flask_auth0_mfa.tokens import (
    KEYS_PAUSE,
    KEYS_TTL,
    LEEWAY,
    LOGOUT_EVENT,
    LOGOUT_TOKEN_TTL,
    AccessTokenVerifier,
    IdTokenVerifier,
    InvalidTokenError,
    SigningKeys,
    access_token_claims,
    is_for,
)

from .still import NOW, StillClock

ISSUER = "https://acme.eu.auth0.com/"
CLIENT = "client-1"
SUBJECT = "auth0|ana"
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
NEW_KEY = RSAKey.generate_key(2048, {"kid": "two", "use": "sig", "alg": "RS256"})
FOREIGN_KEY = RSAKey.generate_key(2048, {"kid": "one"})
EC_KEY = ECKey.generate_key("P-256", {"kid": "curve"})
ABSENT = object()


class Jwks:
    """The tenant's key document, which can be changed, and be unreachable."""

    def __init__(self, *keys):
        self.keys = list(keys)
        self.failure = None
        self.extra = []
        self.fetched = 0
        self.wait = None

    def __call__(self):
        self.fetched += 1
        if self.wait is not None:
            self.wait()
        if self.failure is not None:
            raise self.failure
        return {"keys": [*(key.as_dict(private=False) for key in self.keys), *self.extra]}


class Queueing:
    """A lock that tells when so many threads have asked for it."""

    def __init__(self, threads):
        self.all_have_asked = threading.Event()
        self._missing = iter(range(threads - 1, -1, -1))
        self._lock = threading.Lock()

    def __enter__(self):
        if next(self._missing) == 0:
            self.all_have_asked.set()
        self._lock.acquire()

    def __exit__(self, *_exception):
        self._lock.release()


@pytest.fixture
def clock():
    """A clock that stands still."""
    return StillClock()


@pytest.fixture
def jwks():
    """A tenant with one key."""
    return Jwks(KEY)


@pytest.fixture
def verifier(jwks, clock):
    """The application's check of ID tokens."""
    return IdTokenVerifier(SigningKeys(jwks, clock), ISSUER, CLIENT, clock)


def claims(**changes):
    """Return the claims of a good ID token, with changes."""
    good = {
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": CLIENT,
        "iat": NOW,
        "exp": NOW + 36_000,
        "name": "Ana",
    }
    return {name: value for name, value in (good | changes).items() if value is not ABSENT}


def signed(key=KEY, alg="RS256", header=None, **changes):
    """Return an ID token; ``changes`` are of its claims."""
    head = {"alg": alg, "kid": key.kid} | (header or {})
    return jwt.encode(head, claims(**changes), key, algorithms=[alg])


def b64(content):
    """Return bytes or JSON in base64url."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def without_algorithm(key):
    """Return the same key, for use with any algorithm."""
    parts = key.as_dict(private=True)
    return type(key).import_key({k: v for k, v in parts.items() if k not in ("alg", "use")})


def is_refused(verifier, token, **arguments):
    """Tell whether the token is called invalid, and nothing else happens."""
    try:
        verifier.verify(token, **arguments)
    except InvalidTokenError:
        return True
    return False


@pytest.mark.parametrize("payload", [[{"sub": SUBJECT}], None, 7, "text"])
def test_payload_that_is_no_object(verifier, monkeypatch, payload):
    """A signed payload of any other JSON is refused here, as older joserfc hands it on."""
    given = jwt.Token({"alg": "RS256"}, payload)
    monkeypatch.setattr(jwt, "decode", lambda *_, **__: given)
    assert is_refused(verifier, signed())


class TestGoodToken:
    """What a tenant really sends is taken."""

    def test_claims(self, verifier):
        """The claims of a good token come back whole."""
        assert verifier.verify(signed()) == claims()

    def test_subject(self, verifier):
        """A token of the expected user is good."""
        assert verifier.verify(signed(), subject=SUBJECT)["sub"] == SUBJECT

    @pytest.mark.parametrize(
        "changes",
        [
            {"azp": CLIENT},
            {"aud": [CLIENT]},
            {"aud": [CLIENT, "other"], "azp": CLIENT},
            {"exp": NOW - LEEWAY + 1},
            {"iat": NOW + LEEWAY},
            {"exp": NOW + 0.5, "iat": NOW - 0.5},
            {"amr": ["mfa"], "acr": "x", "auth_time": NOW, "https://acme.com/roles": [1]},
        ],
    )
    def test_variants(self, verifier, changes):
        """So are tokens with other claims that the specification allows."""
        assert verifier.verify(signed(**changes))

    @pytest.mark.parametrize(("key", "alg"), [(KEY, "RS256"), (KEY, "PS256"), (EC_KEY, "ES256")])
    def test_algorithms(self, verifier, jwks, key, alg):
        """RS256, PS256 and ES256 are taken; the key document need not name the algorithm."""
        jwks.keys = []
        document = {k: v for k, v in key.as_dict(private=False).items() if k != "alg"}
        jwks.extra = [document]
        assert verifier.verify(signed(without_algorithm(key), alg))


FORGED = {
    "issuer without its slash": lambda: signed(iss=ISSUER.rstrip("/")),
    "issuer with another case": lambda: signed(iss=ISSUER.replace("acme", "Acme")),
    "issuer is another tenant": lambda: signed(iss="https://evil.eu.auth0.com/"),
    "issuer begins like ours": lambda: signed(iss=ISSUER + "evil/"),
    "issuer missing": lambda: signed(iss=ABSENT),
    "issuer in a list": lambda: signed(iss=[ISSUER]),
    "audience is another client": lambda: signed(aud="client-2"),
    "audience begins like ours": lambda: signed(aud=CLIENT + "0"),
    "audience missing": lambda: signed(aud=ABSENT),
    "audience is an empty list": lambda: signed(aud=[]),
    "audience is a mapping": lambda: signed(aud={CLIENT: 1}),
    "audience is an API": lambda: signed(aud="https://payments.example.com"),
    "two audiences without azp": lambda: signed(aud=[CLIENT, "other"]),
    "azp is another client": lambda: signed(azp="client-2"),
    "azp of another client among audiences": lambda: signed(aud=[CLIENT, "x"], azp="x"),
    "azp is null": lambda: signed(azp=None),
    "expired": lambda: signed(exp=NOW - LEEWAY),
    "expired long ago": lambda: signed(exp=1),
    "expiry missing": lambda: signed(exp=ABSENT),
    "expiry is text": lambda: signed(exp=str(NOW + 100)),
    "expiry is true": lambda: signed(exp=True),
    "expiry is not a number": lambda: signed(exp=float("nan")),
    "issued in the future": lambda: signed(iat=NOW + LEEWAY + 1),
    "time of issue missing": lambda: signed(iat=ABSENT),
    "time of issue is text": lambda: signed(iat=str(NOW)),
    "user missing": lambda: signed(sub=ABSENT),
    "user is empty": lambda: signed(sub=""),
    "user is a number": lambda: signed(sub=7),
    "user is null": lambda: signed(sub=None),
    "another key under our key id": lambda: signed(FOREIGN_KEY),
    "another key without key id": lambda: jws.serialize_compact(
        {"alg": "RS256"}, json.dumps(claims()), FOREIGN_KEY
    ),
    "unknown key id": lambda: signed(NEW_KEY),
    "key id is a path": lambda: signed(FOREIGN_KEY, header={"kid": "../../dev/null"}),
    "key id is a number": lambda: b64({"alg": "RS256", "kid": 1}) + "." + b64(claims()) + ".AAAA",
    "brings its own key": lambda: signed(
        FOREIGN_KEY, header={"jwk": FOREIGN_KEY.as_dict(private=False), "kid": "x"}
    ),
    "names a place for its key": lambda: signed(
        FOREIGN_KEY, header={"jku": "https://evil.test/jwks.json", "kid": "x"}
    ),
    "demands an unknown extension": lambda: (
        b64({"alg": "RS256", "kid": "one", "crit": ["exp"]}) + "." + signed().split(".", 1)[1]
    ),
    "not signed (none)": lambda: b64({"alg": "none"}) + "." + b64(claims()) + ".",
    "not signed (NONE)": lambda: b64({"alg": "NONE", "kid": "one"}) + "." + b64(claims()) + ".",
    "not signed (nOnE)": lambda: b64({"alg": "nOnE", "kid": "one"}) + "." + b64(claims()) + ".",
    "signed with our public key": lambda: with_shared_key(KEY.as_pem(private=False)),
    "signed with our public key as JSON": lambda: with_shared_key(
        json.dumps(KEY.as_dict(private=False)).encode()
    ),
    "signed with the client secret": lambda: with_shared_key(b"demo-secret, long enough for it"),
    "signed with nothing": lambda: with_shared_key(b"\x00" * 32),
    "other algorithm of the same key": lambda: signed(without_algorithm(KEY), "RS512"),
    "elliptic curve under our key id": lambda: signed(EC_KEY, "ES256", header={"kid": "one"}),
    "signature missing": lambda: signed().rpartition(".")[0] + ".",
    "signature of another token": lambda: (
        signed().rpartition(".")[0] + "." + signed(sub="auth0|ben").rpartition(".")[2]
    ),
    "claims changed": lambda: exchanged(b64(claims(sub="auth0|ben"))),
    "claims not JSON": lambda: jws.serialize_compact({"alg": "RS256", "kid": "one"}, "x", KEY),
    "claims are a list": lambda: jws.serialize_compact(
        {"alg": "RS256", "kid": "one"}, json.dumps([claims()]), KEY
    ),
    "claims are null": lambda: jws.serialize_compact({"alg": "RS256", "kid": "one"}, "null", KEY),
    "encrypted for nobody": lambda: jwe.encrypt_compact(
        {"alg": "dir", "enc": "A256GCM"}, json.dumps(claims()), OctKey.generate_key(256)
    ),
    "header is deeply nested": lambda: (
        b64(b'{"alg":' + b"[" * 50_000) + "." + signed().split(".", 1)[1]
    ),
    "header is a list": lambda: b64([]) + "." + signed().split(".", 1)[1],
    "header is not text": lambda: b64(b"\xff\xfe") + "." + signed().split(".", 1)[1],
    "empty": lambda: "",
    "dots": lambda: "..",
    "words": lambda: "not.a.jwt",
    "non-ASCII": lambda: signed() + "é",
    "surrogate": lambda: "\ud800.a.b",
    "opaque": lambda: "v1.M0123456789",
    "a megabyte": lambda: "a" * 1_000_000,
}


def with_shared_key(secret):
    """Return a token signed symmetrically, under our key id; joserfc itself would refuse to."""
    text = b64({"alg": "HS256", "kid": "one"}) + "." + b64(claims())
    return text + "." + b64(hmac.digest(secret, text.encode(), "sha256"))


def exchanged(payload):
    """Return a good token with other claims in it."""
    head, _, signature = signed().split(".")
    return f"{head}.{payload}.{signature}"


class TestForgedToken:
    """Every way to forge an ID token that we could think of is refused."""

    @pytest.mark.parametrize("make", FORGED.values(), ids=FORGED.keys())
    def test_refused(self, verifier, make):
        """It is called invalid: no other error, and no claims."""
        assert is_refused(verifier, make())

    def test_every_truncation(self, verifier):
        """No beginning of a good token is one."""
        token = signed()
        assert [n for n in range(len(token)) if not is_refused(verifier, token[:n])] == []

    @pytest.mark.parametrize("subject", ["auth0|ben", "", "auth0|an", "AUTH0|ANA"])
    def test_another_user(self, verifier, subject):
        """A good token of another user than the session's is refused."""
        assert is_refused(verifier, signed(sub="auth0|ana"), subject=subject)

    def test_error_text(self, verifier):
        """The error names the claim and shows nothing of the token."""
        with pytest.raises(InvalidTokenError) as caught:
            verifier.verify(signed(aud="client-2"))
        assert str(caught.value) == "the ID token's aud is not acceptable"


class TestKeys:
    """The tenant's keys are fetched rarely, and go on working when they cannot be."""

    def test_fetched_once(self, verifier, jwks):
        """Many tokens need one fetch."""
        for _ in range(20):
            verifier.verify(signed())
        assert jwks.fetched == 1

    def test_fetched_again(self, verifier, jwks, clock):
        """Old keys are fetched again, so that a key that was withdrawn stops working."""
        verifier.verify(signed())
        jwks.keys = [NEW_KEY]
        clock.advance(KEYS_TTL)
        assert is_refused(verifier, signed())
        assert jwks.fetched == 2

    def test_rotation(self, verifier, jwks, clock):
        """A token of a new key is good at once, and so is one of the key before it."""
        verifier.verify(signed())
        clock.advance(KEYS_PAUSE)
        jwks.keys = [NEW_KEY, KEY]
        assert verifier.verify(signed(NEW_KEY))
        assert verifier.verify(signed())
        assert jwks.fetched == 2

    def test_unknown_key_ids(self, verifier, jwks, clock):
        """A flood of unknown key ids makes one fetch every few seconds, not one each."""
        verifier.verify(signed())
        clock.advance(KEYS_PAUSE)
        for number in range(50):
            assert is_refused(verifier, signed(FOREIGN_KEY, header={"kid": f"key-{number}"}))
        assert jwks.fetched == 2
        clock.advance(KEYS_PAUSE)
        is_refused(verifier, signed(NEW_KEY))
        assert jwks.fetched == 3

    @pytest.mark.parametrize("age", [KEYS_PAUSE, KEYS_TTL], ids=["fresh", "old"])
    def test_slow_tenant(self, verifier, jwks, clock, age):
        """While one thread waits for new keys, tokens of a known key are checked as before."""
        verifier.verify(signed())
        clock.advance(age)
        is_asked, may_answer, has_answered = (threading.Event() for _ in range(3))

        def wait():
            is_asked.set()
            may_answer.wait(3)
            has_answered.set()

        jwks.wait = wait
        slow = threading.Thread(target=is_refused, args=(verifier, signed(NEW_KEY)))
        slow.start()
        try:
            assert is_asked.wait(10)
            assert verifier.verify(signed())
            assert not has_answered.is_set()
        finally:
            may_answer.set()
            slow.join()

    def test_unknown_key_ids_at_the_start(self, verifier, jwks):
        """Nor does a flood before the first good token fetch more than once."""
        for number in range(50):
            assert is_refused(verifier, signed(FOREIGN_KEY, header={"kid": f"key-{number}"}))
        assert jwks.fetched == 1

    def test_wrong_signatures(self, verifier, jwks):
        """A wrong signature under a known key id is no reason to fetch."""
        for _ in range(20):
            assert is_refused(verifier, signed(FOREIGN_KEY))
        assert jwks.fetched == 1

    @pytest.mark.parametrize("failure", [Auth0UnavailableError(), None])
    def test_old_keys(self, verifier, jwks, clock, failure):
        """While the tenant is down, or answers nonsense, the keys that we have go on working."""
        verifier.verify(signed())
        clock.advance(KEYS_TTL * 10)
        jwks.failure, jwks.extra = failure, [None]
        assert verifier.verify(signed(iat=NOW, exp=NOW + 36_000))

    def test_down_at_the_start(self, verifier, jwks):
        """Without any keys the tenant's absence is said as such: the token may be good."""
        jwks.failure = Auth0UnavailableError()
        with pytest.raises(Auth0UnavailableError):
            verifier.verify(signed())
        jwks.failure = None
        assert verifier.verify(signed())

    def test_silent_at_the_start(self, verifier, jwks):
        """Threads that wait for the same first keys do not wait for one call after the other."""
        verifier.keys._lock = lock = Queueing(threads=5)
        jwks.wait, jwks.failure = partial(lock.all_have_asked.wait, 10), Auth0UnavailableError()
        with ThreadPoolExecutor(5) as pool:
            tries = [pool.submit(verifier.verify, signed()) for _ in range(5)]
        assert {type(one.exception()) for one in tries} == {Auth0UnavailableError}
        assert jwks.fetched == 1

    def test_down_with_an_unknown_key_id(self, verifier, jwks, clock):
        """While the tenant is down, unknown key ids do not make a call each."""
        verifier.verify(signed())
        clock.advance(KEYS_PAUSE)
        jwks.failure = Auth0UnavailableError()
        for number in range(20):
            with pytest.raises((Auth0UnavailableError, InvalidTokenError)):
                verifier.verify(signed(FOREIGN_KEY, header={"kid": f"key-{number}"}))
        assert jwks.fetched == 2

    def test_down_with_old_keys(self, verifier, jwks, clock):
        """While the tenant is down, old keys do not make every token wait for a call."""
        verifier.verify(signed())
        clock.advance(KEYS_TTL)
        jwks.failure = Auth0UnavailableError()
        for _ in range(20):
            verifier.verify(signed())
        assert jwks.fetched == 2

    def test_clock_goes_back(self, verifier, jwks, clock):
        """A clock that was put back does not freeze the keys."""
        verifier.verify(signed())
        clock.advance(-3600)
        jwks.keys = [NEW_KEY]
        assert verifier.verify(signed(NEW_KEY, iat=NOW - 3600))

    @pytest.mark.parametrize(
        "stranger",
        [
            {"kty": "AKP", "kid": "post-quantum", "alg": "ML-DSA-44", "pub": "AAAA"},
            {"kty": "OKP", "kid": "edwards", "crv": "Ed25519", "x": "A" * 43},
        ],
    )
    def test_key_of_another_kind(self, verifier, jwks, stranger):
        """A key of a kind that we do not know does not spoil the others (RFC 7517 section 5)."""
        jwks.extra = [stranger]
        assert verifier.verify(signed())

    @pytest.mark.parametrize(
        "document", [{}, {"keys": None}, {"keys": []}, {"keys": "x"}, {"keys": [{}]}]
    )
    def test_malformed_document(self, clock, document):
        """A key document without usable keys makes every token invalid, and nothing worse."""
        verifier = IdTokenVerifier(SigningKeys(lambda: document, clock), ISSUER, CLIENT, clock)
        assert is_refused(verifier, signed())

    def test_symmetric_key_in_the_document(self, verifier, jwks):
        """A symmetric key among the tenant's keys signs nothing."""
        key = OctKey.import_key(b"x" * 32, {"kid": "shared"})
        jwks.extra = [key.as_dict()]
        token = jws.serialize_compact(
            {"alg": "HS256", "kid": "shared"}, json.dumps(claims()), key, algorithms=["HS256"]
        )
        assert is_refused(verifier, token)


class TestKeysOverHttp:
    """The keys of a real tenant."""

    @pytest.fixture
    def keys(self, tenant, tenant_server):
        """The keys as the application fetches them."""
        values = {"domain": tenant_server.url, "client_id": "demo-client", "client_secret": "x"}
        settings = load_settings(
            {"SECRET_KEY": "a secret key, and long enough for tests"}, values, {}
        )
        clock = StillClock()
        return SigningKeys(Auth0Client(settings, clock).jwks, clock)

    def test_document(self, keys, tenant_server):
        """The fetched keys are those that the tenant publishes."""
        published = requests.get(f"{tenant_server.url}/.well-known/jwks.json", timeout=5).json()
        ids = {key["kid"] for key in published["keys"]}
        assert {key.kid for key in keys.current()} == ids

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (429, {"error": "too_many_requests"}),
            (429, "slow down"),
            (404, {"error": "not_found"}),
            (403, "<html>Forbidden</html>"),
            (500, {"error": "server_error"}),
            (502, "<html>Bad gateway</html>"),
            (200, "nonsense"),
            (200, []),
        ],
    )
    def test_no_document(self, keys, tenant, status, body):
        """Whatever is wrong with the answer, the tenant counts as unavailable."""
        tenant.fault("/.well-known/jwks.json", status=status, body=body)
        with pytest.raises(Auth0UnavailableError):
            keys.current()


def logout_claims(**changes):
    """Return claims for ``signed`` that make a good logout token, with changes."""
    good = {"events": {LOGOUT_EVENT: {}}, "jti": "1", "sid": "s", "exp": NOW + 120, "name": ABSENT}
    return good | changes


class TestLogoutToken:
    """Back-channel logout: who may end whose session."""

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"sub": ABSENT},
            {"sid": ABSENT},
            {"exp": ABSENT},
            {"iat": NOW - LOGOUT_TOKEN_TTL + 1},
        ],
    )
    def test_good(self, verifier, changes):
        """A logout token that names a user or a session is taken."""
        assert verifier.verify_logout_token(signed(**logout_claims(**changes)))

    @pytest.mark.parametrize(
        "changes",
        [
            {"iss": "https://evil.eu.auth0.com/"},
            {"aud": "client-2"},
            {"aud": ABSENT},
            {"iat": ABSENT},
            {"iat": NOW - LOGOUT_TOKEN_TTL},
            {"iat": NOW + LOGOUT_TOKEN_TTL},
            {"exp": NOW - LEEWAY},
            {"events": ABSENT},
            {"events": {}},
            {"events": [LOGOUT_EVENT]},
            {"events": {"http://schemas.openid.net/event/other": {}}},
            {"nonce": "n"},
            {"nonce": None},
            {"sub": ABSENT, "sid": ABSENT},
            {"sub": 1, "sid": 2},
        ],
    )
    def test_refused(self, verifier, changes):
        """Any other one is not (OpenID Connect Back-Channel Logout 1.0 section 2.6)."""
        with pytest.raises(InvalidTokenError):
            verifier.verify_logout_token(signed(**logout_claims(**changes)))

    def test_forged(self, verifier):
        """A logout token of somebody else's key is refused."""
        with pytest.raises(InvalidTokenError):
            verifier.verify_logout_token(signed(FOREIGN_KEY, **logout_claims()))

    def test_id_token(self, verifier):
        """An ID token logs nobody out."""
        with pytest.raises(InvalidTokenError):
            verifier.verify_logout_token(signed())


class TestAccessToken:
    """What we read from an access token: for which API it is, and whose."""

    def test_claims(self):
        """The claims of a JWT can be read."""
        assert access_token_claims(signed())["sub"] == SUBJECT

    @pytest.mark.parametrize(
        "token",
        [
            "",
            "opaque",
            "a.b",
            "a.b.c",
            "a.b.c.d.e",
            "..",
            "a." + b64(b"[1]") + ".c",
            "a." + b64(b"null") + ".c",
            "a." + b64(b"\xff") + ".c",
            "a." + b64(b"[" * 50_000) + ".c",
            "a.é.c",
            "a.\ud800.c",
        ],
    )
    def test_no_claims(self, token):
        """An opaque or malformed token has none, and is for no API."""
        assert access_token_claims(token) == {}
        assert not is_for(token, "https://payments.example.com", None)

    @pytest.mark.parametrize(
        ("aud", "holds"),
        [
            ("https://payments.example.com", True),
            (["https://payments.example.com", ISSUER + "userinfo"], True),
            ("https://payments.example.com/", False),
            ("https://accounts.example.com", False),
            (["https://accounts.example.com"], False),
            ([], False),
            (None, False),
            ({"https://payments.example.com": 1}, False),
        ],
    )
    def test_audience(self, aud, holds):
        """Only the exact audience counts: Auth0 answers 200 for another one as well."""
        assert is_for(signed(aud=aud), "https://payments.example.com", SUBJECT) is holds

    @pytest.mark.parametrize(
        ("sub", "holds"), [(SUBJECT, True), (ABSENT, True), ("auth0|ben", False), (7, False)]
    )
    def test_user(self, sub, holds):
        """A token of another user is not for this one."""
        assert is_for(signed(sub=sub), CLIENT, SUBJECT) is holds


class TestApi:
    """Which access tokens an API believes; the rows differ from a good token in one thing."""

    API = "https://payments.example.com"

    @pytest.fixture
    def verifier(self, jwks, clock):
        """The API's check of access tokens."""
        return AccessTokenVerifier(SigningKeys(jwks, clock), ISSUER, self.API, clock)

    @pytest.mark.parametrize(
        ("header", "changes"),
        [
            ({}, {}),
            ({"typ": "JWT"}, {}),
            ({"typ": "at+jwt"}, {"client_id": CLIENT, "jti": "1"}),
            ({"typ": "application/AT+JWT"}, {}),
            ({}, {"aud": ["https://payments.example.com", ISSUER + "userinfo"]}),
            ({}, {"nbf": NOW + LEEWAY, "iat": NOW + LEEWAY}),
            ({}, {"iat": ABSENT}),
            ({}, {"exp": NOW - LEEWAY + 1}),
        ],
    )
    def test_taken(self, verifier, header, changes):
        """Both profiles of Auth0, and clocks that differ a little."""
        token = signed(header=header, **({"aud": self.API} | changes))
        assert verifier.verify(token)["sub"] == SUBJECT

    @pytest.mark.parametrize(
        ("header", "changes"),
        [
            ({"typ": "logout+jwt"}, {}),
            ({"typ": "dpop+jwt"}, {}),
            ({}, {"aud": CLIENT}),
            ({}, {"aud": ["https://accounts.example.com"]}),
            ({}, {"aud": "https://payments.example.com/"}),
            ({}, {"aud": ABSENT}),
            ({}, {"iss": "https://evil.eu.auth0.com/"}),
            ({}, {"iss": ISSUER.rstrip("/")}),
            ({}, {"iss": ABSENT}),
            ({}, {"exp": NOW - LEEWAY}),
            ({}, {"exp": ABSENT}),
            ({}, {"exp": str(NOW + 60)}),
            ({}, {"exp": True}),
            ({}, {"nbf": NOW + LEEWAY + 1}),
            ({}, {"nbf": "soon"}),
            ({}, {"iat": NOW + LEEWAY + 1}),
            ({}, {"sub": ABSENT}),
            ({}, {"sub": ""}),
            ({}, {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}),
        ],
    )
    def test_refused(self, verifier, header, changes):
        """Another purpose, API or tenant, out of its time, without a user, or bound to a key."""
        assert is_refused(verifier, signed(header=header, **({"aud": self.API} | changes)))

    @pytest.mark.parametrize("alg", ["HS256", "none"])
    def test_algorithm(self, verifier, alg):
        """A token that anybody can make: signed with the public key, or not at all."""
        head = {"alg": alg, "kid": KEY.kid, "typ": "JWT"}
        signing_input = f"{b64(head)}.{b64(claims(aud=self.API))}"
        public = KEY.as_pem(private=False)
        mac = hmac.digest(public, signing_input.encode(), "sha256") if alg == "HS256" else b""
        assert is_refused(verifier, f"{signing_input}.{b64(mac)}")

    def test_signature(self, verifier):
        """A key of somebody else's under the id of ours."""
        assert is_refused(verifier, signed(FOREIGN_KEY, aud=self.API))

    def test_rotation(self, verifier, jwks, clock):
        """Keys are fetched anew for an unknown id, but not for every token of a flood."""
        assert verifier.verify(signed(aud=self.API))
        jwks.keys = [NEW_KEY]
        clock.advance(KEYS_PAUSE)
        assert verifier.verify(signed(NEW_KEY, aud=self.API))
        fetched = jwks.fetched
        for _ in range(20):
            assert is_refused(verifier, signed(aud=self.API))
        assert jwks.fetched == fetched
