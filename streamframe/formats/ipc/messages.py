"""Cut an Arrow IPC stream into its messages.

The framing (https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format):
0xFFFFFFFF, the metadata's length (int32), the metadata (a flatbuffer that knows the body's length),
the body. A length of 0 ends the stream. Before Arrow 0.15 the first four bytes were missing.
A file is a stream between the magic bytes ``ARROW1`` and a footer, so it can be read as one too.

Rules: lengths are not believed: nothing is allocated that has not arrived. An end that does not come
with the marker is a `TruncatedError`, since a stream that is cut between two messages looks whole.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass

import pyarrow as pa

from streamframe.errors import BudgetError, DecodeError, StreamError, TruncatedError
from streamframe.formats.ipc.flatbuffer import kind_and_body_bytes
from streamframe.io.stream import ByteStream

SCHEMA, DICTIONARY, RECORDS = 1, 2, 3

_FILE_MAGIC = b"ARROW1"
_CONTINUATION = b"\xff\xff\xff\xff"
_MAX_MESSAGE_BYTES = 16 << 30
_MAX_METADATA_BYTES = 256 << 20
# Without the four bytes that start a message today, any text may look like a length.
_MAX_OLD_METADATA_BYTES = 16 << 20
# A body that is announced longer than this is not given its memory before it arrives.
_TRUSTED_BYTES = 64 << 20
# Behind the last message of a file: its schema once more, and where its batches are.
_MAX_FOOTER_BYTES = 256 << 20
_PADDING = 8


@dataclass(frozen=True)
class Head:
    """A message whose metadata has been read, and whose body has not.

    Attributes
    ----------
    kind : int
        SCHEMA, DICTIONARY or RECORDS.
    prefix : bytes
        All that stands before the body.
    body_bytes : int
        How long the body says it is.
    offset : int
        Where the message starts in the (decompressed) source.
    """

    kind: int
    prefix: bytes
    body_bytes: int
    offset: int

    @property
    def nbytes(self) -> int:
        return len(self.prefix) + self.body_bytes


def checked(schema: pa.Schema) -> pa.Schema:
    """Return a schema whose names, also those within types, are text; else raise `UnicodeDecodeError`."""
    left = list(schema)
    while left:
        field = left.pop()
        field.name  # noqa: B018 - decodes it
        if pa.types.is_nested(field.type):
            left += [field.type.field(index) for index in range(field.type.num_fields)]
    return schema


class Messages(ABC):
    """The messages of a file or stream, one after another."""

    label: str

    @property
    @abstractmethod
    def bytes_read(self) -> int:
        """Bytes taken so far."""

    @property
    @abstractmethod
    def bytes_total(self) -> int | None:
        """Bytes there are."""

    @property
    @abstractmethod
    def retries(self) -> int:
        """How often a connection was made again."""

    @abstractmethod
    def next_head(self) -> Head | None:
        """Go to the next message; None at the verified end."""

    @abstractmethod
    def read_body(self, head: Head) -> pa.Buffer:
        """Return the whole message whose head was found last."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything, from any thread."""


class StreamMessages(Messages):
    """The messages of a stream, or of a file that is read like one.

    Attributes
    ----------
    in_file : bool
        The stream stands in a file; what may be read in ranges is better read by its footer.
    """

    def __init__(self, stream: ByteStream) -> None:
        self.label = stream.label
        self.stream = stream
        magic = stream.read_up_to(_PADDING)
        self.in_file = magic.startswith(_FILE_MAGIC)
        if magic[:4] == b"FEA1":
            raise DecodeError(
                f"{stream.label} is of the first version of Feather",
                source=stream.label,
                byte_offset=0,
                hint="write it again with pyarrow.feather.write_feather(…, version=2).",
            )
        if not self.in_file:
            stream.unread(magic)

    @property
    def bytes_read(self) -> int:
        return self.stream.bytes_read

    @property
    def bytes_total(self) -> int | None:
        return self.stream.size

    @property
    def retries(self) -> int:
        return self.stream.retries

    def close(self) -> None:
        self.stream.close()

    def next_head(self) -> Head | None:
        stream, offset = self.stream, self.stream.offset
        start = stream.read_up_to(4)
        if start == _CONTINUATION:
            start += stream.read_up_to(4)
        if len(start) not in (4, 8):
            raise self._cut(offset)
        if len(start) == 4 and self.in_file and start != bytes(4):
            # Some writers leave the end marker out of a file, where the footer says the same.
            stream.unread(start)
            self._check_footer()
            return None
        (length,) = struct.unpack("<i", start[-4:])
        if length == 0:
            self._check_footer() if self.in_file else self._check_nothing_behind()
            return None
        if not 0 < length <= (_MAX_METADATA_BYTES if len(start) == 8 else _MAX_OLD_METADATA_BYTES):
            raise self._no_arrow(offset, f"a message announces {length:,} bytes of metadata")
        metadata = stream.read_up_to(length)
        if len(metadata) < length:
            raise self._cut(offset)
        try:
            kind, body_bytes = kind_and_body_bytes(metadata)
        except (struct.error, IndexError) as error:
            raise self._no_arrow(offset, "the metadata of a message is damaged") from error
        if kind not in (SCHEMA, DICTIONARY, RECORDS) or body_bytes < 0:
            raise self._no_arrow(offset, f"a message is of kind {kind}")
        return Head(kind, start + metadata, body_bytes, offset)

    def read_body(self, head: Head) -> pa.Buffer:
        if head.body_bytes > _MAX_MESSAGE_BYTES:
            raise BudgetError(
                f"a message of {head.body_bytes:,} bytes is larger than the limit of {_MAX_MESSAGE_BYTES:,}",
                source=self.stream.label,
                byte_offset=head.offset,
                hint="write it again in smaller batches.",
            )
        size = self.stream.size
        trusted = size is not None and self.stream.bytes_read == self.stream.offset
        if trusted and size is not None and self.stream.offset + head.body_bytes > size:
            raise self._cut(head.offset)
        room = head.nbytes if trusted else min(head.nbytes, len(head.prefix) + _TRUSTED_BYTES)
        buffer = pa.allocate_buffer(room, resizable=True)
        filled = len(head.prefix)
        memoryview(buffer).cast("B")[:filled] = head.prefix
        while True:
            with memoryview(buffer).cast("B") as target:
                while filled < len(target) and (count := self.stream.read_into(target[filled:])):
                    filled += count
                if filled < len(target):
                    raise self._cut(head.offset)
            if filled == head.nbytes:
                return buffer
            buffer.resize(min(head.nbytes, 2 * filled))

    def _check_footer(self) -> None:
        """Read what is behind the last message of a file: it ends in the footer's length and the magic."""
        stream, offset = self.stream, self.stream.offset
        rest = stream.read_up_to(_MAX_FOOTER_BYTES)
        if len(rest) < 10 or rest[-6:] != _FILE_MAGIC:
            raise self._cut(offset)
        (length,) = struct.unpack("<i", rest[-10:-6])
        if not 0 < length <= len(rest) - 10:
            raise self._no_arrow(offset, "its footer is damaged")

    def _check_nothing_behind(self) -> None:
        offset = self.stream.offset
        if self.stream.read_up_to(1):
            raise DecodeError(
                f"{self.stream.label} goes on behind the end of its Arrow stream",
                source=self.stream.label,
                byte_offset=offset,
                hint="were several streams put one behind another? Read them apart.",
            )

    def _cut(self, offset: int) -> StreamError:
        stream = self.stream
        return TruncatedError(
            f"{stream.label} ends too early: its Arrow data stops at byte offset {stream.offset:,}, "
            f"in a message that starts at {offset:,}, without the mark of the end",
            source=stream.label,
            byte_offset=stream.offset,
            hint="get the file again, or close its writer: what is there may not be all of it.",
        )

    def _no_arrow(self, offset: int, why: str) -> DecodeError:
        what = "is not Arrow IPC" if not offset or (self.in_file and offset <= _PADDING) else "is damaged"
        return DecodeError(
            f"{self.stream.label} {what}: {why}",
            source=self.stream.label,
            byte_offset=offset,
            hint="check the path and the suffix; Parquet is read by read_parquet.",
        )
