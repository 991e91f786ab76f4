"""The soak of ``make soak``, for a moment: what it needs is still there, and it finds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


# It takes half a minute, so it is part of `make campaign`.
@pytest.mark.redis
@pytest.mark.slow
@pytest.mark.skipif("CAMPAIGN" not in os.environ, reason="in a campaign only")
def test_for_a_moment():
    """Six users get through six seconds of failures, and everybody can still step up."""
    answer = subprocess.run(
        [sys.executable, "-m", "tests.soak"],
        cwd=ROOT,
        env={**os.environ, "SOAK_SECONDS": "6", "SOAK_USERS": "6"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
    )
    assert answer.returncode == 0, answer.stdout
    assert "users who could still step up at the end                   6\n" in answer.stdout
