"""What cannot be read as NDJSON is told with its place and the remedy; nothing is lost in silence."""

from __future__ import annotations

import io
import json
import re

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import streamframe as sf
from streamframe.errors import DecodeError, SchemaError, StreamError
from streamframe.formats.ndjson import NdjsonFormat
from streamframe.formats.ndjson.parsing import reads, surely_refused
from streamframe.schema import parse_dtype
from tests.formats.scripted import batches, open_file, read_table, scan_of, scripted

SCHEMA = pa.schema({"a": pa.int64(), "b": pa.string(), "s": pa.struct({"x": pa.int64(), "l": pa.list_(pa.int64())})})
GOOD = '{"a":1,"b":"x"}\n'


def failure(text: str | bytes, schema: pa.Schema | None = SCHEMA, **options: object) -> StreamError:
    with pytest.raises(StreamError) as caught:
        read_table(NdjsonFormat(), text, expected=schema, **options)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ('{"a":"oops"}', "column 'a': cannot read \"oops\" as int64", 'pass dtype={"a": "string"}.'),
        ('{"a":1.5}', "column 'a': cannot read 1.5 as int64", 'pass dtype={"a": "float64"}.'),
        ('{"a":NaN}', "column 'a': cannot read NaN as int64", 'pass dtype={"a": "float64"}.'),
        ('{"a":9223372036854775808}', "cannot read 9223372036854775808 as int64", 'pass dtype={"a": "uint64"}.'),
        (
            '{"a":99999999999999999999}',
            "cannot read 99999999999999999999 as int64",
            '"string"}, which keeps all digits',
        ),
        ('{"a":true}', "column 'a': cannot read true as int64", 'pass dtype={"a": "string"}.'),
        ('{"b":5}', "column 'b': cannot read 5 as string", 'pass dtype={"b": "string"}.'),
        ('{"b":{"c":1}}', "column 'b': cannot read {\"c\":1} as string", 'pass dtype={"b": "string"}.'),
        (
            '{"s":{"x":"y"}}',
            "column 's', field 's.x': cannot read \"y\" as int64",
            'pass dtype={"s": "string"} to read',
        ),
        (
            '{"s":{"l":[1,null,2.5]}}',
            "column 's', field 's.l[]': cannot read 2.5 as int64",
            'pass dtype={"s": "string"}',
        ),
        ('{"s":[]}', "column 's': cannot read [] as struct", 'pass dtype={"s": "string"}'),
        ('{"a":1,"a":2}', "column 'a' stands twice in one object", "keep one"),
        ('{"s":{"x":1,"x":2}}', "field 's.x' stands twice in one object", None),
        ('{"a":1', "not JSON: Expecting ',' delimiter at character 7 of the line", "jq -c"),
        ('{"a":1}}', "not JSON: Extra data at character 8", "jq -c"),
        ('{"a":1} null', "not JSON: Extra data", "jq -c"),
        ('{"a":1}{"a":2}', "two objects in one line", "jq -c"),
        ('{"a":1}\r{"a":2}', "two objects in one line", "jq -c"),
        ('{"a":,}', "not JSON: Expecting value at character 6", "look at that place"),
        ("{'a':1}", "not JSON: Expecting property name", "look at that place"),
        ('{"a":1},', "not JSON: Extra data", None),
        ('{"b":"\t"}', "not JSON: Invalid control character at", None),
        ('{"b":"\\ud800"}', "column 'b': \"\\ud800\" has half of a pair of UTF-16", "write both halves"),
        ("null", "a line holds null, not an object", "one object in each line"),
        ("17", "a line holds a number, not an object", "one object in each line"),
        ('"x"', "a line holds text, not an object", "one object in each line"),
        ("a,b,c", "not JSON: 'a,b,c'", "one object in each line"),
        ('{"s":' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply", None),
        ('{"new":' + '{"x":' * 900 + "1" + "}" * 901, "nested too deeply", None),
    ],
)
def test_a_bad_line_is_told_with_its_place_and_a_way_out(line, message, hint):
    text = f"\r\n{GOOD}\n  {line}\n{GOOD}"
    for block_bytes in (16, 1 << 20):
        error = failure(text, block_bytes=block_bytes)
        assert isinstance(error, DecodeError)
        assert message in error.message
        assert len(error.message) < 200
        assert (hint or "") in (error.hint or "")
        assert error.byte_offset == text.index(f"  {line}") + 2
        if block_bytes > len(text):
            assert error.row == 2


@pytest.mark.parametrize("good", [0, 1, 2, 3, 7, 1000])
def test_the_row_and_the_offset_are_those_of_the_first_bad_record(good):
    text = GOOD * good + '{"a":"no"}\n' + GOOD * 5 + '{"b":1}\n'
    error = failure(text)
    assert (error.row, error.byte_offset, error.column) == (good + 1, len(GOOD) * good, "a")
    assert error.__cause__ is not None


def test_rows_are_counted_from_one_in_their_block():
    opened = open_file(NdjsonFormat(), GOOD * 40 + '{"a":"no"}\n', expected=SCHEMA, block_bytes=64)
    rows: list[int] = []
    with pytest.raises(DecodeError) as caught:
        rows.extend(batch.data.num_rows for batch in batches(opened.read(scan_of(), part=0)))
    assert caught.value.row is not None
    assert sum(rows) + caught.value.row == 41


@pytest.mark.parametrize(
    ("value", "kind"),
    [("1", "int64"), ("1.5", "float64"), ('"x"', "string"), ("[1.5]", "list<float64>"), ("{}", "string")],
)
def test_a_field_that_is_new_is_an_error_whose_remedy_can_be_pasted(value, kind):
    text = GOOD + f'{{"a":1,"new":{value}}}\n'
    error = failure(text)
    assert isinstance(error, SchemaError)
    assert error.message.startswith("field 'new' is new: no record of the sample has it")
    assert (error.column, error.row, error.byte_offset) == ("new", 2, len(GOOD))
    pasted = re.search(r"dtype=(\{.*?\})", error.hint or "")
    assert pasted is not None
    assert pasted[1] == f'{{"new": "{kind}"}}'
    table = read_table(NdjsonFormat(dtype={"new": kind}), text)
    assert table["new"].null_count == 1


@pytest.mark.parametrize("columns", [None, ("s",), ("a", "s")])
def test_a_field_that_is_new_inside_of_a_column_is_never_lost(columns):
    error = failure('{"a":1,"s":{"x":1}}\n{"a":1,"s":{"x":1,"new":2}}\n', columns=columns)
    assert isinstance(error, SchemaError)
    assert error.message.startswith("column 's', field 's.new' is new")
    assert error.row == 2


@pytest.mark.parametrize("text", ['{"a":\n1}\n', '{"a":1,\n"b":"x"}\n{"a":2}{"a":3}\n', '{"s":\n{"x":1}}{"a":1}\n'])
def test_an_object_over_several_lines_is_an_error_wherever_blocks_are_cut(text):
    for block_bytes in range(1, len(text) + 1):
        assert "not JSON" in failure(text, block_bytes=block_bytes).message


def test_a_file_of_another_kind_says_what_it_looks_like():
    assert "gzip" in failure(b"\x1f\x8b\x08\x00abc\n", None).hint
    assert "read_parquet" in failure(b"PAR1abc\n", None).hint


def test_bytes_that_are_not_utf8_are_told_and_the_hinted_encoding_reads_them():
    text = b'{"a":1,"b":"caf\xe9"}\n'
    for schema in (SCHEMA, None):
        error = failure(text, schema)
        assert r"caf\xe9" in error.message
        assert "is not UTF-8 text" in error.message
        assert 'encoding="latin-1"' in error.hint
    assert read_table(NdjsonFormat(encoding="latin-1"), text)["b"].to_pylist() == ["café"]


@pytest.mark.parametrize("text", [b'{"b":"x\0"}\n', b'{"b":"x"}\n\0\n', b'\0{"b":"x"}\n', b'{"b":"x"}\0{"b":"y"}\n'])
def test_a_nul_byte_ends_nothing_in_silence(text):
    assert "not JSON" in failure(text).message


@pytest.mark.parametrize(
    ("value", "kind", "word"),
    [
        ("2013-01-01T00:00:00Z", "timestamp[us]", "timestamp[us, UTC]"),
        ("2013-01-01T00:00:00", "timestamp[us, UTC]", "timestamp[us]"),
        ("soon", "timestamp[us]", "string"),
        ("2013-13-01", "date", "string"),
    ],
)
def test_a_time_with_or_without_a_zone_is_never_taken_for_the_other(value, kind, word):
    with pytest.raises(DecodeError) as caught:
        read_table(NdjsonFormat(dtype={"t": kind}), f'{{"t":"{value}"}}\n')
    assert value in caught.value.message
    assert caught.value.hint.startswith(f'pass dtype={{"t": "{word}"}}')
    assert read_table(NdjsonFormat(dtype={"t": word}), f'{{"t":"{value}"}}\n').num_rows == 1


def test_a_bad_line_beside_columns_taken_as_text_is_still_told():
    with pytest.raises(DecodeError) as caught:
        read_table(NdjsonFormat(dtype={"b": "string"}), '{"a":1,"b":5}\n{"a":2,"b":\n{"a":3,"b":6}\n')
    assert (caught.value.row, caught.value.byte_offset) == (2, 14)


def test_a_failed_opening_closes_the_stream():
    location = scripted("[]\n")
    with pytest.raises(DecodeError):
        open_file(NdjsonFormat(), location)
    assert location.opened[0].closed


BYTES = st.sampled_from(
    [bytes([char]) for char in b'{}[]",:\\\n\r \t\0\xe9019.-e'] + [b"null", b"NaN", b"\xef\xbb\xbf"]
)
EDITS = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 3), BYTES | st.just(b"")), min_size=1, max_size=4)
DAMAGED = '{"a":1,"b":"x\\n","s":{"x":1,"l":[1,null]}}\n{"a":null,"b":"}","s":null}\r\n\n{"s":{"x":2,"l":[]},"b":""}\n'


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(EDITS, st.sampled_from([8, 64, 1 << 20]))
@example([(0, 45, b"null")], 1 << 20)
def test_damaged_bytes_are_an_error_or_what_the_json_module_reads(edits, block_bytes):
    text = DAMAGED.encode()
    for at, gone, put in edits:
        text = text[:at] + put + text[at + gone :]
    try:
        table = read_table(NdjsonFormat(), text, expected=SCHEMA, block_bytes=block_bytes)
    except StreamError:
        return
    lines = text.decode("utf-8-sig").split("\n")
    rows = [json.loads(line) for line in lines if line.strip()]
    assert all(set(row) <= set(SCHEMA.names) for row in rows)
    assert table.to_pylist() == pa.Table.from_pylist(rows, schema=SCHEMA).to_pylist()


@pytest.mark.parametrize("dtype", [None, {"a": "string"}])
def test_half_of_a_pair_is_told_as_such_and_the_hint_helps(dtype):
    data = b'{"a":"x"}\n{"a":"z\\ud800"}\n{"a":"\\ud83d\\ude00"}\n'
    with pytest.raises(sf.DecodeError, match="half of a pair of UTF-16") as caught:
        sf.read_ndjson(io.BytesIO(data), dtype=dtype).to_arrow()
    assert (caught.value.column, caught.value.row) == ("a", 2)
    assert "dtype" not in caught.value.hint
    assert r"\ufffd" in caught.value.hint
    assert "quarantine" in caught.value.hint
    kept = sf.read_ndjson(io.BytesIO(data), dtype=dtype, errors="quarantine")
    assert kept.to_arrow()["a"].to_pylist() == ["x", "\U0001f600"]
    assert kept.rejects().to_arrow()["reason"].to_pylist()[0].startswith("column 'a': \"z")
    nulled = sf.read_ndjson(io.BytesIO(data), dtype=dtype, errors="null")
    assert nulled.to_arrow()["a"].to_pylist() == ["x", None, "\U0001f600"]


@pytest.mark.parametrize("first", [b'{"a":1}\n', b""])
@pytest.mark.parametrize("line", [b'{"a":2,"\\ud800":3}', b'{"a":2,"o":{"\\udc00":3}}'])
def test_a_name_with_half_of_a_pair_is_an_error_of_ours(first, line):
    with pytest.raises(sf.StreamError, match=r"half of a pair|is new"):
        sf.read_ndjson(io.BytesIO(first + line)).to_arrow()
    kept = sf.read_ndjson(io.BytesIO(first + line), dtype={"a": "int64"}, errors="quarantine")
    if first:
        assert kept.to_arrow()["a"].to_pylist() == [1]
        assert kept.rejects().to_arrow()["record"].to_pylist() == [line]


@pytest.mark.parametrize("levels", [200, 400, 900])
def test_an_object_of_too_many_levels_costs_no_other_of_the_sample(levels):
    """Finding its types ended in a RecursionError, whatever errors= said."""
    deep = b'{"a":1,"s":' + b'{"x":' * levels + b"1" + b"}" * levels + b"}\n"
    frame = sf.read_ndjson(io.BytesIO(b'{"a":0}\n' + deep + b'{"a":2}\n'), errors="quarantine")
    assert frame.to_arrow()["a"].to_pylist() == [0, 2]
    assert frame.rejects().to_arrow()["reason"].to_pylist() == ["an object is nested too deeply"]
    with pytest.raises(DecodeError, match="nested too deeply"):
        sf.read_ndjson(io.BytesIO(deep)).to_arrow()
    text = sf.read_ndjson(io.BytesIO(b'{"a":0}\n' + deep), dtype={"s": "string"}).to_arrow()["s"].to_pylist()
    assert text == [None, deep[len(b'{"a":1,"s":') : -2].decode()]


@pytest.mark.parametrize(
    "kind",
    [
        *["int64", "float64", "bool", "string", "large_string", "date", "timestamp[us]", "time64[us]", "duration[s]"],
        *["decimal128(10,2)", "list<int64>", "list<string>", "struct<x: int64, y: string>", "list<struct<x: bool>>"],
    ],
)
def test_what_is_refused_without_a_trial_is_refused_by_one(kind):
    """A trial takes a millisecond: 200,000 bad records took three minutes."""
    values = (
        '1,-1.5,true,null,"x","2024-01-01","10:00:00",[],[1],["a"],[null],{},{"x":1},{"x":"1"},{"y":1},{"x":1,"z":2},'
        '[{"x":true}],[{"x":1}],12345678901234567890,"",[[1]]'
    )
    for value in json.loads(f"[{values}]"):
        refused = surely_refused(value, parse_dtype(kind))
        assert not (refused and reads(json.dumps(value), parse_dtype(kind))), value


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1, "string"),
        (True, "date"),
        ({"x": "1"}, "struct<x: int64>"),
        ([1, "a"], "list<int64>"),
        ([{"x": 1}], "list<struct<x: bool>>"),
    ],
)
def test_values_of_another_sort_need_no_trial_however_deep(value, kind):
    assert surely_refused(value, parse_dtype(kind))
