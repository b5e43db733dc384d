"""What is read of Thrift is written as it was."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamframe.formats.parquet import thrift


def footer(rows: pa.Table, **options: object) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, **options)
    data = sink.getvalue().to_pybytes()
    return data[-8 - int.from_bytes(data[-8:-4], "little") : -8]


def test_a_footer_of_arrow_is_written_as_arrow_wrote_it() -> None:
    """It has all types that there are but maps, and lists of more than fourteen."""
    columns = {f"c{place}": [place, None] for place in range(20)}
    rows = pa.table({**columns, "nested": [[{"a": 1.5, "b": True}], []], "text": ["x" * 300, "y"]})
    data = footer(rows, sorting_columns=pq.SortingColumn.from_ordering(rows.schema, [("c1", "descending")]))
    assert thrift.written(thrift.read(data)) == data


@given(st.integers(-(2**63), 2**63 - 1), st.integers(1, 300), st.binary(max_size=300), st.lists(st.booleans()))
def test_values_come_back(number: int, field: int, data: bytes, flags: list[bool]) -> None:
    fields = {
        field: thrift.i64(number),
        field + 1: thrift.binary(data),
        field + 2: thrift.items(thrift.TRUE, flags),
        field + 40: thrift.nested({1: thrift.flag(value=False), 2: thrift.Typed(thrift.DOUBLE, number / 3)}),
    }
    assert thrift.read(thrift.written(fields)) == fields
    assert thrift.read(thrift.written(fields), last=field) == {field: thrift.i64(number)}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x15",
        b"\x1c" * 5000,
        b"\x1d\x00",
        *[b"\x19" + kind + b"\xff\xff\xff\x7f\x00" for kind in (b"\xfc", b"\xf3")],
    ],
)
def test_what_is_cut_short_is_no_struct(data: bytes) -> None:
    with pytest.raises(ValueError, match="Thrift"):
        thrift.read(data)
