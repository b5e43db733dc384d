"""What was measured, as tables for people and as a plot for the docs."""

from __future__ import annotations

from typing import Any

from memory import AT_MOST_MB, BESIDE, FLOW, GROWTH
from plot import plot as plot
from ratio import best_peer, ratio

_RED = "\033[31m{}\033[0m"


def text(results: dict[str, Any], *, in_red: bool) -> str:
    """Return Markdown tables; what does not hold is in capitals, and `in_red` for a terminal."""
    parts = []
    if "time" in results:
        parts.append(_about(results["time"]) + "\n\n" + times(results["time"]))
    if "memory" in results:
        parts.append(_about(results["memory"]) + "\n\n" + peaks(results["memory"]))
    lines = "\n\n".join(parts).splitlines()
    bad = ("NOT ", "WRONG", "FAILED", "GROWS", "TOO MUCH")
    return "\n".join(_RED.format(line) if in_red and any(word in line for word in bad) else line for line in lines)


def _about(found: dict[str, Any]) -> str:
    settings = found["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in settings["versions"].items())
    return (
        f"{settings['megabytes']} MB of CSV, medians of {settings['rounds']} rounds; {settings['cores']} cores, "
        f"{settings['processor']}, {settings['system']}, Python {settings['python']}, {versions}; "
        f"streamframe at {settings['commit']}."
    )


def times(found: dict[str, Any]) -> str:
    """Return a line for each library, and our ratio to the best of the others."""
    lines = [
        "| task | library | wall s | CPU s | peak MB | first rows ms | rounds | ratio to the best peer |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for task in found["tasks"].values():
        for peer, each in task["peers"].items():
            if "wrong" in each:
                lines.append(f"| {task['title']} | {peer} | {_cell(each['wrong'])} | | | | | |")
                continue
            first = f"{each['first_s'] * 1e3:.0f}" if "first_s" in each else ""
            slow = " (slow)" if each["rounds"] < found["settings"]["rounds"] else ""
            said = verdict(task) if peer == "streamframe" else beside(task, peer)
            lines.append(
                f"| {task['title']} | {peer} | {each['wall_s']:.2f} | {each['cpu_s']:.2f} | {each['peak_mb']:.0f} "
                f"| {first} | {each['rounds']}{slow} | {said} |"
            )
    notes = ["Slow: over ten times the best of the first round, so measured twice only."]
    notes += ["Ray Data: without the start of its processes; all of them count in CPU and peak."]
    return "\n".join([*lines, "", *notes])


def verdict(task: dict[str, Any]) -> str:
    found = ratio(task)
    if found is None:
        return "no peer to compare with"
    said = f"**{found:.2f}** of {best_peer(task)} (at most {task['target']:.2f}: {_reached(found, task['target'])})"
    if task.get("first_ms") is not None:
        first_ms = task["peers"]["streamframe"]["first_s"] * 1e3
        said += f"; first rows at most {task['first_ms']:.0f} ms: {_reached(first_ms, task['first_ms'])}"
    return said


def beside(task: dict[str, Any], peer: str) -> str:
    """Return our ratio to a library that has a target of its own."""
    target, ours = task.get("peer_targets", {}).get(peer), task["peers"]["streamframe"].get("wall_s")
    if target is None or ours is None:
        return ""
    found = ours / task["peers"][peer]["wall_s"]
    return f"streamframe takes **{found:.2f}** of it (at most {target:.2f}: {_reached(found, target)})"


def _reached(found: float, target: float) -> str:
    return "reached" if found <= target else "NOT REACHED"


def peaks(found: dict[str, Any]) -> str:
    """Return how the peak grows with the data, and how it compares."""
    small = found["settings"]["megabytes"]
    sizes = dict.fromkeys(size for task in found["tasks"].values() for size in task["flow"])
    titles = [f"peak MB at {size} MB" for size in sizes]
    lines = [
        f'With memory="{FLOW}": at most {AT_MOST_MB:.0f} MB over the imports, growing by at most {GROWTH:.0%}.',
        "",
        f"| task | {' | '.join(titles)} | growth | |",
        "|---|" + "---|" * (len(titles) + 2),
    ]
    for task in found["tasks"].values():
        cells = [
            _cell(each["wrong"]) if "wrong" in each else _peak(each["median_mb"]) for each in task["flow"].values()
        ]
        lines.append(f"| {task['title']} | {' | '.join(cells)} | {' | '.join(flat(task))} |")
    lines += ["", f'Beside the peers at {small} MB, with memory="{BESIDE}":', ""]
    lines += ["| task | streamframe MB | the others, MB | |", "|---|---|---|---|"]
    for task in found["tasks"].values():
        others = {peer: peak for peer, peak in task["beside"].items() if peer != "streamframe"}
        said = ", ".join(f"{peer} {_peak(peak)}" for peer, peak in sorted(others.items(), key=_by_peak))
        lines.append(f"| {task['title']} | {_peak(task['beside']['streamframe'])} | {said} | {least(task)} |")
    return "\n".join(lines)


def flat(task: dict[str, Any]) -> tuple[str, str]:
    """Return the growth, and what is to be said of it and of the peak."""
    runs = list(task["flow"].values())
    if any("wrong" in run for run in runs):
        return "", "**FAILED**"
    growth = runs[-1]["median_mb"] / runs[0]["median_mb"] - 1
    most = max(run["most_mb"] for run in runs)
    said = [f"**TOO MUCH**: {most:.0f} MB"] if most > AT_MOST_MB else []
    said += ["**GROWS**"] if growth > GROWTH else []
    return f"{growth:+.2%}", ", ".join(said) or "holds"


def least(task: dict[str, Any]) -> str:
    ours = task["beside"]["streamframe"]
    others = [peak for peer, peak in task["beside"].items() if peer != "streamframe" and not isinstance(peak, str)]
    if isinstance(ours, str):
        return "**FAILED**"
    if not others:
        return "no peer to compare with"
    return "lowest" if ours <= min(others) else "**NOT THE LOWEST**"


def _peak(peak: float | str) -> str:
    return _cell(peak) if isinstance(peak, str) else f"{peak:.0f}"


def _cell(said: str) -> str:
    """Keep an error from ending a cell."""
    return said.replace("|", "\\|")


def _by_peak(item: tuple[str, float | str]) -> float:
    return float("inf") if isinstance(item[1], str) else item[1]
