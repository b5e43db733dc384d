"""Arrow IPC, both formats: every type, every way to cut it, and only what is needed is read."""

from __future__ import annotations

import gzip
import io
import os
import struct
import threading

import pyarrow as pa
import pytest

import streamframe as sf
from streamframe.schema import without_views
from streamframe.testing import chunked, page, serve, until_close
from tests.contract.parts import ipc_bytes

N = 40
KINDS = {
    "null": pa.nulls(N),
    "bool": pa.array([i % 2 == 0 for i in range(N)]),
    "string": pa.array([None if i % 3 else f"v{i}" for i in range(N)]),
    "string_view": pa.array([f"longer than twelve letters {i}" for i in range(N)], pa.string_view()),
    "list": pa.array([list(range(i % 4)) for i in range(N)]),
    "list_view": pa.array([list(range(i % 4)) for i in range(N)], pa.list_view(pa.int64())),
    "fixed_size_list": pa.array([[i, i] for i in range(N)], pa.list_(pa.int32(), 2)),
    "struct": pa.array([{"x": i, "y": str(i)} for i in range(N)]),
    "map": pa.array([[("k", i)] for i in range(N)], pa.map_(pa.string(), pa.int64())),
    "dictionary": pa.array(["ab"[i % 2] for i in range(N)]).dictionary_encode(),
    "list of dictionary": pa.ListArray.from_arrays(
        pa.array(range(N + 1), pa.int32()), pa.array(["ab"[i % 2] for i in range(N)]).dictionary_encode()
    ),
    "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([bytes([i]) * 16 for i in range(N)], pa.binary(16))),
    "decimal": pa.array(range(N)).cast(pa.decimal256(50, 2)),
    "interval": pa.array([(1, 2, i) for i in range(N)], pa.month_day_nano_interval()),
    "float16": pa.array([1.5] * N, pa.float16()),
    "sparse union": pa.UnionArray.from_sparse(
        pa.array([i % 2 for i in range(N)], pa.int8()), [pa.array(range(N)), pa.array([str(i) for i in range(N)])]
    ),
    "run_end_encoded": pa.RunEndEncodedArray.from_arrays(pa.array([10, N], pa.int32()), pa.array(["x", "y"])),
}
V4 = {"metadata_version": pa.ipc.MetadataVersion.V4}
WRITTEN = [{}, {"compression": "lz4"}, {"compression": "zstd"}, V4, {**V4, "use_legacy_format": True}]


def numbers(rows=1000):
    return pa.table({"id": range(rows), "twice": [2 * i for i in range(rows)], "text": [f"t{i}" for i in range(rows)]})


def read(data, **arguments):
    return sf.read_ipc(io.BytesIO(data), **arguments)


def stream_of(schema, batches, **options):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("options", WRITTEN, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_every_type_is_read_alone_beside_others_and_not_at_all(kind, options, stream):
    data = pa.table({"before": range(N), "it": KINDS[kind], "after": [f"q{i}" for i in range(N)]})
    written = ipc_bytes(data, stream=stream, batch_rows=7, **options)
    data = data.cast(without_views(data.schema))
    assert read(written).to_arrow().equals(data)
    assert read(written, columns=["it"]).to_arrow().equals(data.select(["it"]))
    assert read(written, columns=["after", "before"]).to_arrow().equals(data.select(["after", "before"]))
    assert read(written).count() == N


@pytest.mark.parametrize("name", ["a.arrow", "a.arrows", "a.feather", "a.ipc"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_first_bytes_tell_the_format_and_not_the_suffix(tmp_path, name, stream):
    path = tmp_path / name
    path.write_bytes(ipc_bytes(numbers(), stream=stream))
    assert sf.read(path).to_arrow().equals(numbers())


@pytest.mark.parametrize("stream", [False, True])
def test_no_rows_are_no_rows(stream):
    none = numbers(0)
    assert read(ipc_bytes(none, stream=stream)).to_arrow().equals(none)
    with_an_empty_batch = io.BytesIO()
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(with_an_empty_batch, none.schema) as writer:
        writer.write_batch(pa.RecordBatch.from_pylist([], none.schema))
    assert read(with_an_empty_batch.getvalue()).to_arrow().equals(none)


@pytest.mark.parametrize("stream", [False, True])
def test_wherever_it_is_cut_the_error_says_so_and_where(stream):
    whole = ipc_bytes(numbers(4).select(["id"]), stream=stream, batch_rows=2)
    for cut in range(len(whole)):
        # Of the first bytes nobody can tell what they were going to be.
        with pytest.raises(sf.TruncatedError if cut >= 8 else sf.StreamError) as raised:
            read(whole[:cut]).to_arrow()
        if cut >= 8:
            assert raised.value.byte_offset <= cut


def test_a_stream_without_its_end_marker_is_cut_but_its_rows_come_first():
    whole = ipc_bytes(numbers(), stream=True)
    arrived = 0
    with pytest.raises(sf.TruncatedError, match="no end-of-stream marker") as raised:
        for batch in read(whole[:-8]):
            arrived += batch.num_rows
    assert arrived == 1000
    assert raised.value.byte_offset == len(whole) - 8


def test_what_follows_the_end_marker_is_an_error():
    whole = ipc_bytes(numbers(), stream=True)
    with pytest.raises(sf.DecodeError, match="goes on behind its end-of-stream marker") as raised:
        read(whole + whole).to_arrow()
    assert raised.value.byte_offset == len(whole)


@pytest.mark.parametrize("kept", [0, 500])
def test_a_footer_that_forgets_a_batch_is_an_error(kept):
    two, fewer = (ipc_bytes(numbers(rows), batch_rows=500) for rows in (1000, kept))
    footer_bytes, shorter_bytes = (int.from_bytes(data[-10:-6], "little") + 10 for data in (two, fewer))
    with pytest.raises(sf.DecodeError, match=r"leaves (some )?out"):
        read(two[:-footer_bytes] + fewer[-shorter_bytes:]).to_arrow()


@pytest.mark.parametrize("stream", [False, True])
def test_rows_are_not_counted_by_a_number_that_lies(stream):
    written = ipc_bytes(numbers(777), stream=stream, batch_rows=777)
    number, at = (777).to_bytes(8, "little"), 0
    while (at := written.find(number, at + 1)) >= 0:
        try:
            counted = read(written[:at] + (776).to_bytes(8, "little") + written[at + 8 :]).count()
        except sf.DecodeError:
            continue
        assert counted == 777


def test_dictionaries_grow_and_are_replaced_in_mid_stream():
    def batch(values, indices):
        return pa.record_batch({"d": pa.DictionaryArray.from_arrays(pa.array(indices, pa.int8()), pa.array(values))})

    batches = [batch("ab", [0, 1]), batch("abc", [2, 0]), batch("xy", [0, 1]), batch("xy", [1, 1]), batch("a", [0, 0])]
    for deltas in (False, True):
        written = stream_of(batches[0].schema, batches, emit_dictionary_deltas=deltas)
        assert [row["d"] for row in read(written).iter_rows()] == list("abcaxyyyaa")


def test_a_dictionary_that_was_replaced_is_held_no_longer():
    values = [[f"{n}-{i}" * 100 for i in range(100)] for n in range(40)]
    batches = [pa.record_batch({"d": pa.array(some).dictionary_encode()}) for some in values]
    with sf.options(memory="1MB"), read(stream_of(batches[0].schema, batches)).iter_batches() as arriving:
        assert sum(batch.num_rows for batch in arriving) == 4000
        assert arriving.stats().peak_bytes <= 1_000_000


def test_an_unknown_extension_type_is_its_storage_and_keeps_its_name():
    field = pa.field("x", pa.int64(), metadata={"ARROW:extension:name": "someones.own"})
    written = ipc_bytes(pa.table([range(3)], schema=pa.schema([field])))
    assert read(written).schema.field("x").metadata == field.metadata


# Of these a large batch is more than the memory; the types of which rows cannot be read by themselves stay whole.
MANY = 400
WHOLE = ("list of dictionary", "sparse union", "run_end_encoded")


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("options", [{}, {"compression": "zstd"}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_one_giant_record_batch_of_any_type_comes_in_slices_within_the_memory(kind, options, stream):
    column = pa.concat_arrays([KINDS[kind]] * MANY)
    noise = os.urandom(64 * len(column))
    data = pa.table(
        {
            "n": range(len(column)),
            "it": column,
            "text": pa.array([None if n % 7 == 3 else noise[64 * n : 64 * n + n % 64] for n in range(len(column))]),
            "noise": pa.array([noise[64 * n : 64 * n + 64] for n in range(len(column))], pa.binary(64)),
        }
    )
    written = ipc_bytes(data, stream=stream, batch_rows=10**9, **options)
    data = data.cast(without_views(data.schema))
    with sf.options(memory="1MB"):
        with read(written).iter_batches() as batches:
            slices = list(batches)
            peak_bytes = batches.stats().peak_bytes
        for columns in (["it"], ["text", "n"], ["noise", "it"]):
            assert read(written, columns=columns).to_arrow().equals(data.select(columns)), columns
        assert read(written).slice(15_990, 5).to_arrow().equals(data.slice(15_990, 5))
    assert pa.Table.from_batches(slices).equals(data)
    if kind not in WHOLE:
        assert max(piece.nbytes for piece in slices) < data.nbytes / 4
        assert peak_bytes < 1_500_000


@pytest.mark.parametrize("columns", [["n"], ["n", "text"]])
def test_of_a_giant_batch_only_the_first_rows_are_fetched_where_no_more_are_wanted(columns):
    rows = 200_000
    data = pa.table({"n": range(rows), "text": [f"text {n}" for n in range(rows)]})
    written = ipc_bytes(data, batch_rows=rows)
    with serve(page(written)) as url, sf.options(memory="4MB"):
        first = sf.read_ipc(url + "/a.arrow", columns=columns).limit(5)
        with first.iter_batches() as batches:
            assert sum(batch.num_rows for batch in batches) == 5
            assert batches.stats().bytes_read < 300_000 < len(written) / 4


def test_the_views_of_a_giant_batch_by_polars_come_in_slices(tmp_path):
    pl = pytest.importorskip("polars")
    words = ["short", None, "longer than twelve letters, so that it lies elsewhere", ""]
    frame = pl.DataFrame({"n": range(60_000), "word": [words[n % 4] for n in range(60_000)]})
    frame.write_ipc(tmp_path / "a.arrow", record_batch_size=60_000, compression="uncompressed")
    assert pa.ipc.open_file(tmp_path / "a.arrow").num_record_batches == 1
    with sf.options(memory="1MB"), sf.read_ipc(tmp_path / "a.arrow").iter_batches() as batches:
        slices = list(batches)
    assert len(slices) > 4
    assert pl.from_arrow(slices).equals(frame)


def test_numbers_in_the_order_of_another_machine_are_refused():
    # The length of its name is a 1 that the order can point to.
    written = bytearray(ipc_bytes(pa.table({"a": [7]})))
    start = len(written) - 10 - int.from_bytes(written[-10:-6], "little")

    def at(place, kind):
        return struct.unpack_from(kind, written, place)[0]

    # Footer.schema, whose first field is the order; left out, as here, it is little-endian.
    footer = start + at(start, "<I")
    entry = footer + at(footer - at(footer, "<i") + 6, "<H")
    schema = entry + at(entry, "<I")
    order = schema - at(schema, "<i") + 4
    assert at(order, "<H") == 0
    one = next(place for place in range(schema, len(written), 2) if at(place, "<H") == 1)
    struct.pack_into("<H", written, order, one - schema)
    with pytest.raises(sf.DecodeError, match=r"has its numbers in big-endian order"):
        read(bytes(written)).to_arrow()


def test_tiny_record_batches_come_joined():
    for stream in (False, True):
        assert len(list(read(ipc_bytes(numbers(), stream=stream, batch_rows=1)))) == 1


def test_a_stream_over_http_needs_no_length():
    written = ipc_bytes(numbers(), stream=True)
    for handler in (chunked(written), until_close(written)):
        with serve(handler) as url:
            assert sf.read_ipc(url + "/a.arrows").to_arrow().equals(numbers())
    with serve(until_close(written[:-1000])) as url, pytest.raises(sf.TruncatedError, match=r"a\.arrows"):
        sf.read_ipc(url + "/a.arrows").to_arrow()


def test_of_a_remote_file_only_the_columns_that_are_needed_are_fetched():
    data = pa.table({"wanted": range(200_000), "noise": [os.urandom(40) for _ in range(200_000)]})
    written = ipc_bytes(data, batch_rows=50_000)
    with serve(page(written)) as url, sf.read_ipc(url + "/a.arrow", columns=["wanted"]).iter_batches() as batches:
        assert sum(batch.num_rows for batch in batches) == 200_000
        assert batches.stats().bytes_read < len(written) / 4


@pytest.mark.parametrize("kind", KINDS)
def test_beside_any_type_whose_buffers_are_fixed_only_what_is_needed_is_read(kind):
    noise = pa.array([bytes(20_000)] * N)
    written = ipc_bytes(pa.table({"it": KINDS[kind], "noise": noise, "wanted": range(N)}))
    with read(written, columns=["wanted"]).iter_batches() as batches:
        assert [value for batch in batches for value in batch["wanted"].to_pylist()] == list(range(N))
        unknown = ("sparse union", "run_end_encoded")
        assert (batches.stats().bytes_read > 500_000) == (kind in unknown)


def test_a_pipe_can_be_looked_at_and_then_read():
    reading, writing = os.pipe()

    def write():
        with open(writing, "wb") as file:
            file.write(ipc_bytes(numbers(), stream=True))

    writer = threading.Thread(target=write)
    writer.start()
    with open(reading, "rb") as file:
        frame = sf.read_ipc(file)
        assert frame.columns == ["id", "twice", "text"]
        assert frame.to_arrow().equals(numbers())
    writer.join()


def test_files_of_a_list_have_the_columns_of_the_first(tmp_path):
    first, second = tmp_path / "1.arrow", tmp_path / "2.arrows"
    first.write_bytes(ipc_bytes(numbers(10)))
    second.write_bytes(ipc_bytes(numbers(10).select(["text", "id", "twice"]), stream=True))
    assert sf.read_ipc([first, second]).to_arrow().equals(pa.concat_tables([numbers(10)] * 2))
    second.write_bytes(ipc_bytes(numbers(10).drop_columns("twice")))
    with pytest.raises(sf.SchemaError, match=r"2\.arrows has no column 'twice'") as raised:
        sf.read_ipc([first, second]).to_arrow()
    assert (raised.value.column, raised.value.source) == ("twice", str(second))
    second.write_bytes(ipc_bytes(numbers(10).set_column(0, "id", pa.array(["x"] * 10))))
    with pytest.raises(sf.SchemaError, match="column 'id' is string"):
        sf.read_ipc([first, second]).to_arrow()


@pytest.mark.parametrize(
    ("name", "data", "error", "says"),
    [
        ("a.arrow", b"", sf.TruncatedError, "is empty"),
        ("a.arrow", b"id,text\n1,a\n", sf.DecodeError, "is not Arrow IPC: it starts with b'id,tex'"),
        ("a.feather", b"FEA1" + bytes(100), sf.DecodeError, "Feather file of version 1"),
        ("a.arrow.gz", gzip.compress(ipc_bytes(numbers())), sf.DecodeError, "its end, which has to be read first"),
        (
            "a.arrow",
            ipc_bytes(pa.table([[1], [2]], names=["x", "x"])),
            sf.SchemaError,
            "more than one column named 'x'",
        ),
    ],
)
def test_what_cannot_be_read_is_told_in_words(tmp_path, name, data, error, says):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(error, match=says) as raised:
        sf.read(path).to_arrow()
    assert raised.value.source == str(path)
    assert raised.value.hint
