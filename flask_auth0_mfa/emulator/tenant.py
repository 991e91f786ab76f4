"""The tenant: everything it knows, and what a test can ask of it in Python."""

from __future__ import annotations

import copy
import secrets
import threading
from collections import deque
from typing import TYPE_CHECKING

from .clients import Api, Client
from .clock import Clock
from .configuration import Configuration
from .defaults import default_actions
from .families import Families
from .faults import Fault, Faults
from .keys import SigningKeys
from .limits import Limits
from .policy import Policy
from .records import Call, Grant, Message, MfaTransaction, OobChallenge, Push
from .sealing import Sealer
from .store import Store
from .totp import require_pyotp
from .users import User

if TYPE_CHECKING:
    from .logins import Login

_CALLS_KEPT = 10_000
_MESSAGES_KEPT = 1_000


class Tenant:
    """An Auth0 tenant in memory; ``lock`` guards all of it.

    ``url`` is where it is reached, without a trailing slash; the issuer is that plus ``/``.
    """

    def __init__(
        self,
        configuration: Configuration | None = None,
        *,
        url: str = "http://localhost:4400",
        clock: Clock | None = None,
        keys: SigningKeys | None = None,
    ) -> None:
        require_pyotp()
        self.url = url
        self.clock = clock or Clock()
        self.lock = threading.RLock()
        self.keys = keys or SigningKeys()
        self.faults = Faults()
        self.limits = Limits(self.clock)
        self.calls: deque[Call] = deque(maxlen=_CALLS_KEPT)
        self.messages: deque[Message] = deque(maxlen=_MESSAGES_KEPT)
        self.pushes: deque[Push] = deque(maxlen=_MESSAGES_KEPT)
        self.grants: Store[Grant] = Store(self.clock)
        self.transactions: Store[MfaTransaction] = Store(self.clock)
        self.challenges: Store[OobChallenge] = Store(self.clock)
        self.logins: Store[Login] = Store(self.clock)
        self.configure(configuration or Configuration())
        self._start()

    def configure(self, configuration: Configuration) -> None:
        """Take other settings; what is in progress goes on, and users change at ``reset``."""
        with self.lock:
            self.configuration = configuration
            self.policy = Policy(
                configuration.actions or default_actions(configuration.apis),
                configuration.factors,
                configuration.mfa_policy == "always",
            )

    def _start(self) -> None:
        # A new sealer makes everything that was handed out before worthless, cookies included.
        self.sealer = Sealer()
        self.families = Families(self.clock, self.sealer)
        self.users = copy.deepcopy(list(self.configuration.users))

    @property
    def issuer(self) -> str:
        """Return the issuer, with its trailing slash."""
        return f"{self.url}/"

    @property
    def mfa_audience(self) -> str:
        """Return the audience of access tokens for the MFA API."""
        return f"{self.url}/mfa/"

    def client(self, client_id: str | None) -> Client | None:
        """Return the application of that id."""
        return next((c for c in self.configuration.clients if c.client_id == client_id), None)

    def api(self, identifier: str) -> Api | None:
        """Return the API of that identifier; the MFA API is always there."""
        if identifier == self.mfa_audience:
            scopes = ("enroll", "read:authenticators", "remove:authenticators")
            return Api(identifier, scopes, access_token_ttl=600)
        return next((a for a in self.configuration.apis if a.identifier == identifier), None)

    def user(self, email: str) -> User:
        """Return the user with that address; raises KeyError."""
        for user in self.users:
            if user.email.lower() == email.lower() and not user.deleted:
                return user
        raise KeyError(email)

    def user_of(self, sub: str) -> User | None:
        """Return the user with that id, deleted or not."""
        return next((user for user in self.users if user.sub == sub), None)

    # What a test or the control API asks for -----------------------------------------------------

    def current_otp(self, email: str) -> str:
        """Return the TOTP code that the user's app shows now; raises LookupError without one."""
        with self.lock:
            otp = self.user(email).current_otp(self.clock.now())
        if otp is None:
            raise LookupError(f"{email} has no authenticator app.")
        return otp

    def recovery_code(self, email: str) -> str:
        """Return the user's recovery code; raises LookupError without one."""
        code = self.user(email).recovery_code
        if code is None:
            raise LookupError(f"{email} has no recovery code.")
        return code

    def last_message(self, email: str) -> Message:
        """Return the newest message to a user; raises LookupError without one."""
        with self.lock:
            for message in reversed(self.messages):
                if message.user == email:
                    return message
        raise LookupError(f"Nothing was sent to {email}.")

    def approve(self, push_id: str | None = None) -> Push:
        """Approve a pending push, the newest one by default; raises LookupError without one."""
        return self._decide("approved", push_id)

    def reject(self, push_id: str | None = None) -> Push:
        """Reject a pending push, the newest one by default; raises LookupError without one."""
        return self._decide("rejected", push_id)

    def _decide(self, status: str, push_id: str | None) -> Push:
        with self.lock:
            for push in reversed(self.pushes):
                if self.is_open(push) and push_id in (None, push.id):
                    push.status = status
                    return push
        raise LookupError("There is no such pending push.")

    def is_open(self, push: Push) -> bool:
        """Tell whether a push can still be approved or rejected."""
        over_at = push.at + self.configuration.oob_code_ttl
        return push.status == "pending" and self.clock.now() < over_at

    def advance(self, seconds: float) -> None:
        """Move the tenant's clock forward."""
        with self.lock:
            self.clock.advance(seconds)

    def fault(
        self,
        path: str,
        *,
        status: int | None = None,
        body: object = None,
        delay: float = 0.0,
        drop: bool = False,
        times: int = 1,
    ) -> None:
        """Make the next ``times`` requests to ``path`` fail; ``delay`` is in seconds."""
        with self.lock:
            self.faults.add(Fault(path, status, body, delay, drop, times))

    def delete_user(self, email: str) -> None:
        """Delete a user; their refresh tokens then say so."""
        with self.lock:
            self.user(email).deleted = True

    def rotate_keys(self) -> None:
        """Sign with a new key from now on."""
        with self.lock:
            self.keys.rotate()

    def reset(self) -> None:
        """Return to the state at the start: users, clock, tokens, faults; the signing key stays."""
        with self.lock:
            self.keys.forget_previous()
            self.clock.reset()
            self.faults.clear()
            self.limits.clear()
            for kept in (self.calls, self.messages, self.pushes):
                kept.clear()
            for store in (self.grants, self.transactions, self.challenges, self.logins):
                store.clear()
            self._start()

    # What the endpoints write ---------------------------------------------------------------------

    def send_message(self, user: User, channel: str, to: str, code: str) -> None:
        """Deliver a code by text message, call or e-mail."""
        text = f"{code} is your verification code for {self.configuration.name}."
        message = Message(
            secrets.token_hex(8), to, user.email, channel, text, code, self.clock.now()
        )
        self.messages.append(message)

    def send_push(self, user: User, purpose: str = "challenge") -> Push:
        """Deliver a push notification."""
        push = Push(secrets.token_hex(8), user.email, self.clock.now(), purpose=purpose)
        self.pushes.append(push)
        return push
