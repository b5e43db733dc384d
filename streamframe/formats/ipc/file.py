"""Read the file format: the footer tells where each record batch lies, so only what is needed is read.

Rules: nothing is mapped (a map of a file that shrinks kills the process). The footer has to account
for every byte of the file: one that forgets a batch, or names one twice, would lose or repeat rows.
"""

from __future__ import annotations

import pyarrow as pa

from streamframe.errors import TruncatedError
from streamframe.formats.base import OpenFile
from streamframe.formats.image import FileImage
from streamframe.formats.ipc.block import Decoding, IpcBlock, Opening
from streamframe.formats.ipc.messages import Message, damaged
from streamframe.formats.ipc.metadata import (
    CONTINUATION,
    DICTIONARY,
    MAGIC,
    RECORDS,
    Footer,
    Header,
    Malformed,
    Place,
    prefix_of,
)
from streamframe.formats.ipc.stream import decoding_of
from streamframe.formats.limits import Limits
from streamframe.formats.wording import first_line
from streamframe.io.ranged import RangedFile
from streamframe.plan.node import Scan
from streamframe.plan.source import BlockReader

_TAIL_BYTES = 64 << 10
# The magic and its padding, in front of the schema.
_START = 8
# Padding to 64 bytes and the end-of-stream marker may lie between messages; no record batch is as short.
_MAX_GAP_BYTES = 72
# Read in one piece, a message is in memory twice for a moment.
_PIECE_BYTES = 8 << 20
# Of a smaller message, reading the metadata first would cost more than it saves.
_WHOLE_BYTES = 256 << 10


class IpcFooter:
    """Where everything lies in a file, and the message with its schema.

    Raises
    ------
    TruncatedError
        If the end of the file is missing.
    DecodeError
        If the footer or the schema is damaged.
    """

    def __init__(self, file: RangedFile) -> None:
        size = file.size
        tail_start = max(0, size - _TAIL_BYTES)
        tail = file.read_range(tail_start, size - tail_start)
        if tail[-6:] != MAGIC or size < _START + 10:
            raise TruncatedError(
                f"{file.label} has no end: it was cut short, or is still being written",
                source=file.label,
                byte_offset=size,
                hint="write or download it again.",
            )
        footer_bytes = int.from_bytes(tail[-10:-6], "little")
        start = size - 10 - footer_bytes
        try:
            if start < _START:
                raise Malformed("it would be longer than the file")
            data = tail[start - tail_start : -10] if start >= tail_start else file.read_range(start, footer_bytes)
            self.dictionaries, self.batches = Footer.of(data)
            schema_end = self._checked_start(start)
        except Malformed as error:
            raise damaged(file.label, size - 10, f"the footer cannot be: {error}") from error
        self.schema_message = _schema_message(file, start, data + tail[-10:])
        # What lies before the first batch is the schema once more. polars writes it without a prefix.
        prefix = file.read_range(_START, min(_START, schema_end - _START))
        schema_bytes = sum(prefix_of(prefix)) if prefix[:4] == CONTINUATION else footer_bytes
        if schema_end - _START > schema_bytes + _MAX_GAP_BYTES:
            raise damaged(file.label, _START, "the footer leaves out what follows the schema")

    def _checked_start(self, end: int) -> int:
        """Return where the first message behind the schema starts, having checked that none is left out."""
        places = sorted(self.dictionaries + self.batches)
        starts = [*(place.offset for place in places), end]
        for place, following in zip(places, starts[1:], strict=True):
            if min(place.offset - _START, place.head_bytes - 8, place.body_bytes) < 0:
                raise Malformed("a message would lie before the start of the file")
            if not 0 <= following - place.end <= _MAX_GAP_BYTES:
                raise Malformed("it names messages that overlap, or leaves some out")
        return starts[0]


def _schema_message(file: RangedFile, start: int, footer: bytes) -> bytes:
    """Return the schema of a footer in the form that a stream starts with."""
    image = FileImage(file.size)
    image.put(0, MAGIC)
    image.put(start, footer)
    try:
        schema = pa.ipc.open_file(image.reader()).schema
        return bytes(schema.serialize())
    # A name that is no UTF-8 is a ValueError; extension types run code of others on their metadata.
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise damaged(file.label, start, f"its schema cannot be read: {first_line(error)}") from error


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
        self._footer = footer
        self._found = found
        self._schema = schema
        self._limits = limits

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    def read(self, scan: Scan, *, part: int) -> BlockReader:
        decoding = decoding_of(self._file.label, part, self._found, self._schema, scan, self._limits)
        opening = Opening(self._footer.schema_message, self._file.label, self._limits)
        return _IpcFileReader(self._file, self._footer, opening, decoding)

    def close(self) -> None:
        self._file.close()


class _IpcFileReader(BlockReader):
    def __init__(self, file: RangedFile, footer: IpcFooter, opening: Opening, decoding: Decoding) -> None:
        self._file = file
        self._footer = footer
        self._opening = opening
        self._decoding = decoding
        self._next = 0
        self._has_dictionaries = not len(decoding.wanted)  # then none are needed
        # What a byte of the file turned out to weigh so far.
        self._ratio = 1.0

    @property
    def bytes_read(self) -> int:
        return self._file.bytes_read

    @property
    def bytes_total(self) -> int:
        return self._file.size

    @property
    def retries(self) -> int:
        return self._file.retries

    def next_bytes(self) -> int:
        self._read_dictionaries()
        places = self._next_places()
        return int((self._opening.nbytes + _span(places)) * self._ratio) if places else 0

    def next_block(self) -> IpcBlock | None:
        self._read_dictionaries()
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

    def _next_places(self) -> tuple[Place, ...]:
        """Return record batches that lie one behind another, up to the size of a block; at least one."""
        batches = self._footer.batches
        end = self._next
        while end < len(batches) and (
            end == self._next
            or (
                0 <= batches[end].offset - batches[end - 1].end <= _MAX_GAP_BYTES
                and batches[end].end - batches[self._next].offset <= self._decoding.limits.block_bytes
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

        def put(offset: int, piece: bytes) -> None:
            start = offset - place.body
            view[start : start + len(piece)] = piece

        self._file.read_ranges([(place.body + first, end - first) for first, end in spans], put)
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
