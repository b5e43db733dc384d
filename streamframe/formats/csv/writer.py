r"""Batches to CSV.

Rules: text is always in quotes, so that ``NA`` and the empty string come back as what they were;
a null is written as nothing, but as ``NA`` if it is alone in its line: an empty line is no record.
Lines end with ``\n``. The header is written once, also if there are no rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.csv as pacsv

from streamframe.errors import PlanError, SchemaError
from streamframe.formats.base import Encoder, FileEncoding
from streamframe.formats.csv.dialect import Dialect
from streamframe.formats.text_encoder import TextEncoder
from streamframe.io.compressing import compressor_for
from streamframe.io.compression import checked_compression

if TYPE_CHECKING:
    from streamframe.io.atomic import AtomicFile
    from streamframe.plan.context import RunContext


class CsvWriter:
    r"""Turns batches of one schema into the text of one file.

    Parameters
    ----------
    schema
        Of all batches.
    header
        Start with a line of the columns' names.
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
    >>> CsvWriter(batch.schema).encode(batch)
    b'"a","b"\n1,"x"\n,"NA"\n'
    """

    def __init__(self, schema: pa.Schema, *, header: bool = True, sep: str = ",") -> None:
        Dialect(sep=sep)
        if not len(schema):
            raise SchemaError("there are no columns to write", hint="select at least one.")
        self._options = pacsv.WriteOptions(
            include_header=False, delimiter=sep, quoting_style="needed", null_string="NA" if len(schema) == 1 else ""
        )
        for field in schema:
            _require_writable(field, self._options)
        names = sep.join('"' + name.replace('"', '""') + '"' for name in schema.names)
        self._header = f"{names}\n".encode() if header else b""

    def encode(self, batch: pa.RecordBatch) -> bytes:
        """Return the text of one batch, behind the header if it is the first; an empty batch has none of its own."""
        header, self._header = self._header, b""
        if not batch.num_rows:
            return header
        sink = pa.BufferOutputStream()
        sink.write(header)
        try:
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

    def start(self, file: AtomicFile, schema: pa.Schema, context: RunContext) -> Encoder:
        writer = CsvWriter(schema, header=self.header, sep=self.sep)
        return TextEncoder(file, schema, writer, compressor_for(self.compression, file.label))


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
