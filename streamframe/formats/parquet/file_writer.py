"""A Parquet file of chunks that were made elsewhere: what stands around them.

Rules: the schema is spelled by Arrow, in a file without rows whose footer is the frame of ours. Of what is written, a
file keeps the footer's bytes: some hundred for each chunk.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from streamframe._version import __version__
from streamframe.formats.parquet import thrift
from streamframe.formats.parquet.column_chunk import Chunk, footer_of
from streamframe.formats.parquet.thrift import Struct, binary, flag, i32, i64, items
from streamframe.io.atomic import AtomicFile

_MAGIC = b"PAR1"
_ROWS, _ROW_GROUPS, _CREATED_BY = 3, 4, 6
_LAST_ORDINAL = (1 << 15) - 1


class FileFrame:
    """What a file says beside its rows; one frame may serve many files.

    Parameters
    ----------
    schema
        Its columns.
    metadata
        Pairs of text.
    for_arrow
        Options of Arrow's writer.

    Raises
    ------
    pyarrow.ArrowNotImplementedError, pyarrow.ArrowInvalid, OSError
        If Parquet has no type for a column.
    """

    def __init__(self, schema: pa.Schema, metadata: dict[str, str], for_arrow: dict[str, Any]) -> None:
        sink = pa.BufferOutputStream()
        with pq.ParquetWriter(sink, schema, **for_arrow) as writer:
            if metadata:
                writer.add_key_value_metadata(metadata)
        # Arrow writes columns of a hundred levels that nobody can read again, itself included.
        pq.read_metadata(pa.BufferReader(sink.getvalue()))
        self.footer = footer_of(memoryview(sink.getvalue()))
        self.footer[_CREATED_BY] = binary(f"streamframe version {__version__} (build arrow {pa.__version__})".encode())
        self.nbytes = len(thrift.written(self.footer))
        self.sorting = [
            {1: i32(key.column_index), 2: flag(key.descending), 3: flag(key.nulls_first)}
            for key in for_arrow.get("sorting_columns") or ()
        ]


class FileWriter:
    """Writes chunks into a file, column by column and row group by row group."""

    def __init__(self, file: AtomicFile, frame: FileFrame) -> None:
        self._file = file
        self._frame = frame
        self._rows = 0
        self._row_groups: list[bytes] = []
        self._row_groups_bytes = 0
        self._chunks: list[bytes] = []
        self._start = self._compressed = self._uncompressed = 0
        file.write(_MAGIC)

    def add(self, chunks: list[Chunk]) -> None:
        """Write the chunks of the next column."""
        for chunk in chunks:
            start = self._file.tell()
            if not self._chunks:
                self._start = start
            self._chunks.append(chunk.placed(start))
            self._compressed += chunk.compressed
            self._uncompressed += chunk.uncompressed
            self._file.write(chunk.data)

    def end_row_group(self, rows: int) -> None:
        """Say that all columns of a row group were added."""
        row_group: Struct = {
            1: items(thrift.STRUCT, self._chunks),
            2: i64(self._uncompressed),
            3: i64(rows),
            5: i64(self._start),
            6: i64(self._compressed),
        }
        if self._frame.sorting:
            row_group[4] = items(thrift.STRUCT, self._frame.sorting)
        if len(self._row_groups) <= _LAST_ORDINAL:
            row_group[7] = thrift.Typed(thrift.I16, len(self._row_groups))
        self._row_groups.append(thrift.written(row_group))
        self._row_groups_bytes += len(self._row_groups[-1])
        self._rows += rows
        self._chunks = []
        self._compressed = self._uncompressed = 0

    @property
    def end_bytes(self) -> int:
        """The bytes of the footer, with one row group more, which what comes next will be."""
        latest = len(self._row_groups[-1]) if self._row_groups else 0
        return self._frame.nbytes + self._row_groups_bytes + latest + 8

    def finish(self) -> None:
        """Write the footer."""
        footer = {**self._frame.footer, _ROWS: i64(self._rows), _ROW_GROUPS: items(thrift.STRUCT, self._row_groups)}
        data = thrift.written(footer)
        self._file.write(data)
        self._file.write(len(data).to_bytes(4, "little") + _MAGIC)
