"""Arrow IPC: which of its two formats a file has, and its schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from streamframe.errors import DecodeError, StreamError
from streamframe.formats.base import FileFormat, OpenFile
from streamframe.formats.columns import require_columns, require_unique
from streamframe.formats.ipc.file import OpenIpcFile
from streamframe.formats.ipc.footer import TAIL_BYTES, IpcFooter
from streamframe.formats.ipc.messages import Messages, damaged
from streamframe.formats.ipc.metadata import END_OF_STREAM, MAGIC, SCHEMA
from streamframe.formats.ipc.stream import OpenIpcStream
from streamframe.formats.limits import MAX_BATCH_BYTES, Limits
from streamframe.formats.wording import first_line
from streamframe.io.location import Location
from streamframe.io.stream import ByteStream
from streamframe.schema import without_views

_FEATHER_1 = b"FEA1"


@dataclass(frozen=True)
class IpcFormat(FileFormat):
    """Arrow IPC, as a file with a footer or as a stream: the first bytes tell."""

    name: ClassVar[str] = "ipc"
    suffixes: ClassVar[tuple[str, ...]] = (".arrow", ".arrows", ".feather", ".ipc")

    max_batch_bytes: int = MAX_BATCH_BYTES

    def open(
        self, location: Location, *, expected: pa.Schema | None, block_bytes: int, like: OpenFile | None = None
    ) -> OpenFile:
        limits = Limits(block_bytes, self.max_batch_bytes)
        if isinstance(like, OpenIpcFile) and location.identity_is_cheap and location.compression is None:
            opened = _opened_like(like, location, expected, limits)
            if opened is not None:
                return opened
        stream = location.open_stream()
        try:
            start = stream.read_up_to(len(MAGIC))
            stream.unread(start)
            if start != MAGIC:
                return _open_stream(stream, start, expected, limits)
            if location.compression is not None:
                raise DecodeError(
                    f"{location.label} is an Arrow IPC file in {location.compression}: its end, which has to be "
                    "read first, cannot be reached",
                    source=location.label,
                    hint="decompress it first; the stream format (.arrows) can be read while it is decompressed.",
                )
        except BaseException:
            stream.close()
            raise
        stream.close()
        file = location.open_ranged()
        try:
            footer = IpcFooter(file)
            return OpenIpcFile(file, footer, *_schemas(footer.schema_message, file.label, expected), limits)
        except BaseException:
            file.close()
            raise


def _open_stream(stream: ByteStream, start: bytes, expected: pa.Schema | None, limits: Limits) -> OpenFile:
    label = stream.label
    if start.startswith(_FEATHER_1):
        raise DecodeError(
            f"{label} is a Feather file of version 1, which is older than Arrow IPC",
            source=label,
            hint="read it with pyarrow.feather.read_table and pass that to from_arrow.",
        )
    messages = Messages(stream)
    try:
        opening = messages.next()
    except DecodeError as error:
        raise _not_ipc(label, start) from error
    if opening is None or opening.header.kind != SCHEMA or opening.header.body_bytes:
        raise _not_ipc(label, start)
    found, schema = _schemas(opening.head, label, expected)
    return OpenIpcStream(messages, opening, found, schema, limits)


def _opened_like(
    like: OpenIpcFile, location: Location, expected: pa.Schema | None, limits: Limits
) -> OpenIpcFile | None:
    """Open a file that is likely to be like another; None if it has no footer."""
    file = location.open_ranged()
    try:
        if file.size <= TAIL_BYTES:
            file.keep(file.read_range(0, file.size))
        if file.size < len(MAGIC) or file.read_range(0, len(MAGIC)) != MAGIC:
            file.close()
            return None
        footer = IpcFooter(file, like.footer)
        if footer.schema_message is like.footer.schema_message and like.schema is expected:
            opened = OpenIpcFile(file, footer, like.found, like.schema, limits)
            opened.wanted = like.wanted
            return opened
        return OpenIpcFile(file, footer, *_schemas(footer.schema_message, file.label, expected), limits)
    except BaseException:
        file.close()
        raise


def _schemas(opening: bytes, label: str, expected: pa.Schema | None) -> tuple[pa.Schema, pa.Schema]:
    """Return the schema of the file, and that of the rows that come out."""
    try:
        found = pa.ipc.open_stream(pa.py_buffer(opening + END_OF_STREAM)).schema
        # pandas notes here which columns are an index; fields keep theirs, which tell extension types.
        found = found.remove_metadata()
        require_unique(found, label)
    except StreamError:
        raise
    # A name that is no UTF-8 is a ValueError; extension types run code of others on their metadata.
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise damaged(label, 0, f"its schema cannot be read: {first_line(error)}") from error
    plain = without_views(found)
    if expected is not None:
        require_columns(plain, expected, label)
    return found, plain if expected is None else expected


def _not_ipc(label: str, start: bytes) -> DecodeError:
    return DecodeError(
        f"{label} is not Arrow IPC: it starts with {start!r}",
        source=label,
        byte_offset=0,
        hint="check the path and the suffix.",
    )
