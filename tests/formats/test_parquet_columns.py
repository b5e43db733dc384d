"""Which chunks of a Parquet file belong to which column."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

import streamframe as sf
from streamframe.testing import page, serve


def test_of_columns_whose_names_hold_dots_all_bytes_are_fetched():
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": [0], "a.b": [1], "c": [{"d.e": 2, "f": [3]}], "a.c": [4]}), sink)
    with serve(page(sink.getvalue().to_pybytes())) as url:
        frame = sf.read_parquet(f"{url}/a.parquet").select("a.b", "c")
        assert frame.to_arrow().to_pylist() == [{"a.b": 1, "c": {"d.e": 2, "f": [3]}}]


def test_columns_of_any_nesting_are_fetched():
    day = pa.array([[("k", {"x": [1, 2]})]], pa.map_(pa.string(), pa.struct([("x", pa.list_(pa.int8()))])))
    columns = {
        "map": day,
        "fixed": pa.array([[1, 2]], pa.list_(pa.int16(), 2)),
        "coded": pa.array(["v"]).dictionary_encode(),
        "empty": pa.array([None], pa.list_(pa.struct([("a", pa.int8()), ("b", pa.string())]))),
        "last": pa.array([7]),
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    with serve(page(sink.getvalue().to_pybytes())) as url:
        for name, values in columns.items():
            assert sf.read_parquet(f"{url}/a.parquet").select(name).to_arrow()[name].to_pylist() == values.to_pylist()
