"""What is written as CSV reads back as what it was."""

from __future__ import annotations

import datetime
import decimal

import pyarrow as pa
import pytest

import streamframe as sf
from streamframe.errors import PlanError, SchemaError
from streamframe.formats.csv import CsvFormat, CsvStyle, CsvWriter
from streamframe.io.locations import paths
from tests.formats.scripted import read_table, text_of

BATCH = pa.RecordBatch.from_pydict(
    {
        "n": pa.array([1, None, 3], pa.int64()),
        'te"xt, and more': ["NA", "", None],
        "lines": ['a\n"b"', "c,d", "é"],
        "when": pa.array([datetime.datetime(2013, 1, 1, 5), None, None], pa.timestamp("s", "UTC")),
    }
)


def test_text_nulls_and_names_survive_the_way_out_and_back():
    writer = CsvWriter(BATCH.schema)
    text = writer.head + text_of(writer, BATCH, BATCH)
    table = read_table(CsvFormat(dtype={"when": pa.timestamp("s", "UTC")}), text)
    assert table.equals(pa.Table.from_batches([BATCH, BATCH]))


def test_the_header_is_written_once_or_not_at_all(tmp_path):
    batch = pa.RecordBatch.from_pydict({"a": [1], "b": ["x"]})
    rows = sf.from_batches([batch, batch])
    rows.to_csv(tmp_path / "out.csv", sep=";")
    assert (tmp_path / "out.csv").read_bytes() == b'"a";"b"\n1;"x"\n1;"x"\n'
    rows.to_csv(tmp_path / "out.csv", header=False)
    assert (tmp_path / "out.csv").read_bytes() == b'1,"x"\n1,"x"\n'


@pytest.mark.parametrize("sep", ["", ",,", "\n", "é"])
def test_a_separator_that_cannot_work_is_named_at_the_call(sep):
    with pytest.raises(PlanError, match="sep needs one ASCII character"):
        CsvStyle(sep=sep)


@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.struct([("x", pa.int8())]), pa.map_(pa.string(), pa.int8())])
def test_a_nested_column_is_refused_by_name(kind):
    with pytest.raises(SchemaError, match=r"column 'tags' of type .* cannot be written as CSV") as caught:
        CsvWriter(pa.schema([("a", pa.int64()), ("tags", kind)]))
    assert caught.value.column == "tags"
    assert "Parquet" in caught.value.hint


def test_decimals_and_categories_are_written_as_their_values():
    batch = pa.RecordBatch.from_pydict(
        {"d": [decimal.Decimal("1.50")], "c": pa.array(["x"]).dictionary_encode(), "t": pa.array([b"raw"])}
    )
    assert text_of(CsvWriter(batch.schema, header=False), batch) == b'1.50,"x","raw"\n'


def test_no_columns_at_all_are_refused():
    with pytest.raises(SchemaError, match="no columns"):
        CsvWriter(pa.schema([]))


def test_an_export_without_rows_has_its_header(tmp_path):
    sf.from_arrow(BATCH.slice(0, 0)).to_csv(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == '"n","te""xt, and more","lines","when"\n'


def test_a_large_batch_is_written_slice_by_slice_and_whole(tmp_path):
    batch = pa.RecordBatch.from_pydict({"a": range(700_000), "b": ["some text"] * 700_000})
    sf.from_arrow(batch).to_csv(tmp_path / "out.csv")
    (location,) = paths(str(tmp_path / "out.csv")).expand()
    assert read_table(CsvFormat(), location).equals(pa.Table.from_batches([batch]))


@pytest.mark.parametrize("values", [["", None, "NA", "a\n\nb"], [1, None, 3], [None, None]])
def test_a_null_that_is_alone_in_its_line_is_a_record_all_the_same(values):
    """An empty line would be passed over by every reader, and the row lost."""
    batch = pa.RecordBatch.from_pydict({"a": values})
    writer = CsvWriter(batch.schema)
    written = writer.head + text_of(writer, batch)
    assert read_table(CsvFormat(), written.decode()).to_pydict() == {"a": values}


def test_bytes_that_are_no_text_are_told_with_their_column():
    batch = pa.RecordBatch.from_pydict({"n": [1], "raw": [b"\xff"]})
    with pytest.raises(SchemaError, match="column 'raw' holds bytes that are no text"):
        text_of(CsvWriter(batch.schema), batch)


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz"])
def test_a_tsv_has_tabs_between_its_fields_as_its_reader_takes_it(tmp_path, name):
    rows = {"a": [1, 2], "b": ["x,y", "tab\there"]}
    sf.from_arrow(rows).to_csv(tmp_path / name)
    assert sf.read(tmp_path / name).to_arrow().to_pydict() == rows
    sf.from_arrow(rows).to_csv(tmp_path / name, sep=";")
    assert sf.read_csv(tmp_path / name, sep=";").to_arrow().to_pydict() == rows
