"""Export with a system call that kills the process, or fails: python straced.py FOLDER VERB HOW CALL FAULT [UPTO]

The Nth such call of a thread is met by strace, for N = 1, 2, … until a run has less of them. For each N it prints
the state that is left, "old" or "new" or what else was found; how the run ended; and what the next run made of it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa

import streamframe as sf
from streamframe.sinks import open_partitions
from tests.sinks.killing import state

ROWS = pa.record_batch({"k": ["a", "b", None, "a"] * 500, "i": range(2000)})
SUFFIXES = {"to_parquet": "parquet", "to_csv": "csv", "to_ndjson": "ndjson", "to_ipc": "arrow"}
LAYOUTS = {
    "file": {},
    "folders": {"mode": "overwrite", "partition_by": "k", "max_rows_per_file": 400, "max_open_files": 2},
    "small folders": {"mode": "overwrite", "partition_by": "k"},
    "resumed": {"mode": "overwrite", "resume": True, "max_rows_per_file": 300},
    "resumed folders": {"mode": "overwrite", "resume": True, "partition_by": "k", "max_open_files": 2},
}
ENDINGS = ("done", "refused", "crashed")
# A run that waits for nobody takes a few hundred calls.
MOST = 1_000


def export(folder: Path, verb: str, how: str, rows: pa.RecordBatch = ROWS) -> None:
    frame = sf.from_batches([rows.slice(start, 200) for start in range(0, rows.num_rows, 200)])
    name = f"out.{SUFFIXES[verb]}" if how == "file" else "out"
    getattr(frame, verb)(folder / name, **LAYOUTS[how])


def in_child(work: Callable[[], None], *fault: str) -> str:
    """Run it in a process of its own, as this one has to stay without threads; return how that ended."""
    child = os.fork()
    if child == 0:
        ended = "done"
        try:
            if fault:
                os.kill(os.getpid(), signal.SIGSTOP)
            work()
        except sf.StreamError:
            ended = "refused"
        except BaseException:
            traceback.print_exc()
            ended = "crashed"
        finally:
            os._exit(ENDINGS.index(ended))
    tracer = None
    if fault:
        os.waitpid(child, os.WUNTRACED)
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-p", str(child), *fault])
        while f"TracerPid:\t{tracer.pid}" not in Path(f"/proc/{child}/status").read_text():
            time.sleep(0.001)
        os.kill(child, signal.SIGCONT)
    _, status = os.waitpid(child, 0)
    if tracer is not None:
        tracer.wait()
    return "killed" if os.WIFSIGNALED(status) else ENDINGS[os.WEXITSTATUS(status)]


def main(base: Path, verb: str, how: str, call: str, fault: str, upto: int) -> None:
    states = States(base, verb, how)
    folder = base / "step"
    for number in range(1, upto):
        shutil.copytree(states.prepared, folder)
        inject = ("-o", str(base / "log"), "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={number}")
        told = in_child(lambda: export(folder, verb, how), *inject)
        print(states.seen(folder), told, *states.next_run(folder), sep=", ", flush=True)  # noqa: T201
        shutil.rmtree(folder)
        if told != "killed" and "INJECTED" not in (base / "log").read_text():
            break


class States:
    """What a target may be: old or new."""

    def __init__(self, base: Path, verb: str, how: str) -> None:
        open_partitions._SAVED_BYTES = 8_000
        open_partitions._WORTH_A_FILE_BYTES = 1
        self._verb, self._how = verb, how
        self.prepared, after, without_kernels = base / "prepared", base / "after", base / "without kernels"
        self.prepared.mkdir()
        assert in_child(lambda: export(self.prepared, verb, how, ROWS.slice(0, 700))) == "done"
        shutil.copytree(self.prepared, after)
        shutil.copytree(self.prepared, without_kernels)
        assert in_child(lambda: export(after, verb, how)) == "done"
        # Where the kernels cannot be loaded, which is no error, Arrow writes the same rows in other bytes.
        os.environ["STREAMFRAME_NATIVE"] = "0"
        assert in_child(lambda: export(without_kernels, verb, how)) == "done"
        del os.environ["STREAMFRAME_NATIVE"]
        self._old, self._new, self._without_kernels = map(contents, (self.prepared, after, without_kernels))
        assert self._old not in (self._new, self._without_kernels)

    def seen(self, folder: Path) -> str:
        """Tell what a reader would see now."""
        left = contents(folder)
        if left == self._old:
            return "old"
        return "new" if left in (self._new, self._without_kernels) else f"mixed: {sorted(left)}"

    def next_run(self, folder: Path) -> list[str]:
        """Export once more; return what became of it, and what else is left."""
        again = in_child(lambda: export(folder, self._verb, self._how))
        mended = "whole" if contents(folder) == self._new and again == "done" else f"{again}, and not whole"
        return [mended, *(path.name for path in folder.iterdir() if path.name.startswith("."))]


def contents(folder: Path) -> object:
    """Return what a reader sees."""
    found = {name: data for name, data in state(folder).items() if not name.startswith(".")}
    if not any(b'"run"' in data for data in found.values()):
        return found
    # Where files end depends on where a run went on: the rows are what counts.
    into = folder.with_name("numbers")
    in_child(lambda: into.write_text(json.dumps(sorted(row["i"] for name in found for row in rows_of(folder / name)))))
    return json.loads(into.read_text())


def rows_of(path: Path) -> Iterable[dict[str, object]]:
    return () if path.name.startswith("_") else sf.read(path).iter_rows()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:6], int(sys.argv[6]) if len(sys.argv) > 6 else MOST)
