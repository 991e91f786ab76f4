"""``python -m examples.pico``: the site and a local Auth0 tenant, until Ctrl-C."""

from __future__ import annotations

from werkzeug.serving import make_server

from flask_auth0_mfa.emulator import Tenant, serve

from .app import create_app

HOST, PORT = "127.0.0.1", 5002


def main() -> None:
    """Serve both on this machine only."""
    with serve(Tenant(), port=0) as tenant:
        server = make_server(HOST, PORT, create_app({"AUTH0_DOMAIN": tenant.url}), threaded=True)
        print(f"Open http://localhost:{PORT} and log in as ana@example.com, password: demo")
        print(f"Her phone, for codes, messages and approvals: {tenant.url}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("Stopped.")
