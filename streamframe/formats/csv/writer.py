r"""Batches to CSV.

Rules: text is always in quotes, so that ``NA`` and the empty string come back as what they were;
a null is written as nothing, but as ``NA`` if it is alone in its line: an empty line is no record.
That is the default `CsvStyle`; what others cost is said in `to_csv`. The header is written once, also if there are
no rows. Times with a zone are in quotes as well: Arrow takes 900 ns for one of them, forty times as long as for one
without (see `zoned_text`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.csv as pacsv

from streamframe.errors import PlanError, SchemaError
from streamframe.formats.base import Encoder, FileEncoding
from streamframe.formats.csv.style import CsvStyle, as_text, guarded, is_text, joined
from streamframe.formats.csv.zoned import zoned_text
from streamframe.formats.spelled_times import holds_times, require_spelled
from streamframe.formats.text_encoder import TextEncoder, small_texts
from streamframe.io.compressing import held_bytes, suffix_of
from streamframe.io.compression import checked_compression
from streamframe.native.kernels import library
from streamframe.native.text import CsvText

if TYPE_CHECKING:
    from streamframe.io.atomic import AtomicFile
    from streamframe.plan.context import RunContext


class CsvWriter:
    r"""Turns batches of one schema into text.

    Parameters
    ----------
    schema
        Of all batches.
    header
        The file starts with a line of the columns' names, `head`.
    style
        How the text is spelled.

    Raises
    ------
    SchemaError
        If CSV has no way to hold a column; names it.

    Examples
    --------
    >>> import pyarrow as pa
    >>> batch = pa.RecordBatch.from_pydict({"a": [1, None], "b": ["x", "NA"]})
    >>> writer = CsvWriter(batch.schema)
    >>> writer.head, b"".join(writer.pieces(batch, [2]))
    (b'"a","b"\n', b'1,"x"\n,"NA"\n')
    """

    def __init__(self, schema: pa.Schema, *, header: bool = True, style: CsvStyle | None = None) -> None:
        if not len(schema):
            raise SchemaError("there are no columns to write", hint="select at least one.")
        self._style = style or CsvStyle()
        self._null = self._style.na_rep or ("NA" if len(schema) == 1 else "")
        self._options = pacsv.WriteOptions(
            include_header=False,
            delimiter=self._style.sep,
            eol=self._style.line_terminator,
            quoting_style=_ARROW_QUOTING[self._style.quoting],
            null_string=self._null,
            # Arrow's default of 1,024 rows takes a tenth more time.
            batch_size=1 << 14,
        )
        for each in schema:
            _require_writable(each, self._options)
        spelled = self._style
        self._text = CsvText(spelled.sep, spelled.quotechar, spelled.line_terminator, self._null)
        self.head = self._style.head(schema.names, header=header)
        self._zoned = [i for i, each in enumerate(schema) if pa.types.is_timestamp(each.type) and each.type.tz]
        self._times = [i for i, each in enumerate(schema) if holds_times(each.type)]
        self._guarded = [i for i, each in enumerate(schema) if self._style.formula_guard and is_text(each.type)]

    def pieces(self, batch: pa.RecordBatch, ends: Sequence[int]) -> Iterator[bytes | pa.Buffer]:
        """Return the text of the first rows, of those behind them, and so on, up to each of `ends`."""
        if not ends or not batch.num_rows:
            return iter([b""] * len(ends))
        require_spelled(batch, self._times)
        try:
            for i in self._zoned:
                batch = batch.set_column(i, batch.schema.names[i], zoned_text(batch.column(i)))
            for i in self._guarded:
                batch = batch.set_column(i, batch.schema.names[i], guarded(as_text(batch.column(i))))
            by_kernel = self._by_kernel(batch, ends)
        except pa.ArrowInvalid as error:
            raise _not_text(batch, error) from error
        if by_kernel is not None:
            return iter(by_kernel)
        return (self._by_arrow(batch.slice(start, end - start)) for start, end in pairwise([0, *ends]))

    def _by_arrow(self, batch: pa.RecordBatch) -> bytes | pa.Buffer:
        sink = pa.BufferOutputStream()
        try:
            if self._style.quotechar != '"' and self._style.quoting != "none":
                return joined(batch, self._style, self._null)
            pacsv.write_csv(batch, sink, self._options)
        except pa.ArrowInvalid as error:
            if "structural characters" in str(error):
                raise _needs_quotes(batch, self._options) from error
            raise _not_text(batch, error) from error
        return sink.getvalue()

    def _by_kernel(self, batch: pa.RecordBatch, ends: Sequence[int]) -> list[pa.Buffer] | None:
        """Return the texts as Arrow would write them; None if that takes Arrow."""
        if self._style.quoting == "none" or library() is None:
            return None
        quoted = [self._style.quoting == "all" or is_text(each.type) for each in batch.columns]
        try:
            columns = [_plain(each) for each in batch.columns]
        except pa.ArrowNotImplementedError:
            return None
        return self._text.of(columns, quoted, ends)


@dataclass(frozen=True)
class CsvEncoding(FileEncoding):
    """How batches are written down as CSV; `header` and `style` are those of `CsvWriter`."""

    name: ClassVar[str] = "csv"
    many_at_once: ClassVar[bool] = True

    header: bool = True
    style: CsvStyle = field(default_factory=CsvStyle)
    compression: str | None = "infer"
    level: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.header, bool):
            raise PlanError(f"header needs True or False, got {self.header!r}", hint="rename the columns before.")
        checked_compression(self.compression)

    @property
    def suffix(self) -> str:
        return f".{self.name}{suffix_of(self.compression)}"

    @property
    def tells_columns(self) -> bool:
        return self.header

    def open_bytes(self, schema: pa.Schema) -> int:
        return held_bytes(self.compression, "", self.level)

    def start(self, file: AtomicFile, schema: pa.Schema, context: RunContext) -> Encoder:
        return TextEncoder(file, context, _writer(self, schema), self.compression, self.level)

    def small_files(
        self, schema: pa.Schema, rows: pa.RecordBatch, ends: Sequence[int], labels: Sequence[str]
    ) -> Iterator[bytes | pa.Buffer]:
        return small_texts(_writer(self, schema), rows, ends, self.compression, self.level)


@lru_cache(maxsize=8)
def _writer(encoding: CsvEncoding, schema: pa.Schema) -> CsvWriter:
    """Return a writer: one for all files of an export, since it asks Arrow about each column."""
    return CsvWriter(schema, header=encoding.header, style=encoding.style)


def _plain(column: pa.Array) -> pa.Array:
    """Return a column as integers or text, which is what the kernel writes."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column if pa.types.is_integer(column.type) else column.cast(pa.string())


_ARROW_QUOTING = {"needed": "needed", "all": "all_valid", "none": "none"}


def _needs_quotes(batch: pa.RecordBatch, options: pacsv.WriteOptions) -> SchemaError:
    """Return the error for a value that cannot stand without quotes: Arrow does not say in which column."""
    refused = None
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            pacsv.write_csv(pa.RecordBatch.from_arrays([column], names=["x"]), pa.BufferOutputStream(), options)
        except pa.ArrowInvalid:
            refused = name
            break
    return SchemaError(
        f'column {refused!r} holds text with a separator, a quote or a line end, which quoting="none" cannot write',
        column=refused,
        hint='pass quoting="needed".',
    )


def _not_text(batch: pa.RecordBatch, error: pa.ArrowInvalid) -> SchemaError:
    """Return the error for a batch with bytes that are not UTF-8, which is all that Arrow refuses."""
    names = [field.name for field in batch.schema if pa.types.is_binary(field.type)]
    named = f"column {names[0]!r} holds bytes that are no text" if names else f"a batch cannot be written: {error}"
    return SchemaError(
        f"{named}, which CSV has no way to hold",
        column=names[0] if names else None,
        hint="drop the column, or write Parquet.",
    )


def _require_writable(field: pa.Field, options: pacsv.WriteOptions) -> None:
    one_null = pa.RecordBatch.from_arrays([pa.nulls(1, field.type)], names=["x"])
    try:
        pacsv.write_csv(one_null, pa.BufferOutputStream(), options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        nested = pa.types.is_nested(field.type)
        raise SchemaError(
            f"column {field.name!r} of type {field.type} cannot be written as CSV",
            column=field.name,
            hint="drop it, or write Parquet, which holds nested columns."
            if nested
            else "cast it to string, or drop it.",
        ) from error
