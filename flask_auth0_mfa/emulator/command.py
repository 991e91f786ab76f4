"""The command line of the local tenant."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from .configuration import Configuration, InvalidConfiguration
from .server import RemoteRefused, RunningServer, listen
from .tenant import Tenant
from .tls import make_tls
from .totp import MissingExtra


def run(arguments: list[str] | None = None) -> int:
    """Serve a tenant until Ctrl-C or SIGTERM; return 1 with a sentence when it cannot start."""
    options = _parser().parse_args(arguments)
    # How containers, service managers and ``kill`` end a program. By default that would leave
    # the directory and its private key behind, and a container's first process would not end.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="auth0-tenant-") as directory:
        try:
            server = _listen(options, Path(directory))
        except (InvalidConfiguration, MissingExtra, RemoteRefused) as error:
            return _fail(str(error))
        except OSError as error:
            return _fail(
                f"{options.host}:{options.port} cannot be used ({error.strerror}): "
                "choose another address with --host and --port."
            )
        # Werkzeug's loop takes Ctrl-C as its regular end, too, but it may come just before.
        with suppress(KeyboardInterrupt):
            print(_welcome(server), flush=True)
            server.http.serve_forever()
        print("The local tenant has stopped.", flush=True)
    return 0


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m flask_auth0_mfa.emulator",
        description="An Auth0 tenant on this machine, for demos and tests. Not for production.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=_port, default=4400, help="port, 0 for any free one")
    parser.add_argument("--config", type=Path, metavar="FILE", help="a tenant described in TOML")
    parser.add_argument("--tls", action="store_true", help="serve https with a new certificate")
    parser.add_argument(
        "--allow-remote", action="store_true", help="listen on an address that others can reach"
    )
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: it must be between 0 and 65535")
    return int(text)


def _listen(options: argparse.Namespace, directory: Path) -> RunningServer:
    configuration = Configuration.from_toml(options.config) if options.config else None
    return listen(
        Tenant(configuration),
        host=options.host,
        port=options.port,
        tls=make_tls(directory, options.host) if options.tls else None,
        allow_remote=options.allow_remote,
    )


def _welcome(server: RunningServer) -> str:
    tenant = server.tenant
    lines = [
        "A local Auth0 tenant, for demos and tests. Not for production.",
        "",
        f"  Domain         {tenant.url}",
    ]
    for client in tenant.configuration.clients:
        lines.append(f"  Client id      {client.client_id}")
        lines.append(f"  Client secret  {client.client_secret or '-'}")
    lines.append(f"  Phone          {tenant.url}/")
    if server.ca_file:
        lines.append(f"  CA to trust    {server.ca_file}")
    lines += ["", "  Users"]
    for user in tenant.users:
        secrets = [a.secret for a in user.authenticators if a.secret]
        totp = f"TOTP secret {secrets[0]}" if secrets else "no authenticator app"
        lines.append(f"    {user.email}  password {user.password}  {totp}")
    return "\n".join(lines)
