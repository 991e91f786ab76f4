"""The small parts of a guarded request, each by itself (pytest-benchmark).

``python -m tests.benchmarks`` runs this file; by its name it is not part of the ordinary tests.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from flask_auth0_mfa import sealing
from flask_auth0_mfa.models import Auth0Session, StepUpRequest
from flask_auth0_mfa.sealing import AUDIENCE, Sealer
from flask_auth0_mfa.services import EXTENSION

from . import content
from .sessions import application, cookies, environ

Benchmark = Callable[[Callable[[], Any]], Any]
NONCE, HEADER = secrets.token_bytes(12), b"header"
CIPHER = AESGCM(secrets.token_bytes(32))


@pytest.fixture(scope="module")
def part() -> dict[str, Any]:
    """What one audience has: a token of 900 bytes and a verification."""
    held = content.session()
    token = held["access_tokens"][1]
    return {"audience": token["audience"], "token": token, "login_id": held["login_id"]}


@pytest.fixture(scope="module")
def sealer() -> Sealer:
    """A sealer with one secret."""
    known = (secrets.token_hex().encode(),)
    return Sealer(lambda: known, time.time)


@pytest.fixture(scope="module")
def sealed(sealer: Sealer, part: dict[str, Any]) -> str:
    """The part as its cookie has it."""
    return sealer.seal(AUDIENCE, part, int(time.time()) + 3600)


def test_limit_of_opening(benchmark: Benchmark, part: dict[str, Any]) -> None:
    """AES-GCM and JSON of the same bytes: what no seal can do without."""
    ciphertext = CIPHER.encrypt(NONCE, json.dumps(part).encode(), HEADER)
    opened = benchmark(lambda: json.loads(CIPHER.decrypt(NONCE, ciphertext, HEADER)))
    assert opened == part


def test_base64_of_it(benchmark: Benchmark, sealed: str) -> None:
    """From base64url to bytes, with the check that there is no other spelling."""
    assert len(benchmark(lambda: sealing._parts(sealed))) == 3


def test_huffman_of_it(benchmark: Benchmark, sealer: Sealer, sealed: str) -> None:
    """From the code that takes back what base64 costs."""
    packed = sealer._decrypt(AUDIENCE, sealed)
    assert benchmark(lambda: sealing._unpack(packed)).startswith(b'{"exp"')


def test_opening(benchmark: Benchmark, sealer: Sealer, sealed: str, part: dict[str, Any]) -> None:
    """One seal, opened."""
    assert benchmark(lambda: sealer.open(AUDIENCE, sealed)) == part


def test_limit_of_sealing(benchmark: Benchmark, part: dict[str, Any]) -> None:
    """JSON and AES-GCM of the same bytes."""
    ciphertext = benchmark(lambda: CIPHER.encrypt(NONCE, json.dumps(part).encode(), HEADER))
    assert len(ciphertext) > 900


def test_sealing(benchmark: Benchmark, sealer: Sealer, part: dict[str, Any]) -> None:
    """One seal, made."""
    ends_at = int(time.time()) + 3600
    assert benchmark(lambda: sealer.seal(AUDIENCE, part, ends_at)).count(".") == 2


def test_look_of_a_guard(benchmark: Benchmark) -> None:
    """What a guard needs of the session: two seals, and what stands in them."""
    app = application()
    sent = environ(cookies(app, Auth0Session.from_dict(content.session())))
    request = app.request_class(sent)
    interface: Any = app.session_interface

    def look() -> Any:
        return interface.open_session(app, request).auth0.glance(content.PAYMENTS)

    assert benchmark(look).access_tokens.keys() == {content.PAYMENTS}


def test_was_it_ended(benchmark: Benchmark) -> None:
    """Whether the login was ended elsewhere: four names, looked for in the shared state."""
    found = application().extensions[EXTENSION]
    held = Auth0Session.from_dict(content.session())
    assert benchmark(lambda: found.logins.caught_up(held)).user == content.user()


def test_decision(benchmark: Benchmark) -> None:
    """Whether token, scope and verification open the view."""
    found = application().extensions[EXTENSION]
    held = Auth0Session.from_dict(content.session())
    wanted = StepUpRequest(content.PAYMENTS, "write:all")
    assert benchmark(lambda: found.tokens.is_open(held, wanted))
