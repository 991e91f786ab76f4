"""What the tenant remembers of things in progress; moments are epoch seconds of its clock."""

from __future__ import annotations

from dataclasses import dataclass, field

from .flow import Flow, Step


@dataclass(frozen=True)
class Message:
    """A text message, a call or an e-mail that the tenant has sent."""

    id: str
    to: str
    user: str
    channel: str
    text: str = field(repr=False)
    code: str = field(repr=False)
    at: float


@dataclass
class Push:
    """A push notification; ``purpose`` is ``challenge`` or, for a scanned code, ``enrollment``."""

    id: str
    user: str
    at: float
    status: str = "pending"
    purpose: str = "challenge"


@dataclass(frozen=True)
class Call:
    """One request to the tenant, for the log of calls."""

    method: str
    path: str
    grant_type: str | None
    status: int
    at: float


@dataclass
class MfaTransaction:
    """An interrupted flow: what an ``mfa_token`` stands for."""

    id: str
    flow: Flow
    step: Step
    expires_at: float
    enrolling: list[str] = field(default_factory=list)


@dataclass
class OobChallenge:
    """What an ``oob_code`` stands for: a code that was sent, or a push to wait for."""

    id: str
    transaction_id: str
    authenticator_id: str
    expires_at: float
    code: str | None = field(default=None, repr=False)
    push: Push | None = None
    poll_interval: int = 5
    polled_at: float | None = None


@dataclass
class Grant:
    """What an authorization code stands for."""

    flow: Flow
    redirect_uri: str
    code_challenge: str | None
    code_challenge_method: str | None
    nonce: str | None
    sid: str
    auth_time: int
    states_auth_time: bool
    expires_at: float

    def get_redirect_uri(self) -> str:
        """Return the callback of the authorization request (for Authlib)."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Return the granted scope (for Authlib)."""
        return " ".join(self.flow.scope)
