"""The tenant's process: ``python -m tests.soak.tenant FILE PORT``.

Beside Auth0 it has ``/_soak``: one user's phone, what became of token families, and a healing
hand for the end. The control API shows everything of everybody, which is too much for each code.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, jsonify

from flask_auth0_mfa.emulator import Tenant
from flask_auth0_mfa.emulator.clients import Client
from flask_auth0_mfa.emulator.clock import Clock
from flask_auth0_mfa.emulator.configuration import Configuration
from flask_auth0_mfa.emulator.families import Families, Family
from flask_auth0_mfa.emulator.server import listen
from flask_auth0_mfa.emulator.totp import code_at


class WatchedFamilies(Families):
    """Token families that tell which of them were revoked because a token was used again."""

    def __init__(self, of: Tenant) -> None:
        super().__init__(of.clock, of.sealer)
        self._clock: Clock = of.clock
        self.reused: list[dict[str, Any]] = []
        #: When each token that is not the newest was replaced.
        self._replaced_at: dict[tuple[str, int], float] = {}

    def rotate(self, family: Family, refresh_token: str | None = None) -> str | None:
        """Rotate as Auth0 does, and note when."""
        before = family.counter
        token = super().rotate(family, refresh_token)
        if family.counter != before:
            self._replaced_at[(family.id, before)] = self._clock.now()
        return token

    def find(self, refresh_token: str, client: Client) -> Family:
        """Find as Auth0 does, and note a family that ends here."""
        family, counter = self._parse(refresh_token)
        was_revoked = family.revoked
        try:
            return super().find(refresh_token, client)
        finally:
            if family.revoked and not was_revoked:
                self.reused.append(
                    {
                        "email": family.user.email,
                        "used": counter,
                        "newest": family.counter,
                        "at": self._clock.now(),
                        "replaced_at": self._replaced_at[(family.id, counter)],
                    }
                )


def main(file: str, port: str) -> None:
    """Serve the tenant of a file until the process is ended."""
    tenant = Tenant(Configuration.from_toml(Path(file)))
    families = WatchedFamilies(tenant)
    tenant.families = families
    server = listen(tenant, port=int(port))
    app = server.http.app
    assert isinstance(app, Flask)
    app.register_blueprint(_soak(tenant, families))
    server.http.serve_forever()


def _soak(tenant: Tenant, families: WatchedFamilies) -> Blueprint:
    soak = Blueprint("soak", __name__, url_prefix="/_soak")

    @soak.get("/phone/<email>")
    def phone(email: str) -> Any:
        with tenant.lock:
            user = tenant.user(email)
            secrets = [one.secret for one in user.authenticators if one.secret]
            codes = [one.code for one in tenant.messages if one.user == email]
            pushes = [p.id for p in tenant.pushes if p.user == email and tenant.is_open(p)]
            return jsonify(
                otp=code_at(secrets[-1], tenant.clock.now()) if secrets else None,
                message=codes[-1] if codes else None,
                recovery_code=user.recovery_code,
                pushes=pushes,
            )

    @soak.get("/reused")
    def reused() -> Any:
        return jsonify(families.reused)

    @soak.post("/heal")
    def heal() -> Any:
        """Take back the faults that are left, and let the rates of an hour pass."""
        with tenant.lock:
            tenant.faults.clear()
            tenant.limits.clear()
        return jsonify(healed=True)

    return soak


if __name__ == "__main__":
    main(*sys.argv[1:3])
