"""Small row groups on end, decoded at once.

Rule: what is not known to the kernel, or heavier than foretold, comes row group by row group, as it would have alone;
rows before one that is damaged are handed on.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from streamframe.batch import Mark
from streamframe.errors import StreamError
from streamframe.formats.parquet.rowgroup import RowGroup
from streamframe.native.parquet import read_on_end
from streamframe.plan.source import Block, Decoded


class JoinedBlock(Block):
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

    def decode(self) -> Decoded:
        made = self._at_once() if not self._next else None
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
                self._failed = _without_frames(error)
                break
            batches.append(data)
            self._next += not more
        data = batches[0] if len(batches) == 1 else pa.concat_batches(batches)
        return Decoded(data, data.num_rows, self._next < len(self.groups))

    def mark(self, rows: int) -> Mark:
        return Mark(part=self.part, token=self.groups[min(self._next, len(self.groups) - 1)].index, rows=rows)

    def _at_once(self) -> pa.RecordBatch | None:
        first, rows = self.groups[0], [group.rows for group in self.groups]
        if not first.trusts(sum(rows)):
            return None
        opened = [group.chunks() for group in self.groups]
        known = [chunks for chunks in opened if chunks is not None]
        if len(known) < len(opened):
            return None
        arrays = []
        for column, on_end in zip(first.schema, zip(*known, strict=True), strict=True):
            array = read_on_end(on_end, rows)
            first.learn(column.name, sure=array is not None)
            if array is None:
                return None
            arrays.append(array)
        made = pa.RecordBatch.from_arrays(arrays, schema=first.schema)
        first.weigh(made)
        for group in self.groups:
            group.finish()
        self._next = len(self.groups)
        return made


def _without_frames(error: StreamError) -> StreamError:
    """Return an error to be kept: its frames hold the block that keeps it, and only a collection would free both."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error
