"""The parts of a session that are sealed one by one, and the session that such parts make.

What parallel requests change apart is kept apart: each audience, each MFA context, and what each
step-up is for. What is in no other part belongs to the login itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .models import Auth0Session, MalformedSessionError, context_id, token_hash
from .sealing import AUDIENCE, CONTEXT, SESSION, TARGET

#: What a context has in common with its target, and leaves to it.
_SHARED = ("audience", "scope", "return_to", "reason", "methods", "approval", "remember")


@dataclass(frozen=True)
class Part:
    """One independently written part of a session; without an end it lasts as long as that."""

    purpose: str
    identifier: str
    content: dict[str, Any]
    expires_at: int | None = None


@lru_cache(maxsize=256)
def audience_id(audience: str) -> str:
    """Return the identifier of an audience's part."""
    return context_id(audience)


def parts_of(content: Mapping[str, Any]) -> list[Part]:
    """Return the parts that the content of a session is written in."""
    if content["login_id"] is None:
        return []
    apart = ("access_tokens", "verified", "mfa_context", "targets")
    parts = [Part(SESSION, "", {k: v for k, v in content.items() if k not in apart})]
    parts.extend(_audience_parts(content))
    targets = content["targets"]
    for identifier, entry in targets.items():
        parts.append(Part(TARGET, identifier, entry, entry["expires_at"]))
    for key, entry in content["mfa_context"].items():
        identifier = context_id(key)
        shared = _shared(targets.get(identifier, {}))
        own = {name: value for name, value in entry.items() if shared.get(name) != value}
        parts.append(Part(CONTEXT, identifier, own, entry["expires_at"]))
    return parts


def _audience_parts(content: Mapping[str, Any]) -> Iterator[Part]:
    tokens = {token["audience"]: token for token in content["access_tokens"]}
    verified = content["verified"]
    for audience in sorted(tokens.keys() | verified.keys()):
        entry = {"audience": audience, "login_id": content["login_id"]}
        if audience in tokens:
            entry["token"] = tokens[audience]
        if audience in verified:
            entry["verified"] = verified[audience]
        yield Part(AUDIENCE, audience_id(audience), entry)


def session_of(
    content: Mapping[str, Any],
    audiences: Mapping[str, Mapping[str, Any]],
    contexts: Mapping[str, Mapping[str, Any]],
    targets: Mapping[str, Mapping[str, Any]],
) -> Auth0Session:
    """Return the session of these parts; an empty one where they are not as we write them."""
    named = [one for one in audiences.values() if isinstance(one.get("audience"), str)]
    whole = {
        **content,
        "access_tokens": [one["token"] for one in named if "token" in one],
        "verified": {one["audience"]: one["verified"] for one in named if "verified" in one},
        "targets": targets,
        "mfa_context": {
            entry.get("kept_hash") or token_hash(str(entry.get("raw_mfa_token"))): {
                **_shared(targets[identifier]),
                **entry,
            }
            for identifier, entry in contexts.items()
            # A browser may lose one cookie of two: without its target nobody knows what it is for.
            if identifier in targets
        },
    }
    try:
        return Auth0Session.from_dict(whole)
    except MalformedSessionError:
        return Auth0Session()


def _shared(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in _SHARED if name in entry}
