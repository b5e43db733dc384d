"""What becomes of a run on PostgreSQL that is stopped: by the consumer, by Ctrl-C, or because the server dies."""

import contextlib
import signal
import subprocess
import sys
import threading
import time

import pyarrow as pa
import pytest

import streamframe as sf
from tests.databases.postgres import PASSWORD, Postgres

MANY = "select g as id, repeat('x', 100) as note from generate_series(1, 3000000) g"
OURS = "select state, query from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'"


def left(pg):
    """Return what other connections do, once nothing is left or two seconds have gone by."""
    deadline = time.monotonic() + 2
    while (found := pg.execute(OURS).fetchall()) and time.monotonic() < deadline:
        pg.rollback()  # or the view would show what it has shown
    pg.rollback()
    return found


@pytest.fixture(params=["adbc", "sqlalchemy"])
def uri(request, postgres, pg):
    if request.param == "adbc":
        pytest.importorskip("adbc_driver_postgresql")
        return postgres.uri
    pytest.importorskip("sqlalchemy")
    return postgres.uri.replace("postgresql:", "postgresql+psycopg:")


@pytest.mark.slow
def test_breaking_out_leaves_no_connection(uri, pg):
    with sf.options(memory="4MB"):
        for _batch in sf.read_sql(MANY, uri):
            break
        sf.read_sql(MANY, uri).head()
        assert sf.read_sql(MANY, uri).schema.names == ["id", "note"]
    assert left(pg) == []


def test_an_error_in_the_loop_leaves_no_connection(uri, pg):
    with sf.options(memory="4MB"), pytest.raises(RuntimeError, match="mine"):
        for _batch in sf.read_sql(MANY, uri):
            raise RuntimeError("mine")
    assert left(pg) == []


def test_a_run_to_its_end_and_a_query_that_fails_leave_no_connection(uri, pg):
    assert sf.read_sql("select 1 as a", uri).count() == 1
    with pytest.raises(sf.StreamError, match="division by zero"):
        sf.read_sql("select 1 / (g - 5) as a from generate_series(1, 10) g", uri).to_arrow()
    assert left(pg) == []


def test_breaking_out_closes_the_cursor_on_a_connection_of_the_users(pg):
    for _batch in sf.read_sql(MANY, pg):
        break
    assert pg.execute("select name from pg_cursors where name like 'streamframe%'").fetchall() == []


def test_what_a_user_has_pending_is_neither_committed_nor_rolled_back(pg):
    pg.execute("create table t (id int)")
    assert sf.read_sql("select * from t", pg).count() == 0
    sf.from_arrow({"id": [1]}).to_sql("t", pg, if_exists="append")
    with pytest.raises(sf.SinkError, match="exists already"):
        sf.from_arrow({"id": [2]}).to_sql("t", pg)
    assert sf.read_sql("select * from t", pg).to_arrow().to_pylist() == [{"id": 1}]
    pg.rollback()
    assert pg.execute("select to_regclass('t')").fetchone() == (None,)


def test_rows_are_committed_on_a_connection_that_is_in_no_transaction(pg, postgres):
    import psycopg

    sf.from_arrow({"id": [1]}).to_sql("t", pg)
    with psycopg.connect(postgres.conninfo) as other:
        assert other.execute("select count(*) from t").fetchone() == (1,)


def test_what_is_read_may_be_written_on_the_same_connection(pg):
    sf.from_arrow({"id": list(range(5_000))}).to_sql("t", pg)
    with sf.options(memory="1MB"):
        report = sf.read_sql("select * from t", pg).filter(sf.col("id") < 4_000).to_sql("u", pg)
    pg.commit()
    assert (report.rows, pg.execute("select count(*) from u").fetchone()) == (4_000, (4_000,))


def test_a_row_that_the_table_refuses_takes_the_others_back(uri, pg):
    pg.execute("create table t (id int primary key)")
    pg.commit()
    with pytest.raises(sf.SinkError, match="duplicate key") as raised:
        sf.from_arrow({"id": [1, 2, 3, 1]}).rebatch(rows=2).to_sql("t", uri, if_exists="append")
    assert PASSWORD not in str(raised.value)
    assert pg.execute("select count(*) from t").fetchone() == (0,)
    pg.rollback()
    assert left(pg) == []


def test_rows_are_cast_to_the_types_of_the_table_or_refused(uri, pg):
    pg.execute("create table t (a float8, n numeric(10, 2), i int, s text)")
    pg.commit()
    sf.from_arrow({"s": ["x"], "a": [1], "n": [2.5], "i": [3]}).to_sql("t", uri, if_exists="append")
    assert pg.execute("select a, n::float8, i, s from t").fetchall() == [(1.0, 2.5, 3, "x")]
    pg.rollback()
    with pytest.raises(sf.SinkError, match="range"):
        sf.from_arrow({"i": [1 << 40]}).to_sql("t", uri, if_exists="append")
    with pytest.raises(sf.SinkError, match="integer"):
        sf.from_arrow({"i": ["one"]}).to_sql("t", uri, if_exists="append")
    assert pg.execute("select count(*) from t").fetchone() == (1,)


def test_a_table_in_a_schema_is_found_there(uri, pg):
    pg.execute('create schema if not exists "My Schema"; drop table if exists "My Schema".t')
    pg.commit()
    sf.from_arrow({"id": [1]}).to_sql("t", uri, schema="My Schema")
    assert pg.execute('select * from "My Schema".t').fetchall() == [(1,)]


def test_values_of_every_type_are_copied_exactly(pg):
    data = pa.table(
        {
            "text": ["", None, 'a"b,\n\\N', "\\."],
            "bytes": [b"\x00x", None, b"", b'"'],
            "float": [float("inf"), None, 0.1, -0.0],
            "small": pa.array([255, None, 0, 1], pa.uint8()),
            "word": pa.array(["a", None, "b", ""]).dictionary_encode(),
            "wait": pa.array([1, None, 86_400_000_001, -1], pa.duration("us")),
        }
    )
    sf.from_arrow(data).to_sql("t", pg)
    found = pg.execute('select text, bytes, "float", small, word, wait from t').fetchall()
    assert found == [tuple(row.values()) for row in data.to_pylist()]


@pytest.mark.parametrize("kind", ["date", "timestamp", "timestamptz"])
@pytest.mark.parametrize("value", ["infinity", "-infinity"])
def test_a_time_that_is_infinite_is_an_error_that_tells_how_to_read_it(uri, pg, kind, value):
    """ADBC's driver made some day 290,000 BC of it."""
    usual = "4713-01-01" if "+psycopg" in uri else "4713-01-01 BC"
    until = f"(case g when 2000 then '{value}' else '{usual}' end)::{kind} as until"
    query = f"select g, {until} from generate_series(1, 3000) g"
    with pytest.raises((sf.SourceError, sf.DecodeError), match="infinity") as caught:
        sf.read_sql(query, uri).to_arrow()
    if isinstance(caught.value, sf.DecodeError):
        assert (caught.value.row, caught.value.column) == (2000, "until")
        assert """nullif("until", 'infinity')""" in caught.value.hint
    asked = query.replace(" as until", "::text as until")
    assert sf.read_sql(asked, uri).to_arrow()["until"][1999].as_py() == value


def test_a_time_that_is_finer_than_the_database_is_an_error(pg):
    with pytest.raises(sf.SinkError, match="would lose data"):
        sf.from_arrow({"t": pa.array([1], pa.timestamp("ns"))}).to_sql("t", pg)
    assert pg.execute("select to_regclass('t')").fetchone() == (None,)


def test_a_type_that_has_no_place_in_the_database_is_told_before_anything_is_written(pg):
    with pytest.raises(sf.SchemaError, match="'s' is struct") as raised:
        sf.from_arrow({"s": [{"a": 1}]}).to_sql("t", pg)
    assert raised.value.column == "s"


@pytest.fixture
def own_server(postgres):
    """A server that a test may kill."""
    with Postgres() as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("way", ["psycopg", "adbc"])
def test_a_server_that_dies_is_an_error_that_says_how_far_we_got(own_server, way):
    psycopg, dbapi = pytest.importorskip("psycopg"), pytest.importorskip("adbc_driver_postgresql.dbapi")
    assert dbapi
    with contextlib.ExitStack() as stack:
        connection = own_server.uri
        if way == "psycopg":
            connection = stack.enter_context(contextlib.closing(psycopg.connect(own_server.conninfo)))
        stack.enter_context(sf.options(memory="4MB"))
        batches = stack.enter_context(sf.read_sql(MANY, connection).iter_batches())
        rows = 0
        with pytest.raises(sf.SourceError, match=r"stopped after [\d,]+ rows") as raised:
            for batch in batches:
                if not rows:
                    own_server.stop()
                rows += batch.num_rows
    assert 0 < rows < 3_000_000
    assert PASSWORD not in str(raised.value)


@pytest.mark.slow
def test_closing_frees_a_query_that_has_not_answered_yet(uri, pg):
    # The first rows come at once, the next ones in a minute.
    query = """
        select g, case when g > 5000 then pg_sleep(60)::text end as s, repeat('x', 1000) as x
        from generate_series(1, 6000) g
    """
    with sf.options(memory="4MB"):
        batches = sf.read_sql(query, uri, dtype={"s": "string"}).iter_batches()
        next(batches)
    threading.Timer(0.5, batches.close).start()
    started = time.monotonic()
    for _batch in batches:
        pass
    assert time.monotonic() - started < 20
    assert left(pg) == []


_LOOP = """
import sys, streamframe as sf
with sf.options(memory="4MB"):
    for batch in sf.read_sql(sys.argv[2], sys.argv[1]):
        print("reading", flush=True)
"""


def _asks(text):
    return "pg_sleep" in text or text.startswith("FETCH")


@pytest.mark.slow
@pytest.mark.parametrize("query", [MANY, "select pg_sleep(60)::text as s"])
def test_ctrl_c_ends_a_run_at_once(uri, pg, query):
    command = [sys.executable, "-c", _LOOP, uri, query]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        if query == MANY:
            child.stdout.readline()
        else:
            while not any(state == "active" and _asks(text) for state, text in pg.execute(OURS).fetchall()):
                pg.rollback()
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=20)
    assert child.returncode in (1, -signal.SIGINT), said
    assert b"KeyboardInterrupt" in said
    assert left(pg) == []
