"""The bank's forms."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from flask_wtf import FlaskForm
from wtforms import DecimalField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from .ledger import Account


class TransferForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """From which account, to whom, how much; with Flask-WTF's protection against CSRF."""

    account = SelectField("From")
    payee = StringField("To", [InputRequired("Say who gets the money."), Length(max=80)])
    amount = DecimalField(
        "Amount in euros",
        [
            InputRequired("Enter an amount, for example 25.00."),
            NumberRange(Decimal("0.01"), Decimal(1_000_000), "Enter 0.01 to 1,000,000 euros."),
        ],
    )

    def __init__(self, accounts: Iterable[Account], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.account.choices = [(account.number, account.name) for account in accounts]

    @property
    def cents(self) -> int:
        """The amount in cents."""
        return int((self.amount.data * 100).to_integral_value())


class StandingOrderForm(FlaskForm):  # type: ignore[misc]
    """To whom, how much, every month."""

    payee = StringField("To", [InputRequired("Say who gets the money."), Length(max=80)])
    amount = DecimalField(
        "Amount in euros, every month",
        [
            InputRequired("Enter an amount, for example 25.00."),
            NumberRange(Decimal("0.01"), Decimal(10_000), "Enter 0.01 to 10,000 euros."),
        ],
    )

    @property
    def text(self) -> str:
        """What the customer approves."""
        return f"Pay {self.amount.data:.2f} EUR to {self.payee.data} every month"
