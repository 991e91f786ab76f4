"""Attackers with many threads, and an Auth0 that answers anything.

``make campaign`` takes 10 000 answers, drawn anew; the ordinary run a few hundred, always the same.
"""

from __future__ import annotations

import io
import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import g
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse
from werkzeug.test import TestResponse

from flask_auth0_mfa import current_auth0, requires_stepup
from flask_auth0_mfa.config import KEYS
from flask_auth0_mfa.models import context_id
from flask_auth0_mfa.sessions import auth0_session

from .observed import ANA, grants, paths, wrong_code
from .redis_server import redis_server
from .scripted import PAYMENTS, Site, claim, sign_in
from .still import StillClock
from .visitor import Visitor

#: How many answers of Auth0 are made up.
ANSWERS = int(os.environ.get("AUTH0_ANSWERS", "240"))
THREADS = 40


# -- many at once ------------------------------------------------------------------------------


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def workers(request, make_app):
    """The application as it is deployed: one process, or two that share a Redis server."""
    if request.param == "memory":
        yield [make_app()]
        return
    with redis_server() as server:
        yield [make_app(AUTH0_STATE_URI=server.url) for _ in range(2)]


def at_once(act: Callable[[int], Any]) -> list[Any]:
    """Do something in forty threads that start at the same moment."""
    start = threading.Barrier(THREADS)

    def run(number: int) -> Any:
        start.wait(20)
        return act(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def test_forty_sessions(workers, tenant):
    """Forty sessions of one user, each from its own address: Auth0 sees what the limits allow."""
    visitors = [Visitor(workers[number % len(workers)]) for number in range(THREADS)]
    tokens = []
    for visitor in visitors:
        visitor.log_in(ANA)
        tokens.append(visitor.mfa_required("/api/balance")["mfa_token"])
    code = wrong_code(tenant)

    def send(number: int, path: str, **body: str) -> int:
        answer = visitors[number].json(
            "POST",
            path,
            json={"mfa_token": tokens[number], **body},
            headers={"X-Forwarded-For": f"198.51.100.{number}"},
            environ_overrides={"REMOTE_ADDR": f"203.0.113.{number}"},
        )
        return answer.status_code

    def guess(number: int) -> list[int]:
        tries = [send(number, "/auth/mfa/verify", otp=code) for _ in range(2)]
        tries.append(send(number, "/auth/mfa/verify", recovery_code="A" * 24))
        return [*tries, send(number, "/auth/mfa/challenge", challenge_type="oob")]

    statuses = [status for one in at_once(guess) for status in one]
    assert set(statuses) <= {200, 400, 429}
    # By default ten codes of an app, five recovery codes and five messages.
    assert len(grants(tenant, "http://auth0.com/oauth/grant-type/mfa-otp")) == 10
    assert len(grants(tenant, "http://auth0.com/oauth/grant-type/mfa-recovery-code")) == 5
    assert paths(tenant).count("/mfa/challenge") == 5


# -- answers of any kind -----------------------------------------------------------------------

ISSUER = "https://acme.eu.auth0.com/"
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
NOW = int(time.time())
#: What Auth0 says in its own words; no answer of ours repeats it.
WORDS = "Auth0 said <b>this</b>"
#: What the user's session is for.
SUBJECT = "auth0|ana"
RAW_TOKEN = "Fe26.2*a-token"
NONCE = "a nonce that is put in later"


def signed(key: RSAKey = KEY, **claims: Any) -> str:
    """Return a token of the tenant, signed with a key."""
    default = {"iss": ISSUER, "sub": SUBJECT, "iat": NOW, "exp": NOW + 3600}
    return jwt.encode({"alg": "RS256", "kid": "one"}, default | claims, key)


def id_token(key: RSAKey = KEY, **claims: Any) -> str:
    """Return an ID token for the application."""
    return signed(key, **({"aud": "client-1", "nonce": NONCE, "auth_time": NOW} | claims))


ACCESS_TOKEN = signed(aud=PAYMENTS)
ID_TOKEN = id_token()
#: Tokens that are almost right.
OTHER_TOKENS = (
    signed(aud="https://accounts.example.com"),
    signed(aud=PAYMENTS, sub="auth0|eve"),
    id_token(sub="auth0|eve"),
    id_token(aud="client-2"),
    id_token(exp=NOW - 3600),
    id_token(OTHER_KEY),
    id_token(OTHER_KEY, amr=["mfa"]),
    ID_TOKEN.rpartition(".")[0] + ".",
    "..",
    "a.b.c",
)
TOKENS = {
    "access_token": ACCESS_TOKEN,
    "expires_in": 3600,
    "token_type": "Bearer",
    "scope": "transfer:funds",
    "refresh_token": "v1.next",
    "id_token": ID_TOKEN,
}
AUTHENTICATORS = [
    {"id": "totp|1", "authenticator_type": "otp", "active": True},
    {"id": "sms|1", "authenticator_type": "oob", "oob_channel": "sms", "name": "XXXX1"},
    {"id": "push|1", "authenticator_type": "oob", "oob_channel": "auth0", "active": True},
]
CHALLENGE = {"challenge_type": "oob", "oob_code": "Fe26.2*oob", "binding_method": "prompt"}
ENROLLMENT = {
    "authenticator_type": "otp",
    "secret": "JBSWY3DPEHPK3PXP",
    "barcode_uri": "otpauth://totp/bank:ana?secret=JBSWY3DPEHPK3PXP&issuer=bank",
    "recovery_codes": ["ABCDEFGHIJKLMNOPQRSTUVWX"],
}
REQUIRED = {
    "error": "mfa_required",
    "error_description": WORDS,
    "mfa_token": RAW_TOKEN,
    "mfa_requirements": {"challenge": [{"type": "otp"}, {"type": "phone"}]},
}
REFUSED = {"error": "invalid_grant", "error_description": WORDS}


@dataclass(frozen=True)
class Answer:
    """One answer of Auth0; ``value`` is what its JSON says, if it is JSON."""

    status: int = 200
    value: Any = None
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def json_answer(value: Any, status: int = 200, **headers: str) -> Answer:
    """Return an answer with this JSON."""
    return Answer(status, value, json.dumps(value).encode(), headers)


class ScriptedTenant(BaseAdapter):
    """Answers each path as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Answer] = {}

    def send(self, request: requests.PreparedRequest, **_options: Any) -> requests.Response:
        answer = self.answers[urlsplit(request.url or "").path]
        raw = HTTPResponse(
            io.BytesIO(answer.content),
            headers=HTTPHeaderDict(answer.headers),
            status=answer.status,
            preload_content=False,
        )
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        """Do nothing: there is no connection."""


class Bank:
    """An application with a guarded view, somebody who is signed in, and a tenant to script."""

    def __init__(self) -> None:
        # Each example is a try of the same user.
        generous = {
            f"AUTH0_{name.upper()}": "100000 per minute" for name in KEYS if name.endswith("_limit")
        }
        self.site = Site(StillClock(NOW), **generous)
        self.tenant = ScriptedTenant()
        self.found = self.site.app.extensions["auth0_mfa"]
        self.found.client.mount(self.tenant)
        self.site.app.add_url_rule("/transfer", view_func=requires_stepup(PAYMENTS)(self._view))

    @staticmethod
    def _view() -> str:
        return "Open"

    def begin(self, *, has_methods: bool = True) -> None:
        """Sign somebody in, in a browser of their own, and open a check."""
        # What an example before this one left behind is not this one's.
        self.found.contexts.parts.memory.state._cache.clear()
        self.tenant.answers = {
            "/oauth/token": json_answer(REQUIRED, 403),
            "/oauth/revoke": Answer(),
            "/mfa/authenticators": json_answer(AUTHENTICATORS if has_methods else []),
            "/mfa/challenge": json_answer(CHALLENGE),
            "/mfa/associate": json_answer(ENROLLMENT),
            "/.well-known/jwks.json": json_answer(KeySet([KEY]).as_dict(private=False)),
            "/.well-known/openid-configuration": json_answer({}),
        }
        self.site.client = self.site.app.test_client()
        self.site.change(sign_in)
        self.site.change(claim(sub=SUBJECT, auth_time=NOW))

    def ask(self, method: str, path: str, *, as_json: bool, **arguments: Any) -> TestResponse:
        """Send a request, for a page or for JSON."""
        accept = "application/json" if as_json else "text/html"
        return self.site.client.open(path, method=method, headers={"Accept": accept}, **arguments)

    def opened(self) -> str:
        """Open a check, and return its sealed token."""
        answer = self.ask("GET", "/transfer", as_json=True)
        return answer.json["mfa_token"]

    def is_open(self) -> bool:
        """Tell whether the guarded view opens, with a tenant that wants a second factor again."""
        self.tenant.answers["/oauth/token"] = json_answer(REQUIRED, 403)
        return self.ask("GET", "/transfer", as_json=True).text == "Open"


#: Text that does not belong where it stands.
STRANGE = ("", " ", "\ud800", "\x00", "é中", "a\r\nSet-Cookie: b=c", "A" * 5_000, "1" * 5_000, "-1")
#: Text that an attacker would like to see on a page or in a header.
HOSTILE = (
    WORDS,
    "<script>alert(1)</script>",
    "//evil.test",
    "javascript:alert(1)",
    "https://evil.test/",
)
#: Auth0's own words, where others are expected.
CODES = (
    "mfa_required",
    "invalid_grant",
    "slow_down",
    "authorization_pending",
    "expired_token",
    "otp",
    "oob",
    "auth0",
    "sms",
    "recovery-code",
    "webauthn-roaming",
    "prompt",
)
ODD_TEXT = st.sampled_from([*STRANGE, *HOSTILE, *CODES])
ODD = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 10**30, float("nan"), float("inf"), 1.5, [], {}, [[]], [{}], [None]])
    | ODD_TEXT
    | st.sampled_from([*OTHER_TOKENS, ACCESS_TOKEN, ID_TOKEN])
    | st.text(max_size=20)
)
ANY_JSON = st.recursive(
    ODD,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*TOKENS, *REQUIRED, "id", "type", "x"]), inner)
    ),
    max_leaves=6,
)
STATUSES = st.sampled_from(
    [200] * 6 + [400, 401, 403, 403, 404, 429] + [201, 204, 206, 301, 302, 307, 418, 500, 502, 503]
)
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "x-ratelimit-reset", "Content-Type", "Location", "Set-Cookie"]),
    st.sampled_from(["0", "-1", "5", "9" * 30, "é", "text/html", "https://evil.test/", "a=b"]),
    max_size=2,
) | st.just({"Content-Encoding": "gzip"})


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """Draw something like a documented answer, with a few fields that are missing or odd."""
    if isinstance(value, list):
        return [draw(changed(one)) for one in value] + draw(st.lists(ANY_JSON, max_size=2))
    fields = dict(value)
    names = st.sampled_from([*fields, "error", "error_description", "mfa_token", "id_token"])
    for name in draw(st.lists(names, max_size=3)):
        if draw(st.booleans()):
            fields.pop(name, None)
        else:
            fields[name] = draw(ODD | ANY_JSON)
    return fields


@st.composite
def answers(draw: st.DrawFn, documented: Any) -> Answer:
    """Draw an answer of Auth0: mostly close to what is documented, sometimes nothing like it."""
    status, headers = draw(STATUSES), draw(st.just({}) | HEADERS)
    value = draw(changed(documented) | changed(REQUIRED) | changed(REFUSED) | ANY_JSON)
    content = json.dumps(value).encode()
    damage = draw(st.sampled_from([None] * 8 + ["cut", "bytes", "mark", "deep", "empty", "long"]))
    if damage is None:
        return Answer(status, value, content, headers)
    damaged = {
        "cut": content[: len(content) // 2],
        "bytes": b"\xff\xfe" + content,
        "mark": "\ufeff".encode() + content,
        "deep": b"[" * 50_000,
        "empty": b"",
        "long": content + b" " * 300_000,
    }[damage]
    return Answer(status, None, damaged, headers)


@pytest.fixture(scope="module")
def bank() -> Bank:
    """The application; each example has a browser of its own."""
    return Bank()


def many(documented: Any) -> Callable[[Any], Any]:
    """Return a decorator: the test runs for many answers like the documented one, by both sides."""

    def decorate(test: Any) -> Any:
        drawn = given(answer=answers(documented), as_json=st.booleans())(test)
        return settings(max_examples=ANSWERS // 6, suppress_health_check=list(HealthCheck))(drawn)

    return decorate


def check(answer: TestResponse) -> None:
    """Require one of our own answers, without a word of Auth0's."""
    assert answer.status_code in {200, 202, 302, 303, 400, 401, 403, 404, 429, 503}
    assert WORDS not in answer.text
    assert "<b>this</b>" not in answer.text
    assert "evil.test" not in answer.headers.get("Location", "")


class TestAnyAnswer:
    """Whatever Auth0 answers: no error of the server, and nothing opens that should not."""

    def look_at(self, bank: Bank, token: str, *pages: str) -> None:
        """Open pages of the check, whose content may have come from the answer."""
        identifier = context_id(bank.found.sealer.open("mfa-token", token)["hash"])
        for page in pages:
            check(bank.ask("GET", f"/auth/mfa/{page}context={identifier}", as_json=False))

    @many(TOKENS)
    def test_refresh(self, bank, answer, as_json):
        """A refresh alone opens nothing, whatever token it brings."""
        bank.begin()
        bank.tenant.answers["/oauth/token"] = answer
        page = bank.ask("GET", "/transfer", as_json=as_json)
        check(page)
        assert page.text != "Open"
        assert not bank.is_open()

    @many(AUTHENTICATORS)
    def test_list(self, bank, answer, as_json):
        """A list of methods, on the pages and as JSON."""
        bank.begin()
        token = bank.opened()
        bank.tenant.answers["/mfa/authenticators"] = answer
        if as_json:
            bearer = {"Authorization": f"Bearer {token}"}
            check(bank.site.client.get("/auth/mfa/authenticators", headers=bearer))
        self.look_at(bank, token, "challenge?", "challenge?choose=1&")
        assert not bank.is_open()

    @many(CHALLENGE)
    def test_challenge(self, bank, answer, as_json):
        """The answer to a challenge, and a code for it afterwards."""
        bank.begin()
        token = bank.opened()
        bank.tenant.answers["/mfa/challenge"] = answer
        which = "sms|1" if as_json else "push|1"
        body = {"mfa_token": token, "challenge_type": "oob", "authenticator_id": which}
        check(bank.ask("POST", "/auth/mfa/challenge", as_json=True, json=body))
        self.look_at(bank, token, "challenge?", "wait?")
        bank.tenant.answers["/oauth/token"] = json_answer(REFUSED, 403)
        body = {"mfa_token": token, "code": "123456"}
        check(bank.ask("POST", "/auth/mfa/verify", as_json=True, json=body))
        check(bank.ask("POST", "/auth/mfa/poll", as_json=True, json={"mfa_token": token}))
        assert not bank.is_open()

    @many(ENROLLMENT)
    def test_associate(self, bank, answer, as_json):
        """The answer to an enrollment, whose page shows a QR code of it."""
        bank.begin(has_methods=False)
        token = bank.opened()
        bank.tenant.answers["/mfa/associate"] = answer
        oob = {"authenticator_types": ["oob"], "oob_channels": ["sms"], "phone_number": "+15550100"}
        kind = {"authenticator_types": ["otp"]} if as_json else oob
        body = {"mfa_token": token, **kind}
        check(bank.ask("POST", "/auth/mfa/associate", as_json=True, json=body))
        self.look_at(bank, token, "enroll?", "wait?")
        bank.tenant.answers["/oauth/token"] = json_answer(REFUSED, 403)
        body = {"mfa_token": token, "code": "123456"}
        check(bank.ask("POST", "/auth/mfa/verify", as_json=True, json=body))
        assert not bank.is_open()

    @many(TOKENS | {"recovery_code": "ABCDEFGHIJKLMNOPQRSTUVWX"})
    def test_verify(self, bank, answer, as_json):
        """The answer to a code opens the view only if it has the right token, and no wrong one."""
        bank.begin()
        token = bank.opened()
        bank.tenant.answers["/oauth/token"] = answer
        proof = {"otp": "123456"} if as_json else {"recovery_code": "A" * 24}
        body = {"mfa_token": token, **proof}
        check(bank.ask("POST", "/auth/mfa/verify", as_json=True, json=body))
        self.look_at(bank, token, "recovery-code?")
        assert bank.is_open() <= is_success(answer)

    @many(TOKENS)
    def test_login(self, bank, answer, as_json):
        """The answer to a login signs in only by the right ID token, and opens no guarded view."""
        bank.begin()
        bank.site.client = bank.site.app.test_client()
        away = bank.ask("GET", "/auth/login?return_to=/transfer", as_json=as_json)
        query = parse_qs(urlsplit(away.headers["Location"]).query)
        state, nonce = query["state"][0], query["nonce"][0]
        is_right = isinstance(answer.value, dict) and answer.value.get("id_token") == ID_TOKEN
        if is_right and isinstance(answer.value, dict):
            value = answer.value | {"id_token": id_token(nonce=nonce)}
            answer = Answer(answer.status, value, json.dumps(value).encode(), answer.headers)
        bank.tenant.answers["/oauth/token"] = answer
        check(bank.ask("GET", f"/auth/callback?code=c&state={state}", as_json=as_json))
        is_in = bank.ask("GET", "/auth/profile", as_json=True).status_code == 200
        assert is_in <= is_right
        assert not bank.is_open()

    @pytest.mark.parametrize("status", [201, 202, 204, 206, 301, 302, 307, 400, 403, 500])
    def test_tokens_under_another_status(self, bank, status):
        """Tokens open the view under status 200 alone (SEC-55)."""
        assert not self.opens(bank, json_answer(TOKENS, status))

    @pytest.mark.parametrize(
        "changes",
        [
            {"error": "invalid_grant"},
            {"error": "mfa_required", "mfa_token": "Fe26.2*next"},
            {"error": ""},
            {"access_token": None},
            {"access_token": ""},
            {"access_token": [ACCESS_TOKEN]},
            {"access_token": ACCESS_TOKEN + "\n"},
            *({"access_token": token} for token in OTHER_TOKENS),
            {"expires_in": None},
            {"expires_in": 0},
            {"expires_in": -1},
            {"expires_in": "soon"},
            {"expires_in": True},
            {"expires_in": float("inf")},
            {"scope": 7},
            {"refresh_token": ["v1.next"]},
            *({"id_token": token} for token in OTHER_TOKENS),
            {"id_token": 7},
        ],
        ids=lambda changes: "-".join(changes),
    )
    def test_almost(self, bank, changes):
        """One wrong field of the documented answer is enough for the view to stay shut."""
        assert not self.opens(bank, json_answer(TOKENS | changes))

    def opens(self, bank: Bank, answer: Answer) -> bool:
        """Tell whether the view opens after this answer to a code."""
        bank.begin()
        token = bank.opened()
        bank.tenant.answers["/oauth/token"] = answer
        body = {"mfa_token": token, "otp": "123456"}
        check(bank.ask("POST", "/auth/mfa/verify", as_json=True, json=body))
        return bank.is_open()

    def test_documented(self, bank):
        """The documented answer opens the view: what the others are measured by."""
        assert self.opens(bank, json_answer(TOKENS))


def is_success(answer: Answer) -> bool:
    """Tell whether this answer may open the view: no error, the right access token, in time."""
    value = answer.value
    if answer.status != 200 or not isinstance(value, dict) or isinstance(value.get("error"), str):
        return False
    return value.get("access_token") == ACCESS_TOKEN and not (
        value.get("id_token") in OTHER_TOKENS or value.get("expires_in") in (None, 0, -1, "")
    )


class TestAnotherUser:
    """Tokens of another user than the session's, in an answer to this session's code (SEC-57)."""

    @pytest.mark.parametrize(
        "tokens",
        [
            {"id_token": id_token(sub="auth0|eve")},
            {"id_token": id_token(OTHER_KEY)},
            {"access_token": signed(aud=PAYMENTS, sub="auth0|eve"), "id_token": None},
        ],
        ids=["id token", "forged", "access token"],
    )
    def test_opens_nothing(self, bank, tokens):
        """The view stays shut; after a wrong ID token the session has no tokens any more."""
        bank.begin()
        token = bank.opened()
        bank.tenant.answers["/oauth/token"] = json_answer(TOKENS | tokens)
        body = {"mfa_token": token, "otp": "123456"}
        answer = bank.ask("POST", "/auth/mfa/verify", as_json=True, json=body)
        assert answer.status_code == (401 if tokens["id_token"] else 403)
        content = bank.site.content()
        assert content["verified"] == {}
        assert not content["access_tokens"]
        has_refresh_token = (content["token_set"] or {}).get("refresh_token") is not None
        assert has_refresh_token is (tokens["id_token"] is None)
        assert not bank.is_open()


class TestPlaces:
    """Where what is known of a user is kept, and where not (SEC-75)."""

    def test_nothing_on_g(self, bank):
        """After a request that knew the user, ``g`` has no name of theirs."""
        seen = {}

        def look():
            with auth0_session() as mine:
                assert mine.user
            seen.update(vars(g))

        bank.begin()
        bank.site.run(look)
        assert "auth0|ana" not in repr(seen)

    def test_nested_contexts(self, bank):
        """A request inside of a request is nobody's, and leaves the outer one as it was."""

        def look():
            app = bank.site.app
            with app.app_context(), app.test_request_context():
                inner = current_auth0.user
            with app.app_context():
                outer_again = current_auth0.user
            return [inner, outer_again and outer_again["sub"], current_auth0.user["sub"]]

        bank.begin()
        assert bank.site.run(look) == [None, SUBJECT, SUBJECT]
