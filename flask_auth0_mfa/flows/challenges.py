"""Challenges: which methods a check can use, and when a message or push is sent."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from .. import signals
from ..errors import (
    Auth0ResponseError,
    InvalidRequestError,
    MfaChallengeError,
    MfaListAuthenticatorsError,
    MfaNoAvailableFactorsError,
    mfa_api_error,
)
from ..factors import is_out_of_band
from ..i18n import marked
from ..memory import Name
from ..models import Auth0Session, Authenticator, Challenge, MfaContext
from .contexts import ContextFlow
from .devices import DeviceFlow
from .parts import Parts

#: A challenge that was sent is kept open for this long before choosing its method sends another.
CHALLENGE_TTL = 300
#: How long the list of the user's authenticators is good for, in seconds.
LIST_TTL = 300


@dataclass(frozen=True)
class ChallengeFlow:
    """Lists the user's methods and starts challenges."""

    parts: Parts
    contexts: ContextFlow
    devices: DeviceFlow

    def listed(self, session: Auth0Session, context: MfaContext) -> MfaContext:
        """Return the context with the user's authenticators, asking Auth0 when it has to.

        The list is kept in the shared state, not in a cookie, where it would cost most.
        """
        if context.authenticators is not None:
            return context
        names = [self._list_name(session), self.devices.name(session)]
        kept, devices = self.parts.memory.get_many(names)
        found = tuple(Authenticator(**item) for item in kept["items"]) if kept else None
        # Auth0 asks nobody for a code who has no method: one was added after the list was kept.
        is_old = context.required_types("challenge") and not any(one.active for one in found or ())
        if found is None or is_old:
            found = self._asked(session, context)
            self.devices.compare(session, devices, found)
        context = replace(context, authenticators=found)
        session.replace_context(context)
        return context

    def forget(self, session: Auth0Session) -> None:
        """Forget the list: the user has another authenticator now."""
        self.parts.memory.put_if_up(self._list_name(session), {}, LIST_TTL)

    def _asked(self, session: Auth0Session, context: MfaContext) -> tuple[Authenticator, ...]:
        try:
            found = self.parts.client.authenticators(context.raw_mfa_token)
        except Auth0ResponseError as answer:
            error = mfa_api_error(answer, MfaListAuthenticatorsError)
            raise self.contexts.failed(session, context, error) from None
        items = [asdict(one) for one in found]
        self.parts.memory.put_if_up(self._list_name(session), {"items": items}, LIST_TTL)
        return found

    @staticmethod
    def _list_name(session: Auth0Session) -> Name:
        return ("authenticators", session.login_id or "")

    def pick(
        self, context: MfaContext, authenticator_id: str | None, challenge_type: str | None = None
    ) -> Authenticator:
        """Return one of the context's usable authenticators (SEC-67).

        Without an id it is the strongest whose ``challenge_type`` (``otp`` or ``oob``, or both
        with a space between) is asked for. Raises :class:`InvalidRequestError` for another id
        and :class:`MfaNoAvailableFactorsError` when there is none.
        """
        if authenticator_id is not None:
            for one in context.usable:
                fits = challenge_type is None or _challenge_type(one) in challenge_type.split()
                if one.id == authenticator_id and fits:
                    return one
            raise InvalidRequestError(
                marked("This method cannot be used here. Choose one from the list.")
            )
        wanted = (challenge_type or "otp oob").split()
        for one in context.usable:
            if _challenge_type(one) in wanted:
                return one
        raise MfaNoAvailableFactorsError()

    def will_send(self, context: MfaContext, chosen: Authenticator, *, resend: bool) -> bool:
        """Tell whether starting this challenge sends a message or a push."""
        if not is_out_of_band(chosen.method):
            return False
        return resend or self.open_one(context, chosen.id) is None

    def start(
        self,
        session: Auth0Session,
        context: MfaContext,
        chosen: Authenticator,
        *,
        resend: bool,
        remember: bool | None = None,
    ) -> MfaContext:
        """Start a challenge; one that is open for the same authenticator is kept.

        Codes from an app and recovery codes need no call to Auth0.

        :param remember: whether the user wants the device remembered once a push is approved;
            ``None`` leaves that as it is.
        """
        if self.will_send(context, chosen, resend=resend):
            context = self._sent(session, context, chosen)
        context = replace(context, chosen=chosen.id, chosen_method=chosen.method, declined=False)
        if remember is not None:
            context = replace(context, wants_remembering=remember)
        session.replace_context(context)
        target = session.targets.get(context.id)
        if target is not None:
            session.targets[context.id] = replace(target, chosen=chosen.id)
        return context

    def back_to(self, session: Auth0Session, context: MfaContext, method: str) -> MfaContext:
        """Return to the method whose page was sent, if another was chosen since; sends nothing."""
        if context.enrollment is not None or method == context.chosen_method:
            return context
        challenge = context.challenge
        for one in context.usable:
            is_open = challenge is not None and challenge.authenticator_id == one.id
            if one.method == method and (is_open or not is_out_of_band(method)):
                context = replace(context, chosen=one.id, chosen_method=method)
                session.replace_context(context)
                break
        return context

    def _sent(
        self, session: Auth0Session, context: MfaContext, chosen: Authenticator
    ) -> MfaContext:
        try:
            challenge = self.parts.client.challenge(context.raw_mfa_token, chosen.method, chosen.id)
        except Auth0ResponseError as answer:
            error = mfa_api_error(answer, MfaChallengeError)
            raise self.contexts.failed(session, context, error) from None
        self.parts.send(
            signals.challenge_sent, session, method=chosen.method, context_id=context.id
        )
        self.contexts.remember_oob_code(context, challenge)
        return replace(context, challenge=challenge)

    def open_one(self, context: MfaContext, authenticator_id: str | None) -> Challenge | None:
        """Return the challenge that is open for this authenticator, if its code still lives."""
        challenge = context.challenge
        if challenge is None or challenge.authenticator_id != authenticator_id:
            return None
        return challenge if self.parts.clock() < challenge.sent_at + CHALLENGE_TTL else None

    def shown(self, context: MfaContext) -> Authenticator | None:
        """Return the authenticator whose page is shown: the chosen one, or the only one."""
        usable = context.usable
        if context.chosen is not None:
            return next((one for one in usable if one.id == context.chosen), None)
        return usable[0] if len(usable) == 1 else None


def _challenge_type(authenticator: Authenticator) -> str:
    return "oob" if is_out_of_band(authenticator.method) else authenticator.method
