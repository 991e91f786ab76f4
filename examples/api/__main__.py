"""``python -m examples.api``: the application, the API and a local Auth0 tenant, until Ctrl-C."""

from __future__ import annotations

import threading
from dataclasses import replace

from werkzeug.serving import make_server

from flask_auth0_mfa.emulator import Configuration, Tenant, serve

from .app import create_app
from .server import AUDIENCE, NAMESPACE, create_api

HOST, PORT, API_PORT = "127.0.0.1", 5002, 5003


def tenant() -> Tenant:
    """Return a tenant whose tokens for the API say when a second factor was proved."""
    apis = tuple(
        replace(one, claims_namespace=NAMESPACE) if one.identifier == AUDIENCE else one
        for one in Configuration().apis
    )
    return Tenant(Configuration(apis=apis))


def main() -> None:
    """Serve all three on this machine only."""
    with serve(tenant(), port=0) as auth0:
        api = make_server(HOST, API_PORT, create_api(auth0.url), threaded=True)
        threading.Thread(target=api.serve_forever, daemon=True).start()
        config = {"AUTH0_DOMAIN": auth0.url, "PAYMENTS_URL": f"http://localhost:{API_PORT}/"}
        app = make_server(HOST, PORT, create_app(config), threaded=True)
        print(f"Open http://localhost:{PORT} and log in as ana@example.com, password: demo")
        print(f"Her phone, for codes, messages and approvals: {auth0.url}", flush=True)
        app.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("Stopped.")
