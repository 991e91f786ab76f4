"""Every way to type a code, on pages without scripts: right, wrong, too old, too often, given up.

The same by JSON, for pushes and enrollments too, is in ``test_matrix.py``.
"""

from __future__ import annotations

from functools import partial

import pytest

from .observed import ANA, grants
from .visitor import Visitor
from .ways import (
    EMAIL,
    OTP,
    RECOVERY,
    SMS,
    TARGET,
    VOICE,
    asked,
    authenticator_id,
    every_way,
    pass_time,
    refresh_twice,
    sent_ways,
)

START = "/auth/mfa/challenge"
VERIFY = "/auth/mfa/verify"


@pytest.fixture
def later(app, tenant, clock):
    """Return a function that puts every clock forward."""
    return partial(pass_time, app, tenant, clock)


class TestPages:
    """With a browser."""

    @every_way
    def test_right_code(self, ana, tenant, way):
        """The right code opens the page that was asked for; a recovery code by way of its page."""
        page = ana.press(ana.challenge_page(TARGET, way.label), "code", code=way.right(tenant))
        if way is RECOVERY:
            page = ana.press(page, "saved", saved="y")
        assert page.url == f"http://localhost{TARGET}"
        assert refresh_twice(ana, tenant) == [200, 200]

    @every_way
    def test_calls(self, ana, tenant, way):
        """Auth0 is asked for one refresh, one list, one message if there is one, and one grant."""
        tenant.calls.clear()
        ana.press(ana.challenge_page(TARGET, way.label), "code", code=way.right(tenant))
        sent = ["/mfa/challenge"] if way.is_sent else []
        assert asked(tenant) == ["refresh_token", "/mfa/authenticators", *sent, way.grant]

    @every_way
    def test_wrong_code(self, ana, tenant, way):
        """After a wrong code the same page says so and how many tries are left; the right one ends
        it well.
        """
        page = ana.challenge_page(TARGET, way.label)
        again = ana.press(page, "code", code=way.wrong(tenant))
        assert (again.status, again.heading) == (400, page.heading)
        assert "did not work" in again.text
        assert "You have 4 tries left." in again.text
        done = ana.press(again, "code", code=way.right(tenant))
        assert done.status == 200
        assert refresh_twice(ana, tenant) == [200, 200]

    @every_way
    def test_malformed_code(self, ana, tenant, way):
        """What cannot be such a code is told at once, and not sent."""
        page = ana.challenge_page(TARGET, way.label)
        answer = ana.press(page, "code", code="12")
        assert (answer.status, answer.heading) == (400, page.heading)
        assert grants(tenant) == []

    @every_way
    def test_too_many_tries(self, ana, tenant, way):
        """The fifth wrong code ends the check, and nothing more is sent for it."""
        page = ana.challenge_page(TARGET, way.label)
        for _ in range(5):
            page = ana.press(page, "code", code=way.wrong(tenant))
        assert page.status == 400
        assert len(grants(tenant)) == 5

    @every_way
    def test_timed_out(self, ana, tenant, later, way):
        """When the time is over the check starts again with one press, for the same page."""
        page = ana.challenge_page(TARGET, way.label)
        code = way.right(tenant)
        later(301)
        page = ana.press(page, "code", code=code)
        assert (page.status, page.heading) == (401, "This check has timed out")
        page = ana.press(page, "Start again")
        if way.is_sent:
            page = ana.press(page, way.label)
        page = ana.press(page, "code", code=way.right(tenant))
        assert page.status == 200
        assert grants(tenant) == [200]

    @every_way
    def test_given_up(self, ana, tenant, way):
        """A check that was given up opens nothing; coming back goes on with it, and sends nothing
        new.
        """
        page = ana.challenge_page(TARGET, way.label)
        tenant.calls.clear()
        assert ana.get(page.link("Cancel")).text == "Home"
        again = ana.get(TARGET)
        assert again.heading == page.heading
        assert asked(tenant) == []

    def test_code_is_too_old_for_auth0(self, ana, tenant):
        """Auth0 may find a code too old before we do."""
        page = ana.challenge_page(TARGET, SMS.label)
        body = {"error": "expired_token", "error_description": "oob_code is expired"}
        tenant.fault("/oauth/token", status=401, body=body)
        answer = ana.press(page, "code", code=SMS.right(tenant))
        assert "That code is too old. Ask for a new one." in answer.text
        assert ana.press(answer, "code", code=SMS.right(tenant)).status == 200

    def test_denied_after_the_code(self, ana, tenant):
        """An Action that says no after the right code is not told as a refusal on the phone."""
        page = ana.challenge_page(TARGET)
        body = {"error": "access_denied", "error_description": "Not on a Sunday <b>"}
        tenant.fault("/oauth/token", status=403, body=body)
        answer = ana.press(page, "code", code=OTP.right(tenant))
        assert (answer.status, answer.heading) == (403, "Access was denied")
        assert "Sunday" not in answer.html


class TestLongChecks:
    """Where AUTH0_MFA_CONTEXT_TTL lets a check outlive a code that was sent."""

    @pytest.fixture
    def app(self, make_app):
        """An application with checks of a quarter of an hour."""
        return make_app(AUTH0_MFA_CONTEXT_TTL=900)

    @sent_ways
    def test_code_is_too_old(self, ana, tenant, later, way):
        """A code from a message is good for five minutes; then the page offers another one."""
        page = ana.challenge_page(TARGET, way.label)
        code = way.right(tenant)
        later(301)
        answer = ana.press(page, "code", code=code)
        assert (answer.status, answer.heading) == (400, page.heading)
        assert "That code is too old. Ask for a new one." in answer.text
        assert grants(tenant) == []
        answer = ana.press(answer, "Send a new code")
        assert ana.press(answer, "code", code=way.right(tenant)).status == 200


class TestMessages:
    """Text messages, calls and e-mails."""

    @pytest.mark.parametrize(
        ("way", "target"), [(SMS, "••• 9167"), (VOICE, "••• 9167"), (EMAIL, "•••@exam*******")]
    )
    def test_masked_target(self, ana, way, target):
        """The page says where the message went, as far as Auth0 tells, and no more."""
        page = ana.challenge_page(TARGET, way.label)
        assert target in page.text
        assert "5550109167" not in page.html
        assert ANA not in page.html

    @sent_ways
    def test_pages_send_nothing(self, ana, tenant, way):
        """Reading any page ten times sends no message: only a button does."""
        page = ana.challenge_page(TARGET, way.label)
        before = asked(tenant)
        for url in (page.url, page.link("Use another method"), TARGET):
            for _ in range(10):
                assert ana.get(url).status == 200
        assert asked(tenant) == before
        assert len(tenant.messages) == 1

    @sent_ways
    def test_page_from_before(self, ana, tenant, way):
        """A page that was left open still takes its own code, after another method was chosen."""
        page = ana.challenge_page(TARGET, way.label)
        ana.press(ana.get(page.link("Use another method")), OTP.label)
        again = ana.press(page, "code", code=way.wrong(tenant))
        assert "Check that you used the newest message." in again.text
        assert again.heading == page.heading
        assert ana.press(page, "code", code=way.right(tenant)).status == 200

    @pytest.mark.parametrize(
        ("way", "other"), [(OTP, SMS), (OTP, RECOVERY), (RECOVERY, OTP)], ids=lambda way: way.method
    )
    def test_page_without_a_message_from_before(self, ana, tenant, way, other):
        """A page that sent nothing still takes its own code, after another method was chosen."""
        page = ana.challenge_page(TARGET, way.label)
        ana.press(ana.get(page.link("Use another method")), other.label)
        again = ana.press(page, "code", code=way.wrong(tenant))
        assert again.heading == page.heading
        assert ana.press(page, "code", code=way.right(tenant)).status == 200

    @sent_ways
    def test_other_method_and_back(self, ana, tenant, way):
        """Going to another method and back keeps the message that was sent."""
        page = ana.challenge_page(TARGET, way.label)
        other = ana.press(ana.get(page.link("Use another method")), "Authenticator app")
        back = ana.press(ana.get(other.link("Use another method")), way.label)
        assert back.heading == page.heading
        assert len(tenant.messages) == 1
        assert ana.press(back, "code", code=way.right(tenant)).status == 200

    def test_choosing_it_twenty_times(self, ana, tenant):
        """However often the method is chosen, one message goes out."""
        choice = ana.get(TARGET)
        for _ in range(20):
            ana.press(choice, SMS.label)
        assert len(tenant.messages) == 1

    def test_one_open_message_per_check(self, ana, tenant, later):
        """A second kind of message waits for the pause, and then takes the first one's place."""
        page = first_page = ana.challenge_page(TARGET, SMS.label)
        first = SMS.right(tenant)
        choice = ana.get(page.link("Use another method"))
        refused = ana.press(choice, EMAIL.label)
        assert (refused.status, refused.heading) == (429, "Wait before the next message")
        assert len(tenant.messages) == 1
        later(31)
        page = ana.press(choice, EMAIL.label)
        assert "e-mail" in page.heading
        answer = ana.press(first_page, "code", code=first)
        assert (answer.status, answer.heading) == (400, page.heading)
        assert ana.press(page, "code", code=EMAIL.right(tenant)).status == 200

    def test_another_one_too_soon(self, ana, tenant, later):
        """Another message within 30 seconds is refused, in words and with the time to wait."""
        page = ana.challenge_page(TARGET, SMS.label)
        assert "Wait 30 seconds before you ask again." in page.text
        later(20)
        refused = ana.press(page, "Send a new code")
        assert refused.status == 429
        assert refused.headers["Retry-After"] in ("9", "10")
        assert f"try again in {refused.headers['Retry-After']} seconds" in refused.text
        assert len(tenant.messages) == 1
        assert ana.get(refused.link("Go back")).heading == page.heading

    def test_another_one(self, ana, tenant, later):
        """After 30 seconds another message goes out, the page says so, and its code is right."""
        page = ana.challenge_page(TARGET, SMS.label)
        later(31)
        page = ana.press(page, "Send a new code")
        assert "We sent a new code." in page.text
        assert len(tenant.messages) == 2
        assert ana.press(page, "code", code=SMS.right(tenant)).status == 200

    def test_nothing_was_sent_for_this_check(self, ana, tenant, later):
        """Who had enough messages for other checks is not told to wait for one of this check."""
        for number in range(6):
            page = ana.press(ana.get(f"{TARGET}&number={number}"), SMS.label)
            later(31)
        assert "We have sent one already" not in page.text
        assert "we have paused this for a while" in page.text

    def test_long_pause_is_told_in_minutes(self, ana, tenant, later):
        """Nobody counts ten minutes in seconds."""
        for number in range(5):
            page = ana.press(ana.get(f"{TARGET}&number={number}"), SMS.label)
            later(31)
        page = ana.get(page.url)
        assert "You can try again in 8 minutes." in page.text

    def test_messages_are_counted_over_all_checks(self, ana, tenant, later):
        """A new check does not buy messages: five in ten minutes, whatever they are for."""
        for number in range(6):
            page = ana.press(ana.get(f"{TARGET}&number={number}"), SMS.label)
            later(31)
        assert (page.status, page.heading) == (429, "Wait before the next message")
        assert len(tenant.messages) == 5

    def test_auth0_has_sent_enough(self, ana, tenant):
        """When Auth0 refuses to send more, the page says how long to wait and offers other ways."""
        body = {"error": "too_many_attempts", "error_description": "Too many SMS"}
        tenant.fault("/mfa/challenge", status=429, body=body)
        page = ana.press(ana.get(TARGET), SMS.label)
        assert page.status == 429
        assert page.headers["Retry-After"] == "60"
        assert "authenticator app" in ana.press(ana.get(TARGET), OTP.label).heading

    def test_method_that_does_not_start(self, ana, tenant):
        """When Auth0 cannot start a method, the page leads to the other ones."""
        tenant.fault("/mfa/challenge", status=400, body={"error": "unsupported_challenge_type"})
        page = ana.press(ana.get(TARGET), SMS.label)
        assert (page.status, page.heading) == (400, "This method does not work right now")
        assert "Authenticator app" in ana.get(page.link("Use another method")).text

    def test_only_method_does_not_start(self, visitor, tenant):
        """Who has no other method is told what can be done without one."""
        visitor.log_in("dan@example.com")
        tenant.fault("/mfa/challenge", status=400, body={"error": "unsupported_challenge_type"})
        page = visitor.press(visitor.get(TARGET), "Approve on your phone")
        assert "Try again later, or use another method if you have one." in page.text

    def test_list_of_somebody_else(self, app, ana, tenant):
        """What Auth0 has listed for one user is told to nobody else."""
        assert SMS.label in ana.get(TARGET).text
        cleo = Visitor(app)
        cleo.log_in("cleo@example.com")
        bearer = {"Authorization": f"Bearer {cleo.mfa_required('/api/balance')['mfa_token']}"}
        answer = cleo.json("GET", "/auth/mfa/authenticators", headers=bearer)
        (app_of_hers,) = (one["id"] for one in answer.json if one["authenticator_type"] == "otp")
        assert app_of_hers == authenticator_id(tenant, "otp", "cleo@example.com")

    def test_list_that_is_refused(self, ana, tenant):
        """When Auth0 refuses to list the methods, programs are told so, and may try again."""
        url = "/auth/mfa/authenticators"
        bearer = {"Authorization": f"Bearer {ana.mfa_required('/api/balance')['mfa_token']}"}
        tenant.fault("/mfa/authenticators", status=400, body={"error": "invalid_request"})
        answer = ana.json("GET", url, headers=bearer)
        assert answer.status_code == 400
        assert answer.json["error_description"] == "Your methods could not be listed."
        assert ana.json("GET", url, headers=bearer).status_code == 200

    def test_answer_without_what_it_should_have(self, ana, tenant):
        """A challenge that cannot be answered is Auth0's fault, and no page that waits forever."""
        tenant.fault("/mfa/challenge", status=200, body={"challenge_type": "oob"})
        assert ana.press(ana.get(TARGET), SMS.label).status == 503


class TestJson:
    """By the JSON routes, beyond the table of ``test_matrix.py``."""

    @pytest.fixture
    def begin(self, ana, tenant):
        """Return a function that starts a method: the body with the token, and the answer."""

        def begin(way):
            token = {"mfa_token": ana.mfa_required("/api/balance")["mfa_token"]}
            body = {**token, "authenticator_id": authenticator_id(tenant, way.method)}
            answer = ana.json("POST", START, json=body)
            return token, answer

        return begin

    @sent_ways
    def test_oob_code(self, ana, begin, tenant, way):
        """``oob_code`` and ``binding_code`` are accepted in Auth0's own names."""
        token, started = begin(way)
        assert started.json["binding_method"] == "prompt"
        proof = {"oob_code": started.json["oob_code"], "binding_code": way.right(tenant)}
        assert ana.json("POST", VERIFY, json={**token, **proof}).json == {"success": True}

    def test_oob_code_of_something_else(self, ana, begin, tenant):
        """An ``oob_code`` that this check did not get is refused and not sent."""
        token, _ = begin(SMS)
        proof = {"oob_code": "Fe26.2*of*somebody*else", "binding_code": "123456"}
        answer = ana.json("POST", VERIFY, json={**token, **proof})
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        text = "This oob_code is not of this check's open challenge."
        assert answer.json["error_description"] == text
        assert grants(tenant) == []

    def test_oob_code_without_its_code(self, ana, begin, tenant):
        """Asking for the outcome of a text message is no free try: once in six seconds."""
        token, started = begin(SMS)
        for _ in range(3):
            ana.json("POST", VERIFY, json={**token, "oob_code": started.json["oob_code"]})
        assert len(grants(tenant)) == 1

    def test_started_again(self, begin, tenant, later):
        """Starting again returns the open challenge; once the pause is over it sends anew."""
        _, first = begin(SMS)
        _, second = begin(SMS)
        assert second.json == first.json
        assert len(tenant.messages) == 1
        later(31)
        _, third = begin(SMS)
        assert third.json["oob_code"] != first.json["oob_code"]
        assert len(tenant.messages) == 2

    def test_new_recovery_code(self, ana, begin, tenant):
        """The answer to a recovery code has the new one."""
        token, _ = begin(RECOVERY)
        answer = ana.json("POST", VERIFY, json={**token, "code": tenant.recovery_code(ANA)})
        assert answer.json == {"success": True, "recovery_code": tenant.recovery_code(ANA)}
