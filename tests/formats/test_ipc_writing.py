"""`to_ipc`: both formats, record batches of a good size, and dictionaries that only grow."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest

import streamframe as sf
from tests.contract.parts import table


def batches_of(path):
    """Return the record batches of a file or a stream, as Arrow itself reads them."""
    data = path.read_bytes()
    if data[:6] == b"ARROW1":
        file = pa.ipc.open_file(data)
        return [file.get_batch(i) for i in range(file.num_record_batches)]
    return list(pa.ipc.open_stream(data))


@pytest.mark.parametrize(
    ("name", "stream", "is_stream"),
    [
        ("out.arrow", None, False),
        ("out.feather", None, False),
        ("out.ipc", None, False),
        ("out", None, False),
        ("out.arrows", None, True),
        ("out.ARROWS", None, True),
        ("out.arrow", True, True),
        ("out.arrows", False, False),
    ],
)
def test_the_suffix_tells_the_format_unless_the_caller_does(tmp_path, name, stream, is_stream):
    target = tmp_path / name
    sf.from_arrow(table()).to_ipc(target, stream=stream)
    assert (target.read_bytes()[:6] == b"ARROW1") == (not is_stream)
    assert pa.Table.from_batches(batches_of(target)).equals(table())


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
@pytest.mark.parametrize("name", ["out.arrow", "out.arrows"])
def test_columns_are_compressed_inside(tmp_path, name, compression):
    target = tmp_path / name
    plain = sf.from_arrow(table()).to_ipc(target).bytes_written
    assert sf.from_arrow(table()).to_ipc(target, compression=compression).bytes_written < plain * 0.8
    assert sf.read(target).to_arrow().equals(table())


def test_tiny_batches_are_gathered_and_giant_ones_cut(tmp_path):
    target = tmp_path / "out.arrow"
    sf.from_batches([pa.record_batch({"n": [i]}) for i in range(100)]).to_ipc(target)
    assert len(batches_of(target)) == 1
    giant = pa.table({"n": range(2_000_000)})
    with sf.options(memory="32MB"):
        sf.from_arrow(giant).to_ipc(target)
    assert max(batch.nbytes for batch in batches_of(target)) <= 4_000_000
    assert sf.read(target).to_arrow().equals(giant)


@pytest.mark.parametrize("name", ["out.arrow", "out.arrows"])
def test_dictionaries_that_differ_from_batch_to_batch_become_one_that_grows(tmp_path, name):
    target = tmp_path / name
    kind = pa.dictionary(pa.int8(), pa.string())
    values = [["a", "b"], ["b", "c", None], ["a"], ["x", "a", "x"]]
    with sf.options(memory="1MB"):
        wide = [
            pa.record_batch({"d": pa.array(some, kind), "wide": pa.array(["w" * 100_000] * len(some))})
            for some in values
        ]
        sf.from_batches(wide).to_ipc(target)
    assert len(batches_of(target)) > 1
    assert [row["d"] for row in sf.read(target).iter_rows()] == [value for some in values for value in some]


def test_a_dictionary_too_large_for_its_indices_is_told(tmp_path):
    kind = pa.dictionary(pa.int8(), pa.string())
    batches = [pa.record_batch({"d": pa.array([f"{n}-{i}" for i in range(100)], kind)}) for n in range(2)]
    with pytest.raises(sf.SchemaError, match="Arrow IPC cannot hold these rows"):
        sf.from_batches(batches).to_ipc(tmp_path / "out.arrow")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stream", [False, True])
def test_an_export_that_fails_gives_an_open_file_no_end(stream):
    target = io.BytesIO()

    def fails():
        yield from table().to_batches()
        raise RuntimeError("mine")

    with sf.options(memory="1MB"), pytest.raises(RuntimeError, match="mine"):
        sf.from_batches(fails).to_ipc(target, stream=stream)
    assert target.tell()
    with pytest.raises(sf.TruncatedError):
        sf.read_ipc(io.BytesIO(target.getvalue())).to_arrow()


@pytest.mark.parametrize(
    ("target", "arguments", "says"),
    [
        ("out.arrow", {"compression": "snappy"}, "compression='snappy' is not known to Arrow IPC"),
        ("out.arrow", {"stream": "yes"}, "stream needs True, False or None"),
        ("out.arrows.gz", {}, "Arrow IPC is compressed inside of the file"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path, target, arguments, says):
    with pytest.raises(sf.PlanError, match=says):
        sf.from_arrow(table(3)).to_ipc(tmp_path / target, **arguments)
    assert list(tmp_path.iterdir()) == []
