"""`sf.source()`: the file of a row and its number there, exact whatever is filtered, cut or left out."""

from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from streamframe.sources.wrapped import RowsBefore
from streamframe.testing import page, serve
from tests.contract.parts import csv_bytes, ipc_bytes, ndjson_bytes, parquet_bytes

ROWS = 20_000
WRITE = {"csv": csv_bytes, "ndjson": ndjson_bytes, "parquet": parquet_bytes, "ipc": ipc_bytes}
READ = {"csv": sf.read_csv, "ndjson": sf.read_ndjson, "parquet": sf.read_parquet, "ipc": sf.read_ipc}


@pytest.fixture(params=list(WRITE))
def frame(request, tmp_path):
    """Two files in which column `n` is the number that a row has in its file."""
    for name in "ab":
        data = pa.table({"n": range(1, ROWS + 1), "text": [f"row {n}" for n in range(ROWS)]})
        (tmp_path / f"{name}.{request.param}").write_bytes(WRITE[request.param](data))
    return READ[request.param](tmp_path)


def test_every_row_tells_its_file_and_its_number_there(frame):
    with sf.options(memory="1MB", workers=4):
        found = frame.with_columns(file=sf.source(), row=sf.source("row")).to_arrow()
    assert found.schema.names == ["n", "text", "file", "row"]
    assert found["row"].equals(found["n"])
    files = found["file"].to_pylist()
    assert files == sorted(files)
    assert [path.rpartition("/")[2][0] for path in dict.fromkeys(files)] == ["a", "b"]
    assert files.count(files[0]) == ROWS


def test_filters_limits_and_left_out_columns_change_no_number(frame):
    late = sf.col("n") > ROWS - 2
    for asked in (
        frame.filter(late).with_columns(row=sf.source("row")),
        frame.with_columns(row=sf.source("row")).filter(late),
        frame.select("n").filter(late).with_columns(row=sf.source("row")).select("row", "n"),
        frame.rename({"text": "t"}).drop("t").rebatch(rows=77).filter(late).with_columns(row=sf.source("row")),
        frame.slice(ROWS - 2, 2).with_columns(x=1).select("n", sf.source("row")),
    ):
        rows = asked.to_arrow().to_pylist()
        assert rows
        assert all(row["row"] == row["n"] for row in rows)
    assert frame.with_columns(row=sf.source("row")).head(3)["row"].tolist() == [1, 2, 3]
    assert frame.with_columns(row=sf.source("row")).count() == 2 * ROWS
    assert frame.with_columns(row=sf.source("row")).select("row").slice(ROWS - 1, 2).to_arrow()["row"].to_pylist() == [
        ROWS,
        1,
    ]


def test_a_loop_that_ends_early_leaves_nobody_waiting(frame):
    with sf.options(memory="1MB", workers=4), frame.with_columns(row=sf.source("row")).iter_batches() as batches:
        next(batches)


def test_it_can_be_asked_for_twice_and_computed_with(frame):
    asked = frame.with_columns(file=sf.source()).with_columns(again=sf.source(), place=sf.source("row") - 1)
    assert asked.columns == ["n", "text", "file", "again", "place"]
    row = asked.limit(1).to_arrow().to_pylist()[0]
    assert row["file"] == row["again"]
    assert row["place"] == 0
    # The schema that is known by now leaves the next one right too.
    assert asked.with_columns(row=sf.source("row")).columns[-1] == "row"
    assert "file=source()" in repr(asked)


def test_groups_are_made_by_file_as_by_a_column_of_it(frame):
    column = frame.with_columns(path=sf.source()).group_by("path").agg(n=sf.count(), last=("n", "max")).to_arrow()
    asked = frame.group_by(sf.source()).agg(n=sf.count(), last=(sf.source("row"), "max"))
    assert asked.to_arrow() == column
    assert column.column_names == ["path", "n", "last"]
    assert column["n"].to_pylist() == column["last"].to_pylist() == [ROWS, ROWS]
    # Also where the schema is known by now.
    assert frame.columns == ["n", "text"]
    known = frame.group_by(sf.source().alias("file"), (sf.source("row") % 2).alias("odd")).agg(n=sf.count("text"))
    assert known.columns == ["file", "odd", "n"]
    assert known.to_arrow()["n"].to_pylist() == [ROWS // 2] * 4
    assert "group_by(source()" in repr(asked)


def test_one_result_over_all_files_may_ask_too(frame):
    assert frame.group_by().agg(
        files=(sf.source(), "count"), last=(sf.source("row"), "max")
    ).to_arrow().to_pylist() == [{"files": 2 * ROWS, "last": ROWS}]


def test_it_stands_beside_keys_of_the_path(tmp_path):
    (tmp_path / "year=2024").mkdir()
    pq.write_table(pa.table({"n": [1]}), tmp_path / "year=2024" / "a.parquet")
    found = sf.read_parquet(tmp_path).with_columns(file=sf.source(), row=sf.source("row")).to_arrow().to_pylist()
    assert found == [{"n": 1, "year": 2024, "file": str(tmp_path / "year=2024" / "a.parquet"), "row": 1}]


def test_no_secret_of_a_url_is_in_the_path():
    with serve(page(b"n\n1\n")) as url:
        found = sf.read_csv(f"{url}/a.csv?sig=geheim").with_columns(file=sf.source()).to_arrow()["file"][0].as_py()
    assert "/a.csv" in found
    assert "geheim" not in found


def test_an_error_in_a_block_is_told_as_it_is_without(tmp_path):
    lines = [str(n) for n in range(200_000)]
    lines[150_000] = "oops"
    (tmp_path / "a.csv").write_text("n\n" + "\n".join(lines) + "\n")
    with (
        sf.options(memory="2MB", workers=4),
        pytest.raises(sf.DecodeError, match="oops") as caught,
    ):
        sf.read_csv(tmp_path / "a.csv", dtype={"n": "int64"}).with_columns(row=sf.source("row")).to_arrow()
    assert caught.value.row == 150_001


def test_a_block_that_fails_takes_none_with_it_that_stands_before_it():
    rows = RowsBefore()
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(rows.take, 1, 0, 10, more=False)
        rows.fail(2)
        assert rows.take(0, 0, 10, more=False) == 0
        assert second.result(5) == 10
    with pytest.raises(sf.DecodeError, match="before this one"):
        rows.take(3, 0, 10, more=False)


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda frame: sf.from_arrow(pa.table({"a": [1]})).with_columns(f=sf.source()), "needs rows of files"),
        (lambda frame: sf.concat([frame, frame]).with_columns(f=sf.source()), "not known behind concat"),
        (lambda frame: frame.map_batches(lambda batch: batch).with_columns(f=sf.source()), "not known behind map_batc"),
        (lambda frame: sf.concat([frame, frame]).group_by(sf.source()), "not known behind concat"),
        (
            lambda frame: sf.concat([frame, frame]).group_by().agg(n=(sf.source("row"), "max")),
            "not known behind concat",
        ),
        (lambda frame: frame.filter(sf.source("row") > 1), "make it a column first"),
        (lambda frame: sf.source("offset"), "'path', 'row' or 'byte_offset'"),
    ],
)
def test_where_it_cannot_be_told_the_verb_says_so(ask, told):
    with pytest.raises(sf.PlanError, match=told):
        ask(sf.read_csv("a.csv"))
