"""A reader that cannot start in the middle, made to: what lies before the mark is read and dropped."""

from __future__ import annotations

from streamframe.batch import Mark
from streamframe.plan.source import BlockReader, Decoded
from streamframe.sources.wrapped import RowsBefore, WrappedReader


def started(reader: BlockReader, start: Mark | None) -> BlockReader:
    """Return a reader whose first row is the one behind the mark."""
    if start is None or reader.rows_before == start.rows:
        return reader
    return _Starting(reader, start.rows - reader.rows_before)


class _Starting(WrappedReader):
    def __init__(self, reader: BlockReader, drop_rows: int) -> None:
        self._before = RowsBefore()
        super().__init__(reader, self._dropped, self._before)
        self._drop_rows = drop_rows

    @property
    def pending(self) -> bool:
        # Where it is closed, blocks whose turn has not come are given up.
        return super().pending or self._before.is_waited_for

    def close(self) -> None:
        super().close()
        self._before.give_up()

    def _dropped(self, made: Decoded, before: int) -> Decoded:
        drop = min(max(0, self._drop_rows - before), made.records)
        return made._replace(data=made.data.slice(drop), records=made.records - drop)
