"""The kernel that writes NDJSON writes what is made without it, and that is JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamframe.formats.ndjson import NdjsonWriter
from streamframe.native.text import JsonColumn, JsonText
from tests.formats.scripted import text_of
from tests.native.test_csv_kernel import EXAMPLES
from tests.native.test_csv_text_kernel import batch


@settings(max_examples=EXAMPLES, deadline=None)
@given(batch())
def test_it_writes_what_is_made_without_it(data: pa.RecordBatch) -> None:
    by_kernel = text_of(NdjsonWriter(data.schema), data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streamframe.formats.ndjson.writer.library", lambda: None)
        assert by_kernel == text_of(NdjsonWriter(data.schema), data)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.text() | st.none(), max_size=20), st.lists(st.integers(0, 20), max_size=4).map(sorted))
def test_every_text_is_what_python_reads(texts: list[str | None], ends: list[int]) -> None:
    ends = [end for end in ends if end <= len(texts)]
    data = pa.record_batch({"a\n": pa.array(texts, pa.string())})
    start = 0
    for text, end in zip(NdjsonWriter(data.schema).pieces(data, ends), ends, strict=True):
        lines = bytes(memoryview(text)).split(b"\n")[:-1]
        assert [json.loads(line)["a\n"] for line in lines] == texts[start:end]
        start = end


def test_every_control_character_is_spelled_as_python_spells_it() -> None:
    texts = [chr(code) for code in range(128)] + ["x" * 40 + chr(code) + "y" * 40 for code in range(128)]
    data = pa.record_batch({"a": texts})
    assert text_of(NdjsonWriter(data.schema), data).decode() == "".join(
        f'{{"a":{json.dumps(text, ensure_ascii=False)}}}\n' for text in texts
    )


def test_floats_stay_floats_and_what_is_none_is_null() -> None:
    values = [1.0, -0.0, 1e16, 1e-7, 123456789.0, 0.1, math.nan, math.inf, -math.inf, None]
    data = pa.record_batch({"a": pa.array(values, from_pandas=False)})
    assert text_of(NdjsonWriter(data.schema), data).split(b"\n")[:-1] == [
        b'{"a":%s}' % spelled
        for spelled in (b"1.0", b"-0.0", b"1e+16", b"1e-7", b"123456789.0", b"0.1", b"null", b"null", b"null", b"null")
    ]


def test_integers_and_text_need_no_arrow() -> None:
    """Else the tests above would say nothing; and there is less room than is needed, several times."""
    rows = 5000
    columns: Sequence[JsonColumn] = [
        JsonColumn(pa.array([2**64 - 1] * rows, pa.uint64())),
        JsonColumn(pa.array(['a"\1' * (row % 50) for row in range(rows)]), "escaped", '"', '"'),
    ]
    made = JsonText(['"n"', '"text"']).of(columns, [17, rows])
    assert made is not None
    assert b"".join(made) == b"".join(
        b'{"n":18446744073709551615,"text":"%s"}\n' % (b'a\\"\\u0001' * (row % 50)) for row in range(rows)
    )
    assert bytes(made[0]).count(b"\n") == 17
