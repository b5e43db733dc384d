"""What is left to do for an export that is killed at 90 %: a run in one go, beside the run that goes on.

    python benchmarks/resumed.py flights.csv [flights.csv.gz …]

Rules: each run is a process of its own. The first is killed (SIGKILL) by a function in its plan, when nine tenths of
the rows have passed. Each source is read from the disk, and over HTTP from a server that knows ranges. What comes out
is counted and summed by DuckDB, and has to be the same. Python finds its modules compiled, as where a package was
installed: to compile ours takes as long as to read 100 MB. Files are as large as they are by default: what is lost with
a process is the file that it was at, and mostly the one before.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def export(source: str, target: str, stop_rows: int) -> None:
    """Write all rows; kill this process when so many have passed, if that is not 0."""
    import streamframe as sf

    rows = 0

    def counted(batch):  # type: ignore[no-untyped-def]
        nonlocal rows
        rows += batch.num_rows
        if stop_rows and rows >= stop_rows:
            os.kill(os.getpid(), signal.SIGKILL)
        return batch

    frame = sf.read(source).map_batches(counted, name="counted")
    print(frame.to_parquet(target, resume=True))


def compiled(folder: str) -> None:
    """Have our modules compiled, and those of others that are not yet, and Python look for that in a folder."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = folder
    Path(folder, "few.csv").write_text("a,b\n1,x\n")
    for target in ("first", "again"):
        wall_s, cpu_s, _ = timed(f"{folder}/few.csv", f"{folder}/{target}/")
    print(f"{'a single row':28} {wall_s:8.2f} {'':15} | {cpu_s:8.2f}")


def timed(source: str, target: str, stop_rows: int = 0) -> tuple[float, float, str]:
    """Return wall seconds, CPU seconds and what was printed."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    told = export_in_child(source, target, stop_rows)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, cpu_s, told


def export_in_child(source: str, target: str, stop_rows: int) -> str:
    command = [sys.executable, __file__, "--child", source, target, str(stop_rows)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == (-signal.SIGKILL if stop_rows else 0), run.stderr
    return run.stdout


def answer(target: str) -> list[tuple[object, ...]]:
    import duckdb  # not in the runs, which are measured

    return duckdb.sql(
        f"select count(*), sum(distance), sum(hash(tailnum, time_hour)) from '{target}/*.parquet'"
    ).fetchall()


def compare(source: str, label: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole, parts = f"{folder}/whole/", f"{folder}/parts/"
        whole_s, whole_cpu_s, _ = timed(source, whole)
        expected = answer(whole)
        timed(source, parts, int(expected[0][0] * 0.9))
        rest_s, rest_cpu_s, report = timed(source, parts)
        assert answer(parts) == expected, (answer(parts), expected)
        shutil.rmtree(whole)
    told = " | ".join(line.strip() for line in report.splitlines() if line.split()[0] in ("rows", "read"))
    wall = f"{whole_s:8.2f} {rest_s:8.2f} {rest_s / whole_s:6.2f}"
    cpu = f"{whole_cpu_s:8.2f} {rest_cpu_s:8.2f} {rest_cpu_s / whole_cpu_s:6.2f}"
    print(f"{label:28} {wall} | {cpu}   {told}", flush=True)


@contextmanager
def served(path: Path) -> Iterator[str]:
    """Serve a file, with ranges and an ETag, from another process."""
    code = (
        "import sys, time\nfrom streamframe.testing import page, serve\n"
        "with serve(page(open(sys.argv[1], 'rb').read())) as url:\n    print(url, flush=True)\n    sys.stdin.read()"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    assert server.stdin is not None
    try:
        yield f"{server.stdout.readline().strip()}/{path.name}"
    finally:
        server.stdin.close()
        server.wait()


def main(sources: list[str]) -> None:
    columns = f"{'whole':>8} {'rest':>8} {'ratio':>6}"
    print(f"{'seconds, wall | CPU':28} {columns} | {columns}   the run that went on")
    with tempfile.TemporaryDirectory() as folder:
        compiled(folder)
        for source in sources:
            compare(source, Path(source).name)
            with served(Path(source)) as url:
                compare(url, f"{Path(source).name} over HTTP")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("sources", nargs="+")
    given = parser.parse_args()
    if given.child:
        export(given.sources[0], given.sources[1], int(given.sources[2]))
    else:
        main(given.sources)
