"""The data of the benchmark: real flights, replayed to any size, in every format; made once, then kept.

What is added to the rows is a text of real names, with commas and a few line ends in it, so that a CSV
has quotes that mean something.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.orc as orc
import pyarrow.parquet as pq

DATASETS = Path(__file__).resolve().parent.parent / "datasets"
# Raised when the data changes, so that what an older version made is not used.
VERSION = 1
ROW_GROUP_ROWS = 122_880
# Of each format, by that of the CSV.
SIZES = {
    "csv": 1.0, "parquet": 0.3, "giant.parquet": 0.3, "csv.gz": 0.4, "csv.zst": 0.3, "ndjson": 2.5,
    "arrow": 1.3, "giant.arrow": 1.3, "orc": 0.5,
}  # fmt: skip
Maker = Callable[[Path], None]


def made(folder: Path, megabytes: int, names: set[str]) -> dict[str, Path]:
    """Return the paths of files by format; makes those that are missing."""
    home = folder / f"v{VERSION}-{megabytes}MB"
    paths = _paths(home)
    makers: dict[str, Maker] = {
        "csv": lambda to: _csv(to, megabytes),
        "parquet": lambda to: _parquet(paths["csv"], to, ROW_GROUP_ROWS),
        "giant.parquet": lambda to: _parquet(paths["csv"], to, 1 << 31),
        "csv.gz": lambda to: _gzipped(paths["csv"], to),
        "csv.zst": lambda to: _zstd(paths["csv"], to),
        "ndjson": lambda to: _ndjson(paths["parquet"], to),
        "arrow": lambda to: _ipc(paths["parquet"], to, 1),
        "giant.arrow": lambda to: _giant_ipc(paths["parquet"], to, 1),
        "orc": lambda to: _orc(paths["parquet"], to, 1),
    }
    # What the others are made of comes first.
    of_parquet = {"ndjson", "arrow", "giant.arrow", "orc"} & names
    _make(home, makers, {*names, "csv", *({"parquet"} if of_parquet else ())}, megabytes)
    return paths


def repeated(folder: Path, megabytes: int, times: int, names: set[str]) -> dict[str, Path]:
    """Return files with the same rows several times; a good deal faster than making as many new ones."""
    base = made(folder, megabytes, names - {"csv.gz"})
    home = folder / f"v{VERSION}-{megabytes}MB-x{times}"
    makers: dict[str, Maker] = {
        "csv": lambda to: _lines_repeated(base["csv"], to, times),
        "parquet": lambda to: _rows_repeated(base["parquet"], to, times, ROW_GROUP_ROWS),
        "giant.parquet": lambda to: _rows_repeated(base["giant.parquet"], to, times, 1 << 26),
        "csv.gz": lambda to: _gzip_repeated(base["csv"], to, times),
        "ndjson": lambda to: _lines_repeated(base["ndjson"], to, times, header=False),
        "arrow": lambda to: _ipc(base["parquet"], to, times),
        "giant.arrow": lambda to: _giant_ipc(base["parquet"], to, times),
        "orc": lambda to: _orc(base["parquet"], to, times),
    }
    _make(home, makers, names, megabytes * times)
    return _paths(home)


def _paths(home: Path) -> dict[str, Path]:
    return {name: home / f"flights.{name}" for name in SIZES}


def _make(home: Path, makers: dict[str, Maker], names: set[str], megabytes: int) -> None:
    home.mkdir(parents=True, exist_ok=True)
    missing = {name: path for name, path in _paths(home).items() if name in names and not path.exists()}
    # As large as the largest task's output, which is a CSV, and what is to be made.
    needed = int((1 + sum(SIZES[name] for name in missing)) * megabytes * 1_000_000)
    free = shutil.disk_usage(home).free
    if free < needed:
        raise SystemExit(f"{home} has {free:,} bytes free, {needed:,} are needed; choose another disk with --cache")
    for name, path in missing.items():
        print(f"making {path}…", flush=True)
        unfinished = path.with_name(f"unfinished.{path.name}")
        makers[name](unfinished)
        unfinished.rename(path)


def rows() -> Iterator[pa.Table]:
    """Yield a year of flights after another, each a year later than the one before."""
    flights = pq.read_table(DATASETS / "flights.parquet")
    airports = pacsv.read_csv(DATASETS / "airports.csv").select(["faa", "name"])
    names = dict(zip(*airports.to_pydict().values(), strict=True))
    origin, dest, tail = (flights[name].to_pylist() for name in ("origin", "dest", "tailnum"))
    texts = [
        f"{names.get(start, start)} to {names.get(end, end)}"
        + (f", {plane}" if number % 3 else f"\nplane {plane}" * (number % 97 == 0))
        for number, (start, end, plane) in enumerate(zip(origin, dest, tail, strict=True))
    ]
    flights = flights.append_column("route", pa.array(texts))
    year = flights.schema.get_field_index("year")
    for lap in range(10_000):
        yield flights.set_column(year, "year", pc.add(flights["year"], lap).cast(flights["year"].type))


def _csv(path: Path, megabytes: int) -> None:
    with open(path, "wb") as sink:
        for number, year in enumerate(rows()):
            options = pacsv.WriteOptions(include_header=number == 0, quoting_style="needed")
            for start in range(0, year.num_rows, 5_000):
                if sink.tell() >= megabytes * 1_000_000:
                    return
                pacsv.write_csv(year.slice(start, 5_000), sink, options)
                options = pacsv.WriteOptions(include_header=False, quoting_style="needed")


def _parquet(csv: Path, path: Path, row_group_rows: int) -> None:
    parse = pacsv.ParseOptions(newlines_in_values=True)
    if row_group_rows > 1 << 30:
        pq.write_table(pacsv.read_csv(csv, parse_options=parse), path, row_group_size=row_group_rows)
        return
    with pacsv.open_csv(csv, parse_options=parse) as batches, pq.ParquetWriter(path, batches.schema) as writer:
        waiting: list[pa.RecordBatch] = []
        for batch in batches:
            waiting.append(batch)
            if sum(each.num_rows for each in waiting) >= ROW_GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(waiting), row_group_size=ROW_GROUP_ROWS)
                waiting = []
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting))


def _gzipped(csv: Path, path: Path) -> None:
    with open(csv, "rb") as source, gzip.open(path, "wb", compresslevel=1) as sink:
        shutil.copyfileobj(source, sink, 1 << 20)


def _zstd(csv: Path, path: Path) -> None:
    with open(csv, "rb") as source, pa.CompressedOutputStream(str(path), "zstd") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)


def _ndjson(parquet: Path, path: Path) -> None:
    import polars as pl

    pl.scan_parquet(parquet).sink_ndjson(path)


def _ipc(parquet: Path, path: Path, times: int) -> None:
    file = pq.ParquetFile(parquet)
    with pa.ipc.new_file(path, file.schema_arrow) as writer:
        for _ in range(times):
            for batch in file.iter_batches():
                writer.write_batch(batch)


def _giant_ipc(parquet: Path, path: Path, times: int) -> None:
    rows = pa.concat_tables([pq.read_table(parquet)] * times)
    # Large, since the text of one batch outgrows 32 bits.
    large = [field.with_type(pa.large_string()) if field.type == pa.string() else field for field in rows.schema]
    with pa.ipc.new_file(path, pa.schema(large)) as writer:
        writer.write_batch(rows.cast(pa.schema(large)).combine_chunks().to_batches()[0])


def _orc(parquet: Path, path: Path, times: int) -> None:
    file = pq.ParquetFile(parquet)
    with orc.ORCWriter(str(path)) as writer:
        for _ in range(times):
            for batch in file.iter_batches(ROW_GROUP_ROWS):
                writer.write(pa.Table.from_batches([batch]))


def _lines_repeated(source: Path, path: Path, times: int, *, header: bool = True) -> None:
    with open(source, "rb") as lines, open(path, "wb") as sink:
        start = len(lines.readline()) if header else 0
        for lap in range(times):
            lines.seek(start if lap else 0)
            shutil.copyfileobj(lines, sink, 1 << 22)


def _gzip_repeated(csv: Path, path: Path, times: int) -> None:
    """Write the header and the rows as gzip members of their own: the rows are compressed once."""
    from isal import igzip

    with open(csv, "rb") as lines, open(path, "wb") as sink:
        sink.write(gzip.compress(lines.readline()))
        start = sink.tell()
        with igzip.open(sink, "wb", compresslevel=1) as member:
            shutil.copyfileobj(lines, member, 1 << 20)
        end = sink.tell()
        with open(path, "rb") as written:
            for _ in range(times - 1):
                sink.flush()
                written.seek(start)
                while piece := written.read(min(1 << 22, end - written.tell())):
                    sink.write(piece)


def _rows_repeated(parquet: Path, path: Path, times: int, row_group_rows: int) -> None:
    # The same columns, named several times: none of them is copied.
    rows = pa.concat_tables([pq.read_table(parquet)] * times)
    pq.write_table(rows, path, row_group_size=row_group_rows)
