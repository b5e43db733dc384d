"""How values are spelled in a CSV file: nulls, numbers, times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from streamframe.errors import PlanError
from streamframe.expr.no_such_days import may_be_off, no_such_days

# Those of strptime, as far as they tell a part of a time.
_DIRECTIVES = frozenset("aAbBcCdDeFhHIjklmMnprRsStTuUwWxXyYz%")
_SIGNS = "0123456789+-eE\r\n\0"


@dataclass(frozen=True)
class Spelling:
    """What the reader of values has to know.

    Parameters
    ----------
    null_values
        What spells a null, besides Arrow's own spellings. Nothing in quotes does.
    decimal
        What stands before the fraction of a number.
    thousands
        What stands between its digits, and means nothing: any sign, such as the spaces that do not break.
    date_format
        How times are written, as for `strptime`; ISO 8601 is understood as well.

    Raises
    ------
    PlanError
        If one of them cannot be.
    """

    null_values: tuple[str, ...] = ()
    decimal: str = "."
    thousands: str | None = None
    date_format: str | None = None

    def __post_init__(self) -> None:
        for argument in ("decimal", "thousands"):
            value = getattr(self, argument)
            fits = isinstance(value, str) and len(value) == 1 and value not in _SIGNS
            # Arrow takes a byte before the fraction; groups are ours to undo, also those of a narrow no-break space.
            fits = fits and (value.isascii() or (argument == "thousands" and not value.isalnum()))
            if not fits and not (argument == "thousands" and value is None):
                raise PlanError(f"{argument} needs one character that is no part of a number, got {value!r}")
        if self.thousands == self.decimal:
            raise PlanError(f"decimal and thousands are both {self.decimal!r}", hint="each needs its own.")
        if isinstance(self.date_format, dict):
            raise PlanError.not_available(
                "date_format for single columns", 'read them as "string", and cast with sf.function("strptime", ...).'
            )
        if self.date_format is not None and (not isinstance(self.date_format, str) or "%" not in self.date_format):
            raise PlanError(f'date_format needs a format such as "%d.%m.%Y %H:%M", got {self.date_format!r}')
        for found in re.finditer("%(.?)", self.date_format or ""):
            if found[1] == "Z":
                raise PlanError(
                    f"date_format={self.date_format!r}: %Z is not read, since a name such as CET is no offset",
                    hint='%z reads offsets such as +0100; else read the column as "string".',
                )
            if found[1] and found[1] in "gGV":
                raise PlanError(
                    f"date_format={self.date_format!r}: years and weeks of ISO 8601 ({found[0]}) are not read",
                    hint='C\'s strptime passes over them; read the column as "string".',
                )
            if found[1] not in _DIRECTIVES:
                raise PlanError(
                    f"date_format={self.date_format!r}: {found[0]} is not known to Arrow's parser of times",
                    hint="it knows those of C's strptime; fractions of a second are read without a date_format.",
                )

    def options(self, types: dict[str, pa.DataType], **more: Any) -> pacsv.ConvertOptions:
        """Return the options by which Arrow converts columns to these types."""
        times = [] if self.date_format is None else [self.date_format, pacsv.ISO8601]
        return pacsv.ConvertOptions(
            column_types=types,
            null_values=[*pacsv.ConvertOptions().null_values, *self.null_values],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            decimal_point=self.decimal,
            timestamp_parsers=times,
            **more,
        )

    @property
    def is_plain(self) -> bool:
        """Numbers and times are written as everywhere."""
        return self.decimal == "." and self.thousands is None and self.date_format is None

    def is_grouped(self, kind: pa.DataType) -> bool:
        """Tell whether values of this type may be in a spelling that Arrow does not know: read as text first."""
        if self.is_dated(kind):
            return True
        numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        return self.thousands is not None and numeric

    def is_dated(self, kind: pa.DataType) -> bool:
        """Tell whether values of this type are days in a format of the user's, which Arrow applies to instants only."""
        return self.date_format is not None and pa.types.is_date(kind)

    def may_be_off(self, values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray | None:
        """Tell where among these values a day may be that is in no calendar, and was read as another; None: nowhere."""
        if self.date_format is None or not pa.types.is_timestamp(values.type):
            return None
        found = may_be_off(values, self.date_format)
        return found if pc.any(found).as_py() else None

    def has_no_such_day(self, texts: pa.Array | pa.ChunkedArray) -> bool:
        """Tell whether one of these texts is in the format of the user's, and names a day that is in no calendar."""
        return self.date_format is not None and bool(pc.any(no_such_days(texts, self.date_format), min_count=0).as_py())

    def no_days(self, texts: list[bytes], kind: pa.DataType) -> frozenset[int]:
        """Return the places of texts that name a day which is in no calendar, if they are to be times or days."""
        if self.date_format is None or not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
            return frozenset()
        known = pa.array([text.decode(errors="replace") for text in texts], pa.string())
        return frozenset(pc.indices_nonzero(no_such_days(known, self.date_format)).to_pylist())

    def ungrouped(self, text: bytes) -> bytes:
        """Return the text of a number without what groups its digits."""
        return text if self.thousands is None else text.replace(self.thousands.encode(), b"")

    def without_groups(self, column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
        """Return text, or bytes, without what groups the digits of numbers."""
        return column if self.thousands is None else pc.replace_substring(column, self.thousands, "")

    def numbers(self, column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
        """Return text as numbers, or days; raises `pyarrow.ArrowInvalid` if one is none."""
        if self.is_dated(kind):
            return self._days(column).cast(kind)
        text = self.without_groups(pc.utf8_trim_whitespace(column))
        return pc.replace_substring(text, self.decimal, ".").cast(kind)

    def _days(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        found = pc.strptime(column, format=self.date_format, unit="s", error_is_null=True)
        days = found.cast(pa.date32())
        if not pc.all(pc.equal(days.cast(found.type), found), min_count=0).as_py():
            raise pa.ArrowInvalid("a time of day in a column of days")
        if days.null_count == column.null_count:
            return days
        # What is written otherwise has to be ISO 8601, and Arrow's cast says so if it is not.
        other = pc.if_else(pc.is_null(days), column, pa.scalar(None, pa.string()))
        return pc.coalesce(days, other.cast(pa.date32()))

    def grouped_type(self, column: pa.ChunkedArray) -> pa.DataType | None:
        """Return the type of numbers with groups of digits; None if that is not what the text is."""
        if self.thousands is None or not pa.types.is_string(column.type) or column.null_count == len(column):
            return None
        for kind in (pa.int64(), pa.float64()):
            try:
                self.numbers(column, kind)
            except pa.ArrowInvalid:
                continue
            return kind
        return None
