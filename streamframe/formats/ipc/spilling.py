"""A record batch that is too large to be held, and whose rows cannot be told apart: column by column through the disk.

What is compressed has to be decompressed whole, a column at a time, and so has what is nested, or has a dictionary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa

from streamframe.batch import Mark
from streamframe.formats.ipc.block import Decoding, IpcBlock, Opening
from streamframe.formats.ipc.layout import Buffers
from streamframe.formats.ipc.messages import Message
from streamframe.formats.limits import USUAL_RATIO
from streamframe.formats.spilled import SpilledColumns
from streamframe.plan.source import Block, Decoded

# Takes the spans of a body that are to be read, in order, and where all of the body would go.
ReadSpans = Callable[[list[tuple[int, int]], memoryview], None]


def spilled(
    opening: Opening, decoding: Decoding, message: Message, columns: dict[str, Buffers], read_spans: ReadSpans
) -> SpilledBatch:
    """Decode the wanted columns of a record batch one by one, as they lie in its body."""
    records = message.header.records
    assert records is not None
    limits = decoding.limits
    nbytes = sum(length for name in decoding.wanted.names for _, length in columns[name])
    weight = nbytes * (USUAL_RATIO if records.compressed else 1)
    slice_rows = max(1, records.rows * limits.slice_bytes // max(1, weight))
    kept, held = SpilledColumns(records.rows, slice_rows), 0
    for field in sorted(decoding.wanted, key=lambda field: columns[field.name]):
        block = IpcBlock(opening, replace(decoding, wanted=pa.schema([field])), message.byte_offset, message.nbytes)
        spans, view = block.add(message)
        read_spans(spans, view)
        block.weigh(message, view)
        column = block.decode_whole().column(0)
        held += column.nbytes
        limits.check(held if records.compressed else 0, "a batch", decoding.label, message.byte_offset)
        kept.add(field.name, column)
        del block, view, column  # before the next one is decoded
    return SpilledBatch(kept, decoding, message.byte_offset + message.nbytes)


class SpilledBatch(Block):
    """A record batch on disk."""

    def __init__(self, columns: SpilledColumns, decoding: Decoding, end: int) -> None:
        self.part = decoding.part
        self.label = decoding.label
        self.nbytes = decoding.limits.slice_bytes
        self._columns = columns
        self._decoding = decoding
        self._end = end

    def decode(self) -> Decoded:
        data = self._columns.next_slice(self._decoding.rows)
        return Decoded(data, data.num_rows, more=self._columns.has_more)

    def mark(self, rows: int) -> Mark:
        return Mark(part=self.part, token=self._end, rows=rows)
