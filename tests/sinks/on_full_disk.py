"""Export to a disk that gets full on the way: python on_full_disk.py FOLDER VERB HOW WHAT

A small disk is mounted below the folder, as a tmpfs. Of WHAT it lacks, "bytes" or "files", there is left nothing, a
little, a little more, until a run goes through. Each time it prints the state that is left, how the run ended, and
what the next run made of it, when there was room again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.sinks.straced import States, export, in_child

SIZE_BYTES, FILES = 4 << 20, 200
PAGE_BYTES = 4096


def fill(ballast: Path, what: str, left: int) -> None:
    """Leave so many pages, or so many files, on the disk that the ballast lies on."""
    ballast.mkdir()
    facts = os.statvfs(ballast)
    if what == "files":
        for number in range(facts.f_favail - left):
            (ballast / str(number)).touch()
    else:
        with (ballast / "one").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, (facts.f_bavail - left) * PAGE_BYTES)


def main(base: Path, verb: str, how: str, what: str) -> None:
    states = States(base, verb, how)
    disk = base / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES},nr_inodes={FILES}", "tmpfs", disk], check=True)
    folder, ballast = disk / "step", disk / "ballast"
    try:
        told, left = "", 0
        while told != "done":
            shutil.copytree(states.prepared, folder)
            fill(ballast, what, left)
            told = in_child(lambda: export(folder, verb, how))
            shutil.rmtree(ballast)
            print(states.seen(folder), told, *states.next_run(folder), sep=", ", flush=True)  # noqa: T201
            shutil.rmtree(folder)
            left += 1
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:5])
