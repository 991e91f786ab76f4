"""Serve a tenant over HTTP on this machine."""

from __future__ import annotations

import io
import re
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Response

from .app import create_app
from .faults import ConnectionDropped
from .tenant import Tenant
from .tls import Tls, make_tls

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_IDLE_TIMEOUT = 60
_LONGEST_BODY = 1_000_000
_LENGTH = re.compile(r"[0-9]{1,15}")
#: Seconds within which a server that is told to stop takes notice.
_POLL_INTERVAL = 0.02


class RemoteRefused(ValueError):
    """The address is not on the loopback interface, and nobody has allowed that."""


class HttpServer(ThreadedWSGIServer):
    """One thread for each connection; with ``tls`` the handshake happens in it, too."""

    def __init__(self, listening: socket.socket, app: WSGIApplication, tls: Tls | None) -> None:
        self.connections: set[socket.socket] = set()
        #: The thread that accepts connections, when it runs in the background.
        self.loop: threading.Thread | None = None
        host, port = listening.getsockname()[:2]
        super().__init__(host, port, app, _Handler, fd=listening.fileno())
        # Werkzeug would do the handshake in the accepting thread, where one client that never
        # finishes it keeps all others out. It only has to know that the scheme is https.
        self.tls = tls
        self.ssl_context = tls.context if tls else None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that went away or did not trust the certificate."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Stop listening, and end the connections that are kept open."""
        super().server_close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # the other side was faster
                continue


class _Handler(WSGIRequestHandler):
    """Answer many requests on one connection, and keep quiet.

    Werkzeug's own handler closes the connection after each answer; Auth0 keeps it open, and so
    do the clients that are to be tested.
    """

    server: HttpServer
    protocol_version = "HTTP/1.1"
    # Headers and body are sent apart; Nagle's algorithm would hold the second back.
    disable_nagle_algorithm = True
    timeout = _IDLE_TIMEOUT

    def setup(self) -> None:
        """Do the TLS handshake, where there is one."""
        if self.server.tls is not None:
            self.request.settimeout(self.timeout)
            self.request = self.server.tls.context.wrap_socket(self.request, server_side=True)
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        """Close the connection."""
        self.server.connections.discard(self.connection)
        super().finish()
        self.connection.close()

    def run_wsgi(self) -> None:
        """Read one request to its end, and answer it or hang up."""
        length = self.headers.get("Content-Length", "0")
        if not _LENGTH.fullmatch(length) or int(length) > _LONGEST_BODY:
            self.close_connection = True
            self.send_error(413 if _LENGTH.fullmatch(length) else 400)
            return
        environ = self.make_environ()
        if not environ.get("wsgi.input_terminated"):
            environ["wsgi.input"] = io.BytesIO(self.rfile.read(int(length)))
        try:
            answer = Response.from_app(self.server.app, environ, buffered=True)
        except ConnectionDropped:
            self.close_connection = True
            return
        # The end of a chunked body is not read here, so the next request could not be found.
        self.close_connection |= bool(environ.get("wsgi.input_terminated"))
        self._send(answer)

    def _send(self, answer: Response) -> None:
        body = b"" if self.command == "HEAD" else answer.get_data()
        self.send_response(answer.status_code)
        for name, value in answer.headers:
            if name.lower() != "content-length":
                self.send_header(name, value)
        if answer.status_code != 204:
            self.send_header("Content-Length", str(len(answer.get_data())))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_arguments: Any) -> None:
        """Say nothing: the log of calls is in the control API."""


@dataclass(frozen=True)
class RunningServer:
    """A tenant that is being served; ``url`` has no trailing slash."""

    tenant: Tenant
    url: str
    http: HttpServer
    ca_file: Path | None = None
    #: The same on ``::1``, which some clients try first for ``localhost``, and only that.
    twin: HttpServer | None = None

    def close(self) -> None:
        """Stop listening, and end what is open."""
        for server in (self.http, self.twin):
            if server is not None:
                server.shutdown()
                server.server_close()
                if server.loop is not None:
                    server.loop.join()


def listen(
    tenant: Tenant,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: Tls | None = None,
    allow_remote: bool = False,
) -> RunningServer:
    """Bind to ``host`` and ``port`` (0: any free one) and set the tenant's URL accordingly.

    Raises RemoteRefused for an address that others can reach, and OSError when it is taken.
    """
    if host not in _LOOPBACK and not allow_remote:
        raise RemoteRefused(
            f"{host} can be reached from outside. This tenant has published passwords: "
            "use 127.0.0.1, or --allow-remote if you mean it."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        http = HttpServer(listening, create_app(tenant), tls)
    name = "localhost" if host in _LOOPBACK else host
    tenant.url = f"{'https' if tls else 'http'}://{name}:{http.port}"
    twin = _twin(http, tls) if host in ("localhost", "127.0.0.1") else None
    return RunningServer(tenant, tenant.url, http, tls.ca_file if tls else None, twin)


def _twin(http: HttpServer, tls: Tls | None) -> HttpServer | None:
    try:
        listening = socket.create_server(("::1", http.port), family=socket.AF_INET6)
    except OSError:
        # No IPv6 here, or the port is taken there; IPv4 will do.
        return None
    with listening:
        twin = HttpServer(listening, lambda environ, start: http.app(environ, start), tls)
    _in_background(twin)
    return twin


def _in_background(server: HttpServer) -> None:
    server.loop = threading.Thread(
        target=server.serve_forever,
        kwargs={"poll_interval": _POLL_INTERVAL},
        name="auth0-tenant",
        daemon=True,
    )
    server.loop.start()


@contextmanager
def serve(
    tenant: Tenant | None = None, *, host: str = "127.0.0.1", port: int = 0, tls: bool = False
) -> Iterator[RunningServer]:
    """Serve a tenant in a background thread for the length of the block.

    With ``tls`` the server's ``ca_file`` is what clients have to trust.
    """
    with tempfile.TemporaryDirectory() if tls else nullcontext() as directory:
        made = make_tls(Path(directory)) if directory else None
        server = listen(tenant or Tenant(), host=host, port=port, tls=made)
        _in_background(server.http)
        try:
            yield server
        finally:
            server.close()
