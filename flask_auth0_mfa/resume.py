"""Forms that a step-up stopped: kept until the user says that they may be sent.

Nothing is ever sent by itself: a form that another site made the browser send would otherwise run
with the second factor that its victim has just proved (SEC-13).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from flask import request

from .models import Auth0Session
from .pages import is_from_another_site, requested_path
from .responses import wants_json

#: The bodies whose fields can be read. A form of another kind (``text/plain``) would be kept empty.
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
#: Longest form that is kept, in bytes as it was sent; it travels in a cookie.
MAX_FORM = 1_500


def keep_form(session: Auth0Session, context_id: str) -> None:
    """Keep this request's form with the check that it has to wait for.

    Not kept, so that the user goes back to the page of the form: one with files, one that is too
    long, one whose fields cannot be read, and whatever a program sent.
    """
    target = session.targets.get(context_id)
    form = _form()
    if target is not None and form is not None:
        session.targets[context_id] = replace(target, form=form)


def forget_form(session: Auth0Session) -> None:
    """Forget the forms that were kept for this request's address: one of them has arrived."""
    action = requested_path()
    for identifier, target in session.targets.items():
        if target.form is not None and target.form["action"] == action:
            session.targets[identifier] = replace(target, form=None)


def _form() -> dict[str, Any] | None:
    action = requested_path()
    if request.method != "POST" or wants_json() or request.files or action is None:
        return None
    if is_from_another_site():
        return None
    if request.mimetype not in FORM_TYPES:
        return None
    fields = list(request.form.items(multi=True))
    if len(urlencode(fields)) > MAX_FORM:
        return None
    return {"action": action, "fields": fields}
