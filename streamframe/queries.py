"""Where frames begin that a database holds.

Rule: as for files, a plan of one node is made, and no database is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streamframe.databases.targets import target
from streamframe.errors import PlanError
from streamframe.plan.arguments import checked_dtypes, refuse
from streamframe.plan.node import Scan
from streamframe.sources.query import Query
from streamframe.stream import StreamFrame


def read_sql(
    query: Any,
    connection: Any,
    *,
    params: Sequence[Any] | Mapping[str, Any] | None = None,
    dtype: Mapping[str, Any] | None = None,
    **foreign: Any,
) -> StreamFrame:
    """Stream the rows of a query, in pieces that fit the option `memory`.

    Lazy: every run sends the query again; rows come in the order that the database gives them.

    Parameters
    ----------
    query
        A query as text; with SQLAlchemy also a statement, such as a `select`.
    connection
        An open connection of ADBC, DuckDB, SQLAlchemy, psycopg, sqlite3 or another DB-API driver; an
        SQLAlchemy engine; or a URI: ``"postgresql://…"`` (through ADBC where its driver is installed),
        ``"sqlite:///file.db"``, ``"duckdb:///file.db"``, or any that SQLAlchemy knows. A connection of yours
        is used on the thread that iterates, and is never closed, committed or rolled back. Of psycopg's
        the rows come through a cursor on the server; other DB-API drivers may fetch all of them first.
    params
        Values for the placeholders in the query, in the words of the driver (``?``, ``%s``, ``$1``, ``:name``).
    dtype
        Types by column: ``{"zip": "string"}``. Default: the database's, where the driver tells them, else
        found in the first rows (SQLite), then frozen. Numerics without a precision have the digits behind the
        point that the first rows have; UUIDs and JSON are text.

    Raises
    ------
    PlanError
        If the connection is none; when it runs, if the database refuses the query.
    SourceError, DecodeError, SchemaError
        When it runs: the connection breaks, a value does not fit its column's type, two columns have one name.

    Examples
    --------
    >>> import sqlite3, streamframe as sf
    >>> connection = sqlite3.connect(":memory:")
    >>> sf.read_sql("select 2 as n union select ?", connection, params=[5]).to_arrow().to_pylist()
    [{'n': 2}, {'n': 5}]
    >>> connection.close()
    """
    refuse(foreign, read_sql)
    if isinstance(query, str) and not query.strip():
        raise PlanError("read_sql needs a query, got an empty text")
    source = Query(query, target(connection, "read_sql"), params, dict(checked_dtypes(dtype, lambda name, kind: None)))
    return StreamFrame(Scan(source))
