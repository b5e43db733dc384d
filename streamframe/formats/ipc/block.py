"""Some record batches as one block: a small stream of its own that Arrow decodes in the pool.

Rules: each block repeats the schema and the dictionaries in front of its record batches, so that
blocks are decoded in any order and on any thread. Only the columns that are wanted are in memory.
Every batch is validated in full before anything touches it: an offset that points outside of its
buffer would crash the process (0.2 s for each gigabyte).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa

from streamframe.batch import Mark, rows_without_columns
from streamframe.errors import DecodeError
from streamframe.formats.image import FileImage, coalesced
from streamframe.formats.ipc.layout import Buffers, column_buffers, needed_buffers
from streamframe.formats.ipc.messages import Message, damaged
from streamframe.formats.ipc.metadata import END_OF_STREAM, Records
from streamframe.formats.limits import MAX_SLICE_ROWS, Limits
from streamframe.formats.spilled import can_spill
from streamframe.plan.source import Block, Decoded, Joined


class Opening:
    """What a block starts with: the schema's message, and the dictionaries in force."""

    def __init__(self, schema_message: bytes, label: str, limits: Limits) -> None:
        self._schema_message = schema_message
        self._label = label
        self._limits = limits
        self._dictionaries: list[tuple[int, bytes]] = []
        self.nbytes = len(schema_message)

    def add(self, message: Message, body: bytes) -> None:
        """Take a dictionary into account: a delta adds to the one of the same id, another replaces it."""
        header = message.header
        if header.records is not None and header.records.compressed:
            claimed = sum(_claimed(self._label, message, body, *place) for place in header.records.buffers)
            self._limits.check(claimed, "a dictionary", self._label, message.byte_offset)
        if not header.is_delta:
            self._dictionaries = [kept for kept in self._dictionaries if kept[0] != header.dictionary_id]
        self._dictionaries.append((header.dictionary_id, message.head + body))
        self.nbytes = len(self._schema_message) + sum(len(data) for _, data in self._dictionaries)

    def pieces(self) -> list[bytes]:
        """Return the bytes, in order."""
        return [self._schema_message, *(data for _, data in self._dictionaries)]


@dataclass(frozen=True)
class Decoding:
    """What is wanted of a file, and how it comes out."""

    label: str
    part: int
    found: pa.Schema  # the file's
    wanted: pa.Schema  # its columns, in the order in which they come out
    rows: pa.Schema  # how they come out
    limits: Limits

    @property
    def whole(self) -> bool:
        """All columns of the file are wanted."""
        return len(self.wanted) == len(self.found)

    def needed(self, records: Records) -> Buffers:
        """Return offset and length of the buffers that have to be read of a body."""
        found = None if self.whole else needed_buffers(records, self.found, frozenset(self.wanted.names))
        return records.buffers if found is None else found

    def large_columns(self, message: Message) -> dict[str, Buffers] | None:
        """Return the buffers of the columns of a batch that is too large to be held; None if it is to be read whole."""
        records = message.header.records
        if records is None or not records.rows or not len(self.wanted):
            return None
        most = self.limits.large_bytes(compressed=records.compressed)
        if message.header.body_bytes <= most or not all(can_spill(field.type) for field in self.wanted):
            return None
        columns = column_buffers(records, self.found)
        if columns is None or sum(length for name in self.wanted.names for _, length in columns[name]) <= most:
            return None
        return columns

    def handed_on(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return wanted columns as they come out."""
        return batch if batch.schema.equals(self.rows) else batch.cast(self.rows)

    def batches(self, data: pa.Buffer) -> list[pa.RecordBatch]:
        """Decode and validate all batches of a stream."""
        options = pa.ipc.IpcReadOptions(
            use_threads=False,
            included_fields=None if self.whole else [self.found.get_field_index(name) for name in self.wanted.names],
        )
        batches = []
        for batch in pa.ipc.open_stream(data, options=options):
            batch.validate(full=True)
            columns = [batch.column(name) for name in self.wanted.names]
            batches.append(pa.RecordBatch.from_arrays(columns, schema=self.wanted))
        return batches


class IpcBlock(Block):
    """Some record batches of one file."""

    def __init__(self, opening: Opening, decoding: Decoding, byte_offset: int, capacity: int) -> None:
        self.part = decoding.part
        self.label = decoding.label
        self._decoding = decoding
        self._byte_offset = byte_offset
        self._end = byte_offset
        self._image = _image(opening.nbytes + capacity + len(END_OF_STREAM), self.label, byte_offset)
        self._filled = 0
        self._count = 0
        self._rows = 0
        self._rest: pa.RecordBatch | None = None
        self._decompressed_bytes = 0
        self._raw_bytes = opening.nbytes
        self._opening = b"".join(opening.pieces()) if len(decoding.wanted) else b""
        self._put(self._opening)

    def add(self, message: Message) -> tuple[list[tuple[int, int]], memoryview]:
        """Take in a record batch; return what is needed of its body, and where all of it would go."""
        records = message.header.records
        assert records is not None
        self._count += 1
        self._rows += records.rows
        self._end = message.byte_offset + message.nbytes
        if not len(self._decoding.wanted):
            return [], memoryview(b"")
        spans = coalesced((offset, offset + length) for offset, length in self._decoding.needed(records))
        self._put(message.head)
        view = self._image.view(self._filled, message.header.body_bytes)
        self._filled += message.header.body_bytes
        self._raw_bytes += len(message.head) + sum(end - start for start, end in spans)
        return spans, view

    def weigh(self, message: Message, view: memoryview) -> None:
        """Take into account what the last batch holds, now that its body is in place."""
        records = message.header.records
        if records is not None and records.compressed and len(view):
            claimed = sum(_claimed(self.label, message, view, *place) for place in self._decoding.needed(records))
            self._decoding.limits.check(claimed, "a batch", self.label, message.byte_offset)
            self._decompressed_bytes += claimed
        held = self._raw_bytes + self._decompressed_bytes
        # Several batches are joined, which copies them.
        self.nbytes = held if self._count == 1 else held + (self._decompressed_bytes or self._raw_bytes)

    def decode(self) -> Decoded:
        if self._rest is None:
            self._rest = self.decode_whole()
        data = self._rest
        rows = self._slice_rows(data)
        self._rest = data.slice(rows) if rows < data.num_rows else None
        return Decoded(self._decoding.handed_on(data.slice(0, rows)), rows, more=self._rest is not None)

    def decode_with(self, following: Sequence[Block]) -> Joined | None:
        blocks = [block for block in (self, *following) if isinstance(block, IpcBlock) and self._is_like(block)]
        if len(blocks) <= len(following) or not len(self._decoding.wanted):
            return None
        messages = [block._image.buffer(len(self._opening), block._filled - len(self._opening)) for block in blocks]
        batches = self._decoding.batches(pa.py_buffer(b"".join([self._opening, *messages, END_OF_STREAM])))
        rows, counted = [block._rows for block in blocks], iter(batches)
        told = [sum(batch.num_rows for batch in islice(counted, block._count)) for block in blocks]
        if told != rows or len(batches) != sum(block._count for block in blocks):
            return None
        data = self._decoding.handed_on(pa.concat_batches(batches))
        return Joined(data, rows) if self._slice_rows(data) == data.num_rows else None

    def _is_like(self, other: IpcBlock) -> bool:
        """Tell whether a block begins as this one does, and the same is wanted of it."""
        own, its = self._decoding, other._decoding
        return other._opening == self._opening and its.found is own.found and its.rows.equals(own.rows)

    def mark(self, rows: int) -> Mark:
        return Mark(part=self.part, token=self._end, rows=rows)

    def decode_whole(self) -> pa.RecordBatch:
        """Decode and join all there is; once."""
        if not len(self._decoding.wanted):
            return rows_without_columns(self._rows)
        self._put(END_OF_STREAM)
        try:
            batches = self._decoding.batches(self._image.buffer(0, self._filled))
        # A name that is no UTF-8 is a ValueError; extension types run code of others on their metadata.
        except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
            raise _undecodable(self.label, self._byte_offset, error) from error
        finally:
            del self._image
        if len(batches) != self._count or sum(batch.num_rows for batch in batches) != self._rows:
            raise damaged(self.label, self._byte_offset, "it holds other rows than it says")
        return batches[0] if len(batches) == 1 else pa.concat_batches(batches)

    def _slice_rows(self, data: pa.RecordBatch) -> int:
        if not data.num_columns:
            return int(data.num_rows)
        most = self._decoding.limits.slice_bytes
        if data.nbytes <= most and data.num_rows <= MAX_SLICE_ROWS:
            return int(data.num_rows)
        return int(min(MAX_SLICE_ROWS, max(1, data.num_rows * most // max(1, data.nbytes))))

    def _put(self, data: bytes) -> None:
        self._image.put(self._filled, data)
        self._filled += len(data)


def _claimed(label: str, message: Message, body: memoryview | bytes, offset: int, length: int) -> int:
    """Return how long a compressed buffer says it will be."""
    if length < 8:
        return 0
    claimed = int(struct.unpack_from("<q", body, offset)[0])
    if claimed < -1:
        raise damaged(label, message.byte_offset, "a column has a length below zero")
    # -1: it was not worth compressing.
    return length - 8 if claimed == -1 else claimed


def _image(size: int, label: str, byte_offset: int) -> FileImage:
    try:
        return FileImage(size)
    except (OSError, ValueError, OverflowError) as error:
        raise damaged(label, byte_offset, f"it would have {size:,} bytes") from error


def _undecodable(label: str, byte_offset: int, error: Exception) -> DecodeError:
    lines = str(error).splitlines()
    return DecodeError(
        f"a record batch cannot be decoded: {lines[0] if lines else type(error).__name__}",
        source=label,
        byte_offset=byte_offset,
        hint="the file is damaged: write or download it again.",
    )
