"""Parquet files of few rows, made in one go: by the kernel, or by Arrow.

Rules: such a file has one row group. The kernel is told once what is the same in all files; it packs with Snappy or not
at all, and knows the types that `Form` does. A file that it says no to is Arrow's, as are all with other options.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from streamframe.formats.parquet import thrift
from streamframe.formats.parquet.column_chunk import physical_type
from streamframe.formats.parquet.file_writer import FileFrame
from streamframe.formats.parquet.options import ParquetOptions
from streamframe.native.parquet_small import SmallColumn, SmallParquet
from streamframe.native.parquet_write import Form

# Of `FileMetaData`: the version and the schema stand before what tells of rows.
_HEAD, _ROW_GROUPS = (1, 2), 4


def kernel_for(
    schema: pa.Schema, for_arrow: Mapping[str, Any], options: ParquetOptions, frame: FileFrame
) -> SmallParquet | None:
    """Return what the kernel is told of all files; None if they take Arrow."""
    forms = [Form.of(field.type) for field in schema]
    packed = for_arrow["compression"] == "snappy"
    if options.bloom_filters or options.sorting_columns or not (packed or for_arrow["compression"] == "none"):
        return None
    columns = [
        SmallColumn(
            form,
            field.nullable,
            physical_type(form),
            options.has_statistics(field.name),
            thrift.written({1: thrift.items(thrift.BINARY, [field.name.encode()])})[1:-1],
        )
        for field, form in zip(schema, forms, strict=True)
        if form is not None
    ]
    if len(columns) < len(schema):
        return None
    head = {number: value for number, value in frame.footer.items() if number in _HEAD}
    tail = {number: value for number, value in frame.footer.items() if number > _ROW_GROUPS}
    return SmallParquet(
        columns,
        # They go on behind.
        thrift.written(head)[:-1],
        thrift.written(tail, behind=_ROW_GROUPS),
        packed,
        options.page_checksums,
    )


def small_files(
    kernel: SmallParquet | None,
    rows: pa.RecordBatch,
    ends: Sequence[int],
    for_arrow: Mapping[str, Any],
    metadata: Mapping[str, str],
) -> Iterator[pa.Buffer]:
    """Yield a file of the first rows, of those behind them, and so on, up to each of `ends`.

    Each lasts until the next is asked for. Raises what Arrow does.
    """
    made = iter([None] * len(ends)) if kernel is None else kernel.of(rows, ends)
    for file, (start, end) in zip(made, pairwise([0, *ends]), strict=True):
        yield _by_arrow(rows.slice(start, end - start), for_arrow, metadata) if file is None else file


def _by_arrow(rows: pa.RecordBatch, for_arrow: Mapping[str, Any], metadata: Mapping[str, str]) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, rows.schema, **for_arrow) as writer:
        writer.write_batch(rows, row_group_size=rows.num_rows)
        if metadata:
            writer.add_key_value_metadata(dict(metadata))
    return sink.getvalue()
