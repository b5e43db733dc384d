"""Columns of a row group, some rows at a time: by the kernel, or by Arrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from streamframe.errors import DecodeError
from streamframe.formats.parquet.footer import Footer
from streamframe.formats.parquet.kernel import Kernel
from streamframe.native.parquet import ColumnChunk

_READ_BUFFER_BYTES = 256 << 10


class ColumnReader(Protocol):
    """Some columns of a row group, and how far they have been decoded."""

    names: list[str]

    def read(self, rows: int) -> Sequence[pa.Array]:
        """Return the next rows of each column."""


class ArrowColumns:
    """Columns by Arrow's reader.

    Parameters
    ----------
    where
        The path of the file, or an image of it.
    footer, group, columns
        What is read of it; a column of a dictionary type stays encoded.
    use_threads
        Columns are decoded side by side.
    """

    def __init__(
        self,
        where: str | pa.NativeFile | None,
        footer: Footer,
        group: int,
        columns: Sequence[pa.Field],
        *,
        use_threads: bool,
    ) -> None:
        self.names: list[str] = [column.name for column in columns]
        self._label = footer.label
        self._group = group
        self._types = [column.type for column in columns]
        self._encoded = [column.name for column in columns if pa.types.is_dictionary(column.type)]
        self._use_threads = use_threads
        # Without verification a flipped bit is another value. Pages written without a checksum pass.
        self._file = pq.ParquetFile(
            where,
            metadata=footer.metadata,
            pre_buffer=False,
            buffer_size=_READ_BUFFER_BYTES,
            page_checksum_verification=True,
            read_dictionary=self._encoded,
        )
        self._batches: Iterator[pa.RecordBatch] | None = None

    def read(self, rows: int) -> Sequence[pa.Array]:
        """Return the next rows of each column."""
        pieces = [self._next(rows)]
        while (missing := rows - sum(piece.num_rows for piece in pieces)) > 0:
            pieces.append(self._next(missing))
        batch = pieces[0] if len(pieces) == 1 else pa.concat_batches(pieces)
        columns = [batch.column(name) for name in self.names]
        # Where the writer has noted that text is to be read as views.
        return [
            column if column.type == kind else column.cast(kind)
            for column, kind in zip(columns, self._types, strict=True)
        ]

    def step_over(self, rows: int, at_a_time: int) -> None:
        """Leave out the next rows, which are decoded all the same: so many at a time."""
        for start in range(0, rows, at_a_time):
            self.read(min(at_a_time, rows - start))

    def _next(self, rows: int) -> pa.RecordBatch:
        if self._batches is None:
            self._batches = self._file.iter_batches(
                batch_size=rows, row_groups=[self._group], columns=self.names, use_threads=self._use_threads
            )
        # Heeded from the next batch on.
        self._file.reader.set_batch_size(rows)
        try:
            batch = next(self._batches, None)
            if batch is None:
                raise DecodeError("the row group holds fewer rows than the footer says", source=self._label)
            for name in self._encoded:
                # What a damaged page points at is looked at by nobody else.
                batch.column(name).validate(full=True)
        except BaseException:
            # Whoever keeps the error would keep the file open.
            self._file.close(force=True)
            raise
        return batch


class KernelColumn:
    """A column by the kernel, for as long as that is sure; then by Arrow.

    Parameters
    ----------
    chunk, column
        What is read.
    kernel
        Told whether it could be read.
    by_arrow
        Returns a reader from the start of the row group on.
    """

    def __init__(
        self,
        chunk: ColumnChunk,
        column: pa.Field,
        kernel: Kernel,
        by_arrow: Callable[[Sequence[pa.Field]], ArrowColumns],
    ) -> None:
        self.names: list[str] = [column.name]
        self._chunk: ColumnChunk | None = chunk
        self._column = column
        self._kernel = kernel
        self._by_arrow = by_arrow
        self._done_rows = 0
        self._arrow: ArrowColumns | None = None

    def read(self, rows: int) -> Sequence[pa.Array]:
        """Return the next rows."""
        if self._chunk is not None:
            made = self._chunk.read(rows)
            self._kernel.learn(self._column.name, sure=made is not None)
            if made is not None:
                self._done_rows += rows
                return [made]
            self._chunk = None
        if self._arrow is None:
            self._arrow = self._by_arrow([self._column])
            # As many as are asked for are known not to be too heavy.
            self._arrow.step_over(self._done_rows, rows)
        return self._arrow.read(rows)
