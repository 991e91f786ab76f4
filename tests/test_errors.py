"""Errors: what each one tells people and programs."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from flask_auth0_mfa import errors
from flask_auth0_mfa.errors import (
    POLL_INTERVAL,
    POLL_STEP,
    Auth0MFAError,
    Auth0MfaRequired,
    Auth0ResponseError,
    ConfigurationError,
    MfaRequiredError,
    MfaVerifyError,
    MfaVerifyPendingError,
    RateLimitedError,
    UniversalLoginRequiredError,
    verify_error,
)

#: Class, ``error`` and HTTP status, as design and documentation promise them.
CONTRACT = [
    ("MfaRequiredError", "mfa_required", 403),
    ("MfaTokenExpiredError", "mfa_token_expired", 401),
    ("MfaTokenInvalidError", "mfa_token_invalid", 400),
    ("MfaTokenNotFoundError", "mfa_token_not_found", 404),
    ("MfaVerifyError", "verification_failed", 400),
    ("InvalidRequestError", "invalid_request", 400),
    ("MfaNoAvailableFactorsError", "mfa_no_available_factors", 400),
    ("MfaChallengeError", "challenge_failed", 400),
    ("MfaEnrollmentError", "enrollment_failed", 400),
    ("MfaListAuthenticatorsError", "list_authenticators_failed", 400),
    ("LoginRequiredError", "login_required", 401),
    ("RateLimitedError", "rate_limited", 429),
    ("Auth0UnavailableError", "auth0_unavailable", 503),
    ("StepUpUnavailableError", "step_up_unavailable", 403),
    ("MfaVerifyPendingError", "authorization_pending", 202),
    ("InsufficientScopeError", "insufficient_scope", 403),
]
ARGUMENTS = {
    "MfaRequiredError": ("sealed", {"challenge": [{"type": "otp"}]}, "id"),
    "MfaVerifyPendingError": (6,),
    "UniversalLoginRequiredError": ("ticket",),
    "ConfigurationError": (["A is wrong."],),
}


def every_class(kind=Auth0MFAError):
    """Return a class and all that are derived from it."""
    return [kind, *(one for sub in kind.__subclasses__() for one in every_class(sub))]


def make(kind):
    """Return an error of that class."""
    return kind(*ARGUMENTS.get(kind.__name__, ()))


@pytest.mark.parametrize(("name", "code", "status"), CONTRACT)
def test_contract(name, code, status):
    """The code and status that programs rely on."""
    error = make(getattr(errors, name))
    assert (error.error, error.status) == (code, status)


@pytest.mark.parametrize("kind", every_class())
class TestEveryError:
    """What all of them have in common."""

    def test_body(self, kind):
        """The body is JSON with a code, and one text under both of its names."""
        body = json.loads(json.dumps(make(kind).to_dict()))
        assert body["error"]
        assert body["error_description"] == body["message"] == make(kind).error_description

    def test_text(self, kind):
        """The text is a sentence for people, without the terms of the trade."""
        text = make(kind).error_description
        if kind is not ConfigurationError:
            assert text[0].isupper()
            assert text.endswith(".")
            assert not {"MFA", "OTP", "OOB", "token"} & set(text.replace(".", " ").split())

    @pytest.mark.parametrize(
        "again",
        [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))],  # noqa: S301 - ours
    )
    def test_copy(self, kind, again):
        """A copy says the same, also one that comes out of another process."""
        error = make(kind)
        found = again(error)
        assert type(found) is kind
        assert (str(found), vars(found)) == (str(error), vars(error))

    def test_is_documented_in_the_tree(self, kind):
        """The tree at the top of the module has a place for it."""
        assert kind.__name__ in errors.__doc__


def test_one_handler_catches_all():
    """An application that catches the base class catches every error that leaves the extension."""
    mine = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, Exception)]
    outside = {one for one in mine if not issubclass(one, Auth0MFAError)}
    assert outside == {Auth0ResponseError, Auth0MfaRequired}


def test_mfa_required_body():
    """It carries the sealed token and the requirements, as a copy."""
    requirements = {"challenge": [{"type": "otp"}]}
    error = MfaRequiredError("sealed", requirements, "id")
    requirements["enroll"] = []
    body = error.to_dict()
    assert body["mfa_token"] == "sealed"
    assert body["mfa_requirements"] == {"challenge": [{"type": "otp"}]}


@pytest.mark.parametrize("left", [None, 0, 3])
def test_attempts_left(left):
    """A refused code says how many tries are left, where that is known."""
    assert MfaVerifyError(attempts_left=left).to_dict()["attempts_left"] == left


def test_own_text_and_code():
    """A text or code for one case replaces the class's, and nobody else's."""
    error = Auth0MFAError("Not today.", error="closed", retry_after=5)
    assert error.to_dict() == {
        "error": "closed",
        "error_description": "Not today.",
        "message": "Not today.",
    }
    assert (error.retry_after, str(error)) == (5, "Not today.")
    assert Auth0MFAError().error == "server_error"


def test_wait_of_a_limit():
    """A limit says how long to wait, a minute where nobody knows."""
    assert RateLimitedError().to_dict()["retry_after"] == 60
    assert RateLimitedError(retry_after=5).to_dict()["retry_after"] == 5


def test_pending():
    """A push that is not answered says when to ask again, in header and body."""
    error = MfaVerifyPendingError(6)
    assert (error.retry_after, error.to_dict()["interval"]) == (6, 6)


@pytest.mark.parametrize(
    ("code", "interval"),
    [("authorization_pending", POLL_INTERVAL), ("slow_down", POLL_INTERVAL + POLL_STEP)],
)
def test_interval(code, interval):
    """``slow_down`` adds five seconds; both are slower than Auth0's 12 a minute."""
    error = verify_error(Auth0ResponseError(code), is_push=True)
    assert error.interval == interval
    assert 60 / interval <= 12


def test_ticket_is_not_in_the_body_by_itself():
    """Where Universal Login is needed, the body has no more than code and text."""
    assert set(UniversalLoginRequiredError("ticket").to_dict()) == {
        "error",
        "error_description",
        "message",
    }
