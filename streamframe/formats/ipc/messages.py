"""The messages of an IPC stream, one after another, and proof that its end is the end.

Rule: a stream ends with its end-of-stream marker and with nothing behind it. The specification also
lets a writer just stop, but then a stream that was cut between two messages looks complete; so
whoever stops without the marker is told to be cut: never fewer rows in silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from streamframe.errors import DecodeError, TruncatedError
from streamframe.formats.ipc.metadata import Header, Malformed, prefix_of
from streamframe.io.stream import ByteStream

_SCRATCH_BYTES = 1 << 20


class Message(NamedTuple):
    """A message whose body has not been read."""

    head: bytes  # prefix and metadata, as they came
    header: Header
    byte_offset: int

    @property
    def nbytes(self) -> int:
        """The bytes of head and body."""
        return len(self.head) + self.header.body_bytes


class Messages:
    """Takes messages from a stream, which it owns; their bodies have to be read, or passed over, in turn."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream

    def next(self) -> Message | None:
        """Return the next message; None at the proven end.

        Raises
        ------
        TruncatedError
            If the stream ends without its marker, or inside a message.
        DecodeError
            If what comes is no message, or something comes behind the end.
        """
        offset = self.stream.offset
        prefix = self.stream.read_up_to(8)
        if not prefix:
            raise self._cut(
                "has no end-of-stream marker behind its last message, so rows may be missing" if offset else "is empty"
            )
        # Only the end marker of old streams is shorter than a prefix and the start of what it announces.
        if len(prefix) < 8 and prefix != bytes(4):
            raise self._cut("ends inside a message")
        try:
            prefix_bytes, metadata_bytes = prefix_of(prefix)
            self.stream.unread(prefix[prefix_bytes:])
            if not metadata_bytes:
                self._prove_end()
                return None
            metadata = self._exactly(metadata_bytes)
            return Message(prefix[:prefix_bytes] + metadata, Header.of(metadata), offset)
        except Malformed as error:
            raise damaged(self.stream.label, offset, str(error)) from error

    def read_body(self, message: Message) -> bytes:
        """Return the whole body."""
        return self._exactly(message.header.body_bytes)

    def body(self, message: Message) -> Body:
        """Return the body, to be read in part."""
        return Body(self, message.header.body_bytes)

    def _prove_end(self) -> None:
        offset = self.stream.offset
        if more := self.stream.read_up_to(1):
            self.stream.unread(more)
            raise DecodeError(
                f"{self.stream.label} goes on behind its end-of-stream marker",
                source=self.stream.label,
                byte_offset=offset,
                hint="two streams in one file? Write each to a file of its own, and read the list of them.",
            )

    def _exactly(self, nbytes: int) -> bytes:
        # Piece by piece: a length that lies must not reserve what never comes.
        pieces = []
        while nbytes:
            piece = self.stream.read_up_to(min(nbytes, _SCRATCH_BYTES))
            if not piece:
                raise self._cut("ends inside a message")
            pieces.append(piece)
            nbytes -= len(piece)
        return b"".join(pieces)

    def fill(self, target: memoryview) -> None:
        """Read the next bytes into `target`."""
        filled = 0
        while filled < len(target):
            count = self.stream.read_into(target[filled:])
            if not count:
                raise self._cut("ends inside a message")
            filled += count

    def skip(self, nbytes: int) -> None:
        """Pass over so many bytes."""
        scratch = memoryview(bytearray(min(nbytes, _SCRATCH_BYTES)))
        while nbytes > 0:
            self.fill(scratch[:nbytes])
            nbytes -= min(nbytes, len(scratch))

    def _cut(self, how: str) -> TruncatedError:
        return TruncatedError(
            f"{self.stream.label} {how}",
            source=self.stream.label,
            byte_offset=self.stream.offset,
            hint="write or download it again. Where the writer is known to leave the marker out, "
            "from_batches(pyarrow.ipc.open_stream(...)) takes what there is.",
        )


class Body:
    """The body of a message, whose bytes come in order."""

    def __init__(self, messages: Messages, nbytes: int) -> None:
        self._messages = messages
        self._nbytes = nbytes
        self._at = 0

    def read_spans(self, spans: Iterable[tuple[int, int]], view: memoryview) -> None:
        """Read these spans, which lie behind those that were read, into their places in `view`."""
        for start, end in spans:
            self._messages.skip(start - self._at)
            self._messages.fill(view[start:end])
            self._at = end

    def finish(self) -> None:
        """Pass over the rest."""
        self._messages.skip(self._nbytes - self._at)


def damaged(label: str, byte_offset: int, why: str) -> DecodeError:
    """Return the error for a message that no writer has written."""
    return DecodeError(
        f"a message of {label} is damaged: {why}",
        source=label,
        byte_offset=byte_offset,
        hint="write or download the file again.",
    )
