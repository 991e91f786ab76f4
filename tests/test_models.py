"""What a session knows: which token serves, which proof counts, which context is meant."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from flask_auth0_mfa.models import (
    ANY_AUDIENCE,
    EXPIRY_MARGIN,
    TARGET_TTL,
    AccessToken,
    Auth0Session,
    Authenticator,
    Challenge,
    Enrollment,
    MalformedSessionError,
    MfaContext,
    StepUpRequest,
    TokenResponse,
    Verification,
    context_id,
    token_hash,
)

from .still import NOW

PAYMENTS = "https://payments.example.com"
ADMIN = "https://admin.example.com"


def context(raw="Fe26.2*raw", **fields):
    """Return a context that was opened now."""
    given = {
        "opened_at": NOW,
        "expires_at": NOW + 300,
        "login_id": "login",
        "audience": PAYMENTS,
        "scope": "a b",
        "return_to": "/transfer",
    }
    return MfaContext(raw, **given | fields)


def full_session():
    """Return a session with something in every field."""
    session = Auth0Session(
        user={"sub": "auth0|ana", "roles": ["x"]},
        refresh_token="v1.M",
        login_token=AccessToken("opaque", None, "openid", NOW + 60),
        verified={PAYMENTS: Verification(NOW, "otp")},
        sid="sid",
        login_id="login",
        created_at=NOW,
    )
    session.keep_token(AccessToken("eyJ", PAYMENTS, "a b", NOW + 60))
    challenge = Challenge("oob", "sms", "sms|dev_1", "oob-code", "prompt", NOW)
    enrollment = Enrollment("otp", secret="S", barcode_uri="otpauth://x", recovery_codes=("R",))
    for number, fields in enumerate(
        [{}, {"challenge": challenge}, {"enrollment": enrollment, "methods": ("otp",)}]
    ):
        session.open_context(context(f"raw-{number}", **fields))
    return session


class TestToken:
    """When a stored token serves."""

    TOKEN = AccessToken("t", PAYMENTS, "a b", NOW + 100)

    @pytest.mark.parametrize(
        ("audience", "scope", "covers"),
        [
            (PAYMENTS, None, True),
            (PAYMENTS, "", True),
            (PAYMENTS, "a", True),
            (PAYMENTS, "b  a", True),
            (PAYMENTS, "a c", False),
            (PAYMENTS, "A", False),
            (PAYMENTS + "/", "a", False),
            (ADMIN, "a", False),
            (None, "a", False),
        ],
    )
    def test_covers(self, audience, scope, covers):
        """It serves for exactly its audience, and for the scopes that it has."""
        assert self.TOKEN.covers(audience, scope, NOW) is covers

    @pytest.mark.parametrize(
        ("left", "covers"), [(EXPIRY_MARGIN + 1, True), (EXPIRY_MARGIN, False), (0, False)]
    )
    def test_last_seconds(self, left, covers):
        """In its last seconds it does not: it could expire on its way."""
        assert self.TOKEN.covers(PAYMENTS, "a", NOW + 100 - left) is covers

    def test_one_for_each_audience(self):
        """A new token takes the place of the one for its audience, and of no other."""
        session = full_session()
        session.keep_token(AccessToken("new", PAYMENTS, "a", NOW + 90))
        session.keep_token(AccessToken("admin", ADMIN, "a", NOW + 90))
        assert [t.token for t in session.access_tokens.values()] == ["new", "admin"]
        assert session.token_for(PAYMENTS, "a", NOW).token == "new"

    def test_of_the_login(self):
        """One for the audience of the login takes the place of the login's own."""
        session = Auth0Session(login_token=AccessToken("old", ADMIN, "a", NOW + 90))
        session.keep_token(AccessToken("new", ADMIN, "a b", NOW + 90))
        assert (session.login_token.token, session.access_tokens) == ("new", {})
        assert session.granted_scope(ADMIN) == {"a", "b"}

    def test_forgotten(self):
        """Without tokens the user stays known."""
        session = full_session()
        session.forget_tokens()
        assert session.token_for(PAYMENTS, None, NOW) is None
        assert session.refresh_token is None
        assert session.user["sub"] == "auth0|ana"


class TestVerification:
    """Whether a second factor was proved, recently enough."""

    def found(self, record_at, max_age=900, key=PAYMENTS, methods=None, method="otp"):
        """Tell whether a record counts for the payments API now."""
        session = Auth0Session(verified={key: Verification(record_at, method)})
        return session.verification_for(PAYMENTS, max_age, methods, NOW) is not None

    @pytest.mark.parametrize(
        ("age", "counts"),
        [(0, True), (899, True), (900, False), (901, False), (-5, True), (-6, False)],
    )
    def test_age(self, age, counts):
        """It counts for less than ``max_age`` seconds, and not if it comes from the future."""
        assert self.found(NOW - age) is counts

    @pytest.mark.parametrize(
        ("key", "counts"), [(PAYMENTS, True), (ANY_AUDIENCE, True), (ADMIN, False)]
    )
    def test_audience(self, key, counts):
        """A proof for one API is none for another; one at login is for all."""
        assert self.found(NOW, key=key) is counts

    @pytest.mark.parametrize(
        ("methods", "method", "counts"),
        [
            (None, "sms", True),
            (("otp",), "otp", True),
            (("otp",), "sms", False),
            (("phone",), "sms", True),
            (("otp",), "mfa", False),
            ((), "otp", False),
        ],
    )
    def test_methods(self, methods, method, counts):
        """Where only some methods are accepted, another one proves nothing."""
        assert self.found(NOW, methods=methods, method=method) is counts

    def test_fresh_one_behind_an_old_one(self):
        """A fresh proof at login counts beside an old one for the API."""
        records = {PAYMENTS: Verification(1, "otp"), ANY_AUDIENCE: Verification(NOW, "mfa")}
        assert Auth0Session(verified=records).verification_for(PAYMENTS, 900, None, NOW).at == NOW


class TestContext:
    """A refused refresh that waits for a second factor."""

    def test_id(self):
        """The page's id is 128 bits that follow from the token and do not lead back to it."""
        one = context()
        assert one.id == context_id(token_hash("Fe26.2*raw"))
        assert len(one.id) == 22
        assert one.id not in one.hash
        assert context("other").id != one.id

    @pytest.mark.parametrize(
        ("changes", "answers"),
        [
            ({}, True),
            ({"scope": "a"}, True),
            ({"scope": None}, True),
            ({"scope": "a b c"}, False),
            ({"audience": ADMIN}, False),
            ({"return_to": "/"}, False),
            ({"reason": "Because."}, False),
            ({"methods": ("otp",)}, False),
        ],
    )
    def test_answers(self, changes, answers):
        """It is offered again for the same request only."""
        request = StepUpRequest(PAYMENTS, "a b", return_to="/transfer")
        assert context().answers(replace(request, **changes)) is answers

    @pytest.mark.parametrize(
        ("requirements", "methods", "allowed"),
        [
            ({}, None, {"otp", "push", "sms", "voice", "email", "recovery-code"}),
            ({"challenge": [{"type": "otp"}]}, None, {"otp"}),
            ({"challenge": [{"type": "phone"}, {"type": "otp"}]}, ("sms", "push"), {"sms"}),
            ({"challenge": []}, ("otp",), {"otp"}),
            ({"enroll": [{"type": "otp"}]}, None, set()),
            ({"challenge": [{"type": "webauthn-roaming"}]}, None, set()),
            ({"challenge": "otp"}, ("otp",), {"otp"}),
            ({"challenge": [None, {}, {"type": 7}, "otp"]}, ("otp",), {"otp"}),
            ({}, (), set()),
        ],
    )
    def test_allows(self, requirements, methods, allowed):
        """What the tenant and the view both accept, and we can do."""
        one = context(mfa_requirements=requirements, methods=methods)
        every = ("otp", "push", "sms", "voice", "email", "recovery-code", "webauthn-roaming")
        assert {method for method in every if one.allows(method)} == allowed

    def test_usable(self):
        """Unconfirmed authenticators are left out, the strongest comes first."""
        listed = (
            Authenticator("r", "recovery-code"),
            Authenticator("s", "oob", oob_channel="sms"),
            Authenticator("x", "otp", active=False),
            Authenticator("o", "otp"),
            Authenticator("w", "webauthn-roaming"),
        )
        assert [a.id for a in context(authenticators=listed).usable] == ["o", "s", "r"]

    @pytest.mark.parametrize(
        ("challenge", "waits"),
        [
            (None, False),
            (Challenge("otp", "otp"), False),
            (Challenge("oob", "push", oob_code="o"), True),
            (Challenge("oob", "sms", oob_code="o", binding_method="prompt"), False),
        ],
    )
    def test_waits_for_phone(self, challenge, waits):
        """Only a push is answered on the phone."""
        assert context(challenge=challenge).waits_for_phone is waits

    def test_closed(self):
        """A closed context is gone; what it was for is still known, and whether it was reached."""
        session = full_session()
        one = session.newest_context()
        session.close_context(one, verified=True, recovery_code="NEW")
        assert session.find_context(one.id) is None
        assert session.targets[one.id].verified
        assert session.targets[one.id].recovery_code == "NEW"


class TestPrune:
    """What is over is removed, at its very moment."""

    @pytest.mark.parametrize(("after", "left"), [(299, 3), (300, 0)])
    def test_contexts(self, after, left):
        """Contexts go when their time is over; what they were for stays for an hour."""
        session = full_session()
        session.prune(NOW + after)
        assert (len(session.contexts), len(session.targets)) == (left, 3)

    @pytest.mark.parametrize(("after", "left"), [(TARGET_TTL - 1, 3), (TARGET_TTL, 0)])
    def test_targets(self, after, left):
        """After an hour that is forgotten, too."""
        session = full_session()
        session.prune(NOW + after)
        assert len(session.targets) == left

    def test_tokens(self):
        """Access tokens go with their time, the record of the proof does not."""
        session = full_session()
        session.prune(NOW + 60)
        assert session.access_tokens == {}
        assert PAYMENTS in session.verified


class TestPlainTypes:
    """A session as JSON, and back."""

    def test_round_trip(self):
        """Every field survives JSON."""
        session = full_session()
        assert Auth0Session.from_dict(json.loads(json.dumps(session.to_dict()))) == session

    def test_empty(self):
        """So does an empty one."""
        assert Auth0Session.from_dict(Auth0Session().to_dict()) == Auth0Session()

    def test_documented_names(self):
        """The names are the documented ones."""
        content = full_session().to_dict()
        assert {"user", "token_set", "access_tokens", "verified", "mfa_context", "sid"} <= set(
            content
        )
        assert set(content["access_tokens"][0]) == {
            "audience",
            "scope",
            "access_token",
            "expires_at",
        }
        assert set(content["mfa_context"]) == {token_hash(f"raw-{n}") for n in range(3)}

    def test_list_of_authenticators_is_not_stored(self):
        """The list can be asked for again and would take up the room."""
        session = Auth0Session(login_id="l")
        session.open_context(context(authenticators=(Authenticator("totp|dev_1", "otp"),)))
        assert "dev_1" not in json.dumps(session.to_dict())

    @pytest.mark.parametrize("name", list(Auth0Session().to_dict()))
    @pytest.mark.parametrize("value", [7, "x", [7], {"a": 7}, {"a": {"b": 7}}])
    def test_malformed(self, name, value):
        """Content of another shape is called malformed, or read; nothing else happens."""
        try:
            Auth0Session.from_dict(full_session().to_dict() | {name: value})
        except MalformedSessionError:
            return

    # Content from before the client was written down is read, too.
    @pytest.mark.parametrize("name", sorted(Auth0Session().to_dict().keys() - {"client"}))
    def test_missing(self, name):
        """So is content that lacks something."""
        content = full_session().to_dict()
        del content[name]
        with pytest.raises(MalformedSessionError):
            Auth0Session.from_dict(content)


@pytest.mark.parametrize(
    "value",
    [
        full_session(),
        AccessToken("hidden", None, "", 1),
        TokenResponse("hidden", 1, None, "hidden", "hidden", "hidden"),
        context("hidden", challenge=Challenge("oob", "sms", oob_code="hidden")),
        Enrollment("otp", secret="hidden", barcode_uri="hidden", recovery_codes=("hidden",)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_repr(value):
    """No token and no code shows where a value is printed."""
    assert not any(
        secret in repr(value) for secret in ("hidden", "v1.M", "eyJ", "raw-", "oob-code")
    )
