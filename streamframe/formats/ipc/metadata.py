"""What Arrow IPC says about its bytes, before they are read: kinds, lengths and places.

Rule: every number may be a lie. What does not fit is `Malformed` here; Arrow parses and verifies
the same bytes again when it decodes them.
See https://arrow.apache.org/docs/format/Columnar.html, and Message.fbs, File.fbs beside it.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple, Self

MAGIC = b"ARROW1"
CONTINUATION = b"\xff\xff\xff\xff"
END_OF_STREAM = CONTINUATION + bytes(4)
# Ten thousand columns take about two megabytes.
MAX_METADATA_BYTES = 64 << 20
SCHEMA, DICTIONARY, RECORDS = 1, 2, 3


class Malformed(ValueError):  # noqa: N818 - becomes a DecodeError where the place is known
    """The metadata cannot be what a writer has written."""


class Records(NamedTuple):
    """What a message tells of the rows in its body."""

    rows: int
    # Offset in the body and length of every buffer.
    buffers: tuple[tuple[int, int], ...]
    compressed: bool
    # Of each column of views, in order, how many buffers it has beside the two that all have.
    view_buffers: tuple[int, ...] = ()

    @classmethod
    def of(cls, table: _Table | None, body_bytes: int) -> Self:
        """Read a RecordBatch table."""
        if table is None:
            raise Malformed("it tells nothing of its rows")
        rows = table.number(0, "<q")
        nodes = table.structs(1, "<qq")
        buffers = tuple(table.structs(2, "<qq"))
        if rows < 0 or (nodes and nodes[0][0] != rows):
            raise Malformed("its number of rows is not that of its first column")
        if any(offset < 0 or length < 0 or offset + length > body_bytes for offset, length in buffers):
            raise Malformed("a column lies outside of it")
        view_buffers = tuple(count for (count,) in table.structs(4, "<q"))
        return cls(rows, buffers, table.child(3) is not None, view_buffers)


class Header(NamedTuple):
    """The metadata of one message."""

    kind: int
    body_bytes: int
    records: Records | None = None
    dictionary_id: int = 0
    is_delta: bool = False

    @classmethod
    def of(cls, metadata: bytes) -> Self:
        """Read a Message table.

        Raises
        ------
        Malformed
            If it is none, or its numbers cannot be.
        """
        try:
            table = _Table.root(metadata)
            kind = table.number(1, "<B")
            body_bytes = table.number(3, "<q")
            header = table.child(2)
            if body_bytes < 0 or header is None:
                raise Malformed("it is no message")
            if kind == RECORDS:
                return cls(kind, body_bytes, Records.of(header, body_bytes))
            if kind == DICTIONARY:
                values = Records.of(header.child(1), body_bytes)
                return cls(kind, body_bytes, values, header.number(0, "<q"), bool(header.number(2, "<B")))
            return cls(kind, body_bytes)
        except struct.error as error:
            raise Malformed("its metadata is cut") from error


class Place(NamedTuple):
    """Where a message lies in a file."""

    offset: int
    head_bytes: int  # prefix and metadata
    body_bytes: int

    @property
    def body(self) -> int:
        """The offset of the body."""
        return self.offset + self.head_bytes

    @property
    def end(self) -> int:
        """The offset behind the body."""
        return self.body + self.body_bytes


class Footer(NamedTuple):
    """Where the messages of a file lie, in the order in which they are read."""

    dictionaries: tuple[Place, ...]
    batches: tuple[Place, ...]
    byte_order: str = "little"
    # All it says beside the places.
    rest: bytes = b""

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Read a Footer table; raises `Malformed`."""
        try:
            table = _Table.root(data)
            dictionaries, batches = (
                tuple(Place(*block) for block in table.structs(field, "<qi4xq")) for field in (2, 3)
            )
            rest = bytearray(data)
            for start, end in (table.span(field, "<qi4xq") for field in (2, 3)):
                rest[start:end] = bytes(end - start)
            schema = table.child(1)
            is_big = schema is not None and schema.number(0, "<h") == 1
        except struct.error as error:
            raise Malformed("it is cut") from error
        return cls(dictionaries, batches, "big" if is_big else "little", bytes(rest))


def prefix_of(data: bytes) -> tuple[int, int]:
    """Return how long the prefix of a message is, and how long its metadata; 0 ends a stream.

    Before Arrow 0.15 the prefix was the length alone.
    """
    has_mark = data[:4] == CONTINUATION
    length = int.from_bytes(data[4:8] if has_mark else data[:4], "little", signed=True)
    if not 0 <= length <= MAX_METADATA_BYTES:
        raise Malformed(f"its metadata would have {length:,} bytes")
    return (8 if has_mark else 4), length


class _Table:
    """A flatbuffer table: fields by their place in the schema, each of which may be left out."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at
        self._fields = at - self._read("<i", at)
        self._fields_bytes = self._read("<H", self._fields)

    @classmethod
    def root(cls, data: bytes) -> Self:
        return cls(data, struct.unpack_from("<I", data)[0])

    def number(self, field: int, kind: str) -> int:
        at = self._place(field)
        return self._read(kind, at) if at else 0

    def child(self, field: int) -> _Table | None:
        at = self._place(field)
        return _Table(self._data, at + self._read("<I", at)) if at else None

    def structs(self, field: int, kind: str) -> list[tuple[Any, ...]]:
        start, end = self.span(field, kind)
        return list(struct.iter_unpack(kind, self._data[start:end]))

    def span(self, field: int, kind: str) -> tuple[int, int]:
        """Return where the structs of a field lie."""
        at = self._place(field)
        if not at:
            return 0, 0
        start = at + self._read("<I", at)
        end = start + 4 + self._read("<I", start) * struct.calcsize(kind)
        if end > len(self._data):
            raise Malformed("its metadata is cut")
        return start + 4, end

    def _place(self, field: int) -> int:
        slot = 4 + 2 * field
        offset = self._read("<H", self._fields + slot) if slot < self._fields_bytes else 0
        return self._at + offset if offset else 0

    def _read(self, kind: str, at: int) -> int:
        if at < 0:  # which Python would count from the end
            raise Malformed("its metadata points before its start")
        return int(struct.unpack_from(kind, self._data, at)[0])
