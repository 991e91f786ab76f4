"""What every flow works with."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..client import Auth0Client
from ..config import Settings
from ..memory import Memory
from ..models import Auth0Session
from ..refresh import TokenFamily
from ..sealing import Sealer
from ..tokens import IdTokenVerifier


@dataclass(frozen=True)
class Parts:
    """The parts of one application that flows use; ``sender`` is what signals are sent from."""

    settings: Settings
    client: Auth0Client
    sealer: Sealer
    memory: Memory
    family: TokenFamily
    verifier: IdTokenVerifier
    clock: Callable[[], float]
    sender: Any

    def now(self) -> int:
        """Return the time in whole seconds since the epoch."""
        return int(self.clock())

    def send(self, signal: Any, session: Auth0Session, **arguments: Any) -> None:
        """Tell the application's listeners what happened to this user."""
        signal.send(self.sender, user_id=(session.user or {}).get("sub"), **arguments)


def new_sid() -> str:
    """Return a new session id with 128 random bits (ASVS 7.2.3)."""
    return secrets.token_urlsafe(16)
