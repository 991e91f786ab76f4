"""pytest plugin: fast tests first, and tests that lack a system program are skipped by name.

Under ``CI=true`` such a skip fails the run. Loaded by ``pytest -p tools.pytest_programs``.
"""

from __future__ import annotations

import os

import pytest

from tools.system_programs import NEEDS, skip_reason

#: Tests without any of these markers run before all others.
SLOWEST_LAST = ("slow", "redis", "sdk", "node", "browser")


class SkippedPrograms:
    """Counts the tests that were skipped because a program is missing.

    By their reports, which reach the main process also from the workers of pytest-xdist.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.tests: set[str] = set()
        self._reasons = {skip_reason(marker) for marker in NEEDS} - {None}
        # A worker only reports; what the run comes to is decided in the main process.
        self._decides = os.environ.get("CI") == "true" and not hasattr(config, "workerinput")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a skip whose reason is ours."""
        if report.skipped and isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            if reason in self._reasons:
                self.tests.add(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run under ``CI=true`` when a program was missing."""
        if self._fails and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say why the run failed although every test passed."""
        if self._fails:
            count = len(self.tests)
            terminalreporter.write_line(
                f"CI=true: {count} tests without their programs, so: failed."
            )

    @property
    def _fails(self) -> bool:
        return self._decides and bool(self.tests)


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count."""
    config.pluginmanager.register(SkippedPrograms(config), "skipped-programs")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests by their slowest marker, and skip those whose programs are missing.

    Last of all plugins, so that tests left out with ``-m`` or ``-k`` do not count.
    """
    items.sort(key=_slowness)
    reasons = {marker: skip_reason(marker) for marker in NEEDS}
    for item in items:
        reason = next(filter(None, (reasons.get(mark.name) for mark in item.iter_markers())), None)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


def _slowness(item: pytest.Item) -> int:
    ranks = [SLOWEST_LAST.index(m.name) for m in item.iter_markers() if m.name in SLOWEST_LAST]
    return max(ranks, default=-1)
