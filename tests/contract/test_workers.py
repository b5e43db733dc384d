"""What many threads read within little memory is what one reads alone, whatever the format and the types."""

from __future__ import annotations

import gzip
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import streamframe as sf
from tests.contract.parts import csv_bytes, ipc_bytes, ndjson_bytes, orc_bytes

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12) | st.text(
    st.sampled_from('",\n\r a'), max_size=12
)
# Types that each format gives back as they were, and values of them.
SCALARS = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False, allow_infinity=False),
    pa.string(): TEXT,
    pa.bool_(): st.booleans(),
}
BINARY = {
    **SCALARS,
    pa.binary(): st.binary(max_size=12),
    pa.date32(): st.dates(),
    pa.decimal128(20, 3): st.decimals(-(10**15), 10**15, places=3),
    pa.list_(pa.int64()): st.lists(st.integers(-9, 9), max_size=3),
    pa.struct([("a", pa.int64()), ("b", pa.string())]): st.fixed_dictionaries({"a": st.integers(0, 9), "b": TEXT}),
}


def tables(types):
    """Return tables of a few random rows, repeated with their numbers until they fill many blocks."""

    @st.composite
    def table(draw):
        kinds = draw(st.lists(st.sampled_from(list(types)), min_size=1, max_size=4))
        rows = draw(st.integers(1, 6))
        times = draw(st.integers(1, 20_000 // rows))
        columns = {"n": pa.array(range(rows * times))}
        for at, kind in enumerate(kinds):
            values = draw(st.lists(st.none() | types[kind], min_size=rows, max_size=rows))
            columns[f"c{at}"] = pa.chunked_array([pa.array(values, kind)] * times).combine_chunks()
        return pa.table(columns)

    return table()


def parquet(data):
    sink = io.BytesIO()
    pq.write_table(data, sink, row_group_size=max(1, len(data) // 3), data_page_size=1 << 12)
    return sink.getvalue()


FORMATS = {
    "csv": (sf.read_csv, csv_bytes, SCALARS),
    "csv.gz": (sf.read_csv, lambda data: gzip.compress(csv_bytes(data), 1), SCALARS),
    "ndjson": (sf.read_ndjson, ndjson_bytes, SCALARS),
    "parquet": (sf.read_parquet, parquet, BINARY),
    "arrow": (sf.read_ipc, ipc_bytes, BINARY),
    "arrows": (sf.read_ipc, lambda data: ipc_bytes(data, stream=True), BINARY),
    "orc": (sf.read_orc, orc_bytes, BINARY),
}


@pytest.mark.slow
@pytest.mark.parametrize("suffix", FORMATS)
def test_many_workers_read_what_one_reads(tmp_path_factory, suffix):
    read, write, types = FORMATS[suffix]
    path = tmp_path_factory.mktemp("workers") / f"a.{suffix}"

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(tables(types))
    def same(data):
        path.write_bytes(write(data))
        kinds = {"dtype": {one.name: one.type for one in data.schema}} if "csv" in suffix or "json" in suffix else {}
        for workers, memory in ((1, "256MB"), (4, "1MB"), (2, "5MB")):
            with sf.options(workers=workers, memory=memory):
                found = read(path, **kinds).to_arrow()
            assert found.schema.equals(data.schema)
            assert found.equals(data), (workers, memory)

    same()
