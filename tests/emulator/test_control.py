"""The control API, faults, the clock, the log of calls, and the phone page."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from flask_auth0_mfa.emulator import ConnectionDropped, Tenant, create_app

from .application import Application

ANA, BEN, DAN = "ana@example.com", "ben@example.com", "dan@example.com"


def control(application: Application, path: str, body: object) -> requests.Response:
    """Call the control API."""
    return application.http.post(f"{application.url}/_emulator/{path}", json=body)


def state(application: Application) -> dict[str, Any]:
    """Return the state as a test in another language would read it."""
    content: dict[str, Any] = application.http.get(f"{application.url}/_emulator/state").json()
    return content


def test_state(application: Application, tenant: Tenant) -> None:
    """Users with codes, messages, pushes and calls."""
    mfa_token = application.step_up(ANA)
    application.oob(mfa_token, "sms")
    application.oob(mfa_token, "auth0")
    content = state(application)
    users = {user["email"]: user for user in content["users"]}
    assert users[ANA]["otp"] == tenant.current_otp(ANA)
    assert users[ANA]["recovery_code"] == tenant.recovery_code(ANA)
    assert len(users[ANA]["authenticators"]) == 6
    assert users[BEN]["otp"] is None
    assert users[BEN]["authenticators"] == []
    assert set(content["messages"][0]) == {"id", "to", "user", "channel", "text", "code", "at"}
    assert content["pushes"][0]["status"] == "pending"
    refused = [call for call in content["calls"] if call["status"] == 403]
    assert [(c["method"], c["path"], c["grant_type"]) for c in refused] == [
        ("POST", "/oauth/token", "refresh_token")
    ]


def test_pushes(application: Application) -> None:
    """A push is approved by its id, once."""
    mfa_token = application.step_up(DAN)
    oob_code = application.oob(mfa_token, "auth0")
    push_id = state(application)["pushes"][0]["id"]
    decided = control(application, f"pushes/{push_id}", {"decision": "approve"})
    assert decided.json()["status"] == "approved"
    assert application.token("mfa-oob", mfa_token=mfa_token, oob_code=oob_code).status_code == 200
    again = control(application, f"pushes/{push_id}", {"decision": "reject"})
    assert again.status_code == 404


def test_reset(application: Application, tenant: Tenant) -> None:
    """Everything is as at the start: tokens, clock, faults, messages; the signing key stays."""
    address = f"{application.url}/.well-known/jwks.json"
    tenant.rotate_keys()
    key, previous = application.http.get(address).json()["keys"]
    tokens = application.log_in(ANA)
    control(application, "clock", {"advance": 5_000})
    control(application, "faults", {"path": "/oauth/token", "status": 500, "times": 9})
    assert control(application, "reset", {}).status_code == 200
    content = state(application)
    assert abs(content["now"] - time.time()) < 60
    assert content["messages"] == content["pushes"] == []
    assert content["calls"] == []
    assert application.refresh(tokens["refresh_token"]).status_code == 403
    assert application.http.get(address).json()["keys"] == [key]
    assert key != previous


def test_clock(application: Application) -> None:
    """The clock moves forward by what is asked for."""
    before = state(application)["now"]
    after = control(application, "clock", {"advance": 600}).json()["now"]
    assert 600 <= after - before < 630


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", {}),
        ("clock", {"advance": -1}),
        ("clock", {"advance": "soon"}),
        ("clock", {"advance": 1e12}),
        ("clock", []),
        ("pushes/any", {"decision": "perhaps"}),
        ("pushes/any", {"decision": ["approve"]}),
        ("faults", {"status": 500}),
        ("faults", {"path": "oauth", "status": 500}),
        ("faults", {"path": "/oauth/token"}),
        ("faults", {"path": "/oauth/token", "status": 99}),
        ("faults", {"path": "/oauth/token", "status": 500, "times": 0}),
        ("faults", {"path": "/oauth/token", "delay": -1}),
        ("faults", {"path": "/oauth/token", "delay": 100}),
        ("faults", {"path": "/oauth/token", "drop": "yes"}),
        ("faults", {"path": "/oauth/token", "status": 500, "colour": "red"}),
    ],
)
def test_bad_input(application: Application, path: str, body: object) -> None:
    """What cannot be done is refused with a sentence."""
    answer = control(application, path, body)
    assert answer.status_code == 400
    assert answer.json()["error_description"].endswith(".")


@pytest.mark.parametrize("number", ["Infinity", "NaN", "1e400"])
def test_no_moment(application: Application, number: str) -> None:
    """A clock that went there would never tell the time again."""
    headers = {"Content-Type": "application/json"}
    url, body = f"{application.url}/_emulator/clock", f'{{"advance": {number}}}'
    assert application.http.post(url, data=body, headers=headers).status_code == 400


def test_unknown_push(application: Application) -> None:
    """There is nothing to decide about a push that does not exist."""
    assert control(application, "pushes/nothing", {"decision": "approve"}).status_code == 404


def test_other_sites_are_refused(application: Application) -> None:
    """A page of another site cannot drive the tenant through the user's browser."""
    answer = application.http.post(
        f"{application.url}/phone/pushes/any",
        {"decision": "approve"},
        headers={"Origin": "https://evil.example.com"},
    )
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/", "/_emulator/state"])
def test_name_of_another_site(application: Application, path: str) -> None:
    """A name that another site made lead to this machine shows nothing, and changes nothing."""
    port = application.url.rpartition(":")[2]
    foreign = {"Host": f"evil.example.com:{port}", "Origin": f"http://evil.example.com:{port}"}
    assert application.http.get(application.url + path, headers=foreign).status_code == 403
    reset = f"{application.url}/_emulator/reset"
    assert application.http.post(reset, headers=foreign).status_code == 403


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_names_of_this_machine(application: Application, name: str) -> None:
    """Every name of this machine leads to the phone page."""
    port = application.url.rpartition(":")[2]
    answer = application.http.get(application.url, headers={"Host": f"{name}:{port}"})
    assert answer.status_code == 200


# Faults -------------------------------------------------------------------------------------------


def test_fault_with_status_and_body(application: Application) -> None:
    """A fault answers for as many requests as were ordered, and leaves other paths alone."""
    token = application.log_in(ANA)["refresh_token"]
    fault = {"path": "/oauth/token", "status": 503, "body": {"error": "down"}, "times": 2}
    ordered = control(application, "faults", fault)
    assert ordered.json()["faults"][0]["times"] == 2
    assert application.http.get(f"{application.url}/.well-known/jwks.json").status_code == 200
    for _ in range(2):
        answer = application.refresh(token)
        assert (answer.status_code, answer.json()) == (503, {"error": "down"})
    assert application.refresh(token).status_code == 200
    assert [call["status"] for call in state(application)["calls"][-3:]] == [503, 503, 200]


def test_fault_with_text(application: Application) -> None:
    """The body of a fault need not be JSON."""
    control(application, "faults", {"path": "/oauth/*", "status": 502, "body": "<h1>Bad</h1>"})
    answer = application.refresh("any")
    assert answer.text == "<h1>Bad</h1>"
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_fault_with_a_delay(application: Application) -> None:
    """A late answer is the real one, and keeps nobody else waiting."""
    token = application.log_in(ANA)["refresh_token"]
    control(application, "faults", {"path": "/oauth/token", "delay": 4})
    with pytest.raises(requests.ReadTimeout):
        application.http.post(f"{application.url}/oauth/token", timeout=0.1)
    started = time.monotonic()
    assert application.refresh(token).status_code == 200
    assert time.monotonic() - started < 2


def test_fault_that_hangs_up(application: Application) -> None:
    """A dropped connection brings no answer, and is in the log of calls with status 0."""
    control(application, "faults", {"path": "/oauth/token", "drop": True})
    with pytest.raises(requests.ConnectionError):
        application.refresh("any")
    assert state(application)["calls"][-1]["status"] == 0
    assert application.refresh("any").status_code == 403


def test_hanging_up_in_process(tenant: Tenant) -> None:
    """Without a socket the dropped connection is an exception."""
    tenant.fault("/oauth/token", drop=True)
    with pytest.raises(ConnectionDropped):
        create_app(tenant).test_client().post("/oauth/token", data={"grant_type": "x"})


def test_control_is_spared(application: Application) -> None:
    """Faults never hit the control API, or they could not be taken back."""
    control(application, "faults", {"path": "*", "status": 500}).json()
    control(application, "faults", {"path": "/*", "status": 500, "times": 3})
    assert control(application, "reset", {}).status_code == 200
    assert application.refresh("any").status_code == 403


# The phone ----------------------------------------------------------------------------------------


def test_phone(application: Application, tenant: Tenant) -> None:
    """The page shows codes, messages and pushes, and says that it is no production system."""
    mfa_token = application.step_up(ANA)
    application.oob(mfa_token, "sms")
    oob_code = application.oob(mfa_token, "auth0")
    page = application.http.get(f"{application.url}/").text
    otp, sent = tenant.current_otp(ANA), tenant.last_message(ANA).code
    assert f"{otp[:3]} {otp[3:]}" in page
    assert f"{sent[:3]} {sent[3:]}" in page
    assert "Not for production" in page
    push_id = tenant.pushes[-1].id
    assert f"/phone/pushes/{push_id}" in page
    after = application.http.post(
        f"{application.url}/phone/pushes/{push_id}", {"decision": "approve"}
    )
    assert f"/phone/pushes/{push_id}" not in after.text
    assert application.token("mfa-oob", mfa_token=mfa_token, oob_code=oob_code).status_code == 200


def test_pages_have_a_strict_policy(application: Application) -> None:
    """Pages run no script, and cannot be framed."""
    for page in (application.http.get(f"{application.url}/"), application.authorize()):
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "<script" not in page.text
        assert "style=" not in page.text


def test_python_methods_without_what_they_need(tenant: Tenant) -> None:
    """Asking for what a user does not have is a LookupError that says so."""
    for ask in (tenant.current_otp, tenant.recovery_code, tenant.last_message):
        with pytest.raises(LookupError, match=BEN):
            ask(BEN)
    with pytest.raises(LookupError, match="pending push"):
        tenant.approve()
    with pytest.raises(LookupError):
        tenant.user("nobody@example.com")
    with pytest.raises(ValueError, match="forward"):
        tenant.advance(-1)
