"""Factors: listing, challenging, proving, enrolling and removing them."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from flask_auth0_mfa.emulator import Configuration, Tenant, serve

from .application import ADMIN, PAYMENTS, Application, Json, callback, claims

ANA, BEN, CLEO, DAN = (f"{name}@example.com" for name in ("ana", "ben", "cleo", "dan"))


def granted(answer_json: Json) -> list[str]:
    """Return the audiences of the access token."""
    audiences: list[str] = claims(answer_json["access_token"])["aud"]
    return audiences


def test_requirements_list_active_factors(application: Application) -> None:
    """Ana's requirements name each of her factors once, in Auth0's order and vocabulary."""
    tokens = application.log_in(ANA)
    answer = application.refresh(tokens["refresh_token"], PAYMENTS).json()
    assert answer["mfa_requirements"] == {
        "challenge": [
            {"type": "otp"},
            {"type": "phone"},
            {"type": "email"},
            {"type": "push-notification"},
            {"type": "recovery-code"},
        ]
    }


def test_requirements_offer_enrollment(application: Application) -> None:
    """Ben, who has nothing, may enroll; e-mail is not offered."""
    tokens = application.log_in(BEN)
    answer = application.refresh(tokens["refresh_token"], PAYMENTS).json()
    assert answer["mfa_requirements"] == {
        "enroll": [{"type": "otp"}, {"type": "phone"}, {"type": "push-notification"}]
    }


def test_sizes_are_realistic(application: Application) -> None:
    """An mfa_token has about 2 000 characters and an oob_code about 600."""
    mfa_token = application.step_up(ANA)
    assert 1_900 < len(mfa_token) < 2_100
    assert mfa_token.startswith("Fe26.2*")
    assert 550 < len(application.oob(mfa_token, "sms")) < 650


def test_listing(application: Application) -> None:
    """Entries have Auth0's ids, both spellings of the channel, masked names, and a type."""
    entries = application.authenticators(application.step_up(ANA)).json()
    assert [(e["id"].split("|")[0], e["authenticator_type"], e["type"]) for e in entries] == [
        ("totp", "otp", "otp"),
        ("sms", "oob", "phone"),
        ("voice", "oob", "phone"),
        ("email", "oob", "email"),
        ("push", "oob", "push-notification"),
        ("recovery-code", "recovery-code", "recovery-code"),
    ]
    sms, voice = entries[1], entries[2]
    assert sms["oob_channel"] == "sms"
    assert sms["oob_channels"] == ["sms"]
    assert sms["name"].endswith("9167")
    assert "+" not in sms["name"]
    assert sms["id"].split("|")[1] == voice["id"].split("|")[1]
    assert all(entry["active"] for entry in entries)


def test_nothing_to_list(application: Application) -> None:
    """A user without factors has an empty list."""
    assert application.authenticators(application.step_up(BEN)).json() == []


def test_otp(application: Application, tenant: Tenant) -> None:
    """A TOTP code brings a token for the API, and the rotated refresh token."""
    mfa_token = application.step_up(ANA)
    assert application.challenge(mfa_token, challenge_type="otp").json() == {
        "challenge_type": "otp"
    }
    answer = application.token("mfa-otp", mfa_token=mfa_token, otp=tenant.current_otp(ANA))
    assert answer.status_code == 200
    body = answer.json()
    assert PAYMENTS in granted(body)
    assert body["scope"].split()[-2:] == ["read:payments", "transfer:funds"]
    assert "amr" not in claims(body["id_token"])
    assert application.refresh(body["refresh_token"]).status_code == 200


def test_what_sdks_add_is_ignored(application: Application, tenant: Tenant) -> None:
    """A redundant Bearer header, audience and scope at the MFA grant change nothing."""
    mfa_token = application.step_up(ANA)
    answer = application.http.post(
        f"{application.url}/oauth/token",
        data={
            **application.credentials,
            "grant_type": "http://auth0.com/oauth/grant-type/mfa-otp",
            "mfa_token": mfa_token,
            "otp": tenant.current_otp(ANA),
            "audience": ADMIN,
            "scope": "write:admin",
        },
        headers={"Authorization": f"Bearer {mfa_token}"},
    )
    assert PAYMENTS in granted(answer.json())


def test_wrong_otp_keeps_the_token(application: Application, tenant: Tenant) -> None:
    """After a wrong code the same mfa_token is good for another try."""
    mfa_token = application.step_up(ANA)
    assert application.token("mfa-otp", mfa_token=mfa_token, otp="no").status_code == 403
    otp = tenant.current_otp(ANA)
    assert application.token("mfa-otp", mfa_token=mfa_token, otp=otp).status_code == 200


@pytest.mark.parametrize("seconds", [-30, 0, 30])
def test_otp_of_the_neighbouring_steps(
    application: Application, tenant: Tenant, seconds: int
) -> None:
    """The code of the previous, the current and the next 30 seconds is good."""
    mfa_token = application.step_up(ANA)
    # From the middle of a step, so that no step ends between the code and its check.
    tenant.advance(45 - tenant.clock.now() % 30)
    secret = next(a.secret for a in tenant.user(ANA).authenticators if a.secret)
    otp = pyotp.TOTP(secret).at(int(tenant.clock.now()) + seconds)
    assert application.token("mfa-otp", mfa_token=mfa_token, otp=otp).status_code == 200


def test_otp_single_use() -> None:
    """With ``otp_single_use`` a code is refused in the next transaction."""
    with (
        serve(Tenant(Configuration(otp_single_use=True))) as server,
        Application(server.url) as application,
    ):
        otp = server.tenant.current_otp(ANA)
        first, second = application.step_up(ANA), application.step_up(ANA)
        assert application.token("mfa-otp", mfa_token=first, otp=otp).status_code == 200
        answer = application.token("mfa-otp", mfa_token=second, otp=otp)
        assert answer.json()["error_description"] == "Invalid otp_code."


@pytest.mark.parametrize("channel", ["sms", "voice", "email"])
def test_code_that_is_sent(application: Application, tenant: Tenant, channel: str) -> None:
    """A text message, call or e-mail brings the binding code."""
    mfa_token = application.step_up(ANA)
    answer = application.challenge(
        mfa_token,
        challenge_type="oob",
        authenticator_id=application.authenticator_id(mfa_token, channel),
    ).json()
    assert answer["challenge_type"] == "oob"
    assert answer["binding_method"] == "prompt"
    message = tenant.last_message(ANA)
    assert message.channel == channel
    assert message.code in message.text
    verified = application.token(
        "mfa-oob",
        mfa_token=mfa_token,
        oob_code=answer["oob_code"],
        binding_code=message.code,
    )
    assert PAYMENTS in granted(verified.json())


def test_code_that_is_sent_again(application: Application, tenant: Tenant) -> None:
    """Challenging again sends another code, and each code goes with its own oob_code."""
    mfa_token = application.step_up(ANA)
    first = application.oob(mfa_token, "sms")
    first_code = tenant.last_message(ANA).code
    second = application.oob(mfa_token, "sms")
    wrong = application.token(
        "mfa-oob", mfa_token=mfa_token, oob_code=second, binding_code=first_code
    )
    assert wrong.status_code == 403
    right = application.token(
        "mfa-oob", mfa_token=mfa_token, oob_code=first, binding_code=first_code
    )
    assert right.status_code == 200


def test_push(application: Application, tenant: Tenant) -> None:
    """A push has no binding method; polling waits until it is approved."""
    mfa_token = application.step_up(DAN)
    answer = application.challenge(mfa_token, challenge_type="oob").json()
    assert set(answer) == {"challenge_type", "oob_code"}
    poll = {"mfa_token": mfa_token, "oob_code": answer["oob_code"]}
    assert application.token("mfa-oob", **poll).json()["error"] == "authorization_pending"
    tenant.advance(5)
    assert application.token("mfa-oob", **poll).json()["error"] == "authorization_pending"
    tenant.approve()
    assert PAYMENTS in granted(application.token("mfa-oob", **poll).json())


def test_slow_down_is_forgiven(application: Application, tenant: Tenant) -> None:
    """After ``slow_down`` the interval is 10 seconds, and whoever keeps to it is served."""
    mfa_token = application.step_up(DAN)
    poll = {"mfa_token": mfa_token, "oob_code": application.oob(mfa_token, "auth0")}
    errors = []
    for seconds in (0, 3, 5, 10):
        tenant.advance(seconds)
        errors.append(application.token("mfa-oob", **poll).json()["error"])
    assert errors == ["authorization_pending", "slow_down", "slow_down", "authorization_pending"]


def test_recovery_code(application: Application, tenant: Tenant) -> None:
    """A recovery code is replaced, and the new one works once."""
    old = tenant.recovery_code(ANA)
    answer = application.token(
        "mfa-recovery-code", mfa_token=application.step_up(ANA), recovery_code=old
    ).json()
    assert len(answer["recovery_code"]) == 24
    assert answer["recovery_code"] == tenant.recovery_code(ANA) != old
    again = application.token(
        "mfa-recovery-code",
        mfa_token=application.step_up(ANA),
        recovery_code=answer["recovery_code"],
    )
    assert again.status_code == 200


def test_chain_of_two_factors(application: Application, tenant: Tenant) -> None:
    """The admin API takes two different factors; the second step excludes the first."""
    mfa_token = application.step_up(ANA, ADMIN)
    first = application.token("mfa-otp", mfa_token=mfa_token, otp=tenant.current_otp(ANA)).json()
    assert first["error"] == "mfa_required"
    assert {"type": "otp"} not in first["mfa_requirements"]["challenge"]
    mfa_token = first["mfa_token"]
    same = application.token("mfa-otp", mfa_token=mfa_token, otp=tenant.current_otp(ANA))
    assert same.status_code == 403
    oob_code = application.oob(mfa_token, "sms")
    second = application.token(
        "mfa-oob",
        mfa_token=mfa_token,
        oob_code=oob_code,
        binding_code=tenant.last_message(ANA).code,
    )
    assert ADMIN in granted(second.json())


def test_recovery_code_in_a_chain(application: Application, tenant: Tenant) -> None:
    """The new recovery code comes with the tokens, also when another factor is due first."""
    mfa_token = application.step_up(ANA, ADMIN)
    first = application.token(
        "mfa-recovery-code", mfa_token=mfa_token, recovery_code=tenant.recovery_code(ANA)
    ).json()
    last = application.token(
        "mfa-otp", mfa_token=first["mfa_token"], otp=tenant.current_otp(ANA)
    ).json()
    assert last["recovery_code"] == tenant.recovery_code(ANA)


def test_second_factor_can_be_enrolled_in_a_chain(application: Application, tenant: Tenant) -> None:
    """Cleo has one factor; for two she enrolls another after passing the first."""
    mfa_token = application.step_up(CLEO, ADMIN)
    first = application.token("mfa-otp", mfa_token=mfa_token, otp=tenant.current_otp(CLEO)).json()
    assert first["mfa_requirements"] == {
        "enroll": [{"type": "phone"}, {"type": "push-notification"}]
    }
    associated = application.associate(
        first["mfa_token"],
        authenticator_types=["oob"],
        oob_channels=["sms"],
        phone_number="+15550100001",
    ).json()
    done = application.token(
        "mfa-oob",
        mfa_token=first["mfa_token"],
        oob_code=associated["oob_code"],
        binding_code=tenant.last_message(CLEO).code,
    )
    assert ADMIN in granted(done.json())


def test_enroll_otp(application: Application, tenant: Tenant) -> None:
    """The first enrollment brings a key, its URI and a recovery code; a code confirms it."""
    mfa_token = application.step_up(BEN)
    body = application.associate(mfa_token, authenticator_types=["otp"]).json()
    assert body["authenticator_type"] == "otp"
    assert len(body["recovery_codes"]) == 1
    uri = urlsplit(body["barcode_uri"])
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/Acme:ben%40example.com")
    assert parse_qs(uri.query)["secret"] == [body["secret"]]
    assert [e["active"] for e in application.authenticators(mfa_token).json()] == [False, False]
    otp = pyotp.TOTP(body["secret"]).now()
    answer = application.token("mfa-otp", mfa_token=mfa_token, otp=otp)
    assert PAYMENTS in granted(answer.json())
    assert tenant.user(BEN).active_types() == ["otp", "recovery-code"]
    assert tenant.recovery_code(BEN) == body["recovery_codes"][0]


def test_enroll_twice_before_confirming(application: Application) -> None:
    """A second attempt replaces the unconfirmed one, whose code is then refused."""
    mfa_token = application.step_up(BEN)
    first = application.associate(mfa_token, authenticator_types=["otp"]).json()
    second = application.associate(mfa_token, authenticator_types=["otp"]).json()
    stale = pyotp.TOTP(first["secret"]).now()
    assert application.token("mfa-otp", mfa_token=mfa_token, otp=stale).status_code == 403
    otp = pyotp.TOTP(second["secret"]).now()
    assert application.token("mfa-otp", mfa_token=mfa_token, otp=otp).status_code == 200


def test_pending_enrollment_is_no_factor(application: Application) -> None:
    """An authenticator that another transaction left unconfirmed does not pass this one."""
    abandoned = application.step_up(BEN)
    body = application.associate(abandoned, authenticator_types=["otp"]).json()
    otp = pyotp.TOTP(body["secret"]).now()
    mfa_token = application.step_up(BEN)
    assert application.token("mfa-otp", mfa_token=mfa_token, otp=otp).status_code == 403


@pytest.mark.parametrize(("channel", "twin"), [("sms", "voice"), ("voice", "sms")])
def test_enroll_phone(application: Application, tenant: Tenant, channel: str, twin: str) -> None:
    """Confirming a phone number also creates its twin with the same suffix."""
    mfa_token = application.step_up(BEN)
    body = application.associate(
        mfa_token,
        authenticator_types=["oob"],
        oob_channels=[channel],
        phone_number="+4930123456789",
    ).json()
    assert body["oob_channel"] == channel
    assert body["binding_method"] == "prompt"
    message = tenant.last_message(BEN)
    assert (message.to, message.channel) == ("+4930123456789", channel)
    answer = application.token(
        "mfa-oob", mfa_token=mfa_token, oob_code=body["oob_code"], binding_code=message.code
    )
    assert answer.status_code == 200
    phone = tenant.user(BEN).active(channel)[0]
    assert tenant.user(BEN).active(twin)[0].suffix == phone.suffix


def test_enroll_email(application: Application, tenant: Tenant) -> None:
    """E-mail enrolls the user's own address when none is given."""
    mfa_token = application.step_up(BEN)
    body = application.associate(
        mfa_token, authenticator_types=["oob"], oob_channels=["email"]
    ).json()
    assert tenant.last_message(BEN).to == BEN
    answer = application.token(
        "mfa-oob",
        mfa_token=mfa_token,
        oob_code=body["oob_code"],
        binding_code=tenant.last_message(BEN).code,
    )
    assert answer.status_code == 200


def test_enroll_push(application: Application, tenant: Tenant) -> None:
    """Push is enrolled by scanning, polled for, and brings the app's own codes along."""
    mfa_token = application.step_up(BEN)
    body = application.associate(
        mfa_token, authenticator_types=["oob"], oob_channels=["auth0"]
    ).json()
    assert "binding_method" not in body
    assert "enrollment_tx_id=" in body["barcode_uri"]
    poll = {"mfa_token": mfa_token, "oob_code": body["oob_code"]}
    assert application.token("mfa-oob", **poll).json()["error"] == "authorization_pending"
    assert tenant.approve().purpose == "enrollment"
    assert application.token("mfa-oob", **poll).status_code == 200
    assert tenant.user(BEN).active_types() == ["otp", "push-notification", "recovery-code"]
    assert tenant.current_otp(BEN)


def test_no_recovery_code_when_that_factor_is_off() -> None:
    """``recovery_codes`` is there only where the tenant has that factor."""
    configuration = Configuration(factors=frozenset({"otp", "phone"}))
    with serve(Tenant(configuration)) as server, Application(server.url) as application:
        body = application.associate(application.step_up(BEN), authenticator_types=["otp"])
        assert "recovery_codes" not in body.json()


def test_enroll_and_remove_with_an_access_token(application: Application, tenant: Tenant) -> None:
    """An access token for the MFA API takes MFA, and then enrolls, lists and removes."""
    scope = "openid enroll read:authenticators remove:authenticators"
    page = application.password(
        application.authorize(audience=f"{application.url}/mfa/", scope=scope), CLEO
    )
    page = application.submit(page, "/u/mfa", code=tenant.current_otp(CLEO))
    tokens = application.redeem(callback(page))
    assert tokens["expires_in"] == 600
    access_token = tokens["access_token"]
    assert claims(access_token)["aud"] == f"{application.url}/mfa/"
    body = application.associate(
        access_token,
        authenticator_types=["oob"],
        oob_channels=["sms"],
        phone_number="+15550100002",
    ).json()
    done = application.token(
        "mfa-oob",
        mfa_token=access_token,
        oob_code=body["oob_code"],
        binding_code=tenant.last_message(CLEO).code,
    )
    assert done.status_code == 200
    ids = [entry["id"] for entry in application.authenticators(access_token).json()]
    sms = next(i for i in ids if i.startswith("sms|"))
    removed = application.remove(access_token, sms)
    assert (removed.status_code, removed.content) == (204, b"")
    left = application.authenticators(access_token).json()
    assert [entry["type"] for entry in left] == ["otp"]


def test_a_verified_address_stays() -> None:
    """Ana's own address cannot be removed."""
    with (
        serve(Tenant(Configuration(remove_with_mfa_token=True))) as server,
        Application(server.url) as application,
    ):
        mfa_token = application.step_up(ANA)
        email = application.authenticator_id(mfa_token, "email")
        answer = application.remove(mfa_token, email)
        assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")


def test_enrolling_a_bad_address(application: Application) -> None:
    """An e-mail address has to be one."""
    answer = application.associate(
        application.step_up(BEN),
        authenticator_types=["oob"],
        oob_channels=["email"],
        email="nobody",
    )
    assert answer.json()["error"] == "invalid_request"


def test_remove_with_an_mfa_token_where_allowed() -> None:
    """``remove_with_mfa_token`` makes the tenant as lenient as auth0-auth-js expects."""
    with (
        serve(Tenant(Configuration(remove_with_mfa_token=True))) as server,
        Application(server.url) as application,
    ):
        mfa_token = application.step_up(CLEO)
        entry = application.authenticators(mfa_token).json()[0]
        assert application.remove(mfa_token, entry["id"]).status_code == 204
        assert application.authenticators(mfa_token).json() == []


def test_verified_email_is_listed_where_configured() -> None:
    """``list_verified_email`` lists the address of a user who has another factor."""
    with (
        serve(Tenant(Configuration(list_verified_email=True))) as server,
        Application(server.url) as application,
    ):
        mfa_token = application.step_up(CLEO)
        types = [entry["type"] for entry in application.authenticators(mfa_token).json()]
        assert types == ["otp", "email"]
        assert application.authenticators(application.step_up(BEN)).json() == []


@pytest.mark.parametrize("as_json", [True, False])
def test_bodies_may_be_json_or_form(
    application: Application, tenant: Tenant, as_json: bool
) -> None:
    """Challenge and token endpoints read both kinds of body."""
    mfa_token = application.step_up(ANA)

    def post(path: str, **fields: str) -> int:
        body = {**application.credentials, "mfa_token": mfa_token, **fields}
        url = application.url + path
        if as_json:
            return application.http.post(url, json=body).status_code
        return application.http.post(url, data=body).status_code

    assert post("/mfa/challenge", challenge_type="otp") == 200
    grant = "http://auth0.com/oauth/grant-type/mfa-otp"
    assert post("/oauth/token", grant_type=grant, otp=tenant.current_otp(ANA)) == 200
