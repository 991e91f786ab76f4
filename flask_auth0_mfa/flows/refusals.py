"""Refusals: an API wants a fresher or stronger proof than the token that it was given (RFC 9470).

The user is taken through a check then, as by a guard, and the API is asked again. Where a check
would change nothing there is none, or the user would go round in circles.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import NoReturn

from ..errors import StepUpUnavailableError
from ..models import (
    ANY_AUDIENCE,
    TENANTS_WORD,
    Auth0Session,
    StepUpDemand,
    StepUpRequest,
)
from .parts import Parts
from .tokens import TokenFlow

logger = logging.getLogger("flask_auth0_mfa")

#: A proof of the last seconds is as fresh as one can be: the user comes back through the browser.
FRESHEST = 10


@dataclass(frozen=True)
class Refusals:
    """What to do when an API does not take a token of the session."""

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
        help: the API wants another kind, or refuses what one has brought a moment ago.
        """
        audience = request.audience or ""
        if demand.acr_values and not set(demand.acr_values) & set(acr_values):
            asked = " ".join(demand.acr_values)
            logger.error(
                "%s asks for acr_values that no check here can give: %.200r", audience, asked
            )
            raise StepUpUnavailableError()
        if self._was_checked_just_now(session, audience):
            logger.error(
                "%s refuses a token right after a check: does the tenant's Action put the claims "
                "into the token that this API looks for?",
                audience,
            )
            raise StepUpUnavailableError()
        # At least a second: for Universal Login 0 is no age.
        max_age = None if demand.max_age is None else max(1, demand.max_age)
        self.tokens.step_up(session, replace(request, max_age=max_age))

    def _was_checked_just_now(self, session: Auth0Session, audience: str) -> bool:
        records = (session.verified.get(key) for key in (audience, ANY_AUDIENCE))
        proofs = (one for one in records if one is not None and one.method != TENANTS_WORD)
        return any(one.at > self.parts.clock() - FRESHEST for one in proofs)
