"""The rules of step-up: which token opens what, and how a second factor is proved.

======================= ==========================================================================
module                  its rules
======================= ==========================================================================
:mod:`.tokens`          which access token opens a view, when it is refreshed, what is kept of it
:mod:`.contexts`        how a refused refresh becomes an MFA context, and who may use it
:mod:`.challenges`      which methods a check can use, and when a message or push is sent
:mod:`.approvals`       what was approved word by word, and is good once
:mod:`.refusals`        what an API does not take, and when no check would help
:mod:`.verification`    how a proof becomes tokens and a record
:mod:`.enrollment`      when and how a first factor is added
:mod:`.devices`         which browsers are remembered, for how long, and when that ends
======================= ==========================================================================

A flow takes the user's :class:`~flask_auth0_mfa.models.Auth0Session`, changes it, and returns a
model or raises an error. It knows neither Flask nor cookies. What was obtained is in the session
before an error is raised, so nothing is lost when one step fails.
"""

from __future__ import annotations

from .approvals import Approvals
from .challenges import ChallengeFlow
from .contexts import ContextFlow
from .devices import DeviceFlow, SealedDevice
from .enrollment import EnrollmentFlow
from .parts import Parts, new_sid
from .proof import Proof
from .refusals import Refusals
from .tokens import TokenFlow
from .verification import VerificationFlow

__all__ = [
    "Approvals",
    "ChallengeFlow",
    "ContextFlow",
    "DeviceFlow",
    "EnrollmentFlow",
    "Parts",
    "Proof",
    "Refusals",
    "SealedDevice",
    "TokenFlow",
    "VerificationFlow",
    "new_sid",
]
