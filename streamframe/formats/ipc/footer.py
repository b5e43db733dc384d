"""The footer of the file format: where every message lies.

Rule: it has to account for every byte of the file: one that forgets a batch, or names one twice, would lose or
repeat rows.
"""

from __future__ import annotations

import sys

import pyarrow as pa

from streamframe.errors import DecodeError, TruncatedError
from streamframe.formats.image import FileImage
from streamframe.formats.ipc.messages import damaged
from streamframe.formats.ipc.metadata import CONTINUATION, MAGIC, Footer, Malformed, prefix_of
from streamframe.formats.wording import first_line
from streamframe.io.ranged import RangedFile

TAIL_BYTES = 64 << 10
# The magic and its padding, in front of the schema.
_START = 8
# Padding to 64 bytes and the end-of-stream marker may lie between messages; no record batch is as short.
MAX_GAP_BYTES = 72


class IpcFooter:
    """Where everything lies in a file, and the message with its schema: that of `like`, if its footer has the same.

    Raises
    ------
    TruncatedError
        If the end of the file is missing.
    DecodeError
        If the footer or the schema is damaged.
    """

    schema_message: bytes

    def __init__(self, file: RangedFile, like: IpcFooter | None = None) -> None:
        size = file.size
        tail_start = max(0, size - TAIL_BYTES)
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
            self.dictionaries, self.batches, byte_order, self._rest = Footer.of(data)
            schema_end = self._checked_start(start)
        except Malformed as error:
            raise damaged(file.label, size - 10, f"the footer cannot be: {error}") from error
        if byte_order != sys.byteorder:
            raise DecodeError(
                f"{file.label} has its numbers in {byte_order}-endian order, and this machine has not",
                source=file.label,
                hint="write it again as a stream (.arrows), whose numbers Arrow turns, or on a machine like this one.",
            )
        if like is not None and like._rest == self._rest:
            self.schema_message = like.schema_message
        else:
            self.schema_message = _schema_message(file, start, data + tail[-10:])
        # What lies before the first batch is the schema once more. polars writes it without a prefix.
        prefix = file.read_range(_START, min(_START, schema_end - _START))
        try:
            schema_bytes = sum(prefix_of(prefix)) if prefix[:4] == CONTINUATION else footer_bytes
        except Malformed as error:
            raise damaged(file.label, _START, str(error)) from error
        if schema_end - _START > schema_bytes + MAX_GAP_BYTES:
            raise damaged(file.label, _START, "the footer leaves out what follows the schema")

    def _checked_start(self, end: int) -> int:
        """Return where the first message behind the schema starts, having checked that none is left out."""
        places = sorted(self.dictionaries + self.batches)
        starts = [*(place.offset for place in places), end]
        for place, following in zip(places, starts[1:], strict=True):
            if min(place.offset - _START, place.head_bytes - 8, place.body_bytes) < 0:
                raise Malformed("a message would lie before the start of the file")
            if not 0 <= following - place.end <= MAX_GAP_BYTES:
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
