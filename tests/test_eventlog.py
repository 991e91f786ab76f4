"""The event log: one JSON object an event, and nothing in it that must not be kept."""

from __future__ import annotations

import json
import logging
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from click.testing import CliRunner
from flask import Flask, g
from flask.cli import ScriptInfo

from flask_auth0_mfa import Auth0MFA, current_auth0, requires_stepup
from flask_auth0_mfa.cli import commands
from flask_auth0_mfa.eventlog import FIELDS
from flask_auth0_mfa.signals import EVENTS

from .conftest import ACCOUNTS, PAYMENTS
from .observed import ANA, logout_token, wrong_code
from .visitor import Visitor
from .ways import TARGET

LOGGER = logging.getLogger("flask_auth0_mfa.events")
BEN = "ben@example.com"
SUPPORT = "agent-17@support.example.com"


class Lines(logging.Handler):
    """Keeps what is logged: the lines, and what collectors are given besides."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)

    @property
    def text(self):
        """Everything that any formatter could write."""
        return "\n".join(f"{self.format(one)} {vars(one)!r}" for one in self.records)

    @property
    def events(self):
        """The objects of the lines, in order."""
        return [json.loads(self.format(one)) for one in self.records]

    def last(self, name):
        """The newest object of that event."""
        return [one for one in self.events if one["event"] == name][-1]


@pytest.fixture
def log():
    """What the event log writes in this test."""
    handler = Lines()
    LOGGER.addHandler(handler)
    yield handler
    LOGGER.removeHandler(handler)
    LOGGER.setLevel(logging.NOTSET)


@pytest.fixture
def app(make_app):
    """An application with the event log, and a key that was changed."""
    return make_app(AUTH0_MFA_EVENT_LOG=True, SECRET_KEY_FALLBACKS=["the key of last year " * 2])


def hashes(app, *arguments):
    """Return what the command prints for a user."""
    info = ScriptInfo(create_app=lambda: app)
    result = CliRunner().invoke(commands, ["hash", *arguments], obj=info)
    assert result.exit_code == 0, result.output
    return result.stdout.split()


@pytest.fixture
def walked(app, log, tenant, clock):
    """A day with every event: the people of it."""
    kept = requires_stepup(PAYMENTS, remember=30)(lambda: "Open")
    app.add_url_rule("/kept", "kept", kept)
    ana = Visitor(app)
    ana.log_in(ANA)
    ana.json("GET", f"/token?audience={ACCOUNTS}")
    page = ana.challenge_page(TARGET, "Text message")
    ana.press(page, "Send a new code")
    ana.press(page, "code", code=wrong_code(tenant))
    ana.press(page, "code", code=tenant.last_message(ANA).code)
    clock.advance(1000)
    page = ana.challenge_page("/kept")
    ana.press(page, "code", code=tenant.current_otp(ANA), remember="y")
    ana.press(ana.get("/auth/mfa/devices"), "Forget")
    clock.advance(-1000)
    ben = Visitor(app)
    ben.log_in(BEN)
    page = ben.press(ben.get(TARGET), "Authenticator app")
    ben.press(page, "code", code=tenant.current_otp(BEN))
    clock.advance(2000)
    page = ana.get(TARGET)
    clock.advance(301)
    ana.get(page.url)
    ana.get("/api/balance")
    ana.get("/auth/logout")
    ana.get("/auth/callback")
    ana.client.post("/auth/backchannel-logout")
    token = logout_token(tenant, iat=int(clock()), exp=int(clock()) + 120, sub=tenant.user(ANA).sub)
    ana.client.post("/auth/backchannel-logout", data={"logout_token": token})
    with app.app_context():
        current_auth0.unlock(tenant.user(ANA).sub, by=SUPPORT)
    return ana, ben


class TestLines:
    """What is written of a day."""

    def test_every_event(self, walked, log):
        """Each kind of event is there, as one line that is one JSON object."""
        assert {one["event"] for one in log.events} == set(EVENTS)
        assert all("\n" not in log.format(one) for one in log.records)

    def test_fields(self, walked, log):
        """No object has other fields than the documented ones; collectors get the same."""
        whom = {"user_hash", "by_hash", "address_hash"}
        known = {"event", "time", "request_id", *whom, *FIELDS}
        assert all(set(one) <= known for one in log.events)
        assert [one.auth0_mfa for one in log.records] == log.events

    def test_nobody_is_named(self, walked, log, tenant):
        """No user id, name, e-mail address, number, network address or code is in it."""
        for email in (ANA, BEN):
            user = tenant.user(email)
            marks = [user.sub, user.email, user.name, "127.0.0.1", SUPPORT]
            marks += [one.address for one in user.authenticators if one.address]
            marks += [one.secret for one in user.authenticators if one.secret]
            assert [mark for mark in marks if mark in log.text] == []
        words = set(log.text.replace("'", " ").replace('"', " ").split())
        assert not {one.code for one in tenant.messages} & words

    def test_one_user(self, walked, log, app, tenant):
        """All events of one user have the same hash, which the command finds."""
        found = {one["user_hash"] for one in log.events if "user_hash" in one}
        assert found == {hashes(app, tenant.user(email).sub)[0] for email in (ANA, BEN)}

    def test_who_unlocked(self, walked, log, app):
        """Who unlocked a user is found as users are, by the name that was given."""
        assert log.last("unlocked")["by_hash"] == hashes(app, SUPPORT)[0]

    def test_what_happened(self, walked, log):
        """Method, reason, limit and audience are in plain words."""
        assert log.last("verify_failed")["method"] == "sms"
        assert log.last("verify_failed")["reason"] == "verification_failed"
        assert log.last("rate_limited")["limit"] == "send-context"
        assert log.last("check_expired")["audience"] == PAYMENTS
        assert log.last("verified")["time"].endswith("Z")
        assert log.last("logout_received")["ends"] == "user"

    def test_levels(self, walked, app, log):
        """What is worth a look by itself is a warning."""
        warned = {one.auth0_mfa["event"] for one in log.records if one.levelname == "WARNING"}
        assert warned == {"rate_limited", "logout_refused", "unlocked"}
        Visitor(app).json("POST", "/auth/mfa/verify", json={"mfa_token": "x", "otp": "000000"})
        assert log.records[-1].levelname == "WARNING"


@pytest.mark.parametrize("event", EVENTS)
def test_marked_secrets(app, log, event):
    """Whatever else a signal should carry one day: only the known fields are written."""
    secrets = {name: f"marked-{name}" for name in ("token", "code", "email", "phone", "name")}
    EVENTS[event].send(
        app, user_id="marked-user", by="marked-by", **secrets, **dict.fromkeys(FIELDS, "shown")
    )
    assert "marked" not in log.text
    assert log.events[0]["method"] == "shown"


def test_line_breaks(app, log):
    """A text with line breaks cannot look like a second event; a long one is cut."""
    EVENTS["mfa_required"].send(app, user_id="x", audience='a"}\n{"event": "verified"\u2028' * 99)
    assert len(log.format(log.records[0]).splitlines()) == 1
    assert len(log.events[0]["audience"]) == 256


class TestRefusedLogin:
    """A login that the callback refuses: anybody can bring that about, and write its address."""

    @staticmethod
    def refuse(app, **query):
        """Open the callback of a login that was begun here with these parameters."""
        visitor = Visitor(app)
        begun = visitor.client.get("/auth/login").headers["Location"]
        (state,) = parse_qs(urlsplit(begun).query)["state"]
        visitor.client.get(f"/auth/callback?{urlencode({'state': state} | query)}")

    def test_nothing_of_the_address(self, app, log):
        """Reason and address are in the line, and not a word of what the caller has written."""
        self.refuse(app, error="marked", error_description="marked", code="marked")
        assert "marked" not in log.text
        (line,) = log.events
        assert (line["event"], line["reason"]) == ("login_refused", "auth0-error")
        assert line["address_hash"] == hashes(app, "--address", "127.0.0.1")[0]

    @pytest.mark.parametrize(
        ("query", "level"),
        [
            ({"error": "access_denied"}, "INFO"),
            ({"state": "x"}, "INFO"),
            ({"error": "server_error"}, "WARNING"),
        ],
        ids=["changed their mind", "went back", "else"],
    )
    def test_level(self, app, log, query, level):
        """What happens every day is no warning."""
        self.refuse(app, **query)
        assert [one.levelname for one in log.records] == [level]


class TestAddress:
    """What stands for a network address."""

    def hash_from(self, app, log, address, **headers):
        """Return the hash of a login from there."""
        visitor = Visitor(app)
        visitor.client.environ_base["REMOTE_ADDR"] = address
        visitor.client.environ_base.update(headers)
        visitor.json("POST", "/auth/mfa/verify", json={"mfa_token": "x", "otp": "000000"})
        return log.last("check_refused")["address_hash"]

    def test_networks(self, app, log):
        """An IPv4 address has its own, an IPv6 network one for all of it."""
        found = [
            self.hash_from(app, log, address)
            for address in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "192.0.2.1")
        ]
        assert found[0] == found[1]
        assert len(set(found)) == 3
        assert found[0] == hashes(app, "--address", "2001:db8::99")[0]

    def test_forwarded(self, app, log):
        """A header of the caller's changes nothing."""
        plain = self.hash_from(app, log, "192.0.2.1")
        assert self.hash_from(app, log, "192.0.2.1", HTTP_X_FORWARDED_FOR="192.0.2.9") == plain


class TestRequestId:
    """The id of the request, where it has one."""

    def id_of(self, app, log, sent):
        """Return the id that is written for a request with this header."""
        visitor = Visitor(app)
        visitor.client.environ_base["HTTP_X_REQUEST_ID"] = sent
        visitor.json("POST", "/auth/mfa/verify", json={"mfa_token": "x", "otp": "000000"})
        return log.last("check_refused").get("request_id")

    def test_header(self, app, log):
        """As the proxy has set it."""
        assert self.id_of(app, log, "7f3a-42") == "7f3a-42"

    @pytest.mark.parametrize("sent", ["a b", '"', "é", "x" * 129, ""])
    def test_odd_header(self, app, log, sent):
        """What looks like no id is left out."""
        assert self.id_of(app, log, sent) is None

    def test_own(self, app, log):
        """One that the application has given the request counts more."""
        app.before_request(lambda: setattr(g, "request_id", "own-1"))
        assert self.id_of(app, log, "sent-1") == "own-1"


class TestHearing:
    """Where the lines come out."""

    def test_without_logging(self, app, monkeypatch, capsys):
        """An application that has set up no logging finds them in its error stream."""
        monkeypatch.setattr(LOGGER, "propagate", False)
        monkeypatch.setattr(LOGGER, "handlers", [])
        Visitor(app).log_in(ANA)
        (line,) = capsys.readouterr().err.splitlines()
        assert json.loads(line)["event"] == "logged_in"

    def test_level_of_the_application(self, app, log, tenant):
        """A level that the application has set stays."""
        LOGGER.setLevel(logging.WARNING)
        Visitor(app).log_in(ANA)
        assert log.events == []

    def test_off(self, app, make_app, log):
        """An application without the setting writes none, also beside one with it."""
        Visitor(make_app()).log_in(ANA)
        assert log.events == []


def test_hash_of_each_key(app):
    """The command prints what stands for the user under each key, the current one first."""
    now, before = hashes(app, "auth0|ana")
    other = Flask("other")
    other.config.update(SECRET_KEY="the key of last year " * 2, AUTH0_CLIENT_ID="c")
    Auth0MFA(other, domain="http://localhost:1", client_secret="s")
    assert hashes(other, "auth0|ana") == [before]
    assert now != before


def test_hash_of_no_address(app):
    """What is no address is refused rather than hashed."""
    info = ScriptInfo(create_app=lambda: app)
    result = CliRunner().invoke(commands, ["hash", "--address", "nowhere"], obj=info)
    assert result.exit_code == 2
    assert "is not an IP address" in result.output
