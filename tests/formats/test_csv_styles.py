"""Every way to spell CSV is read back as what was written, by us and by Python."""

from __future__ import annotations

import csv
import datetime
import itertools

import pyarrow as pa
import pytest

import streamframe as sf

ROWS = pa.record_batch(
    {
        "n": pa.array([1, None, 3], pa.int64()),
        "it's": ['it\'s "it"', "", None],
        "lines": ["a\nb", "c,d", "é"],
        "kind": pa.array(["x", None, "y,'"]).dictionary_encode(),
        "when": pa.array([datetime.datetime(2013, 1, 1, 5), None, None], pa.timestamp("s", "UTC")),
        "f": [1.5, 1e300, None],
    }
)


def written(tmp_path, batch=ROWS, **options):
    sf.from_arrow(batch).to_csv(tmp_path / "out.csv", **options)
    return (tmp_path / "out.csv").read_bytes()


@pytest.mark.parametrize(
    ("quoting", "quotechar", "line_terminator", "encoding"),
    list(itertools.product(["needed", "all"], ['"', "'"], ["\n", "\r\n"], ["utf-8", "utf-8-sig"])),
)
def test_values_and_nulls_come_back_whatever_the_style(tmp_path, quoting, quotechar, line_terminator, encoding):
    style = {"quoting": quoting, "line_terminator": line_terminator, "encoding": encoding}
    text = written(tmp_path, quotechar=quotechar, **style)
    dtype = {"n": "int64", "when": "timestamp[s, UTC]", "f": "float64"}
    back = sf.read_csv(tmp_path / "out.csv", quotechar=quotechar, dtype=dtype).to_arrow()
    assert back.to_pylist() == ROWS.to_pylist()
    assert back.column_names == ROWS.schema.names
    lines = text.decode(encoding).split(line_terminator)
    assert lines[-1] == ""
    rows = list(csv.reader([line + line_terminator for line in lines[:-1]], quotechar=quotechar))
    assert [row[2] for row in rows] == ["lines", "a\nb", "c,d", "é"]


def test_another_quote_changes_nothing_else(tmp_path):
    plain = ROWS.drop_columns(["it's", "kind"])
    assert written(tmp_path, plain, quotechar="'").replace(b"'", b'"') == written(tmp_path, plain)


def test_a_null_alone_in_its_line_is_a_record_with_any_quote(tmp_path):
    assert written(tmp_path, pa.record_batch({"a": ["x", None]}), quotechar="'") == b"'a'\n'x'\nNA\n"


def test_no_quotes_are_written_where_none_are_wanted(tmp_path):
    assert written(tmp_path, pa.record_batch({"a": ["x", None], "b": [1, 2]}), quoting="none") == b"a,b\nx,1\n,2\n"


def test_what_needs_quotes_is_refused_by_its_column(tmp_path):
    with pytest.raises(sf.SchemaError, match=r"'lines' holds text with a separator") as caught:
        written(tmp_path, ROWS.select(["n", "lines"]), quoting="none")
    assert caught.value.column == "lines"
    with pytest.raises(sf.PlanError, match="the column name 'a,b' needs quotes"):
        written(tmp_path, pa.record_batch({"a,b": [1]}), quoting="none")
    assert not list(tmp_path.iterdir())


def test_nulls_are_spelled_as_asked(tmp_path):
    assert written(tmp_path, pa.record_batch({"a": ["", None], "b": [None, 1]}), na_rep="NULL") == (
        b'"a","b"\n"",NULL\nNULL,1\n'
    )


def test_formulas_are_guarded_in_text_and_names_only(tmp_path):
    batch = pa.record_batch(
        {
            "=n": [-1, 2, 3],
            "t": ["=1+1", "a=1", "\tx"],
            "c": pa.array(["@x", "-1", None]).dictionary_encode(),
            "two lines": ["a\n=b", "+", "\r"],
        }
    )
    rows = list(csv.reader(written(tmp_path, batch, formula_guard=True).decode().splitlines(keepends=True)[:1]))
    assert rows == [["'=n", "t", "c", "two lines"]]
    back = sf.read_csv(tmp_path / "out.csv").to_arrow().to_pydict()
    assert back == {
        "'=n": [-1, 2, 3],
        "t": ["'=1+1", "a=1", "'\tx"],
        "c": ["'@x", "'-1", None],
        "two lines": ["a\n=b", "'+", "'\r"],
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quoting": "minimal"}, "quoting='minimal' is not known"),
        ({"quotechar": "''"}, "quotechar needs one ASCII character"),
        ({"quotechar": None}, "quotechar needs a character"),
        ({"quotechar": ","}, "are both ','"),
        ({"line_terminator": "\r"}, "line_terminator"),
        ({"na_rep": "a,b"}, "na_rep needs text"),
        ({"na_rep": None}, "na_rep needs text"),
        ({"formula_guard": 1}, "formula_guard needs True or False"),
        ({"encoding": "latin-1"}, "encoding='latin-1' is not known"),
    ],
)
def test_a_style_that_cannot_be_is_refused_at_the_call(tmp_path, options, message):
    with pytest.raises(sf.PlanError, match=message):
        written(tmp_path, **options)
    assert not list(tmp_path.iterdir())
