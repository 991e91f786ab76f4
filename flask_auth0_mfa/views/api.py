"""The JSON side: the bodies and answers of nextjs-auth0's ``/auth/mfa/*`` routes.

The caller names its check by the sealed ``mfa_token`` from the 403, as a Bearer credential or in
the body. It must send the session cookie as well, since a check belongs to one session.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from .. import jsontext
from ..bearer import bearer_token
from ..devices import remember_device
from ..errors import InvalidRequestError, LoginRequiredError
from ..factors import method_of
from ..flows import Proof
from ..models import Auth0Session, Authenticator, MfaContext
from ..services import services
from ..sessions import auth0_session


def start() -> Response:
    """Start a challenge: ``{mfa_token, challenge_type, authenticator_id?}``.

    Asked again, it answers with the challenge that is open; once the pause after a message is
    over (``AUTH0_MFA_SEND_CONTEXT_LIMIT``), it sends a new one.
    """
    body = sent_body()
    found = services()
    challenge_type = _challenge_type(body)
    authenticator_id = _text(body, "authenticator_id")
    with auth0_session() as session:
        context = _context(session, body)
        context = found.challenges.listed(session, context)
        chosen = found.challenges.pick(context, authenticator_id, challenge_type)
        resend = found.may_send_again(session, context)
        context = found.start_challenge(session, context, chosen, resend=resend)
        return jsonify(_challenge_answer(context, chosen))


def verify() -> Response:
    """Check a code: ``{"success": true}``, with the new ``recovery_code`` after one was used.

    With ``"remember": true`` the answer says whether this device is ``remembered`` now.
    """
    body = sent_body()
    found = services()
    with auth0_session() as session:
        context = _context(session, body, maybe_spent=True)
        if wants := _wants_remembering(body):
            context = found.challenges.listed(session, context)
        response = found.verify(session, context, _proof(body, context))
        answer: dict[str, Any] = {"success": True}
        if wants:
            answer["remembered"] = remember_device(session, context)
    if response.recovery_code is not None:
        answer["recovery_code"] = response.recovery_code
    return jsonify(answer)


def poll() -> Response:
    """Ask whether a push was answered: 200 done, 202 pending with ``interval``.

    ``"remember": true`` is as with :func:`verify`.
    """
    found = services()
    body = sent_body()
    answer = {"success": True}
    with auth0_session() as session:
        context = _context(session, body, maybe_spent=True)
        if wants := _wants_remembering(body):
            context = found.challenges.listed(session, context)
        found.poll(session, context)
        if wants:
            answer["remembered"] = remember_device(session, context)
    return jsonify(answer)


def associate() -> Response:
    """Begin to enroll: ``{authenticator_types, oob_channels?, phone_number?, email?}``."""
    body = sent_body()
    found = services()
    method = _enrolled_method(body)
    with auth0_session() as session:
        context = _context(session, body)
        context = found.challenges.listed(session, context)
        found.enrollment.require_fresh(session, context)
        context = found.start_enrollment(
            session,
            context,
            method,
            phone_number=_text(body, "phone_number"),
            email=_text(body, "email"),
        )
        return jsonify(context.enrollment.to_dict() if context.enrollment else {})


def authenticators() -> Response:
    """List the methods that this check can use."""
    found = services()
    with auth0_session() as session:
        context = _context(session, {})
        context = found.challenges.listed(session, context)
        return jsonify([one.to_dict() for one in context.usable])


def _challenge_answer(context: MfaContext, chosen: Authenticator) -> dict[str, str]:
    """Return Auth0's fields of the challenge that is open for this authenticator."""
    challenge = services().challenges.open_one(context, chosen.id)
    if challenge is None:
        return {"challenge_type": chosen.method}
    answer = {"challenge_type": challenge.challenge_type}
    if challenge.oob_code is not None:
        answer["oob_code"] = challenge.oob_code
    if challenge.binding_method is not None:
        answer["binding_method"] = challenge.binding_method
    return answer


# -- what came in ----------------------------------------------------------------------------


def sent_body() -> dict[str, Any]:
    """Return the fields that a program sent; raises :class:`InvalidRequestError`."""
    if not request.is_json:
        return dict(request.form.items())
    try:
        body = jsontext.parse(request.get_data())
    except RequestEntityTooLarge:
        raise InvalidRequestError("The body is too large.") from None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise InvalidRequestError("The body must be a JSON object.")
    return body


def _text(body: dict[str, Any], name: str) -> str | None:
    """Return a field of the body, by its name or its camelCase name."""
    camel = re.sub(r"_([a-z])", lambda match: match[1].upper(), name)
    value = body.get(name, body.get(camel))
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise InvalidRequestError(f"{name} must be a non-empty string.")
    return value


def _wants_remembering(body: dict[str, Any]) -> bool:
    wants = body.get("remember", False)
    if not isinstance(wants, bool):
        raise InvalidRequestError("remember must be true or false.")
    return wants


def _context(
    session: Auth0Session, body: dict[str, Any], *, maybe_spent: bool = False
) -> MfaContext:
    mfa_token = bearer_token() or _text(body, "mfa_token")
    if not mfa_token:
        raise InvalidRequestError(
            "mfa_token is missing: send it as Authorization: Bearer, or in the body."
        )
    context = services().contexts.for_token(session, mfa_token, maybe_spent=maybe_spent)
    if session.user is None:
        raise LoginRequiredError()
    return context


def _enrolled_method(body: dict[str, Any]) -> str:
    """Return the method that Auth0's own fields name."""
    kinds = body.get("authenticator_types", body.get("authenticatorTypes"))
    channels = body.get("oob_channels", body.get("oobChannels"))
    if kinds == ["otp"]:
        return "otp"
    if kinds != ["oob"]:
        raise InvalidRequestError('authenticator_types must be ["otp"] or ["oob"].')
    if not isinstance(channels, list) or len(channels) != 1 or not isinstance(channels[0], str):
        raise InvalidRequestError("oob_channels must name one of sms, voice, email, auth0.")
    return method_of("oob", channels[0])


def _challenge_type(body: dict[str, Any]) -> str | None:
    challenge_type = _text(body, "challenge_type")
    if challenge_type is not None and not set(challenge_type.split()) <= {"otp", "oob"}:
        raise InvalidRequestError("challenge_type must be otp or oob.")
    return challenge_type


def _proof(body: dict[str, Any], context: MfaContext) -> Proof:
    code = _text(body, "code")
    proof = Proof(
        otp=_text(body, "otp"),
        oob_code=_text(body, "oob_code"),
        binding_code=_text(body, "binding_code"),
        recovery_code=_text(body, "recovery_code"),
    )
    if code is None:
        return proof
    if proof != Proof():
        raise InvalidRequestError("Give either code or otp, oob_code, recovery_code; not both.")
    return services().verification.proof_for_code(context, code)
