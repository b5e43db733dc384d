"""What is measured: each task as streamframe does it, and as its peers do.

Rule: a function does the task as that library's own documentation would, within its defaults, calls
`first` when the first rows are there (if it hands out any), and returns what proves that it did all of
it: the number of rows and the sum of `distance`. What an export wrote is read back after the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Answer = tuple[Any, ...]
Does = Callable[[str, str, Callable[[], None]], Answer | None]


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes
    ----------
    title : str
        For the table.
    data : str
        Which of the files it reads.
    target : float
        The ratio to the best peer that is to be reached.
    peers : dict of str to callable
        By library; a function gets the input, where to write, and `first`.
    """

    title: str
    data: str
    target: float
    peers: dict[str, Does]


def _counted(batches: Any, first: Callable[[], None]) -> Answer:
    """Take record batches, and note what proves that they were all there."""
    import pyarrow.compute as pc

    rows = distance = 0
    for batch in batches:
        if not rows:
            first()
        rows += batch.num_rows
        distance += pc.sum(batch.column(batch.schema.get_field_index("distance"))).as_py() or 0
    return rows, distance


def _counted_frames(frames: Any, first: Callable[[], None]) -> Answer:
    rows = distance = 0
    for frame in frames:
        if not rows:
            first()
        rows += len(frame)
        distance += int(frame["distance"].sum())
    return rows, distance


def _sf(**options: Any) -> Any:
    import streamframe as sf

    sf.set_options(progress=False, **{name: value for name, value in options.items() if value is not None})
    return sf


def _groups(rows: Any) -> Answer:
    """Return groups as they can be compared: sorted, means rounded."""
    return tuple(sorted((key, n, delay, far, round(mean, 6)) for key, n, delay, far, mean in rows))


# ---------------------------------------------------------------- streamframe


def sf_to_parquet(path: str, out: str, first: Callable[[], None]) -> None:
    sf = _sf()
    frame = sf.read(path)
    frame.filter(sf.col("distance") > 500).with_columns(lost=sf.col("arr_delay") - sf.col("dep_delay")).to_parquet(out)


def sf_batches(path: str, out: str, first: Callable[[], None]) -> Answer:
    return _counted(_sf().read(path), first)


def sf_csv_batches(path: str, out: str, first: Callable[[], None]) -> Answer:
    return _counted(_sf().read_csv(path), first)


def sf_frames(path: str, out: str, first: Callable[[], None]) -> Answer:
    return _counted_frames(_sf().read(path).iter_pandas(chunksize=100_000), first)


def sf_groups(path: str, out: str, first: Callable[[], None]) -> Answer:
    return _sf_groups(_sf().read(path))


def sf_filtered_groups(path: str, out: str, first: Callable[[], None]) -> Answer:
    sf = _sf()
    return _sf_groups(sf.read(path).filter(sf.col("distance") > 500))


def _sf_groups(frame: Any) -> Answer:
    import streamframe as sf

    made = frame.group_by("carrier").agg(
        n=sf.count(), delay=("dep_delay", "sum"), far=("distance", "max"), mean=("air_time", "mean")
    )
    return _groups(row.values() for row in made.iter_rows())


def sf_to_csv(path: str, out: str, first: Callable[[], None]) -> None:
    _sf().read(path).to_csv(out)


def sf_ten_verbs(path: str, out: str, first: Callable[[], None]) -> Answer:
    sf = _sf()
    frame = sf.read(path)
    for number in range(5):
        frame = frame.rename({"year": f"y{number}"}).rename({f"y{number}": "year"})
    return _counted(frame, first)


def sf_one_worker(path: str, out: str, first: Callable[[], None]) -> Answer:
    return _counted(_sf(workers=1).read(path), first)


def sf_two_workers(path: str, out: str, first: Callable[[], None]) -> Answer:
    return _counted(_sf(workers=2).read(path), first)


# --------------------------------------------------------------------- polars


def _polars(path: str) -> Any:
    import polars as pl

    scan = pl.scan_parquet if path.endswith(".parquet") else pl.scan_ndjson if path.endswith(".ndjson") else pl.scan_csv
    options = {"try_parse_dates": True} if ".csv" in path else {}
    return scan(path, **options)


def polars_to_parquet(path: str, out: str, first: Callable[[], None]) -> None:
    import polars as pl

    frame = _polars(path).filter(pl.col("distance") > 500)
    frame.with_columns(lost=pl.col("arr_delay") - pl.col("dep_delay")).sink_parquet(out, compression="snappy")


def polars_batches(path: str, out: str, first: Callable[[], None]) -> Answer:
    batches = (batch for frame in _polars(path).collect_batches() for batch in frame.to_arrow().to_batches())
    return _counted(batches, first)


def polars_groups(path: str, out: str, first: Callable[[], None]) -> Answer:
    return _polars_groups(_polars(path))


def polars_filtered_groups(path: str, out: str, first: Callable[[], None]) -> Answer:
    import polars as pl

    return _polars_groups(_polars(path).filter(pl.col("distance") > 500))


def _polars_groups(frame: Any) -> Answer:
    import polars as pl

    made = frame.group_by("carrier").agg(
        pl.len(), pl.col("dep_delay").sum(), pl.col("distance").max(), pl.col("air_time").mean()
    )
    return _groups(made.collect(engine="streaming").rows())


def polars_to_csv(path: str, out: str, first: Callable[[], None]) -> None:
    _polars(path).sink_csv(out)


# --------------------------------------------------------------------- DuckDB


def _duckdb(path: str) -> str:
    if path.endswith(".ndjson"):
        return f"read_json('{path}', format='newline_delimited')"
    return f"read_parquet('{path}')" if path.endswith(".parquet") else f"read_csv('{path}')"


def duckdb_to_parquet(path: str, out: str, first: Callable[[], None]) -> None:
    import duckdb

    query = f"select *, arr_delay - dep_delay as lost from {_duckdb(path)} where distance > 500"
    duckdb.sql(f"copy ({query}) to '{out}' (format parquet)")


def duckdb_batches(path: str, out: str, first: Callable[[], None]) -> Answer:
    import duckdb

    return _counted(duckdb.sql(f"select * from {_duckdb(path)}").to_arrow_reader(100_000), first)


def duckdb_frames(path: str, out: str, first: Callable[[], None]) -> Answer:
    import duckdb

    reader = duckdb.sql(f"select * from {_duckdb(path)}").to_arrow_reader(100_000)
    return _counted_frames((batch.to_pandas() for batch in reader), first)


def duckdb_groups(path: str, out: str, first: Callable[[], None]) -> Answer:
    return _duckdb_groups(_duckdb(path))


def duckdb_filtered_groups(path: str, out: str, first: Callable[[], None]) -> Answer:
    return _duckdb_groups(f"{_duckdb(path)} where distance > 500")


def _duckdb_groups(what: str) -> Answer:
    import duckdb

    columns = "carrier, count(*), sum(dep_delay), max(distance), avg(air_time)"
    return _groups(duckdb.sql(f"select {columns} from {what} group by 1").fetchall())


def duckdb_to_csv(path: str, out: str, first: Callable[[], None]) -> None:
    import duckdb

    duckdb.sql(f"copy (select * from {_duckdb(path)}) to '{out}' (format csv, header)")


# ------------------------------------------------------------ pandas, pyarrow


def pandas_frames(path: str, out: str, first: Callable[[], None]) -> Answer:
    import pandas as pd

    return _counted_frames(pd.read_csv(path, chunksize=100_000), first)


def _parse() -> Any:
    import pyarrow.csv as pacsv

    return pacsv.ParseOptions(newlines_in_values=True)


def pyarrow_csv_batches(path: str, out: str, first: Callable[[], None]) -> Answer:
    import pyarrow.csv as pacsv

    return _counted(pacsv.open_csv(path, parse_options=_parse()), first)


def _dataset(path: str) -> Any:
    import pyarrow.dataset as ds

    form = "parquet" if path.endswith(".parquet") else ds.CsvFileFormat(parse_options=_parse())
    return ds.dataset(path, format=form)


def dataset_batches(path: str, out: str, first: Callable[[], None]) -> Answer:
    return _counted(_dataset(path).to_batches(), first)


def dataset_to_parquet(path: str, out: str, first: Callable[[], None]) -> None:
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    source = _dataset(path)
    columns = {name: ds.field(name) for name in source.schema.names}
    scanner = source.scanner(
        columns=columns | {"lost": ds.field("arr_delay") - ds.field("dep_delay")}, filter=ds.field("distance") > 500
    )
    with pq.ParquetWriter(out, scanner.projected_schema) as writer:
        for batch in scanner.to_batches():
            writer.write_batch(batch)


def parquet_file_batches(path: str, out: str, first: Callable[[], None]) -> Answer:
    import pyarrow.parquet as pq

    return _counted(pq.ParquetFile(path).iter_batches(), first)


def parquet_file_frames(path: str, out: str, first: Callable[[], None]) -> Answer:
    import pyarrow.parquet as pq

    batches = pq.ParquetFile(path).iter_batches(batch_size=100_000)
    return _counted_frames((batch.to_pandas() for batch in batches), first)


def pyarrow_over_fsspec(url: str, out: str, first: Callable[[], None]) -> Answer:
    import fsspec
    import pyarrow.csv as pacsv

    with fsspec.open(url, "rb", block_size=0) as stream:
        return _counted(pacsv.open_csv(stream, parse_options=_parse()), first)


_TO_PARQUET: dict[str, Does] = {
    "streamframe": sf_to_parquet,
    "polars": polars_to_parquet,
    "duckdb": duckdb_to_parquet,
    "pyarrow.dataset": dataset_to_parquet,
}
_BATCHES: dict[str, Does] = {"streamframe": sf_batches, "polars": polars_batches, "duckdb": duckdb_batches}

TASKS = {
    "csv-parquet": Task("CSV -> filter + computed column -> one Parquet file", "csv", 0.85, _TO_PARQUET),
    "csv-batches": Task(
        "CSV -> iterate RecordBatches",
        "csv",
        0.75,
        {**_BATCHES, "pyarrow.csv": pyarrow_csv_batches, "pyarrow.dataset": dataset_batches},
    ),
    "csv-groups": Task(
        "CSV -> group by a string key, 4 columns",
        "csv",
        0.90,
        {"streamframe": sf_groups, "polars": polars_groups, "duckdb": duckdb_groups},
    ),
    "csv-frames": Task(
        "CSV -> iterate DataFrames of 100k rows",
        "csv",
        0.90,
        {"streamframe": sf_frames, "pandas": pandas_frames, "duckdb": duckdb_frames},
    ),
    "parquet-batches": Task(
        "Parquet -> iterate RecordBatches",
        "parquet",
        1.0,
        {**_BATCHES, "ParquetFile": parquet_file_batches, "pyarrow.dataset": dataset_batches},
    ),
    "giant-batches": Task(
        "Parquet of one giant row group -> iterate RecordBatches",
        "giant.parquet",
        1.0,
        {**_BATCHES, "ParquetFile": parquet_file_batches, "pyarrow.dataset": dataset_batches},
    ),
    "parquet-frames": Task(
        "Parquet -> iterate DataFrames",
        "parquet",
        0.9,
        {"streamframe": sf_frames, "ParquetFile": parquet_file_frames, "duckdb": duckdb_frames},
    ),
    "parquet-groups": Task(
        "Parquet -> filter -> group by",
        "parquet",
        1.5,
        {"streamframe": sf_filtered_groups, "polars": polars_filtered_groups, "duckdb": duckdb_filtered_groups},
    ),
    "parquet-parquet": Task("Parquet -> filter -> Parquet", "parquet", 1.0, _TO_PARQUET),
    "parquet-csv": Task(
        "Parquet -> CSV",
        "parquet",
        1.0,
        {"streamframe": sf_to_csv, "polars": polars_to_csv, "duckdb": duckdb_to_csv},
    ),
    "gz-parquet": Task(
        "CSV.gz -> Parquet",
        "csv.gz",
        0.6,
        {"streamframe": sf_to_parquet, "polars": polars_to_parquet, "duckdb": duckdb_to_parquet},
    ),
    "ndjson-parquet": Task(
        "NDJSON -> Parquet",
        "ndjson",
        0.9,
        {"streamframe": sf_to_parquet, "polars": polars_to_parquet, "duckdb": duckdb_to_parquet},
    ),
    "http": Task(
        "chunked HTTP CSV without length -> iterate",
        "http",
        0.6,
        {"streamframe": sf_csv_batches, "pyarrow.csv on fsspec": pyarrow_over_fsspec},
    ),
    "verbs": Task(
        "CSV -> 10 cheap verbs -> iterate, against none", "csv", 1.10, {"streamframe": sf_ten_verbs, "none": sf_batches}
    ),
    "workers": Task(
        "CSV -> iterate, 2 workers against 1",
        "csv",
        1 / 1.7,
        {"streamframe": sf_two_workers, "1 worker": sf_one_worker},
    ),
}
