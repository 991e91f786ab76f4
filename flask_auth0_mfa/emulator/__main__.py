"""``python -m flask_auth0_mfa.emulator``: run a tenant until Ctrl-C."""

from __future__ import annotations

import sys

from .command import run

if __name__ == "__main__":
    sys.exit(run())
