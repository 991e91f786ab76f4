"""What the extension works with: tokens, authenticators, MFA contexts and the session of a user.

Everything here is plain and knows neither Flask nor HTTP. Fields that hold a token or a code are
left out of ``repr``. Moments (``_at``) are seconds since the epoch, lengths (``_ttl``) seconds.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from typing import Any

from . import factors
from .secret import Secret, secret

#: A cached access token is not used in its last seconds: it could expire on its way to the API.
EXPIRY_MARGIN = 30
#: How long a page that has timed out can still be started again, in seconds.
TARGET_TTL = 3600
#: How long an approval of one text can be used, in seconds.
APPROVAL_TTL = 300
#: Seconds in a day.
DAY = 86_400
#: A verification at login counts for every audience.
ANY_AUDIENCE = "*"
#: The method of a verification that is the tenant's word alone (``AUTH0_STEPUP_TRUST_TENANT``).
TENANTS_WORD = "tenant"


class MalformedSessionError(ValueError):
    """Stored session content does not have the documented shape."""


def token_hash(raw_mfa_token: str) -> str:
    """Return the key of a context: the base64url SHA-256 of Auth0's raw token."""
    digest = hashlib.sha256(raw_mfa_token.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def context_id(hashed: str) -> str:
    """Return the id that page addresses carry: 128 bits derived from the context's key."""
    digest = hashlib.sha256(b"auth0-mfa-context:" + hashed.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


def client_mark(issuer: str, client_id: str) -> str:
    """Return what a session remembers of the tenant and the client that its user signed in by."""
    digest = hashlib.sha256(f"auth0-mfa-client:{issuer} {client_id}".encode()).digest()
    return base64.urlsafe_b64encode(digest[:12]).decode()


def approval_key(request: StepUpRequest | StepUpTarget | MfaContext) -> str:
    """Return the key among the verifications for an approval of the request's text."""
    digest = hashlib.sha256((request.approval or "").encode()).digest()
    return f"{request.audience or ''}\n{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def is_approval(key: str) -> bool:
    """Tell whether a key among the verifications is that of an approval, not an audience."""
    return "\n" in key


def require_scope_text(scope: object) -> None:
    """Raise :class:`TypeError` for scopes that are no text, before a request runs into them."""
    if scope is not None and not isinstance(scope, str):
        raise TypeError("scope must be one text, with spaces between the scopes")


def scope_set(scope: str | None) -> frozenset[str]:
    """Return the scope values of an OAuth scope string (RFC 6749 section 3.3)."""
    return frozenset((scope or "").split())


@dataclass(frozen=True)
class AccessToken:
    """An access token for one audience; ``expires_at`` in seconds since the epoch."""

    token: str = field(repr=False)
    audience: str | None
    scope: str
    expires_at: int

    def covers(self, audience: str | None, scope: str | None, now: float) -> bool:
        """Tell whether this token is for that audience, has those scopes and still lives."""
        return (
            self.audience == audience
            and scope_set(scope) <= scope_set(self.scope)
            and self.expires_at - EXPIRY_MARGIN > now
        )


@dataclass(frozen=True)
class TokenResponse:
    """A successful answer of ``POST /oauth/token``."""

    access_token: str = field(repr=False)
    expires_in: int
    scope: str | None = None
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    recovery_code: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Authenticator:
    """One way of the user to prove a second factor, as ``GET /mfa/authenticators`` lists it."""

    id: str
    authenticator_type: str
    active: bool = True
    oob_channel: str | None = None
    name: str | None = None
    type: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that Auth0 gave, under its names."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def method(self) -> str:
        """The method in our own words: ``otp``, ``sms``, ``voice``, ``email``, ``push``, …."""
        return factors.method_of(self.authenticator_type, self.oob_channel)


@dataclass(frozen=True)
class Challenge:
    """An open challenge; ``binding_method="prompt"`` means that the user types a code."""

    challenge_type: str
    method: str
    authenticator_id: str | None = None
    oob_code: str | None = field(default=None, repr=False)
    binding_method: str | None = None
    sent_at: int = 0


@dataclass(frozen=True)
class Enrollment:
    """An authenticator that waits for its first code (``POST /mfa/associate``)."""

    authenticator_type: str
    oob_channel: str | None = None
    secret: str | None = field(default=None, repr=False)
    barcode_uri: str | None = field(default=None, repr=False)
    recovery_codes: tuple[str, ...] = field(default=(), repr=False)
    oob_code: str | None = field(default=None, repr=False)
    binding_method: str | None = None

    @property
    def method(self) -> str:
        """The method in our own words."""
        return factors.method_of(self.authenticator_type, self.oob_channel)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that Auth0 gave, under its names."""
        given = {name: value for name, value in asdict(self).items() if value}
        if self.recovery_codes:
            given["recovery_codes"] = list(self.recovery_codes)
        return given


@dataclass(frozen=True)
class Verification:
    """A second factor that was proved: when, and by which method."""

    at: int
    method: str


@dataclass(frozen=True)
class StepUpTarget:
    """What a step-up is for; it outlives the context, so that a check can be started again."""

    audience: str | None
    scope: str | None
    return_to: str | None
    reason: str | None
    login_id: str
    expires_at: int
    methods: tuple[str, ...] | None = None
    verified: bool = False
    #: The authenticator that was chosen last, to come back to when the check starts again.
    chosen: str | None = None
    #: The new recovery code, kept until the user says that it is saved.
    recovery_code: str | None = field(default=None, repr=False)
    approval: str | None = None
    #: The form that was stopped: ``action`` is its path, ``fields`` pairs of name and value.
    form: Mapping[str, Any] | None = field(default=None, repr=False)
    remember: int | None = None

    @property
    def request(self) -> StepUpRequest:
        """What was asked for."""
        return _request_of(self)

    @property
    def opened_at(self) -> int:
        """When its context was opened."""
        return self.expires_at - TARGET_TTL


@dataclass(frozen=True)
class StepUpRequest:
    """What somebody asks for: a token for an audience, and how fresh its proof must be.

    ``max_age`` in seconds; ``methods`` narrows the ways of proof; ``return_to`` is a path;
    ``approval`` is the text that the user has to approve; ``remember`` is for how many days the
    user may have a device remembered.
    """

    audience: str | None
    scope: str | None = None
    max_age: int | None = None
    reason: str | None = None
    methods: tuple[str, ...] | None = None
    return_to: str | None = None
    approval: str | None = None
    remember: int | None = None


@dataclass(frozen=True)
class RememberedDevice:
    """A browser in which a second factor counts for longer, for one user and one API.

    ``method`` is how it was proved; ``is_this`` says whether it is the browser of this request.
    """

    id: str
    audience: str
    method: str
    remembered_at: int
    expires_at: int
    is_this: bool = False

    def counts_for(self, request: StepUpRequest, now: float) -> bool:
        """Tell whether the guard that asks would have taken this proof, and takes it still."""
        if request.remember is None or self.audience != request.audience:
            return False
        ends_at = min(self.expires_at, self.remembered_at + request.remember * DAY)
        fits = request.methods is None or factors.accepts(request.methods, self.method)
        return fits and self.remembered_at <= now + 5 and now < ends_at


@dataclass(frozen=True)
class StepUpDemand:
    """What an API wants of the authentication behind a token (RFC 9470); ``max_age`` in seconds.

    Any one of ``acr_values`` will do; empty, and ``None``, where it does not say.
    """

    acr_values: tuple[str, ...] = ()
    max_age: int | None = None


@dataclass(frozen=True)
class MfaContext:
    """One refused refresh that waits for a second factor."""

    raw_mfa_token: str = field(repr=False)
    opened_at: int
    expires_at: int
    login_id: str
    audience: str | None
    scope: str | None = None
    mfa_requirements: Mapping[str, Any] = field(default_factory=dict)
    return_to: str | None = None
    reason: str | None = None
    methods: tuple[str, ...] | None = None
    approval: str | None = None
    #: As Auth0 listed them; not stored with the context, ``None`` while nobody asked.
    authenticators: tuple[Authenticator, ...] | None = None
    challenge: Challenge | None = None
    #: A first authenticator that waits for its first code, and where that was sent.
    enrollment: Enrollment | None = None
    address: str | None = None
    #: The authenticator whose page is shown; choosing another one leaves ``challenge`` open.
    chosen: str | None = None
    chosen_method: str | None = None
    #: The user declined the push; its page says so until something else is chosen.
    declined: bool = False
    attempts: int = 0
    chain: int = 0
    #: The key, while the raw token is in the shared state alone and empty here.
    kept_hash: str | None = None
    #: For how many days the device may be remembered, where the guard allows it.
    remember: int | None = None
    #: The user has said so before: a push is answered without a form, and factors may follow.
    wants_remembering: bool = False

    @property
    def hash(self) -> str:
        """The context's key in the session."""
        return self.kept_hash or token_hash(self.raw_mfa_token)

    @property
    def is_lean(self) -> bool:
        """Whether the raw token is in the shared state alone."""
        return self.kept_hash is not None

    def lean(self) -> MfaContext:
        """Return the context without the raw token, which is what takes most room in a cookie."""
        return replace(self, raw_mfa_token=Secret(""), kept_hash=self.hash)

    @property
    def id(self) -> str:
        """The context's id in page addresses."""
        return context_id(self.hash)

    @property
    def request(self) -> StepUpRequest:
        """What was asked for."""
        return _request_of(self)

    def required_types(self, kind: str) -> tuple[str, ...]:
        """Return the types that the tenant names under ``challenge`` or ``enroll``."""
        entries = self.mfa_requirements.get(kind)
        if not isinstance(entries, list):
            return ()
        return tuple(
            entry["type"]
            for entry in entries
            if isinstance(entry, dict) and isinstance(entry.get("type"), str)
        )

    def answers(self, request: StepUpRequest) -> bool:
        """Tell whether this context was opened for the same request."""
        names = ("audience", "return_to", "reason", "methods", "approval")
        wanted = [getattr(request, name) for name in names]
        mine = [getattr(self, name) for name in names]
        return wanted == mine and scope_set(request.scope) <= scope_set(self.scope)

    @property
    def waits_for_phone(self) -> bool:
        """Tell whether what was begun is answered on the phone, without a code."""
        begun = self.enrollment or self.challenge
        if begun is None or begun.oob_code is None or begun.binding_method == "prompt":
            return False
        return factors.is_out_of_band(begun.method)

    def allows(self, method: str) -> bool:
        """Tell whether tenant and view both accept the method, and we can do it."""
        required = self.required_types("challenge")
        if required and not factors.accepts(required, method):
            return False
        if not required and self.required_types("enroll"):
            # The tenant wants another method to be added; none of those that are there will do.
            return False
        if self.methods is not None and not factors.accepts(self.methods, method):
            return False
        return method in factors.METHODS

    @property
    def usable(self) -> tuple[Authenticator, ...]:
        """The listed authenticators that may be used here, strongest first."""
        listed = [a for a in self.authenticators or () if a.active and self.allows(a.method)]
        return tuple(sorted(listed, key=lambda a: factors.strength(a.method)))


@dataclass
class Auth0Session:
    """The logical content of a user's session (tokens, verifications, contexts).

    It is loaded, changed by a flow and stored if it is different; it does not know how.
    """

    user: dict[str, Any] | None = None
    refresh_token: str | None = field(default=None, repr=False)
    #: The access token of the login; its audience is ``None`` where login asked for none.
    login_token: AccessToken | None = None
    access_tokens: dict[str, AccessToken] = field(default_factory=dict)
    verified: dict[str, Verification] = field(default_factory=dict)
    #: Random, new at login and at each step-up (against fixation, ASVS 7.2.4).
    sid: str | None = None
    #: Names this login through all its session ids; what belongs to the session is bound to it.
    login_id: str | None = None
    #: Names the tenant and the client that the user signed in by (:func:`client_mark`).
    client: str | None = None
    created_at: float = 0
    contexts: dict[str, MfaContext] = field(default_factory=dict)
    targets: dict[str, StepUpTarget] = field(default_factory=dict)

    def copy(self) -> Auth0Session:
        """Return a session that can be changed while this one stays as it is."""
        return Auth0Session(
            user=self.user,
            refresh_token=self.refresh_token,
            login_token=self.login_token,
            access_tokens=dict(self.access_tokens),
            verified=dict(self.verified),
            sid=self.sid,
            login_id=self.login_id,
            client=self.client,
            created_at=self.created_at,
            contexts=dict(self.contexts),
            targets=dict(self.targets),
        )

    # -- tokens ------------------------------------------------------------------------------

    def token_for(self, audience: str | None, scope: str | None, now: float) -> AccessToken | None:
        """Return a stored token that covers audience and scope and still lives, or ``None``."""
        for token in self._tokens():
            if token.covers(audience, scope, now):
                return token
        return None

    def _tokens(self) -> Iterator[AccessToken]:
        if self.login_token is not None:
            yield self.login_token
        yield from self.access_tokens.values()

    def granted_scope(self, audience: str | None) -> frozenset[str]:
        """Return the scopes that a stored token for the audience has."""
        for token in self._tokens():
            if token.audience == audience:
                return scope_set(token.scope)
        return frozenset()

    def keep_token(self, token: AccessToken) -> None:
        """Store a token in place of the one for the same audience."""
        if token.audience is None or (
            self.login_token is not None and self.login_token.audience == token.audience
        ):
            self.login_token = token
        else:
            # Put last: the front of the mapping is what has not been renewed for longest.
            self.access_tokens.pop(token.audience, None)
            self.access_tokens[token.audience] = token

    def forget_tokens(self) -> None:
        """Drop every token; the user stays known but has to log in for the next call."""
        self.refresh_token = None
        self.login_token = None
        self.access_tokens.clear()

    # -- verifications -----------------------------------------------------------------------

    def verification_for(
        self, audience: str, max_age: int, methods: tuple[str, ...] | None, now: float
    ) -> Verification | None:
        """Return the record that proves a second factor at most ``max_age`` seconds ago."""
        for key in (audience, ANY_AUDIENCE):
            record = self.verified.get(key)
            if record is None or not now - max_age < record.at <= now + 5:
                continue
            if methods is None or factors.accepts(methods, record.method):
                return record
        return None

    def approval_for(
        self, request: StepUpRequest | StepUpTarget, max_age: float, now: float
    ) -> Verification | None:
        """Return the record that the request's text was approved, at most ``max_age`` ago.

        Another view may show the same text and take weaker methods.
        """
        record = self.verified.get(approval_key(request))
        if record is None or not now - max_age < record.at <= now + 5:
            return None
        fits = request.methods is None or factors.accepts(request.methods, record.method)
        return record if fits else None

    # -- contexts ----------------------------------------------------------------------------

    def open_context(self, context: MfaContext) -> None:
        """Add a context and remember what it is for."""
        self.contexts[context.hash] = context
        self.targets[context.id] = StepUpTarget(
            audience=context.audience,
            scope=context.scope,
            return_to=context.return_to,
            reason=context.reason,
            methods=context.methods,
            approval=context.approval,
            remember=context.remember,
            login_id=context.login_id,
            expires_at=context.opened_at + TARGET_TTL,
        )

    def replace_context(self, context: MfaContext) -> None:
        """Store a changed context under its key."""
        self.contexts[context.hash] = context

    def find_context(self, identifier: str) -> MfaContext | None:
        """Return the open context with this page id."""
        return next((c for c in self.contexts.values() if c.id == identifier), None)

    def newest_context(self) -> MfaContext | None:
        """Return the context that was opened last."""
        # Of several that were opened in the same second, the last one.
        return max(reversed(self.contexts.values()), key=lambda c: c.opened_at, default=None)

    def close_context(
        self, context: MfaContext, *, verified: bool = False, recovery_code: str | None = None
    ) -> None:
        """Remove a context; ``verified`` remembers that its page led to the target."""
        self.contexts.pop(context.hash, None)
        target = self.targets.get(context.id)
        if target is not None:
            self.targets[context.id] = replace(
                target, verified=verified, recovery_code=recovery_code or target.recovery_code
            )

    def prune(self, now: float) -> None:
        """Remove contexts, targets, access tokens and approvals whose time is over."""
        self.verified = {
            key: record
            for key, record in self.verified.items()
            if not is_approval(key) or record.at + APPROVAL_TTL > now
        }
        self.contexts = {key: c for key, c in self.contexts.items() if c.expires_at > now}
        self.targets = {key: t for key, t in self.targets.items() if t.expires_at > now}
        self.access_tokens = {
            key: token for key, token in self.access_tokens.items() if token.expires_at > now
        }

    # -- plain types -------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return the session as plain JSON types."""
        return {
            "user": self.user,
            "token_set": {
                "refresh_token": self.refresh_token,
                **(_token_to_dict(self.login_token) if self.login_token else {}),
            },
            "access_tokens": [_token_to_dict(t) for t in self.access_tokens.values()],
            "verified": {k: {"at": v.at, "method": v.method} for k, v in self.verified.items()},
            "sid": self.sid,
            "login_id": self.login_id,
            "client": self.client,
            "created_at": self.created_at,
            "mfa_context": {key: _context_to_dict(c) for key, c in self.contexts.items()},
            "targets": {key: _plain(target) for key, target in self.targets.items()},
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Auth0Session:
        """Return the session that :meth:`to_dict` wrote.

        Raises :class:`MalformedSessionError` when the content has another shape.
        """
        try:
            return cls._from_dict(content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MalformedSessionError(type(error).__name__) from None

    @classmethod
    def _from_dict(cls, content: Mapping[str, Any]) -> Auth0Session:
        token_set = content["token_set"]
        login_token = _token_from_dict(token_set) if "access_token" in token_set else None
        tokens = [_token_from_dict(entry) for entry in content["access_tokens"]]
        return cls(
            user=content["user"],
            refresh_token=secret(token_set["refresh_token"]),
            login_token=login_token,
            access_tokens={t.audience: t for t in tokens if t.audience is not None},
            verified={k: Verification(**record) for k, record in content["verified"].items()},
            sid=content["sid"],
            login_id=content["login_id"],
            client=content.get("client"),
            created_at=float(content["created_at"]),
            contexts={k: _context_from_dict(c) for k, c in content["mfa_context"].items()},
            targets={k: _target_from_dict(t) for k, t in content["targets"].items()},
        )


def _request_of(source: StepUpTarget | MfaContext) -> StepUpRequest:
    return StepUpRequest(
        audience=source.audience,
        scope=source.scope,
        reason=source.reason,
        methods=source.methods,
        return_to=source.return_to,
        approval=source.approval,
        remember=source.remember,
    )


def _plain(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass, without those that are as they are by default.

    In a cookie every byte counts.
    """
    defaults = _defaults(type(value))  # type: ignore[arg-type]
    content = {name: getattr(value, name) for name in defaults}
    return {k: v for k, v in content.items() if v is not None and v != defaults[k]}


@cache
def _defaults(kind: type[Any]) -> dict[str, Any]:
    return {one.name: one.default for one in fields(kind)}


def _context_to_dict(context: MfaContext) -> dict[str, Any]:
    content = _plain(context)
    content.pop("authenticators", None)
    for part in ("challenge", "enrollment"):
        if part in content:
            content[part] = _plain(getattr(context, part))
    return content


def _token_to_dict(token: AccessToken) -> dict[str, Any]:
    return {
        "access_token": token.token,
        "audience": token.audience,
        "scope": token.scope,
        "expires_at": token.expires_at,
    }


def _token_from_dict(entry: Mapping[str, Any]) -> AccessToken:
    return AccessToken(
        token=Secret(entry["access_token"]),
        audience=entry["audience"],
        scope=entry["scope"],
        expires_at=int(entry["expires_at"]),
    )


def _context_from_dict(entry: Mapping[str, Any]) -> MfaContext:
    content = {"audience": None, **entry, "expires_at": int(entry["expires_at"])}
    content["raw_mfa_token"] = Secret(entry["raw_mfa_token"])
    if (methods := content.get("methods")) is not None:
        content["methods"] = tuple(methods)
    if (challenge := content.get("challenge")) is not None:
        content["challenge"] = Challenge(**_with_secret_code(challenge))
    if (enrollment := content.get("enrollment")) is not None:
        codes = tuple(enrollment.get("recovery_codes", ()))
        content["enrollment"] = Enrollment(
            **{**_with_secret_code(enrollment), "recovery_codes": codes}
        )
    return MfaContext(**content)


def _with_secret_code(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**entry, "oob_code": secret(entry.get("oob_code"))}


def _target_from_dict(entry: Mapping[str, Any]) -> StepUpTarget:
    content = {"audience": None, "scope": None, "return_to": None, "reason": None, **entry}
    content["expires_at"] = int(entry["expires_at"])
    if (methods := content.get("methods")) is not None:
        content["methods"] = tuple(methods)
    if (form := content.get("form")) is not None:
        fields = [(str(name), str(value)) for name, value in form["fields"]]
        content["form"] = {"action": str(form["action"]), "fields": fields}
    return StepUpTarget(**content)
