r"""Batches to NDJSON.

Rules: one object in each line, with all columns, also those that are null; lines end with ``\n``.
The text of a column is made by Arrow for all rows at once (`text.json_text`), but for what a kernel makes of it, which
then writes the objects.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from streamframe.errors import SchemaError
from streamframe.formats.base import Encoder, FileEncoding
from streamframe.formats.ndjson.text import json_column, json_text, object_text
from streamframe.formats.spelled_times import holds_times, require_spelled
from streamframe.formats.text_encoder import TextEncoder, small_texts
from streamframe.io.compressing import held_bytes, suffix_of
from streamframe.io.compression import checked_compression
from streamframe.native.kernels import library
from streamframe.native.text import JsonText

if TYPE_CHECKING:
    from streamframe.io.atomic import AtomicFile
    from streamframe.plan.context import RunContext


class NdjsonWriter:
    r"""Turns batches of one schema into text.

    Times are ISO 8601, those with a zone in UTC; durations are numbers in their unit; decimals are
    text, since readers would round them; bytes are base64; maps are objects. NaN and the
    infinities, which JSON does not have, are null.

    Parameters
    ----------
    schema
        Of all batches.

    Raises
    ------
    SchemaError
        If JSON has no way to hold a column; names it.

    Examples
    --------
    >>> import pyarrow as pa
    >>> batch = pa.RecordBatch.from_pydict({"a": [1, None], "b": [["x"], []]})
    >>> b"".join(NdjsonWriter(batch.schema).pieces(batch, [2]))
    b'{"a":1,"b":["x"]}\n{"a":null,"b":[]}\n'
    """

    def __init__(self, schema: pa.Schema) -> None:
        if not len(schema):
            raise SchemaError("there are no columns to write", hint="select at least one.")
        for place, field in enumerate(schema):
            if field.name in schema.names[:place]:
                raise SchemaError(
                    f"two columns are named {field.name!r}, which an object cannot hold",
                    column=field.name,
                    hint="rename one of them.",
                )
            _require_writable(field)
        self._names = schema.names
        self._times = [place for place, field in enumerate(schema) if holds_times(field.type)]
        self._text = JsonText([json.dumps(name, ensure_ascii=False) for name in schema.names])

    head = b""

    def pieces(self, batch: pa.RecordBatch, ends: Sequence[int]) -> Iterator[bytes | pa.Buffer]:
        """Return the text of the first rows, of those behind them, and so on, up to each of `ends`."""
        if not batch.num_rows:
            return iter([b""] * len(ends))
        require_spelled(batch, self._times)
        by_kernel = None if library() is None else self._text.of(list(map(json_column, batch.columns)), ends)
        if by_kernel is not None:
            return iter(by_kernel)
        lines = object_text(self._names, batch.columns, end="}\n")
        # The lines lie one behind another in memory: that is the text.
        _, offsets, text = lines.buffers()
        at = memoryview(offsets).cast("i")
        return (text.slice(at[start], at[end] - at[start]) for start, end in pairwise([0, *ends]))


@dataclass(frozen=True)
class NdjsonEncoding(FileEncoding):
    """How batches are written down as NDJSON."""

    name: ClassVar[str] = "ndjson"
    many_at_once: ClassVar[bool] = True

    compression: str | None = "infer"
    level: int | None = None

    def __post_init__(self) -> None:
        checked_compression(self.compression)

    @property
    def suffix(self) -> str:
        return f".{self.name}{suffix_of(self.compression)}"

    @property
    def tells_columns(self) -> bool:
        return False

    def open_bytes(self, schema: pa.Schema) -> int:
        return held_bytes(self.compression, "", self.level)

    def start(self, file: AtomicFile, schema: pa.Schema, context: RunContext) -> Encoder:
        return TextEncoder(file, context, _writer(schema), self.compression, self.level)

    def small_files(
        self, schema: pa.Schema, rows: pa.RecordBatch, ends: Sequence[int], labels: Sequence[str]
    ) -> Iterator[bytes | pa.Buffer]:
        return small_texts(_writer(schema), rows, ends, self.compression, self.level)


@lru_cache(maxsize=8)
def _writer(schema: pa.Schema) -> NdjsonWriter:
    """Return a writer: one for all files of an export, since it asks Arrow about each column."""
    return NdjsonWriter(schema)


def _require_writable(field: pa.Field) -> None:
    try:
        json_text(pa.nulls(1, field.type))
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SchemaError(
            f"column {field.name!r} of type {field.type} cannot be written as NDJSON",
            column=field.name,
            hint="cast it, drop it, or write Parquet.",
        ) from error
