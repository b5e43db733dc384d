"""Arrow's JSON reader, and what has to be done around it to be exact.

Rules: it takes dates and times from numbers only, and drops time zones in silence; Arrow's casts
from text are exact: they read ISO 8601, and want a zone where the type has one, and none where it
has none. So these are read as text and cast. Text is validated, which the reader does not do.
"""

from __future__ import annotations

import pyarrow as pa

from streamframe.batch import rows_without_columns
from streamframe.errors import PlanError
from streamframe.schema import is_text

# Arrow's message may quote bytes that are no text, and then cannot be told.
REFUSED = (pa.ArrowInvalid, UnicodeDecodeError)


def parsed(data: pa.Buffer, records: int, fields: pa.Schema, wanted: pa.Schema, *, unexpected: str) -> pa.RecordBatch:
    """Return `wanted` of so many records in as many lines; raise one of `REFUSED` if these are not what is there."""
    import pyarrow.json as pajson

    table = pajson.read_json(
        pa.BufferReader(data),
        read_options=pajson.ReadOptions(use_threads=False, block_size=data.size + 1),
        parse_options=pajson.ParseOptions(
            explicit_schema=pa.schema([(field.name, read_type(field.type)) for field in fields]),
            unexpected_field_behavior=unexpected,
        ),
    )
    if table.num_rows != records:
        raise pa.ArrowInvalid(f"{table.num_rows} records in {records} lines")
    columns = [table.column(field.name).combine_chunks() for field in wanted]
    for column in columns:
        column.validate(full=True)
    converted = [_converted(column, field.type) for column, field in zip(columns, wanted, strict=True)]
    if not converted:
        # Somebody has to be counted.
        return rows_without_columns(records)
    return pa.RecordBatch.from_arrays(converted, schema=wanted)


def _converted(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type == kind:
        return column
    if pa.types.is_time(kind):
        # Arrow casts no text to times of day, but to instants, and these to times of day.
        import pyarrow.compute as pc

        first_day = pc.binary_join_element_wise("1970-01-01T", column, "")
        column = first_day.cast(pa.timestamp(kind.unit))
    return column.cast(kind)


def reads(text: str, kind: pa.DataType) -> bool:
    """Tell whether a value, given as JSON text, can be read as `kind`."""
    schema = pa.schema([("x", kind)])
    try:
        parsed(pa.py_buffer(f'{{"x":{text}}}'.encode()), 1, schema, schema, unexpected="error")
    except REFUSED:
        return False
    return True


def surely_refused(value: object, kind: pa.DataType) -> bool:
    """Tell, without trying, that no value of this sort is read as `kind`; False where only a trial can tell."""
    if value is None or pa.types.is_decimal(kind) or pa.types.is_dictionary(kind):
        return False
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return isinstance(value, bool | str | dict | list)
    if pa.types.is_boolean(kind):
        return not isinstance(value, bool)
    if pa.types.is_struct(kind):
        known = {field.name: field.type for field in kind}
        return not isinstance(value, dict) or any(
            surely_refused(value[name], known[name]) for name in known.keys() & value.keys()
        )
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return not isinstance(value, list) or any(surely_refused(item, kind.value_type) for item in value)
    if pa.types.is_duration(kind):
        return isinstance(value, dict | list)
    return (is_text(kind) or pa.types.is_temporal(kind)) and not isinstance(value, str)


def read_type(kind: pa.DataType) -> pa.DataType:
    """Return the type that is asked of Arrow's JSON reader, and then cast to `kind`."""
    if pa.types.is_date(kind) or pa.types.is_time(kind) or pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_duration(kind):
        return pa.int64()
    if pa.types.is_dictionary(kind):
        return read_type(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(read_type(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(read_type(field.type)) for field in kind])
    return kind


def require_readable(name: str, kind: pa.DataType) -> None:
    """Raise `PlanError` if a column cannot be read as `kind`."""
    import pyarrow.json as pajson

    hint = f'read it as "string" and cast it: .cast({{{name!r}: ...}}).'
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        # Arrow would take the text itself for the bytes.
        hint = 'JSON has no bytes: read it as "string"; if it is base64, decode that with map_batches.'
    else:
        try:
            schema = pa.schema([("x", read_type(kind))])
            table = pajson.read_json(
                pa.BufferReader(b'{"x":null}'), parse_options=pajson.ParseOptions(explicit_schema=schema)
            )
            _converted(table.column("x"), kind)
        except pa.ArrowNotImplementedError:
            pass
        else:
            return
    raise PlanError(f"dtype: column {name!r} cannot be read from NDJSON as {kind}", column=name, hint=hint)
