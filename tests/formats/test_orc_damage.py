"""Damaged ORC is a typed error, or rows of the right types."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
from collections import Counter

import pytest

import streamframe as sf
from tests.contract.parts import table
from tests.formats.test_parquet_damage import mutated

# The latter are a large stripe beside the least memory, whose rows are decoded some at a time.
ROWS = (400, 8_000)


def read_mutations(folder: str, mutations: int) -> None:
    """Read mutations of a file; print what came of them. Runs in a child process."""
    rng = random.Random(7)
    path = f"{folder}/mutated.orc"
    verdicts: Counter[str] = Counter()
    whole = {}
    for rows, compression in itertools.product(ROWS, (None, "zlib", "zstd")):
        sf.from_arrow(table(rows)).to_orc(path, compression=compression)
        with open(path, "rb") as file:
            whole[rows, compression] = file.read()
    sf.set_options(memory="1MB")
    for _ in range(mutations):
        with open(path, "wb") as file:
            file.write(mutated(whole[rng.choice(list(whole))], rng))
        columns = rng.choice([None, None, ["note"], ["late", "id"]])
        try:
            found = sf.read_orc(path, columns=columns).to_arrow()
        except sf.StreamError:
            verdicts["typed error"] += 1
        else:
            # ORC has no checksums: a value that became another value goes unnoticed.
            verdicts["rows"] += 1
            for column in found.itercolumns():
                column.validate(full=True)
    print(json.dumps(verdicts))  # noqa: T201 - read by the test


@pytest.mark.parametrize(
    "mutations",
    [
        pytest.param(300, marks=pytest.mark.slow),
        pytest.param(5000, marks=[pytest.mark.soak, pytest.mark.timeout(900)]),
    ],
)
def test_damage_never_crashes_the_process(tmp_path, mutations):
    child = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", __name__, str(tmp_path), str(mutations)],
        capture_output=True,
        text=True,
        timeout=600 if mutations > 400 else 50,
        check=False,
    )
    # The library below Arrow writes this itself where a version is damaged.
    told = [line for line in child.stderr.splitlines() if "written in an unknown format version" not in line]
    assert (child.returncode, told) == (0, [])
    assert json.loads(child.stdout)["typed error"] > mutations // 4


if __name__ == "__main__":
    read_mutations(sys.argv[1], int(sys.argv[2]))
