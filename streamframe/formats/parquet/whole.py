"""Row groups that are decoded whole: one, or small ones on end at once.

Rules: what turns out heavier than a slice may be, or takes Arrow, comes row group by row group and some rows at a time;
rows before a row group that is damaged are handed on.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from streamframe.batch import Mark
from streamframe.errors import StreamError, without_frames
from streamframe.formats.parquet.rowgroup import RowGroup
from streamframe.native.parquet_whole import TooHeavy, Unsure, read_whole
from streamframe.plan.source import Block, Decoded, Joined


class WholeBlock(Block):
    """Row groups that are on end among those that are read, each of them in one slice, and alike in their columns."""

    begins = True

    def __init__(self, groups: Sequence[RowGroup], nbytes: int, part: int) -> None:
        self.groups = list(groups)
        self.nbytes = nbytes
        self.part = part
        self.label = groups[0].label
        # The first that has not been decoded, and what was wrong with it when others had been.
        self._next = 0
        self._failed: StreamError | None = None
        self._tried = False

    def decode(self) -> Decoded:
        made = self._at_once() if not self._tried else None
        if made is not None:
            return Decoded(made, made.num_rows)
        batches: list[pa.RecordBatch] = []
        more = False
        while self._next < len(self.groups) and not more:
            try:
                if self._failed is not None:
                    raise self._failed
                data, more = self.groups[self._next].decode(0)
            except StreamError as error:
                if not batches:
                    raise
                self._failed = without_frames(error)
                break
            batches.append(data)
            self._next += not more
        data = batches[0] if len(batches) == 1 else pa.concat_batches(batches)
        return Decoded(data, data.num_rows, self._next < len(self.groups))

    def mark(self, rows: int) -> Mark:
        return Mark(part=self.part, token=self.groups[min(self._next, len(self.groups) - 1)].index, rows=rows)

    def decode_with(self, following: Sequence[Block]) -> Joined | None:
        blocks = [block for block in (self, *following) if isinstance(block, WholeBlock)]
        groups = [group for block in blocks for group in block.groups]
        if len(blocks) <= len(following) or not all(group.is_like(groups[0]) for group in groups):
            return None
        made = _read_held(groups)
        if made is None:
            made = _read_at_once(groups)
        return None if made is None else Joined(made, [sum(group.rows for group in block.groups) for block in blocks])

    def _at_once(self) -> pa.RecordBatch | None:
        """Return all rows, with no more in memory than a slice may have; None if that is not to be."""
        self._tried = True
        made = _read_at_once(self.groups)
        if made is not None:
            self._next = len(self.groups)
        return made


def _read_held(groups: Sequence[RowGroup]) -> pa.RecordBatch | None:
    """Return all rows of row groups whose files are in memory; None if that is not to be."""
    first, held = groups[0], [group.held() for group in groups]
    found = [one for one in held if one is not None]
    room = first.room_for(sum(group.rows for group in groups))
    if not room or len(found) < len(held) or not first.schema.names:
        return None
    arrays = first.read_many(found, room)
    return None if arrays is None else _finished(groups, arrays)


def _read_at_once(groups: Sequence[RowGroup]) -> pa.RecordBatch | None:
    first, rows = groups[0], [group.rows for group in groups]
    room = first.room_for(sum(rows))
    # Without columns there is no array to tell the number of rows.
    if not first.schema.names or sum(group.compressed_bytes for group in groups) > room:
        return None
    opened = [chunks for group in groups if (chunks := group.chunks()) is not None]
    if len(opened) < len(groups):
        return None
    names = first.schema.names
    try:
        arrays = read_whole(list(zip(*opened, strict=True)), rows, room)
    except TooHeavy:
        return None
    except Unsure as unsure:
        first.learn(names[unsure.column], sure=False)
        return None
    for name in names:
        first.learn(name, sure=True)
    return _finished(groups, arrays)


def _finished(groups: Sequence[RowGroup], arrays: Sequence[pa.Array]) -> pa.RecordBatch:
    """Return the rows of row groups, of which nothing is left to be read."""
    first = groups[0]
    made = first.checked(pa.RecordBatch.from_arrays(arrays, schema=first.schema))
    first.weigh(made)
    for group in groups:
        group.finish()
    return made
