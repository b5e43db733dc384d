"""NDJSON: the reader's options, and how one file is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from streamframe.errors import EmptyFileError
from streamframe.formats.base import OpenFile
from streamframe.formats.carriage_returns import with_newlines
from streamframe.formats.ndjson.array import ArrayLines, as_lines
from streamframe.formats.ndjson.decode import Decoding
from streamframe.formats.ndjson.inference import infer_schema, whole_elements, whole_lines
from streamframe.formats.ndjson.locating import Unit, refused
from streamframe.formats.ndjson.parsing import require_readable
from streamframe.formats.ndjson.records import JsonLines
from streamframe.formats.sniffing import peek
from streamframe.formats.typed_text import TypedText
from streamframe.io.transcode import checked_encoding
from streamframe.plan.arguments import checked_dtypes
from streamframe.schema import is_text

if TYPE_CHECKING:
    from streamframe.io.location import Location
    from streamframe.io.stream import ByteStream


@dataclass(frozen=True)
class NdjsonFormat(TypedText):
    """How the rows of an NDJSON file are written down: one JSON object in each line, or all in one array.

    Types are inferred from the first block, and of local files also from a look at the middle and
    the end (of an array, at records that have the names of one of the first); then they are frozen. Objects
    become structs, arrays lists; integers among floats are floats, and one that would lose digits
    so is an error, unless `dtype` says float. Text stays text, also where it looks like a
    time, until `dtype` says otherwise. A field that a record lacks is null; one that is not in the schema is an
    error, unless columns were chosen. Blank lines are no records.

    Parameters
    ----------
    dtype
        Types of some columns, by name: what `streamframe.schema.parse_dtype` reads. A column of
        ``"string"`` takes any value: what is not text is its JSON text. One that the sample does
        not have is added.
    errors
        As in `EncodedText`. A line that is no object of known fields has no values to keep.
    chosen
        The user names the columns to read, so that a field which is new may be left out.
    encoding, compression, max_record_bytes, max_decompression_ratio, on_widen
        See `EncodedText` and `TypedText`.

    Raises
    ------
    PlanError, SchemaError
        If an argument cannot work; names it.
    """

    name: ClassVar[str] = "ndjson"
    suffixes: ClassVar[tuple[str, ...]] = (".ndjson", ".jsonl")

    chosen: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        # Frozen and hashable from here on, whatever the caller passed.
        object.__setattr__(self, "dtype", checked_dtypes(self.dtype, require_readable))

    @property
    def leaves_out(self) -> bool:
        # With "null" as well: a line with a field that is no column is left out, if it is looked at.
        return self.errors != "raise"

    @property
    def schema_of_nothing(self) -> pa.Schema | None:
        return pa.schema(self.dtype) if self.dtype else None

    def expected_of(self, found: pa.Schema, schema: pa.Schema) -> pa.Schema:
        # A field that the sample lacks may come later all the same; one that never comes is null.
        return schema

    def _opened(
        self,
        location: Location,
        expected: pa.Schema | None,
        block_bytes: int,
        like: OpenFile | None = None,
        *,
        surveyed: bool = False,
    ) -> OpenFile:
        records = JsonLines(self._stream(location, with_newlines, as_lines), block_bytes=block_bytes)
        return self._opened_text(records, lambda: self._looked_at(records, expected, surveyed=surveyed), like)

    def _looked_at(self, records: JsonLines, expected: pa.Schema | None, *, surveyed: bool) -> Decoding:
        schema = self._inferred(records, surveyed=surveyed) if expected is None else expected
        types = {field.name: field.type for field in schema} if self.widens else dict(self.dtype)
        text = frozenset(name for name, kind in types.items() if is_text(kind))
        return Decoding(
            schema,
            schema,
            text,
            self.chosen,
            self.errors,
            checked_encoding(self.encoding),
            _unit(records.stream),
            frozenset(schema.names) - dict(self.dtype).keys(),
        )

    def _inferred(self, records: JsonLines, *, surveyed: bool) -> pa.Schema:
        records.skip_whitespace()
        piece = records.peek_piece()
        if piece is None:
            raise EmptyFileError(
                f"{records.stream.label} is empty: no record to know the columns of",
                source=records.stream.label,
                hint="pass dtype={...} if a file without records is right.",
            )
        sample = bytes(memoryview(piece.data)[piece.start : piece.stop])
        found = infer_schema([sample, *_more_samples(records.stream, sample)], settled=not surveyed)
        if found is None:
            first = sample.split(b"\n", 1)[0].strip()
            error = refused(
                first,
                pa.schema([]),
                frozenset(),
                strict=True,
                encoding=checked_encoding(self.encoding),
                unit=_unit(records.stream),
            )
            if self.errors != "raise":
                # Other files may tell the columns, or the options: what is in this one is left out, and told.
                label = records.stream.label
                raise EmptyFileError(
                    f"{label} is without a record that can be read, to know the columns of: {error.message}",
                    source=label,
                    row=1,
                    byte_offset=piece.byte_offset,
                    hint="; ".join(filter(None, ["pass dtype={...} to read it all the same", error.hint])),
                )
            raise error.locate(source=records.stream.label, row=1, byte_offset=piece.byte_offset)
        types = dict(self.dtype)
        kept = [(field.name, types.pop(field.name, field.type)) for field in found]
        return pa.schema([*kept, *types.items()])


def _unit(stream: ByteStream) -> Unit:
    return "element" if isinstance(stream, ArrayLines) else "line"


def _more_samples(stream: ByteStream, sample: bytes) -> list[bytes]:
    """Return records from the middle and the end of a local file."""
    if isinstance(stream, ArrayLines):
        return [whole_elements(data, sample) for data in stream.peek()]
    return [whole_lines(data) for data in peek(stream)]
