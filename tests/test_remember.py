"""Remembered devices (``remember=days``): offered, kept, recognised, listed and forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask

from flask_auth0_mfa import current_auth0, guard_blueprint, requires_stepup, signals
from flask_auth0_mfa.action import write_action
from flask_auth0_mfa.devices import MAX_COOKIES
from flask_auth0_mfa.emulator import Tenant, serve
from flask_auth0_mfa.emulator.actions import Event, PostLoginApi
from flask_auth0_mfa.flows.devices import MAX_DEVICES
from flask_auth0_mfa.models import (
    MfaContext,
    RememberedDevice,
    StepUpRequest,
    Verification,
    context_id,
)
from flask_auth0_mfa.sealing import DEVICE, SESSION
from flask_auth0_mfa.services import EXTENSION
from flask_auth0_mfa.sessions import auth0_session
from flask_auth0_mfa.testing.clock import SharedClock

from .conftest import ADMIN, PAYMENTS, SECRET_KEY, app_on_server
from .observed import ANA
from .snippets import snippets
from .test_action import acting, event
from .test_docs import DOCS
from .test_extension import call_view, run
from .test_outage import Broken
from .test_outage_midway import DyingState
from .visitor import Page, Visitor
from .ways import PHONE, age_limits

BEN = "ben@example.com"
DAY = 86_400
BOX = "Remember this device for 30 days"
PAGE = "/auth/mfa/devices"


@pytest.fixture(scope="module")
def tenant_server() -> Iterator[Any]:
    """A tenant that stamps its tokens with the clock that tests put forward."""
    with serve(Tenant(clock=SharedClock()), port=0) as server:
        yield server


@pytest.fixture
def clock(tenant: Tenant) -> Callable[[], float]:
    """The application's clock, which is the tenant's."""
    return tenant.clock.now


@pytest.fixture
def app(make_app) -> Flask:
    """An application with views that remember a device, and one that does not."""
    return with_views(make_app())


def with_views(app: Flask) -> Flask:
    """Give the application guarded views: the address says what the guard asks for."""
    for rule, audience, options in (
        ("/pay", PAYMENTS, {"remember": 30}),
        ("/day", PAYMENTS, {"remember": 1}),
        ("/week", PAYMENTS, {"remember": 7}),
        ("/minute", PAYMENTS, {"remember": 30, "max_age": 60}),
        ("/app-only", PAYMENTS, {"remember": 30, "methods": ["otp"]}),
        ("/strict", PAYMENTS, {}),
        ("/admin", ADMIN, {"remember": 30}),
    ):
        view = requires_stepup(audience, **options)(lambda: "Open")
        app.add_url_rule(rule, rule, view)
    call_view(app)
    return app


@pytest.fixture
def later(app: Flask, tenant: Tenant) -> Callable[[float], None]:
    """Return a function that lets time pass, for everybody."""

    def later(seconds: float) -> None:
        tenant.advance(seconds)
        age_limits(app, seconds)

    return later


@pytest.fixture
def honouring(tenant: Tenant) -> Iterator[list[int]]:
    """A tenant whose Action takes a remembered device for enough; what it was told, in order."""
    told: list[int] = []

    def asks_unless_remembered(event: Event, api: PostLoginApi) -> None:
        if event.transaction.protocol != "oauth2-refresh-token" or event.resource_server is None:
            return
        remembered_at = event.request.body.get("auth0_mfa_remembered_at")
        if remembered_at is not None:
            told.append(int(remembered_at))
        elif event.resource_server.identifier == PAYMENTS:
            api.authentication.challenge_with_any(
                [factor.type for factor in event.user.enrolled_factors]
            )

    before = tenant.configuration
    tenant.configure(replace(before, actions=(asks_unless_remembered,)))
    yield told
    tenant.configure(before)


@pytest.fixture
def heard(app: Flask) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """What was told of devices."""
    found: list[tuple[str, dict[str, Any]]] = []

    def remembered(sender: Any, **arguments: Any) -> None:
        found.append(("remembered", arguments))

    def forgotten(sender: Any, **arguments: Any) -> None:
        found.append(("forgotten", arguments))

    signals.device_remembered.connect(remembered, app)
    signals.device_forgotten.connect(forgotten, app)
    yield found
    signals.device_remembered.disconnect(remembered, app)
    signals.device_forgotten.disconnect(forgotten, app)


def check(browser: Visitor, tenant: Tenant, *, url: str = "/pay", remember: bool = True) -> None:
    """Go through the check as a program, which is quicker than by pages."""
    mfa_token = browser.mfa_required(url)["mfa_token"]
    # An app shows another code after half a minute; each is good once.
    tenant.advance(30)
    body = {"mfa_token": mfa_token, "otp": tenant.current_otp(ANA), "remember": remember}
    assert browser.json("POST", "/auth/mfa/verify", json=body).json["success"]


def check_by_page(browser: Visitor, tenant: Tenant, *, tick: bool, url: str = "/pay") -> Page:
    """Go through the check by the page of the authenticator app, and tick the box or not."""
    page = browser.challenge_page(url)
    tenant.advance(30)
    return answer(browser, page, tenant.current_otp(ANA), tick=tick)


def answer(browser: Visitor, page: Page, code: str, *, tick: bool = True) -> Page:
    """Enter the code; the box is ticked also where the page has none."""
    return browser.press(page, "code", code=code, remember="y" if tick else "")


def is_ticked(page: Page) -> bool:
    """Tell whether the box of the page is ticked."""
    return page.root.find(".//input[@name='remember']").get("checked") is not None


def devices_of(browser: Visitor) -> dict[str, str]:
    """Return the cookies of remembered devices."""
    return {name: value for name, value in browser.cookies().items() if "_auth0_d_" in name}


def give(browser: Visitor, cookies: dict[str, str]) -> None:
    """Put these cookies into a browser."""
    for name, value in cookies.items():
        browser.client.set_cookie(name, value)


def is_open(browser: Visitor, url: str = "/pay") -> bool:
    """Tell whether the view opens without a check; if it does not, a check must be asked for."""
    answer = browser.client.get(url, headers={"Accept": "text/html"})
    assert answer.text == "Open" or answer.location.startswith("/auth/mfa/challenge?"), answer.text
    return answer.text == "Open"


def log_in_again(browser: Visitor, email: str = ANA) -> Visitor:
    """Sign out, and in as this user, in the same browser."""
    browser.client.get("/auth/logout")
    browser.tenant.cookies.clear()
    browser.log_in(email)
    return browser


def change_key(app: Flask) -> None:
    """Rotate the application's key."""
    app.config["SECRET_KEY"] = "another key of at least that length"
    app.config["SECRET_KEY_FALLBACKS"] = [SECRET_KEY]


def listed(browser: Visitor) -> list[dict[str, Any]]:
    """Return the user's devices as a program sees them."""
    found: list[dict[str, Any]] = browser.json("GET", PAGE).json["devices"]
    return found


class TestOffer:
    """Where the box is."""

    @pytest.mark.parametrize("method", ["Authenticator app", "Text message"])
    def test_code_page(self, ana, method):
        """The page of a code has the box, unticked, which says how long and where."""
        page = ana.challenge_page("/pay", method)
        assert BOX in page.text
        assert "bank then asks for this check less often here" in page.text
        assert not is_ticked(page)

    def test_recovery_code(self, ana):
        """The page of a recovery code has none."""
        assert "Remember" not in ana.challenge_page("/pay", "Recovery code").text

    def test_push(self, ana):
        """For a push the box is with the button that sends it, and with no other."""
        boxes = [text for _, fields, text in ana.get("/pay").forms() if "remember" in fields]
        assert len(boxes) == 1
        assert BOX in boxes[0]
        assert "Approve on your phone" in boxes[0]

    def test_off(self, ana):
        """A guard that does not ask for it has no box anywhere."""
        page = ana.get("/strict")
        assert "Remember" not in page.text
        assert "Remember" not in ana.press(page, "Authenticator app").text

    def test_wrong_code(self, ana):
        """A wrong code leaves the box as it was, ticked or not."""
        page = ana.challenge_page("/pay")
        for tick in (True, False):
            page = answer(ana, page, "12", tick=tick)
            assert is_ticked(page) == tick

    def test_started_again(self, ana, tenant, later):
        """A check that timed out and was started again has the box, too."""
        page = ana.challenge_page("/pay")
        later(301)
        page = ana.press(answer(ana, page, tenant.current_otp(ANA)), "Start again")
        assert BOX in page.text

    def test_one_day(self, ana):
        """One day is a day."""
        assert "Remember this device for 1 day " in ana.challenge_page("/day").text


class TestKept:
    """What is remembered, and how long it counts."""

    def test_ticked(self, ana, tenant, later):
        """On a remembered device the proof counts beyond the guard's max_age."""
        assert check_by_page(ana, tenant, tick=True).text == "Open"
        later(901)
        assert is_open(ana)

    def test_not_ticked(self, ana, tenant, later):
        """Without the box there is no cookie, and the check is due after max_age."""
        check_by_page(ana, tenant, tick=False)
        assert devices_of(ana) == {}
        later(901)
        assert not is_open(ana)

    def test_other_guards(self, ana, tenant, later):
        """A guard of the same API that does not remember asks as ever."""
        check(ana, tenant)
        later(901)
        assert not is_open(ana, "/strict")

    def test_max_age(self, app, ana, tenant, later):
        """A guard's own max_age holds where the device is not remembered, and only there."""
        other = Visitor(app)
        other.log_in()
        check(other, tenant, url="/minute", remember=False)
        check(ana, tenant, url="/minute")
        later(61)
        assert not is_open(other, "/minute")
        assert is_open(ana, "/minute")

    def test_end(self, ana, tenant, later, honouring):
        """It ends after its days, absolute: using it does not prolong it."""
        check(ana, tenant)
        later(30 * DAY - 60)
        assert is_open(log_in_again(ana))
        later(61)
        assert not is_open(ana)

    def test_shorter_guard(self, ana, tenant, later, honouring):
        """A guard that allows fewer days takes the device for that long."""
        check(ana, tenant)
        later(7 * DAY - 60)
        assert is_open(ana, "/week")
        later(61)
        assert not is_open(ana, "/week")
        assert is_open(ana)

    def test_method(self, ana, tenant, later):
        """A guard that accepts certain methods only takes no device remembered by another one."""
        page = ana.challenge_page("/pay", "Text message")
        answer(ana, page, tenant.last_message(ANA).code)
        later(901)
        assert is_open(ana)
        assert not is_open(ana, "/app-only")

    def test_other_api(self, ana, tenant, honouring):
        """A device that is remembered for one API opens no view of another."""
        check(ana, tenant)
        assert ana.get("/admin").text != "Open"

    def test_push(self, ana, tenant, later):
        """A push that was sent with the box ticked remembers the device when it is approved."""
        page = ana.press(ana.get("/pay"), "Approve on your phone", remember="y")
        tenant.approve()
        assert ana.press(page, "I have approved it").text == "Open"
        later(901)
        assert is_open(ana)

    def test_push_without(self, ana, tenant):
        """One that was sent without does not, though another was begun with it."""
        page = ana.press(ana.get("/pay"), "Authenticator app", remember="y")
        page = ana.get(page.link("Use another method"))
        page = ana.press(page, "Approve on your phone", remember="")
        tenant.approve()
        assert ana.press(page, "I have approved it").text == "Open"
        assert devices_of(ana) == {}

    def test_recovery_code(self, ana, tenant):
        """A recovery code remembers nothing, whatever the form says."""
        page = ana.challenge_page("/pay", "Recovery code")
        page = answer(ana, page, tenant.recovery_code(ANA))
        assert "new recovery code" in page.text
        assert devices_of(ana) == {}

    def test_chain(self, ana, tenant):
        """Of two factors in a row neither may be a recovery code."""
        page = ana.challenge_page("/admin", "Recovery code")
        page = answer(ana, page, tenant.recovery_code(ANA))
        page = ana.press(page, "Authenticator app")
        assert BOX not in page.text
        answer(ana, page, tenant.current_otp(ANA))
        assert devices_of(ana) == {}

    @pytest.mark.parametrize("tick", [True, False])
    def test_whole_chain(self, ana, tenant, tick):
        """The box of the last one counts, and is as it was left on the first."""
        page = ana.challenge_page("/admin", "Text message")
        page = answer(ana, page, tenant.last_message(ANA).code, tick=tick)
        page = ana.press(page, "Authenticator app")
        assert is_ticked(page) == tick
        assert answer(ana, page, tenant.current_otp(ANA), tick=tick).text == "Open"
        assert bool(devices_of(ana)) == tick

    def test_enrollment(self, app, tenant):
        """Nor does the first code of a method that is being added."""
        ben = Visitor(app)
        ben.log_in(BEN)
        page = ben.press(ben.get("/pay"), "Text message")
        page = ben.press(page, "phone_number", phone_number=PHONE)
        answer(ben, page, tenant.last_message(BEN).code)
        assert devices_of(ben) == {}

    def test_forged_box(self, ana, tenant):
        """A box that the page did not have does nothing."""
        check_by_page(ana, tenant, tick=True, url="/strict")
        assert devices_of(ana) == {}

    def test_second_press(self, ana, tenant, heard):
        """A button that is pressed twice remembers one device, and says so once."""
        page, code = ana.challenge_page("/pay"), tenant.current_otp(ANA)
        tab = ana.tab()
        answer(ana, page, code)
        answer(tab, page, code)
        assert len(listed(ana)) == 1
        assert [name for name, _ in heard] == ["remembered"]
        assert devices_of(tab).keys() == devices_of(ana).keys()

    def test_again(self, ana, tenant):
        """Remembering the same browser again replaces what it had."""
        check(ana, tenant)
        check(log_in_again(ana), tenant)
        assert len(devices_of(ana)) == 1
        assert len(listed(ana)) == 1

    def test_blueprint(self, make_app, tenant, later):
        """A guarded blueprint remembers, too."""
        app = make_app()
        blueprint = guard_blueprint(Blueprint("money", __name__), PAYMENTS, remember=30)
        blueprint.add_url_rule("/money", view_func=lambda: "Open")
        app.register_blueprint(blueprint)
        ana = Visitor(app)
        ana.log_in()
        check(ana, tenant, url="/money")
        later(901)
        assert is_open(ana, "/money")

    def test_session_on_the_server(self, tenant, tenant_server, later):
        """With a session on the server the device has its own cookie all the same."""
        app = app_on_server(tenant_server.url, tenant.clock.now)
        ana = Visitor(with_views(app))
        ana.log_in()
        check(ana, tenant)
        later(901)
        assert is_open(ana)


class TestNewLogin:
    """The device is the browser's, for one user; what the tenant says comes first."""

    def test_tenant_asks(self, ana, tenant):
        """A tenant that asks is obeyed: after a new login the check is due as ever."""
        check(ana, tenant)
        assert not is_open(log_in_again(ana))
        assert devices_of(ana)

    def test_tenant_honours(self, ana, tenant, later, honouring):
        """An Action that is told of the device can hand out the token, and the view opens."""
        check(ana, tenant)
        (device,) = listed(ana)
        later(5 * DAY)
        assert is_open(log_in_again(ana))
        assert honouring == [device["remembered_at"]]

    def test_told_only_then(self, ana, tenant, later, honouring):
        """The tenant is told by guards that remember, on a remembered device, and else never."""
        check(ana, tenant, remember=False)
        later(901)
        is_open(ana)
        check(ana, tenant)
        later(901)
        is_open(ana, "/strict")
        ana.json("GET", f"/token?audience={PAYMENTS}&scope=read:payments")
        assert honouring == []

    def test_another_user(self, ana, tenant, honouring):
        """The cookie of one user opens nothing for the next one, and stays his."""
        check(ana, tenant)
        log_in_again(ana, "cleo@example.com")
        assert not is_open(ana)
        assert listed(ana) == []
        assert is_open(log_in_again(ana))

    def test_not_signed_in(self, ana, tenant, honouring):
        """Without a login the cookie opens nothing."""
        check(ana, tenant)
        ana.client.get("/auth/logout")
        assert ana.json("GET", "/pay").status_code == 401


class TestCookie:
    """The cookie in other hands, and at other times."""

    @pytest.fixture
    def remembered(self, ana, tenant, honouring) -> Visitor:
        """Ana's browser, remembered; a new login there opens the view."""
        check(ana, tenant)
        return ana

    @pytest.fixture
    def other(self, app, remembered) -> Visitor:
        """Another browser, with Ana signed in."""
        other = Visitor(app)
        other.log_in()
        return other

    def test_without(self, other):
        """Another browser is not remembered."""
        assert not is_open(other)

    def test_copied(self, remembered, other):
        """Whoever has a copy and signs in as the user has the remembered device."""
        give(other, devices_of(remembered))
        assert is_open(other)

    def test_copied_by_another_user(self, app, remembered):
        """Somebody else's login gains nothing by a copy."""
        cleo = Visitor(app)
        cleo.log_in("cleo@example.com")
        (value,) = devices_of(remembered).values()
        give(cleo, devices_of(remembered))
        devices = app.extensions[EXTENSION].devices
        with app.test_request_context():
            session = type("S", (), {"user": cleo.json("GET", "/auth/profile").json})()
            own = devices.owner(session, PAYMENTS)
        give(cleo, {f"session_auth0_d_{own}": value})
        assert not is_open(cleo)

    @pytest.mark.parametrize("change", ["first", "cut"])
    def test_tampered(self, remembered, other, change):
        """A cookie that was changed counts as none."""
        ((name, value),) = devices_of(remembered).items()
        swapped = "A" if value[0] != "A" else "B"
        changed = {"first": swapped + value[1:], "cut": value[:-1]}
        give(other, {name: changed[change]})
        assert not is_open(other)

    @pytest.mark.parametrize("change", ["none", "purpose", "owner"])
    def test_sealed_for_something_else(self, app, remembered, other, change):
        """What was sealed for anything else, or for another user or API, is no device."""
        (name,) = devices_of(remembered)
        found = app.extensions[EXTENSION]
        owner = "another" if change == "owner" else name.partition("_d_")[2]
        content = {"owner": owner, "device": listed(remembered)[0]["id"]}
        purpose = SESSION if change == "purpose" else DEVICE
        give(other, {name: found.sealer.seal(purpose, content, int(found.clock()) + DAY)})
        assert is_open(other) == (change == "none")

    def test_kept_too_long(self, remembered, other, later):
        """A browser that keeps the cookie past its end is not remembered."""
        cookies = devices_of(remembered)
        later(30 * DAY + 1)
        log_in_again(other)
        give(other, cookies)
        assert not is_open(other)

    def test_lost_list(self, make_app, remembered):
        """Where the shared state has lost the list, no device is remembered."""
        restarted = Visitor(with_views(make_app()))
        restarted.take_cookies(remembered)
        assert not is_open(log_in_again(restarted))

    def test_new_key(self, app, remembered, other):
        """A change of the key forgets no device."""
        change_key(app)
        give(other, devices_of(remembered))
        assert is_open(other)

    def test_attributes(self, ana, tenant):
        """Scripts cannot read it, other sites do not send it, and it ends after its days."""
        page = ana.challenge_page("/pay")
        url, fields = page.form("code")
        form = fields | {"code": tenant.current_otp(ANA), "remember": "y"}
        sent = ana.client.post(url, data=form).headers.getlist("Set-Cookie")
        (written,) = [one for one in sent if "_auth0_d_" in one]
        (cookie,) = SimpleCookie(written).values()
        assert "; Secure" not in written
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
        assert 30 * DAY - 5 <= int(cookie["max-age"]) <= 30 * DAY
        assert len(written.partition(";")[0]) <= 220

    def test_many_users(self, ana, tenant):
        """A browser keeps five, of all its users; the first one goes."""
        give(ana, {f"session_auth0_d_{number:022}": "x" for number in range(MAX_COOKIES)})
        check(ana, tenant)
        kept = devices_of(ana)
        assert len(kept) == MAX_COOKIES
        assert f"session_auth0_d_{0:022}" not in kept


class TestForgotten:
    """How it ends before its time."""

    @pytest.fixture
    def old(self, ana, tenant, later) -> Visitor:
        """Ana's remembered browser, when nothing but that opens the view."""
        check(ana, tenant)
        later(901)
        assert is_open(ana)
        return ana

    @pytest.fixture
    def other(self, app, old) -> Visitor:
        """Another browser of Ana's."""
        other = Visitor(app)
        other.log_in()
        return other

    def test_button(self, old):
        """The page shows this device; its button forgets it, and the cookie goes."""
        page = old.get(PAGE)
        assert "This device Remembered today. 30 days left." in page.text
        page = old.press(page, "Forget")
        assert "The device is forgotten." in page.text
        assert "No device is remembered." in page.text
        assert devices_of(old) == {}
        assert not is_open(old)

    def test_days(self, old, later):
        """The page counts the days that have passed, and those that are left."""
        later(DAY)
        assert "Remembered 1 day ago. 29 days left." in old.get(PAGE).text

    def test_over(self, old, other, tenant, later):
        """A device whose days are over is not shown beside one whose days are not."""
        check(other, tenant, url="/day")
        assert len(listed(old)) == 2
        later(DAY)
        assert [one["is_this"] for one in listed(old)] == [True]

    def test_elsewhere(self, old, other):
        """A device can be forgotten from another one, at once."""
        page = other.get(PAGE)
        assert "Another device" in page.text
        other.press(page, "Forget")
        assert not is_open(old)

    def test_one_of_two(self, old, other, tenant):
        """Forgetting one leaves the other."""
        check(other, tenant)
        (here,) = [one for one in listed(other) if one["is_this"]]
        assert len(listed(other)) == 2
        token = other.json("GET", PAGE).json["csrf_token"]
        other.json("POST", PAGE, json={"device": here["id"], "csrf_token": token})
        assert [one["is_this"] for one in listed(old)] == [True]
        assert is_open(old)

    def test_all(self, old, other, tenant):
        """One button forgets all."""
        check(other, tenant)
        page = other.press(other.get(PAGE), "Forget all devices")
        assert "All devices are forgotten." in page.text
        assert not is_open(old)

    def test_replayed(self, old):
        """The cookie from before brings nothing back."""
        cookies = devices_of(old)
        old.press(old.get(PAGE), "Forget")
        give(old, cookies)
        assert not is_open(old)

    def test_after_a_new_key(self, app, old, later):
        """What is forgotten after a change of the key stays so: the old list does not come back."""
        change_key(app)
        old.press(old.get(PAGE), "Forget")
        later(5)
        assert listed(old) == []

    def test_authenticators_changed(self, app, old, other, tenant, heard):
        """When Auth0 lists other authenticators at any check, all devices are forgotten."""
        user = tenant.user(ANA)
        user.remove(user.active("email")[0])
        check_by_page(other, tenant, tick=False, url="/strict")
        assert [arguments["reason"] for _, arguments in heard] == ["authenticators"]
        assert not is_open(old)

    def test_authenticators_unchanged(self, old, other, tenant, heard):
        """A check that lists the same ones changes nothing."""
        check_by_page(other, tenant, tick=False, url="/strict")
        assert heard == []
        assert is_open(old)

    def test_remembered_with_others(self, old, other, tenant):
        """What is remembered after such a change stands alone."""
        user = tenant.user(ANA)
        user.remove(user.active("email")[0])
        check(other, tenant)
        assert [one["is_this"] for one in listed(other)] == [True]

    def test_forged(self, old):
        """Another site cannot forget a device: the form has a token."""
        (device,) = listed(old)
        answer = old.client.post(PAGE, data={"device": device["id"]})
        assert answer.status_code == 400
        assert is_open(old)

    def test_device_of_somebody_else(self, app, old):
        """Nobody forgets another user's device."""
        (device,) = listed(old)
        cleo = Visitor(app)
        cleo.log_in("cleo@example.com")
        token = cleo.json("GET", PAGE).json["csrf_token"]
        cleo.json("POST", PAGE, json={"device": device["id"], "csrf_token": token})
        assert is_open(old)

    def test_not_signed_in(self, visitor):
        """The page is for signed-in users."""
        assert visitor.json("GET", PAGE).status_code == 401

    def test_nothing(self, ana):
        """Without devices the page says so; a program that names none is told what is missing."""
        assert "No device is remembered." in ana.get(PAGE).text
        token = ana.json("GET", PAGE).json["csrf_token"]
        answer = ana.json("POST", PAGE, json={"csrf_token": token})
        assert answer.status_code == 400
        assert "device is missing" in answer.json["message"]

    @pytest.mark.parametrize("body", [{}, {"device": "all"}, {"device": "all", "csrf_token": 5}])
    def test_program_without_token(self, old, body):
        """A program sends the token that came with the list."""
        assert old.json("POST", PAGE, json=body).status_code == 400
        assert is_open(old)

    def test_python(self, app, old):
        """An application has the list, and forgets one device or all."""
        (device,) = run(old, lambda: current_auth0.remembered_devices)
        assert (device.audience, device.method, device.is_this) == (PAYMENTS, "otp", True)
        run(old, lambda: current_auth0.forget_device(device.id))
        assert devices_of(old) == {}
        assert not is_open(old)

    @pytest.mark.parametrize("whom", ["own", "named"])
    def test_python_all(self, app, old, whom):
        """It forgets all of the signed-in user, or of a user that it names."""
        user_id = old.json("GET", "/auth/profile").json["sub"] if whom == "named" else None
        caller = old if whom == "own" else Visitor(app)
        run(caller, lambda: current_auth0.forget_devices(user_id))
        assert not is_open(old)

    def test_too_many(self, app, old):
        """A user may have twenty; the oldest goes."""
        flow = app.extensions[EXTENSION].devices

        def remember_many() -> list[str]:
            context = MfaContext("raw", 0, 0, "", PAYMENTS, remember=30, authenticators=())
            start = flow.parts.now() - DAY
            with auth0_session() as session:
                for number in range(MAX_DEVICES + 1):
                    session.verified[PAYMENTS] = Verification(start + number, "otp")
                    flow.remember(session, replace(context, kept_hash=f"hash {number}"), "")
                return [one.id for one in flow.listed(session, {})]

        found = run(old, remember_many)
        assert found == [context_id(f"hash {number}") for number in range(MAX_DEVICES, 0, -1)]


class TestOutage:
    """While the shared state cannot be reached."""

    def test_closed(self, app, ana, tenant, later):
        """Nobody can tell whether a device is remembered: the view stays closed."""
        check(ana, tenant)
        later(901)
        memory = app.extensions[EXTENSION].logins.memory
        object.__setattr__(memory, "state", Broken())
        assert ana.get("/pay").status == 503
        assert ana.get(PAGE).status == 503

    def test_not_written(self, app, ana, tenant, caplog):
        """A second factor that was proved counts; the device is just not remembered."""
        page = ana.challenge_page("/pay")
        memory = app.extensions[EXTENSION].logins.memory
        state = DyingState(memory.state)
        object.__setattr__(memory, "state", state)
        state.is_dying = True
        assert answer(ana, page, tenant.current_otp(ANA)).text == "Open"
        assert "a device was not remembered" in caplog.text
        assert devices_of(ana) == {}


class TestPrograms:
    """JSON clients: nothing unless they ask."""

    def verify(self, ana, code, **extra):
        """Go through the check as a program."""
        mfa_token = ana.mfa_required("/pay")["mfa_token"]
        return ana.json("POST", "/auth/mfa/verify", json={"mfa_token": mfa_token, **code, **extra})

    def test_default(self, ana, tenant):
        """Without a word nothing is remembered."""
        answer = self.verify(ana, {"otp": tenant.current_otp(ANA)})
        assert answer.json == {"success": True}
        assert devices_of(ana) == {}

    def test_asked(self, ana, tenant, later):
        """With one the answer says so, and the device is remembered."""
        answer = self.verify(ana, {"otp": tenant.current_otp(ANA)}, remember=True)
        assert answer.json == {"success": True, "remembered": True}
        later(901)
        assert is_open(ana)

    def test_recovery_code(self, ana, tenant):
        """A recovery code remembers nothing here, either, and the answer says that."""
        code = {"recovery_code": tenant.recovery_code(ANA)}
        assert self.verify(ana, code, remember=True).json["remembered"] is False
        assert devices_of(ana) == {}

    @pytest.mark.parametrize("value", ["true", None])
    def test_malformed(self, ana, tenant, value):
        """Anything but true and false is refused before the code is spent."""
        code = {"otp": tenant.current_otp(ANA)}
        assert self.verify(ana, code, remember=value).status_code == 400
        assert self.verify(ana, code).status_code == 200

    def test_push(self, ana, tenant):
        """A push is remembered by the poll that learns of the approval."""
        mfa_token = ana.mfa_required("/pay")["mfa_token"]
        listed = ana.json("GET", "/auth/mfa/authenticators", headers=bearer(mfa_token)).json
        (push,) = [one for one in listed if one["type"] == "push-notification"]
        body = {"challenge_type": "oob", "authenticator_id": push["id"]}
        ana.json("POST", "/auth/mfa/challenge", json=body, headers=bearer(mfa_token))
        tenant.approve()
        answer = ana.json(
            "POST", "/auth/mfa/poll", json={"remember": True}, headers=bearer(mfa_token)
        )
        assert answer.json == {"success": True, "remembered": True}
        assert len(devices_of(ana)) == 1


def bearer(mfa_token: str) -> dict[str, str]:
    """Return the header that carries the token of a check."""
    return {"Authorization": f"Bearer {mfa_token}"}


@pytest.mark.node
class TestAction:
    """The lines that the documentation adds to the Action, run by Node."""

    @pytest.fixture
    def asks(self, tmp_path: Path) -> Callable[..., bool]:
        """Return a function that tells whether the Action asks for a second factor."""
        (lines,) = (one for one in snippets(DOCS / "remember.rst") if one.language == "javascript")
        place = "if (!isRefresh && !isAskedFor) return;\n"
        action = write_action([PAYMENTS])
        assert action.count(place) == 1
        act = acting(tmp_path, action.replace(place, place + lines.code))

        def asks(sent: object, user: dict[str, Any], client_id: str = "YOUR_CLIENT_ID") -> bool:
            content = event()
            content["user"] |= user
            body = {} if sent is None else {"auth0_mfa_remembered_at": sent}
            content |= {"request": {"body": body}, "client": {"client_id": client_id}}
            return act(content) != []

        return asks

    def test_remembered(self, asks):
        """A proof within the days is enough."""
        user = {"last_password_reset": "2020-01-01T00:00:00.000Z"}
        assert not asks(str(int(time.time()) - 29 * DAY), user)

    @pytest.mark.parametrize(
        ("days", "user", "client_id"),
        [
            (None, {}, "YOUR_CLIENT_ID"),
            (31, {}, "YOUR_CLIENT_ID"),
            (-1, {}, "YOUR_CLIENT_ID"),
            (1, {}, "another"),
            (1, {"enrolledFactors": []}, "YOUR_CLIENT_ID"),
            (1, {"last_password_reset": "2999-01-01T00:00:00.000Z"}, "YOUR_CLIENT_ID"),
        ],
        ids=["no word", "old", "future", "client", "no factor", "new password"],
    )
    def test_otherwise(self, asks, days, user, client_id):
        """Anything else is not: the user is asked."""
        assert asks(None if days is None else str(int(time.time()) - days * DAY), user, client_id)


@pytest.mark.parametrize(("audience", "counts"), [(PAYMENTS, True), (ADMIN, False)])
def test_api(audience, counts):
    """A device stands for its own API, whatever named it."""
    device = RememberedDevice("id", PAYMENTS, "otp", 0, 30 * DAY)
    assert device.counts_for(StepUpRequest(audience, remember=30), DAY) == counts


@pytest.mark.parametrize("days", [0, -1, 366, True, 1.5, "30"])
def test_days(days):
    """A guard that names no sensible number of days is the developer's mistake."""
    with pytest.raises(ValueError, match="days between 1 and 365"):
        requires_stepup(PAYMENTS, remember=days)


def test_binds():
    """An approval is good once, so there is nothing to remember."""
    with pytest.raises(ValueError, match="exclude each other"):
        requires_stepup(PAYMENTS, remember=30, binds=lambda: "Pay")
