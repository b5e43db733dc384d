"""Rows of a record batch that is too large to be read whole, straight from where its columns lie in the file.

Rule: a slice holds the bytes of its rows, and nothing else of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from streamframe.batch import Mark
from streamframe.formats.image import FileImage, coalesced
from streamframe.formats.ipc.block import Decoding
from streamframe.formats.ipc.messages import damaged
from streamframe.formats.ipc.metadata import Place
from streamframe.formats.ipc.slice_columns import ALIGNMENT, Outside, SliceColumn, Span
from streamframe.formats.limits import MAX_SLICE_ROWS
from streamframe.formats.wording import first_line
from streamframe.io.ranged import RangedFile
from streamframe.plan.source import Block, Decoded


def slices_of(
    file: RangedFile, place: Place, rows: int, columns: Sequence[SliceColumn], row_bytes: int, decoding: Decoding
) -> Iterator[IpcSlice]:
    """Read these columns of a record batch, which are those that are wanted, slice by slice."""
    slice_rows = min(MAX_SLICE_ROWS, decoding.limits.slice_bytes // max(1, row_bytes))
    slice_rows = max(ALIGNMENT, slice_rows // ALIGNMENT * ALIGNMENT)
    for start in range(0, rows, slice_rows):
        block = IpcSlice(place, columns, decoding, start, min(slice_rows, rows - start))
        block.fetch(file)
        yield block


class IpcSlice(Block):
    """Some rows of one record batch."""

    def __init__(self, place: Place, columns: Sequence[SliceColumn], decoding: Decoding, start: int, rows: int) -> None:
        self.part = decoding.part
        self.label = decoding.label
        self.nbytes = 0
        self._place = place
        self._columns = columns
        self._decoding = decoding
        self._start = start
        self._rows = rows
        self._image = FileImage(max(1, place.body_bytes))

    def fetch(self, file: RangedFile) -> None:
        """Read what the rows need."""
        try:
            self._read(file, [span for one in self._columns for span in one.spans(self._start, self._rows)])
            self._read(
                file, [span for one in self._columns for span in one.text_spans(self._image, self._start, self._rows)]
            )
        except Outside as error:
            raise damaged(self.label, self._place.offset, str(error)) from error

    def decode(self) -> Decoded:
        try:
            columns = [one.array(self._image, self._start, self._rows) for one in self._columns]
            data = pa.RecordBatch.from_arrays(columns, schema=self._decoding.wanted)
            data.validate(full=True)
        except pa.ArrowException as error:
            raise damaged(self.label, self._place.offset, first_line(error)) from error
        return Decoded(self._decoding.handed_on(data), self._rows)

    def mark(self, rows: int) -> Mark:
        return Mark(part=self.part, token=self._place.end, rows=rows)

    def _read(self, file: RangedFile, spans: Sequence[Span]) -> None:
        body = self._place.body

        def put(offset: int, piece: bytes) -> None:
            self._image.put(offset - body, piece)

        wanted = coalesced(span for span in spans if span[0] < span[1])
        self.nbytes += sum(end - start for start, end in wanted)
        file.read_ranges([(body + start, end - start) for start, end in wanted], put)
