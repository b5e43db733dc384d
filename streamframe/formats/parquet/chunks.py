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
        start, apart = _placed(facts.data_page_offset, facts.dictionary_page_offset)
        end = start + facts.packed_bytes
        return cls(start, end, codec, facts.values, facts.nbytes, apart, bool(facts.elsewhere))

    @classmethod
    def of_arrow(cls, chunk: Any) -> Self:
        """Return what Arrow says."""
        dictionary = chunk.dictionary_page_offset if chunk.has_dictionary_page else -1
        start, apart = _placed(chunk.data_page_offset, dictionary)
        end = start + chunk.total_compressed_size
        values, nbytes = chunk.num_values, chunk.total_uncompressed_size
        return cls(start, end, chunk.compression, values, nbytes, apart, bool(chunk.file_path))


def _placed(data: int, dictionary: int) -> tuple[int, int | None]:
    """Return where a chunk starts, and how far its dictionary is from its data; the offset of no dictionary is -1."""
    # Some writers say 0 where there is none.
    start = min(data, dictionary) if dictionary > 0 else data
    return start, None if dictionary < 0 else data - dictionary


def image_of(file: RangedFile, chunks: Iterable[Chunk]) -> FileImage:
    """Fetch the bytes of these column chunks."""
    image = FileImage(file.size)
    spans = coalesced((chunk.start, chunk.end) for chunk in chunks)
    file.read_ranges([(start, end - start) for start, end in spans], image.put)
    return image
