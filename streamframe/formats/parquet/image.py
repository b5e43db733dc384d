"""A remote file in memory, holding only the bytes that are needed, at their true offsets.

Why: Arrow wants a file. A Python file object beneath it would be called from Arrow's threads and
wait for the network there, deaf to Ctrl-C. An anonymous memory map as long as the file costs only
the pages that are written, and Arrow reads it without a copy and without calling back.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Iterable
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from streamframe.errors import DecodeError
from streamframe.io.ranged import RangedFile

# One request for two chunks that lie this near is cheaper than two requests.
_GAP_BYTES = 64 << 10
_TAIL_BYTES = 64 << 10
_MAGIC = b"PAR1"
# Pages are not reserved ahead, so that a file larger than memory can have an image.
_NORESERVE = 0x4000 if sys.platform == "linux" else 0


class FileImage:
    """Some ranges of a file, at their offsets."""

    def __init__(self, size: int) -> None:
        if hasattr(mmap, "MAP_PRIVATE"):
            self._map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE)
        else:
            self._map = mmap.mmap(-1, size)

    @classmethod
    def of_chunks(cls, file: RangedFile, chunks: Iterable[Any]) -> Self:
        """Fetch the bytes of these column chunks."""
        image = cls(file.size)
        file.read_ranges([(start, end - start) for start, end in coalesced(map(_span, chunks))], image.put)
        return image

    def put(self, offset: int, data: bytes) -> None:
        """Write bytes at their offset."""
        self._map[offset : offset + len(data)] = data

    def reader(self) -> pa.BufferReader:
        """Return the image as a file that Arrow reads without calling Python."""
        return pa.BufferReader(pa.py_buffer(self._map))


def footer_of(file: RangedFile) -> pq.FileMetaData:
    """Read and parse the footer of a Parquet file.

    Raises
    ------
    DecodeError
        If this is not a Parquet file, or its end is missing.
    """
    size = file.size
    if size < 12:
        raise _not_parquet(file, f"it has {size} bytes")
    tail_start = max(0, size - _TAIL_BYTES)
    tail = file.read_range(tail_start, size - tail_start)
    if tail[-4:] != _MAGIC:
        head = file.read_range(0, 4)
        if head == _MAGIC:
            raise _not_parquet(file, "its end is missing: it was cut short, or is still being written")
        raise _not_parquet(file, f"it starts with {head!r}")
    footer_bytes = int.from_bytes(tail[-8:-4], "little") + 8
    if footer_bytes > size:
        raise _not_parquet(file, "its footer is damaged")
    if footer_bytes > len(tail):
        tail_start = size - footer_bytes
        tail = file.read_range(tail_start, footer_bytes)
    image = FileImage(size)
    image.put(0, _MAGIC)
    image.put(tail_start, tail)
    try:
        return pq.read_metadata(image.reader())
    except (pa.ArrowException, OSError) as error:
        raise _not_parquet(file, "its footer is damaged") from error


def coalesced(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans that touch or nearly do."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] <= _GAP_BYTES:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _span(chunk: Any) -> tuple[int, int]:
    starts = [chunk.data_page_offset]
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        starts.append(chunk.dictionary_page_offset)
    start = min(starts)
    return start, start + chunk.total_compressed_size


def _not_parquet(file: RangedFile, why: str) -> DecodeError:
    return DecodeError(
        f"{file.label} is not a complete Parquet file: {why}",
        source=file.label,
        byte_offset=file.size,
        hint="check the path and the suffix; download or write the file again if it was cut short.",
    )
