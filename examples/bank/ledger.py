"""The bank's books: accounts and transfers of each customer, in memory.

Amounts are in cents. Nothing here knows about the web or about logins.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field


class InsufficientFundsError(Exception):
    """The account holds less than the amount of the transfer."""


@dataclass
class Account:
    """One account of a customer; ``balance`` in cents."""

    number: str
    name: str
    balance: int


@dataclass(frozen=True)
class Transfer:
    """Money that has moved; ``amount`` in cents."""

    reference: str
    account_number: str
    payee: str
    amount: int


@dataclass
class Customer:
    """What the bank keeps for one user."""

    accounts: dict[str, Account]
    transfers: dict[str, Transfer] = field(default_factory=dict)
    #: What was approved, in the customer's words.
    standing_orders: list[str] = field(default_factory=list)


class Ledger:
    """All customers by their user id; a new user finds two accounts with money in them."""

    def __init__(self) -> None:
        self._customers: dict[str, Customer] = {}
        self._lock = threading.Lock()

    def customer(self, user_id: str) -> Customer:
        """Return the customer with that id, opening accounts for a new one."""
        with self._lock:
            return self._customers.setdefault(user_id, _new_customer())

    def transfer(
        self, customer: Customer, account_number: str, payee: str, amount: int
    ) -> Transfer:
        """Move ``amount`` cents out of the account, or raise InsufficientFundsError."""
        with self._lock:
            account = customer.accounts[account_number]
            if amount > account.balance:
                raise InsufficientFundsError
            account.balance -= amount
            transfer = Transfer(secrets.token_hex(4).upper(), account_number, payee, amount)
            customer.transfers[transfer.reference] = transfer
        return transfer

    def count(self) -> int:
        """Return how many customers the bank has."""
        return len(self._customers)


def _new_customer() -> Customer:
    accounts = (
        Account("1000 4821", "Everyday account", 2_480_50),
        Account("1000 4839", "Savings", 12_300_00),
    )
    return Customer({account.number: account for account in accounts})
