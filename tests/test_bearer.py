"""The header in which an API says what it wants: read from any server, written for any client."""

from __future__ import annotations

import pytest
from werkzeug.datastructures import WWWAuthenticate

from flask_auth0_mfa.bearer import bearer_challenge, step_up_demand
from flask_auth0_mfa.models import StepUpDemand

ERROR = "insufficient_user_authentication"


@pytest.mark.parametrize(
    ("header", "demand"),
    [
        (f'Bearer error="{ERROR}"', StepUpDemand()),
        (f'Bearer error="{ERROR}", max_age="5"', StepUpDemand(max_age=5)),
        (f'Bearer error="{ERROR}", max_age=0', StepUpDemand(max_age=0)),
        (f'Bearer error="{ERROR}", acr_values="a  b"', StepUpDemand(("a", "b"))),
        (f"bearer ERROR={ERROR},Acr_Values=a,MAX_AGE=7", StepUpDemand(("a",), 7)),
        (f'BEARER\terror = "{ERROR}" ,, max_age = "7"', StepUpDemand(max_age=7)),
        (f'Bearer realm="a, Basic b", error="{ERROR}", max_age=5', StepUpDemand(max_age=5)),
        (f'Bearer error="{ERROR}", error_description="\\"a\\", max_age=9"', StepUpDemand()),
        (f'DPoP algs="ES256 PS256", Bearer error="{ERROR}", max_age=5', StepUpDemand(max_age=5)),
        (f'Negotiate, Bearer error="{ERROR}", Basic realm=x, max_age=5', StepUpDemand()),
        (f'NTLM TlRMTVNTUAAB==, Bearer error="{ERROR}"', StepUpDemand()),
        (f'Bearer error="invalid_token", Bearer error="{ERROR}"', StepUpDemand()),
    ],
)
def test_step_up(header: str, demand: StepUpDemand) -> None:
    """A step-up is found in whatever form, and among other challenges."""
    assert step_up_demand(header) == demand


@pytest.mark.parametrize("max_age", ["soon", "-5", "5.0", "\u0665", "9" * 5_000, ""])
def test_age_that_is_none(max_age: str) -> None:
    """An age that is no number of seconds counts as not said."""
    assert step_up_demand(f'Bearer error="{ERROR}", max_age="{max_age}"') == StepUpDemand()


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        ",",
        "Bearer",
        f"Bearer {ERROR}",
        'Bearer error="invalid_token"',
        f'Bearer error="x {ERROR}"',
        f'Bearer error_description="{ERROR}"',
        f'Basic error="{ERROR}"',
        f'Basic realm="Bearer error={ERROR}"',
        f'Basic realm="\\", Bearer error={ERROR}"',
        f'Bearer realm=x, Digest error="{ERROR}"',
        f'Bearer error="{ERROR}',
        f'error="{ERROR}"',
    ],
)
def test_no_step_up(header: str | None) -> None:
    """Other errors, other schemes, text in quotes, and what cannot be read."""
    assert step_up_demand(header) is None


def test_written_beyond_ascii() -> None:
    """A header is ASCII: with more than Latin-1 no server can send it."""
    assert bearer_challenge(realm="urn:größe 日") == 'Bearer realm="urn:gr%C3%B6%C3%9Fe %E6%97%A5"'


def test_written() -> None:
    """What is written is quoted and can be read by others; what is not given is left out."""
    header = bearer_challenge(realm='a "b" c', error=ERROR, max_age=300, scope=None)
    assert header.endswith(f', error="{ERROR}", max_age="300"')
    parsed = WWWAuthenticate.from_header(header)
    assert parsed is not None
    assert parsed.parameters == {"realm": 'a "b" c', "error": ERROR, "max_age": "300"}
