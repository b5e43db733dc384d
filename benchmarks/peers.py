"""Each task as other libraries do it, as their own documentation would, within their defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from answers import Answer, counted, counted_frames, groups

# --------------------------------------------------------------------- polars


def _polars(path: str) -> Any:
    import polars as pl

    scans = {"parquet": pl.scan_parquet, "ndjson": pl.scan_ndjson, "arrow": pl.scan_ipc}
    scan = scans.get(path.rsplit(".", 1)[1], pl.scan_csv)
    options = {"try_parse_dates": True} if ".csv" in path else {}
    return scan(path, **options)


def polars_to_parquet(path: str, out: str, first: Callable[[], None]) -> None:
    import polars as pl

    frame = _polars(path).filter(pl.col("distance") > 500)
    frame.with_columns(lost=pl.col("arr_delay") - pl.col("dep_delay")).sink_parquet(out, compression="snappy")


def polars_batches(path: str, out: str, first: Callable[[], None]) -> Answer:
    batches = (batch for frame in _polars(path).collect_batches() for batch in frame.to_arrow().to_batches())
    return counted(batches, first)


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
    return groups(made.collect(engine="streaming").rows())


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

    return counted(duckdb.sql(f"select * from {_duckdb(path)}").to_arrow_reader(100_000), first)


def duckdb_frames(path: str, out: str, first: Callable[[], None]) -> Answer:
    import duckdb

    reader = duckdb.sql(f"select * from {_duckdb(path)}").to_arrow_reader(100_000)
    return counted_frames((batch.to_pandas() for batch in reader), first)


def duckdb_groups(path: str, out: str, first: Callable[[], None]) -> Answer:
    return _duckdb_groups(_duckdb(path))


def duckdb_filtered_groups(path: str, out: str, first: Callable[[], None]) -> Answer:
    return _duckdb_groups(f"{_duckdb(path)} where distance > 500")


def _duckdb_groups(what: str) -> Answer:
    import duckdb

    columns = "carrier, count(*), sum(dep_delay), max(distance), avg(air_time)"
    return groups(duckdb.sql(f"select {columns} from {what} group by 1").fetchall())


def duckdb_to_csv(path: str, out: str, first: Callable[[], None]) -> None:
    import duckdb

    duckdb.sql(f"copy (select * from {_duckdb(path)}) to '{out}' (format csv, header)")


# ------------------------------------------------------------ pandas, pyarrow


def pandas_frames(path: str, out: str, first: Callable[[], None]) -> Answer:
    import pandas as pd

    return counted_frames(pd.read_csv(path, chunksize=100_000), first)


def _parse() -> Any:
    import pyarrow.csv as pacsv

    return pacsv.ParseOptions(newlines_in_values=True)


def pyarrow_csv_batches(path: str, out: str, first: Callable[[], None]) -> Answer:
    import pyarrow.csv as pacsv

    return counted(pacsv.open_csv(path, parse_options=_parse()), first)


def _dataset(path: str) -> Any:
    import pyarrow.dataset as ds

    forms = {"parquet": "parquet", "arrow": "ipc", "orc": "orc"}
    form = forms.get(path.rsplit(".", 1)[1]) or ds.CsvFileFormat(parse_options=_parse())
    return ds.dataset(path, format=form)


def dataset_batches(path: str, out: str, first: Callable[[], None]) -> Answer:
    return counted(_dataset(path).to_batches(), first)


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

    return counted(pq.ParquetFile(path).iter_batches(), first)


def orc_file_batches(path: str, out: str, first: Callable[[], None]) -> Answer:
    import pyarrow.orc as orc

    file = orc.ORCFile(path)
    return counted((file.read_stripe(number) for number in range(file.nstripes)), first)


def parquet_file_frames(path: str, out: str, first: Callable[[], None]) -> Answer:
    import pyarrow.parquet as pq

    batches = pq.ParquetFile(path).iter_batches(batch_size=100_000)
    return counted_frames((batch.to_pandas() for batch in batches), first)


def pyarrow_over_fsspec(url: str, out: str, first: Callable[[], None]) -> Answer:
    import fsspec
    import pyarrow.csv as pacsv

    with fsspec.open(url, "rb", block_size=0) as stream:
        return counted(pacsv.open_csv(stream, parse_options=_parse()), first)
