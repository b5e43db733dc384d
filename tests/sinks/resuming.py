"""Export with a process that is killed again and again, and goes on each time: python resuming.py FOLDER VERB HOW SEED…

A kill comes just before one of the steps on the disk that Python's audit hooks tell of, at random among those that a
whole run takes. Each seed makes a folder of its own, `rows.csv` beside them is read. It prints for each how many kills
there were before there was a target, and what else lies in the folder.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import streamframe as sf
from streamframe.sinks import open_partitions
from tests.sinks.killing import in_child, killed_at

KILLS = 10
STEPS = {"files": 90, "folders": 60, "files, rejects": 130, "folders, rejects": 90}
FILES, FOLDERS = {"max_rows_per_file": 700}, {"partition_by": "late", "max_open_files": 2}
LAYOUTS = {"files": FILES, "folders": FOLDERS, "files, rejects": FILES, "folders, rejects": FOLDERS}


def export(folder: Path, verb: str, how: str) -> None:
    layout, errors = dict(LAYOUTS[how]), "raise"
    if how.endswith("rejects"):
        layout["rejects"], errors = folder / "rejects.ndjson", "quarantine"
    rows = sf.read_csv(folder.parent / "rows.csv", dtype={"fare": "float64"}, errors=errors)
    frame = rows.filter(sf.col("id") % 7 != 3).select("id", "late", "fare")
    with sf.options(memory="1MB"):
        getattr(frame, verb)(folder / "out", resume=True, **layout)


def chain(folder: Path, verb: str, how: str, chance: random.Random) -> int:
    kills = 0
    while kills < KILLS and not (folder / "out").exists():
        step = chance.randrange(1, STEPS[how])
        in_child(lambda step=step: killed_at(step, folder, lambda: export(folder, verb, how)))
        kills += 1
    in_child(lambda: export(folder, verb, how))
    return kills


def main(base: Path, verb: str, how: str, seeds: list[int]) -> None:
    open_partitions._SAVED_BYTES = 20_000
    open_partitions._WORTH_A_FILE_BYTES = 1
    for seed in seeds:
        folder = base / f"chain-{seed}"
        folder.mkdir()
        kills = chain(folder, verb, how, random.Random(seed))
        print(kills, *(path.name for path in folder.iterdir() if path.name not in ("out", "rejects.ndjson")))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], [int(seed) for seed in sys.argv[4:]])
