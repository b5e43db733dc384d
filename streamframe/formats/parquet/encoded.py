"""Which columns of text come with their dictionaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from streamframe.formats.parquet.chunks import Chunk

# A column is left encoded where its chunk has no more bytes a value, and its dictionary no more than so many:
# each batch carries all of it.
_ENCODED_VALUE_BYTES = 2
_DICTIONARY_BYTES = 64 << 10


def with_dictionaries(schema: pa.Schema, wanted: frozenset[str], chunks: Mapping[str, Sequence[Chunk]]) -> pa.Schema:
    """Return the schema of a row group: of the columns that may come encoded, those that are worth it do."""
    for at, field in enumerate(schema):
        # Arrow's reader is told of paths: one with a dot may be that of two columns.
        if field.name in wanted and "." not in field.name and all(map(_is_encoded, chunks[field.name])):
            schema = schema.set(at, field.with_type(pa.dictionary(pa.int32(), field.type)))
    return schema


def _is_encoded(chunk: Chunk) -> bool:
    """Tell whether hardly any value of a chunk is written plainly, in four bytes and more, and few differ."""
    if chunk.dictionary_bytes is None:
        return False
    return chunk.nbytes <= _ENCODED_VALUE_BYTES * chunk.values and chunk.dictionary_bytes <= _DICTIONARY_BYTES
