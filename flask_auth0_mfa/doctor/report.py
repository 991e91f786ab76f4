"""The doctor's report, for people and for programs."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

import click

from .findings import Finding, Severity

#: In the order of the report: what keeps users out comes last, where the eye is.
_SHOWN = (
    (Severity.OK, "ok", "green"),
    (Severity.UNCHECKED, "not checked", "cyan"),
    (Severity.WARNING, "WARNING", "yellow"),
    (Severity.ERROR, "ERROR", "red"),
)
_WIDTH = 13


def as_text(findings: Sequence[Finding], title: str, *, width: int) -> str:
    """Return the report for a terminal of that width; colours are click's to keep or to strip."""
    blocks = [title]
    for severity, label, colour in _SHOWN:
        found = [one for one in findings if one.severity is severity]
        entries = ["\n".join(_entry(one, label, colour, width)) for one in found]
        # What is in order takes one line each.
        blocks += ["\n".join(entries)] if severity is Severity.OK else entries
    blocks.append(_summary(findings))
    return "\n\n".join(block for block in blocks if block)


def as_json(findings: Sequence[Finding], application: str, tenant: str | None) -> str:
    """Return the report as one JSON object, with nothing of it left out."""
    content = {
        "application": application,
        "tenant": tenant,
        "findings": [one.to_dict() for one in findings],
        "counts": _counts(findings),
    }
    return json.dumps(content, indent=2)


def _entry(finding: Finding, label: str, colour: str, width: int) -> Iterable[str]:
    if finding.severity is Severity.OK:
        lines = _wrapped(finding.what, width)
        yield click.style(f"{label:<{_WIDTH}}", fg=colour) + lines[0]
        yield from (" " * _WIDTH + line for line in lines[1:])
        return
    # The code is what the documentation and scripts know the finding by.
    parts = (("what", finding.what), ("why", finding.why), ("fix", finding.fix))
    yield click.style(f"{label:<{_WIDTH}}", fg=colour, bold=True) + finding.code
    for name, text in parts:
        for number, line in enumerate(_wrapped(text, width) if text else ()):
            yield f"  {name if number == 0 else '':<{_WIDTH - 2}}{line}"


def _wrapped(text: str, width: int) -> list[str]:
    """Break between words only: addresses and commands are there to be copied."""
    return textwrap.wrap(
        text, max(20, width - _WIDTH), break_long_words=False, break_on_hyphens=False
    )


def _counts(findings: Iterable[Finding]) -> dict[str, int]:
    counted = Counter(one.severity for one in findings)
    return {severity.value: counted[severity] for severity in Severity}


def _summary(findings: Sequence[Finding]) -> str:
    counts = _counts(findings)
    return (
        f"{_plural(counts['error'], 'error')}, {_plural(counts['warning'], 'warning')}, "
        f"{counts['unchecked']} not checked, {counts['ok']} ok."
    )


def _plural(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
