"""Cookies changed in every way that a browser, a proxy or an attacker can change them.

Each mutation is one request. What is seen in it is exactly what follows from the parts that came
back as we wrote them, under their own names, and that belong to the login of the session part.
All else counts as absent: no view opens, and no request fails.

A draw with a fixed seed by default; ``make campaign`` takes 100 000 mutations and another seed.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections import Counter
from dataclasses import dataclass

import pytest

from flask_auth0_mfa import requires_stepup
from flask_auth0_mfa.models import context_id
from flask_auth0_mfa.sealing import AUDIENCE, FORM, LOGIN, MFA_TOKEN, SESSION, STATE
from flask_auth0_mfa.sessions import auth0_session

from .scripted import (
    ADMIN,
    PAYMENTS,
    SECRET_KEY,
    Site,
    claim,
    grow,
    keep_token,
    open_context,
    sign_in,
    verify,
)
from .still import StillClock

MUTATIONS = int(os.environ.get("COOKIE_MUTATIONS", "2500"))
SEED = int(os.environ.get("COOKIE_SEED", "1"))
#: Makes a session part of two pieces, in bytes.
LONG = 5_200
PIECE = re.compile(r"(session_auth0(?:_[act]_[\w-]{22})?)_[0-9]")

Jar = list[tuple[str, str]]


@dataclass(frozen=True)
class Part:
    """One part as it was written: its cookies, and what is seen when they come back."""

    login: str
    is_session: bool
    cookies: dict[str, str]
    seen: frozenset[str]

    def is_whole(self, sent: dict[str, str]) -> bool:
        """Tell whether every piece came back as it was written."""
        return all(sent.get(name) == value for name, value in self.cookies.items())


def as_text(*content: object) -> str:
    """Return the content of a part in one way of writing it."""
    return json.dumps(content, sort_keys=True)


def seen_in(content: dict) -> dict[str, set[str]]:
    """Return what there is of a session, by the cookie that it comes from."""
    seen: dict[str, set[str]] = {}
    if content["user"] is None:
        return seen
    seen["session_auth0"] = {as_text(content["user"], content["token_set"], content["sid"])}
    for token in content["access_tokens"]:
        name = f"session_auth0_a_{context_id(token['audience'])}"
        seen[name] = {as_text(token, content["verified"].get(token["audience"]))}
    for key in content["mfa_context"]:
        seen[f"session_auth0_c_{context_id(key)}"] = {f"context {key}"}
    for key in content["targets"]:
        seen[f"session_auth0_t_{key}"] = {f"target {key}"}
    return seen


class Bank:
    """An application with a guarded view, and all the cookies that two people have got there."""

    def __init__(self) -> None:
        self.site = Site(StillClock(int(time.time())))
        self.site.app.add_url_rule("/seen", view_func=self._look)
        self.client = self.site.app.test_client(use_cookies=False)
        self.parts: list[Part] = []
        self.jars: list[Jar] = []
        for name in ("ana", "ben"):
            self._visit(name)
        self.foreign = [*self._other_secret(), *self._other_purposes()]

    def _visit(self, name: str) -> None:
        """Sign somebody in and go far enough for a cookie of every kind, some written twice."""
        site = self.site
        site.client = site.app.test_client()
        for change in (sign_in, claim(sub=f"auth0|{name}"), keep_token(size=100), verify()):
            site.change(change)
        for change in (keep_token(ADMIN, size=100), open_context(name, token="t" * 300)):
            site.change(change)
        for version in (1, 2):
            site.change(claim(version=version))
            site.change(grow(LONG + version))
            self._note(site.cookies, site.content())

    def _note(self, cookies: dict[str, str], content: dict) -> None:
        self.jars.append(list(cookies.items()))
        seen = seen_in(content)
        pieces: dict[str, dict[str, str]] = {}
        for name, value in cookies.items():
            if match := PIECE.fullmatch(name):
                pieces.setdefault(match[1], {})[name] = value
        assert pieces.keys() == seen.keys()
        assert len(pieces["session_auth0"]) == 2
        assert {name[14:15] for name in pieces} == {"", "a", "c", "t"}
        self.parts += [
            Part(content["login_id"], name == "session_auth0", own, frozenset(seen[name]))
            for name, own in pieces.items()
        ]

    def _other_secret(self) -> list[str]:
        """Return the cookies of an application with another secret."""
        other = Site(self.site.clock, lambda app: app.config.update(SECRET_KEY=SECRET_KEY[::-1]))
        for change in (sign_in, keep_token(), verify(), open_context()):
            other.change(change)
        return list(other.cookies.values())

    def _other_purposes(self) -> list[str]:
        """Return what we have sealed for something else, or for a time that is over."""
        with self.site.app.app_context():
            sealer, now = self.site.app.extensions["auth0_mfa"].sealer, int(self.site.clock())
        content = {"login_id": "l", "user": {"sub": "auth0|ana"}, "sid": "s", "created_at": now}
        seals = [
            sealer.seal(purpose, content, now + 300)
            for purpose in (MFA_TOKEN, FORM, LOGIN, STATE, AUDIENCE)
        ]
        seals.append(sealer.seal(SESSION, content, now))
        return [*seals, *(f"1.AAAAAAAA.{seal}" for seal in seals)]

    def _look(self) -> str:
        """Note what this request's session shows, and whether a guarded view opens."""
        from flask import request

        self.sent = request.cookies.to_dict()
        with auth0_session() as mine:
            self.seen = frozenset().union(*seen_in(mine.to_dict()).values())
        answer = requires_stepup(PAYMENTS)(lambda: "Open")()
        self.is_open = answer == "Open"
        return "Seen"

    def send(self, jar: Jar) -> None:
        """Make a request with these cookies, as they stand."""
        header = "; ".join(f"{name}={value}" for name, value in jar)
        raw = header.encode("utf-8", "surrogatepass").decode("latin-1")
        answer = self.client.get("/seen", environ_overrides={"HTTP_COOKIE": raw})
        assert answer.status_code == 200

    def expected(self) -> frozenset[str]:
        """Return what the cookies that were sent should show."""
        whole = [part for part in self.parts if part.is_whole(self.sent)]
        logins = {part.login for part in whole if part.is_session}
        seen = frozenset().union(*(part.seen for part in whole if part.login in logins))
        # A check without its target, which says what it is for, is none.
        lost = {one for one in seen if one[:8] == "context " and _target_of(one) not in seen}
        return seen - lost


def _target_of(context: str) -> str:
    return f"target {context_id(context.removeprefix('context '))}"


class Mutator:
    """Draws a browser's cookies, and changes them."""

    def __init__(self, bank: Bank, seed: int) -> None:
        self._bank = bank
        self._draw = random.Random(seed)  # noqa: S311 - a repeatable draw, no secret
        self._ways = [getattr(self, name) for name in dir(type(self)) if name.startswith("mutate_")]

    def jar(self) -> tuple[Jar, list[str]]:
        """Return changed cookies, and the names of the changes."""
        jar = list(self._draw.choice(self._bank.jars))
        ways = self._draw.choices(self._ways, k=self._draw.choice((1, 1, 1, 2, 3)))
        for way in ways:
            if jar:
                way(jar)
        return jar, [way.__name__ for way in ways]

    def _pick(self, jar: Jar) -> tuple[int, str, str]:
        place = self._draw.randrange(len(jar))
        return place, *jar[place]

    def _any_value(self) -> str:
        """Return a value from any browser."""
        return self._draw.choice(self._draw.choice(self._bank.jars))[1]

    def mutate_bits(self, jar: Jar) -> None:
        """Flip a bit of a value."""
        place, name, value = self._pick(jar)
        at = self._draw.randrange(len(value) or 1)
        flipped = chr(ord(value[at : at + 1] or "A") ^ 1 << self._draw.randrange(8))
        jar[place] = (name, value[:at] + flipped + value[at + 1 :])

    def mutate_character(self, jar: Jar) -> None:
        """Replace a character by another one that may stand there."""
        place, name, value = self._pick(jar)
        at = self._draw.randrange(len(value) or 1)
        jar[place] = (name, value[:at] + self._draw.choice("AQgw-_.12") + value[at + 1 :])

    def mutate_length(self, jar: Jar) -> None:
        """Leave out the end, the beginning or something in between."""
        place, name, value = self._pick(jar)
        start, end = sorted(self._draw.randrange(len(value) + 1) for _ in range(2))
        kept = self._draw.choice((value[:start], value[start:], value[:start] + value[end:]))
        jar[place] = (name, kept)

    def mutate_order(self, jar: Jar) -> None:
        """Exchange the values of two cookies."""
        (one, name, value), (two, other, another) = self._pick(jar), self._pick(jar)
        jar[one], jar[two] = (name, another), (other, value)

    def mutate_mix(self, jar: Jar) -> None:
        """Take a cookie of the same name from another write, or from another person."""
        place, name, _ = self._pick(jar)
        others = [value for one in self._bank.jars for key, value in one if key == name]
        jar[place] = (name, self._draw.choice(others or [self._any_value()]))

    def mutate_pieces(self, jar: Jar) -> None:
        """Put together two halves of different values."""
        place, name, value = self._pick(jar)
        at = self._draw.choice((11, len(value) // 2, self._draw.randrange(len(value) + 1)))
        jar[place] = (name, value[:at] + self._any_value()[at:])

    def mutate_head(self, jar: Jar) -> None:
        """Say that a part has another number of pieces."""
        place, name, value = self._pick(jar)
        jar[place] = (name, self._draw.choice("0123456789") + value[1:])

    def mutate_name(self, jar: Jar) -> None:
        """Give a cookie another name: another number, case or kind, or the name of another one."""
        place, name, value = self._pick(jar)
        names = [
            name[:-1] + self._draw.choice("0123"),
            name.upper(),
            name.replace("_c_", "_t_"),
            f"__Host-{name}",
            f"{name}_0",
            self._draw.choice(self._draw.choice(self._bank.jars))[0],
        ]
        jar[place] = (self._draw.choice(names), value)

    def mutate_stranger(self, jar: Jar) -> None:
        """Bring cookies of another person, under their own names."""
        other = self._draw.choice(self._bank.jars)
        taken = self._draw.sample(other, self._draw.randint(1, len(other)))
        names = {name for name, _ in taken}
        jar[:] = [one for one in jar if one[0] not in names] + taken

    def mutate_key(self, jar: Jar) -> None:
        """Put in what is sealed under another key, for another purpose or for an earlier time."""
        place, name, _ = self._pick(jar)
        jar[place] = (name, self._draw.choice(self._bank.foreign))

    def mutate_count(self, jar: Jar) -> None:
        """Send a cookie twice, the second time with any value, before or after it."""
        _, name, value = self._pick(jar)
        twin = (name, self._draw.choice((value, self._any_value(), "", value[:-1], "1.AAAAAAAA.A")))
        jar.insert(self._draw.randint(0, len(jar)), twin)

    def mutate_absence(self, jar: Jar) -> None:
        """Leave a cookie out."""
        del jar[self._draw.randrange(len(jar))]

    def mutate_letters(self, jar: Jar) -> None:
        """Put in characters that do not belong there, in the value or in the name."""
        odd = ("é", "中", "\x00", "\x7f", "\xff", "\ud800", "%00", '"', "\\101", ",", " ", "=", ";")
        place, name, value = self._pick(jar)
        at, added = self._draw.randrange(len(value) + 1), self._draw.choice(odd)
        changed = (name, value[:at] + added + value[at:])
        jar[place] = self._draw.choice((changed, changed, changed, (name + added, value)))

    def mutate_size(self, jar: Jar) -> None:
        """Make a value much too long."""
        place, name, value = self._pick(jar)
        filling = self._draw.choice(("A", ".", "é", value)) * self._draw.choice((1, 5_000, 40_000))
        jar[place] = (name, (value + filling)[:60_000])


@pytest.fixture(scope="module")
def bank() -> Bank:
    """The application, with two people who have been there."""
    return Bank()


@pytest.fixture(autouse=True)
def refusing_tenant(requests_mock):
    """A tenant that wants a second factor whenever it is asked."""
    body = {"error": "mfa_required", "mfa_token": "Fe26.2*a-token"}
    requests_mock.post("https://acme.eu.auth0.com/oauth/token", status_code=403, json=body)


def test_unchanged(bank):
    """Each browser's own cookies show all that was written, and open the guarded view."""
    for jar in bank.jars:
        bank.send(jar)
        assert len(bank.seen) == 5
        assert bank.seen == bank.expected()
        assert bank.is_open


def test_mutated(bank):
    """No change of the cookies is accepted, opens a view or fails a request."""
    mutator, outcomes = Mutator(bank, SEED), Counter()
    for number in range(MUTATIONS):
        jar, ways = mutator.jar()
        bank.send(jar)
        case = f"mutation {number} of seed {SEED}: {ways}"
        assert bank.seen == bank.expected(), case
        assert bank.is_open == any(PAYMENTS in one for one in bank.seen), case
        outcomes[bool(bank.seen), bank.is_open] += 1
    # The draw reaches what it is about: nobody, somebody without the view, and with it.
    assert len(outcomes) == 3
    print(outcomes)
