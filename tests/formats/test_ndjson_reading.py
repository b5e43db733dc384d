"""What stands in the lines of an NDJSON file is what comes out, wherever its blocks are cut."""

from __future__ import annotations

import datetime
import decimal
import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamframe as sf
from streamframe.errors import BudgetError, DecodeError, EmptyFileError, PlanError
from streamframe.formats import records
from streamframe.formats.ndjson import NdjsonFormat
from tests.formats.scripted import Scripted, batches, open_file, read_table, scan_of, scripted

INT64 = st.integers(-(2**63), 2**63 - 1)
# Each field has one type, or is null, or is not there.
FIELDS = {
    "int": INT64,
    "float": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
    "text": st.text(),
    "bool": st.booleans(),
    'list "\\\n': st.lists(st.none() | INT64),
    "struct": st.fixed_dictionaries({}, optional={"x": st.none() | st.text(max_size=5), "y": st.lists(st.booleans())}),
}
RECORDS = st.lists(
    st.fixed_dictionaries({}, optional={name: st.none() | values for name, values in FIELDS.items()}), min_size=1
)
SCHEMA = pa.schema(
    {
        "int": pa.int64(),
        "float": pa.float64(),
        "text": pa.string(),
        "bool": pa.bool_(),
        'list "\\\n': pa.list_(pa.int64()),
        "struct": pa.struct({"x": pa.string(), "y": pa.list_(pa.bool_())}),
    }
)


@st.composite
def ndjson_files(draw):
    """Draw the text of a file, in the ways in which it may be written, and its records."""
    rows = draw(RECORDS)
    text = draw(st.sampled_from(["", "\ufeff", "\n\r\n"]))
    for row in rows:
        spaces = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :\t")]))
        line = json.dumps(row, ensure_ascii=draw(st.booleans()), separators=spaces)
        text += line + draw(st.sampled_from(["\n", "\r\n", " \n", "\n\n \n"]))
    return text if draw(st.booleans()) else text.rstrip(), rows


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(ndjson_files(), st.integers(1, 200))
def test_records_are_those_of_the_json_module_wherever_blocks_are_cut(file, block_bytes):
    text, rows = file
    expected = pa.Table.from_pylist(rows, schema=SCHEMA)
    assert read_table(NdjsonFormat(), text, expected=SCHEMA, block_bytes=block_bytes).equals(expected)


def test_every_block_size_gives_the_same_rows():
    text = "".join(json.dumps({"a": row, "b": "x" * (row % 7), "c": [None] * (row % 3)}) + "\n" for row in range(12))
    whole = read_table(NdjsonFormat(), text)
    for block_bytes in range(1, len(text) + 1):
        assert read_table(NdjsonFormat(), text, expected=whole.schema, block_bytes=block_bytes).equals(whole)


def test_bytes_that_come_one_at_a_time_give_the_same_rows():
    text = '\ufeff{"a":1}\r\n\r\n{"a":2}'
    assert read_table(NdjsonFormat(), scripted(text, every=1)).to_pydict() == {"a": [1, 2]}


def inferred(*lines: str) -> dict[str, pa.DataType]:
    schema = open_file(NdjsonFormat(), "\n".join(lines)).schema
    return dict(zip(schema.names, schema.types, strict=True))


def test_types_are_those_of_json():
    assert inferred('{"a":1,"b":1.0,"c":"x","d":true,"e":[1],"f":{"g":null}}') == {
        "a": pa.int64(),
        "b": pa.float64(),
        "c": pa.string(),
        "d": pa.bool_(),
        "e": pa.list_(pa.int64()),
        "f": pa.struct({"g": pa.string()}),
    }


def test_columns_stand_in_the_order_in_which_they_come_up():
    assert list(inferred('{"b":1}', '{"a":1,"c":1,"b":1}')) == ["b", "a", "c"]


def test_integers_among_floats_are_floats_and_what_does_not_fit_together_is_text():
    assert inferred('{"a":1,"b":[1]}', '{"a":2.5,"b":[2.5]}') == {"a": pa.float64(), "b": pa.list_(pa.float64())}
    assert inferred('{"a":1}', '{"a":"x"}') == {"a": pa.string()}
    assert inferred('{"a":{"b":1}}', '{"a":{"b":[]}}') == {"a": pa.struct({"b": pa.string()})}


def test_text_that_looks_like_a_time_stays_text_in_every_batch():
    text = '{"a":"2013-01-01T05:00:00Z"}\n' * 20 + '{"a":"soon"}\n'
    found = [batch.data for batch in batches(open_file(NdjsonFormat(), text, block_bytes=40).read(scan_of(), part=0))]
    assert len(found) > 5
    assert {batch.schema.field("a").type for batch in found} == {pa.string()}


def test_late_fractions_are_seen_in_the_middle_and_at_the_end(tmp_path):
    from streamframe.io.locations import paths

    file = tmp_path / "a.ndjson"
    file.write_text('{"a":1,"b":1}\n' * 100_000 + '{"a":1.5,"c":"late"}\n')
    (location,) = paths(str(file)).expand()
    opened = open_file(NdjsonFormat(), location)
    assert opened.schema == pa.schema({"a": pa.float64(), "b": pa.int64(), "c": pa.string()})
    opened.close()


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("timestamp[us]", '"2013-01-01T05:00:00.25"', datetime.datetime(2013, 1, 1, 5, 0, 0, 250_000)),
        ("timestamp[s]", '"2013-01-01"', datetime.datetime(2013, 1, 1)),
        ("timestamp[us, UTC]", '"2013-01-01T05:00:00+02:00"', datetime.datetime(2013, 1, 1, 3, tzinfo=datetime.UTC)),
        ("date", '"2013-01-01"', datetime.date(2013, 1, 1)),
        ("time64[us]", '"05:00:00.5"', datetime.time(5, 0, 0, 500_000)),
        ("duration[ms]", "1500", datetime.timedelta(seconds=1.5)),
        ("category", '"x"', "x"),
        ("uint64", str(2**64 - 1), 2**64 - 1),
        ("int8", "-1", -1),
        ("float32", "0.5", 0.5),
        ("decimal128(10, 2)", '"1.50"', decimal.Decimal("1.50")),
        ("decimal128(10, 2)", "1.5", decimal.Decimal("1.50")),
        ("large_string", '"x"', "x"),
        ("large_list<date>", '["2013-01-01", null]', [datetime.date(2013, 1, 1), None]),
        (pa.struct({"t": pa.timestamp("s")}), '{"t":"2013-01-01T00:00:00"}', {"t": datetime.datetime(2013, 1, 1)}),
        ("string", "1.10", "1.10"),
        ("string", str(10**30), str(10**30)),
        ("string", '{"b": [1,  "é\\n"]}', '{"b": [1,  "é\\n"]}'),
        ("string", "NaN", "NaN"),
        ("string", '"x\\u0000"', "x\0"),
    ],
)
def test_dtype_says_what_a_column_is(kind, text, value):
    table = read_table(NdjsonFormat(dtype={"a": kind}), f'{{"a":{text}}}\n{{}}\n')
    assert table.to_pydict() == {"a": [value, None]}


def test_a_column_that_only_dtype_knows_is_added():
    table = read_table(NdjsonFormat(dtype={"new": "int64", "b": "float64"}), '{"a":1,"b":1}\n{"a":2,"new":5}\n')
    assert table.to_pydict() == {"a": [1, 2], "b": [1.0, None], "new": [None, 5]}


def test_numbers_and_text_mixed_are_all_text_if_dtype_says_so():
    text = '{"a":1,"b":"x"}\n{"a":"one","b":"y"}\n{"a":null,"b":"z"}\n{"a":[true],"b":"w"}\n'
    table = read_table(NdjsonFormat(dtype={"a": "string"}), text)
    assert table.to_pydict() == {"a": ["1", "one", None, "[true]"], "b": ["x", "y", "z", "w"]}


def test_only_the_column_of_that_name_is_taken_as_text():
    text = '{"a":1,"b":"\\\\\\"a\\":5,","c":{"a":2}}\n{"a" : true ,"b":"","c":{"a":null}}\n'
    table = read_table(NdjsonFormat(dtype={"a": "string"}), text)
    assert table.to_pydict() == {"a": ["1", "true"], "b": ['\\"a":5,', ""], "c": [{"a": 2}, {"a": None}]}
    with pytest.raises(DecodeError, match=r"field 'c.a': cannot read 5 as string"):
        read_table(NdjsonFormat(dtype={"a": "string"}), '{"a":1,"c":{"a":"x"}}\n{"a":1,"c":{"a":5}}\n')


def test_nan_and_infinity_are_read_though_json_has_none():
    table = read_table(NdjsonFormat(), '{"a":NaN}\n{"a":-Infinity}\n{"a":1}\n')
    assert str(table["a"].to_pylist()) == "[nan, -inf, 1.0]"


def test_only_the_columns_asked_for_are_converted_and_new_fields_left_out():
    schema = pa.schema({"a": pa.int64(), "b": pa.string(), "c": pa.int64()})
    text = '{"c":"no number","a":1,"b":"x","new":1}\n'
    assert read_table(NdjsonFormat(), text, columns=("b", "a"), expected=schema).to_pydict() == {"a": [1], "b": ["x"]}
    assert read_table(NdjsonFormat(), text, columns=(), expected=schema).num_rows == 1


def test_a_nested_column_that_was_chosen_reads_beside_columns_that_changed():
    schema = pa.schema({"a": pa.int64(), "b": pa.struct({"x": pa.int64()})})
    text = '{"a":"no number","b":{"x":1},"new":[{}]}\n'
    assert read_table(NdjsonFormat(), text, columns=("b",), expected=schema).to_pydict() == {"b": [{"x": 1}]}


def test_a_file_without_records_tells_no_columns():
    for text in ("", "\n \r\n"):
        with pytest.raises(EmptyFileError, match=r"scripted.csv is empty(.|\n)*pass dtype=") as caught:
            open_file(NdjsonFormat(dtype={"a": "int64"}), text)
        assert caught.value.source == "scripted.csv"


def test_blank_lines_before_the_first_record_are_no_sample():
    text = "\n" * 3000 + '{"a":1}\n'
    assert read_table(NdjsonFormat(), text, block_bytes=1024).to_pydict() == {"a": [1]}


def test_a_slow_source_hands_over_the_complete_records_it_has(monkeypatch):
    monkeypatch.setattr(records, "PATIENCE_S", 0.0)
    location = Scripted(chunks=(b'{"a":1}\n{"a"', b":2}\n", b'{"a":3}'))
    found = [
        batch.data["a"].to_pylist() for batch in batches(open_file(NdjsonFormat(), location).read(scan_of(), part=0))
    ]
    assert found == [[1], [2], [3]]


def test_a_record_beyond_the_limit_is_told(monkeypatch):
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 1000)
    with pytest.raises(BudgetError, match=r"record is longer(.|\n)*jq -c") as caught:
        read_table(NdjsonFormat(), '{"a":1}\n[' + '{"a":1},' * 1000, block_bytes=64)
    assert caught.value.byte_offset == 8


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"dtype": "int64"}, "dtype"),
        ({"dtype": {"a": "bytes"}}, "base64"),
        ({"dtype": {"a": pa.map_(pa.string(), pa.int8())}}, "column 'a' cannot be read from NDJSON as map"),
        ({"encoding": "klingon"}, "encoding"),
        ({"compression": "rar"}, "compression"),
        ({"errors": "ignore"}, "errors"),
    ],
)
def test_an_argument_that_cannot_work_is_named_at_the_call(arguments, named):
    with pytest.raises(PlanError, match=named):
        NdjsonFormat(**arguments)


def test_a_format_is_hashable_and_equal_by_its_options():
    assert hash(NdjsonFormat(dtype={"a": "int8"})) == hash(NdjsonFormat(dtype={"a": pa.int8()}))
    assert NdjsonFormat(encoding="latin-1") != NdjsonFormat()


def test_floats_that_first_come_in_the_middle_or_at_the_end_of_a_large_file_are_in_the_sample(tmp_path):
    lines = ['{"n": 1, "pad": "' + "x" * 80 + '"}'] * 20_000
    for places in (range(10_000, 15_000, 100), [19_990]):
        late = [*lines]
        for place in places:
            late[place] = '{"n": 1.5}'
        (tmp_path / "a.ndjson").write_text("\n".join(late) + "\n")
        with sf.options(memory="4MB"):
            frame = sf.read_ndjson(tmp_path / "a.ndjson")
            assert frame.schema.field("n").type == pa.float64()
            assert frame.filter(sf.col("n") > 1).count() == len(places)
