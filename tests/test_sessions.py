"""Where a session lives: beside Flask's own session, or inside another session interface.

The tests run short functions on the session of a request, and look at the cookies that come back.
"""

from __future__ import annotations

import json
import secrets
import time
from datetime import datetime, timedelta, timezone
from functools import partial
from uuid import UUID

import pytest
from cachelib import SimpleCache
from flask import Flask, flash, request_tearing_down, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionInterface
from flask_session import Session
from redis import Redis
from werkzeug.http import parse_date

from flask_auth0_mfa import current_auth0, requires_stepup
from flask_auth0_mfa.errors import Auth0UnavailableError, LoginRequiredError
from flask_auth0_mfa.models import TARGET_TTL, AccessToken, Auth0Session
from flask_auth0_mfa.sealing import AUDIENCE, SESSION
from flask_auth0_mfa.secret import Secret
from flask_auth0_mfa.services import services
from flask_auth0_mfa.sessions import SESSION_KEY, auth0_session, glance

from .redis_server import redis_server
from .scripted import (
    ADMIN,
    PAYMENTS,
    SECRET_KEY,
    Site,
    claim,
    clear,
    context_of,
    grow,
    keep_token,
    open_context,
    sign_in,
    verify,
)
from .still import StillClock

DAY = 86_400


@pytest.fixture
def clock():
    """The clock of the application; the test client itself lives in real time."""
    return StillClock(int(time.time()))


@pytest.fixture
def site(clock):
    """An application with Flask's cookie session."""
    return Site(clock)


@pytest.fixture
def signed_in(site):
    """The same, with somebody signed in."""
    site.change(sign_in)
    return site


class TestOwnSession:
    """Flask's ``session`` stays what it is: adding or removing the extension changes nothing."""

    CONTENT = {  # noqa: RUF012 - never changed
        "n": 1,
        "text": "Ána",
        "tuple": (1, 2),
        "uuid": UUID(int=5),
        "bytes": b"\x00\xff",
        "when": datetime(2026, 1, 1, tzinfo=timezone.utc),
    }

    @pytest.fixture
    def plain(self):
        """An application without the extension, with the same secret."""
        app = Flask("plain")
        app.secret_key = SECRET_KEY
        app.add_url_rule("/", "fill", lambda: session.update(self.CONTENT) or "")
        app.add_url_rule("/read", "read", lambda: str(sorted(session.items())))
        return app

    def test_read(self, site, plain):
        """A session that was begun without the extension goes on with it."""
        browser = plain.test_client()
        browser.get("/")
        site.put("session", browser.get_cookie("session").value)
        expected = str(sorted(self.CONTENT.items()))
        assert site.run(lambda: str(sorted(session.items()))) == expected

    def test_written(self, site, plain):
        """A session that was begun with the extension goes on without it."""
        site.run(lambda: session.update(self.CONTENT))
        browser = plain.test_client()
        browser.set_cookie("session", site.cookies["session"])
        assert browser.get("/read").text == str(sorted(self.CONTENT.items()))

    def test_same_header(self, site, plain):
        """The cookie is the same, byte for byte, but for its time and signature."""
        theirs = plain.test_client().get("/").headers["Set-Cookie"]
        site.run(lambda: session.update(self.CONTENT))
        ours = site.answer.headers["Set-Cookie"]
        assert ours.split(".")[0] == theirs.split(".")[0]
        assert ours.split(";")[1:] == theirs.split(";")[1:]

    def test_nothing_of_ours_in_it(self, signed_in):
        """Signing in and stepping up write nothing into it."""
        signed_in.change(open_context())
        signed_in.change(keep_token())
        assert "session" not in signed_in.cookies

    def test_kept_at_sign_in(self, site):
        """What the application keeps there stays where it is, and is not written again."""
        site.run(lambda: session.update(cart=[1, 2]))
        site.change(sign_in)
        assert site.set == {"session_auth0_0"}
        assert site.run(lambda: session["cart"]) == [1, 2]

    def test_flash(self, signed_in):
        """A message for the user writes the application's cookie only."""
        signed_in.run(lambda: flash("Done"))
        assert signed_in.set == {"session"}

    def test_broken(self, signed_in):
        """A broken cookie of the application's does not sign the user out."""
        signed_in.put("session", "broken")
        assert signed_in.content()["user"]["sub"] == "auth0|ana"

    def test_changed_secret(self, site):
        """It is signed with the secret key that the application has at that moment."""
        site.run(lambda: session.update(a=1))
        site.app.secret_key = "another secret key, also long enough for tests"
        assert site.run(lambda: session.get("a")) is None
        site.app.config["SECRET_KEY_FALLBACKS"] = [SECRET_KEY]
        assert site.run(lambda: session.get("a")) == 1
        site.app.config["SECRET_KEY_FALLBACKS"] = []
        assert site.run(lambda: session.get("a")) is None
        site.app.config["SECRET_KEY_FALLBACKS"] = [SECRET_KEY]
        site.run(lambda: session.update(b=2))
        site.app.config["SECRET_KEY_FALLBACKS"] = None
        assert site.run(lambda: session.get("b")) == 2

    def test_without_secret(self, site):
        """Without a secret key, Flask's own error is raised, as ever."""
        site.app.secret_key = None
        with pytest.raises(RuntimeError, match="session is unavailable"):
            site.run(lambda: session.update(a=1))


class TestUntouched:
    """A request that has nothing to do with authentication pays nothing for it."""

    @pytest.fixture
    def opened(self, signed_in, monkeypatch):
        """What was decrypted since."""
        signed_in.change(open_context())
        sealer = signed_in.app.extensions["auth0_mfa"].sealer
        opened, open_one = [], sealer.open

        def count(purpose, sealed):
            opened.append(purpose)
            return open_one(purpose, sealed)

        monkeypatch.setattr(sealer, "open", count)
        return opened

    def test_nothing(self, signed_in, opened):
        """Nothing is decrypted, written, or added to ``Vary``."""
        signed_in.run(lambda: "hello")
        assert opened == []
        assert "Set-Cookie" not in signed_in.answer.headers
        assert "Vary" not in signed_in.answer.headers

    def test_own_session(self, signed_in, opened):
        """Nor is it when the application works with its own session."""
        signed_in.run(lambda: session.update(a=1))
        assert opened == []
        assert signed_in.set == {"session"}

    def test_not_found(self, signed_in, opened):
        """Nor for an address that does not exist."""
        answer = signed_in.client.get("/nowhere")
        assert opened == []
        assert "Vary" not in answer.headers

    def test_vary(self, signed_in):
        """A request that looks at the user does vary by the cookies."""

        def look():
            with auth0_session() as mine:
                assert mine.user

        signed_in.run(look)
        assert signed_in.answer.headers["Vary"] == "Cookie"

    def test_guard(self, signed_in, opened):
        """A guard that finds its view open has opened the login and this audience alone."""
        for change in (keep_token(), verify(), keep_token(ADMIN), open_context()):
            signed_in.change(change)
        opened.clear()
        view = requires_stepup(PAYMENTS)(lambda: current_auth0.get_access_token(PAYMENTS).audience)
        assert signed_in.run(view) == PAYMENTS
        assert sorted(opened) == [AUDIENCE, SESSION]
        assert "Set-Cookie" not in signed_in.answer.headers

    def test_shared_state_asked_once(self, signed_in, monkeypatch):
        """A guard and the view behind it ask once whether the login was ended elsewhere."""
        for change in (keep_token(), verify()):
            signed_in.change(change)
        state = signed_in.app.extensions["auth0_mfa"].logins.memory.state
        asked, get_many = [], state.get_many
        monkeypatch.setattr(state, "get_many", lambda names: asked.append(1) or get_many(names))
        view = requires_stepup(PAYMENTS)(lambda: current_auth0.get_access_token(PAYMENTS).audience)
        assert signed_in.run(view) == PAYMENTS
        assert asked == [1]

    def test_shared_state_asked_again(self, signed_in, clock):
        """A view that takes its time gets no token of a login that was ended meanwhile."""
        for change in (keep_token(), verify()):
            signed_in.change(change)

        @requires_stepup(PAYMENTS)
        def view():
            services().logins.end(glance(None))
            clock.advance(2)
            try:
                return current_auth0.get_access_token(PAYMENTS).audience
            except LoginRequiredError:
                return "nobody is there any more"

        assert signed_in.run(view) == "nobody is there any more"

    def test_shared_state_down(self, signed_in, monkeypatch):
        """What changes while nobody knows whether the login was ended elsewhere is kept."""

        def fail(_names):
            raise Auth0UnavailableError

        state = signed_in.app.extensions["auth0_mfa"].logins.memory.state
        with monkeypatch.context() as patch:
            patch.setattr(state, "get_many", fail)
            signed_in.change(claim(name="Ana"))
        assert signed_in.content()["user"]["name"] == "Ana"

    def test_user(self, signed_in, opened):
        """Asking who is there opens the login alone."""
        signed_in.change(keep_token())
        opened.clear()
        assert signed_in.run(lambda: current_auth0.user["sub"]) == "auth0|ana"
        assert opened == [SESSION]

    def test_opened_once(self, signed_in, opened):
        """A request that asks several times opens every cookie once."""

        def ask():
            for _ in range(3):
                with auth0_session() as mine:
                    assert mine.user

        signed_in.run(ask)
        assert sorted(opened) == sorted(set(opened))


class TestClear:
    """An application that logs out with ``session.clear()`` has logged out."""

    def test_every_part(self, signed_in):
        """Every cookie of ours is deleted, and so is the application's."""
        signed_in.run(lambda: session.update(a=1))
        for change in (keep_token(size=40), verify(ADMIN), open_context(token="x"), grow(6_000)):
            signed_in.change(change)
        assert len(signed_in.cookies) == 7
        signed_in.run(clear)
        assert signed_in.cookies == {}
        assert signed_in.content()["user"] is None

    def test_without_looking(self, signed_in):
        """It works in a request that has not looked at the user before."""
        signed_in.run(clear)
        assert "session_auth0_0" in signed_in.deleted

    def test_in_the_same_request(self, signed_in):
        """Nobody is signed in from then on, already in this request."""

        def action():
            session.clear()
            with auth0_session() as mine:
                return mine.user

        assert signed_in.run(action) is None

    def test_and_begin_anew(self, signed_in):
        """What is stored after it is kept."""

        def action():
            session.clear()
            with auth0_session() as mine:
                sign_in(mine)
                mine.user["sub"] = "auth0|ben"

        signed_in.change(open_context())
        signed_in.run(action)
        content = signed_in.content()
        assert content["user"]["sub"] == "auth0|ben"
        assert content["mfa_context"] == {}

    def test_nobody(self, site):
        """Clearing an empty session writes nothing of ours."""
        site.run(clear)
        assert "auth0" not in str(site.answer.headers)

    def test_broken_cookies(self, site):
        """Cookies that are not genuine are deleted, too."""
        name = f"session_auth0_c_{'A' * 22}_0"
        site.put("session_auth0_0", "broken")
        site.put(name, "broken")
        site.run(clear)
        assert {"session_auth0_0", name} <= site.deleted

    def test_cookies_of_others(self, site):
        """Cookies that only look like ours are left alone."""
        others = ("session_auth0", "session_auth0_x", "my_session_auth0_0", "session_auth0_c_x_0")
        for name in others:
            site.put(name, "theirs")
        site.run(clear)
        assert set(site.cookies) == set(others)


class TestLifetime:
    """A session lasts as Flask's settings say."""

    def test_until_the_browser_closes(self, signed_in):
        """By default its cookies are gone with the browser."""
        signed_in.change(keep_token())
        for morsel in signed_in.written.values():
            assert (morsel["max-age"], morsel["expires"]) == ("", "")
        assert "expires" not in str(signed_in.answer.headers).lower()

    def test_permanent(self, site, clock):
        """A permanent session has an end in its cookies, counted from the login."""
        site.app.permanent_session_lifetime = timedelta(days=7)
        site.run(lambda: setattr(session, "permanent", True))
        site.change(sign_in)
        clock.advance(DAY)
        site.change(keep_token(ttl=30 * DAY))
        (morsel,) = (m for name, m in site.written.items() if "_auth0_a_" in name)
        left = parse_date(morsel["expires"]).timestamp() - clock()
        assert left == pytest.approx(6 * DAY, abs=1)

    def test_permanent_after_the_login(self, signed_in, clock):
        """A session that becomes permanent later does so in every part, and so it ends."""
        signed_in.change(keep_token())
        signed_in.change(open_context())
        signed_in.run(lambda: setattr(session, "permanent", True))
        kept = {"session_auth0_0", *signed_in.named("a")}
        assert {name for name, one in signed_in.written.items() if one["expires"]} >= kept
        assert not set(signed_in.named("c")) & set(signed_in.written)
        signed_in.run(lambda: setattr(session, "permanent", False))
        assert {name for name, one in signed_in.written.items() if not one["expires"]} >= kept
        content = signed_in.content()
        assert content["user"] is not None
        assert len(content["access_tokens"]) == len(content["mfa_context"]) == 1

    def test_permanent_for_nobody(self, site):
        """Where nobody is signed in, it is Flask's own cookie alone."""
        site.run(lambda: setattr(session, "permanent", True))
        assert site.written.keys() == {"session"}

    @pytest.mark.parametrize("permanent", [True, False])
    def test_end_inside(self, clock, permanent):
        """The end is inside the seal: whoever keeps the cookie for longer gets nothing for it."""
        site = Site(clock, PERMANENT_SESSION_LIFETIME=timedelta(hours=1))
        site.run(lambda: setattr(session, "permanent", permanent))
        site.change(sign_in)
        site.change(verify())
        clock.advance(3599)
        assert site.content()["user"] is not None
        clock.advance(1)
        assert site.content()["user"] is None

    def test_not_prolonged(self, clock):
        """Writing does not prolong it: its length is absolute, from the login on."""
        site = Site(clock, PERMANENT_SESSION_LIFETIME=timedelta(hours=1))
        site.change(sign_in)
        for _ in range(3):
            clock.advance(1000)
            site.change(lambda mine: setattr(mine, "refresh_token", secrets.token_hex()))
        clock.advance(600)
        assert site.content()["user"] is None

    def test_expired_token(self, signed_in, clock):
        """An access token whose time is over takes up no room."""
        signed_in.change(keep_token(ttl=60))
        (name,) = signed_in.named("a")
        clock.advance(60)
        signed_in.content()
        assert signed_in.deleted == {name}


class TestFlags:
    """Every cookie of ours has Flask's flags, also when it is deleted."""

    def every_morsel(self, clock, **config):
        """Return every cookie of ours that is written or deleted in a short life."""
        site = Site(clock, **config)
        morsels = []
        for change in (sign_in, keep_token(), open_context(), grow(5_000)):
            site.change(change)
            morsels.extend(site.written.values())
        site.run(clear)
        morsels.extend(morsel for name, morsel in site.written.items() if name != "session")
        return morsels

    def test_default(self, clock):
        """By default: HttpOnly, SameSite=Lax, the whole site, this host only."""
        morsels = self.every_morsel(clock)
        assert len(morsels) == 6 + 5
        for morsel in morsels:
            assert morsel["httponly"] is True
            assert (morsel["samesite"], morsel["path"]) == ("Lax", "/")
            assert (morsel["domain"], morsel["secure"]) == ("", "")

    @pytest.mark.parametrize(
        ("setting", "value", "flag", "expected"),
        [
            ("SESSION_COOKIE_SECURE", True, "secure", True),
            ("SESSION_COOKIE_SAMESITE", "Strict", "samesite", "Strict"),
            ("SESSION_COOKIE_PATH", "/bank", "path", "/bank"),
            ("APPLICATION_ROOT", "/bank", "path", "/bank"),
            ("SESSION_COOKIE_DOMAIN", "example.com", "domain", "example.com"),
            ("SESSION_COOKIE_HTTPONLY", False, "httponly", True),
        ],
    )
    def test_setting(self, clock, setting, value, flag, expected):
        """Flask's settings hold for every cookie; a script never reads one."""
        site_morsels = self.written_with(clock, **{setting: value})
        assert {morsel[flag] for morsel in site_morsels} == {expected}

    def written_with(self, clock, **config):
        """Return the cookies that a sign-in and a check write with these settings."""
        site = Site(clock, **config)

        def both():
            with auth0_session() as mine:
                sign_in(mine)
                mine.open_context(context_of(mine))

        base = "/bank" if config.get("APPLICATION_ROOT") else "/"
        site.action = both
        site.answer = site.client.get("/", base_url=f"http://localhost{base}")
        assert len(site.written) == 3
        return site.written.values()

    def test_deleted_alike(self, clock):
        """A deletion has the same path and domain, or the browser would keep the cookie."""
        config = {"SESSION_COOKIE_DOMAIN": "localhost", "SESSION_COOKIE_PATH": "/"}
        site = Site(clock, SESSION_COOKIE_SECURE=True, **config)
        site.change(sign_in)
        site.run(clear)
        morsel = site.written["session_auth0_0"]
        assert morsel["max-age"] == "0"
        assert (morsel["domain"], morsel["path"]) == ("localhost", "/")
        assert (morsel["secure"], morsel["httponly"]) == (True, True)

    def test_partitioned(self, clock):
        """Partitioned cookies stay partitioned."""
        site = Site(clock, SESSION_COOKIE_SECURE=True, SESSION_COOKIE_PARTITIONED=True)
        site.change(sign_in)
        assert "Partitioned" in site.answer.headers["Set-Cookie"]

    def test_name(self, clock):
        """Ours are named after Flask's."""
        site = Site(clock, SESSION_COOKIE_NAME="bank")
        site.change(sign_in)
        assert set(site.cookies) == {"bank_auth0_0"}

    @pytest.mark.parametrize(
        ("config", "name"),
        [
            ({"SESSION_COOKIE_SECURE": True}, "__Host-session_auth0_0"),
            ({}, "session_auth0_0"),
            (
                {"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_DOMAIN": "localhost"},
                "session_auth0_0",
            ),
            ({"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_PATH": "/a"}, "session_auth0_0"),
            (
                {"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_NAME": "__Host-bank"},
                "__Host-bank_auth0_0",
            ),
            (
                {"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_NAME": "__Secure-bank"},
                "__Secure-bank_auth0_0",
            ),
        ],
    )
    def test_prefix(self, clock, config, name):
        """``__Host-`` wherever browsers take it: no sibling domain can plant a cookie then."""
        site = Site(clock, **config)
        site.change(sign_in)
        assert site.set == {name}

    def test_planted(self, clock):
        """A genuine cookie without the prefix, as a sibling domain can plant it, is not read."""
        insecure, secure = Site(clock), Site(clock, SESSION_COOKIE_SECURE=True)
        insecure.change(sign_in)
        secure.put("session_auth0_0", insecure.cookies["session_auth0_0"])
        assert secure.content()["user"] is None


class DictSession(SecureCookieSession):
    """A session of an application's own making."""

    key = ""


class DictInterface(SessionInterface):
    """Keeps sessions in a dictionary, by a key in a cookie."""

    session_class = DictSession
    flavour = "dictionary"

    def __init__(self):
        self.kept = {}

    def open_session(self, app, request):
        """Return the session of the browser's key."""
        key = request.cookies.get("key") or secrets.token_hex(8)
        found = DictSession(json.loads(self.kept.get(key, "{}")))
        found.key = key
        return found

    def save_session(self, app, session, response):
        """Keep the session as JSON, which also shows that it is plain."""
        if session.modified:
            self.kept[session.key] = json.dumps(dict(session))
            response.set_cookie("key", session.key)

    def make_null_session(self, app):
        """Return what shows for which application it is."""
        return "null", app

    def is_null_session(self, obj):
        """Tell that an application can decide this, too."""
        return obj == "null"


def with_flask_session(app):
    """Set up Flask-Session over a cache in memory."""
    # A permanent session is written again with every answer; that is Flask-Session's default.
    app.config.update(
        SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache(), SESSION_PERMANENT=False
    )
    Session(app)


def with_redis(app, url):
    """Set up Flask-Session over Redis."""
    app.config.update(
        SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(url), SESSION_PERMANENT=False
    )
    Session(app)


@pytest.fixture(scope="module")
def redis():
    """A Redis server for this file."""
    with redis_server() as server:
        yield server


def with_dictionary(app):
    """Set up the application's own interface."""
    app.session_interface = DictInterface()


class Derived(SecureCookieSessionInterface):
    """Flask's own, changed by the application."""


def with_derived(app):
    """Set up an interface that is derived from Flask's."""
    app.session_interface = Derived()


@pytest.fixture(
    params=[
        None,
        with_flask_session,
        pytest.param(with_redis, marks=pytest.mark.redis),
        with_dictionary,
        with_derived,
    ]
)
def any_site(request, clock):
    """An application with each kind of session."""
    before = request.param
    if before is with_redis:
        before = partial(with_redis, url=request.getfixturevalue("redis").url)
    return Site(clock, before=before)


class TestContract:
    """What holds wherever the session is kept."""

    def test_nobody(self, any_site):
        """At first nobody is signed in, and nothing is stored."""
        assert any_site.content()["user"] is None
        assert any_site.cookies == {} or SESSION_KEY not in str(any_site.cookies)

    def test_kept(self, any_site):
        """Every part is there in the next request."""
        any_site.change(sign_in)
        for change in (keep_token(), verify(), open_context()):
            any_site.change(change)
        content = any_site.content()
        assert content["user"]["sub"] == "auth0|ana"
        assert len(content["access_tokens"]) == len(content["verified"]) == 1
        assert len(content["mfa_context"]) == len(content["targets"]) == 1

    def test_cleared(self, any_site):
        """``session.clear()`` logs out."""
        any_site.change(sign_in)
        any_site.run(clear)
        assert any_site.content()["user"] is None

    def test_pruned(self, any_site, clock):
        """Contexts whose time is over are removed when the session is saved."""
        any_site.change(sign_in)
        any_site.change(open_context())
        clock.advance(300)
        any_site.run(lambda: session.update(a=1))
        assert any_site.content()["mfa_context"] == {}

    def test_own_data(self, any_site):
        """The application's own data and ours do not meet."""
        any_site.run(lambda: session.update(a=1))
        any_site.change(sign_in)
        assert any_site.run(lambda: session["a"]) == 1
        any_site.run(lambda: session.pop("a"))
        assert any_site.content()["user"]["sub"] == "auth0|ana"

    def test_untouched(self, any_site):
        """A request that has nothing to do with it writes nothing and varies by nothing."""
        any_site.change(sign_in)
        any_site.change(open_context())
        any_site.run(lambda: "hello")
        assert any_site.written == {}
        assert "Vary" not in any_site.answer.headers

    def test_refresh_token_that_comes_late(self, any_site, clock):
        """One that comes when the session is saved is found by later requests all the same."""
        any_site.change(sign_in)

        def refresh(_sender, **_):
            with auth0_session() as mine:
                mine.refresh_token = Secret("v1.next")

        with request_tearing_down.connected_to(refresh, any_site.app):
            any_site.run(lambda: "hello")
        clock.advance(2 * DAY)
        assert any_site.content()["token_set"]["refresh_token"] == "v1.next"

    def test_looking(self, any_site):
        """Looking changes nothing."""
        any_site.change(sign_in)
        before = any_site.content()
        assert any_site.content() == before


class TestWrapped:
    """Particular to an interface that was there before."""

    def kept(self, site):
        """Return what the application's own interface keeps, and change it in place."""
        interface = site.app.session_interface
        ((key, text),) = interface.kept.items()
        return key, json.loads(text)

    @pytest.mark.parametrize(
        "content",
        [None, 7, "x", [], {}, {"user": {"sub": "x"}}, {"token_set": []}, {"user": 1, "sid": 2}],
    )
    def test_foreign_content(self, clock, content):
        """Content of another shape counts as absent."""
        site = Site(clock, before=with_dictionary)
        site.run(lambda: session.update({SESSION_KEY: content}))
        assert site.content()["user"] is None

    def test_plain(self, clock):
        """What is stored is plain JSON under one key, with the documented names."""
        site = Site(clock, before=with_dictionary)
        site.change(sign_in)
        _, content = self.kept(site)
        assert set(content) == {SESSION_KEY}
        assert {"user", "token_set", "access_tokens", "verified", "mfa_context", "sid"} <= set(
            content[SESSION_KEY]
        )

    def test_plain_types(self, clock):
        """Every text is a plain one, also in lists: most serialisers refuse a kind of ``str``."""
        site = Site(clock, before=with_dictionary)

        def types(value):
            inside = value.values() if isinstance(value, dict) else value
            inner = inside if isinstance(value, (dict, list, tuple)) else ()
            return {type(value).__name__}.union(*map(types, inner))

        def action():
            with auth0_session() as mine:
                sign_in(mine)
                mine.keep_token(AccessToken(Secret("token"), PAYMENTS, "a", int(clock()) + 60))
            return sorted(types(session[SESSION_KEY]))

        assert set(site.run(action)) <= {"dict", "list", "str", "int", "float", "NoneType"}

    def test_vary(self, clock):
        """The answer to a request that looks at the user varies by the cookie, as ever."""
        site = Site(clock, before=with_flask_session)
        site.change(sign_in)
        site.content()
        assert site.answer.headers["Vary"] == "Cookie"

    def test_pruned_in_the_store(self, clock):
        """What is over is gone from the store, not only from sight."""
        site = Site(clock, before=with_dictionary)
        site.change(sign_in)
        site.change(open_context())
        clock.advance(TARGET_TTL)
        site.run(lambda: session.update(a=1))
        content = self.kept(site)[1][SESSION_KEY]
        assert content["mfa_context"] == content["targets"] == {}

    def test_forwarded(self, clock):
        """The interface below is reached as if we were not there."""
        site = Site(clock, before=with_dictionary)
        interface = site.app.session_interface
        assert interface.flavour == "dictionary"
        assert interface.is_null_session("null")
        assert not interface.is_null_session({})
        assert interface.make_null_session(site.app) == ("null", site.app)
        with pytest.raises(AttributeError):
            _ = interface.nothing_like_it

    def test_replaced_later(self, site, caplog):
        """An interface that is set up after us still works, and the log says what is wrong."""
        with_flask_session(site.app)
        site.change(sign_in)
        assert site.content()["user"]["sub"] == "auth0|ana"
        name = type(site.app.session_interface).__name__
        assert f"{name} replaced the session interface of Auth0MFA" in caplog.text

    def test_no_room_limit(self, clock):
        """On the server there is no budget."""
        site = Site(clock, before=with_dictionary)
        site.change(sign_in)
        site.change(grow(50_000))
        assert len(site.content()["user"]["pad"]) == 50_000

    def test_no_cookie_of_ours(self, clock):
        """No sealed cookie is written."""
        site = Site(clock, before=with_flask_session)
        site.change(sign_in)
        assert not any("auth0" in name for name in site.cookies)

    def test_empty_session(self, clock):
        """An empty session is not stored for everybody who passes by."""
        site = Site(clock, before=with_dictionary)
        site.content()
        assert site.app.session_interface.kept == {}


def test_every_field_is_stored():
    """Whatever a session has is in its plain form, and comes back from it."""
    mine = Auth0Session(user={"sub": "a"}, refresh_token="r", sid="s", login_id="l", created_at=1)
    assert Auth0Session.from_dict(json.loads(json.dumps(mine.to_dict()))) == mine
