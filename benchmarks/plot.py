"""The plot for the docs: a bar for each task, its target as a line.

Read without colours too: a bar that misses its target is hatched and says so. The colours are blue and vermilion
of Okabe and Ito, which all kinds of colour vision tell apart; they follow the reader's light or dark theme.
"""

from __future__ import annotations

from html import escape
from typing import Any

from ratio import best_peer, ratio

_ROW, _TOP = 26, 64
_LABEL, _BAR, _TEXT = 390, 280, 390
_STYLE = """
svg { --page: #ffffff; --ink: #1f2328; --quiet: #59636e; --good: #0072b2; --bad: #d55e00; }
@media (prefers-color-scheme: dark) {
  svg { --page: #0d1117; --ink: #f0f6fc; --quiet: #9198a1; --good: #56b4e9; --bad: #f08a4b; }
}
text { fill: var(--ink); font: 13px system-ui, sans-serif; }
.title { font-size: 15px; font-weight: 600; }
.quiet { fill: var(--quiet); font-size: 12px; }
.page { fill: var(--page); }
.good { fill: var(--good); }
.bad { fill: url(#missed); stroke: var(--bad); }
.hatch { stroke: var(--bad); stroke-width: 5; }
.best { stroke: var(--quiet); stroke-dasharray: 3 3; }
.target { stroke: var(--ink); stroke-width: 3; }
"""


def plot(results: dict[str, Any]) -> str | None:
    """Return an SVG; None where nothing can be compared."""
    found = results.get("time", {"tasks": {}})
    tasks = [(task, value) for task in found["tasks"].values() if (value := ratio(task)) is not None]
    if not tasks:
        return None
    # One that is far off would squeeze the others: its bar is cut, and its number tells.
    most = min(max([value for _, value in tasks] + [task["target"] for task, _ in tasks] + [1.1]), 2.5)
    width, height = _LABEL + _BAR + _TEXT, _TOP + len(tasks) * _ROW + 16
    settings = found["settings"]
    best = _LABEL + _BAR / most
    cut = f" Longer bars end at {most:g}." if any(value > most for _, value in tasks) else ""
    shown = "".join(_row(number, task, value, most) for number, (task, value) in enumerate(tasks))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" \
height="{height}" role="img" aria-label="streamframe's wall time by that of the best peer">
<style>{_STYLE}</style>
<defs><pattern id="missed" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">\
<line class="hatch" x1="0" y1="0" x2="0" y2="8"/></pattern></defs>
<rect class="page" width="100%" height="100%"/>
<text class="title" x="16" y="24">streamframe's wall time by that of the best peer: shorter is faster</text>
<text class="quiet" x="16" y="44">{settings["megabytes"]} MB of CSV, {settings["cores"]} cores. \
Thick line: the target. Dashed line: the best peer. Hatched: target missed.{cut}</text>
<line class="best" x1="{best:.1f}" x2="{best:.1f}" y1="{_TOP - 8}" y2="{height - 12}"/>
{shown}</svg>
"""


def _row(number: int, task: dict[str, Any], value: float, most: float) -> str:
    y = _TOP + number * _ROW
    kind, sign = ("good", "") if value <= task["target"] else ("bad", ", missed")
    length, target = min(value, most) / most * _BAR, _LABEL + task["target"] / most * _BAR
    peer = best_peer(task) or ""
    against = f"{peer} {task['peers'][peer]['wall_s']:.2f} s"
    return (
        f'<text x="{_LABEL - 10}" y="{y + 14}" text-anchor="end">{escape(task["title"].replace("->", "→"))}</text>\n'
        f'<rect class="{kind}" x="{_LABEL}" y="{y + 2}" width="{length:.1f}" height="15"/>\n'
        f'<line class="target" x1="{target:.1f}" x2="{target:.1f}" y1="{y - 1}" y2="{y + 20}"/>\n'
        f'<text x="{_LABEL + _BAR + 14}" y="{y + 14}">{value:.2f} '
        f'<tspan class="quiet">of {escape(against)}; target {task["target"]:.2f}{sign}</tspan></text>\n'
    )
