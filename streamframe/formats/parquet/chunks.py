"""Which bytes of a Parquet file the chunks of some columns are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from streamframe.formats.image import FileImage, coalesced
from streamframe.io.ranged import RangedFile


def image_of(file: RangedFile, chunks: Iterable[Any]) -> FileImage:
    """Fetch the bytes of these column chunks."""
    image = FileImage(file.size)
    file.read_ranges([(start, end - start) for start, end in coalesced(map(span, chunks))], image.put)
    return image


def span(chunk: Any) -> tuple[int, int]:
    """Return where the bytes of a chunk start and end."""
    starts = [chunk.data_page_offset]
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        starts.append(chunk.dictionary_page_offset)
    start = min(starts)
    return start, start + chunk.total_compressed_size
