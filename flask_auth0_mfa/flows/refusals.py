"""Refusals: an API wants a fresher or stronger proof than the token that it was given (RFC 9470).

The user is taken through a check then, as by a guard, and the API is asked again. That it was to
blame is remembered beside the session's verifications until it is content: an API that refuses
what the very check has brought would send the user round in circles.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import NoReturn

from ..errors import StepUpUnavailableError
from ..models import Auth0Session, StepUpDemand, StepUpRequest, Verification, refusal_key
from .parts import Parts
from .tokens import TokenFlow

logger = logging.getLogger("flask_auth0_mfa")

#: So long a check is as fresh as one can be, in seconds: the user comes back through the browser.
JUST_NOW = 60


@dataclass(frozen=True)
class Refusals:
    """What APIs refused in one application."""

    parts: Parts
    tokens: TokenFlow

    def step_up(
        self,
        session: Auth0Session,
        request: StepUpRequest,
        demand: StepUpDemand,
        acr_values: Collection[str],
    ) -> NoReturn:
        """Start the check that the API asks for.

        :param acr_values: what the API may call a check that is done here.

        Raises what a guard raises, and :class:`StepUpUnavailableError` where a check would not
        help: the API wants another kind, or has just refused what one has brought.
        """
        if demand.acr_values and not set(demand.acr_values) & set(acr_values):
            logger.error(
                "%s asks for acr_values that no check here can give: %.200r",
                request.audience,
                " ".join(demand.acr_values),
            )
            raise StepUpUnavailableError()
        key = refusal_key(request.audience)
        if self._was_in_vain(session, request, demand):
            del session.verified[key]
            logger.error(
                "%s refuses a token right after the check that it asked for: does the tenant's "
                "Action put the claims into the token that this API looks for?",
                request.audience,
            )
            raise StepUpUnavailableError()
        # The session's id is new after each check, which tells one before from one after.
        session.verified[key] = Verification(self.parts.now(), session.sid or "")
        # At least a second: Universal Login itself would not take 0 for an age.
        max_age = None if demand.max_age is None else max(1, demand.max_age)
        self.tokens.step_up(session, replace(request, max_age=max_age))

    def forget(self, session: Auth0Session, audience: str) -> None:
        """Forget that the API had refused a token: it has taken one."""
        session.verified.pop(refusal_key(audience), None)

    def _was_in_vain(
        self, session: Auth0Session, request: StepUpRequest, demand: StepUpDemand
    ) -> bool:
        """Tell whether a check since the last refusal should have been enough."""
        refusal = session.verified.get(refusal_key(request.audience))
        if refusal is None or refusal.method == session.sid:
            return False
        now = self.parts.clock()
        since_then = int(now) - refusal.at + 1
        max_age = since_then
        if demand.max_age is not None:
            max_age = min(since_then, max(demand.max_age, JUST_NOW))
        audience = request.audience or ""
        return session.verification_for(audience, max_age, request.methods, int(now)) is not None
