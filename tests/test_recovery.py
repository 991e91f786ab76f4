"""The new recovery code: on its own page until the user says that it is saved, then gone."""

from __future__ import annotations

import logging

import pytest

from .observed import ANA, grants
from .ways import RECOVERY, TARGET, asked

HEADING = "Save your new recovery code"


@pytest.fixture
def page(ana, tenant):
    """The page with Ana's new recovery code, after she has used the old one."""
    page = ana.challenge_page(TARGET, RECOVERY.label)
    return ana.press(page, "code", code=tenant.recovery_code(ANA))


@pytest.fixture
def code(page, tenant):
    """The new code."""
    return tenant.recovery_code(ANA)


def shown(page):
    """Return the code that the page shows."""
    return "".join(tag.text for tag in page.root.findall(".//p[@dir='ltr']/span"))


def landed(page):
    """Tell whether the visitor sees the very page that was asked for."""
    return page.status == 200 and page.url == f"http://localhost{TARGET}"


class TestField:
    """The field for the old code."""

    def test_typed_as_it_is_read(self, ana, tenant):
        """Small letters, groups and dashes do not matter."""
        page = ana.challenge_page(TARGET, RECOVERY.label)
        code = tenant.recovery_code(ANA).lower()
        typed = f" {code[:4]} {code[4:12]}-{code[12:]}\u200b"
        assert ana.press(page, "code", code=typed).heading == HEADING

    def test_attributes(self, ana):
        """No keyboard of digits, no guesses of the browser, capitals on a phone."""
        field = ana.challenge_page(TARGET, RECOVERY.label).root.find(".//input[@id='code']")
        assert field.get("autocomplete") == "off"
        assert field.get("autocapitalize") == "characters"
        assert field.get("spellcheck") == "false"
        assert field.get("inputmode") is None

    def test_wrong_code(self, ana, tenant):
        """A wrong code is told in its own words."""
        page = ana.challenge_page(TARGET, RECOVERY.label)
        answer = ana.press(page, "code", code="B" * 24)
        assert "That recovery code did not work. Each code works once." in answer.text

    def test_limit_is_its_own(self, ana, tenant):
        """Too many recovery codes do not keep out somebody with the right code of the app."""
        for tries in (3, 2):
            page = ana.challenge_page(f"{TARGET}&tries={tries}", RECOVERY.label)
            for _ in range(tries):
                page = ana.press(page, "code", code="B" * 24)
        assert page.status == 400
        assert len(grants(tenant)) == 5
        page = ana.challenge_page(f"{TARGET}&other")
        assert ana.press(page, "code", code=tenant.current_otp(ANA)).status == 200


class TestPage:
    """The page with the new code."""

    def test_shows_it(self, page, code):
        """The code is there in groups of four, and the old one is said to be worthless."""
        assert page.heading == HEADING
        assert shown(page) == code
        assert {len(tag.text) for tag in page.root.findall(".//p[@dir='ltr']/span")} == {4}
        assert "your old code no longer works" in page.text

    def test_reload_and_back(self, ana, page, code, tenant):
        """Loading it again, or going back to the check, shows the same code; nothing is called."""
        before = asked(tenant)
        for _ in range(10):
            assert shown(ana.get(page.url)) == code
        assert shown(ana.get(page.url.replace("recovery-code", "challenge"))) == code
        assert asked(tenant) == before

    def test_lost_answer(self, ana, tenant):
        """Sending the old code again, because no answer came, leads to the same page."""
        form = ana.challenge_page(TARGET, RECOVERY.label)
        old = tenant.recovery_code(ANA)
        ana.press(form, "code", code=old)
        assert shown(ana.press(form, "code", code=old)) == tenant.recovery_code(ANA)
        assert grants(tenant) == [200]

    def test_address_of_the_form(self, ana, page, code):
        """After a missing tick the address names no check; opened again, it shows the code."""
        refused = ana.press(page, "saved", saved="")
        assert shown(ana.get(refused.url)) == code
        ana.press(page, "saved", saved="y")
        assert ana.get(refused.url).heading == "This check is not open"

    def test_leaving_promises_nothing(self, page):
        """No page brings the code back by itself, so the way out does not say "later"."""
        assert page.link("Leave without saving it") == "http://localhost/"

    def test_target_is_open_already(self, ana, page, code):
        """Somebody who goes on without saving is let in, and can come back to the code."""
        assert landed(ana.get(TARGET))
        assert shown(ana.get(page.url)) == code

    def test_saved(self, ana, page):
        """ "I have saved it" leads to the page that was asked for."""
        assert landed(ana.press(page, "saved", saved="y"))

    def test_not_ticked(self, ana, page, code):
        """Without the tick the page says what is missing, and still shows the code."""
        url, fields = page.form("saved")
        del fields["saved"]
        answer = ana.client.post(url, data=fields, headers={"Accept": "text/html"})
        assert answer.status_code == 400
        assert "Say that you have saved the code, then continue." in answer.text
        assert shown(ana.get(page.url)) == code

    def test_gone_after_that(self, ana, page, code):
        """Then it is gone: from the page, from Back, and from the download."""
        ana.press(page, "saved", saved="y")
        for url in (
            page.url,
            page.link("Download"),
            page.url.replace("recovery-code", "challenge"),
        ):
            answer = ana.get(url)
            assert code not in answer.html
            assert code[:4] not in answer.text

    def test_saved_twice(self, ana, page):
        """The second press of the button leads to the same place."""
        ana.press(page, "saved", saved="y")
        assert landed(ana.press(page, "saved", saved="y"))

    def test_download(self, ana, page, code):
        """The download is a text file with the code, and nobody keeps it."""
        answer = ana.client.get(page.link("Download"))
        assert answer.mimetype == "text/plain"
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert "no-store" in answer.headers["Cache-Control"]
        assert answer.text.replace(" ", "").strip() == code

    def test_form_of_another_check(self, ana, page, code):
        """The form of one check does not throw away the code of another."""
        _, fields = page.form("saved")
        answer = ana.client.post(
            "/auth/mfa/recovery-code", data={**fields, "context": "x" * 22, "saved": "y"}
        )
        assert answer.status_code == 400
        assert shown(ana.get(page.url)) == code

    def test_unknown_check(self, ana):
        """A made-up address is answered by a page that says that this check is not open."""
        assert ana.get("/auth/mfa/recovery-code?context=nothing").status == 404
        assert ana.get("/auth/mfa/recovery-code").status == 404


class TestSecrecy:
    """Where the new code must not be."""

    def test_not_in_addresses_or_cookies(self, ana, page, code):
        """It is in no address and readable in no cookie."""
        assert code not in page.url
        assert code not in page.link("Download")
        assert not [value for value in ana.cookies().values() if code in value]

    def test_not_in_the_application_session(self, app, ana, page, code):
        """The application's own session holds nothing of it, before or after."""
        for _ in range(2):
            with ana.client.session_transaction() as session:
                assert code not in str(dict(session))
            ana.press(page, "saved", saved="y")

    def test_not_in_the_log(self, ana, tenant, caplog):
        """No line of any log has it."""
        caplog.set_level(logging.DEBUG)
        page = ana.challenge_page(TARGET, RECOVERY.label)
        page = ana.press(page, "code", code=tenant.recovery_code(ANA))
        ana.press(page, "saved", saved="y")
        assert tenant.recovery_code(ANA) not in caplog.text

    def test_cookies_are_smaller_afterwards(self, ana, page):
        """What held it is written anew without it."""
        before = sum(map(len, ana.cookies().values()))
        ana.press(page, "saved", saved="y")
        assert sum(map(len, ana.cookies().values())) < before
