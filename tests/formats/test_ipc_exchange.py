"""Arrow IPC between us and others: what one writes the other reads."""

from __future__ import annotations

import decimal

import polars as pl
import pyarrow as pa
import pyarrow.feather
import pytest

import streamframe as sf
from streamframe.errors import TruncatedError
from streamframe.schema import without_views
from tests.contract.parts import ipc_bytes, table

TABLE = table(3_000)
FORMS = {"file": False, "stream": True}


def read(tmp_path, data, name="a.arrow", **options):
    path = tmp_path / name
    path.write_bytes(data)
    return sf.read_ipc(path, **options)


def rich() -> pa.Table:
    """Types whose buffers are not those of plain columns."""
    return pa.table(
        {
            "words": pa.array(["a", None, "b", "a"]).dictionary_encode(),
            "lists": pa.array([[1, 2], [], None, [3]]),
            "points": pa.array([{"x": 1, "y": "p"}, None, {"x": None, "y": "q"}, {"x": 2, "y": None}]),
            "money": pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("-3.00"), decimal.Decimal("0.01")]),
            "views": pa.array(["short", "much longer than twelve bytes", None, ""], pa.string_view()),
            "none": pa.nulls(4),
            "bits": pa.array([True, None, False, True]),
        }
    )


@pytest.mark.parametrize("stream", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("data", [TABLE, rich(), TABLE.slice(0, 0)], ids=["plain", "rich", "no rows"])
def test_what_arrow_wrote_is_read(tmp_path, data, stream, compression):
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(sink, data.schema, options=options) as writer:
        writer.write_table(data, max_chunksize=700)
    frame = read(tmp_path, sink.getvalue().to_pybytes())
    data = data.cast(without_views(data.schema))
    assert frame.to_arrow().equals(data)
    names = data.schema.names[::-2]
    assert frame.select(*names).to_arrow().equals(data.select(names))


def test_what_others_wrote_is_read(tmp_path):
    frame = pl.from_arrow(TABLE)
    frame.write_ipc(tmp_path / "p.arrow", compression="zstd")
    frame.write_ipc_stream(tmp_path / "p.arrows")
    pyarrow.feather.write_feather(TABLE, tmp_path / "f.feather")
    for name in ("p.arrow", "p.arrows", "f.feather"):
        assert sf.read(tmp_path / name).to_arrow().to_pylist() == TABLE.to_pylist()


@pytest.mark.parametrize("deltas", [False, True])
def test_dictionaries_that_change_between_batches_are_the_right_ones(tmp_path, deltas):
    words = [["a", "b", "a"], ["b", "c", "a"], ["x"], ["a", "x"]]
    sink = pa.BufferOutputStream()
    kind = pa.schema({"w": pa.dictionary(pa.int32(), pa.string())})
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=deltas)
    with pa.ipc.new_stream(sink, kind, options=options) as writer:
        for chunk in words:
            writer.write_batch(pa.record_batch([pa.array(chunk).dictionary_encode()], schema=kind))
    frame = read(tmp_path, sink.getvalue().to_pybytes(), "a.arrows")
    assert [row["w"] for row in frame.iter_rows()] == [word for chunk in words for word in chunk]


@pytest.mark.parametrize("name", ["a.arrow", "a.arrows"])
@pytest.mark.parametrize("compression", [None, "lz4"])
def test_what_we_write_others_read(tmp_path, name, compression):
    words = pa.chunked_array([pa.array(chunk).dictionary_encode() for chunk in (["a", "b"], ["c"], ["b", "d"])])
    data = pa.table({"w": words, "n": range(5)})
    sf.from_arrow(data).to_ipc(tmp_path / name, compression=compression)
    open_ = pa.ipc.open_stream if name.endswith("s") else pa.ipc.open_file
    found = open_((tmp_path / name).read_bytes()).read_all()
    assert found.to_pylist() == data.to_pylist()
    assert found.schema == data.schema
    assert sf.read(tmp_path / name).to_arrow().to_pylist() == data.to_pylist()


@pytest.mark.parametrize("stream", FORMS.values(), ids=FORMS)
def test_a_file_that_is_cut_anywhere_is_truncated(tmp_path, stream):
    data = ipc_bytes(table(40), stream=stream, batch_rows=10)
    for count in range(8, len(data), 61):
        with pytest.raises(TruncatedError) as caught:
            read(tmp_path, data[:count]).count()
        assert caught.value.byte_offset <= count
