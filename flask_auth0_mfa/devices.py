"""The cookie by which a browser is recognised as a remembered device; the rules are in the flows.

It stands apart from the session: it outlives the logout, and is there with any session interface.
``session_auth0_d_OWNER`` is one user's for one API, so what one user has remembered in a browser
neither shows to nor opens anything for the next one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone

from flask import Response, after_this_request, current_app, request

from .flows import SealedDevice
from .models import Auth0Session, MfaContext, RememberedDevice, StepUpRequest
from .services import services
from .sessions import cookie_flags, cookie_name

#: A browser keeps this many, of all its users; the one that was made first goes.
MAX_COOKIES = 5


def this_device(session: Auth0Session, wanted: StepUpRequest) -> RememberedDevice | None:
    """Return the browser of this request if it is remembered, and that counts for the guard."""
    if wanted.remember is None or wanted.audience is None or session.user is None:
        return None
    devices = services().devices
    sealed = device_cookies().get(devices.owner(session, wanted.audience))
    return devices.recognised(session, wanted, sealed) if sealed is not None else None


def remember_device(session: Auth0Session, context: MfaContext) -> bool:
    """Remember the browser in which this check was passed; tells whether that was possible."""
    devices = services().devices
    before = device_cookies().get(devices.owner(session, context.audience or ""), "")
    kept = devices.remember(session, context, before)
    if kept is None:
        return False

    @after_this_request
    def write(response: Response) -> Response:
        _write(response, kept)
        return response

    return True


def listed_devices(session: Auth0Session) -> list[RememberedDevice]:
    """Return the user's remembered devices, the newest first, and which of them is this one."""
    return services().devices.listed(session, device_cookies())


def forget_devices(session: Auth0Session, identifier: str | None = None) -> None:
    """Forget one of the user's devices, or all; of this one also the cookie."""
    devices = services().devices
    gone = [
        _prefix() + devices.owner(session, one.audience)
        for one in listed_devices(session)
        if one.is_this and identifier in (None, one.id)
    ]
    devices.forget(session, identifier)

    @after_this_request
    def clear(response: Response) -> Response:
        flags = cookie_flags(current_app.session_interface, current_app)
        for name in gone:
            response.delete_cookie(name, **flags)
        return response


def device_cookies() -> Mapping[str, str]:
    """Return the devices' cookies of this request by their owner, the oldest first."""
    pattern = re.compile(rf"{re.escape(_prefix())}([A-Za-z0-9_-]{{22}})")
    matches = ((pattern.fullmatch(name), value) for name, value in request.cookies.items())
    return {match[1]: value for match, value in matches if match}


def _write(response: Response, kept: SealedDevice) -> None:
    flags = cookie_flags(current_app.session_interface, current_app)
    others = [owner for owner in device_cookies() if owner != kept.owner]
    for owner in others[: max(0, len(others) - MAX_COOKIES + 1)]:
        response.delete_cookie(_prefix() + owner, **flags)
    response.set_cookie(
        _prefix() + kept.owner,
        kept.sealed,
        max_age=kept.expires_at - int(services().clock()),
        expires=datetime.fromtimestamp(kept.expires_at, timezone.utc),
        **flags,
    )


def _prefix() -> str:
    return f"{cookie_name(current_app.session_interface, current_app)}_d_"
