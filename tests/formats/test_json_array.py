"""An array of objects is read as the same objects in lines are, wherever its bytes are cut."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamframe as sf
from streamframe.errors import DecodeError, SourceError, StreamError, TruncatedError
from streamframe.formats.ndjson import NdjsonFormat
from tests.formats.scripted import read_table, scripted

SCHEMA = pa.schema({"a": pa.string(), "n": pa.int64(), "l": pa.list_(pa.struct({"x": pa.string()}))})
# What may be taken for the end of a string, an element or the array.
texts = st.text(st.sampled_from('a"\\,[]{}\n: é'), max_size=8)
rows = st.lists(
    st.fixed_dictionaries(
        {"a": texts, "n": st.integers(-5, 5), "l": st.lists(st.fixed_dictionaries({"x": texts}), max_size=2)}
    ),
    max_size=6,
)
layouts = st.sampled_from([{}, {"indent": 2}, {"separators": (",", ":")}, {"ensure_ascii": False, "indent": 0}])


def failure(text: str | bytes, schema: pa.Schema | None = SCHEMA) -> StreamError:
    with pytest.raises(StreamError) as caught:
        read_table(NdjsonFormat(), text, expected=schema)
    return caught.value


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(rows=rows, layout=layouts, every=st.integers(1, 40), space=st.sampled_from(["", "\ufeff", " \r\n\t"]))
def test_an_array_is_what_json_makes_of_it_wherever_it_is_cut(rows, layout, every, space):
    text = space + json.dumps(rows, **layout) + space.strip("\ufeff")
    table = read_table(NdjsonFormat(), scripted(text, every=every), expected=SCHEMA, block_bytes=64)
    assert table.to_pylist() == rows


@settings(max_examples=60, deadline=None)
@given(rows=rows.filter(bool), layout=layouts, where=st.floats(0, 0.999))
def test_an_array_that_is_cut_off_is_truncated(rows, layout, where):
    whole = json.dumps(rows, **layout).encode()
    cut = whole[: max(1, int(where * len(whole)))]
    error = failure(cut)
    assert isinstance(error, TruncatedError)
    assert error.byte_offset == len(cut)


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ('[{"n":1},]', "the array ends with a comma", 9),
        ('[{"n":1}\n,\n ]', "the array ends with a comma", 12),
        ("[,]", "no element before it", 1),
        ('[,{"n":1}]', "no element before it", 1),
        ('[{"n":1}, ,{"n":2}]', "no element before it", 10),
        ('[{"n":1}]\n[{"n":2}]', "more behind the array", 10),
        ('[{"n":1}] x', "more behind the array", 10),
        ('[{"n":1}}', "brackets do not match", 8),
        ('[{"n":1}, {"n":]}]', "brackets do not match", 16),
        ('[{"n":1}, {"n":[}]]', "not JSON", 10),
        ('[{"n":1} {"n":2}]', "two objects in one element", 1),
        ('[{"n":1}, 5]', "is a number, not an object", 10),
        ("[null]", "is null, not an object", 1),
        ('[{"n":1}, [{"n":1}]]', "is an array, not an object", 10),
        ('[{"n":1},\n {"n":"oops"}]', "column 'n': cannot read \"oops\" as int64", 11),
        ('[{"a":"x\ny"}]', "not JSON", 1),
    ],
)
@pytest.mark.parametrize("every", [1, 1000])
def test_what_is_wrong_with_an_array_is_told_with_its_place(text, message, offset, every):
    with pytest.raises(DecodeError, match=message) as caught:
        read_table(NdjsonFormat(), scripted(text, every=every), expected=SCHEMA)
    assert caught.value.byte_offset == offset


def test_rows_are_counted_by_elements():
    error = failure('[\n  {\n    "n": 1\n  },\n  {\n    "n": "oops"\n  }\n]')
    assert (error.row, error.column) == (2, "n")


def test_a_string_without_end_stops_at_the_limit_of_a_record(monkeypatch):
    monkeypatch.setattr("streamframe.formats.records.MAX_RECORD_BYTES", 1 << 18)
    error = failure('[{"a":"' + "x, " * 200_000)
    assert isinstance(error, sf.BudgetError)


def test_what_cannot_be_read_may_be_skipped_or_kept_aside(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('[{"n": 1}, {"n": "oops"}, 7,\n {"n": 4}]')
    dtype = {"n": "int64"}
    assert sf.read_ndjson(path, dtype=dtype, errors="skip").to_arrow().to_pylist() == [{"n": 1}, {"n": 4}]
    kept = sf.read_ndjson(path, dtype=dtype, errors="quarantine").rejects().to_arrow()
    assert kept["record"].to_pylist() == [b'{"n": "oops"}', b"7"]
    assert kept["byte_offset"].to_pylist() == [11, 26]


def test_read_knows_json_by_its_suffix_and_looks_for_the_array(tmp_path):
    (tmp_path / "array.json").write_text('[{"n": 1}, {"n": 2}]')
    (tmp_path / "lines.json").write_text('{"n": 1}\n{"n": 2}\n')
    for name in ("array.json", "lines.json"):
        assert sf.read(tmp_path / name).to_arrow().to_pylist() == [{"n": 1}, {"n": 2}]


def test_a_large_array_is_read_in_bounded_memory(tmp_path):
    rows = [{"n": n, "a": "x, ]" * 10} for n in range(60_000)]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(rows, indent=1))
    with sf.options(memory="4MB"), sf.read(path).iter_batches() as batches:
        count = sum(batch.num_rows for batch in batches)
        assert batches.stats().peak_bytes <= 4_000_000
    assert count == 60_000


def test_an_array_goes_on_from_a_checkpoint(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"n": n, "a": "x" * 40} for n in range(20_000)]))
    frame = sf.read(path)
    with sf.options(memory="1MB"), frame.iter_batches() as batches:
        before = next(batches).num_rows
        checkpoint = batches.checkpoint()
    with frame.iter_batches(resume=checkpoint) as rest:
        assert [n for batch in rest for n in batch["n"].to_pylist()] == list(range(before, 20_000))


def test_a_document_that_is_one_object_over_many_lines_is_told_how_to_be_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"rows": [{"n": 1}]}, indent=2))
    with pytest.raises(DecodeError) as caught:
        sf.read(path).to_arrow()
    assert "jq -c '.rows[]'" in caught.value.hint


def test_an_array_that_can_be_read_once_is_never_read_short():
    class Pipe:
        def __init__(self, data: bytes) -> None:
            self._data = data

        def read(self, size: int = -1) -> bytes:
            size = len(self._data) if size < 0 else size
            data, self._data = self._data[:size], self._data[size:]
            return data

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return False

    frame = sf.read_ndjson(Pipe(b'[{"n": 1}, {"n": 2}]'))
    try:
        assert frame.schema.names == ["n"]
        assert frame.to_arrow().num_rows == 2
    except SourceError:
        pass  # Looking took the bytes; to say so is right as well.


def written(path, rows, **layout):
    path.write_text(json.dumps(rows, **layout))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("layout", [{}, {"indent": 2}, {"separators": (",", ":")}])
def test_a_value_near_the_end_of_a_local_array_tells_the_type_of_its_column(tmp_path, layout):
    rows = [{"n": n, "x": None, "in": [{"n": "text", "x": 1.5}]} for n in range(20_000)]
    rows[-5] |= {"n": 0.5, "x": "late"}
    frame = sf.read_ndjson(written(tmp_path / "a.json", rows, **layout))
    assert frame.schema.field("n").type == pa.float64()
    assert frame.schema.field("x").type == pa.string()
    assert list(frame.iter_rows()) == rows


def test_an_object_within_an_element_does_not_pass_for_one(tmp_path):
    rows = [{"n": n, "in": {"n": "text", "m": n}} for n in range(20_000)]
    frame = sf.read_ndjson(written(tmp_path / "a.json", rows))
    assert frame.schema.field("n").type == pa.int64()
    assert frame.count() == len(rows)


def test_the_place_of_an_error_is_right_far_behind_the_start():
    text = json.dumps([{"n": n} for n in range(60_000)])
    at = text.index('{"n": 50000}')
    error = failure(text[:at] + "," + text[at:])
    assert error.byte_offset == at
    assert "no element before it" in error.message


@pytest.mark.parametrize(
    ("element", "told", "hint"),
    [
        (b"3", "an element is a number, not an object: '3'", "each element of the array"),
        (b"[1]", "an element is an array", "taken apart first"),
        (b'{"a" 1}', "at character 6 of the element", "look at that place."),
        (b'{"a":1}{"a":2}', "two objects in one element", "a comma is missing"),
    ],
)
@pytest.mark.parametrize("first", [b'{"a":1},\n', b""])
def test_what_is_wrong_with_an_element_is_not_said_of_a_line(first, element, told, hint):
    data = b"[" + first + element + b"]"
    with pytest.raises(sf.DecodeError) as caught:
        sf.read_ndjson(io.BytesIO(data)).to_arrow()
    assert told in caught.value.message
    assert hint in caught.value.hint
    assert "line" not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.byte_offset == data.index(element)
    frame = sf.read_ndjson(io.BytesIO(data), dtype={"a": "int64"}, errors="quarantine")
    if first:
        (reject,) = frame.rejects().to_arrow().to_pylist()
        assert told in reject["reason"]
