"""Any other DB-API connection: rows in pieces, through a cursor on the server where it takes a name."""

from __future__ import annotations

import itertools
from typing import Any

import pyarrow as pa

from streamframe.databases.base import Column, Driver, IfExists, Loading, Piece, Result, TableName
from streamframe.databases.rows import CursorRows, columns_of
from streamframe.errors import PlanError

_numbers = itertools.count(1)


class DBAPI(Driver):
    """A connection of a driver that we know nothing else of."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def query(self, query: Any, params: Any, nbytes: int) -> Result:
        if type(self._connection).__module__.partition(".")[0] == "psycopg2":
            name = f"streamframe_psycopg2_{next(_numbers)}"
            cursor = self._connection.cursor(name=name, withhold=self._connection.autocommit)
        else:
            cursor = self._connection.cursor()
        try:
            cursor.execute(*((query,) if params is None else (query, params)))
            return _Late(cursor, [], cursor.close)
        except BaseException:
            cursor.close()
            raise

    def load(self, table: TableName, schema: pa.Schema, if_exists: IfExists) -> Loading:
        kind = type(self._connection)
        raise PlanError(
            f"to_sql does not know how {kind.__module__}.{kind.__name__} begins a transaction",
            hint="pass an SQLAlchemy engine of the same database.",
        )


class _Late(CursorRows):
    """Rows whose columns some drivers tell only after the first fetch."""

    _first: Piece | None = None

    @property
    def columns(self) -> list[Column]:
        if not self._columns:
            if not self._cursor.description:
                self._first = super().fetch(0)
            self._columns = columns_of(self._cursor)
        return self._columns

    def fetch(self, nbytes: int) -> Piece | None:
        first, self._first = self._first, None
        return first or super().fetch(nbytes)
