"""What is known of a CSV file once it is open: names, types, and nothing read twice."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pyarrow as pa
import pytest

import streamframe as sf
from streamframe.errors import ColumnNotFoundError, DecodeError, SchemaError, SourceError
from streamframe.formats.csv import CsvFormat
from streamframe.io.locations import paths
from tests.formats.scripted import batches, open_file, read_table, scan_of, scripted


def schema_of(file_format: CsvFormat, source: object) -> dict[str, str]:
    opened = open_file(file_format, source)  # type: ignore[arg-type]
    opened.close()
    return {field.name: str(field.type) for field in opened.schema}


def test_types_are_inferred_from_the_first_block():
    text = (
        "i,f,s,b,d,t,n\n1,1.5,x,true,2013-01-01,2013-01-01T05:00:00Z,\n2,2,y,false,2013-01-02,2013-01-01T06:00:00Z,NA\n"
    )
    assert schema_of(CsvFormat(), text) == {
        "i": "int64",
        "f": "double",
        "s": "string",
        "b": "bool",
        "d": "date32[day]",
        "t": "timestamp[s, tz=UTC]",
        "n": "string",
    }


@pytest.mark.parametrize("value", ["9223372036854775808", "-9223372036854775809", "1234567890" * 4])
def test_integers_beyond_64_bits_keep_their_digits_as_text(value):
    with pytest.warns(UserWarning, match=r"no number of 64 bits keeps are read as text.*: 'a'; pass dtype="):
        table = read_table(CsvFormat(), f"a,b,c\n1,1e30,1\n{value},2.5,9223372036854775807\nNA,3,2\n")
    assert table.to_pydict() == {"a": ["1", value, None], "b": [1e30, 2.5, 3.0], "c": [1, 2**63 - 1, 2]}


def test_whole_numbers_that_floats_would_round_keep_their_digits_as_text():
    with pytest.warns(UserWarning, match=r"no number of 64 bits keeps are read as text.*: 'a'; pass dtype="):
        table = read_table(CsvFormat(), "a,b\n1.5,1.5\n9007199254740993,9007199254740994\nNA,100000000000000000\n")
    # A float that was written without a fraction is that float again.
    assert table.to_pydict() == {"a": ["1.5", "9007199254740993", None], "b": [1.5, 2.0**53 + 2, 1e17]}
    assert read_table(CsvFormat(dtype={"a": "float64"}), "a\n1.5\n9007199254740993\n").to_pydict() == {
        "a": [1.5, 2.0**53]
    }


@pytest.mark.parametrize("dtype", ["uint64", "decimal128(38, 0)"])
def test_integers_beyond_int64_are_read_as_asked_for_and_nothing_is_told(dtype):
    table = read_table(CsvFormat(dtype={"a": dtype}), "a\n18446744073709551615\n")
    assert table.to_pydict() == {"a": [2**64 - 1]}


def test_an_integer_beyond_64_bits_in_an_integer_column_is_answered_with_text():
    with pytest.raises(DecodeError) as caught:
        read_table(CsvFormat(dtype={"a": "int64"}), "a\n1\n9223372036854775808\n")
    assert caught.value.hint == 'pass dtype={"a": "string"}, which keeps all digits (float64 rounds).'


def test_a_dtype_wins_over_what_the_sample_says():
    table = read_table(CsvFormat(dtype={"zip": pa.string(), "n": pa.float32()}), "zip,n\n01234,1\n")
    assert table.to_pydict() == {"zip": ["01234"], "n": [1.0]}
    assert table.schema.field("n").type == pa.float32()


def test_a_dtype_for_a_column_that_is_not_there_names_the_near_one():
    with pytest.raises(ColumnNotFoundError, match="did you mean 'fare'"):
        open_file(CsvFormat(dtype={"fair": pa.string()}), "fare\n1\n")


@pytest.mark.parametrize("late", [range(46_000, 50_000), range(79_000, 80_000)], ids=["middle", "end"])
def test_late_floats_in_a_local_file_are_noticed(tmp_path, late):
    file = tmp_path / "late.csv"
    file.write_text("a,b\n" + "".join(f"{'0.5' if row in late else '123'},some text\n" for row in range(80_000)))
    (location,) = paths(str(file)).expand()
    assert schema_of(CsvFormat(), location) == {"a": "double", "b": "string"}


def test_a_look_at_the_middle_leaves_the_rows_as_they_are(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("a,b\n" + "".join(f"{row},some text\n" for row in range(80_000)))
    (location,) = paths(str(file)).expand()
    assert read_table(CsvFormat(), location).column("a").to_pylist() == list(range(80_000))


def test_a_look_that_lands_inside_of_quotes_is_ignored(tmp_path):
    file = tmp_path / "long.csv"
    # From inside, these lines look like records, up to a quote that stands in a wrong place.
    file.write_text("a,b\n" + ('1,"see:\n' + "0.5,y\n" * 2000 + '0.5,end"\n') * 100)
    (location,) = paths(str(file)).expand()
    assert schema_of(CsvFormat(), location) == {"a": "int64", "b": "string"}


def test_one_stream_serves_the_schema_and_the_rows():
    location = scripted("a,b\n" + "".join(f"{row},x\n" for row in range(1000)), every=7)
    assert read_table(CsvFormat(), location).num_rows == 1000
    assert len(location.opened) == 1


def test_an_input_that_can_be_read_once_is_given_back_by_a_look():
    class Pipe(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self._inner = io.BytesIO(data)

        def readable(self) -> bool:
            return True

        def readinto(self, target: object) -> int:
            return self._inner.readinto(target)  # type: ignore[arg-type]

    with Pipe(b"\xef\xbb\xbfskipped\na,b\n1,x\n2,y\n") as pipe:
        (location,) = paths(pipe).expand()
        file_format = CsvFormat(skip_rows=1)
        opened = open_file(file_format, location)
        opened.close()
        opened.close()
        with pytest.raises(DecodeError, match="expected 1 fields"):
            open_file(CsvFormat(), location)
        assert read_table(file_format, location).to_pydict() == {"a": [1, 2], "b": ["x", "y"]}


def test_a_byte_order_mark_is_no_part_of_the_first_name():
    for every in (1, 2, 100):
        assert read_table(CsvFormat(), scripted(b'\xef\xbb\xbf"a",b\n1,2\n', every=every)).column_names == ["a", "b"]


def test_the_header_line_honours_quotes_escapes_and_empty_lines():
    assert read_table(CsvFormat(), '\n\n"a\nb","c""d", e\n1,2,3\n').column_names == ["a\nb", 'c"d', " e"]
    assert read_table(CsvFormat(escapechar="\\"), "a\\,b,c\n1,2\n").column_names == ["a,b", "c"]


def test_names_replace_the_header_line_or_stand_in_for_it():
    assert read_table(CsvFormat(names=["x", "y"]), "a,b\n1,2\n").to_pydict() == {"x": [1], "y": [2]}
    assert read_table(CsvFormat(names=["x", "y"], header=False), "1,2\n").to_pydict() == {"x": [1], "y": [2]}
    assert read_table(CsvFormat(header=False), "1,2\n").to_pydict() == {"f0": [1], "f1": [2]}


def test_too_few_names_are_refused():
    with pytest.raises(SchemaError, match=r"names has 1 entries, but the first line of scripted.csv has 2 fields"):
        open_file(CsvFormat(names=["x"]), "a,b\n1,2\n")


def test_repeated_and_empty_names_are_made_unique_with_one_warning():
    with pytest.warns(UserWarning, match=r"'a.2' \(field 2, 'a' in the file\), 'column_3'") as caught:
        table = read_table(CsvFormat(), "a,a,,a.1\n1,2,3,4\n")
    assert table.column_names == ["a", "a.2", "column_3", "a.1"]
    assert len(caught) == 1


def test_a_second_run_does_not_warn_again():
    schema = pa.schema([("a", pa.int64()), ("a.1", pa.int64())])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_table(CsvFormat(), "a,a\n1,2\n", expected=schema).to_pydict() == {"a": [1], "a.1": [2]}


def test_skip_rows_counts_lines_whatever_is_in_them():
    for newline in ("\n", "\r\n", "\r"):
        text = newline.join(['made by "us', "", "a,b", "1,2", ""])
        for every in (1, 3, 100):
            table = read_table(CsvFormat(skip_rows=2), scripted(text, every=every))
            assert table.to_pydict() == {"a": [1], "b": [2]}


def test_comments_before_the_header_are_passed_over():
    assert read_table(CsvFormat(comment="#"), "# \"it's\n\na,b\n#x\n1,2\n").to_pydict() == {"a": [1], "b": [2]}


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff", "# only this\n"])
def test_a_file_without_a_header_line_is_empty(text):
    with pytest.raises(DecodeError, match=r"scripted.csv is empty: no header line"):
        open_file(CsvFormat(comment="#"), text)


def test_a_header_alone_has_no_rows_and_text_columns():
    table = read_table(CsvFormat(), "a,b")
    assert table.num_rows == 0
    assert table.schema == pa.schema([("a", pa.string()), ("b", pa.string())])


def test_a_later_file_may_hold_the_columns_in_another_order():
    schema = pa.schema([("a", pa.int64()), ("b", pa.string())])
    table = read_table(CsvFormat(), "b,a\nx,1\n", expected=schema)
    assert table.schema == schema
    assert table.to_pydict() == {"a": [1], "b": ["x"]}


@pytest.mark.parametrize(("header", "column"), [("a", "b"), ("a,b,c", "c"), ("a,c", "b")])
def test_a_later_file_of_other_columns_is_refused_by_name(header, column):
    schema = pa.schema([("a", pa.int64()), ("b", pa.string())])
    with pytest.raises(SchemaError, match=rf"scripted.csv has .*column '{column}'") as caught:
        open_file(CsvFormat(), f"{header}\n", expected=schema)
    assert caught.value.column == column


def test_na_values_add_to_the_usual_spellings_and_quotes_protect():
    table = read_table(CsvFormat(na_values=["?", -1]), 'a,b\n1,?\n-1,NA\n2,"?"\n')
    assert table.to_pydict() == {"a": [1, None, 2], "b": [None, None, "?"]}


def test_a_file_that_is_closed_while_it_is_read_says_so():
    opened = open_file(CsvFormat(), "a\n" + "1\n" * 1000, block_bytes=64)
    reader = opened.read(scan_of(), part=0)
    assert reader.next_block() is not None
    reader.close()
    reader.close()
    with pytest.raises(SourceError, match="was closed"):
        list(batches(reader))


@pytest.mark.parametrize(
    ("start", "says"),
    [
        (b"\x1f\x8b\x08\x00\xf7\xac", 'compression="gzip"'),
        (b"\x28\xb5\x2f\xfd\x80\xff", 'compression="zstd"'),
        (b"PK\x03\x04\xff\xfe", "zip archive"),
        ("a,b\n1,2\n".encode("utf-16"), 'encoding="utf-16"'),
        ("a,b\n1,2\n".encode("utf-32"), 'encoding="utf-32"'),
        ("id,name\n1,Zoë\n".encode("utf-16-le"), 'encoding="utf-16-le"'),
        ("id,name\n1,Zoë\n".encode("utf-16-be"), 'encoding="utf-16-be"'),
    ],
)
def test_a_file_that_only_its_name_calls_csv_is_told_by_how_it_starts(start, says):
    with pytest.raises(DecodeError, match="not UTF-8 text") as raised:
        open_file(CsvFormat(), start)
    assert says in raised.value.hint


def test_a_number_of_lines_to_skip_may_come_from_numpy():
    assert read_table(CsvFormat(skip_rows=np.int64(1)), "junk\na\n1\n").to_pydict() == {"a": [1]}


def test_many_columns_of_one_name_are_counted_on_from_one_another():
    """Each was counted from 1: 20,000 took 17 s."""
    line = b",".join([b"a", b"a.3", *[b"a"] * 5_000]) + b"\n"
    with pytest.warns(UserWarning, match="repeats names"):
        found = sf.read_csv(io.BytesIO(line), dtype={"a.1": "int64"}).columns
    assert found[:6] == ["a", "a.3", "a.1", "a.2", "a.4", "a.5"]
    assert len(set(found)) == 5_002
