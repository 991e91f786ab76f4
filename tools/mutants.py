"""Mutation testing module by module: ``python -m tools.mutants [MODULE ...]``.

Each module is changed in a copy of the tree of its own, with the tests that are about it, for a
limited time: a run that has to do with one module only ends, and what it has found stays.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
INTO = ROOT / "mutants"
COPIED = ("flask_auth0_mfa", "tests", "examples", "docs", "tools", "README.md", "CHANGELOG.md")
#: How long one module may take, in seconds.
LIMIT = float(os.environ.get("MUTANTS_SECONDS", "1800"))

#: The modules that decide over attackers, and the tests that are about each: without the word.
MODULES: dict[str, tuple[str, ...]] = {
    "return_to": ("return_to",),
    "sealing": ("sealing",),
    "limits": ("limits",),
    "flows/approvals": ("approval",),
    "flows/challenges": (
        "factors_flow",
        "push",
        "api",
        "chain",
        "stepup",
        "enrollment",
        "remember",
        "signals",
    ),
    "flows/contexts": (
        "stepup",
        "two_browsers",
        "signals",
        "universal_login",
        "lost_memory",
        "push",
        "api",
        "extension",
        "chain",
        "approval",
        "remember",
        "resume",
    ),
    "flows/enrollment": ("enrollment", "signals"),
    "flows/parts": ("stepup", "push", "signals"),
    "flows/proof": ("api", "push", "leaks"),
    "flows/tokens": (
        "rotation",
        "stepup",
        "approval",
        "downstream",
        "extension",
        "decorators",
        "signals",
        "remember",
        "universal_login",
        "sessions",
        "resume",
    ),
    "flows/verification": (
        "stepup",
        "chain",
        "recovery",
        "push",
        "approval",
        "enrollment",
        "remember",
        "signals",
        "decorators",
        "extension",
        "factors_flow",
        "rotation",
        "lost_memory",
    ),
    "sessions": ("sessions", "cookies", "parallel_tabs", "outage", "logins"),
    "cookies": ("cookies", "sessions", "budget", "parallel_tabs", "login"),
    "session_parts": ("cookies", "sessions"),
    "pieces": ("cookies",),
    "jar": ("cookies", "budget", "parallel_tabs"),
    "budget": ("budget", "cookies"),
    "codes": ("codes",),
}


def settings(module: str) -> str:
    """Return mutmut's settings for one module."""
    tests = [f"tests/test_{name}.py" for name in MODULES[module]]
    values = {
        "source_paths": ["flask_auth0_mfa"],
        "only_mutate": [f"flask_auth0_mfa/{module}.py"],
        "also_copy": list(COPIED[2:]),
        # Hypothesis refuses to run a test twice in one process, which a fork of the first run is.
        "process_isolation": "forkserver",
        "timeout_multiplier": 5.0,
        # Ids of plain letters, as mutmut names tests on a command line. A Redis server for each
        # mutant would take too long.
        "pytest_add_cli_args": [
            *("-p", "tools.pytest_plain_ids", "-p", "no:cacheprovider", "-p", "no:xdist"),
            *("-m", "not redis"),
        ],
        "pytest_add_cli_args_test_selection": tests,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    return "\n".join(["[tool.mutmut]", *lines, ""])


def prepare(module: str) -> Path:
    """Copy the tree for one module, with its settings; return where it is."""
    tree = INTO / module.replace("/", "-")
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tree / name)
    shutil.copy(ROOT / "setup.cfg", tree)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (tree / "pyproject.toml").write_text(f"{project}\n{settings(module)}", encoding="utf-8")
    return tree


def run(module: str) -> str:
    """Run the mutants of one module; return a row of figures, and the names of the survivors."""
    tree = prepare(module)
    environ = {**os.environ, "PYTHONPATH": str(tree)}
    mutmut = [sys.executable, "-m", "mutmut"]
    ended = ""
    # In a session of its own, so that its children end with it.
    running = subprocess.Popen(  # noqa: S603 - the tool of this target
        [*mutmut, "run"], cwd=tree, env=environ, start_new_session=True
    )
    try:
        running.wait(LIMIT)
    except subprocess.TimeoutExpired:
        ended = f"  ended after {LIMIT:.0f} s"
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    shown = subprocess.run(  # noqa: S603 - as above
        [*mutmut, "results", "--all", "true"],
        cwd=tree,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    results = re.findall(r"^\s*(\S+): (.+)$", shown, re.M)
    words = ("killed", "survived", "timeout", "no tests", "not checked")
    counts = {word: sum(result == word for _, result in results) for word in words}
    figures = "  ".join(f"{word} {count}" for word, count in counts.items())
    left = [name for name, result in results if result in {"survived", "no tests", "timeout"}]
    return "\n".join([f"{module}: {len(results)} mutants  {figures}{ended}", *left])


def main(wanted: Sequence[str]) -> None:
    """Run the modules whose names begin as one of ``wanted`` does; all of them for none."""
    for module in MODULES:
        if not wanted or module.startswith(tuple(wanted)):
            print(run(module), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
