"""Approvals: a second factor that was proved for one text, and is good for that once.

What the user reads on the challenge page ("Transfer 500 EUR to DE89…") is what they approve. The
record of it stands beside the session's verifications and is removed by the request that it lets
in. A copy of the cookies from before that brings it back in vain: that it was used is remembered
in the shared state.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..memory import Name
from ..models import APPROVAL_TTL, Auth0Session, StepUpRequest, Verification, approval_key
from .parts import Parts


@dataclass(frozen=True)
class Approvals:
    """What users approved word by word; a request's ``approval`` is the text."""

    parts: Parts

    def is_given(self, session: Auth0Session, request: StepUpRequest) -> bool:
        """Tell whether this text was approved a moment ago, and the approval not used yet."""
        record = self._record(session, request)
        return record is not None and self.parts.memory.get(_name(session, request, record)) is None

    def use(self, session: Auth0Session, request: StepUpRequest) -> bool:
        """Use up the approval of this text; ``False`` when there is none any more."""
        record = self._record(session, request)
        if record is None:
            return False
        name = _name(session, request, record)
        with self.parts.memory.locked(name):
            if self.parts.memory.get(name) is not None:
                return False
            self.parts.memory.put(name, {}, APPROVAL_TTL)
        del session.verified[approval_key(request)]
        return True

    def _record(self, session: Auth0Session, request: StepUpRequest) -> Verification | None:
        max_age = min(APPROVAL_TTL, request.max_age or APPROVAL_TTL)
        now = self.parts.clock()
        return session.approval_for(request, max_age, now)


def _name(session: Auth0Session, request: StepUpRequest, record: Verification) -> Name:
    return ("approval", session.login_id or "", approval_key(request), str(record.at))
