"""The page for those who run the bank: how step-ups went in the last hour, as a plot and a table.

The plot is drawn here, as SVG, so the page asks nobody else for anything and needs no script.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask import Blueprint, current_app, render_template
from werkzeug.wrappers import Response

from flask_auth0_mfa import current_auth0, requires_login

from .outcomes import Interval, Outcomes

dashboard = Blueprint("dashboard", __name__)

# The plot, in units of its own: the browser scales it to the width of the page.
WIDTH, HEIGHT = 600, 260
LEFT, TOP, RIGHT, BOTTOM = 48, 16, 592, 222
BAR, GAP = 17, 3


@dataclass(frozen=True)
class Bar:
    """One bar of the plot: how many, and where it stands."""

    kind: str
    count: int
    x: float
    y: float
    height: float


@dataclass(frozen=True)
class Line:
    """A horizontal line of the plot, with the number that it stands for."""

    count: int
    y: float


@dataclass(frozen=True)
class Plot:
    """Everything that the plot is drawn from."""

    bars: list[Bar]
    lines: list[Line]


@dashboard.get("/dashboard")
@requires_login
def show() -> str | tuple[str, int] | Response:
    """Show the last hour to an operator, and to anybody else that it is not for them."""
    if not is_operator():
        return render_template("bank/closed.html"), 403
    outcomes: Outcomes = current_app.extensions["outcomes"]
    intervals = outcomes.last_hour()
    return render_template(
        "bank/dashboard.html",
        intervals=intervals,
        passed=sum(one.passed for one in intervals),
        refused=sum(one.refused for one in intervals),
        plot=drawn(intervals),
    )


def is_operator() -> bool:
    """Tell whether whoever is logged in runs the bank, by an address that Auth0 has verified."""
    user = current_auth0.user or {}
    return user.get("email_verified") is True and user["email"] in current_app.config["OPERATORS"]


def drawn(intervals: list[Interval]) -> Plot:
    """Return the plot of the intervals: two bars for each, over lines at round numbers."""
    step = round_step(max(max(one.passed, one.refused) for one in intervals))
    highest = 4 * step
    slot = (RIGHT - LEFT) / len(intervals)
    bars = []
    for number, one in enumerate(intervals):
        x = LEFT + slot * number + (slot - 2 * BAR - GAP) / 2
        bars.append(bar("passed", one.passed, x, highest))
        bars.append(bar("refused", one.refused, x + BAR + GAP, highest))
    lines = [Line(count, height_of(count, highest)) for count in range(0, highest + 1, step)]
    return Plot([one for one in bars if one.count], lines)


def bar(kind: str, count: int, x: float, highest: int) -> Bar:
    """Return one bar, in the plot's units."""
    y = height_of(count, highest)
    return Bar(kind, count, round(x, 1), y, round(BOTTOM - y, 1))


def height_of(count: int, highest: int) -> float:
    """Return where in the plot a number stands."""
    return round(BOTTOM - (BOTTOM - TOP) * count / highest, 1)


def round_step(most: int) -> int:
    """Return the step between lines: the smallest round one of which four are enough."""
    return next(step for step in round_numbers() if 4 * step >= most)


def round_numbers() -> Iterable[int]:
    """Yield 1, 2, 5, 10, 20, 50 and so on."""
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10
