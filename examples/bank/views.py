"""The bank's pages, from public to well guarded. Read it from top to bottom.

==================  ==============================================================
``/``               for everyone
``/accounts``       logged in
``/transfer``       logged in, and a second check for the payments API
``/standing-order`` logged in, and a check for the very order that is sent
``/api/balance``    the same for programs, which get JSON
``/admin``          two checks, one after the other
``/open``           an API that its tenant does not protect, and what happens then
``/dashboard``      for operators: how second checks went, in ``dashboard.py``
==================  ==============================================================
"""

from __future__ import annotations

import os
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    jsonify,
    redirect,
    render_template,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from flask_auth0_mfa import current_auth0, requires_login, requires_stepup

from .dashboard import is_operator
from .forms import StandingOrderForm, TransferForm
from .ledger import Customer, InsufficientFundsError, Ledger

# The sensitive APIs, by the identifiers they have in the Auth0 tenant. The tenant decides for
# which of them it wants a second factor; the application only says where it needs which API.
PAYMENTS = "https://payments.example.com"
ADMIN = "https://admin.example.com"
OPEN = "https://open.example.com"

bank = Blueprint("bank", __name__)


@bank.get("/")
def home() -> str:
    """Show what there is to try."""
    return render_template("bank/home.html")


@bank.get("/accounts")
@requires_login
def accounts() -> str:
    """Show the accounts of whoever is logged in."""
    return render_template("bank/accounts.html", accounts=customer().accounts.values())


# One guard for showing the form and for sending it. Whoever sees the form has proved who they
# are; if that is too long ago when the form is sent, they are asked again and start over.
@bank.route("/transfer", methods=["GET", "POST"])
@requires_stepup(PAYMENTS, scope="transfer:funds", reason="To move money we need a second check.")
def transfer() -> str | BaseResponse:
    """Show the form of a transfer, or move the money and go to the receipt."""
    form = TransferForm(accounts=customer().accounts.values())
    if not form.validate_on_submit():
        return render_template("bank/transfer.html", form=form)
    # The token comes from the session, no network. A real bank would now call its payments API:
    #   token = current_auth0.get_access_token(PAYMENTS, "transfer:funds").token
    #   requests.post(f"{PAYMENTS}/transfers", headers={"Authorization": f"Bearer {token}"}, ...)
    try:
        done = ledger().transfer(customer(), form.account.data, form.payee.data, form.cents)
    except InsufficientFundsError:
        form.amount.errors = ["There is not that much money in this account."]
        return render_template("bank/transfer.html", form=form)
    return redirect(url_for("bank.receipt", reference=done.reference), 303)


@bank.get("/transfer/<reference>")
@requires_login
def receipt(reference: str) -> str:
    """Show a transfer of this customer; somebody else's reference is not found."""
    done = customer().transfers.get(reference)
    if done is None:
        abort(404)
    account = customer().accounts[done.account_number]
    return render_template("bank/receipt.html", transfer=done, account=account)


def order_to_approve() -> str | None:
    """Return what the customer has to approve: the order, once it is one."""
    form = StandingOrderForm()
    return form.text if form.validate_on_submit() else None


# This guard is for the order word by word: the challenge page shows it, and the check is good for
# it once. The form that it stops is kept, and sent when the customer says so.
@bank.route("/standing-order", methods=["GET"])
@requires_login
def standing_order_form() -> str:
    """Show the form of a standing order."""
    return render_template("bank/standing_order.html", form=StandingOrderForm())


@bank.post("/standing-order")
@requires_stepup(PAYMENTS, scope="transfer:funds", binds=order_to_approve, resume=True)
def standing_order() -> str:
    """Take the order that was approved, or show what is wrong with the form."""
    form = StandingOrderForm()
    form.validate()
    if current_auth0.approval is None:
        return render_template("bank/standing_order.html", form=form)
    customer().standing_orders.append(current_auth0.approval)
    return render_template("bank/standing_order.html", form=None, done=current_auth0.approval)


# The same guard in front of JSON: without a second check it answers 403 with the error
# `mfa_required` and the address of the challenge page. static/balance.js shows what to do then.
@bank.get("/api/balance")
@requires_stepup(PAYMENTS, scope="read:payments", reason="To show your balance we need a check.")
def balance() -> Response:
    """Return the sum of this customer's accounts."""
    cents = sum(account.balance for account in customer().accounts.values())
    return jsonify(balance=f"{cents / 100:.2f}", currency="EUR")


@bank.get("/admin")
@requires_stepup(ADMIN, reason="To manage the branch we need two checks.")
def admin() -> str:
    """Show how the branch is doing."""
    return render_template("bank/admin.html", customers=ledger().count())


# The tenant gives out tokens for this API without asking for a second factor. That does not open
# the view: instead of it comes a page which says that the tenant is not set up for the check.
@bank.get("/open")
@requires_stepup(OPEN, reason="To show what happens when a tenant does not ask.")
def open_api() -> str:
    """Show what only AUTH0_STEPUP_TRUST_TENANT lets anyone see."""
    return render_template("bank/open.html")


@bank.app_context_processor
def page_frame() -> dict[str, Any]:
    """Return what the frame of every page shows: the user, what is theirs, the demo's phone."""
    domain = current_app.config.get("AUTH0_DOMAIN") or os.environ.get("AUTH0_DOMAIN", "")
    is_local = domain.startswith("http://")
    return {
        "user": current_auth0.user,
        "is_operator": is_operator(),
        "phone_url": f"{domain}/" if is_local else None,
    }


def ledger() -> Ledger:
    """Return the books of this application."""
    books: Ledger = current_app.extensions["ledger"]
    return books


def customer() -> Customer:
    """Return the customer who is logged in; the guards see to it that there is one."""
    user = current_auth0.user or abort(401)
    return ledger().customer(user["sub"])


def format_money(cents: int) -> str:
    """Return an amount of cents as euros, ``€1,234.50``."""
    return f"€{cents / 100:,.2f}"
