"""Blocks end where Arrow's records end, whatever the bytes, the chunks and the block size."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamframe.errors import BudgetError, DecodeError, SchemaError
from streamframe.formats import records
from streamframe.formats.csv import CsvFormat
from tests.formats.scripted import batches, open_file, read_table, scan_of, scripted

TEXT = pa.string()


def arrow_table(data: bytes, names: list[str], **parse: object) -> pa.Table:
    """Read the whole as Arrow does, in one piece."""
    if not data.removeprefix(b"\xef\xbb\xbf"):
        return pa.table({name: pa.array([], TEXT) for name in names})
    return pacsv.read_csv(
        pa.BufferReader(data),
        read_options=pacsv.ReadOptions(use_threads=False, column_names=names, block_size=len(data) + 1),
        parse_options=pacsv.ParseOptions(newlines_in_values=True, **parse),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, TEXT), strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )


def open_at_the_end(data: bytes, sep: bytes, quote: bytes, escape: bytes | None) -> bool:
    """Whether the text ends inside of quotes: the grammar once more, a byte at a time."""
    state, at = "start", 0
    data = data.removeprefix(b"\xef\xbb\xbf")
    while at < len(data):
        byte = data[at : at + 1]
        at += 1
        if byte == escape:
            at += 1
            state = "inside" if state == "inside" else "plain"
        elif state == "inside":
            if byte == quote:
                if data[at : at + 1] == quote:
                    at += 1
                else:
                    state = "plain"
        elif byte == quote and state == "start":
            state = "inside"
        else:
            state = "start" if byte in (sep, b"\n", b"\r") else "plain"
    return state == "inside"


def assert_as_arrow(data: bytes, every: int, block_bytes: int, names: tuple[str, ...], **dialect: str) -> None:
    file_format = CsvFormat(names=names, header=False, **dialect)
    sep, escape = dialect.get("sep", ","), dialect.get("escapechar")
    schema = pa.schema([(name, TEXT) for name in names])
    parse = {"delimiter": sep, "escape_char": escape or False}
    unclosed = open_at_the_end(data, sep.encode(), b'"', escape.encode() if escape else None)
    found: list[pa.RecordBatch] = []
    failed: DecodeError | SchemaError | None = None
    try:
        opened = open_file(file_format, scripted(data, every=every), expected=schema, block_bytes=block_bytes)
        found.extend(batch.data for batch in batches(opened.read(scan_of(), part=0)))
    except (DecodeError, SchemaError) as error:
        failed = error
    if failed is None:
        assert not unclosed
        assert pa.Table.from_batches(found, schema).equals(arrow_table(data, list(names), **parse))
    elif isinstance(failed, DecodeError) and failed.row is None:
        assert unclosed, failed
    else:
        # The first line is checked against `names` when the file is opened.
        row = failed.row + sum(batch.num_rows for batch in found) if failed.row else 1
        with pytest.raises(pa.ArrowInvalid, match=f"Row #{row}:"):
            arrow_table(data, list(names), **parse)


FIELDS = [
    "",
    "1",
    "ab",
    '""',
    '"a"',
    '"a\nb"',
    '"a\r\nb"',
    '"a""b"',
    '"""',
    '""""',
    '5" x',
    'x"y"',
    '"a"b',
    '"a"b"c',
    '"a" "',
]
FIELDS += ['",', '"\r"', "é", "NA", '"NA"', "#", "\ufeff", "\ufeffx", "\\", "a\\", '\\"', '"\\""', "\\,", "\\\n", " "]
SIZES = st.integers(1, 12) | st.integers(13, 200)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.lists(st.sampled_from(FIELDS), min_size=2, max_size=2), max_size=8),
    newline=st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\r\n\r"]),
    ended=st.booleans(),
    escape=st.sampled_from([None, "\\"]),
    every=SIZES,
    block_bytes=SIZES,
)
def test_rows_of_any_fields_decode_as_arrow_reads_the_whole(rows, newline, ended, escape, every, block_bytes):
    text = newline.join(",".join(row) for row in rows) + (newline if ended else "")
    dialect = {"escapechar": escape} if escape else {}
    assert_as_arrow(text.encode(), every, block_bytes, ("a", "b"), **dialect)


@settings(max_examples=300, deadline=None)
@given(
    text=st.text(alphabet='a"\n\r,\\é\ufeff', max_size=60),
    escape=st.sampled_from([None, "\\"]),
    every=SIZES,
    block_bytes=SIZES,
)
@example(text="a\n\ufeffb\n", escape=None, every=9, block_bytes=2)
@example(text='a\n"b\r\n', escape=None, every=1, block_bytes=3)
def test_any_text_at_all_decodes_as_arrow_reads_the_whole(text, escape, every, block_bytes):
    # One column and a separator that does not occur: no text is ragged, so all of it is compared.
    dialect = {"escapechar": escape} if escape else {}
    assert_as_arrow(text.encode(), every, block_bytes, ("a",), sep="|", **dialect)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_kind_of_newline_ends_a_record(newline):
    text = newline.join(["a,b", "1,x", '2,"y"', "3,z"])
    for block_bytes in range(1, 30):
        assert read_table(CsvFormat(), text, block_bytes=block_bytes).to_pydict() == {
            "a": [1, 2, 3],
            "b": ["x", "y", "z"],
        }


def test_a_record_longer_than_a_block_is_one_piece():
    long = "x" * 5000
    table = read_table(CsvFormat(), f'a,b\n1,"{long}\n{long}"\n2,y\n', block_bytes=64)
    assert table.column("b").to_pylist() == [f"{long}\n{long}", "y"]


def test_a_record_beyond_the_limit_is_refused_with_the_place_of_the_quote(monkeypatch):
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 1 << 16)
    opened = open_file(CsvFormat(), 'a,b\n1,x\n2,"y\n' + "3,z\n" * 50_000, block_bytes=64)
    with pytest.raises(BudgetError, match="a record is longer than") as caught:
        list(batches(opened.read(scan_of(), part=0)))
    assert caught.value.byte_offset == 8
    assert "byte offset 10 is not closed" in str(caught.value)


def test_a_quote_that_is_never_closed_is_told_after_the_rows_before_it():
    opened = open_file(CsvFormat(), 'a,b\n1,x\n2,y\n3,"z\n4,w\n', block_bytes=1 << 20)
    reader = opened.read(scan_of(), part=0)
    block = reader.next_block()
    assert block is not None
    assert block.decode().data.num_rows == 2
    with pytest.raises(DecodeError, match="never closed") as caught:
        reader.next_block()
    assert caught.value.byte_offset == 14


def test_quotes_without_meaning_are_text():
    table = read_table(CsvFormat(quotechar=None), 'a,b\n1,"x\n2,y"\n')
    assert table.column("b").to_pylist() == ['"x', 'y"']


def test_comment_lines_are_dropped_at_any_block_size():
    text = 'a,b\n# it\'s "one,\n1,x\n#,"two\n2,"y\n#no comment"\n3,#z\n# last'
    for block_bytes in range(1, 60):
        table = read_table(CsvFormat(comment="#"), text, block_bytes=block_bytes)
        assert table.to_pydict() == {"a": [1, 2, 3], "b": ["x", "y\n#no comment", "#z"]}


def test_quotes_in_a_comment_open_nothing():
    # Counting all quotes would end a record behind `2,"`.
    text = "a,b\n" + "1,x\n" * 10 + '#,"\n2,"\n"\n3,z\n'
    for block_bytes in range(4, 80):
        table = read_table(CsvFormat(comment="#"), text, block_bytes=block_bytes)
        assert table.to_pydict() == {"a": [1] * 10 + [2, 3], "b": ["x"] * 10 + ["\n", "z"]}


def test_nul_bytes_pass_as_they_are():
    assert read_table(CsvFormat(), b"a,b\n1,x\x00y\n").to_pydict() == {"a": [1], "b": ["x\x00y"]}
