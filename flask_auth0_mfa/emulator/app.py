"""The Flask application of the tenant: every request is logged, faulty on order, and locked."""

from __future__ import annotations

import json
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.json.provider import DefaultJSONProvider
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import ClientDisconnected

from . import limits
from .api import api
from .control import control
from .current import EXTENSION, tenant
from .faults import ConnectionDropped, Fault
from .hosted_mfa import mfa_pages
from .login import login_pages
from .logout import logout_pages
from .oauth import Server
from .oauth_request import json_object
from .records import Call
from .refusals import Refused
from .tenant import Tenant

#: The status of a call that was not answered, in the log of calls.
_DROPPED = 0


class _JsonInOrder(DefaultJSONProvider):
    """JSON with its fields in Auth0's order."""

    sort_keys = False


class EmulatorApp(Flask):
    """A Flask application that carries out one request at a time under the tenant's lock.

    Faults come before that, so a late answer keeps nobody else waiting.
    """

    tenant: Tenant

    def dispatch_request(self) -> ResponseReturnValue:
        """Call the view under the lock."""
        with self.tenant.lock:
            return super().dispatch_request()

    def handle_exception(self, e: Exception) -> Response:
        """Let a dropped connection through to the server, which then hangs up."""
        if isinstance(e, ConnectionDropped):
            raise e
        return super().handle_exception(e)


def create_app(tenant: Tenant | None = None) -> Flask:
    """Return the tenant as an ordinary WSGI application."""
    app = EmulatorApp(__name__, static_folder="static", static_url_path="/_emulator/static")
    app.tenant = tenant or Tenant()
    app.json = _JsonInOrder(app)
    app.extensions[EXTENSION] = Server(app, app.tenant)
    app.before_request(_meet_fault)
    app.before_request(_respect_free_tier)
    app.after_request(_log_call)
    app.after_request(_secure)
    app.register_error_handler(Refused, _refuse)
    app.register_error_handler(404, _not_found)
    app.register_error_handler(405, _not_found)
    for blueprint in (api, login_pages, mfa_pages, logout_pages, control):
        app.register_blueprint(blueprint)
    return app


def _is_control() -> bool:
    return request.path == "/" or request.path.startswith(("/_emulator/", "/phone/"))


def _meet_fault() -> Response | None:
    if _is_control():
        return None
    with tenant().lock:
        fault = tenant().faults.take(request.path)
    if fault is None:
        return None
    tenant().clock.sleep(fault.delay)
    if fault.drop:
        _record_call(_DROPPED)
        raise ConnectionDropped
    return _faulty_answer(fault) if fault.answers else None


def _faulty_answer(fault: Fault) -> Response:
    body: Any = "" if fault.body is None else fault.body
    if isinstance(body, str):
        return Response(body, fault.status or 200, mimetype="text/plain")
    return Response(json.dumps(body), fault.status or 200, mimetype="application/json")


def _respect_free_tier() -> None:
    if not tenant().configuration.free_tier or _is_control():
        return
    with tenant().lock:
        if request.path == "/oauth/token":
            tenant().limits.take(limits.FREE_TOKEN, "tenant")
        if request.path == "/.well-known/jwks.json":
            tenant().limits.take(limits.FREE_JWKS, "tenant")
        tenant().limits.take(limits.FREE_API, "tenant")


def _log_call(response: Response) -> Response:
    if not _is_control():
        _record_call(response.status_code)
    return response


def _record_call(status: int) -> None:
    with tenant().lock:
        at = tenant().clock.now()
        tenant().calls.append(Call(request.method, request.path, _grant_type(), status, at))


def _grant_type() -> str | None:
    try:
        body = json_object() or {} if request.is_json else request.form
    except ClientDisconnected:  # gone in the middle of the request
        return None
    grant_type = body.get("grant_type")
    return grant_type if isinstance(grant_type, str) else None


def _secure(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'"
        )
    return response


def _refuse(refusal: Refused) -> Response:
    status, body, headers = refusal()
    answer = jsonify(body)
    answer.status_code = status
    answer.headers.update(dict(headers))
    return answer


def _not_found(error: Any) -> Response:
    answer = jsonify({"error": "not_found", "error_description": error.name})
    answer.status_code = error.code
    return answer
