"""Tabs that ask at the same moment: their answers meet in one browser, in any order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask, request

from flask_auth0_mfa import requires_stepup
from flask_auth0_mfa.budget import BUDGET
from flask_auth0_mfa.errors import Auth0UnavailableError
from flask_auth0_mfa.logins import ARRIVAL, KEPT_APART
from flask_auth0_mfa.memory import Memory
from flask_auth0_mfa.services import EXTENSION
from flask_auth0_mfa.sessions import glance

from .conftest import ACCOUNTS, ADMIN, OPEN, PAYMENTS
from .visitor import Page, Visitor

HTML = {"Accept": "text/html"}
PAGES = [f"/payment/{number}" for number in range(8)]


@pytest.fixture
def app(make_app) -> Flask:
    """An application with many guarded pages."""
    app = make_app()

    @app.before_request
    def meanwhile() -> None:
        """Let happen what a test wants while a slow request is at work."""
        if "X-Slow" in request.headers:
            app.config["MEANWHILE"]()

    @app.get("/payment/<int:number>")
    @requires_stepup(PAYMENTS, reason="This payment needs a second check.")
    def payment(number: int) -> str:
        return f"Payment {number}"

    @app.get("/fresh/<int:number>")
    @requires_stepup(PAYMENTS, max_age=1)
    def fresh(number: int) -> str:
        return f"Fresh {number}"

    return app


def in_parallel(browser: Visitor, urls: list[str]) -> list:
    """Ask for the addresses from the same cookies, and let the browser have every answer."""
    answers = [browser.tab().client.get(url, headers=HTML) for url in urls]
    for answer in answers:
        browser.receive(answer)
    return answers


def size(browser: Visitor) -> int:
    """Return how many bytes our cookies take in this browser."""
    cookies = browser.cookies().items()
    return sum(len(name) + len(value) for name, value in cookies if name != "session")


def finished(browser: Visitor, page: Page, tenant) -> Page:
    """Do what the pages ask for until they let go of the visitor."""
    for _ in range(5):
        if page.path != "/auth/mfa/challenge":
            break
        if "already verified" in page.text:
            page = browser.get(page.link("Continue"))
        elif any("code" in fields for _, fields, _ in page.forms()):
            page = browser.press(page, "code", code=tenant.current_otp("ana@example.com"))
        else:
            page = browser.press(page, "Authenticator app")
    return page


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_size(ana, count):
    """Checks that parallel tabs begin fit into the browser together."""
    in_parallel(ana, PAGES[:count])
    assert size(ana) <= BUDGET


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_each_goes_on(ana, tenant, count):
    """Every tab leads to its own page; one that found no room starts again, or says what to do."""
    answers = in_parallel(ana, PAGES[:count])
    for url, answer in zip(PAGES, answers, strict=False):
        page = ana.get(answer.location)
        if "Start again" in page.text:
            page = ana.press(page, "Start again")
        elif "open it again" in page.text:
            assert count > 4
            page = ana.get(url)
        page = finished(ana, page, tenant)
        assert (page.status, page.path) == (200, url), page.text


def test_two_fit(ana):
    """Two tabs at the same moment have a check each, at once."""
    answers = in_parallel(ana, PAGES[:2])
    assert all("Start again" not in ana.get(answer.location).text for answer in answers)


def test_afterwards(ana, tenant):
    """What parallel tabs left does not keep later checks out, however soon they come."""
    in_parallel(ana, PAGES)
    for url in PAGES:
        assert finished(ana, ana.get(url), tenant).path == url


def test_one_after_the_other(ana, tenant, clock):
    """A check that was finished takes no room from the next one, however soon that comes."""
    for number in range(6):
        clock.advance(1.1)
        page = ana.get(f"/fresh/{number}")
        assert "Start again" not in page.text
        assert finished(ana, page, tenant).path == f"/fresh/{number}"


def test_answers_that_are_thrown_away(app, ana, clock):
    """What is remembered of a program that never keeps its cookies does not grow for ever."""
    for _ in range(3 * KEPT_APART):
        clock.advance(0.1)
        assert ana.tab().json("GET", f"/token?audience={ACCOUNTS}").status_code == 200
    with ana.client:
        ana.get("/")
        name = ("written", str(glance(None).login_id))
    written = app.extensions[EXTENSION].logins.memory.get(name)["cookies"]
    cookies = {cookie for cookie, *_ in written}
    assert len(cookies) < len(written) <= len(cookies) * (KEPT_APART + 1)


def test_largest_of_them(app, clock):
    """Of a cookie that was written often the largest answer counts, however long ago it was."""
    logins, seen = app.extensions[EXTENSION].logins, []

    def write(size: int) -> None:
        def settle(others):
            seen[:] = others
            others.append(("session_auth0_0", size, f"mark {len(others)}"))

        clock.advance(0.1)
        logins.in_flight("login", clock(), settle)

    for size in (500, 900, *[100] * (2 * KEPT_APART)):
        write(size)
    assert max(size for _, size, _ in seen) == 900


@contextmanager
def nothing_known() -> Iterator[None]:
    """Keep the shared state from telling what parallel tabs got; it works for all else."""

    def change(*_arguments):
        raise Auth0UnavailableError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Memory, "change", change)
        yield


def test_nothing_known(ana, tenant):
    """While the shared state cannot tell what parallel tabs got, each one adds a little only."""
    with nothing_known():
        in_parallel(ana, PAGES)
    assert size(ana) <= BUDGET
    assert finished(ana, ana.get(PAGES[0]), tenant).path == PAGES[0]


def fill_up(ana: Visitor) -> None:
    """Begin checks until there is no room for one more without giving one up."""
    for address in (f"/token?audience={ACCOUNTS}", *PAGES[:4]):
        ana.get(address)
    assert size(ana) > BUDGET - 1_000


def test_nothing_known_and_full(ana):
    """Nor does what an answer deletes give room then: parallel ones may delete the same."""
    fill_up(ana)
    with nothing_known():
        in_parallel(ana, PAGES[4:6])
    assert size(ana) <= BUDGET


def test_answer_that_takes_long(app, ana, clock):
    """A request of half a minute knows at its end what others brought since it came."""
    slow = ana.tab()

    def others_meanwhile():
        in_parallel(ana, PAGES[:2])
        clock.advance(30)

    app.config["MEANWHILE"] = others_meanwhile
    ana.receive(slow.client.get(PAGES[2], headers={**HTML, "X-Slow": "1"}))
    assert size(ana) <= BUDGET


def test_room_comes_back(ana, tenant, clock):
    """A moment after a crowd of tabs a check has its room again."""
    ana.challenge_page(PAGES[0])
    tabs = [ana.tab() for _ in range(3)]
    for tab, url in zip(tabs, PAGES[1:], strict=False):
        tab.client.get(url, headers=HTML)  # answers that never arrive
    clock.advance(ARRIVAL + 1)
    assert finished(ana, ana.get(PAGES[4]), tenant).path == PAGES[4]


def wrong_code(tab: Visitor, page: Page):
    """Enter a wrong code, which is written down in the check's cookie."""
    url, fields = page.form("code")
    return tab.client.post(url, data=fields | {"code": "000000"}, headers=HTML)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_older_answer_comes_last(ana, count):
    """What answers give up does not count as room: an older one may bring it back."""
    page = ana.challenge_page(PAGES[0])
    ana.get(PAGES[1])
    slow, *tabs = (ana.tab() for _ in range(count + 1))
    answers = [wrong_code(slow, page)]
    answers += [
        tab.client.get(url, headers=HTML) for tab, url in zip(tabs, PAGES[2:], strict=False)
    ]
    for answer in reversed(answers):
        ana.receive(answer)
    assert size(ana) <= BUDGET


def test_older_answer_comes_after_the_next_request(ana):
    """Nor does what is gone from the browser already, while an answer that has it is on its way."""
    page = ana.challenge_page(PAGES[0])
    ana.get(PAGES[1])
    slow = ana.tab()
    ana.client.get(PAGES[2], headers=HTML)
    late = wrong_code(slow, page)
    ana.client.get(PAGES[3], headers=HTML)
    ana.receive(late)
    assert size(ana) <= BUDGET


@pytest.mark.parametrize("count", [4, 6])
def test_cookies_of_the_application(app, ana, tenant, count):
    """What the application has in cookies of its own is room that ours leave to it."""
    for number in range(count):
        ana.client.set_cookie(f"theirs{number}", "x" * 900)
    for page in PAGES[:4]:
        ana.get(page)
    whole = "; ".join(f"{name}={value}" for name, value in ana.cookies().items())
    assert len(whole) <= max(8_000, 4_096 + 1_000 * count)
    assert finished(ana, ana.get(PAGES[0]), tenant).path == PAGES[0]


def test_passed_elsewhere(ana, tenant, clock):
    """A check that another one made superfluous is no dead end when that proof has got too old."""
    page = ana.get("/fresh/1")
    finished(ana, ana.get("/fresh/2"), tenant)
    clock.advance(5)
    page = ana.get("/fresh/1")
    assert "already verified" not in page.text
    assert finished(ana, page, tenant).path == "/fresh/1"


def test_tokens(ana, tenant):
    """Nor do tokens for several audiences, got in parallel, pass what a server accepts."""
    finished(ana, ana.get(PAGES[0]), tenant)
    audiences = [ACCOUNTS, ADMIN, OPEN, PAYMENTS]
    in_parallel(ana, [f"/token?audience={audience}" for audience in audiences] + PAGES)
    assert size(ana) <= BUDGET
