"""Programs from the npm registry, each in a folder of its own, installed once."""

from __future__ import annotations

import subprocess
from pathlib import Path


def install(folder: Path, *packages: str) -> Path:
    """Install packages, given as ``NAME@VERSION``, unless they are there; return the folder."""
    names = [package.rpartition("@")[0] for package in packages]
    if not all((folder / "node_modules" / name).exists() for name in names):
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *packages]
        command += ["--prefix", str(folder)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - a fixed command
    return folder
