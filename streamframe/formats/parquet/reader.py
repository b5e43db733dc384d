"""Read Parquet row group by row group.

Rules: no dataset scanner, and no Python file object beneath Arrow. Row groups that the hint
rules out by their statistics are not read. A row group that would take more than its share of
the budget is decoded in slices; a smaller one whole, beside its neighbours.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from streamframe.batch import Mark, held_bytes
from streamframe.errors import DecodeError, SchemaError, StreamError
from streamframe.formats.base import FileFormat, OpenFile
from streamframe.formats.parquet.image import FileImage, footer_of
from streamframe.formats.parquet.pruning import matching_row_groups
from streamframe.io.location import Location
from streamframe.io.ranged import RangedFile
from streamframe.plan.node import Scan
from streamframe.plan.source import Block, BlockReader, Decoded

# A decoded slice may be this many times as large as a block of text: Parquet is denser.
_SLICE_BLOCKS = 4
# So few rows show what a row weighs, however large it is: metadata knows nothing of dictionaries.
_PROBE_ROWS = 16
_MAX_SLICE_ROWS = 1 << 20
_READ_BUFFER_BYTES = 256 << 10


@dataclass(frozen=True)
class ParquetFormat(FileFormat):
    """Apache Parquet."""

    name: ClassVar[str] = "parquet"

    def open(self, location: Location, *, expected: pa.Schema | None, block_bytes: int) -> OpenFile:
        file = location.open_ranged()
        try:
            metadata = footer_of(file)
            opened = _OpenParquet(file, metadata, _plain_schema(metadata), block_bytes)
            if expected is not None:
                _require_columns(opened.schema, expected, file.label)
        except BaseException:
            file.close()
            raise
        return opened


class _OpenParquet(OpenFile):
    def __init__(self, file: RangedFile, metadata: pq.FileMetaData, schema: pa.Schema, block_bytes: int) -> None:
        self._file = file
        self._metadata = metadata
        self._schema = schema
        self._block_bytes = block_bytes

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    def read(self, scan: Scan, *, part: int) -> BlockReader:
        groups = list(range(self._metadata.num_row_groups))
        if scan.hint is not None:
            groups = matching_row_groups(self._file, self._metadata, self._schema, scan.hint)
        wanted = list(self._schema.names if scan.columns is None else scan.columns)
        return _ParquetReader(
            self._file,
            self._metadata,
            groups,
            wanted,
            self._schema,
            self._block_bytes * _SLICE_BLOCKS,
            scan.limit,
            part,
        )

    def close(self) -> None:
        self._file.close()


class _ParquetReader(BlockReader):
    """Hands out one block for each row group, or several for a large one."""

    def __init__(
        self,
        file: RangedFile,
        metadata: pq.FileMetaData,
        groups: list[int],
        columns: list[str],
        schema: pa.Schema,
        slice_bytes: int,
        limit: int | None,
        part: int,
    ) -> None:
        self._file = file
        self._metadata = metadata
        self._groups = groups
        self._schema = pa.schema([schema.field(name) for name in columns])
        self._slice_bytes = slice_bytes
        self._limit = limit
        self._part = part
        self._row_bytes: float | None = None
        self._blocks = self._plan_blocks()
        self._pending: _SliceBlock | None = None
        self._seen_bytes = 0
        self._started: list[RowGroup] = []

    @property
    def bytes_read(self) -> int:
        # Arrow reads a local file by itself, so what it took is told by the footer.
        return self._seen_bytes if self._file.local_path else self._file.bytes_read

    def next_bytes(self) -> int:
        self._pending = self._pending or next(self._blocks, None)
        return self._pending.nbytes if self._pending is not None else 0

    def next_block(self) -> Block | None:
        block, self._pending = self._pending or next(self._blocks, None), None
        if block is not None and block.slice_index == 0:
            block.group.fetch()
            self._started = [*(group for group in self._started if not group.done), block.group]
            self._seen_bytes += block.group.compressed_bytes
        return block

    def close(self) -> None:
        self._file.close()
        for group in list(self._started):
            group.give_up()

    def _plan_blocks(self) -> Iterator[_SliceBlock]:
        for index in self._groups:
            group = RowGroup(self._file, self._metadata, index, self._schema)
            if group.rows == 0:
                continue
            slice_rows = self._slice_rows(group)
            slices = -(-group.rows // slice_rows)
            group.plan(slice_rows, slices)
            for slice_index in range(slices):
                rows = min(slice_rows, group.rows - slice_index * slice_rows)
                yield _SliceBlock(group, slice_index, int(rows * self._row_weight(group)), self._part)

    def _slice_rows(self, group: RowGroup) -> int:
        if self._row_bytes is None and self._schema.names:
            self._row_bytes = group.probe(_PROBE_ROWS)
        rows = int(max(1, min(_MAX_SLICE_ROWS, self._slice_bytes / self._row_weight(group))))
        return min(rows, max(1, self._limit)) if self._limit is not None else rows

    def _row_weight(self, group: RowGroup) -> float:
        return max(self._row_bytes or 0.0, group.uncompressed_bytes / group.rows, 1.0)


class RowGroup:
    """One row group, decoded whole or in slices.

    Slices are decoded one after another, whichever thread of the pool gets them: each waits for
    its turn, since they share one Arrow reader.
    """

    def __init__(self, file: RangedFile, metadata: pq.FileMetaData, index: int, schema: pa.Schema) -> None:
        self._file = file
        self._metadata = metadata
        self.index = index
        self._schema = schema
        group = metadata.row_group(index)
        self.rows: int = group.num_rows
        chunks = [group.column(i) for i in range(group.num_columns)]
        self._chunks = [chunk for chunk in chunks if chunk.path_in_schema.partition(".")[0] in set(_tops(schema))]
        self.uncompressed_bytes: int = sum(chunk.total_uncompressed_size for chunk in self._chunks)
        self.compressed_bytes: int = sum(chunk.total_compressed_size for chunk in self._chunks)
        self._image: FileImage | None = None
        self._batches: Iterator[pa.RecordBatch] | None = None
        self._slice_rows = self.rows
        self._slices = 1
        self._turn = threading.Condition()
        self._next_slice = 0
        self._given_up = False

    def plan(self, slice_rows: int, slices: int) -> None:
        """Decide into how many slices the group is cut."""
        self._slice_rows, self._slices = slice_rows, slices

    def fetch(self) -> None:
        """Get the bytes of a remote row group; the reader thread calls this, once."""
        if self._file.local_path is None and self._image is None:
            self._image = FileImage.of_chunks(self._file, self._chunks)

    def probe(self, rows: int) -> float:
        """Decode a few rows, and return what a row weighs in bytes."""
        self.fetch()
        with _translated(self._file.label, self.index):
            first = next(self._open(rows, threads=False), None)
        return 0.0 if first is None else held_bytes(first) / max(1, int(first.num_rows))

    def decode(self, slice_index: int) -> pa.RecordBatch:
        """Decode one slice, when its turn has come."""
        with self._turn:
            self._turn.wait_for(lambda: self._next_slice == slice_index or self._given_up)
        try:
            # Without the lock: whose turn it is has the reader to itself.
            if self._given_up:
                raise DecodeError("an earlier slice of the row group could not be decoded", source=self._file.label)
            with _translated(self._file.label, self.index):
                return self._next_batch()
        except BaseException:
            self._given_up = True
            raise
        finally:
            with self._turn:
                self._next_slice += 1
                self._let_go()

    @property
    def done(self) -> bool:
        """All slices have been decoded."""
        return self._next_slice >= self._slices

    def give_up(self) -> None:
        """Let slices that wait for their turn fail: one before them may have been cancelled."""
        with self._turn:
            self._given_up = True
            self._let_go()

    def _let_go(self) -> None:
        if self.done or self._given_up:
            self._batches = self._image = None
        self._turn.notify_all()

    def _next_batch(self) -> pa.RecordBatch:
        # Columns of a sliced group are decoded side by side: its slices cannot be.
        batches = self._batches or self._open(self._slice_rows, threads=self._slices > 1)
        self._batches = batches
        batch = next(batches, None)
        if batch is None:
            raise DecodeError("the row group holds fewer rows than the footer says", source=self._file.label)
        return (
            pa.RecordBatch.from_arrays([batch.column(name) for name in self._schema.names], schema=self._schema)
            if self._schema.names
            else batch.select([])
        )

    def _open(self, batch_rows: int, *, threads: bool) -> Iterator[pa.RecordBatch]:
        image = self._image
        if image is None and self._file.local_path is None:
            raise DecodeError("the row group was closed while it was read", source=self._file.label)
        where = self._file.local_path if image is None else image.reader()
        opened = pq.ParquetFile(where, metadata=self._metadata, pre_buffer=False, buffer_size=_READ_BUFFER_BYTES)
        batches: Iterator[pa.RecordBatch] = opened.iter_batches(
            batch_size=batch_rows, row_groups=[self.index], columns=self._schema.names, use_threads=threads
        )
        return batches


class _SliceBlock(Block):
    """A slice of a row group."""

    def __init__(self, group: RowGroup, slice_index: int, nbytes: int, part: int) -> None:
        self.group = group
        self.slice_index = slice_index
        self.nbytes = nbytes
        self.part = part
        self.label = group._file.label

    def decode(self) -> Decoded:
        data = self.group.decode(self.slice_index)
        return Decoded(data, data.num_rows)

    def mark(self, rows: int) -> Mark:
        return Mark(part=self.part, token=self.group.index, rows=rows)


class _translated:  # noqa: N801 - read as a word in a `with` line
    """Turn Arrow's exceptions into ours, naming file and row group."""

    def __init__(self, label: str, group: int) -> None:
        self._label = label
        self._group = group

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (pa.ArrowException, OSError)) and not isinstance(error, StreamError):
            raise DecodeError(
                f"row group {self._group} cannot be decoded: {str(error).splitlines()[0] if str(error) else error!r}",
                source=self._label,
                hint="the file is damaged or was cut short; write or download it again.",
            ) from error


def _plain_schema(metadata: pq.FileMetaData) -> pa.Schema:
    """Return the Arrow schema without what pandas and Parquet have noted in it."""
    return pa.schema([field.remove_metadata() for field in metadata.schema.to_arrow_schema()])


def _tops(schema: pa.Schema) -> list[str]:
    # A chunk's path is that of its leaf: `point.x` belongs to the column `point`.
    return [name.partition(".")[0] for name in schema.names]


def _require_columns(found: pa.Schema, expected: pa.Schema, label: str) -> None:
    for field in expected:
        if field.name not in found.names:
            raise SchemaError(
                f"{label} has no column {field.name!r}, which the first file has",
                source=label,
                column=field.name,
                hint="read the files apart, and concat what you select of them.",
            )
        if found.field(field.name).type != field.type:
            raise SchemaError(
                f"column {field.name!r} is {found.field(field.name).type} in {label}, "
                f"but {field.type} in the first file",
                source=label,
                column=field.name,
                hint="read the files apart, cast, and concat them.",
            )
