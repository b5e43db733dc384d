"""Rows of Python objects, as DB-API cursors give them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from streamframe.databases.base import Column, Piece, Result
from streamframe.errors import PlanError

# So many rows tell what a row weighs; more are asked for then.
_FIRST_ROWS = 1_000
_WEIGHED_ROWS = 50
_MOST_ROWS = 50_000


class CursorRows(Result):
    """The rows of a DB-API cursor on which a query runs."""

    def __init__(self, cursor: Any, columns: list[Column], close: Callable[[], object], cancel: Any = None) -> None:
        self._cursor = cursor
        self._columns = columns
        self._close = close
        self._cancel = cancel
        self._row_bytes = 0

    @property
    def columns(self) -> list[Column]:
        return self._columns

    def fetch(self, nbytes: int) -> Piece | None:
        rows = _FIRST_ROWS if not self._row_bytes else max(1, min(_MOST_ROWS, nbytes // self._row_bytes))
        fetched = self._cursor.fetchmany(rows)
        if not fetched:
            return None
        self._row_bytes = _row_bytes(fetched)
        return Piece(tuple(zip(*fetched, strict=True)), len(fetched), len(fetched) * self._row_bytes)

    def cancel(self) -> None:
        if self._cancel is not None:
            self._cancel()

    def close(self) -> None:
        self._close()


def columns_of(cursor: Any) -> list[Column]:
    """Return the columns of a cursor that has run a query, without types: DB-API's tell none."""
    return [Column(entry[0]) for entry in described(cursor.description)]


def described(description: Any) -> Sequence[Any]:
    """Return what a cursor says about its columns; a statement has none."""
    if not description:
        raise PlanError("this statement returns no rows", hint="read_sql needs a query, such as a SELECT.")
    return list(description)


def _row_bytes(rows: Sequence[Sequence[Any]]) -> int:
    weighed = rows[:: max(1, len(rows) // _WEIGHED_ROWS)]
    return max(1, sum(sys.getsizeof(row) + sum(map(sys.getsizeof, row)) for row in weighed) // len(weighed))
