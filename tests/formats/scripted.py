"""Bytes that come exactly as a test says, piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from streamframe.batch import Marked
from streamframe.formats.base import FileFormat, OpenFile
from streamframe.formats.text_encoder import TextWriter
from streamframe.io.location import Location
from streamframe.io.ranged import RangedFile
from streamframe.io.stream import ByteStream
from streamframe.plan.node import Scan
from streamframe.plan.source import BlockReader


class ScriptedStream(ByteStream):
    """Returns the chunks one by one; one that can be called is called, for what it does."""

    def __init__(self, label: str, chunks: Iterable[object]) -> None:
        super().__init__(label)
        self._chunks: Iterator[object] = iter(chunks)
        self._rest = b""

    def _fill(self, target: memoryview) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            if callable(chunk):
                chunk()
            else:
                assert isinstance(chunk, bytes)
                self._rest = chunk
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _release(self) -> None:
        pass


@dataclass(frozen=True, repr=False)
class Scripted(Location):
    """A place that sends these chunks; remembers the streams it opened."""

    label: str = "scripted.csv"
    chunks: tuple[object, ...] = ()
    opened: list[ScriptedStream] = field(default_factory=list, compare=False)

    @property
    def name(self) -> str:
        return self.label

    def open_ranged(self) -> RangedFile:
        raise AssertionError("CSV is read in order")

    def _open_raw(self) -> ByteStream:
        stream = ScriptedStream(self.label, self.chunks)
        self.opened.append(stream)
        return stream


def scripted(data: bytes | str, *, every: int | None = None) -> Scripted:
    """Return a place that sends `data`, in chunks of `every` bytes."""
    data = data.encode() if isinstance(data, str) else data
    size = every or max(len(data), 1)
    return Scripted(chunks=tuple(data[at : at + size] for at in range(0, len(data), size)))


def scan_of(columns: tuple[str, ...] | None = None, limit: int | None = None) -> Scan:
    return Scan(source=None, columns=columns, limit=limit)  # type: ignore[arg-type] - a format never looks at it


def batches(reader: BlockReader) -> Iterator[Marked]:
    """Decode block after block, as an engine would with one thread."""
    rows = 0
    try:
        while (block := reader.next_block()) is not None:
            data, records, *_ = block.decode()
            rows += records
            yield Marked(data, block.mark(rows))
    finally:
        reader.close()


def open_file(
    file_format: FileFormat,
    source: Location | bytes | str,
    *,
    expected: pa.Schema | None = None,
    block_bytes: int = 1 << 20,
) -> OpenFile:
    location = source if isinstance(source, Location) else scripted(source)
    return file_format.open(location, expected=expected, block_bytes=block_bytes)


def varint(value: int) -> bytes:
    """Return a whole number in as few bytes as it takes, seven bits in each."""
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def text_of(writer: TextWriter, *batches: pa.RecordBatch) -> bytes:
    """Return what is written of batches, behind the head."""
    return b"".join(text for batch in batches for text in writer.pieces(batch, [batch.num_rows]))


def read_table(
    file_format: FileFormat,
    source: Location | bytes | str,
    *,
    columns: tuple[str, ...] | None = None,
    expected: pa.Schema | None = None,
    block_bytes: int = 1 << 20,
) -> pa.Table:
    """Read a whole file."""
    opened = open_file(file_format, source, expected=expected, block_bytes=block_bytes)
    schema = opened.schema
    if columns is not None:
        schema = pa.schema([found for found in schema if found.name in columns])
    return pa.Table.from_batches([batch.data for batch in batches(opened.read(scan_of(columns), part=0))], schema)
