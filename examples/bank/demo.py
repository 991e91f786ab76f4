"""``make demo``: the bank, and a local Auth0 tenant unless a real one is named.

Environment: ``DEMO_PORT`` (5000) and ``TENANT_PORT`` (4400). With ``AUTH0_DOMAIN``,
``AUTH0_CLIENT_ID`` and ``AUTH0_CLIENT_SECRET`` set, the bank uses that tenant instead.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from contextlib import ExitStack

from werkzeug.serving import make_server

from flask_auth0_mfa.emulator import Tenant, serve
from flask_auth0_mfa.errors import ConfigurationError

from .app import LOCAL_TENANT, create_app

HOST = "127.0.0.1"

LOCAL_WELCOME = """
  The bank         {bank}
  Log in as        ana@example.com, password: demo
  Her phone        {tenant}
                   for codes, messages and approvals

Ctrl-C stops it.
"""

REAL_WELCOME = """
  The bank         {bank}
  Auth0 tenant     {domain}
  Allow there      {bank}/auth/callback (Allowed Callback URLs)
                   {bank}/ (Allowed Logout URLs)

Ctrl-C stops it.
"""


def main() -> None:
    """Serve until Ctrl-C; a taken port or a wrong setting ends it with a sentence."""
    # Also where a shell started this in the background, which makes it deaf to Ctrl-C.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    # Werkzeug would log every request, and callbacks carry a code in their address.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    port = free_port("DEMO_PORT", 5000)
    bank_url = f"http://localhost:{port}"
    with ExitStack() as running:
        if os.environ.get("AUTH0_DOMAIN"):
            app = create_app()
            welcome = REAL_WELCOME.format(bank=bank_url, domain=os.environ["AUTH0_DOMAIN"])
        else:
            tenant = running.enter_context(serve(Tenant(), port=free_port("TENANT_PORT", 4400)))
            app = create_app({**LOCAL_TENANT, "AUTH0_DOMAIN": tenant.url})
            welcome = LOCAL_WELCOME.format(bank=bank_url, tenant=tenant.url)
        server = make_server(HOST, port, app, threaded=True)
        # Both answer from here on: the tenant's thread runs, and the bank's socket listens.
        print(welcome, flush=True)
        server.serve_forever()  # returns after Ctrl-C
    print("Stopped.", flush=True)


def free_port(variable: str, default: int) -> int:
    """Return the port that the variable names, or end with a sentence when it is taken."""
    port = int(os.environ.get(variable) or default)
    with socket.socket() as probe:
        # As the servers do it, so that connections of a server just stopped do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            sys.exit(
                f"Port {port} is in use by another program. "
                f"Choose another one: make demo {variable}={port + 1}"
            )
    return port


if __name__ == "__main__":
    try:
        main()
    except ConfigurationError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Stopped.")
