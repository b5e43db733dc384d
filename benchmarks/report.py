"""What was measured, as a table for people and as a plot for the docs."""

from __future__ import annotations

from html import escape
from typing import Any

_BAR_WIDTH, _ROW_HEIGHT, _LABEL_WIDTH = 360, 22, 380


def table(results: dict[str, Any]) -> str:
    """Return a Markdown table: a line for each library, and our ratio to the best of the others."""
    lines = [
        "| task | library | wall s | CPU s | peak MB | first rows ms | ratio to the best peer |",
        "|---|---|---|---|---|---|---|",
    ]
    for task in results["tasks"].values():
        for peer, found in task["peers"].items():
            if "wrong" in found:
                lines.append(f"| {task['title']} | {peer} | {found['wrong']} | | | | |")
                continue
            first = f"{found['first_s'] * 1e3:.0f}" if "first_s" in found else ""
            said = verdict(task) if peer == "streamframe" else ""
            lines.append(
                f"| {task['title']} | {peer} | {found['wall_s']:.2f} | {found['cpu_s']:.2f} | {found['peak_mb']:.0f} "
                f"| {first} | {said} |"
            )
    return "\n".join(lines)


def ratio(task: dict[str, Any]) -> float | None:
    """Return our wall time by that of the best other library; None if either is missing."""
    times = {peer: found["wall_s"] for peer, found in task["peers"].items() if "wall_s" in found}
    ours = times.pop("streamframe", None)
    return ours / min(times.values()) if ours is not None and times else None


def verdict(task: dict[str, Any]) -> str:
    found = ratio(task)
    if found is None:
        return "no peer to compare with"
    reached = "reached" if found <= task["target"] else "NOT REACHED"
    return f"**{found:.2f}** (at most {task['target']:.2f}: {reached})"


def plot(results: dict[str, Any]) -> str:
    """Return an SVG: a bar for each task, its target as a line; red where it is not reached."""
    tasks = [(task, found) for task in results["tasks"].values() if (found := ratio(task)) is not None]
    most = max([found for _, found in tasks] + [task["target"] for task, _ in tasks] + [1.0])
    rows = []
    for number, (task, found) in enumerate(tasks):
        y = 30 + number * _ROW_HEIGHT
        color = "#2a8a4a" if found <= task["target"] else "#c0392b"
        at = _LABEL_WIDTH + task["target"] / most * _BAR_WIDTH
        rows.append(
            f'<text x="{_LABEL_WIDTH - 8}" y="{y + 14}" text-anchor="end">{escape(task["title"])}</text>'
            f'<rect x="{_LABEL_WIDTH}" y="{y + 3}" width="{found / most * _BAR_WIDTH:.1f}" height="14" fill="{color}"/>'
            f'<text x="{_LABEL_WIDTH + found / most * _BAR_WIDTH + 6:.1f}" y="{y + 14}">{found:.2f}</text>'
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y}" y2="{y + 20}" stroke="black" stroke-dasharray="2 2"/>'
        )
    height, width = 40 + len(tasks) * _ROW_HEIGHT, _LABEL_WIDTH + _BAR_WIDTH + 60
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="8" y="18">Time by that of the best peer, {results["megabytes"]} MB; the line is the target</text>'
        + "".join(rows)
        + "</svg>\n"
    )
