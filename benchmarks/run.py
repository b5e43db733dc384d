"""streamframe beside its peers: time, CPU, memory and time to the first rows of each task.

    python benchmarks/run.py                        # the times of all tasks on 1 GB, 5 rounds
    python benchmarks/run.py memory                 # the peaks at 1 GB and 4 GB, and beside the peers
    python benchmarks/run.py --quick                # on 50 MB; memory: on 250 MB and 1 GB
    python benchmarks/run.py --tasks csv-groups,http --rounds 3 --megabytes 300 --out results
    python benchmarks/run.py report --out results   # the table and the plot again, from the JSON

Every measurement runs in a process of its own; the rounds of all libraries are interleaved. A result that
is not equal to ours is called WRONG, and its time does not count. Prints a table; writes benchmarks.json, after
each task, and benchmarks.svg into --out. The tasks are in tasks.py, the data in data.py; docs/benchmarks.md says more.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import data
import memory
import report
from measure import child, missing, peers_of, source
from results import Results
from tasks import TASKS

# Of the best in the first round; what is slower is measured twice only, or the slowest would take most of the time.
SLOW = 10
SLOW_ROUNDS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("time", "memory", "report"), default="time")
    parser.add_argument("--tasks", help="by name, with commas between; default: all")
    parser.add_argument("--rounds", type=int, help="5; memory: 3")
    parser.add_argument("--megabytes", type=int, help="of the CSV: 1000; memory: and four times that")
    parser.add_argument("--quick", action="store_true", help="50 MB; memory: 250 MB")
    parser.add_argument("--memory", default="256MB", help="streamframe's limit while times are measured")
    parser.add_argument("--timeout", type=float, default=180, help="seconds that one run may take")
    parser.add_argument(
        "--peers", type=Path, help='a Python file of yours: PEERS = {"csv-batches": {"mine": function}}'
    )
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "streamframe-benchmarks")
    parser.add_argument("--out", type=Path, help="where benchmarks.json and benchmarks.svg go; default the cache")
    given = parser.parse_args()
    usual = [name for name, task in TASKS.items() if given.what != "time" or not task.only_memory]
    names = given.tasks.split(",") if given.tasks else usual
    if unknown := set(names) - set(TASKS):
        parser.error(f"no task is called {', '.join(sorted(unknown))}; there are {', '.join(TASKS)}")
    if given.rounds is not None and given.rounds < 1:
        parser.error(f"--rounds needs at least 1, got {given.rounds}")
    results = Results(given.out or given.cache)
    try:
        if given.what == "time":
            compare(names, results, given)
        elif given.what == "memory":
            weigh(names, results, given)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        # Also what was measured before Ctrl-C, or before a disk was full.
        shown = [given.what] if given.what != "report" else list(results.found)
        found = {kind: results.found[kind] for kind in shown if kind in results.found}
        print("\n" + report.text(found, in_red=sys.stdout.isatty()))
        if plot := report.plot(results.found):
            results.svg.write_text(plot)
        print(f"results are in {results.json} and {results.svg.name}")


def compare(names: list[str], results: Results, given: argparse.Namespace) -> None:
    """Measure the times."""
    megabytes = given.megabytes or (50 if given.quick else 1000)
    given.rounds = given.rounds or 5
    tell_missing(names, given)
    files = data.made(given.cache, megabytes, data_of(names))
    results.begin("time", megabytes=megabytes, rounds=given.rounds, memory=given.memory)
    for name in names:
        task = TASKS[name]
        print(f"{task.title}…", flush=True)
        targets = {"target": task.target, "peer_targets": task.peer_targets, "first_ms": task.first_ms}
        found = {"title": task.title, **targets, "peers": rounds(name, files, given)}
        results.add("time", name, found)


def weigh(names: list[str], results: Results, given: argparse.Namespace) -> None:
    """Measure the peaks of memory."""
    megabytes = given.megabytes or (250 if given.quick else 1000)
    given.rounds = given.rounds or 3
    tell_missing(names, given)
    files = data.made(given.cache, megabytes, data_of(names))
    large = data.repeated(given.cache, megabytes, memory.TIMES, data_of(names))
    results.begin("memory", megabytes=megabytes, rounds=given.rounds)
    for name in names:
        print(f"{TASKS[name].title}…", flush=True)
        results.add("memory", name, memory.peaks(name, files, large, megabytes, given))


def data_of(names: list[str]) -> set[str]:
    return {"csv" if TASKS[name].data == "http" else TASKS[name].data for name in names}


def tell_missing(names: list[str], given: argparse.Namespace) -> None:
    for peer in dict.fromkeys(peer for name in names for peer in peers_of(name, given.peers)):
        if said := missing(peer):
            print(f"{peer} is {said}")


def rounds(name: str, files: dict[str, Path], given: argparse.Namespace) -> dict[str, Any]:
    """Return the medians of each library; `wrong` tells why one does not count."""
    peers = peers_of(name, given.peers)
    absent = {peer: {"wrong": said} for peer in peers if (said := missing(peer))}
    runs: dict[str, list[dict[str, Any]]] = {peer: [] for peer in peers if peer not in absent}
    with source(TASKS[name], files) as path:
        for number in range(given.rounds):
            best = min((run[0]["wall_s"] for run in runs.values() if run and "wall_s" in run[0]), default=0)
            # Another one begins each round, so that nobody always runs after the same neighbour.
            first = number % len(runs)
            for peer, done in (list(runs.items()) * 2)[first : first + len(runs)]:
                failed = any("error" in run for run in done)
                if failed or (number >= SLOW_ROUNDS and done[0]["wall_s"] > SLOW * best):
                    continue
                done.append(child(name, peer, path, given.memory, given))
    # Ours comes first. Where it failed, the others are held to each other.
    expected = next((run["answer"] for done in runs.values() for run in done if "answer" in run), None)
    return {peer: summary(done, expected) for peer, done in runs.items()} | absent


def summary(runs: list[dict[str, Any]], expected: Any) -> dict[str, Any]:
    failed = next((run["error"] for run in runs if "error" in run), None)
    if failed is None:
        other = next((run["answer"] for run in runs if run["answer"] != expected), None)
        failed = other and f"WRONG: {str(other)[:60]} is not {str(expected)[:60]}"
    if failed is not None:
        return {"wrong": failed}
    kinds = ("wall_s", "cpu_s", "peak_mb", "first_s")
    medians = {kind: statistics.median(run[kind] for run in runs) for kind in kinds if runs[0][kind] is not None}
    return {"rounds": len(runs), **medians}


if __name__ == "__main__":
    main()
