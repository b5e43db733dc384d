"""One PostgreSQL for all tests of databases."""

import contextlib
import sqlite3

import duckdb
import pytest

from tests.databases.connecting import CONNECTIONS, let_go
from tests.databases.postgres import INSTALLED, Postgres


@pytest.fixture(scope="session")
def postgres():
    if not INSTALLED:
        pytest.skip("LEFT OUT: PostgreSQL is not installed (see .ci/system-packages)")
    with Postgres() as server:
        yield server


@pytest.fixture
def sqlite():
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        yield connection


@pytest.fixture
def duck():
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture
def pg(postgres):
    """Return a connection of psycopg, in a schema that is gone after the test."""
    psycopg = pytest.importorskip("psycopg")
    with contextlib.closing(psycopg.connect(postgres.conninfo, autocommit=True)) as connection:
        connection.execute("drop schema public cascade; create schema public")
        connection.autocommit = False
        yield connection


@pytest.fixture(params=sorted(CONNECTIONS))
def connection(request, tmp_path):
    """Every kind of connection, to a database without tables."""

    def server():
        found = request.getfixturevalue("postgres")
        request.getfixturevalue("pg")
        return found

    opened = CONNECTIONS[request.param](tmp_path, server)
    yield opened
    let_go(opened)
