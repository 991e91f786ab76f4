"""``python -m flask_auth0_mfa.emulator``: run a tenant until Ctrl-C."""

from __future__ import annotations

import sys

_WITHOUT_EXTRA = (
    "The local tenant needs packages that are not installed ({name}): "
    'pip install "flask-auth0-mfa[emulator]"'
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    try:
        from .command import run
    except ModuleNotFoundError as error:
        if error.name not in ("pyotp", "segno", "tomli"):
            raise
        print(_WITHOUT_EXTRA.format(name=error.name), file=sys.stderr)
        return 1
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
