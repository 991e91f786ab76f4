"""Examines an application and its tenant, and says what to do about what is wrong.

Nothing here is imported while the application serves requests. The checks are small functions in
two tables: :data:`.offline.CHECKS` and :data:`.online.CHECKS`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from . import report
from .findings import Finding, Severity, error, has_errors, unchecked
from .offline import CHECKS as OFFLINE
from .online import CHECKS as ONLINE
from .online import Check, check_discovery
from .probe import Probe, Unanswered
from .refreshes import check_refreshes
from .subject import Subject

__all__ = ["Finding", "Severity", "Subject", "examine", "has_errors", "not_started", "report"]


def examine(subject: Subject, *, offline: bool = False) -> list[Finding]:
    """Return all findings about an application, in the order of the checks.

    :param offline: ask nobody on the network; what needs it counts as unchecked.
    """
    found = [finding for check in OFFLINE for finding in check(subject)]
    if offline:
        text = "The tenant was not asked: --offline."
        return [*found, unchecked("online", text, fix="Run it without --offline.")]
    return [*found, *_online(subject)]


def not_started(problems: Sequence[str]) -> list[Finding]:
    """Return the findings about an application that refuses to start with its settings."""
    why = "The application does not start."
    found = []
    for problem in problems:
        what, *rest = re.split(r"[:.] ", problem, maxsplit=1)
        fix = rest[0][:1].upper() + rest[0][1:] if rest else "Change that setting."
        found.append(error("configuration", f"{what.rstrip('.')}.", why=why, fix=fix))
    text = "Everything else: the application does not start."
    return [*found, unchecked("application", text, fix="Mend its configuration first.")]


def _online(subject: Subject) -> Iterator[Finding]:
    probe = Probe(subject.found.client, subject.settings, subject.found.clock)
    first = list(_asked(check_discovery, subject, probe))
    yield from first
    if any(one.code in ("tenant", "discovery") for one in first):
        text = "Everything else about the tenant, which cannot be reached."
        yield unchecked("online", text, fix="Mend that first.")
        return
    for check in (*ONLINE, check_refreshes):
        yield from _asked(check, subject, probe)


def _asked(check: Check, subject: Subject, probe: Probe) -> Iterator[Finding]:
    try:
        yield from check(subject, probe)
    except Unanswered as failure:
        yield error(
            "tenant",
            f"The tenant gave no answer. {failure}.",
            why="Users see 503 auth0_unavailable, on every page that needs Auth0.",
            fix=f"Does this machine reach {subject.settings.base_url}? Is AUTH0_DOMAIN right? Is"
            " there trouble at status.auth0.com?",
        )
