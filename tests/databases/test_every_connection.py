"""What holds for every connection, whichever library it is of."""

import sqlite3

import pyarrow as pa
import pytest

import streamframe as sf
from tests.contract.parts import table


def rows_of(connection, query="select id, carrier from t order by id"):
    rows = sf.read_sql(query, connection).to_arrow().to_pylist()
    end_reading(connection)
    return rows


def end_reading(connection):
    """End the transaction that reading has begun, as a user does."""
    if type(connection).__module__.startswith(("psycopg", "adbc")):
        connection.rollback()


def fails_late(batch):
    if batch["id"][0].as_py() > 1000:
        raise RuntimeError("mine")
    return batch


DATA = table(2_000).select(["id", "fare", "carrier", "note"])


@pytest.mark.slow
def test_what_is_written_is_read_back(connection):
    report = sf.from_arrow(DATA).rebatch(rows=300).to_sql("t", connection)
    assert (report.rows, len(report.files)) == (2_000, 1)
    assert rows_of(connection, "select * from t order by id") == DATA.to_pylist()


def test_an_export_that_fails_leaves_no_table(connection):
    with pytest.raises(RuntimeError, match="mine"):
        sf.from_arrow(DATA).rebatch(rows=300).map_batches(fails_late).to_sql("t", connection)
    sf.from_arrow(DATA).to_sql("t", connection)  # nobody is in the way
    assert len(rows_of(connection)) == 2_000


@pytest.mark.slow
@pytest.mark.parametrize("if_exists", ["append", "replace"])
def test_an_export_that_fails_leaves_the_table_as_it_was(connection, if_exists):
    old = [{"id": -1, "carrier": "old"}]
    sf.from_arrow(pa.Table.from_pylist(old)).to_sql("t", connection)
    with pytest.raises(RuntimeError, match="mine"):
        failing = sf.from_arrow(DATA).select("id", "carrier").rebatch(rows=300).map_batches(fails_late)
        failing.to_sql("t", connection, if_exists=if_exists)
    assert rows_of(connection) == old


def test_a_table_that_exists_is_told_and_left_alone(connection):
    sf.from_arrow(DATA).to_sql("t", connection)
    with pytest.raises(sf.SinkError, match="the table exists already") as raised:
        sf.from_arrow(DATA).to_sql("t", connection)
    assert "append" in raised.value.hint
    assert len(rows_of(connection)) == 2_000


@pytest.mark.slow
def test_append_adds_by_the_names_of_the_columns_and_replace_begins_anew(connection):
    sf.from_arrow({"id": [1], "carrier": ["a"]}).to_sql("t", connection, if_exists="append")
    sf.from_arrow({"carrier": ["b"], "id": [2]}).to_sql("t", connection, if_exists="append")
    assert rows_of(connection) == [{"id": 1, "carrier": "a"}, {"id": 2, "carrier": "b"}]
    sf.from_arrow({"carrier": ["c"], "id": [3]}).to_sql("t", connection, if_exists="replace")
    assert rows_of(connection) == [{"id": 3, "carrier": "c"}]


def test_names_are_taken_as_they_are(connection):
    data = pa.table({'say "when"': [1], "group; drop": ["x"], "Großes É": [None]}).cast(
        pa.schema({'say "when"': pa.int64(), "group; drop": pa.string(), "Großes É": pa.string()})
    )
    sf.from_arrow(data).to_sql('a "table"; --', connection)
    assert rows_of(connection, 'select * from "a ""table""; --"') == data.to_pylist()


def test_a_frame_without_rows_makes_a_table_with_its_columns(connection):
    assert sf.from_arrow(DATA.slice(0, 0)).to_sql("t", connection).rows == 0
    assert sf.read_sql("select * from t", connection).columns == DATA.column_names


def test_a_query_that_is_refused_is_told_with_what_the_database_says(connection):
    sf.from_arrow(DATA).to_sql("t", connection)
    with pytest.raises(sf.PlanError, match="nowhere") as raised:
        sf.read_sql("select * from nowhere", connection).to_arrow()
    assert "geheim" not in str(raised.value)
    assert raised.value.source


def test_two_columns_of_one_name_are_told(connection):
    sf.from_arrow(DATA).to_sql("t", connection)
    with pytest.raises(sf.SchemaError, match="more than one column named 'a'"):
        sf.read_sql("select 1 as a, 2 as a", connection).to_arrow()


def test_a_connection_stays_open_and_a_run_can_be_left_at_any_time(connection):
    sf.from_arrow(DATA).to_sql("t", connection)
    frame = sf.read_sql("select * from t", connection)
    for _batch in frame:
        break
    assert frame.head(3)["id"].tolist() == [0, 1, 2]
    assert frame.count() == 2_000


def test_a_plan_asks_no_database():
    frame = sf.read_sql("select 1", "postgresql://me:geheim@nowhere.invalid/db?password=geheim").limit(1)
    assert "geheim" not in repr(frame) + frame._repr_html_() + str(frame.explain())
    assert "nowhere.invalid/db" in repr(frame)


def test_who_says_fail_as_in_pandas_means_error(connection):
    sf.from_arrow({"id": [1]}).to_sql("t", connection, if_exists="fail")
    with pytest.raises(sf.SinkError, match="the table exists already"):
        sf.from_arrow({"id": [2]}).to_sql("t", connection, if_exists="fail")
    assert rows_of(connection, "select id from t") == [{"id": 1}]


@pytest.mark.parametrize("value", [[1], {"a": 1}])
def test_a_column_that_sqlite_has_no_type_for_is_named_before_anything_is_written(value):
    connection = sqlite3.connect(":memory:")
    with pytest.raises(sf.SchemaError, match=r"column 'x' is .*, for which there is no type in SQLite") as caught:
        sf.from_arrow(pa.table({"n": [1], "x": [value]})).to_sql("t", connection)
    assert caught.value.column == "x"
    assert connection.execute("select count(*) from sqlite_master").fetchone() == (0,)
    connection.close()
