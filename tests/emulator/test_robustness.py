"""Whatever is sent, the answer is one of Auth0's and never a 500."""

from __future__ import annotations

import itertools

import pytest
import requests

from flask_auth0_mfa.emulator.server import RunningServer

from .application import GRANT, Application

ODD = [None, "", 0, True, [], {}, ["otp"], {"a": 1}, "ä", "x" * 5_000, "\x00"]
PATHS = ["/oauth/token", "/oauth/revoke", "/mfa/challenge", "/mfa/associate"]
FIELDS = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "refresh_token",
    "code",
    "mfa_token",
    "otp",
    "oob_code",
    "binding_code",
    "recovery_code",
    "challenge_type",
    "authenticator_id",
    "authenticator_types",
    "oob_channels",
    "phone_number",
    "email",
    "audience",
    "scope",
    "token",
]


@pytest.mark.parametrize("path", PATHS)
def test_odd_fields(application: Application, path: str) -> None:
    """One odd value in each field of an otherwise good request."""
    mfa_token = application.step_up("ben@example.com")
    good = {
        **application.credentials,
        "grant_type": f"{GRANT}mfa-oob",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "mfa_token": mfa_token,
        "challenge_type": "oob",
        "authenticator_types": ["oob"],
        "oob_channels": ["sms"],
        "token": "any",
        "oob_code": "any",
    }
    headers = {"Authorization": f"Bearer {mfa_token}"}
    statuses = set()
    for field, odd in itertools.product(FIELDS, ODD):
        answer = application.http.post(
            application.url + path, json={**good, field: odd}, headers=headers
        )
        statuses.add(answer.status_code)
    assert 500 not in statuses


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b'"text"', b"[" * 5_000])
def test_odd_bodies(server: RunningServer, path: str, body: bytes) -> None:
    """A body that is no JSON object is refused."""
    answer = requests.post(
        server.url + path,
        data=body,
        headers={"Content-Type": "application/json", "Authorization": "Bearer any"},
        timeout=5,
    )
    assert answer.status_code in (400, 401)


@pytest.mark.parametrize(
    "field",
    [
        "client_id",
        "redirect_uri",
        "response_type",
        "scope",
        "audience",
        "state",
        "code_challenge",
        "code_challenge_method",
        "prompt",
        "max_age",
        "acr_values",
    ],
)
@pytest.mark.parametrize(
    "odd", ["ä", "\x00", "x" * 5_000, "http://[", "a b  c", "%", "'\"<>", "9" * 5_000]
)
def test_odd_authorization_requests(application: Application, field: str, odd: str) -> None:
    """Odd parameters lead to a page or to the callback."""
    answer = application.authorize(**{field: odd})
    assert answer.status_code in (200, 302, 400)


@pytest.mark.parametrize("path", ["/u/login", "/u/mfa", "/oidc/logout", "/v2/logout", "/userinfo"])
@pytest.mark.parametrize("odd", ["ä", "\x00", "eyJ", "eyJ.eyJ.x", "Fe26.2*a*b*c", "x" * 5_000])
def test_odd_queries(application: Application, path: str, odd: str) -> None:
    """Odd handles, hints and tokens are refused."""
    answer = application.http.get(
        application.url + path,
        params={"state": odd, "id_token_hint": odd, "returnTo": odd, "client_id": odd},
        headers={"Authorization": b"Bearer " + odd.replace("\x00", "").encode()},
        cookies={"auth0_emulator": "x"},
    )
    assert answer.status_code in (400, 401)


@pytest.mark.parametrize(
    ("length", "status"), [("-1", 400), ("abc", 400), ("9" * 5_000, 400), ("99999999", 413)]
)
def test_odd_lengths(server: RunningServer, length: str, status: int) -> None:
    """A body of no or too great a length is refused before it is read."""
    answer = requests.post(
        f"{server.url}/oauth/token", headers={"Content-Length": length}, timeout=5
    )
    assert answer.status_code == status
