r"""Batches to CSV.

Rules: text is always in quotes, so that ``NA`` and the empty string come back as what they were;
a null is written as nothing, but as ``NA`` if it is alone in its line: an empty line is no record.
Lines end with ``\n``. The header is written once, also if there are no rows. Times with a zone are in quotes
as well: Arrow takes 900 ns for one of them, forty times as long as for one without (see `zoned_text`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.csv as pacsv

from streamframe.errors import PlanError, SchemaError
from streamframe.formats.base import Encoder, FileEncoding
from streamframe.formats.csv.dialect import Dialect
from streamframe.formats.csv.zoned import zoned_text
from streamframe.formats.text_encoder import TextEncoder
from streamframe.io.compressing import compressor_for, suffix_of
from streamframe.io.compression import checked_compression

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
    sep
        Between two fields: one ASCII character.

    Raises
    ------
    PlanError
        If `sep` is no such character.
    SchemaError
        If CSV has no way to hold a column; names it.

    Examples
    --------
    >>> import pyarrow as pa
    >>> batch = pa.RecordBatch.from_pydict({"a": [1, None], "b": ["x", "NA"]})
    >>> writer = CsvWriter(batch.schema)
    >>> writer.head, writer.encode(batch)
    (b'"a","b"\n', b'1,"x"\n,"NA"\n')
    """

    def __init__(self, schema: pa.Schema, *, header: bool = True, sep: str = ",") -> None:
        Dialect(sep=sep)
        if not len(schema):
            raise SchemaError("there are no columns to write", hint="select at least one.")
        self._options = pacsv.WriteOptions(
            include_header=False,
            delimiter=sep,
            quoting_style="needed",
            null_string="NA" if len(schema) == 1 else "",
            # Arrow's default of 1,024 rows takes a tenth more time.
            batch_size=1 << 14,
        )
        for field in schema:
            _require_writable(field, self._options)
        names = sep.join('"' + name.replace('"', '""') + '"' for name in schema.names)
        self.head = f"{names}\n".encode() if header else b""
        self._zoned = [i for i, field in enumerate(schema) if pa.types.is_timestamp(field.type) and field.type.tz]

    def encode(self, batch: pa.RecordBatch) -> bytes:
        """Return the text of one batch."""
        sink = pa.BufferOutputStream()
        try:
            for i in self._zoned:
                batch = batch.set_column(i, batch.schema.names[i], zoned_text(batch.column(i)))
            pacsv.write_csv(batch, sink, self._options)
        except pa.ArrowInvalid as error:
            raise _not_text(batch, error) from error
        text: bytes = sink.getvalue().to_pybytes()
        return text


@dataclass(frozen=True)
class CsvEncoding(FileEncoding):
    """How batches are written down as CSV; `header` and `sep` are those of `CsvWriter`."""

    name: ClassVar[str] = "csv"

    header: bool = True
    sep: str = ","
    compression: str | None = "infer"

    def __post_init__(self) -> None:
        Dialect(sep=self.sep)
        if not isinstance(self.header, bool):
            raise PlanError(f"header needs True or False, got {self.header!r}", hint="rename the columns before.")
        checked_compression(self.compression)

    @property
    def suffix(self) -> str:
        return f".{self.name}{suffix_of(self.compression)}"

    def start(self, file: AtomicFile, schema: pa.Schema, context: RunContext) -> Encoder:
        writer = CsvWriter(schema, header=self.header, sep=self.sep)
        return TextEncoder(file, context, writer, compressor_for(self.compression, file.label))


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
