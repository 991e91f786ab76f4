"""Two people, or one person in two browsers: what belongs to one opens nothing in the other."""

from __future__ import annotations

from itertools import product

import pytest
from flask import Flask

from flask_auth0_mfa import Auth0MFA
from flask_auth0_mfa.services import EXTENSION

from .conftest import add_views
from .observed import ANA, grants, paths
from .visitor import Visitor

CLEO = "cleo@example.com"
TARGET = "/transfer?to=ben"
#: A check, what it is for, the user with the tokens, and the application's own data.
KINDS = ("_auth0_c_", "_auth0_t_", "_auth0_0", "session")


@pytest.fixture
def page(ana):
    """The page that asks Ana for her code."""
    return ana.challenge_page(TARGET)


@pytest.fixture
def cleo(app):
    """Cleo, in a browser of her own, with a check of her own."""
    visitor = Visitor(app)
    visitor.log_in(CLEO)
    visitor.challenge_page("/transfer?to=cleo")
    return visitor


@pytest.fixture
def codes(tenant):
    """The codes of both, by address."""
    return {email: tenant.current_otp(email) for email in (ANA, CLEO)}


def is_open(visitor):
    """Tell whether this browser gets into the guarded view."""
    answer = visitor.client.get(TARGET, headers={"Accept": "text/html"})
    return answer.status_code == 200 and "Transfer with a token" in answer.text


def give_cookies(giver, taker, wanted):
    """Put those of one browser's cookies into another, in place of any of the same name."""
    for key, cookie in giver.client._cookies.items():
        if wanted(key[2]):
            taker.client._cookies[key] = cookie


class TestAnotherPerson:
    """Cleo has got hold of something of Ana's."""

    def test_address(self, cleo, page, tenant):
        """The address of Ana's page shows her nothing."""
        before = paths(tenant)
        assert cleo.get(page.url).status == 404
        assert paths(tenant) == before

    @pytest.mark.parametrize("whose", [ANA, CLEO])
    def test_form(self, cleo, page, codes, tenant, whose):
        """Ana's form, sent from her browser, is refused, with Ana's code, too."""
        answer = cleo.press(page, "code", code=codes[whose])
        assert answer.status == 400
        assert grants(tenant) == []
        assert not is_open(cleo)

    def test_context_in_her_own_form(self, cleo, page, codes, tenant):
        """Ana's check in her own form is refused."""
        own = cleo.get("/auth/mfa/challenge")
        answer = cleo.press(own, "code", code=codes[CLEO], context=page.form("code")[1]["context"])
        assert answer.status == 400
        assert grants(tenant) == []

    def test_token_in_her_own_form(self, cleo, page, codes, tenant):
        """Ana's form token is no good for her own check."""
        own = cleo.get("/auth/mfa/challenge")
        token = page.form("code")[1]["csrf_token"]
        answer = cleo.press(own, "code", code=codes[CLEO], csrf_token=token)
        assert answer.status == 400
        assert grants(tenant) == []

    def test_restart_of_her_check(self, cleo, page, clock):
        """Ana's check, timed out, cannot be started again by her."""
        clock.advance(301)
        _, fields = page.form("code")
        answer = cleo.client.post("/auth/mfa/restart", data=fields, headers={"Accept": "text/html"})
        assert answer.status_code == 400

    def test_sealed_token(self, ana, cleo, codes, tenant):
        """The sealed token of Ana's program is refused in her session."""
        token = ana.mfa_required("/api/balance")["mfa_token"]
        body = {"mfa_token": token, "otp": codes[ANA]}
        answer = cleo.json("POST", "/auth/mfa/verify", json=body)
        assert (answer.status_code, answer.json["error"]) == (400, "mfa_token_invalid")
        assert grants(tenant) == []

    @pytest.mark.parametrize("part", ["_auth0_c_", "_auth0_t_", "_auth0_"])
    def test_cookies_of_the_check(self, ana, cleo, page, codes, tenant, part):
        """The cookies with Ana's check count as absent in her session."""
        give_cookies(ana, cleo, lambda name: part in name and not name.endswith("_auth0_0"))
        assert cleo.get(page.url).status == 404
        assert cleo.press(page, "code", code=codes[ANA]).status == 400
        assert grants(tenant) == []
        assert not is_open(cleo)

    def test_check_under_her_own_name(self, ana, cleo, page, codes, tenant):
        """Ana's check, put into the cookie of her own one, counts as absent."""
        named = {name: value for name, value in ana.cookies().items() if "_auth0_c_" in name}
        (value,) = named.values()
        own = cleo.get("/auth/mfa/challenge")
        (name,) = [name for name in cleo.cookies() if "_auth0_c_" in name]
        cleo.client.set_cookie(name, value)
        answer = cleo.press(own, "code", code=codes[CLEO])
        assert answer.status in (401, 404)
        assert grants(tenant) == []

    @pytest.mark.parametrize("takes", list(product([True, False], repeat=len(KINDS))))
    def test_every_mix_of_cookies(self, ana, cleo, page, codes, tenant, takes):
        """No mix of the cookies of both is an error, and none passes Cleo off as Ana."""
        own = cleo.get("/auth/mfa/challenge")
        chosen = [kind for kind, taken in zip(KINDS, takes, strict=True) if taken]
        give_cookies(ana, cleo, lambda name: _kind(name) in chosen)
        assert cleo.press(page, "code", code=codes[CLEO]).status in (400, 401, 404)
        assert cleo.press(own, "code", code=codes[ANA]).status in (400, 401, 404)
        assert not is_open(cleo)
        assert 200 not in grants(tenant)

    def test_session_of_an_attacker(self, ana, cleo, page, codes, tenant):
        """A session that an attacker planted does not get hold of Ana's check."""
        give_cookies(cleo, ana, lambda name: name.endswith("_auth0_0"))
        assert ana.press(page, "code", code=codes[ANA]).status == 400
        assert grants(tenant) == []

    def test_verified_is_not_shared(self, ana, cleo, page, codes):
        """Ana's success opens nothing for her."""
        ana.press(page, "code", code=codes[ANA])
        assert is_open(ana)
        assert not is_open(cleo)

    def test_limits_are_not_shared(self, ana, cleo, page, codes, tenant):
        """Her wrong codes do not use up Ana's tries."""
        own = cleo.get("/auth/mfa/challenge")
        for _ in range(6):
            cleo.press(own, "code", code=codes[ANA])
        assert ana.press(page, "code", code=codes[ANA]).path == "/transfer"


def _kind(name):
    return next(kind for kind in KINDS if kind in name)


class TestSamePerson:
    """Ana, at work and at home."""

    @pytest.fixture
    def home(self, app):
        """Ana's other browser."""
        visitor = Visitor(app)
        visitor.log_in(ANA)
        return visitor

    def test_each_has_its_own_check(self, ana, home, page, codes):
        """A check that was begun in one browser is unknown in the other."""
        assert home.get(page.url).status == 404
        assert home.press(page, "code", code=codes[ANA]).status == 400

    def test_step_up_counts_where_it_was_done(self, ana, home, page, codes):
        """A success in one browser opens nothing in the other."""
        ana.press(page, "code", code=codes[ANA])
        assert is_open(ana)
        assert not is_open(home)

    def test_both_at_once(self, ana, home, page, codes):
        """Both browsers can be taken through their checks at the same time."""
        other = home.challenge_page(TARGET)
        assert home.press(other, "code", code=codes[ANA]).url == f"http://localhost{TARGET}"
        assert ana.press(page, "code", code=codes[ANA]).url == f"http://localhost{TARGET}"
        assert is_open(ana)
        assert is_open(home)

    def test_signing_out_of_one(self, ana, home, page, codes):
        """Signing out in one browser leaves the other signed in and verified."""
        ana.press(page, "code", code=codes[ANA])
        home.get("/auth/logout")
        assert is_open(ana)

    def test_check_of_the_old_session(self, app, ana, page, codes, tenant):
        """After logging out and in again the check of before is not there any more."""
        ana.get("/auth/logout")
        ana.log_in(ANA)
        assert ana.get(page.url).status == 404
        assert ana.press(page, "code", code=codes[ANA]).status == 400
        assert grants(tenant) == []

    def test_cookies_from_before_signing_out(self, app, ana, page, codes, tenant):
        """The check's cookie from before signing out does not come back with the next login."""
        before = Visitor(app)
        before.take_cookies(ana)
        ana.get("/auth/logout")
        ana.log_in(ANA)
        give_cookies(before, ana, lambda name: "_auth0_c_" in name or "_auth0_t_" in name)
        assert ana.press(page, "code", code=codes[ANA]).status == 400
        assert grants(tenant) == []


class TestAnotherTenant:
    """A session that was begun at another tenant, or by another client, under the same key."""

    @pytest.fixture
    def passed(self, ana, tenant):
        """Ana, who has passed her check here."""
        page = ana.challenge_page(TARGET)
        ana.press(page, "code", code=tenant.current_otp(ANA))
        assert is_open(ana)
        return ana

    @pytest.mark.parametrize("changed", ["AUTH0_DOMAIN", "AUTH0_CLIENT_ID"])
    def test_is_none(self, passed, app, changed):
        """It opens nothing, and nobody is signed in."""
        other = Flask("another bank")
        other.config.update(app.config)
        address = app.config["AUTH0_DOMAIN"].replace("localhost", "127.0.0.1")
        other.config[changed] = address if changed == "AUTH0_DOMAIN" else "another-client"
        Auth0MFA(other, clock=app.extensions[EXTENSION].clock)
        add_views(other)
        there = Visitor(other)
        there.take_cookies(passed)
        assert not is_open(there)
        assert there.json("GET", "/auth/profile").status_code == 401
