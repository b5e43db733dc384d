"""A reader that cannot start in the middle, made to: what lies before the mark is read and dropped."""

from __future__ import annotations

from streamframe.batch import Mark
from streamframe.plan.report import Completeness
from streamframe.plan.source import Block, BlockReader, Decoded
from streamframe.sources.fitting import RowsBefore


def started(reader: BlockReader, start: Mark | None) -> BlockReader:
    """Return a reader whose first row is the one behind the mark."""
    if start is None or reader.rows_before == start.rows:
        return reader
    return _Starting(reader, start.rows - reader.rows_before)


class _Starting(BlockReader):
    def __init__(self, reader: BlockReader, drop_rows: int) -> None:
        self._reader = reader
        self._drop_rows = drop_rows
        self._rows = RowsBefore()

    @property
    def bytes_read(self) -> int:
        return self._reader.bytes_read

    @property
    def bytes_total(self) -> int | None:
        return self._reader.bytes_total

    @property
    def retries(self) -> int:
        return self._reader.retries

    @property
    def completeness(self) -> Completeness:
        return self._reader.completeness

    @property
    def pending(self) -> bool:
        return self._reader.pending

    def next_bytes(self) -> int:
        return self._reader.next_bytes()

    def next_block(self) -> Block | None:
        block = self._reader.next_block()
        return None if block is None else _StartingBlock(block, self._drop_rows, self._rows)

    def close(self) -> None:
        self._reader.close()
        self._rows.give_up()


class _StartingBlock(Block):
    def __init__(self, block: Block, drop_rows: int, rows: RowsBefore) -> None:
        self._block = block
        self._drop_rows = drop_rows
        self._rows = rows
        self._number = rows.number()
        self.nbytes = block.nbytes
        self.part = block.part
        self.label = block.label

    def decode(self) -> Decoded:
        try:
            made = self._block.decode()
        except BaseException:
            self._rows.fail(self._number)
            raise
        before = self._rows.take(self._number, self.part, made.records, more=made.more)
        drop = min(max(0, self._drop_rows - before), made.records)
        return made._replace(data=made.data.slice(drop), records=made.records - drop)

    def mark(self, rows: int) -> Mark:
        return self._block.mark(rows)
