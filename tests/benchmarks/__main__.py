"""``make bench``: measure everything, and write the page."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.redis_server import redis_server

from . import growth, load, report, sessions, step_up, views
from .rounds import FULL, SMOKE, Effort
from .servers import ROOT


def main() -> None:
    """Measure, print the figures, and write ``docs/performance.rst`` (``BENCH_INTO``)."""
    is_smoke = "BENCH_SMOKE" in os.environ
    effort = SMOKE if is_smoke else FULL
    into = Path(os.environ.get("BENCH_INTO") or ROOT / "docs")
    began_at = time.monotonic()
    results = _measured(effort, is_smoke=is_smoke)
    minutes = (time.monotonic() - began_at) / 60
    report.write(results, into, minutes)
    print(report.summary(results))
    print(f"Written to {into / 'performance.rst'}, after {minutes:.1f} minutes.")


def _measured(effort: Effort, *, is_smoke: bool) -> report.Results:
    with redis_server() as redis:
        with_redis = _told("Session, with Redis", sessions.timings_with_redis, effort, redis.url)
    return report.Results(
        rounds=effort.rounds,
        redis=with_redis,
        sessions=_told("Session", sessions.timings, effort),
        untouched=_told("Untouched requests", views.untouched, effort),
        guarded=_told("Guarded requests", views.guarded, effort),
        parts=_told("Parts", _parts, effort),
        step_ups=_told("Step-ups", step_up.step_ups, effort),
        far=_told("Step-ups, far from the tenant", step_up.step_ups, effort, step_up.FAR),
        throughput=None if is_smoke else _told("Throughput", load.timings, effort),
        sizes=_told("Growth", growth.sizes, effort),
        starts=_told("Starts", growth.starts, effort),
    )


def _told(name: str, measure: Callable[..., Any], *arguments: Any) -> Any:
    print(f"{name} ...", flush=True)
    return measure(*arguments)


def _parts(effort: Effort) -> dict[str, float]:
    """Return the median of each small part, in microseconds."""
    if importlib.util.find_spec("pytest_benchmark") is None:
        return {}
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "parts.json"
        options = ["-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
        options += [f"--benchmark-max-time={effort.seconds * 50}", f"--benchmark-json={file}"]
        command = [sys.executable, "-m", "pytest", *options, "tests/benchmarks/parts.py"]
        # As a run of its own: below pytest-xdist, pytest-benchmark measures nothing.
        known = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
        subprocess.run(command, cwd=ROOT, env=known, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command line
        found = json.loads(file.read_text())["benchmarks"]
    return {
        one["name"].removeprefix("test_"): one["stats"]["median"] * report.MICRO for one in found
    }


if __name__ == "__main__":
    main()
