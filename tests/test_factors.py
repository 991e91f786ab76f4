"""The names of factors: three vocabularies of Auth0's, and names that we do not know."""

from __future__ import annotations

import pytest

from flask_auth0_mfa.factors import (
    METHODS,
    accepts,
    factor_of,
    is_out_of_band,
    method_of,
    strength,
)


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("otp", "otp"),
        ("totp", "otp"),
        ("sms", "phone"),
        ("voice", "phone"),
        ("phone", "phone"),
        ("email", "email"),
        ("push", "push"),
        ("push-notification", "push"),
        ("auth0", "push"),
        ("recovery-code", "recovery-code"),
        ("webauthn-roaming", "webauthn-roaming"),
        ("", ""),
        ("something of tomorrow", "something of tomorrow"),
    ],
)
def test_factor(name, factor):
    """Every name that Auth0 has for a factor means one; an unknown name stands for itself."""
    assert factor_of(name) == factor


@pytest.mark.parametrize(
    ("kind", "channel", "method"),
    [
        ("otp", None, "otp"),
        ("totp", None, "otp"),
        ("oob", "sms", "sms"),
        ("oob", "voice", "voice"),
        ("oob", "email", "email"),
        ("oob", "auth0", "push"),
        ("oob", None, "oob"),
        ("oob", "", "oob"),
        ("oob", "pigeon", "pigeon"),
        ("recovery-code", None, "recovery-code"),
        ("otp", "sms", "otp"),
        ("webauthn-platform", None, "webauthn-platform"),
    ],
)
def test_method(kind, channel, method):
    """A listed authenticator is one method, by its channel where it has several."""
    assert method_of(kind, channel) == method


@pytest.mark.parametrize("method", METHODS)
def test_out_of_band(method):
    """Messages, calls, e-mails and pushes are challenged out of band; codes are not."""
    assert is_out_of_band(method) is (method in ("sms", "voice", "email", "push"))


@pytest.mark.parametrize(
    ("names", "accepted"),
    [
        (["otp"], {"otp"}),
        (["totp"], {"otp"}),
        (["phone"], {"sms", "voice"}),
        (["sms"], {"sms"}),
        (["voice"], {"voice"}),
        (["push"], {"push"}),
        (["push-notification"], {"push"}),
        (["auth0"], {"push"}),
        (["email"], {"email"}),
        (["oob"], {"sms", "voice", "email", "push"}),
        (["recovery-code"], {"recovery-code"}),
        (["otp", "oob"], {"otp", "sms", "voice", "email", "push"}),
        (["otp", "phone"], {"otp", "sms", "voice"}),
        (["webauthn-roaming"], set()),
        ([], set()),
        ([""], set()),
        (["OTP"], set()),
    ],
)
def test_accepts(names, accepted):
    """A list in any vocabulary accepts exactly these methods."""
    assert {method for method in METHODS if accepts(names, method)} == accepted


def test_unknown_method():
    """A method that we do not know is accepted where it is named, and nowhere else."""
    assert accepts(["pigeon"], "pigeon")
    assert not accepts(["otp", "oob", "phone"], "pigeon")


def test_strength():
    """An app's code comes first, a recovery code last, and what we do not know after that."""
    names = ["pigeon", "recovery-code", "email", "sms", "push", "otp"]
    assert sorted(names, key=strength) == names[::-1]
