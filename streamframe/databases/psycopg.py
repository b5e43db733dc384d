"""PostgreSQL through psycopg: a cursor on the server for reading, COPY for writing."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.databases.base import Column, Driver, IfExists, Loading, Result, TableName, create_table, quoted
from streamframe.databases.rows import CursorRows, described
from streamframe.databases.sql_types import plain, postgres_type

# PostgreSQL's numbers of types that psycopg makes Python objects of, which Arrow has a type for.
_TYPES = {
    16: pa.bool_(), 17: pa.binary(), 20: pa.int64(), 21: pa.int16(), 23: pa.int32(), 26: pa.int64(),
    700: pa.float32(), 701: pa.float64(), 1082: pa.date32(), 1083: pa.time64("us"),
    1114: pa.timestamp("us"), 1184: pa.timestamp("us", "UTC"),
    1000: pa.list_(pa.bool_()), 1005: pa.list_(pa.int16()), 1007: pa.list_(pa.int32()), 1016: pa.list_(pa.int64()),
    1009: pa.list_(pa.string()), 1015: pa.list_(pa.string()),
    1021: pa.list_(pa.float32()), 1022: pa.list_(pa.float64()),
}  # fmt: skip
_NUMERIC = 1700
_numbers = itertools.count(1)


class Psycopg(Driver):
    """A connection of psycopg 3, the user's."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def query(self, query: Any, params: Any, nbytes: int) -> Result:
        from psycopg.types.string import TextLoader

        connection = self._connection
        # Without a transaction a cursor ends with its statement, unless it is held.
        cursor = connection.cursor(name=f"streamframe_{next(_numbers)}", withhold=connection.autocommit)
        try:
            cursor.row_factory = _plain_rows
            cursor.execute(query, params)
            columns = postgres_columns(cursor.description, decimal_text=True)
            # As the database writes them: Python's objects for JSON and intervals lose digits, or months.
            for entry in cursor.description:
                if entry.type_code not in _TYPES:
                    cursor.adapters.register_loader(entry.type_code, TextLoader)
        except BaseException:
            with contextlib.suppress(Exception):
                cursor.close()
            raise
        return CursorRows(cursor, columns, cursor.close, connection.cancel_safe)

    def load(self, table: TableName, schema: pa.Schema, if_exists: IfExists) -> Loading:
        return _Loading(self._connection, table, schema, if_exists)


def postgres_columns(description: Any, *, decimal_text: bool) -> list[Column]:
    """Return the columns of a cursor of psycopg's, with the types that PostgreSQL tells.

    `decimal_text` says that numerics come as text.
    """
    return [_column(entry, decimal_text) for entry in described(description)]


def _column(entry: Any, decimal_text: bool) -> Column:
    name, code, precision, scale = entry[0], entry[1], entry[4], entry[5]
    if code != _NUMERIC:
        return Column(name, _TYPES.get(code, pa.string()))
    if precision is None or precision > 38 or not 0 <= (scale or 0) <= precision:
        return Column(name, decimal_text=decimal_text)
    return Column(name, pa.decimal128(precision, scale or 0))


def _plain_rows(cursor: Any) -> Any:
    return tuple


class _Loading(Loading):
    def __init__(self, connection: Any, table: TableName, schema: pa.Schema, if_exists: IfExists) -> None:
        types = {field.name: postgres_type(field) for field in schema}
        self._connection = connection
        names = ", ".join(map(quoted, schema.names))
        self._copy = f"COPY {table.quoted} ({names}) FROM STDIN (FORMAT csv)"
        # On a connection that is in a transaction this is a savepoint, and the rest the user's to commit.
        self._transaction = connection.transaction()
        self._transaction.__enter__()
        try:
            for statement in create_table(table, types, if_exists):
                connection.execute(statement)
        except BaseException:
            with contextlib.suppress(Exception):
                self.rollback()
            raise

    def write(self, batch: pa.RecordBatch) -> None:
        # One COPY for each batch: while one is under way, the connection can do nothing else, such as
        # reading what is written here.
        with self._connection.cursor() as cursor, cursor.copy(self._copy) as copy:
            copy.write(_csv(batch))

    def commit(self) -> None:
        self._transaction.__exit__(None, None, None)

    def rollback(self) -> None:
        import psycopg

        self._transaction.__exit__(psycopg.Rollback, psycopg.Rollback(self._transaction), None)

    def close(self) -> None:
        return None


def _csv(batch: pa.RecordBatch) -> pa.Buffer:
    """Return rows as COPY takes them: text in quotes, so that what is empty and unquoted is null."""
    import pyarrow.csv

    columns = [_copied(column) for column in batch.columns]
    sink = pa.BufferOutputStream()
    table = pa.Table.from_arrays(columns, names=batch.schema.names)
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed")
    pyarrow.csv.write_csv(table, sink, options)
    return sink.getvalue()


def _copied(column: pa.Array) -> pa.Array:
    column = plain(column)
    kind = column.type
    if pa.types.is_duration(kind):
        return pc.binary_join_element_wise(column.cast(pa.int64()).cast(pa.string()), "microseconds", " ")
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.array([None if value is None else f"\\x{value.hex()}" for value in column.to_pylist()], pa.string())
    if pa.types.is_null(kind) or pa.types.is_time(kind) or pa.types.is_decimal(kind) or pa.types.is_float16(kind):
        return column.cast(pa.string())
    return column.cast(pa.string()) if pa.types.is_string_view(kind) else column
