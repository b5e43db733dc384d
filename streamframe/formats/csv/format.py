"""CSV: the reader's options, and how one file is opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pyarrow.csv as pacsv

from streamframe.errors import ColumnNotFoundError, PlanError
from streamframe.formats.base import OpenFile
from streamframe.formats.csv.decode import Decoding
from streamframe.formats.csv.dialect import Dialect
from streamframe.formats.csv.header import read_names
from streamframe.formats.csv.inference import infer_schema
from streamframe.formats.csv.records import CsvRecords
from streamframe.formats.csv.spelling import Spelling
from streamframe.formats.sniffing import peek
from streamframe.formats.typed_text import TypedText
from streamframe.io.transcode import checked_encoding
from streamframe.plan.arguments import checked_dtypes

if TYPE_CHECKING:
    from streamframe.io.location import Location


@dataclass(frozen=True)
class CsvFormat(TypedText):
    """How the rows of a CSV file are written down.

    Types are inferred from the first block, and of local files also from a look at the middle
    and the end; then they are frozen. A column without a value is text. A whole number that would lose digits
    among floats cannot be read, unless `dtype` says float.

    Parameters
    ----------
    dtype
        Types of some columns, by name: what `streamframe.schema.parse_dtype` reads, such as
        ``{"zip": "string"}``. Kept as pairs, sorted by name.
    names
        The columns' names. With ``header=True`` they replace those of the header line.
    header
        The first record holds the names. Without header and `names`, columns are ``f0``, ``f1``, …
    sep, quotechar, escapechar
        One ASCII character each. None gives quotes, or escapes, no meaning.
    na_values
        What spells a null, besides the spellings that pandas knows; but ``None`` and ``<NA>`` do not
        by themselves, since a town is called None. Nothing in quotes is null.
    skip_rows
        Lines to pass over at the start, whatever is in them.
    comment
        A line that starts with this character is passed over, up to its end; within a line it
        means nothing. A quoted field may hold such a line.
    errors
        As in `EncodedText`. A record of too few or too many fields has no values to keep. Only columns that are
        wanted are looked at.
    decimal, thousands, date_format
        How numbers and times are written: see `Spelling`.
    encoding, compression, max_record_bytes, max_decompression_ratio, on_widen
        See `EncodedText` and `TypedText`.

    Raises
    ------
    PlanError, SchemaError
        If an argument cannot work; names it.
    """

    name: ClassVar[str] = "csv"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv")

    names: Sequence[str] | None = None
    header: bool = True
    sep: str = ","
    quotechar: str | None = '"'
    escapechar: str | None = None
    na_values: str | float | Iterable[str | float] | None = ()
    skip_rows: int = 0
    comment: str | None = None
    decimal: str = "."
    thousands: str | None = None
    date_format: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        Dialect(self.sep, self.quotechar, self.escapechar, self.comment)
        if not isinstance(self.header, bool):
            raise PlanError(
                f"header needs True or False, got {self.header!r}",
                hint="pass skip_rows= to pass over lines before the header; names=[...] to give other names.",
            )
        # numpy's integers count as well.
        if isinstance(self.skip_rows, bool) or not hasattr(self.skip_rows, "__index__") or self.skip_rows < 0:
            raise PlanError(f"skip_rows needs a number of lines >= 0, got {self.skip_rows!r}")
        # Frozen and hashable from here on, whatever the caller passed.
        object.__setattr__(self, "dtype", tuple(sorted(checked_dtypes(self.dtype, _require_readable))))
        object.__setattr__(self, "names", _checked_names(self.names))
        object.__setattr__(self, "na_values", _checked_na_values(self.na_values))
        if self.sep in (self.decimal, self.thousands) and not self.quotechar:
            raise PlanError(f"sep={self.sep!r} stands in numbers as well, and nothing is quoted")
        _ = self._spelling

    @property
    def _spelling(self) -> Spelling:
        null_values = tuple(str(value) for value in self.na_values)  # type: ignore[union-attr]
        return Spelling(null_values, self.decimal, self.thousands, self.date_format)

    def expected_of(self, found: pa.Schema, schema: pa.Schema) -> pa.Schema:
        self._require_typed(schema.names)
        return super().expected_of(found, schema)

    def _require_typed(self, names: Sequence[str]) -> None:
        for name in dict(self.dtype):
            if name not in names:
                error = ColumnNotFoundError.among(name, names)
                error.message = f"dtype: {error.message}"
                raise error

    def _opened(
        self,
        location: Location,
        expected: pa.Schema | None,
        block_bytes: int,
        like: OpenFile | None = None,
        *,
        surveyed: bool = False,
    ) -> OpenFile:
        dialect = Dialect(self.sep, self.quotechar, self.escapechar, self.comment)
        records = CsvRecords(self._stream(location), dialect, block_bytes=block_bytes)
        return self._opened_text(records, lambda: self._looked_at(records, dialect, expected, surveyed=surveyed), like)

    def _looked_at(
        self, records: CsvRecords, dialect: Dialect, expected: pa.Schema | None, *, surveyed: bool
    ) -> Decoding:
        types: dict[str, pa.DataType] = dict(self.dtype)
        spelling, encoding = self._spelling, checked_encoding(self.encoding)
        for _ in range(self.skip_rows):
            records.skip_line()
        lenient = self.errors != "raise"
        # Columns are told by a first line that can be read, or by the user.
        records.lenient = lenient and not self.header and self.names is not None
        names = read_names(
            records,
            dialect,
            header=self.header,
            names=None if self.names is None else tuple(self.names),
            expected=expected,
            encoding=encoding,
        )
        records.lenient = lenient
        if expected is None and not surveyed:
            self._require_typed(names)
        if expected is None:
            # Not a sample of empty lines: `peek_record` passes over those.
            sample = records.peek_piece() if records.peek_record() else None
            peeked = peek(records.stream) if sample is not None else []
            types = {name: kind for name, kind in types.items() if name in names}
            expected = infer_schema(
                sample,
                dialect,
                names,
                types=types,
                spelling=spelling,
                peeked=peeked,
                settled=not surveyed,
                lenient=records.lenient,
            )
        exact = frozenset(names) - dict(self.dtype).keys()
        return Decoding(dialect, names, expected, spelling, self.errors, encoding, exact)


def _require_readable(name: str, kind: pa.DataType) -> None:
    options = pacsv.ConvertOptions(column_types={"x": kind})
    try:
        pacsv.read_csv(pa.BufferReader(b"x\n"), convert_options=options)
    except pa.ArrowNotImplementedError as error:
        raise PlanError(
            f"dtype: column {name!r} cannot be read from CSV as {kind}",
            column=name,
            hint=f'read it as "string" and cast it: .cast({{{name!r}: ...}}).',
        ) from error


def _checked_names(names: Any) -> tuple[str, ...] | None:
    if names is None:
        return None
    given = [] if isinstance(names, str) or not isinstance(names, Iterable) else list(names)
    if not given or not all(isinstance(name, str) and name for name in given):
        raise PlanError(f"names needs a list of column names, got {names!r}")
    for place, name in enumerate(given):
        if name in given[:place]:
            raise PlanError(f"names holds {name!r} twice", column=name, hint="each column needs a name of its own.")
    return tuple(given)


def _checked_na_values(na_values: Any) -> tuple[str, ...]:
    if na_values is None:
        return ()
    if isinstance(na_values, Mapping):
        raise PlanError.not_available("na_values for single columns", "pass one list for all columns.")
    single = isinstance(na_values, str | int | float) or not isinstance(na_values, Iterable)
    values = [na_values] if single else list(na_values)
    if not all(isinstance(value, str | int | float) for value in values):
        raise PlanError(f"na_values needs text or numbers, got {na_values!r}")
    return tuple(str(value) for value in values)
