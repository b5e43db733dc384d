"""SQLAlchemy's engines and connections: every database that it has a dialect for."""

from __future__ import annotations

import contextlib
import decimal
from typing import Any

import pyarrow as pa

from streamframe.databases.base import Column, Driver, IfExists, Loading, Result, TableName
from streamframe.databases.errors import table_exists
from streamframe.databases.psycopg import Psycopg, postgres_columns
from streamframe.databases.rows import CursorRows, columns_of
from streamframe.databases.sql_types import plain, unknown
from streamframe.databases.sqlite import SQLite
from streamframe.errors import SchemaError
from streamframe.schema import parse_dtype


class SQLAlchemy(Driver):
    """An `Engine`, of which a connection is taken and given back, or a `Connection` of the user's."""

    def __init__(self, connectable: Any, *, owned: bool) -> None:
        self._connectable = connectable
        self._owned = owned

    def query(self, query: Any, params: Any, nbytes: int) -> Result:
        import sqlalchemy as sa

        connection, close = self._connected()
        try:
            options = {"stream_results": True}
            if isinstance(query, str) and params is None:
                # As it is: a colon or a percent sign in it means nothing.
                result = connection.exec_driver_sql(query, execution_options={**options, "no_parameters": True})
            else:
                statement = sa.text(query) if isinstance(query, str) else query
                result = connection.execute(statement, params or {}, execution_options=options)

            def close_both() -> None:
                try:
                    result.close()
                finally:
                    close()

            cancel = _cancel(connection.connection.dbapi_connection)
            return CursorRows(result, _columns(connection, query, result), close_both, cancel)
        except BaseException:
            close()
            raise

    def load(self, table: TableName, schema: pa.Schema, if_exists: IfExists) -> Loading:
        connection, close = self._connected()
        try:
            raw = connection.connection.dbapi_connection
            # These do better without SQLAlchemy: it does not begin a transaction in SQLite before a
            # table is made, and knows no COPY.
            if connection.dialect.driver == "pysqlite":
                return _Within(SQLite(raw, owned=False).load(table, schema, if_exists), close)
            if connection.dialect.driver == "psycopg":
                return _Within(Psycopg(raw).load(table, schema, if_exists), close)
            return _Within(_Inserting(connection, table, schema, if_exists), close)
        except BaseException:
            close()
            raise

    def _connected(self) -> tuple[Any, Any]:
        import sqlalchemy as sa

        if isinstance(self._connectable, sa.Connection):
            return self._connectable, lambda: None
        connection = self._connectable.connect()

        def close() -> None:
            connection.close()
            if self._owned:
                self._connectable.dispose()

        return connection, close


def _columns(connection: Any, query: Any, result: Any) -> list[Column]:
    if getattr(result, "cursor", None) is None:
        return columns_of(_Nothing)
    if connection.dialect.driver == "psycopg":
        return postgres_columns(result.cursor.description, decimal_text=False)
    columns = columns_of(result.cursor)
    selected = list(getattr(query, "selected_columns", ()))
    if len(selected) != len(columns):
        return columns
    return [Column(column.name, _declared(one.type)) for column, one in zip(columns, selected, strict=True)]


def _cancel(raw: Any) -> Any:
    """Return what ends a statement from another thread, where the driver has it: psycopg, psycopg2, sqlite3."""
    names = ("cancel_safe", "cancel", "interrupt")
    return next((getattr(raw, name) for name in names if hasattr(raw, name)), None)


class _Nothing:
    description = None


def _declared(kind: Any) -> pa.DataType | None:
    """Return the type that an expression of SQLAlchemy's says it has; None where that is no whole answer."""
    try:
        python = kind.python_type
        if python is decimal.Decimal:
            return pa.decimal128(kind.precision, kind.scale) if kind.precision and kind.scale is not None else None
        return parse_dtype(python) if python in (int, float, str, bytes, bool) else None
    except (NotImplementedError, ValueError, SchemaError):
        return None


class _Within(Loading):
    """A table that is filled on a connection which has to be given back."""

    def __init__(self, loading: Loading, close: Any) -> None:
        self._loading = loading
        self._close = close

    def write(self, batch: pa.RecordBatch) -> None:
        self._loading.write(batch)

    def commit(self) -> None:
        self._loading.commit()

    def rollback(self) -> None:
        self._loading.rollback()

    def close(self) -> None:
        try:
            self._loading.close()
        finally:
            self._close()


class _Inserting(Loading):
    def __init__(self, connection: Any, table: TableName, schema: pa.Schema, if_exists: IfExists) -> None:
        import sqlalchemy as sa

        self._connection = connection
        columns = [sa.Column(field.name, _type(field)) for field in schema]
        self._table = sa.Table(table.name, sa.MetaData(), *columns, schema=table.schema)
        self._transaction = connection.begin_nested() if connection.in_transaction() else connection.begin()
        try:
            exists = sa.inspect(connection).has_table(table.name, schema=table.schema)
            if exists and if_exists == "error":
                raise table_exists()
            if exists and if_exists == "replace":
                self._table.drop(connection)
            if not exists or if_exists == "replace":
                self._table.create(connection)
        except BaseException:
            with contextlib.suppress(Exception):
                self.rollback()
            raise

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [plain(column) for column in batch.columns]
        rows = pa.RecordBatch.from_arrays(columns, names=batch.schema.names).to_pylist()
        if rows:
            self._connection.execute(self._table.insert(), rows)

    def commit(self) -> None:
        self._transaction.commit()

    def rollback(self) -> None:
        self._transaction.rollback()

    def close(self) -> None:
        return None


def _type(field: pa.Field) -> Any:
    import sqlalchemy as sa

    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_decimal(kind):
        return sa.Numeric(kind.precision, kind.scale)
    if pa.types.is_timestamp(kind):
        return sa.DateTime(timezone=kind.tz is not None)
    for known, made in (
        (pa.types.is_boolean, sa.Boolean), (pa.types.is_integer, sa.BigInteger), (pa.types.is_floating, sa.Double),
        (pa.types.is_date, sa.Date), (pa.types.is_time, sa.Time), (pa.types.is_duration, sa.Interval),
        (pa.types.is_string, sa.Text), (pa.types.is_large_string, sa.Text), (pa.types.is_null, sa.Text),
        (pa.types.is_binary, sa.LargeBinary), (pa.types.is_large_binary, sa.LargeBinary),
    ):  # fmt: skip
        if known(kind):
            return made()
    raise unknown(field, "SQLAlchemy")
