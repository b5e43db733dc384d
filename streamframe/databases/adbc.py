"""ADBC: Arrow in, Arrow out, for PostgreSQL and every database that has a driver of it."""

from __future__ import annotations

import contextlib
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.databases.base import Column, Driver, IfExists, Loading, Piece, Result, TableName, quoted
from streamframe.databases.interrupting import interruptible
from streamframe.errors import DecodeError

_OTHER = "streamframe_rows"
# November 24th, 4714 BC: PostgreSQL has no earlier time. In days, and in microseconds.
_FIRST_DAY = -2_440_588
_FIRST_MOMENT = _FIRST_DAY * 86_400_000_000
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
        self._fetched_rows = 0
        self._cursor = connection.cursor()
        try:
            with contextlib.suppress(Exception):  # an option of PostgreSQL's driver; others do not know it
                self._cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(nbytes)})
            # Left on this thread, ADBC takes Ctrl-C for itself, and says that the statement was cancelled.
            interruptible(lambda: self._cursor.execute(query, params), self.cancel)
            self._reader = self._cursor.fetch_record_batch()
        except BaseException:
            self.close()
            raise

    @property
    def columns(self) -> list[Column]:
        return [_column(field) for field in self._reader.schema]

    def fetch(self, nbytes: int) -> Piece | None:
        batch = interruptible(lambda: next(self._reader, None), self.cancel)
        if batch is None:
            return None
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if (row := _first_overflow(column)) is not None and _is_postgresql(self._connection):
                raise DecodeError(
                    f"column {name!r}: a time is infinity, or too late for {column.type}",
                    column=name,
                    row=self._fetched_rows + row + 1,
                    hint=f"cast it in the query: {quoted(name)}::text, or nullif({quoted(name)}, 'infinity').",
                )
        self._fetched_rows += batch.num_rows
        return Piece(batch.columns, batch.num_rows, batch.nbytes)

    def cancel(self) -> None:
        self._cursor.adbc_cancel()

    def close(self) -> None:
        try:
            self._cursor.close()
        finally:
            if self._owned:
                self._connection.close()


def _is_postgresql(connection: Any) -> bool:
    return bool(connection.adbc_get_info().get("vendor_name") == "PostgreSQL")


def _first_overflow(column: pa.Array) -> int | None:
    """Return where a time is before all that PostgreSQL has; None if there is none.

    PostgreSQL counts from the year 2000, and its driver adds the 30 years since 1970: what does not fit, such as
    infinity, came as some moment 290,000 BC (driver 1.13).
    """
    if pa.types.is_date32(column.type):
        first, counted = _FIRST_DAY, column.cast(pa.int32())
    elif pa.types.is_timestamp(column.type) and column.type.unit == "us":
        first, counted = _FIRST_MOMENT, column.cast(pa.int64())
    else:
        return None
    lowest = pc.min(counted).as_py()
    return None if lowest is None or lowest >= first else pc.index(pc.less(counted, first), True).as_py()


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
        self._names = ", ".join(map(quoted, schema.names))
        self._copied_into_another = False
        self._cursor = connection.cursor()
        try:
            mode = _MODES[if_exists]
            if if_exists == "append" and _is_postgresql(connection):
                found = self._types_found()
                self._copied_into_another = found is not None and found != schema.types
                mode = "append" if found == schema.types else "create"
            self._ingest(pa.Table.from_batches([], schema), mode)
        except BaseException:
            with contextlib.suppress(Exception):
                self.rollback()
            self.close()
            raise

    def write(self, batch: pa.RecordBatch) -> None:
        self._ingest(pa.Table.from_batches([batch]), "append")

    def commit(self) -> None:
        if self._copied_into_another:
            self._cast_across()
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

    def _types_found(self) -> list[pa.DataType] | None:
        """Return the types of our columns in the database; None if there is no such table yet.

        PostgreSQL's driver copies the bytes of one type into a column of any other: the integer 1 was then the
        float 5e-324 (driver 1.13). Where the types differ, the rows go to a table of their own, from which
        PostgreSQL itself casts them.
        """
        self._cursor.execute("SELECT to_regclass($1) IS NULL", [self._table.quoted])
        if self._cursor.fetchone() == (True,):
            return None
        self._cursor.execute(f"SELECT {self._names} FROM {self._table.quoted} LIMIT 0")
        return list(self._cursor.fetch_record_batch().schema.types)

    def _cast_across(self) -> None:
        for statement in (
            f"INSERT INTO {self._table.quoted} ({self._names}) SELECT {self._names} FROM pg_temp.{_OTHER}",
            f"DROP TABLE pg_temp.{_OTHER}",
        ):
            self._cursor.execute(statement)

    def _ingest(self, rows: pa.Table, mode: str) -> None:
        # A reader, since the driver of PostgreSQL counts on a stream.
        given = rows.to_reader()
        if self._copied_into_another:
            self._cursor.adbc_ingest(_OTHER, given, mode=mode, temporary=True)
        else:
            self._cursor.adbc_ingest(self._table.name, given, mode=mode, db_schema_name=self._table.schema)
