"""Read the stream format: message by message, in order, from any bytes.

Rules: several small record batches make one block, unless the source makes us wait. A dictionary
ends a block, since it holds for the batches behind it only.
"""

from __future__ import annotations

import time
from itertools import pairwise

import pyarrow as pa

from streamframe.errors import StreamError
from streamframe.formats.base import OpenFile
from streamframe.formats.ipc.block import Decoding, IpcBlock, Opening
from streamframe.formats.ipc.layout import Buffers
from streamframe.formats.ipc.messages import Message, Messages, damaged
from streamframe.formats.ipc.metadata import DICTIONARY, RECORDS
from streamframe.formats.ipc.spilling import spilled
from streamframe.formats.limits import Limits
from streamframe.plan.node import Scan
from streamframe.plan.source import Block, BlockReader

# How long a block may take to fill up, before it is handed over with the batches there are.
_PATIENCE_S = 0.2
_BYTES_PER_WANTED_ROW = 1024


class OpenIpcStream(OpenFile):
    """A stream whose schema was read."""

    def __init__(
        self, messages: Messages, opening: Message, found: pa.Schema, schema: pa.Schema, limits: Limits
    ) -> None:
        self._messages = messages
        self._opening = opening
        self._found = found
        self._schema = schema
        self._limits = limits
        self._handed_over = False

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    def read(self, scan: Scan, *, part: int) -> BlockReader:
        self._handed_over = True
        label = self._messages.stream.label
        decoding = decoding_of(label, part, self._found, self._schema, scan, self._limits)
        return _IpcStreamReader(self._messages, Opening(self._opening.head, label, self._limits), decoding)

    def close(self) -> None:
        if not self._handed_over:
            self._handed_over = True
            # What can be read only once must not lose what was looked at.
            self._messages.stream.unread(self._opening.head)
            self._messages.stream.close()


class _IpcStreamReader(BlockReader):
    def __init__(self, messages: Messages, opening: Opening, decoding: Decoding) -> None:
        self._messages = messages
        self._opening = opening
        self._decoding = decoding
        self._pending: Message | None = None
        self._ended = False
        self._failure: StreamError | None = None
        # What decompression made of a byte so far.
        self._ratio = 1.0

    @property
    def bytes_read(self) -> int:
        return self._messages.stream.bytes_read

    @property
    def bytes_total(self) -> int | None:
        return self._messages.stream.size

    @property
    def file_bytes(self) -> int | None:
        return self._messages.stream.size

    @property
    def retries(self) -> int:
        return self._messages.stream.retries

    def next_bytes(self) -> int:
        message = self._next_batch()
        if message is None:
            return 0
        if self._large_columns(message) is not None:
            return self._decoding.limits.whole_bytes
        return int((self._opening.nbytes + self._capacity(message)) * self._ratio)

    def next_block(self) -> Block | None:
        message = self._next_batch()
        if message is None:
            return None
        columns = self._large_columns(message)
        if columns is not None:
            self._pending = None
            body = self._messages.body(message)
            large = spilled(self._opening, self._decoding, message, columns, body.read_spans)
            body.finish()
            return large
        began = time.monotonic()
        capacity = room = self._capacity(message)
        block = IpcBlock(self._opening, self._decoding, message.byte_offset, capacity)
        self._take(block, message)
        while (room := room - message.nbytes) > 0 and time.monotonic() - began < _PATIENCE_S:
            following = self._peek()
            if following is None or following.header.kind != RECORDS or following.nbytes > room:
                break
            message = following
            self._take(block, message)
        self._ratio = max(1.0, block.nbytes / (self._opening.nbytes + capacity))
        return block

    def close(self) -> None:
        self._messages.stream.close()

    def _capacity(self, message: Message) -> int:
        return max(message.nbytes, self._decoding.limits.piece_bytes)

    def _large_columns(self, message: Message) -> dict[str, Buffers] | None:
        columns = self._decoding.large_columns(message)
        if columns is None:
            return None
        spans = sorted(columns[name] for name in self._decoding.wanted.names if columns[name])
        # What is mixed up would have to be read back and forth.
        in_order = all(max(before)[0] < min(behind)[0] for before, behind in pairwise(spans))
        return columns if in_order else None

    def _take(self, block: IpcBlock, message: Message) -> None:
        self._pending = None
        spans, view = block.add(message)
        body = self._messages.body(message)
        body.read_spans(spans, view)
        body.finish()
        block.weigh(message, view)

    def _next_batch(self) -> Message | None:
        """Return the next record batch, taking in the dictionaries before it."""
        if self._failure is not None:
            raise self._failure
        while (message := self._pending or self._read_on()) is not None:
            if message.header.kind == RECORDS:
                return message
            self._pending = None
            if message.header.kind != DICTIONARY:
                raise damaged(self._messages.stream.label, message.byte_offset, "it is neither rows nor a dictionary")
            self._opening.add(message, self._messages.read_body(message))
        return None

    def _read_on(self) -> Message | None:
        if not self._ended:
            self._pending = self._messages.next()
            self._ended = self._pending is None
        return self._pending

    def _peek(self) -> Message | None:
        """Return the next message; what is wrong with it is told when it is its turn."""
        try:
            return self._read_on()
        except StreamError as error:
            self._failure = error
            return None


def decoding_of(label: str, part: int, found: pa.Schema, schema: pa.Schema, scan: Scan, limits: Limits) -> Decoding:
    """Return what a scan wants of a file whose columns are `found`, and which are `schema` to the user."""
    names = schema.names if scan.columns is None else scan.columns
    if scan.limit is not None:
        # What lies behind the wanted rows would be read in vain.
        limits = limits._replace(first_bytes=max(1, scan.limit * _BYTES_PER_WANTED_ROW))
    wanted, rows = (pa.schema([each.field(name) for name in names]) for each in (found, schema))
    return Decoding(label, part, found, wanted, rows, limits)
