"""One schema over many files: columns added, missing, reordered, widened, in every format."""

import datetime
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from streamframe.sources.widening import widened
from streamframe.testing import serve, with_length
from tests.contract.parts import csv_bytes, ipc_bytes

FORMATS = ["csv", "ndjson", "parquet", "ipc"]
READ = {"csv": sf.read_csv, "ndjson": sf.read_ndjson, "parquet": sf.read_parquet, "ipc": sf.read_ipc}


@pytest.fixture(params=FORMATS)
def made(request, tmp_path):
    """Write tables as files of one format; return a reader of them under a schema mode."""
    kind = request.param

    def make(*tables):
        for n, table in enumerate(tables):
            path = tmp_path / f"{n}.{kind}"
            if kind == "parquet":
                pq.write_table(table, path)
            elif kind == "ndjson":
                path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
            else:
                path.write_bytes(csv_bytes(table) if kind == "csv" else ipc_bytes(table))
        return lambda schema, **options: READ[kind](tmp_path, schema=schema, **options)

    make.kind = kind
    return make


def table(**columns):
    return pa.table(columns)


def rows(frame):
    return frame.to_arrow().to_pylist()


def test_union_fills_columns_that_a_file_lacks_with_null(made):
    read = made(table(a=[1], b=["x"]), table(a=[2], c=[True]))
    frame = read("union")
    assert frame.schema == pa.schema([("a", pa.int64()), ("b", pa.string()), ("c", pa.bool_())])
    assert rows(frame) == [{"a": 1, "b": "x", "c": None}, {"a": 2, "b": None, "c": True}]
    assert rows(frame.select("c")) == [{"c": None}, {"c": True}]
    assert rows(frame.filter(sf.col("c"))) == [{"a": 2, "b": None, "c": True}]
    assert frame.count() == 2


def test_a_column_that_a_later_file_adds_is_never_left_out_in_silence(made):
    frame = made(table(a=[1]), table(a=[2], new=["x"]))("first")
    if made.kind in ("csv", "ndjson"):
        with pytest.raises(sf.SchemaError, match=r"1\.(.|\n)*'new'|'new'(.|\n)*1\."):
            rows(frame)
    else:
        with pytest.warns(UserWarning, match=r"""1\.\w+ has a column 'new', which .* left out: pass schema="union\""""):
            assert rows(frame) == [{"a": 1}, {"a": 2}]


def test_union_puts_columns_in_the_order_in_which_files_bring_them(made):
    read = made(table(a=[1], b=["x"]), table(b=["y"], a=[2]))
    assert rows(read("union")) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert read("union").columns == ["a", "b"]


def test_union_widens_types_whichever_file_comes_first(made):
    for tables in ((table(x=[1]), table(x=[2.5])), (table(x=[2.5]), table(x=[1]))):
        frame = made(*tables)("union")
        assert frame.schema.field("x").type == pa.float64()
        assert sorted(frame.to_arrow()["x"].to_pylist()) == [1.0, 2.5]
        # The filter sees the wide type, whatever the statistics of a file are of.
        assert rows(frame.filter(sf.col("x") < 2.5)) == [{"x": 1.0}]


def test_union_takes_a_column_without_a_value_for_what_other_files_say(made):
    if made.kind == "csv":
        tables = (table(x=pa.array([None, None], pa.string()), y=[1, 2]), table(x=[7], y=[3]))
    else:
        tables = (table(x=pa.nulls(2), y=[1, 2]), table(x=[7], y=[3]))
    frame = made(*tables)("union")
    assert frame.schema.field("x").type == pa.int64()
    assert frame.to_arrow()["x"].to_pylist() == [None, None, 7]


def test_union_names_both_files_where_types_do_not_go_together(made):
    read = made(table(x=[1]), table(x=[2]), table(x=[True]))
    with pytest.raises(sf.SchemaError) as caught:
        read("union").count()
    assert caught.value.column == "x"
    assert f"int64 in {caught.value.source[: -len(f'2.{made.kind}')]}0.{made.kind}" in str(caught.value)
    assert caught.value.source.endswith(f"2.{made.kind}")


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (table(a=[1]), "has no column 'b'"),
        (table(a=[1], b=["x"], c=[1]), "has a column 'c'"),
        (table(b=["x"], a=[1]), "another order: 'b' is where"),
        (table(a=[1.5], b=["x"]), "column 'a' is int64 in"),
    ],
)
def test_strict_tells_the_file_and_the_column_that_differ(made, second, told):
    read = made(table(a=[1], b=["x"]), second)
    with pytest.raises(sf.SchemaError, match=told) as caught:
        next(iter(read("strict")))  # before the first row
    assert caught.value.source.endswith(f"1.{made.kind}")
    assert caught.value.column


def test_strict_reads_files_that_are_alike(made):
    assert len(rows(made(table(a=[1], b=["x"]), table(a=[2], b=["y"]))("strict"))) == 2


def test_first_reads_other_files_as_the_first_and_names_the_one_that_lacks_a_column(made):
    read = made(table(a=[1], b=["x"]), table(b=["y"], a=[2]))
    assert rows(read("first")) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    if made.kind != "ndjson":  # where a field that a record lacks is null
        with pytest.raises(sf.SchemaError, match="has no column 'b'") as caught:
            made(table(a=[1], b=["x"]), table(a=[2]))("first").count()
        assert caught.value.source.endswith(f"1.{made.kind}")


def test_a_file_that_came_later_has_to_fit_the_union_that_was_found(made):
    read = made(table(a=[1]), table(a=[2]))
    frame = read("union")
    assert frame.count() == 2
    made(table(a=[1]), table(a=[2]), table(a=[1.5]))
    with pytest.raises(sf.SchemaError, match=r"2\.\w+ has 'a' as float64"):
        frame.count()


def test_an_integer_that_no_float_can_hold_is_an_error_and_not_another_number(tmp_path):
    pq.write_table(table(x=[2**53 + 1]), tmp_path / "0.parquet")
    pq.write_table(table(x=[0.5]), tmp_path / "1.parquet")
    with pytest.raises(sf.DecodeError, match="a value does not fit") as caught:
        rows(sf.read_parquet(tmp_path, schema="union"))
    assert caught.value.column == "x"
    assert caught.value.source.endswith("0.parquet")


def test_structs_are_widened_field_by_field(tmp_path):
    pq.write_table(table(p=[{"x": 1}]), tmp_path / "0.parquet")
    pq.write_table(table(p=[{"y": "a", "x": 2.5}]), tmp_path / "1.parquet")
    assert rows(sf.read_parquet(tmp_path, schema="union")) == [
        {"p": {"x": 1.0, "y": None}},
        {"p": {"x": 2.5, "y": "a"}},
    ]


def test_a_dtype_holds_for_the_files_that_have_the_column(tmp_path):
    (tmp_path / "0.csv").write_text("a\n1\n")
    (tmp_path / "1.csv").write_text("a,zip\n2,01234\n")
    frame = sf.read_csv(tmp_path, schema="union", dtype={"zip": "string"})
    assert rows(frame) == [{"a": 1, "zip": None}, {"a": 2, "zip": "01234"}]
    with pytest.raises(sf.ColumnNotFoundError, match="zap"):
        sf.read_csv(tmp_path, schema="union", dtype={"zap": "string"}).count()


def test_files_of_a_server_are_looked_at_too():
    pages = {"/a.csv": b"a\n1\n", "/b.csv": b"a,b\n2,x\n"}
    with serve(lambda request: with_length(pages[request.path])(request)) as url:
        frame = sf.read_csv([f"{url}{path}" for path in pages], schema="union")
        assert rows(frame) == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]


def test_another_word_is_refused_at_the_call():
    with pytest.raises(sf.PlanError, match="'first', 'union' or 'strict'") as caught:
        sf.read_csv("a.csv", schema={"a": "int64"})
    assert "dtype=" in caught.value.hint


ORDERED = [
    (pa.int32(), pa.int64(), pa.int64()),
    (pa.uint32(), pa.int32(), pa.int64()),
    (pa.uint64(), pa.int64(), None),
    (pa.int16(), pa.float32(), pa.float32()),
    (pa.int32(), pa.float32(), pa.float64()),
    (pa.float32(), pa.float64(), pa.float64()),
    (pa.date32(), pa.timestamp("us"), pa.timestamp("us")),
    (pa.date32(), pa.timestamp("us", "UTC"), None),
    (pa.timestamp("s", "UTC"), pa.timestamp("ns", "UTC"), pa.timestamp("ns", "UTC")),
    (pa.timestamp("s"), pa.timestamp("s", "UTC"), None),
    (pa.string(), pa.large_string(), pa.large_string()),
    (pa.string(), pa.binary(), None),
    (pa.int64(), pa.string(), None),
    (pa.dictionary(pa.int8(), pa.string()), pa.string(), pa.string()),
    (
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int32(), pa.string()),
    ),
    (pa.decimal128(5, 2), pa.decimal128(6, 4), pa.decimal128(7, 4)),
    (pa.list_(pa.int32()), pa.list_(pa.int64()), pa.list_(pa.int64())),
    (pa.bool_(), pa.int64(), None),
]


@pytest.mark.parametrize(("one", "two", "both"), ORDERED)
def test_the_wider_of_two_types_holds_both_without_loss(one, two, both):
    assert widened(one, two) == widened(two, one) == both


def test_what_is_widened_by_a_cast_keeps_its_value(tmp_path):
    day = datetime.date(2024, 1, 31)
    pq.write_table(table(t=[day], d=pa.array(["a"]).dictionary_encode()), tmp_path / "0.parquet")
    pq.write_table(table(t=[datetime.datetime(2024, 1, 31, 12)], d=["b"]), tmp_path / "1.parquet")
    assert rows(sf.read_parquet(tmp_path, schema="union")) == [
        {"t": datetime.datetime(2024, 1, 31), "d": "a"},
        {"t": datetime.datetime(2024, 1, 31, 12), "d": "b"},
    ]
