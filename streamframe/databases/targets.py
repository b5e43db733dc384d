"""What a user gives as a connection: an open one of some library, an engine, or a URI.

Rules: nothing is opened before `connect`. A library is told by the module of the object's class, so that
none is imported that the user does not use.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from streamframe.databases.adbc import Adbc
from streamframe.databases.base import Driver
from streamframe.databases.dbapi import DBAPI
from streamframe.databases.duckdb import DuckDB
from streamframe.databases.psycopg import Psycopg
from streamframe.databases.sqlalchemy import SQLAlchemy
from streamframe.databases.sqlite import SQLite
from streamframe.errors import MissingDependencyError, PlanError, SourceError
from streamframe.io.redact import redact, secrets_of

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9_+.\-]*)://")


@dataclass(frozen=True)
class Target:
    """A database, as errors and reprs call it, and how to reach it.

    Attributes
    ----------
    label : str
        Without secrets.
    owned : bool
        We open the connection, so a thread of ours may use it, and we close it.
    connect : callable
        Returns the driver; takes whether something will be written.
    """

    label: str
    owned: bool
    connect: Callable[[bool], Driver] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


def target(connection: Any, verb: str) -> Target:
    """Return what a user's `connection` is, without touching it.

    Raises
    ------
    PlanError
        If it is nothing that a database is reached by.
    """
    if isinstance(connection, str):
        return _of_uri(connection, verb)
    kinds = [(kind.__module__.partition(".")[0].strip("_"), kind.__name__) for kind in type(connection).__mro__]
    label = f"the {kinds[0][0]} {'engine' if kinds[0][1] == 'Engine' else 'connection'}"
    for kind, make in _KNOWN.items():
        if kind in kinds:
            return Target(label, False, partial(_given, make, connection))
    if ("sqlalchemy", "URL") in kinds:
        uri = connection.render_as_string(hide_password=False)
        return Target(redact(uri), True, partial(_sqlalchemy, uri), secrets_of(uri))
    if ("psycopg", "AsyncConnection") in kinds or not callable(getattr(connection, "cursor", None)):
        raise PlanError(
            f"{verb} needs a connection, got {type(connection).__module__}.{type(connection).__name__}",
            hint='such as sqlite3.connect(path), an SQLAlchemy engine, or "postgresql://host/database".',
        )
    return Target(label, False, partial(_given, DBAPI, connection))


_KNOWN: dict[tuple[str, str], Callable[[Any], Driver]] = {
    ("adbc_driver_manager", "Connection"): partial(Adbc, owned=False),
    ("duckdb", "DuckDBPyConnection"): partial(DuckDB, owned=False),
    ("sqlite3", "Connection"): partial(SQLite, owned=False),
    ("psycopg", "Connection"): Psycopg,
    ("sqlalchemy", "Engine"): partial(SQLAlchemy, owned=False),
    ("sqlalchemy", "Connection"): partial(SQLAlchemy, owned=False),
}


def _given(make: Callable[[Any], Driver], connection: Any, write: bool) -> Driver:
    return make(connection)


def _of_uri(uri: str, verb: str) -> Target:
    found = _SCHEME.match(uri)
    if found is None:
        # The text itself stays out of it: a connection string of another kind holds a password.
        raise PlanError(
            f"{verb} needs a connection or a URI, got a text without ://",
            hint='such as "postgresql://host/database" or "sqlite:///file.db".',
        )
    connect = _OPENED.get(found[1].lower(), _sqlalchemy)
    return Target(redact(uri), True, partial(connect, uri), secrets_of(uri))


def _postgresql(uri: str, write: bool) -> Driver:
    try:
        from adbc_driver_postgresql import dbapi
    except ImportError:
        return _sqlalchemy(uri, write)
    return Adbc(dbapi.connect(uri), owned=True)


def _sqlite(uri: str, write: bool) -> Driver:
    import sqlite3

    path = _path(uri, write)
    # The reader thread reads, and the consumer's closes; never at once.
    opened = sqlite3.connect(f"file:{quote(path)}?mode={'rwc' if write else 'ro'}", uri=True, check_same_thread=False)
    return SQLite(opened, owned=True)


def _duckdb(uri: str, write: bool) -> Driver:
    import duckdb

    return DuckDB(duckdb.connect(_path(uri, write), read_only=not write), owned=True)


def _path(uri: str, write: bool) -> str:
    """Return the file behind ``scheme:///``; four slashes begin an absolute path, as in SQLAlchemy."""
    path = uri.partition("://")[2].partition("?")[0].removeprefix("/")
    if not path or path == ":memory:":
        raise PlanError(
            f"{redact(uri)} is a database in memory, new and empty for every connection",
            hint="name a file, or pass the connection itself.",
        )
    if not write and not Path(path).exists():
        raise SourceError.missing(path)
    return path


def _sqlalchemy(uri: str, write: bool) -> Driver:
    try:
        import sqlalchemy as sa
    except ImportError as error:
        raise MissingDependencyError.extra("sqlalchemy", "sql") from error
    try:
        return SQLAlchemy(sa.create_engine(uri), owned=True)
    except ImportError as error:
        raise MissingDependencyError(
            f"SQLAlchemy needs the package {error.name!r} for this URI, which is not installed",
            hint=f"pip install {error.name}",
        ) from error


_OPENED: dict[str, Callable[[str, bool], Driver]] = {
    "postgresql": _postgresql,
    "postgres": _postgresql,
    "sqlite": _sqlite,
    "duckdb": _duckdb,
}
