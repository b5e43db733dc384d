"""One schema over many files.

Rules: under "first" the first file's schema holds. A file of text that is empty tells of no column; the
others decide. Under "union" and "strict" all files are looked at
before the first row: their footers, or their first blocks. Types are only widened, never narrowed;
what does not go together is an error that names both files.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, get_args

import pyarrow as pa

from streamframe.errors import EmptyFileError, PlanError, SchemaError, StreamError
from streamframe.formats.base import FileFormat
from streamframe.io.local import LocalLocation
from streamframe.io.location import Location
from streamframe.schema import dtype_name
from streamframe.sources.widening import told, widened

SchemaOver = Literal["first", "union", "strict"]
# None is for a file that is empty.
Surveys = dict[Location, pa.Schema | None]

# Each waits for one file of a server at a time.
_SURVEYORS = 8


def checked_schema_over(schema: Any) -> SchemaOver:
    """Return ``schema=`` of a reader; `PlanError` if it is none of the words."""
    if schema not in get_args(SchemaOver):
        raise PlanError(
            f"schema needs 'first', 'union' or 'strict', got {schema!r}",
            hint='types go to dtype={"column": "int64"}, where the format has them.',
        )
    return schema  # type: ignore[no-any-return]


def survey(
    file_format: FileFormat, location: Location, part: int, surveys: Surveys, block_bytes: int
) -> pa.Schema | None:
    """Return the columns of one file as it alone tells them, from `surveys` where known; None if it is empty."""
    if location not in surveys:
        try:
            surveys[location] = file_format.survey(location, block_bytes=block_bytes)
        except EmptyFileError:
            surveys[location] = None
        except StreamError as error:
            raise error.locate(source=location.label, part=part) from error.__cause__
    return surveys[location]


def schema_over(
    mode: SchemaOver,
    file_format: FileFormat,
    locations: Sequence[Location],
    surveys: Surveys,
    block_bytes: int,
) -> pa.Schema | None:
    """Look at all files, and return the schema that holds for them together; None if all are empty.

    Raises
    ------
    SchemaError
        If the columns of two files do not go together; names both.
    """

    def look(part: int) -> pa.Schema | None:
        return survey(file_format, locations[part], part, surveys, block_bytes)

    if all(isinstance(one, LocalLocation) for one in locations):
        found = [look(part) for part in range(len(locations))]
    else:
        with ThreadPoolExecutor(_SURVEYORS, thread_name_prefix="streamframe-survey") as pool:
            try:
                found = list(pool.map(look, range(len(locations))))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    told_by = [(location, schema) for location, schema in zip(locations, found, strict=True) if schema is not None]
    if not told_by:
        return None
    if mode == "strict":
        first, expected = told_by[0]
        for location, schema in told_by[1:]:
            require_equal(expected, schema, first.label, location.label)
    union = _union(told_by, any_text=file_format.widens)
    return told(union) if file_format.text else union


def require_equal(first: pa.Schema, schema: pa.Schema, first_label: str, label: str) -> None:
    """Raise `SchemaError` at the first column in which a file is not like the first one."""
    # Arrow makes a new list of all names at each `.names`.
    in_order, names = first.names, frozenset(schema.names)
    known = frozenset(in_order)
    for name in in_order:
        if name not in names:
            raise _differs(f"{label} has no column {name!r}, which {first_label} has", label, name)
    for place, field in enumerate(schema):
        if field.name not in known:
            raise _differs(f"{label} has a column {field.name!r}, which {first_label} does not have", label, field.name)
        if in_order[place] != field.name:
            raise _differs(
                f"the columns of {label} stand in another order: {field.name!r} is where {first_label} has "
                f"{in_order[place]!r}",
                label,
                field.name,
            )
        # A column of text without a value has no type of its own.
        kinds = {first.field(place).type, field.type} - {pa.null()}
        if len(kinds) > 1:
            raise _differs(
                _two_types(field.name, first.field(place).type, first_label, field.type, label), label, field.name
            )


def require_within(union: pa.Schema, found: pa.Schema, label: str, *, any_text: bool = False) -> None:
    """Raise `SchemaError` if a file that came later has what the frozen schema does not hold.

    With `any_text`, text holds the values of every type.
    """
    types = {field.name: field.type for field in union}
    for field in found:
        known = types.get(field.name)
        if any_text and known == pa.string():
            continue
        if known is None or widened(known, field.type) != known:
            what = f"a column {field.name!r}" if known is None else f"{field.name!r} as {dtype_name(field.type)}"
            raise SchemaError(
                f"{label} has {what}, which no file had when the schema was found",
                source=label,
                column=field.name,
                hint="call the reader again.",
            )


def _union(found: Sequence[tuple[Location, pa.Schema]], *, any_text: bool) -> pa.Schema:
    types: dict[str, pa.DataType] = {}
    from_file: dict[str, str] = {}
    for location, schema in found:
        for field in schema:
            known = types.get(field.name, pa.null())
            kind = widened(known, field.type)
            if kind is None and any_text:
                kind = pa.string()
            if kind is None:
                text = _two_types(field.name, known, from_file[field.name], field.type, location.label)
                raise SchemaError(
                    f"{text}: no type holds both without loss",
                    source=location.label,
                    column=field.name,
                    hint=f'pass dtype={{{field.name!r}: "string"}} where the format has it, or read the files apart, '
                    "cast, and concat them.",
                )
            if kind != known or field.name not in types:
                types[field.name], from_file[field.name] = kind, location.label
    return pa.schema(list(types.items()))


def _two_types(name: str, one: pa.DataType, one_label: str, two: pa.DataType, two_label: str) -> str:
    return f"column {name!r} is {dtype_name(one)} in {one_label}, but {dtype_name(two)} in {two_label}"


def _differs(text: str, label: str, column: str) -> SchemaError:
    return SchemaError(
        text,
        source=label,
        column=column,
        hint='schema="union" takes files whose columns differ, and widens their types.',
    )
