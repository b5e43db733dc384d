"""Export with a process that is killed at its Nth step on the disk: python killing.py FOLDER MODE SWAP N…

For each N it prints the state that the kill left: "old", "new" or what else was found. The steps are what
Python's audit hooks tell of (files opened, made, linked, renamed, removed), so a kill comes just before each.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

import streamframe as sf
from streamframe.io import exchange

ROWS = pa.record_batch({"k": ["a", "b", None, "a"] * 500, "i": range(2000)})


def export(folder: Path, mode: str, rows: pa.RecordBatch = ROWS) -> None:
    batches = [rows.slice(start, 500) for start in range(0, rows.num_rows, 500)]
    frame = sf.from_batches(batches)
    frame.to_csv(folder / "out", partition_by="k", mode=mode, max_rows_per_file=400, max_open_files=2)


def state(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def in_child(work: Callable[[], None]) -> None:
    """Run it in a process of its own: this one stays without threads, and may be forked again."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except sf.SinkError:
            pass
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def killed_at(step: int, folder: Path, work: Callable[[], None]) -> None:
    def hook(event: str, args: tuple[object, ...]) -> None:
        nonlocal step
        if event.startswith(("open", "os.", "shutil.")) and any(str(folder) in str(arg) for arg in args):
            step -= 1
            if step == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    work()


def main(base: Path, mode: str, swap: bool, steps: list[int]) -> None:
    if not swap:
        exchange._renameat2 = None  # a system that has none
    prepared = base / "prepared"
    prepared.mkdir()
    if mode != "error":
        in_child(lambda: export(prepared, "error", ROWS.slice(0, 700)))
    after = base / "after"
    shutil.copytree(prepared, after)
    in_child(lambda: export(after, mode))
    old, new = state(prepared), state(after)
    assert old != new
    for step in steps:
        folder = base / f"step-{step}"
        shutil.copytree(prepared, folder)
        in_child(lambda folder=folder, step=step: killed_at(step, folder, lambda: export(folder, mode)))
        left = {name: data for name, data in state(folder).items() if not name.startswith(".")}
        # The next run clears what was left, and leaves a directory that holds files as it is.
        in_child(lambda folder=folder: export(folder, "error"))
        mended = state(folder)
        names = {(): "missing", tuple(old): "old", tuple(new): "new"}
        seen = names.get(tuple(left), f"mixed: {sorted(left)}") if left in (old, new, {}) else "neither"
        stray = [path.name for path in folder.iterdir() if path.name != "out"]
        kept = mended == new if seen == "new" or not old else mended in (old, new)
        print(step, seen, "kept" if kept else "lost", *stray)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "swap", [int(step) for step in sys.argv[4:]])
