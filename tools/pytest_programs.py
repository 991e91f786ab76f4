"""pytest plugin: fast tests first, and tests that lack a system program are skipped by name.

Under ``CI=true`` such a skip fails the run. Loaded by ``pytest -p tools.pytest_programs``.
"""

from __future__ import annotations

import os

import pytest

from tools.system_programs import NEEDS, skip_reason

#: Tests without any of these markers run before all others.
SLOWEST_LAST = ("slow", "redis", "sdk", "node", "browser")
SKIPPED = pytest.StashKey[list[str]]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the tests by their slowest marker, and skip those whose programs are missing.

    Last of all plugins, so that tests left out with ``-m`` or ``-k`` do not count.
    """
    items.sort(key=_slowness)
    reasons = {marker: skip_reason(marker) for marker in NEEDS}
    skipped = config.stash.setdefault(SKIPPED, [])
    for item in items:
        reason = next(filter(None, (reasons.get(mark.name) for mark in item.iter_markers())), None)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))
            skipped.append(item.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run under ``CI=true`` when a program was missing."""
    if _skips_are_failures(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say why the run failed although every test passed."""
    if _skips_are_failures(config):
        count = len(config.stash[SKIPPED])
        terminalreporter.write_line(f"CI=true: {count} tests without their programs, so: failed.")


def _slowness(item: pytest.Item) -> int:
    ranks = [SLOWEST_LAST.index(m.name) for m in item.iter_markers() if m.name in SLOWEST_LAST]
    return max(ranks, default=-1)


def _skips_are_failures(config: pytest.Config) -> bool:
    return os.environ.get("CI") == "true" and bool(config.stash.get(SKIPPED, []))
