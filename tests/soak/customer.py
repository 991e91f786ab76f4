"""One user of the bank, who does everything that can be done, at random."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import requests

from flask_auth0_mfa.testing.forms import Form, with_field

from .browser import AnswerLost, Browser, Page
from .record import Record
from .servers import Servers, email_of

#: Pages of one check, wrong codes and changes of mind included.
MOST_PAGES = 30
TABS = 4


class Abandoned(Exception):
    """The user walked away in the middle of a check."""


class Customer:
    """One user with one browser; ``careful`` ones type no wrong codes and stay to the end."""

    def __init__(self, servers: Servers, record: Record, number: int, seed: int) -> None:
        self.email = email_of(number)
        self.browser = Browser(servers, record, self.email.partition("@")[0])
        self.careful = False
        self.proofs = 0
        self._tenant = servers.tenant
        self._record = record
        self._random = random.Random(f"{seed}.{number}")  # noqa: S311 - to be repeated

    def live(self, stop: threading.Event) -> None:
        """Do one thing after the other until told to stop; dying of a mistake is a violation."""
        is_alive = False
        try:
            self._live(stop)
            is_alive = True
        finally:
            if not is_alive:
                self._record.violation("the soak has a mistake", self.email)

    def _live(self, stop: threading.Event) -> None:
        deeds: dict[Callable[[], object], int] = {
            self.look_around: 4,
            self.transfer: 5,
            self.standing_order: 3,
            self.manage: 2,
            self.ask_for_balance: 5,
            self.open_tabs: 3,
            self.log_out: 1,
        }
        while not stop.wait(self._random.expovariate(1.0)):
            (deed,) = self._random.choices(list(deeds), list(deeds.values()))
            name = deed.__name__.replace("_", " ")
            try:
                deed()
                self._record.count(f"did: {name}")
            except Abandoned:
                self._record.count(f"walked away: {name}")
            except AnswerLost:
                self._record.count(f"cut off: {name}")

    # -- what a user does --------------------------------------------------------------------

    def look_around(self) -> None:
        """Open pages that need no check."""
        for path in self._random.sample(["/", "/accounts", "/open", "/auth/profile"], 2):
            self.reach(path)

    def transfer(self) -> Page:
        """Send money; returns the page with the form, or what came instead of it."""
        page = self.reach("/transfer")
        form = with_field(page.forms, "payee")
        if page.path != "/transfer" or form is None:
            return page
        payee = f"Payee of {self.email.partition('@')[0]}"
        done = form.filled(account="1000 4821", payee=payee, amount="0.01")
        self.reach_from(self.browser.send(page, done))
        return page

    def standing_order(self) -> None:
        """Send an order that has to be approved word by word."""
        page = self.reach("/standing-order")
        form = with_field(page.forms, "payee")
        if form is None:
            return
        who = self.email.partition("@")[0]
        amount = f"{self._random.randint(1, 99)}.00"
        page = self.reach_from(self.browser.send(page, form.filled(payee=who, amount=amount)))
        waiting = with_field(page.forms, "payee")
        if page.path == "/auth/mfa/resume" and waiting is not None:
            page = self.reach_from(self.browser.send(page, waiting))
            if "Your standing order is set up" in page.html:
                self._record.count("standing orders approved and sent")

    def manage(self) -> None:
        """Open the page that needs two checks."""
        self.reach("/admin")

    def ask_for_balance(self) -> None:
        """Ask as a program, and do the check as a program, too."""
        status, body = self.browser.json("GET", "/api/balance")
        if status == 401:
            self.log_in()
        elif status == 403 and body.get("error") == "mfa_required":
            self._check_as_program(str(body["mfa_token"]))
            self.browser.json("GET", "/api/balance")

    def open_tabs(self) -> None:
        """Open several pages at the same moment."""
        paths = ["/transfer", "/admin", "/accounts", "/standing-order", "/api/balance"]
        tabs = [
            threading.Thread(target=self._open_tab, args=(path,))
            for path in self._random.choices(paths, k=TABS)
        ]
        for tab in tabs:
            tab.start()
        for tab in tabs:
            tab.join()

    def log_out(self) -> None:
        """Log out here and at the tenant."""
        self.browser.expects_login = True
        self.browser.get("/auth/logout")
        self.browser.expects_login = True

    def log_in(self) -> Page:
        """Log in, wherever the user was going."""
        self.browser.expects_login = True
        return self.reach_from(self.browser.get("/auth/login?return_to=/accounts"))

    def _open_tab(self, path: str) -> None:
        try:
            self.browser.get(path)
        except AnswerLost:
            self._record.count("cut off: a tab")

    # -- a check, page by page ---------------------------------------------------------------

    def reach(self, path: str) -> Page:
        """Open a page and do every check on the way to it; returns where that ends."""
        return self.reach_from(self.browser.get(path))

    def reach_from(self, page: Page) -> Page:
        """Do every check from this page on."""
        seen = []
        for _ in range(MOST_PAGES):
            seen.append(f"{page.status} {page.path} {page.heading}")
            following = self._next(page)
            if following is None:
                return page
            if not self.careful and self._random.random() < 0.04:
                raise Abandoned
            page = following()
        self._record.count("checks given up after many pages")
        raise Abandoned("; ".join(seen[-4:]))

    def _next(self, page: Page) -> Callable[[], Page] | None:
        """Return the next step of a user who sees this page; ``None`` at the end of the way."""
        if form := with_field(page.forms, "password"):
            filled = form.filled(username=self.email, password="demo")
            return lambda: self.browser.send(page, filled)
        if page.heading in ("Sign in to go on", "Sign in again to go on"):
            return self._sign_in_again(page)
        if page.status >= 400 or not page.path.startswith("/auth/mfa/"):
            return None
        filled_in = self._fill_in(page)
        return None if filled_in is None else lambda: self.browser.send(page, filled_in)

    def _sign_in_again(self, page: Page) -> Callable[[], Page] | None:
        url = page.link("Sign in")
        if url is None:
            return None
        if page.heading == "Sign in again to go on":
            self.browser.expects_login = True
        return lambda: self.browser.get(url)

    def _fill_in(self, page: Page) -> Form | None:
        forms = page.forms
        if form := with_field(forms, "saved"):
            return form.filled(saved="y")
        if form := with_field(forms, "phone_number"):
            return form.filled(phone_number=f"+1555{self._random.randint(0, 9_999_999):07}")
        if poll := next((one for one in forms if one.action.endswith("/mfa/poll")), None):
            self._decide()
            return poll
        if form := with_field(forms, "code"):
            return form.filled(code=self._code(page.heading))
        choices = [one for one in forms if {"authenticator_id", "method"} & one.fields.keys()]
        if choices:
            return self._random.choice(choices)
        # To scan a code of Guardian, and then to say so.
        if "Set up approval" in page.heading:
            self._decide()
            return forms[0] if forms else None
        return None

    # -- the phone ---------------------------------------------------------------------------

    def _code(self, heading: str) -> str:
        self.proofs += 1
        phone = self._phone()
        if "recovery code" in heading:
            right = phone["recovery_code"]
        elif "authenticator app" in heading:
            right = phone["otp"]
        else:
            right = phone["message"]
        if right is None or self._is_wrong():
            return "A" * 24 if "recovery code" in heading else "000000"
        return str(right)

    def _decide(self) -> None:
        self.proofs += 1
        decision = "reject" if self._is_wrong() else "approve"
        for push in self._phone()["pushes"]:
            url = f"{self._tenant}/_emulator/pushes/{push}"
            requests.post(url, json={"decision": decision}, timeout=20)

    def _is_wrong(self) -> bool:
        return not self.careful and self._random.random() < 0.2

    def _phone(self) -> dict[str, Any]:
        answer = requests.get(f"{self._tenant}/_soak/phone/{self.email}", timeout=20)
        found: dict[str, Any] = answer.json()
        return found

    def _check_as_program(self, mfa_token: str) -> None:
        phone = self._phone()
        named = {"mfa_token": mfa_token}
        if phone["otp"] is None:
            return
        way = self._random.choice(["otp", "recovery_code", "oob"])
        if way == "oob":
            wanted = {**named, "challenge_type": "oob"}
            status, challenge = self.browser.json("POST", "/auth/mfa/challenge", wanted)
            if status != 200 or "binding_method" not in challenge:
                return
            code = self._phone()["message"] or "000000"
            proof = {"oob_code": challenge["oob_code"], "binding_code": code}
        else:
            proof = {way: "A" * 24 if phone[way] is None or self._is_wrong() else phone[way]}
        status, body = self.browser.json("POST", "/auth/mfa/verify", {**named, **proof})
        self._record.count(f"program's code: {status} {body.get('error', 'success')}")
