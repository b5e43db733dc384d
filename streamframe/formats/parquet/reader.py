"""Read Parquet row group by row group.

Rules: no dataset scanner, and no Python file object beneath Arrow. Row groups that the hint
rules out by their statistics are not read. A row group that would take more than its share of
the budget is decoded in slices; a smaller one whole, beside its neighbours; small ones on end at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from streamframe.batch import Mark
from streamframe.formats.base import FileFormat, OpenFile
from streamframe.formats.columns import require_columns, require_unique
from streamframe.formats.limits import MAX_BATCH_BYTES, MAX_SLICE_ROWS
from streamframe.formats.parquet.footer import Footer, footer_of
from streamframe.formats.parquet.kernel import Kernel
from streamframe.formats.parquet.pruning import matching_row_groups
from streamframe.formats.parquet.rowgroup import RowGroup
from streamframe.formats.parquet.weight import RowWeight
from streamframe.formats.parquet.whole import WholeBlock
from streamframe.io.location import Location
from streamframe.io.ranged import RangedFile
from streamframe.plan.node import Scan
from streamframe.plan.source import Block, BlockReader, Decoded

# A decoded slice may be this many times as large as a block of text: Parquet is denser.
_SLICE_BLOCKS = 4
# A row group up to so many is decoded whole: unlike slices, row groups can be decoded side by side.
_WHOLE_BLOCKS = 8
# Small ones are joined up to so many: what is done for each batch, whatever its size, is done less often.
_JOINED_BLOCKS = 2


@dataclass(frozen=True)
class ParquetFormat(FileFormat):
    """Apache Parquet; a page, and a row of lists or of text, may have `max_batch_bytes` once it is decompressed."""

    name: ClassVar[str] = "parquet"
    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".pq")

    max_batch_bytes: int = MAX_BATCH_BYTES

    def open(
        self, location: Location, *, expected: pa.Schema | None, block_bytes: int, like: OpenFile | None = None
    ) -> OpenFile:
        file = location.open_ranged()
        before = like if isinstance(like, _OpenParquet) else None
        try:
            footer = footer_of(file, None if before is None else before.footer)
            if before is not None and footer.columns is before.footer.columns and before.schema is expected:
                # What was learned of the rows of one file is as true of the next as of its own next row group.
                return _OpenParquet(file, footer, before.schema, before.kernel, before.weight, block_bytes)
            schema = footer.columns.arrow
            require_unique(schema, file.label)
            if expected is not None:
                require_columns(schema, expected, file.label)
                schema = expected  # the columns in the order of the first file
            kernel = Kernel(footer.columns, self.max_batch_bytes)
            return _OpenParquet(file, footer, schema, kernel, RowWeight(), block_bytes)
        except BaseException:
            file.close()
            raise


class _OpenParquet(OpenFile):
    def __init__(
        self,
        file: RangedFile,
        footer: Footer,
        schema: pa.Schema,
        kernel: Kernel,
        weight: RowWeight,
        block_bytes: int,
    ) -> None:
        self._file = file
        self.footer = footer
        self.kernel = kernel
        self.weight = weight
        self._schema = schema
        self._block_bytes = block_bytes

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    def read(self, scan: Scan, *, part: int) -> BlockReader:
        groups = list(range(len(self.footer.rows)))
        if scan.hint is not None:
            # It may speak of columns that are not in the file, such as those of a directory's keys.
            schema = scan.source.known_schema or self._schema
            groups = matching_row_groups(self.footer, schema, scan.hint)
        wanted = list(self._schema.names if scan.columns is None else scan.columns)
        rows_before = 0
        wanted_rows = 0 if scan.start is None else scan.start.rows
        while groups and rows_before + (rows := self.footer.rows[groups[0]]) <= wanted_rows:
            rows_before += rows
            groups.pop(0)
        return _ParquetReader(
            rows_before,
            self._file,
            self.footer,
            self.kernel,
            self.weight,
            groups,
            wanted,
            self._schema,
            self._block_bytes,
            scan.limit,
            part,
            scan.dictionaries,
        )

    def close(self) -> None:
        self._file.close()


class _ParquetReader(BlockReader):
    """Hands out one block for each row group, or several for a large one."""

    def __init__(
        self,
        rows_before: int,
        file: RangedFile,
        footer: Footer,
        kernel: Kernel,
        weight: RowWeight,
        groups: list[int],
        columns: list[str],
        schema: pa.Schema,
        block_bytes: int,
        limit: int | None,
        part: int,
        dictionaries: frozenset[str],
    ) -> None:
        self._rows_before = rows_before
        self._file = file
        self._footer = footer
        self._groups = groups
        self._schema = pa.schema([schema.field(name) for name in columns])
        self._block_bytes = block_bytes
        self._limit = limit
        self._part = part
        self._dictionaries = dictionaries
        self._weight = weight
        self._kernel = kernel
        self._blocks = self._plan_blocks()
        self._pending: _SliceBlock | WholeBlock | None = None
        self._seen_bytes = 0
        self._started: list[RowGroup] = []

    @property
    def bytes_read(self) -> int:
        # Arrow reads a local file by itself, so what it took is told by the footer.
        return self._seen_bytes if self._file.local_path else self._file.bytes_read

    @property
    def file_bytes(self) -> int:
        return self._file.size

    @property
    def retries(self) -> int:
        return self._file.retries

    @property
    def rows_before(self) -> int:
        return self._rows_before

    @property
    def pending(self) -> bool:
        return not all(group.done for group in list(self._started))

    def next_bytes(self) -> int:
        self._pending = self._pending or next(self._blocks, None)
        return self._pending.nbytes if self._pending is not None else 0

    def next_block(self) -> Block | None:
        block, self._pending = self._pending or next(self._blocks, None), None
        if block is not None and block.begins:
            for group in block.groups:
                group.fetch()
            self._started = [*(group for group in self._started if not group.done), *block.groups]
            self._seen_bytes += sum(group.compressed_bytes for group in block.groups)
        return block

    def close(self) -> None:
        self._file.close()
        for group in list(self._started):
            group.give_up()

    def _plan_blocks(self) -> Iterator[_SliceBlock | WholeBlock]:
        small: list[RowGroup] = []
        small_bytes = 0
        for group in self._row_groups():
            slice_bytes, slice_rows = self._slice_of(group)
            slices = -(-group.rows // slice_rows)
            group.plan(slice_rows, slices, slice_bytes)
            nbytes = int(group.rows * self._row_weight(group))
            is_small = self._is_small(group, nbytes)
            if small and not (
                is_small and small_bytes + nbytes <= self._joined_bytes and group.schema.equals(small[0].schema)
            ):
                yield WholeBlock(small, small_bytes, self._part)
                small, small_bytes = [], 0
            if is_small:
                small.append(group)
                small_bytes += nbytes
            elif slices == 1:
                yield WholeBlock([group], nbytes, self._part)
            else:
                for slice_index in range(slices):
                    rows = min(slice_rows, group.rows - slice_index * slice_rows)
                    yield _SliceBlock(group, slice_index, int(rows * self._row_weight(group)), self._part)
        if small:
            yield WholeBlock(small, small_bytes, self._part)

    def _row_groups(self) -> Iterator[RowGroup]:
        for index in self._groups:
            group = RowGroup(
                self._file, self._footer, index, self._schema, self._weight, self._kernel, self._dictionaries
            )
            if group.rows == 0:
                continue
            if not self._weight.nbytes and self._schema.names:
                group.probe()
            yield group

    def _is_small(self, group: RowGroup, nbytes: int) -> bool:
        """Tell whether a row group may be decoded together with others. Not the first: its rows are wanted soon."""
        wanted = self._limit is None and group.index != self._groups[0] and bool(self._schema.names)
        return wanted and nbytes <= self._joined_bytes and group.rows < MAX_SLICE_ROWS

    @property
    def _joined_bytes(self) -> int:
        return _JOINED_BLOCKS * self._block_bytes

    def _slice_of(self, group: RowGroup) -> tuple[int, int]:
        """Return the bytes and the rows of a slice; all of them where the group fits."""
        row_bytes = self._row_weight(group)
        nbytes = self._block_bytes * _WHOLE_BLOCKS
        if row_bytes * group.rows > nbytes:
            nbytes = self._block_bytes * _SLICE_BLOCKS
        rows = int(max(1, min(MAX_SLICE_ROWS, nbytes / row_bytes)))
        return nbytes, min(rows, max(1, self._limit)) if self._limit is not None else rows

    def _row_weight(self, group: RowGroup) -> float:
        return max(self._weight.nbytes, group.uncompressed_bytes / group.rows, 1.0)


class _SliceBlock(Block):
    """A slice of a row group."""

    def __init__(self, group: RowGroup, slice_index: int, nbytes: int, part: int) -> None:
        self.group = group
        self.groups = [group]
        self.slice_index = slice_index
        self.begins = slice_index == 0
        self.nbytes = nbytes
        self.part = part
        self.label = group.label

    def decode(self) -> Decoded:
        data, more = self.group.decode(self.slice_index)
        return Decoded(data, data.num_rows, more)

    def mark(self, rows: int) -> Mark:
        return Mark(part=self.part, token=self.group.index, rows=rows)
