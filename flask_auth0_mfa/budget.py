"""How many bytes of cookies a session may take, and what goes first when it needs more.

Browsers drop what is too long for them without a word, and servers refuse every request whose
Cookie header is too long, so that the user is locked out until the cookies end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from .models import ANY_AUDIENCE, Auth0Session, MfaContext, is_approval

logger = logging.getLogger("flask_auth0_mfa")

#: All our cookies together, names and values, in bytes: servers refuse a Cookie header over 8 190.
BUDGET = 7_000
#: What the usual session takes at most; as much is ours however many cookies the application has.
USUAL = 4_096
#: What the Cookie header may have in all, with a reserve for what answers add to it.
HEADER = 8_000
#: What an answer wrote: the name of a cookie, its bytes with the name, and the mark of the write.
Written = tuple[str, int, str]
#: Sees what parallel answers wrote (``None`` where that is not known), and changes it to what those
#: that follow should see.
Settle = Callable[["list[Written] | None"], None]
#: Contexts that the budget keeps open longest.
KEPT_CONTEXTS = 2


class SessionTooLargeError(RuntimeError):
    """The session does not fit into cookies; nothing was written."""

    def __init__(self, size: int) -> None:
        super().__init__(
            f"The session needs {size} bytes of cookies and may have {BUDGET}. "
            "Keep the session on the server (Flask-Session, for example), "
            "or ask the tenant for smaller tokens and fewer claims."
        )


def evict(session: Auth0Session, size: int) -> bool:
    """Make the session smaller by the one thing that will be missed least, and tell whether it is.

    Raises :class:`SessionTooLargeError` when nothing is left to give and the budget is passed.
    """
    if any(give_up(session) for give_up in _EVICTION_ORDER):
        return True
    if size <= BUDGET:
        return False
    logger.error("A session of %d bytes does not fit into cookies", size)
    raise SessionTooLargeError(size)


def _give_up_surplus_context(session: Auth0Session) -> bool:
    """Close the oldest context of more than two."""
    return len(session.contexts) > KEPT_CONTEXTS and _close_oldest(session)


def _give_up_sent_code(session: Auth0Session) -> bool:
    """Leave the code of the older challenge to the shared state, which knows it as well."""
    return len(session.contexts) > 1 and _give_up_last_code(session)


def _give_up_last_code(session: Auth0Session) -> bool:
    """Leave the code of the only challenge there, too."""
    sent = [c for c in session.contexts.values() if c.challenge and c.challenge.oob_code]
    if not sent:
        return False
    context = min(sent, key=lambda c: c.challenge.sent_at if c.challenge else 0)
    if context.challenge is not None:
        challenge = replace(context.challenge, oob_code=None)
        session.replace_context(replace(context, challenge=challenge))
    return True


def _give_up_older_raw_tokens(session: Auth0Session) -> bool:
    """Leave Auth0's tokens of older checks to the shared state, which knows them as well."""
    newest = session.newest_context()
    return _make_lean(session, [c for c in session.contexts.values() if c is not newest])


def _give_up_newest_raw_token(session: Auth0Session) -> bool:
    """Leave the token of the newest check to the shared state, too."""
    return _make_lean(session, list(session.contexts.values()))


def _give_up_plain_token(session: Auth0Session) -> bool:
    """Drop a token that a refresh brings back without a second factor."""
    plain = session.access_tokens.keys() - session.verified.keys()
    return bool(plain) and _drop_first_to_end(session, plain)


def _give_up_target(session: Auth0Session) -> bool:
    """Forget what a check was for that is over, unless its page has still something to show."""
    is_open = {context.id for context in session.contexts.values()}
    spare = [
        identifier
        for identifier, target in session.targets.items()
        if identifier not in is_open and target.recovery_code is None
    ]
    if not spare:
        return False
    del session.targets[min(spare, key=lambda one: session.targets[one].expires_at)]
    return True


def _give_up_older_approval(session: Auth0Session) -> bool:
    """Forget an approval that nothing was sent with yet, but never the newest one."""
    approvals = [key for key in session.verified if is_approval(key)]
    return len(approvals) > 1 and _forget_oldest(session, approvals)


def _give_up_bare_verification(session: Auth0Session) -> bool:
    """Forget a proof whose token is gone: with the next one the tenant asks for another."""
    audiences = session.verified.keys() - session.access_tokens.keys() - {ANY_AUDIENCE}
    return _forget_oldest(session, [key for key in audiences if not is_approval(key)])


def _give_up_token(session: Auth0Session) -> bool:
    """Drop a token that took a second factor, but never the last one."""
    return len(session.access_tokens) > 1 and _drop_first_to_end(session, session.access_tokens)


def _give_up_second_context(session: Auth0Session) -> bool:
    """Close the older of two contexts."""
    return len(session.contexts) > 1 and _close_oldest(session)


_EVICTION_ORDER = (
    _give_up_surplus_context,
    _give_up_sent_code,
    _give_up_older_raw_tokens,
    _give_up_plain_token,
    _give_up_target,
    _give_up_newest_raw_token,
    _give_up_last_code,
    _give_up_older_approval,
    _give_up_bare_verification,
    _give_up_token,
    _give_up_second_context,
)


def _close_oldest(session: Auth0Session) -> bool:
    session.close_context(min(session.contexts.values(), key=lambda c: c.opened_at))
    return True


def _forget_oldest(session: Auth0Session, keys: Sequence[str]) -> bool:
    if not keys:
        return False
    del session.verified[min(keys, key=lambda key: session.verified[key].at)]
    return True


def _make_lean(session: Auth0Session, contexts: Iterable[MfaContext]) -> bool:
    for context in contexts:
        if not context.is_lean:
            session.replace_context(context.lean())
            return True
    return False


def _drop_first_to_end(session: Auth0Session, audiences: Iterable[str]) -> bool:
    tokens = session.access_tokens
    del tokens[min(audiences, key=lambda one: tokens[one].expires_at)]
    return True


def make_way(session: Auth0Session, sent: Auth0Session) -> bool:
    """Give up one thing, where answers to parallel requests have used up the room.

    First what is new, then what will be missed least. Tells whether there was anything.
    """
    return take_back(session, sent) or any(give_up(session) for give_up in _EVICTION_ORDER)


def take_back(session: Auth0Session, sent: Auth0Session) -> bool:
    """Take back one thing that this answer would add, and tell whether there was any.

    First Auth0's token of a check that came without it, which the shared state has; then the
    check, whose target stays while it can, so that it starts again at the press of a button. Then
    access tokens, which another refresh brings back; what was here already goes first.
    """
    contexts = session.contexts.keys() - sent.contexts.keys()
    targets = session.targets.keys() - sent.targets.keys()
    were_lean = {key for key, context in sent.contexts.items() if context.is_lean}
    grown = contexts | (session.contexts.keys() & were_lean)
    if _make_lean(session, [session.contexts[key] for key in grown]):
        return True
    if contexts:
        session.close_context(session.contexts[contexts.pop()])
    elif targets:
        del session.targets[targets.pop()]
    elif session.access_tokens.keys() - sent.access_tokens.keys():
        oldest = min(
            session.access_tokens.values(),
            key=lambda token: (token.audience not in sent.access_tokens, token.expires_at),
        )
        del session.access_tokens[str(oldest.audience)]
    else:
        return False
    return True
