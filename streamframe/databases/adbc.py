"""ADBC: Arrow in, Arrow out, for PostgreSQL and every database that has a driver of it."""

from __future__ import annotations

import contextlib
from typing import Any

import pyarrow as pa

from streamframe.databases.base import Column, Driver, IfExists, Loading, Piece, Result, TableName

_MODES = {"error": "create", "append": "create_append", "replace": "replace"}


class Adbc(Driver):
    """A connection of `adbc_driver_manager.dbapi`, whichever database is behind it."""

    def __init__(self, connection: Any, *, owned: bool) -> None:
        self._connection = connection
        self._owned = owned

    def query(self, query: Any, params: Any, nbytes: int) -> Result:
        return _Rows(self._connection, self._owned, query, params, nbytes)

    def load(self, table: TableName, schema: pa.Schema, if_exists: IfExists) -> Loading:
        return _Loading(self._connection, self._owned, table, schema, if_exists)


class _Rows(Result):
    def __init__(self, connection: Any, owned: bool, query: Any, params: Any, nbytes: int) -> None:
        self._connection = connection
        self._owned = owned
        self._cursor = connection.cursor()
        try:
            with contextlib.suppress(Exception):  # an option of PostgreSQL's driver; others do not know it
                self._cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(nbytes)})
            self._cursor.execute(query, params)
            self._reader = self._cursor.fetch_record_batch()
        except BaseException:
            self.close()
            raise

    @property
    def columns(self) -> list[Column]:
        return [_column(field) for field in self._reader.schema]

    def fetch(self, nbytes: int) -> Piece | None:
        batch = next(self._reader, None)
        return None if batch is None else Piece(batch.columns, batch.num_rows, batch.nbytes)

    def cancel(self) -> None:
        self._cursor.adbc_cancel()

    def close(self) -> None:
        try:
            self._cursor.close()
        finally:
            if self._owned:
                self._connection.close()


def _column(field: pa.Field) -> Column:
    if isinstance(field.type, (pa.UuidType, pa.JsonType)):
        return Column(field.name, pa.string())
    if not isinstance(field.type, pa.BaseExtensionType):
        return Column(field.name, field.type)
    if getattr(field.type, "type_name", None) == "numeric":
        return _numeric(field)
    return Column(field.name, field.type.storage_type)


def _numeric(field: pa.Field) -> Column:
    """Return the column of a numeric, which the driver gives as text with PostgreSQL's own word for its digits."""
    digits = int((field.metadata or {}).get(b"POSTGRESQL:typmod", b"-1")) - 4
    precision, scale = digits >> 16, digits & 0x7FF
    if digits < 0 or precision > 38 or scale > precision:
        return Column(field.name, decimal_text=True)
    return Column(field.name, pa.decimal128(precision, scale))


class _Loading(Loading):
    def __init__(self, connection: Any, owned: bool, table: TableName, schema: pa.Schema, if_exists: IfExists) -> None:
        self._connection = connection
        self._owned = owned
        self._table = table
        self._cursor = connection.cursor()
        try:
            self._ingest(pa.Table.from_batches([], schema), _MODES[if_exists])
        except BaseException:
            with contextlib.suppress(Exception):
                self.rollback()
            self.close()
            raise

    def write(self, batch: pa.RecordBatch) -> None:
        self._ingest(pa.Table.from_batches([batch]), "append")

    def commit(self) -> None:
        self._connection.commit()

    def rollback(self) -> None:
        # All of it, not to a savepoint: PostgreSQL's driver takes nothing else once a statement has failed.
        self._connection.rollback()

    def close(self) -> None:
        try:
            self._cursor.close()
        finally:
            if self._owned:
                self._connection.close()

    def _ingest(self, rows: pa.Table, mode: str) -> None:
        # A reader, since the driver of PostgreSQL counts on a stream.
        given = rows.to_reader()
        self._cursor.adbc_ingest(self._table.name, given, mode=mode, db_schema_name=self._table.schema)
