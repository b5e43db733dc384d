"""What is known of the column chunks of a Parquet file, and which of its bytes they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

from streamframe.formats.image import FileImage, coalesced
from streamframe.io.ranged import RangedFile
from streamframe.native.parquet_footer import ChunkFacts

# As Parquet numbers them.
_CODECS = ("UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW")


class Chunk(NamedTuple):
    """One column of a row group.

    Attributes
    ----------
    start, end
        Where its bytes are.
    codec
        What they are compressed with.
    values
        How many there are, with those that are missing.
    nbytes
        Without compression.
    dictionary_bytes
        From its dictionary to the first page of data; None without a dictionary.
    elsewhere
        The bytes are in another file.
    """

    start: int
    end: int
    codec: str
    values: int
    nbytes: int
    dictionary_bytes: int | None
    elsewhere: bool

    @classmethod
    def of_facts(cls, facts: ChunkFacts) -> Self:
        """Return what the kernel has found."""
        codec = _CODECS[facts.codec] if facts.codec < len(_CODECS) else "UNKNOWN"
        dictionary = facts.dictionary_page_offset if facts.dictionary_page_offset >= 0 else None
        return cls._placed(
            facts.data_page_offset,
            dictionary,
            facts.packed_bytes,
            codec=codec,
            values=facts.values,
            nbytes=facts.nbytes,
            elsewhere=bool(facts.elsewhere),
        )

    @classmethod
    def of_arrow(cls, chunk: Any) -> Self:
        """Return what Arrow says."""
        return cls._placed(
            chunk.data_page_offset,
            chunk.dictionary_page_offset if chunk.has_dictionary_page else None,
            chunk.total_compressed_size,
            codec=chunk.compression,
            values=chunk.num_values,
            nbytes=chunk.total_uncompressed_size,
            elsewhere=bool(chunk.file_path),
        )

    @classmethod
    def _placed(cls, data: int, dictionary: int | None, packed_bytes: int, **facts: Any) -> Self:
        # Some writers say 0 where there is none.
        start = min(data, dictionary) if dictionary else data
        apart = None if dictionary is None else data - dictionary
        return cls(start=start, end=start + packed_bytes, dictionary_bytes=apart, **facts)


def image_of(file: RangedFile, chunks: Iterable[Chunk]) -> FileImage:
    """Fetch the bytes of these column chunks."""
    image = FileImage(file.size)
    spans = coalesced((chunk.start, chunk.end) for chunk in chunks)
    file.read_ranges([(start, end - start) for start, end in spans], image.put)
    return image
