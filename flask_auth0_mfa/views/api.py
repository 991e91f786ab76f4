"""The JSON side: the bodies and answers of nextjs-auth0's ``/auth/mfa/*`` routes.

The caller names its check by the sealed ``mfa_token`` from the 403, as a Bearer credential or in
the body. It must send the session cookie as well, since a check belongs to one session.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Response, jsonify, request

from ..errors import InvalidRequestError, LoginRequiredError
from ..flows import Proof
from ..models import Auth0Session, MfaContext
from ..responses import bearer_token
from ..services import services
from ..sessions import auth0_session


def start() -> Response:
    """Start a challenge: ``{mfa_token, challenge_type, authenticator_id?}``."""
    body = _body()
    found = services()
    challenge_type = _challenge_type(body)
    authenticator_id = _text(body, "authenticator_id")
    with auth0_session() as session:
        context = _context(session, body)
        context = found.step_up.authenticators(session, context)
        chosen = found.step_up.pick(context, authenticator_id, challenge_type)
        context = found.start(session, context, chosen)
        return jsonify(found.step_up.challenge_answer(context, chosen))


def verify() -> Response:
    """Check a code: ``{"success": true}``, with the new ``recovery_code`` after one was used."""
    body = _body()
    found = services()
    with auth0_session() as session:
        context = _context(session, body)
        response = found.verify(session, context, _proof(body, context))
    answer: dict[str, Any] = {"success": True}
    if response.recovery_code is not None:
        answer["recovery_code"] = response.recovery_code
    return jsonify(answer)


def authenticators() -> Response:
    """List the methods that this check can use."""
    found = services()
    with auth0_session() as session:
        context = _context(session, {})
        context = found.step_up.authenticators(session, context)
        return jsonify([one.to_dict() for one in context.usable])


# -- what came in ----------------------------------------------------------------------------


def _body() -> dict[str, Any]:
    if not request.is_json:
        return dict(request.form.items())
    body = request.get_json(silent=True)
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


def _context(session: Auth0Session, body: dict[str, Any]) -> MfaContext:
    mfa_token = bearer_token() or _text(body, "mfa_token")
    if not mfa_token:
        raise InvalidRequestError(
            "mfa_token is missing: send it as Authorization: Bearer, or in the body."
        )
    context = services().step_up.context_for_token(session, mfa_token)
    if session.user is None:
        raise LoginRequiredError()
    return context


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
    return services().step_up.proof_for_code(context, code)
