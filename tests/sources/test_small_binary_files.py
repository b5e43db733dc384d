"""Many small files of columns, decoded together: what each holds by itself, and typed errors for damage in one."""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from tests.formats.test_parquet_damage import mutated

EXAMPLES = int(os.environ.get("SMALL_EXAMPLES", "30"))
LIST = pa.list_(pa.string())
# Where so many rows are wanted and no more, files are decoded one by one.
ALL = 10**9


def rows_of(rng: random.Random, count: int) -> pa.Table:
    """Return rows with columns that the kernel knows, and some that it does not."""
    some = [rng.random() < 0.8 for _ in range(count)]
    numbers = [rng.randrange(-(2**40), 2**40) if is_there else None for is_there in some]
    return pa.table(
        {
            "id": pa.array(range(count), pa.int64()),
            "big": pa.array(numbers, pa.int64()),
            "small": pa.array([number and number % 100 for number in numbers], pa.int8()),
            "fare": pa.array([number and number / 7 for number in numbers], pa.float64()),
            "day": pa.array([number and date(2020, 1, 1) + timedelta(number % 999) for number in numbers], pa.date32()),
            "seen": pa.array(numbers, pa.timestamp("us", "UTC")),
            "town": pa.array([number and "ABC"[number % 3] * (number % 9) for number in numbers], pa.string()),
            "note": pa.array([str(number) * rng.randrange(5) for number in numbers], pa.string()),
            "late": pa.array(some, pa.bool_()),
            "tags": pa.array([["a", "b"][: number % 3] if number else None for number in numbers], LIST),
        }
    )


def write_parquet(table: pa.Table, path: Path, rng: random.Random) -> None:
    pq.write_table(
        table,
        path,
        compression=rng.choice(["none", "snappy", "snappy", "zstd"]),
        use_dictionary=rng.random() < 0.7,
        data_page_version=rng.choice(["1.0", "2.0"]),
        row_group_size=rng.choice([10, 1000, 1000]),
        write_page_checksum=True,
    )


def write_ipc(table: pa.Table, path: Path, rng: random.Random) -> None:
    options = pa.ipc.IpcWriteOptions(compression=rng.choice([None, None, "lz4", "zstd"]))
    make = pa.ipc.new_stream if path.suffix == ".arrows" else pa.ipc.new_file
    with make(path, table.schema, options=options) as writer:
        writer.write_table(table, rng.choice([10, 1000, 1000]))


def write_orc(table: pa.Table, path: Path, rng: random.Random) -> None:
    orc.write_table(table, path, compression=rng.choice(["uncompressed", "snappy", "zlib"]))


FORMATS = {
    "parquet": (sf.read_parquet, write_parquet),
    "arrow": (sf.read_ipc, write_ipc),
    "arrows": (sf.read_ipc, write_ipc),
    "orc": (sf.read_orc, write_orc),
}


def written(folder: Path, rng: random.Random, kinds: list[str], files: int, suffix: str = "parquet") -> Path:
    for number in range(files):
        path = folder / f"n={number}" / f"x.{suffix}"
        path.parent.mkdir(parents=True)
        FORMATS[suffix][1](rows_of(rng, rng.choice([0, 1, 7, 60])).select(kinds), path, rng)
    return folder


def found(frame: sf.StreamFrame) -> tuple[list[dict[str, Any]], tuple[Any, ...] | None]:
    """Return the rows that came, and what is to be known of an error that ended them."""
    rows: list[dict[str, Any]] = []
    try:
        for batch in frame:
            batch.validate(full=True)
            rows += batch.to_pylist()
    except sf.StreamError as error:
        return rows, (type(error).__name__, error.message, error.source, error.row)
    return rows, None


def by_arrow(path: Path) -> list[dict[str, Any]]:
    suffix = path.suffix[1:]
    if suffix == "arrows":
        return pa.ipc.open_stream(path.read_bytes()).read_all().to_pylist()
    read = {"parquet": pq.read_table, "orc": orc.read_table, "arrow": pa.feather.read_table}[suffix]
    return read(path).to_pylist()


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("known", [True, False])
def test_files_of_many_kinds_read_together_are_what_they_are_one_by_one(tmp_path, suffix, known):
    rng, read = random.Random(3), FORMATS[suffix][0]
    for example in range(EXAMPLES):
        every = rows_of(rng, 0).column_names[: 8 if known else None]
        columns = rng.sample(every, rng.randrange(1, len(every) + 1))
        folder = written(tmp_path / str(example), rng, columns, 14, suffix)
        files = sorted(folder.rglob(f"*.{suffix}"))
        wanted = [{**row, "n": int(path.parent.name[2:])} for path in files for row in by_arrow(path)]
        with sf.options(memory=rng.choice(["16MB", "256MB"]), workers=rng.choice([1, 2])):
            frame = read(folder)
            assert frame.to_arrow().to_pylist() == wanted, example
            assert frame.select("n").to_arrow()["n"].to_pylist() == [row["n"] for row in wanted]
            some = sorted(rng.sample(columns, rng.randrange(1, len(columns) + 1)))
            assert read(files, columns=some).to_arrow().to_pylist() == [
                {name: row[name] for name in some} for row in wanted
            ]


def test_files_with_other_columns_stand_among_the_others(tmp_path):
    rng = random.Random(5)
    for number in range(24):
        table = rows_of(rng, 9).select(["id", "town"])
        if number % 5 == 3:
            table = table.select(["town", "id"])
        if number % 7 == 5:
            table = table.append_column("more", pa.array(range(9)))
        if number == 17:
            table = table.set_column(0, "id", table["id"].cast(pa.int32()))
        pq.write_table(table, tmp_path / f"{number:02}.parquet")
    files = sorted(tmp_path.glob("*.parquet"))
    union = sf.read_parquet(files, schema="union")
    assert found(union)[0] == found(union.limit(ALL))[0]
    assert union.count() == 24 * 9
    with pytest.warns(UserWarning, match="more"):
        rows, error = found(sf.read_parquet(files))
    assert len(rows) == 17 * 9
    assert error is not None
    assert error[2] == str(files[17])


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_run_over_many_files_goes_on_behind_every_batch(tmp_path, suffix):
    frame = FORMATS[suffix][0](written(tmp_path, random.Random(11), ["id", "town", "fare"], 40, suffix))
    rows = frame.to_arrow().to_pylist()
    with frame.iter_batches() as batches:
        done = 0
        for batch in batches:
            done += batch.num_rows
            rest = [row for more in frame.iter_batches(resume=batches.checkpoint()) for row in more.to_pylist()]
            assert rest == rows[done:]


@pytest.mark.parametrize("suffix", FORMATS)
def test_batches_hold_the_rows_of_many_files(tmp_path, suffix):
    for number in range(100):
        FORMATS[suffix][1](pa.table({"a": [1, 2]}), tmp_path / f"{number:03}.{suffix}", random.Random(1))
    sizes = [batch.num_rows for batch in FORMATS[suffix][0](tmp_path)]
    assert sizes[0] == 2
    assert len(sizes) < 10


def read_where_few_files_may_be_open(folder: str) -> None:
    """Read more files than may be open, with a consumer that lags behind. Runs in a child process."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    frame = sf.read_parquet(folder).map_batches(lambda batch: batch)
    with frame.iter_batches(10) as batches:
        print(sum(batch.num_rows for batch in batches))  # noqa: T201 - read by the test


def read_damaged(folder: str, suffix: str, mutations: int) -> None:
    """Read directories in which one file is damaged; print what came of them. Runs in a child process."""
    rng = random.Random(13)
    verdicts: Counter[str] = Counter()
    where = written(Path(folder), rng, ["id", "big", "town", "note"], 9, suffix)
    files = sorted(where.rglob(f"*.{suffix}"))
    for number in range(mutations):
        path = rng.choice(files[1:])
        whole = path.read_bytes()
        path.write_bytes(mutated(whole, rng))
        frame = FORMATS[suffix][0](where)
        together, apart = found(frame), found(frame.limit(ALL))
        verdicts["good" if together[1] is None else "error"] += 1
        if suffix != "parquet" and together[1] and apart[1]:
            # Where fewer rows are wanted, less is read ahead: what is found first is another thing.
            together, apart = ((rows, error and error[2]) for rows, error in (together, apart))
        if together != apart:
            verdicts[f"{number}: {together[1]} with {len(together[0])}, {apart[1]} with {len(apart[0])}"] += 1
        path.write_bytes(whole)
    print(json.dumps(verdicts))  # noqa: T201 - read by the test


def in_a_child(*arguments: object) -> str:
    child = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "ignore", "-m", __name__, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    # The library below Arrow warns of versions of ORC that it does not know.
    lines = [line for line in child.stderr.splitlines() if not line.startswith("Warning: ORC file")]
    assert (child.returncode, lines) == (0, [])
    return child.stdout


@pytest.mark.slow
def test_more_files_than_may_be_open_are_read(tmp_path):
    for number in range(300):
        pq.write_table(pa.table({"a": [1, 2]}), tmp_path / f"{number:03}.parquet")
    assert in_a_child("few", tmp_path) == "600\n"


@pytest.mark.parametrize(
    "mutations",
    [
        pytest.param(150, marks=pytest.mark.slow),
        pytest.param(5000, marks=[pytest.mark.soak, pytest.mark.timeout(900)]),
    ],
)
@pytest.mark.parametrize("suffix", FORMATS)
def test_damage_in_one_file_is_what_it_is_where_files_are_read_one_by_one(tmp_path, suffix, mutations):
    verdicts = json.loads(in_a_child("damaged", tmp_path, suffix, mutations))
    assert set(verdicts) == {"good", "error"}
    assert verdicts["error"] > mutations // 4


if __name__ == "__main__":
    if sys.argv[1] == "few":
        read_where_few_files_may_be_open(sys.argv[2])
    else:
        read_damaged(sys.argv[2], sys.argv[3], int(sys.argv[4]))
