"""What the doctor says: findings, each with a code that scripts and pages can rely on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How bad it is. ``unchecked`` is neither good nor bad: nobody has looked."""

    ERROR = "error"
    WARNING = "warning"
    UNCHECKED = "unchecked"
    OK = "ok"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what it is, why it matters, what exactly to do about it."""

    code: str
    severity: Severity
    what: str
    why: str = ""
    fix: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return plain JSON types."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "what": self.what,
            "why": self.why,
            "fix": self.fix,
        }


def error(code: str, what: str, *, why: str, fix: str) -> Finding:
    """Return a finding that keeps users out, or lets somebody in."""
    return Finding(code, Severity.ERROR, what, why, fix)


def warning(code: str, what: str, *, why: str, fix: str) -> Finding:
    """Return a finding that will hurt under some circumstances."""
    return Finding(code, Severity.WARNING, what, why, fix)


def unchecked(code: str, what: str, *, why: str = "", fix: str) -> Finding:
    """Return what could not be looked at, and how it can be."""
    return Finding(code, Severity.UNCHECKED, what, why, fix)


def passed(code: str, what: str) -> Finding:
    """Return what is in order."""
    return Finding(code, Severity.OK, what)


def has_errors(findings: Iterable[Finding]) -> bool:
    """Tell whether one of the findings is an error."""
    return any(one.severity is Severity.ERROR for one in findings)
