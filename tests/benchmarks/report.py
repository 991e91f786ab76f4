"""The page and the pictures that the figures are shown in."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from . import growth, load, sessions, step_up, views
from .rounds import Ratio, Timing

TEMPLATE = Path(__file__).with_name("performance.rst.txt")
PACKAGES = (
    "flask", "werkzeug", "cryptography", "flask-session", "redis", "gunicorn",
    "fastapi", "uvicorn", "auth0-fastapi", "auth0-server-python",
)  # fmt: skip
MICRO, MILLI = 1e6, 1e3


@dataclass(frozen=True)
class Figure:
    """One goal of the project, and what was measured of it."""

    name: str
    ratio: Ratio
    goal: float
    #: Whether more is better: then the goal is "at least".
    is_floor: bool = False

    @property
    def share(self) -> float:
        """What part of the goal is used up: 1 is just reached, less is better."""
        median = self.ratio.median
        return self.goal / median if self.is_floor else median / self.goal

    @property
    def verdict(self) -> str:
        """Whether the goal is reached, and by how much it is missed."""
        return "reached" if self.share <= 1 else f"missed by {self._gap:.0%}"

    @property
    def _gap(self) -> float:
        return abs(self.ratio.median / self.goal - 1)


@dataclass(frozen=True)
class Results:
    """What one run has measured; ``None`` for what could not be run."""

    rounds: int
    sessions: Mapping[str, Mapping[str, Timing]]
    redis: Mapping[str, Timing] | None
    untouched: Mapping[str, Timing]
    guarded: Mapping[str, Timing]
    parts: Mapping[str, float]
    step_ups: step_up.StepUps
    far: step_up.StepUps
    throughput: Mapping[str, Mapping[str, Timing]] | None
    sizes: Sequence[growth.Size]
    starts: Mapping[str, growth.Start]

    def figures(self) -> list[Figure]:
        """Return the goals with what was measured of them."""
        saved = self.sessions["open and save"]
        ours, stock = saved[sessions.OURS], saved[sessions.STOCK]
        plain, guarded = self.untouched[views.WITHOUT], self.guarded
        found = [Figure("Session, open and save, to Flask's own", ours.over(stock), 1.0)]
        if sessions.SDK in saved:
            ratio = ours.over(saved[sessions.SDK])
            found.append(Figure("The same, to auth0-server-python", ratio, 0.6))
        found += [
            Figure("Untouched request", self.untouched[views.WITH].over(plain), 1.05),
            Figure(
                "Untouched request, signed in",
                self.untouched[views.SIGNED_IN].over(plain),
                1.05,
            ),
            Figure(
                "Guarded view, to a user id in a stock session",
                guarded[views.GUARDED].over(guarded[views.UNGUARDED]),
                1.5,
            ),
            Figure(
                "Guarded view, to the token in a stock session",
                guarded[views.GUARDED_TAKES].over(guarded[views.UNGUARDED_TAKES]),
                1.5,
            ),
            Figure("Step-up, to its calls", self._step_up(), 1.3),
        ]
        for name, timings in (self.throughput or {}).items():
            ratio = timings[load.SDK].over(timings[load.OURS])
            found.append(Figure(f"Throughput, {name}", ratio, 2.0, is_floor=True))
        return found

    def _step_up(self) -> Ratio:
        timings = self.step_ups.timings
        return timings[step_up.WHOLE].over(timings[step_up.BARE])


def write(results: Results, into: Path, minutes: float) -> None:
    """Write the page and its pictures into the folder of the documentation."""
    figures = results.figures()
    pictures = into / "_static"
    pictures.mkdir(parents=True, exist_ok=True)
    (pictures / "performance-goals.svg").write_text(_goals_picture(figures), encoding="utf-8")
    (pictures / "performance-growth.svg").write_text(
        _growth_picture(results.sizes), encoding="utf-8"
    )
    page = TEMPLATE.read_text(encoding="utf-8").format(**_texts(results, figures, minutes))
    (into / "performance.rst").write_text(page, encoding="utf-8")


def _texts(results: Results, figures: list[Figure], minutes: float) -> dict[str, str]:
    steps = ((name, _median(found) * MILLI) for name, found in results.step_ups.steps.items())
    connections = results.step_ups.connections
    return {
        "minutes": f"{max(1, round(minutes))}",
        "rounds": str(results.rounds),
        "machine": _machine(),
        "versions": _versions(),
        "figures": _figures(figures),
        "verdict": _verdict(figures),
        "sessions": _beside(results.sessions, sessions.OURS),
        "redis": _beside({"open and save": results.redis}, sessions.OURS),
        "untouched": _list_of(results.untouched, views.WITHOUT),
        "guarded": _guarded(results.guarded),
        "parts": _parts(results),
        "limit": f"{results.parts.get('limit_of_opening', 0):.1f} microseconds",
        "opening": f"{results.parts.get('opening', 0):.1f} microseconds",
        **_allowance(results),
        "step_up": _step_ups(results),
        "far": f"{step_up.FAR * MILLI:.0f}",
        "calls": str(results.step_ups.calls),
        "connections": f"{connections} connection{'s' if connections != 1 else ''}",
        "steps": ", ".join(f"{name} {took:.1f}" for name, took in steps),
        "throughput": _throughput(results.throughput),
        "growth": _growth(results.sizes),
        "starts": _starts(results.starts),
    }


# -- tables ----------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *rows):
        for number, cell in enumerate(row):
            lines.append(f"   {'*' if number == 0 else ' '} - {cell}")
    return "\n".join(lines)


def _figures(figures: list[Figure]) -> str:
    rows = [
        (
            one.name,
            f"**{one.ratio.median:.2f}**",
            "{:.2f} to {:.2f}".format(*one.ratio.spread),
            f"at {'least' if one.is_floor else 'most'} {one.goal}",
            one.verdict,
        )
        for one in figures
    ]
    return _table(("Figure", "Ratio", "Half of the rounds", "Goal", ""), rows)


def _verdict(figures: list[Figure]) -> str:
    missed = [one for one in figures if one.share > 1]
    if not missed:
        return "Every goal is reached."
    names = "; ".join(f"{one.name} ({one.verdict})" for one in missed)
    return f"{len(figures) - len(missed)} of {len(figures)} goals are reached. Not: {names}."


def _beside(groups: Mapping[str, Mapping[str, Timing] | None], ours: str) -> str:
    """Return a table of several works: what each takes, and ours in relation to it."""
    rows = []
    for work, timings in groups.items():
        for name, timing in (timings or {}).items():
            relation = "" if name == ours else f"{(timings or {})[ours].over(timing).median:.2f}"
            rows.append((work, name, f"{timing.median * MICRO:.0f}", relation))
    if not rows:
        return "Not measured."
    return _table(("", "", "Microseconds", "Ours in relation to it"), rows)


def _list_of(
    timings: Mapping[str, Timing], base: str, unit: float = MICRO, unit_name: str = "Microseconds"
) -> str:
    rows = [
        (
            name,
            f"{one.median * unit:.1f}",
            "" if name == base else f"{one.over(timings[base]).median:.2f}",
        )
        for name, one in timings.items()
    ]
    return _table(("", unit_name, f"In relation to: {base}"), rows)


def _guarded(timings: Mapping[str, Timing]) -> str:
    pairs = ((views.GUARDED, views.UNGUARDED), (views.GUARDED_TAKES, views.UNGUARDED_TAKES))
    rows = [
        (
            mine,
            f"{timings[mine].median * MICRO:.0f}",
            theirs,
            f"{timings[theirs].median * MICRO:.0f}",
            f"{timings[mine].over(timings[theirs]).median:.2f}",
        )
        for mine, theirs in pairs
    ]
    return _table(("Guarded", "Microseconds", "Unguarded", "Microseconds", "Ratio"), rows)


def _step_ups(results: Results) -> str:
    rows = []
    for where, found in (("here", results.step_ups), ("far away", results.far)):
        whole, bare = found.timings[step_up.WHOLE], found.timings[step_up.BARE]
        times = [f"{one.median * MILLI:.1f}" for one in (whole, bare)]
        rows.append((where, *times, f"{whole.over(bare).median:.2f}"))
    return _table(("Tenant", f"{step_up.WHOLE}, ms", f"{step_up.BARE}, ms", "Ratio"), rows)


#: Names of the parts in a guarded request's table, by their benchmark.
_PARTS = {
    "look_of_a_guard": "open the session's two seals, and read them",
    "opening": "— of that, one seal",
    "limit_of_opening": "—— AES-GCM and JSON of the same bytes",
    "base64_of_it": "—— base64url",
    "huffman_of_it": "—— Huffman code",
    "was_it_ended": "was the login ended elsewhere",
    "decision": "does it open the view",
}


def _parts(results: Results) -> str:
    floor = results.untouched[views.SIGNED_IN].median * MICRO
    whole = results.guarded[views.GUARDED].median * MICRO
    known = {name: results.parts[name] for name in _PARTS if name in results.parts}
    rows = [("Flask, and the cookies of the request (a view that is not guarded)", f"{floor:.0f}")]
    rows += [(_PARTS[name], f"{took:.1f}") for name, took in known.items()]
    outer = sum(known.get(name, 0) for name in ("look_of_a_guard", "was_it_ended", "decision"))
    rows.append(("the rest: headers, and the guard itself", f"{max(0, whole - floor - outer):.0f}"))
    rows.append(("**together**", f"**{whole:.0f}**"))
    return _table(("", "Microseconds"), rows)


def _allowance(results: Results) -> dict[str, str]:
    """Return what the goal of a guarded view allows, and what needs most of it (microseconds)."""
    signed_in, nobody = results.untouched[views.SIGNED_IN], results.untouched[views.WITH]
    return {
        "allowed": f"{results.guarded[views.UNGUARDED].median * MICRO * 0.5:.0f}",
        "header": f"{(signed_in.median - nobody.median) * MICRO:.0f}",
        "look": f"{results.parts.get('look_of_a_guard', 0):.0f}",
        "ended": f"{results.parts.get('was_it_ended', 0):.0f}",
    }


def _throughput(groups: Mapping[str, Mapping[str, Timing]] | None) -> str:
    if groups is None:
        return "Not measured."
    rows = [
        (
            name,
            f"{1 / timings[load.OURS].median:.0f}",
            f"{1 / timings[load.SDK].median:.0f}",
            f"{1 / timings[load.FLOOR].median:.0f}" if load.FLOOR in timings else "",
            f"{timings[load.SDK].over(timings[load.OURS]).median:.1f}",
        )
        for name, timings in groups.items()
    ]
    return _table(("A second", load.OURS, load.SDK, load.FLOOR, "Times"), rows)


def _growth(sizes: Sequence[growth.Size]) -> str:
    rows = [
        (
            str(one.audiences),
            str(one.contexts),
            str(one.cookie_bytes),
            str(one.kept_audiences),
            f"{one.open_all * MICRO:.0f}",
            f"{one.open_one * MICRO:.0f}",
        )
        for one in sizes
    ]
    head = (
        "Audiences",
        "Open checks",
        "Bytes of cookies",
        "Tokens kept",
        "µs, whole",
        "µs, a guard",
    )
    return _table(head, rows)


def _starts(starts: Mapping[str, growth.Start]) -> str:
    rows = [
        (name, f"{one.seconds * MILLI:.0f}", f"{one.memory / 1024:.0f}")
        for name, one in starts.items()
    ]
    return _table(("", "Milliseconds to import and set up", "MiB of memory"), rows)


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


# -- where it was measured -------------------------------------------------------------------


def _machine() -> str:
    return f"{os.cpu_count()} cores of {_processor()}, {platform.system()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _versions() -> str:
    known = [f"CPython {sys.version.split()[0]}"]
    for package in PACKAGES:
        try:
            known.append(f"{package} {version(package)}")
        except ModuleNotFoundError:
            continue
    return ", ".join(known)


# -- pictures --------------------------------------------------------------------------------

_INK, _REACHED, _MISSED, _PAPER = "#222", "#2a7f62", "#b3541e", "#fff"
_LINES = ("#2a7f62", "#3b6ea8", "#8a5aa8", "#b3541e")


def _svg(width: int, height: int, content: Iterable[str], title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="13" role="img" aria-label="{title}">\n'
        f'<rect width="{width}" height="{height}" fill="{_PAPER}"/>\n'
        + "\n".join(content)
        + "\n</svg>\n"
    )


def _text(x: float, y: float, text: str, anchor: str = "start", fill: str = _INK) -> str:
    plain = text.replace("&", "&amp;").replace("<", "&lt;")
    # The paper around the letters keeps lines off them.
    paper = f'stroke="{_PAPER}" stroke-width="4" paint-order="stroke"'
    place = f'x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{fill}"'
    return f"<text {place} {paper}>{plain}</text>"


def _goals_picture(figures: list[Figure]) -> str:
    """Return bars: how much of its goal each figure uses up."""
    left, goal_x, row = 330, 570, 30
    height = 50 + row * len(figures)
    content = [
        f'<line x1="{goal_x}" y1="28" x2="{goal_x}" y2="{height - 12}" stroke="{_INK}" '
        'stroke-dasharray="4 3"/>',
        _text(goal_x, 20, "goal", "middle"),
        _text(left, 20, "shorter is better"),
    ]
    for number, one in enumerate(figures):
        y = 40 + row * number
        width = min(2.0, one.share) * (goal_x - left)
        color = _REACHED if one.share <= 1 else _MISSED
        content += [
            _text(left - 10, y + 14, one.name, "end"),
            f'<rect x="{left}" y="{y}" width="{width:.0f}" height="19" fill="{color}"/>',
            _text(left + width + 8, y + 14, f"{one.ratio.median:.2f}"),
        ]
    return _svg(870, height, content, "How much of its goal each figure uses up")


def _growth_picture(sizes: Sequence[growth.Size]) -> str:
    """Return lines: microseconds to open the session, by audiences, for each number of checks."""
    lines = {
        f"whole, {number or 'no'} open check{'s' if number > 1 else ''}": [
            (one.audiences, one.open_all * MICRO) for one in sizes if one.contexts == number
        ]
        for number in growth.CONTEXTS
    }
    lines["what a guard needs"] = [
        (one.audiences, one.open_one * MICRO) for one in sizes if one.contexts == 0
    ]
    top = max(took for points in lines.values() for _, took in points)
    step = next(one for one in (10, 20, 50, 100, 200, 500, 1000, 10**6) if top / one <= 6)

    def place(audiences: float, took: float) -> tuple[float, float]:
        return 70 + (audiences - 1) * 60, 290 - took * 250 / top

    content = [_text(70, 20, "microseconds to open the session"), _text(280, 335, "audiences")]
    for mark in range(0, int(top) + 1, step):
        _, y = place(1, mark)
        content.append(f'<line x1="70" y1="{y:.0f}" x2="490" y2="{y:.0f}" stroke="#ddd"/>')
        content.append(_text(60, y + 4, str(mark), "end"))
    content += [_text(place(n, 0)[0], 312, str(n), "middle") for n in growth.AUDIENCES]
    for color, (name, points) in zip(_LINES, lines.items(), strict=True):
        path = " ".join("{:.0f},{:.0f}".format(*place(*point)) for point in points)
        content.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        content.append(_text(500, place(*points[-1])[1] + 4, name, fill=color))
    return _svg(700, 350, content, "Time to open the session by number of audiences")


def summary(results: Results) -> str:
    """Return the figures as plain lines, for the terminal."""
    rows: list[tuple[Any, ...]] = [
        (one.name, one.ratio.median, *one.ratio.spread, one.goal, one.verdict)
        for one in results.figures()
    ]
    return "\n".join("{:48} {:6.2f} ({:.2f} to {:.2f}), goal {}: {}".format(*row) for row in rows)
