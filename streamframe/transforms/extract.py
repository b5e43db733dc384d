"""The parts of a text that a pattern names, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.errors import ColumnNotFoundError, DecodeError, PlanError, SchemaError
from streamframe.expr.patterns import Pattern
from streamframe.formats.wording import shortened
from streamframe.plan.node import Columns, Rows, Transform
from streamframe.schema import is_text

Unmatched = Literal["raise", "null", "skip"]
_SHOWN_TEXT = 80


@dataclass(frozen=True, eq=False)
class Extract(Transform):
    """Put the named groups of a pattern in the place of the column they are found in.

    Where they are `taken` already, the source has done so: it knows what becomes of records that cannot be read.
    """

    column: str
    pattern: Pattern
    unmatched: Unmatched
    taken: bool = False
    rowwise: ClassVar[bool] = True

    @property
    def rows(self) -> Rows:  # type: ignore[override]
        return "subset" if self.unmatched == "skip" else "same"

    def produces(self, *schemas: pa.Schema) -> pa.Schema:
        (schema,) = schemas
        if self.taken:
            return schema
        at = schema.get_field_index(self.column)
        if at < 0:
            raise ColumnNotFoundError.among(self.column, schema.names)
        if not (is_text(schema.field(at).type) or pa.types.is_null(schema.field(at).type)):
            raise SchemaError(
                f"extract needs text, but column {self.column!r} is {schema.field(at).type}", column=self.column
            )
        others = [field for field in schema if field.name != self.column]
        for field in others:
            if field.name in self.pattern.names:
                raise PlanError(
                    f"extract makes a column {field.name!r}, but there is one",
                    hint="rename one, or the pattern's group.",
                )
        return pa.schema([*list(schema)[:at], *self.pattern.fields, *list(schema)[at + 1 :]])

    def needs(self, columns: Columns, schema: pa.Schema | None) -> Columns:
        if columns is None or self.taken:
            return columns
        return columns - set(self.pattern.names) | {self.column}

    def passes(self, column: str) -> bool:
        return self.taken or (column != self.column and column not in self.pattern.names)

    def apply(self, data: pa.RecordBatch) -> pa.RecordBatch:
        if self.taken:
            return data
        at = data.schema.get_field_index(self.column)
        text = data.column(at)
        if pa.types.is_null(text.type):
            text = text.cast(pa.string())
        found, matches = self.pattern.taken_apart(text)
        if self.unmatched == "raise":
            missed = pc.and_(pc.invert(matches), pc.is_valid(text))
            if pc.any(missed).as_py():
                raise self._missed(text, missed)
        names, columns = list(data.schema.names), list(data.columns)
        names[at : at + 1] = self.pattern.names
        columns[at : at + 1] = found
        batch = pa.RecordBatch.from_arrays(columns, names=names)
        return batch.filter(matches) if self.unmatched == "skip" else batch

    def describe(self) -> str:
        column = "" if self.column == "line" else f", column={self.column!r}"
        unmatched = "" if self.unmatched == "raise" else f", unmatched={self.unmatched!r}"
        return f"extract({self.pattern!r}{column}{unmatched})"

    def _missed(self, text: pa.Array, missed: pa.Array) -> DecodeError:
        first = pc.index(missed, True).as_py()
        return DecodeError(
            f"the pattern does not match {shortened(text[first].as_py(), _SHOWN_TEXT)!r}",
            column=self.column,
            # Above other steps, rows no longer are those of the file.
            row=first + 1 if self.input.scan is not None else None,
            hint='pass unmatched="null" or unmatched="skip" to go on; patterns are RE2, and match anywhere without ^.',
        )
