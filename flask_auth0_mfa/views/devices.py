"""The page of remembered devices: a user sees theirs, and forgets one or all of them.

Programs get the same as JSON; what they send carries the ``csrf_token`` that came with the list.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from flask import jsonify, request, url_for
from werkzeug.wrappers import Response

from ..devices import forget_devices, listed_devices
from ..errors import InvalidRequestError
from ..forms import DeviceForm
from ..i18n import gettext
from ..models import DAY, Auth0Session, RememberedDevice
from ..pages import BLUEPRINT, render_page
from ..responses import is_program_call, see_other, wants_json
from ..services import services
from ..sessions import auth0_session
from . import api, steps

#: In place of a device's id: all of them.
ALL = "all"
#: What the forms of this page are bound to in place of a check.
_CONTEXT = "devices"


@dataclass(frozen=True)
class ShownDevice:
    """A device as the page shows it; ``days_ago`` and ``days_left`` are whole days."""

    audience: str
    is_this: bool
    days_ago: int
    days_left: int
    form: DeviceForm


def show() -> Response:
    """Show the user's remembered devices."""
    with auth0_session() as session:
        steps.require_user(session)
        found = listed_devices(session)
        if wants_json():
            token = _form(session, ALL).csrf_token.current_token
            return jsonify(devices=[asdict(one) for one in found], csrf_token=token)
        return render_page(
            "devices.html",
            session,
            devices=[_shown(session, one) for one in found],
            forget_url=url_for(f"{BLUEPRINT}.forget_devices"),
            forget_all=_form(session, ALL),
            notice=_notice(),
        )


def forget() -> Response:
    """Forget one device, by its id, or all of them."""
    with auth0_session() as session:
        steps.require_user(session)
        form = DeviceForm.submitted(steps.binding(session), _sent())
        steps.require_ours(session, form)
        identifier = form.device.data
        if not identifier:
            raise InvalidRequestError("device is missing: the id of a device, or all.")
        forget_devices(session, None if identifier == ALL else identifier)
    if wants_json():
        return jsonify(success=True)
    done = ALL if identifier == ALL else "one"
    return see_other(url_for(f"{BLUEPRINT}.devices", forgotten=done))


def _sent() -> dict[str, str]:
    given: dict[str, Any] = api.sent_body() if is_program_call() else request.form
    texts = {name: value for name, value in given.items() if isinstance(value, str)}
    return texts | {"context": _CONTEXT}


def _form(session: Auth0Session, device: str) -> DeviceForm:
    return DeviceForm.shown(steps.binding(session), _CONTEXT, device=device)


def _shown(session: Auth0Session, device: RememberedDevice) -> ShownDevice:
    now = int(services().clock())
    return ShownDevice(
        device.audience,
        device.is_this,
        days_ago=max(0, now - device.remembered_at) // DAY,
        days_left=-(-(device.expires_at - now) // DAY),
        form=_form(session, device.id),
    )


def _notice() -> str | None:
    notices = {
        "one": gettext("The device is forgotten."),
        ALL: gettext("All devices are forgotten."),
    }
    return notices.get(request.args.get("forgotten", ""))
