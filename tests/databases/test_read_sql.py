"""Types and values of what a query finds, and what is refused."""

import contextlib
import datetime
import decimal
import signal
import subprocess
import sys

import pyarrow as pa
import pytest

import streamframe as sf
from streamframe.errors import DecodeError, PlanError

POSTGRES_TYPES = """
    select 1::int2 a, 1.50::numeric(10, 2) n, 2.25::numeric m, timestamptz '2020-01-01 00:00+02' t, date '2020-01-01' d,
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid u, '{"a": 1.10}'::jsonb j, '{1,2}'::int[] l, '\\x01'::bytea b,
    null z, time '10:00' tt, timestamp '2020-01-01' ts, true bo, 1.5::real r
"""
EXPECTED = {
    "a": (pa.int16(), 1),
    "n": (pa.decimal128(10, 2), decimal.Decimal("1.50")),
    "m": (pa.decimal128(38, 2), decimal.Decimal("2.25")),
    "t": (pa.timestamp("us", "UTC"), datetime.datetime(2019, 12, 31, 22, tzinfo=datetime.UTC)),
    "d": (pa.date32(), datetime.date(2020, 1, 1)),
    "u": (pa.string(), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "j": (pa.string(), '{"a": 1.10}'),
    "l": (pa.list_(pa.int32()), [1, 2]),
    "b": (pa.binary(), b"\x01"),
    "z": (pa.string(), None),
    "tt": (pa.time64("us"), datetime.time(10)),
    "ts": (pa.timestamp("us"), datetime.datetime(2020, 1, 1)),
    "bo": (pa.bool_(), True),
    "r": (pa.float32(), 1.5),
}


def numbers(connection, *values):
    connection.execute("create table t (x)")
    connection.executemany("insert into t values (?)", [(value,) for value in values])
    return connection


@pytest.mark.parametrize("way", ["psycopg", "adbc"])
def test_postgresql_tells_the_types(postgres, pg, way):
    connection = pg if way == "psycopg" else postgres.uri
    if way == "adbc":
        pytest.importorskip("adbc_driver_postgresql")
    found = sf.read_sql(POSTGRES_TYPES, connection).to_arrow()
    assert {f.name: f.type.value_type if f.name == "l" else f.type for f in found.schema} == {
        name: kind.value_type if name == "l" else kind for name, (kind, _) in EXPECTED.items()
    }
    assert found.to_pylist() == [{name: value for name, (_, value) in EXPECTED.items()}]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["psycopg", "adbc"])
def test_a_numeric_of_more_digits_than_the_first_rows_is_told_not_rounded(postgres, pg, way):
    connection = pg if way == "psycopg" else postgres.uri
    if way == "adbc":
        pytest.importorskip("adbc_driver_postgresql")
    query = "select case when g = 150000 then 1.2345 else 0.5 end x from generate_series(1, 200000) g"
    with sf.options(memory="4MB"), pytest.raises(DecodeError, match=r"cannot read '1.2345' as decimal") as raised:
        sf.read_sql(query, connection).count(), sf.read_sql(query, connection).to_arrow()
    assert (raised.value.row, raised.value.column) == (150_000, "x")
    pg.rollback()
    assert sf.read_sql(query, connection, dtype={"x": "decimal128(38, 4)"}).schema.field("x").type.scale == 4


def test_a_late_value_of_another_type_is_told_with_its_row_and_the_remedy(sqlite):
    numbers(sqlite, *range(5_000), "x", 7)
    with sf.options(memory="1MB"), pytest.raises(DecodeError, match="cannot read 'x' as int64") as raised:
        sf.read_sql("select x from t", sqlite).to_arrow()
    assert raised.value.row == 5_001
    assert "dtype={'x': \"string\"}" in raised.value.hint
    found = sf.read_sql("select x from t", sqlite, dtype={"x": "string"}).to_arrow()
    assert found["x"].to_pylist()[-3:] == ["4999", "x", "7"]


def test_a_late_float_among_integers_is_an_error_whose_remedy_mends_it(sqlite):
    numbers(sqlite, *range(5_000), 2.5)
    with sf.options(memory="1MB"), pytest.raises(DecodeError) as raised:
        sf.read_sql("select x from t", sqlite).to_arrow()
    assert '"float64"' in raised.value.hint
    assert sf.read_sql("select x from t", sqlite, dtype={"x": "float64"}).to_arrow()["x"][-1].as_py() == 2.5


def test_rows_that_are_large_are_fetched_few_at_a_time(sqlite):
    sqlite.execute("create table t (x)")
    sqlite.executemany("insert into t values (?)", (("x" * 100_000,) for _ in range(300)))
    with sf.options(memory="8MB"):
        batches = list(sf.read_sql("select x from t", sqlite))
    assert sum(batch.num_rows for batch in batches) == 300
    assert max(batch.nbytes for batch in batches) < 4_000_000


def test_integers_and_floats_in_the_first_rows_are_floats(sqlite):
    assert sf.read_sql("select x from t", numbers(sqlite, *range(100), 2.5)).schema.field("x").type == pa.float64()


def test_nulls_are_looked_past_for_a_type(sqlite):
    numbers(sqlite, *[None] * 5_000, 5)
    assert sf.read_sql("select x from t", sqlite).schema.field("x").type == pa.int64()


def test_a_value_after_more_nulls_than_fit_is_told_with_its_type(sqlite):
    numbers(sqlite, *[None] * 20_000, 5)
    with sf.options(memory="1MB"), pytest.raises(DecodeError, match="cannot read 5 as null") as raised:
        sf.read_sql("select x from t", sqlite).to_arrow()
    assert raised.value.row == 20_001
    assert '"int64"' in raised.value.hint


def test_values_that_make_no_type_are_told(sqlite):
    with pytest.raises(DecodeError, match="values that make no type together: int, str"):
        sf.read_sql("select * from t", numbers(sqlite, 1, "a")).to_arrow()


def test_text_of_moments_and_decimals_is_read_as_asked(sqlite):
    sf.from_arrow({"t": [datetime.datetime(2020, 1, 1, 1)], "d": [decimal.Decimal("1.50")]}).to_sql("t", sqlite)
    found = sf.read_sql("select * from t", sqlite, dtype={"t": "timestamp[us]", "d": "decimal128(10, 2)"}).to_arrow()
    assert found.to_pylist() == [{"t": datetime.datetime(2020, 1, 1, 1), "d": decimal.Decimal("1.50")}]


def test_a_dtype_of_no_column_is_told(sqlite):
    with pytest.raises(sf.ColumnNotFoundError, match="'y'"):
        sf.read_sql("select 1 as x", sqlite, dtype={"y": "int64"}).to_arrow()


def test_parameters_are_passed_in_the_words_of_the_driver(sqlite, duck, pg):
    assert sf.read_sql("select ? as x", sqlite, params=[5]).to_arrow().to_pylist() == [{"x": 5}]
    assert sf.read_sql("select :a as x", sqlite, params={"a": 5}).to_arrow().to_pylist() == [{"x": 5}]
    assert sf.read_sql("select $1 as x", duck, params=[5]).to_arrow().to_pylist() == [{"x": 5}]
    assert sf.read_sql("select %s::int as x", pg, params=[5]).to_arrow().to_pylist() == [{"x": 5}]
    assert sf.read_sql("select '100%' as x", pg).to_arrow().to_pylist() == [{"x": "100%"}]


def test_parameters_show_in_no_error(sqlite, pg):
    sa = pytest.importorskip("sqlalchemy")
    engine = sa.create_engine("sqlite://")
    for query, connection, params in [
        ("select %s::int", pg, ["geheimnis"]),
        ("select * from nowhere where x = :a", engine, {"a": "geheimnis"}),
    ]:
        with pytest.raises(sf.StreamError) as raised:
            sf.read_sql(query, connection, params=params).to_arrow()
        chain, error = [], raised.value
        while error is not None:
            chain.append(f"{error} {error!r}")
            error = error.__cause__ or error.__context__
        assert "geheimnis" not in "".join(chain)
    engine.dispose()


def test_a_statement_of_sqlalchemy_is_read_with_its_types(sqlite):
    sa = pytest.importorskip("sqlalchemy")
    engine = sa.create_engine("sqlite://")
    query = sa.select(sa.literal(None, sa.Integer).label("n"), sa.literal("a").label("s"))
    assert sf.read_sql(query, engine).schema == pa.schema({"n": pa.int64(), "s": pa.string()})
    engine.dispose()


@pytest.mark.parametrize("given", [object(), "host=a password=geheim", 5])
def test_what_is_no_connection_is_refused_at_the_call(given):
    with pytest.raises(PlanError, match="needs a connection") as raised:
        sf.read_sql("select 1", given)
    assert "geheim" not in str(raised.value)


def test_a_statement_without_rows_is_refused(sqlite):
    with pytest.raises(PlanError, match="returns no rows"):
        sf.read_sql("create table x (a)", sqlite).to_arrow()


def test_a_database_that_is_not_there_is_told_and_not_made(tmp_path):
    with pytest.raises(sf.SourceError, match="does not exist"):
        sf.read_sql("select 1", f"sqlite:///{tmp_path / 'nowhere.db'}").to_arrow()
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_is_missing_is_named_with_the_line_that_installs_it():
    pytest.importorskip("sqlalchemy")
    with pytest.raises(sf.MissingDependencyError, match="'oracledb'") as raised:
        sf.read_sql("select 1", "oracle+oracledb://me:geheim@host/db").to_arrow()
    assert raised.value.hint == "pip install oracledb"


_SLOW = "select count(*) from range(100000) a, range(1000000) b where a.range + b.range > 5"
_ASK = """
import sys, duckdb, streamframe as sf
with duckdb.connect() as connection:
    print("asking", flush=True)
    sf.read_sql(sys.argv[1], connection).to_arrow()
"""


@pytest.mark.slow
def test_ctrl_c_ends_a_query_that_duckdb_computes():
    with subprocess.Popen([sys.executable, "-c", _ASK, _SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.readline()
        said = b""
        for _ in range(30):
            # A user presses it again: what is being imported just now may swallow one.
            child.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                _, said = child.communicate(timeout=1)
                break
        child.kill()
    assert b"KeyboardInterrupt" in said
