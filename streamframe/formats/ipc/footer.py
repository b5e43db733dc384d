"""The messages of an Arrow file, found by its footer.

Rule: the footer is the truth about a file; some writers (polars) leave the start of one unreadable as
a stream. Each message is one range, so all come from one version, also over HTTP.
"""

from __future__ import annotations

import struct
from collections import deque

import pyarrow as pa

from streamframe.errors import DecodeError, TruncatedError
from streamframe.formats.image import FileImage
from streamframe.formats.ipc.flatbuffer import blocks_of_footer
from streamframe.formats.ipc.messages import DICTIONARY, RECORDS, Head, Messages, checked
from streamframe.io.ranged import RangedFile

_MAGIC = b"ARROW1"
_TAIL_BYTES = 64 << 10


class FileMessages(Messages):
    """The dictionaries of a file, then its record batches.

    Attributes
    ----------
    schema : pyarrow.Schema
        As the footer has it.
    """

    def __init__(self, file: RangedFile) -> None:
        self.label = file.label
        self._file = file
        footer_start, footer = self._footer()
        try:
            dictionaries, batches = blocks_of_footer(footer)
        except (struct.error, IndexError) as error:
            raise self._damaged("its footer cannot be read") from error
        if any(offset < len(_MAGIC) or offset + nbytes > footer_start for offset, nbytes in dictionaries + batches):
            raise self._damaged("its footer names messages that lie outside of it")
        self._left = deque(Head(DICTIONARY, b"", nbytes, offset) for offset, nbytes in dictionaries)
        self._left += (Head(RECORDS, b"", nbytes, offset) for offset, nbytes in batches)
        image = FileImage(file.size)
        image.put(0, _MAGIC)
        image.put(footer_start, footer + self._end(len(footer)))
        try:
            self.schema = checked(pa.ipc.open_file(image.reader()).schema)
        except (pa.ArrowException, ValueError, OSError) as error:
            raise self._damaged("the schema in its footer cannot be read") from error

    @property
    def bytes_read(self) -> int:
        return self._file.bytes_read

    @property
    def bytes_total(self) -> int | None:
        return self._file.size

    @property
    def retries(self) -> int:
        return self._file.retries

    def next_head(self) -> Head | None:
        return self._left.popleft() if self._left else None

    def read_body(self, head: Head) -> pa.Buffer:
        buffer = pa.allocate_buffer(head.body_bytes)
        with memoryview(buffer).cast("B") as target:

            def put(offset: int, piece: bytes) -> None:
                start = offset - head.offset
                target[start : start + len(piece)] = piece

            self._file.read_ranges([(head.offset, head.body_bytes)], put)
        return buffer

    def close(self) -> None:
        self._file.close()

    def _footer(self) -> tuple[int, bytes]:
        """Return where the footer starts, and the footer."""
        size = self._file.size
        tail_start = max(0, size - _TAIL_BYTES)
        tail = self._file.read_range(tail_start, size - tail_start)
        if size < 2 * len(_MAGIC) + 4 or tail[-6:] != _MAGIC:
            raise TruncatedError(
                f"{self.label} ends too early: an Arrow file ends in its footer, and this one does not",
                source=self.label,
                byte_offset=size,
                hint="get the file again, or close its writer: what is there may not be all of it.",
            )
        (length,) = struct.unpack("<i", tail[-10:-6])
        start = size - 10 - length
        if length <= 0 or start < len(_MAGIC):
            raise self._damaged("its footer has no sensible length")
        return start, tail[start - tail_start : -10] if start >= tail_start else self._file.read_range(start, length)

    def _end(self, length: int) -> bytes:
        return struct.pack("<i", length) + _MAGIC

    def _damaged(self, why: str) -> DecodeError:
        return DecodeError(
            f"{self.label} is damaged: {why}",
            source=self.label,
            byte_offset=self._file.size,
            hint="write or download it again.",
        )
