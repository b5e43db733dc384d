"""SQLite through Python's own module: rows are Python's, and a column may hold any type in any row."""

from __future__ import annotations

import contextlib
from typing import Any

import pyarrow as pa

from streamframe.databases.base import Driver, IfExists, Loading, Result, TableName, create_table, quoted
from streamframe.databases.rows import CursorRows, columns_of
from streamframe.databases.sql_types import plain, unknown

_CALL_ROWS = 500


class SQLite(Driver):
    """A connection of `sqlite3`."""

    def __init__(self, connection: Any, *, owned: bool) -> None:
        self._connection = connection
        self._owned = owned

    def query(self, query: Any, params: Any, nbytes: int) -> Result:
        cursor = self._connection.cursor()

        def close() -> None:
            try:
                cursor.close()
            finally:
                if self._owned:
                    self._connection.close()

        try:
            # Rows as plain tuples, whatever the connection makes of them.
            cursor.row_factory = None
            cursor.execute(query, params or ())
            return CursorRows(cursor, columns_of(cursor), close, self._connection.interrupt, _CALL_ROWS)
        except BaseException:
            close()
            raise

    def load(self, table: TableName, schema: pa.Schema, if_exists: IfExists) -> Loading:
        return _Loading(self._connection, self._owned, table, schema, if_exists)


class _Loading(Loading):
    def __init__(self, connection: Any, owned: bool, table: TableName, schema: pa.Schema, if_exists: IfExists) -> None:
        self._connection = connection
        self._owned = owned
        names, marks = ", ".join(map(quoted, schema.names)), ", ".join("?" * len(schema.names))
        self._insert = f"INSERT INTO {table.quoted} ({names}) VALUES ({marks})"
        # In a transaction of the user's, ours is a part of it, and theirs to commit.
        self._nested = connection.in_transaction
        connection.execute("SAVEPOINT streamframe" if self._nested else "BEGIN")
        try:
            types = {field.name: _declared(field) for field in schema}
            for statement in create_table(table, types, if_exists):
                connection.execute(statement)
        except BaseException:
            with contextlib.suppress(Exception):
                self.rollback()
            self.close()
            raise

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [_storable(column).to_pylist() for column in batch.columns]
        self._connection.executemany(self._insert, zip(*columns, strict=True))

    def commit(self) -> None:
        self._connection.execute("RELEASE SAVEPOINT streamframe" if self._nested else "COMMIT")

    def rollback(self) -> None:
        if self._nested:
            self._connection.execute("ROLLBACK TO SAVEPOINT streamframe")
            self._connection.execute("RELEASE SAVEPOINT streamframe")
        else:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        if self._owned:
            self._connection.close()


def _declared(field: pa.Field) -> str:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_nested(kind):
        raise unknown(field, "SQLite")
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_duration(kind):
        return "INTEGER"
    if pa.types.is_floating(kind):
        return "REAL"
    return "BLOB" if _is_bytes(kind) else "TEXT"


def _storable(column: pa.Array) -> pa.Array:
    """Return a column in the four types of SQLite; moments and decimals are text, which loses nothing."""
    column = plain(column)
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind) or _is_bytes(kind):
        return column
    if pa.types.is_boolean(kind) or pa.types.is_duration(kind):
        return column.cast(pa.int64())
    return column.cast(pa.string())


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))
