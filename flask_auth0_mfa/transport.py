"""HTTP connections to the tenant that give up in time, whatever the other side does.

The timeouts of sockets hold for one read each: a server that sends a byte now and then keeps a
worker for as long as it likes, in the headers as well as in the body. Here every read gets no
longer than what is left of the whole call's time (SEC-53).
"""

from __future__ import annotations

import http.client
import io
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_deadline: ContextVar[float | None] = ContextVar("auth0_mfa_deadline", default=None)


#: Longest answer that is read, in bytes; Auth0's longest are lists of authenticators.
MAX_BODY = 256 * 1024


def read_body(response: requests.Response) -> bytes:
    """Return the body of a streamed response.

    Raises what requests raises for an answer that is longer than ``MAX_BODY`` or that is still
    arriving at the deadline.
    """
    ends_at = _deadline.get()
    content = b""
    while piece := response.raw.read1(16_384, decode_content=True):
        content += piece
        if len(content) > MAX_BODY:
            raise requests.exceptions.ContentDecodingError("the answer is too large")
        if ends_at is not None and time.monotonic() > ends_at:
            raise requests.exceptions.ReadTimeout("the answer took too long")
    return content


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let the calls inside take ``seconds`` altogether."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


class _TimedReader(io.RawIOBase):
    """Reads from a socket, each time for no longer than is left."""

    def __init__(self, sock: socket.socket, ends_at: float) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._ends_at = ends_at
        self._timeout = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left if self._timeout is None else min(left, self._timeout))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        ends_at = _deadline.get()
        if ends_at is not None:
            self.fp.close()
            self.fp = io.BufferedReader(_TimedReader(sock, ends_at))


class _Connection(HTTPConnection):
    response_class = _TimedResponse


class _SecureConnection(HTTPSConnection):
    response_class = _TimedResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class ProcessAdapter(HTTPAdapter):
    """Keeps connections open, but none that the process before a fork has opened.

    Two processes that read from one connection take each other's answers: another user's tokens.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._made_with = (args, kwargs)
        self._opened_in = os.getpid()

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        if self._opened_in != os.getpid():
            self.proxy_manager = {}
            sizes, options = self._made_with
            self.init_poolmanager(*sizes, **options)
        return super().send(*args, **kwargs)


class TenantAdapter(ProcessAdapter):
    """Keeps connections open, as many as a server has threads, and minds the deadline."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
