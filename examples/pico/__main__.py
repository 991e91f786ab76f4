"""``python -m examples.pico``: the site and a local Auth0 tenant, until Ctrl-C."""

from __future__ import annotations

import logging
import os

from werkzeug.serving import make_server

from flask_auth0_mfa.emulator import Tenant, serve

from .app import create_app

HOST = "127.0.0.1"


def main() -> None:
    """Serve both on this machine only."""
    # Werkzeug would log every request, and callbacks carry a code in their address.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    port = int(os.environ.get("PORT") or 5004)
    with serve(Tenant(), port=0) as tenant:
        server = make_server(HOST, port, create_app({"AUTH0_DOMAIN": tenant.url}), threaded=True)
        print(f"Open http://localhost:{port} and log in as ana@example.com, password: demo")
        print(f"Her phone, for codes, messages and approvals: {tenant.url}", flush=True)
        server.serve_forever()  # returns after Ctrl-C
    print("Stopped.")


if __name__ == "__main__":
    main()
