"""Secrets stay where they belong: no page, address, header, log line or error shows one.

The secrets are taken from the wire on the tenant's side, so the tests know exactly what was
handed out: every token, every code that was entered, and the client's secret.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import sys
import traceback
import zlib
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

import pytest
from flask import session

from flask_auth0_mfa import Auth0MFAError, current_auth0, signals
from flask_auth0_mfa.emulator import Tenant, serve
from flask_auth0_mfa.services import services
from flask_auth0_mfa.sessions import auth0_session

from .conftest import ACCOUNTS, ADMIN, PAYMENTS
from .observed import ANA, wrong_code
from .visitor import Visitor

TOKENS = ("mfa_token", "access_token", "refresh_token", "id_token", "client_secret")
CODES = ("otp", "binding_code", "recovery_code")


class Wire:
    """Stands before the tenant and writes down every secret that passes."""

    def __init__(self, app):
        self.app = app
        self.tokens: set[str] = set()
        self.codes: set[str] = set()

    def __call__(self, environ, start_response):
        sent = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(sent)
        self._note(sent)
        answer = b"".join(self.app(environ, start_response))
        self._note(answer)
        return [answer]

    def _note(self, body):
        try:
            fields = json.loads(body)
        except ValueError:
            fields = dict(parse_qsl(body.decode("utf-8", "replace")))
        if isinstance(fields, dict):
            self.tokens |= {fields[name] for name in TOKENS if fields.get(name)}
            self.codes |= {fields[name] for name in CODES if fields.get(name)}


@pytest.fixture(scope="session")
def tenant_server():
    """A tenant behind a wire that is listened to."""
    with serve(Tenant(), port=0) as server:
        server.http.app = Wire(server.http.app)
        yield server


@pytest.fixture
def wire(tenant, tenant_server):
    """What passed between the application and the tenant in this test."""
    wire = tenant_server.http.app
    wire.tokens.clear()
    wire.codes.clear()
    return wire


@pytest.fixture
def app(make_app):
    """An application with a view that keeps something of its own in the session."""
    app = make_app(AUTH0_TIMEOUT=(2, 2), AUTH0_MFA_EVENT_LOG=True)

    @app.get("/note")
    def note():
        session["note"] = "a note of the application's own"
        return "Noted"

    return app


class Lines(logging.Handler):
    """Keeps what is logged, as a line and with everything that a formatter could show of it."""

    def __init__(self):
        super().__init__(logging.NOTSET)
        self.lines = []

    def emit(self, record):
        self.lines.append(f"{self.format(record)} {vars(record)!r}")


@pytest.fixture
def logged():
    """Every line that any logger writes, however small."""
    handler, names = Lines(), [None, *logging.root.manager.loggerDict]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.root.addHandler(handler)
    yield handler.lines
    logging.root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def sent():
    """What every signal carried."""
    payloads = []

    def keep(sender, **arguments):
        payloads.append(repr(arguments))

    for signal in signals.EVENTS.values():
        signal.connect(keep)
    yield payloads
    for signal in signals.EVENTS.values():
        signal.disconnect(keep)


@dataclass
class Answer:
    """One answer of the application, as it leaves."""

    url: str
    headers: list[tuple[str, str]]
    body: str

    @property
    def cookies(self):
        """Name and value of every cookie that is set."""
        lines = [value for name, value in self.headers if name == "Set-Cookie"]
        return [line.partition(";")[0].partition("=")[::2] for line in lines]


@pytest.fixture
def answers(app):
    """Everything that the application answers: addresses, headers and bodies."""
    seen = []
    inner = app.wsgi_app

    def witness(environ, start_response):
        def start(status, headers, exc_info=None):
            seen.append(Answer(f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}", headers, ""))
            return start_response(status, headers, exc_info)

        body = b"".join(inner(environ, start))
        seen[-1].body = body.decode()
        return [body]

    app.wsgi_app = witness
    return seen


@pytest.fixture
def walked(app, wire, logged, sent, answers, tenant, clock):
    """Ana after a whole day: every method, wrong codes, faults, JSON, and logging out."""
    ana = Visitor(app)
    ana.log_in(ANA)
    ana.get("/note")
    _walk_app(ana, tenant)
    clock.advance(1000)
    _walk_sms(ana, tenant, clock)
    clock.advance(1000)
    _walk_recovery(ana, tenant)
    clock.advance(1000)
    _walk_program(ana, tenant)
    ana.json("GET", f"/token?audience={ACCOUNTS}")
    ana.json("GET", f"/token?audience={ADMIN}&scope=read:admin")
    ana.json("GET", "/auth/profile")
    ana.get("/auth/logout")
    return ana


def _walk_app(ana, tenant):
    page = ana.challenge_page("/transfer?to=ben")
    page = ana.press(page, "code", code=wrong_code(tenant))
    for fault in ({"status": 500}, {"status": 502, "body": "<html>"}, {"drop": True}):
        tenant.fault("/oauth/token", **fault)
        ana.press(page, "code", code=tenant.current_otp(ANA))
    assert ana.press(page, "code", code=tenant.current_otp(ANA)).path == "/transfer"


def _walk_sms(ana, tenant, clock):
    page = ana.challenge_page("/transfer", "Text message")
    ana.press(page, "code", code="000000")
    clock.advance(301)
    ana.press(page, "code", code=tenant.last_message(ANA).code)
    ana.get(page.url)


def _walk_recovery(ana, tenant):
    page = ana.challenge_page("/transfer?to=dan", "Recovery code")
    ana.press(page, "code", code="A" * 24)
    page = ana.press(page, "code", code=tenant.recovery_code(ANA))
    assert page.path == "/auth/mfa/recovery-code"


def _walk_program(ana, tenant):
    token = ana.mfa_required("/api/balance")["mfa_token"]
    for code in ("12345", wrong_code(tenant), tenant.current_otp(ANA)):
        ana.json("POST", "/auth/mfa/verify", json={"mfa_token": token, "otp": code})


def found_in(text, secrets):
    """Return the secrets that the text shows, plain or quoted for an address."""
    both = text + unquote(text)
    return [secret for secret in secrets if secret in both]


class TestWalk:
    """Nothing of a whole day shows a secret."""

    def test_the_day_had_secrets(self, walked, wire, logged, sent):
        """The day brought tokens and codes of every kind: the tests below are not about nothing."""
        assert len([token for token in wire.tokens if token.startswith("v1.M")]) >= 4
        assert len([token for token in wire.tokens if token.startswith("Fe26")]) >= 4
        assert len([token for token in wire.tokens if token.startswith("eyJ")]) >= 4
        assert "demo-secret" in wire.tokens
        assert len(wire.codes) >= 5
        assert len(sent) >= 10
        assert "Auth0 POST /oauth/token answered 500" in "".join(logged)
        assert "urllib3.connectionpool" in "".join(logged)
        assert '{"event": "verified"' in "".join(logged)

    def test_pages(self, walked, wire, answers):
        """No page and no JSON body shows a token of Auth0's, and no page a code that was typed."""
        for answer in answers:
            assert found_in(answer.body, wire.tokens) == []
            typed = {code for code in wire.codes if "recovery-code" not in answer.url}
            assert found_in(answer.body, typed) == []

    def test_addresses(self, walked, wire, answers):
        """No address shows one, nor does any redirect."""
        for answer in answers:
            assert found_in(answer.url, wire.tokens | wire.codes) == []
        # The tenant sees only the addresses that it was given.
        locations = str([value for a in answers for _, value in a.headers])
        assert found_in(locations, wire.tokens | wire.codes) == []

    def test_cookies(self, walked, wire, answers):
        """No cookie can be read by who holds it, decoded or not."""
        values = [value for answer in answers for _, value in answer.cookies]
        assert len(values) > 30
        for value in values:
            assert found_in(value + _decoded(value), wire.tokens | wire.codes) == []

    def test_cookie_of_the_application(self, walked, answers):
        """The application's own cookie, which is only signed, holds nothing of ours."""
        own = [value for a in answers for name, value in a.cookies if name == "session"]
        noted = [_decoded(value) for value in own]
        assert any("a note of the application" in text for text in noted)
        assert not [text for text in noted if "token" in text or "mfa_context" in text]

    def test_log(self, walked, wire, logged):
        """No log line of any logger shows one, at the lowest level."""
        text = "\n".join(logged)
        assert found_in(text, wire.tokens) == []
        # Six digits alone can be part of a time or an address; codes are looked for as words.
        words = set(text.replace("'", " ").replace('"', " ").replace("=", " ").split())
        assert wire.codes & words == set()

    def test_signals(self, walked, wire, sent):
        """No signal carries one."""
        for payload in sent:
            assert found_in(payload, wire.tokens | wire.codes) == []


def _decoded(value):
    """Return a cookie's value as anybody can read it: from base64, and inflated."""
    texts = []
    for piece in value.strip(".").split("."):
        try:
            raw = base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4))
        except ValueError:
            continue
        texts.append(raw.decode("latin-1"))
        try:
            texts.append(zlib.decompress(raw).decode("latin-1"))
        except zlib.error:
            continue
    return "\n".join(texts)


class TestErrors:
    """What an error tells to whom it is reported, with the values of its frames."""

    @pytest.fixture
    def inside(self, app, ana):
        """A request of Ana's, in which the application calls the extension itself."""
        cookie = "; ".join(f"{name}={value}" for name, value in ana.cookies().items())
        with app.test_request_context("/", headers={"Cookie": cookie}):
            yield

    @pytest.fixture
    def ana(self, wire, visitor):
        """Ana, signed in while the wire is listened to."""
        visitor.log_in(ANA)
        return visitor

    @staticmethod
    def report(action):
        """Return the error's report as a service for error reports makes it."""
        try:
            action()
        except Auth0MFAError as error:
            # From the first frame of the extension on: ours knows the secrets.
            frames = sys.exc_info()[2].tb_next.tb_next
            found = traceback.TracebackException(
                type(error), error, frames, capture_locals=True, compact=True
            )
            return "".join(found.format()), error
        raise AssertionError("no error")

    @staticmethod
    def required():
        """Return the sealed token of a check that was just opened."""
        with pytest.raises(Auth0MFAError) as refused:
            current_auth0.get_access_token(PAYMENTS, "transfer:funds")
        return refused.value.mfa_token

    FAILURES = (
        pytest.param(lambda: current_auth0.get_access_token(PAYMENTS), None, id="mfa required"),
        pytest.param(lambda: current_auth0.get_access_token(ACCOUNTS), {"status": 500}, id="500"),
        pytest.param(lambda: current_auth0.get_access_token(ACCOUNTS), {"drop": True}, id="drop"),
        pytest.param(
            lambda: current_auth0.get_access_token(ACCOUNTS),
            {"status": 403, "body": {"error": "invalid_grant", "error_description": "x"}},
            id="refused",
        ),
    )

    @pytest.mark.parametrize(("action", "fault"), FAILURES)
    def test_refresh(self, inside, wire, tenant, action, fault):
        """A refresh that fails shows no token, in its text or in any frame."""
        if fault:
            tenant.fault("/oauth/token", **fault)
        text, error = self.report(action)
        assert wire.tokens
        assert found_in(f"{error} {error!r} {vars(error)}", wire.tokens) == []
        assert found_in(text, wire.tokens) == []

    @pytest.mark.parametrize("fault", [None, {"status": 500}, {"drop": True}], ids=str)
    def test_verify(self, inside, wire, tenant, fault):
        """A code that fails shows no token in any frame, and the code not in the error itself."""
        token, code = self.required(), wrong_code(tenant)
        if fault:
            tenant.fault("/oauth/token", **fault)
        text, error = self.report(lambda: current_auth0.verify(token, otp=code))
        assert wire.codes == {code}
        assert found_in(f"{error} {error!r} {vars(error)}", wire.tokens | wire.codes) == []
        assert found_in(text, wire.tokens) == []

    @pytest.mark.parametrize("fault", [{"status": 500}, {"drop": True}], ids=str)
    def test_challenge(self, inside, wire, tenant, fault):
        """A message that cannot be sent shows no token either."""
        token = self.required()
        tenant.fault("/mfa/challenge", **fault)
        text, _ = self.report(lambda: current_auth0.challenge(token, challenge_type="oob"))
        assert found_in(text, wire.tokens) == []

    def test_session(self, inside, wire):
        """The session and the parts of the extension do not show one when they are printed."""
        self.required()
        with auth0_session() as ours:
            shown = f"{ours!r} {services()!r} {services().settings!r}"
            shown += repr(list(ours.contexts.values())) + repr(ours.login_token)
        assert wire.tokens
        assert found_in(shown, wire.tokens) == []
