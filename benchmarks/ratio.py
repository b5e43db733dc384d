"""What one task came to: our time by that of the best other library."""

from __future__ import annotations

from typing import Any


def best_peer(task: dict[str, Any]) -> str | None:
    """Return the fastest other library whose result was right."""
    times = {peer: found["wall_s"] for peer, found in task["peers"].items() if "wall_s" in found}
    times.pop("streamframe", None)
    return min(times, key=lambda peer: times[peer]) if times else None


def ratio(task: dict[str, Any]) -> float | None:
    """Return our wall time by that of the best other library; None if either is missing."""
    best, ours = best_peer(task), task["peers"]["streamframe"].get("wall_s")
    return None if best is None or ours is None else ours / task["peers"][best]["wall_s"]
