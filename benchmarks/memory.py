"""How much memory each task takes: flat in the size of the data, under the limit, and the least of all.

Rule: the peak over the import baseline is at most `FLOW` x 1.5 + 60 MB, and grows by at most 5 % when the data is four
times as large. With `BESIDE`, no other library takes less.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import child, missing, source
from tasks import TASKS, Task

FLOW, BESIDE = "64MB", "32MB"
TIMES = 4
AT_MOST_MB = 64 * 1.5 + 60
GROWTH = 0.05

Run = Callable[[str, str, str], dict[str, Any]]


def peaks(
    name: str, files: dict[str, Path], large: dict[str, Path], megabytes: int, given: argparse.Namespace
) -> dict[str, Any]:
    """Return the peaks of one task, in MB."""
    task = TASKS[name]
    found: dict[str, Any] = {"title": task.title, "flow": {}}

    def run(peer: str, path: str, memory: str) -> dict[str, Any]:
        return child(name, peer, path, memory, given)

    with source(task, files) as path:
        found["flow"][str(megabytes)] = _flow(run, path, given.rounds)
        found["beside"] = _beside(run, task, path)
    with source(task, large) as path:
        found["flow"][str(megabytes * TIMES)] = _flow(run, path, given.rounds)
    few, many = found["flow"].values()
    # Who loses rows needs little memory.
    if "wrong" not in few | many and many["rows"] != TIMES * few["rows"]:
        many["wrong"] = f"WRONG: {many['rows']} rows are not {TIMES} x {few['rows']}"
    return found


def _flow(run: Run, path: str, rounds: int) -> dict[str, Any]:
    runs = [run("streamframe", path, FLOW) for _ in range(rounds)]
    failed = next((each["error"] for each in runs if "error" in each), None)
    if failed is not None:
        return {"wrong": failed}
    found = [each["peak_mb"] for each in runs]
    return {"rows": _rows(runs[0]["answer"]), "median_mb": statistics.median(found), "most_mb": max(found)}


def _rows(answer: list[Any]) -> int:
    """Return the rows that an answer counts, in all groups if it has groups."""
    return sum(group[1] for group in answer) if isinstance(answer[0], list) else answer[0]


def _beside(run: Run, task: Task, path: str) -> dict[str, Any]:
    expected = None
    found: dict[str, Any] = {}
    # Ourselves under another name is no peer.
    for peer in ["streamframe", *(each for each in task.peers if each not in ("no verbs", "1 worker"))]:
        if peer in found:
            continue
        ran = {"error": missing(peer)} if missing(peer) else run(peer, path, BESIDE)
        expected = expected or ran.get("answer")
        if "error" in ran:
            found[peer] = ran["error"]
        else:
            found[peer] = ran["peak_mb"] if ran["answer"] == expected else "WRONG"
    return found
