"""Write Parquet: batches are gathered into row groups of a good size.

Rules: small row groups make a file slow to write and to read, so batches wait until they are worth
one; what waits is held against the budget. Its columns are encoded side by side while the next one is
gathered, and written in order into an object of ours that never seeks. A file of few rows is made in one go.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa

from streamframe.batch import held_bytes
from streamframe.errors import SchemaError
from streamframe.formats.base import Encoder, FileEncoding
from streamframe.formats.codecs import checked_codec
from streamframe.formats.parquet.column_chunk import Chunk, ChunkOptions, chunks_of, takes_dictionary
from streamframe.formats.parquet.file_writer import FileFrame, FileWriter
from streamframe.formats.parquet.options import ParquetOptions, checked_level
from streamframe.formats.parquet.ordering import DeclaredOrder
from streamframe.formats.parquet.small_files import kernel_for, small_files
from streamframe.formats.wording import first_line
from streamframe.io.atomic import AtomicFile
from streamframe.native.parquet_small import SmallParquet
from streamframe.plan.context import InOrder, RunContext

# About a million rows of ten numbers: beyond that, neither size nor speed gains.
MAX_ROW_GROUP_BYTES = 64 << 20
MAX_ROW_GROUP_ROWS = 1 << 20
COMPRESSIONS = ("snappy", "zstd", "gzip", "lz4", "brotli", "none")
# One is gathered, one is encoded, and the next blocks live beside them.
_ROW_GROUPS_PER_BUDGET = 6
# Where both take about as long.
_SMALL_FILE_BYTES = 512 << 10


@dataclass(frozen=True)
class ParquetEncoding(FileEncoding):
    """Apache Parquet with one compression for all columns."""

    compression: str | None = "snappy"
    level: int | None = None
    options: ParquetOptions = field(default_factory=ParquetOptions)
    name: ClassVar[str] = "parquet"
    many_at_once: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "compression", checked_codec(self.compression, COMPRESSIONS, "Parquet"))
        checked_level(str(self.compression), self.level)

    def takes_dictionaries(self, schema: pa.Schema) -> frozenset[str]:
        by_arrow = {*self.options.bloom_filters, *(name for name, _ in self.options.sorting_columns)}
        return frozenset(each.name for each in schema if each.name not in by_arrow and takes_dictionary(each.type))

    def start(self, file: AtomicFile, schema: pa.Schema, context: RunContext) -> Encoder:
        if not len(schema):
            # Parquet would forget how many rows there were.
            raise SchemaError("there are no columns to write", source=file.label, hint="select at least one.")
        return _ParquetEncoder(file, schema, context, self)

    def small_files(
        self, schema: pa.Schema, rows: pa.RecordBatch, ends: Sequence[int], labels: Sequence[str]
    ) -> Iterator[bytes | pa.Buffer]:
        prepared = _prepared(self, schema, labels[0])
        if self.options.sorting_columns:
            for label, (start, end) in zip(labels, pairwise([0, *ends]), strict=True):
                DeclaredOrder(self.options.sorting_columns, label).check(rows.slice(start, end - start))
        made = prepared.small_files(self, _without_dictionaries(rows, schema), ends)
        for label in labels:
            with _refusing(label):
                file = next(made)
            yield file


class _ParquetEncoder(Encoder):
    def __init__(self, file: AtomicFile, schema: pa.Schema, context: RunContext, encoding: ParquetEncoding) -> None:
        self._schema = schema
        self._label = file.label
        self._hold = context.hold()
        self._target_bytes = min(MAX_ROW_GROUP_BYTES, context.options.memory_bytes // _ROW_GROUPS_PER_BUDGET)
        if encoding.options.row_group_bytes is not None:
            # What is asked for beyond the share of a run would break its promise of memory.
            self._target_bytes = min(
                encoding.options.row_group_bytes, context.options.memory_bytes // _ROW_GROUPS_PER_BUDGET
            )
        self._order = DeclaredOrder(encoding.options.sorting_columns, file.label)
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._waiting_rows = 0
        self._prepared = _prepared(encoding, schema, self._label)
        self._encoding = encoding
        self._target = file
        self._chunk_options: list[ChunkOptions] = []
        self._file: FileWriter | None = None
        self._columns: InOrder[_Made] = context.in_order(self._put)

    def write(self, batch: pa.RecordBatch) -> None:
        self._order.check(batch)
        while batch.num_rows > MAX_ROW_GROUP_ROWS - self._waiting_rows:
            rows = MAX_ROW_GROUP_ROWS - self._waiting_rows
            self._gather(batch.slice(0, rows))
            batch = batch.slice(rows)
        self._gather(batch)

    @property
    def end_bytes(self) -> int:
        return self._prepared.frame.nbytes if self._file is None else self._file.end_bytes

    def settle(self) -> None:
        self._columns.finish()

    def finish_beside(self) -> Callable[[], object]:
        # Thousands of small files are as much work as a large one, of which the pool does most.
        if self._is_small():
            return self._write_small
        return super().finish_beside()

    def finish(self) -> None:
        if self._is_small():
            self._write_small()
            return
        self.flush()
        self._columns.finish()
        self._writer().finish()

    def abort(self) -> None:
        self._columns.abort()
        self._waiting.clear()
        self._hold.resize(0)

    def flush(self) -> None:
        batches, self._waiting = self._waiting, []
        rows, self._waiting_rows = self._waiting_rows, 0
        self._waiting_bytes = 0
        columns = [[batch.column(place) for batch in batches] for place in range(len(self._schema) if rows else 0)]
        batches.clear()
        self._hold.resize(0)
        self._writer()
        for place, arrays in enumerate(columns):
            last = place == len(columns) - 1
            nbytes = sum(each.get_total_buffer_size() for each in arrays)
            work = partial(self._encoded, place, arrays, rows if last else 0)
            # From here on, only the work keeps a column, and lets go of it when it is encoded.
            columns[place] = arrays = []
            self._columns.add(work, nbytes)

    def _gather(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        self._waiting_bytes += held_bytes(batch)
        self._hold.resize(self._waiting_bytes)
        if self._waiting_bytes >= self._target_bytes or self._waiting_rows >= MAX_ROW_GROUP_ROWS:
            self.flush()

    def _writer(self) -> FileWriter:
        if self._file is None:
            self._chunk_options = [
                _chunk_options(self._encoding, field, self._prepared.for_arrow) for field in self._schema
            ]
            self._file = FileWriter(self._target, self._prepared.frame)
        return self._file

    def _is_small(self) -> bool:
        return self._file is None and 0 < self._waiting_bytes <= _SMALL_FILE_BYTES

    def _write_small(self) -> None:
        rows = pa.concat_batches([_without_dictionaries(batch, self._schema) for batch in self._waiting])
        with _refusing(self._label):
            # Not into the file itself: a writer that fails ends its file all the same.
            (made,) = self._prepared.small_files(self._encoding, rows, [rows.num_rows])
        self._target.write(made)
        self._waiting.clear()
        self._hold.resize(0)

    def _encoded(self, place: int, arrays: list[pa.Array], rows: int) -> _Made:
        field = self._schema.field(place)
        try:
            return _Made(chunks_of(field, arrays, self._chunk_options[place]), rows)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise SchemaError(
                f"column {field.name!r} cannot be written as Parquet: {first_line(error)}",
                source=self._label,
                column=field.name,
                hint="cast or drop it.",
            ) from error
        finally:
            arrays.clear()

    def _put(self, made: _Made) -> None:
        self._writer().add(made.chunks)
        if made.rows:
            self._writer().end_row_group(made.rows)


class _Made(NamedTuple):
    """A column of a row group."""

    chunks: list[Chunk]
    # Of the row group, if this is its last column.
    rows: int


class _Prepared(NamedTuple):
    """What is the same in all files of an export: how Arrow is asked, what stands beside the rows, the kernel."""

    for_arrow: dict[str, Any]
    frame: FileFrame
    kernel: SmallParquet | None

    def small_files(self, encoding: ParquetEncoding, rows: pa.RecordBatch, ends: Sequence[int]) -> Iterator[pa.Buffer]:
        """See `small_files`."""
        return small_files(self.kernel, rows, ends, self.for_arrow, dict(encoding.options.metadata))


def _prepared(encoding: ParquetEncoding, schema: pa.Schema, label: str) -> _Prepared:
    with _refusing(label):
        return _prepared_once(encoding, schema.serialize().to_pybytes())


@lru_cache(maxsize=8)
def _prepared_once(encoding: ParquetEncoding, schema: bytes) -> _Prepared:
    columns = pa.ipc.read_schema(pa.py_buffer(schema))
    for_arrow: dict[str, Any] = {
        "compression": encoding.compression,
        "compression_level": encoding.level,
        **encoding.options.for_writer(columns),
    }
    frame = FileFrame(columns, dict(encoding.options.metadata), for_arrow)
    return _Prepared(for_arrow, frame, kernel_for(columns, for_arrow, encoding.options, frame))


@contextlib.contextmanager
def _refusing(label: str) -> Iterator[None]:
    """Say of which file Arrow tells that Parquet has no type for a column."""
    try:
        yield
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, OSError) as error:
        # Nothing is on a disk here: it is Arrow that calls the scale of a decimal, or too many levels, so.
        raise SchemaError(
            f"Parquet cannot hold these columns: {first_line(error)}",
            source=label,
            hint="cast or drop the column that Parquet has no type for.",
        ) from error


def _without_dictionaries(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch with the columns of a schema, of which text may have come as dictionaries."""
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) and column.type != field.type else column
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _chunk_options(encoding: ParquetEncoding, field: pa.Field, for_arrow: dict[str, Any]) -> ChunkOptions:
    options = encoding.options
    told = {name: value for name, value in for_arrow.items() if name != "sorting_columns"}
    bloom = field.name in options.bloom_filters
    if "bloom_filter_options" in told:
        told["bloom_filter_options"] = {field.name: True} if bloom else None
    statistics = options.has_statistics(field.name)
    # Arrow knows them by the names of leaves.
    told["write_statistics"] = statistics
    return ChunkOptions(encoding.compression or "none", encoding.level, options.page_checksums, statistics, bloom, told)
