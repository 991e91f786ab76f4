"""The benchmark of ``make bench``, for a moment: everything that it measures is still there.

Nothing is said here about how long anything takes: a test that measured time would fail by chance.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.redis
@pytest.mark.slow
def test_for_a_moment(tmp_path):
    """It gets through, and writes a page with every figure that needs no other servers."""
    answer = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks"],
        cwd=ROOT,
        env={**os.environ, "BENCH_SMOKE": "1", "BENCH_INTO": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
    )
    assert answer.returncode == 0, answer.stdout
    page = (tmp_path / "performance.rst").read_text()
    for figure in ("Session, open and save", "Untouched request", "Guarded view", "Step-up"):
        assert f"* - {figure}" in page
    assert "The extension made 3 calls, on 1 connection" in page
    assert (tmp_path / "_static" / "performance-goals.svg").stat().st_size > 1000
