"""The bank example against the local tenant, and ``make demo`` as a person starts it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask

from examples.bank import create_app
from examples.bank.dashboard import drawn
from examples.bank.ledger import InsufficientFundsError, Ledger
from examples.bank.outcomes import Interval, Outcomes
from flask_auth0_mfa import signals
from flask_auth0_mfa.emulator import Tenant

from .observed import wrong_code
from .visitor import Page, Visitor

ROOT = Path(__file__).parent.parent
EVERYDAY = "1000 4821"


@pytest.fixture
def app(tenant: Tenant, tenant_server: Any) -> Flask:
    """The bank, in place of the application that other tests use."""
    return create_app({"AUTH0_DOMAIN": tenant_server.url, "SECRET_KEY": "a key for tests only"})


@pytest.fixture
def verified(ana: Visitor, tenant: Tenant) -> Page:
    """Ana's form for a transfer, which she sees after a second check."""
    return ana.step_up("/transfer", tenant.current_otp("ana@example.com"))


class TestPages:
    """What the bank shows to whom."""

    def test_home_is_public(self, visitor):
        """Anybody sees the home page, with a way to log in."""
        page = visitor.get("/")
        assert page.status == 200
        assert page.link("Log in").endswith("/auth/login?return_to=/accounts")

    def test_header_shows_who_is_logged_in(self, ana):
        """Who is logged in sees so on every page, with a way to log out."""
        page = ana.get("/")
        assert "Logged in as Ana" in page.text
        assert page.link("Log out").endswith("/auth/logout")

    def test_accounts_need_a_login(self, visitor):
        """Somebody unknown who asks for the accounts lands on the tenant's login page."""
        page = visitor.get("/accounts")
        assert "password" in page.forms()[0][1]
        page = visitor.press(page, "password", username="ana@example.com", password="demo")
        assert page.path == "/accounts"
        assert "€2,480.50" in page.text

    def test_logging_out(self, ana):
        """After logging out the bank does not know the visitor any more."""
        ana.get(ana.get("/").link("Log out"))
        assert "Logged in as" not in ana.get("/").text

    def test_branch_needs_two_checks(self, ana, tenant):
        """The administration opens after a code and then a message."""
        page = ana.step_up("/admin", tenant.current_otp("ana@example.com"))
        assert page.path == "/auth/mfa/challenge"
        if "code" not in page.forms()[0][1]:
            page = ana.press(page, "Text message")
        page = ana.press(page, "code", code=tenant.last_message("ana@example.com").code)
        assert page.path == "/admin"
        assert "You passed two checks" in page.text

    def test_api_that_its_tenant_does_not_protect(self, ana):
        """A tenant that does not ask for a second factor does not open the page."""
        page = ana.get("/open")
        assert page.status == 403
        assert "You see this page because" not in page.text


class TestTransfer:
    """Moving money."""

    def test_needs_a_second_check(self, ana):
        """The form is not shown on a login alone, and the check says why."""
        page = ana.get("/transfer")
        assert page.path == "/auth/mfa/challenge"
        assert "To move money we need a second check." in page.text

    def test_moves_money(self, ana, verified):
        """The receipt and the accounts show what has moved."""
        receipt = ana.press(verified, "payee", account=EVERYDAY, payee="Ben", amount="80.50")
        assert re.fullmatch(r"/transfer/[0-9A-F]{8}", receipt.path)
        assert "€80.50" in receipt.text
        assert "€2,400.00" in ana.get("/accounts").text

    def test_sending_the_form_needs_the_check_too(self, ana):
        """A POST on a login alone moves nothing and leads to the check."""
        form = {"account": EVERYDAY, "payee": "Eve", "amount": "80.50"}
        answer = ana.client.post("/transfer", data=form, headers={"Accept": "text/html"})
        assert "/auth/mfa/challenge" in answer.location
        assert "€2,480.50" in ana.get("/accounts").text

    def test_form_from_elsewhere_moves_nothing(self, ana, verified):
        """Without the CSRF token of the form nothing moves, even right after a check."""
        assert verified.path == "/transfer"
        form = {"account": EVERYDAY, "payee": "Eve", "amount": "80.50"}
        answer = ana.client.post("/transfer", data=form, headers={"Accept": "text/html"})
        assert "open for too long" in answer.text
        assert "€2,480.50" in ana.get("/accounts").text

    @pytest.mark.parametrize(
        ("amount", "problem"),
        [
            ("", "Enter an amount"),
            ("0", "Enter 0.01 to"),
            ("-5", "Enter 0.01 to"),
            ("NaN", "Enter 0.01 to"),
            ("Infinity", "Enter 0.01 to"),
            ("five", "Not a valid decimal value"),
            ("2480.51", "not that much money"),
        ],
    )
    def test_wrong_amount(self, ana, verified, amount, problem):
        """The form comes back with what is wrong, and the amount as it was typed."""
        page = ana.press(verified, "payee", account=EVERYDAY, payee="Ben", amount=amount)
        assert page.title.startswith("Error:")
        assert problem in page.text
        assert page.form("payee")[1]["amount"] == amount

    def test_receipt_of_somebody_else(self, app, ana, verified):
        """Ben does not find Ana's receipt."""
        receipt = ana.press(verified, "payee", account=EVERYDAY, payee="Ben", amount="1")
        ben = Visitor(app)
        ben.log_in("ben@example.com")
        assert ben.get(receipt.url).status == 404


class TestBalance:
    """The JSON endpoint."""

    def test_program_is_told_where_to_go(self, ana):
        """Without a second check it answers 403 and names the page of the check."""
        answer = ana.mfa_required("/api/balance")
        assert "/auth/mfa/challenge?context=" in answer["challenge_url"]

    def test_balance(self, ana, tenant):
        """After the check it answers with the sum of the accounts."""
        ana.step_up("/api/balance", tenant.current_otp("ana@example.com"))
        assert ana.json("GET", "/api/balance").json == {"balance": "14780.50", "currency": "EUR"}


class TestDashboard:
    """How second checks went, for those who run the bank."""

    @pytest.fixture
    def app(self, app):
        """The bank that Ana runs."""
        app.config["OPERATORS"] = ["ana@example.com"]
        return app

    @staticmethod
    def numbers(page):
        """Return the rows of the table: minutes ago, passed, refused."""
        rows = [[cell.text for cell in row] for row in page.root.iter("tr")]
        return {row[0]: (int(row[1]), int(row[2])) for row in rows[1:]}

    def test_outcomes(self, ana, tenant):
        """What was passed and what was refused is in the table, and has bars."""
        page = ana.challenge_page("/transfer")
        page = ana.press(page, "code", code=wrong_code(tenant))
        ana.press(page, "code", code=tenant.current_otp("ana@example.com"))
        page = ana.get(ana.get("/").link("How second checks are going"))
        assert self.numbers(page)["0 to 5"] == (1, 1)
        assert sum(map(sum, self.numbers(page).values())) == 2
        assert "50%" in page.text
        drawn = [one.get("class") for one in page.root.iter("{http://www.w3.org/2000/svg}rect")]
        assert drawn[2:] == ["passed", "refused"]

    def test_last_hour(self):
        """Outcomes move from one interval to the next, and out of the hour."""
        now = [10_000.0]
        outcomes, sender = Outcomes(lambda: now[0]), object()
        outcomes.listen(sender)
        signals.verified.send(sender)
        for seconds, index in ((0, -1), (299, -1), (1, -2), (3299, 0)):
            now[0] += seconds
            found = [one.passed for one in outcomes.last_hour()]
            assert found.pop(index) == 1
            assert not any(found)
        now[0] += 1
        assert not any(one.passed for one in outcomes.last_hour())

    @pytest.mark.parametrize(("most", "highest"), [(0, 4), (4, 4), (5, 8), (9, 20), (3000, 4000)])
    def test_scale(self, most, highest):
        """The scale ends at a round number that the highest bar does not pass."""
        plot = drawn([Interval(5, 0, most, 0)])
        assert plot.lines[-1].count == highest
        assert all(bar.y >= plot.lines[-1].y for bar in plot.bars)

    def test_nothing_happened(self, ana):
        """A quiet hour is said in words."""
        assert "Nothing happened in the last hour." in ana.get("/dashboard").html

    def test_somebody_else(self, app):
        """A customer neither finds the way to it, nor sees it."""
        ben = Visitor(app)
        ben.log_in("ben@example.com")
        assert "How second checks are going" not in ben.get("/").text
        page = ben.get("/dashboard")
        assert (page.status, "Tries refused" in page.text) == (403, False)

    def test_address_that_is_not_verified(self, app, tenant):
        """An address that anybody could have signed up with makes no operator."""
        tenant.user("ana@example.com").email_verified = False
        ana = Visitor(app)
        ana.log_in("ana@example.com")
        assert ana.get("/dashboard").status == 403

    def test_stranger(self, visitor):
        """Who is not logged in is sent to the login."""
        assert "password" in visitor.get("/dashboard").forms()[0][1]


def test_more_than_there_is_stays_in_the_account():
    """A transfer over the balance is refused and changes nothing."""
    ledger = Ledger()
    customer = ledger.customer("auth0|ana")
    with pytest.raises(InsufficientFundsError):
        ledger.transfer(customer, EVERYDAY, "Ben", 2_480_51)
    assert customer.accounts[EVERYDAY].balance == 2_480_50
    assert customer.transfers == {}


class TestDemo:
    """``make demo``, whose recipe is ``python -m examples.bank.demo``."""

    def test_says_where_to_go_and_as_whom(self):
        """Both servers answer once the addresses are printed, and Ctrl-C stops them."""
        bank, tenant = free_port(), free_port()
        with demo(DEMO_PORT=bank, TENANT_PORT=tenant) as process:
            text = read_until(process, "Ctrl-C")
            assert f"http://localhost:{bank}\n" in text
            assert "ana@example.com" in text
            assert f"http://localhost:{tenant}" in text
            login = requests.get(f"http://localhost:{bank}/accounts", timeout=10)
            assert login.url.startswith(f"http://localhost:{tenant}/")
            assert requests.get(f"http://localhost:{tenant}/", timeout=10).ok
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=10)[0].endswith("Stopped.\n")
        assert process.returncode == 0

    @pytest.mark.parametrize("variable", ["DEMO_PORT", "TENANT_PORT"])
    def test_port_in_use(self, variable):
        """A port that is taken is named in one sentence, with what to do."""
        ports = {"DEMO_PORT": free_port(), "TENANT_PORT": free_port()}
        with socket.create_server(("127.0.0.1", 0)) as other:
            ports[variable] = other.getsockname()[1]
            with demo(**ports) as process:
                text = process.communicate(timeout=20)[0]
        assert process.returncode == 1
        assert text == (
            f"Port {ports[variable]} is in use by another program. "
            f"Choose another one: make demo {variable}={ports[variable] + 1}\n"
        )

    def test_with_a_real_tenant(self):
        """With a tenant named it starts none, and says which addresses to allow there."""
        bank = free_port()
        real = {"AUTH0_DOMAIN": "example.eu.auth0.com", "AUTH0_CLIENT_ID": "id"}
        with demo(DEMO_PORT=bank, AUTH0_CLIENT_SECRET="unused", **real) as process:
            text = read_until(process, "Ctrl-C")
        assert "example.eu.auth0.com" in text
        assert f"http://localhost:{bank}/auth/callback" in text
        assert "ana@example.com" not in text

    def test_with_half_a_real_tenant(self):
        """A setting that is missing is named, without a traceback."""
        with demo(DEMO_PORT=free_port(), AUTH0_DOMAIN="example.eu.auth0.com") as process:
            text = process.communicate(timeout=20)[0]
        assert process.returncode == 1
        assert "AUTH0_CLIENT_ID" in text
        assert "Traceback" not in text


@contextmanager
def demo(**variables: Any) -> Iterator[subprocess.Popen[str]]:
    """Start the demo with its output in a pipe, and end it."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("AUTH0_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "examples.bank.demo"],
        cwd=ROOT,
        env={**clean, **{key: str(value) for key, value in variables.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def program(module: str, **variables: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run an example until it says where it is; yields the process and that address."""
    port = free_port()
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={**os.environ, **variables, "PORT": str(port)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert f"http://localhost:{port} " in read_until(process, "Her phone")
            yield process, f"http://localhost:{port}"
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Return what the process prints, up to and with the line that has these words."""
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            break
    return "".join(lines)


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
