"""The page that asks whether a form that was stopped may be sent now."""

from __future__ import annotations

import re
from collections.abc import Iterable

from flask import Response, request
from werkzeug.wrappers import Response as BaseResponse

from ..pages import render_page
from ..responses import challenge_url, see_other
from ..services import services
from ..sessions import auth0_session
from . import steps

#: Fields that are sent and not shown: tokens of forms, and what starts with an underscore.
_TECHNICAL = re.compile(r"_|.*(csrf|token)", re.IGNORECASE)
_SECRET = re.compile(r".*(passw|pwd|secret|pin$|cvc|cvv)", re.IGNORECASE)
#: Longest value that is shown whole, in characters.
MAX_SHOWN = 200


def show() -> BaseResponse:
    """Show what the form says, with the one button that sends it."""
    identifier = request.args.get("context", "")
    with auth0_session() as session:
        steps.require_user(session)
        target = session.targets.get(identifier)
        if target is None:
            raise steps.unknown_check(session)
        if not services().tokens.is_met(session, target):
            return see_other(challenge_url(identifier))
        if target.form is None:
            return see_other(steps.target_url(identifier, target))
        page = render_page(
            "resume.html",
            session,
            approval=target.approval,
            action=target.form["action"],
            fields=target.form["fields"],
            shown=shown(target.form["fields"]),
        )
    return _allow_any_target(page)


def shown(fields: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return names and values as a person is shown them; secrets as dots."""
    found = []
    for name, value in fields:
        if _TECHNICAL.match(name) or not value:
            continue
        text = "•••" if _SECRET.match(name) else value
        text = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
        found.append((name.replace("_", " ").capitalize(), text))
    return found


def _allow_any_target(page: Response) -> Response:
    """Let the application's own view answer the form with a redirect to wherever it likes.

    Browsers hold the redirects after a form against the page's form-action as well.
    """
    policy = page.headers.get("Content-Security-Policy", "")
    page.headers["Content-Security-Policy"] = policy.replace(
        "form-action 'self'", "form-action 'self' https:"
    )
    return page
