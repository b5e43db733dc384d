"""Which columns of a Parquet file the kernel decodes: those that are plain values or text, not lists or structs."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa

from streamframe.formats.limits import MAX_BATCH_BYTES
from streamframe.formats.parquet.chunks import Chunk
from streamframe.formats.parquet.stored import StoredColumns
from streamframe.native.arrays import TextRoom
from streamframe.native.kernels import Trust
from streamframe.native.parquet import ColumnChunk, Extent, Form, Source
from streamframe.native.parquet_many import Held, Wanted, read_many
from streamframe.native.parquet_whole import TooHeavy, Unsure

_STORED_BYTES = {"INT32": 4, "INT64": 8, "FLOAT": 4, "DOUBLE": 8}
_UNITS = {"ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


class Kernel:
    """Decodes the column chunks of files with the same columns.

    Parameters
    ----------
    columns
        Of the file.
    most_page_bytes
        No larger page is decompressed.
    """

    def __init__(self, columns: StoredColumns, most_page_bytes: int = MAX_BATCH_BYTES) -> None:
        self._columns = columns
        self.most_page_bytes = most_page_bytes
        self._room = TextRoom()
        self._forms: dict[str, Form | None] = {}
        self._trust: dict[str, Trust] = {}

    def chunk(self, column: pa.Field, chunks: Sequence[Chunk], source: Source, *, encoded: bool) -> ColumnChunk | None:
        """Return the chunk of a column in a row group; None if the kernel does not know that kind.

        Parameters
        ----------
        column, chunks
            Which one, and what the footer says of it.
        source
            Where its bytes come from.
        encoded
            Text shall be read with its dictionary.
        """
        name, form = column.name, self.form(column)
        if form is None:
            return None
        (chunk,) = chunks
        if not ColumnChunk.knows(chunk.codec) or chunk.elsewhere:
            return None
        extent = Extent(chunk.start, chunk.end, chunk.codec, chunk.values, min(chunk.nbytes, self.most_page_bytes))
        return ColumnChunk(form, extent, source, room=self._room, name=name, encoded=encoded)

    def form(self, column: pa.Field) -> Form | None:
        """Return how a column is read; None if that takes Arrow."""
        name = column.name
        if name not in self._forms:
            self._forms[name] = _form_of(self._columns, column)
            self._trust[name] = Trust()
        return self._forms[name] if self._trust[name] else None

    def read_many(self, groups: Sequence[Held], schema: pa.Schema, most_bytes: int) -> list[pa.Array] | None:
        """Return all rows of row groups, column by column; None if that takes Arrow, or more than so many bytes."""
        wanted = []
        for column in schema:
            form = self.form(column)
            if form is None:
                return None
            wanted.append(Wanted(column.name, form, self._columns.leaves_of((column.name,))[0]))
        try:
            made = read_many(groups, wanted, self._room, self.most_page_bytes, most_bytes)
        except TooHeavy:
            return None
        except Unsure as unsure:
            self.learn(schema.field(unsure.column).name, sure=False)
            return None
        for column in wanted:
            self.learn(column.name, sure=True)
        return made

    def learn(self, name: str, *, sure: bool) -> None:
        """Take into account whether a chunk of this column could be read."""
        self._trust[name].learn(sure=sure)


def _form_of(columns: StoredColumns, column: pa.Field) -> Form | None:
    """Return how the kernel reads a column; None if it does not."""
    kind = column.type
    leaf = columns.leaf(column.name)
    if leaf is None or leaf.max_repetition_level or leaf.max_definition_level > 1:
        return None
    nullable = leaf.max_definition_level == 1
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return Form(kind, 0, 0, nullable) if leaf.physical_type == "BYTE_ARRAY" else None
    stored = _STORED_BYTES.get(leaf.physical_type, 0)
    floating = pa.types.is_float32(kind) or pa.types.is_float64(kind)
    if floating:
        known = leaf.physical_type == ("FLOAT" if pa.types.is_float32(kind) else "DOUBLE")
    elif pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        known = json.loads(leaf.logical_type.to_json()).get("timeUnit") == _UNITS.get(kind.unit)
    else:
        known = pa.types.is_integer(kind) or pa.types.is_date32(kind)
    if not known or (not floating and not leaf.physical_type.startswith("INT")):
        return None
    width = kind.bit_width // 8
    return Form(kind, stored, width, nullable) if width == stored or (stored == 4 and width < 4) else None
