"""The page with the new recovery code: shown until the user says that it is saved.

Auth0 gives the code once. It stays sealed in the check's own cookie, so that reload, Back or a
lost answer show it again, and is gone for good after "I have saved it".
"""

from __future__ import annotations

from dataclasses import replace

from flask import make_response, request, url_for
from werkzeug.wrappers import Response

from ..errors import InvalidRequestError
from ..forms import SavedForm
from ..models import Auth0Session, StepUpTarget
from ..pages import BLUEPRINT, render_page
from ..responses import challenge_url, see_other
from ..sessions import auth0_session
from . import steps

GROUP = 4


def show() -> Response:
    """Show the code, or send it as a text file (``?download=1``)."""
    with auth0_session() as session:
        steps.require_user(session)
        identifier = request.args.get("context") or _newest_unsaved(session)
        target = session.targets.get(identifier)
        if target is None:
            raise steps.unknown_check(session)
        if target.recovery_code is None:
            return see_other(_next_url(session, identifier, target))
        if "download" in request.args:
            return _file(target.recovery_code)
        form = SavedForm.shown(steps.binding(session), identifier)
        return _page(session, identifier, target.recovery_code, form)


def acknowledge() -> Response:
    """Forget the code, and go on to where the user was going."""
    with auth0_session() as session:
        steps.require_user(session)
        form = SavedForm.submitted(steps.binding(session))
        steps.require_ours(session, form)
        identifier = form.context.data or ""
        target: StepUpTarget | None = session.targets.get(identifier)
        if target is None:
            raise steps.unknown_check(session)
        if form.errors and target.recovery_code is not None:
            return _page(
                session, identifier, target.recovery_code, form, InvalidRequestError.status
            )
        session.targets[identifier] = replace(target, recovery_code=None)
        return see_other(_next_url(session, identifier, target))


def _newest_unsaved(session: Auth0Session) -> str:
    """Return the id of the newest check whose code was not saved, or nothing.

    The form's own address names none: people come to it again by its address after a missing tick.
    """
    unsaved = [name for name, one in session.targets.items() if one.recovery_code is not None]
    return max(unsaved, key=lambda name: session.targets[name].opened_at, default="")


def _next_url(session: Auth0Session, identifier: str, target: StepUpTarget) -> str:
    """Return where the user was going; first to the check's next factor, if it wants one more."""
    if session.find_context(identifier) is not None:
        return challenge_url(identifier)
    return steps.target_url(identifier, target)


def _page(
    session: Auth0Session, identifier: str, code: str, form: SavedForm, status: int = 200
) -> Response:
    return render_page(
        "recovery_code.html",
        session,
        status=status,
        code_groups=grouped(code),
        form=form,
        download_url=steps.recovery_url(identifier, download=1),
        acknowledge_url=url_for(f"{BLUEPRINT}.acknowledge_recovery_code"),
    )


def _file(code: str) -> Response:
    response = make_response(" ".join(grouped(code)) + "\n")
    response.mimetype = "text/plain"
    response.headers["Content-Disposition"] = 'attachment; filename="recovery-code.txt"'
    return response


def grouped(code: str) -> list[str]:
    """Return the code in groups that are easy to copy by hand."""
    return [code[i : i + GROUP] for i in range(0, len(code), GROUP)]
