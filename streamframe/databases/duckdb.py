"""DuckDB: a cursor of its own for each query, since a connection holds one open result."""

from __future__ import annotations

import contextlib
from typing import Any

import pyarrow as pa

from streamframe.databases.base import Column, Driver, IfExists, Loading, Piece, Result, TableName, quoted
from streamframe.databases.interrupting import interruptible
from streamframe.errors import PlanError

# A reader counts rows, not bytes; DuckDB itself computes 2,048 at a time.
_BATCH_ROWS = 8_192
_VIEW = "streamframe_batch"


class DuckDB(Driver):
    """A connection of DuckDB."""

    def __init__(self, connection: Any, *, owned: bool) -> None:
        self._connection = connection
        self._owned = owned

    def query(self, query: Any, params: Any, nbytes: int) -> Result:
        return _Rows(self._connection, self._owned, query, params)

    def load(self, table: TableName, schema: pa.Schema, if_exists: IfExists) -> Loading:
        return _Loading(self._connection, self._owned, table, schema, if_exists)


class _Rows(Result):
    def __init__(self, connection: Any, owned: bool, query: Any, params: Any) -> None:
        self._connection = connection
        self._owned = owned
        self._reader: Any = None
        self._cursor = connection.cursor()
        try:
            # Not `execute`: Arrow out of a DB-API result is copied, and DuckDB 2 warns of it.
            self._reader = interruptible(lambda: _reader(self._cursor.sql(query, params=params)), self.cancel)
        except BaseException:
            self.close()
            raise

    @property
    def columns(self) -> list[Column]:
        return [Column(field.name, field.type) for field in self._reader.schema]

    def fetch(self, nbytes: int) -> Piece | None:
        batch = interruptible(lambda: next(self._reader, None), self.cancel)
        return None if batch is None else Piece(batch.columns, batch.num_rows, batch.nbytes)

    def cancel(self) -> None:
        self._cursor.interrupt()

    def close(self) -> None:
        # In this order, or streams that are open at exit are reported as leaked.
        if self._reader is not None:
            self._reader.close()
        self._cursor.close()
        if self._owned:
            self._connection.close()


def _reader(relation: Any) -> Any:
    if relation is None:
        raise PlanError("this statement returns no rows", hint="read_sql needs a query, such as a SELECT.")
    make = getattr(relation, "to_arrow_reader", None) or relation.fetch_record_batch
    return make(_BATCH_ROWS)


class _Loading(Loading):
    def __init__(self, connection: Any, owned: bool, table: TableName, schema: pa.Schema, if_exists: IfExists) -> None:
        self._connection = connection
        self._owned = owned
        self._table = table
        self._columns = ", ".join(map(quoted, schema.names))
        # A transaction of our own, whatever the user's connection is in the middle of.
        self._cursor = connection.cursor()
        self._cursor.begin()
        try:
            if if_exists == "replace":
                self._cursor.execute(f"DROP TABLE IF EXISTS {table.quoted}")
            unless = "IF NOT EXISTS " if if_exists == "append" else ""
            self._with(
                pa.RecordBatch.from_pylist([], schema=schema),
                f"CREATE TABLE {unless}{table.quoted} AS SELECT * FROM {_VIEW}",
            )
        except BaseException:
            with contextlib.suppress(Exception):
                self.rollback()
            self.close()
            raise

    def write(self, batch: pa.RecordBatch) -> None:
        self._with(batch, f"INSERT INTO {self._table.quoted} ({self._columns}) SELECT {self._columns} FROM {_VIEW}")

    def commit(self) -> None:
        self._cursor.commit()

    def rollback(self) -> None:
        self._cursor.rollback()

    def close(self) -> None:
        self._cursor.close()
        if self._owned:
            self._connection.close()

    def _with(self, batch: pa.RecordBatch, statement: str) -> None:
        self._cursor.register(_VIEW, pa.Table.from_batches([batch]))
        # If this fails, nothing can be done in the transaction but to take it back, the view with it.
        self._cursor.execute(statement)
        self._cursor.unregister(_VIEW)
