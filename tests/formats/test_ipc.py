"""Arrow's files and streams: all batches of them, or a typed error."""

from __future__ import annotations

import decimal
import gzip
import random
import subprocess
import sys

import polars as pl
import pyarrow as pa
import pyarrow.feather
import pytest

import streamframe as sf
from streamframe.errors import BudgetError, DecodeError, PlanError, SchemaError, StreamError, TruncatedError
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


def test_small_batches_are_written_as_large_ones(tmp_path):
    sf.from_batches(lambda: TABLE.to_batches(max_chunksize=10)).to_ipc(tmp_path / "a.arrow")
    assert pa.ipc.open_file((tmp_path / "a.arrow").read_bytes()).num_record_batches == 1


def test_a_compressed_file_is_read_by_its_suffix(tmp_path):
    data = gzip.compress(ipc_bytes(TABLE, stream=True))
    assert read(tmp_path, data, "a.arrows.gz").to_arrow().equals(TABLE)


@pytest.mark.parametrize("stream", FORMS.values(), ids=FORMS)
def test_a_file_that_is_cut_anywhere_is_truncated(tmp_path, stream):
    data = ipc_bytes(table(40), stream=stream, batch_rows=10)
    for count in range(8, len(data), 61):
        with pytest.raises(TruncatedError) as caught:
            read(tmp_path, data[:count]).count()
        assert caught.value.byte_offset <= count


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "ends too early"),
        (b"a,b\n1,2\n", "not Arrow IPC"),
        (b"PAR1" + bytes(100), "not Arrow IPC"),
        (b"FEA1" + bytes(100), "version"),
        (ipc_bytes(TABLE, stream=True) + b"more", "goes on behind"),
    ],
)
def test_what_is_not_arrow_is_a_typed_error(tmp_path, data, words):
    with pytest.raises(StreamError, match=words):
        read(tmp_path, data).count()


def test_a_length_that_lies_takes_no_memory(tmp_path):
    whole = ipc_bytes(TABLE, stream=True)
    second = whole.index(b"\xff" * 4, 8)
    metadata = range(second + 8, second + 8 + int.from_bytes(whole[second + 4 : second + 8], "little") - 7, 8)
    outcomes = []
    # One of these words is the body's length, others those of its buffers.
    for word in metadata:
        lies = whole[:word] + (1 << 40).to_bytes(8, "little") + whole[word + 8 :]
        try:
            outcomes.append(read(tmp_path, gzip.compress(lies, 0), "a.arrows.gz").count())
        except (TruncatedError, DecodeError, BudgetError) as error:
            outcomes.append(type(error))
    assert BudgetError in outcomes


def test_files_must_have_the_columns_of_the_first(tmp_path):
    (tmp_path / "1.arrow").write_bytes(ipc_bytes(TABLE))
    (tmp_path / "2.arrow").write_bytes(ipc_bytes(TABLE.select(TABLE.schema.names[::-1])))
    assert sf.read_ipc([tmp_path / "1.arrow", tmp_path / "2.arrow"]).count() == 2 * TABLE.num_rows
    (tmp_path / "2.arrow").write_bytes(ipc_bytes(TABLE.drop_columns(["fare"])))
    with pytest.raises(SchemaError, match="fare"):
        sf.read_ipc([tmp_path / "1.arrow", tmp_path / "2.arrow"]).count()


def test_a_compression_that_arrow_does_not_know_is_refused_at_the_call(tmp_path):
    with pytest.raises(PlanError, match="gzip"):
        sf.from_arrow(TABLE).to_ipc(tmp_path / "a.arrow", compression="gzip")


MUTATE = """
import random, sys, warnings
import pyarrow as pa
import streamframe as sf
seed, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
whole = open(path, "rb").read()
expected = sf.read_ipc(path).to_arrow()
random_ = random.Random(seed)
outcomes = {"equal": 0, "other": 0, "error": 0}
for number in range(count):
    data = bytearray(whole)
    for _ in range(random_.choice([1, 1, 2, 8])):
        at = random_.randrange(len(data))
        data[at] = random_.choice([0, 0xFF, data[at] ^ (1 << random_.randrange(8)), random_.randrange(256)])
    open(path + ".m", "wb").write(data)
    try:
        found = sf.read_ipc(path + ".m").to_arrow()
        found.validate(full=True)
        str(found)
        outcomes["equal" if found.equals(expected) else "other"] += 1
    except sf.StreamError:
        outcomes["error"] += 1
print(outcomes["equal"], outcomes["other"], outcomes["error"])
"""


def mutate(tmp_path, count, seed):
    """Return how many of `count` damaged files read as equal, as other values, and as an error."""
    data = pa.table(
        {**{name: TABLE.slice(0, 60)[name] for name in TABLE.schema.names}, "l": [[1, n] for n in range(60)]}
    )
    path = tmp_path / "m.arrow"
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, data.schema) as writer:
        writer.write_table(data, max_chunksize=20)
    path.write_bytes(sink.getvalue().to_pybytes())
    ran = subprocess.run(
        [sys.executable, "-c", MUTATE, str(seed), str(count), str(path)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return tuple(map(int, ran.stdout.split()))


@pytest.mark.slow
def test_damaged_bytes_never_crash_the_process(tmp_path):
    equal, other, error = mutate(tmp_path, 400, random.Random(5).randrange(1 << 30))
    assert equal + other + error == 400
    assert error > 50  # Arrow's files have no checksums, so most flips in values cannot be seen


@pytest.mark.soak
def test_thousands_of_damaged_files_never_crash_the_process(tmp_path):
    print("\nequal, other, error:", mutate(tmp_path, 5_000, 7))  # noqa: T201 - the figure is what the soak is for


def test_errors_name_the_place(tmp_path):
    data = bytearray(ipc_bytes(table(100), stream=True, batch_rows=50))
    at = data.rindex(b"says")  # within the values of the last batch: make its text invalid
    data[at] = 0xFF
    with pytest.raises(DecodeError) as caught:
        read(tmp_path, bytes(data)).count()
        read(tmp_path, bytes(data)).to_arrow()
    assert 0 < caught.value.byte_offset < at
