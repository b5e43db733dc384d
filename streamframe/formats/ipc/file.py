"""Read the file format: the footer tells where each record batch lies, so only what is needed is read.

Rules: nothing is mapped (a map of a file that shrinks kills the process). A batch that is too large to be held comes in
slices; where its rows cannot be read by themselves, it goes through the disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import pyarrow as pa

from streamframe.formats.base import OpenFile
from streamframe.formats.ipc.block import Decoding, IpcBlock, Opening
from streamframe.formats.ipc.footer import MAX_GAP_BYTES, IpcFooter
from streamframe.formats.ipc.layout import Buffers
from streamframe.formats.ipc.messages import Message, damaged
from streamframe.formats.ipc.metadata import DICTIONARY, RECORDS, Header, Malformed, Place, prefix_of
from streamframe.formats.ipc.slice_columns import SliceColumn
from streamframe.formats.ipc.slices import slices_of
from streamframe.formats.ipc.spilling import ReadSpans, spilled
from streamframe.formats.ipc.stream import decoding_of
from streamframe.formats.limits import Limits
from streamframe.io.ranged import RangedFile
from streamframe.plan.node import Scan
from streamframe.plan.source import Block, BlockReader

# Read in one piece, a message is in memory twice for a moment.
_PIECE_BYTES = 8 << 20
# Of a smaller message, reading the metadata first would cost more than it saves.
_WHOLE_BYTES = 256 << 10


class OpenIpcFile(OpenFile):
    """A file whose footer and schema were read."""

    def __init__(
        self,
        file: RangedFile,
        footer: IpcFooter,
        found: pa.Schema,
        schema: pa.Schema,
        limits: Limits,
    ) -> None:
        self._file = file
        self.footer = footer
        self.found = found
        # What is wanted of all files that are alike, by the names of the columns.
        self.wanted: dict[tuple[str, ...] | None, Decoding] = {}
        self._schema = schema
        self._limits = limits

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    def read(self, scan: Scan, *, part: int) -> BlockReader:
        known = self.wanted.get(scan.columns) if scan.limit is None else None
        if known is None:
            decoding = decoding_of(self._file.label, part, self.found, self._schema, scan, self._limits)
            self.wanted = {scan.columns: decoding}
        else:
            decoding = replace(known, label=self._file.label, part=part)
        opening = Opening(self.footer.schema_message, self._file.label, self._limits)
        return _IpcFileReader(self._file, self.footer, opening, decoding)

    def close(self) -> None:
        self._file.close()


class _LargeBatch(NamedTuple):
    """A batch that comes in several blocks, or through the disk."""

    nbytes: int  # of a block, as far as can be told
    blocks: Iterator[Block]


class _IpcFileReader(BlockReader):
    def __init__(self, file: RangedFile, footer: IpcFooter, opening: Opening, decoding: Decoding) -> None:
        self._file = file
        self._footer = footer
        self._opening = opening
        self._decoding = decoding
        self._next = 0
        self._has_dictionaries = not len(decoding.wanted)  # then none are needed
        # The number of the batch that was looked at, and what it is if it is too large to be held.
        self._looked_at = -1
        self._large: _LargeBatch | None = None
        # What a byte of the file turned out to weigh so far.
        self._ratio = 1.0

    @property
    def bytes_read(self) -> int:
        return self._file.bytes_read

    @property
    def bytes_total(self) -> int:
        return self._file.size

    @property
    def file_bytes(self) -> int:
        return self._file.size

    @property
    def retries(self) -> int:
        return self._file.retries

    def next_bytes(self) -> int:
        self._look_ahead()
        if self._large is not None:
            return self._large.nbytes
        places = self._next_places()
        return int((self._opening.nbytes + _span(places)) * self._ratio) if places else 0

    def next_block(self) -> Block | None:
        self._look_ahead()
        while self._large is not None:
            if (piece := next(self._large.blocks, None)) is not None:
                return piece
            self._next += 1
            self._look_ahead()
        places = self._next_places()
        if not places:
            return None
        self._next += len(places)
        block = IpcBlock(self._opening, self._decoding, places[0].offset, _span(places))
        in_part = not self._decoding.whole and max(place.body_bytes for place in places) > _WHOLE_BYTES
        if in_part or _span(places) > _PIECE_BYTES:
            for place in places:
                self._read_in_part(block, place)
        else:
            self._read_whole(block, places)
        self._ratio = max(self._ratio / 2, block.nbytes / (self._opening.nbytes + _span(places)))
        return block

    def close(self) -> None:
        self._file.close()

    def _look_ahead(self) -> None:
        """Read the dictionaries, and see whether the next batch is too large to be held."""
        self._read_dictionaries()
        if self._looked_at != self._next:
            self._looked_at = self._next
            batches = self._footer.batches
            self._large = self._large_batch(batches[self._next]) if self._next < len(batches) else None

    def _large_batch(self, place: Place) -> _LargeBatch | None:
        limits = self._decoding.limits
        if place.body_bytes <= limits.large_bytes(compressed=True):
            return None
        message = self._message(place, self._file.read_range(place.offset, place.head_bytes), RECORDS)
        columns = self._decoding.large_columns(message)
        records = message.header.records
        if columns is None or records is None:
            return None
        wanted = self._decoding.wanted
        found = (SliceColumn.of(field.type, columns[field.name]) for field in wanted)
        sliced = [column for column in found if column is not None]
        if not records.compressed and len(sliced) == len(wanted):
            nbytes = sum(length for name in wanted.names for _, length in columns[name])
            blocks = slices_of(self._file, place, records.rows, sliced, nbytes // records.rows, self._decoding)
            return _LargeBatch(limits.slice_bytes, blocks)
        return _LargeBatch(limits.whole_bytes, self._through_disk(place, message, columns))

    def _through_disk(self, place: Place, message: Message, columns: dict[str, Buffers]) -> Iterator[Block]:
        """Yield the batch, read when it is asked for: there has to be room."""
        yield spilled(self._opening, self._decoding, message, columns, self._spans_of(place))

    def _spans_of(self, place: Place) -> ReadSpans:
        def read_spans(spans: list[tuple[int, int]], view: memoryview) -> None:
            def put(offset: int, piece: bytes) -> None:
                start = offset - place.body
                view[start : start + len(piece)] = piece

            self._file.read_ranges([(place.body + first, end - first) for first, end in spans], put)

        return read_spans

    def _next_places(self) -> tuple[Place, ...]:
        """Return record batches that lie one behind another, up to the size of a block; at least one."""
        batches = self._footer.batches
        end = self._next
        while end < len(batches) and (
            end == self._next
            or (
                0 <= batches[end].offset - batches[end - 1].end <= MAX_GAP_BYTES
                and batches[end].end - batches[self._next].offset <= self._decoding.limits.piece_bytes
            )
        ):
            end += 1
        return batches[self._next : end]

    def _read_whole(self, block: IpcBlock, places: tuple[Place, ...]) -> None:
        start = places[0].offset
        data = memoryview(self._file.read_range(start, _span(places)))
        for place in places:
            message = self._message(place, bytes(data[place.offset - start : place.body - start]), RECORDS)
            body = data[place.body - start : place.end - start]
            spans, view = block.add(message)
            for first, end in spans:
                view[first:end] = body[first:end]
            block.weigh(message, view)

    def _read_in_part(self, block: IpcBlock, place: Place) -> None:
        message = self._message(place, self._file.read_range(place.offset, place.head_bytes), RECORDS)
        spans, view = block.add(message)
        self._spans_of(place)(spans, view)
        block.weigh(message, view)

    def _read_dictionaries(self) -> None:
        if self._has_dictionaries:
            return
        self._has_dictionaries = True
        for place in self._footer.dictionaries:
            data = self._file.read_range(place.offset, place.head_bytes + place.body_bytes)
            message = self._message(place, data[: place.head_bytes], DICTIONARY)
            self._opening.add(message, data[place.head_bytes :])

    def _message(self, place: Place, head: bytes, kind: int) -> Message:
        try:
            prefix_bytes, metadata_bytes = prefix_of(head)
            header = Header.of(head[prefix_bytes : prefix_bytes + metadata_bytes])
            if prefix_bytes + metadata_bytes != place.head_bytes or header.body_bytes != place.body_bytes:
                raise Malformed("it is not as long as the footer says")
            if header.kind != kind:
                raise Malformed("it is not what the footer says")
        except Malformed as error:
            raise damaged(self._file.label, place.offset, str(error)) from error
        return Message(head, header, place.offset)


def _span(places: tuple[Place, ...]) -> int:
    return places[-1].end - places[0].offset
