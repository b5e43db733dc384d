"""Damaged Arrow IPC never crashes the process, and never loses a row in silence."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter

import pyarrow as pa
import pytest

import streamframe as sf
from tests.contract.parts import ipc_bytes, table

ROWS = 60
# Too many to be held within the memory: they are read in slices, or column by column.
LARGE_ROWS = 15_000
MEMORY = "1MB"
EXTREMES = [0, 1, 64, 1000, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1]
WAYS = {
    "file": {},
    "file zstd": {"compression": "zstd"},
    "file lz4": {"compression": "lz4"},
    "stream": {"stream": True},
    "stream zstd": {"stream": True, "compression": "zstd"},
}


def nested_table(rows: int) -> pa.Table:
    more = {
        "view": pa.array([f"longer than twelve letters {i}" if i % 5 else None for i in range(rows)], pa.string_view()),
        "dictionary": pa.array(["ab"[i % 2] for i in range(rows)]).dictionary_encode(),
        "list": pa.array([["x"] * (i % 3) for i in range(rows)]),
        "map": pa.array([[("k", i)] for i in range(rows)], pa.map_(pa.string(), pa.int64())),
    }
    data = table(rows)
    for name, column in more.items():
        data = data.append_column(name, column)
    return data


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with a bit turned, a length that lies, or some bytes lost or repeated."""
    changed = bytearray(data)
    at = rng.randrange(len(data))
    how = rng.choice(["bit", "int32", "int64", "lost", "repeated"])
    if how == "bit":
        changed[at] ^= 1 << rng.randrange(8)
    elif how == "lost":
        del changed[at : at + rng.choice([1, 8, 64])]
    elif how == "repeated":
        changed[at:at] = data[at : at + rng.choice([8, 64])]
    else:
        width = int(how[3:]) // 8
        at -= at % width
        changed[at : at + width] = (rng.choice(EXTREMES) % 2 ** (8 * width)).to_bytes(width, "little")
    return bytes(changed)


def read_mutations(folder: str, mutations: int, rows: int) -> None:
    """Read every mutation of every way of writing; print what came of them. Runs in a child process."""
    rng = random.Random(7)
    data = nested_table(rows)
    batch_rows = 20 if rows == ROWS else rows
    whole = {way: ipc_bytes(data, batch_rows=batch_rows, **options) for way, options in WAYS.items()}  # type: ignore[arg-type]
    sf.set_options(memory=MEMORY)
    verdicts: Counter[str] = Counter()
    for number in range(mutations):
        way = rng.choice(list(WAYS))
        columns = rng.choice(
            [None, list(table(1).column_names), ["view", "note", "id"], ["dictionary", "id"], ["list", "map"]]
        )
        path = f"{folder}/mutated"
        with open(path, "wb") as file:
            file.write(mutated(whole[way], rng))
        try:
            found = sf.read_ipc(path, columns=columns).to_arrow()
        except sf.StreamError:
            verdicts["typed error"] += 1
        else:
            # Arrow IPC has no checksums: a value that became another value goes unnoticed.
            verdicts["all rows" if found.num_rows == rows else f"{found.num_rows} rows at {number} of {way}"] += 1
            for column in found.itercolumns():
                column.validate(full=True)
    print(json.dumps(verdicts))  # noqa: T201 - read by the test


@pytest.mark.parametrize(
    ("rows", "mutations"),
    [
        pytest.param(ROWS, 400, marks=pytest.mark.slow),
        pytest.param(LARGE_ROWS, 150, marks=pytest.mark.slow),
        pytest.param(ROWS, 5000, marks=[pytest.mark.soak, pytest.mark.timeout(900)]),
        pytest.param(LARGE_ROWS, 5000, marks=[pytest.mark.soak, pytest.mark.timeout(900)]),
    ],
)
def test_damage_is_a_typed_error_or_all_rows_and_never_a_crash(tmp_path, rows, mutations):
    child = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", __name__, str(tmp_path), str(mutations), str(rows)],
        capture_output=True,
        text=True,
        timeout=600 if mutations > 400 else 50,
        check=False,
    )
    assert (child.returncode, child.stderr) == (0, "")
    verdicts = json.loads(child.stdout)
    assert set(verdicts) == {"typed error", "all rows"}
    # Most bytes of a large file are values, which may become others.
    assert verdicts["typed error"] > mutations // (2 if rows == ROWS else 5)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("compression", ["zstd", "lz4"])
@pytest.mark.parametrize("kind", ["rows", "dictionary"])
def test_a_batch_that_would_become_too_large_is_not_decompressed(tmp_path, stream, compression, kind):
    path = tmp_path / "bomb.arrow"
    column = pa.array(["x" * 1_000_000]) if kind == "rows" else pa.array(["x" * 1_000_000]).dictionary_encode()
    path.write_bytes(ipc_bytes(pa.table({"a": column}), stream=stream, compression=compression))
    assert path.stat().st_size < 10_000
    with pytest.raises(
        sf.BudgetError, match=r"1 MB once it is decompressed(.|\n)*bomb(.|\n)*max_batch_bytes="
    ) as caught:
        sf.read_ipc(path, max_batch_bytes="500kB").to_arrow()
    assert caught.value.byte_offset is not None
    assert sf.read_ipc(path, max_batch_bytes="2MB").count() == 1


def test_a_length_of_the_schema_that_cannot_be_is_told_as_damage(tmp_path):
    data = bytearray(ipc_bytes(table(5)))
    # Behind the magic, its padding and the mark of a message.
    data[12:16] = (1 << 30).to_bytes(4, "little")
    (tmp_path / "a.arrow").write_bytes(data)
    with pytest.raises(sf.DecodeError, match="its metadata would have") as caught:
        sf.read(tmp_path / "a.arrow").to_arrow()
    assert caught.value.byte_offset == 8


if __name__ == "__main__":
    read_mutations(sys.argv[1], *map(int, sys.argv[2:]))
