"""Which bytes of a Parquet file are needed: its footer, and the chunks of some columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from streamframe.errors import DecodeError
from streamframe.formats.image import FileImage, coalesced
from streamframe.io.ranged import RangedFile

_TAIL_BYTES = 64 << 10
_MAGIC = b"PAR1"


def image_of(file: RangedFile, chunks: Iterable[Any]) -> FileImage:
    """Fetch the bytes of these column chunks."""
    image = FileImage(file.size)
    file.read_ranges([(start, end - start) for start, end in coalesced(map(_span, chunks))], image.put)
    return image


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
