"""The way from an application to the tenant without a socket: a transport of requests."""

from __future__ import annotations

import io
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response

from ..emulator import ConnectionDropped
from .clock import SharedClock

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment


class WsgiAdapter(BaseAdapter):
    """Sends requests to a WSGI application in this process."""

    def __init__(self, app: WSGIApplication, clock: SharedClock) -> None:
        super().__init__()
        self._app = app
        self._clock = clock

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002 - requests' signature, here and below
        timeout: Any = None,
        verify: bool | str = True,  # noqa: ARG002
        cert: Any = None,  # noqa: ARG002
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> requests.Response:
        """Return the application's answer.

        Raises :class:`requests.ConnectionError` where the tenant hangs up and
        :class:`requests.ReadTimeout` where its answer would come too late.
        """
        slept_before = self._clock.slept
        try:
            answer = Response.from_app(self._app, _environ(request), buffered=True)
        except ConnectionDropped:
            raise requests.ConnectionError("the tenant hung up", request=request) from None
        if self._clock.slept - slept_before > _read_timeout(timeout):
            raise requests.ReadTimeout("the tenant's answer came too late", request=request)
        return HTTPAdapter().build_response(request, _received(answer))

    def close(self) -> None:
        """Do nothing: there is no connection."""


def _environ(request: requests.PreparedRequest) -> WSGIEnvironment:
    url = urlsplit(request.url or "")
    body = request.body or b""
    builder = EnvironBuilder(
        path=url.path,
        query_string=url.query,
        base_url=f"{url.scheme}://{url.netloc}",
        method=request.method or "GET",
        headers=list(request.headers.items()),
        data=body.encode() if isinstance(body, str) else body,
    )
    return builder.get_environ()


def _read_timeout(timeout: Any) -> float:
    """Return the read timeout in seconds; requests takes one number, a pair, or none at all."""
    read = timeout[1] if isinstance(timeout, tuple) else timeout
    return float("inf") if read is None else float(read)


def _received(answer: Response) -> HTTPResponse:
    return HTTPResponse(
        body=io.BytesIO(answer.get_data()),
        headers=HTTPHeaderDict(list(answer.headers)),
        status=answer.status_code,
        reason=HTTPStatus(answer.status_code).phrase,
        preload_content=False,
    )
