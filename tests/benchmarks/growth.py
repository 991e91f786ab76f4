"""Figure 6: what a session costs as it grows, and what the extension costs at the start."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

from flask import Flask

from flask_auth0_mfa.models import Auth0Session, MfaContext
from flask_auth0_mfa.secret import Secret

from . import content
from .rounds import Effort, Work, side_by_side
from .servers import ROOT
from .sessions import application, cookies, environ

AUDIENCES = range(1, 9)
CONTEXTS = (0, 1, 2)
PLAIN, OURS = "plain Flask", "with the extension"
_STARTS = 5


@dataclass(frozen=True)
class Size:
    """A session of one size: what is kept of it in cookies, and what it costs (seconds)."""

    audiences: int
    contexts: int
    kept_audiences: int
    cookie_bytes: int
    open_all: float
    open_one: float


def sizes(effort: Effort) -> list[Size]:
    """Return every size; more than fits into cookies is given up, the oldest token first."""
    app = application()
    short = replace(effort, rounds=max(3, effort.rounds // 4))
    return [
        _size(app, audiences, contexts, short) for audiences in AUDIENCES for contexts in CONTEXTS
    ]


def _size(app: Flask, audiences: int, contexts: int, effort: Effort) -> Size:
    held = Auth0Session.from_dict(content.session(audiences))
    for number in range(contexts):
        held.open_context(_context(held, number))
    sent = cookies(app, held)
    opened = _opened(app, sent)
    kept = opened().load()
    last = next(reversed(kept.access_tokens))

    def whole() -> Any:
        return opened().load()

    def glanced() -> Any:
        return opened().glance(last)

    assert last in glanced().access_tokens
    works: dict[str, Work] = {"whole": whole, "one": glanced}
    timings = side_by_side(works, effort)
    return Size(
        audiences,
        contexts,
        len(kept.access_tokens),
        sum(len(name) + len(value) for name, value in sent.items()),
        timings["whole"].median,
        timings["one"].median,
    )


def _context(held: Auth0Session, number: int) -> MfaContext:
    now = int(time.time())
    return MfaContext(
        raw_mfa_token=Secret(f"Fe26.2*{secrets.token_urlsafe(600)}"),
        opened_at=now + number,
        expires_at=now + 300,
        login_id=str(held.login_id),
        audience=content.PAYMENTS,
        scope="write:all",
        mfa_requirements={"challenge": [{"type": "otp"}, {"type": "push-notification"}]},
        return_to="/transfer",
    )


def _opened(app: Flask, sent: dict[str, str]) -> Any:
    made = environ(sent)

    def opened() -> Any:
        session: Any = app.session_interface.open_session(app, app.request_class(dict(made)))
        return session.auth0

    return opened


# -- the start -------------------------------------------------------------------------------

_START = """
import os, re, time
began_at = time.process_time()
from flask import Flask
app = Flask("start")
app.config.update(SECRET_KEY=os.urandom(16).hex(), TESTING=True)
{more}
took = time.process_time() - began_at
print(took, re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""
_MORE = """
from flask_auth0_mfa import Auth0MFA
app.config.update(
    AUTH0_DOMAIN="acme.eu.auth0.com", AUTH0_CLIENT_ID="client-1", AUTH0_CLIENT_SECRET="secret"
)
Auth0MFA(app)
"""


@dataclass(frozen=True)
class Start:
    """What an application takes to be there: processor time in seconds, memory in KiB."""

    seconds: float
    memory: float


def starts(effort: Effort) -> dict[str, Start]:
    """Return what the start of an application costs, without and with the extension."""
    found: dict[str, list[tuple[float, float]]] = {PLAIN: [], OURS: []}
    for _ in range(min(_STARTS, effort.rounds)):
        for name, more in ((PLAIN, ""), (OURS, _MORE)):
            command = [sys.executable, "-c", _START.format(more=more)]
            answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - our own command line
            seconds, memory = answer.stdout.split()
            found[name].append((float(seconds), float(memory)))
    return {name: Start(*map(_median, zip(*rows, strict=True))) for name, rows in found.items()}


def _median(values: tuple[float, ...]) -> float:
    return sorted(values)[len(values) // 2]
