"""The names of the columns: from the header line, from the caller, or made up.

Rules: every column has a name of its own. Repeated names are numbered as pandas does it ("a",
"a.1"), empty ones are called after their place, and one warning tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import pyarrow as pa
import pyarrow.csv as pacsv

from streamframe.errors import DecodeError, EmptyFileError, SchemaError
from streamframe.formats.csv.dialect import Dialect
from streamframe.formats.csv.records import CsvRecords
from streamframe.formats.sniffing import BOM, ENCODING_HINT, other_format, wide_text
from streamframe.io.transcode import with_escapes
from streamframe.warn import warn

_WITHOUT_IT = "Or go without that line: skip_rows=1, header=False, names=[...]."


def read_names(
    records: CsvRecords,
    dialect: Dialect,
    *,
    header: bool,
    names: tuple[str, ...] | None,
    expected: pa.Schema | None,
    encoding: str = "utf-8",
) -> tuple[str, ...]:
    """Return the columns as they stand in the file, and pass over the header line.

    Raises
    ------
    EmptyFileError
        If there is no line to read them from, and nothing was `expected`.
    DecodeError
        If the line is not UTF-8.
    SchemaError
        If the columns are not as many as `names`, or not those of `expected`.
    """
    label = records.stream.label
    first = records.peek_record()
    if first is None:
        if names is not None:
            return names
        if expected is not None:
            # Another file has told the columns. That this one holds not even a header may be an accident.
            if header:
                warn(f"{label} is empty: it adds no rows")
            return tuple(expected.names)
        what = "no header line" if header else "no line to count the columns of"
        hint = "pass names=[...] if a file without lines is right." if header else "pass names=[...]."
        raise EmptyFileError(f"{label} is empty: {what}", source=label, byte_offset=0, hint=hint)
    offset, text = first
    if wide_text(text):
        raise _not_text(label, offset, text)
    if names is not None and records.lenient:
        # The line tells nothing that is asked for: it is a record as any other, and may be a bad one.
        return names
    try:
        found = _fields(text, dialect) if header else tuple(f"f{index}" for index in range(_count(text, dialect)))
    except UnicodeDecodeError as error:
        raise _not_text(label, offset, text, encoding) from error
    if header:
        records.skip_record(text)
    if names is not None and len(names) != len(found):
        raise SchemaError(
            f"names has {len(names)} entries, but the first line of {label} has {len(found)} fields",
            source=label,
            hint="give one name for each field of the file; check sep= too.",
        )
    unique = names or (_unique(found, None if expected is not None else label) if header else found)
    if expected is not None:
        require_columns(unique, expected, label)
    return unique


def _unique(found: Sequence[str], label: str | None) -> tuple[str, ...]:
    """Return `found` with a name of its own for every column; with a label, tell of new names."""
    taken = set(found)
    seen: set[str] = set()
    # Where to go on counting: 20,000 columns of one name, each counted from 1, took 17 s.
    numbers: dict[str, int] = {}
    unique: list[str] = []
    changed: list[str] = []
    for place, name in enumerate(found, start=1):
        own = name or f"column_{place}"
        number = numbers.get(name, 0) if name and own in seen else 0
        while own in seen or ((number or not name) and own in taken):
            number += 1
            own = f"{name or f'column_{place}'}.{number}"
        numbers[name] = number
        if own != name:
            changed.append(f"{own!r} (field {place}, {name!r} in the file)")
        seen.add(own)
        unique.append(own)
    if changed and label is not None:
        shown = ", ".join(changed[:10]) + (f", … ({len(changed) - 10} more)" if len(changed) > 10 else "")
        warn(f"the header line of {label} repeats names or leaves them empty; renamed: {shown}")
    return tuple(unique)


def require_columns(names: Sequence[str], expected: pa.Schema, label: str) -> None:
    """Raise `SchemaError` if these are not the columns of `expected`, in any order."""
    wanted, found = expected.names, frozenset(names)
    for name in wanted:
        if name not in found:
            raise SchemaError(
                f"{label} has no column {name!r}, which the first file has",
                source=label,
                column=name,
                hint=f"its columns are: {', '.join(names[:20])}{', …' if len(names) > 20 else ''}",
            )
    known = frozenset(wanted)
    for name in names:
        if name not in known:
            raise SchemaError(
                f"{label} has a column {name!r}, which the first file does not have",
                source=label,
                column=name,
                hint='pass schema="union": what a file lacks is null.',
            )


# Many files have one header.
@lru_cache(maxsize=4)
def _fields(text: bytes, dialect: Dialect) -> tuple[str, ...]:
    return tuple(_parsed(text, dialect, autogenerate_column_names=False).schema.names)


def _count(text: bytes, dialect: Dialect) -> int:
    return int(_parsed(text, dialect, autogenerate_column_names=True).num_columns)


def _parsed(text: bytes, dialect: Dialect, *, autogenerate_column_names: bool) -> pa.Table:
    # Arrow counts the fields of a whole line only. Two newlines, since an escape may eat the first.
    whole = (BOM if text.startswith(BOM) else b"") + text + b"\n\n"
    return pacsv.read_csv(
        pa.BufferReader(whole),
        read_options=pacsv.ReadOptions(
            use_threads=False, block_size=len(whole) + 1, autogenerate_column_names=autogenerate_column_names
        ),
        parse_options=dialect.arrow,
    )


def _not_text(label: str, offset: int, text: bytes, encoding: str = "utf-8") -> DecodeError:
    if encoding == "utf-8":
        what, hint = "UTF-8 text", other_format(text) or ENCODING_HINT
    else:
        what, hint = f"{encoding} text: {with_escapes(text).strip()!r}", f"{ENCODING_HINT} {_WITHOUT_IT}"
    return DecodeError(f"the header line of {label} is not {what}", source=label, byte_offset=offset, hint=hint)
