"""Every way to reach a database, by name: a function that opens one, over a folder and perhaps PostgreSQL."""

import sqlite3

import duckdb
import pytest


def _adbc_sqlite(folder, postgres):
    return pytest.importorskip("adbc_driver_sqlite.dbapi").connect(str(folder / "a.db"))


def _adbc(folder, postgres):
    return pytest.importorskip("adbc_driver_postgresql.dbapi").connect(postgres().uri)


def _psycopg(folder, postgres):
    return pytest.importorskip("psycopg").connect(postgres().conninfo)


def _engine(folder, postgres):
    uri = postgres().uri.replace("postgresql:", "postgresql+psycopg:")
    return pytest.importorskip("sqlalchemy").create_engine(uri)


def _uri(folder, postgres):
    pytest.importorskip("adbc_driver_postgresql")
    return postgres().uri


CONNECTIONS = {
    "sqlite3": lambda folder, postgres: sqlite3.connect(folder / "a.db"),
    "sqlite URI": lambda folder, postgres: f"sqlite:///{folder / 'a.db'}",
    "sqlite engine": lambda folder, postgres: pytest.importorskip("sqlalchemy").create_engine(
        f"sqlite:///{folder / 'a.db'}"
    ),
    "adbc sqlite": _adbc_sqlite,
    "duckdb": lambda folder, postgres: duckdb.connect(folder / "a.duckdb"),
    "duckdb URI": lambda folder, postgres: f"duckdb:///{folder / 'a.duckdb'}",
    "psycopg": _psycopg,
    "adbc postgresql": _adbc,
    "postgresql engine": _engine,
    "postgresql URI": _uri,
}


def let_go(connection):
    """Close what `CONNECTIONS` has opened."""
    for name in ("dispose", "close"):
        if hasattr(connection, name):
            return getattr(connection, name)()
    return None
