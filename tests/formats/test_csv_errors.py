"""What cannot be read is told with column, row, offset and a hint; never guessed at."""

from __future__ import annotations

import pyarrow as pa
import pytest

from streamframe.errors import DecodeError, PlanError
from streamframe.formats.csv import CsvFormat
from tests.formats.scripted import batches, open_file, read_table, scan_of, scripted

INTS = pa.schema([("a", pa.int64()), ("b", pa.string())])


def failure(file_format: CsvFormat, text: str | bytes, schema: pa.Schema | None = INTS, **options: int) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        read_table(file_format, text, expected=schema, **options)  # type: ignore[arg-type]
    return caught.value


def test_an_ill_typed_value_is_told_with_its_place_and_a_way_out():
    text = 'a,b\n1,"two\nlines"\n\noops,x\n'
    error = failure(CsvFormat(), text)
    assert error.message == "column 'a': cannot read 'oops' as int64"
    assert (error.column, error.row, error.byte_offset) == ("a", 2, text.index("oops"))
    assert error.hint == 'pass dtype={"a": "string"}, or na_values=["oops"] if that means a missing value.'
    assert isinstance(error.__cause__, pa.ArrowInvalid)


def test_the_hint_can_be_pasted_whatever_the_name():
    schema = pa.schema([('the "a"', pa.int64())])
    hint = failure(CsvFormat(), '"the ""a"""\nx\n', schema).hint
    assert hint.startswith('pass dtype={\'the "a"\': "string"}')


def test_the_offset_is_that_of_the_file_in_any_block():
    text = "\ufeffskipped\na,b\n" + "1,x\n" * 500 + "#é\noops,y\n"
    for block_bytes in (10, 100, 1000, 10_000):
        error = failure(CsvFormat(skip_rows=1, comment="#"), text, block_bytes=block_bytes)
        assert error.byte_offset == text.encode().index(b"oops")


def test_rows_are_counted_from_one_in_their_block():
    opened = open_file(CsvFormat(), "a,b\n" + "1,x\n" * 40 + "oops,y\n", expected=INTS, block_bytes=64)
    rows: list[int] = []
    with pytest.raises(DecodeError) as caught:
        rows.extend(batch.data.num_rows for batch in batches(opened.read(scan_of(), part=0)))
    assert sum(rows) + caught.value.row == 41


@pytest.mark.parametrize(("record", "fields"), [("3", 1), ("3,x,y", 3), ('3,"x\ny",z', 3)])
def test_a_ragged_row_is_told_with_its_text(record, fields):
    text = f"a,b\n1,x\n\n{record}\n4,z\n"
    for schema in (INTS, None):
        error = failure(CsvFormat(), text, schema)
        assert error.message == f"expected 2 fields, got {fields}: {record!r}"
        assert (error.row, error.byte_offset) == (2, text.index("3"))


def test_long_values_and_records_are_cut():
    assert failure(CsvFormat(), f"a,b\n{'z' * 500},x\n").message.count("z") == 59
    assert failure(CsvFormat(), f"a,b\n{'z' * 500}\n").message.count("z") == 79


@pytest.mark.parametrize("schema", [INTS, None])
def test_bytes_that_are_not_utf8_never_become_a_binary_column(schema):
    error = failure(CsvFormat(), b"a,b\n1,x\n2,caf\xe9\n", schema)
    assert error.message == r"column 'b': b'caf\xe9' is not UTF-8 text"
    assert (error.column, error.row, error.byte_offset) == ("b", 2, 8)
    assert 'encoding="latin-1"' in error.hint


def test_the_hinted_encoding_reads_the_file():
    table = read_table(CsvFormat(encoding="latin-1"), b"a,b\n1,caf\xe9\n")
    assert table.to_pydict() == {"a": [1], "b": ["café"]}


def test_a_header_line_that_is_not_utf8_says_so():
    error = failure(CsvFormat(), b"a,\xe9\n1,2\n", None)
    assert "header line of scripted.csv is not UTF-8" in error.message
    assert 'encoding="latin-1"' in error.hint


def test_a_failed_opening_closes_the_stream():
    location = scripted("a,b\n1\n")
    with pytest.raises(DecodeError):
        open_file(CsvFormat(), location)
    assert location.opened[0].closed


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"sep": ""}, "sep"),
        ({"sep": ",,"}, "sep"),
        ({"sep": "\n"}, "sep"),
        ({"sep": "é"}, "sep"),
        ({"sep": None}, "sep"),
        ({"sep": '"'}, "quotechar and sep"),
        ({"quotechar": "''"}, "quotechar"),
        ({"escapechar": '"'}, "escapechar and quotechar"),
        ({"comment": "//"}, "comment"),
        ({"header": 0}, "header"),
        ({"skip_rows": -1}, "skip_rows"),
        ({"skip_rows": True}, "skip_rows"),
        ({"names": "ab"}, "names"),
        ({"names": []}, "names"),
        ({"names": ["a", "a"]}, "names"),
        ({"names": ["a", 1]}, "names"),
        ({"na_values": {"a": "?"}}, "na_values"),
        ({"na_values": [None]}, "na_values"),
        ({"na_values": object()}, "na_values"),
        ({"dtype": "int64"}, "dtype"),
        ({"dtype": {"a": pa.list_(pa.int8())}}, "dtype"),
        ({"encoding": "klingon"}, "encoding"),
        ({"compression": "rar"}, "compression"),
        ({"errors": "ignore"}, "errors"),
    ],
)
def test_an_argument_that_cannot_work_is_named_at_the_call(arguments, named):
    with pytest.raises(PlanError, match=named):
        CsvFormat(**arguments)


def test_a_format_is_hashable_and_equal_by_its_options():
    one = CsvFormat(dtype={"a": pa.int8(), "b": pa.string()}, names=["a", "b"], na_values=["?"])
    two = CsvFormat(dtype={"b": pa.string(), "a": pa.int8()}, names=("a", "b"), na_values="?")
    assert one == two
    assert hash(one) == hash(two)
    assert one != CsvFormat()


@pytest.mark.parametrize("value", ["1.5", "-2.", ".5", "1e3"])
def test_a_late_fraction_among_integers_is_answered_with_float64(value):
    assert failure(CsvFormat(), f"a,b\n1,1\n{value},1\n").hint == 'pass dtype={"a": "float64"}.'
