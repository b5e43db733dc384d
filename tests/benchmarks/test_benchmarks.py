"""The benchmark's command, on a megabyte: what it prints, what it writes, and whom it calls wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

COMMAND = Path(__file__).resolve().parents[2] / "benchmarks" / "run.py"
LYING = """
def lie(path, out, first):
    return 7, 7

def fail(path, out, first):
    raise OSError("no | luck")

PEERS = {"workers": {"liar": lie, "unlucky": fail}}
"""


def run(*arguments: object) -> str:
    """Return what the command prints."""
    command = [sys.executable, str(COMMAND), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=50).stdout


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("benchmarks")


@pytest.mark.slow
def test_a_run_prints_and_writes_the_times_and_calls_a_wrong_result_wrong(cache: Path, tmp_path: Path) -> None:
    lying = tmp_path / "lying.py"
    lying.write_text(LYING)
    told = run(
        "--megabytes", 1, "--rounds", 1, "--tasks", "workers", "--peers", lying, "--cache", cache, "--out", tmp_path
    )
    found = json.loads((tmp_path / "benchmarks.json").read_text())["time"]
    peers = found["tasks"]["workers"]["peers"]
    assert peers["streamframe"]["wall_s"] > 0
    assert peers["streamframe"]["peak_mb"] > 0
    assert peers["liar"]["wrong"].startswith("WRONG: [7, 7] is not [")
    assert peers["unlucky"]["wrong"] == "FAILED: OSError: no | luck"
    assert "| CSV -> iterate, 2 workers against 1 | liar | WRONG: [7, 7] is not [" in told
    assert "of 1 worker (at most 0.59: " in told
    assert found["settings"]["megabytes"] == 1
    assert found["settings"]["versions"]["pyarrow"]
    assert ElementTree.fromstring((tmp_path / "benchmarks.svg").read_text()).tag.endswith("svg")


@pytest.mark.slow
def test_the_peaks_are_told_for_both_sizes_and_beside_the_peers(cache: Path, tmp_path: Path) -> None:
    told = run("memory", "--megabytes", 1, "--rounds", 1, "--tasks", "gz-parquet", "--cache", cache, "--out", tmp_path)
    task = json.loads((tmp_path / "benchmarks.json").read_text())["memory"]["tasks"]["gz-parquet"]
    few, many = task["flow"]["1"], task["flow"]["4"]
    assert "wrong" not in few
    assert many["rows"] == 4 * few["rows"]
    assert set(task["beside"]) == {"streamframe", "polars", "duckdb"}
    assert "| task | peak MB at 1 MB | peak MB at 4 MB | growth | |" in told


@pytest.mark.slow
def test_a_run_that_is_interrupted_keeps_the_tasks_that_were_done(cache: Path, tmp_path: Path) -> None:
    arguments = ("--megabytes", 1, "--rounds", 1, "--tasks", "workers,verbs", "--cache", cache, "--out", tmp_path)
    command = [sys.executable, str(COMMAND), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "10 cheap verbs" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        told = process.stdout.read()
    assert process.returncode == 130
    assert "CSV -> iterate, 2 workers against 1 | 1 worker" in told
    assert list(json.loads((tmp_path / "benchmarks.json").read_text())["time"]["tasks"]) == ["workers"]
    run(*(argument if argument != "workers,verbs" else "verbs" for argument in arguments))
    assert list(json.loads((tmp_path / "benchmarks.json").read_text())["time"]["tasks"]) == ["workers", "verbs"]


def reported(folder: Path, found: dict[str, Any]) -> tuple[str, str]:
    """Return the table and the plot of results that were measured before."""
    settings = {"megabytes": 1000, "rounds": 5, "cores": 2, "versions": {}}
    settings |= dict.fromkeys(("processor", "system", "python", "commit"), "x")
    for kind in found.values():
        kind["settings"] = settings
    (folder / "benchmarks.json").write_text(json.dumps(found))
    told = run("report", "--out", folder)
    plot = folder / "benchmarks.svg"
    return told, plot.read_text() if plot.exists() else ""


def took(wall_s: float, rounds: int = 5) -> dict[str, float]:
    return {"wall_s": wall_s, "cpu_s": wall_s, "peak_mb": 50, "rounds": rounds}


def test_the_ratio_is_to_the_fastest_peer_that_was_right(tmp_path: Path) -> None:
    peers = {
        "streamframe": took(2),
        "quick & wrong": {"wrong": "WRONG: 1 is not 2"},
        "polars": took(4),
        "duckdb": took(50, 2),
    }
    reached = {"title": "reached", "target": 0.5, "peers": peers}
    missed = {"title": "missed", "target": 0.49, "peers": peers}
    told, plot = reported(tmp_path, {"time": {"tasks": {"reached": reached, "missed": missed}}})
    assert "| reached | streamframe | 2.00 | 2.00 | 50 |  | 5 | **0.50** of polars (at most 0.50: reached) |" in told
    assert "**0.50** of polars (at most 0.49: NOT REACHED) |" in told
    assert "| duckdb | 50.00 | 50.00 | 50 |  | 2 (slow) |" in told
    assert plot.count('class="good"') == plot.count('class="bad"') == 1
    assert "target 0.49, missed" in plot


def test_a_target_for_one_peer_and_one_for_the_first_rows_are_told_where_they_belong(tmp_path: Path) -> None:
    peers = {"streamframe": took(2) | {"first_s": 0.051}, "pandas": took(4), "duckdb": took(3)}
    task = {"title": "t", "target": 0.9, "peer_targets": {"pandas": 0.5}, "first_ms": 50, "peers": peers}
    told, _ = reported(tmp_path, {"time": {"tasks": {"t": task}}})
    assert "**0.67** of duckdb (at most 0.90: reached); first rows at most 50 ms: NOT REACHED |" in told
    assert "| pandas | 4.00 | 4.00 | 50 |  | 5 | streamframe takes **0.50** of it (at most 0.50: reached) |" in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("few_mb", "many_mb", "ours_mb", "said"),
    [
        (150, 155, 20, ["| +3.33% | holds |", "| lowest |"]),
        (100, 106, 20, ["| +6.00% | **GROWS** |"]),
        (158, 158, 20, ["| +0.00% | **TOO MUCH**: 158 MB |"]),
        (100, 100, 31, ["| 31 | polars 30, duckdb WRONG | **NOT THE LOWEST** |"]),
    ],
)
def test_a_broken_promise_on_memory_is_named(
    few_mb: float, many_mb: float, ours_mb: float, said: list[str], tmp_path: Path
) -> None:
    flow = {
        size: {"rows": 1, "median_mb": peak, "most_mb": peak} for size, peak in (("1000", few_mb), ("4000", many_mb))
    }
    task = {"title": "t", "flow": flow, "beside": {"streamframe": ours_mb, "duckdb": "WRONG", "polars": 30}}
    told, _ = reported(tmp_path, {"memory": {"tasks": {"t": task}}})
    for words in said:
        assert words in told


def test_a_task_that_does_not_exist_is_refused_with_the_names_of_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run("--tasks", "csv-parqet", "--out", tmp_path)
    assert "no task is called csv-parqet; there are csv-parquet, csv-batches" in caught.value.stderr
