"""Read Arrow IPC message by message, in order: files and streams alike.

Rules: the reader thread takes bytes only; a batch is made of them in the pool, without a copy where
all columns are wanted. Every batch is validated in full before anyone sees it: offsets that lie would
crash the process. Dictionaries are kept as the bytes they came in, and go with each batch.

All bytes of a batch are read, also of columns that are not wanted: where those lie only Arrow knows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import pyarrow as pa

from streamframe.batch import Mark, held_bytes
from streamframe.errors import DecodeError
from streamframe.formats.base import FileFormat, OpenFile
from streamframe.formats.columns import require_columns, require_unique
from streamframe.formats.ipc.flatbuffer import dictionary_id
from streamframe.formats.ipc.footer import FileMessages
from streamframe.formats.ipc.messages import DICTIONARY, RECORDS, SCHEMA, Head, Messages, StreamMessages, checked
from streamframe.io.location import Location
from streamframe.plan.node import Scan
from streamframe.plan.report import Completeness
from streamframe.plan.source import Block, BlockReader, Decoded

_END = b"\xff\xff\xff\xff\0\0\0\0"


@dataclass(frozen=True)
class IpcFormat(FileFormat):
    """Arrow IPC, the file format (Feather V2) and the stream format; told apart by their first bytes."""

    compression: str | None = "infer"
    name: ClassVar[str] = "ipc"

    def open(self, location: Location, *, expected: pa.Schema | None, block_bytes: int) -> OpenFile:
        owned: list[Any] = [location.open_stream(compression=self.compression)]
        try:
            stream = StreamMessages(owned[0])
            # What is compressed as a whole, or is a pipe, has no ranges, and is read like a stream.
            plain = self.compression is None or (self.compression == "infer" and location.compression is None)
            messages: Messages
            if stream.in_file and plain and location.replayable:
                owned.pop().close()
                owned.append(location.open_ranged())
                messages = FileMessages(owned[0])
                schema = messages.schema
            else:
                messages = stream
                schema = _first_schema(messages)
            require_unique(schema, location.label)
            if expected is not None:
                require_columns(schema, expected, location.label)
        except BaseException:
            for opened in owned:
                opened.close()
            raise
        return _OpenIpc(messages, schema)


def _first_schema(messages: Messages) -> pa.Schema:
    head = messages.next_head()
    if head is None or head.kind != SCHEMA:
        raise DecodeError(f"{messages.label} does not start with a schema", source=messages.label, byte_offset=0)
    with _translated(messages.label, head.offset):
        return checked(pa.ipc.read_schema(messages.read_body(head)))


class _OpenIpc(OpenFile):
    def __init__(self, messages: Messages, schema: pa.Schema) -> None:
        self._messages = messages
        self._schema = schema

    @property
    def schema(self) -> pa.Schema:
        # What pandas notes about an index that the stream does not have is none of our rows' business.
        return self._schema.remove_metadata()

    def read(self, scan: Scan, *, part: int) -> BlockReader:
        names = list(self._schema.names if scan.columns is None else scan.columns)
        return _IpcReader(self._messages, _Decoding(self._schema, names), part=part)

    def close(self) -> None:
        self._messages.close()


class _IpcReader(BlockReader):
    """Hands out one block for each record batch."""

    def __init__(self, messages: Messages, decoding: _Decoding, *, part: int) -> None:
        self._messages = messages
        self._decoding = decoding
        self._part = part
        self._dictionaries: dict[int, list[pa.Buffer]] = {}
        self._head: Head | None = None
        self._ended = False

    @property
    def bytes_read(self) -> int:
        return self._messages.bytes_read

    @property
    def bytes_total(self) -> int | None:
        return self._messages.bytes_total

    @property
    def retries(self) -> int:
        return self._messages.retries

    @property
    def completeness(self) -> Completeness:
        # The mark of the end is part of the data.
        return "verified"

    def next_bytes(self) -> int:
        self._find()
        return 2 * self._head.nbytes if self._head is not None else 0

    def next_block(self) -> Block | None:
        self._find()
        head, self._head = self._head, None
        if head is None:
            return None
        message = self._messages.read_body(head)
        dictionaries = tuple(piece for pieces in self._dictionaries.values() for piece in pieces)
        return _IpcBlock(head, message, dictionaries, self._decoding, self._part, self._messages.label)

    def close(self) -> None:
        self._messages.close()

    def _find(self) -> None:
        """Go to the next record batch; keep the dictionaries on the way."""
        while self._head is None and not self._ended:
            head = self._messages.next_head()
            if head is None:
                self._ended = True
            elif head.kind == RECORDS:
                self._head = head
            elif head.kind == DICTIONARY:
                message = self._messages.read_body(head)
                with _translated(self._messages.label, head.offset):
                    number, is_delta = dictionary_id(memoryview(message).cast("B"))
                before = self._dictionaries.pop(number, []) if not is_delta else self._dictionaries.get(number, [])
                self._dictionaries[number] = [*before, message] if is_delta else [message]
            else:
                raise DecodeError(
                    f"{self._messages.label} holds a second schema",
                    source=self._messages.label,
                    byte_offset=head.offset,
                    hint="were several streams put one behind another? Read them apart.",
                )


@dataclass(frozen=True)
class _Decoding:
    """How to make a batch of a message."""

    schema: pa.Schema
    names: list[str]
    result: pa.Schema = field(init=False)
    prefix: pa.Buffer = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prefix", self.schema.serialize())
        fields = [self.schema.field(name) for name in self.names]
        object.__setattr__(self, "result", pa.schema(fields))

    def batch(self, message: pa.Buffer, dictionaries: tuple[pa.Buffer, ...]) -> pa.RecordBatch:
        if dictionaries or len(self.names) < len(self.schema):
            data = self._by_stream(message, dictionaries)
        else:
            data = pa.ipc.read_record_batch(message, self.schema)
        if self.names:
            columns = [data.column(name) for name in self.names]
            data = pa.RecordBatch.from_arrays(columns, schema=self.result)
            data.validate(full=True)
            return data
        return data.select([])

    def _by_stream(self, message: pa.Buffer, dictionaries: tuple[pa.Buffer, ...]) -> pa.RecordBatch:
        # Only a stream reader takes dictionaries, and decompresses no more than what is wanted.
        wanted = sorted(self.schema.get_field_index(name) for name in self.names) or [0]
        options = pa.ipc.IpcReadOptions(included_fields=wanted, use_threads=False)
        joined = pa.py_buffer(b"".join([self.prefix, *dictionaries, message, _END]))
        with pa.ipc.open_stream(joined, options=options) as reader:
            return reader.read_next_batch()


class _IpcBlock(Block):
    """One record batch, as it came."""

    def __init__(
        self,
        head: Head,
        message: pa.Buffer,
        dictionaries: tuple[pa.Buffer, ...],
        decoding: _Decoding,
        part: int,
        label: str,
    ) -> None:
        self._offset = head.offset
        self._end = head.offset + head.nbytes
        self._message = message
        self._dictionaries = dictionaries
        self._decoding = decoding
        # What is not compressed is used where it lies.
        self.nbytes = head.nbytes + sum(piece.size for piece in dictionaries)
        self.part = part
        self.label = label

    def decode(self) -> Decoded:
        with _translated(self.label, self._offset):
            data = self._decoding.batch(self._message, self._dictionaries)
        self.nbytes = max(self.nbytes, held_bytes(data))
        return Decoded(data, data.num_rows)

    def mark(self, rows: int) -> Mark:
        return Mark(part=self.part, token=self._end, rows=rows)


class _translated:  # noqa: N801 - read as a word in a `with` line
    """Turn Arrow's exceptions into ours, naming file and offset."""

    def __init__(self, label: str, offset: int) -> None:
        self._label = label
        self._offset = offset

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        # A flatbuffer that lies makes struct and indexes fail too, and sizes too large for any memory.
        if isinstance(
            error, (pa.ArrowException, OSError, IndexError, KeyError, ValueError, OverflowError, MemoryError)
        ):
            raise DecodeError(
                f"a record batch cannot be decoded: {str(error).partition(chr(10))[0][:200] or type(error).__name__}",
                source=self._label,
                byte_offset=self._offset,
                hint="the file is damaged: write or download it again.",
            ) from error
